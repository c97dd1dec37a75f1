//! What webhooks were told, and what came of it. Webhooks themselves are declared like everything else: [`super::resources`].
use super::PREFIX;
use crate::{
    http::{
        auth::Caller,
        problem::Failure,
        routes::{Operation, Routes},
    },
    service::webhooks::Webhooks,
};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use pilotlight_types::{
    Timestamp,
    api::{Attempt, Delivery, DeliveryState, List, Replayed, WebhookStatus},
    resource::{Kind, Verb},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// How many deliveries a page has at the most, and without a limit.
const PAGE: (i64, i64) = (500, 100);

#[derive(Debug, Deserialize, JsonSchema)]
struct Listed {
    /// Those in this state.
    state: Option<DeliveryState>,
    /// The `next` of the page before.
    cursor: Option<i64>,
    /// How many at the most, from 1 to 500; 100 without it.
    limit: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Meant {
    /// Those in this state; `dead` without it.
    state: Option<DeliveryState>,
    /// Those that were found to be due from this time on.
    since: Option<Timestamp>,
}

pub(super) fn routes() -> Routes<Webhooks> {
    let about = |operation: Operation, verb: Verb, id: &str, summary: &str| {
        operation.called(id, summary).needs(verb, Kind::Webhook)
    };
    Routes::under(PREFIX)
        .on(
            about(
                Operation::get("/webhooks/{name}/status"),
                Verb::Get,
                "getWebhookStatus",
                "How a webhook does: whether it is paused, and how many deliveries are in each state",
            )
            .answers::<WebhookStatus>(200, "how it does"),
            status,
        )
        .on(
            about(
                Operation::get("/webhooks/{name}/deliveries"),
                Verb::Deliver,
                "listDeliveries",
                "What a webhook was told, newest first, with the last tries of each",
            )
            .asks::<Listed>()
            .answers::<List<Delivery>>(200, "a page of deliveries"),
            list,
        )
        .on(
            about(
                Operation::get("/webhooks/{name}/deliveries/{id}"),
                Verb::Deliver,
                "getDelivery",
                "Shows what became of one event, by the event's id",
            )
            .answers::<Delivery>(200, "the delivery"),
            one,
        )
        .on(
            about(
                Operation::post("/webhooks/{name}/deliveries/{id}/replay"),
                Verb::Deliver,
                "replayDelivery",
                "Sends a delivery again, whatever came of it",
            )
            .says("It is sent under the same `webhook-id`, and given up as if it were new.")
            .answers::<Replayed>(200, "it is pending"),
            replay_one,
        )
        .on(
            about(
                Operation::post("/webhooks/{name}/replay"),
                Verb::Deliver,
                "replayDeliveries",
                "Sends deliveries again: those that were given up, unless said otherwise",
            )
            .asks::<Meant>()
            .answers::<Replayed>(200, "they are pending"),
            replay,
        )
        .on(
            about(
                Operation::post("/webhooks/{name}/resume"),
                Verb::Deliver,
                "resumeWebhook",
                "Sends to a webhook again whose receiver answered 410",
            )
            .answers_nothing(204, "it is sent to"),
            resume,
        )
        .on(
            about(
                Operation::post("/webhooks/{name}/test"),
                Verb::Deliver,
                "testWebhook",
                "Sends an event of kind `webhook.test`, once, and shows what came of it",
            )
            .says("It is not stored, and goes to a paused webhook, too.")
            .answers::<Attempt>(200, "what came of it, whatever it was"),
            test,
        )
}

async fn status(
    State(webhooks): State<Webhooks>,
    Path(name): Path<String>,
) -> Result<Json<WebhookStatus>, Failure> {
    Ok(Json(webhooks.status(&name).await?))
}

async fn list(
    State(webhooks): State<Webhooks>,
    Path(name): Path<String>,
    Query(Listed { state, cursor, limit }): Query<Listed>,
) -> Result<Json<List<Delivery>>, Failure> {
    let (most, usual) = PAGE;
    let limit = limit.map_or(usual, i64::from).clamp(1, most);
    let items = webhooks.deliveries(&name, state, cursor.unwrap_or(i64::MAX), limit).await?;
    let full = i64::try_from(items.len()).is_ok_and(|len| len >= limit);
    let next = items.last().filter(|_| full).map(|last| last.seq.to_string());
    Ok(Json(List { items, next }))
}

async fn one(
    State(webhooks): State<Webhooks>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Json<Delivery>, Failure> {
    Ok(Json(webhooks.delivery(&name, &id).await?))
}

async fn replay_one(
    State(webhooks): State<Webhooks>,
    Caller(actor): Caller,
    Path((name, id)): Path<(String, String)>,
) -> Result<Json<Replayed>, Failure> {
    Ok(Json(Replayed { replayed: webhooks.replay_one(&name, &id, &actor).await? }))
}

async fn replay(
    State(webhooks): State<Webhooks>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    Query(Meant { state, since }): Query<Meant>,
) -> Result<Json<Replayed>, Failure> {
    let state = state.unwrap_or(DeliveryState::Dead);
    Ok(Json(Replayed { replayed: webhooks.replay_all(&name, state, since, &actor).await? }))
}

async fn resume(
    State(webhooks): State<Webhooks>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Failure> {
    webhooks.resume(&name, &actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn test(
    State(webhooks): State<Webhooks>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Attempt>, Failure> {
    Ok(Json(webhooks.test(&name, &actor).await?))
}

//! `webhook status`, `webhook deliveries`, `webhook replay`, `webhook resume`, `webhook test`.
use super::{
    Output, WebhookCommand,
    client::{Client, segment},
    table,
};
use anyhow::{Result, bail};
use pilotlight_types::api::{Attempt, Delivery, List, Replayed, WebhookStatus};

pub(super) async fn run(command: WebhookCommand) -> Result<()> {
    match command {
        WebhookCommand::Status { name, output, server } => {
            let status: WebhookStatus =
                Client::new(&server)?.get(&format!("/webhooks/{}/status", segment(&name)?), &[]).await?;
            match output {
                Output::Table => print_status(&status),
                Output::Json => println!("{}", serde_json::to_string_pretty(&status)?),
                Output::Yaml => print!("{}", serde_saphyr::to_string(&status)?),
            }
        }
        WebhookCommand::Deliveries { name, state, limit, output, server } => {
            let query = [("state", state.map(|state| state.to_string())), ("limit", Some(limit.to_string()))];
            let query: Vec<_> = query.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
            let path = format!("/webhooks/{}/deliveries", segment(&name)?);
            let page: List<Delivery> = Client::new(&server)?.get(&path, &query).await?;
            match output {
                Output::Table => print(&page.items),
                Output::Json => println!("{}", serde_json::to_string_pretty(&page.items)?),
                Output::Yaml => print!("{}", serde_saphyr::to_string(&page.items)?),
            }
        }
        WebhookCommand::Replay { name, id, dead: _, delivered, since, server } => {
            let (name, client) = (segment(&name)?.to_owned(), Client::new(&server)?);
            let Replayed { replayed } = match id {
                Some(id) => {
                    let path = format!("/webhooks/{name}/deliveries/{}/replay", segment(&id)?);
                    client.post(&path, &()).await?
                }
                None => {
                    let state = if delivered { "delivered" } else { "dead" };
                    let since = since.map(|since| ("since", since));
                    let query: Vec<_> = [("state", state.to_owned())].into_iter().chain(since).collect();
                    client.post_with(&format!("/webhooks/{name}/replay"), &query, &()).await?
                }
            };
            println!("webhook/{name}: {replayed} deliveries are sent again");
        }
        WebhookCommand::Resume { name, server } => {
            Client::new(&server)?.post_for_nothing(&format!("/webhooks/{}/resume", segment(&name)?)).await?;
            println!("webhook/{name} is sent to again");
        }
        WebhookCommand::Test { name, server } => {
            let path = format!("/webhooks/{}/test", segment(&name)?);
            let attempt: Attempt = Client::new(&server)?.post(&path, &()).await?;
            println!("{} in {} ms", came(&attempt), attempt.millis);
            if !attempt.answer.trim().is_empty() {
                println!("{}", attempt.answer.trim_end());
            }
            if attempt.error.is_some() {
                bail!("webhook {name} did not take the test");
            }
        }
    }
    Ok(())
}

/// What came of a try, in a few words.
fn came(attempt: &Attempt) -> String {
    match (attempt.status, &attempt.error) {
        (Some(status), Some(error)) => format!("{status}: {error}"),
        (Some(status), None) => status.to_string(),
        (None, error) => error.clone().unwrap_or_default(),
    }
}

fn print_status(status: &WebhookStatus) {
    let WebhookStatus { name, paused, pending, delivered, dead, oldest_pending, seen } = status;
    let row = |what: &str, value: String| [what.to_owned(), value];
    let mut rows = vec![
        row("pending", pending.to_string()),
        row("delivered", delivered.to_string()),
        row("dead", dead.to_string()),
        row("last event looked at", seen.to_string()),
    ];
    rows.extend(oldest_pending.map(|since| row("oldest pending since", since.to_string())));
    rows.extend(paused.clone().map(|why| row("paused", why)));
    table::print(["WEBHOOK", name], &rows);
}

fn print(deliveries: &[Delivery]) {
    let row = |delivery: &Delivery| {
        let Delivery { id, event, object, state, created, tries, attempts, due, .. } = delivery;
        let last = attempts.last().map(came).unwrap_or_default();
        let last: String = last.chars().take(80).collect();
        let next = due.map(|due| due.to_string()).unwrap_or_default();
        [
            id.to_string(),
            created.to_string(),
            event.clone(),
            object.clone(),
            state.to_string(),
            tries.to_string(),
            next,
            last,
        ]
    };
    table::print(
        ["ID", "CREATED", "EVENT", "OBJECT", "STATE", "TRIES", "NEXT", "LAST ANSWER"],
        &deliveries.iter().map(row).collect::<Vec<_>>(),
    );
}

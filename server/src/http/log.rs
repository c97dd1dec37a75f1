//! One line for each request, with an id that the client is told.
use super::{
    Peer,
    problem::{self, Failure},
};
use crate::{clock::random, metrics::HttpMetrics};
use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::Response,
};
use std::time::Instant;

/// The id of a request.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

/// Gives the request an id, and says in the end what became of it. Query strings are left out: they are the client's words.
pub(super) async fn request(
    State((listener, metrics)): State<(&'static str, HttpMetrics)>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = hex::encode(random::<8>());
    request.extensions_mut().insert(RequestId(id.clone()));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let started = Instant::now();
    let mut response = problem::told(next.run(request).await).await;
    let (elapsed, status) = (started.elapsed(), response.status());
    metrics.count(listener, status.as_u16(), elapsed.as_secs_f64());
    let detail = match response.extensions_mut().remove::<Failure>() {
        Some(failure) => {
            let problem = failure.problem(&id);
            if let Ok(body) = serde_json::to_vec(&problem) {
                response.headers_mut().remove(header::CONTENT_LENGTH);
                *response.body_mut() = Body::from(body);
            }
            format!(": {}", problem.detail)
        }
        None => String::new(),
    };
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    let (status, ms, remote) = (status.as_u16(), elapsed.as_millis(), peer.remote);
    match path.as_str() {
        "/healthz" | "/readyz" | "/metrics" => {
            tracing::debug!(request.id = id, listener, status, duration_ms = ms, client = %remote, "{method} {path}{detail}");
        }
        _ => {
            tracing::info!(request.id = id, listener, status, duration_ms = ms, client = %remote, "{method} {path}{detail}")
        }
    }
    response
}

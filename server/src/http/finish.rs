//! Requests are carried out to their end, even if the client goes away meanwhile.
use axum::{extract::Request, middleware::Next, response::Response};
use futures_util::FutureExt;
use std::panic::resume_unwind;
use tracing::Instrument;

/// Carries a request out to its end. A connection that breaks off drops what it waits for; between the database and the memory that
/// would leave a change in one and not in the other.
#[expect(
    clippy::disallowed_methods,
    reason = "who asked waits for it; at the daemon's end memory ends with it"
)]
pub(super) async fn to_the_end(request: Request, next: Next) -> Response {
    let mut answer = Box::pin(next.run(request));
    // Most answers are there at once: those need no task of their own.
    if let Some(answer) = answer.as_mut().now_or_never() {
        return answer;
    }
    match tokio::spawn(answer.in_current_span()).await {
        Ok(answer) => answer,
        Err(error) => resume_unwind(error.into_panic()),
    }
}

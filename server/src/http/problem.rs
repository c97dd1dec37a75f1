//! Errors as RFC 9457 has them. What the server did wrong is logged, and not told.
mod from;

use super::LARGEST_BODY;
use axum::{
    Json,
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use pilotlight_types::api::{Mistake, Problem};
use serde_json::Value;

/// The codes that the API refuses with, and their titles, by status. Clients rely on them: they are only ever added to.
const CODES: &[(u16, &str, &str)] = &[
    (400, "bad-request", "The request cannot be understood"),
    (401, "unauthorized", "Who are you?"),
    (403, "forbidden", "That is not yours to do"),
    (403, "cross-site", "That did not come from a page of this server"),
    (404, "not-found", "There is no such thing"),
    (405, "method-not-allowed", "That cannot be done here"),
    (409, "called-off", CALLED_OFF),
    (409, "conflict", "It is not as you think it is"),
    (409, "guard", "More machines than may be without saying so"),
    (409, "needed", "Others need it"),
    (409, "not-switchable", "The machine cannot be switched like that"),
    (409, "refused", "The machine's stage does not allow that"),
    (410, "gone", "That boot is over"),
    (412, "precondition-failed", "It was changed since you read it"),
    (412, "plan-differs", "It is not the plan that you saw"),
    (413, "too-large", "That is too much at once"),
    (422, "invalid", "What was sent is not right"),
    (429, "too-many-attempts", "Too many attempts failed"),
    (500, "internal", "The server failed"),
    (502, "bmc-failed", "The machine's BMC did not do it"),
    (503, "unavailable", "Ask again later"),
];

const CALLED_OFF: &str = "It was called off";

/// The codes of a status, with their titles; those of all that the server itself did wrong, or cannot do now, for 500.
pub(super) fn codes_of(status: u16) -> impl Iterator<Item = (&'static str, &'static str)> {
    let meant = move |known: u16| known == status || status == 500 && known > 500;
    CODES.iter().filter(move |(known, ..)| meant(*known)).map(|(_, code, title)| (*code, *title))
}

/// An error on its way to a client. Its codes are listed in docs/errors.md, and only ever added to.
#[derive(Debug, Clone)]
pub(super) struct Failure(Box<Problem>);

impl Failure {
    /// An error that the client is told in full.
    pub(super) fn new(status: StatusCode, code: &str, title: &str, detail: impl Into<String>) -> Self {
        let (code, title, detail) = (code.to_owned(), title.to_owned(), detail.into());
        Self(Box::new(Problem {
            status: status.as_u16(),
            code,
            title,
            detail,
            request_id: None,
            errors: Vec::new(),
            current: None,
            sent: None,
        }))
    }

    /// What was sent cannot be read.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request cannot be understood", detail)
    }

    /// There is no such thing.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }

    /// The caller may not do that.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "That is not yours to do", detail)
    }

    /// It is not as it was.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "It is not as you think it is", detail)
    }

    /// What the caller expected of the resource does not hold.
    pub(super) fn precondition(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition-failed",
            "It was changed since you read it",
            detail,
        )
    }

    /// Not now.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Ask again later", detail)
    }

    /// The server failed: its log says more.
    pub(super) fn internal() -> Self {
        let detail = "the server's log says more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The server failed", detail)
    }

    /// Its code, and what happened.
    pub(super) fn told(self) -> (String, String) {
        (self.0.code, self.0.detail)
    }

    /// With what is there now, and what was sent: whoever was too late loses neither.
    pub(super) fn with_versions(mut self, current: Option<Value>, sent: Option<Value>) -> Self {
        (self.0.current, self.0.sent) = (current, sent);
        self
    }

    /// It is more than is taken at once.
    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "That is too much at once", detail)
    }

    /// It can be read, and is not right at this place.
    pub(super) fn invalid(path: &str, detail: impl Into<String>) -> Self {
        let (detail, path) = (detail.into(), path.to_owned());
        let mistake = Mistake { document: 0, path, position: None, detail: detail.clone() };
        Self::mistakes(detail, vec![mistake])
    }

    /// What was sent is understood, and not right.
    pub(super) fn mistakes(detail: String, errors: Vec<Mistake>) -> Self {
        let mut failure =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "What was sent is not right", detail);
        failure.0.errors = errors;
        failure
    }

    /// The body, with the request's id.
    pub(super) fn problem(&self, request_id: &str) -> Problem {
        Problem { request_id: Some(request_id.to_owned()), ..Problem::clone(&self.0) }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&*self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            // Not Basic, though it is taken: a browser would ask for a password in the middle of a page. People have /sign-in.
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"pilotlight\""));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// How much of what the framework said of an error is passed on.
const LONGEST_WORDS: usize = 4096;

/// An error that the framework made becomes a problem document like any other: what it told the client is the detail.
pub(super) async fn told(response: Response) -> Response {
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    // What our own handlers say of it in JSON (`/readyz`), or on a page for people (`/sign-in`), stays as it is.
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let ours = kind.is_some_and(|kind| kind.contains("json") || kind.starts_with("text/html"));
    if !failed || ours || response.extensions().get::<Failure>().is_some() {
        return response;
    }
    let (parts, body) = response.into_parts();
    let said = axum::body::to_bytes(body, LONGEST_WORDS).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let mut failure = match status {
        StatusCode::UNPROCESSABLE_ENTITY => Failure::mistakes(said.into_owned(), Vec::new()),
        // The framework does not say how much is too much.
        StatusCode::PAYLOAD_TOO_LARGE => Failure::too_large(format!(
            "a body has up to {} MiB, and an agent's up to 512 kB",
            LARGEST_BODY >> 20
        )),
        StatusCode::RANGE_NOT_SATISFIABLE => {
            let detail = "the file ends before that";
            Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, "range", "There is no such part", detail)
        }
        _ if status.is_client_error() => Failure::bad_request(said),
        _ => Failure::internal(),
    };
    failure.0.status = status.as_u16();
    let mut answer = failure.into_response();
    for (name, value) in &parts.headers {
        if ![header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    answer
}

/// Nobody said who asks.
pub(super) fn unauthorized(detail: impl Into<String>) -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, "unauthorized", "Who are you?", detail)
}

/// There is nothing at this path.
pub(super) async fn no_such_path(uri: Uri) -> Failure {
    Failure::not_found(format!("there is nothing at {}", uri.path()))
}

/// That cannot be done at this path.
pub(super) async fn no_such_method(uri: Uri) -> Failure {
    let detail = format!("{} does not take this method", uri.path());
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "That cannot be done here", detail)
}

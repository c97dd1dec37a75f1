//! Errors as RFC 9457 has them. What the server did wrong is logged, and not told.
use crate::{
    domain::rights::{Beyond, Forbidden},
    errors,
    service::{
        StoreError,
        access::TokenError,
        agents::ReportError,
        changes::ChangeError,
        delivery::Denied,
        explain::{BadPacket, ExplainError},
        machines::MachineError,
        oidc::OidcError,
        operations::GoesOn,
        power::PowerError,
        users::UserError,
        webhooks::WebhookError,
    },
};
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

    /// It can be read, and is not right.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::mistakes(detail.into(), Vec::new())
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

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { what } => {
                Self::conflict(format!("{what} was changed by somebody else at the same moment"))
            }
            StoreError::Stopped => Self::unavailable("the daemon is stopping"),
            error => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the database failed: {}",
                    errors::chain(&error)
                );
                Self::unavailable("the database does not answer; the server's log says more")
            }
        }
    }
}

impl From<MachineError> for Failure {
    fn from(error: MachineError) -> Self {
        match error {
            MachineError::Store(error) => error.into(),
            MachineError::NotFound(_) => Self::not_found(error.to_string()),
            MachineError::TooMany => Self::unavailable(error.to_string()),
            MachineError::NoPower(..) => Self::new(
                StatusCode::CONFLICT,
                "not-switchable",
                "The machine cannot be switched like that",
                error.to_string(),
            ),
            MachineError::Refused(_) | MachineError::NoProfile(_) => Self::new(
                StatusCode::CONFLICT,
                "refused",
                "The machine's stage does not allow that",
                error.to_string(),
            ),
        }
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        let detail = error.to_string();
        match error {
            ChangeError::Store(error) => error.into(),
            ChangeError::Machine(error) => error.into(),
            ChangeError::Forbidden(error) => error.into(),
            ChangeError::Beyond(error) => error.into(),
            ChangeError::NotYours { .. } => Self::forbidden(detail),
            ChangeError::Mistakes(errors) => Self::mistakes(detail, errors),
            ChangeError::NotFound(..) => Self::not_found(detail),
            ChangeError::Changed(..) => Self::precondition(detail),
            ChangeError::CalledOff(_) => Self::new(StatusCode::CONFLICT, "called-off", CALLED_OFF, detail),
            ChangeError::NoSource => Self::bad_request(detail),
            ChangeError::Guard(_) => Self::new(
                StatusCode::CONFLICT,
                "guard",
                "More machines than may be without saying so",
                detail,
            ),
            ChangeError::NotThePlan { .. } => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "plan-differs",
                "It is not the plan that you saw",
                detail,
            ),
            ChangeError::Needed(..) => Self::new(StatusCode::CONFLICT, "needed", "Others need it", detail),
        }
    }
}

impl From<GoesOn> for Failure {
    fn from(error: GoesOn) -> Self {
        match error {
            GoesOn::Unknown(_) => Self::not_found(error.to_string()),
            GoesOn::Ended(_) | GoesOn::TooLate(_) => Self::conflict(error.to_string()),
        }
    }
}

impl From<WebhookError> for Failure {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Store(error) => error.into(),
            WebhookError::NoWebhook(_) | WebhookError::NoDelivery(..) => Self::not_found(error.to_string()),
        }
    }
}

impl From<PowerError> for Failure {
    fn from(error: PowerError) -> Self {
        match error {
            PowerError::Machine(error) => error.into(),
            PowerError::Bmc { .. } => Self::new(
                StatusCode::BAD_GATEWAY,
                "bmc-failed",
                "The machine's BMC did not do it",
                error.to_string(),
            ),
        }
    }
}

impl From<Forbidden> for Failure {
    fn from(error: Forbidden) -> Self {
        Self::forbidden(error.to_string())
    }
}

impl From<Beyond> for Failure {
    fn from(error: Beyond) -> Self {
        Self::forbidden(error.to_string())
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Store(error) => error.into(),
            TokenError::Exists(_) | TokenError::Last(_) => Self::conflict(error.to_string()),
            TokenError::NotFound(_) => Self::not_found(error.to_string()),
            TokenError::TooMany(_) => Self::unavailable(error.to_string()),
            TokenError::Beyond(error) => error.into(),
            TokenError::Name | TokenError::Role(_) | TokenError::Scope(_) | TokenError::Expired(_) => {
                Self::mistakes(error.to_string(), Vec::new())
            }
        }
    }
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Self {
        let detail = error.to_string();
        match error {
            UserError::Store(error) => error.into(),
            UserError::Rights(error) => error.into(),
            UserError::Exists(_) => Self::conflict(detail),
            UserError::NotFound(_) => Self::not_found(detail),
            UserError::NotLocal(_) => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", "That is not yours to do", detail)
            }
            UserError::Wrong => Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Who are you?", detail),
            UserError::Wait(_) => {
                let title = "Too many attempts failed";
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", title, detail)
            }
            UserError::Busy => Self::unavailable(detail),
            UserError::Name | UserError::Scope(_) | UserError::Password(_) => {
                Self::mistakes(detail, Vec::new())
            }
        }
    }
}

impl From<OidcError> for Failure {
    fn from(error: OidcError) -> Self {
        let detail = error.to_string();
        match error {
            OidcError::Away(_) | OidcError::Secret(_) => Self::unavailable(detail),
            OidcError::NotConfigured => Self::not_found(detail),
            OidcError::NoRole { .. } | OidcError::NoRule { .. } => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", "That is not yours to do", detail)
            }
            _ => unauthorized(detail),
        }
    }
}

impl From<BadPacket> for Failure {
    fn from(error: BadPacket) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<ExplainError> for Failure {
    fn from(error: ExplainError) -> Self {
        Self::not_found(error.to_string())
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        let detail = error.to_string();
        match error {
            ReportError::Store(error) => error.into(),
            ReportError::Machine(error) => error.into(),
            ReportError::Unauthorized => unauthorized(detail),
            ReportError::Gone(_) => Self::new(StatusCode::GONE, "gone", "That boot is over", detail),
            ReportError::Facts(_) => Self::mistakes(detail, Vec::new()),
        }
    }
}

impl From<Denied> for Failure {
    fn from(error: Denied) -> Self {
        match error {
            Denied::Store(error) => error.into(),
            // Ignition asks again after a 5xx, and takes anything else as final.
            Denied::NotNow(why) => Self::unavailable(why),
            Denied::Refused(why) => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", "That is not yours to have", why)
            }
        }
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
        StatusCode::PAYLOAD_TOO_LARGE => Failure::too_large(said),
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

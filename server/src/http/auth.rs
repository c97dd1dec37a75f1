//! Who may call what: one table, and the gate that keeps to it.
use super::{
    log::RequestId,
    problem::{Failure, unauthorized},
};
use crate::service::{
    access::{Access, Bearer},
    journal::Actor,
};
use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use pilotlight_types::api::Role;

/// Every endpoint for people and scripts, and the least role that may call it. What is not here, nobody may call.
pub const ENDPOINTS: &[(Method, &str, Role)] = &[
    (Method::POST, "/api/v1/apply", Role::Admin),
    (Method::GET, "/api/v1/boots", Role::Viewer),
    (Method::GET, "/api/v1/boots/{id}", Role::Viewer),
    (Method::GET, "/api/v1/boots/{id}/console", Role::Viewer),
    (Method::GET, "/api/v1/events", Role::Viewer),
    (Method::GET, "/api/v1/explain", Role::Viewer),
    (Method::POST, "/api/v1/explain", Role::Viewer),
    (Method::GET, "/api/v1/machines", Role::Viewer),
    (Method::GET, "/api/v1/machines/{name}", Role::Viewer),
    (Method::PUT, "/api/v1/machines/{name}", Role::Admin),
    (Method::DELETE, "/api/v1/machines/{name}", Role::Admin),
    (Method::GET, "/api/v1/machines/{name}/explain", Role::Viewer),
    (Method::POST, "/api/v1/machines/{name}/accept", Role::Admin),
    (Method::POST, "/api/v1/machines/{name}/hold", Role::Admin),
    (Method::POST, "/api/v1/machines/{name}/provision", Role::Admin),
    (Method::POST, "/api/v1/machines/{name}/release", Role::Admin),
    (Method::POST, "/api/v1/machines/{name}/retire", Role::Admin),
    // It changes nothing and shows what a viewer may see: a merge request's pipeline needs no more than that.
    (Method::POST, "/api/v1/plan", Role::Viewer),
    (Method::GET, "/api/v1/tokens", Role::Admin),
    (Method::POST, "/api/v1/tokens", Role::Admin),
    (Method::DELETE, "/api/v1/tokens/{name}", Role::Admin),
    (Method::GET, "/api/v1/{kind}", Role::Viewer),
    (Method::GET, "/api/v1/{kind}/{name}", Role::Viewer),
    (Method::PUT, "/api/v1/{kind}/{name}", Role::Admin),
    (Method::DELETE, "/api/v1/{kind}/{name}", Role::Admin),
    (Method::GET, "/api/v1/{kind}/{name}/revisions", Role::Viewer),
    (Method::GET, "/api/v1/{kind}/{name}/revisions/{revision}", Role::Viewer),
    (Method::GET, "/", Role::Viewer),
    (Method::GET, "/status", Role::Viewer),
];

/// Lets a request through if the table says that its bearer may make it.
pub(super) async fn require(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    // A browser sends the password that it was told along with other sites' forms too: it is good for looking only.
    let password = request.method().is_safe().then(|| password(request.headers())).flatten();
    let Some(token) = token(request.headers()).or(password) else {
        return unauthorized(
            "send `Authorization: Bearer TOKEN`; the first token is in admin.token in the data directory",
        )
        .into_response();
    };
    let Some(bearer) = access.bearer(&token) else {
        return unauthorized("this token is unknown, or has ended").into_response();
    };
    let path =
        request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    match ENDPOINTS.iter().find(|(m, p, _)| m == method && *p == path) {
        Some((.., needed)) if bearer.role >= *needed => {
            request.extensions_mut().insert(bearer);
            next.run(request).await
        }
        Some((.., needed)) => forbidden(&bearer, *needed).into_response(),
        // Not in the table: nothing is there, or the method is not taken. The router says which.
        None if path.is_empty() => next.run(request).await,
        None => {
            let known = ENDPOINTS.iter().any(|(_, p, _)| *p == path);
            if known {
                super::problem::no_such_method(request.uri().clone()).await
            } else {
                super::problem::no_such_path(request.uri().clone()).await
            }
            .into_response()
        }
    }
}

fn forbidden(bearer: &Bearer, needed: Role) -> Failure {
    let role = |role: Role| {
        serde_json::to_value(role).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let detail = format!(
        "token `{}` has the role {}, and this takes the role {}",
        bearer.name,
        role(bearer.role),
        role(needed)
    );
    Failure::new(StatusCode::FORBIDDEN, "forbidden", "That is not yours to do", detail)
}

/// The bearer token of a request.
pub(super) fn token(headers: &HeaderMap) -> Option<String> {
    credentials(headers, "bearer").map(str::to_owned)
}

/// The token of a request as the password that a browser asked for.
fn password(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8(BASE64.decode(credentials(headers, "basic")?).ok()?).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (given, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// Who asks, for the audit log.
pub(super) struct Caller(pub(super) Actor);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let bearer = parts.extensions.get::<Bearer>().ok_or_else(|| unauthorized("who asks is not known"))?;
        let request = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
        Ok(Self(Actor { name: bearer.name.clone(), request }))
    }
}

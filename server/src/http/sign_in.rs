//! Where people sign in and out: pages made on the server, which need no script.
mod issuer;
mod page;

use super::{
    Peer,
    auth::browser::{self, SESSION},
    log::RequestId,
    problem::Failure,
};
use crate::service::{
    callers::Callers,
    journal::Actor,
    oidc::Oidc,
    sessions::{LONGEST, Person},
    users::UserError,
};
use axum::{
    Extension, Router,
    body::Bytes,
    extract::{ConnectInfo, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use page::{Page, Says};
use pilotlight_types::api::How;
use serde::Deserialize;
use std::time::Duration;

/// What the pages need.
#[derive(Debug, Clone)]
pub struct SignInPages {
    /// Who may sign in, and who has.
    pub callers: Callers,
    /// The issuer that people sign in at.
    pub oidc: Oidc,
    /// The site's name.
    pub site: String,
}

/// The largest form that is read.
const LARGEST_FORM: usize = 8192;

pub(super) fn router(pages: SignInPages) -> Router {
    Router::new()
        .route("/sign-in", get(show).post(submit))
        .route("/sign-in/oidc", get(issuer::leave))
        .route(issuer::BACK, get(issuer::back))
        .route("/sign-out", get(ask).post(sign_out))
        .with_state(pages)
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    next: Option<String>,
}

/// What the form has. It has no Debug: there is a password in it.
#[derive(Deserialize)]
struct Form {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    token: String,
    next: Option<String>,
}

impl SignInPages {
    fn page(&self, next: &str, name: &str, says: Option<Says>) -> Html<String> {
        let issuer = self.oidc.host();
        let users = !self.callers.users.is_empty();
        Html(Page { site: &self.site, next, name, users, issuer: issuer.as_deref(), says }.render())
    }
}

async fn show(State(pages): State<SignInPages>, headers: HeaderMap, Query(asked): Query<Asked>) -> Response {
    let next = browser::next(asked.next.as_deref());
    let session = browser::session(&headers).and_then(|cookie| pages.callers.by_cookie(cookie));
    if session.is_some() {
        return Redirect::to(next).into_response();
    }
    kept_private(pages.page(next, "", None).into_response())
}

async fn submit(
    State(pages): State<SignInPages>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Extension(RequestId(request)): Extension<RequestId>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    if !browser::not_cross_site(&headers) {
        return Err(browser::cross_site());
    }
    let form: Form = form(&body)?;
    let next = browser::next(form.next.as_deref()).to_owned();
    let from = from(peer, request);
    let says = match person(&pages.callers, form.name.trim(), form.password, form.token.trim(), &from).await {
        Ok(person) => {
            let (cookie, _) = pages.callers.sign_in(person, &from).await?;
            let response = Redirect::to(&next).into_response();
            return Ok(with_cookie(response, SESSION, cookie.expose(), LONGEST));
        }
        Err(error @ (UserError::Wrong | UserError::Wait(_) | UserError::Busy)) => error,
        Err(error) => return Err(error.into()),
    };
    let (status, wait) = match &says {
        UserError::Wait(wait) => (StatusCode::TOO_MANY_REQUESTS, Some(*wait)),
        UserError::Busy => (StatusCode::SERVICE_UNAVAILABLE, Some(Duration::from_secs(5))),
        _ => (StatusCode::UNAUTHORIZED, None),
    };
    let words = Says::refused(&says.to_string());
    let mut response = (status, pages.page(&next, form.name.trim(), Some(words))).into_response();
    if let Some(wait) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    Ok(kept_private(response))
}

/// Whoever has this name and password, or this token.
async fn person(
    callers: &Callers,
    name: &str,
    password: String,
    token: &str,
    from: &Actor,
) -> Result<Person, UserError> {
    if token.is_empty() {
        return callers.password(name, password, from).await;
    }
    // What somebody got by signing in is no way to sign in again for longer.
    let who = callers.by_token(token).filter(|who| who.how == How::Token).ok_or(UserError::Wrong)?;
    let rights = &who.bearer.rights;
    Ok(Person {
        holder: who.bearer.name.clone(),
        how: How::Token,
        role: rights.role().clone(),
        scope: rights.scope().words().clone(),
        until: who.until,
        mark: None,
    })
}

/// A page with the button: whoever follows a link to here stays signed in.
async fn ask(State(pages): State<SignInPages>, headers: HeaderMap) -> Response {
    let who = browser::session(&headers).and_then(|cookie| pages.callers.by_cookie(cookie));
    match who {
        Some(who) => kept_private(Html(page::sign_out(&pages.site, &who.bearer.name)).into_response()),
        None => Redirect::to("/sign-in").into_response(),
    }
}

async fn sign_out(
    State(pages): State<SignInPages>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Extension(RequestId(request)): Extension<RequestId>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if !browser::same_origin(&headers) {
        return Err(browser::cross_site());
    }
    if let Some(who) = browser::session(&headers).and_then(|cookie| pages.callers.by_cookie(cookie)) {
        let actor = Actor { name: who.bearer.name.clone(), ..from(peer, request) };
        pages.callers.sign_out(&who, &actor).await?;
    }
    let page =
        kept_private(pages.page("/status", "", Some(Says::told("You are signed out."))).into_response());
    Ok(with_cookie(page, SESSION, "", Duration::ZERO))
}

fn from(peer: Peer, request: String) -> Actor {
    Actor { remote: Some(peer.remote.ip()), ..Actor::named("nobody").asking(request) }
}

/// The fields of a form, `application/x-www-form-urlencoded`.
fn form<T: for<'de> Deserialize<'de>>(body: &Bytes) -> Result<T, Failure> {
    if body.len() > LARGEST_FORM {
        return Err(Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "That is too much at once",
            format!("a form of {LARGEST_FORM} bytes at the most is expected"),
        ));
    }
    let text = std::str::from_utf8(body).unwrap_or_default();
    let uri = format!("/?{text}").parse().map_err(|_| Failure::bad_request("a form is expected"))?;
    let Query(form) = Query::try_from_uri(&uri).map_err(|_| Failure::bad_request("a form is expected"))?;
    Ok(form)
}

/// With what keeps a page out of caches and frames, and scripts out of it.
fn kept_private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn with_cookie(mut response: Response, name: &str, value: &str, keep: Duration) -> Response {
    if let Some(cookie) = browser::set_cookie(name, value, keep) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

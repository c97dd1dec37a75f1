//! The way to the issuer that people sign in at, and back.
use super::{SignInPages, from, kept_private, page::Says, with_cookie};
use crate::{
    http::{
        Peer,
        auth::browser::{self, SESSION},
        log::RequestId,
        problem::Failure,
    },
    service::{
        oidc::{Begun, FLOW_LASTS, OidcError},
        sessions::LONGEST,
    },
};
use axum::{
    Extension,
    extract::{ConnectInfo, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use std::time::Duration;

/// Where the issuer leads the browser back to: what is registered there, after this server's URL.
pub(super) const BACK: &str = "/sign-in/oidc/callback";

/// What the browser keeps while it is at the issuer.
const FLOW: &str = "__Host-pilotlight-oidc";

/// The longest words of an issuer that are shown, in characters.
const LONGEST_WORDS: usize = 300;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    next: Option<String>,
}

/// What an issuer says in the URL that it leads back to (RFC 6749, section 4.1.2). It has no Debug: there is a code in it.
#[derive(Deserialize)]
pub(super) struct Told {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

pub(super) async fn leave(
    State(pages): State<SignInPages>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let next = browser::next(wanted.next.as_deref());
    let begun = pages.oidc.begin(&pages.back(&headers)?, next).await;
    Ok(match begun {
        Ok(Begun { to, cookie }) => {
            with_cookie(Redirect::to(&to).into_response(), FLOW, cookie.expose(), FLOW_LASTS)
        }
        Err(error) => pages.failed(&error, next),
    })
}

pub(super) async fn back(
    State(pages): State<SignInPages>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Extension(RequestId(request)): Extension<RequestId>,
    headers: HeaderMap,
    Query(told): Query<Told>,
) -> Result<Response, Failure> {
    let from = from(peer, request);
    let cookie = browser::cookie(&headers, FLOW).unwrap_or_default();
    let done = match told {
        Told { code: Some(code), state: Some(state), error: None, .. } => {
            pages.oidc.finish(cookie, (&code, &state), &pages.back(&headers)?, &from).await
        }
        Told { error: Some(error), error_description, .. } => {
            let words = [Some(error), error_description].into_iter().flatten().collect::<Vec<_>>().join(": ");
            let shown = words.chars().filter(|c| !c.is_control()).take(LONGEST_WORDS).collect();
            Err(OidcError::Denied(shown))
        }
        _ => Err(OidcError::State),
    };
    let response = match done {
        Ok((person, next)) => {
            let (session, _) = pages.callers.sign_in(person, &from).await?;
            // What was asked for a while ago is looked at again.
            let response = Redirect::to(browser::next(Some(&next))).into_response();
            with_cookie(response, SESSION, session.expose(), LONGEST)
        }
        Err(error) => pages.failed(&error, "/status"),
    };
    Ok(with_cookie(response, FLOW, "", Duration::ZERO))
}

impl SignInPages {
    /// The URL that the issuer leads back to. An issuer takes those only that are registered with it.
    fn back(&self, headers: &HeaderMap) -> Result<String, Failure> {
        if let Some(url) = self.oidc.url() {
            return Ok(format!("{url}{BACK}"));
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.ok_or_else(|| Failure::bad_request("the request has no `Host`"))?;
        Ok(format!("https://{host}{BACK}"))
    }

    /// A page that says why, and leaves the other ways in.
    fn failed(&self, error: &OidcError, next: &str) -> Response {
        let (status, hint) = match error {
            OidcError::Away(_) | OidcError::Secret(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "Local users and API tokens can sign in all the same.")
            }
            OidcError::NotConfigured => (StatusCode::NOT_FOUND, ""),
            OidcError::NoRole { .. } => (
                StatusCode::FORBIDDEN,
                "Ask whoever runs this server for a role for one of them (`oidc.roles`).",
            ),
            _ => (StatusCode::FORBIDDEN, ""),
        };
        let words = Says::refused(&error.to_string()).and(hint);
        kept_private((status, self.page(next, "", Some(words))).into_response())
    }
}

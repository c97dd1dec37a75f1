//! Who may call what: the gate that keeps to what the endpoints say of themselves.
pub(super) mod browser;

use super::{
    log::RequestId,
    problem::{Failure, unauthorized},
    routes::{Operation, Permission},
};
use crate::{
    domain::rights::{Forbidden, Rights},
    http::Peer,
    service::{
        access::Bearer,
        callers::{Callers, SignedIn},
        journal::Actor,
        scopes::Scopes,
    },
};
use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, RawPathParams, Request, State},
    http::{HeaderMap, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use std::{collections::HashMap, sync::Arc};

/// What may be done at one path, and what that takes.
type Methods = Vec<(Method, Permission)>;

/// What a request without a token is told.
const NOBODY: &str = "send `Authorization: Bearer TOKEN` (the first one is in admin.token in the data directory), or sign in: \
    `pilotlight login`, or /sign-in in a browser";

/// Lets requests through to the endpoints that their bearers may call. What is not in its table, nobody may call.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    callers: Callers,
    scopes: Scopes,
    table: Arc<HashMap<String, Methods>>,
}

impl Gate {
    /// A gate in front of these.
    pub(super) fn new(
        callers: Callers,
        scopes: Scopes,
        operations: impl IntoIterator<Item = Operation>,
    ) -> Self {
        let mut table: HashMap<String, Methods> = HashMap::new();
        for Operation { method, path, permission, .. } in operations {
            table.entry(path).or_default().push((method, permission));
        }
        Self { callers, scopes, table: Arc::new(table) }
    }

    /// Who a request is from: by its token, or else by its browser's session.
    fn who(&self, request: &Request) -> Result<SignedIn, Failure> {
        let headers = request.headers();
        // A browser sends the password that it was told along with other sites' forms too: it is good for looking only.
        let password = request.method().is_safe().then(|| password(headers)).flatten();
        if let Some(token) = token(headers).or(password) {
            let known = self.callers.by_token(&token);
            return known.ok_or_else(|| unauthorized("this token is unknown, or has ended"));
        }
        let session = browser::session(headers).and_then(|cookie| self.callers.by_cookie(cookie));
        let who = session.ok_or_else(|| unauthorized(NOBODY))?;
        // The same of its cookie, whatever it makes of SameSite.
        if !request.method().is_safe() && !browser::same_origin(headers) {
            return Err(browser::cross_site());
        }
        Ok(who)
    }

    /// Holds a request against its bearer's rights, as far as its path says what it is about.
    fn permits(&self, rights: &Rights, permission: Permission, name: Option<&str>) -> Result<(), Forbidden> {
        let on = |verb, kind| match name {
            Some(name) => self.scopes.permits(rights, verb, kind, name),
            None => rights.permits_some(verb, kind),
        };
        match permission {
            Permission::Open | Permission::Anybody => Ok(()),
            Permission::On(verb, kind) => on(verb, kind),
            Permission::OneOf(verbs, kind) => {
                let mut refused = Ok(());
                for verb in verbs {
                    refused = on(*verb, kind);
                    if refused.is_ok() {
                        break;
                    }
                }
                refused
            }
            Permission::Each(verb) => rights.permits_any(verb),
            Permission::Every(verb, kind) => rights.permits_every(verb, kind),
        }
    }
}

/// Lets a request through if its bearer may make it.
pub(super) async fn require(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let methods = path.as_ref().and_then(|path| gate.table.get(path));
    let known = methods.and_then(|methods| methods.iter().find(|(known, ..)| *known == method));
    if let Some((_, Permission::Open)) = known {
        return next.run(request).await;
    }
    let who = match gate.who(&request) {
        Ok(who) => who,
        Err(refused) => return browser::to_sign_in(&request).unwrap_or_else(|| refused.into_response()),
    };
    // Nothing is there: the router says so.
    if path.is_none() {
        return next.run(request).await;
    }
    if methods.is_none() {
        return super::problem::no_such_path(request.uri().clone()).await.into_response();
    }
    // The router says which methods are taken.
    let Some((_, permission)) = known else { return next.run(request).await };
    let bearer = who.bearer.clone();
    let (mut parts, body) = request.into_parts();
    // As the handler will read it, with what is escaped put right: n%31 is n1.
    let name = match RawPathParams::from_request_parts(&mut parts, &()).await {
        Ok(params) => params.iter().find(|(key, _)| *key == "name").map(|(_, name)| name.to_owned()),
        Err(_) => return super::problem::no_such_path(parts.uri).await.into_response(),
    };
    let mut request = Request::from_parts(parts, body);
    if let Err(why) = gate.permits(&bearer.rights, *permission, name.as_deref()) {
        return Failure::from(why).into_response();
    }
    request.extensions_mut().insert(bearer);
    request.extensions_mut().insert(who);
    next.run(request).await
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
        let remote = parts.extensions.get::<ConnectInfo<Peer>>().map(|ConnectInfo(peer)| peer.remote.ip());
        let Bearer { name, rights } = bearer.clone();
        Ok(Self(Actor { name, request, remote, rights }))
    }
}

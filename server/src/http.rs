//! HTTP: boot files in the clear, everything else over TLS.
mod agent;
pub mod api;
mod auth;
mod body;
mod boot;
mod connection;
mod finish;
mod health;
mod listen;
mod log;
pub mod openapi;
mod problem;
mod routes;
mod sign_in;
mod status;
mod ui;

pub use agent::AgentApi;
pub use boot::{BootFiles, Tally};
pub use connection::{Patience, serve as serve_plain};
pub use health::Health;
pub use listen::TlsListener;
pub use routes::{Operation, Permission};
pub use sign_in::SignInPages;
pub use status::StatusPage;

use crate::{metrics::HttpMetrics, service::callers::Callers};
use auth::Gate;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderMap, StatusCode, Uri},
    middleware,
    response::IntoResponse,
};
use problem::Failure;
use std::{net::SocketAddr, time::Duration};
use tower::ServiceExt;
use tower_http::{catch_panic::CatchPanicLayer, limit::RequestBodyLimitLayer, timeout::TimeoutLayer};

/// Both ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The client's.
    pub remote: SocketAddr,
    /// Ours: the address that the client asked.
    pub local: SocketAddr,
}

/// The largest body that is read: a few thousand resources.
const LARGEST_BODY: usize = 16 << 20;

/// How long a request may take until its response begins: as long as fetching an image does.
const PATIENCE: Duration = Duration::from_secs(1800);

/// What `[http]` serves: boot files and scripts, health, metrics, and a redirect for people.
pub fn plain(boot: BootFiles, health: Health, https_port: u16, metrics: &HttpMetrics) -> Router {
    let elsewhere = move |uri: Uri, headers: HeaderMap| async move {
        // A machine is never sent away: firmware does not follow.
        if uri.path().starts_with("/boot") {
            return Failure::unavailable(format!("there is nothing at {}", uri.path())).into_response();
        }
        health::redirect(&uri, &headers, https_port).into_response()
    };
    let routes = boot::router(boot).merge(health::router(health)).fallback(elsewhere);
    // In front of the routes: a layer would come after they were looked at.
    Router::new().fallback_service(wrapped(routes, "http", metrics).map_request(single_slashes))
}

/// `//boot///ipxe` is `/boot/ipxe`: boot programs put names behind folders that end in a slash (shim, GRUB), and do not follow
/// redirects.
fn single_slashes(mut request: Request) -> Request {
    let path = request.uri().path();
    if !path.contains("//") {
        return request;
    }
    let mut single = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !single.ends_with('/') {
            single.push(c);
        }
    }
    if let Some(query) = request.uri().query() {
        single.push('?');
        single.push_str(query);
    }
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = single.parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

/// Every endpoint for people and scripts.
pub fn operations() -> Vec<Operation> {
    api::operations().into_iter().chain(status::routes().operations()).collect()
}

/// What `[https]` serves: the REST API, agents, Ignition configs, the web UI, the status page, health.
pub fn secure(
    (api, callers): (api::Api, Callers),
    agent: AgentApi,
    (status, sign_in): (StatusPage, SignInPages),
    health: Health,
    metrics: &HttpMetrics,
) -> Router {
    let gate = Gate::new(callers, api.scopes.clone(), operations());
    let people = Router::new()
        .merge(api::router(api))
        .merge(status::routes().with_state(status))
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(middleware::from_fn_with_state(gate, auth::require));
    let routes = people
        .merge(sign_in::router(sign_in))
        .nest("/agent/v1", agent::router(agent))
        .merge(health::router(health))
        .merge(ui::router())
        .fallback(problem::no_such_path);
    wrapped(routes, "https", metrics)
}

fn wrapped(routes: Router, listener: &'static str, metrics: &HttpMetrics) -> Router {
    routes
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(middleware::from_fn(finish::to_the_end))
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, PATIENCE))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(RequestBodyLimitLayer::new(LARGEST_BODY))
        .layer(middleware::from_fn_with_state((listener, metrics.clone()), log::request))
}

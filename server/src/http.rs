//! HTTP: boot files in the clear, everything else over TLS.
mod agent;
pub mod api;
mod auth;
mod boot;
mod health;
mod listen;
mod log;
mod problem;
mod status;

pub use agent::AgentApi;
pub use auth::ENDPOINTS;
pub use boot::BootFiles;
pub use health::Health;
pub use listen::{PlainListener, TlsListener};
pub use status::StatusPage;

use crate::{metrics::HttpMetrics, service::access::Access};
use axum::{
    Router,
    http::{HeaderMap, StatusCode, Uri},
    middleware,
};
use std::{net::SocketAddr, time::Duration};
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
    let routes = boot::router(boot).merge(health::router(health)).fallback(
        move |uri: Uri, headers: HeaderMap| async move { health::redirect(&uri, &headers, https_port) },
    );
    wrapped(routes, "http", metrics)
}

/// What `[https]` serves: the REST API, agents, Ignition configs, the status page, health.
pub fn secure(
    (api, access): (api::Api, Access),
    agent: AgentApi,
    status: StatusPage,
    health: Health,
    metrics: &HttpMetrics,
) -> Router {
    let people = Router::new()
        .nest("/api/v1", api::router(api))
        .merge(status::router(status))
        .layer(middleware::from_fn_with_state(access, auth::require));
    let routes = people
        .nest("/agent/v1", agent::router(agent))
        .merge(health::router(health))
        .fallback(problem::no_such_path);
    wrapped(routes, "https", metrics)
}

fn wrapped(routes: Router, listener: &'static str, metrics: &HttpMetrics) -> Router {
    routes
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, PATIENCE))
        .layer(RequestBodyLimitLayer::new(LARGEST_BODY))
        .layer(middleware::from_fn_with_state((listener, metrics.clone()), log::request))
}

//! The web UI's files, as they were built into the daemon. They hold nothing of the site and need no token: what they show, they ask
//! the API for, with the rights of whoever looks.
#[cfg(test)]
mod tests;

use super::problem;
use crate::clock::random;
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

/// One file of the UI.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asset {
    /// Its path, without a slash in front.
    pub(super) path: &'static str,
    /// Its content.
    pub(super) plain: &'static [u8],
    /// The same, compressed by Brotli.
    pub(super) brotli: Option<&'static [u8]>,
    /// The same, compressed by gzip.
    pub(super) gzip: Option<&'static [u8]>,
}

/// What was there when the daemon was built: nothing, if the UI was not.
const BUILT: &[Asset] = include!(concat!(env!("OUT_DIR"), "/ui.rs"));

/// The first part of each page's path. web/src/routes.tsx has the same; web/src/routes.test.ts compares them.
const PAGES: &[&str] = &[
    "access", "audit", "boots", "events", "groups", "images", "inbox", "machines", "network", "profiles",
    "start", "system", "webhooks",
];

/// What web/index.html has where the nonce of a response goes.
const NONCE: &str = "NONCE-OF-THIS-RESPONSE";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Pilotlight</title>\
    <h1>Pilotlight</h1><p>This daemon was built without its web UI. <code>make build</code> builds both; it takes Node.js.</p>\
    <p>There is the <a href=\"/status\">status page</a>, and everything is in the API: \
    <code>pilotlight get machines</code>.</p></html>";

/// The UI that was built in.
pub(super) fn router() -> Router {
    serving(BUILT)
}

/// A UI of these files.
fn serving(assets: &'static [Asset]) -> Router {
    let router = Router::new()
        .route("/", get(page))
        .route("/assets/{*path}", get(asset))
        .route("/favicon.svg", get(favicon));
    let pages = PAGES.iter().fold(router, |router, name| {
        router.route(&format!("/{name}"), get(page)).route(&format!("/{name}/{{*rest}}"), get(page))
    });
    pages.with_state(assets)
}

/// Each page is the same document: which page it is, its script sees from the path.
async fn page(State(assets): State<&'static [Asset]>) -> Response {
    let index = assets.iter().find(|asset| asset.path == "index.html");
    let nonce = BASE64.encode(random::<16>());
    let html = match index.and_then(|index| std::str::from_utf8(index.plain).ok()) {
        Some(index) => index.replace(NONCE, &nonce),
        None => NOT_BUILT.to_owned(),
    };
    // A component library and an editor make style sheets as they go. They have the nonce; what is smuggled into a name has not.
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, Html(html)).into_response()
}

async fn asset(
    State(assets): State<&'static [Asset]>,
    Path(path): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    // Its name has the hash of its content: what is under a name never changes.
    file(assets, &format!("assets/{path}"), "public, max-age=31536000, immutable", uri, &headers).await
}

async fn favicon(State(assets): State<&'static [Asset]>, uri: Uri, headers: HeaderMap) -> Response {
    file(assets, "favicon.svg", "public, max-age=86400", uri, &headers).await
}

async fn file(assets: &[Asset], path: &str, keep: &'static str, uri: Uri, headers: &HeaderMap) -> Response {
    let Some(asset) = assets.iter().find(|asset| asset.path == path) else {
        return problem::no_such_path(uri).await.into_response();
    };
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    let (encoding, body) = encoded(asset, accepted);
    let mut response = (StatusCode::OK, body).into_response();
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    out.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(encoding) = encoding {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// The smallest form of a file that the client takes, and the name of its encoding.
fn encoded(asset: &Asset, accepted: &str) -> (Option<&'static str>, &'static [u8]) {
    let takes = |name: &str| {
        accepted.split(',').any(|one| {
            let mut parts = one.split(';').map(str::trim);
            let named = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case(name));
            // `br;q=0` is a refusal.
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            named && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
        })
    };
    match (asset.brotli, asset.gzip) {
        (Some(bytes), _) if takes("br") => (Some("br"), bytes),
        (_, Some(bytes)) if takes("gzip") => (Some("gzip"), bytes),
        _ => (None, asset.plain),
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

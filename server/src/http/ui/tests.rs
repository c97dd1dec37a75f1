use super::*;
use axum::{body::Body, http::Request};
use std::collections::BTreeSet;
use tower::ServiceExt;

const UI: &[Asset] = &[
    Asset {
        path: "index.html",
        plain: b"<meta nonce=\"NONCE-OF-THIS-RESPONSE\"><div id=app>",
        brotli: Some(b"never"),
        gzip: None,
    },
    Asset { path: "assets/main-1f.js", plain: b"plain", brotli: Some(b"brotli"), gzip: Some(b"gzip") },
    Asset { path: "assets/tiny-2e.css", plain: b"a{}", brotli: None, gzip: None },
];

async fn asked(assets: &'static [Asset], path: &str, accepted: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::get(path).header(header::ACCEPT_ENCODING, accepted).body(Body::empty()).unwrap();
    let response = serving(assets).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn every_page_is_the_same_document_with_a_nonce_of_its_own() {
    let mut nonces = BTreeSet::new();
    for path in ["/", "/machines", "/machines/n1", "/profiles/worker/revisions"] {
        let (status, headers, body) = asked(UI, path, "br").await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
        let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
        assert_eq!(body, format!("<meta nonce=\"{nonce}\"><div id=app>"), "{path}");
        assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
        nonces.insert(nonce.to_owned());
    }
    assert_eq!(nonces.len(), 4, "a nonce is good for one response");
}

#[tokio::test]
async fn files_are_kept_for_ever_and_sent_as_small_as_the_client_takes_them() {
    for (accepted, encoding, body) in [
        ("gzip, deflate, br", Some("br"), "brotli"),
        ("gzip;q=1.0, br;q=0", Some("gzip"), "gzip"),
        ("GZIP", Some("gzip"), "gzip"),
        ("brotli, br;q=nonsense", None, "plain"),
        ("", None, "plain"),
    ] {
        let (status, headers, got) = asked(UI, "/assets/main-1f.js", accepted).await;
        assert_eq!((status, got.as_str()), (StatusCode::OK, body), "{accepted}");
        assert_eq!(
            headers.get(header::CONTENT_ENCODING).map(|v| v.to_str().unwrap()),
            encoding,
            "{accepted}"
        );
        assert_eq!(headers[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        assert_eq!(headers[header::VARY], "accept-encoding");
    }
    let (_, headers, body) = asked(UI, "/assets/tiny-2e.css", "br").await;
    assert_eq!((headers.get(header::CONTENT_ENCODING), body.as_str()), (None, "a{}"));
}

#[tokio::test]
async fn what_is_no_page_and_no_file_is_not_there() {
    for path in [
        "/assets/../index.html",
        "/assets/main-1f.js.br",
        "/index.html",
        "/nothing",
        "/api/v1/machines",
        "/boot/x",
    ] {
        assert_eq!(asked(UI, path, "br").await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_daemon_without_it_says_so() {
    let (status, headers, body) = asked(&[], "/", "br").await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("built without its web UI") && body.contains("/status"), "{body}");
    assert!(headers.contains_key(header::CONTENT_SECURITY_POLICY));
    assert_eq!(asked(&[], "/assets/main.js", "br").await.0, StatusCode::NOT_FOUND);
}

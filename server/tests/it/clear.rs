//! The port in the clear: boot files for machines, and nothing else.
use crate::{
    http::{asked, plain},
    rig::{Engine, MAC1, Rig},
};
use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_machine_is_told_to_wait_and_never_that_there_is_nothing() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let (boot, _) = rig.script(MAC1, [10, 77, 0, 100]).await;
    let router = plain(&rig);
    let get = async |path: &str| asked(&router, Request::builder().uri(path), Body::empty()).await;
    for path in [
        "/boot/01940000-0000-7000-8000-000000000000/kernel".to_owned(),
        "/boot/rubbish/kernel".to_owned(),
        "/boot/rubbish".to_owned(),
        "/boot/01940000-0000-7000-8000-000000000000/config.img".to_owned(),
    ] {
        assert_eq!(get(&path).await.0, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
    for path in ["/boot/ipxe", "/boot/ipxe?mac=x", "//boot//ipxe?mac=52-54-00-00-00-01"] {
        let (status, _, body) = get(path).await;
        assert!(status == StatusCode::OK && body.starts_with(b"#!ipxe\n"), "{path}: {status}");
    }
    let (status, headers, body) = get(&format!("/boot/{boot}/kernel")).await;
    assert_eq!(
        (status, body.len(), headers[header::CONTENT_LENGTH].to_str().unwrap()),
        (StatusCode::OK, 5000, "5000")
    );
    let part = Request::builder().uri(format!("/boot/{boot}/kernel")).header(header::RANGE, "bytes=4990-");
    let (status, _, body) = asked(&router, part, Body::empty()).await;
    assert_eq!(
        (status, body.len()),
        (StatusCode::PARTIAL_CONTENT, 10),
        "a download goes on where it broke off"
    );
    let head = Request::builder().method(Method::HEAD).uri(format!("/boot/{boot}/kernel"));
    let (_, headers, body) = asked(&router, head, Body::empty()).await;
    assert_eq!(
        (headers[header::CONTENT_LENGTH].to_str().unwrap(), body.len()),
        ("5000", 0),
        "UEFI asks for the size first"
    );
}

#[tokio::test]
async fn the_port_in_the_clear_has_no_secret_and_sends_people_away() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let router = plain(&rig);
    for path in ["/", "/api/v1/machines", "/status"] {
        let request = Request::builder().uri(path).header(header::HOST, "boot.example:8080");
        let (status, headers, _) = asked(&router, request, Body::empty()).await;
        assert_eq!(status, StatusCode::TEMPORARY_REDIRECT, "{path}");
        assert!(
            headers[header::LOCATION].to_str().unwrap().starts_with("https://boot.example:8443/"),
            "{path}"
        );
    }
    let get = async |path: &str| asked(&router, Request::builder().uri(path), Body::empty()).await;
    assert_eq!(get("/healthz").await.0, StatusCode::OK);
    let (status, _, body) = get("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), json!({"sockets": false, "database": true}));
    let (_, _, metrics) = get("/metrics").await;
    assert!(String::from_utf8(metrics).unwrap().contains("pilotlight_machines{stage=\"provisioning\"} 1"));
    let (status, headers, program) = get("/boot/files/snponly.efi").await;
    assert_eq!((status, program.as_slice()), (StatusCode::OK, b"program snponly.efi".as_slice()));
    assert_eq!(headers[header::CONTENT_LENGTH], "19");
    assert_eq!(get("/boot/files/..%2f..%2fetc%2fpasswd").await.0, StatusCode::NOT_FOUND);
    // Another machine's address gets neither its config nor its files' names by guessing.
    let (boot, _) = rig.script(MAC1, [10, 77, 0, 101]).await;
    assert_eq!(get(&format!("/boot/{boot}/config.img")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(get(&format!("/boot/{boot}/..%2fpilotlight.db")).await.0, StatusCode::FORBIDDEN);
}

//! Images whose files take long to come, for clients that do not wait on a connection.
use crate::{
    http::{asked, secure, token},
    rig::{Engine, Rig},
};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use pilotlight_types::api::Role;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
    task::JoinSet,
};

const KERNEL: &[u8] = b"half and half again";

/// A mirror that sends the first half of a kernel, and the rest when it is told to; for one client after the other.
struct Mirror {
    url: String,
    go: watch::Sender<bool>,
    _serving: JoinSet<()>,
}

async fn mirror() -> Mirror {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/kernel", listener.local_addr().unwrap());
    let (go, mut gate) = watch::channel(false);
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let asked = stream.read(&mut [0; 4096]).await.unwrap();
            assert_ne!(asked, 0);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", KERNEL.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&KERNEL[..8]).await.unwrap();
            gate.wait_for(|go| *go).await.unwrap();
            // Whoever called it off does not read it.
            drop(stream.write_all(&KERNEL[8..]).await);
        }
    });
    Mirror { url, go, _serving: serving }
}

fn image(url: &str) -> Value {
    let kernel = json!({"url": url, "sha256": hex::encode(Sha256::digest(KERNEL))});
    json!({"spec": {"os": "generic", "arch": "x86_64", "version": "1", "kernel": kernel, "initrd": [kernel]}})
}

struct Desk {
    router: Router,
    token: String,
}

impl Desk {
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        later: bool,
    ) -> (StatusCode, HeaderMap, Value) {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json");
        if later {
            request = request.header("prefer", "handling=strict, respond-async");
        }
        let (status, headers, body) = asked(&self.router, request, Body::from(body.to_string())).await;
        (status, headers, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1000 {
            let (_, _, operation) = self.ask(Method::GET, path, &Value::Null, false).await;
            if is_so(&operation) {
                return operation;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it did not come to that: {}", self.ask(Method::GET, path, &Value::Null, false).await.2);
    }

    async fn begun(&self, url: &str) -> String {
        let (status, headers, operation) =
            self.ask(Method::PUT, "/api/v1/images/big", &image(url), true).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{operation}");
        assert_eq!(headers["preference-applied"], "respond-async");
        assert_eq!(operation["state"], "running");
        headers[header::LOCATION].to_str().unwrap().to_owned()
    }
}

async fn desk(rig: &Rig) -> Desk {
    Desk { router: secure(rig), token: token(rig, "ada", Role::Editor).await }
}

#[tokio::test]
async fn an_image_is_taken_in_while_its_client_looks_how_far_it_has_come() {
    let rig = Rig::new(Engine::Sqlite).await;
    let (desk, Mirror { url, go, _serving }) = (desk(&rig).await, mirror().await);
    let path = desk.begun(&url).await;
    let halfway = desk.until(&path, |operation| operation["transfers"][0]["bytes"] == 8).await;
    assert_eq!(halfway["transfers"][0], json!({"url": url, "bytes": 8, "size": KERNEL.len()}));
    assert_eq!((&halfway["what"], &halfway["by"]), (&json!("put image/big"), &json!("ada")));
    let (status, ..) = desk.ask(Method::GET, "/api/v1/images/big", &Value::Null, false).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "it is not there before it is whole");
    go.send_replace(true);
    let done = desk.until(&path, |operation| operation["state"] == "succeeded").await;
    assert_eq!(done["result"]["name"], "big");
    assert_eq!(desk.ask(Method::GET, "/api/v1/images/big", &Value::Null, false).await.0, StatusCode::OK);
    let (_, _, list) = desk.ask(Method::GET, "/api/v1/operations", &Value::Null, false).await;
    assert_eq!(list["items"][0]["id"], done["id"]);
}

#[tokio::test]
async fn what_is_called_off_changes_nothing() {
    let rig = Rig::new(Engine::Sqlite).await;
    let (desk, Mirror { url, go: _go, _serving }) = (desk(&rig).await, mirror().await);
    let path = desk.begun(&url).await;
    desk.until(&path, |operation| operation["transfers"][0]["bytes"] == 8).await;
    assert_eq!(desk.ask(Method::DELETE, &path, &Value::Null, false).await.0, StatusCode::NO_CONTENT);
    let over = desk.until(&path, |operation| operation["state"] == "failed").await;
    assert_eq!(over["problem"]["code"], "called-off");
    assert_eq!(
        desk.ask(Method::GET, "/api/v1/images/big", &Value::Null, false).await.0,
        StatusCode::NOT_FOUND
    );
    let (status, _, refused) = desk.ask(Method::DELETE, &path, &Value::Null, false).await;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("conflict")));
    let unfinished: Vec<_> = std::fs::read_dir(rig.folder.path().join("images")).unwrap().collect();
    assert!(unfinished.is_empty(), "half a file is left: {unfinished:?}");
}

#[tokio::test]
async fn what_is_wrong_is_told_by_the_operation_as_the_request_would_have_been() {
    let rig = Rig::new(Engine::Sqlite).await;
    let (desk, Mirror { url, go, _serving }) = (desk(&rig).await, mirror().await);
    go.send_replace(true);
    let mut wrong = image(&url);
    wrong["spec"]["kernel"]["sha256"] = json!("0".repeat(64));
    let (status, headers, _) = desk.ask(Method::PUT, "/api/v1/images/big", &wrong, true).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let path = headers[header::LOCATION].to_str().unwrap();
    let failed = desk.until(path, |operation| operation["state"] == "failed").await;
    assert_eq!(failed["problem"]["status"], 422);
    assert_eq!(failed["problem"]["errors"][0]["path"], "spec.kernel.sha256");
    // What cannot be understood is refused at once.
    let (status, ..) = desk.ask(Method::POST, "/api/v1/apply", &json!({"a": 1}), true).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

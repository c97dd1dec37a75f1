//! The daemon about itself: what it is, and what it hands to whoever is to help.
use crate::{
    http::{asked, secure, token},
    rig::{Engine, MAC1, Rig},
};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use pilotlight_types::api::Role;
use serde_json::{Value, json};
use std::time::Duration;

async fn get(rig: &Rig, token: &str, method: Method, path: &str) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    let (status, _, bytes) = asked(&secure(rig), request, Body::empty()).await;
    (status.as_u16(), serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test]
async fn the_support_bundle_holds_no_secret_whatever_people_wrote() {
    const SECRET: &str = "hunter2-and-more";
    let rig = Rig::new(Engine::Sqlite).await;
    let mut documents = rig.documents();
    for document in &mut documents {
        match document["name"].as_str().unwrap() {
            "worker" => {
                document["spec"]["butane"] = json!(format!(
                    "variant: fcos\nversion: 1.5.0\nstorage: {{files: [{{path: /etc/key, contents: {{inline: {SECRET}}}}}]}}\n"
                ));
                document["spec"]["kernelArgs"] = json!([format!("token={SECRET}")]);
            }
            "workers" => document["spec"]["variables"] = json!({"password": SECRET}),
            _ => {}
        }
    }
    documents.push(json!({"kind": "Webhook", "name": "hook", "spec": {
        "url": format!("http://127.0.0.1:1/{SECRET}"), "events": ["boot.*"], "headers": {"x-key": SECRET}}}));
    rig.apply(&documents).await;
    rig.script(MAC1, [10, 77, 0, 100]).await;
    rig.written().await;
    let admin = token(&rig, "a", Role::Admin).await;
    let (status, bundle) = get(&rig, &admin, Method::GET, "/support-bundle").await;
    assert_eq!(status, 200, "{bundle}");
    let text = bundle.to_string();
    assert!(!text.contains(SECRET), "{text}");
    assert!(!text.contains(&admin), "nor the token that it was asked for with");
    assert_eq!(bundle["resources"]["profiles"][1]["spec"]["image"], "os");
    assert_eq!(bundle["resources"]["machines"][0]["name"], "n1");
    assert!(bundle["events"].as_array().unwrap().len() > 3);
    assert!(
        bundle["metrics"]
            .as_array()
            .unwrap()
            .iter()
            .any(|line| line.as_str().unwrap().starts_with("pilotlight_"))
    );
}

#[tokio::test]
async fn the_daemon_says_what_it_is_and_how_its_passes_went() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let passes = rig.tasks.register("stalls", "ends silent boots", Duration::from_secs(2));
    passes.ended(passes.begin(), Some("the database is away".into()));
    let viewer = token(&rig, "v", Role::Viewer).await;
    let (_, system) = get(&rig, &viewer, Method::GET, "/system").await;
    assert_eq!(system["database"]["kind"], "sqlite");
    assert!(
        system["database"]["migration"].as_i64().unwrap() > 0
            && system["database"]["bytes"].as_u64().unwrap() > 0
    );
    assert_eq!((&system["resources"]["profiles"], &system["resources"]["machines"]), (&json!(2), &json!(1)));
    let (_, tasks) = get(&rig, &viewer, Method::GET, "/tasks").await;
    assert_eq!(tasks["items"][0]["error"], "the database is away");
    let (_, never) = get(&rig, &viewer, Method::GET, "/doctor").await;
    assert_eq!((&never["at"], &never["checks"]), (&Value::Null, &json!([])), "nobody has looked yet");
    assert_eq!(get(&rig, &viewer, Method::POST, "/doctor").await.0, 403, "it sends packets");
    assert_eq!(get(&rig, &viewer, Method::GET, "/support-bundle").await.0, 403);
    let editor = token(&rig, "e", Role::Editor).await;
    let (status, found) = get(&rig, &editor, Method::POST, "/doctor").await;
    assert_eq!((status, &found["good"], &found["checks"][0]["check"]), (200, &json!(true), &json!("config")));
}

#[tokio::test]
async fn a_database_of_either_kind_says_how_large_it_is() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let rig = Rig::new(engine).await;
        let state = rig.db.state().await.unwrap();
        assert!(state.bytes > 1000 && state.migration > 0, "{state:?}");
    }
}

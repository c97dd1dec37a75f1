//! Who may do what.

use std::time::Duration;

use anyhow::Result;
use pilotlight_types::api::{CreatedToken, Problem};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::Begin;
use crate::rig::{document, refused};

/// Every endpoint for people, with whether a viewer may call it.
const ENDPOINTS: &[(&str, &str, bool)] = &[
    ("GET", "/api/v1/boots", true),
    ("GET", "/api/v1/boots/01940000-0000-7000-8000-000000000000", true),
    ("GET", "/api/v1/boots/01940000-0000-7000-8000-000000000000/console", true),
    ("GET", "/api/v1/events", true),
    ("GET", "/api/v1/explain?mac=02-00-00-00-00-01", true),
    ("POST", "/api/v1/explain", true),
    ("GET", "/api/v1/machines", true),
    ("GET", "/api/v1/machines/n1", true),
    ("GET", "/api/v1/machines/n1/explain", true),
    ("GET", "/api/v1/subnets", true),
    ("GET", "/api/v1/subnets/a", true),
    ("GET", "/status", true),
    ("POST", "/api/v1/apply", false),
    ("PUT", "/api/v1/machines/n1", false),
    ("DELETE", "/api/v1/machines/n1", false),
    ("POST", "/api/v1/machines/n1/accept", false),
    ("POST", "/api/v1/machines/n1/hold", false),
    ("POST", "/api/v1/machines/n1/provision", false),
    ("POST", "/api/v1/machines/n1/release", false),
    ("POST", "/api/v1/machines/n1/retire", false),
    ("POST", "/api/v1/tokens", false),
    ("PUT", "/api/v1/subnets/a", false),
    ("DELETE", "/api/v1/subnets/a", false),
];

pub async fn every_endpoint_asks_who_you_are_and_lets_viewers_only_look(begin: Begin) -> Result<()> {
    let rig = begin.start().await?;
    let made: CreatedToken = rig.admin.post("/tokens", &json!({"name": "look", "role": "viewer"})).await?;
    let nobody = rig.daemon.client_with(None)?;
    let stranger = rig.daemon.client_with(Some("not-a-token"))?;
    let viewer = rig.daemon.client_with(Some(&made.token))?;
    for &(method, path, may_look) in ENDPOINTS {
        let method: Method = method.parse()?;
        for client in [&nobody, &stranger] {
            let answer = client.request(method.clone(), path, &[], None).await?;
            assert_eq!(answer.status, 401, "{method} {path}");
            assert_eq!(answer.json::<Problem>()?.code, "unauthorized");
            assert!(!answer.header("www-authenticate").is_empty(), "{method} {path} says how to come in");
        }
        let answer = viewer.request(method.clone(), path, &[], Some(&json!({"packet": "00"}))).await?;
        if may_look {
            // Some of these are of things that are not there, and one byte is no packet.
            let nothing = if method == Method::POST { 422 } else { 404 };
            assert!(answer.status == 200 || answer.status == nothing, "{method} {path}: {}", answer.status);
        } else {
            assert_eq!(answer.status, 403, "{method} {path}");
            assert_eq!(answer.json::<Problem>()?.code, "forbidden");
        }
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(nobody.request(Method::GET, path, &[], None).await?.status, 200, "{path} is for machines");
    }
    assert!(rig.admin.get::<Value>("/subnets").await?["items"].as_array().is_some_and(Vec::is_empty));
    assert!(!rig.daemon.log().contains(&made.token), "no token is in the log");
    assert!(!rig.daemon.log().contains(&rig.daemon.token()?), "no token is in the log");
    Ok(())
}

pub async fn a_token_is_good_until_it_ends_and_over_restarts(begin: Begin) -> Result<()> {
    let mut rig = begin.start().await?;
    let new = |name: &str, expires: &str| json!({"name": name, "role": "admin", "expires": expires});
    let past = refused(rig.admin.post::<CreatedToken>("/tokens", &new("old", "2020-01-01T00:00:00Z")).await);
    assert_eq!((past.status, past.code.as_str()), (422, "invalid"));
    let forever: CreatedToken = rig.admin.post("/tokens", &json!({"name": "ci", "role": "admin"})).await?;
    let twice = rig.admin.post::<CreatedToken>("/tokens", &json!({"name": "ci", "role": "admin"})).await;
    assert_eq!(refused(twice).status, 409, "a name says which token it is");
    let printed = rig.cli_ok(&["token", "create", "cli", "--role", "viewer"])?;
    let soon = (std::time::SystemTime::UNIX_EPOCH.elapsed()? + Duration::from_secs(3)).as_micros();
    let soon = pilotlight_types::Timestamp::from_micros(soon.try_into()?).to_string();
    let short: CreatedToken = rig.admin.post("/tokens", &new("short", &soon)).await?;
    let short = rig.daemon.client_with(Some(&short.token))?;
    assert!(short.get::<Value>("/subnets").await.is_ok());
    rig.daemon.restart().await?;
    for token in [&forever.token, printed.trim()] {
        let client = rig.daemon.client_with(Some(token))?;
        assert!(client.get::<Value>("/subnets").await.is_ok(), "tokens outlive the daemon");
    }
    let ended = async {
        while short.get::<Value>("/subnets").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(10), ended).await?;
    let viewer = rig.daemon.client_with(Some(printed.trim()))?;
    let written = viewer.apply(&[document("Group", "g", json!({"profile": "p"}))]).await;
    assert_eq!(refused(written).status, 403);
    Ok(())
}

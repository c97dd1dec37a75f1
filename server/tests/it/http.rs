//! The HTTP API as clients meet it: who may call what, what machines are told, what becomes of mistakes.
use crate::rig::{Engine, MAC1, Rig, operator};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use futures_util::FutureExt;
use pilotlight::clock::Clock;
use pilotlight::http::{self, AgentApi, BootFiles, Health, Peer, SignInPages, StatusPage, api::Api};
use pilotlight::service::{
    audit::Audit, bmcs::Bmcs, content::Contents, doctor::Doctor, explain::Packets, medians::Medians,
    membership::Membership, networks::Networks, operations::Operations, power::Power, scopes::Scopes,
    site_now::SiteNow, system::About,
};
use pilotlight_types::api::{Check, Listens, NewToken, Problem, Role, Scope};
use serde_json::{Value, json};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::timeout;
use tower::ServiceExt;

pub fn power(rig: &Rig) -> Power {
    let bmcs = Bmcs::new(rig.roster.clone(), rig.journal.clone(), rig.secrets.clone(), "test".into());
    Power::new(rig.machines.clone(), bmcs, rig.journal.clone())
}

fn health(rig: &Rig) -> Health {
    Health {
        history: rig.history.clone(),
        metrics: rig.metrics.clone(),
        views: rig.views.clone(),
        inbox: rig.inbox.clone(),
        boots: rig.boots.clone(),
        delivery: rig.delivery.clone(),
        secrets: rig.secrets.clone(),
        webhooks: rig.webhooks.clone(),
        power: power(rig),
        ladder: Default::default(),
        sightings: rig.sightings.clone(),
        journal: rig.journal.clone(),
        serving: Arc::default(),
    }
}

pub fn networks(rig: &Rig) -> Networks {
    Networks {
        roster: rig.roster.clone(),
        leases: rig.leases.clone(),
        leases6: rig.leases6.clone(),
        sightings: rig.sightings.clone(),
        journal: rig.journal.clone(),
    }
}

pub fn secure(rig: &Rig) -> Router {
    let packets =
        Packets { dhcp: Arc::new(crate::dhcp::answers(rig)), dhcp6: Arc::new(crate::dhcp6::answers(rig)) };
    let clock = Clock::Manual(rig.clock.clone());
    let operations = Operations::new(clock.clone(), tokio_util::sync::CancellationToken::new());
    let api = Api {
        networks: networks(rig),
        membership: Membership::new(rig.roster.clone()),
        about: About {
            site: "test".into(),
            started: rig.journal.now(),
            listens: vec![Listens { service: "https".into(), at: "10.77.0.1:8443".into() }],
            clock: clock.clone(),
            db: rig.db.clone(),
            roster: rig.roster.clone(),
            views: rig.views.clone(),
            tasks: rig.tasks.clone(),
            doctor: Doctor::new(clock, Arc::new(|| async { vec![Check::ok("config", "good")] }.boxed())),
            history: rig.history.clone(),
            operations: operations.clone(),
            webhooks: rig.webhooks.clone(),
        },
        health: health(rig),
        views: rig.views.clone(),
        changes: rig.changes.clone(),
        revisions: rig.revisions.clone(),
        operations,
        machines: rig.machines.clone(),
        discovery: rig.discovery.clone(),
        inbox: rig.inbox.clone(),
        boots: rig.boots.clone(),
        medians: Medians::new(rig.roster.clone(), rig.boots.clone()),
        site: SiteNow {
            name: "test".into(),
            patience: "10m".parse().unwrap(),
            roster: rig.roster.clone(),
            boots: rig.boots.clone(),
            journal: rig.journal.clone(),
        },
        console: rig.console.clone(),
        explain: rig.explain.clone().asking(packets.clone()),
        packets,
        audit: Audit::new(rig.db.clone()),
        access: rig.access.clone(),
        callers: rig.callers.clone(),
        oidc: rig.oidc.clone(),
        scopes: Scopes::new(rig.roster.clone()),
        webhooks: rig.webhooks.clone(),
        power: power(rig),
        journal: rig.journal.clone(),
        history: rig.history.clone(),
        stop: tokio_util::sync::CancellationToken::new(),
    };
    let agent = AgentApi { delivery: rig.delivery.clone(), agents: rig.agents.clone() };
    let status = StatusPage {
        views: rig.views.clone(),
        journal: rig.journal.clone(),
        history: rig.history.clone(),
        pacing: rig.boots.pacing().clone(),
        sightings: rig.sightings.clone(),
        scopes: Scopes::new(rig.roster.clone()),
        site: "test".into(),
    };
    let sign_in = SignInPages { callers: rig.callers.clone(), oidc: rig.oidc.clone(), site: "test".into() };
    http::secure((api, rig.callers.clone()), agent, (status, sign_in), health(rig), &rig.metrics.http)
}

pub fn plain(rig: &Rig) -> Router {
    let boot = BootFiles {
        delivery: rig.delivery.clone(),
        contents: Contents::default(),
        tally: http::Tally::default(),
        files: rig.files.clone(),
        boots: rig.boots.clone(),
        metrics: rig.metrics.http.clone(),
    };
    http::plain(boot, health(rig), 8443, &rig.metrics.http)
}

pub async fn token(rig: &Rig, name: &str, role: Role) -> String {
    let new = NewToken { name: name.into(), role, expires: None, scope: Scope::default() };
    rig.access.create(new, &operator()).await.unwrap().expose().clone()
}

/// What a request from 10.77.0.100 gets.
pub async fn asked(
    router: &Router,
    request: axum::http::request::Builder,
    body: Body,
) -> (StatusCode, HeaderMap, Vec<u8>) {
    let peer = Peer {
        remote: SocketAddr::from(([10, 77, 0, 100], 4000)),
        local: SocketAddr::from(([10, 77, 0, 1], 8443)),
    };
    let mut request: Request<Body> = request.body(body).unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, to_bytes(body, usize::MAX).await.unwrap().to_vec())
}

#[tokio::test]
async fn a_mistake_is_a_problem_document_that_says_what_and_where() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let admin = token(&rig, "a", Role::Admin).await;
    let router = secure(&rig);
    let bad_subnet = json!({"spec": {"cidr": "10.77.0.0/33", "mode": "authoritative"}}).to_string();
    for (method, path, body, status, code) in [
        (Method::GET, "/api/v1/machines/none", "", 404, "not-found"),
        (Method::GET, "/api/v1/nothing", "", 404, "not-found"),
        (Method::DELETE, "/api/v1/events", "", 405, "method-not-allowed"),
        (Method::POST, "/api/v1/apply", "{", 400, "bad-request"),
        (Method::PUT, "/api/v1/subnets/x", bad_subnet.as_str(), 422, "invalid"),
        (Method::PUT, "/api/v1/subnets/x", r#"{"name": "y", "spec": {}}"#, 400, "bad-request"),
        (Method::DELETE, "/api/v1/images/os", "", 409, "needed"),
        (Method::GET, "/api/v1/machines?selector=a%20b", "", 400, "bad-request"),
        (Method::GET, "/api/v1/boots/rubbish", "", 400, "bad-request"),
        (Method::GET, "/api/v1/machines?lable=a", "", 400, "bad-request"),
        (Method::GET, "/api/v1/openapi.json?a", "", 400, "bad-request"),
        (Method::DELETE, "/api/v1/machines/n1?dryrun=true", "", 400, "bad-request"),
    ] {
        let request = Request::builder()
            .method(&method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {admin}"))
            .header(header::CONTENT_TYPE, "application/json");
        let (found, headers, bytes) = asked(&router, request, Body::from(body.to_owned())).await;
        let problem: Problem =
            serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        assert_eq!((found.as_u16(), problem.code.as_str()), (status, code), "{method} {path}: {problem:?}");
        assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(problem.request_id.as_deref(), headers["x-request-id"].to_str().ok());
    }
}

#[tokio::test]
async fn who_writes_over_another_is_told() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let admin = token(&rig, "a", Role::Admin).await;
    let router = secure(&rig);
    let write = async |etag: &str| {
        let request = Request::builder()
            .method(Method::PUT)
            .uri("/api/v1/groups/workers")
            .header(header::AUTHORIZATION, format!("Bearer {admin}"))
            .header(header::IF_MATCH, etag);
        let body = json!({"spec": {"profile": "worker", "priority": 3}}).to_string();
        asked(&router, request, Body::from(body)).await
    };
    let (status, headers, _) = write("\"1\"").await;
    assert_eq!((status, headers[header::ETAG].to_str().unwrap()), (StatusCode::OK, "\"2\""));
    assert_eq!(write("\"1\"").await.0, StatusCode::PRECONDITION_FAILED, "somebody was here before");
}

#[tokio::test]
async fn facts_that_are_none_are_refused_and_a_stranger_reports_nothing() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let (boot, _) = rig.script(MAC1, [10, 77, 0, 100]).await;
    let token = rig.configs.agent_token(boot).unwrap().expose().clone();
    let router = secure(&rig);
    let report = async |token: &str, body: Value| {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/agent/v1/boots/{boot}/facts"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        asked(&router, request, Body::from(body.to_string())).await.0
    };
    assert_eq!(report("wrong", json!({"version": 1})).await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        report(&token, json!({"version": 1, "hostname": "x".repeat(5000)})).await,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(report(&token, json!("rubbish")).await, StatusCode::BAD_REQUEST);
    assert_eq!(rig.stage("n1"), "provisioning", "nothing of that made it active");
    assert_eq!(report(&token, json!({"version": 1})).await, StatusCode::OK);
    assert_eq!(rig.stage("n1"), "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_asked_for_is_done_whole_even_if_it_goes_away() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let admin = token(&rig, "a", Role::Admin).await;
    let ended = token(&rig, "b", Role::Viewer).await;
    let router = secure(&rig);
    let ask = async |method: Method, path: &str, body: &str, bearer: &str| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {bearer}"))
            .header(header::CONTENT_TYPE, "application/json");
        asked(&router, request, Body::from(body.to_owned())).await
    };
    let group = r#"{"spec": {"match": {"labels": {"role": "worker"}}, "profile": "worker", "variables": {"zone": "z"}}}"#;
    // Whoever reads the database holds up who writes; the clients do not wait for that.
    let held = rig.db.write().await.unwrap();
    let hold = ask(Method::POST, "/api/v1/machines/n1/hold", r#"{"reason": "a fan"}"#, &admin);
    let end = ask(Method::DELETE, "/api/v1/tokens/b", "", &admin);
    let put = ask(Method::PUT, "/api/v1/groups/workers", group, &admin);
    let patience = Duration::from_millis(300);
    let given_up = tokio::join!(timeout(patience, hold), timeout(patience, end), timeout(patience, put));
    assert!(given_up.0.is_err() && given_up.1.is_err() && given_up.2.is_err(), "they were done too soon");
    drop(held);
    for _ in 0..500 {
        let held = rig.views.machine("n1").unwrap().hold.is_some();
        let (status, ..) = ask(Method::GET, "/api/v1/machines", "", &ended).await;
        let (_, _, group) = ask(Method::GET, "/api/v1/groups/workers", "", &admin).await;
        let group: Value = serde_json::from_slice(&group).unwrap();
        if held && status == StatusCode::UNAUTHORIZED && group["spec"]["variables"]["zone"] == "z" {
            let (status, ..) = ask(Method::POST, "/api/v1/machines/n1/release", "", &admin).await;
            assert_eq!(status, StatusCode::OK, "the machine is as the database has it");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("what is in the database is not in memory");
}

//! The same asked of several machines at once.
use crate::{
    http::{asked, secure, token},
    rig::{Engine, Rig, machine, operator},
};
use axum::{
    Router,
    body::Body,
    http::{Method, Request, header},
};
use pilotlight_types::api::{MachinesAnswer, NewToken, Role, Scope};
use serde_json::{Value, json};

async fn act(router: &Router, token: &str, body: Value) -> (u16, Value) {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/api/v1/machines/actions")
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    let (status, _, bytes) = asked(router, request, Body::from(body.to_string())).await;
    (status.as_u16(), serde_json::from_slice(&bytes).unwrap())
}

/// Four machines, two in each rack.
async fn rack() -> Rig {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let in_rack = |n: u8| {
        let mut document = machine(&format!("r{n}"), &format!("52:54:00:00:02:0{n}"));
        document["spec"]["rack"] = json!(if n < 3 { "a" } else { "b" });
        document
    };
    rig.apply(&[in_rack(1), in_rack(2), in_rack(3), in_rack(4)]).await;
    rig
}

fn done(answer: &Value) -> Vec<(String, bool, Option<String>)> {
    let answer: MachinesAnswer = serde_json::from_value(answer.clone()).unwrap();
    answer.items.into_iter().map(|item| (item.name, item.done, item.code.or(item.stage))).collect()
}

fn said(name: &str, done: bool, what: &str) -> (String, bool, Option<String>) {
    (name.to_owned(), done, Some(what.to_owned()))
}

#[tokio::test]
async fn a_selector_holds_a_rack_and_a_dry_run_holds_nothing() {
    let rig = rack().await;
    let operator = token(&rig, "op", Role::Operator).await;
    let router = secure(&rig);
    let mut body = json!({"action": "hold", "selector": "rack=a", "reason": "the switch", "dry_run": true});
    let both = [said("r1", true, "provisioning"), said("r2", true, "provisioning")];
    assert_eq!(done(&act(&router, &operator, body.clone()).await.1), both);
    let held = |name: &str| rig.views.machine(name).unwrap().hold.map(|hold| hold.reason);
    assert_eq!(held("r1"), None, "only said");
    body["dry_run"] = json!(false);
    assert_eq!(done(&act(&router, &operator, body).await.1), both);
    assert_eq!(
        (held("r1").as_deref(), held("r2").as_deref(), held("r3")),
        (Some("the switch"), Some("the switch"), None)
    );
    let kinds = rig.kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "machine.held").count(), 2);
}

#[tokio::test]
async fn what_one_machine_refuses_keeps_no_other_from_it() {
    let rig = rack().await;
    rig.machines.retire("r2", &operator()).await.unwrap();
    let token = token(&rig, "op", Role::Operator).await;
    let router = secure(&rig);
    for dry_run in [true, false] {
        let body =
            json!({"action": "provision", "names": ["r3", "r1", "r2", "none", "r1"], "dry_run": dry_run});
        let (status, answer) = act(&router, &token, body).await;
        let wanted = [
            said("none", false, "not-found"),
            said("r1", true, "provisioning"),
            said("r2", false, "refused"),
            said("r3", true, "provisioning"),
        ];
        assert_eq!((status, done(&answer)), (200, wanted.to_vec()), "{answer}");
    }
    let accepted =
        act(&router, &token, json!({"action": "accept", "names": ["r2"], "dry_run": true})).await.1;
    let done_accept = act(&router, &token, json!({"action": "accept", "names": ["r2"]})).await.1;
    assert_eq!(done(&accepted), done(&done_accept), "a dry run says what is done then");
    assert_eq!(done(&done_accept), [said("r2", true, "provisioning")], "it is armed at once");
}

#[tokio::test]
async fn who_is_meant_is_said_and_within_the_scope() {
    let rig = rack().await;
    let operator_token = token(&rig, "op", Role::Operator).await;
    let router = secure(&rig);
    for (bad, refused) in [
        (json!({"action": "retire"}), 400),
        (json!({"action": "retire", "selector": ""}), 400),
        (json!({"action": "retire", "selector": " , "}), 400),
        (json!({"action": "retire", "selector": "a b"}), 400),
        (json!({"action": "retire", "selector": "rack=a", "names": ["r1"]}), 400),
        (json!({"action": "retire", "names": ["r1"], "reason": "x"}), 400),
        (json!({"action": "hold", "names": ["r1"]}), 400),
        (json!({"action": "retire", "names": ["R1"]}), 422),
        (json!({"action": "explode", "names": ["r1"]}), 422),
        (json!({"action": "retire", "names": ["r1"], "all": true}), 422),
    ] {
        let (status, problem) = act(&router, &operator_token, bad.clone()).await;
        assert_eq!(status, refused, "{bad}: {problem}");
    }
    assert!((1..=4).all(|n| rig.stage(&format!("r{n}")) == "provisioning"), "nobody was retired");
    let scope = Scope { selector: "rack=a".into(), ..Scope::default() };
    let new = NewToken { name: "a".into(), role: Role::Operator, expires: None, scope };
    let scoped = rig.access.create(new, &operator()).await.unwrap().expose().clone();
    let by_selector = act(&router, &scoped, json!({"action": "retire", "selector": "role=worker"})).await.1;
    assert_eq!(done(&by_selector), [said("r1", true, "retired"), said("r2", true, "retired")]);
    let by_name = act(&router, &scoped, json!({"action": "retire", "names": ["r1", "r3"]})).await.1;
    assert_eq!(done(&by_name)[1], said("r3", false, "forbidden"));
    assert_eq!(rig.stage("r3"), "provisioning");
}

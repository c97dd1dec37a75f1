//! Machines that nobody declared: expected, accepted by rule, told of; holds that end; hardware that is not as it should be.
use crate::{
    http::{asked, secure, token},
    rig::{Rig, machine, on_both, operator},
};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use pilotlight::reconcile::{Reconcile, Waiting};
use pilotlight_types::{
    api::{Inbox, Role},
    facts::Facts,
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};

on_both!(
    a_machine_that_a_rule_takes_boots_its_profile,
    a_machine_that_waits_is_taken_by_a_rule_that_comes_later,
    an_expected_machine_comes_under_its_name,
    a_hold_ends_when_its_time_is_over,
    a_machine_that_is_not_as_its_class_is_held_and_released,
    the_inbox_says_what_waits_and_why,
    a_machine_is_accepted_under_a_name_and_with_labels,
);

const UNKNOWN: &str = "52:54:00:00:00:42";
const FROM: [u8; 4] = [10, 77, 0, 102];

fn facts(serial: &str) -> Facts {
    serde_json::from_value(json!({
        "version": 1, "system": {"vendor": "QEMU", "product": "Standard PC", "serial": serial},
        "cpus": {"sockets": 1, "cores": 4}, "memory": {"installedBytes": 4_u64 << 30, "slots": [{"locator": "A1", "sizeBytes": 4_u64 << 30}]},
        "nics": [{"name": "eth0", "mac": UNKNOWN}],
    }))
    .unwrap()
}

/// A machine boots and its agent reports.
async fn reports(rig: &Rig, mac: &str, serial: &str) {
    let (boot, _) = rig.script(mac, FROM).await;
    let token = rig.configs.agent_token(boot).unwrap().expose().clone();
    let mut facts = facts(serial);
    facts.nics[0].mac = mac.parse().unwrap();
    rig.agents.facts(boot, &token, facts).await.unwrap();
}

async fn pass(rig: &Rig) {
    Waiting { machines: rig.machines.clone(), discovery: rig.discovery.clone() }.pass().await.unwrap();
}

fn rule(spec: Value) -> Value {
    json!({"kind": "AcceptRule", "name": "qemu", "spec": spec})
}

async fn told(rig: &Rig, kind: &str) -> Vec<String> {
    let events = rig.events().await;
    events.into_iter().filter(|event| event.kind == kind).map(|event| event.message).collect()
}

async fn get(rig: &Rig, path: &str) -> (u16, Value) {
    static VIEWERS: AtomicU32 = AtomicU32::new(0);
    let name = format!("viewer-{}", VIEWERS.fetch_add(1, Ordering::Relaxed));
    let token = token(rig, &name, Role::Viewer).await;
    ask(rig, &token, Method::GET, path, Value::Null).await
}

async fn ask(rig: &Rig, token: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request = Request::builder().method(method).uri(format!("/api/v1{path}"));
    let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let (status, _, bytes) = asked(&secure(rig), request, body).await;
    (status.as_u16(), serde_json::from_slice(&bytes).unwrap())
}

async fn a_machine_that_a_rule_takes_boots_its_profile(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.apply(&[rule(json!({
        "match": {"vendor": "qemu", "subnets": ["rack-a"]}, "name": "{{ site }}-{{ serial }}", "labels": {"role": "worker"}, "limit": 1,
    }))])
    .await;
    reports(&rig, UNKNOWN, "S42").await;
    assert_eq!(rig.stage("dc1-s42"), "provisioning", "its labels put it into a group");
    assert_eq!(told(&rig, "machine.matched").await, ["dc1-s42 was accepted by rule qemu"]);
    let (_, shown) = get(&rig, "/machines/dc1-s42").await;
    assert_eq!(shown["accepted"]["name"], "qemu");
    let rig = rig.restarted().await;
    reports(&rig, UNKNOWN, "S42").await;
    assert_eq!(rig.stage("dc1-s42"), "active");
    // The second is one too many.
    reports(&rig, "52:54:00:00:00:43", "S43").await;
    assert_eq!(rig.stage("m-525400000043"), "discovered");
    let why = told(&rig, "machine.waits").await;
    assert_eq!(
        why,
        [
            "m-525400000043 waits to be accepted: rule qemu does not take it: it has accepted 1 machines, and may 1"
        ]
    );
}

async fn a_machine_that_waits_is_taken_by_a_rule_that_comes_later(rig: Rig) {
    let rig = rig.with_documents().await;
    reports(&rig, UNKNOWN, "S42").await;
    pass(&rig).await;
    assert_eq!(rig.stage("m-525400000042"), "discovered");
    rig.machines.hold("m-525400000042", Some("its fan".into()), &operator()).await.unwrap();
    rig.apply(&[rule(json!({}))]).await;
    pass(&rig).await;
    assert_eq!(rig.stage("m-525400000042"), "discovered", "a hold is an operator's, and a rule waits for it");
    rig.machines.hold("m-525400000042", None, &operator()).await.unwrap();
    pass(&rig).await;
    assert_eq!(rig.stage("m-525400000042"), "ready");
    let before = rig.kinds().await.len();
    pass(&rig).await;
    assert_eq!(rig.kinds().await.len(), before + 1, "only the mark of this test: nothing is done twice");
}

async fn an_expected_machine_comes_under_its_name(rig: Rig) {
    let rig = rig.with_documents().await;
    let expect = |name: &str, serial: &str, accept: bool| {
        json!({"kind": "ExpectedMachine", "name": name, "labels": {"role": "worker"}, "spec": {
            "serial": serial, "rack": "r1", "unit": 12, "accept": accept}})
    };
    rig.apply(&[expect("n42", "S42", true), expect("n43", "S43", false), expect("n44", "S44", true)]).await;
    reports(&rig, UNKNOWN, "S42").await;
    assert_eq!(rig.stage("n42"), "provisioning");
    let (_, shown) = get(&rig, "/machines/n42").await;
    assert_eq!((&shown["spec"]["rack"], &shown["spec"]["serial"]), (&json!("r1"), &json!("S42")));
    reports(&rig, "52:54:00:00:00:43", "S43").await;
    assert_eq!(rig.stage("m-525400000043"), "discovered", "an operator is to look at this one");
    rig.machines.accept("m-525400000043", &operator()).await.unwrap();
    assert_eq!(rig.stage("n43"), "provisioning");
    reports(&rig, "52:54:00:00:00:45", "S45").await;
    let inbox = rig.inbox.counts();
    let counts: Vec<(String, usize)> =
        inbox.into_iter().map(|(state, count)| (state.to_string(), count)).collect();
    let said = |state: &str, count: usize| (state.to_owned(), count);
    assert_eq!(
        counts,
        [
            said("discovered", 1),
            said("unexpected", 1),
            said("missing", 1),
            said("duplicate", 0),
            said("held", 0),
            said("mismatch", 0)
        ]
    );
}

async fn a_hold_ends_when_its_time_is_over(rig: Rig) {
    let rig = rig.with_documents().await;
    let operator = token(&rig, "op", Role::Operator).await;
    let hold = |body: Value| {
        let (rig, operator) = (&rig, &operator);
        async move { ask(rig, operator, Method::POST, "/machines/n1/hold", body).await }
    };
    let (status, _) = hold(json!({"reason": "a disk", "until": "2001-01-01T00:00:00Z"})).await;
    assert_eq!(status, 400, "that is over");
    let (status, _) = hold(json!({"reason": "a disk", "until": "2099-01-01T00:00:00Z", "for": "1h"})).await;
    assert_eq!(status, 400, "which of them?");
    let (status, machine) = hold(json!({"reason": "a disk", "for": "1h"})).await;
    assert_eq!((status, &machine["hold"]["by"]), (200, &json!("op")));
    rig.advance(3599);
    pass(&rig).await;
    let held = |rig: &Rig| rig.roster.read(|inventory| inventory.machine_named("n1").unwrap().hold.is_some());
    assert!(held(&rig));
    let rig = rig.restarted().await;
    rig.advance(1);
    pass(&rig).await;
    assert!(!held(&rig));
    let said = told(&rig, "machine.released").await;
    assert_eq!(said, ["n1 is not on hold any more: the time that it was held for is over"]);
}

async fn a_machine_that_is_not_as_its_class_is_held_and_released(rig: Rig) {
    let rig = rig.with_documents().await;
    let class = |total: &str| json!({"kind": "HardwareClass", "name": "big", "spec": {"onMismatch": "hold", "memory": {"total": total}}});
    rig.apply(&[class("8GiB"), rule(json!({"class": "big"}))]).await;
    reports(&rig, UNKNOWN, "S42").await;
    let name = "m-525400000042";
    let (_, shown) = get(&rig, &format!("/machines/{name}")).await;
    assert_eq!(
        shown["class"]["differences"],
        json!([{"at": "memory", "wanted": "8GiB or more", "found": "4GiB"}])
    );
    assert_eq!(shown["hold"]["by"], "hardware class big");
    assert_eq!(told(&rig, "machine.mismatch").await.len(), 1);
    let gone =
        rig.changes.delete(pilotlight_types::resource::Kind::HardwareClass, "big", None, &operator()).await;
    assert!(gone.unwrap_err().to_string().contains("names it"));
    rig.apply(&[class("4GiB")]).await;
    pass(&rig).await;
    let held = rig.roster.read(|inventory| inventory.machine_named(name).unwrap().hold.clone());
    assert_eq!(held, None, "now it is as it should be");
}

async fn the_inbox_says_what_waits_and_why(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.apply(&[
        json!({"kind": "ExpectedMachine", "name": "n90", "spec": {"serial": "S90", "rack": "r9"}}),
        rule(json!({"match": {"vendor": "Dell*"}})),
        machine("n2", "52:54:00:00:00:02"),
    ])
    .await;
    rig.machines.hold("n2", Some("a fan".into()), &operator()).await.unwrap();
    reports(&rig, UNKNOWN, "S42").await;
    let viewer = token(&rig, "v", Role::Viewer).await;
    let page = |query: &'static str| {
        let (rig, viewer) = (&rig, &viewer);
        async move {
            let (status, body) = ask(rig, viewer, Method::GET, &format!("/inbox{query}"), Value::Null).await;
            assert_eq!(status, 200, "{body}");
            serde_json::from_value::<Inbox>(body).unwrap()
        }
    };
    let all = page("").await;
    let rows: Vec<(String, String)> = all
        .items
        .iter()
        .map(|row| {
            (row.name.to_string(), row.states.iter().map(|state| state.name()).collect::<Vec<_>>().join(","))
        })
        .collect();
    let said = |name: &str, states: &str| (name.to_owned(), states.to_owned());
    assert_eq!(
        rows,
        [said("n90", "missing"), said("m-525400000042", "discovered,unexpected"), said("n2", "held")]
    );
    let waiting = &all.items[1];
    assert_eq!(
        waiting.why,
        [
            "it is none of those that are expected",
            "rule qemu does not take it: its maker is `QEMU`, not `Dell*`"
        ]
    );
    assert_eq!(waiting.summary.cores, Some(4));
    assert_eq!(waiting.accept.as_ref().unwrap().name.as_str(), "m-525400000042");
    let first = page("?limit=1").await;
    assert_eq!((first.items.len(), first.next.as_deref()), (1, Some("expectedmachine/n90")));
    let rest = page("?limit=2&cursor=expectedmachine/n90").await;
    assert_eq!((rest.items.len(), rest.next), (2, None));
    assert_eq!(page("?state=held").await.items.len(), 1);
    let (status, _) = ask(&rig, &viewer, Method::GET, "/inbox?state=lost", Value::Null).await;
    assert_eq!(status, 400);
    let (status, _) = ask(&rig, &viewer, Method::GET, "/inbox?cursor=x", Value::Null).await;
    assert_eq!(status, 400);
}

async fn a_machine_is_accepted_under_a_name_and_with_labels(rig: Rig) {
    let rig = rig.with_documents().await;
    reports(&rig, UNKNOWN, "S42").await;
    let operator = token(&rig, "op", Role::Operator).await;
    let path = "/machines/m-525400000042/accept";
    let (status, _) = ask(&rig, &operator, Method::POST, path, json!({"as": "n1"})).await;
    assert_eq!(status, 409, "there is another machine of that name");
    let body = json!({"as": "n42", "labels": {"role": "worker"}});
    let (status, shown) = ask(&rig, &operator, Method::POST, path, body).await;
    assert_eq!((status, &shown["name"], &shown["stage"]), (200, &json!("n42"), &json!("provisioning")));
    let (status, _) = get(&rig, "/machines/m-525400000042").await;
    assert_eq!(status, 404);
    let (status, _) = ask(&rig, &operator, Method::POST, "/machines/n42/accept", Value::Null).await;
    assert_eq!(status, 409, "it is accepted already");
    let rig = rig.restarted().await;
    assert_eq!(rig.stage("n42"), "provisioning");
}

//! Roles that were declared: what they allow, who may write and give them, and that their changes hold at once.
use crate::{
    http::{asked, secure, token},
    rig::{Engine, MAC1, Rig, machine, operator, seen_as},
    sign_in::user,
};
use axum::{
    Router,
    body::Body,
    http::{Method, Request, header},
};
use pilotlight_types::{
    api::{NewToken, Role, Scope},
    resource::{Kind, RuleKind, Verb},
};
use serde_json::{Value, json};

const MAC2: &str = "52:54:00:00:00:02";
const MAC3: &str = "52:54:00:00:00:03";

async fn call(router: &Router, token: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let (status, _, bytes) = asked(router, request, body).await;
    (status.as_u16(), serde_json::from_slice(&bytes).unwrap_or_default())
}

fn detail(problem: &Value) -> &str {
    problem["detail"].as_str().unwrap_or_default()
}

fn role(name: &str, rules: Value) -> Value {
    json!({"kind": "Role", "name": name, "spec": {"rules": rules}})
}

/// The web team looks at its machines, and holds them; it sees profiles.
fn web() -> Value {
    role(
        "web",
        json!([
            {"verbs": ["get", "hold", "release"], "kinds": ["Machine"], "selector": "team=web"},
            {"verbs": ["get"], "kinds": ["Profile"]},
        ]),
    )
}

fn of_team(name: &str, mac: &str, team: &str) -> Value {
    let mut document = machine(name, mac);
    document["labels"]["team"] = json!(team);
    document
}

/// `n1` of the team web and `n2` of the team db; the role web.
async fn two_teams() -> Rig {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    rig.apply(&[of_team("n1", MAC1, "web"), of_team("n2", MAC2, "db"), web()]).await;
    rig
}

#[tokio::test]
async fn a_role_that_was_declared_allows_what_it_says_and_its_changes_hold_at_once() {
    let rig = two_teams().await;
    let token = token(&rig, "ci", "web".parse().unwrap()).await;
    let router = secure(&rig);
    let ask = async |method: Method, path: &str, body: Value| call(&router, &token, method, path, body).await;
    let get = async |path: &str| ask(Method::GET, path, Value::Null).await;
    let names = |list: &Value| -> Vec<String> {
        list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().into()).collect()
    };
    assert_eq!(names(&get("/machines").await.1), ["n1"]);
    assert_eq!(names(&get("/profiles").await.1), ["seen", "worker"]);
    assert_eq!(get("/machines/n1").await.0, 200);
    let (status, problem) = get("/machines/n2").await;
    assert_eq!(status, 403);
    assert_eq!(
        detail(&problem),
        "the role web may `get` Machine only where `team=web` holds, which is not so for n2"
    );
    assert_eq!(detail(&get("/groups").await.1), "the role web may not `get` Group");
    assert_eq!(ask(Method::POST, "/machines/n1/hold", json!({"reason": "disk"})).await.0, 200);
    assert_eq!(ask(Method::POST, "/machines/n2/hold", json!({"reason": "disk"})).await.0, 403);
    assert_eq!(ask(Method::POST, "/machines/n1/retire", Value::Null).await.0, 403);
    // Of many at once, those that it may do it to.
    let many = json!({"action": "hold", "selector": "role=worker", "reason": "switch", "dry_run": true});
    assert_eq!(names(&ask(Method::POST, "/machines/actions", many).await.1), ["n1"]);
    let many = json!({"action": "retire", "selector": "role=worker", "dry_run": true});
    assert_eq!(ask(Method::POST, "/machines/actions", many).await.0, 403);
    let (_, events) = get("/events").await;
    let objects: Vec<&str> =
        events["items"].as_array().unwrap().iter().map(|event| event["object"].as_str().unwrap()).collect();
    assert!(
        objects.iter().all(|object| *object == "machine/n1" || object.starts_with("profile/")),
        "{objects:?}"
    );

    rig.apply(&[role("web", json!([{"verbs": ["get"], "kinds": ["Machine"], "selector": "team=db"}]))]).await;
    assert_eq!(names(&get("/machines").await.1), ["n2"]);
    assert_eq!(get("/machines/n1").await.0, 403);
    assert_eq!(ask(Method::POST, "/machines/n1/release", Value::Null).await.0, 403);
    let rig = rig.restarted().await;
    let router = secure(&rig);
    assert_eq!(call(&router, &token, Method::GET, "/machines/n2", Value::Null).await.0, 200);
}

#[tokio::test]
async fn nobody_gives_what_they_do_not_have() {
    let rig = two_teams().await;
    let granter = role(
        "granter",
        json!([
            {"verbs": ["get", "write"], "kinds": ["Token", "Role"]},
            {"verbs": ["get", "hold"], "kinds": ["Machine"], "selector": "team=web"},
        ]),
    );
    rig.apply(&[granter]).await;
    let token = token(&rig, "granter", "granter".parse().unwrap()).await;
    let router = secure(&rig);
    let make = async |body: Value| call(&router, &token, Method::POST, "/tokens", body).await;
    let (status, problem) = make(json!({"name": "more", "role": "admin"})).await;
    assert_eq!(status, 403);
    assert_eq!(
        detail(&problem),
        "rule 1 of the role admin (* *) is beyond your own rights: you may not `get` Firmware"
    );
    let (_, problem) = make(json!({"name": "more", "role": "web"})).await;
    assert!(
        detail(&problem).contains("rule 1 of the role web (get,hold,release Machine team=web)"),
        "{problem}"
    );
    assert!(detail(&problem).contains("you may not `release` Machine"), "{problem}");
    let scope = json!({"verbs": ["get", "hold"], "kinds": ["Machine"]});
    assert_eq!(
        make(json!({"name": "some", "role": "web", "scope": scope})).await.0,
        201,
        "a scope narrows it"
    );
    assert_eq!(make(json!({"name": "same", "role": "granter"})).await.0, 201);
    let (status, problem) = make(json!({"name": "none", "role": "nobody"})).await;
    assert_eq!((status, detail(&problem)), (422, "there is no role nobody"));

    let put = async |name: &str, rules: Value| {
        let path = format!("/roles/{name}");
        call(&router, &token, Method::PUT, &path, json!({"spec": {"rules": rules}})).await
    };
    let rack = json!([{"verbs": ["get"], "kinds": ["Machine"], "selector": "team=web,rack=r1"}]);
    assert_eq!(put("rack", rack).await.0, 201);
    for rules in [
        json!([{"verbs": ["get"], "kinds": ["Machine"]}]),
        json!([{"verbs": ["*"], "kinds": ["Machine"], "selector": "team=web"}]),
        json!([{"verbs": ["get"], "kinds": ["Audit"]}]),
    ] {
        let (status, problem) = put("rack", rules).await;
        assert_eq!(status, 403);
        assert!(detail(&problem).starts_with("rule 1 of the role rack"), "{problem}");
    }
    assert_eq!(put("granter", json!([{"verbs": ["*"], "kinds": ["*"]}])).await.0, 403, "nor one's own role");
}

#[tokio::test]
async fn a_role_in_use_stays_and_built_in_names_are_taken() {
    let rig = two_teams().await;
    let admin = token(&rig, "root", Role::Admin).await;
    token(&rig, "ci", "web".parse().unwrap()).await;
    let router = secure(&rig);
    let ask = async |method: Method, path: &str, body: Value| call(&router, &admin, method, path, body).await;
    for path in ["/roles/web", "/roles/web?dry-run=true"] {
        let (status, problem) = ask(Method::DELETE, path, Value::Null).await;
        assert_eq!((status, problem["code"].as_str()), (409, Some("needed")));
        assert_eq!(detail(&problem), "Role web cannot go: token ci has it");
    }
    let (status, problem) = ask(Method::DELETE, "/roles/viewer", Value::Null).await;
    assert_eq!((status, detail(&problem)), (409, "Role viewer cannot go: it is built in"));
    let rules = json!({"spec": {"rules": [{"verbs": ["get"], "kinds": ["*"]}]}});
    let (status, problem) = ask(Method::PUT, "/roles/viewer", rules).await;
    assert_eq!((status, problem["errors"][0]["path"].as_str()), (422, Some("name")));
    assert_eq!(ask(Method::DELETE, "/tokens/ci", Value::Null).await.0, 204);
    assert_eq!(ask(Method::DELETE, "/roles/web", Value::Null).await.0, 204);
    let (_, list) = ask(Method::GET, "/roles", Value::Null).await;
    let names: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["admin", "editor", "operator", "viewer"], "those that are built in are told, too");
    // A token that is made while its role goes has one, or is not made.
    rig.apply(&[web()]).await;
    let new = NewToken {
        name: "late".into(),
        role: "web".parse().unwrap(),
        expires: None,
        scope: Scope::default(),
    };
    let actor = operator();
    let (made, gone) =
        tokio::join!(rig.access.create(new, &actor), rig.changes.delete(Kind::Role, "web", None, &actor));
    assert_ne!(made.is_ok(), gone.is_ok(), "{made:?} {gone:?}");
}

#[tokio::test]
async fn verbs_of_a_scope_narrow_a_role() {
    let rig = two_teams().await;
    let scope = Scope { verbs: vec![Verb::Get, Verb::Hold], ..Scope::default() };
    let new = NewToken { name: "some".into(), role: Role::Admin, expires: None, scope };
    let token = rig.access.create(new, &operator()).await.unwrap().expose().clone();
    let router = secure(&rig);
    let ask = async |method: Method, path: &str, body: Value| call(&router, &token, method, path, body).await;
    assert_eq!(ask(Method::GET, "/audit", Value::Null).await.0, 200);
    assert_eq!(ask(Method::POST, "/machines/n1/hold", json!({"reason": "x"})).await.0, 200);
    let (status, problem) = ask(Method::POST, "/machines/n1/release", Value::Null).await;
    assert_eq!(
        (status, detail(&problem)),
        (403, "the token's scope has the verbs get, hold, and this is to `release`")
    );
    assert_eq!(ask(Method::POST, "/tokens", json!({"name": "more", "role": "admin"})).await.0, 403);
    let (_, rights) = ask(Method::GET, "/me/rights", Value::Null).await;
    assert_eq!(rights["scope"], json!({"verbs": ["get", "hold"]}));
    assert_eq!(rights["rules"], json!([{"verbs": ["*"], "kinds": ["*"]}]));
    for (verb, kind, name, allowed) in [
        ("get", "Token", None, true),
        ("write", "Group", None, false),
        ("hold", "Machine", Some("n2"), true),
        ("release", "Machine", Some("n2"), false),
    ] {
        let (status, answer) =
            ask(Method::POST, "/me/can-i", json!({"verb": verb, "kind": kind, "name": name})).await;
        assert_eq!((status, &answer["allowed"], answer["why"].is_null()), (200, &json!(allowed), allowed));
    }
}

#[tokio::test]
async fn a_machine_is_not_taken_over_by_its_mac() {
    let rig = two_teams().await;
    rig.machines.discover(seen_as(MAC3.parse().unwrap(), None), false).await.unwrap();
    let found = rig.roster.read(|inventory| inventory.by_mac(MAC3.parse().unwrap()).unwrap().name.clone());
    rig.machines.retire("n2", &operator()).await.unwrap();
    let team = async |name: &str, kinds: Vec<RuleKind>, verbs: Vec<Verb>| {
        let scope = Scope { verbs, kinds, selector: "team=web".into() };
        let new = NewToken { name: name.into(), role: Role::Editor, expires: None, scope };
        rig.access.create(new, &operator()).await.unwrap().expose().clone()
    };
    let token = team("web", vec![RuleKind::Resource(Kind::Machine)], vec![]).await;
    let router = secure(&rig);
    for (mac, other) in [(MAC3, found.as_str()), (MAC2, "n2")] {
        let body = json!({"labels": {"team": "web"}, "spec": {"macs": [mac]}});
        let document =
            json!([{"kind": "Machine", "name": "n9", "labels": {"team": "web"}, "spec": {"macs": [mac]}}]);
        for (method, path, body) in [
            (Method::PUT, "/machines/n9", &body),
            (Method::PUT, "/machines/n9?dry-run=true", &body),
            (Method::POST, "/apply", &document),
            (Method::POST, "/plan", &document),
        ] {
            let (status, problem) = call(&router, &token, method.clone(), path, body.clone()).await;
            assert_eq!(status, 403, "{method} {path}: {problem}");
            assert!(detail(&problem).contains(&format!("of {other}, which is")), "{problem}");
        }
    }
    let by_name = json!({"labels": {"team": "web"}, "spec": {"macs": [MAC3]}});
    assert_eq!(call(&router, &token, Method::PUT, &format!("/machines/{found}"), by_name).await.0, 403);
    assert_eq!((rig.stage(found.as_str()), rig.stage("n2")), ("discovered", "retired"));

    // Who may write every machine and accept none does not accept one by declaring it.
    rig.apply(&[role("writer", json!([{"verbs": ["get", "write"], "kinds": ["Machine"]}]))]).await;
    let writer = crate::http::token(&rig, "writer", "writer".parse().unwrap()).await;
    let body = json!({"spec": {"macs": [MAC3]}});
    let (status, problem) = call(&router, &writer, Method::PUT, "/machines/n9", body.clone()).await;
    assert_eq!(status, 403);
    assert!(detail(&problem).contains("the role writer may not `accept` Machine"), "{problem}");
    let admin = token_of_admin(&rig).await;
    assert_eq!(call(&router, &admin, Method::PUT, "/machines/n9", body).await.0, 201);
}

async fn token_of_admin(rig: &Rig) -> String {
    token(rig, "root", Role::Admin).await
}

#[tokio::test]
async fn nobody_becomes_more_than_they_are_by_other_peoples_passwords() {
    let rig = two_teams().await;
    let clerk =
        role("clerk", json!([{"verbs": ["*"], "kinds": ["User"]}, {"verbs": ["get"], "kinds": ["Machine"]}]));
    let seer = role("seer", json!([{"verbs": ["get"], "kinds": ["Machine"]}]));
    rig.apply(&[clerk, seer]).await;
    user(&rig, "alice", Role::Admin).await;
    let token = token(&rig, "desk", "clerk".parse().unwrap()).await;
    let router = secure(&rig);
    let ask = async |method: Method, path: &str, body: Value| call(&router, &token, method, path, body).await;
    let password = json!({"password": "another long sentence"});
    for (method, path, body) in [
        (Method::PUT, "/users/alice/password", password.clone()),
        (Method::PUT, "/users/alice", json!({"role": "seer"})),
        (Method::DELETE, "/users/alice", Value::Null),
        (Method::POST, "/users", json!({"name": "bob", "password": "a long sentence", "role": "admin"})),
    ] {
        let (status, problem) = ask(method.clone(), path, body).await;
        assert_eq!((status, &problem["code"]), (403, &json!("forbidden")), "{method} {path}: {problem}");
    }
    // Whom they may do everything of, they may make, change and end.
    let bob = json!({"name": "bob", "password": "a long sentence", "role": "seer"});
    assert_eq!(ask(Method::POST, "/users", bob).await.0, 201);
    assert_eq!(ask(Method::PUT, "/users/bob", json!({"role": "admin"})).await.0, 403);
    assert_eq!(ask(Method::PUT, "/users/bob/password", password).await.0, 204);
    // A role that somebody has stays.
    let refused = rig.changes.delete(Kind::Role, "seer", None, &operator()).await.unwrap_err();
    assert!(refused.to_string().contains("user bob has it"), "{refused}");
    assert_eq!(ask(Method::DELETE, "/users/bob", Value::Null).await.0, 204);
    rig.changes.delete(Kind::Role, "seer", None, &operator()).await.unwrap();
}

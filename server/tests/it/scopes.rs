//! Tokens that are good for some objects only: what they see, what they change, and which part of their scope says no.
use crate::{
    http::{asked, secure},
    rig::{Engine, MAC1, Rig, machine, operator},
};
use axum::{
    Router,
    body::Body,
    http::{Method, Request, header},
};
use pilotlight::service::changes::Options;
use pilotlight_types::{
    api::{NewToken, Role, Scope},
    resource::{Kind, RuleKind},
};
use serde_json::{Value, json};

fn of(kinds: &[Kind]) -> Vec<RuleKind> {
    kinds.iter().copied().map(RuleKind::Resource).collect()
}

async fn scoped(rig: &Rig, role: Role, kinds: &[Kind], selector: &str) -> String {
    let scope = Scope { verbs: vec![], kinds: of(kinds), selector: selector.into() };
    let name = format!("{role}-{}", rig.access.list().len());
    let new = NewToken { name, role, expires: None, scope };
    rig.access.create(new, &operator()).await.unwrap().expose().clone()
}

async fn call(router: &Router, token: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let (status, _, bytes) = asked(router, request, body).await;
    (status.as_u16(), serde_json::from_slice(&bytes).unwrap_or_default())
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

/// `n1` at dc1 and `n2` at dc2, each with a boot.
async fn two_sites() -> Rig {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let at = |name: &str, mac: &str, site: &str| {
        let mut document = machine(name, mac);
        document["labels"]["site"] = json!(site);
        document
    };
    rig.apply(&[at("n1", MAC1, "dc1"), at("n2", "52:54:00:00:00:02", "dc2")]).await;
    rig.script(MAC1, [10, 77, 0, 100]).await;
    rig.script("52:54:00:00:00:02", [10, 77, 0, 101]).await;
    rig
}

#[tokio::test]
async fn a_selector_hides_what_it_does_not_take() {
    let rig = two_sites().await;
    let token = scoped(&rig, Role::Editor, &[], "site=dc1").await;
    let router = secure(&rig);
    let get = async |path: &str| call(&router, &token, Method::GET, path, Value::Null).await;
    assert_eq!(names(&get("/machines").await.1), ["n1"]);
    assert_eq!(names(&get("/machines?selector=site%3Ddc2").await.1), [""; 0]);
    assert_eq!(names(&get("/groups").await.1), [""; 0], "groups have no site");
    assert_eq!(get("/machines/n1").await.0, 200);
    let (status, problem) = get("/machines/n2").await;
    assert_eq!((status, problem["code"].as_str()), (403, Some("forbidden")));
    assert!(problem["detail"].as_str().unwrap().contains("selector `site=dc1`"), "{problem}");
    assert_eq!(get("/machines/n3").await.0, 404, "nobody's secret");
    for path in [
        "/machines/n%32",
        "/machines/%6e2",
        "/machines/n2/explain",
        "/boots?machine=n2",
        "/explain?mac=52-54-00-00-00-02",
    ] {
        assert_eq!(get(path).await.0, 403, "{path}");
    }
    let boots = get("/boots").await.1;
    let of: Vec<&Value> = boots["items"].as_array().unwrap().iter().map(|boot| &boot["machine"]).collect();
    assert_eq!(of, ["n1"]);
    let other = rig.boots.of(rig.id("n2")).unwrap().id;
    assert_eq!(get(&format!("/boots/{other}")).await.0, 403);
    assert_eq!(get(&format!("/boots/{other}/console")).await.0, 403);
    let events = get("/events").await.1;
    let objects: Vec<&str> =
        events["items"].as_array().unwrap().iter().map(|event| event["object"].as_str().unwrap()).collect();
    assert!(
        objects.contains(&"machine/n1") && objects.iter().all(|object| *object == "machine/n1"),
        "{objects:?}"
    );
}

#[tokio::test]
async fn a_label_takes_nothing_into_a_scope_and_nothing_out_of_it() {
    let rig = two_sites().await;
    let token = scoped(&rig, Role::Editor, &[Kind::Machine], "site=dc1").await;
    let router = secure(&rig);
    let of = |site: &str, mac: &str| json!({"labels": {"site": site}, "spec": {"macs": [mac]}});
    let put = async |name: &str, body: Value| {
        call(&router, &token, Method::PUT, &format!("/machines/{name}"), body).await
    };
    assert_eq!(put("n2", of("dc1", "52:54:00:00:00:02")).await.0, 403, "it is another site's");
    assert_eq!(put("n1", of("dc2", MAC1)).await.0, 403, "it would be another site's");
    assert_eq!(put("n9", of("dc2", "52:54:00:00:00:09")).await.0, 403, "it would be another site's");
    assert_eq!(put("n9", of("dc1", "52:54:00:00:00:09")).await.0, 201);
    assert_eq!(put("n1", of("dc1", MAC1)).await.0, 200);
    let mut documents = [machine("n1", MAC1), machine("n2", "52:54:00:00:00:02")];
    documents[0]["labels"] = json!({"site": "dc1", "role": "storage"});
    documents[1]["labels"] = json!({"site": "dc1"});
    for path in ["/apply", "/apply?dry-run=true"] {
        let (status, problem) = call(&router, &token, Method::POST, path, json!(documents)).await;
        assert_eq!(status, 403, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("Machine n2"), "{problem}");
    }
    let machine = rig.views.machine("n1").unwrap();
    assert_eq!(machine.labels.get("role"), None, "none of them was written");
    for (method, path) in [
        (Method::DELETE, "/machines/n2"),
        (Method::DELETE, "/machines/n2?dry-run=true"),
        (Method::POST, "/machines/n2/retire"),
        (Method::PUT, "/groups/workers"),
        (Method::GET, "/subnets"),
        (Method::GET, "/tokens"),
    ] {
        let body = json!({"spec": {"profile": "worker"}});
        assert_eq!(call(&router, &token, method.clone(), path, body).await.0, 403, "{method} {path}");
    }
    assert_eq!(rig.stage("n2"), "provisioning", "nothing of that retired it");
    assert_eq!(call(&router, &token, Method::POST, "/machines/n1/retire", Value::Null).await.0, 200);
    assert_eq!(call(&router, &token, Method::DELETE, "/machines/n9", Value::Null).await.0, 204);
}

#[tokio::test]
async fn an_admin_with_a_scope_makes_no_tokens_without_one() {
    let rig = two_sites().await;
    let token = scoped(&rig, Role::Admin, &[Kind::Machine], "").await;
    let router = secure(&rig);
    let new = json!({"name": "more", "role": "admin"});
    let (status, problem) = call(&router, &token, Method::POST, "/tokens", new).await;
    assert_eq!(status, 403);
    assert!(
        problem["detail"].as_str().unwrap().contains("has the kinds Machine, and this is about Token"),
        "{problem}"
    );
    let (_, problem) = call(&router, &token, Method::GET, "/groups/workers", Value::Null).await;
    assert!(problem["detail"].as_str().unwrap().contains("has the kinds Machine"), "{problem}");
}

#[tokio::test]
async fn a_scope_outlives_the_daemon_and_is_listed() {
    let rig = two_sites().await;
    let token = scoped(&rig, Role::Viewer, &[Kind::Profile, Kind::Group], "site=dc1").await;
    let rig = rig.restarted().await;
    let bearer = rig.access.bearer(&token).unwrap();
    assert_eq!(bearer.rights.scope().words().to_string(), "Profile,Group site=dc1");
    assert_eq!(rig.access.list()[0].scope, *bearer.rights.scope().words());
    let bad = NewToken {
        name: "bad".into(),
        role: Role::Viewer,
        expires: None,
        scope: Scope { selector: "a b".into(), ..Scope::default() },
    };
    let refused = rig.access.create(bad, &operator()).await.unwrap_err();
    assert!(refused.to_string().contains("`a b` is no selector term"), "{refused}");
}

#[tokio::test]
async fn a_plan_is_of_what_its_token_may_see() {
    let rig = two_sites().await;
    let token = scoped(&rig, Role::Editor, &[Kind::Group, Kind::Machine], "site=dc1").await;
    let router = secure(&rig);
    let post =
        async |path: &str, documents: Value| call(&router, &token, Method::POST, path, documents).await;
    let group = |site: &str, zone: &str| {
        json!([{"kind": "Group", "name": "workers", "labels": {"site": site},
            "spec": {"match": {"labels": {"role": "worker"}}, "profile": "worker", "variables": {"zone": zone}}}])
    };
    for path in ["/plan", "/apply", "/apply?dry-run=true"] {
        let (status, problem) = post(path, group("dc1", "b")).await;
        assert_eq!(status, 403, "{path}: it has no site: {problem}");
    }
    let all = group("dc1", "a").as_array().cloned().unwrap();
    rig.apply(&all).await;
    assert_eq!(post("/plan", group("dc2", "b")).await.0, 403, "it would be another site's");
    let (status, plan) = post("/plan", group("dc1", "b")).await;
    assert_eq!(status, 200, "{plan}");
    let shown: Vec<&Value> =
        plan["boots"].as_array().unwrap().iter().map(|group| &group["machines"]).collect();
    assert_eq!(shown, [&json!(["n1"])], "what differs for others is not shown");
    assert_eq!((&plan["machines"], &plan["hidden"]), (&json!(2), &json!(1)), "and is counted");
    let hash = plan["hash"].as_str().unwrap();
    let wanted = group("dc1", "b").as_array().cloned().unwrap();
    let everything = rig.changes.plan(&wanted, &Options::default(), &operator()).await.unwrap();
    assert_eq!(everything.hash, hash, "it is the same plan, whoever looks");
    let (status, problem) = post(&format!("/apply?expect-plan={hash}"), group("dc1", "c")).await;
    assert_eq!(status, 412);
    assert!(!problem["detail"].as_str().unwrap().contains("n2"), "{problem}");
    assert_eq!(post(&format!("/apply?expect-plan={hash}"), group("dc1", "b")).await.0, 200);
}

#[tokio::test]
async fn nothing_out_of_a_scope_is_pruned_or_rolled_back() {
    let rig = two_sites().await;
    let at = |name: &str, mac: &str, site: &str| {
        let mut document = machine(name, mac);
        document["labels"]["site"] = json!(site);
        document
    };
    let all = [at("n1", MAC1, "dc1"), at("n2", "52:54:00:00:00:02", "dc2")];
    let source = Options { source: Some("all".parse().unwrap()), ..Options::default() };
    rig.changes.apply_with(&all, &source, &operator()).await.unwrap();
    let token = scoped(&rig, Role::Editor, &[], "site=dc1").await;
    let router = secure(&rig);
    let post =
        async |path: &str, documents: Value| call(&router, &token, Method::POST, path, documents).await;
    for path in ["/plan", "/apply", "/apply?dry-run=true"] {
        let with = format!("{path}{}source=all&prune=true", if path.contains('?') { "&" } else { "?" });
        let (status, problem) = post(&with, json!([all[0]])).await;
        assert_eq!(status, 403, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("Machine n2"), "{problem}");
    }
    assert!(rig.views.machine("n2").is_some());

    // A group that was another site's: what it was then is not for this token, neither to read nor to bring back.
    let group = |site: &str, zone: &str| json!({"kind": "Group", "name": "extra", "labels": {"site": site}, "spec": {"profile": "worker", "variables": {"zone": zone}}});
    rig.apply(&[group("dc2", "a")]).await;
    rig.apply(&[group("dc1", "b")]).await;
    let get = async |path: &str| call(&router, &token, Method::GET, path, Value::Null).await;
    let (status, list) = get("/groups/extra/revisions").await;
    let numbers: Vec<i64> =
        list["items"].as_array().unwrap().iter().filter_map(|r| r["revision"].as_i64()).collect();
    assert_eq!((status, numbers), (200, vec![2]));
    assert_eq!(get("/groups/extra/revisions/2").await.1["spec"]["variables"]["zone"], "b");
    assert_eq!(get("/groups/extra/revisions/1").await.0, 403);
    assert_eq!(get("/groups/extra/revisions/x").await.0, 400);
    assert_eq!(get("/groups/workers/revisions").await.0, 403, "it has no site");
    assert_eq!(post("/apply", json!([group("dc2", "a")])).await.0, 403);
}

//! Lists that are watched: what there is, each change, and where a client goes on.
use crate::{
    http::{secure, token},
    rig::{Engine, MAC1, Rig, machine, operator},
};
use axum::{
    Router,
    body::{Body, BodyDataStream},
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
};
use futures_util::StreamExt;
use pilotlight::http::Peer;
use pilotlight_types::{
    api::{NewToken, Role, Scope},
    resource::Kind,
};
use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};
use tower::ServiceExt;

/// A list that is watched.
struct Watch {
    stream: BodyDataStream,
    text: String,
    last: Option<i64>,
}

impl Watch {
    async fn begin(router: &Router, token: &str, path: &str, last: Option<i64>) -> Self {
        let mut request = Request::builder()
            .uri(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let address = SocketAddr::from(([10, 77, 0, 9], 1));
        request.extensions_mut().insert(ConnectInfo(Peer { remote: address, local: address }));
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self { stream: response.into_body().into_data_stream(), text: String::new(), last }
    }

    /// The next event: its kind, and the object.
    async fn next(&mut self) -> (String, Value) {
        while !self.text.contains("\n\n") {
            let piece = tokio::time::timeout(Duration::from_secs(20), self.stream.next()).await;
            let piece = piece.expect("an event in time").expect("more").unwrap();
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
        let (event, rest) = self.text.split_once("\n\n").unwrap();
        let line = |key: &str| event.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let (kind, data) = (line("event:").unwrap().to_owned(), line("data:").unwrap().to_owned());
        if let Some(id) = line("id:") {
            let id = id.parse().unwrap();
            assert!(self.last.is_none_or(|last| last <= id), "places only go on");
            self.last = Some(id);
        }
        self.text = rest.to_owned();
        (kind, serde_json::from_str(&data).unwrap())
    }

    /// The next events: kinds and names.
    async fn names(&mut self, count: usize) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for _ in 0..count {
            let (kind, object) = self.next().await;
            all.push((kind, object["name"].as_str().unwrap_or_default().to_owned()));
        }
        all
    }
}

fn said(events: &[(&str, &str)]) -> Vec<(String, String)> {
    events.iter().map(|(kind, name)| ((*kind).to_owned(), (*name).to_owned())).collect()
}

fn group(name: &str, priority: i32) -> Value {
    json!({"kind": "Group", "name": name, "spec": {"profile": "worker", "priority": priority}})
}

#[tokio::test]
async fn a_watched_list_is_the_list_and_then_each_change() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let viewer = token(&rig, "v", Role::Viewer).await;
    let router = secure(&rig);
    let mut watch = Watch::begin(&router, &viewer, "/groups?watch=true", None).await;
    assert_eq!(watch.names(2).await, said(&[("ADDED", "workers"), ("SYNCED", "")]));
    rig.apply(&[group("g", 1)]).await;
    let (kind, object) = watch.next().await;
    assert_eq!(
        (kind.as_str(), &object["spec"]["priority"], &object["revision"]),
        ("ADDED", &json!(1), &json!(1))
    );
    rig.apply(&[group("g", 2)]).await;
    let (kind, object) = watch.next().await;
    assert_eq!((kind.as_str(), &object["spec"]["priority"]), ("MODIFIED", &json!(2)));
    // Of other kinds nothing is told.
    rig.apply(&[machine("n2", "52:54:00:00:00:02")]).await;
    rig.changes.delete(Kind::Group, "g", None, &operator()).await.unwrap();
    assert_eq!(watch.next().await, ("DELETED".to_owned(), json!({"kind": "Group", "name": "g"})));
}

#[tokio::test]
async fn what_is_sent_is_never_older_than_the_change_that_it_is_sent_for() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let viewer = token(&rig, "v", Role::Viewer).await;
    let router = secure(&rig);
    let mut watch = Watch::begin(&router, &viewer, "/groups?watch=true", None).await;
    watch.names(2).await;
    for priority in 1..=60 {
        rig.apply(&[group("g", priority)]).await;
    }
    let mut last = 0;
    while last < 60 {
        let (_, object) = watch.next().await;
        let priority = object["spec"]["priority"].as_i64().unwrap();
        assert!(priority > last, "{priority} after {last}");
        last = priority;
    }
}

#[tokio::test]
async fn a_client_that_comes_back_is_told_what_it_missed() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let viewer = token(&rig, "v", Role::Viewer).await;
    rig.apply(&[group("a", 1), group("b", 1), group("c", 1)]).await;
    let router = secure(&rig);
    let mut watch = Watch::begin(&router, &viewer, "/groups?watch=true", None).await;
    watch.names(5).await;
    let last = watch.last.expect("a place");
    drop(watch);
    rig.apply(&[group("b", 2), group("d", 1)]).await;
    rig.changes.delete(Kind::Group, "a", None, &operator()).await.unwrap();
    let mut watch = Watch::begin(&router, &viewer, "/groups?watch=true", Some(last)).await;
    assert_eq!(watch.names(3).await, said(&[("DELETED", "a"), ("MODIFIED", "b"), ("MODIFIED", "d")]));
    let end = watch.last.unwrap();
    drop(watch);
    let mut watch = Watch::begin(&router, &viewer, "/groups?watch=true", Some(end)).await;
    rig.apply(&[group("e", 1)]).await;
    assert_eq!(watch.names(1).await, said(&[("MODIFIED", "e")]), "nothing comes twice");
}

#[tokio::test]
async fn machines_are_watched_through_their_boots_and_by_selector() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let viewer = token(&rig, "v", Role::Viewer).await;
    let router = secure(&rig);
    let mut active =
        Watch::begin(&router, &viewer, "/machines?watch=true&selector=stage%3Dactive", None).await;
    assert_eq!(active.names(1).await, said(&[("SYNCED", "")]));
    let mut watch = Watch::begin(&router, &viewer, "/machines?watch=true", None).await;
    assert_eq!(watch.names(2).await, said(&[("ADDED", "n1"), ("SYNCED", "")]));
    let (boot, _) = rig.script(MAC1, [10, 77, 0, 100]).await;
    let (kind, object) = watch.next().await;
    assert_eq!((kind.as_str(), &object["boot"]["id"]), ("MODIFIED", &json!(boot)));
    let agent = rig.configs.agent_token(boot).unwrap().expose().clone();
    let facts = Request::builder()
        .method("POST")
        .uri(format!("/agent/v1/boots/{boot}/facts"))
        .header(header::AUTHORIZATION, format!("Bearer {agent}"));
    crate::http::asked(&router, facts, Body::from(json!({"version": 1}).to_string())).await;
    let (kind, object) = active.next().await;
    assert_eq!((kind.as_str(), &object["stage"]), ("ADDED", &json!("active")), "it is selected now");
    rig.machines.provision("n1", &operator()).await.unwrap();
    assert_eq!(active.names(1).await, said(&[("DELETED", "n1")]), "it is not selected any more");
}

#[tokio::test]
async fn a_scope_hides_what_it_does_not_take_in_a_stream_too() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let scope = Scope { selector: "site=dc1".into(), ..Scope::default() };
    let new = NewToken { name: "s".into(), role: Role::Viewer, expires: None, scope };
    let scoped = rig.access.create(new, &operator()).await.unwrap().expose().clone();
    let router = secure(&rig);
    let of = |name: &str, site: &str| {
        let mut document = group(name, 1);
        document["labels"] = json!({"site": site});
        document
    };
    rig.apply(&[of("a", "dc1"), of("b", "dc2")]).await;
    let mut watch = Watch::begin(&router, &scoped, "/groups?watch=true", None).await;
    assert_eq!(watch.names(2).await, said(&[("ADDED", "a"), ("SYNCED", "")]));
    let place = watch.last;
    rig.apply(&[of("c", "dc2"), of("d", "dc1")]).await;
    assert_eq!(watch.names(1).await, said(&[("ADDED", "d")]));
    rig.changes.delete(Kind::Group, "b", None, &operator()).await.unwrap();
    rig.apply(&[of("a", "dc2")]).await;
    assert_eq!(watch.names(1).await, said(&[("DELETED", "a")]), "it left the scope; b was never in it");
    // Going on would tell names of what left the scope: it begins anew.
    let mut again = Watch::begin(&router, &scoped, "/groups?watch=true", place).await;
    assert_eq!(again.names(2).await, said(&[("ADDED", "d"), ("SYNCED", "")]));
}

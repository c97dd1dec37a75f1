//! Events over HTTP: a list, and a stream that goes on where it was left.
use crate::{
    http::{asked, secure, token},
    rig::{Engine, MAC1, Rig, operator},
};
use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, header},
};
use futures_util::StreamExt;
use pilotlight::http::Peer;
use pilotlight_types::api::{Event, List, Role};
use std::{net::SocketAddr, time::Duration};
use tower::ServiceExt;

/// Follows the events; `last` is the last one that was heard before.
async fn follow(router: &Router, token: &str, query: &str, last: Option<i64>) -> axum::body::BodyDataStream {
    let mut request = Request::builder()
        .uri(format!("/api/v1/events{query}"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::ACCEPT, "text/event-stream");
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let mut request = request.body(Body::empty()).unwrap();
    let address = SocketAddr::from(([10, 77, 0, 9], 1));
    request.extensions_mut().insert(ConnectInfo(Peer { remote: address, local: address }));
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    response.into_body().into_data_stream()
}

/// The next events of a stream: their ids and messages.
async fn next(stream: &mut axum::body::BodyDataStream, count: usize) -> Vec<(i64, String)> {
    let mut text = String::new();
    while text.matches("\n\n").count() < count {
        let piece =
            tokio::time::timeout(Duration::from_secs(20), stream.next()).await.expect("an event in time");
        text.push_str(std::str::from_utf8(&piece.expect("more").unwrap()).unwrap());
    }
    let events = text.split("\n\n").filter(|event| !event.is_empty());
    events
        .map(|event| {
            let line =
                |key: &str| event.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned();
            let data: Event = serde_json::from_str(&line("data:")).unwrap();
            assert_eq!(line("id:"), data.seq.to_string());
            assert_eq!(line("event:"), data.kind);
            (data.seq, data.message)
        })
        .collect()
}

async fn happen(rig: &Rig, object: &str, messages: &[&str]) {
    let event = |text: &&str| rig.journal.event("a.b", object, &operator(), None, (*text).to_owned());
    rig.journal.commit(messages.iter().map(event).collect()).await.unwrap();
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was_left() {
    let rig = Rig::new(Engine::Sqlite).await;
    let viewer = token(&rig, "v", Role::Viewer).await;
    let router = secure(&rig);
    happen(&rig, "machine/a", &["1", "2"]).await;
    let mut stream = follow(&router, &viewer, "", None).await;
    happen(&rig, "machine/a", &["3"]).await;
    let heard = next(&mut stream, 1).await;
    assert_eq!(heard[0].1, "3", "without a place to begin at: what happens from now on");
    drop(stream);
    happen(&rig, "machine/b", &["4", "5"]).await;
    let mut stream = follow(&router, &viewer, "", Some(heard[0].0)).await;
    happen(&rig, "machine/a", &["6"]).await;
    let messages: Vec<String> = next(&mut stream, 3).await.into_iter().map(|(_, message)| message).collect();
    assert_eq!(messages, ["4", "5", "6"], "none is lost, none comes twice");
    let mut one = follow(&router, &viewer, "?after=0&object=machine/a", None).await;
    let messages: Vec<String> = next(&mut one, 4).await.into_iter().map(|(_, message)| message).collect();
    assert_eq!(messages, ["1", "2", "3", "6"]);
}

#[tokio::test]
async fn a_stream_that_is_far_behind_catches_up() {
    let rig = Rig::new(Engine::Sqlite).await;
    let viewer = token(&rig, "v", Role::Viewer).await;
    let router = secure(&rig);
    let many: Vec<String> = (0..2500).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut stream = follow(&router, &viewer, "?object=machine/a", Some(0)).await;
    happen(&rig, "machine/a", &many).await;
    // And more than the live channel holds, while nobody reads.
    happen(&rig, "machine/a", &many).await;
    let heard = next(&mut stream, 5000).await;
    assert_eq!(heard.len(), 5000);
    assert!(heard.windows(2).all(|pair| pair[0].0 < pair[1].0));
}

#[tokio::test]
async fn a_list_is_paged_and_bounded() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    // Who may see tokens sees every event.
    let admin = token(&rig, "a", Role::Admin).await;
    let router = secure(&rig);
    let get = async |path: &str| {
        let request = Request::builder().uri(path).header(header::AUTHORIZATION, format!("Bearer {admin}"));
        let (status, _, body) = asked(&router, request, Body::empty()).await;
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        body
    };
    let mut after = 0;
    let mut seen = Vec::new();
    loop {
        let page: List<Event> =
            serde_json::from_slice(&get(&format!("/api/v1/events?after={after}&limit=3")).await).unwrap();
        assert!(page.items.len() <= 3);
        seen.extend(page.items.iter().map(|event| event.seq));
        let Some(next) = page.next else { break };
        after = next.parse().unwrap();
    }
    let all = rig.events().await;
    assert_eq!(seen, all[..all.len() - 1].iter().map(|event| event.seq).collect::<Vec<_>>());
    // The lists of boots and machines take a limit too.
    rig.script(MAC1, [10, 77, 0, 100]).await;
    for path in ["/api/v1/boots?limit=1", "/api/v1/machines?limit=1", "/api/v1/profiles?limit=1"] {
        let page: List<serde_json::Value> = serde_json::from_slice(&get(path).await).unwrap();
        assert!(page.items.len() == 1 && page.next.is_some(), "{path}: {page:?}");
        let next = format!("{path}&cursor={}", page.next.unwrap());
        let rest: List<serde_json::Value> = serde_json::from_slice(&get(&next).await).unwrap();
        assert!(!rest.items.contains(&page.items[0]), "{next}");
    }
}

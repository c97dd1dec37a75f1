//! Webhooks with real receivers on real sockets, on both databases: what is sent, in which order, and what becomes of it when a receiver
//! is slow, broken, gone or hostile. The clock stands still until it is moved.
mod receiver;

use crate::{
    http::{self, secure},
    rig::{Engine, Rig, how_webhooks_are_told, on_both, operator},
};
use pilotlight::{
    domain::webhook::Reach,
    service::{
        journal::Actor,
        webhooks::{Settings, Webhooks},
    },
};
use pilotlight_types::api::{Attempt, Delivery, DeliveryState, Role};
use receiver::{Answer, Receiver};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A key as the documents have it.
const KEY: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

fn hook(url: &str, change: Value) -> Value {
    let mut spec = json!({"url": url, "events": ["story.*"], "timeout": "1s"});
    for (key, value) in change.as_object().unwrap() {
        spec[key] = value.clone();
    }
    json!({"kind": "Webhook", "name": "hook", "spec": spec})
}

/// Webhooks that are told until this is dropped or stopped.
struct Telling(CancellationToken, JoinSet<()>);

impl Telling {
    fn of(webhooks: &Webhooks) -> Self {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(webhooks.clone().run(stop.clone()));
        Self(stop, tasks)
    }

    async fn stop(mut self) {
        self.0.cancel();
        while self.1.join_next().await.is_some() {}
    }

    /// As if the daemon was killed: nothing more is done, wherever it is.
    fn kill(mut self) {
        self.1.abort_all();
    }
}

/// Webhooks of the same database, told in another way.
fn told_otherwise(rig: &Rig, change: impl FnOnce(&mut Settings)) -> Webhooks {
    let mut settings = how_webhooks_are_told();
    change(&mut settings);
    Webhooks::new(rig.db.clone(), rig.roster.clone(), rig.journal.clone(), rig.secrets.clone(), settings)
}

async fn happen(rig: &Rig, events: &[(&str, &str)]) {
    let event = |(object, text): &(&str, &str)| {
        rig.journal.event("story.told", object, &operator(), None, (*text).to_owned())
    };
    rig.journal.commit(events.iter().map(event).collect()).await.unwrap();
}

/// Waits until as many deliveries are in that state; gives them, oldest first.
async fn until(webhooks: &Webhooks, state: DeliveryState, count: usize) -> Vec<Delivery> {
    let look = async {
        loop {
            let mut found = webhooks.deliveries("hook", Some(state), i64::MAX, 500).await.unwrap();
            if found.len() == count {
                found.reverse();
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(20), look).await {
        Ok(found) => found,
        Err(_) => panic!(
            "there are never {count} that are {state}: {:#?}",
            webhooks.deliveries("hook", None, i64::MAX, 500).await
        ),
    }
}

/// Waits until the only delivery was tried as often as that.
async fn tried(rig: &Rig, tries: u32) -> Delivery {
    let look = async {
        loop {
            let found = rig.webhooks.deliveries("hook", None, i64::MAX, 500).await.unwrap();
            if let [one] = &*found
                && one.tries == tries
            {
                return one.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.expect("as many tries in time")
}

/// What a request is answered: the status, and the body as JSON.
async fn asked(router: &axum::Router, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
    let request = axum::http::Request::builder().method(method).uri(path);
    let request = request.header("authorization", format!("Bearer {token}"));
    let (status, _, bytes) = http::asked(router, request, axum::body::Body::from(body.to_owned())).await;
    (status.as_u16(), serde_json::from_slice(&bytes).unwrap_or_default())
}

/// A webhook whose receiver is not there, and the event that it was to be told of.
pub async fn a_delivery(rig: &Rig) -> pilotlight_types::EventId {
    rig.apply(&[hook("http://127.0.0.1:1/", json!({}))]).await;
    let telling = Telling::of(&rig.webhooks);
    happen(rig, &[("machine/n1", "a")]).await;
    let delivery = tried(rig, 1).await;
    telling.stop().await;
    delivery.id
}

/// Puts a file where secrets may be.
fn secret(rig: &Rig, name: &str, text: &str) -> Value {
    let folder = rig.folder.path().join("secrets");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
    json!({"file": folder.join(name)})
}

async fn what_happens_is_told_signed_and_in_order(rig: Rig) {
    let receiver = Receiver::start(|_| Answer::status(204)).await;
    let key = secret(&rig, "key", KEY);
    happen(&rig, &[("machine/n1", "before")]).await;
    rig.apply(&[hook(&receiver.url(), json!({"secret": key}))]).await;
    let telling = Telling::of(&rig.webhooks);
    let all: Vec<(String, String)> =
        (0..60).map(|number| (format!("machine/n{}", number % 3), number.to_string())).collect();
    let events: Vec<(&str, &str)> =
        all.iter().map(|(object, text)| (object.as_str(), text.as_str())).collect();
    for part in events.chunks(7) {
        happen(&rig, part).await;
    }
    let delivered = until(&rig.webhooks, DeliveryState::Delivered, 60).await;
    assert!(
        delivered
            .iter()
            .all(|one| one.tries == 1 && one.done.is_some() && one.attempts[0].status == Some(204))
    );
    let requests = receiver.requests();
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for request in &requests {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let (object, number) = (body["subject"].as_str().unwrap(), body["data"]["message"].as_str().unwrap());
        let number: i64 = number.parse().expect("nothing from before it was declared");
        assert!(last.insert(object.to_owned(), number).is_none_or(|last| last < number), "{object} {number}");
        assert_eq!(request.header("webhook-id"), body["id"].as_str());
        assert_eq!(request.header("content-type"), Some("application/json"));
        request.verify(KEY);
    }
    assert_eq!(requests.len(), 60);
    telling.stop().await;
}

async fn only_what_is_wanted_is_told(rig: Rig) {
    let rig = rig.with_documents().await;
    let receiver = Receiver::start(|_| Answer::status(200)).await;
    rig.apply(&[hook(
        &receiver.url(),
        json!({"selector": "role=worker", "events": ["story.t*", "webhook.*"]}),
    )])
    .await;
    let _telling = Telling::of(&rig.webhooks);
    let other = rig.journal.event("other.told", "machine/n1", &operator(), None, "another kind".into());
    rig.journal.commit(vec![other]).await.unwrap();
    happen(
        &rig,
        &[("machine/n9", "no such machine"), ("subnet/rack-a", "without the label"), ("machine/n1", "this")],
    )
    .await;
    // What becomes of a webhook is no news to itself.
    let own = rig.journal.event("webhook.dead", "webhook/hook", &operator(), None, "echo".into());
    rig.journal.commit(vec![own]).await.unwrap();
    happen(&rig, &[("machine/n1", "last")]).await;
    let delivered = until(&rig.webhooks, DeliveryState::Delivered, 2).await;
    assert!(
        delivered.iter().all(|one| one.object == "machine/n1" && one.event == "story.told"),
        "{delivered:?}"
    );
    assert_eq!(rig.webhooks.status("hook").await.unwrap().delivered, 2);
}

async fn a_kill_at_any_moment_loses_nothing(rig: Rig) {
    let receiver = Receiver::start(|_| Answer::status(200).after(Duration::from_millis(3))).await;
    rig.apply(&[hook(&receiver.url(), json!({}))]).await;
    for round in 0..15_u64 {
        // Another one each time, as after a restart; on PostgreSQL its turn comes when the last one's has passed.
        let telling = Telling::of(&told_otherwise(&rig, |_| {}));
        let texts: Vec<String> = (0..8).map(|number| format!("{}", round * 8 + number)).collect();
        let events: Vec<(&str, &str)> = texts.iter().map(|text| ("machine/n1", text.as_str())).collect();
        happen(&rig, &events).await;
        tokio::time::sleep(Duration::from_millis(17 * round)).await;
        telling.kill();
        rig.advance(60);
    }
    let telling = Telling::of(&rig.webhooks);
    until(&rig.webhooks, DeliveryState::Delivered, 120).await;
    telling.stop().await;
    let mut firsts = Vec::new();
    for request in receiver.requests() {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let number: u64 = body["data"]["message"].as_str().unwrap().parse().unwrap();
        if !firsts.contains(&number) {
            firsts.push(number);
        }
    }
    assert_eq!(firsts, (0..120).collect::<Vec<_>>(), "each at least once, and in order");
}

async fn what_fails_is_tried_again_and_given_up_after_a_day(rig: Rig) {
    let receiver = Receiver::start(|_| Answer::status(500).saying("out of order")).await;
    rig.apply(&[hook(&receiver.url(), json!({}))]).await;
    // Without its rest for a receiver that always fails: that is by the machine's own clock.
    let telling = Telling::of(&rig.webhooks);
    happen(&rig, &[("machine/n1", "a")]).await;
    let first = tried(&rig, 1).await;
    let attempt = &first.attempts[0];
    assert_eq!((attempt.status, attempt.answer.as_str()), (Some(500), "out of order"));
    let wait = first.due.unwrap().since(rig.journal.now());
    assert!(wait >= Duration::from_millis(3750) && wait <= Duration::from_millis(6250), "{wait:?}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(receiver.requests().len(), 1, "it is not due");
    rig.advance(7);
    assert_eq!(tried(&rig, 2).await.state, DeliveryState::Pending);
    rig.advance(2 * 86_400);
    let dead = until(&rig.webhooks, DeliveryState::Dead, 1).await.remove(0);
    assert_eq!((dead.tries, dead.attempts.len()), (3, 3));
    assert!(rig.kinds().await.contains(&"webhook.dead".to_owned()));
    assert_eq!(rig.webhooks.state().tries.iter().map(|(_, count)| *count).sum::<u64>(), 3);
    // Mended: replayed, it is delivered under the same id.
    receiver.answer(|_| Answer::status(200));
    assert_eq!(rig.webhooks.replay_all("hook", DeliveryState::Dead, None, &operator()).await.unwrap(), 1);
    let delivered = until(&rig.webhooks, DeliveryState::Delivered, 1).await.remove(0);
    assert_eq!((delivered.id, delivered.tries, delivered.attempts.len()), (dead.id, 1, 4));
    let ids: Vec<Option<String>> =
        receiver.requests().iter().map(|request| request.header("webhook-id").map(str::to_owned)).collect();
    assert!(ids.iter().all(|id| *id == Some(dead.id.to_string())), "{ids:?}");
    assert_eq!(rig.audited("webhook/hook").await, 2, "declared, replayed");
    telling.stop().await;
}

async fn a_receiver_is_not_asked_before_it_said(rig: Rig) {
    let receiver = Receiver::start(|_| Answer::status(429).with("retry-after", "600")).await;
    rig.apply(&[hook(&receiver.url(), json!({}))]).await;
    let telling = Telling::of(&rig.webhooks);
    happen(&rig, &[("machine/n1", "a")]).await;
    let first = tried(&rig, 1).await;
    assert_eq!(first.due.unwrap().since(rig.journal.now()), Duration::from_secs(600));
    // Nor is it told of anything else.
    happen(&rig, &[("machine/n2", "b")]).await;
    until(&rig.webhooks, DeliveryState::Pending, 2).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(receiver.requests().len(), 1);
    telling.stop().await;
}

async fn a_receiver_that_wants_no_more_is_left_alone(rig: Rig) {
    let receiver = Receiver::start(|_| Answer::status(410)).await;
    rig.apply(&[hook(&receiver.url(), json!({}))]).await;
    let telling = Telling::of(&rig.webhooks);
    // Several at once, and one event that tells of it.
    happen(&rig, &[("machine/n1", "a"), ("machine/n2", "b"), ("machine/n3", "c")]).await;
    let paused = async {
        while rig.webhooks.status("hook").await.unwrap().paused.is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), paused).await.expect("a pause in time");
    happen(&rig, &[("machine/n1", "d"), ("machine/n4", "e")]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(receiver.requests().len() <= 3, "nothing that happens then is sent");
    let status = rig.webhooks.status("hook").await.unwrap();
    assert!(status.paused.unwrap().contains("410"));
    assert_eq!(rig.kinds().await.iter().filter(|kind| *kind == "webhook.paused").count(), 1);
    receiver.answer(|_| Answer::status(200));
    rig.webhooks.resume("hook", &operator()).await.unwrap();
    // What it refused comes first, then what happened meanwhile.
    until(&rig.webhooks, DeliveryState::Delivered, 5).await;
    assert_eq!(rig.webhooks.status("hook").await.unwrap().paused, None);
    telling.stop().await;
}

async fn a_paused_webhook_keeps_its_place(rig: Rig) {
    let receiver = Receiver::start(|_| Answer::status(200)).await;
    rig.apply(&[hook(&receiver.url(), json!({"paused": true}))]).await;
    let telling = Telling::of(&rig.webhooks);
    happen(&rig, &[("machine/n1", "a"), ("machine/n1", "b")]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(receiver.requests().is_empty());
    rig.apply(&[hook(&receiver.url(), json!({}))]).await;
    until(&rig.webhooks, DeliveryState::Delivered, 2).await;
    // Deleted, it is forgotten; declared again, it begins anew.
    rig.changes.delete(pilotlight_types::resource::Kind::Webhook, "hook", None, &operator()).await.unwrap();
    happen(&rig, &[("machine/n1", "c")]).await;
    rig.apply(&[hook(&receiver.url(), json!({}))]).await;
    happen(&rig, &[("machine/n1", "d")]).await;
    until(&rig.webhooks, DeliveryState::Delivered, 1).await;
    assert_eq!(receiver.requests().len(), 3);
    telling.stop().await;
}

async fn several_daemons_take_turns(rig: Rig) {
    let receiver = Receiver::start(|_| Answer::status(200).after(Duration::from_millis(2))).await;
    rig.apply(&[hook(&receiver.url(), json!({}))]).await;
    let (one, other) = (told_otherwise(&rig, |_| {}), told_otherwise(&rig, |_| {}));
    let (first, second) = (Telling::of(&one), Telling::of(&other));
    for number in 0..40 {
        happen(&rig, &[("machine/n1", &number.to_string())]).await;
    }
    until(&rig.webhooks, DeliveryState::Delivered, 40).await;
    assert_eq!(receiver.requests().len(), 40, "each once");
    // The one that ends leaves it to the other at once.
    first.stop().await;
    happen(&rig, &[("machine/n1", "x"), ("machine/n1", "y")]).await;
    until(&rig.webhooks, DeliveryState::Delivered, 42).await;
    second.stop().await;
}

async fn what_is_old_goes(rig: Rig) {
    let receiver = Receiver::start(|_| Answer::status(200)).await;
    rig.apply(&[hook(&receiver.url(), json!({}))]).await;
    let telling = Telling::of(&rig.webhooks);
    for number in 0..10 {
        happen(&rig, &[("machine/n1", &number.to_string())]).await;
    }
    until(&rig.webhooks, DeliveryState::Delivered, 10).await;
    telling.stop().await;
    let few = told_otherwise(&rig, |settings| settings.keep_count = 3);
    let telling = Telling::of(&few);
    let left = until(&few, DeliveryState::Delivered, 3).await;
    let newest = rig.events().await.last().map(|event| event.seq).unwrap();
    assert!(left.iter().all(|one| one.seq > newest - 5), "the newest stay: {left:?}");
    telling.stop().await;
    rig.advance(15 * 86_400);
    let telling = Telling::of(&rig.webhooks);
    until(&rig.webhooks, DeliveryState::Delivered, 0).await;
    telling.stop().await;
}

on_both!(
    what_happens_is_told_signed_and_in_order,
    only_what_is_wanted_is_told,
    a_kill_at_any_moment_loses_nothing,
    what_fails_is_tried_again_and_given_up_after_a_day,
    a_receiver_is_not_asked_before_it_said,
    a_receiver_that_wants_no_more_is_left_alone,
    a_paused_webhook_keeps_its_place,
    what_is_old_goes,
);

#[tokio::test]
async fn several_daemons_on_one_database_take_turns() {
    several_daemons_take_turns(Rig::new(Engine::Postgres).await).await;
}

/// A try of a webhook as it is declared, and what came of it.
async fn test_of(rig: &Rig, document: Value) -> Attempt {
    rig.apply(&[document]).await;
    rig.webhooks.test("hook", &operator()).await.unwrap()
}

#[tokio::test]
async fn what_a_receiver_does_is_borne_and_told() {
    let rig = Rig::new(Engine::Sqlite).await;
    for (answer, status, words) in [
        (
            Answer::status(302).with("location", "http://127.0.0.1:1/"),
            Some(302),
            "redirects are not followed",
        ),
        (Answer::status(404), Some(404), "nothing at `url`"),
        (Answer::Silence, None, "did not answer in time"),
        (Answer::Close, None, "connection closed"),
        (Answer::Garbage, None, "invalid HTTP"),
    ] {
        let receiver = Receiver::start(move |_| answer.clone()).await;
        let attempt = test_of(&rig, hook(&receiver.url(), json!({}))).await;
        let error = attempt.error.unwrap_or_default();
        assert_eq!(attempt.status, status, "{error}");
        assert!(error.contains(words), "{words}: {error}");
        assert!(attempt.millis < 3000);
    }
    // The status counts, whatever comes after it.
    let receiver = Receiver::start(|_| Answer::Endless).await;
    let attempt = test_of(&rig, hook(&receiver.url(), json!({}))).await;
    assert_eq!((attempt.status, attempt.error), (Some(200), None));
    assert_eq!(attempt.answer.len(), 1024);
    let nobody = test_of(&rig, hook("http://127.0.0.1:1/", json!({}))).await;
    assert!(nobody.error.unwrap().contains("refused"));
}

#[tokio::test]
async fn a_slow_receiver_keeps_nobody_waiting_but_itself() {
    let rig = Rig::new(Engine::Sqlite).await;
    let (slow, quick) =
        (Receiver::start(|_| Answer::Silence).await, Receiver::start(|_| Answer::status(200)).await);
    let other = json!({"kind": "Webhook", "name": "slow", "spec": {"url": slow.url(), "events": ["*"], "timeout": "20s"}});
    rig.apply(&[hook(&quick.url(), json!({})), other]).await;
    let telling = Telling::of(&rig.webhooks);
    let begun = std::time::Instant::now();
    for number in 0..30 {
        happen(&rig, &[(&format!("machine/n{number}"), "x")]).await;
    }
    until(&rig.webhooks, DeliveryState::Delivered, 30).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(slow.connections(), 4, "so many at once");
    telling.kill();
}

#[tokio::test]
async fn a_certificate_must_be_good() {
    let rig = Rig::new(Engine::Sqlite).await;
    let receiver = Receiver::start_tls(|_| Answer::status(200)).await;
    let untrusted = test_of(&rig, hook(&receiver.url(), json!({}))).await;
    assert!(untrusted.error.as_deref().unwrap().contains("certificate"), "{untrusted:?}");
    assert!(receiver.requests().is_empty());
    let trusted = test_of(&rig, hook(&receiver.url(), json!({"ca": receiver.ca()}))).await;
    assert_eq!((trusted.status, trusted.error), (Some(200), None));
    let in_file = secret(&rig, "ca", receiver.ca());
    assert_eq!(test_of(&rig, hook(&receiver.url(), json!({"ca": in_file}))).await.status, Some(200));
    let other_name = receiver.url().replace("127.0.0.1", "localhost");
    let misnamed = test_of(&rig, hook(&other_name, json!({"ca": receiver.ca()}))).await;
    assert!(misnamed.error.unwrap_or_default().contains("certificate"), "it is for the address only");
}

#[tokio::test]
async fn nothing_is_sent_to_where_the_daemon_is_trusted() {
    let rig = Rig::new(Engine::Sqlite).await;
    let receiver = Receiver::start(|_| Answer::status(200)).await;
    let port = receiver.url().rsplit_once(':').unwrap().1.trim_end_matches('/').to_owned();
    let careful = told_otherwise(&rig, |settings| settings.reach = Reach::default());
    for host in ["127.0.0.1", "localhost", "2130706433", "127.1", "0.0.0.0", "[::ffff:127.0.0.1]"] {
        rig.apply(&[hook(&format!("http://{host}:{port}/"), json!({}))]).await;
        let attempt = careful.test("hook", &operator()).await.unwrap();
        assert!(attempt.error.as_deref().unwrap().contains("webhooks.allow"), "{host}: {attempt:?}");
    }
    assert_eq!(receiver.connections(), 0, "not even a connection is made");
    let open = told_otherwise(&rig, |settings| {
        settings.reach = Reach { networks: Vec::new(), hosts: vec!["localhost".into()] };
    });
    rig.apply(&[hook(&format!("http://localhost:{port}/"), json!({}))]).await;
    assert_eq!(open.test("hook", &operator()).await.unwrap().status, Some(200));
}

#[tokio::test]
async fn a_secret_is_in_no_answer_and_no_row() {
    let rig = Rig::new(Engine::Sqlite).await;
    // It repeats all that it was sent.
    let receiver = Receiver::start_tls(|request| Answer::status(500).saying(&request.text)).await;
    let token = secret(&rig, "token", "Bearer hunter2-hunter2");
    let url = secret(&rig, "url", &format!("{}path?token=url-hunter2", receiver.url()));
    let key = secret(&rig, "key", KEY);
    let change = json!({"url": url, "headers": {"authorization": token, "x-plain": "seen"}, "secret": key, "ca": receiver.ca()});
    rig.apply(&[hook("", change)]).await;
    let telling = Telling::of(&rig.webhooks);
    happen(&rig, &[("machine/n1", "a")]).await;
    let answer = tried(&rig, 1).await.attempts.remove(0).answer;
    assert!(answer.contains("x-plain: seen") && answer.contains("authorization: <secret>"), "{answer}");
    let request = receiver.requests().remove(0);
    assert_eq!(request.header("authorization"), Some("Bearer hunter2-hunter2"));
    assert!(request.text.starts_with("POST /path?token=url-hunter2 HTTP/1.1"));
    request.verify(KEY);
    telling.stop().await;
    rig.written().await;
    let files = std::fs::read_dir(rig.folder.path()).unwrap().flatten().map(|entry| entry.path());
    for file in files.filter(|path| path.is_file() && path.to_string_lossy().contains("pilotlight.db")) {
        let bytes = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        for word in ["hunter2-hunter2", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkw"] {
            assert!(!bytes.contains(word), "{word} is in {}", file.display());
        }
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_is_said_and_nothing_is_sent() {
    let rig = Rig::new(Engine::Sqlite).await;
    let receiver = Receiver::start(|_| Answer::status(200)).await;
    let folder = rig.folder.path().join("secrets");
    let missing = json!({"secret": {"file": folder.join("none")}});
    let attempt = test_of(&rig, hook(&receiver.url(), missing)).await;
    assert!(attempt.error.unwrap().contains("there is no file"));
    let elsewhere = test_of(&rig, hook(&receiver.url(), json!({"secret": {"file": "/etc/passwd"}}))).await;
    assert!(elsewhere.error.unwrap().contains("secrets.files"));
    let no_key = secret(&rig, "no-key", "hunter2");
    let error = test_of(&rig, hook(&receiver.url(), json!({"secret": no_key}))).await.error.unwrap();
    assert!(error.contains("no signing key") && !error.contains("hunter2"), "{error}");
    assert!(receiver.requests().is_empty());
}

#[tokio::test]
async fn while_keys_are_rotated_either_is_good() {
    let rig = Rig::new(Engine::Sqlite).await;
    let receiver = Receiver::start(|_| Answer::status(200)).await;
    let old = KEY.replace("MDEy", "OTk5");
    let (new_place, old_place) = (secret(&rig, "new", KEY), secret(&rig, "old", &old));
    test_of(&rig, hook(&receiver.url(), json!({"secret": [new_place, old_place]}))).await;
    let request = receiver.requests().remove(0);
    request.verify(KEY);
    request.verify(&old);
}

#[tokio::test]
async fn the_api_shows_replays_and_refuses() {
    let rig = Rig::new(Engine::Sqlite).await;
    let receiver = Receiver::start(|_| Answer::status(200)).await;
    let router = secure(&rig);
    let viewer = http::token(&rig, "viewer", Role::Viewer).await;
    let editor = http::token(&rig, "editor", Role::Editor).await;
    let admin = http::token(&rig, "admin", Role::Admin).await;
    let document = hook(&receiver.url(), json!({}));
    let spec = json!({"spec": document["spec"]}).to_string();
    let (status, _) = asked(&router, "PUT", "/api/v1/webhooks/hook", &editor, &spec).await;
    assert_eq!(status, 403);
    let many = json!([document]).to_string();
    let (status, problem) = asked(&router, "POST", "/api/v1/apply", &editor, &many).await;
    assert_eq!((status, problem["code"].as_str()), (403, Some("forbidden")), "{problem}");
    let (status, _) = asked(&router, "POST", "/api/v1/apply?dry-run=true", &editor, &many).await;
    assert_eq!(status, 403, "what would be refused");
    let (status, _) = asked(&router, "POST", "/api/v1/apply", &admin, &many).await;
    assert_eq!(status, 200);
    // As it is already, anybody may apply it who may apply the rest.
    let (status, _) = asked(&router, "POST", "/api/v1/apply", &editor, &many).await;
    assert_eq!(status, 200);
    let telling = Telling::of(&rig.webhooks);
    happen(&rig, &[("machine/n1", "a"), ("machine/n1", "b")]).await;
    until(&rig.webhooks, DeliveryState::Delivered, 2).await;
    let base = "/api/v1/webhooks/hook";
    let (status, state) = asked(&router, "GET", &format!("{base}/status"), &viewer, "").await;
    assert_eq!((status, &state["delivered"]), (200, &json!(2)));
    let (status, _) = asked(&router, "GET", &format!("{base}/deliveries"), &viewer, "").await;
    assert_eq!(status, 403);
    let (_, page) = asked(&router, "GET", &format!("{base}/deliveries?limit=1"), &admin, "").await;
    let (items, next) = (page["items"].as_array().unwrap(), page["next"].as_str().unwrap());
    assert_eq!(items.len(), 1);
    let (_, rest) = asked(&router, "GET", &format!("{base}/deliveries?cursor={next}"), &admin, "").await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    let id = items[0]["id"].as_str().unwrap();
    let (status, one) = asked(&router, "GET", &format!("{base}/deliveries/{id}"), &admin, "").await;
    assert_eq!((status, &one), (200, &items[0]));
    let (status, done) = asked(&router, "POST", &format!("{base}/deliveries/{id}/replay"), &admin, "").await;
    assert_eq!((status, &done["replayed"]), (200, &json!(1)));
    let (_, none) = asked(&router, "POST", &format!("{base}/replay"), &admin, "").await;
    assert_eq!(none["replayed"], 0, "none is dead");
    let (status, test) = asked(&router, "POST", &format!("{base}/test"), &admin, "").await;
    assert_eq!((status, &test["status"]), (200, &json!(200)));
    let (status, _) = asked(&router, "POST", &format!("{base}/resume"), &admin, "").await;
    assert_eq!(status, 204);
    for (path, wanted) in [
        ("/api/v1/webhooks/none/status", 404),
        ("/api/v1/webhooks/hook/deliveries/x", 404),
        ("/api/v1/webhooks/hook/deliveries?state=lost", 400),
        ("/api/v1/webhooks/hook/deliveries?limit=x", 400),
    ] {
        assert_eq!(asked(&router, "GET", path, &admin, "").await.0, wanted, "{path}");
    }
    telling.stop().await;
}

/// Two webhooks that fail and tell of each other: it ends.
#[tokio::test]
async fn news_of_webhooks_does_not_go_round() {
    let rig = Rig::new(Engine::Sqlite).await;
    let receiver = Receiver::start(|_| Answer::status(500)).await;
    let pair = ["one", "other"].map(|name| {
        json!({"kind": "Webhook", "name": name, "spec": {"url": receiver.url(), "events": ["story.*", "webhook.*"]}})
    });
    rig.apply(&pair).await;
    let hasty = told_otherwise(&rig, |settings| settings.manner.give_up = Duration::ZERO);
    let telling = Telling::of(&hasty);
    happen(&rig, &[("machine/n1", "a")]).await;
    let quiet = async {
        let mut last = (0, std::time::Instant::now());
        loop {
            let now = rig.events().await.iter().filter(|event| event.kind == "webhook.dead").count();
            if now != last.0 {
                last = (now, std::time::Instant::now());
            } else if now > 0 && last.1.elapsed() > Duration::from_secs(3) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let dead = tokio::time::timeout(Duration::from_secs(20), quiet).await.expect("an end");
    assert_eq!(dead, 2, "each told once, of the story");
    telling.stop().await;
}

#[tokio::test]
async fn nobody_else_may_change_a_webhook_by_pruning() {
    let rig = Rig::new(Engine::Sqlite).await;
    let options = |prune| pilotlight::service::changes::Options {
        source: Some("site".parse().unwrap()),
        prune,
        ..Default::default()
    };
    let document = hook("https://hooks.example/", json!({}));
    rig.changes.apply_with(&[document], &options(false), &operator()).await.unwrap();
    let rights = rig.access.rights(&Role::Editor, Default::default());
    let editor = Actor { rights, ..Actor::named("ed") };
    let refused = rig.changes.apply_with(&[], &options(true), &editor).await.unwrap_err();
    assert!(refused.to_string().contains("the role editor may not `delete` Webhook"), "{refused}");
    assert!(rig.changes.apply_with(&[], &options(true), &operator()).await.is_ok());
}

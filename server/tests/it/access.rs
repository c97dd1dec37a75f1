//! API tokens: made once, kept as hashes, over when they say so.
use crate::rig::{Rig, on_both, operator};
use pilotlight::service::access::TokenError;
use pilotlight_types::api::{NewToken, Role};
use std::time::Duration;

on_both!(
    a_token_speaks_for_its_bearer_after_a_restart_too,
    a_token_ends_when_it_said,
    a_name_is_given_once_and_is_plain,
    of_many_at_once_one_gets_the_name,
);

fn new(name: &str) -> NewToken {
    NewToken { name: name.into(), role: Role::Viewer, expires: None }
}

async fn a_token_speaks_for_its_bearer_after_a_restart_too(rig: Rig) {
    assert!(rig.access.is_empty());
    let token = rig.access.create(new("grafana"), &operator()).await.unwrap();
    assert_eq!(rig.audited("token/grafana").await, 1);
    let rig = rig.restarted().await;
    assert!(!rig.access.is_empty());
    let bearer = rig.access.bearer(token.expose()).unwrap();
    assert_eq!((bearer.name.as_str(), bearer.role), ("grafana", Role::Viewer));
    assert_eq!(rig.access.bearer("another"), None);
    let rows = rig.db.read().await.unwrap().tokens().await.unwrap();
    assert!(!format!("{rows:?} {:?}", rig.access).contains(token.expose()), "only its hash is kept");
    assert!(!rig.events().await.iter().any(|event| format!("{event:?}").contains(token.expose())));
}

async fn a_token_ends_when_it_said(rig: Rig) {
    let expires = Some(rig.journal.now().plus(Duration::from_secs(60)));
    let token = rig.access.create(NewToken { expires, ..new("short") }, &operator()).await.unwrap();
    rig.advance(59);
    assert!(rig.access.bearer(token.expose()).is_some());
    rig.advance(1);
    assert!(rig.access.bearer(token.expose()).is_none());
    let late = rig.access.create(NewToken { expires, ..new("late") }, &operator()).await.unwrap_err();
    assert!(matches!(late, TokenError::Expired(_)), "{late}");
}

async fn a_name_is_given_once_and_is_plain(rig: Rig) {
    rig.access.create(new("ci@dc1.example_1-2"), &operator()).await.unwrap();
    let again = rig.access.create(new("ci@dc1.example_1-2"), &operator()).await.unwrap_err();
    assert!(matches!(again, TokenError::Exists(_)), "{again}");
    for bad in ["", "a b", "a\nb", "<b>", &"x".repeat(64)] {
        let refused = rig.access.create(new(bad), &operator()).await.unwrap_err();
        assert!(matches!(refused, TokenError::Name), "{bad:?}: {refused}");
    }
}

async fn of_many_at_once_one_gets_the_name(rig: Rig) {
    let actor = operator();
    let all = futures_util::future::join_all((0..5).map(|_| rig.access.create(new("ci"), &actor))).await;
    assert_eq!(all.iter().filter(|made| made.is_ok()).count(), 1);
    assert_eq!(rig.kinds().await.iter().filter(|kind| *kind == "token.created").count(), 1);
}

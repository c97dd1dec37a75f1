//! API tokens: made once, kept as hashes, over when they say so.
use crate::rig::{Rig, on_both, operator};
use pilotlight::service::access::TokenError;
use pilotlight_types::api::{self, NewToken, Role};
use std::time::Duration;

on_both!(
    a_token_speaks_for_its_bearer_after_a_restart_too,
    a_token_ends_when_it_said,
    a_name_is_given_once_and_is_plain,
    of_many_at_once_one_gets_the_name,
    a_token_that_is_revoked_is_over_at_once,
    the_last_admin_is_not_locked_out,
    tokens_are_listed_with_their_last_use_and_without_their_secret,
);

fn new(name: &str) -> NewToken {
    NewToken { name: name.into(), role: Role::Viewer, expires: None, scope: api::Scope::default() }
}

async fn a_token_speaks_for_its_bearer_after_a_restart_too(rig: Rig) {
    assert!(rig.access.is_empty());
    let token = rig.access.create(new("grafana"), &operator()).await.unwrap();
    assert_eq!(rig.audited("token/grafana").await, 1);
    let rig = rig.restarted().await;
    assert!(!rig.access.is_empty());
    let bearer = rig.access.bearer(token.expose()).unwrap();
    assert_eq!((bearer.name.as_str(), bearer.rights.role()), ("grafana", &Role::Viewer));
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

fn admin(name: &str) -> NewToken {
    NewToken { role: Role::Admin, ..new(name) }
}

async fn a_token_that_is_revoked_is_over_at_once(rig: Rig) {
    let token = rig.access.create(new("laptop"), &operator()).await.unwrap();
    rig.access.revoke("laptop", &operator()).await.unwrap();
    assert_eq!(rig.access.bearer(token.expose()), None);
    let again = rig.access.revoke("laptop", &operator()).await.unwrap_err();
    assert!(matches!(again, TokenError::NotFound(_)), "{again}");
    assert_eq!(rig.audited("token/laptop").await, 2);
    let rig = rig.restarted().await;
    assert_eq!(rig.access.bearer(token.expose()), None, "nor does it come back");
    rig.access.create(new("laptop"), &operator()).await.expect("the name is free");
}

async fn the_last_admin_is_not_locked_out(rig: Rig) {
    rig.access.create(admin("first"), &operator()).await.unwrap();
    let expires = Some(rig.journal.now().plus(Duration::from_secs(60)));
    rig.access.create(NewToken { expires, ..admin("short") }, &operator()).await.unwrap();
    let refused = rig.access.revoke("first", &operator()).await.unwrap_err();
    assert!(matches!(refused, TokenError::Last(_)), "{refused}");
    rig.access.create(admin("second"), &operator()).await.unwrap();
    let actor = operator();
    let both = [rig.access.revoke("first", &actor), rig.access.revoke("second", &actor)];
    let revoked = futures_util::future::join_all(both).await;
    assert_eq!(
        revoked.iter().filter(|done| done.is_ok()).count(),
        1,
        "not both, not even at once: {revoked:?}"
    );
}

async fn tokens_are_listed_with_their_last_use_and_without_their_secret(rig: Rig) {
    let token = rig.access.create(new("grafana"), &operator()).await.unwrap();
    rig.access.create(new("ci"), &operator()).await.unwrap();
    let (made, used) = (rig.journal.now(), || rig.access.list()[1].used);
    assert_eq!(used(), None);
    rig.advance(30);
    rig.access.bearer(token.expose()).unwrap();
    let first = Some(made.plus(Duration::from_secs(30)));
    assert_eq!(used(), first);
    rig.advance(59);
    rig.access.bearer(token.expose()).unwrap();
    assert_eq!(used(), first, "to the minute");
    rig.written().await;
    let rig = rig.restarted().await;
    let listed = rig.access.list();
    assert_eq!(listed.iter().map(|token| token.name.as_str()).collect::<Vec<_>>(), ["ci", "grafana"]);
    assert_eq!(listed[1].used, first);
    assert!(!format!("{listed:?}").contains(token.expose()));
}

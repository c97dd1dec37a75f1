//! What happens at the same moment: somebody signs in, and somebody else changes what they may do.
use super::{PASSWORD, user};
use crate::rig::{Rig, on_both, operator};
use pilotlight_types::api::{Role, Scope, UserChange};

const ANOTHER: &str = "another long sentence of hers";

on_both!(
    who_signs_in_while_their_role_is_taken_has_the_new_one_after_a_restart,
    a_password_that_was_looked_at_before_it_was_changed_opens_nothing,
    rights_that_were_looked_at_before_they_were_taken_are_not_given,
);

fn viewer(disabled: bool) -> UserChange {
    UserChange { role: Role::Viewer, scope: Scope::default(), disabled }
}

async fn who_signs_in_while_their_role_is_taken_has_the_new_one_after_a_restart(rig: Rig) {
    user(&rig, "alice", Role::Admin).await;
    let person = rig.callers.password("alice", PASSWORD.into(), &operator()).await.unwrap();
    let who = operator();
    // The change is on its way into the database when it is noted that she signed in.
    let (changed, _) =
        tokio::join!(rig.callers.change("alice", viewer(true), &who), rig.callers.issue(person, &who));
    changed.unwrap();
    rig.written().await;
    let now = rig.journal.now();
    let rig = rig.restarted().await;
    let alice = rig.callers.users.list().remove(0);
    assert_eq!((alice.role, alice.disabled, alice.signed_in), (Role::Viewer, true, Some(now)));
}

async fn a_password_that_was_looked_at_before_it_was_changed_opens_nothing(rig: Rig) {
    user(&rig, "alice", Role::Operator).await;
    let person = rig.callers.password("alice", PASSWORD.into(), &operator()).await.unwrap();
    rig.callers.reset("alice", ANOTHER.into(), &operator()).await.unwrap();
    let token = rig.callers.issue(person.clone(), &operator()).await.unwrap();
    assert!(rig.callers.by_token(&token.access_token).is_none());
    let (cookie, _) = rig.callers.sign_in(person, &operator()).await.unwrap();
    assert!(rig.callers.by_cookie(cookie.expose()).is_none());
    let person = rig.callers.password("alice", ANOTHER.into(), &operator()).await.unwrap();
    let (cookie, _) = rig.callers.sign_in(person, &operator()).await.unwrap();
    assert!(rig.callers.by_cookie(cookie.expose()).is_some(), "the new one does");
}

async fn rights_that_were_looked_at_before_they_were_taken_are_not_given(rig: Rig) {
    user(&rig, "alice", Role::Admin).await;
    let person = rig.callers.password("alice", PASSWORD.into(), &operator()).await.unwrap();
    rig.callers.change("alice", viewer(false), &operator()).await.unwrap();
    let token = rig.callers.issue(person, &operator()).await.unwrap();
    assert!(rig.callers.by_token(&token.access_token).is_none());
}

//! Agents speak for their machine's newest boot, and for no other.
use crate::rig::{MAC1, Rig, on_both};
use pilotlight::service::agents::ReportError;
use pilotlight_types::{api::Outcome, facts::Facts};

on_both!(
    facts_make_the_machine_active_and_may_come_twice,
    the_agent_of_an_older_boot_is_told_that_it_is_over
);

const FROM: [u8; 4] = [10, 77, 0, 100];

fn facts() -> Facts {
    Facts { version: Facts::VERSION, ..Facts::default() }
}

async fn facts_make_the_machine_active_and_may_come_twice(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    let token = rig.configs.agent_token(boot).unwrap().expose().clone();
    for _ in 0..2 {
        rig.agents.facts(boot, &token, facts()).await.unwrap();
        assert_eq!(rig.stage("n1"), "active");
    }
    assert_eq!(rig.boot(boot).outcome, Some(Outcome::Active));
    let rig = rig.restarted().await;
    assert_eq!(rig.stage("n1"), "active", "what was acknowledged is still so");
    assert!(rig.agents.heartbeat(boot, &token).await.is_ok());
}

async fn the_agent_of_an_older_boot_is_told_that_it_is_over(rig: Rig) {
    let rig = rig.with_documents().await;
    let (older, _) = rig.script(MAC1, FROM).await;
    let token = rig.configs.agent_token(older).unwrap().expose().clone();
    rig.agents.facts(older, &token, facts()).await.unwrap();
    let (newer, _) = rig.script(MAC1, FROM).await;
    assert_ne!(older, newer, "a machine that comes back is in another boot");
    assert!(matches!(rig.agents.heartbeat(older, &token).await, Err(ReportError::Gone(_))));
    assert!(matches!(rig.agents.heartbeat(newer, &token).await, Err(ReportError::Unauthorized)));
}

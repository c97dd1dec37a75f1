//! Machines that are to boot and do not: where they are on the ladder is durable before anything is done, and is left in time.
use crate::{
    boots::{deadlines, diagnoses, stalls},
    http::power,
    rig::{Rig, machine, on_both, operator},
};
use pilotlight::{
    domain::ladder::{Place, Rules},
    reconcile::Reconcile,
    service::ladder::{Ladder, LadderCounts},
};
use pilotlight_types::{
    api::{LadderAction, PowerAction},
    facts::Facts,
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

on_both!(
    a_step_is_durable_with_what_it_asks_before_anything_is_done,
    no_more_than_so_many_are_begun_at_once,
    who_gets_there_or_is_asked_anew_leaves_the_ladder,
);

const BMC: &str = "52:54:00:00:00:21";

fn with_bmc(name: &str, mac: &str) -> serde_json::Value {
    let mut machine = machine(name, mac);
    let password = json!({"env": "PILOTLIGHT_SECRET_NOTHING"});
    machine["spec"]["bmc"] =
        json!({"type": "redfish", "address": "192.0.2.1", "username": "a", "password": password});
    machine
}

fn ladder(rig: &Rig, steps: &[LadderAction], at_once: usize) -> Ladder {
    let bmcs = power(rig).bmcs().clone();
    let rules = Rules { enabled: true, steps: steps.to_vec(), pause: Duration::from_secs(300), at_once };
    let who = (rig.machines.clone(), rig.roster.clone(), rig.boots.clone(), bmcs);
    let why = (deadlines(rig), diagnoses(rig));
    Ladder::new(who, why, rig.journal.clone(), Arc::new(rules), LadderCounts::default())
}

fn place(rig: &Rig, name: &str) -> Option<Place> {
    rig.roster.machine(rig.id(name)).unwrap().ladder.clone()
}

fn wanted(rig: &Rig, name: &str) -> Option<PowerAction> {
    rig.roster.machine(rig.id(name)).unwrap().power.wanted.as_ref().map(|wanted| wanted.action)
}

/// Boots these machines, which then fall silent.
async fn fail(rig: &Rig, macs: &[&str]) {
    for (n, mac) in macs.iter().enumerate() {
        rig.script(mac, [10, 77, 0, 100 + u8::try_from(n).unwrap()]).await;
    }
    rig.advance(600);
    stalls(rig).pass().await.unwrap();
}

async fn a_step_is_durable_with_what_it_asks_before_anything_is_done(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.apply(&[with_bmc("b1", BMC)]).await;
    let steps = [LadderAction::Restart, LadderAction::Cycle];
    assert!(ladder(&rig, &steps, 1).pass().await.unwrap().is_empty());
    assert_eq!(place(&rig, "b1"), None, "nobody switched it on");
    fail(&rig, &[BMC]).await;
    ladder(&rig, &steps, 1).pass().await.unwrap();
    let there = place(&rig, "b1").expect("it is on the ladder");
    assert_eq!((there.next, there.tried[0].step), (1, LadderAction::Restart));
    assert_eq!(there.tried[0].for_what, "no-kernel");
    // Its BMC does not say whether it is on.
    assert_eq!(wanted(&rig, "b1"), Some(PowerAction::Cycle));
    let kinds = rig.kinds().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "machine.ladder").count(), 1, "{kinds:?}");
    // A daemon that is killed now goes on from there.
    let rig = rig.restarted().await;
    assert_eq!(place(&rig, "b1"), Some(there.clone()));
    assert_eq!(wanted(&rig, "b1"), Some(PowerAction::Cycle));
    rig.advance(3600);
    ladder(&rig, &steps, 1).pass().await.unwrap();
    assert_eq!(place(&rig, "b1"), Some(there), "what was asked is not done yet");
    let shown = rig.views.machine("b1").unwrap();
    assert_eq!(shown.ladder.unwrap().tried.len(), 1);
    assert_eq!(shown.diagnosis.unwrap().code, "no-kernel");
}

async fn no_more_than_so_many_are_begun_at_once(rig: Rig) {
    let rig = rig.with_documents().await;
    let macs = ["52:54:00:00:00:21", "52:54:00:00:00:22", "52:54:00:00:00:23"];
    let names = ["b1", "b2", "b3"];
    for (name, mac) in names.iter().zip(macs) {
        rig.apply(&[with_bmc(name, mac)]).await;
    }
    fail(&rig, &macs).await;
    let begun = |rig: &Rig| names.iter().filter(|name| place(rig, name).is_some()).count();
    let ladder = ladder(&rig, &[LadderAction::Cycle], 2);
    ladder.pass().await.unwrap();
    ladder.pass().await.unwrap();
    assert_eq!(begun(&rig), 2);
    rig.advance(299);
    ladder.pass().await.unwrap();
    assert_eq!(begun(&rig), 2);
    rig.advance(1);
    ladder.pass().await.unwrap();
    assert_eq!(begun(&rig), 3);
}

async fn who_gets_there_or_is_asked_anew_leaves_the_ladder(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.apply(&[with_bmc("b1", BMC)]).await;
    fail(&rig, &[BMC]).await;
    // Nothing is left to try from the beginning: it is held, and says why.
    ladder(&rig, &[], 1).pass().await.unwrap();
    let shown = rig.views.machine("b1").unwrap();
    let hold = shown.hold.expect("a hold");
    assert!(hold.by == "pilotlight" && hold.reason.contains("no-kernel: it got its script"), "{hold:?}");
    assert!(shown.ladder.unwrap().ended.is_some());
    rig.machines.hold("b1", None, &operator()).await.unwrap();
    assert_eq!(place(&rig, "b1"), None);
    ladder(&rig, &[LadderAction::Cycle], 1).pass().await.unwrap();
    assert_eq!(place(&rig, "b1").map(|place| place.next), Some(1));
    rig.machines.provision("b1", &operator()).await.unwrap();
    assert_eq!(place(&rig, "b1"), None);
    fail(&rig, &[BMC]).await;
    // Whatever is asked of its power is done.
    rig.machines
        .switch("b1", serde_json::from_value(json!({"action": "off"})).unwrap(), &operator())
        .await
        .unwrap();
    ladder(&rig, &[LadderAction::Cycle], 1).pass().await.unwrap();
    assert_eq!(place(&rig, "b1"), None, "an operator is at it");
    let (boot, _) = rig.script(BMC, [10, 77, 0, 100]).await;
    let token = rig.configs.agent_token(boot).unwrap();
    let facts: Facts = serde_json::from_value(json!({"version": 1, "agent": "test"})).unwrap();
    rig.agents.facts(boot, token.expose(), facts).await.unwrap();
    assert_eq!((rig.stage("b1"), place(&rig, "b1")), ("active", None));
}

//! What happens to machines, and that two things that happen at once both count.
use crate::rig::{MAC1, Rig, mac, machine, on_both, operator, seen_as};
use futures_util::future::join_all;
use pilotlight::{
    domain::stage::Event,
    service::{
        journal::Actor,
        machines::{MOST_DISCOVERED, MachineError},
    },
};
use pilotlight_types::Mac;
use serde_json::json;
use uuid::Uuid;

on_both!(
    changes_at_the_same_moment_all_count,
    two_packets_of_one_machine_make_one_machine,
    a_machine_is_found_by_its_uuid_too,
    a_name_that_is_taken_gets_a_number,
    an_accepted_machine_is_armed_for_what_its_group_says,
    a_machine_without_a_group_waits,
    what_the_stage_does_not_allow_is_refused,
    a_hold_says_who_and_why,
    what_nobody_has_is_not_found,
    a_deleted_machine_is_not_changed,
);

async fn changes_at_the_same_moment_all_count(rig: Rig) {
    let rig = rig.with_documents().await;
    let id = rig.id("n1");
    let before = rig.roster.machine(id).unwrap().version;
    let each = (1..=8u64).map(|n| {
        let machines = rig.machines.clone();
        async move {
            let also = move |machine: &mut pilotlight::domain::machine::Machine| {
                let unit = machine.spec.unit.unwrap_or(0) + u16::try_from(n).unwrap();
                machine.spec.unit = Some(unit);
            };
            machines.apply(id, &Event::BootStarted, &Actor::daemon(), also).await
        }
    });
    for result in join_all(each).await {
        result.unwrap();
    }
    let machine = rig.roster.machine(id).unwrap();
    assert_eq!(machine.spec.unit, Some(36), "each was made on top of the others");
    assert_eq!(machine.version, before + 8);
    assert_eq!(rig.restarted().await.roster.machine(id).unwrap().spec.unit, Some(36));
}

async fn two_packets_of_one_machine_make_one_machine(rig: Rig) {
    let rig = rig.with_documents().await;
    let new = "52:54:00:00:00:09";
    let both = join_all((0..8).map(|_| rig.machines.discover(seen_as(mac(new), None), false))).await;
    let ids: std::collections::HashSet<_> = both.into_iter().map(|machine| machine.unwrap().id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(rig.stage("m-525400000009"), "discovered");
    assert_eq!(rig.kinds().await.iter().filter(|kind| *kind == "machine.discovered").count(), 1);
    let declared = rig.machines.discover(seen_as(mac(MAC1), None), false).await.unwrap();
    assert_eq!(declared.name.as_str(), "n1", "one that is declared is not discovered");
}

async fn a_machine_is_found_by_its_uuid_too(rig: Rig) {
    let uuid = Uuid::from_u128(0x4c4c_4544_0044_4810_8031_c4c0_4f4a_3132);
    let first = rig.machines.discover(seen_as(mac("52:54:00:00:00:07"), Some(uuid)), false).await.unwrap();
    let second = rig.machines.discover(seen_as(mac("52:54:00:00:00:08"), Some(uuid)), false).await.unwrap();
    assert_eq!(first.id, second.id, "another port of the same machine");
    for none in [Uuid::nil(), Uuid::max()] {
        let a = rig.machines.discover(seen_as(mac("52:54:00:00:00:10"), Some(none)), false).await.unwrap();
        let b = rig.machines.discover(seen_as(mac("52:54:00:00:00:11"), Some(none)), false).await.unwrap();
        assert_ne!(a.id, b.id, "a board without a UUID says nothing by it");
    }
}

async fn a_name_that_is_taken_gets_a_number(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.apply(&[machine("m-525400000009", "52:54:00:00:00:33")]).await;
    let seen = rig.machines.discover(seen_as(mac("52:54:00:00:00:09"), None), false).await.unwrap();
    assert_eq!(seen.name.as_str(), "m-525400000009-2");
    let asked = rig.ask("52:54:00:00:00:09", [10, 77, 0, 100]).await;
    assert_eq!(asked.machine.unwrap().id, seen.id);
}

async fn an_accepted_machine_is_armed_for_what_its_group_says(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.apply(&[json!({"kind": "Group", "name": "rest", "spec": {"profile": "worker"}})]).await;
    rig.machines.discover(seen_as(mac("52:54:00:00:00:09"), None), false).await.unwrap();
    let machine = rig.machines.accept("m-525400000009", &operator()).await.unwrap();
    assert_eq!(machine.stage.armed().map(ToString::to_string).as_deref(), Some("worker@1"));
    assert!(rig.audited("machine/m-525400000009").await >= 1);
    // By the subnet's policy.
    rig.machines.discover(seen_as(mac("52:54:00:00:00:10"), None), true).await.unwrap();
    assert_eq!(rig.stage("m-525400000010"), "ready");
    rig.machines.arm_ready(&Actor::daemon()).await.unwrap();
    assert_eq!(rig.stage("m-525400000010"), "provisioning");
    assert_eq!(rig.restarted().await.stage("m-525400000010"), "provisioning");
}

async fn a_machine_without_a_group_waits(rig: Rig) {
    rig.machines.discover(seen_as(mac("52:54:00:00:00:09"), None), false).await.unwrap();
    rig.machines.accept("m-525400000009", &operator()).await.unwrap();
    assert_eq!(rig.stage("m-525400000009"), "ready");
    let refused = rig.machines.provision("m-525400000009", &operator()).await.unwrap_err();
    assert_eq!(refused.to_string(), "no group gives machine m-525400000009 a profile");
}

async fn what_the_stage_does_not_allow_is_refused(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.machines.retire("n1", &operator()).await.unwrap();
    let events = rig.events().await.len();
    let refused = rig.machines.provision("n1", &operator()).await.unwrap_err();
    assert!(matches!(refused, MachineError::Refused(_)), "{refused}");
    assert_eq!(rig.events().await.len(), events + 1, "only the mark: nothing happened");
    rig.machines.accept("n1", &operator()).await.unwrap();
    assert_ne!(rig.stage("n1"), "retired");
}

async fn a_hold_says_who_and_why(rig: Rig) {
    let rig = rig.with_documents().await;
    let held = rig.machines.hold("n1", Some("new disk".into()), &operator()).await.unwrap();
    let hold = held.hold.clone().unwrap();
    assert_eq!((hold.reason.as_str(), hold.by.as_str()), ("new disk", "alice"));
    let (_, script) = rig.script(MAC1, [10, 77, 0, 100]).await;
    assert!(script.contains("n1 waits: new disk"), "{script}");
    rig.machines.hold("n1", None, &operator()).await.unwrap();
    let kinds = rig.kinds().await;
    assert!(kinds.contains(&"machine.held".into()) && kinds.contains(&"machine.released".into()));
    assert!(rig.audited("machine/n1").await >= 3);
}

async fn what_nobody_has_is_not_found(rig: Rig) {
    for result in [
        rig.machines.accept("n9", &operator()).await,
        rig.machines.hold("../n9", Some("x".into()), &operator()).await,
        rig.machines.retire(&"n".repeat(10_000), &operator()).await,
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, MachineError::NotFound(_)) && error.to_string().len() < 200, "{error}");
    }
}

async fn a_deleted_machine_is_not_changed(rig: Rig) {
    let rig = rig.with_documents().await;
    let id = rig.id("n1");
    let kind = pilotlight_types::resource::Kind::Machine;
    let actor = operator();
    let (deleted, changed) = tokio::join!(
        rig.changes.delete(kind, "n1", None, &actor),
        rig.machines.apply(id, &Event::Retire, &actor, |_| {})
    );
    // Whichever came first: in the end it is gone, here and after a restart.
    if deleted.is_err() {
        assert!(changed.is_ok());
        rig.changes.delete(kind, "n1", None, &actor).await.unwrap();
    }
    assert!(matches!(
        rig.machines.apply(id, &Event::Accept, &actor, |_| {}).await,
        Err(MachineError::NotFound(_))
    ));
    assert!(rig.restarted().await.roster.machine(id).is_none());
}

#[tokio::test]
async fn a_flood_of_made_up_machines_ends() {
    for accept in [false, true] {
        let rig = Rig::new(crate::rig::Engine::Sqlite).await;
        rig.roster.change(|inventory| {
            for n in 0..u32::try_from(MOST_DISCOVERED).unwrap() {
                let [_, a, b, c] = n.to_be_bytes();
                let spec = pilotlight_types::resource::MachineSpec {
                    macs: vec![Mac::new([2, 1, 1, a, b, c])],
                    ..Default::default()
                };
                let stage = if accept {
                    pilotlight::domain::stage::Stage::Ready
                } else {
                    pilotlight::domain::stage::Stage::Discovered
                };
                let id = pilotlight_types::MachineId::new(rig.journal.now(), [0, 0, 0, 0, 0, 0, a, b, c, 1]);
                let name = format!("m-020101{a:02x}{b:02x}{c:02x}").parse().unwrap();
                let machine = pilotlight::domain::machine::Machine::new(
                    id,
                    name,
                    Default::default(),
                    spec,
                    stage,
                    rig.journal.now(),
                );
                inventory.put(std::sync::Arc::new(machine));
            }
        });
        let more = rig.machines.discover(seen_as(mac("52:54:00:00:00:09"), None), accept).await;
        assert!(matches!(more, Err(MachineError::TooMany)), "accept: {accept}");
        assert!(
            rig.machines.discover(seen_as(Mac::new([2, 1, 1, 0, 0, 7]), None), accept).await.is_ok(),
            "those that are known stay so"
        );
    }
}

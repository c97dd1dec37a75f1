//! Boots: what was seen, in which boot, and that it is durable before the machine is told.
use crate::rig::{MAC1, OURS, Rig, machine, on_both, operator};
use pilotlight::{
    domain::{attempt::Pinned, deadlines::Bounds},
    reconcile::{Reconcile, Stalls},
    service::{boots::Seen, deadlines::Deadlines, diagnoses::Diagnoses},
};
use pilotlight_types::{
    BootId,
    api::{Outcome, Phase},
    resource::Kind,
};
use serde_json::json;
use std::time::Duration;

on_both!(
    a_boot_is_durable_before_its_script_is_handed_out,
    a_machine_that_asks_the_same_again_waits_for_nobody,
    a_script_that_was_not_durable_is_not_taken_for_one,
    phases_are_counted_and_come_back,
    ipxe_that_asks_again_is_in_the_same_boot,
    a_machine_that_starts_over_ends_the_former_boot,
    what_a_boot_gets_stays_when_the_inventory_changes,
    a_lost_file_makes_the_machine_wait,
    a_boot_from_disk_is_over_with_its_script,
    a_boot_that_fell_silent_fails_and_the_next_one_tries_again,
    a_boot_that_is_over_stays_so,
    an_undeclared_machine_boots_the_discovery_profile,
    lists_are_paged_by_time,
);

const FROM: [u8; 4] = [10, 77, 0, 100];

fn phases(rig: &Rig, boot: BootId) -> Vec<Phase> {
    rig.boot(boot).phases.iter().map(|record| record.phase).collect()
}

async fn a_boot_is_durable_before_its_script_is_handed_out(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, script) = rig.script(MAC1, FROM).await;
    assert!(script.contains(&format!("http://{OURS}:8080/boot/{boot}")), "{script}");
    // Nothing was waited for but the script itself.
    let row = rig.db.read().await.unwrap().boot(boot).await.unwrap().expect("the row");
    assert_eq!(row.boot.address, Some(FROM.into()));
    assert_eq!(Pinned::of(&row.boot).unwrap().profile.to_string(), "worker@1");
    let rig = rig.restarted().await;
    assert_eq!(rig.boots.at(FROM), Some(boot));
    assert!(rig.delivery.image_file(boot, "kernel").unwrap().path.is_file(), "it goes on where it was");
}

async fn requests(rig: &Rig, boot: BootId) -> u32 {
    let row = rig.db.read().await.unwrap().boot(boot).await.unwrap().expect("the row");
    row.boot.phase(Phase::Script).unwrap().requests
}

async fn a_machine_that_asks_the_same_again_waits_for_nobody(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, first) = rig.script(MAC1, FROM).await;
    for _ in 0..3 {
        let (again, script) = rig.script(MAC1, FROM).await;
        assert_eq!((again, &script), (boot, &first));
    }
    rig.written().await;
    assert_eq!(rig.boot(boot).phase(Phase::Script).unwrap().requests, 4);
    assert_eq!(requests(&rig, boot).await, 1, "four questions in a moment are not four writes");
    rig.advance(1);
    rig.script(MAC1, FROM).await;
    rig.written().await;
    assert_eq!(requests(&rig, boot).await, 5, "and then all of them are in the row");
    // What it is told has changed: that is durable before it is told.
    let mut documents = rig.documents();
    documents[2]["spec"]["kernelArgs"] = json!(["quiet"]);
    rig.apply(&documents).await;
    rig.machines.provision("n1", &operator()).await.unwrap();
    let (next, script) = rig.script(MAC1, FROM).await;
    assert!(script.contains("quiet"), "{script}");
    let row = rig.db.read().await.unwrap().boot(next).await.unwrap().expect("the row");
    assert_eq!(Pinned::of(&row.boot).unwrap().profile.to_string(), "worker@2");
}

async fn a_script_that_was_not_durable_is_not_taken_for_one(rig: Rig) {
    let rig = rig.with_documents().await;
    let asked = rig.ask(MAC1, FROM).await;
    let machine = asked.machine.clone().unwrap();
    let seen = || Seen::answered(Phase::Script, "x", 0);
    let first = rig.boots.note(&asked, &machine, Some(FROM.into()), seen()).await;
    // Its commit failed, or is still under way.
    let second = rig.boots.note(&asked, &machine, Some(FROM.into()), seen()).await;
    assert!(!second.again && !second.writes.is_empty(), "{second:?}");
    rig.journal.commit([first.writes.clone(), second.writes].concat()).await.unwrap();
    rig.boots.is_durable(&first);
    let third = rig.boots.note(&asked, &machine, Some(FROM.into()), seen()).await;
    assert!(third.again && third.writes.is_empty(), "{third:?}");
}

async fn phases_are_counted_and_come_back(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    rig.boots.saw(boot, Seen::begun(Phase::Kernel, "kernel"));
    rig.advance(2);
    rig.boots.saw(boot, Seen::served(Phase::Kernel, 3000, false));
    rig.boots.saw(boot, Seen::served(Phase::Kernel, 2000, true));
    rig.written().await;
    let rig = rig.restarted().await;
    assert_eq!(phases(&rig, boot), [Phase::Script, Phase::Kernel]);
    let kernel = rig.boot(boot).phase(Phase::Kernel).cloned().unwrap();
    assert_eq!((kernel.bytes, kernel.requests, kernel.ended), (5000, 1, Some(rig.journal.now())));
    let reached: Vec<String> =
        rig.events().await.into_iter().filter(|e| e.boot == Some(boot)).map(|event| event.kind).collect();
    assert_eq!(reached, ["boot.started", "boot.phase", "boot.phase"], "one event for each phase");
}

async fn ipxe_that_asks_again_is_in_the_same_boot(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    rig.advance(15);
    let (again, _) = rig.script(MAC1, FROM).await;
    assert_eq!(boot, again);
    assert_eq!(rig.boot(boot).phase(Phase::Script).unwrap().requests, 2);
}

/// Lets a boot get as far as the rootfs.
fn far(rig: &Rig, boot: BootId) {
    for phase in [Phase::Kernel, Phase::Initramfs, Phase::Rootfs] {
        rig.boots.saw(boot, Seen::answered(phase, "x", 1));
    }
}

async fn dhcp(rig: &Rig) -> BootId {
    use pilotlight::domain::{
        boot::BootRequest,
        firmware::{Identity, classify},
    };
    let identity = Identity {
        vendor_class: Some("PXEClient:Arch:00007:UNDI:003000"),
        archs: &[7],
        ..Identity::default()
    };
    let request = BootRequest { firmware: classify(&identity), ..crate::rig::ipxe(MAC1) };
    let asked = rig.boots.ask(request, OURS).await;
    let machine = asked.machine.clone().unwrap();
    let seen = Seen::answered(Phase::Dhcp, "x", 0);
    let noted = rig.boots.note(&asked, &machine, Some(FROM.into()), seen).await;
    rig.journal.commit(noted.writes).await.unwrap();
    noted.boot
}

async fn a_machine_that_starts_over_ends_the_former_boot(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    far(&rig, boot);
    rig.advance(60);
    let next = dhcp(&rig).await;
    assert_ne!(boot, next);
    let former = rig.boots.get(boot).await.unwrap().unwrap();
    assert_eq!(former.outcome, Some(Outcome::Restarted { during: Phase::Rootfs }));
    assert_eq!(former.ended, Some(rig.journal.now()));
    assert!(rig.kinds().await.contains(&"boot.restarted".into()));
    assert_eq!(dhcp(&rig).await, next, "one that repeats its question does not start over");
    let (same, _) = rig.script(MAC1, FROM).await;
    assert_eq!(same, next);
    assert_eq!(phases(&rig, next), [Phase::Dhcp, Phase::Script]);
    let rig = rig.restarted().await;
    assert_eq!(rig.boots.open().len(), 1);
    assert!(rig.delivery.image_file(boot, "kernel").is_err(), "the former boot gets nothing any more");
}

async fn what_a_boot_gets_stays_when_the_inventory_changes(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    let kernel = rig.delivery.image_file(boot, "kernel").unwrap().path;
    std::fs::write(rig.folder.path().join("kernel"), "another kernel").unwrap();
    let mut documents = rig.documents();
    documents[2]["spec"]["kernelArgs"] = json!(["quiet"]);
    rig.apply(&documents).await;
    assert_eq!(rig.delivery.image_file(boot, "kernel").unwrap().path, kernel);
    let rig = rig.restarted().await;
    assert_eq!(rig.delivery.image_file(boot, "kernel").unwrap().path, kernel);
    assert_eq!(Pinned::of(&rig.boot(boot)).unwrap().profile.revision, 1);
    // Armed for a revision, a machine boots that one until somebody arms it again.
    far(&rig, boot);
    dhcp(&rig).await;
    let (_, script) = rig.script(MAC1, FROM).await;
    assert!(script.contains("console=ttyS0"), "{script}");
    rig.machines.provision("n1", &operator()).await.unwrap();
    let (next, script) = rig.script(MAC1, FROM).await;
    assert!(script.contains("quiet"), "{script}");
    assert_ne!(rig.delivery.image_file(next, "kernel").unwrap().path, kernel);
}

async fn a_lost_file_makes_the_machine_wait(rig: Rig) {
    let rig = rig.with_documents().await;
    for file in std::fs::read_dir(rig.folder.path().join("images")).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let (boot, script) = rig.script(MAC1, FROM).await;
    assert!(
        script.contains("is lost_ apply the image again") && !script.contains("kernel ${base}"),
        "{script}"
    );
    assert!(rig.delivery.image_file(boot, "kernel").is_err());
    // Applying it again brings it back, although nothing in it changed.
    rig.apply(&rig.documents()).await;
    let (_, script) = rig.script(MAC1, FROM).await;
    assert!(script.contains("kernel ${base}/kernel"), "{script}");
}

async fn a_boot_from_disk_is_over_with_its_script(rig: Rig) {
    let rig = rig.with_documents().await;
    let disk = json!({"kind": "Profile", "name": "worker", "spec": {"boot": "local"}});
    rig.apply(&[disk]).await;
    rig.machines.provision("n1", &operator()).await.unwrap();
    let (boot, script) = rig.script(MAC1, FROM).await;
    assert!(script.contains("boots from its disk"), "{script}");
    assert_eq!(rig.boot(boot).outcome, Some(Outcome::LocalDisk));
    assert!(rig.restarted().await.boots.open().is_empty());
}

pub fn deadlines(rig: &Rig) -> Deadlines {
    let (floor, ceiling) = (Duration::from_secs(60), Duration::from_secs(600));
    let (roster, boots, journal) = (rig.roster.clone(), rig.boots.clone(), rig.journal.clone());
    Deadlines::new(roster, boots, journal, Bounds { floor, ceiling }, ceiling)
}

pub fn diagnoses(rig: &Rig) -> Diagnoses {
    let (boots, console) = (rig.boots.clone(), rig.console.clone());
    Diagnoses::new(rig.roster.clone(), boots, console, rig.sightings.clone(), rig.journal.clone())
}

pub fn stalls(rig: &Rig) -> Stalls {
    Stalls {
        boots: rig.boots.clone(),
        roster: rig.roster.clone(),
        console: rig.console.clone(),
        journal: rig.journal.clone(),
        deadlines: deadlines(rig),
        diagnoses: diagnoses(rig),
    }
}

async fn a_boot_that_fell_silent_fails_and_the_next_one_tries_again(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    far(&rig, boot);
    rig.advance(599);
    stalls(&rig).pass().await.unwrap();
    assert!(rig.boot(boot).ended.is_none());
    rig.advance(1);
    stalls(&rig).pass().await.unwrap();
    assert_eq!(rig.stage("n1"), "failed");
    let Some(Outcome::Failed { why }) = rig.boot(boot).outcome else { panic!("it failed") };
    assert!(why.contains("config.ign was lost"), "{why}");
    let diagnosis = rig.views.machine("n1").unwrap().diagnosis.expect("a diagnosis");
    assert_eq!(diagnosis.code, "config-not-asked");
    assert!(diagnosis.evidence[0].link.as_ref().unwrap().ends_with(&boot.to_string()), "{diagnosis:?}");
    let failed = rig.events().await.into_iter().find(|event| event.kind == "boot.failed").unwrap();
    assert_eq!(failed.data["diagnosis"], "config-not-asked");
    assert!(rig.kinds().await.contains(&"machine.failed".into()));
    let rig = rig.restarted().await;
    assert_eq!(rig.stage("n1"), "failed");
    assert_eq!(rig.boot(boot).diagnosis.map(|it| it.code).as_deref(), Some("config-not-asked"));
    let (next, script) = rig.script(MAC1, FROM).await;
    assert!(next != boot && script.contains("kernel ${base}/kernel"), "it is armed still: {script}");
    assert_eq!(rig.stage("n1"), "provisioning");
}

async fn a_boot_that_is_over_stays_so(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    rig.boots.end(boot, Outcome::Active).await.unwrap();
    let events = rig.events().await.len();
    rig.boots.end(boot, Outcome::Active).await.unwrap();
    assert_eq!(rig.events().await.len(), events + 1, "only the mark");
    let unknown = "01940000-0000-7000-8000-000000000000".parse().unwrap();
    rig.boots.end(unknown, Outcome::Active).await.unwrap();
    rig.boots.saw(unknown, Seen::begun(Phase::Kernel, "x"));
    assert_eq!(rig.boots.get(unknown).await.unwrap(), None);
    // News that come late are noted, and do not open it again.
    rig.boots.saw(boot, Seen::served(Phase::Rootfs, 1, true));
    rig.written().await;
    assert_eq!(rig.restarted().await.boot(boot).outcome, Some(Outcome::Active));
}

async fn an_undeclared_machine_boots_the_discovery_profile(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, script) = rig.script("52:54:00:00:00:09", FROM).await;
    assert!(script.contains("m-525400000009 boots profile seen@1"), "{script}");
    assert_eq!(rig.stage("m-525400000009"), "discovered");
    assert_eq!(Pinned::of(&rig.boot(boot)).unwrap().profile.profile.as_str(), "seen");
    let mut subnet = rig.documents()[0].clone();
    subnet["spec"]["unknown"] = json!("accept");
    rig.apply(&[subnet, json!({"kind": "Group", "name": "rest", "spec": {"profile": "worker"}})]).await;
    let (_, script) = rig.script("52:54:00:00:00:0a", [10, 77, 0, 101]).await;
    assert!(
        script.contains("boots profile worker@1"),
        "accepted, armed and booted at its first question: {script}"
    );
}

async fn lists_are_paged_by_time(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.apply(&[machine("n2", "52:54:00:00:00:02")]).await;
    let mut ids = Vec::new();
    for mac in [MAC1, "52:54:00:00:00:02"] {
        rig.advance(1);
        ids.push(rig.script(mac, [10, 77, 0, if mac == MAC1 { 100 } else { 101 }]).await.0);
    }
    let late = rig.journal.now().plus(Duration::from_secs(1));
    let list = rig.boots.list(None, late, 1).await.unwrap();
    assert_eq!(list.iter().map(|boot| boot.id).collect::<Vec<_>>(), [ids[1]]);
    let rest = rig.boots.list(None, list[0].started, 10).await.unwrap();
    assert_eq!(rest.iter().map(|boot| boot.id).collect::<Vec<_>>(), [ids[0]]);
    assert_eq!(rig.boots.list(Some(rig.id("n2")), late, 10).await.unwrap().len(), 1);
    rig.changes.delete(Kind::Machine, "n2", None, &operator()).await.unwrap();
    assert_eq!(rig.boots.list(None, late, 10).await.unwrap().len(), 1);
}

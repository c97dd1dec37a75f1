//! Why machines do not get on: docs/troubleshooting.md has the table that the code goes by (`UPDATE=1 cargo test -p pilotlight --test it
//! diagnoses` writes it), and each machine is told of by what is beside it.
use crate::{
    boots::{diagnoses, stalls},
    rig::{MAC1, Rig, machine, on_both},
};
use pilotlight::{domain::diagnosis::table::ALL, reconcile::Reconcile, service::boots::Seen};
use pilotlight_types::{
    BootId,
    api::{Outcome, Phase},
};
use std::{fmt::Write as _, path::Path};

on_both!(
    a_network_that_nobody_gets_through_is_told_from_a_machine_that_does_not,
    another_dhcp_server_is_named,
    what_the_agent_says_while_it_boots_is_what_it_is_told_of,
    others_of_a_class_say_how_long_is_too_long,
);

const MARKS: (&str, &str) = ("<!-- made of the table of diagnoses: begin -->\n", "<!-- end -->\n");

#[test]
fn the_diagnoses_are_documented_as_they_are() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/troubleshooting.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(MARKS.0).expect("the mark where the table begins");
    let (there, after) = rest.split_once(MARKS.1).expect("the mark where it ends");
    let mut table =
        "| code | seen | what it most likely means | look at | the ladder |\n|---|---|---|---|---|\n"
            .to_owned();
    for row in ALL {
        let ladder = if row.again { "starts it again" } else { "leaves it" };
        writeln!(table, "| `{}` | {} | {} | {} | {ladder} |", row.code, row.seen, row.text, row.look)
            .unwrap();
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, format!("{before}{}{table}{}{after}", MARKS.0, MARKS.1)).unwrap();
        return;
    }
    assert!(table == there, "docs/troubleshooting.md is not as the table has it; UPDATE=1 writes it");
}

/// A machine that got so far, in a boot of its own.
async fn comes_to(rig: &Rig, mac: &str, from: [u8; 4], last: Phase) -> BootId {
    let (boot, _) = rig.script(mac, from).await;
    for phase in Phase::ALL.into_iter().filter(|phase| *phase <= last && *phase != Phase::Script) {
        rig.boots.saw(boot, Seen::answered(phase, "x", 1));
    }
    boot
}

async fn code(rig: &Rig, boot: BootId) -> String {
    let (id, boot) = rig.boots.newest(boot).unwrap();
    let machine = rig.roster.machine(id).unwrap();
    diagnoses(rig).of(&machine, Some(&boot)).await.code
}

/// The same machine in a boot of which only its address is known.
async fn only_dhcp(rig: &Rig, mac: &str, from: [u8; 4]) -> BootId {
    let asked = rig.ask(mac, from).await;
    let machine = asked.machine.clone().unwrap();
    let noted =
        rig.boots.note(&asked, &machine, Some(from.into()), Seen::answered(Phase::Dhcp, "x", 0)).await;
    rig.journal.commit(noted.writes).await.unwrap();
    noted.boot
}

async fn a_network_that_nobody_gets_through_is_told_from_a_machine_that_does_not(rig: Rig) {
    let rig = rig.with_documents().await;
    let macs = ["52:54:00:00:00:02", "52:54:00:00:00:03"];
    rig.apply(&[machine("n2", macs[0]), machine("n3", macs[1])]).await;
    let boot = only_dhcp(&rig, MAC1, [10, 77, 0, 100]).await;
    assert_eq!(code(&rig, boot).await, "boot-program-not-asked");
    only_dhcp(&rig, macs[0], [10, 77, 0, 101]).await;
    only_dhcp(&rig, macs[1], [10, 77, 0, 102]).await;
    assert_eq!(code(&rig, boot).await, "segment-cut-off");
    comes_to(&rig, macs[1], [10, 77, 0, 102], Phase::Kernel).await;
    assert_eq!(code(&rig, boot).await, "boot-program-not-asked");
    rig.advance(3601);
    assert_eq!(code(&rig, boot).await, "boot-program-not-asked", "what was an hour ago says nothing");
}

async fn another_dhcp_server_is_named(rig: Rig) {
    let rig = rig.with_documents().await;
    let asked = rig.ask(MAC1, [10, 77, 0, 100]).await;
    let machine = asked.machine.clone().unwrap();
    let from = Some([10, 77, 0, 100].into());
    let noted = rig.boots.note(&asked, &machine, from, Seen::begun(Phase::Dhcp, "x")).await;
    rig.journal.commit(noted.writes).await.unwrap();
    assert_eq!(code(&rig, noted.boot).await, "offer-not-taken");
    rig.sightings.foreign_server(&"rack-a".parse().unwrap(), [10, 77, 0, 66].into(), crate::rig::mac(MAC1));
    let boot = rig.boot(noted.boot);
    let diagnosis = diagnoses(&rig).of(&machine, Some(&boot)).await;
    assert_eq!(diagnosis.code, "other-dhcp");
    assert!(diagnosis.evidence.iter().any(|one| one.seen.contains("10.77.0.66")), "{diagnosis:?}");
}

async fn what_the_agent_says_while_it_boots_is_what_it_is_told_of(rig: Rig) {
    let rig = rig.with_documents().await;
    let boot = comes_to(&rig, MAC1, [10, 77, 0, 100], Phase::Ignition).await;
    let token = rig.configs.agent_token(boot).unwrap();
    let progress =
        |step: &str| serde_json::from_value(serde_json::json!({"step": step, "detail": "no disks"})).unwrap();
    rig.agents.progress(boot, token.expose(), progress("trouble")).await.unwrap();
    rig.advance(600);
    stalls(&rig).pass().await.unwrap();
    let diagnosis = rig.boot(boot).diagnosis.expect("it failed");
    assert_eq!(diagnosis.code, "agent-trouble");
    assert!(diagnosis.evidence[0].seen.contains("trouble: no disks"), "{diagnosis:?}");
}

async fn others_of_a_class_say_how_long_is_too_long(rig: Rig) {
    let rig = rig.with_documents().await;
    let of = |n: u8| (format!("52:54:00:00:01:{n:02x}"), [10, 77, 0, 110 + n]);
    for n in 0..5 {
        let (mac, from) = of(n);
        rig.apply(&[machine(&format!("w{n}"), &mac)]).await;
        let boot = comes_to(&rig, &mac, from, Phase::Initramfs).await;
        rig.advance(80);
        rig.boots.saw(boot, Seen::answered(Phase::Rootfs, "x", 1));
        rig.boots.end(boot, Outcome::Active).await.unwrap();
    }
    let slow = comes_to(&rig, MAC1, [10, 77, 0, 100], Phase::Initramfs).await;
    rig.advance(119);
    stalls(&rig).pass().await.unwrap();
    assert!(rig.boot(slow).ended.is_none());
    rig.advance(1);
    stalls(&rig).pass().await.unwrap();
    let Some(Outcome::Failed { why }) = rig.boot(slow).outcome else { panic!("120 s are too long") };
    assert!(why.contains("95 of 100 of 5 boots like it are not for more than 80 s"), "{why}");
}

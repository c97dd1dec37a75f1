//! Machines that are known by their UUID or their serial number, before anybody knows their MAC.
use crate::rig::{MAC1, OURS, Rig, ipxe, mac, machine, on_both, operator};
use pilotlight::{domain::boot::BootRequest, domain::identity::By, service::boots::Seen};
use pilotlight_types::{
    BootId,
    api::{Machine, Phase},
    facts::{Facts, System},
    resource::Kind,
};
use serde_json::{Value, json};

on_both!(
    a_machine_declared_by_its_serial_number_is_known_at_its_script,
    a_machine_that_was_seen_first_becomes_the_declared_one_with_its_boot,
    what_is_waiting_is_recognised_when_it_is_declared,
    a_learned_mac_goes_with_its_nic,
    a_change_of_what_is_declared_forgets_what_was_learned,
    a_machine_with_a_reserved_address_asks_for_it_once_it_is_known,
    a_conflict_is_told_once_on_both_machines_and_ends_when_it_is_mended,
    an_agents_report_says_who_its_machine_is,
    nothing_is_learned_where_we_only_watch,
    it_is_explained_how_a_machine_is_known,
    a_lock_on_what_was_seen_stays,
);

const FROM: [u8; 4] = [10, 77, 0, 100];
const MAC9: &str = "52:54:00:00:00:09";
const UUID9: &str = "4c4c4544-0044-4810-8031-c4c04f4a3139";

fn by_serial(name: &str, serial: &str) -> Value {
    json!({"kind": "Machine", "name": name, "labels": {"role": "worker"}, "spec": {"serial": serial}})
}

/// What iPXE on this machine says when it asks for its script.
fn says(mac: &str, serial: &str) -> BootRequest {
    BootRequest { serial: Some(serial.into()), ..ipxe(mac) }
}

impl Rig {
    async fn script_of(&self, request: BootRequest) -> String {
        self.delivery.script(request, FROM.into(), OURS.into()).await.unwrap()
    }

    fn shown(&self, name: &str) -> Machine {
        self.views.machine(name).expect("the machine")
    }

    async fn told(&self, kind: &str) -> Vec<(String, String)> {
        let events = self.events().await;
        events.into_iter().filter(|event| event.kind == kind).map(|e| (e.object, e.message)).collect()
    }
}

async fn a_machine_declared_by_its_serial_number_is_known_at_its_script(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.apply(&[by_serial("n9", "8F2A")]).await;
    assert_eq!(rig.stage("n9"), "provisioning");
    let script = rig.script_of(says(MAC9, "8f2a")).await;
    assert!(script.contains("n9 boots profile worker@1"), "{script}");
    let learned = rig.told("machine.learned").await;
    let message = format!("n9 boots from {MAC9}, known by its serial number 8f2a");
    assert_eq!(learned, [("machine/n9".to_owned(), message)]);
    let shown = rig.shown("n9");
    assert_eq!(
        (shown.spec.macs, shown.learned_macs),
        (vec![], vec![mac(MAC9)]),
        "the spec is the operator's"
    );
    // From now on it is known by its MAC, in DHCP too, and that is told no more.
    let rig = rig.restarted().await;
    let asked = rig.ask(MAC9, FROM).await;
    assert_eq!(asked.machine.unwrap().name.as_str(), "n9");
    assert_eq!(asked.known.machine.unwrap().found, By::LearnedMac);
    rig.script_of(says(MAC9, "8F2A")).await;
    assert_eq!(rig.told("machine.learned").await.len(), 1);
    assert_eq!(rig.roster.read(|inventory| inventory.machines().count()), 2, "nothing else was recorded");
    let again = rig.apply(&[by_serial("n9", "8F2A")]).await;
    assert_eq!(again[0].change.to_string(), "unchanged", "what was learned is no part of what is declared");
    assert_eq!(rig.shown("n9").learned_macs, [mac(MAC9)]);
}

/// Firmware asks by DHCP, with nothing but its MAC.
async fn firmware(rig: &Rig) -> BootId {
    let asked = rig.ask(MAC9, FROM).await;
    let machine = asked.machine.clone().unwrap();
    assert_eq!(machine.name.as_str(), "m-525400000009");
    let seen = Seen::answered(Phase::Dhcp, "x", 0);
    let noted = rig.boots.note(&asked, &machine, Some(FROM.into()), seen).await;
    rig.journal.commit(noted.writes).await.unwrap();
    noted.boot
}

async fn a_machine_that_was_seen_first_becomes_the_declared_one_with_its_boot(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.apply(&[by_serial("n9", "8F2A")]).await;
    let boot = firmware(&rig).await;
    let script = rig.script_of(says(MAC9, "8F2A")).await;
    assert!(script.contains(&format!("/boot/{boot}")), "the boot goes on: {script}");
    assert_eq!(rig.boots.at(FROM), Some(boot));
    let phases = |rig: &Rig| rig.shown("n9").boot.unwrap().phases.iter().map(|p| p.phase).collect::<Vec<_>>();
    assert_eq!(phases(&rig), [Phase::Dhcp, Phase::Script]);
    assert!(rig.views.machine("m-525400000009").is_none());
    let adopted: Vec<String> =
        rig.told("machine.adopted").await.into_iter().map(|(object, _)| object).collect();
    assert_eq!(adopted, ["machine/m-525400000009", "machine/n9"]);
    let rig = rig.restarted().await;
    assert_eq!(phases(&rig), [Phase::Dhcp, Phase::Script], "the boot is the machine's in the database too");
    assert_eq!(rig.boots.list(Some(rig.id("n9")), rig.journal.now(), 10).await.unwrap().len(), 0);
    rig.advance(1);
    assert_eq!(rig.boots.list(Some(rig.id("n9")), rig.journal.now(), 10).await.unwrap().len(), 1);
}

async fn what_is_waiting_is_recognised_when_it_is_declared(rig: Rig) {
    let rig = rig.with_documents().await;
    let request = BootRequest { uuid: Some(UUID9.parse().unwrap()), ..says(MAC9, "8F2A") };
    rig.script_of(request.clone()).await;
    assert_eq!(rig.stage("m-525400000009"), "discovered");
    rig.apply(&[by_serial("n9", "8F2A")]).await;
    assert!(rig.script_of(request).await.contains("n9 boots profile worker@1"));
    assert!(rig.views.machine("m-525400000009").is_none());
}

async fn a_learned_mac_goes_with_its_nic(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.apply(&[by_serial("n8", "SER8"), by_serial("n9", "SER9")]).await;
    rig.script_of(says(MAC9, "SER8")).await;
    assert_eq!(rig.shown("n8").learned_macs, [mac(MAC9)]);
    assert!(rig.script_of(says(MAC9, "SER9")).await.contains("n9 boots"));
    assert_eq!((rig.shown("n8").learned_macs, rig.shown("n9").learned_macs), (vec![], vec![mac(MAC9)]));
    // A machine that nobody knows has it now, and says so.
    rig.script_of(says(MAC9, "OTHER")).await;
    assert_eq!(rig.stage("m-525400000009"), "discovered");
    assert_eq!(rig.shown("n9").learned_macs, []);
    let told = rig.told("machine.discovered").await;
    assert!(told[0].1.ends_with("; n9 booted from it before"), "{told:?}");
    rig.script_of(says(MAC9, "SER9")).await;
    let told = rig.told("machine.learned").await;
    assert!(told[1].1.ends_with("; n8 booted from it before"), "{told:?}");
    let rig = rig.restarted().await;
    assert_eq!(rig.ask(MAC9, FROM).await.machine.unwrap().name.as_str(), "n9");
}

async fn a_change_of_what_is_declared_forgets_what_was_learned(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.apply(&[by_serial("n9", "SER8")]).await;
    rig.script_of(says(MAC9, "SER8")).await;
    let mut document = by_serial("n9", "SER8");
    document["spec"]["rack"] = json!("r1");
    rig.apply(&[document]).await;
    assert_eq!(rig.shown("n9").learned_macs, [mac(MAC9)], "where it stands says nothing of who it is");
    rig.apply(&[by_serial("n9", "SER9")]).await;
    assert_eq!(rig.shown("n9").learned_macs, []);
    assert_eq!(rig.ask(MAC9, FROM).await.machine.unwrap().name.as_str(), "m-525400000009");
}

async fn a_machine_with_a_reserved_address_asks_for_it_once_it_is_known(rig: Rig) {
    let rig = rig.with_documents().await;
    let mut document = by_serial("n9", "8F2A");
    document["spec"]["ip"] = json!("10.77.0.50");
    rig.apply(&[document]).await;
    let script = rig.script_of(says(MAC9, "8F2A")).await;
    assert!(script.contains("\ndhcp netX") && !script.contains("kernel"), "{script}");
    let script = rig.script_of(says(MAC9, "8F2A")).await;
    assert!(script.contains("n9 boots profile worker@1"), "it is asked to do so once: {script}");
}

async fn a_conflict_is_told_once_on_both_machines_and_ends_when_it_is_mended(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.apply(&[by_serial("n9", "8F2A")]).await;
    for _ in 0..3 {
        let script = rig.script_of(says(MAC1, "8F2A")).await;
        assert!(script.contains("n1 boots profile worker@1"), "the MAC counts: {script}");
        rig.advance(15);
    }
    let message = "n1: it says serial 8F2A, which is machine n9's".to_owned();
    let both = ["machine/n1", "machine/n9"].map(|object| (object.to_owned(), message.clone()));
    assert_eq!(rig.told("machine.conflict").await, both);
    assert_eq!(rig.shown("n1").conflicts, ["it says serial 8F2A, which is machine n9's"]);
    assert_eq!(rig.shown("n9").learned_macs, []);
    let explained = rig.explain.machine("n1", OURS.into()).unwrap().because;
    let line = "it says serial 8F2A, which is machine n9's: it is taken for n1 all the same";
    assert!(explained.contains(&line.to_owned()), "{explained:?}");
    rig.changes.delete(Kind::Machine, "n9", None, &operator()).await.unwrap();
    assert_eq!(rig.shown("n1").conflicts, Vec::<String>::new());
}

async fn an_agents_report_says_who_its_machine_is(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, script) = rig.script(MAC9, FROM).await;
    assert!(script.contains("boots profile seen@1"), "{script}");
    rig.apply(&[by_serial("n9", "8F2A")]).await;
    let token = rig.configs.agent_token(boot).unwrap().expose().clone();
    let facts = |serial: &str| Facts {
        version: Facts::VERSION,
        system: System { serial: Some(serial.into()), ..System::default() },
        ..Facts::default()
    };
    rig.agents.facts(boot, &token, facts("8F2A")).await.unwrap();
    let n9 = rig.shown("n9");
    assert_eq!((n9.stage.as_str(), n9.learned_macs), ("provisioning", vec![mac(MAC9)]));
    assert_eq!(n9.boot.map(|boot| boot.id), Some(boot));
    assert_eq!(n9.facts.and_then(|facts| facts.system.serial).as_deref(), Some("8F2A"));
    assert!(rig.views.machine("m-525400000009").is_none());
    assert!(rig.agents.heartbeat(boot, &token).await.is_ok(), "its agent goes on");
    // What it reports of another machine's is told, and changes nothing.
    rig.apply(&[by_serial("n8", "SER8")]).await;
    rig.agents.facts(boot, &token, facts("SER8")).await.unwrap();
    let expected = ["it says serial SER8, which is machine n8's"];
    assert_eq!(rig.shown("n9").conflicts, expected);
    assert_eq!(rig.told("machine.conflict").await.len(), 2);
}

async fn nothing_is_learned_where_we_only_watch(rig: Rig) {
    let mut documents = rig.documents();
    documents[0]["spec"]["mode"] = json!("shadow");
    documents.push(by_serial("n9", "8F2A"));
    rig.apply(&documents).await;
    rig.script_of(says(MAC9, "8F2A")).await;
    assert_eq!(rig.shown("n9").learned_macs, []);
    assert_eq!(rig.told("machine.learned").await, []);
}

async fn it_is_explained_how_a_machine_is_known(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.apply(&[by_serial("n9", "8F2A")]).await;
    let has = |because: &[String], line: &str| assert!(because.iter().any(|l| l == line), "{because:?}");
    let never_seen = rig.explain.machine("n9", OURS.into()).unwrap();
    assert_eq!(never_seen.answer, "it boots profile worker@1 with image os");
    has(&never_seen.because, "no MAC of it is known: 00:00:00:00:00:00 stands for it");
    has(&never_seen.because, "nobody declared the machine");
    has(&never_seen.because, "it is n9 by its serial number; the MAC is not declared");
    let of = |mac_of: Option<&str>, serial| {
        rig.explain.whoever(mac_of.map(mac), (None, Some(serial)), OURS.into()).unwrap()
    };
    assert_eq!(of(Some(MAC9), "8F2A").machine.as_deref(), Some("n9"));
    assert_eq!(of(None, "8f2a").machine.as_deref(), Some("n9"));
    assert_eq!(of(Some(MAC9), "None").machine, None);
    assert_eq!(rig.told("machine.learned").await, [], "to explain is not to learn");
    rig.script_of(says(MAC9, "8F2A")).await;
    let explained = rig.explain.machine("n9", OURS.into()).unwrap();
    assert!(explained.script.unwrap().contains("BOOTIF=01-52-54-00-00-00-09"));
    has(&explained.because, "it is n9 by a MAC that n9 booted from before");
}

async fn a_lock_on_what_was_seen_stays(rig: Rig) {
    let rig = rig.with_documents().await;
    firmware(&rig).await;
    rig.machines.hold("m-525400000009", Some("its fan".into()), &operator()).await.unwrap();
    rig.apply(&[by_serial("n9", "8F2A"), machine("n8", "52:54:00:00:00:08")]).await;
    let script = rig.script_of(says(MAC9, "8F2A")).await;
    assert!(script.contains("n9 waits: its fan"), "{script}");
}

use super::{table::ALL, *};
use crate::domain::{
    attempt::{new, record},
    stage::Revision,
};
use pilotlight_types::{
    Mac, Timestamp,
    api::{DecisionRecord, PhaseRecord},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A boot that came so far; its last phase has what it needs, or not, and so many bytes.
fn boot(last: Phase, whole: bool, bytes: u64, decision: &Value) -> Boot {
    let id = "01940000-0000-7000-8000-000000000000".parse().unwrap();
    let now = Timestamp::from_micros(1_760_000_000_000_000);
    let mut boot = new(id, &"n1".parse().unwrap(), Mac::new([2, 0, 0, 0, 0, 1]), now);
    for phase in Phase::ALL.into_iter().filter(|phase| *phase <= last) {
        let ended = (phase < last || whole).then_some(now);
        let bytes = if phase == last { bytes } else { 1 };
        record(
            &mut boot,
            PhaseRecord { phase, started: now, last: now, ended, bytes, requests: 2, detail: None },
        );
    }
    boot.decision = DecisionRecord::of(decision).unwrap();
    boot
}

fn line(tag: &str, text: &str) -> ConsoleLine {
    let tag = Some(tag.to_owned());
    ConsoleLine { line: 1, at: Timestamp::default(), severity: None, tag, text: text.to_owned() }
}

fn segment(tried: usize, further: usize) -> Segment<'static> {
    let mode = SubnetMode::Authoritative;
    Segment { name: "rack-a", mode, tried, further, silent: 0, foreign: None }
}

fn code(case: &Case<'_>) -> String {
    diagnose(case).code
}

/// Each cause of the table, by what produces it.
#[test]
fn each_failure_gets_its_text() {
    let none = Value::Null;
    let waits = json!({"decision": {"plan": "hold", "why": "no image"}});
    let revision = Revision { profile: "worker".parse().unwrap(), revision: 1 };
    let whole_image = json!({"pinned": {"profile": revision, "image": "os", "kernel": "k", "initramfs": "i", "rootfs": null}});
    let on = Case { machine: "n1", on: Some(true), ..Case::default() };
    let silent = Segment { silent: 2, ..segment(0, 0) };
    let mut found = BTreeSet::new();
    let mut is = |wanted: &str, case: Case<'_>| {
        assert_eq!(code(&case), wanted, "{case:?}");
        found.insert(wanted.to_owned());
    };
    is("power-failed", Case { power_failed: Some("no answer"), ..on.clone() });
    is("power-off", Case { on: Some(false), ..on.clone() });
    is("boot-order-lost", Case { forgot: Some(BootDevice::Pxe), ..on.clone() });
    is("segment-silent", Case { segment: Some(silent), ..on.clone() });
    is("no-packet", on.clone());
    is("no-packet", Case { segment: Some(segment(3, 3)), ..on });

    let at = |last, whole, bytes| boot(last, whole, bytes, &none);
    let (offered, bound) = (at(Phase::Dhcp, false, 0), at(Phase::Dhcp, true, 0));
    // A lifetime each: closures cannot say that the case borrows what it is given.
    fn with<'a>(boot: &'a Boot, segment: Segment<'a>) -> Case<'a> {
        Case { machine: "n1", boot: Some(boot), segment: Some(segment), ..Case::default() }
    }
    fn saying<'a>(boot: &'a Boot, console: &'a [ConsoleLine]) -> Case<'a> {
        Case { machine: "n1", boot: Some(boot), console, ..Case::default() }
    }
    let foreign = Segment { foreign: Some(Ipv4Addr::new(10, 0, 0, 9)), ..segment(0, 0) };
    is("other-dhcp", with(&offered, foreign));
    is("proxy-ignored", with(&offered, Segment { mode: SubnetMode::Proxy, ..segment(0, 0) }));
    is("offers-lost", with(&offered, segment(2, 0)));
    is("offer-not-taken", with(&offered, segment(2, 1)));
    is("offer-not-taken", with(&offered, segment(1, 0)));
    is("segment-cut-off", with(&bound, segment(2, 0)));
    is("boot-program-not-asked", with(&bound, segment(2, 2)));
    let (asked, part, program) =
        (at(Phase::BootProgram, false, 0), at(Phase::BootProgram, false, 7), at(Phase::BootProgram, true, 9));
    is("tftp-blocked", Case { boot: Some(&asked), ..Case::default() });
    is("transfer-broke-off", Case { boot: Some(&part), ..Case::default() });
    is("program-silent", Case { boot: Some(&program), ..Case::default() });
    let (held, script) = (boot(Phase::Script, true, 0, &waits), at(Phase::Script, true, 0));
    is("told-to-wait", Case { boot: Some(&held), ..Case::default() });
    is(
        "ipxe-error",
        saying(&script, &[line("ipxe", "Could not select: Exec format error (https://ipxe.org/2e008081)")]),
    );
    is("no-kernel", saying(&script, &[line("ipxe", "http://10.0.0.1/boot/x/kernel...")]));
    let (kernel_part, kernel) = (at(Phase::Kernel, false, 5), at(Phase::Kernel, true, 9));
    is("kernel-broke-off", Case { boot: Some(&kernel_part), ..Case::default() });
    is("no-initramfs", Case { boot: Some(&kernel), ..Case::default() });
    let (initramfs_part, initramfs) = (at(Phase::Initramfs, false, 5), at(Phase::Initramfs, true, 9));
    is("initramfs-broke-off", Case { boot: Some(&initramfs_part), ..Case::default() });
    is("kernel-panic", saying(&initramfs, &[line("kernel", "Kernel panic - not syncing: VFS")]));
    is("little-memory", Case { memory: Some(1 << 30), boot: Some(&initramfs), ..Case::default() });
    is("little-memory", saying(&initramfs, &[line("kernel", "Out of memory: Killed process 1")]));
    is("no-rootfs", Case { memory: Some(8 << 30), boot: Some(&initramfs), ..Case::default() });
    let (rootfs_part, rootfs) = (at(Phase::Rootfs, false, 5), at(Phase::Rootfs, true, 9));
    is("rootfs-broke-off", Case { boot: Some(&rootfs_part), ..Case::default() });
    is("config-not-asked", Case { boot: Some(&rootfs), ..Case::default() });
    let no_rootfs = boot(Phase::Initramfs, true, 9, &whole_image);
    is("config-not-asked", Case { boot: Some(&no_rootfs), ..Case::default() });
    let (waiting, config) = (at(Phase::Ignition, false, 0), at(Phase::Ignition, true, 9));
    is("config-not-made", Case { boot: Some(&waiting), ..Case::default() });
    is("ignition-failed", saying(&config, &[line("ignition", "CRITICAL : failed to create filesystem")]));
    is("agent-silent", saying(&config, &[line("systemd", "Started something")]));
    let agent = at(Phase::Agent, false, 0);
    let mut troubled = agent.clone();
    troubled.phases.last_mut().unwrap().detail = Some(format!("{TROUBLE}no server"));
    is("agent-trouble", Case { boot: Some(&troubled), ..Case::default() });
    is("agent-stopped", Case { boot: Some(&agent), ..Case::default() });
    let all: BTreeSet<String> = ALL.iter().map(|row| row.code.to_owned()).collect();
    assert_eq!(found, all, "each cause of the table is produced above, and nothing else");
}

#[test]
fn codes_and_texts_are_each_there_once() {
    let codes: BTreeSet<_> = ALL.iter().map(|row| row.code).collect();
    let texts: BTreeSet<_> = ALL.iter().map(|row| row.text).collect();
    let seen: BTreeSet<_> = ALL.iter().map(|row| row.seen).collect();
    assert_eq!((codes.len(), texts.len(), seen.len()), (ALL.len(), ALL.len(), ALL.len()));
    assert!(ALL.iter().all(|row| table::row(row.code) == Some(*row)));
}

#[test]
fn the_evidence_is_told_with_where_more_of_it_is() {
    let boot = boot(Phase::BootProgram, false, 1400, &Value::Null);
    let console = [line("ipxe", "one"), line("ipxe", "two"), line("ipxe", "three"), line("ipxe", "four")];
    let case = Case {
        machine: "n1",
        boot: Some(&boot),
        console: &console,
        on: Some(true),
        segment: Some(Segment { foreign: Some(Ipv4Addr::new(10, 0, 0, 9)), ..segment(3, 2) }),
        ..Case::default()
    };
    let told = diagnose(&case).evidence;
    let seen: Vec<&str> = told.iter().map(|one| one.seen.as_str()).collect();
    assert!(
        seen[0].starts_with("last seen: boot program, asked 2 times, 1400 bytes, not done, at 20"),
        "{seen:?}"
    );
    assert_eq!(seen[1..4], ["it said: ipxe: two", "it said: ipxe: three", "it said: ipxe: four"]);
    assert!(seen.contains(&"its BMC says that it is on"), "{seen:?}");
    assert!(seen.contains(&"another DHCP server, 10.0.0.9, gives addresses in rack-a"), "{seen:?}");
    assert!(
        seen.contains(&"3 other machines booted in rack-a in the last hour; 2 came further than this one"),
        "{seen:?}"
    );
    assert!(
        told.iter().all(|one| one.link.as_ref().is_some_and(|link| link.starts_with("/api/v1/"))),
        "{told:?}"
    );
}

#[test]
fn what_a_restart_cannot_mend_is_not_restarted() {
    let of = |code: &str| Diagnosis {
        code: code.into(),
        text: String::new(),
        look: String::new(),
        evidence: Vec::new(),
    };
    assert!(may_help(None) && may_help(Some(&of("no-packet"))) && may_help(Some(&of("of another version"))));
    assert!(!may_help(Some(&of("config-not-made"))) && !may_help(Some(&of("ignition-failed"))));
}

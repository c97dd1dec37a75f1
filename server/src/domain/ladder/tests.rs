use super::*;
use crate::domain::{attempt, power::Wanted, stage::Revision};
use pilotlight_types::{
    BootId, Mac, MachineId,
    api::{PowerRequest, PowerResult},
    resource::{Labels, MachineSpec},
};
use proptest::prelude::*;
use serde_json::json;

const PAUSE: Duration = Duration::from_secs(300);
const POST: Duration = Duration::from_secs(600);
const ALIVE: Duration = Duration::from_secs(90);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(1_760_000_000_000_000).plus(Duration::from_secs(seconds))
}

fn rules(steps: &[Step], at_once: usize) -> Rules {
    Rules { enabled: true, steps: steps.to_vec(), pause: PAUSE, at_once }
}

fn machine(protocol: &str) -> Machine {
    let bmc = json!({"type": protocol, "address": "10.0.0.1", "username": "a", "password": {"env": "X"}});
    let spec: MachineSpec =
        serde_json::from_value(json!({"macs": ["52:54:00:00:00:01"], "bmc": bmc})).unwrap();
    let stage = Stage::Provisioning(Revision { profile: "worker".parse().unwrap(), revision: 1 });
    let id = MachineId::new(at(0), [0; 10]);
    let mut machine = Machine::new(id, "n1".parse().unwrap(), Labels::default(), spec, stage, at(0));
    machine.power.on = Some(true);
    machine
}

fn failed_boot(started: u64, ended: u64) -> Boot {
    let mut boot = attempt::new(
        BootId::new(at(started), [0; 10]),
        &"n1".parse().unwrap(),
        Mac::new([2; 6]),
        at(started),
    );
    (boot.ended, boot.outcome) = (Some(at(ended)), Some(Outcome::Failed { why: "silent".into() }));
    boot
}

fn asked(machine: &Machine, boot: Option<&Boot>, seconds: u64, rules: &Rules) -> Next {
    next(&View { machine, boot, post: POST, alive: ALIVE, others: 0, now: at(seconds) }, rules)
}

/// Takes the step, as the service does.
fn take(machine: &mut Machine, step: Step, done: usize, seconds: u64) {
    let place = machine.ladder.get_or_insert_default();
    place.next = done;
    place.tried.push(LadderStep { step, at: at(seconds), for_what: "no-packet".into() });
    if let Some((action, boot)) = asks(step, machine.power.on) {
        machine.power.wanted =
            Some(Wanted::new(PowerRequest { action, boot: Some(boot) }, "pilotlight", at(seconds)));
    }
}

/// What was asked of its power is done.
fn switched(machine: &mut Machine, seconds: u64, failed: Option<&str>) {
    if let Some(wanted) = machine.power.wanted.take() {
        let failed = failed.map(str::to_owned);
        machine.power.result =
            Some(PowerResult { action: wanted.action, by: wanted.by, at: at(seconds), failed });
        machine.power.on = Some(true);
    }
}

#[test]
fn a_machine_that_never_boots_goes_up_and_is_held() {
    let all = [Step::Restart, Step::Restart, Step::Cycle, Step::BmcReset, Step::Cycle, Step::Http];
    let rules = rules(&all, 1);
    let mut machine = machine("redfish");
    let failed = failed_boot(1, 100);
    let (mut taken, mut now) = (Vec::new(), 100);
    loop {
        let boot = machine.ladder.is_none().then_some(&failed);
        match asked(&machine, boot, now, &rules) {
            Next::Take(step, done) => {
                taken.push((step, now));
                take(&mut machine, step, done, now);
                switched(&mut machine, now + 5, None);
            }
            Next::Wait => now += 1,
            Next::Hold => break,
            other => panic!("{other:?} at {now}"),
        }
        assert!(now < 100_000);
    }
    assert_eq!(taken.iter().map(|(step, _)| *step).collect::<Vec<_>>(), all);
    let gaps: Vec<u64> = taken.windows(2).map(|two| two[1].1 - two[0].1).collect();
    // No packet for ten minutes after each; the BMC has its pause and no more.
    assert_eq!(gaps, [605, 605, 605, 300, 605]);
}

#[test]
fn what_the_bmc_cannot_do_is_left_out() {
    let machine = machine("ipmi");
    let boot = failed_boot(1, 100);
    assert_eq!(
        asked(&machine, Some(&boot), 100, &rules(&[Step::Http, Step::Cycle], 1)),
        Next::Take(Step::Cycle, 2)
    );
    assert_eq!(asked(&machine, Some(&boot), 100, &rules(&[Step::Http], 1)), Next::Hold);
    let mut without = machine.clone();
    without.spec.bmc = None;
    assert_eq!(asked(&without, Some(&boot), 100, &rules(&[Step::Cycle], 1)), Next::Nothing);
}

#[test]
fn a_machine_that_was_armed_and_not_made_to_boot_is_left_alone() {
    let rules = rules(&[Step::Cycle], 1);
    let mut machine = machine("redfish");
    assert_eq!(asked(&machine, None, 10_000, &rules), Next::Nothing);
    // It was switched on before it was armed: it runs something.
    (machine.power.switched, machine.since) = (Some(at(10)), at(1000));
    assert_eq!(asked(&machine, None, 10_000, &rules), Next::Nothing);
    // Somebody switched it on, and nothing came of it.
    machine.power.switched = Some(at(2000));
    assert_eq!(asked(&machine, None, 2599, &rules), Next::Wait);
    assert_eq!(asked(&machine, None, 2600, &rules), Next::Take(Step::Cycle, 1));
    assert_eq!(
        asked(&machine, None, 2000 + 24 * 3600, &rules),
        Next::Nothing,
        "it was left to people for a day"
    );
}

#[test]
fn what_a_restart_cannot_mend_and_who_is_held_is_left_alone() {
    let rules = rules(&[Step::Cycle], 1);
    let mut boot = failed_boot(1, 100);
    let mut machine = machine("redfish");
    boot.diagnosis = Some(Diagnosis {
        code: "config-not-made".into(),
        text: String::new(),
        look: String::new(),
        evidence: Vec::new(),
    });
    assert_eq!(asked(&machine, Some(&boot), 100, &rules), Next::Nothing);
    boot.diagnosis = None;
    assert_eq!(asked(&machine, Some(&boot), 100 + 24 * 3600, &rules), Next::Nothing, "they are at it by now");
    let hold =
        pilotlight_types::api::Hold { reason: "cable".into(), by: "alice".into(), since: at(0), until: None };
    machine.hold = Some(hold);
    assert_eq!(asked(&machine, Some(&boot), 100, &rules), Next::Nothing);
    machine.hold = None;
    let off = Rules { enabled: false, ..rules };
    assert_eq!(asked(&machine, Some(&boot), 100, &off), Next::Nothing);
}

#[test]
fn a_bmc_that_does_not_switch_leads_to_the_next_step() {
    let rules = rules(&[Step::Restart, Step::BmcReset], 1);
    let mut machine = machine("redfish");
    take(&mut machine, Step::Restart, 1, 100);
    assert_eq!(asked(&machine, None, 101, &rules), Next::Wait, "it is asked for still");
    switched(&mut machine, 110, Some("no answer"));
    assert_eq!(asked(&machine, None, 399, &rules), Next::Wait);
    assert_eq!(asked(&machine, None, 400, &rules), Next::Take(Step::BmcReset, 2));
}

#[test]
fn a_machine_that_gets_there_leaves_the_ladder() {
    let rules = rules(&[Step::Cycle], 1);
    let mut machine = machine("redfish");
    take(&mut machine, Step::Cycle, 1, 100);
    machine.stage = Stage::Active(Revision { profile: "worker".parse().unwrap(), revision: 1 });
    assert_eq!(asked(&machine, None, 200, &rules), Next::Leave);
}

#[test]
fn a_step_has_its_name() {
    assert!(Step::ALL.into_iter().all(|step| step.name().parse() == Ok(step)));
    assert!("hammer".parse::<Step>().is_err());
}

/// What happens to a machine between two looks.
#[derive(Debug, Clone)]
enum Happens {
    Switched {
        failed: bool,
    },
    BootFails,
    BootRuns,
    Heartbeat,
    Time(u64),
    /// The daemon is killed: all that is kept is what was written.
    Killed,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        any::<bool>().prop_map(|failed| Happens::Switched { failed }),
        Just(Happens::BootFails),
        Just(Happens::BootRuns),
        Just(Happens::Heartbeat),
        (1..2000_u64).prop_map(Happens::Time),
        Just(Happens::Killed),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop::sample::select(Step::ALL.to_vec())
}

proptest! {
    #[test]
    fn whatever_happens_it_is_bounded_spaced_and_never_on_who_reports(
        steps in prop::collection::vec(step(), 0..8),
        all in prop::collection::vec((0..4_usize, happens()), 0..200),
        at_once in 1..3_usize,
    ) {
        let rules = rules(&steps, at_once);
        let mut hall: Vec<(Machine, Option<Boot>)> = (0..4).map(|_| (machine("redfish"), Some(failed_boot(1, 100)))).collect();
        let mut acts: Vec<(usize, u64)> = Vec::new();
        let mut now = 200;
        for (one, event) in all {
            match event {
                Happens::Switched { failed } => switched(&mut hall[one].0, now, failed.then_some("no")),
                Happens::BootFails => hall[one].1 = Some(failed_boot(now, now)),
                Happens::BootRuns => {
                    let boot = Boot { ended: None, outcome: None, ..failed_boot(now, now) };
                    hall[one].1 = Some(boot);
                }
                Happens::Heartbeat => hall[one].0.seen = Some(at(now)),
                Happens::Time(seconds) => now += seconds,
                Happens::Killed => {
                    for (machine, _) in &mut hall {
                        let stored = serde_json::to_string(&machine.ladder).unwrap();
                        machine.ladder = serde_json::from_str(&stored).unwrap();
                    }
                }
            }
            for one in 0..hall.len() {
                let others = (0..hall.len()).filter(|other| *other != one && is_under_way(&hall[*other].0, PAUSE, at(now))).count();
                let (machine, boot) = &mut hall[one];
                let view = View { machine, boot: boot.as_ref(), post: POST, alive: ALIVE, others, now: at(now) };
                match next(&view, &rules) {
                    Next::Take(step, done) => {
                        prop_assert!(machine.seen.is_none_or(|seen| at(now).since(seen) >= ALIVE), "it reports in");
                        prop_assert!(machine.power.wanted.is_none(), "something is asked of it");
                        prop_assert!(boot.as_ref().is_none_or(|boot| boot.ended.is_some()), "it boots");
                        take(machine, step, done, now);
                        acts.push((one, now));
                    }
                    Next::Hold => machine.ladder.get_or_insert_default().ended = Some(at(now)),
                    _ => {}
                }
            }
        }
        for one in 0..hall.len() {
            let own: Vec<u64> = acts.iter().filter(|(who, _)| *who == one).map(|(_, when)| *when).collect();
            prop_assert!(own.len() <= steps.len(), "bounded");
            prop_assert!(own.windows(2).all(|two| two[1] - two[0] >= PAUSE.as_secs()), "spaced");
        }
        for (index, (_, when)) in acts.iter().enumerate() {
            let within = acts[..=index].iter().filter(|(_, other)| when - other < PAUSE.as_secs()).count();
            prop_assert!(within <= at_once, "{within} at once");
        }
    }
}

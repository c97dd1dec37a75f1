use super::*;
use crate::domain::{machine::Reported, stage::Stage};
use pilotlight_types::{MachineId, Timestamp, api::Accepted, resource::Kind};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

fn declared<T: serde::de::DeserializeOwned>(labels: Value, spec: Value) -> Declared<T> {
    let (labels, spec) =
        (serde_json::from_value(labels).unwrap(), Arc::new(serde_json::from_value(spec).unwrap()));
    Declared { labels, spec, revision: 1, updated: Timestamp::default() }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn put(
    inventory: &mut Inventory,
    number: u8,
    called: &str,
    spec: Value,
    facts: Option<Value>,
    stage: Stage,
) -> MachineId {
    let id = MachineId::new(Timestamp::default(), [number; 10]);
    let spec = serde_json::from_value(spec).unwrap();
    let mut machine = Machine::new(id, name(called), Labels::default(), spec, stage, Timestamp::default());
    machine.facts = facts.map(|facts| {
        Arc::new(Reported { facts: serde_json::from_value(facts).unwrap(), at: Timestamp::default() })
    });
    inventory.put(Arc::new(machine));
    id
}

/// A machine that was seen, and reported.
fn seen(inventory: &mut Inventory) -> MachineId {
    let facts = json!({
        "version": 1, "system": {"vendor": "QEMU", "product": "Standard PC", "serial": "abc1"},
        "cpus": {"architecture": "x86_64", "sockets": 1, "cores": 4}, "memory": {"usableBytes": 4_u64 << 30},
        "disks": [{"name": "vda", "sizeBytes": 20_000_000_000_u64}, {"name": "sr0", "sizeBytes": 1_u64 << 40, "removable": true}],
        "nics": [{"name": "eth0", "mac": "52:54:00:00:00:01"}, {"name": "eth1", "mac": "52:54:00:00:00:02"}],
    });
    put(
        inventory,
        1,
        "m-525400000001",
        json!({"macs": ["52:54:00:00:00:01"]}),
        Some(facts),
        Stage::Discovered,
    )
}

fn rule(inventory: &mut Inventory, called: &str, spec: Value) {
    inventory.accept_rules.insert(name(called), declared(json!({}), spec));
}

fn expected(inventory: &mut Inventory, called: &str, spec: Value) {
    inventory.expected.insert(name(called), declared(json!({"role": "worker"}), spec));
}

fn decide(inventory: &Inventory, id: MachineId) -> Decision {
    inventory_with_subnet(inventory, |inventory, whence| {
        Everybody::of(inventory).decide(inventory.machine(id).unwrap(), whence)
    })
}

fn inventory_with_subnet<T>(inventory: &Inventory, then: impl FnOnce(&Inventory, Whence<'_>) -> T) -> T {
    let mut inventory = inventory.clone();
    let subnet = declared(json!({"rack": "r7"}), json!({"cidr": "10.77.0.0/24", "mode": "authoritative"}));
    inventory.subnets.insert(name("rack-a"), subnet);
    let subnet = inventory.subnet_of(std::net::Ipv4Addr::new(10, 77, 0, 100));
    then(&inventory, Whence { site: "dc1", subnet })
}

fn taken(decision: Decision) -> (String, Taking) {
    match decision {
        Decision::Rule { name, taking } | Decision::Expected { name, taking, .. } => {
            (name.to_string(), taking)
        }
        Decision::Waits { why } => panic!("it waits: {why:?}"),
    }
}

fn waits(decision: Decision) -> String {
    match decision {
        Decision::Waits { why } => why.join("; "),
        other => panic!("it does not wait: {other:?}"),
    }
}

#[test]
fn the_rule_with_the_highest_priority_that_takes_it_accepts_a_machine() {
    let mut inventory = Inventory::default();
    let id = seen(&mut inventory);
    assert_eq!(waits(decide(&inventory, id)), "there is no rule that could accept it");
    rule(&mut inventory, "b-all", json!({"labels": {"role": "spare"}}));
    rule(&mut inventory, "a-paused", json!({"paused": true, "priority": 9}));
    rule(
        &mut inventory,
        "c-first",
        json!({
            "priority": 5, "name": "{{ site }}-{{ rack }}-{{ serial }}", "labels": {"role": "worker"}, "class": "small",
            "match": {"vendor": "qemu", "serial": "ABC*", "memory": {"min": "2GiB"}, "cores": {"max": 4}, "disks": {"min": 1, "max": 1},
                      "diskSize": {"min": "10GB"}, "ouis": ["52:54:00"], "subnets": ["rack-a"], "arch": "x86_64", "sockets": {"min": 1}},
        }),
    );
    let (by, taking) = taken(decide(&inventory, id));
    assert_eq!((by.as_str(), taking.name.as_str()), ("c-first", "dc1-r7-abc1"));
    assert_eq!(taking.labels.get("role"), Some("worker"));
    assert_eq!(taking.spec.class, Some(name("small")));
    assert_eq!(taking.spec.macs, inventory.machine(id).unwrap().spec.macs);
}

#[test]
fn each_rule_says_why_it_does_not_take_a_machine() {
    for (matches, words) in [
        (json!({"vendor": "Dell*"}), "its maker is `QEMU`, not `Dell*`"),
        (json!({"model": "R6*"}), "its model is `Standard PC`, not `R6*`"),
        (json!({"serial": "X*"}), "its serial number is `abc1`, not `X*`"),
        (json!({"arch": "aarch64"}), "its architecture is `x86_64`, not `aarch64`"),
        (json!({"ouis": ["aa:bb:cc"]}), "none of its MACs begins with aa:bb:cc"),
        (json!({"subnets": ["rack-b"]}), "it is on subnet rack-a, not on rack-b"),
        (json!({"sockets": {"min": 2}}), "it has 1 processors, not at least 2"),
        (json!({"memory": {"min": "8GiB"}}), "it has 4GiB of memory, not at least 8GiB"),
        (json!({"disks": {"min": 2, "max": 3}}), "it has 1 disks, not 2 to 3"),
        (json!({"diskSize": {"min": "1TB"}}), "its largest disk has 20GB, not at least 1TB"),
    ] {
        let mut inventory = Inventory::default();
        let id = seen(&mut inventory);
        rule(&mut inventory, "one", json!({"match": matches}));
        assert_eq!(waits(decide(&inventory, id)), format!("rule one does not take it: {words}"));
    }
}

#[test]
fn a_rule_accepts_no_more_than_its_limit() {
    let mut inventory = Inventory::default();
    let id = seen(&mut inventory);
    rule(&mut inventory, "two", json!({"limit": 2}));
    for number in [7, 8] {
        let other = put(&mut inventory, number, &format!("n{number}"), json!({}), None, Stage::Ready);
        taken(decide(&inventory, id));
        let mut machine = Machine::clone(inventory.machine(other).unwrap());
        machine.accepted =
            Some(Accepted { kind: Kind::AcceptRule, name: name("two"), at: Timestamp::default() });
        inventory.put(Arc::new(machine));
    }
    assert_eq!(
        waits(decide(&inventory, id)),
        "rule two does not take it: it has accepted 2 machines, and may 2"
    );
}

#[test]
fn a_name_that_is_taken_gets_a_number_and_one_that_is_none_is_told() {
    let mut inventory = Inventory::default();
    let id = seen(&mut inventory);
    rule(&mut inventory, "named", json!({"name": "{{ model }}"}));
    put(&mut inventory, 7, "standard-pc", json!({}), None, Stage::Ready);
    expected(&mut inventory, "standard-pc-2", json!({"serial": "other"}));
    assert_eq!(taken(decide(&inventory, id)).1.name.as_str(), "standard-pc-3");
    rule(&mut inventory, "named", json!({"name": "{{ unit }}"}));
    let why = waits(decide(&inventory, id));
    assert!(why.contains("its name template") && why.contains("unit"), "{why}");
    for (template, said) in [
        ("{{ '!' }}", "which is no name"),
        ("actions", "a path of the API"),
        ("{{ site", "its name template"),
    ] {
        let why = name_of(template, &About::example()).unwrap_err();
        assert!(why.contains(said), "{template}: {why}");
    }
    assert_eq!(
        name_of("{{ site }}-{{ rack }}-u{{ unit }}", &About::example()).unwrap().as_str(),
        "dc1-r1-u12"
    );
}

#[test]
fn an_expected_machine_gets_what_is_declared_of_it() {
    for marks in [json!({"serial": " ABC1 "}), json!({"macs": ["52:54:00:00:00:02"]})] {
        let mut inventory = Inventory::default();
        let id = seen(&mut inventory);
        rule(&mut inventory, "all", json!({}));
        let mut spec = json!({"rack": "r1", "unit": 12, "class": "big", "accept": true});
        spec.as_object_mut().unwrap().extend(marks.as_object().unwrap().clone());
        expected(&mut inventory, "n1", spec);
        let decision = decide(&inventory, id);
        assert!(matches!(decision, Decision::Expected { accept: true, .. }), "{decision:?}");
        let (_, taking) = taken(decision);
        assert_eq!((taking.name.as_str(), taking.labels.get("role")), ("n1", Some("worker")));
        assert_eq!(
            (taking.spec.rack.as_deref(), taking.spec.unit, taking.spec.class),
            (Some("r1"), Some(12), Some(name("big")))
        );
        assert!(
            taking.spec.macs.contains(&"52:54:00:00:00:01".parse().unwrap()),
            "it keeps what it boots from"
        );
        assert_eq!(Everybody::of(&inventory).missing().count(), 0);
    }
}

#[test]
fn what_is_expected_and_not_there_is_missing() {
    let mut inventory = Inventory::default();
    seen(&mut inventory);
    expected(&mut inventory, "n1", json!({"serial": "ABC1"}));
    expected(&mut inventory, "n2", json!({"serial": "ABC2"}));
    let everybody = Everybody::of(&inventory);
    let missing: Vec<&str> = everybody.missing().map(|(name, _)| name.as_str()).collect();
    assert_eq!(missing, ["n2"]);
}

#[test]
fn two_that_say_the_same_are_doubles_and_neither_is_accepted() {
    let mut inventory = Inventory::default();
    let id = seen(&mut inventory);
    rule(&mut inventory, "all", json!({}));
    expected(&mut inventory, "n1", json!({"serial": "ABC1", "accept": true}));
    let facts = json!({"version": 1, "system": {"serial": "ABC1"}});
    let other =
        put(&mut inventory, 2, "m-2", json!({"macs": ["52:54:00:00:00:09"]}), Some(facts), Stage::Discovered);
    assert_eq!(waits(decide(&inventory, id)), "machine m-2 has serial number ABC1 as well");
    assert_eq!(waits(decide(&inventory, other)), "machine m-525400000001 has serial number ABC1 as well");
    let mut retired = Machine::clone(inventory.machine(other).unwrap());
    retired.stage = Stage::Retired;
    inventory.put(Arc::new(retired));
    assert_eq!(
        taken(decide(&inventory, id)).0,
        "n1",
        "what is out of service may have given its board to this one"
    );
}

#[test]
fn a_bmc_is_never_taken_for_a_machine() {
    let mut inventory = Inventory::default();
    let id = seen(&mut inventory);
    rule(&mut inventory, "all", json!({}));
    expected(&mut inventory, "n1", json!({"serial": "zzz", "bmcMac": "52:54:00:00:00:01"}));
    assert_eq!(waits(decide(&inventory, id)), "its MAC is that of the BMC of n1, which is expected");
}

#[test]
fn a_machine_that_has_not_reported_waits_for_its_facts() {
    let mut inventory = Inventory::default();
    rule(&mut inventory, "all", json!({}));
    let id = put(&mut inventory, 1, "m-1", json!({"macs": ["52:54:00:00:00:01"]}), None, Stage::Discovered);
    assert_eq!(waits(decide(&inventory, id)), "its agent has not reported yet");
}

#[test]
fn a_name_that_another_machine_has_keeps_an_expected_one_waiting() {
    let mut inventory = Inventory::default();
    let id = seen(&mut inventory);
    put(&mut inventory, 7, "n1", json!({"macs": ["52:54:00:00:00:77"]}), None, Stage::Ready);
    expected(&mut inventory, "n1", json!({"serial": "ABC1", "accept": true}));
    assert_eq!(
        waits(decide(&inventory, id)),
        "it is expected as n1, and there is another machine of that name, ready"
    );
    let everybody = Everybody::of(&inventory);
    let taking = everybody.by_hand(inventory.machine(id).unwrap());
    assert_eq!(taking.name.as_str(), "m-525400000001", "an operator accepts it under the name that it has");
}

#[test]
fn what_is_told_of_one_machine_stays_short() {
    let mut inventory = Inventory::default();
    let id = seen(&mut inventory);
    for number in 0..40 {
        rule(&mut inventory, &format!("r{number}"), json!({"match": {"vendor": "Dell*"}}));
    }
    let Decision::Waits { why } = decide(&inventory, id) else { panic!("no rule takes it") };
    assert_eq!((why.len(), why.last().unwrap().as_str()), (MOST_RULES + 1, "nor do 32 more rules"));
    let facts = json!({"version": 1, "system": {"serial": " ABC1 "}});
    for number in 10..30 {
        put(&mut inventory, number, &format!("n{number}"), json!({}), Some(facts.clone()), Stage::Ready);
    }
    let Decision::Waits { why } = decide(&inventory, id) else { panic!("it is one of many") };
    assert_eq!(why.len(), MOST_DOUBLES + 1);
    assert_eq!(why[0], "machine n10 has serial number ABC1 as well");
    assert_eq!(why.last().unwrap(), "15 more have something of its as well");
}

#[test]
fn the_interface_to_a_bmc_makes_no_doubles() {
    let mut inventory = Inventory::default();
    let facts = |driver: &str| json!({"version": 1, "nics": [{"name": "usb0", "mac": "06:00:00:00:00:01", "driver": driver}]});
    let id = put(&mut inventory, 1, "n1", json!({}), Some(facts("cdc_ether")), Stage::Ready);
    put(&mut inventory, 2, "n2", json!({}), Some(facts("cdc_ether")), Stage::Ready);
    assert!(!Everybody::of(&inventory).has_doubles(inventory.machine(id).unwrap()));
    put(&mut inventory, 1, "n1", json!({}), Some(facts("mlx5_core")), Stage::Ready);
    put(&mut inventory, 2, "n2", json!({}), Some(facts("mlx5_core")), Stage::Ready);
    assert!(Everybody::of(&inventory).has_doubles(inventory.machine(id).unwrap()));
    inventory.remove(inventory.machine_named("n2").unwrap().id);
    assert!(!Everybody::of(&inventory).has_doubles(inventory.machine(id).unwrap()));
}

proptest! {
    /// Whatever a machine says of itself, its name is one, and nothing of it gets into another name than its own.
    #[test]
    fn hostile_facts_make_a_name_or_a_reason(serial in "\\PC{0,200}", vendor in ".{0,40}", model in ".{0,40}") {
        let mut inventory = Inventory::default();
        rule(&mut inventory, "all", json!({"name": "{{ site }}-{{ vendor }}-{{ model }}-{{ serial }}"}));
        let facts = json!({"version": 1, "system": {"serial": serial, "vendor": vendor, "product": model}});
        let id = put(&mut inventory, 1, "m-1", json!({"macs": ["52:54:00:00:00:01"]}), Some(facts), Stage::Discovered);
        match decide(&inventory, id) {
            Decision::Rule { taking, .. } => {
                prop_assert!(taking.name.as_str().starts_with("dc1"));
                prop_assert!(taking.name.as_str().chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            }
            Decision::Waits { why } => prop_assert_eq!(why.len(), 1),
            other => prop_assert!(false, "nobody is expected: {:?}", other),
        }
    }
}

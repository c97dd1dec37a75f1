use super::*;
use crate::domain::{
    document::{Spec, understand},
    inventory::Declared,
    machine::Machine,
    stage::{Revision, Stage},
};
use pilotlight_types::{MachineId, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

/// What is declared by these documents, with every machine accepted.
fn inventory(documents: &[Value]) -> Inventory {
    fn declared<T>(labels: pilotlight_types::resource::Labels, spec: T) -> Declared<T> {
        Declared { labels, spec: Arc::new(spec), revision: 1, updated: Timestamp::default() }
    }
    let mut inventory = Inventory::default();
    for (index, one) in understand(documents).unwrap().into_iter().enumerate() {
        let (name, labels) = (one.name, one.labels);
        match one.spec {
            Spec::Role(spec) => drop(inventory.roles.insert(name, declared(labels, spec))),
            Spec::Firmware(spec) => drop(inventory.firmware.insert(name, declared(labels, spec))),
            Spec::Subnet(spec) => drop(inventory.subnets.insert(name, declared(labels, spec))),
            Spec::Image(spec) => drop(inventory.images.insert(name, declared(labels, spec))),
            Spec::Profile(spec) => drop(inventory.profiles.insert(name, declared(labels, spec))),
            Spec::Group(spec) => inventory.groups.insert(name, declared(labels, spec)),
            Spec::Webhook(spec) => drop(inventory.webhooks.insert(name, declared(labels, spec))),
            Spec::HardwareClass(spec) => drop(inventory.classes.insert(name, declared(labels, spec))),
            Spec::ExpectedMachine(spec) => inventory.expected.insert(name, declared(labels, spec)),
            Spec::AcceptRule(spec) => drop(inventory.accept_rules.insert(name, declared(labels, spec))),
            Spec::Machine(spec) => {
                let id = MachineId::new(Timestamp::default(), [u8::try_from(index).unwrap(); 10]);
                let machine = Machine::new(id, name, labels, spec, Stage::Ready, Timestamp::default());
                inventory.put(Arc::new(machine));
            }
        }
    }
    inventory
}

pub(super) fn document(kind: Kind, name: &str, spec: &Value) -> Value {
    json!({"kind": kind, "name": name, "spec": spec})
}

/// Where the resource of that name is wrong, and what is said of it.
fn errors(inventory: &Inventory, kind: Kind, name: &str) -> Vec<(String, String)> {
    let found = check(inventory, [(kind, &name.parse().unwrap())]).remove(0);
    found.errors.into_iter().map(|e| (e.path, e.detail)).collect()
}

/// Checks `spec` beside `others`: it must be wrong in this one place, in these words.
pub(super) fn wrong(others: &[Value], kind: Kind, spec: &Value, path: &str, words: &str) {
    let mut all = others.to_vec();
    all.push(document(kind, "this", spec));
    let found = errors(&inventory(&all), kind, "this");
    assert!(
        matches!(&*found, [(at, detail)] if at == path && detail.contains(words)),
        "{spec}: expected {words:?} at {path}, found {found:?}"
    );
}

pub(super) fn right(others: &[Value], kind: Kind, spec: &Value) -> Vec<String> {
    let mut all = others.to_vec();
    all.push(document(kind, "this", spec));
    let found = check(&inventory(&all), [(kind, &"this".parse().unwrap())]).remove(0);
    assert_eq!(found.errors, [], "{spec}");
    found.warnings
}

pub(super) fn subnet(with: &Value) -> Value {
    let mut spec =
        json!({"cidr": "10.77.0.0/24", "mode": "authoritative", "ranges": ["10.77.0.100-10.77.0.200"]});
    spec.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    spec
}

fn file(url: &str) -> Value {
    json!({"url": url, "sha256": "0".repeat(64)})
}

fn image(with: &Value) -> Value {
    let mut spec = json!({
        "os": "fedora-coreos", "arch": "x86_64", "version": "1",
        "kernel": file("/k"), "initrd": [file("/i")], "rootfs": file("https://images.example/rootfs"),
    });
    spec.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    spec
}

fn profile(with: &Value) -> Value {
    let mut spec = json!({"image": "os", "boot": "live"});
    spec.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    spec
}

fn one_image() -> Value {
    document(Kind::Image, "os", &image(&json!({})))
}

#[test]
fn a_subnet_that_makes_sense_is_taken() {
    assert!(
        right(&[], Kind::Subnet, &subnet(&json!({"gateway": "10.77.0.1", "domain": "rack-a.example"})))
            .is_empty()
    );
    let beside = document(Kind::Subnet, "other", &json!({"cidr": "10.77.1.0/24", "mode": "authoritative"}));
    assert!(right(&[beside], Kind::Subnet, &subnet(&json!({}))).is_empty());
}

#[test]
fn a_subnet_that_makes_none_is_refused_at_the_place() {
    let ranges = |ranges: &[&str]| subnet(&json!({"ranges": ranges}));
    for (spec, path, words) in [
        (subnet(&json!({"cidr": "10.77.0.1/24"})), "spec.cidr", "the network is 10.77.0.0/24"),
        (json!({"cidr": "10.0.0.0/7", "mode": "authoritative"}), "spec.cidr", "8 to 30"),
        (json!({"cidr": "10.77.0.0/31", "mode": "authoritative"}), "spec.cidr", "8 to 30"),
        (ranges(&["10.77.1.1-10.77.1.9"]), "spec.ranges[0]", "is not inside 10.77.0.0/24"),
        (ranges(&["10.77.0.250-10.77.1.9"]), "spec.ranges[0]", "is not inside"),
        (ranges(&["10.77.0.5", "10.77.0.200-10.77.0.255"]), "spec.ranges[1]", "broadcast"),
        (ranges(&["10.77.0.0-10.77.0.5"]), "spec.ranges[0]", "network's own"),
        (
            ranges(&["10.77.0.5-10.77.0.9", "10.77.0.9-10.77.0.12"]),
            "spec.ranges[1]",
            "overlaps 10.77.0.5-10.77.0.9",
        ),
        (subnet(&json!({"gateway": "10.78.0.1"})), "spec.gateway", "10.78.0.1 is not inside"),
        (subnet(&json!({"lease": "59s"})), "spec.lease", "60s to 7d"),
        (subnet(&json!({"lease": "8d"})), "spec.lease", "60s to 7d"),
        (subnet(&json!({"domain": "a b"})), "spec.domain", "domain name"),
    ] {
        wrong(&[], Kind::Subnet, &spec, path, words);
    }
}

#[test]
fn two_subnets_do_not_overlap() {
    for other in ["10.77.0.0/16", "10.77.0.64/26", "10.77.0.0/24"] {
        let other = document(Kind::Subnet, "other", &json!({"cidr": other, "mode": "ignore"}));
        wrong(&[other], Kind::Subnet, &subnet(&json!({})), "spec.cidr", "of subnet other");
    }
}

#[test]
fn an_image_is_complete_and_of_an_architecture_that_boots() {
    for (with, path, words) in [
        (json!({"initrd": []}), "spec.initrd", "at least one"),
        (json!({"arch": "riscv64"}), "spec.arch", "`riscv64` cannot be booted yet"),
        (json!({"version": ""}), "spec.version", "up to 100"),
        (json!({"version": "1\n2"}), "spec.version", "printable"),
        (json!({"kernel": file("ftp://k")}), "spec.kernel.url", "https://"),
        (json!({"initrd": [file("/i"), file("relative/path")]}), "spec.initrd[1].url", "absolute path"),
        (json!({"rootfs": file("/a\u{7}b")}), "spec.rootfs.url", "absolute path"),
    ] {
        wrong(&[], Kind::Image, &image(&with), path, words);
    }
    let mut without = image(&json!({}));
    without.as_object_mut().unwrap().remove("rootfs");
    assert!(right(&[], Kind::Image, &without)[0].contains("must hold the root file system"));
}

#[test]
fn a_profile_names_what_is_there() {
    let base = document(Kind::Profile, "base", &json!({"boot": "local"}));
    let discovery = document(Kind::Profile, "seen", &profile(&json!({"boot": "discovery"})));
    let others = [one_image(), base, discovery];
    right(&others, Kind::Profile, &profile(&json!({"layers": ["base"], "kernelArgs": ["console=ttyS0"]})));
    right(&others, Kind::Profile, &json!({"boot": "local"}));
    for (spec, path, words) in [
        (profile(&json!({"image": "none"})), "spec.image", "there is no image none"),
        (json!({"boot": "live"}), "spec.image", "names an image"),
        (
            profile(&json!({"boot": "discovery"})),
            "spec.boot",
            "profile seen is the discovery profile already",
        ),
        (profile(&json!({"kernelArgs": ["a", "b c"]})), "spec.kernelArgs[1]", "` `"),
        (profile(&json!({"kernelArgs": ["a${b}"]})), "spec.kernelArgs[0]", "`$`"),
        (profile(&json!({"layers": ["base", "none"]})), "spec.layers[1]", "there is no profile none"),
        (profile(&json!({"layers": ["this"]})), "spec.layers[0]", "this has this among its own layers"),
    ] {
        wrong(&others, Kind::Profile, &spec, path, words);
    }
}

#[test]
fn layers_do_not_go_round_in_circles() {
    let layer =
        |name: &str, below: &str| document(Kind::Profile, name, &json!({"boot": "local", "layers": [below]}));
    let others = [layer("a", "b"), layer("b", "this")];
    let spec = json!({"boot": "local", "layers": ["a"]});
    wrong(&others, Kind::Profile, &spec, "spec.layers[0]", "a has this among its own layers");
    // One that only comes by a circle of others is not their judge, and does not hang in it.
    let circle = [layer("a", "b"), layer("b", "a")];
    let found = errors(
        &inventory(&[&circle[..], &[document(Kind::Profile, "this", &spec)]].concat()),
        Kind::Profile,
        "this",
    );
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_config_is_wrong_at_its_line() {
    let butane = "variant: fcos\nversion: 1.5.0\nstorage:\n  fiels: []\n";
    let broken = document(Kind::Profile, "this", &profile(&json!({"butane": butane})));
    let found =
        check(&inventory(&[one_image(), broken]), [(Kind::Profile, &"this".parse().unwrap())]).remove(0);
    assert_eq!(found.errors[0].path, "spec.butane");
    assert_eq!(found.errors[0].position.map(|(line, _)| line), Some(4), "{found:?}");
    let both = profile(&json!({"butane": "variant: fcos\nversion: 1.5.0\n", "ignition": {}}));
    wrong(&[one_image()], Kind::Profile, &both, "spec.ignition", "not both");
}

#[test]
fn a_template_is_tried_with_what_each_group_gives_it() {
    let text = "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /etc/zone\n      contents: {inline: \"{{ vars.zone }}\"}\n";
    let workers = |variables: Value| {
        document(
            Kind::Group,
            "workers",
            &json!({"match": {"labels": {"a": "b"}}, "profile": "this", "variables": variables}),
        )
    };
    let spec = profile(&json!({"butane": text}));
    right(&[one_image(), workers(json!({"zone": "a"}))], Kind::Profile, &spec);
    wrong(&[one_image(), workers(json!({"zoen": "a"}))], Kind::Profile, &spec, "spec.butane", "template");
    let all = [one_image(), document(Kind::Profile, "this", &spec), workers(json!({}))];
    let found = errors(&inventory(&all), Kind::Group, "workers");
    assert!(
        matches!(&*found, [(path, detail)] if path == "spec.variables" && detail.contains("this: spec.butane")),
        "{found:?}"
    );
    wrong(&[], Kind::Group, &json!({"profile": "none"}), "spec.profile", "there is no profile none");
}

#[test]
fn a_machine_is_told_from_every_other() {
    let net = document(Kind::Subnet, "net", &subnet(&json!({"gateway": "10.77.0.1"})));
    let uuid = "4c4c4544-0044-4810-8031-c4c04f4a3132";
    let n2 = document(
        Kind::Machine,
        "n2",
        &json!({"macs": ["52:54:00:00:00:02"], "uuid": uuid, "serial": "8F2A", "ip": "10.77.0.20"}),
    );
    let others = [net, n2];
    right(&others, Kind::Machine, &json!({"macs": ["52:54:00:00:00:01"], "ip": "10.77.0.21"}));
    right(&others, Kind::Machine, &json!({"uuid": "4c4c4544-0044-4810-8031-c4c04f4a3133"}));
    right(&others, Kind::Machine, &json!({"serial": "8F2B"}));
    let mac = |with: Value| {
        let mut spec = json!({"macs": ["52:54:00:00:00:01"]});
        spec.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        spec
    };
    for (spec, path, words) in [
        (json!({}), "spec.macs", "one of them is needed"),
        (json!({"macs": ["01:00:5e:00:00:01"]}), "spec.macs[0]", "no host's address"),
        (json!({"macs": ["52:54:00:00:00:01", "52-54-00-00-00-01"]}), "spec.macs[1]", "here twice"),
        (json!({"macs": ["52:54:00:00:00:02"]}), "spec.macs[0]", "is machine n2's already"),
        (mac(json!({"uuid": uuid})), "spec.uuid", "is machine n2's already"),
        (mac(json!({"ip": "10.77.0.20"})), "spec.ip", "is machine n2's already"),
        (mac(json!({"ip": "10.78.0.20"})), "spec.ip", "in no subnet"),
        (mac(json!({"ip": "10.77.0.1"})), "spec.ip", "gateway"),
        (mac(json!({"ip": "10.77.0.255"})), "spec.ip", "broadcast"),
        (mac(json!({"serial": ""})), "spec.serial", "printable"),
        (mac(json!({"serial": " 8f2a"})), "spec.serial", "is machine n2's already"),
        (json!({"uuid": "44454c4c-4400-1048-8031-c4c04f4a3132"}), "spec.uuid", "is machine n2's already"),
        (json!({"serial": "To Be Filled By O.E.M."}), "spec.serial", "none is known by it"),
        (json!({"uuid": "03000200-0400-0500-0006-000700080009"}), "spec.uuid", "none is known by it"),
        (mac(json!({"rack": "r\u{1b}1"})), "spec.rack", "printable"),
    ] {
        wrong(&others, Kind::Machine, &spec, path, words);
    }
}

#[test]
fn every_one_of_several_machines_that_share_something_is_told_of_another() {
    let machine = |name: &str, spec: Value| document(Kind::Machine, name, &spec);
    let shared = json!({"macs": ["52:54:00:00:00:09"]});
    let all = inventory(&[
        machine("a", shared.clone()),
        machine("b", json!({"macs": ["52:54:00:00:00:01"]})),
        machine("c", shared.clone()),
        machine("d", shared),
    ]);
    let names = ["a", "b", "c", "d"].map(|name| name.parse().unwrap());
    let found = check(&all, names.iter().map(|name| (Kind::Machine, name)));
    let told: Vec<_> =
        found.iter().map(|found| found.errors.first().map(|error| error.detail.as_str())).collect();
    let clash = |other| Some(format!("52:54:00:00:00:09 is machine {other}'s already"));
    assert_eq!(
        told,
        [clash("c"), None, clash("a"), clash("a")].iter().map(|c| c.as_deref()).collect::<Vec<_>>()
    );
}

#[test]
fn an_identity_that_helps_nobody_is_warned_of() {
    let n1 = json!({"macs": ["52:54:00:00:00:01"], "uuid": "03000200-0400-0500-0006-000700080009", "serial": "None"});
    let n2 = json!({"macs": ["52:54:00:00:00:02"], "serial": "none"});
    let quiet = subnet(&json!({"unknown": "ignore"}));
    let all = inventory(&[
        document(Kind::Subnet, "quiet", &quiet),
        document(Kind::Machine, "n1", &n1),
        document(Kind::Machine, "n2", &n2),
        document(Kind::Machine, "n3", &json!({"serial": "8F2A"})),
    ]);
    let found = |name: &str| check(&all, [(Kind::Machine, &name.parse().unwrap())]).remove(0);
    assert_eq!((found("n1").errors, found("n2").errors), (vec![], vec![]), "what many have is nobody's");
    let places: Vec<bool> = found("n1").warnings.iter().map(|w| w.contains("none is known by it")).collect();
    assert_eq!(places, [true, true], "{:?}", found("n1").warnings);
    let warned = found("n3").warnings;
    assert!(matches!(&*warned, [one] if one.contains("subnet quiet, which ignores")), "{warned:?}");
}

#[test]
fn what_others_need_stays() {
    let name = |text: &str| text.parse::<Name>().unwrap();
    let mut all = inventory(&[
        one_image(),
        document(Kind::Profile, "base", &json!({"boot": "local"})),
        document(Kind::Profile, "worker", &profile(&json!({"layers": ["base"]}))),
        document(Kind::Profile, "old", &json!({"boot": "local"})),
        document(Kind::Group, "workers", &json!({"profile": "worker"})),
        document(Kind::Machine, "n1", &json!({"macs": ["52:54:00:00:00:01"]})),
    ]);
    let armed = all.machine_named("n1").map(|machine| Machine {
        stage: Stage::Active(Revision { profile: name("old"), revision: 1 }),
        ..Machine::clone(machine)
    });
    all.put(Arc::new(armed.unwrap()));
    for (kind, which, why) in [
        (Kind::Image, "os", Some("profile worker boots it")),
        (Kind::Profile, "base", Some("it is a layer of profile worker")),
        (Kind::Profile, "worker", Some("group workers gives it to its machines")),
        (Kind::Profile, "old", Some("machine n1 is armed for it")),
        (Kind::Group, "workers", None),
        (Kind::Machine, "n1", None),
    ] {
        assert_eq!(needed_by(&all, kind, &name(which)).as_deref(), why, "{kind} {which}");
    }
}

proptest! {
    /// Whatever ranges a subnet has: they are refused, or none holds an address twice or one that is not to be had.
    #[test]
    fn ranges_that_pass_are_apart_and_inside(ends in prop::collection::vec((0u32..300, 0u32..300), 0..4)) {
        let base = u32::from(std::net::Ipv4Addr::new(10, 77, 0, 0));
        let ranges: Vec<String> = ends.iter()
            .map(|(a, b)| (a.min(b), a.max(b)))
            .map(|(a, b)| format!("{}-{}", std::net::Ipv4Addr::from(base + a), std::net::Ipv4Addr::from(base + b)))
            .collect();
        let all = inventory(&[document(Kind::Subnet, "this", &subnet(&json!({"ranges": ranges})))]);
        if errors(&all, Kind::Subnet, "this").is_empty() {
            let mut seen = std::collections::HashSet::new();
            for (a, b) in ends {
                for address in a.min(b)..=a.max(b) {
                    prop_assert!(seen.insert(address) && (1..255).contains(&address));
                }
            }
        }
    }
}

//! Random sites and random changes: the machines that a plan lists are those whose boots differ once it is applied, no more and no less.
//! Every boot is rendered in full for that, before and after, by what serves boots.
use super::{machines, prune};
use crate::{
    dhcp::{answers, firmware, system},
    rig::{Engine, OURS, Rig, mac, operator, seen_as},
};
use pilotlight::{
    dhcp::{
        listener::{Arrival, Role},
        wire::{MessageType, Reply},
    },
    domain::{attempt, boot::Plan, inventory::Inventory},
    service::changes::Options,
};
use pilotlight_types::{BootId, Timestamp, api};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddrV4},
};

/// What a site is made of: small numbers, each of which turns one thing.
type Knobs = [u8; KNOBS];
const KNOBS: usize = 40;
const MACHINES: usize = 6;

fn address(machine: usize) -> String {
    format!("52:54:00:00:00:{:02}", machine + 1)
}

/// The site that the knobs describe.
fn documents(rig: &Rig, knobs: &Knobs) -> Vec<Value> {
    let of = |index: usize, many: u8| knobs[index] % many;
    fn pick<'a>(all: &[&'a str], knob: u8) -> &'a str {
        all[usize::from(knob) % all.len()]
    }
    let one = |all: &[&'static str], index: usize| pick(all, knobs[index]);
    let some = |index: usize, many: u8, make: &dyn Fn(u8) -> Value| {
        if of(index, many) == 0 { Value::Null } else { make(of(index, many)) }
    };
    let file = |name: &str| rig.documents()[1]["spec"][name].clone();
    let subnet = |name: &str, net: u8, at: usize| {
        let unknown = one(&["ignore", "discover", "discover"], at);
        json!({"kind": "Subnet", "name": name, "spec": {"cidr": format!("10.{net}.0.0/24"),
            "mode": one(&["authoritative", "authoritative", "proxy"], at + 1),
            "ranges": [format!("10.{net}.0.100-10.{net}.0.150")], "unknown": unknown,
            "gateway": some(at + 2, 3, &|n| json!(format!("10.{net}.0.{}", 250 + n))),
            "lease": one(&["1h", "2h"], at + 3),
            "options": some(at + 4, 2, &|n| json!({"42": format!("10.0.0.{n}")})).as_object().cloned().unwrap_or_default()}})
    };
    let image = |name: &str, at: usize| {
        let initrd = if of(at, 2) == 0 { file("initrd") } else { json!([file("rootfs")]) };
        json!({"kind": "Image", "name": name, "spec": {"os": one(&["fedora-coreos", "flatcar"], at + 1),
            "arch": "x86_64", "version": "1", "kernel": file("kernel"), "initrd": initrd, "rootfs": file("rootfs")}})
    };
    let butane = |path: &str, text: &str| {
        format!(
            "variant: fcos\nversion: 1.4.0\nstorage:\n  files: [{{path: {path}, contents: {{inline: \"{text}\"}}}}]\n"
        )
    };
    let texts = [
        "fixed",
        "{{ machine.name }}",
        "{{ vars.zone | default('none') }}",
        "{{ machine.rack | default('none', true) }}",
        "{{ subnet.name }} {{ machine.ip | default('none', true) }}",
    ];
    let profile = |name: &str, boot: &str, layers: Value, at: usize| {
        let image = if boot == "local" { Value::Null } else { json!(one(&["one", "two"], at)) };
        let arguments = [
            "console=ttyS0",
            "zone={{ vars.zone | default('x') }}",
            "rack={{ machine.labels.rack | default('x') }}",
        ];
        json!({"kind": "Profile", "name": name, "labels": {"n": of(at + 3, 2).to_string()}, "spec": {"boot": boot, "image": image,
            "layers": layers, "kernelArgs": [one(&arguments, at + 1)],
            "butane": butane(&format!("/etc/{name}"), one(&texts, at + 2))}})
    };
    let stacked =
        |at: usize| [json!([]), json!(["base"]), json!(["base", "extra"])][usize::from(of(at, 3))].clone();
    let group = |name: &str, labels: Value, at: usize| {
        json!({"kind": "Group", "name": name, "spec": {"match": {"labels": labels},
            "profile": one(&["worker", "storage"], at), "priority": of(at + 1, 2),
            "variables": some(at + 2, 3, &|n| json!({"zone": n.to_string()})).as_object().cloned().unwrap_or_default(),
            "options": some(at + 3, 2, &|n| json!({"26": 1400 + u16::from(n)})).as_object().cloned().unwrap_or_default()}})
    };
    let mut all = vec![
        subnet("a", 77, 0),
        subnet("b", 78, 5),
        image("one", 10),
        image("two", 12),
        profile("base", "local", json!([]), 14),
        profile("extra", "local", json!([]), 15),
        profile("worker", "live", stacked(18), 16),
        profile("storage", one(&["live", "local"], 19), stacked(20), 17),
        profile("seen", "discovery", stacked(18), 21),
        group("workers", json!({"role": "1"}), 22),
        group("racks", json!({"rack": "1"}), 24),
        group("both", json!({"role": "1", "rack": "1"}), 26),
    ];
    for number in 0..MACHINES {
        let at = 28 + 2 * number;
        // The last two are not always there.
        if number >= MACHINES - 2 && of(at + 1, 3) == 0 {
            continue;
        }
        let labels = json!({"role": (of(at, 4) / 2).to_string(), "rack": (of(at, 4) % 2).to_string()});
        let spec = json!({"macs": [address(number)], "rack": some(at, 3, &|n| json!(n.to_string())),
            "ip": some(at + 1, 3, &|n| json!(format!("10.{}.0.{}", 76 + n, 10 + number)))});
        all.push(json!({"kind": "Machine", "name": format!("n{number}"), "labels": labels, "spec": spec}));
    }
    for spec in all.iter_mut().filter_map(|document| document["spec"].as_object_mut()) {
        spec.retain(|_, value| !value.is_null());
    }
    all
}

/// Everything that the machine with this MAC gets that asks from there, from the daemon's own answers.
fn observed(rig: &Rig, inventory: &Inventory, address: &str, from: Ipv4Addr) -> Value {
    let answers = answers(rig);
    let arrival = Arrival {
        interface: "test".into(),
        local: OURS,
        from: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68),
        role: Role::Server,
    };
    let tell = |request| answers.preview(&request, &arrival, Some(from)).answered;
    let told = tell(firmware(MessageType::Discover, address));
    let system = tell(system(MessageType::Discover, address));
    let asked = rig.boots.answer(crate::rig::ipxe(address), from);
    let machine = asked.machine.clone();
    let own = machine.as_ref().and_then(|machine| machine.spec.ip);
    let said = |reply: Option<Reply>| {
        reply.map(|mut reply| {
            // An address of the ranges is whichever is free.
            reply.yiaddr = reply.yiaddr.filter(|given| own == Some(*given));
            format!("{reply:?}")
        })
    };
    let name = machine.as_ref().map_or_else(|| address.to_owned(), |machine| machine.name.to_string());
    let script = match &asked.decision.plan {
        Plan::Nothing { .. } => None,
        _ => Some(rig.delivery.preview(&asked, &name, OURS.into())),
    };
    let (mut config, mut files) = (None, Value::Null);
    if let (Plan::Boot { profile, image }, Some(machine)) = (&asked.decision.plan, &machine) {
        let id = BootId::new(Timestamp::default(), [7; 10]);
        let mut boot = attempt::new(id, &machine.name, mac(address), Timestamp::default());
        let [a, b, ..] = from.octets();
        boot.address = Some(IpAddr::V4(own.unwrap_or(Ipv4Addr::new(a, b, 0, 100))));
        let draft = rig.configs.draft(machine, &boot, profile, OURS.into());
        config = Some(draft.and_then(|draft| draft.masked()).map_err(|error| error.to_string()));
        files = json!(inventory.images.get(image).map(|image| &image.spec.initrd));
    }
    json!({"dhcp": said(told.reply), "system": said(system.reply), "outcome": told.outcome.name(), "plan": asked.decision.plan, "script": script,
        "config": config.map(|config| config.map_err(Value::from).unwrap_or_else(|error| error)), "files": files})
}

/// The interface of each machine, and from where it asks: from where it is reserved an address, afterwards or before; else it may be
/// anywhere.
fn places(before: &Inventory, wanted: &[Value]) -> BTreeMap<String, (String, Option<Ipv4Addr>)> {
    let was = before.machines().map(|m| (m.name.to_string(), (m.spec.macs[0].to_string(), m.spec.ip)));
    let mut places: BTreeMap<_, _> = was.collect();
    for document in wanted.iter().filter(|document| document["kind"] == "Machine") {
        let name = document["name"].as_str().unwrap().to_owned();
        let mac = document["spec"]["macs"][0].as_str().unwrap().to_owned();
        let own: Option<Ipv4Addr> = document["spec"]["ip"].as_str().map(|ip| ip.parse().unwrap());
        let from = own.or(places.get(&name).and_then(|place| place.1));
        places.insert(name, (mac, from));
    }
    places
}

fn inventory(rig: &Rig) -> Inventory {
    rig.roster.read(Clone::clone)
}

async fn story(start: Knobs, history: Vec<(usize, u8)>, change: Vec<(usize, u8)>, hands: Vec<(u8, usize)>) {
    let rig = Rig::new(Engine::Sqlite).await;
    let anyway = Options { allow_machines: Some(1000), ..prune("site") };
    let mut knobs = start;
    rig.changes.apply_with(&documents(&rig, &knobs), &anyway, &operator()).await.unwrap();
    rig.machines.discover(seen_as(mac("52:54:00:00:00:0a"), None), false).await.unwrap();
    // What there is has a past: machines are armed for older revisions, held, or out of service.
    for (index, value) in history {
        knobs[index] = value;
    }
    if rig.changes.apply_with(&documents(&rig, &knobs), &anyway, &operator()).await.is_err() {
        return;
    }
    for (what, number) in hands {
        let name = format!("n{number}");
        // Not every one is there, and not every stage takes it.
        drop(match what % 3 {
            0 => rig.machines.provision(&name, &operator()).await,
            1 => rig.machines.hold(&name, Some("look".into()), &operator()).await,
            _ => rig.machines.retire(&name, &operator()).await,
        });
    }
    for (index, value) in change {
        knobs[index] = value;
    }
    let wanted = documents(&rig, &knobs);
    let before = inventory(&rig);
    // A machine that is armed for a profile keeps it from going, and the like.
    let Ok(planned) = rig.changes.plan(&wanted, &anyway, &operator()).await else { return };

    let places = places(&before, &wanted);
    let look = |inventory: &Inventory| -> BTreeMap<&String, Value> {
        let anywhere = [Ipv4Addr::new(10, 77, 0, 0), Ipv4Addr::new(10, 78, 0, 0)];
        let seen = |(mac, from): &(String, Option<Ipv4Addr>)| {
            let from = from.map_or(anywhere.to_vec(), |from| vec![from]);
            from.into_iter().map(|from| observed(&rig, inventory, mac, from)).collect()
        };
        places.iter().map(|(name, place)| (name, seen(place))).collect()
    };
    let was = look(&before);
    let exactly = Options { expect_plan: Some(planned.hash.clone()), ..anyway };
    rig.changes.apply_with(&wanted, &exactly, &operator()).await.unwrap();
    let is = look(&inventory(&rig));
    let differ: Vec<&str> = places.keys().filter(|name| was[name] != is[name]).map(String::as_str).collect();
    let listed = machines(&planned.boots);
    if listed != differ {
        let odd = places
            .keys()
            .find(|name| listed.contains(&name.as_str()) != differ.contains(&name.as_str()))
            .unwrap();
        panic!(
            "listed {listed:?}, and {differ:?} differ; {odd} before:\n{:#}\nafter:\n{:#}\n{:#?}",
            was[odd], is[odd], planned.boots
        );
    }
    assert_eq!(planned.machines, listed.len());

    // What is said to differ once a machine is provisioned does.
    for name in machines(&planned.provision) {
        rig.machines.provision(name, &operator()).await.unwrap();
    }
    let then = look(&inventory(&rig));
    for name in machines(&planned.provision) {
        let name = &name.to_owned();
        assert_ne!(is[name], then[name], "{name}");
    }
    let again = rig.changes.plan(&wanted, &prune("site"), &operator()).await.unwrap();
    assert_eq!((again.changes, again.boots), (Vec::new(), Vec::<api::BootChange>::new()));
}

#[test]
fn a_plan_lists_exactly_the_machines_whose_boots_differ() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let knob = || (0..KNOBS, any::<u8>());
    let turns = |most: usize| prop::collection::vec(knob(), 0..most);
    let hands = prop::collection::vec((any::<u8>(), 0..MACHINES), 0..4);
    let cases = std::env::var("PLAN_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(48);
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    };
    proptest!(config, |(start in prop::array::uniform32(any::<u8>()), rest in prop::array::uniform8(any::<u8>()), history in turns(4), change in turns(4), hands in hands)| {
        let mut knobs = [0; KNOBS];
        knobs[..32].copy_from_slice(&start);
        knobs[32..].copy_from_slice(&rest);
        runtime.block_on(story(knobs, history, change, hands));
    });
}

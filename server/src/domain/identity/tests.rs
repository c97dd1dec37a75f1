use super::*;
use pilotlight_types::{
    MachineId, Timestamp,
    facts::{Nic, System},
    resource::{Labels, MachineSpec},
};
use proptest::prelude::*;
use serde_json::json;

use crate::domain::stage::Stage;

const U1: &str = "4c4c4544-0044-4810-8031-c4c04f4a3131";
const U2: &str = "4c4c4544-0044-4810-8031-c4c04f4a3132";
const U3: &str = "4c4c4544-0044-4810-8031-c4c04f4a3133";

fn mac(number: u8) -> Mac {
    Mac::new([0x52, 0x54, 0, 0, 0, number])
}

fn uuid(text: &str) -> Uuid {
    text.parse().unwrap()
}

fn machine(name: &str, spec: serde_json::Value, stage: Stage) -> Machine {
    let spec: MachineSpec = serde_json::from_value(spec).unwrap();
    let chance = name.bytes().last().unwrap();
    let id = MachineId::new(Timestamp::default(), [chance; 10]);
    Machine::new(id, name.parse().unwrap(), Labels::default(), spec, stage, Timestamp::default())
}

/// n1 with everything, n2 with a UUID and a serial number, n3 with a serial number, which booted from MAC 9 before; m-8 was only seen.
fn inventory() -> Inventory {
    let mut all = Inventory::default();
    let mut n3 = machine("n3", json!({"serial": "SER3"}), Stage::Ready);
    n3.learn(mac(9));
    for machine in [
        machine("n1", json!({"macs": [mac(1)], "uuid": U1, "serial": "SER1"}), Stage::Ready),
        machine("n2", json!({"uuid": U2, "serial": "SER2"}), Stage::Ready),
        n3,
        machine("m-8", json!({"macs": [mac(8)], "uuid": U3, "serial": "SER8"}), Stage::Discovered),
    ] {
        all.put(Arc::new(machine));
    }
    all
}

fn found(all: &Inventory, says: Says<'_>) -> Option<(String, By, Vec<String>)> {
    let found = all.who(says)?;
    let conflicts = found.conflicts.iter().map(ToString::to_string).collect();
    Some((found.machine.name.to_string(), found.by, conflicts))
}

#[test]
fn a_machine_is_found_by_any_of_its_macs_its_uuid_or_its_serial_number() {
    let all = inventory();
    let swapped = Uuid::from_bytes(uuid(U2).to_bytes_le());
    for (number, says_uuid, serial, name, by) in [
        (1, None, None, "n1", By::Mac),
        (1, Some(uuid(U1)), Some("SER1"), "n1", By::Mac),
        (5, Some(uuid(U2)), None, "n2", By::Uuid),
        (5, Some(swapped), None, "n2", By::Uuid),
        (5, Some(uuid(U2)), Some("SER2"), "n2", By::Uuid),
        (5, None, Some("SER2"), "n2", By::Serial),
        (5, None, Some("  ser3 "), "n3", By::Serial),
        (5, Some(uuid("03000200-0400-0500-0006-000700080009")), Some("SER3"), "n3", By::Serial),
        (9, None, None, "n3", By::LearnedMac),
        (9, None, Some("SER3"), "n3", By::Serial),
        (9, Some(uuid(U3)), None, "n3", By::LearnedMac),
        (8, None, None, "m-8", By::Mac),
        (5, None, Some("SER8"), "m-8", By::Serial),
    ] {
        let says = Says { mac: mac(number), uuid: says_uuid, serial };
        assert_eq!(found(&all, says), Some((name.into(), by, vec![])), "{says:?}");
    }
}

#[test]
fn what_many_machines_say_finds_none() {
    let mut all = Inventory::default();
    let junk = "03000200-0400-0500-0006-000700080009";
    let spec = json!({"macs": [mac(1)], "uuid": junk, "serial": "To Be Filled By O.E.M."});
    all.put(Arc::new(machine("n1", spec, Stage::Ready)));
    for serial in ["To Be Filled By O.E.M.", "", "0", "None", "Default string", "${serial:uristring}"] {
        let says = Says { mac: mac(5), uuid: Some(uuid(junk)), serial: Some(serial) };
        assert_eq!(found(&all, says), None, "{serial}");
        let says = Says { mac: mac(1), uuid: Some(uuid(junk)), serial: Some(serial) };
        assert_eq!(found(&all, says), Some(("n1".into(), By::Mac, vec![])), "nor does it speak against one");
    }
    let long = "S".repeat(LONGEST_SERIAL + 1);
    assert_eq!((serial_key(&long), serial_key("A\nB")), (None, None));
}

#[test]
fn a_mac_counts_before_a_uuid_and_a_uuid_before_a_serial_number_and_the_rest_is_told() {
    let all = inventory();
    let says = |number, uuid, serial| found(&all, Says { mac: mac(number), uuid, serial }).unwrap();
    let (name, by, conflicts) = says(1, Some(uuid(U2)), Some("SER3"));
    assert_eq!((name.as_str(), by), ("n1", By::Mac));
    assert_eq!(
        conflicts,
        [
            format!("it says UUID {U2}, which is machine n2's"),
            "it says serial SER3, which is machine n3's".into()
        ]
    );
    let (name, by, conflicts) = says(5, Some(uuid(U2)), Some("SER1"));
    assert_eq!((name.as_str(), by), ("n2", By::Uuid));
    assert_eq!(conflicts, ["it says serial SER1, which is machine n1's"]);
    // A new board in an old case.
    let (_, _, conflicts) = says(1, Some(uuid(U3)), Some("NEW"));
    let declared = [
        format!("it says UUID {U3}, and {U1} is declared"),
        "it says serial NEW, and SER1 is declared".into(),
    ];
    assert_eq!(conflicts, declared, "what is nobody's, or only seen elsewhere, is no other machine's");
}

#[test]
fn a_nic_that_moved_is_not_taken_for_its_former_machine() {
    let all = inventory();
    let stranger = Says { mac: mac(9), uuid: None, serial: Some("SER9") };
    assert_eq!(found(&all, stranger), None, "n3 is declared with another serial number");
    let n2 = Says { mac: mac(9), uuid: None, serial: Some("SER2") };
    assert_eq!(found(&all, n2).map(|(name, ..)| name), Some("n2".into()));
}

#[test]
fn what_was_only_seen_gives_way_to_what_was_declared() {
    let all = inventory();
    let says = Says { mac: mac(8), uuid: None, serial: Some("SER3") };
    let found = all.who(says).unwrap();
    assert_eq!((found.machine.name.as_str(), found.by), ("n3", By::Serial));
    assert_eq!(found.seen.map(|seen| seen.name.as_str()), Some("m-8"));
    assert_eq!(found.conflicts, [], "that is no conflict: it is the same machine");
}

#[test]
fn facts_that_are_another_machines_are_told() {
    let all = inventory();
    let n1 = all.machine_named("n1").unwrap().clone();
    let facts = |serial: &str, number| Facts {
        system: System { serial: Some(serial.into()), uuid: Some(uuid(U1)), ..System::default() },
        nics: vec![Nic {
            mac: mac(number),
            ..serde_json::from_value(json!({"name": "eth0", "mac": mac(1)})).unwrap()
        }],
        ..Facts::default()
    };
    assert_eq!(all.conflicts_of_facts(&n1, &facts("ser1", 5)), []);
    let n2 = all.machine_named("n2").unwrap().clone();
    let told: Vec<String> =
        all.conflicts_of_facts(&n2, &facts("SER3", 1)).iter().map(ToString::to_string).collect();
    let mac_told = format!("it says MAC {}, which is machine n1's", mac(1));
    let uuid_told = format!("it says UUID {U1}, which is machine n1's");
    assert_eq!(told, [mac_told, uuid_told, "it says serial SER3, which is machine n3's".into()]);
}

#[test]
fn only_so_many_macs_are_learned() {
    let mut one = machine("n1", json!({"macs": [mac(1)], "serial": "S1"}), Stage::Ready);
    for number in 0..20 {
        one.learn(mac(number));
        one.learn(mac(number));
    }
    assert_eq!(one.learned, (12..20).map(mac).collect::<Vec<_>>(), "the newest stay");
    assert!(one.macs().any(|known| known == mac(1)), "what was declared does not go");
}

fn identity() -> impl Strategy<Value = (Option<u8>, Option<u8>, Option<u8>, bool)> {
    let one = || prop::option::of(0..4u8);
    (one(), one(), one(), any::<bool>())
}

proptest! {
    /// Whatever is declared, learned and said: what is found has what it was found by, a declared MAC is never overruled, and putting
    /// machines in and taking them out leaves nothing behind.
    #[test]
    fn what_is_found_has_what_it_was_found_by(
        machines in prop::collection::vec(identity(), 0..6), learned in prop::collection::vec((0..6usize, 0..4u8), 0..6),
        number in 0..4u8, says_uuid in prop::option::of(0..4u8), serial in prop::option::of(0..4u8),
    ) {
        let board = |n: u8| Uuid::from_u128(0x4c4c_4544_0044_4810_8031_c4c0_4f4a_3100 + u128::from(n));
        let sticker = |n: u8| format!("SER{n}");
        let mut all = Inventory::default();
        let mut everything = Vec::new();
        for (index, (m, u, s, seen)) in machines.iter().enumerate() {
            let spec = json!({
                "macs": m.map(mac).into_iter().collect::<Vec<_>>(), "uuid": u.map(board), "serial": s.map(sticker),
            });
            let stage = if *seen { Stage::Discovered } else { Stage::Ready };
            let mut one = machine(&format!("x{index}"), spec, stage);
            learned.iter().filter(|(of, _)| *of == index).for_each(|(_, n)| one.learn(mac(*n)));
            everything.push(one.id);
            all.put(Arc::new(one));
        }
        let serial = serial.map(sticker);
        let says = Says { mac: mac(number), uuid: says_uuid.map(board), serial: serial.as_deref() };
        if let Some(found) = all.who(says) {
            let spec = &found.machine.spec;
            let has_it = match found.by {
                By::Mac => spec.macs.contains(&says.mac),
                By::Uuid => spec.uuid == says.uuid,
                By::Serial => spec.serial.as_deref() == says.serial,
                By::LearnedMac => found.machine.learned.contains(&says.mac),
            };
            prop_assert!(has_it);
            prop_assert!(found.conflicts.iter().all(|c| c.other.as_ref() != Some(&found.machine.name)));
            if let Some(owner) = all.by_mac(says.mac).filter(|owner| owner.is_vouched_for()) {
                prop_assert_eq!(owner.id, found.machine.id);
            }
        } else {
            prop_assert!(all.by_mac(says.mac).is_none());
        }
        everything.into_iter().for_each(|id| all.remove(id));
        prop_assert!(all.who(says).is_none());
        prop_assert!(all.by_learned_mac(says.mac).is_none());
    }
}

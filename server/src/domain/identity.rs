//! Who a machine is: what it says of itself, held against what was declared.
//!
//! A MAC is in every packet, a UUID in most, a serial number only in iPXE's request for its script; and any of them may have moved to
//! another machine with a board or a NIC. So the one that is declared counts before one that was learned, and the MAC before the
//! others: the answer is the same in each step of a boot. What speaks against that is told, and decides nothing.
use super::{inventory::Inventory, machine::Machine};
use pilotlight_types::{
    Mac,
    facts::Facts,
    identity::{is_filler, is_shared_uuid},
    resource::Name,
};
use serde::Serialize;
use std::{fmt, sync::Arc};
use uuid::Uuid;

/// The longest serial number that is looked at, in bytes.
pub const LONGEST_SERIAL: usize = 128;

/// What a machine says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Says<'a> {
    /// The interface that asks.
    pub mac: Mac,
    /// The SMBIOS UUID, where it says one.
    pub uuid: Option<Uuid>,
    /// The serial number, where it says one.
    pub serial: Option<&'a str>,
}

/// What a machine was found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A MAC that was declared; of a machine that was only seen so far, one that was seen.
    Mac,
    /// Its UUID.
    Uuid,
    /// Its serial number.
    Serial,
    /// A MAC that it booted from when it was known by something else.
    LearnedMac,
}

/// A machine that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<'a> {
    /// The machine.
    pub machine: &'a Arc<Machine>,
    /// What it was found by.
    pub by: By,
    /// What was recorded under this MAC while nobody knew which machine it is.
    pub seen: Option<&'a Arc<Machine>>,
    /// What speaks against it.
    pub conflicts: Vec<Conflict>,
}

/// Something that a machine says and that does not fit it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Conflict {
    /// `MAC`, `UUID` or `serial`.
    pub what: &'static str,
    /// What it says.
    pub says: String,
    /// The machine that this belongs to, if one has it.
    pub other: Option<Name>,
    /// What was declared instead, if that was.
    pub declared: Option<String>,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, says, other, declared } = self;
        write!(f, "it says {what} {says}")?;
        match (other, declared) {
            (Some(other), _) => write!(f, ", which is machine {other}'s"),
            (None, Some(declared)) => write!(f, ", and {declared} is declared"),
            (None, None) => Ok(()),
        }
    }
}

/// A serial number by which machines can be told apart, as it is compared: without blanks around it, in capitals. None where the
/// firmware says that nobody filled one in, and for what is none at all.
pub fn serial_key(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = text.len() <= LONGEST_SERIAL && !text.contains(char::is_control) && !text.contains("${");
    (fits && !is_filler(text)).then(|| text.to_uppercase())
}

/// A UUID by which machines can be told apart, as it is compared: some firmware says it with the bytes of its first three fields in
/// the other order, which is the same machine.
pub fn uuid_key(uuid: Uuid) -> Option<Uuid> {
    let swapped = Uuid::from_bytes(uuid.to_bytes_le());
    (!is_shared_uuid(uuid) && !is_shared_uuid(swapped)).then(|| uuid.min(swapped))
}

impl Inventory {
    /// Which machine this is. What was declared counts first: a MAC, then a UUID, then a serial number; then a MAC that was learned,
    /// unless the machine says a UUID or a serial number that is not the declared one; then what was only seen.
    pub fn who(&self, says: Says<'_>) -> Option<Found<'_>> {
        let by_mac = self.by_mac(says.mac);
        let by_uuid = says.uuid.and_then(uuid_key).and_then(|key| self.by_uuid(key));
        let by_serial = says.serial.and_then(serial_key).and_then(|key| self.by_serial(&key));
        let declared =
            |found: Option<&'_ Arc<Machine>>| found.is_some_and(|machine| machine.is_vouched_for());
        let learned = || self.by_learned_mac(says.mac).filter(|machine| !contradicts(machine, says));
        let (machine, by) = if declared(by_mac) {
            (by_mac?, By::Mac)
        } else if declared(by_uuid) {
            (by_uuid?, By::Uuid)
        } else if declared(by_serial) {
            (by_serial?, By::Serial)
        } else if let Some(machine) = learned() {
            (machine, By::LearnedMac)
        } else {
            let seen = [(by_mac, By::Mac), (by_uuid, By::Uuid), (by_serial, By::Serial)];
            seen.into_iter().find_map(|(machine, by)| Some((machine?, by)))?
        };
        let seen = by_mac.filter(|seen| seen.id != machine.id && !seen.is_vouched_for());
        let conflicts = self.conflicts(machine, says);
        Some(Found { machine, by, seen, conflicts })
    }

    /// What a machine says of itself that does not fit it.
    pub fn conflicts(&self, machine: &Machine, says: Says<'_>) -> Vec<Conflict> {
        self.misfits(machine, [says.mac], says.uuid, says.serial)
    }

    /// What an agent's report says of its machine that does not fit it.
    pub fn conflicts_of_facts(&self, machine: &Machine, facts: &Facts) -> Vec<Conflict> {
        let macs = facts.nics.iter().map(|nic| nic.mac);
        self.misfits(machine, macs, facts.system.uuid, facts.system.serial.as_deref())
    }

    /// What does not fit a machine: an identity of another machine's, or not the one that was declared.
    fn misfits(
        &self,
        machine: &Machine,
        macs: impl IntoIterator<Item = Mac>,
        uuid: Option<Uuid>,
        serial: Option<&str>,
    ) -> Vec<Conflict> {
        let mut found = Vec::new();
        if !machine.is_vouched_for() {
            return found;
        }
        let others = |other: Option<&Arc<Machine>>| {
            other.filter(|other| other.id != machine.id && other.is_vouched_for()).map(|m| m.name.clone())
        };
        for mac in macs {
            if let Some(other) = others(self.by_mac(mac)) {
                found.push(Conflict {
                    what: "MAC",
                    says: mac.to_string(),
                    other: Some(other),
                    declared: None,
                });
            }
        }
        if let Some((uuid, key)) = uuid.and_then(|uuid| Some((uuid, uuid_key(uuid)?))) {
            let other = others(self.by_uuid(key));
            let declared = machine.spec.uuid.filter(|own| uuid_key(*own).is_some_and(|own| own != key));
            if other.is_some() || declared.is_some() {
                let declared = declared.map(|uuid| uuid.to_string());
                found.push(Conflict { what: "UUID", says: uuid.to_string(), other, declared });
            }
        }
        if let Some((serial, key)) = serial.and_then(|serial| Some((serial, serial_key(serial)?))) {
            let other = others(self.by_serial(&key));
            let own = machine.spec.serial.as_ref();
            let declared = own.filter(|own| serial_key(own).is_some_and(|own| own != key)).cloned();
            if other.is_some() || declared.is_some() {
                found.push(Conflict { what: "serial", says: serial.trim().to_owned(), other, declared });
            }
        }
        found
    }
}

/// Whether a machine says something else of itself than was declared of it.
fn contradicts(machine: &Machine, says: Says<'_>) -> bool {
    let differs =
        |own: Option<String>, said: Option<String>| own.zip(said).is_some_and(|(own, said)| own != said);
    let uuid = |uuid: Option<Uuid>| uuid.and_then(uuid_key).map(|key| key.to_string());
    let serial = |serial: Option<&str>| serial.and_then(serial_key);
    differs(uuid(machine.spec.uuid), uuid(says.uuid))
        || differs(serial(machine.spec.serial.as_deref()), serial(says.serial))
}

#[cfg(test)]
mod tests;

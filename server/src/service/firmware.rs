//! What each machine's firmware is told of its boot program, and what it made of that: one that asks again without having come for
//! the program is told in another way.
use super::files::Files;
use crate::domain::{
    boot::BootRequest,
    firmware::{
        Client, Firmware,
        table::{Chosen, Table},
    },
    inventory::Inventory,
    machine::Machine,
};
use pilotlight_types::{
    Mac, Timestamp,
    resource::{ReplyStyle, SubnetSpec},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A question that comes sooner is the same one, by another way: relays copy.
const SAME_QUESTION: Duration = Duration::from_millis(800);

/// A question that comes later begins a new boot.
const NEW_BOOT: Duration = Duration::from_secs(300);

/// How many interfaces are remembered; of machines that are in the inventory only, so that no flood of made-up MACs fills it.
const MOST: usize = 65_536;

/// Chooses from the firmware table.
#[derive(Debug, Clone)]
pub struct FirmwareTable {
    files: Files,
    asking: Arc<Mutex<HashMap<Mac, Asking>>>,
}

/// An interface whose firmware asked lately.
#[derive(Debug, Clone)]
struct Asking {
    firmware: Firmware,
    at: Timestamp,
    attempt: usize,
    told: Option<ReplyStyle>,
    came: bool,
}

impl FirmwareTable {
    /// A table whose boot programs are these.
    pub fn new(files: Files) -> Self {
        Self { files, asking: Arc::default() }
    }

    /// What the table says to who asks.
    pub fn choose(
        &self,
        inventory: &Inventory,
        request: &BootRequest,
        machine: Option<&Machine>,
        subnet: Option<&SubnetSpec>,
    ) -> Option<Chosen> {
        let has = |program: &str| self.files.has(program);
        let table = Table { declared: &inventory.firmware, has: &has };
        let by_machine = machine.and_then(|machine| machine.spec.firmware.as_ref());
        let by_subnet = subnet.and_then(|subnet| subnet.firmware.as_ref());
        let named = [by_machine.map(|row| ("the machine", row)), by_subnet.map(|row| ("its subnet", row))];
        let attempt = self.lock().get(&request.mac).map_or(0, |asking| asking.attempt);
        table.choose(
            &request.firmware,
            request.mac,
            named,
            machine.and_then(|machine| machine.reply),
            attempt,
        )
    }

    /// Firmware looks for a server. If it was told of a boot program just before and has not come for it, it gets the next style.
    pub fn asks(&self, mac: Mac, firmware: &Firmware, now: Timestamp) {
        if !matches!(firmware.client, Client::Pxe | Client::HttpBoot) {
            return;
        }
        let mut asking = self.lock();
        let Some(entry) = asking.get_mut(&mac) else { return };
        let waited = now.since(entry.at);
        // One machine may ask in several ways, one after the other: that is not asking again.
        let same = entry.firmware.client == firmware.client && entry.firmware.code == firmware.code;
        if same && waited < SAME_QUESTION {
            return;
        }
        if entry.came || !same || waited > NEW_BOOT {
            asking.remove(&mac);
        } else if entry.told.take().is_some() {
            entry.attempt += 1;
            entry.at = now;
        }
    }

    /// It is being told of its boot program in this way. Only who is told is remembered: whoever just asks takes no place from others.
    pub fn told(&self, mac: Mac, firmware: &Firmware, reply: ReplyStyle, now: Timestamp) {
        let mut asking = self.lock();
        if let Some(entry) = asking.get_mut(&mac) {
            (entry.told, entry.at) = (Some(reply), now);
            return;
        }
        if asking.len() >= MOST {
            asking.retain(|_, asking| now.since(asking.at) < NEW_BOOT);
        }
        if asking.len() < MOST {
            let firmware = firmware.clone();
            asking.insert(mac, Asking { firmware, at: now, attempt: 0, told: Some(reply), came: false });
        }
    }

    /// It was answered by DHCPv6, which has no styles.
    pub fn met(&self, mac: Mac, firmware: &Firmware, now: Timestamp) {
        let mut asking = self.lock();
        if asking.len() < MOST && firmware.code.is_some() {
            let firmware = firmware.clone();
            asking.entry(mac).or_insert(Asking { firmware, at: now, attempt: 0, told: None, came: false });
        }
    }

    /// It came for its boot program.
    pub fn came(&self, mac: Mac) {
        if let Some(asking) = self.lock().get_mut(&mac) {
            asking.came = true;
        }
    }

    /// The style that it came after, where that was not the first that was tried.
    pub fn learned(&self, mac: Mac) -> Option<ReplyStyle> {
        self.lock()
            .get(&mac)
            .filter(|asking| asking.came && asking.attempt > 0)
            .and_then(|asking| asking.told)
    }

    /// The firmware that asked from this interface lately: iPXE's request for its script does not say what it runs on.
    pub fn of(&self, mac: Mac) -> Option<Firmware> {
        self.lock().get(&mac).map(|asking| asking.firmware.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Mac, Asking>> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

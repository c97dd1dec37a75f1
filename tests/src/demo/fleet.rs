//! The machines of the demo: what each is given, and how it is declared.

use std::fmt::Write;

use pilotlight_types::Mac;
use uuid::Uuid;

use crate::rack;
use crate::sim::{Disk, Firmware, Spec};

const GIB: u64 = 1 << 30;

/// A machine with its name.
#[derive(Debug, Clone)]
pub struct Member {
    /// As it is declared.
    pub name: String,
    /// What it is.
    pub spec: Spec,
}

/// `count` machines, UEFI and BIOS by turns.
pub fn fleet(count: u16) -> Vec<Member> {
    (1..=count)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            let mac = [0x52, 0x54, 0x00, 0x77, high, low];
            let uefi = number % 2 == 1;
            let serial = format!("PLD{number:04}");
            let disk = |letter: char, bytes| Disk { serial: format!("{serial}{letter}"), bytes };
            let spec = Spec {
                mac: Mac::new(mac),
                // Not symmetric: an order of bytes that is mixed up somewhere shows.
                uuid: Uuid::from_fields(
                    0x4c4c_4544,
                    0x0051,
                    0x3910,
                    &[0x80, 0x37, 0xb2, 0xc0, 0x4f, 0x4d, high, low],
                ),
                firmware: if uefi { Firmware::Uefi } else { Firmware::Bios },
                vendor: "Lamplight Systems".into(),
                product: if uefi { "Wick 210" } else { "Wick 110" }.into(),
                disks: vec![disk('A', 64 * GIB), disk('B', 16 * GIB)],
                serial,
                cpus: 1,
                memory_bytes: 768 << 20,
            };
            Member { name: format!("n{number}"), spec }
        })
        .collect()
}

/// The fleet as `pilotlight apply` takes it.
pub fn declared(fleet: &[Member]) -> String {
    let mut text = String::from("# Made by the demo: the machines that it powers on.\n");
    for (place, Member { name, spec }) in fleet.iter().enumerate() {
        let _ = write!(
            text,
            "---\nkind: Machine\nname: {name}\nlabels: {{role: demo}}\nspec:\n  macs: [\"{}\"]\n  uuid: {}\n  \
             serial: {}\n  rack: r{}\n  unit: {}\n",
            spec.mac,
            spec.uuid,
            spec.serial,
            place / 40 + 1,
            place % 40 + 1,
        );
    }
    text
}

impl Member {
    /// The firmware, in a word.
    pub fn firmware(&self) -> &'static str {
        match self.spec.firmware {
            Firmware::Bios => "BIOS",
            Firmware::Uefi => "UEFI",
        }
    }

    /// The same as a virtual machine.
    pub fn virtual_machine(&self, accel: rack::Accel) -> rack::Builder {
        let spec = &self.spec;
        let firmware = match spec.firmware {
            Firmware::Bios => rack::Firmware::Bios,
            Firmware::Uefi => rack::Firmware::Uefi,
        };
        let smbios = rack::Smbios {
            vendor: spec.vendor.clone(),
            product: spec.product.clone(),
            serial: spec.serial.clone(),
            uuid: spec.uuid,
        };
        let mebibytes = u32::try_from(spec.memory_bytes >> 20).unwrap_or(u32::MAX);
        let builder = rack::Machine::builder(&self.name, accel, firmware, spec.mac)
            .cpus(spec.cpus)
            .memory_mib(mebibytes)
            .smbios(smbios);
        let buses = [rack::DiskBus::Virtio, rack::DiskBus::Nvme];
        spec.disks.iter().zip(buses).fold(builder, |builder, (disk, bus)| {
            builder.disk(rack::Disk { bus, serial: disk.serial.clone(), bytes: disk.bytes })
        })
    }
}

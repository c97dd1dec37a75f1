//! What a simulated machine says of itself: the packets of firmware and of iPXE, with the options that were seen of each.
use crate::dhcp::wire::options::{code, write};
use clap::ValueEnum;
use pilotlight_types::Mac;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// What a machine is run by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Firmware {
    /// A PXE ROM of a BIOS
    Bios,
    /// 32-bit x86 UEFI
    EfiIa32,
    /// 64-bit x86 UEFI
    EfiX64,
    /// 64-bit ARM UEFI
    EfiArm64,
    /// UEFI HTTP Boot, 64-bit x86
    HttpX64,
    /// UEFI HTTP Boot, 64-bit ARM
    HttpArm64,
}

impl Firmware {
    /// The code of option 93.
    fn arch(self) -> u16 {
        match self {
            Self::Bios => 0,
            Self::EfiIa32 => 6,
            Self::EfiX64 => 7,
            Self::EfiArm64 => 11,
            Self::HttpX64 => 16,
            Self::HttpArm64 => 19,
        }
    }

    /// Whether it boots from URLs.
    pub(in crate::cli) fn http(self) -> bool {
        matches!(self, Self::HttpX64 | Self::HttpArm64)
    }

    /// What its option 60 begins with, and an answer's must be.
    pub(in crate::cli) fn class(self) -> &'static str {
        if self.http() { "HTTPClient" } else { "PXEClient" }
    }
}

/// Which program of the machine asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Program {
    /// Its firmware.
    Firmware,
    /// iPXE, which the firmware fetched.
    Ipxe,
}

/// A simulated machine.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Machine {
    /// Its interface.
    pub(in crate::cli) mac: Mac,
    /// Its SMBIOS UUID.
    pub(in crate::cli) uuid: Uuid,
    /// What it is run by.
    pub(in crate::cli) firmware: Firmware,
    /// Answers must be broadcast: the interface does not take what is sent to that MAC.
    pub(in crate::cli) broadcast: bool,
}

/// Kinds of message (RFC 2132 section 9.6).
pub(in crate::cli) const DISCOVER: u8 = 1;
pub(in crate::cli) const REQUEST: u8 = 3;
pub(in crate::cli) const RELEASE: u8 = 7;

/// What iPXE 1.21 says of itself in option 175: its version, and that it can fetch by HTTP.
const IPXE: &[u8] = &[0xeb, 3, 1, 21, 1, 0x17, 1, 1, 0x22, 1, 1, 0x13, 1, 1, 0x12, 1, 1, 0x19, 1, 1];
const EFI: &[u8] = &[0x24, 1, 1];

impl Machine {
    /// A packet to a server. `own` is the address that the machine has already.
    pub(in crate::cli) fn packet(
        &self,
        program: Program,
        kind: u8,
        xid: u32,
        own: Ipv4Addr,
        more: &[(u8, &[u8])],
    ) -> Vec<u8> {
        let mut out = vec![1, 1, 6, 0];
        out.extend(xid.to_be_bytes());
        out.extend([0, 0, if self.broadcast { 0x80 } else { 0 }, 0]);
        out.extend(own.octets());
        out.extend([0; 12]);
        out.extend(self.mac.bytes());
        out.resize(236, 0);
        out.extend([99, 130, 83, 99]);
        write(&mut out, code::KIND, &[kind]);
        for (code, data) in more {
            write(&mut out, *code, data);
        }
        if kind != RELEASE {
            self.identity(&mut out, program);
        }
        out.push(code::END);
        out.resize(out.len().max(300), code::PAD);
        out
    }

    /// The code of its processor, its class, and its UNDI.
    pub(super) fn says(&self, program: Program) -> (u16, String, [u8; 3]) {
        let efi = self.firmware != Firmware::Bios;
        // iPXE boots by itself: whatever fetched it, it is PXE's client.
        let (arch, class) = match (program, self.firmware) {
            (Program::Ipxe, Firmware::HttpX64) => (7, "PXEClient"),
            (Program::Ipxe, Firmware::HttpArm64) => (11, "PXEClient"),
            (_, firmware) => (firmware.arch(), firmware.class()),
        };
        let undi: [u8; 3] = if efi { [1, 3, 0] } else { [1, 2, 1] };
        (arch, format!("{class}:Arch:{arch:05}:UNDI:{:03}{:03}", undi[1], undi[2]), undi)
    }

    fn identity(&self, out: &mut Vec<u8>, program: Program) {
        let efi = self.firmware != Firmware::Bios;
        let (arch, class, undi) = self.says(program);
        write(out, code::MAX_SIZE, &1472_u16.to_be_bytes());
        write(out, code::PARAMETERS, &[1, 2, 3, 6, 12, 13, 15, 17, 28, 43, 54, 60, 66, 67, 97, 128, 175]);
        write(out, code::VENDOR_CLASS, class.as_bytes());
        write(out, code::ARCHS, &arch.to_be_bytes());
        write(out, code::UNDI, &undi);
        write(out, code::MACHINE_ID, &[&[0][..], &self.uuid.to_bytes_le()].concat());
        if program == Program::Ipxe {
            write(out, code::USER_CLASS, b"iPXE");
            write(out, code::IPXE, &[IPXE, if efi { EFI } else { &[] }].concat());
            write(out, code::CLIENT_ID, &[&[1][..], &self.mac.bytes()].concat());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dhcp::wire,
        domain::firmware::{Arch, Client, classify},
    };

    #[test]
    fn every_firmware_is_taken_for_what_it_plays() {
        for (firmware, client, arch) in [
            (Firmware::Bios, "pxe", Arch::Bios),
            (Firmware::EfiIa32, "pxe", Arch::EfiIa32),
            (Firmware::EfiX64, "pxe", Arch::EfiX64),
            (Firmware::EfiArm64, "pxe", Arch::EfiArm64),
            (Firmware::HttpX64, "http-boot", Arch::EfiX64),
            (Firmware::HttpArm64, "http-boot", Arch::EfiArm64),
        ] {
            let uuid: Uuid = "4c4c4544-0000-1000-8000-525400eb05e2".parse().unwrap();
            let mac = Mac::new([2, 0, 0, 0, 0, 1]);
            let machine = Machine { mac, uuid, firmware, broadcast: true };
            for program in [Program::Firmware, Program::Ipxe] {
                let bytes =
                    machine.packet(program, DISCOVER, 7, Ipv4Addr::UNSPECIFIED, &[(50, &[10, 0, 0, 1])]);
                let request = wire::parse(&bytes).unwrap();
                let seen = classify(&request.identity());
                assert_eq!((request.mac(), request.uuid, request.xid), (Some(mac), Some(uuid), 7));
                assert_eq!(request.requested, Some(Ipv4Addr::new(10, 0, 0, 1)));
                assert!(request.broadcast && seen.arch == Some(arch), "{firmware:?}: {seen:?}");
                match (program, seen.client) {
                    (Program::Ipxe, Client::Ipxe { features }) => {
                        assert!(features.http() && features.efi() == arch.is_efi());
                    }
                    (_, other) => assert_eq!((other.name(), program), (client, Program::Firmware)),
                }
            }
        }
    }
}

//! What a simulated machine says in DHCPv6: the messages of firmware and of iPXE, with the options that were seen of each.
use super::super::machine::{Machine, Program};
use crate::{
    dhcp6::wire::{Asking, INTEL},
    domain::duid::{Duid, NoDuid},
};
use std::net::Ipv6Addr;

/// Types of message (RFC 8415 section 7.3).
pub(in crate::cli) const SOLICIT: u8 = 1;
pub(in crate::cli) const ADVERTISE: u8 = 2;
pub(in crate::cli) const REQUEST: u8 = 3;
pub(in crate::cli) const REPLY: u8 = 7;
pub(in crate::cli) const RELEASE: u8 = 8;

/// What is asked for: DNS servers, domains, the boot file's URL and its parameters, and the vendor class that HTTP Boot looks for.
const WANTED: [u16; 5] = [59, 60, 23, 24, 16];

impl Machine {
    /// What a program of it calls itself. Firmware copies the UUID as SMBIOS has it, iPXE writes it in the order of RFC 6355.
    fn duid(&self, program: Program) -> Result<Duid, NoDuid> {
        let uuid = match program {
            Program::Firmware => self.uuid.to_bytes_le(),
            Program::Ipxe => *self.uuid.as_bytes(),
        };
        Duid::new(&[&[0, 4][..], &uuid].concat())
    }

    /// A message to everybody, or to the server that it names; the number of its association is made of its MAC.
    pub(in crate::cli) fn message6(
        &self,
        program: Program,
        kind: u8,
        transaction: [u8; 3],
        server: Option<&Duid>,
        address: Option<Ipv6Addr>,
    ) -> Result<Vec<u8>, NoDuid> {
        let [_, _, id @ ..] = self.mac.bytes();
        let addresses: Vec<Ipv6Addr> = address.into_iter().collect();
        let more = if kind == RELEASE { Vec::new() } else { self.options6(program) };
        let asking = Asking {
            kind,
            transaction,
            client: &self.duid(program)?,
            server,
            association: Some((u32::from_be_bytes(id), &addresses)),
            more: &more,
        };
        Ok(asking.encode())
    }

    fn options6(&self, program: Program) -> Vec<(u16, Vec<u8>)> {
        let (arch, class, undi) = self.says(program);
        let class = class.as_bytes();
        let sized =
            |text: &[u8]| [&u16::try_from(text.len()).unwrap_or_default().to_be_bytes(), text].concat();
        let mut all = vec![
            (8, vec![0, 0]),
            (6, WANTED.into_iter().flat_map(u16::to_be_bytes).collect()),
            (16, [&INTEL.to_be_bytes()[..], &sized(class)].concat()),
            (61, arch.to_be_bytes().to_vec()),
            (62, undi.to_vec()),
        ];
        if program == Program::Ipxe {
            all.push((15, sized(b"iPXE")));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::machine::Firmware, *};
    use crate::{
        dhcp6::wire::parse,
        domain::{
            dhcp6::{Asks, Sender},
            firmware::{Arch, Client, Identity, classify},
        },
    };
    use pilotlight_types::Mac;

    #[test]
    fn firmware_and_ipxe_are_taken_for_what_they_play() {
        let mac = Mac::new([2, 0, 0, 0, 0, 1]);
        let uuid: uuid::Uuid = "4c4c4544-0000-1000-8000-525400eb05e2".parse().unwrap();
        for (firmware, client) in [(Firmware::EfiX64, "pxe"), (Firmware::HttpX64, "http-boot")] {
            let machine = Machine { mac, uuid, firmware, broadcast: true };
            for (program, client) in [(Program::Firmware, client), (Program::Ipxe, "ipxe")] {
                let bytes = machine.message6(program, SOLICIT, [1, 2, 3], None, None).unwrap();
                let message = parse(&bytes).unwrap().message;
                let ipxe = message.user_classes.iter().any(|class| class == b"iPXE");
                let seen = classify(&Identity {
                    vendor_class: message.vendor_class.as_ref().map(|class| class.text.as_str()),
                    user_class: ipxe.then_some(b"iPXE"),
                    archs: &message.archs,
                    ipxe_options: None,
                    dhcp6: true,
                });
                assert_eq!((message.asks, message.transaction), (Asks::Solicit, [1, 2, 3]));
                assert_eq!((seen.client.name(), seen.arch), (client, Some(Arch::EfiX64)), "{program:?}");
                assert!(matches!(seen.client, Client::Ipxe { .. }) == ipxe);
                let sender = Sender::new(message.client.as_ref(), None, Ipv6Addr::UNSPECIFIED);
                assert!(sender.uuids.unwrap().contains(&uuid));
                assert_eq!((message.associations.len(), message.associations[0].id), (1, 1));
                assert!(message.wants(59) && message.wants(23));
            }
            let server: Duid = "00030001020000000009".parse().unwrap();
            let address: Ipv6Addr = "2001:db8::5".parse().unwrap();
            let bytes =
                machine.message6(Program::Ipxe, REQUEST, [1, 2, 4], Some(&server), Some(address)).unwrap();
            let message = parse(&bytes).unwrap().message;
            assert_eq!(
                (message.server, &message.associations[0].addresses[..]),
                (Some(server), &[address][..])
            );
        }
    }
}

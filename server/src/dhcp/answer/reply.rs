//! What an answer says: addresses and options of the subnet, and what to boot.
use super::{
    super::wire::{BootFields, LeaseTimes, Reply, ReplyKind, Style},
    Client4, DhcpAnswers,
};
use crate::{
    domain::{boot::Step, firmware::Arch},
    service::leases::lease_time,
};
use pilotlight_types::resource::ReplyStyle;
use std::net::{IpAddr, Ipv4Addr};

impl DhcpAnswers {
    /// With an address, or for a client that has one and asks for the rest.
    pub(super) fn reply(&self, client: &Client4<'_>, kind: ReplyKind, address: Option<Ipv4Addr>) -> Reply {
        let subnet = &client.subnet;
        let machine = client.asked.machine.as_ref();
        let options =
            self.roster.read(|inventory| inventory.dhcp_options(subnet, machine.map(|machine| &**machine)));
        let lease = lease_time(subnet, client.asker().boots).as_secs();
        Reply {
            yiaddr: address,
            siaddr: client.local,
            lease: Some(LeaseTimes::of(u32::try_from(lease).unwrap_or(u32::MAX))),
            mask: Some(subnet.cidr.netmask()),
            routers: subnet.gateway.into_iter().collect(),
            dns: subnet.dns.clone(),
            domain: subnet.domain.clone(),
            hostname: machine.map(|machine| machine.name.to_string()),
            broadcast_address: Some(subnet.cidr.broadcast()),
            boot: self.boot_fields(client),
            options,
            ..Reply::new(kind, client.server)
        }
    }

    /// Beside the server that gives the address: what to boot, and nothing else. Never with the relay's address for ours, for that is
    /// where UEFI asks next, at port 4011.
    pub(super) fn proxy_reply(&self, client: &Client4<'_>, kind: ReplyKind) -> Reply {
        let mut boot = self.boot_fields(client);
        // UEFI of before 2017 forgets a proxy's offer that has an option 43.
        if client.asked.request.firmware.arch.is_some_and(Arch::is_efi)
            && let Some(boot) = boot.as_mut().filter(|boot| boot.style == Style::Pxe)
        {
            boot.style = Style::Plain;
        }
        Reply { siaddr: client.local, boot, ..Reply::new(kind, client.local) }
    }

    fn boot_fields(&self, client: &Client4<'_>) -> Option<BootFields> {
        let local = IpAddr::V4(client.local);
        match &client.asked.decision.step {
            Step::BootProgram { file, reply } => {
                let style = match reply {
                    ReplyStyle::Plain => Style::Plain,
                    ReplyStyle::Pxe => Style::Pxe,
                    ReplyStyle::RaspberryPi => Style::RaspberryPi,
                    ReplyStyle::Http => Style::HttpClient,
                };
                let url = || format!("{}/boot/files/{file}", self.ports.http(local));
                let file = if style == Style::HttpClient { url() } else { file.clone() };
                Some(BootFields { file, style })
            }
            Step::Script => Some(BootFields {
                file: self.ports.script(local, client.mac, client.request.uuid),
                style: Style::Ipxe,
            }),
            Step::AddressOnly | Step::Silent { .. } => None,
        }
    }
}

//! What an answer says beside addresses: the subnet's options, and what to boot (RFC 5970). Nothing that the client did not ask for.
use super::{
    super::wire::{Given, INTEL, Reply, ReplyKind, VendorClass},
    Client6, Dhcp6Answers,
};
use crate::{
    domain::{boot::Step, firmware::Client},
    service::leases::lease_time,
};
use std::net::IpAddr;

const DNS: u16 = 23;
const DOMAINS: u16 = 24;
const BOOT_FILE_URL: u16 = 59;

impl Dhcp6Answers {
    pub(super) fn reply(&self, client: &Client6<'_>, kind: ReplyKind, associations: Vec<Given>) -> Reply {
        let subnet = &client.subnet;
        let wants = |code| client.message.wants(code);
        let boot_file = self.boot_file(client).filter(|_| wants(BOOT_FILE_URL));
        let http = client.asked.request.firmware.client == Client::HttpBoot;
        Reply {
            associations,
            dns: if wants(DNS) { subnet.dns6.clone() } else { Vec::new() },
            domain: subnet.domain.clone().filter(|_| wants(DOMAINS)),
            vendor_class: boot_file
                .as_ref()
                .filter(|_| http)
                .map(|_| VendorClass { enterprise: INTEL, text: "HTTPClient".into() }),
            boot_file,
            ..Reply::new(kind)
        }
    }

    /// A URL, with the scheme that the client boots by.
    fn boot_file(&self, client: &Client6<'_>) -> Option<String> {
        let local = IpAddr::V6(client.local);
        match &client.asked.decision.step {
            Step::BootProgram { file, .. } if client.asked.request.firmware.client == Client::HttpBoot => {
                Some(format!("{}/boot/files/{file}", self.ports.http(local)))
            }
            Step::BootProgram { file, .. } => Some(self.ports.tftp(local, file)),
            Step::Script => {
                let request = &client.asked.request;
                Some(self.ports.script(local, request.mac, request.uuid))
            }
            Step::AddressOnly | Step::Silent { .. } => None,
        }
    }
}

impl Client6<'_> {
    /// Whether it is firmware or iPXE.
    pub(super) fn boots(&self) -> bool {
        !matches!(self.asked.request.firmware.client, Client::Os | Client::Bmc { .. })
    }

    pub(super) fn lease_seconds(&self) -> u32 {
        u32::try_from(lease_time(&self.subnet, self.boots()).as_secs()).unwrap_or(u32::MAX)
    }
}

//! What is wrong with what servers answered in DHCPv6, by what firmware is known to do with it. Pure.
use super::super::machine::Firmware;
use crate::{
    dhcp6::wire::{INTEL, Packet},
    domain::duid::Duid,
};
use std::net::{Ipv6Addr, SocketAddrV6};

/// An answer, and whom it came from.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Answer6 {
    /// The sender: a server's link-local address, or another one of it.
    pub(in crate::cli) from: SocketAddrV6,
    /// What it sent.
    pub(in crate::cli) packet: Packet,
}

impl Answer6 {
    /// The server, as it calls itself.
    pub(in crate::cli) fn server(&self) -> Option<Duid> {
        self.packet.server()
    }

    /// The address that it gives: one that is good for some time.
    pub(in crate::cli) fn address(&self) -> Option<Ipv6Addr> {
        self.packet.addresses().into_iter().find(|(_, seconds)| *seconds > 0).map(|(address, _)| address)
    }
}

/// The answer that a client follows: the first that has an address.
pub(in crate::cli) fn chosen(adverts: &[Answer6]) -> Option<&Answer6> {
    adverts.iter().find(|advert| advert.address().is_some() && advert.server().is_some())
}

/// What is wrong with the answers to a Solicit.
pub(in crate::cli) fn of_adverts(adverts: &[Answer6]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut servers: Vec<String> = Vec::new();
    for advert in adverts {
        let who = advert.from.ip();
        match (advert.server(), advert.packet.complaint()) {
            (None, _) => {
                wrong.push(format!("{who} does not say who it is (option 2): nobody takes its answer"))
            }
            (Some(_), Some(complaint)) if advert.address().is_none() => {
                wrong.push(format!("{who} has no address for this machine: {complaint}"));
            }
            (Some(_), None) if advert.address().is_none() => {
                wrong.push(format!(
                    "{who} advertises no address: set `ranges6` of the subnet, or the machine's `ip6`"
                ));
            }
            (Some(_), _) if !servers.contains(&who.to_string()) => servers.push(who.to_string()),
            _ => {}
        }
    }
    if servers.len() > 1 {
        let all = servers.join(", ");
        let count = servers.len();
        wrong.push(format!(
            "{count} servers advertise addresses ({all}): which one the machine takes is chance"
        ));
    }
    if adverts.is_empty() {
        wrong.push(
            "nobody advertised anything: is DHCPv6 served here (dhcp.ipv6), has the subnet a `cidr6` and the mode \
             `authoritative`, and is the machine known to the server? A server on this host does not hear this \
             interface: probe from another one"
                .into(),
        );
    }
    wrong
}

/// What is wrong with the answer to a Request.
pub(in crate::cli) fn of_reply(advert: &Answer6, reply: Option<&Answer6>) -> Option<String> {
    let (who, address) = (advert.from.ip(), advert.address().unwrap_or(Ipv6Addr::UNSPECIFIED));
    let Some(reply) = reply else {
        return Some(format!("{who} advertised {address} and did not answer the Request for it"));
    };
    match (reply.address(), reply.packet.complaint()) {
        (Some(given), _) if given == address => None,
        (Some(given), _) => Some(format!("{who} advertised {address} and gave {given}")),
        (None, Some(complaint)) => {
            Some(format!("{who} advertised {address} and then refused it: {complaint}"))
        }
        (None, None) => Some(format!("{who} advertised {address} and then gave none")),
    }
}

/// What is wrong with what firmware, or iPXE, is told to boot.
pub(in crate::cli) fn of_boot(answer: &Answer6, firmware: Option<Firmware>) -> Option<String> {
    let who = answer.from.ip();
    let Some(url) = answer.packet.boot_file() else {
        return Some(format!(
            "{who} does not say what to boot (option 59): the machine is unknown to it, or is to boot from its disk"
        ));
    };
    let http = firmware.is_some_and(Firmware::http);
    let class = answer.packet.vendor_class();
    let says_http =
        class.is_some_and(|class| class.enterprise == INTEL && class.text.starts_with("HTTPClient"));
    let shown = url.escape_debug();
    match firmware {
        Some(_) if http && !says_http => Some(format!(
            "the answer of {who} does not have `HTTPClient` in option 16: UEFI HTTP Boot takes no other"
        )),
        Some(_) if http && !url.starts_with("http://") && !url.starts_with("https://") => {
            Some(format!("UEFI HTTP Boot takes URLs of HTTP, and {who} names `{shown}`"))
        }
        Some(_) if !http && !url.starts_with("tftp://") => {
            Some(format!("UEFI PXE takes `tftp://[address]/file` in option 59, and {who} names `{shown}`"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dhcp6::wire::{
            AssociationKind, Given, Reply, ReplyKind, Status, StatusCode, VendorClass, encode, parse,
        },
        domain::duid::Duid,
    };

    const SOLICIT: &str = "01a1b2c30001000a00030001020000000001";

    fn answer(last: u16, change: impl FnOnce(&mut Reply)) -> Answer6 {
        let question = parse(&hex::decode(SOLICIT).unwrap()).unwrap();
        let server: Duid = "00030001020000000009".parse().unwrap();
        let given = Given {
            kind: AssociationKind::Addresses,
            id: 1,
            addresses: vec![("2001:db8::5".parse().unwrap(), 600)],
            status: None,
        };
        let mut reply = Reply {
            associations: vec![given],
            boot_file: Some("tftp://[2001:db8::1]/snponly.efi".into()),
            ..Reply::new(ReplyKind::Advertise)
        };
        change(&mut reply);
        let from = SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last), 547, 0, 0);
        Answer6 { from, packet: Packet::read(&encode(&question, &server, &reply)).unwrap() }
    }

    fn without(reply: &mut Reply, status: Option<Status>) {
        reply.associations[0].addresses.clear();
        reply.associations[0].status = status;
    }

    #[test]
    fn what_boots_has_nothing_wrong_with_it() {
        let pxe = answer(1, |_| {});
        assert_eq!(of_adverts(std::slice::from_ref(&pxe)), [""; 0]);
        assert_eq!((of_reply(&pxe, Some(&pxe)), of_boot(&pxe, Some(Firmware::EfiX64))), (None, None));
        let http = answer(1, |reply| {
            reply.boot_file = Some("http://[2001:db8::1]/a".into());
            reply.vendor_class = Some(VendorClass { enterprise: INTEL, text: "HTTPClient".into() });
        });
        assert_eq!(of_boot(&http, Some(Firmware::HttpX64)), None);
        assert_eq!(of_boot(&http, None), None, "a script");
        assert_eq!(chosen(&[pxe]).and_then(Answer6::address), "2001:db8::5".parse().ok());
    }

    #[test]
    fn each_mistake_of_a_server_is_told() {
        let full = || Some(Status::new(StatusCode::NoAddrsAvail, "all are taken"));
        let none = answer(1, |reply| without(reply, full()));
        let nothing = answer(1, |reply| without(reply, None));
        for (adverts, said) in [
            (vec![], "nobody advertised anything"),
            (vec![none.clone()], "no address for this machine: NoAddrsAvail: all are taken"),
            (vec![nothing.clone()], "advertises no address"),
            (vec![answer(1, |_| {}), answer(2, |_| {})], "2 servers advertise addresses (fe80::1, fe80::2)"),
        ] {
            let wrong = of_adverts(&adverts);
            assert!(wrong.iter().any(|line| line.contains(said)), "{said}: {wrong:?}");
        }
        assert!(chosen(&[none.clone(), nothing.clone()]).is_none());
        let advert = answer(1, |_| {});
        let moved = answer(1, |reply| reply.associations[0].addresses[0].0 = "2001:db8::6".parse().unwrap());
        for (reply, said) in [
            (None, "did not answer the Request"),
            (Some(&moved), "and gave 2001:db8::6"),
            (Some(&none), "and then refused it: NoAddrsAvail"),
            (Some(&nothing), "and then gave none"),
        ] {
            let wrong = of_reply(&advert, reply).unwrap();
            assert!(wrong.contains(said), "{said}: {wrong}");
        }
        let to_http = answer(1, |reply| reply.boot_file = Some("http://[2001:db8::1]/a".into()));
        for (answer, firmware, said) in [
            (answer(1, |reply| reply.boot_file = None), Some(Firmware::EfiX64), "does not say what to boot"),
            (to_http.clone(), Some(Firmware::HttpX64), "does not have `HTTPClient`"),
            (to_http, Some(Firmware::EfiX64), "UEFI PXE takes `tftp://"),
        ] {
            let wrong = of_boot(&answer, firmware).unwrap();
            assert!(wrong.contains(said), "{said}: {wrong}");
        }
    }
}

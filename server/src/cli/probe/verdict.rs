//! What is wrong with what servers answered, by what firmware is known to do with it. Pure.
use super::machine::Firmware;
use crate::dhcp::wire::{
    MessageType, Packet,
    options::{code, sub_option},
};
use std::net::{Ipv4Addr, SocketAddrV4};

/// An answer, and whom it came from.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Answer {
    /// The sender's address and port.
    pub(in crate::cli) from: SocketAddrV4,
    /// What it sent.
    pub(in crate::cli) packet: Packet,
}

impl Answer {
    /// The server, as it calls itself.
    pub(in crate::cli) fn server(&self) -> Ipv4Addr {
        self.packet.server_id().unwrap_or(*self.from.ip())
    }

    /// Whether it gives an address; one that does not is a proxy's.
    pub(in crate::cli) fn gives_address(&self) -> bool {
        !self.packet.yiaddr.is_unspecified()
    }

    /// Whether it says what to boot, or whom to ask.
    pub(in crate::cli) fn boots(&self) -> bool {
        self.packet.boot_file().is_some() || self.is_pxe()
    }

    /// Whether firmware takes it for a boot server's.
    pub(in crate::cli) fn is_pxe(&self) -> bool {
        self.packet.vendor_class().is_some_and(|class| class.starts_with("PXEClient"))
    }

    /// 43.6 with bit 3: boot the file that is named here, and ask nobody (PXE 2.1 section 2.2.3).
    pub(in crate::cli) fn asks_nobody(&self) -> bool {
        let vendor = self.packet.options.get(code::VENDOR).unwrap_or_default();
        matches!(sub_option(vendor, 6), Some([bits]) if bits & 8 != 0)
    }

    /// Where its boot program is.
    pub(in crate::cli) fn boot_server(&self) -> Ipv4Addr {
        Some(self.packet.siaddr).filter(|address| !address.is_unspecified()).unwrap_or_else(|| self.server())
    }
}

/// The offer that firmware takes its address from, and the one that it boots by.
pub(in crate::cli) fn chosen(offers: &[Answer]) -> (Option<&Answer>, Option<&Answer>) {
    let address = offers.iter().find(|offer| offer.gives_address() && offer.boots());
    let address = address.or_else(|| offers.iter().find(|offer| offer.gives_address()));
    let own = address.filter(|offer| offer.boots());
    let proxy = offers.iter().find(|offer| !offer.gives_address() && offer.boots());
    (address, own.or(proxy))
}

/// What is wrong with the offers, each with what to do.
pub(in crate::cli) fn of_offers(offers: &[Answer], firmware: Firmware) -> Vec<String> {
    let mut wrong = Vec::new();
    if offers.is_empty() {
        return vec![
            "nobody offered anything: no server serves this network, the machine is not known to it, or no relay passes \
             it on. A server on this host does not hear this interface: probe from another one"
                .into(),
        ];
    }
    let giving: Vec<String> =
        offers.iter().filter(|o| o.gives_address()).map(|o| o.server().to_string()).collect();
    if giving.is_empty() {
        wrong.push("nobody offers an address: a proxy alone boots nobody".into());
    }
    if giving.len() > 1 {
        wrong.push(format!(
            "{} servers offer addresses ({}): which one a machine takes is chance",
            giving.len(),
            giving.join(", ")
        ));
    }
    for offer in offers {
        let who = offer.server();
        if offer.packet.server_id().is_none() {
            wrong.push(format!("the offer of {who} has no option 54: UEFI drops it"));
        }
        if offer.from.port() != 67 {
            wrong.push(format!(
                "the offer of {who} comes from port {}, not 67: firmware drops it; is it behind address translation?",
                offer.from.port()
            ));
        }
        if !offer.boots() {
            continue;
        }
        let class = offer.packet.vendor_class().unwrap_or_default();
        if firmware.http() && !class.starts_with("HTTPClient") {
            wrong.push(format!(
                "the offer of {who} does not have `HTTPClient` in option 60: UEFI HTTP Boot takes no other"
            ));
        }
        if !firmware.http() && !offer.gives_address() && !class.starts_with("PXEClient") {
            wrong.push(format!(
                "the proxy's offer of {who} does not have `PXEClient` in option 60: nobody hears it"
            ));
        }
        let named = offer.packet.boot_file().is_some_and(|file| !file.contains("://"));
        if named && offer.packet.siaddr.is_unspecified() {
            wrong.push(format!(
                "the offer of {who} names a file and no server (siaddr is 0): UEFI ignores option 66 and asks {who}"
            ));
        }
    }
    if !offers.iter().any(Answer::boots) {
        wrong.push(
            "nobody says what to boot: the machine is unknown to the server, or is to boot from its disk"
                .into(),
        );
    }
    wrong
}

/// What is wrong with the answer to a REQUEST.
pub(in crate::cli) fn of_ack(offer: &Answer, answer: Option<&Answer>) -> Option<String> {
    let who = offer.server();
    match answer {
        None => Some(format!("{who} offered {} and did not answer the REQUEST for it", offer.packet.yiaddr)),
        Some(answer) if answer.packet.kind == Some(MessageType::Nak) => {
            let why = answer.packet.options.get(code::MESSAGE).map(String::from_utf8_lossy);
            let why = why.map(|why| format!(": {}", why.escape_debug())).unwrap_or_default();
            Some(format!("{who} offered {} and then refused it{why}", offer.packet.yiaddr))
        }
        Some(answer) if answer.packet.yiaddr != offer.packet.yiaddr => {
            Some(format!("{who} offered {} and gave {}", offer.packet.yiaddr, answer.packet.yiaddr))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        capture,
        dhcp::wire::{BootFields, LeaseTimes, Reply, ReplyKind, Style, encode, parse},
    };

    fn packets(name: &str, port: u16) -> Vec<(SocketAddrV4, Vec<u8>)> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pcaps");
        let all = capture::datagrams(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        let from = |d: &capture::Datagram| match d.from {
            std::net::SocketAddr::V4(from) => from,
            std::net::SocketAddr::V6(from) => panic!("{from}"),
        };
        all.into_iter().filter(|d| d.to.port() == port).map(|d| (from(&d), d.content)).collect()
    }

    /// The offers in a capture.
    fn offers(name: &str) -> Vec<Answer> {
        let read = |(from, bytes): (_, Vec<u8>)| Answer { from, packet: Packet::read(&bytes).unwrap() };
        let answers = packets(name, 68).into_iter().map(read);
        let mut seen = Vec::new();
        let first = |answer: &Answer| {
            let new = answer.packet.kind == Some(MessageType::Offer) && !seen.contains(&answer.server());
            seen.push(answer.server());
            new
        };
        answers.filter(first).collect()
    }

    fn answer(change: impl FnOnce(&mut Reply)) -> Answer {
        let request = parse(&packets("uefi-pxe.pcap", 67)[0].1).unwrap();
        let server = Ipv4Addr::new(10, 77, 0, 1);
        let mut reply = Reply {
            yiaddr: Some(Ipv4Addr::new(10, 77, 0, 100)),
            siaddr: server,
            lease: Some(LeaseTimes::of(600)),
            boot: Some(BootFields { file: "snponly.efi".into(), style: Style::Plain }),
            ..Reply::new(ReplyKind::Offer, server)
        };
        change(&mut reply);
        let from = SocketAddrV4::new(reply.server_id, 67);
        Answer { from, packet: Packet::read(&encode(&request, &reply)).unwrap() }
    }

    #[test]
    fn what_booted_in_the_lab_has_nothing_wrong_with_it() {
        for (file, firmware) in [
            ("uefi-pxe.pcap", Firmware::EfiX64),
            ("bios-vendor-pxe.pcap", Firmware::Bios),
            ("uefi-http.pcap", Firmware::HttpX64),
            ("proxy-uefi-pxe.pcap", Firmware::EfiX64),
            ("proxy-bios-vendor-pxe.pcap", Firmware::Bios),
        ] {
            let offers = offers(file);
            assert_eq!(of_offers(&offers, firmware), [""; 0], "{file}");
            let (address, boot) = chosen(&offers);
            assert!(address.is_some() && boot.is_some(), "{file}");
            assert_eq!(boot.unwrap().gives_address(), !file.starts_with("proxy"), "{file}");
        }
    }

    #[test]
    fn each_mistake_of_a_server_is_told() {
        let good = || answer(|_| {});
        let other = answer(|reply| reply.server_id = Ipv4Addr::new(10, 77, 0, 9));
        let plain = answer(|reply| reply.boot = None);
        let proxy = answer(|reply| (reply.yiaddr, reply.lease) = (None, None));
        let translated = Answer { from: SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, 1), 435), ..good() };
        for (offers, firmware, said) in [
            (vec![], Firmware::Bios, "nobody offered anything"),
            (vec![proxy.clone()], Firmware::EfiX64, "nobody offers an address"),
            (vec![good(), other], Firmware::EfiX64, "2 servers offer addresses (10.77.0.1, 10.77.0.9)"),
            (vec![plain], Firmware::EfiX64, "nobody says what to boot"),
            (vec![translated], Firmware::EfiX64, "comes from port 435"),
            (vec![good()], Firmware::HttpX64, "does not have `HTTPClient`"),
        ] {
            let wrong = of_offers(&offers, firmware);
            assert!(wrong.iter().any(|line| line.contains(said)), "{said}: {wrong:?}");
        }
        assert_eq!(of_offers(&[good()], Firmware::EfiX64), [""; 0]);
        assert!(proxy.is_pxe() && !proxy.asks_nobody());
    }

    #[test]
    fn a_server_that_does_not_keep_its_word_is_told_of() {
        let offer = answer(|_| {});
        assert!(of_ack(&offer, None).unwrap().contains("did not answer"));
        let nak = answer(|reply| *reply = Reply::nak(reply.server_id, "not yours"));
        assert!(of_ack(&offer, Some(&nak)).unwrap().ends_with("refused it: not yours"));
        let moved = answer(|reply| reply.yiaddr = Some(Ipv4Addr::new(10, 77, 0, 101)));
        assert!(of_ack(&offer, Some(&moved)).unwrap().contains("and gave 10.77.0.101"));
        assert_eq!(of_ack(&offer, Some(&offer)), None);
    }
}

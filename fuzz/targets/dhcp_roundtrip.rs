//! Whatever was asked, the answer is bounded, begins with its kind, is readable, and goes somewhere.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pilotlight::dhcp::wire::{
    self, BootFields, Destination, LeaseTimes, MessageType, Reply, ReplyKind, Style,
};
use std::net::Ipv4Addr;

const US: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

fn reply(kind: ReplyKind, style: Style, yiaddr: Option<Ipv4Addr>) -> Reply {
    Reply {
        yiaddr,
        lease: Some(LeaseTimes::of(3600)),
        mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
        routers: vec![US],
        dns: vec![US, US, US],
        domain: Some("dc1.example".into()),
        hostname: Some("n1".into()),
        broadcast_address: Some(Ipv4Addr::new(10, 77, 0, 255)),
        boot: Some(BootFields {
            file: "http://10.77.0.1:8080/boot/script?mac=52-54-00-12-34-56".into(),
            style,
        }),
        message: Some("wrong network".into()),
        ..Reply::new(kind, US)
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = wire::parse(bytes) else { return };
    let room = usize::from(request.max_size.unwrap_or(0).clamp(576, 1500)) - 28;
    for style in [Style::Pxe, Style::Plain, Style::RaspberryPi, Style::HttpClient, Style::Ipxe] {
        for kind in [ReplyKind::Offer, ReplyKind::Ack, ReplyKind::Nak] {
            for yiaddr in [None, Some(Ipv4Addr::new(10, 77, 0, 100))] {
                let reply = reply(kind, style, yiaddr);
                let mut sent = wire::encode(&request, &reply);
                assert!(sent.len() >= 300 && sent.len() <= room, "{} of {room}", sent.len());
                assert_eq!(sent[240..242], [53, 1]);
                sent[0] = 1;
                let read = wire::parse(&sent).expect("our own answer");
                let expected = match kind {
                    ReplyKind::Offer => MessageType::Offer,
                    ReplyKind::Ack => MessageType::Ack,
                    ReplyKind::Nak => MessageType::Nak,
                };
                assert_eq!((read.kind, read.xid, read.server_id), (expected, request.xid, Some(US)));
                if let Destination::Unicast(to) = wire::destination(&request, &reply) {
                    assert!(!to.is_broadcast() && !to.is_multicast() && !to.is_unspecified());
                }
            }
        }
    }
});

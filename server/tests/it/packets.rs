//! What `explain` says of a packet is what happens to it.
use crate::{
    dhcp::answers,
    rig::{Engine, OURS, Rig, machine},
};
use pilotlight::{
    capture::{self, Datagram},
    dhcp::{
        DhcpAnswers,
        listener::{Arrival, Handler, Role},
        wire,
    },
    service::explain::{BadPacket, ExplainPackets},
};
use pilotlight_types::api::{PacketExplanation, PacketQuestion};
use serde_json::json;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

/// What a client sent to a server in a capture of the lab.
fn requests(name: &str) -> Vec<Datagram> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pcaps").join(name);
    let all = capture::datagrams(&std::fs::read(path).unwrap()).unwrap();
    all.into_iter().filter(|d| d.to.port() == 67 && d.content.first() == Some(&1)).collect()
}

fn ask(answers: &DhcpAnswers, content: &[u8]) -> Result<PacketExplanation, BadPacket> {
    let question = PacketQuestion { packet: hex::encode(content), ..PacketQuestion::default() };
    answers.explain(&question, Ipv4Addr::LOCALHOST.into())
}

/// How many addresses are held, or offered.
fn held(rig: &Rig) -> usize {
    rig.leases.held(rig.journal.now()).iter().map(|(_, held)| held).sum()
}

async fn rig() -> Rig {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let far = json!({"kind": "Subnet", "name": "far", "spec": {"cidr": "10.78.0.0/24", "mode": "authoritative",
        "ranges": ["10.78.0.100-10.78.0.110"], "unknown": "ignore"}});
    rig.apply(&[far]).await;
    rig
}

#[tokio::test]
async fn an_explained_answer_is_the_one_that_is_sent_to_every_firmware_of_the_lab() {
    let rig = rig().await;
    let files = ["bios-vendor-pxe", "ipxe-rom", "full-ipxe-rom", "uefi-pxe", "uefi-http", "relay-uefi-pxe"];
    let mut sent = 0;
    for (index, file) in files.iter().enumerate() {
        let packets = requests(&format!("{file}.pcap"));
        let mac = wire::parse(&packets[0].content).unwrap().mac().unwrap();
        rig.apply(&[machine(&format!("lab{index}"), &mac.to_string())]).await;
        for packet in packets {
            let question = PacketQuestion {
                packet: hex::encode(&packet.content),
                subnet: (!file.starts_with("relay")).then(|| "rack-a".to_owned()),
                to: Some(packet.to.ip()),
                ..PacketQuestion::default()
            };
            let before = held(&rig);
            // One that has not counted the packets before: time stands still here.
            let answers = answers(&rig);
            let explained = answers.explain(&question, Ipv4Addr::LOCALHOST.into()).unwrap();
            assert_eq!(held(&rig), before, "nothing is set aside");
            let request = wire::parse(&packet.content).unwrap();
            let (SocketAddr::V4(from), SocketAddr::V4(to)) = (packet.from, packet.to) else { panic!("IPv6") };
            let local = if file.starts_with("relay") { *to.ip() } else { OURS };
            let arrival = Arrival { interface: "eth1".into(), local, from, role: Role::Server };
            let answered = answers.handle(request.clone(), arrival).await;
            assert_eq!(explained.outcome, answered.outcome.name(), "{file}: {explained:?}");
            let real = answered.reply.map(|reply| hex::encode(wire::encode(&request, &reply)));
            sent += usize::from(real.is_some());
            assert_eq!(explained.reply_hex, real, "{file}");
        }
    }
    assert!(sent > 15, "{sent} packets were answered");
}

#[tokio::test]
async fn to_explain_a_packet_changes_nothing() {
    let rig = rig().await;
    let events = async || rig.kinds().await.into_iter().filter(|kind| kind != "test.mark").count();
    let before = events().await;
    for packet in requests("relay-uefi-pxe.pcap") {
        let explained = ask(&answers(&rig), &packet.content).unwrap();
        assert_eq!(explained.subnet.as_deref(), Some("far"));
        assert_eq!(explained.outcome, "silent", "nobody declared it: {explained:?}");
        assert!(explained.answer.contains("nobody declared the machine"), "{}", explained.answer);
    }
    assert_eq!(events().await, before);
    assert_eq!(held(&rig), 0);
}

#[tokio::test]
async fn what_cannot_be_explained_says_why() {
    let rig = rig().await;
    let answers = answers(&rig);
    let discover = &requests("uefi-pxe.pcap")[0].content;
    let refused = |question: PacketQuestion| answers.explain(&question, OURS.into()).unwrap_err().to_string();
    let of = |packet: &str| PacketQuestion { packet: packet.into(), ..PacketQuestion::default() };
    assert!(refused(of("xyz")).contains("no hex"));
    assert!(refused(of("0102")).contains("2 bytes are too few"));
    assert!(refused(of(&"00".repeat(70_000))).contains("65507 bytes"));
    // Neither a relay nor the client says which of the two networks it is from.
    assert!(ask(&answers, discover).unwrap_err().to_string().contains("far, rack-a"));
    let elsewhere = PacketQuestion { subnet: Some("elsewhere".into()), ..of(&hex::encode(discover)) };
    assert!(refused(elsewhere).contains("there is no subnet elsewhere"));
    // Colons and line ends are what other programs print.
    let spaced: Vec<String> = discover.iter().map(|byte| format!("{byte:02x}")).collect();
    let question = PacketQuestion { subnet: Some("rack-a".into()), ..of(&spaced.join(":\n ")) };
    let explained = answers.explain(&question, OURS.into()).unwrap();
    assert_eq!(explained.packet.kind, "DHCPDISCOVER");
    assert!(explained.client.starts_with("pxe ("), "{}", explained.client);
}

#[tokio::test]
async fn a_servers_packet_is_known_for_what_it_is() {
    let rig = rig().await;
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pcaps/uefi-pxe.pcap");
    let all = capture::datagrams(&std::fs::read(path).unwrap()).unwrap();
    let offer = all.iter().find(|d| d.to.port() == 68).unwrap();
    let question = PacketQuestion {
        packet: hex::encode(&offer.content),
        subnet: Some("rack-a".into()),
        ..PacketQuestion::default()
    };
    let explained = answers(&rig).explain(&question, OURS.into()).unwrap();
    assert_eq!((explained.packet.kind.as_str(), explained.reply), ("DHCPOFFER", None));
    assert!(explained.client.starts_with("the server 10.77.0."), "{}", explained.client);
}

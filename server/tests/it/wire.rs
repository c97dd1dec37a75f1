//! The DHCP modes with the packets of real firmware, and what keeps made-up clients and squatters off.
use crate::{
    dhcp::{address, answers, firmware, ipxe, system, tell},
    rig::{Engine, MAC1, OURS, Rig, mac},
};
use pilotlight::dhcp::{
    listener::{Answered, Arrival, Handler, Outcome, Role},
    wire::{self, MessageType, Request, options},
};
use serde_json::json;
use std::{
    collections::{BTreeMap, HashSet},
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    path::Path,
};

/// The packets that clients sent, with the port that they sent them to.
fn captured(name: &str) -> Vec<(u16, Vec<u8>)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pcaps").join(name);
    let file = fs::read(file).unwrap();
    let mut rest = &file[24..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let len = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let (frame, after) = rest[16..].split_at(len);
        rest = after;
        if frame[12..14] == [8, 0] && frame[23] == 17 {
            let udp = &frame[14 + usize::from(frame[14] & 15) * 4..];
            let to = u16::from_be_bytes([udp[2], udp[3]]);
            if matches!(to, 67 | 4011) && udp[8] == 1 {
                found.push((to, udp[8..].to_vec()));
            }
        }
    }
    found
}

fn sent(packet: &[u8]) -> BTreeMap<u8, Vec<u8>> {
    options::walk(&packet[240..]).map(|(code, data)| (code, data.to_vec())).collect()
}

/// The subnet in another mode, and with other ranges.
async fn mode(rig: &Rig, mode: &str, ranges: &[&str]) {
    let mut subnet = rig.documents()[0].clone();
    subnet["spec"]["mode"] = json!(mode);
    subnet["spec"]["ranges"] = json!(ranges);
    rig.apply(&[subnet]).await;
}

async fn rig() -> Rig {
    Rig::new(Engine::Sqlite).await.with_documents().await
}

#[tokio::test]
async fn captured_firmware_beside_another_server_is_told_what_to_boot_and_never_an_address() {
    let rig = rig().await;
    mode(&rig, "proxy", &[]).await;
    let answers = answers(&rig);
    let mut told: BTreeMap<(&str, u16, u8), HashSet<&str>> = BTreeMap::new();
    for file in ["proxy-bios-vendor-pxe.pcap", "proxy-uefi-pxe.pcap", "uefi-http.pcap"] {
        for (port, bytes) in captured(file) {
            let mut request = wire::parse(&bytes).unwrap();
            // It was another network.
            if port == 4011 {
                request.ciaddr = [10, 77, 0, 60].into();
            }
            let role = if port == 4011 { Role::BootServer } else { Role::Server };
            let from = SocketAddrV4::new(request.ciaddr, 68);
            let arrival = Arrival { interface: "eth1".into(), local: OURS, from, role };
            let answered = answers.handle(request.clone(), arrival).await;
            told.entry((file, port, sent(&bytes)[&53][0])).or_default().insert(answered.outcome.name());
            let Some(reply) = answered.reply else { continue };
            assert_eq!((reply.yiaddr, reply.lease, reply.mask), (None, None, None), "{file}");
            let packet = wire::encode(&request, &reply);
            let options = sent(&packet);
            assert_eq!(packet[16..24], [0, 0, 0, 0, 10, 77, 0, 1], "no yiaddr, and siaddr is ours");
            assert_eq!(options[&54], OURS.octets());
            assert_eq!(options.get(&97), sent(&bytes).get(&97), "mirrored");
            assert!(packet[108] != 0 && packet.len() >= 300);
            let class = request.vendor_class.as_deref().and_then(|class| class.split(':').next());
            assert_eq!(Some(&options[&60][..]), class.map(str::as_bytes));
            let bios = request.archs == [0] && request.ipxe.is_none();
            let vendor = options.get(&43).cloned();
            let item = request.boot_item.map(|item| [&[71, 4][..], &item, &[255]].concat());
            let expected = item.or_else(|| bios.then(|| vec![6, 1, 8, 255]));
            assert_eq!(vendor, expected, "{file}: 43 is for BIOS, or says again what was chosen");
        }
    }
    let names = |file, port, kind| told.get(&(file, port, kind)).cloned().unwrap_or_default();
    assert_eq!(names("uefi-http.pcap", 67, 1), ["offered"].into());
    for file in ["proxy-bios-vendor-pxe.pcap", "proxy-uefi-pxe.pcap"] {
        assert_eq!(names(file, 67, 1), ["offered"].into(), "{file}");
        assert_eq!(names(file, 67, 3), ["silent"].into(), "{file}: the REQUEST is the other server's");
        assert_eq!(names(file, 4011, 3), ["acked"].into(), "{file}");
    }
}

#[tokio::test]
async fn firmware_that_sends_its_guid_for_a_mac_is_known_by_it() {
    let rig = rig().await;
    let uuid = "4c4c4544-0000-1000-8000-0000038a53e4";
    let declared =
        json!({"kind": "Machine", "name": "guid", "spec": {"macs": ["52:54:00:00:00:77"], "uuid": uuid}});
    rig.apply(&[declared]).await;
    let mut request = firmware(MessageType::Discover, MAC1);
    request.hardware.len = 16;
    request.uuid = Some(uuid.parse().unwrap());
    let given = address(&tell(&rig, request.clone()).await);
    let rack = "rack-a".parse().unwrap();
    assert_eq!(rig.leases.of(&rack, mac("52:54:00:00:00:77")), Some(given));
    request.uuid = Some("4c4c4544-0000-1000-8000-000000000000".parse().unwrap());
    assert_eq!(tell(&rig, request).await, Answered::silent("no_mac"));
}

#[tokio::test]
async fn an_address_that_answers_while_it_is_offered_is_refused_and_another_found() {
    let rig = rig().await;
    let rack = "rack-a".parse().unwrap();
    let offered = address(&tell(&rig, firmware(MessageType::Discover, MAC1)).await);
    assert!(rig.leases.to_probe().contains(&(rack, offered)), "nobody has looked yet");
    let rack = "rack-a".parse().unwrap();
    let lease = rig.leases.somebody_at(&rack, offered, Some(mac("02:00:00:00:00:99"))).unwrap();
    rig.sightings.conflict(&rack, &lease, Some(mac("02:00:00:00:00:99")), "arp");
    let request =
        Request { requested: Some(offered), server_id: Some(OURS), ..firmware(MessageType::Request, MAC1) };
    assert_eq!(tell(&rig, request).await.outcome, Outcome::Naked);
    assert_ne!(address(&tell(&rig, firmware(MessageType::Discover, MAC1)).await), offered);
    assert!(rig.kinds().await.contains(&"dhcp.conflict".to_owned()));
    let rig = rig.restarted().await;
    assert!(!rig.leases.would_bind(asker(&rig, MAC1), offered), "a restarted daemon knows it, too");
    rig.advance(3600);
    assert!(rig.leases.would_bind(asker(&rig, MAC1), offered), "and then it comes back");
}

fn asker<'a>(rig: &Rig, address: &str) -> pilotlight::service::leases::Asker<'a> {
    static RACK: std::sync::LazyLock<pilotlight_types::resource::Name> =
        std::sync::LazyLock::new(|| "rack-a".parse().unwrap());
    let machine = rig.roster.read(|i| i.machine_that_says(mac(address), None).map(|machine| machine.id));
    pilotlight::service::leases::Asker { subnet: &RACK, mac: mac(address), machine, boots: false }
}

#[tokio::test]
async fn a_slow_boot_keeps_its_address_when_its_short_lease_is_over() {
    let rig = rig().await;
    let given = address(&tell(&rig, firmware(MessageType::Discover, MAC1)).await);
    let take = Request { requested: Some(given), server_id: Some(OURS), ..ipxe(MessageType::Request, MAC1) };
    let acked = tell(&rig, take).await.reply.unwrap();
    assert_eq!(acked.lease.unwrap().lease, 120);
    rig.advance(600);
    for n in 1..=5 {
        let other = system(MessageType::Discover, &format!("52:54:00:00:01:0{n}"));
        let answered = tell(&rig, Request { requested: Some(given), ..other }).await;
        assert_ne!(answered.reply.and_then(|reply| reply.yiaddr), Some(given), "{n}");
    }
    let outright = Request { requested: Some(given), ..system(MessageType::Request, "52:54:00:00:01:09") };
    assert_eq!(tell(&rig, outright).await.outcome, Outcome::Naked);
    let again = Request { requested: Some(given), ..system(MessageType::Request, MAC1) };
    assert_eq!(tell(&rig, again).await.outcome, Outcome::Acked, "its own system may have it");
}

#[tokio::test]
async fn a_share_of_the_range_waits_for_declared_machines_after_a_restart_too() {
    let mut rig = rig().await;
    let mut subnet = rig.documents()[0].clone();
    subnet["spec"]["ranges"] = json!(["10.77.0.100-10.77.0.109"]);
    subnet["spec"]["keepForDeclared"] = json!(30);
    rig.apply(&[subnet]).await;
    for n in 10..17 {
        let stranger = format!("52:54:00:00:01:{n}");
        let offered = address(&tell(&rig, system(MessageType::Discover, &stranger)).await);
        let take = Request { requested: Some(offered), ..system(MessageType::Request, &stranger) };
        assert_eq!(tell(&rig, take).await.outcome, Outcome::Acked);
    }
    for _ in 0..2 {
        let last = system(MessageType::Discover, "52:54:00:00:01:99");
        assert_eq!(tell(&rig, last).await, Answered::silent("no_address"));
        let offer = tell(&rig, system(MessageType::Discover, MAC1)).await;
        assert_eq!(offer.outcome, Outcome::Offered, "n1 was declared");
        rig = rig.restarted().await;
    }
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_not_heard_for_a_while() {
    let rig = rig().await;
    let answers = answers(&rig);
    let ask = async |address: &str| {
        let from = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68);
        let arrival = Arrival { interface: "eth1".into(), local: OURS, from, role: Role::Server };
        answers.handle(system(MessageType::Discover, address), arrival).await.outcome
    };
    for _ in 0..60 {
        assert_eq!(ask(MAC1).await, Outcome::Offered);
    }
    assert_eq!(ask(MAC1).await, Outcome::Silent("too_often"));
    assert_eq!(ask("52:54:00:00:01:01").await, Outcome::Offered, "others are");
    rig.advance(10);
    assert_eq!(ask(MAC1).await, Outcome::Offered);
}

//! Which DHCP question gets which answer (RFC 2131 section 4.3), and what is durable when it does.
use crate::rig::{Engine, MAC1, OURS, Rig, mac, operator};
use pilotlight::{
    dhcp::{
        DhcpAnswers,
        listener::{Answered, Arrival, Handler, Outcome, Role},
        wire::{Hardware, MessageType, ReplyKind, Request, options::Options},
    },
    service::ports::Ports,
};
use pilotlight_types::api::Phase;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddrV4};

const NONE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

pub fn answers(rig: &Rig) -> DhcpAnswers {
    DhcpAnswers {
        boots: rig.boots.clone(),
        leases: rig.leases.clone(),
        roster: rig.roster.clone(),
        journal: rig.journal.clone(),
        ports: Ports { advertise: None, http: 8080, https: 8443, syslog: false },
        sightings: rig.sightings.clone(),
        shared: false,
        limiter: std::sync::Mutex::default(),
        metrics: rig.metrics.dhcp.clone(),
    }
}

/// UEFI firmware asks.
pub fn firmware(kind: MessageType, address: &str) -> Request {
    let mut raw = [0; 16];
    raw[..6].copy_from_slice(&mac(address).bytes());
    Request {
        kind,
        hops: 0,
        xid: 1,
        secs: 0,
        broadcast: true,
        ciaddr: NONE,
        giaddr: NONE,
        hardware: Hardware { kind: 1, len: 6, address: raw },
        requested: None,
        server_id: None,
        client_id: None,
        hostname: None,
        vendor_class: Some("PXEClient:Arch:00007:UNDI:003000".into()),
        user_class: None,
        archs: vec![7],
        undi: Some([1, 3, 0]),
        uuid: None,
        ipxe: None,
        max_size: None,
        parameters: Vec::new(),
        relay_info: None,
        boot_item: None,
        options: Options::default(),
    }
}

/// An operating system asks.
pub fn system(kind: MessageType, address: &str) -> Request {
    Request { vendor_class: None, archs: Vec::new(), undi: None, ..firmware(kind, address) }
}

pub fn ipxe(kind: MessageType, address: &str) -> Request {
    Request { user_class: Some(b"iPXE".to_vec()), ipxe: Some(vec![0x13, 1, 1]), ..firmware(kind, address) }
}

pub async fn tell(rig: &Rig, request: Request) -> Answered {
    let arrival = Arrival {
        interface: "eth1".into(),
        local: OURS,
        from: SocketAddrV4::new(NONE, 68),
        role: Role::Server,
    };
    answers(rig).handle(request, arrival).await
}

pub fn address(answered: &Answered) -> Ipv4Addr {
    answered.reply.as_ref().and_then(|reply| reply.yiaddr).expect("an address")
}

async fn rig() -> Rig {
    Rig::new(Engine::Sqlite).await.with_documents().await
}

/// DISCOVER and REQUEST; returns the address.
async fn lease(rig: &Rig, address_of: &str) -> Ipv4Addr {
    let offered = address(&tell(rig, firmware(MessageType::Discover, address_of)).await);
    let request = Request {
        requested: Some(offered),
        server_id: Some(OURS),
        ..firmware(MessageType::Request, address_of)
    };
    let acked = tell(rig, request).await;
    assert_eq!(acked.outcome, Outcome::Acked);
    assert_eq!(address(&acked), offered);
    offered
}

#[tokio::test]
async fn firmware_gets_an_address_and_a_boot_program_then_ipxe_its_script() {
    let rig = rig().await;
    let offer = tell(&rig, firmware(MessageType::Discover, MAC1)).await;
    assert_eq!(offer.outcome, Outcome::Offered);
    let reply = offer.reply.clone().unwrap();
    assert_eq!((reply.server_id, reply.siaddr), (OURS, OURS));
    assert_eq!(reply.boot.unwrap().file, "snponly.efi");
    assert_eq!(reply.routers, [Ipv4Addr::new(10, 77, 0, 254)]);
    assert_eq!(reply.hostname.as_deref(), Some("n1"));
    let given = lease(&rig, MAC1).await;
    // What was acknowledged is durable: nothing else was waited for.
    let rows = rig.db.read().await.unwrap().leases().await.unwrap();
    assert_eq!(rows.iter().map(|row| row.lease.ip).collect::<Vec<_>>(), [given]);
    let script = tell(&rig, ipxe(MessageType::Discover, MAC1)).await.reply.unwrap();
    assert_eq!(
        script.boot.unwrap().file,
        "http://10.77.0.1:8080/boot/ipxe?mac=52-54-00-00-00-01&serial=${serial:uristring}"
    );
    assert_eq!(script.yiaddr, Some(given), "iPXE gets the address that the firmware had");
    let boot = rig.boots.of(rig.id("n1")).unwrap();
    assert_eq!((boot.address, boot.furthest()), (Some(given.into()), Some(Phase::Dhcp)));
}

#[tokio::test]
async fn a_system_gets_an_address_and_no_boot() {
    let rig = rig().await;
    let offer = tell(&rig, system(MessageType::Discover, MAC1)).await;
    assert!(offer.reply.unwrap().boot.is_none());
    assert!(rig.boots.of(rig.id("n1")).is_none(), "that is no boot");
    let unknown = tell(&rig, system(MessageType::Discover, "52:54:00:00:00:77")).await;
    assert!(matches!(unknown.outcome, Outcome::Offered | Outcome::Silent(_)));
    assert!(rig.views.machine("m-525400000077").is_none(), "a laptop is no machine to boot");
}

#[tokio::test]
async fn what_is_another_servers_business_is_left_to_it() {
    let rig = rig().await;
    let offered = address(&tell(&rig, firmware(MessageType::Discover, MAC1)).await);
    let theirs = Request {
        requested: Some(offered),
        server_id: Some([10, 77, 0, 9].into()),
        ..firmware(MessageType::Request, MAC1)
    };
    assert_eq!(tell(&rig, theirs).await, Answered::silent("other_server"));
    assert!(rig.db.read().await.unwrap().leases().await.unwrap().is_empty());
    for kind in [MessageType::Offer, MessageType::Ack, MessageType::Nak, MessageType::Other(10)] {
        assert_eq!(tell(&rig, firmware(kind, MAC1)).await, Answered::silent("not_for_servers"));
    }
}

#[tokio::test]
async fn a_client_from_another_network_is_told_so() {
    let rig = rig().await;
    // INIT-REBOOT: an address that it remembers, and no server.
    let remembers =
        |ip: [u8; 4]| Request { requested: Some(ip.into()), ..system(MessageType::Request, MAC1) };
    let nak = tell(&rig, remembers([192, 168, 1, 7])).await;
    assert_eq!(nak.outcome, Outcome::Naked);
    let reply = nak.reply.unwrap();
    assert_eq!((reply.kind, reply.yiaddr), (ReplyKind::Nak, None));
    assert!(reply.message.unwrap().contains("192.168.1.7 is not on this network"));
    assert_eq!(
        tell(&rig, remembers([10, 77, 0, 1])).await.outcome,
        Outcome::Naked,
        "that is our own address"
    );
    assert_eq!(tell(&rig, remembers([10, 77, 0, 100])).await.outcome, Outcome::Acked, "it may have that one");
    let other = Request {
        requested: Some([10, 77, 0, 100].into()),
        ..system(MessageType::Request, "52:54:00:00:00:02")
    };
    assert_eq!(tell(&rig, other).await.outcome, Outcome::Naked, "and nobody else may now");
    assert_eq!(tell(&rig, system(MessageType::Request, MAC1)).await, Answered::silent("no_address_asked"));
}

#[tokio::test]
async fn a_client_renews_what_it_has() {
    let rig = rig().await;
    let given = lease(&rig, MAC1).await;
    rig.advance(1800);
    let renew = Request { ciaddr: given, ..system(MessageType::Request, MAC1) };
    let acked = tell(&rig, renew.clone()).await;
    assert_eq!((acked.outcome, address(&acked)), (Outcome::Acked, given));
    rig.advance(3599);
    let rig = rig.restarted().await;
    assert_eq!(rig.leases.of(&"rack-a".parse().unwrap(), mac(MAC1)), Some(given), "the lease began anew");
    let elsewhere = Request { ciaddr: [192, 168, 1, 7].into(), ..renew };
    assert_eq!(tell(&rig, elsewhere).await, Answered::silent("no_subnet"));
}

#[tokio::test]
async fn an_address_is_released_and_declined_by_its_holder_only() {
    let rig = rig().await;
    let rack = "rack-a".parse().unwrap();
    let given = lease(&rig, MAC1).await;
    let stranger = "52:54:00:00:00:02";
    tell(&rig, Request { ciaddr: given, ..system(MessageType::Release, stranger) }).await;
    tell(&rig, Request { requested: Some(given), ..system(MessageType::Decline, stranger) }).await;
    assert_eq!(rig.leases.of(&rack, mac(MAC1)), Some(given));
    let declined = tell(&rig, Request { requested: Some(given), ..system(MessageType::Decline, MAC1) }).await;
    assert_eq!((declined.outcome, declined.reply), (Outcome::Declined, None));
    let next = lease(&rig, MAC1).await;
    assert_ne!(next, given, "what is declined is left alone");
    let released = tell(&rig, Request { ciaddr: next, ..system(MessageType::Release, MAC1) }).await;
    assert_eq!((released.outcome, released.reply), (Outcome::Released, None));
    assert_eq!(rig.leases.of(&rack, mac(MAC1)), None);
}

#[tokio::test]
async fn who_informs_gets_no_address() {
    let rig = rig().await;
    let inform = Request { ciaddr: [10, 77, 0, 60].into(), ..system(MessageType::Inform, MAC1) };
    let answered = tell(&rig, inform).await;
    let reply = answered.reply.unwrap();
    assert_eq!((answered.outcome, reply.yiaddr, reply.lease), (Outcome::Informed, None, None));
}

#[tokio::test]
async fn a_relay_says_which_network_it_is() {
    let rig = rig().await;
    let subnet = json!({"kind": "Subnet", "name": "rack-b", "spec": {
        "cidr": "10.78.0.0/24", "mode": "authoritative", "ranges": ["10.78.0.100-10.78.0.110"]}});
    let ignored =
        json!({"kind": "Subnet", "name": "rack-c", "spec": {"cidr": "10.79.0.0/24", "mode": "ignore"}});
    rig.apply(&[subnet, ignored]).await;
    let relayed =
        |giaddr: [u8; 4]| Request { giaddr: giaddr.into(), ..firmware(MessageType::Discover, MAC1) };
    assert_eq!(address(&tell(&rig, relayed([10, 78, 0, 1])).await).octets()[..2], [10, 78]);
    assert_eq!(tell(&rig, relayed([10, 79, 0, 1])).await, Answered::silent("subnet_ignored"));
    assert_eq!(tell(&rig, relayed([10, 80, 0, 1])).await, Answered::silent("no_subnet"));
}

/// Found by the fuzz target `dhcp_answer`.
#[tokio::test]
async fn nobody_gets_an_address_of_another_network_for_making_one_up() {
    let rig = rig().await;
    let here = Ipv4Addr::new(10, 99, 0, 1);
    let arrival = Arrival {
        interface: "eth2".into(),
        local: here,
        from: SocketAddrV4::new(NONE, 68),
        role: Role::Server,
    };
    let liar = Request { ciaddr: Ipv4Addr::new(10, 77, 0, 150), ..firmware(MessageType::Discover, MAC1) };
    let answered = answers(&rig).handle(liar, arrival).await;
    assert_eq!(answered, Answered::silent("no_subnet"), "no subnet is declared where it asked");
}

/// Found by the fuzz target `dhcp_answer`.
#[tokio::test]
async fn no_answer_goes_to_a_whole_network() {
    let rig = rig().await;
    let edges = ["10.77.0.255", "10.77.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1"];
    for edge in edges.map(|edge| edge.parse().unwrap()) {
        let relayed = Request { giaddr: edge, ..firmware(MessageType::Discover, MAC1) };
        assert_eq!(tell(&rig, relayed).await, Answered::silent("bad_address"), "{edge}");
        let informs = Request { ciaddr: edge, ..firmware(MessageType::Inform, MAC1) };
        assert_eq!(tell(&rig, informs).await, Answered::silent("bad_address"), "{edge}");
    }
}

#[tokio::test]
async fn who_is_to_get_nothing_gets_nothing_and_takes_nothing() {
    let rig = rig().await;
    let given = lease(&rig, MAC1).await;
    rig.machines.retire("n1", &operator()).await.unwrap();
    for kind in [MessageType::Discover, MessageType::Request, MessageType::Inform] {
        let request = Request { requested: Some(given), ..firmware(kind, MAC1) };
        assert_eq!(tell(&rig, request).await, Answered::silent("retired"));
    }
    let mut subnet = rig.documents()[0].clone();
    subnet["spec"]["unknown"] = json!("ignore");
    rig.apply(&[subnet]).await;
    let unknown = tell(&rig, firmware(MessageType::Discover, "52:54:00:00:00:09")).await;
    assert_eq!(unknown, Answered::silent("unknown_machine"));
    assert_eq!(rig.stage("m-525400000009"), "discovered", "it is recorded all the same");
    let arm = Request { archs: vec![11], ..firmware(MessageType::Discover, "52:54:00:00:00:0b") };
    rig.apply(&[crate::rig::machine("arm", "52:54:00:00:00:0b")]).await;
    assert_eq!(tell(&rig, arm).await, Answered::silent("no_boot_program"));
}

#[tokio::test]
async fn a_full_range_and_a_packet_without_an_address_get_no_answer() {
    let rig = rig().await;
    for n in 1..=4 {
        lease(&rig, &format!("52:54:00:00:01:0{n}")).await;
    }
    assert_eq!(tell(&rig, firmware(MessageType::Discover, MAC1)).await, Answered::silent("no_address"));
    let mut nobody = firmware(MessageType::Discover, MAC1);
    nobody.hardware.len = 5;
    assert_eq!(tell(&rig, nobody).await, Answered::silent("no_mac"));
    let group = firmware(MessageType::Discover, "01:00:5e:00:00:01");
    assert_eq!(tell(&rig, group).await, Answered::silent("no_mac"));
}

#[tokio::test]
async fn a_storm_of_questions_gives_each_its_own() {
    let rig = rig().await;
    let mut subnet = rig.documents()[0].clone();
    subnet["spec"]["ranges"] = json!(["10.77.0.50-10.77.0.250"]);
    rig.apply(&[subnet]).await;
    let all = (0..200u8).map(|n| {
        let rig = &rig;
        async move { lease(rig, &format!("52:54:00:00:02:{n:02x}")).await }
    });
    let given = futures_util::future::join_all(all).await;
    assert_eq!(given.iter().collect::<std::collections::HashSet<_>>().len(), 200);
    let rig = rig.restarted().await;
    assert_eq!(rig.leases.held(rig.journal.now())[0].1, 200);
    assert_eq!(rig.roster.read(|inventory| inventory.machines().count()), 201);
}

#[tokio::test]
async fn beside_another_server_a_machine_speaks_for_addresses_of_its_own_network_only() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let subnet =
        json!({"kind": "Subnet", "name": "rack-a", "spec": {"cidr": "10.77.0.0/24", "mode": "proxy"}});
    rig.apply(&[subnet]).await;
    tell(&rig, firmware(MessageType::Discover, MAC1)).await;
    let claims = async |address: [u8; 4]| {
        let asks = Request {
            requested: Some(address.into()),
            server_id: Some([10, 77, 0, 9].into()),
            ..firmware(MessageType::Request, MAC1)
        };
        tell(&rig, asks).await;
        rig.boots.of(rig.id("n1")).expect("a boot").address
    };
    assert_eq!(claims([10, 78, 0, 20]).await, None);
    assert_eq!(claims([10, 77, 0, 20]).await, Some([10, 77, 0, 20].into()));
    assert_eq!(claims([10, 78, 0, 20]).await, Some([10, 77, 0, 20].into()));
}

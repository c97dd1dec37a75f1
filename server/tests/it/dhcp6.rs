//! Which DHCPv6 question gets which answer, for whom, and what is durable when it does.
use crate::rig::{Engine, MAC1, OURS6, Rig, machine};
use pilotlight::{
    dhcp6::{
        Dhcp6Answers,
        listener::{Answered, Arrival, Handler, Outcome},
        wire::{
            Association, AssociationKind, INTEL, Message, Question, Relay, ReplyKind, StatusCode, VendorClass,
        },
    },
    domain::{dhcp6::Asks, duid::Duid},
    service::ports::Ports,
};
use pilotlight_types::api::Phase;
use serde_json::{Value, json};
use std::net::{Ipv6Addr, SocketAddrV6};

/// The link-local address that is made of [`MAC1`], and one that is made of nothing.
const OF_MAC1: &str = "fe80::5054:ff:fe00:1";
const PRIVATE: &str = "fe80::1:2:3:4";

const UUID: &str = "4c4c4544-0051-3910-8037-b2c04f4d0001";

pub fn answers(rig: &Rig) -> Dhcp6Answers {
    Dhcp6Answers {
        duid: server(),
        serves: true,
        boots: rig.boots.clone(),
        leases: rig.leases6.clone(),
        roster: rig.roster.clone(),
        journal: rig.journal.clone(),
        ports: Ports { advertise: None, http: 8080, https: 8443, syslog: false },
        sightings: rig.sightings.clone(),
        limiter: std::sync::Mutex::default(),
        metrics: rig.metrics.dhcp6.clone(),
    }
}

fn server() -> Duid {
    "000400112233445566778899aabbccddeeff".parse().unwrap()
}

/// The rig's documents, with IPv6 on their subnet and what else is said of it.
async fn rig_with(more: Value) -> Rig {
    let rig = Rig::new(Engine::Sqlite).await;
    let mut documents = rig.documents();
    let spec = documents[0]["spec"].as_object_mut().unwrap();
    spec.extend([
        ("cidr6".into(), json!("2001:db8:77::/64")),
        ("ranges6".into(), json!(["2001:db8:77::1000-2001:db8:77::1003"])),
        ("dns6".into(), json!(["2001:db8:77::53"])),
    ]);
    spec.extend(more.as_object().unwrap().clone());
    rig.apply(&documents).await;
    rig
}

/// An operating system asks, which wants an address and every option that we know.
fn system(asks: Asks) -> Message {
    let names_us = matches!(asks, Asks::Request | Asks::Renew | Asks::Release | Asks::Decline);
    Message {
        asks,
        transaction: [0, 0, 1],
        client: Some("0002000009bf01".parse().unwrap()),
        server: names_us.then(server),
        associations: vec![Association { kind: AssociationKind::Addresses, id: 1, addresses: Vec::new() }],
        requested: vec![23, 24, 59],
        rapid_commit: false,
        user_classes: Vec::new(),
        vendor_class: None,
        archs: Vec::new(),
    }
}

/// Firmware asks: UEFI's PXE, or its HTTP Boot.
fn firmware(asks: Asks, class: &str, arch: u16) -> Message {
    let text = format!("{class}:Arch:{arch:05}:UNDI:003016");
    Message { vendor_class: Some(VendorClass { enterprise: INTEL, text }), archs: vec![arch], ..system(asks) }
}

fn ipxe(asks: Asks) -> Message {
    Message { user_classes: vec![b"iPXE".to_vec()], ..firmware(asks, "PXEClient", 7) }
}

async fn tell(rig: &Rig, peer: &str, relays: Vec<Relay>, message: Message) -> Answered {
    let arrival = Arrival {
        ours: ["2001:db8:9::1".parse().unwrap(), OURS6].into(),
        to: "ff02::1:2".parse().unwrap(),
        from: SocketAddrV6::new(peer.parse().unwrap(), 546, 0, 2),
    };
    answers(rig).handle(&Question { relays, message }, &arrival).await
}

fn addresses(answered: &Answered) -> Vec<Ipv6Addr> {
    let reply = answered.reply.as_ref().expect("a reply");
    reply.associations.iter().flat_map(|given| &given.addresses).map(|(ip, _)| *ip).collect()
}

fn boot_file(answered: &Answered) -> Option<&str> {
    answered.reply.as_ref()?.boot_file.as_deref()
}

#[tokio::test]
async fn firmware_ipxe_and_the_system_have_one_address_and_each_its_own_url() {
    let rig = rig_with(json!({"bootLease": "90s"})).await;
    let pxe = tell(&rig, OF_MAC1, vec![], firmware(Asks::Solicit, "PXEClient", 7)).await;
    assert_eq!(boot_file(&pxe), Some("tftp://[2001:db8:77::1]/snponly.efi"));
    let http = tell(&rig, OF_MAC1, vec![], firmware(Asks::Solicit, "HTTPClient", 16)).await;
    assert_eq!(boot_file(&http), Some("http://[2001:db8:77::1]:8080/boot/files/snponly.efi"));
    let class = |answered: &Answered| answered.reply.as_ref().unwrap().vendor_class.clone();
    assert_eq!(class(&http), Some(VendorClass { enterprise: INTEL, text: "HTTPClient".into() }));
    assert_eq!(class(&pxe), None);
    let script = tell(&rig, OF_MAC1, vec![], ipxe(Asks::Request)).await;
    assert_eq!(
        boot_file(&script),
        Some("http://[2001:db8:77::1]:8080/boot/ipxe?mac=52-54-00-00-00-01&serial=${serial:uristring}")
    );
    let reply = script.reply.as_ref().unwrap();
    assert_eq!((reply.kind, reply.associations[0].addresses[0].1), (ReplyKind::Reply, 90));
    let system = tell(&rig, OF_MAC1, vec![], system(Asks::Request)).await;
    assert_eq!(
        (boot_file(&system), system.reply.as_ref().unwrap().associations[0].addresses[0].1),
        (None, 3600)
    );
    for other in [&http, &script, &system] {
        assert_eq!(addresses(other), addresses(&pxe));
    }
    let boot = rig.boots.of(rig.id("n1")).expect("a boot");
    assert_eq!((boot.address, boot.furthest()), (Some(addresses(&pxe)[0].into()), Some(Phase::Dhcp)));
    assert_eq!(rig.boots.at(addresses(&pxe)[0]), Some(boot.id));
}

#[tokio::test]
async fn nothing_is_sent_that_was_not_asked_for() {
    let rig = rig_with(json!({"domain": "rack.example"})).await;
    let all = tell(&rig, OF_MAC1, vec![], firmware(Asks::Solicit, "HTTPClient", 16)).await.reply.unwrap();
    assert_eq!((all.dns.len(), all.domain.as_deref()), (1, Some("rack.example")));
    let modest = Message { requested: Vec::new(), ..firmware(Asks::Solicit, "HTTPClient", 16) };
    let none = tell(&rig, OF_MAC1, vec![], modest).await.reply.unwrap();
    assert_eq!((none.dns, none.domain, none.boot_file, none.vendor_class), (vec![], None, None, None));
}

#[tokio::test]
async fn a_machine_is_found_by_what_a_relay_says_by_its_address_its_duid_and_its_uuid() {
    let rig = rig_with(json!({})).await;
    let mut by_uuid = machine("n2", "52:54:00:00:00:02");
    by_uuid["spec"]["uuid"] = json!(UUID);
    by_uuid["spec"]["ip6"] = json!("2001:db8:77::2");
    rig.apply(&[by_uuid]).await;
    let relay = |mac: Option<&str>, peer: &str, link: &str| Relay {
        hops: 0,
        link: link.parse().unwrap(),
        peer: peer.parse().unwrap(),
        echo: Vec::new(),
        mac: mac.map(|mac| mac.parse().unwrap()),
    };
    let with = |duid: &str| Message { client: Some(duid.parse().unwrap()), ..ipxe(Asks::Solicit) };
    let here = "2001:db8:77::fe";
    let straight = format!("0004{}", UUID.replace('-', ""));
    let swapped = "000444454c4c510010398037b2c04f4d0001";
    for (peer, relays, duid, mac) in [
        (OF_MAC1, vec![], "0002000009bf01", MAC1),
        ("2001:db8:77::fe", vec![relay(Some(MAC1), PRIVATE, here)], "0002000009bf01", MAC1),
        ("2001:db8:77::fe", vec![relay(None, OF_MAC1, here)], "0002000009bf01", MAC1),
        // The relay next to it has no address on its link; the next one has.
        (
            "2001:db8:77::fe",
            vec![relay(None, PRIVATE, here), relay(None, OF_MAC1, "::")],
            "0002000009bf01",
            MAC1,
        ),
        (PRIVATE, vec![], "00030001525400000001", MAC1),
        (PRIVATE, vec![], straight.as_str(), "52:54:00:00:00:02"),
        (PRIVATE, vec![], swapped, "52:54:00:00:00:02"),
    ] {
        let answered = tell(&rig, peer, relays, with(duid)).await;
        let url = boot_file(&answered).unwrap_or_else(|| panic!("{duid}: {answered:?}"));
        assert!(url.contains(&mac.replace(':', "-")), "{duid} by {peer}: {url}");
        let its_own = addresses(&answered) == ["2001:db8:77::2".parse::<Ipv6Addr>().unwrap()];
        assert_eq!(its_own, mac != MAC1, "what is reserved");
        // What was advertised and not taken is free again.
        rig.advance(61);
    }
    let unknown = tell(&rig, PRIVATE, vec![], with("0002000009bf01")).await;
    assert_eq!(unknown.outcome, Outcome::Silent("no_mac"), "what boots must be told from others");
    let system = tell(&rig, PRIVATE, vec![], system(Asks::Solicit)).await;
    assert_eq!(addresses(&system).len(), 1, "what does not is given an address");
    let nowhere = vec![relay(None, OF_MAC1, "2001:db8:5::1")];
    let elsewhere = tell(&rig, "2001:db8:77::fe", nowhere, with("0002000009bf01")).await;
    assert_eq!(elsewhere.outcome, Outcome::Silent("no_subnet"));
}

#[tokio::test]
async fn a_lease_is_durable_when_it_is_told_and_is_nobody_elses() {
    let rig = rig_with(json!({})).await;
    let first = tell(&rig, OF_MAC1, vec![], ipxe(Asks::Request)).await;
    let [address] = addresses(&first)[..] else { panic!("one address: {first:?}") };
    let rig = rig.restarted().await;
    let wants = |message: Message| Message {
        associations: vec![Association { kind: AssociationKind::Addresses, id: 1, addresses: vec![address] }],
        ..message
    };
    let other = tell(&rig, "fe80::5054:ff:fe00:9", vec![], wants(ipxe(Asks::Request))).await;
    assert_ne!(addresses(&other), [address]);
    let back = tell(&rig, OF_MAC1, vec![], wants(ipxe(Asks::Release))).await;
    assert_eq!(back.outcome, Outcome::Released);
    let status = |answered: &Answered| answered.reply.as_ref().unwrap().status.clone().unwrap().code;
    assert_eq!(status(&back), StatusCode::Success);
    rig.written().await;
    let rows = rig.db.read().await.unwrap().leases6().await.unwrap();
    assert!(rows.iter().all(|row| row.lease.ip != address), "{rows:?}");
    // The lease of a client that came no more is forgotten, and its row with it.
    rig.advance(100_000);
    tell(&rig, OF_MAC1, vec![], ipxe(Asks::Solicit)).await;
    rig.written().await;
    assert_eq!(rig.db.read().await.unwrap().leases6().await.unwrap(), []);
}

#[tokio::test]
async fn a_range_that_is_full_says_so_and_an_interface_has_one_address() {
    let rig = rig_with(json!({"ranges6": ["2001:db8:77::1000"]})).await;
    let two = Association { kind: AssociationKind::Addresses, id: 2, addresses: Vec::new() };
    let prefix = Association { kind: AssociationKind::Prefixes, ..two.clone() };
    let mut asks = system(Asks::Request);
    asks.associations.extend([two, prefix]);
    let reply = tell(&rig, OF_MAC1, vec![], asks).await.reply.unwrap();
    let codes: Vec<_> =
        reply.associations.iter().map(|given| given.status.as_ref().map(|status| status.code)).collect();
    assert_eq!(codes, [None, Some(StatusCode::NoAddrsAvail), Some(StatusCode::NoPrefixAvail)]);
    let late = tell(&rig, "fe80::5054:ff:fe00:9", vec![], system(Asks::Solicit)).await;
    assert_eq!(late.outcome, Outcome::NoAddress);
    let late = late.reply.unwrap();
    let status = late.associations[0].status.clone().unwrap();
    assert_eq!((status.code, late.kind), (StatusCode::NoAddrsAvail, ReplyKind::Advertise));
    assert!(status.text.contains("every address"), "{}", status.text);
}

#[tokio::test]
async fn only_an_authoritative_subnet_is_served_and_silence_is_silence() {
    for (mode, why) in
        [("proxy", "subnet_not_ours"), ("shadow", "subnet_not_ours"), ("ignore", "subnet_ignored")]
    {
        let rig = rig_with(json!({"mode": mode, "ranges": []})).await;
        let answered = tell(&rig, OF_MAC1, vec![], system(Asks::Solicit)).await;
        assert_eq!(answered.outcome, Outcome::Silent(why), "{mode}");
        assert_eq!(rig.boots.open(), []);
    }
    let rig = rig_with(json!({"unknown": "ignore"})).await;
    let stranger = tell(&rig, "fe80::5054:ff:fe00:9", vec![], ipxe(Asks::Solicit)).await;
    assert_eq!(stranger.outcome, Outcome::Silent("unknown_machine"));
    let known = tell(&rig, OF_MAC1, vec![], ipxe(Asks::Solicit)).await;
    assert_eq!(known.outcome, Outcome::Advertised);
}

#[tokio::test]
async fn what_is_explained_is_what_is_answered_and_explaining_changes_nothing() {
    let rig = rig_with(json!({})).await;
    let ours: Arrival = Arrival {
        ours: [OURS6].into(),
        to: "ff02::1:2".parse().unwrap(),
        from: SocketAddrV6::new(OF_MAC1.parse().unwrap(), 546, 0, 2),
    };
    let network = "2001:db8:77::/64".parse().ok();
    let mut held = Vec::new();
    for asks in [Asks::Solicit, Asks::Request, Asks::Renew, Asks::Confirm, Asks::Decline, Asks::Release] {
        let association = Association { kind: AssociationKind::Addresses, id: 1, addresses: held.clone() };
        let message = Message { associations: vec![association], ..ipxe(asks) };
        let question = Question { relays: Vec::new(), message };
        let answers = answers(&rig);
        let (first, _) = answers.preview(&question, &ours, network);
        let (again, _) = answers.preview(&question, &ours, network);
        let real = answers.handle(&question, &ours).await;
        assert_eq!((&first, &again), (&real, &real), "{asks:?}");
        if asks == Asks::Request {
            held = addresses(&real);
            assert_eq!(held.len(), 1);
        }
    }
}

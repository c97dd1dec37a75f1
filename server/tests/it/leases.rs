//! Who gets which address, and that it is durable before anybody is told.
use crate::rig::{MAC1, OURS, Rig, mac, on_both, operator};
use pilotlight::service::leases::Asker;
use pilotlight_types::{Mac, resource::Name};
use serde_json::{Value, json};
use std::{collections::HashSet, net::Ipv4Addr};

on_both!(
    a_lease_is_there_after_a_restart,
    an_address_goes_to_one_client_only,
    a_reserved_address_is_its_machines_and_nobody_elses,
    our_own_and_the_gateways_address_are_never_given,
    a_declined_address_is_left_alone_by_a_restarted_daemon_too,
    a_stranger_can_neither_decline_nor_release,
    a_released_address_is_free,
    an_ended_lease_is_given_to_another_and_survives,
    a_client_has_one_lease_after_a_restart_too,
);

fn rack() -> Name {
    "rack-a".parse().unwrap()
}

fn client(n: u8) -> Mac {
    Mac::new([2, 0, 0, 0, 0, n])
}

fn asker(subnet: &Name, mac: Mac) -> Asker<'_> {
    Asker { subnet, mac, machine: None, boots: false }
}

fn address(last: u8) -> Ipv4Addr {
    [10, 77, 0, last].into()
}

/// Offers and binds, as DISCOVER and REQUEST do.
async fn lease(rig: &Rig, mac: Mac) -> Option<Ipv4Addr> {
    let rack = rack();
    let offered = rig.leases.offer(asker(&rack, mac), None).ok()?;
    rig.leases.bind(asker(&rack, mac), offered.ip).await.unwrap().map(|lease| lease.ip)
}

async fn a_lease_is_there_after_a_restart(rig: Rig) {
    let rig = rig.with_documents().await;
    let ip = lease(&rig, client(1)).await.unwrap();
    let rig = rig.restarted().await;
    assert_eq!(rig.leases.of(&rack(), client(1)), Some(ip));
    assert_eq!(rig.leases.held(rig.journal.now()), [(rack(), 1)]);
    rig.advance(3600);
    assert_eq!(rig.leases.of(&rack(), client(1)), None, "it lasts as long as the subnet says");
}

async fn an_address_goes_to_one_client_only(rig: Rig) {
    let rig = rig.with_documents().await;
    let clients = futures_util::future::join_all((1..=6).map(|n| lease(&rig, client(n)))).await;
    let given: Vec<Ipv4Addr> = clients.into_iter().flatten().collect();
    assert_eq!(given.len(), 4, "the range has four addresses");
    assert_eq!(given.iter().collect::<HashSet<_>>().len(), 4);
    let taken = rig.leases.bind(asker(&rack(), client(9)), given[0]).await.unwrap();
    assert_eq!(taken, None);
    let nowhere = "nowhere".parse().unwrap();
    assert_eq!(rig.leases.bind(asker(&nowhere, client(9)), given[0]).await.unwrap(), None);
}

fn reserved(name: &str, mac: &str, ip: &str) -> Value {
    json!({"kind": "Machine", "name": name, "spec": {"macs": [mac], "ip": ip}})
}

async fn a_reserved_address_is_its_machines_and_nobody_elses(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.apply(&[reserved("n1", MAC1, "10.77.0.50"), reserved("n2", "52:54:00:00:00:02", "10.77.0.101")])
        .await;
    let rack = rack();
    let n1 = Asker { machine: Some(rig.id("n1")), ..asker(&rack, mac(MAC1)) };
    assert_eq!(rig.leases.offer(n1, Some(address(100))).unwrap().ip, address(50), "even outside the ranges");
    assert!(rig.leases.bind(n1, address(50)).await.unwrap().is_some());
    assert_eq!(rig.leases.bind(n1, address(101)).await.unwrap(), None, "that is n2's");
    for n in 1..=4 {
        assert_ne!(lease(&rig, client(n)).await, Some(address(101)), "nobody else gets what is reserved");
    }
}

async fn our_own_and_the_gateways_address_are_never_given(rig: Rig) {
    rig.apply(&[
        json!({"kind": "Subnet", "name": "rack-a", "spec": {"cidr": "10.77.0.0/24", "mode": "authoritative",
        "ranges": ["10.77.0.1-10.77.0.3"], "gateway": "10.77.0.2"}}),
    ])
    .await;
    assert_eq!(lease(&rig, client(1)).await, Some(address(3)));
    assert_eq!(lease(&rig, client(2)).await, None);
    for ip in [OURS, address(2)] {
        assert_eq!(rig.leases.bind(asker(&rack(), client(2)), ip).await.unwrap(), None);
    }
}

async fn a_declined_address_is_left_alone_by_a_restarted_daemon_too(rig: Rig) {
    let rig = rig.with_documents().await;
    let ip = lease(&rig, client(1)).await.unwrap();
    assert!(rig.leases.decline(&rack(), client(1), ip).is_some());
    rig.written().await;
    let rig = rig.restarted().await;
    for n in 1..=3 {
        assert_ne!(lease(&rig, client(n)).await.unwrap(), ip);
    }
    assert_eq!(lease(&rig, client(4)).await, None);
    rig.advance(3600);
    assert_eq!(rig.leases.bind(asker(&rack(), client(4)), ip).await.unwrap().map(|lease| lease.ip), Some(ip));
}

async fn a_stranger_can_neither_decline_nor_release(rig: Rig) {
    let rig = rig.with_documents().await;
    let ip = lease(&rig, client(1)).await.unwrap();
    let nowhere = "nowhere".parse().unwrap();
    assert!(rig.leases.decline(&rack(), client(2), ip).is_none());
    assert!(!rig.leases.release(&rack(), client(2), ip));
    assert!(!rig.leases.release(&nowhere, client(1), ip));
    assert!(rig.leases.decline(&rack(), client(1), address(250)).is_none());
    assert_eq!(rig.leases.of(&rack(), client(1)), Some(ip));
}

async fn a_released_address_is_free(rig: Rig) {
    let rig = rig.with_documents().await;
    let ip = lease(&rig, client(1)).await.unwrap();
    assert!(rig.leases.release(&rack(), client(1), ip));
    rig.written().await;
    let rig = rig.restarted().await;
    assert_eq!(rig.leases.of(&rack(), client(1)), None);
    assert!(rig.leases.bind(asker(&rack(), client(2)), ip).await.unwrap().is_some());
}

async fn an_ended_lease_is_given_to_another_and_survives(rig: Rig) {
    let rig = rig.with_documents().await;
    for n in 1..=4 {
        lease(&rig, client(n)).await.unwrap();
        rig.advance(1);
    }
    rig.advance(3600);
    let ip = lease(&rig, client(5)).await.expect("an ended lease");
    let rig = rig.restarted().await;
    assert_eq!(rig.leases.of(&rack(), client(5)), Some(ip));
    let changed =
        rig.changes.delete(pilotlight_types::resource::Kind::Subnet, "rack-a", None, &operator()).await;
    changed.unwrap();
    assert_eq!(lease(&rig, client(5)).await, None, "a subnet that is gone gives nothing");
}

async fn a_client_has_one_lease_after_a_restart_too(rig: Rig) {
    let rig = rig.with_documents().await;
    let had = [lease(&rig, mac(MAC1)).await.unwrap(), lease(&rig, client(2)).await.unwrap()];
    let free = (100..=103).map(address).find(|ip| !had.contains(ip)).unwrap();
    let taken = rig.leases.bind(asker(&rack(), client(2)), free).await.unwrap();
    assert!(taken.is_some(), "it asks for another one than it has");
    rig.apply(&[reserved("n1", MAC1, "10.77.0.50")]).await;
    let rack = rack();
    let n1 = Asker { machine: Some(rig.id("n1")), ..asker(&rack, mac(MAC1)) };
    assert_eq!(rig.leases.offer(n1, None).unwrap().ip, address(50), "an address was reserved for it since");
    assert!(rig.leases.bind(n1, address(50)).await.unwrap().is_some());
    let rig = rig.restarted().await;
    let stored = rig.db.read().await.unwrap().leases().await.unwrap();
    let mut stored: Vec<Ipv4Addr> = stored.into_iter().map(|row| row.lease.ip).collect();
    stored.sort();
    assert_eq!(stored, [address(50), free]);
}

//! Rows go in and come out the same, on both databases; what was acknowledged is durable; a refused write takes no other with it.
use crate::rig::{MAC1, Rig, on_both};
use pilotlight::{
    domain::{
        attempt,
        lease::Lease,
        lease6::{Holder, Lease6},
        machine::{Machine, Reported},
        stage::{Revision, Stage},
    },
    service::journal::Actor,
    store::{
        BootRow, Lease6Row, LeaseRow, NewBootToken, ResourceRow, RevisionRow, StoreError, TokenRow, TokenUse,
        Write,
    },
};
use pilotlight_types::{
    BootId, Mac, MachineId, Timestamp, TokenId,
    api::{DecisionRecord, Hold, Role},
    facts::Facts,
    resource::{Kind, Labels, MachineSpec, Name},
};
use serde_json::json;
use std::sync::Arc;

on_both!(
    a_machine_comes_back_as_it_was,
    a_machine_is_written_over_its_predecessor_only,
    a_deleted_machine_does_not_come_back,
    macs_are_one_machines_and_can_be_swapped,
    resources_and_their_revisions_come_back,
    leases_come_back,
    ipv6_leases_come_back,
    boots_come_back,
    a_one_time_token_is_good_once,
    tokens_come_back_and_names_are_unique,
    events_come_in_their_order,
    a_whole_hall_is_written_in_its_order,
    one_refused_write_of_many_takes_no_other_with_it,
    a_refused_change_leaves_no_trace,
    what_was_acknowledged_is_there_after_a_restart,
    the_database_answers_a_ping,
);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn id(n: u8) -> MachineId {
    MachineId::new(Timestamp::from_micros(1_000_000), [n; 10])
}

fn machine(n: u8) -> Machine {
    let spec = MachineSpec {
        macs: vec![format!("52:54:00:00:00:{n:02x}").parse().unwrap()],
        ..MachineSpec::default()
    };
    Machine::new(
        id(n),
        name(&format!("n{n}")),
        Labels::default(),
        spec,
        Stage::Ready,
        Timestamp::from_micros(7),
    )
}

fn write(machine: &Machine) -> Write {
    Write::Machine(Box::new(machine.clone()))
}

async fn commit(rig: &Rig, writes: Vec<Write>) -> Result<(), StoreError> {
    rig.journal.commit(writes).await
}

fn refused(result: Result<(), StoreError>) {
    assert!(matches!(result, Err(StoreError::Conflict { .. })), "{result:?}");
}

async fn a_machine_comes_back_as_it_was(rig: Rig) {
    let revision = Revision { profile: name("worker"), revision: 3 };
    let full = Machine {
        labels: serde_json::from_value(json!({"role": "worker"})).unwrap(),
        stage: Stage::Failed { armed: revision.clone(), why: "the \"cable\" \u{e9}".into() },
        hold: Some(Hold {
            reason: "disk".into(),
            by: "alice".into(),
            since: Timestamp::from_micros(5),
            until: None,
        }),
        running: Some(revision),
        facts: Some(Arc::new(Reported {
            facts: Facts { version: 1, ..Facts::default() },
            at: Timestamp::from_micros(9),
        })),
        seen: Some(Timestamp::from_micros(11)),
        ..machine(1)
    };
    commit(&rig, vec![write(&machine(2)), write(&full)]).await.unwrap();
    commit(&rig, vec![Write::Seen(id(2), Timestamp::from_micros(77))]).await.unwrap();
    let seen = Machine { seen: Some(Timestamp::from_micros(77)), ..machine(2) };
    assert_eq!(rig.db.read().await.unwrap().machines().await.unwrap(), [full, seen]);
}

async fn a_machine_is_written_over_its_predecessor_only(rig: Rig) {
    let first = machine(1);
    commit(&rig, vec![write(&first)]).await.unwrap();
    refused(commit(&rig, vec![write(&first)]).await);
    refused(commit(&rig, vec![write(&Machine { version: 3, ..first.clone() })]).await);
    commit(&rig, vec![write(&Machine { version: 2, ..first.clone() })]).await.unwrap();
    refused(commit(&rig, vec![write(&Machine { version: 2, ..first })]).await);
    refused(commit(&rig, vec![write(&Machine { name: name("n1"), ..machine(2) })]).await);
}

async fn a_deleted_machine_does_not_come_back(rig: Rig) {
    commit(&rig, vec![write(&machine(1))]).await.unwrap();
    commit(&rig, vec![Write::NoMachine(id(1))]).await.unwrap();
    refused(commit(&rig, vec![write(&Machine { version: 2, ..machine(1) })]).await);
    refused(commit(&rig, vec![Write::NoMachine(id(1))]).await);
    commit(&rig, vec![Write::Seen(id(1), Timestamp::default())]).await.unwrap();
    assert!(rig.db.read().await.unwrap().machines().await.unwrap().is_empty());
}

async fn macs_are_one_machines_and_can_be_swapped(rig: Rig) {
    let (a, b) = (machine(1), machine(2));
    commit(&rig, vec![write(&a), write(&b)]).await.unwrap();
    let thief = Machine { spec: a.spec.clone(), ..machine(3) };
    refused(commit(&rig, vec![write(&thief)]).await);
    let swapped = [
        Machine { spec: b.spec.clone(), version: 2, ..a.clone() },
        Machine { spec: a.spec, version: 2, ..b },
    ];
    commit(&rig, swapped.iter().map(write).collect()).await.unwrap();
    assert_eq!(rig.db.read().await.unwrap().machines().await.unwrap(), swapped);
}

fn resource(revision: i64) -> ResourceRow {
    ResourceRow {
        kind: Kind::Profile,
        name: name("worker"),
        labels: serde_json::from_value(json!({"a": "b"})).unwrap(),
        spec: json!({"boot": "local", "z": 1, "a": [null, "\u{1f600}"]}),
        revision,
        updated: Timestamp::from_micros(revision),
    }
}

fn revision(revision: i64) -> RevisionRow {
    RevisionRow { resource: resource(revision), actor: "alice".into(), message: None }
}

async fn resources_and_their_revisions_come_back(rig: Rig) {
    for n in 1..=2 {
        commit(&rig, vec![Write::Resource(revision(n))]).await.unwrap();
    }
    refused(commit(&rig, vec![Write::Resource(revision(2))]).await);
    let mut tx = rig.db.read().await.unwrap();
    assert_eq!(tx.resources().await.unwrap(), [resource(2)]);
    assert_eq!(tx.revisions(Kind::Profile).await.unwrap(), [revision(1), revision(2)]);
    assert_eq!(tx.revisions(Kind::Image).await.unwrap(), []);
    drop(tx);
    commit(&rig, vec![Write::NoResource(Kind::Profile, name("worker"))]).await.unwrap();
    refused(commit(&rig, vec![Write::NoResource(Kind::Profile, name("worker"))]).await);
    let mut tx = rig.db.read().await.unwrap();
    assert_eq!(tx.resources().await.unwrap(), []);
    assert_eq!(tx.revisions(Kind::Profile).await.unwrap().len(), 2, "what was, stays");
    assert_eq!(tx.last_revisions().await.unwrap(), [(Kind::Profile, name("worker"), 2)]);
}

fn lease(ip: u8, mac: Option<&str>, expires: i64) -> LeaseRow {
    let lease = Lease {
        ip: [10, 77, 0, ip].into(),
        mac: mac.map(|mac| mac.parse().unwrap()),
        expires: Timestamp::from_micros(expires),
        bound: true,
        declared: false,
    };
    LeaseRow { subnet: name("rack-a"), lease }
}

async fn ipv6_leases_come_back(rig: Rig) {
    let lease = |ip: u16, holder: Option<Holder>, expires: i64| Lease6Row {
        subnet: name("rack-a"),
        lease: Lease6 {
            ip: [0x2001, 0xdb8, 0x77, 0, 0, 0, 0, ip].into(),
            holder,
            expires: Timestamp::from_micros(expires),
            bound: true,
            declared: false,
        },
    };
    let all = async || {
        let mut rows = rig.db.read().await.unwrap().leases6().await.unwrap();
        rows.sort_by_key(|row| row.lease.ip);
        rows
    };
    let interface = Some(Holder::Interface(MAC1.parse().unwrap()));
    let client = "000400112233445566778899aabbccddeeff/7".parse::<Holder>().unwrap();
    let (first, declined) = (lease(1, interface.clone(), 1), lease(2, None, 2));
    let nameless = lease(3, Some(client), 3);
    let rows = [first.clone(), declined.clone(), nameless.clone()];
    commit(&rig, rows.iter().cloned().map(Write::Lease6).collect()).await.unwrap();
    assert_eq!(all().await, rows);
    // A holder has one lease on a subnet, and what ended late ends nobody else's.
    let moved = lease(4, interface.clone(), 4);
    commit(&rig, vec![Write::Lease6(moved.clone())]).await.unwrap();
    assert_eq!(all().await, [declined.clone(), nameless.clone(), moved.clone()]);
    let renewed = lease(4, interface, 5);
    commit(&rig, vec![Write::Lease6(renewed.clone()), Write::NoLease6(moved)]).await.unwrap();
    assert_eq!(all().await, [declined.clone(), nameless.clone(), renewed.clone()]);
    commit(&rig, vec![Write::NoLease6(renewed), Write::NoLease6(nameless)]).await.unwrap();
    assert_eq!(all().await, [declined]);
}

async fn leases_come_back(rig: Rig) {
    let all = async || {
        let mut rows = rig.db.read().await.unwrap().leases().await.unwrap();
        rows.sort_by_key(|row| row.lease.ip);
        rows
    };
    let (first, declined) = (lease(100, Some(MAC1), 1), lease(101, None, 2));
    commit(&rig, vec![Write::Lease(first.clone()), Write::Lease(declined.clone())]).await.unwrap();
    assert_eq!(all().await, [first.clone(), declined.clone()]);
    let moved = lease(102, Some(MAC1), 3);
    let former = Write::NoLease(first.lease.ip, MAC1.parse().unwrap());
    commit(&rig, vec![former, Write::Lease(moved.clone())]).await.unwrap();
    assert_eq!(all().await, [declined.clone(), moved]);
    let taken = lease(102, Some("52:54:00:00:00:02"), 4);
    commit(&rig, vec![Write::Lease(taken.clone())]).await.unwrap();
    commit(&rig, vec![Write::NoLease([10, 77, 0, 102].into(), MAC1.parse().unwrap())]).await.unwrap();
    assert_eq!(all().await, [declined.clone(), taken], "a release that comes late ends nobody else's lease");
    commit(&rig, vec![Write::NoLease([10, 77, 0, 102].into(), "52:54:00:00:00:02".parse().unwrap())])
        .await
        .unwrap();
    assert_eq!(all().await, [declined]);
}

fn boot(n: u8, of: u8, started: i64) -> BootRow {
    let started = Timestamp::from_micros(started);
    let mut boot = attempt::new(BootId::new(started, [n; 10]), &name("n1"), MAC1.parse().unwrap(), started);
    boot.decision = DecisionRecord::of(&json!({"a": 1})).unwrap();
    BootRow { machine: id(of), boot: Arc::new(boot) }
}

fn put(row: &BootRow) -> Write {
    Write::Boot(Box::new(row.clone()))
}

async fn boots_come_back(rig: Rig) {
    refused(commit(&rig, vec![put(&boot(1, 1, 1))]).await);
    let (old, new, other) = (boot(1, 1, 1000), boot(2, 1, 2000), boot(3, 2, 1500));
    commit(&rig, vec![write(&machine(1)), write(&machine(2)), put(&old), put(&new), put(&other)])
        .await
        .unwrap();
    let mut over = old.clone();
    Arc::make_mut(&mut over.boot).ended = Some(Timestamp::from_micros(1999));
    let mut between = old.clone();
    Arc::make_mut(&mut between.boot).address = Some([10, 77, 0, 9].into());
    let (one, two, three) = futures_util::join!(
        commit(&rig, vec![put(&between), put(&old)]),
        commit(&rig, vec![put(&between)]),
        commit(&rig, vec![put(&old), put(&over)])
    );
    assert!(one.is_ok() && two.is_ok() && three.is_ok(), "of many rows of a boot the newest stays");
    let mut tx = rig.db.read().await.unwrap();
    let late = Timestamp::from_micros(9000);
    assert_eq!(tx.boot(over.boot.id).await.unwrap(), Some(over.clone()));
    assert_eq!(tx.boots(None, late, 10).await.unwrap(), [new.clone(), other.clone(), over.clone()]);
    assert_eq!(tx.boots(Some(id(1)), late, 1).await.unwrap().as_slice(), std::slice::from_ref(&new));
    assert_eq!(tx.boots(Some(id(1)), Timestamp::from_micros(2000), 9).await.unwrap(), [over]);
    let mut newest = tx.newest_boots().await.unwrap();
    newest.sort_by_key(|row| row.machine);
    assert_eq!(newest, [new, other.clone()]);
    drop(tx);
    commit(&rig, vec![Write::NoMachine(id(1))]).await.unwrap();
    assert_eq!(rig.db.read().await.unwrap().boots(None, late, 10).await.unwrap(), [other]);
}

async fn a_one_time_token_is_good_once(rig: Rig) {
    let row = boot(1, 1, 1);
    let (token, address) = (row.boot.id, "10.77.0.100".parse().unwrap());
    let made = |hash: &str| {
        Write::BootToken(NewBootToken {
            hash: hash.into(),
            boot: token,
            address,
            expires: Timestamp::from_micros(100),
        })
    };
    let used =
        |hash: &str| TokenUse { hash: hash.into(), boot: token, address, at: Timestamp::from_micros(50) };
    commit(&rig, vec![write(&machine(1)), put(&row), put(&boot(2, 1, 2)), made("a")]).await.unwrap();
    for wrong in [
        used("b"),
        TokenUse { boot: boot(2, 1, 2).boot.id, ..used("a") },
        TokenUse { address: "10.77.0.101".parse().unwrap(), ..used("a") },
        TokenUse { at: Timestamp::from_micros(100), ..used("a") },
    ] {
        refused(commit(&rig, vec![Write::UseBootToken(wrong)]).await);
    }
    assert_eq!(rig.db.read().await.unwrap().boot_token_used("a").await.unwrap(), Some(None));
    commit(&rig, vec![Write::UseBootToken(used("a"))]).await.unwrap();
    refused(commit(&rig, vec![Write::UseBootToken(used("a"))]).await);
    // A new one ends those that were not used; those that were stay known.
    commit(&rig, vec![made("c")]).await.unwrap();
    commit(&rig, vec![made("d")]).await.unwrap();
    refused(commit(&rig, vec![Write::UseBootToken(used("c"))]).await);
    let mut tx = rig.db.read().await.unwrap();
    assert_eq!(tx.boot_token_used("a").await.unwrap(), Some(Some(Timestamp::from_micros(50))));
    assert_eq!(tx.boot_token_used("c").await.unwrap(), None);
}

async fn tokens_come_back_and_names_are_unique(rig: Rig) {
    let token = |n: u8, name: &str| TokenRow {
        id: TokenId::new(Timestamp::from_micros(1), [n; 10]),
        name: name.into(),
        role: Role::Viewer,
        scope: pilotlight_types::api::Scope::default(),
        hash: format!("hash-{n}"),
        holder: (n == 1).then(|| "user:alice".to_owned()),
        created: Timestamp::from_micros(1),
        expires: (n == 1).then(|| Timestamp::from_micros(9)),
        used: None,
    };
    commit(&rig, vec![Write::Token(token(1, "a")), Write::Token(token(2, "b"))]).await.unwrap();
    refused(commit(&rig, vec![Write::Token(token(3, "a"))]).await);
    assert_eq!(rig.db.read().await.unwrap().tokens().await.unwrap(), [token(1, "a"), token(2, "b")]);
}

async fn events_come_in_their_order(rig: Rig) {
    let mut live = rig.journal.events();
    let event =
        |object: &str, text: &str| rig.journal.event("a.b", object, &Actor::daemon(), None, text.into());
    commit(&rig, vec![event("machine/a", "1"), event("machine/b", "2")]).await.unwrap();
    commit(&rig, vec![event("machine/a", "3 \u{e9}\"")]).await.unwrap();
    let mut tx = rig.db.read().await.unwrap();
    let all = tx.events_after(0, None, 10).await.unwrap();
    let texts = |events: &[pilotlight_types::api::Event]| -> Vec<String> {
        events.iter().map(|event| event.message.clone()).collect()
    };
    assert_eq!(texts(&all), ["1", "2", "3 \u{e9}\""]);
    assert_eq!(texts(&tx.events_after(all[0].seq, None, 1).await.unwrap()), ["2"]);
    assert_eq!(texts(&tx.events_after(0, Some("machine/a"), 10).await.unwrap()), ["1", "3 \u{e9}\""]);
    assert_eq!(texts(&tx.newest_events(None, 2).await.unwrap()), ["3 \u{e9}\"", "2"]);
    assert_eq!(texts(&tx.newest_events(Some("machine/b"), 2).await.unwrap()), ["2"]);
    for expected in all {
        assert_eq!(live.recv().await.unwrap(), expected, "who listens hears what was stored");
    }
}

async fn a_whole_hall_is_written_in_its_order(rig: Rig) {
    commit(&rig, (1..=100).map(|n| write(&machine(n))).collect()).await.unwrap();
    let mut live = rig.journal.events();
    let commits = (1..=100u8).map(|n| {
        let event = rig.journal.event("a.b", "x/y", &Actor::daemon(), None, n.to_string());
        // Each takes the address that another gave back a moment before, of four in all.
        let (mac, ip) = (format!("52:54:00:00:00:{n:02x}"), n % 4);
        let gone = Write::NoLease([10, 77, 0, ip].into(), mac.parse().unwrap());
        let mut writes = vec![put(&boot(n, n, 1000)), Write::Lease(lease(ip, Some(&mac), n.into())), event];
        writes.extend((n <= 96).then_some(gone));
        let journal = rig.journal.clone();
        async move { journal.commit(writes).await }
    });
    for result in futures_util::future::join_all(commits).await {
        result.unwrap();
    }
    let mut tx = rig.db.read().await.unwrap();
    let events = tx.events_after(0, None, 1000).await.unwrap();
    let texts: Vec<String> = events.iter().map(|event| event.message.clone()).collect();
    assert_eq!(texts, (1..=100).map(|n| n.to_string()).collect::<Vec<_>>());
    for expected in events {
        assert_eq!(live.recv().await.unwrap(), expected);
    }
    assert_eq!(tx.open_boots().await.unwrap().len(), 100);
    let mut holders: Vec<_> = tx.leases().await.unwrap().into_iter().map(|row| row.lease.mac).collect();
    holders.sort();
    assert_eq!(holders, (97..=100).map(|n| Some(Mac::new([0x52, 0x54, 0, 0, 0, n]))).collect::<Vec<_>>());
}

async fn one_refused_write_of_many_takes_no_other_with_it(rig: Rig) {
    commit(&rig, vec![write(&machine(200))]).await.unwrap();
    let commits = (0..100u8).map(|n| {
        let journal = rig.journal.clone();
        let event = journal.event("a.b", "x/y", &Actor::daemon(), None, n.to_string());
        // One is a conflict, and one is a text that PostgreSQL refuses.
        let writes = match n {
            50 => vec![event, write(&machine(200))],
            51 => vec![journal.event("a.b", "x/y", &Actor::daemon(), None, "poison \0".into()), event],
            _ => vec![write(&machine(n)), event],
        };
        async move { journal.commit(writes).await }
    });
    let results = futures_util::future::join_all(commits).await;
    for (n, result) in results.iter().enumerate() {
        match n {
            50 => assert!(matches!(result, Err(StoreError::Conflict { .. })), "{result:?}"),
            51 => assert!(result.is_ok() || matches!(result, Err(StoreError::Backend { .. })), "{result:?}"),
            _ => assert!(result.is_ok(), "{n}: {result:?}"),
        }
    }
    assert_eq!(rig.db.read().await.unwrap().machines().await.unwrap().len(), 99);
    let messages: Vec<String> = rig.events().await.into_iter().map(|event| event.message).collect();
    assert!(!messages.contains(&"50".to_owned()), "a refused commit is refused whole");
}

async fn a_refused_change_leaves_no_trace(rig: Rig) {
    let audit = |action: &str| rig.journal.audit(&Actor::daemon(), action, "machine/n1".into(), None, None);
    commit(&rig, vec![write(&machine(1)), audit("created")]).await.unwrap();
    let event = rig.journal.event("a.b", "machine/n1", &Actor::daemon(), None, "never".into());
    refused(commit(&rig, vec![audit("updated"), event, write(&machine(1))]).await);
    assert_eq!(rig.audited("machine/n1").await, 1);
    assert_eq!(rig.kinds().await, ["test.mark"]);
}

async fn what_was_acknowledged_is_there_after_a_restart(rig: Rig) {
    for n in 1..=20 {
        commit(&rig, vec![write(&machine(n))]).await.unwrap();
    }
    // Not waited for, and handed over before the stop all the same.
    rig.journal.later(vec![write(&machine(21))]);
    let rig = rig.restarted().await;
    assert_eq!(rig.roster.read(|inventory| inventory.machines().count()), 21);
}

async fn the_database_answers_a_ping(rig: Rig) {
    rig.db.ping().await.unwrap();
}

#[tokio::test]
async fn another_daemons_file_is_read_without_a_stop() {
    let rig = Rig::new(crate::rig::Engine::Sqlite).await;
    commit(&rig, vec![write(&machine(1))]).await.unwrap();
    // As after kill -9: nobody closed anything.
    let other = pilotlight::store::Db::sqlite(&rig.folder.path().join("pilotlight.db")).await.unwrap();
    assert_eq!(other.read().await.unwrap().machines().await.unwrap(), [machine(1)]);
}

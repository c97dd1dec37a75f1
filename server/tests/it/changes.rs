//! What is declared: all of it or nothing, and nothing twice.
use crate::rig::{Engine, MAC1, Rig, mac, machine, on_both, operator, seen_as};
use pilotlight::service::changes::ChangeError;
use pilotlight_types::{
    api::{AppliedItem, Change},
    resource::Kind,
};
use proptest::prelude::*;
use serde_json::{Value, json};

on_both!(
    documents_are_applied_in_any_order_and_survive,
    nothing_is_half_applied,
    what_is_so_already_makes_no_revision_and_no_event,
    an_image_whose_hash_differs_is_refused,
    declaring_a_machine_that_was_seen_adopts_it,
    declaring_a_machine_by_its_uuid_adopts_it,
    declaring_a_seen_machine_under_its_own_name_accepts_it,
    a_second_seen_machine_in_the_way_is_named,
    macs_move_between_machines_in_either_order,
    what_is_needed_cannot_be_deleted,
    what_was_deleted_can_be_declared_again,
    a_machine_goes_with_its_boots,
    an_old_revision_is_not_written_over,
    of_two_editors_one_is_told,
    applying_while_the_machine_lives_on_loses_nothing,
);

fn changes(items: &[AppliedItem]) -> Vec<Change> {
    items.iter().map(|item| item.change).collect()
}

async fn mistakes(rig: &Rig, documents: &[Value]) -> Vec<(usize, String, String)> {
    match rig.changes.apply(documents, &operator()).await {
        Err(ChangeError::Mistakes(all)) => all.into_iter().map(|m| (m.document, m.path, m.detail)).collect(),
        other => panic!("mistakes were expected: {other:?}"),
    }
}

async fn documents_are_applied_in_any_order_and_survive(rig: Rig) {
    let mut documents = rig.documents();
    documents.reverse();
    let items = rig.apply(&documents).await;
    assert_eq!(changes(&items), [Change::Created; 6]);
    assert_eq!(items[0].name, "n1", "answers come in the order of the questions");
    assert_eq!(rig.stage("n1"), "provisioning", "declaring a machine with a profile is asking for it");
    assert_eq!(rig.audited("profile/worker").await, 1);
    let rig = rig.restarted().await;
    assert_eq!(rig.stage("n1"), "provisioning");
    assert_eq!(changes(&rig.apply(&rig.documents()).await), [Change::Unchanged; 6]);
}

async fn nothing_is_half_applied(rig: Rig) {
    let mut documents = rig.documents();
    documents.push(json!({"kind": "Group", "name": "bad", "spec": {"profile": "none"}}));
    documents.push(machine("n2", MAC1));
    let found = mistakes(&rig, &documents).await;
    let places: Vec<(usize, &str)> =
        found.iter().map(|(document, path, _)| (*document, path.as_str())).collect();
    assert_eq!(places, [(5, "spec.macs[0]"), (6, "spec.profile"), (7, "spec.macs[0]")], "{found:?}");
    assert_eq!(rig.kinds().await, ["test.mark"]);
    assert!(
        rig.roster.read(|inventory| inventory.subnets.is_empty() && inventory.machines().next().is_none())
    );
}

async fn what_is_so_already_makes_no_revision_and_no_event(rig: Rig) {
    let rig = rig.with_documents().await;
    let before = rig.events().await.len();
    assert_eq!(changes(&rig.apply(&rig.documents()).await), [Change::Unchanged; 6]);
    assert_eq!(rig.events().await.len(), before + 1, "only the mark");
    assert_eq!(rig.audited("subnet/rack-a").await, 1);
    assert_eq!(rig.views.resource(Kind::Subnet, "rack-a").unwrap().revision, 1);
}

async fn an_image_whose_hash_differs_is_refused(rig: Rig) {
    let mut documents = rig.documents();
    documents[1]["spec"]["kernel"]["sha256"] = json!("0".repeat(64));
    documents[1]["spec"]["rootfs"]["url"] = json!("/nowhere/rootfs");
    documents[1]["spec"]["rootfs"]["sha256"] = json!("1".repeat(64));
    let found = mistakes(&rig, &documents).await;
    assert_eq!((found[0].0, found[0].1.as_str()), (1, "spec.kernel.sha256"));
    assert!(found[0].2.contains("has the SHA-256"), "{found:?}");
    assert_eq!(found[1].1, "spec.rootfs.url");
    assert!(rig.views.resource(Kind::Subnet, "rack-a").is_none());
}

async fn declaring_a_machine_that_was_seen_adopts_it(rig: Rig) {
    let rig = rig.with_documents().await;
    let seen = rig.ask("52:54:00:00:00:09", [10, 77, 0, 101]).await.machine.unwrap();
    let (boot, _) = rig.script("52:54:00:00:00:09", [10, 77, 0, 101]).await;
    assert_eq!(changes(&rig.apply(&[machine("n9", "52:54:00:00:00:09")]).await), [Change::Created]);
    assert_eq!(rig.id("n9"), seen.id, "it is the same machine");
    assert!(rig.views.machine("m-525400000009").is_none());
    assert_eq!(rig.stage("n9"), "provisioning");
    assert!(rig.kinds().await.contains(&"machine.adopted".into()));
    let rig = rig.restarted().await;
    assert_eq!(rig.boots.of(rig.id("n9")).unwrap().id, boot, "its history is kept");
    assert_eq!(rig.ask("52:54:00:00:00:09", [10, 77, 0, 101]).await.machine.unwrap().name.as_str(), "n9");
}

async fn declaring_a_machine_by_its_uuid_adopts_it(rig: Rig) {
    let uuid = "4c4c4544-0044-4810-8031-c4c04f4a3132";
    let seen = rig
        .machines
        .discover(seen_as(mac("52:54:00:00:00:09"), Some(uuid.parse().unwrap())), false)
        .await
        .unwrap();
    let document =
        json!({"kind": "Machine", "name": "n9", "spec": {"macs": ["52:54:00:00:00:0a"], "uuid": uuid}});
    // Another with the same UUID in the same breath is another's mistake, and says so.
    let twice = json!({"kind": "Machine", "name": "n8", "spec": {"uuid": uuid}});
    assert_eq!(mistakes(&rig, &[document.clone(), twice]).await.len(), 2);
    rig.apply(&[document]).await;
    assert_eq!(rig.id("n9"), seen.id);
}

async fn declaring_a_seen_machine_under_its_own_name_accepts_it(rig: Rig) {
    rig.machines.discover(seen_as(mac("52:54:00:00:00:09"), None), false).await.unwrap();
    let same = json!({"kind": "Machine", "name": "m-525400000009", "spec": {"macs": ["52:54:00:00:00:09"]}});
    assert_eq!(changes(&rig.apply(&[same]).await), [Change::Updated]);
    assert_eq!(rig.stage("m-525400000009"), "ready");
}

async fn a_second_seen_machine_in_the_way_is_named(rig: Rig) {
    let rig = rig.with_documents().await;
    for address in ["52:54:00:00:00:09", "52:54:00:00:00:0a"] {
        rig.machines.discover(seen_as(mac(address), None), false).await.unwrap();
    }
    let both = json!({"kind": "Machine", "name": "n9", "spec": {"macs": ["52:54:00:00:00:09", "52:54:00:00:00:0a"]}});
    let found = mistakes(&rig, std::slice::from_ref(&both)).await;
    assert_eq!(found[0].1, "spec.macs[1]");
    assert!(
        found[0].2.contains("m-52540000000a's already, which was only seen so far: delete that one first"),
        "{found:?}"
    );
    rig.changes.delete(Kind::Machine, "m-52540000000a", None, &operator()).await.unwrap();
    rig.apply(&[both]).await;
}

async fn macs_move_between_machines_in_either_order(rig: Rig) {
    let (a, b) = ("52:54:00:00:00:0a", "52:54:00:00:00:0b");
    rig.apply(&[machine("n1", a), machine("n2", b)]).await;
    let (n1, n2) = (rig.id("n1"), rig.id("n2"));
    let owner = |rig: &Rig, address: &str| {
        rig.roster.read(|inventory| inventory.machine_that_says(mac(address), None).map(|machine| machine.id))
    };
    for documents in [[machine("n1", b), machine("n2", a)], [machine("n2", b), machine("n1", a)]] {
        rig.apply(&documents).await;
        let expected = if documents[0]["spec"]["macs"][0] == b && documents[0]["name"] == "n1" {
            (n2, n1)
        } else {
            (n1, n2)
        };
        assert_eq!((owner(&rig, a), owner(&rig, b)), (Some(expected.0), Some(expected.1)));
    }
    // From one to the other, whichever is named first.
    let none = json!({"kind": "Machine", "name": "n1", "labels": {"role": "worker"}, "spec": {"macs": ["52:54:00:00:00:0c"]}});
    let all =
        json!({"kind": "Machine", "name": "n2", "labels": {"role": "worker"}, "spec": {"macs": [b, a]}});
    rig.apply(&[all, none]).await;
    assert_eq!((owner(&rig, a), owner(&rig, b)), (Some(n2), Some(n2)));
    let rig = rig.restarted().await;
    assert_eq!((owner(&rig, a), owner(&rig, b)), (Some(n2), Some(n2)));
}

async fn what_is_needed_cannot_be_deleted(rig: Rig) {
    let rig = rig.with_documents().await;
    for (kind, name, why) in [(Kind::Image, "os", "boots it"), (Kind::Profile, "worker", "group workers")] {
        let refused = rig.changes.delete(kind, name, None, &operator()).await.unwrap_err();
        assert!(matches!(refused, ChangeError::Needed(..)) && refused.to_string().contains(why), "{refused}");
    }
    rig.changes.delete(Kind::Group, "workers", None, &operator()).await.unwrap();
    let refused = rig.changes.delete(Kind::Profile, "worker", None, &operator()).await.unwrap_err();
    assert!(refused.to_string().contains("machine n1 is armed for it"), "{refused}");
    rig.changes.delete(Kind::Machine, "n1", None, &operator()).await.unwrap();
    rig.changes.delete(Kind::Profile, "worker", None, &operator()).await.unwrap();
    assert_eq!(rig.audited("profile/worker").await, 2);
    for name in ["worker", "no such name!"] {
        let gone = rig.changes.delete(Kind::Profile, name, None, &operator()).await.unwrap_err();
        assert!(matches!(gone, ChangeError::NotFound(..)), "{gone}");
    }
}

async fn what_was_deleted_can_be_declared_again(rig: Rig) {
    let rig = rig.with_documents().await;
    rig.changes.delete(Kind::Profile, "seen", None, &operator()).await.unwrap();
    let seen = rig.documents()[3].clone();
    assert_eq!(changes(&rig.apply(std::slice::from_ref(&seen)).await), [Change::Created]);
    assert_eq!(
        rig.views.resource(Kind::Profile, "seen").unwrap().revision,
        2,
        "revisions are never used twice"
    );
    rig.changes.delete(Kind::Profile, "seen", None, &operator()).await.unwrap();
    let rig = rig.restarted().await;
    rig.apply(&[seen]).await;
    assert_eq!(rig.views.resource(Kind::Profile, "seen").unwrap().revision, 3);
}

async fn a_machine_goes_with_its_boots(rig: Rig) {
    let rig = rig.with_documents().await;
    let id = rig.id("n1");
    let (boot, _) = rig.script(MAC1, [10, 77, 0, 100]).await;
    rig.changes.delete(Kind::Machine, "n1", None, &operator()).await.unwrap();
    assert_eq!(rig.boots.get(boot).await.unwrap(), None);
    assert!(rig.boots.of(id).is_none());
    let again = rig.ask(MAC1, [10, 77, 0, 100]).await.machine.unwrap();
    assert_eq!((again.name.as_str(), again.stage.name()), ("m-525400000001", "discovered"));
}

async fn an_old_revision_is_not_written_over(rig: Rig) {
    let rig = rig.with_documents().await;
    let mut subnet = rig.documents()[0].clone();
    subnet["spec"]["lease"] = json!("2h");
    let at = async |document: &Value, revision: i64| {
        rig.changes.apply_at(std::slice::from_ref(document), Some(revision), &operator()).await
    };
    let items = at(&subnet, 1).await.unwrap();
    assert_eq!(changes(&items), [Change::Updated]);
    let refused = at(&subnet, 1).await.unwrap_err();
    assert_eq!(refused.to_string(), "Subnet rack-a is not as you read it: it is at revision 2");
    let new = json!({"kind": "Group", "name": "new", "spec": {"profile": "worker"}});
    assert!(at(&new, 1).await.unwrap_err().to_string().ends_with("it is not there"));
    let refused = rig.changes.delete(Kind::Subnet, "rack-a", Some(1), &operator()).await.unwrap_err();
    assert!(matches!(refused, ChangeError::Changed(..)), "{refused}");
    rig.changes.delete(Kind::Subnet, "rack-a", Some(2), &operator()).await.unwrap();
}

async fn of_two_editors_one_is_told(rig: Rig) {
    let rig = rig.with_documents().await;
    let edits = ["2h", "3h", "4h"].map(|lease| {
        let mut subnet = rig.documents()[0].clone();
        subnet["spec"]["lease"] = json!(lease);
        let changes = rig.changes.clone();
        async move { changes.apply_at(&[subnet], Some(1), &operator()).await }
    });
    let results = futures_util::future::join_all(edits).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    assert_eq!(rig.views.resource(Kind::Subnet, "rack-a").unwrap().revision, 2);
}

async fn applying_while_the_machine_lives_on_loses_nothing(rig: Rig) {
    let rig = rig.with_documents().await;
    let id = rig.id("n1");
    let live = async {
        for n in 0..20u16 {
            let also = move |machine: &mut pilotlight::domain::machine::Machine| {
                machine.seen = Some(pilotlight_types::Timestamp::from_micros(i64::from(n)));
            };
            let event = pilotlight::domain::stage::Event::BootStarted;
            rig.machines
                .apply(id, &event, &pilotlight::service::journal::Actor::daemon(), also)
                .await
                .unwrap();
        }
    };
    let declare = async {
        for unit in 1..=10 {
            let mut document = machine("n1", MAC1);
            document["spec"]["unit"] = json!(unit);
            rig.apply(&[document]).await;
        }
    };
    tokio::join!(live, declare);
    let machine = rig.roster.machine(id).unwrap();
    assert_eq!(machine.spec.unit, Some(10));
    assert_eq!(machine.seen.map(pilotlight_types::Timestamp::micros), Some(19));
}

/// Whatever order documents come in, the inventory is the same in the end.
#[test]
fn the_order_of_documents_does_not_matter() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let shown = |rig: &Rig| {
        let kinds = [Kind::Subnet, Kind::Image, Kind::Profile, Kind::Group];
        let all = kinds.map(|kind| rig.views.resources(kind, &Default::default(), None, 100));
        let machines = rig.views.machines(&Default::default(), None, 100);
        let machines: Vec<_> = machines.into_iter().map(|m| (m.name, m.stage, m.profile, m.spec)).collect();
        (all.map(|list| list.into_iter().map(|r| (r.name, r.spec, r.revision)).collect::<Vec<_>>()), machines)
    };
    let strategy = Just((0..6usize).collect::<Vec<_>>()).prop_shuffle();
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(order in strategy)| {
        let (rig, expected) = runtime.block_on(async {
            let rig = Rig::new(Engine::Sqlite).await;
            let documents = rig.documents();
            let shuffled: Vec<Value> = order.iter().map(|index| documents[*index].clone()).collect();
            rig.apply(&shuffled).await;
            let first = shown(&rig);
            // And once more in the plain order: there is nothing left to change.
            let again = rig.apply(&documents).await;
            assert_eq!(changes(&again), [Change::Unchanged; 6]);
            (rig, first)
        });
        prop_assert_eq!(&shown(&rig), &expected);
        prop_assert_eq!(expected.1[0].1.as_str(), "provisioning");
        prop_assert_eq!(expected.0.iter().map(Vec::len).sum::<usize>(), 5);
    });
}

//! Plans: they say what an apply does, to which machines, and an apply does that and nothing else.
mod random;

use crate::rig::{GUARD, MAC1, Rig, mac, machine, on_both, operator, seen_as};
use pilotlight::{
    domain::stage::Event,
    service::changes::{ChangeError, Options},
};
use pilotlight_types::{
    api::{Change, Plan},
    resource::Kind,
};
use serde_json::{Value, json};

on_both!(
    a_plan_says_what_an_apply_would_do_and_does_nothing,
    an_apply_of_the_plan_that_was_seen_goes_through_and_any_other_does_not,
    the_guard_counts_machines_that_were_there_before,
    what_is_pruned_was_applied_from_the_same_source_before,
    a_machine_that_runs_something_is_pruned_only_if_its_number_is_said,
    a_profile_that_changes_reaches_its_machines_once_they_are_provisioned,
    a_layer_that_changes_reaches_its_machines_at_once,
    a_config_that_would_break_is_told,
    a_new_network_is_where_no_machine_was_before,
    a_secret_that_is_elsewhere_is_planned_by_its_place_and_not_looked_up,
    what_is_rehearsed_is_refused_as_the_change_would_be,
    revisions_say_who_made_them_and_why,
);

fn source(name: &str) -> Options {
    Options { source: Some(name.parse().unwrap()), ..Options::default() }
}

fn prune(name: &str) -> Options {
    Options { prune: true, ..source(name) }
}

async fn plan(rig: &Rig, documents: &[Value]) -> Plan {
    rig.changes.plan(documents, &source("files"), &operator()).await.unwrap()
}

fn changes(plan: &Plan) -> Vec<(Change, String)> {
    plan.changes.iter().map(|change| (change.change, format!("{}/{}", change.kind, change.name))).collect()
}

fn machines(groups: &[pilotlight_types::api::BootChange]) -> Vec<&str> {
    let mut all: Vec<&str> = groups.iter().flat_map(|group| &group.machines).map(String::as_str).collect();
    all.sort_unstable();
    all
}

fn zone(rig: &Rig, zone: &str) -> Value {
    let mut group = rig.documents()[4].clone();
    group["spec"]["variables"]["zone"] = json!(zone);
    group
}

async fn a_plan_says_what_an_apply_would_do_and_does_nothing(rig: Rig) {
    let all = rig.documents();
    let first = plan(&rig, &all).await;
    assert_eq!(first.changes.len(), 6);
    assert!(first.changes.iter().all(|change| change.change == Change::Created));
    assert_eq!(machines(&first.boots), ["n1"]);
    assert_eq!(rig.kinds().await, ["test.mark"]);
    rig.apply(&all).await;
    let again = plan(&rig, &all).await;
    assert_eq!((again.changes.len(), again.unchanged, again.boots.len()), (0, 6, 0));

    let changed = plan(&rig, &[zone(&rig, "b"), machine("n2", "52:54:00:00:00:02")]).await;
    assert_eq!(
        changes(&changed),
        [(Change::Updated, "Group/workers".into()), (Change::Created, "Machine/n2".into())]
    );
    let diff = changed.changes[0].diff.join("\n");
    assert!(diff.contains("-    zone: a\n+    zone: b"), "{diff}");
    assert_eq!(machines(&changed.boots), ["n1", "n2"]);
    let n1 = changed.boots.iter().find(|group| group.machines == ["n1"]).unwrap();
    assert_eq!(n1.parts.len(), 1, "only its config differs: {n1:?}");
    assert_eq!(n1.parts[0].part, "ignition worker");
    let diff = n1.parts[0].diff.join("\n");
    assert!(diff.contains("n1 a") && diff.contains("n1 b"), "texts are shown as texts: {diff}");
}

async fn an_apply_of_the_plan_that_was_seen_goes_through_and_any_other_does_not(rig: Rig) {
    let rig = rig.with_documents().await;
    let wanted = [zone(&rig, "b")];
    let seen = plan(&rig, &wanted).await;
    assert_eq!(plan(&rig, &wanted).await.hash, seen.hash, "the same again has the same hash");
    let expecting = Options { expect_plan: Some(seen.hash.clone()), ..source("files") };
    let other = rig.changes.apply_with(&[zone(&rig, "c")], &expecting, &operator()).await.unwrap_err();
    assert!(matches!(other, ChangeError::NotThePlan { .. }), "{other}");

    // Another machine of the same group: more would happen than was seen.
    rig.apply(&[machine("n2", "52:54:00:00:00:02")]).await;
    let refused = rig.changes.apply_with(&wanted, &expecting, &operator()).await.unwrap_err().to_string();
    assert!(refused.contains("not planned: machine n2: its next boot differs"), "{refused}");
    let seen = plan(&rig, &wanted).await;
    let expecting = Options { expect_plan: Some(seen.hash.clone()), ..source("files") };
    let applied = rig.changes.apply_with(&wanted, &expecting, &operator()).await.unwrap();
    assert_eq!(applied.plan, Some(seen.hash));
    assert_eq!(applied.items[0].change, Change::Updated);
    let stale = rig.changes.apply_with(&wanted, &expecting, &operator()).await.unwrap_err();
    assert!(matches!(stale, ChangeError::NotThePlan { .. }), "it is done already: {stale}");
}

async fn the_guard_counts_machines_that_were_there_before(rig: Rig) {
    let rig = rig.with_documents().await;
    // New machines are in nobody's way, however many.
    let names: Vec<Value> =
        (2..=GUARD + 1).map(|n| machine(&format!("n{n}"), &format!("52:54:00:00:00:{n:02}"))).collect();
    rig.apply(&names).await;
    let wanted = [zone(&rig, "b")];
    let planned = plan(&rig, &wanted).await;
    assert_eq!((planned.guard.counted, planned.guard.needs), (GUARD + 1, Some(GUARD + 1)));
    let refused = rig.changes.apply(&wanted, &operator()).await.unwrap_err();
    assert!(refused.to_string().contains("--allow-machines 4"), "{refused}");
    let too_few = Options { allow_machines: Some(GUARD), ..Options::default() };
    assert!(rig.changes.apply_with(&wanted, &too_few, &operator()).await.is_err());
    let refused = rig.changes.delete(Kind::Subnet, "rack-a", None, &operator()).await.unwrap_err();
    assert!(matches!(refused, ChangeError::Guard(_)), "whatever way it is changed: {refused}");
    let enough = Options { allow_machines: Some(GUARD + 1), ..Options::default() };
    rig.changes.apply_with(&wanted, &enough, &operator()).await.unwrap();
}

async fn what_is_pruned_was_applied_from_the_same_source_before(rig: Rig) {
    let all = rig.documents();
    rig.changes.apply_with(&all, &source("site"), &operator()).await.unwrap();
    let subnet = |name: &str, cidr: &str| json!({"kind": "Subnet", "name": name, "spec": {"cidr": cidr, "mode": "ignore"}});
    rig.apply(&[subnet("by-hand", "10.78.0.0/24")]).await;
    rig.changes.apply_with(&[subnet("others", "10.79.0.0/24")], &source("lab"), &operator()).await.unwrap();
    let none = rig
        .changes
        .plan(&all, &Options { prune: true, ..Options::default() }, &operator())
        .await
        .unwrap_err();
    assert!(matches!(none, ChangeError::NoSource));

    let rig = rig.restarted().await;
    let without = &all[..4];
    let planned = rig.changes.plan(without, &prune("site"), &operator()).await.unwrap();
    assert_eq!(
        changes(&planned),
        [(Change::Deleted, "Machine/n1".into()), (Change::Deleted, "Group/workers".into())],
        "what stands on others goes first"
    );
    assert_eq!(machines(&planned.boots), ["n1"]);
    let needed = rig.changes.plan(&all[4..], &prune("site"), &operator()).await.unwrap_err();
    assert!(matches!(needed, ChangeError::Mistakes(_) | ChangeError::Needed(..)), "{needed}");
    let applied = rig.changes.apply_with(without, &prune("site"), &operator()).await.unwrap();
    assert_eq!(applied.items.iter().filter(|item| item.change == Change::Deleted).count(), 2);
    assert_eq!(rig.audited("group/workers").await, 2);
    let rig = rig.restarted().await;
    let left = rig.roster.read(|i| (i.subnets.len(), i.groups.len(), i.machines().count(), i.sources.len()));
    assert_eq!(left, (3, 0, 0, 5));

    // What is deleted and declared again by hand is nobody's to prune.
    rig.apply(&all).await;
    assert!(changes(&rig.changes.plan(without, &prune("site"), &operator()).await.unwrap()).is_empty());
    let moved =
        rig.changes.plan(&[subnet("others", "10.79.0.0/24")], &source("site"), &operator()).await.unwrap();
    assert!(moved.warnings[0].contains("source lab"), "{:?}", moved.warnings);
}

async fn a_machine_that_runs_something_is_pruned_only_if_its_number_is_said(rig: Rig) {
    let all = rig.documents();
    rig.changes.apply_with(&all, &source("site"), &operator()).await.unwrap();
    let runs = "worker@1".split_once('@').map(|(profile, _)| pilotlight::domain::stage::Revision {
        profile: profile.parse().unwrap(),
        revision: 1,
    });
    let reported = Event::Reported(runs.clone().unwrap());
    let running = |machine: &mut pilotlight::domain::machine::Machine| machine.running.clone_from(&runs);
    rig.machines.apply(rig.id("n1"), &reported, &operator(), running).await.unwrap();
    let planned = rig.changes.plan(&all[..5], &prune("site"), &operator()).await.unwrap();
    assert_eq!(planned.changes[0].danger.as_deref(), Some("n1 is active and runs worker@1"));
    assert_eq!(planned.guard.needs, Some(1));
    let refused = rig.changes.apply_with(&all[..5], &prune("site"), &operator()).await.unwrap_err();
    assert!(refused.to_string().contains("n1 is active and runs worker@1"), "{refused}");
    let said = Options { allow_machines: Some(1), ..prune("site") };
    rig.changes.apply_with(&all[..5], &said, &operator()).await.unwrap();
}

fn worker(rig: &Rig, argument: &str) -> Value {
    let mut worker = rig.documents()[2].clone();
    worker["spec"]["kernelArgs"] = json!([argument]);
    worker
}

async fn a_profile_that_changes_reaches_its_machines_once_they_are_provisioned(rig: Rig) {
    let rig = rig.with_documents().await;
    let wanted = [worker(&rig, "quiet")];
    let planned = plan(&rig, &wanted).await;
    assert_eq!(machines(&planned.boots), [] as [&str; 0], "it is armed for the first revision");
    assert_eq!((planned.machines, planned.guard.counted), (0, 0));
    assert_eq!(machines(&planned.provision), ["n1"]);
    let script = planned.provision[0].parts.iter().find(|part| part.part == "script").unwrap();
    let lines = script.diff.join("\n");
    assert!(lines.contains("worker@1") && lines.contains("worker@2") && lines.contains(" quiet"), "{lines}");
    let before = rig.explain.machine("n1", crate::rig::OURS.into()).unwrap();
    rig.apply(&wanted).await;
    let after = rig.explain.machine("n1", crate::rig::OURS.into()).unwrap();
    assert_eq!((before.script, before.ignition), (after.script, after.ignition));
    rig.machines.provision("n1", &operator()).await.unwrap();
    let then = rig.explain.machine("n1", crate::rig::OURS.into()).unwrap();
    assert!(then.script.unwrap().contains(" quiet"));
}

async fn a_layer_that_changes_reaches_its_machines_at_once(rig: Rig) {
    let base = |text: &str| {
        json!({"kind": "Profile", "name": "base", "spec": {"boot": "local", "butane":
            format!("variant: fcos\nversion: 1.5.0\nstorage:\n  files: [{{path: /etc/issue, contents: {{inline: {text}}}}}]\n")}})
    };
    let mut all = rig.documents();
    all.push(base("one"));
    all[2]["spec"]["layers"] = json!(["base"]);
    rig.apply(&all).await;
    rig.apply(&[machine("n2", "52:54:00:00:00:02")]).await;
    let planned = plan(&rig, &[base("two")]).await;
    assert_eq!(planned.boots.len(), 1, "both get the same: {:?}", planned.boots);
    assert_eq!(planned.boots[0].machines, ["n1", "n2"]);
    assert_eq!(planned.boots[0].parts.len(), 1);
    assert_eq!(planned.boots[0].parts[0].part, "ignition base");
    assert!(planned.provision.is_empty());
}

async fn a_config_that_would_break_is_told(rig: Rig) {
    let mut all = rig.documents();
    all[2]["spec"]["butane"] = json!(
        "variant: fcos\nversion: 1.5.0\nstorage:\n  files: [{path: /etc/rack, contents: {inline: \"{{ machine.rack + '' }}\"}}]\n"
    );
    let mut n1 = machine("n1", MAC1);
    n1["spec"]["rack"] = json!("r1");
    all[5] = n1.clone();
    rig.apply(&all).await;
    n1["spec"].as_object_mut().unwrap().remove("rack");
    let planned = plan(&rig, &[n1]).await;
    assert_eq!(planned.warnings.len(), 1, "{planned:?}");
    assert!(
        planned.warnings[0].starts_with("n1 would wait when it boots: worker: spec.butane"),
        "{planned:?}"
    );
    assert_eq!(planned.boots[0].parts[0].part, "ignition");
}

async fn a_new_network_is_where_no_machine_was_before(rig: Rig) {
    let all = rig.documents();
    // The first network of all is where the machines are that are there already.
    rig.apply(&all[1..]).await;
    assert_eq!(machines(&plan(&rig, &all[..1]).await.boots), ["n1"]);
    rig.apply(&all).await;
    let mut other = all[0].clone();
    other["name"] = json!("rack-b");
    other["spec"] = json!({"cidr": "10.78.0.0/24", "mode": "authoritative"});
    let planned = plan(&rig, std::slice::from_ref(&other)).await;
    assert_eq!((machines(&planned.boots), planned.guard.counted), (vec![], 0));
    rig.apply(&[other.clone()]).await;
    // It may be on either of two that stay.
    other["spec"]["domain"] = json!("example.com");
    assert_eq!(machines(&plan(&rig, &[other]).await.boots), ["n1"]);
}

async fn a_secret_that_is_elsewhere_is_planned_by_its_place_and_not_looked_up(rig: Rig) {
    let with = |path: &str| {
        let mut worker = rig.documents()[2].clone();
        worker["spec"]["secrets"] = json!({"db": {"file": path}});
        worker["spec"]["butane"] = json!(
            "variant: fcos\nversion: 1.5.0\nstorage:\n  files: [{path: /etc/db, contents: {inline: \"{{ secrets.db }}\"}}]\n"
        );
        worker
    };
    let mut all = rig.documents();
    all[2] = with("/secrets/{{ machine.name }}");
    let group = |path: &str| {
        let mut group = all[4].clone();
        group["spec"]["secrets"] = json!({"db": {"file": path}});
        group
    };
    rig.apply(&all).await;
    let planned = plan(&rig, &[group("/secrets/other")]).await;
    assert_eq!(machines(&planned.boots), ["n1"]);
    let parts: Vec<_> = planned.boots[0].parts.iter().map(|part| part.part.as_str()).collect();
    assert_eq!(parts, ["secrets"], "{planned:?}");
    let diff = planned.boots[0].parts[0].diff.join("\n");
    assert!(diff.contains("-db: file /secrets/n1\n+db: file /secrets/other"), "{diff}");
    assert!(rig.secrets.failures().is_empty(), "nobody looked: {:?}", rig.secrets.failures());
    let same = plan(&rig, &[group("/secrets/n1")]).await;
    assert!(same.boots.is_empty(), "whoever declares it, it is the same: {same:?}");

    // A place that cannot be told for a machine, and a machine that nobody accepted: they wait, and the plan says so.
    let nowhere = plan(&rig, &[group("/secrets/{{ machine.rack + '' }}")]).await;
    assert!(nowhere.warnings[0].contains("secret `db` of group workers is nowhere for n1"), "{nowhere:?}");
}

async fn what_is_rehearsed_is_refused_as_the_change_would_be(rig: Rig) {
    let rig = rig.with_documents().await;
    let wanted = [zone(&rig, "b")];
    let items = rig.changes.rehearse(&wanted, &Options::default(), &operator()).await.unwrap();
    assert_eq!((items[0].change, items.len()), (Change::Updated, 1));
    assert_eq!(items[0].before.as_ref().unwrap()["spec"]["variables"]["zone"], "a");
    assert_eq!(items[0].after.as_ref().unwrap()["spec"]["variables"]["zone"], "b");
    let pruned = rig.changes.apply_with(&rig.documents(), &source("site"), &operator()).await.unwrap();
    assert_eq!(pruned.items.len(), 6);
    let items = rig.changes.rehearse(&rig.documents()[..5], &prune("site"), &operator()).await.unwrap();
    assert_eq!((items[5].change, items[5].name.as_str()), (Change::Deleted, "n1"));
    let other = Options { expect_plan: Some("0".repeat(64)), ..Options::default() };
    let refused = rig.changes.rehearse(&wanted, &other, &operator()).await.unwrap_err();
    assert!(matches!(refused, ChangeError::NotThePlan { .. }), "{refused}");
    let more: Vec<Value> =
        (2..=GUARD + 1).map(|n| machine(&format!("n{n}"), &format!("52:54:00:00:00:{n:02}"))).collect();
    rig.apply(&more).await;
    let refused = rig.changes.rehearse(&wanted, &Options::default(), &operator()).await.unwrap_err();
    assert!(matches!(refused, ChangeError::Guard(_)), "{refused}");
    let gone = rig.changes.rehearse_delete(Kind::Machine, "n1", &Options::default(), &operator()).await;
    assert_eq!(gone.unwrap()[0].change, Change::Deleted);
    assert!(rig.views.machine("n1").is_some());
}

async fn revisions_say_who_made_them_and_why(rig: Rig) {
    let rig = rig.with_documents().await;
    let why = Options { message: Some("more quiet".into()), ..source("files") };
    rig.changes.apply_with(&[worker(&rig, "quiet")], &why, &operator()).await.unwrap();
    rig.changes.apply_with(&[worker(&rig, "quiet")], &why, &operator()).await.unwrap();
    let rig = rig.restarted().await;
    let name = "worker".parse().unwrap();
    let (all, next) = rig.revisions.list(Kind::Profile, &name, i64::MAX, 10).await.unwrap();
    assert_eq!(next, None);
    let told: Vec<_> = all.iter().map(|r| (r.revision, r.by.as_str(), r.message.as_deref())).collect();
    assert_eq!(told, [(2, "alice", Some("more quiet")), (1, "alice", None)]);
    assert!(all.iter().all(|revision| revision.spec.is_none()));
    let first = rig.revisions.get(Kind::Profile, &name, 1).await.unwrap().unwrap();
    assert_eq!(first.spec.unwrap()["kernelArgs"], json!(["console=ttyS0"]));
    assert_eq!(rig.revisions.get(Kind::Profile, &name, 3).await.unwrap(), None);
    assert_eq!(rig.revisions.list(Kind::Profile, &name, i64::MAX, 1).await.unwrap().1, Some(2));
    assert_eq!(rig.revisions.list(Kind::Profile, &name, 2, 10).await.unwrap().0.len(), 1);
    rig.machines.discover(seen_as(mac("52:54:00:00:00:0a"), None), false).await.unwrap();
    assert_eq!(plan(&rig, &[worker(&rig, "quiet")]).await.changes.len(), 0);
}

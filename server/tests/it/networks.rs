//! Who has which address, how full a subnet is, and who wins for whom: as people look at it, and as far as they may.
use crate::{
    http::networks,
    rig::{MAC1, OURS, Rig, mac, machine, on_both, operator},
};
use pilotlight::service::{leases::Asker, membership::Membership, networks::Meant};
use pilotlight_types::{
    Mac,
    api::{Lease, LeaseState},
    resource::Name,
};
use serde_json::json;
use std::net::Ipv4Addr;

on_both!(
    a_lease_is_found_by_its_machine_and_by_its_state,
    pages_of_leases_are_the_whole_list_in_its_order,
    what_is_free_is_what_anybody_could_be_given,
    whoever_may_not_see_a_subnet_sees_none_of_its_leases,
    each_machine_says_which_groups_take_it_and_each_group_whom_it_loses,
    a_draft_is_rendered_for_a_machine_and_changes_nothing,
);

fn rack() -> Name {
    "rack-a".parse().unwrap()
}

/// Offers an address, and gives it if it is taken.
async fn ask(rig: &Rig, mac: Mac, takes: bool) -> Ipv4Addr {
    let rack = rack();
    let asker = Asker { subnet: &rack, mac, machine: None, boots: false };
    let offered = rig.leases.offer(asker, None).unwrap();
    if takes {
        rig.leases.bind(asker, offered.ip).await.unwrap().unwrap();
    }
    offered.ip
}

fn all(rig: &Rig, meant: &Meant) -> Vec<Lease> {
    networks(rig).leases(&operator().rights, meant, None, 100)
}

async fn a_lease_is_found_by_its_machine_and_by_its_state(rig: Rig) {
    let rig = rig.with_documents().await;
    let own = ask(&rig, mac(MAC1), true).await;
    let stranger = Mac::new([2, 0, 0, 0, 0, 9]);
    let offered = ask(&rig, stranger, false).await;
    let found = all(&rig, &Meant { machine: Some("n1".into()), ..Meant::default() });
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].address, found[0].state), (own.into(), LeaseState::Leased));
    assert_eq!((found[0].machine.as_deref(), found[0].mac), (Some("n1"), Some(mac(MAC1))));
    let found = all(&rig, &Meant { state: Some(LeaseState::Offered), ..Meant::default() });
    assert_eq!(found.iter().map(|lease| lease.address).collect::<Vec<_>>(), [offered]);
    assert_eq!((found[0].machine.as_ref(), found[0].mac), (None, Some(stranger)), "nobody declared it");
    assert_eq!(all(&rig, &Meant { machine: Some("nobody".into()), ..Meant::default() }), []);
    rig.leases.decline(&rack(), mac(MAC1), own).unwrap();
    let found = all(&rig, &Meant { state: Some(LeaseState::Abandoned), ..Meant::default() });
    assert_eq!((found[0].address, found[0].mac), (own.into(), None), "it is nobody's while it is left alone");
    rig.advance(7200);
    assert_eq!(
        all(&rig, &Meant::default()),
        [],
        "an offer that nobody took, and one that is over: both are forgotten"
    );
}

async fn pages_of_leases_are_the_whole_list_in_its_order(rig: Rig) {
    let rig = rig.with_documents().await;
    for n in 1..=4 {
        ask(&rig, Mac::new([2, 0, 0, 0, 0, n]), true).await;
    }
    let whole = all(&rig, &Meant::default());
    assert_eq!(whole.len(), 4);
    assert!(whole.is_sorted_by_key(|lease| lease.address));
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = networks(&rig).leases(&operator().rights, &Meant::default(), after.as_ref(), 3);
        let Some(last) = page.last() else { break };
        after = Some((last.subnet.clone(), last.address));
        pages.extend(page);
    }
    assert_eq!(pages, whole);
}

async fn what_is_free_is_what_anybody_could_be_given(rig: Rig) {
    let mut documents = rig.documents();
    documents[0]["spec"]["ranges"] = json!(["10.77.0.0-10.77.0.19"]);
    documents[0]["spec"]["exclude"] = json!(["10.77.0.10-10.77.0.12"]);
    documents[0]["spec"]["gateway"] = json!("10.77.0.5");
    documents.push(machine("n2", "52:54:00:00:00:02"));
    documents.last_mut().unwrap()["spec"]["ip"] = json!("10.77.0.15");
    rig.apply(&documents).await;
    ask(&rig, mac(MAC1), true).await;
    ask(&rig, Mac::new([2, 0, 0, 0, 0, 9]), false).await;
    rig.sightings.relay(&rack(), "10.77.0.254".parse().unwrap());
    rig.sightings.foreign_server(&rack(), Ipv4Addr::new(10, 77, 0, 66), mac(MAC1));
    let uses = networks(&rig).uses(&operator().rights);
    let found = &uses[0];
    assert_eq!((found.addresses, found.leased, found.offered, found.reserved), (20, 1, 1, 1), "{found:?}");
    // Left out, the gateway's, our own, reserved, leased, offered.
    assert!(OURS.octets()[3] < 20);
    assert_eq!(found.free, 20 - 3 - 1 - 1 - 1 - 1 - 1);
    assert_eq!(found.relays[0].address.to_string(), "10.77.0.254");
    assert_eq!(found.servers[0].address.to_string(), "10.77.0.66");
    rig.advance(3601);
    let found = &networks(&rig).uses(&operator().rights)[0];
    assert!(found.relays.is_empty() && found.servers.is_empty(), "what was seen long ago is over");
}

async fn whoever_may_not_see_a_subnet_sees_none_of_its_leases(rig: Rig) {
    use pilotlight::domain::{
        rights::{Rights, Rule},
        scope::Scope,
    };
    let rig = rig.with_documents().await;
    ask(&rig, mac(MAC1), true).await;
    let rights = |kinds: serde_json::Value, selector: &str| {
        let rule = json!({"verbs": ["get"], "kinds": kinds, "selector": selector});
        let rule = Rule::new(&serde_json::from_value(rule).unwrap()).unwrap();
        Rights::new("some".parse().unwrap(), [rule].into(), Scope::default())
    };
    let other = rights(json!(["Subnet", "Machine"]), "site=elsewhere");
    assert_eq!(networks(&rig).leases(&other, &Meant::default(), None, 10), []);
    assert_eq!(networks(&rig).uses(&other), []);
    let no_machines = networks(&rig).leases(&rights(json!(["Subnet"]), ""), &Meant::default(), None, 10);
    assert_eq!(no_machines[0].machine, None, "a machine that may not be seen is not named");
}

async fn each_machine_says_which_groups_take_it_and_each_group_whom_it_loses(rig: Rig) {
    let mut documents = rig.documents();
    documents.push(json!({"kind": "Group", "name": "everything", "spec": {"profile": "seen"}}));
    documents.push(json!({"kind": "Group", "name": "this-one", "spec": {"match": {"macs": [MAC1]}, "profile": "worker"}}));
    documents.push(machine("n2", "52:54:00:00:00:02"));
    documents.push(json!({"kind": "Machine", "name": "n3", "spec": {"macs": ["52:54:00:00:00:03"]}}));
    rig.apply(&documents).await;
    let membership = Membership::new(rig.roster.clone());
    let rights = operator().rights;
    let groups = membership.of_machine("n1", &rights).unwrap();
    let order: Vec<(&str, bool)> = groups.iter().map(|one| (one.group.as_str(), one.wins)).collect();
    assert_eq!(order, [("this-one", true), ("workers", false), ("everything", false)]);
    assert_eq!(groups[0].because, "over workers: it names a MAC of the machine");
    assert_eq!(groups[2].because, "this-one wins: it names a MAC of the machine");
    let n3 = membership.of_machine("n3", &rights).unwrap();
    assert_eq!((n3.len(), n3[0].because.as_str()), (1, "no other group takes the machine"));
    assert!(membership.of_machine("nobody", &rights).is_none());
    let machines = membership.of_group("workers", &rights, None, 10).unwrap();
    let told: Vec<(&str, bool, &str)> =
        machines.iter().map(|one| (one.machine.as_str(), one.wins, one.winner.as_str())).collect();
    assert_eq!(told, [("n1", false, "this-one"), ("n2", true, "workers")]);
    assert_eq!(machines[1].because, "over everything: it asks for more labels (1 to 0)");
    let after = "n1".parse().unwrap();
    assert_eq!(membership.of_group("workers", &rights, Some(&after), 10).unwrap().len(), 1);
    assert!(membership.of_group("nobody", &rights, None, 10).is_none());
}

async fn a_draft_is_rendered_for_a_machine_and_changes_nothing(rig: Rig) {
    let rig = rig.with_documents().await;
    let render =
        |body: serde_json::Value| rig.changes.render(&serde_json::from_value(body).unwrap(), &operator());
    let mut draft = rig.documents()[2].clone();
    draft["spec"]["kernelArgs"] = json!(["zone={{ vars.zone }}"]);
    let before = rig.events().await.len();
    let made = render(json!({"documents": [draft], "machine": "n1", "profile": "worker"})).unwrap();
    assert_eq!((made.given.as_deref(), made.kernel_args), (Some("worker"), vec!["zone=a".to_owned()]));
    assert!(made.script.as_deref().unwrap().contains("zone=a"), "{:?}", made.script);
    let motd = made.provenance.iter().find(|one| one.path == "storage.files[0].path").unwrap();
    assert_eq!((motd.profile.as_str(), motd.line), ("worker", Some(5)));
    let content = made.provenance.iter().find(|one| one.path.ends_with("contents.source")).unwrap();
    assert!(
        content.variables.iter().any(|one| one.name == "vars.zone" && one.from == "group workers, variables")
    );
    let now = render(json!({"machine": "n1"})).unwrap();
    assert_eq!(now.kernel_args, ["console=ttyS0"], "without documents it is what is declared");
    let other = render(json!({"machine": "n1", "profile": "seen"})).unwrap();
    assert_eq!((other.given.as_deref(), other.profile.as_str()), (Some("worker"), "seen"));
    draft["spec"]["butane"] = json!(
        "variant: fcos\nversion: 1.5.0\nstorage: {files: [{path: /a, contents: {inline: \"{{ vars.rubbish }}\"}}]}\n"
    );
    let broken = render(json!({"documents": [draft], "machine": "n1", "profile": "worker"}));
    let said = match broken {
        Ok(made) => made.broken.unwrap(),
        Err(error) => error.to_string(),
    };
    assert!(!said.is_empty());
    for (machine, profile) in [("nobody", "worker"), ("n1", "nothing")] {
        let error = render(json!({"machine": machine, "profile": profile})).unwrap_err().to_string();
        assert!(error.contains("there is no"), "{error}");
    }
    assert_eq!(rig.events().await.len(), before + 1, "the mark of the look alone");
}

//! Machines that nobody declared, from their first packet to the profile that a rule gives them; and those that somebody waits for.

use std::time::Duration;

use anyhow::{Context, Result};
use pilotlight_tests::daemon::Builder;
use pilotlight_types::api::Inbox;
use serde_json::{Value, json};

use crate::net::Net;
use crate::player::{Agent, Player};
use crate::rig::{document, skipped, small_image, subnet};

const SOON: Duration = Duration::from_secs(10);

fn serial(number: u8) -> String {
    format!("S{number}")
}

fn mac(number: u8) -> String {
    format!("02:00:00:00:0e:{number:02x}")
}

/// What an agent measures on a machine of one maker, with two slots for memory.
fn facts(number: u8, uuid: u8, second_slot_gib: u64) -> Value {
    let slot = |at: &str, gib: u64| json!({"locator": at, "sizeBytes": gib << 30});
    json!({
        "version": 1, "agent": "played",
        "system": {"vendor": "Acme Inc.", "product": "Rack 2", "serial": serial(number),
                   "uuid": format!("4c4c4544-0042-4710-8058-cac04f3132{uuid:02x}")},
        "cpus": {"sockets": 1, "cores": 4, "architecture": "x86_64"},
        "memory": {"installedBytes": (16 + second_slot_gib) << 30, "slots": [slot("A1", 16), slot("A2", second_slot_gib)]},
        "nics": [{"name": "eth0", "mac": mac(number), "link": true}],
    })
}

/// The machine of a number, on the network.
struct Cast<'a> {
    net: &'a Net,
    player: Player,
}

impl<'a> Cast<'a> {
    fn new(net: &'a Net, number: u8) -> Result<Self> {
        let player = Player::new(&net.rack, &format!("m{number}"), &mac(number), &net.rig.daemon.ca()?)?;
        Ok(Self { net, player })
    }

    /// Boots what it is given, which must be this; to the agent.
    fn boots(&mut self, what: &str) -> Result<Agent> {
        let script = self.player.script()?;
        assert!(script.contains(what), "{what} is expected: {script}");
        let base = self.player.load(&script)?;
        self.player.ignition(&self.player.pointer(&base)?)
    }

    /// The agent starts, and reports.
    fn reports(&self, agent: &Agent, facts: &Value) -> Result<()> {
        for (what, body) in [("progress", &json!({"step": "started"})), ("facts", facts)] {
            let (status, answer) = self.player.report(agent, what, &agent.token, body)?;
            anyhow::ensure!(status == 200, "{what}: {status} {}", String::from_utf8_lossy(&answer));
        }
        Ok(())
    }

    async fn inbox(&self, state: &str) -> Result<Inbox> {
        self.net.rig.admin.get(&format!("/inbox?state={state}")).await
    }
}

fn names(inbox: &Inbox) -> Vec<&str> {
    inbox.items.iter().map(|row| row.name.as_str()).collect()
}

async fn stage(network: &str, files: &std::path::Path) -> Result<Net> {
    let documents = [
        small_image(files)?,
        document("Profile", "worker", json!({"image": "small", "boot": "live"})),
        document("Profile", "look", json!({"image": "small", "boot": "discovery"})),
        document("Group", "workers", json!({"match": {"labels": {"role": "worker"}}, "profile": "worker"})),
        subnet("rack", "10.77.0", "discover"),
    ];
    Net::start_with(network, &documents, Builder::with_agent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_machine_reports_waits_and_is_accepted_by_a_rule_up_to_its_limit() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let files = tempfile::tempdir()?;
    let net = stage("plinrule", files.path()).await?;
    let (admin, rig) = (&net.rig.admin, &net.rig);
    let mut first = Cast::new(&net, 1)?;
    let agent = first.boots("boots profile look@1")?;
    first.reports(&agent, &facts(1, 1, 16))?;
    let waits = first.inbox("discovered").await?;
    assert_eq!(names(&waits), ["m-020000000e01"]);
    let row = waits.items.first().context("a row")?;
    assert_eq!(row.why, ["there is no rule that could accept it"]);
    assert_eq!((row.summary.serial.as_deref(), row.summary.cores), (Some("S1"), Some(4)));
    let printed = rig.cli_ok(&["inbox"])?;
    assert!(
        printed.contains("m-020000000e01") && printed.contains("Rack 2, S1, 4 cores, 32GiB"),
        "{printed}"
    );

    // The rule comes after the machine, and takes it all the same.
    let rule = json!({
        "match": {"vendor": "acme*", "memory": {"min": "32GiB"}, "subnets": ["rack"]},
        "name": "{{ subnet }}-{{ serial }}", "labels": {"role": "worker"}, "limit": 1,
    });
    admin.apply(&[document("AcceptRule", "acme", rule)]).await?;
    let taken = admin.wait_for("rack-s1", "provisioning", SOON).await?;
    assert_eq!(taken.accepted.map(|by| by.name.to_string()).as_deref(), Some("acme"));
    let agent = first.boots("rack-s1 boots profile worker@1")?;
    first.reports(&agent, &facts(1, 1, 16))?;
    admin.wait_for("rack-s1", "active", SOON).await?;

    let mut second = Cast::new(&net, 2)?;
    let agent = second.boots("boots profile look@1")?;
    second.reports(&agent, &facts(2, 2, 16))?;
    let waits = second.inbox("discovered").await?;
    let why = waits.items.first().context("a row")?.why.clone();
    assert_eq!(why, ["rule acme does not take it: it has accepted 1 machines, and may 1"]);
    // A third says to be the first: who of them is it?
    let mut third = Cast::new(&net, 3)?;
    let agent = third.boots("boots profile look@1")?;
    third.reports(&agent, &facts(3, 1, 16))?;
    let doubles = third.inbox("duplicate").await?;
    assert_eq!(names(&doubles), ["m-020000000e03", "rack-s1"], "both are told of");
    let why = doubles.items.first().context("a row")?.why.join("; ");
    assert!(why.contains("machine rack-s1 has UUID") && why.ends_with("as well"), "{why}");
    let events = admin.events(0).await?;
    let told = events.iter().filter(|event| event.kind == "machine.waits" && event.message.contains("UUID"));
    assert_eq!(told.map(|event| event.object.as_str()).collect::<Vec<_>>(), ["machine/m-020000000e03"]);

    // By hand it is as with every other machine.
    rig.cli_ok(&["machine", "accept", "m-020000000e02", "--as", "spare", "--labels", "role=worker"])?;
    second.boots("spare boots profile worker@1")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn expected_machines_come_are_missed_and_are_held_when_they_are_not_as_their_class() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let files = tempfile::tempdir()?;
    let net = stage("plinlist", files.path()).await?;
    let (admin, rig) = (&net.rig.admin, &net.rig);
    let class =
        json!({"onMismatch": "hold", "memory": {"slots": [{"locator": "A*", "size": "16GiB", "count": 2}]}});
    admin.apply(&[document("HardwareClass", "big", class)]).await?;
    let list = files.path().join("list.csv");
    let import = |text: &str| -> Result<(bool, String)> {
        std::fs::write(&list, text)?;
        let output = rig.cli(&["expected", "import", list.to_str().context("a path")?])?;
        Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let (good, said) = import("name,serial,unit\nn7,S7,12\nn8,S7,x\n")?;
    assert!(!good && said.contains("list.csv:3:7"), "{said}");
    let (good, said) = import("name,serial,class\nn7,S7,big\nn8,S7,big\n")?;
    assert!(!good && said.contains("list.csv:3:4") && said.contains("expected too"), "{said}");
    let header = "name,serial,rack,unit,class,accept,labels";
    let (good, said) = import(&format!("{header}\nn7,S7,r1,12,big,yes,role=worker\nn8,S8,r1,13,big,yes,\n"))?;
    assert!(good, "{said}");

    let mut player = Cast::new(&net, 7)?;
    let missing = player.inbox("missing").await?;
    assert_eq!(names(&missing), ["n7", "n8"]);
    let agent = player.boots("boots profile look@1")?;
    player.reports(&agent, &facts(7, 7, 8))?;
    let held = admin.wait_until("n7", "held", SOON, |machine| machine.hold.is_some()).await?;
    assert_eq!(
        (held.stage.as_str(), held.spec.rack.as_deref(), held.spec.unit),
        ("provisioning", Some("r1"), Some(12))
    );
    let hold = held.hold.context("a hold")?;
    let difference = "memory slot A2: 16GiB is wanted, and there is 8GiB";
    assert_eq!((hold.by.as_str(), hold.reason.as_str()), ("hardware class big", difference));
    assert_eq!(names(&player.inbox("missing").await?), ["n8"]);
    let mismatch = player.inbox("mismatch").await?;
    assert_eq!(
        mismatch.items.first().map(|row| row.why.len()),
        Some(2),
        "who holds it, and the slot: {mismatch:?}"
    );
    let script = player.player.script()?;
    assert!(!script.contains("kernel") && script.contains(difference), "it waits: {script}");

    // An operator takes it on, for a time.
    rig.cli_ok(&["machine", "release", "n7"])?;
    rig.cli_ok(&["machine", "hold", "n7", "--reason", "a new DIMM", "--for", "3s"])?;
    let script = player.player.script()?;
    assert!(!script.contains("kernel") && script.contains("a new DIMM"), "{script}");
    admin.wait_until("n7", "released", Duration::from_secs(20), |machine| machine.hold.is_none()).await?;
    let events = admin.events(0).await?;
    let released = events.iter().rfind(|event| event.kind == "machine.released").context("an event")?;
    assert_eq!(released.message, "n7 is not on hold any more: the time that it was held for is over");
    let agent = player.boots("n7 boots profile worker@1")?;
    player.reports(&agent, &facts(7, 7, 16))?;
    let active = admin.wait_for("n7", "active", SOON).await?;
    assert_eq!(active.class.and_then(|class| class.differences), Some(vec![]));

    // All of that is documents: what is there can be applied as it is, and changes nothing.
    let all = rig.cli_ok(&["get", "all", "-o", "yaml"])?;
    assert!(all.contains("kind: ExpectedMachine") && all.contains("kind: HardwareClass"), "{all}");
    let file = files.path().join("all.yaml");
    std::fs::write(&file, all)?;
    rig.cli_ok(&["plan", "-f", file.to_str().context("a path")?])?;
    Ok(())
}

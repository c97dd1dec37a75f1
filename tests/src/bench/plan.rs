//! How long `plan` takes for a large site: as a pipeline asks for it, all documents over REST, with the whole answer.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pilotlight_types::api::{Applied, Plan};
use serde_json::{Value, json};

use super::ground;
use super::scripts::file_ref;
use super::table::Table;
use crate::client::Client;

const MACHINES: usize = 1000;
const PROFILES: usize = 50;

/// How often each plan is asked for; the middle one counts.
const TIMES: usize = 5;

/// Prints the section.
pub async fn run() -> Result<()> {
    let network = ground::network()?;
    let folder = tempfile::tempdir()?;
    let daemon = ground::ours(&network, folder.path(), |builder| builder).await?;
    let admin = daemon.client()?;
    let all = site(folder.path())?;
    let begun = Instant::now();
    let applied: Applied = admin.post("/apply?source=site&prune=true", &Value::Array(all.clone())).await?;
    ensure!(applied.items.len() == all.len(), "{} of {} were applied", applied.items.len(), all.len());
    let mut table = Table::new(
        &format!(
            "`plan` over {MACHINES} machines and {PROFILES} profiles ({} documents), over REST",
            all.len()
        ),
        &["what changes", "machines whose next boot differs", "seconds, the middle of 5"],
    );
    table.row(["all of it is new (apply, once)".to_owned(), MACHINES.to_string(), seconds(begun.elapsed())]);
    for (what, wanted, machines) in changes(&all)? {
        let mut took = Vec::new();
        for _ in 0..TIMES {
            let (plan, one) = ask(&admin, &wanted).await?;
            ensure!(plan.machines == machines, "{what}: {} machines, not {machines}", plan.machines);
            took.push(one);
        }
        took.sort();
        let middle = took.get(TIMES / 2).copied().unwrap_or_default();
        table.row([what.to_owned(), machines.to_string(), seconds(middle)]);
    }
    table.print();
    Ok(())
}

async fn ask(admin: &Client, wanted: &Value) -> Result<(Plan, Duration)> {
    let begun = Instant::now();
    let plan = admin.post("/plan?source=site&prune=true", wanted).await?;
    Ok((plan, begun.elapsed()))
}

fn seconds(took: Duration) -> String {
    format!("{:.2}", took.as_secs_f64())
}

/// A change, its documents, and of how many machines the next boot differs by it.
type Change = (&'static str, Value, usize);

fn changes(all: &[Value]) -> Result<Vec<Change>> {
    let with = |kind: &str, name: &str, new: Value| -> Result<Value> {
        let mut documents = all.to_vec();
        let is_it =
            |one: &&mut Value| one.get("kind") == Some(&json!(kind)) && one.get("name") == Some(&json!(name));
        let found = documents.iter_mut().find(is_it);
        let Some(found) = found else { anyhow::bail!("there is no {kind} {name}") };
        *found = new;
        Ok(Value::Array(documents))
    };
    let of_first = (0..MACHINES).filter(|number| number % (PROFILES - 1) == 0).count();
    Ok(vec![
        ("nothing", Value::Array(all.to_vec()), 0),
        ("one of 49 profiles", with("Profile", "p0", profile("p0", "changed {{ vars.zone }}"))?, 0),
        ("the variables of one group", with("Group", "g0", group(0, "z"))?, of_first),
        ("the lease of the subnet", with("Subnet", "all", subnet("2h"))?, MACHINES),
        ("the layer of every machine", with("Profile", "base", base("is still in"))?, MACHINES),
    ])
}

fn site(folder: &Path) -> Result<Vec<Value>> {
    let file = folder.join("small");
    fs::write(&file, b"kernel")?;
    let part = file_ref(&file)?;
    let image = json!({"os": "fedora-coreos", "arch": "x86_64", "version": "1.0", "kernel": part, "initrd": [part], "rootfs": part});
    let mut all = vec![subnet("1h"), json!({"kind": "Image", "name": "image", "spec": image}), base("is in")];
    for number in 0..PROFILES - 1 {
        all.push(profile(&format!("p{number}"), "{{ machine.rack }} {{ vars.zone }}"));
        all.push(group(number, &(number % 3).to_string()));
    }
    for number in 0..MACHINES {
        let [.., high, low] = number.to_be_bytes();
        let spec = json!({
            "macs": [format!("52:54:00:00:{high:02x}:{low:02x}")],
            "rack": format!("r{}", number / 40),
            "ip": format!("10.77.{}.{}", 1 + number / 200, 1 + number % 200),
        });
        let labels = json!({"role": format!("p{}", number % (PROFILES - 1))});
        all.push(json!({"kind": "Machine", "name": format!("n{number}"), "labels": labels, "spec": spec}));
    }
    Ok(all)
}

fn subnet(lease: &str) -> Value {
    let spec =
        json!({"cidr": "10.77.0.0/16", "mode": "authoritative", "gateway": ground::SERVER, "lease": lease});
    json!({"kind": "Subnet", "name": "all", "spec": spec})
}

fn group(number: usize, zone: &str) -> Value {
    let profile = format!("p{number}");
    let spec =
        json!({"match": {"labels": {"role": profile}}, "profile": profile, "variables": {"zone": zone}});
    json!({"kind": "Group", "name": format!("g{number}"), "spec": spec})
}

fn base(words: &str) -> Value {
    let butane = butane("base", &format!("{{{{ machine.name }}}} {words} {{{{ vars.zone }}}}"));
    json!({"kind": "Profile", "name": "base", "spec": {"boot": "local", "butane": butane}})
}

fn profile(name: &str, text: &str) -> Value {
    let spec = json!({"image": "image", "boot": "live", "layers": ["base"], "butane": butane(name, text)});
    json!({"kind": "Profile", "name": name, "spec": spec})
}

/// A file that is different on each machine, and ten units.
fn butane(name: &str, text: &str) -> String {
    let mut butane = format!(
        "variant: fcos\nversion: 1.4.0\nstorage:\n  files:\n    - path: /etc/{name}\n      contents: {{inline: \"{text}\"}}\nsystemd:\n  units:\n"
    );
    for number in 0..10 {
        butane.push_str(&format!(
            "    - name: {name}-{number}.service\n      enabled: true\n      contents: |\n        [Service]\n        ExecStart=/usr/bin/true {number}\n        [Install]\n        WantedBy=multi-user.target\n"
        ));
    }
    butane
}

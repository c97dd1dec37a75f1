//! How long a plan takes for a large site. Nothing is asserted of the time: run it by name, `--ignored --nocapture`.
use super::prune;
use crate::rig::{Engine, Rig, operator};
use pilotlight::service::changes::Options;
use serde_json::{Value, json};
use std::time::Instant;

const MACHINES: usize = 1000;
const PROFILES: usize = 50;

fn profile(name: &str, boot: &str, layers: &Value, text: &str) -> Value {
    let units: String = (0..10)
        .map(|n| format!("    - name: unit-{n}.service\n      enabled: true\n      contents: |\n        [Service]\n        ExecStart=/usr/bin/true {n}\n        [Install]\n        WantedBy=multi-user.target\n"))
        .collect();
    let butane = format!(
        "variant: fcos\nversion: 1.4.0\nstorage:\n  files:\n    - path: /etc/{name}\n      contents: {{inline: \"{text}\"}}\nsystemd:\n  units:\n{}",
        units.replace("unit-", &format!("{name}-"))
    );
    let image = if boot == "live" { json!("os") } else { Value::Null };
    let mut spec = json!({"boot": boot, "layers": layers, "butane": butane});
    if !image.is_null() {
        spec["image"] = image;
    }
    json!({"kind": "Profile", "name": name, "spec": spec})
}

fn site(rig: &Rig) -> Vec<Value> {
    let mut all = vec![rig.documents()[0].clone(), rig.documents()[1].clone()];
    all[0]["spec"]["cidr"] = json!("10.77.0.0/16");
    all.push(profile("base", "local", &json!([]), "{{ machine.name }} is in {{ vars.zone }}"));
    for number in 0..PROFILES - 1 {
        let name = format!("p{number}");
        all.push(profile(&name, "live", &json!(["base"]), "{{ machine.rack }} {{ vars.zone }}"));
        all.push(json!({"kind": "Group", "name": format!("g{number}"), "spec": {"match": {"labels": {"role": name}},
            "profile": name, "variables": {"zone": (number % 3).to_string()}}}));
    }
    for number in 0..MACHINES {
        let mac = format!("52:54:00:00:{:02x}:{:02x}", number / 256, number % 256);
        all.push(json!({"kind": "Machine", "name": format!("n{number}"), "labels": {"role": format!("p{}", number % (PROFILES - 1))},
            "spec": {"macs": [mac], "rack": format!("r{}", number / 40), "ip": format!("10.77.{}.{}", 1 + number / 200, 1 + number % 200)}}));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures, and asserts little: run it by name"]
async fn how_long_a_plan_takes_for_a_thousand_machines() {
    let rig = Rig::new(Engine::Sqlite).await;
    let all = site(&rig);
    let anyway = Options { allow_machines: Some(MACHINES), ..prune("site") };
    let begun = Instant::now();
    rig.changes.apply_with(&all, &anyway, &operator()).await.unwrap();
    println!("apply to an empty daemon: {:?}", begun.elapsed());
    let mut layer = all.clone();
    layer[2] = profile("base", "local", &json!([]), "{{ machine.name }} is still in {{ vars.zone }}");
    let mut one = all.clone();
    one[3] = profile("p0", "live", &json!(["base"]), "changed {{ vars.zone }}");
    let mut zone = all.clone();
    zone[4]["spec"]["variables"]["zone"] = json!("z");
    let mut lease = all.clone();
    lease[0]["spec"]["lease"] = json!("2h");
    for (what, wanted, machines) in [
        ("nothing changes", &all, 0),
        ("one of 49 profiles changes", &one, 0),
        ("the variables of one group change", &zone, 21),
        ("the lease of the subnet changes", &lease, MACHINES),
        ("the layer of every machine changes", &layer, MACHINES),
    ] {
        let begun = Instant::now();
        let plan = rig.changes.plan(wanted, &prune("site"), &operator()).await.unwrap();
        let took = begun.elapsed();
        assert_eq!(plan.machines, machines, "{what}");
        println!("{what}: {} machines in {} groups, {took:?}", plan.machines, plan.boots.len());
    }
}

//! What `explain` says a machine would get is what it gets, byte for byte but for masks and ids; and where each thing is from.
use crate::{
    delivery::fetch,
    rig::{MAC1, OURS, Rig, on_both},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use pilotlight::{
    domain::{delivery::masked, ignition::merge::merge_all},
    service::explain::Packets,
};
use pilotlight_types::api::{DhcpField, Explanation};
use serde_json::{Value, json};
use std::{io::Read, sync::Arc};

on_both!(
    what_is_explained_is_what_is_sent,
    each_option_argument_and_value_says_where_it_is_from,
    a_secret_is_masked_wherever_it_is_explained,
);

const FROM: [u8; 4] = [10, 77, 0, 100];

/// A site with a layer, variables, options in three places, and an address that is n1's own.
async fn site(rig: &Rig) {
    let mut documents = rig.documents();
    let base = "variant: fcos\nversion: 1.4.0\npasswd:\n  users:\n    - {name: core, password_hash: \"{{ vars.hash }}\"}\nstorage:\n  files:\n    - path: /etc/motd\n      mode: 0600\n    - path: /etc/zone\n      contents: {inline: \"{{ vars.zone }} {{ subnet.name }}\"}\n";
    documents.push(json!({"kind": "Profile", "name": "base", "spec": {"boot": "local", "butane": base}}));
    for document in &mut documents {
        match document["name"].as_str().unwrap() {
            "worker" => {
                document["spec"]["layers"] = json!(["base"]);
                document["spec"]["kernelArgs"] =
                    json!(["console=ttyS0", "{% if false %}left.out{% endif %}", "zone={{ vars.zone }}"]);
            }
            "workers" => {
                document["spec"]["variables"] = json!({"zone": "a", "hash": "$6$secret"});
                document["spec"]["options"] = json!({"42": ["10.77.0.9"]});
            }
            "rack-a" => document["spec"]["options"] = json!({"26": 1500, "42": ["10.77.0.8"]}),
            "n1" => document["spec"]["ip"] = json!("10.77.0.100"),
            _ => {}
        }
    }
    rig.apply(&documents).await;
}

fn explained(rig: &Rig, machine: &str) -> Explanation {
    let packets =
        Packets { dhcp: Arc::new(crate::dhcp::answers(rig)), dhcp6: Arc::new(crate::dhcp6::answers(rig)) };
    rig.explain.clone().asking(packets).machine(machine, OURS.into()).unwrap()
}

/// The one-time token in the initrd of a boot.
async fn token(rig: &Rig, boot: pilotlight_types::BootId) -> String {
    let initrd = rig.delivery.config_initrd(boot, FROM.into(), OURS.into()).await.unwrap();
    let mut archive = Vec::new();
    GzDecoder::new(initrd.as_ref()).read_to_end(&mut archive).unwrap();
    let text = String::from_utf8_lossy(&archive).into_owned();
    text.split_once("Bearer ").unwrap().1.split('"').next().unwrap().to_owned()
}

/// The layers in a config, lowest first, without what Pilotlight adds.
fn layers(config: &Value) -> Vec<Value> {
    let all = config["ignition"]["config"]["merge"].as_array().unwrap();
    let opened = |layer: &Value| {
        let body = layer["source"].as_str().unwrap().split_once("base64,").unwrap().1;
        serde_json::from_slice(&STANDARD.decode(body).unwrap()).unwrap()
    };
    all[..all.len() - 1].iter().map(opened).collect()
}

async fn what_is_explained_is_what_is_sent(rig: Rig) {
    site(&rig).await;
    let before = explained(&rig, "n1");
    let (boot, script) = rig.script(MAC1, FROM).await;
    let of_boot = |text: &str| text.replace("/boot/BOOT", &format!("/boot/{boot}"));
    assert_eq!(of_boot(before.script.as_ref().unwrap()), script);
    let kernel = script.lines().find(|line| line.starts_with("kernel ")).unwrap();
    let args: Vec<String> = before.kernel_args.iter().map(|one| of_boot(&one.argument)).collect();
    assert_eq!(
        kernel,
        format!(
            "kernel ${{base}}/kernel initrd=initramfs.img initrd=config.img {} || goto kernel_failed",
            args.join(" ")
        )
    );
    let token = token(&rig, boot).await;
    let sent = fetch(&rig, boot, &token, "10.77.0.100").await.unwrap();
    assert_eq!(before.ignition_bytes, Some(sent.len() as u64));
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(before.ignition.as_ref().unwrap(), &masked(&sent));
    // What is told of each value is what Ignition makes of the layers that were sent: all of it, and nothing else.
    let whole = merge_all(&layers(&sent)).config;
    let mut values = 0;
    fn count(value: &Value, values: &mut usize) {
        match value {
            Value::Object(fields) => fields.values().for_each(|value| count(value, values)),
            Value::Array(items) => items.iter().for_each(|value| count(value, values)),
            _ => *values += 1,
        }
    }
    count(&whole, &mut values);
    assert_eq!(before.provenance.len(), values);
    for told in &before.provenance {
        let pointer = format!("/{}", told.path.replace("].", "/").replace(['.', '['], "/").replace(']', ""));
        let value = whole.pointer(&pointer).unwrap_or_else(|| panic!("{pointer} of {whole}"));
        if told.value == "(masked)" {
            assert_eq!(value, "$6$secret");
        } else {
            assert_eq!(&told.value, value, "{}", told.path);
        }
    }
}

fn field<'e>(explained: &'e Explanation, asks: &str, code: u16) -> &'e DhcpField {
    let step = explained.dhcp.iter().find(|step| step.asks == asks).unwrap();
    step.fields.iter().find(|field| field.code == Some(code)).unwrap_or_else(|| panic!("{code} of {step:?}"))
}

async fn each_option_argument_and_value_says_where_it_is_from(rig: Rig) {
    site(&rig).await;
    let explained = explained(&rig, "n1");
    let from = |asks: &str, code: u16| field(&explained, asks, code).from.clone();
    for asks in ["firmware", "ipxe"] {
        assert_eq!(from(asks, 3), "subnet rack-a, gateway");
        assert_eq!(from(asks, 6), "subnet rack-a, dns");
        assert_eq!(from(asks, 12), "the name of machine n1");
        assert_eq!(from(asks, 26), "subnet rack-a, options");
        assert_eq!(
            (field(&explained, asks, 42).value.as_str(), from(asks, 42)),
            ("10.77.0.9", "group workers, options".into())
        );
        assert!(from(asks, 54).starts_with("the daemon's own address"));
        assert!(from(asks, 51).starts_with("subnet rack-a, bootLease"));
    }
    assert!(from("firmware", 67).starts_with("firmware table, row "), "{}", from("firmware", 67));
    assert!(field(&explained, "ipxe", 67).value.contains("/boot/ipxe?mac="));
    assert!(from("ipxe", 67).contains("http.listen"));
    let yiaddr = explained.dhcp[0].fields.iter().find(|field| field.name == "yiaddr").unwrap();
    assert_eq!((yiaddr.value.as_str(), yiaddr.from.as_str()), ("10.77.0.100", "machine n1, ip"));

    let argument =
        |argument: &str| explained.kernel_args.iter().find(|one| one.argument == argument).unwrap();
    assert_eq!(argument("console=ttyS0").from, "profile worker, spec.kernelArgs[0]");
    let zone = argument("zone=a");
    assert_eq!(zone.from, "profile worker, spec.kernelArgs[2]", "the one that was left out counts");
    let variable =
        |one: &pilotlight_types::api::TemplateVariable| format!("{} {} {}", one.name, one.value, one.from);
    assert_eq!(
        zone.variables.iter().map(variable).collect::<Vec<_>>(),
        ["vars.zone \"a\" group workers, variables"]
    );
    assert!(explained.kernel_args[0].from.starts_with("image os: its OS"));

    let value = |path: &str| explained.provenance.iter().find(|value| value.path == path).unwrap();
    let mode = value("storage.files[0].mode");
    assert_eq!((mode.profile.as_str(), mode.field.as_str(), mode.line), ("base", "spec.butane", Some(9)));
    let motd = value("storage.files[0].contents.source");
    assert_eq!((motd.profile.as_str(), motd.line), ("worker", Some(6)));
    assert_eq!(
        motd.variables.iter().map(variable).collect::<Vec<_>>(),
        ["machine.name \"n1\" machine n1", "vars.zone \"a\" group workers, variables"]
    );
    let zone = value("storage.files[1].contents.source");
    assert_eq!(
        zone.variables.iter().map(variable).collect::<Vec<_>>(),
        ["subnet.name \"rack-a\" subnet rack-a", "vars.zone \"a\" group workers, variables"]
    );
    assert!(explained.ignition_version.as_ref().unwrap().starts_with("3.4.0; image os takes up to"));
}

async fn a_secret_is_masked_wherever_it_is_explained(rig: Rig) {
    site(&rig).await;
    std::fs::create_dir(rig.folder.path().join("secrets")).unwrap();
    let file = rig.folder.path().join("secrets/password");
    std::fs::write(&file, "hunter2hunter2").unwrap();
    let butane = "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /etc/password\n      contents: {inline: {{ secrets.password | tojson }}}\n";
    let layer = json!({"kind": "Profile", "name": "base", "spec": {"boot": "local", "butane": butane,
        "secrets": {"password": {"file": file}}}});
    rig.apply(&[layer]).await;
    let explained = explained(&rig, "n1");
    let told = serde_json::to_string(&explained).unwrap();
    assert!(!told.contains("hunter2") && !told.contains(&STANDARD.encode("hunter2hunter2")), "{told}");
    let secret =
        explained.provenance.iter().flat_map(|value| &value.variables).find(|v| v.name == "secrets.password");
    let secret = secret.unwrap();
    assert_eq!(secret.value, "<secret password>");
    assert!(secret.from.starts_with("profile base, file /"), "{}", secret.from);
}

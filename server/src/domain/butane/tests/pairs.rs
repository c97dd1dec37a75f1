//! For each construct of Butane's specs a pair: a text, and what comes of it. What is expected follows Butane's own
//! documents and tests, which each file names.
use super::*;
use crate::domain::ignition::schema::{self, Field, Kind, Sugar};
use std::{collections::BTreeSet, io::Write as _, process::Command};

const VALIDATE: &str = "/usr/bin/ignition-validate";

const ALL: [(&str, &str); 8] = [
    ("resources", include_str!("pairs/resources.txt")),
    ("nodes", include_str!("pairs/nodes.txt")),
    ("trees", include_str!("pairs/trees.txt")),
    ("disks", include_str!("pairs/disks.txt")),
    ("luks", include_str!("pairs/luks.txt")),
    ("boot_device", include_str!("pairs/boot_device.txt")),
    ("system", include_str!("pairs/system.txt")),
    ("versions", include_str!("pairs/versions.txt")),
];

struct Pair {
    name: String,
    butane: String,
    ignition: String,
    warnings: Vec<String>,
}

/// `=== name`, the Butane text, `--- ignition`, the config, and perhaps `--- warnings`.
fn pairs() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (file, text) in ALL {
        for part in text.split("\n=== ").skip(1) {
            let (name, rest) = part.split_once('\n').unwrap();
            let (butane, rest) =
                rest.split_once("--- ignition\n").unwrap_or_else(|| panic!("{file}: {name}"));
            let (ignition, warnings) = rest.split_once("--- warnings\n").unwrap_or((rest, ""));
            pairs.push(Pair {
                name: format!("{file}: {name}"),
                butane: butane.to_owned(),
                ignition: ignition.to_owned(),
                warnings: warnings.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect(),
            });
        }
    }
    pairs
}

/// What lies beside every text.
fn beside() -> Files {
    let mut files = Files::default();
    let file = |contents: &str, executable| Entry::File { contents: contents.into(), executable };
    for (path, entry) in [
        ("motd", file("hello\n", false)),
        ("base.ign", file("{\"ignition\": {\"version\": \"3.0.0\"}}", false)),
        ("ca.pem", file("-----BEGIN CERTIFICATE-----\nx\n", false)),
        ("key", Entry::File { contents: vec![0, 255, 1, 254], executable: false }),
        ("a.service", file("[Service]\nExecStart=/bin/a\n[Install]\nWantedBy=multi-user.target\n", false)),
        ("a.conf", file("[Service]\nUser=core\n", false)),
        ("team.pub", file("ssh-ed25519 AAAA two\r\n\nssh-ed25519 BBBB three\n", false)),
        ("tree/etc/hosts", file("127.0.0.1 localhost\n", false)),
        ("tree/bin/run", file("#!/bin/sh\n", true)),
        ("tree/link", Entry::Link { target: "etc/hosts".to_owned() }),
    ] {
        files.insert(path, entry).unwrap();
    }
    files
}

#[test]
fn every_pair_is_what_butane_makes_of_it() {
    let (files, mut differences) = (beside(), String::new());
    let pairs = pairs();
    assert!(pairs.len() >= 40, "{}", pairs.len());
    for pair in &pairs {
        let made = match transpile_with(&pair.butane, &files) {
            Ok(made) => made,
            Err(errors) => {
                differences.push_str(&format!("{}: {:#?}\n", pair.name, said(&errors)));
                continue;
            }
        };
        let expected: Value = serde_json::from_str(&pair.ignition).unwrap_or_default();
        if made.ignition != expected || said(&made.warnings) != pair.warnings {
            let ignition = serde_json::to_string_pretty(&made.ignition).unwrap();
            differences.push_str(&format!(
                "=== {}\n{ignition}\n--- warnings\n{}\n",
                pair.name,
                said(&made.warnings).join("\n")
            ));
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn debians_ignition_takes_every_pair_of_a_spec_that_it_knows() {
    let files = beside();
    let mut judged = 0;
    for pair in pairs() {
        let made =
            transpile_with(&pair.butane, &files).unwrap_or_else(|errors| panic!("{}: {errors:?}", pair.name));
        if made.version > "3.3.0" {
            continue;
        }
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(made.ignition.to_string().as_bytes()).unwrap();
        let output = Command::new(VALIDATE).arg(file.path()).output().unwrap_or_else(|error| {
            panic!("{VALIDATE} is needed for this test (Debian: apt-get install ignition): {error}")
        });
        assert!(output.status.success(), "{}: {}", pair.name, String::from_utf8_lossy(&output.stderr));
        judged += 1;
    }
    assert!(judged >= 15, "{judged}");
}

#[test]
fn every_construct_has_a_pair() {
    let mut used = BTreeSet::new();
    let mut dialects = BTreeSet::new();
    for pair in pairs() {
        let root = yaml::parse_documents(&pair.butane).unwrap().remove(0);
        dialects.insert((
            root.get("variant").unwrap().text().unwrap().to_owned(),
            root.get("version").unwrap().text().unwrap().to_owned(),
        ));
        collect(&root, schema::CONFIG, "", &mut used);
    }
    let mut known = BTreeSet::new();
    list(schema::CONFIG, "", &mut known);
    let missing: Vec<_> = known.difference(&used).collect();
    assert!(missing.is_empty(), "no pair has {missing:#?}");
    assert_eq!(dialects.len(), dialect::DIALECTS.len(), "{dialects:?}");
}

fn inner(kind: Kind) -> Option<&'static [Field]> {
    match kind {
        Kind::Map(fields) | Kind::Maps(fields, _) => Some(fields),
        Kind::Sugar(Sugar::Trees) => Some(schema::TREE),
        Kind::Sugar(Sugar::BootDevice) => Some(schema::BOOT_DEVICE),
        Kind::Sugar(Sugar::Grub) => Some(schema::GRUB),
        _ => None,
    }
}

/// All the paths that there are; resources have the same fields everywhere, so one of them will do.
fn list(fields: &'static [Field], path: &str, known: &mut BTreeSet<String>) {
    for field in fields.iter().filter(|field| !field.yaml.is_empty()) {
        let here = place::join(path, field.yaml);
        if let Some(fields) = inner(field.kind) {
            list(fields, &here, known);
        }
        known.insert(here);
    }
}

fn collect(node: &Node, fields: &'static [Field], path: &str, used: &mut BTreeSet<String>) {
    match &node.value {
        Yaml::Seq(items) => items.iter().for_each(|item| collect(item, fields, path, used)),
        Yaml::Map(entries) => {
            for (key, value) in entries {
                let field = fields.iter().find(|field| field.yaml == key.text).unwrap();
                let here = place::join(path, field.yaml);
                if let Some(fields) = inner(field.kind) {
                    collect(value, fields, &here, used);
                }
                used.insert(here);
            }
        }
        _ => {}
    }
}

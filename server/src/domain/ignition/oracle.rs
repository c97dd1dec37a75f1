//! Our verdict compared with that of Ignition's own validator, which must be installed (Debian: package `ignition`).
//! Its 2.14.0 knows specs 3.0.0 to 3.3.0, and 3.4.0 as it was before it was finished.
use super::{Version, validate};
use serde_json::{Value, json};
use std::{collections::BTreeMap, io::Write, process::Command};

const PROGRAM: &str = "/usr/bin/ignition-validate";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Accepted,
    Warned,
    Refused,
}

fn theirs(config: &Value, version: Version) -> (Verdict, String) {
    let mut config = config.clone();
    if version.as_str() == "3.4.0" {
        config["ignition"]["version"] = json!("3.4.0-experimental");
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(config.to_string().as_bytes()).unwrap();
    let output = Command::new(PROGRAM).arg(file.path()).output().unwrap_or_else(|error| {
        panic!("{PROGRAM} is needed for this test (Debian: apt-get install ignition): {error}")
    });
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let verdict = match (output.status.success(), said.is_empty()) {
        (true, true) => Verdict::Accepted,
        (true, false) => Verdict::Warned,
        (false, _) => Verdict::Refused,
    };
    (verdict, said)
}

fn ours(config: &Value) -> (Verdict, String) {
    let report = validate(config);
    let said = format!("{report:?}");
    match (report.errors.is_empty(), report.warnings.is_empty()) {
        (true, true) => (Verdict::Accepted, said),
        (true, false) => (Verdict::Warned, said),
        (false, _) => (Verdict::Refused, said),
    }
}

/// `<<3*x>>` is `xxx`.
fn unfold(body: &str) -> String {
    body.split("<<").enumerate().fold(String::new(), |text, (at, part)| match part.split_once(">>") {
        Some((run, rest)) if at > 0 => {
            let (times, what) = run.split_once('*').unwrap();
            text + &what.repeat(times.parse().unwrap()) + rest
        }
        _ => text + part,
    })
}

#[test]
fn our_verdict_is_that_of_ignition_itself() {
    let mut count: BTreeMap<Verdict, usize> = BTreeMap::new();
    let mut differences = String::new();
    for line in include_str!("corpus.txt").lines().filter(|line| !line.starts_with('#')) {
        let (line, on_purpose) = line.strip_prefix("warns:").map_or((line, false), |line| (line, true));
        let (specs, body) = line.split_once(' ').unwrap();
        for spec in specs.split(',') {
            let version: Version = format!("{spec}.0").parse().unwrap();
            let mut config: Value = serde_json::from_str(&unfold(body)).unwrap();
            config["ignition"]["version"] = json!(version.as_str());
            let (theirs, they_said) = theirs(&config, version);
            let (ours, we_said) = ours(&config);
            *count.entry(theirs).or_default() += 1;
            let expected = if on_purpose { (Verdict::Accepted, Verdict::Warned) } else { (theirs, theirs) };
            if (theirs, ours) != expected {
                differences.push_str(&format!(
                    "{spec} {body:.300}\n  Ignition {theirs:?}: {they_said}  we {ours:?}: {we_said}\n"
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
    assert!(count.values().sum::<usize>() >= 400, "{count:?}");
}

#[test]
fn a_config_without_a_good_version_is_refused_by_both() {
    for text in
        ["{}", "null", r#"{"ignition":{}}"#, r#"{"ignition":null}"#, r#"{"ignition":{"version":"3.3"}}"#]
            .into_iter()
            .chain([
                r#"{"ignition":{"version":3}}"#,
                r#"{"ignition":{"version":"3.9.0"}}"#,
                "[]",
                "\"x\"",
                r#"{"ignition":[]}"#,
            ])
            .chain([r#"{"ignition":{"version":"2.3.0"}}"#, r#"{"ignition":{"version":null}}"#])
    {
        let config: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            (theirs(&config, Version::ALL[0]).0, ours(&config).0),
            (Verdict::Refused, Verdict::Refused),
            "{text}"
        );
    }
}

//! What of a resource somebody may be shown who is only to help: what is known to hold no secret, and of anything else that it is there.
//! People write passwords into configs, variables, headers and URLs, whatever they are told.
use pilotlight_types::resource::Kind;
use serde_json::{Map, Value, json};

/// The fields of a spec that are shown as they are.
const fn plain(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Role => &["rules"],
        Kind::Firmware => &["match", "replies", "programs", "blockSize", "window", "leave", "priority"],
        Kind::Subnet => &[
            "cidr",
            "cidr6",
            "mode",
            "ranges",
            "ranges6",
            "exclude",
            "gateway",
            "dns",
            "dns6",
            "domain",
            "lease",
            "bootLease",
            "unknown",
            "probe",
            "keepForDeclared",
            "firmware",
            "answerRouterSolicitations",
            "linkRate",
            "concurrentBoots",
        ],
        Kind::Image => &["os", "arch", "version", "ignition"],
        Kind::Profile => &["image", "boot", "layers", "cluster"],
        Kind::Group => &["match", "profile", "priority"],
        Kind::Webhook => &["events", "selector", "timeout", "paused"],
        Kind::Machine => &["macs", "uuid", "serial", "rack", "unit", "ip", "ip6", "firmware", "class"],
        Kind::HardwareClass => {
            &["onMismatch", "vendor", "model", "cpus", "memory", "disks", "nics", "firmware"]
        }
        Kind::ExpectedMachine => &["serial", "uuid", "macs", "bmcMac", "rack", "unit", "class", "accept"],
        Kind::AcceptRule => &["match", "priority", "name", "labels", "class", "limit", "paused"],
    }
}

/// The fields of which the keys are shown.
const KEYS: [&str; 4] = ["variables", "secrets", "files", "options"];

/// The spec of a resource, with what may hold a secret left out.
pub fn shown(kind: Kind, spec: &Value) -> Value {
    let Some(fields) = spec.as_object() else { return json!({}) };
    let plain = plain(kind);
    let shown = fields.iter().map(|(key, value)| {
        let value = match (key.as_str(), value) {
            (key, value) if plain.contains(&key) => value.clone(),
            ("kernel" | "rootfs", file) => image_file(file),
            ("initrd", Value::Array(files)) => files.iter().map(image_file).collect(),
            (key, Value::Object(map)) if KEYS.contains(&key) => {
                map.keys().map(|key| (key.clone(), json!("(left out)"))).collect::<Map<_, _>>().into()
            }
            (_, value) => left_out(value),
        };
        (key.clone(), value)
    });
    Value::Object(shown.collect())
}

/// A file of an image: which one it is, and not where it is from, for that may name a password.
fn image_file(file: &Value) -> Value {
    json!({"sha256": file.get("sha256").cloned().unwrap_or_default()})
}

fn left_out(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(format!("(left out: {} bytes)", text.len())),
        Value::Array(all) => json!(format!("(left out: {} items)", all.len())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => json!("(left out)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_left_out_and_what_it_is_for_is_not() {
        const SECRET: &str = "hunter2";
        let specs = [
            (
                Kind::Profile,
                json!({"image": "os", "boot": "live", "butane": SECRET, "kernelArgs": [SECRET],
                "ignition": {"x": SECRET}, "files": {"a.txt": SECRET}, "secrets": {"token": {"file": SECRET}}}),
            ),
            (
                Kind::Group,
                json!({"match": {"labels": {"role": "w"}}, "profile": "p", "variables": {"zone": SECRET},
                "options": {"66": SECRET}}),
            ),
            (
                Kind::Image,
                json!({"os": "generic", "kernel": {"url": format!("https://u:{SECRET}@h/k"), "sha256": "ab"},
                "initrd": [{"url": format!("https://h/i?token={SECRET}"), "sha256": "cd"}]}),
            ),
            (
                Kind::Webhook,
                json!({"url": format!("https://h/{SECRET}"), "headers": {"authorization": SECRET}, "events": ["boot.*"]}),
            ),
            (
                Kind::Machine,
                json!({"macs": ["52:54:00:00:00:01"], "bmc": {"password": SECRET}, "variables": {"a": SECRET}}),
            ),
            (Kind::Role, json!({"description": SECRET, "rules": []})),
        ];
        for (kind, spec) in &specs {
            let shown = shown(*kind, spec).to_string();
            assert!(!shown.contains(SECRET), "{kind}: {shown}");
        }
        let profile = shown(Kind::Profile, &specs[0].1);
        assert_eq!(profile["image"], "os");
        assert_eq!(profile["butane"], "(left out: 7 bytes)");
        assert_eq!(profile["secrets"], json!({"token": "(left out)"}));
        assert_eq!(shown(Kind::Image, &specs[2].1)["initrd"], json!([{"sha256": "cd"}]));
        assert_eq!(shown(Kind::Group, &specs[1].1)["variables"], json!({"zone": "(left out)"}));
    }
}

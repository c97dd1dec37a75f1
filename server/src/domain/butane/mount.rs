//! `with_mount_unit`: the systemd unit that mounts a filesystem, with the text that Butane gives it.
use super::convert::Converter;
use crate::domain::yaml::Node;
use serde_json::{Value, json};
use std::collections::HashMap;

/// A unit of the result: one of the user's, by its old number, or one that was made, by the word that asked for it.
enum Origin<'n> {
    Written(usize),
    Made(&'n Node, Option<usize>),
}

/// Adds the mount units to the config's units.
pub(super) fn add_units<'n>(converter: &mut Converter<'n>, config: &mut Value) {
    let mounts = std::mem::take(&mut converter.mounts);
    let mut made = Vec::new();
    for (path, word) in mounts {
        if let Some(unit) = unit(converter, config, &path, word) {
            made.push((unit, word));
        }
    }
    if made.is_empty() {
        return;
    }
    let written: Vec<Value> =
        config.pointer("/systemd/units").and_then(Value::as_array).cloned().unwrap_or_default();
    let numbers: HashMap<&str, usize> =
        written.iter().enumerate().filter_map(|(at, unit)| Some((unit.get("name")?.as_str()?, at))).collect();
    let mut units: Vec<(Value, Origin<'n>)> = Vec::new();
    let mut taken = vec![false; written.len()];
    for (mut unit, word) in made {
        // What the user says about the same unit wins, field by field.
        let same = unit.get("name").and_then(Value::as_str).and_then(|name| numbers.get(name)).copied();
        if let Some((at, own)) = same.and_then(|at| Some((at, written.get(at)?))) {
            if let (Some(unit), Some(own)) = (unit.as_object_mut(), own.as_object()) {
                unit.extend(own.clone());
            }
            if let Some(taken) = taken.get_mut(at) {
                *taken = true;
            }
        }
        units.push((unit, Origin::Made(word, same)));
    }
    let rest = written.iter().enumerate().zip(&taken).filter(|(_, taken)| !**taken);
    let rest: Vec<_> = rest.map(|((at, unit), _)| (unit.clone(), Origin::Written(at))).collect();
    // Since fcos 1.4 made units are merged as if from a parent config, whose entries come first.
    let units: Vec<_> = if converter.dialect.minor >= 3 {
        units.into_iter().chain(rest).collect()
    } else {
        rest.into_iter().chain(units).collect()
    };
    relocate(converter, &units);
    let units: Vec<Value> = units.into_iter().map(|(unit, _)| unit).collect();
    if let Some(config) = config.as_object_mut() {
        let systemd = config.entry("systemd").or_insert_with(|| json!({}));
        if let Some(systemd) = systemd.as_object_mut() {
            systemd.insert("units".to_owned(), Value::Array(units));
        }
    }
}

/// The units have other numbers now: what came from where must follow.
fn relocate<'n>(converter: &mut Converter<'n>, units: &[(Value, Origin<'n>)]) {
    const LIST: &str = "systemd.units[";
    let mut moved: HashMap<usize, usize> = HashMap::new();
    let mut made = Vec::new();
    for (new, (_, origin)) in units.iter().enumerate() {
        match origin {
            Origin::Written(old) => {
                moved.insert(*old, new);
            }
            Origin::Made(word, same) => {
                if let Some(old) = same {
                    moved.insert(*old, new);
                }
                made.push((new, *word));
            }
        }
    }
    let shift = |path: &str| -> Option<String> {
        let (old, rest) = path.strip_prefix(LIST)?.split_once(']')?;
        Some(format!("{LIST}{}]{rest}", moved.get(&old.parse().ok()?)?))
    };
    let doubtful = std::mem::take(&mut converter.doubtful);
    converter.doubtful = doubtful.into_iter().map(|path| shift(&path).unwrap_or(path)).collect();
    let places = std::mem::take(&mut converter.places);
    converter.places = places.into_iter().map(|(path, node)| (shift(&path).unwrap_or(path), node)).collect();
    for (at, word) in made {
        for field in ["", ".name", ".enabled", ".contents"] {
            // Where the user wrote something, that is the place.
            converter.places.entry(format!("{LIST}{at}]{field}")).or_insert(word);
        }
    }
}

fn unit(converter: &mut Converter<'_>, config: &Value, path: &str, word: &Node) -> Option<Value> {
    let number: usize = path.strip_prefix("storage.filesystems[")?.strip_suffix(']')?.parse().ok()?;
    let filesystem = config.pointer("/storage/filesystems")?.get(number)?;
    let text = |name: &str| filesystem.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let minor = converter.dialect.minor;
    let Some(format) = text("format") else {
        converter.error(word.pos, path, "a mount unit needs the filesystem's `format`");
        return None;
    };
    let swap = format == "swap" && minor >= 3;
    let device = text("device")?;
    if !swap && text("path").is_none() {
        converter.error(word.pos, path, "a mount unit needs the `path` to mount the filesystem at");
        return None;
    }
    let mounted = text("path").unwrap_or_default();
    let writable =
        |root: &str| mounted.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if converter.dialect.is_fcos(6) && !mounted.is_empty() && !writable("/etc") && !writable("/var") {
        let place = converter.places.get(&format!("{path}.path")).map_or(word.pos, |node| node.pos);
        converter.error(place, path, "what has a mount unit is mounted at or below /etc or /var");
        return None;
    }
    let remote = minor >= 2 && is_remote(config, device);
    let options =
        filesystem.get("mountOptions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut options: Vec<&str> = options.iter().filter_map(Value::as_str).collect();
    if remote {
        options.push("_netdev");
    }
    if options.iter().chain(&[device, format, mounted]).any(|text| text.contains(char::is_control)) {
        let message = "a mount unit cannot be made: there are control characters in what it would say";
        converter.error(word.pos, path, message);
        return None;
    }
    let options = if options.is_empty() { String::new() } else { format!("\nOptions={}", options.join(",")) };
    let (name, contents) = if swap {
        let contents = format!(
            "# Generated by Butane\n[Swap]\nWhat={device}{options}\n\n[Install]\nRequiredBy=swap.target"
        );
        (format!("{}.swap", escape_path(device)), contents)
    } else {
        let fsck = escape_path(device);
        let target = if remote { "remote-fs.target" } else { "local-fs.target" };
        let contents = format!(
            "# Generated by Butane\n[Unit]\nRequires=systemd-fsck@{fsck}.service\nAfter=systemd-fsck@{fsck}.service\n\n\
             [Mount]\nWhere={mounted}\nWhat={device}\nType={format}{options}\n\n[Install]\nRequiredBy={target}"
        );
        (format!("{}.mount", escape_path(mounted)), contents)
    };
    Some(json!({"contents": contents, "enabled": true, "name": name}))
}

/// Whether a filesystem is on a LUKS volume that a Tang server opens: then it waits for the network.
fn is_remote(config: &Value, device: &str) -> bool {
    let name =
        ["/dev/mapper/", "/dev/disk/by-id/dm-name-"].iter().find_map(|prefix| device.strip_prefix(prefix));
    let volumes =
        config.pointer("/storage/luks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    name.is_some_and(|name| {
        volumes.iter().any(|luks| {
            luks.get("name").and_then(Value::as_str) == Some(name)
                && luks.pointer("/clevis/tang").and_then(Value::as_array).is_some_and(|tang| !tang.is_empty())
        })
    })
}

/// A path as a unit's name, as `systemd-escape --path` has it.
pub(super) fn escape_path(path: &str) -> String {
    let path = path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    if path.is_empty() {
        return "-".to_owned();
    }
    let mut name = String::new();
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if at == 0 => name.push_str("\\x2e"),
            b'.' | b':' | b'_' => name.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            byte => name.push_str(&format!("\\x{byte:02x}")),
        }
    }
    name
}

//! How a machine's config reaches it: a pointer in a tiny initrd, the config itself over TLS, the profile's own configs inside.
//!
//! The pointer (`config.ign` in an initrd, as Fedora CoreOS and Flatcar read it) holds the one-time token, the site CA and the
//! hash of the config; so neither the kernel command line nor a URL holds a secret.
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha512};
use std::io::{self, Read, Write};

/// The spec version of what we write ourselves. Every Ignition since 2.10 (2021) takes it.
pub const SPEC: &str = "3.3.0";

/// Ours, on the host, beside what the profile asks for.
#[derive(Debug, Clone, Copy)]
pub struct Additions<'a> {
    /// The machine's name, for /etc/hostname.
    pub hostname: &'a str,
    /// Where the agent's binary is served, and the SHA-512 of it in hex.
    pub agent: Option<(&'a str, &'a str)>,
    /// The agent's configuration, as JSON.
    pub agent_config: &'a str,
    /// The agent's unit.
    pub agent_unit: &'a str,
}

/// The config that Pilotlight adds to each profile's.
pub fn additions(ours: Additions<'_>) -> Value {
    let file = |path: &str, mode: u32, text: &str| json!({"path": path, "mode": mode, "overwrite": true, "contents": {"source": data_url(text.as_bytes())}});
    let mut files = vec![file("/etc/hostname", 0o644, &format!("{}\n", ours.hostname))];
    let mut units = Vec::new();
    if let Some((url, sha512)) = ours.agent {
        files.push(file(pilotlight_types::agent::CONFIG_PATH, 0o600, ours.agent_config));
        files.push(json!({
            "path": pilotlight_types::agent::BINARY_PATH, "mode": 0o755, "overwrite": true,
            "contents": {"source": url, "verification": {"hash": format!("sha512-{sha512}")}},
        }));
        units.push(json!({"name": "pilotlight-agent.service", "enabled": true, "contents": ours.agent_unit}));
    }
    json!({"ignition": {"version": SPEC}, "storage": {"files": files}, "systemd": {"units": units}})
}

/// One config out of several: Ignition itself merges them on the machine, each over the ones before it.
pub fn merged(configs: &[Value]) -> Value {
    let merge: Vec<Value> =
        configs.iter().map(|config| json!({"source": data_url(config.to_string().as_bytes())})).collect();
    json!({"ignition": {"version": SPEC, "config": {"merge": merge}}})
}

/// The `config.ign` that sends Ignition to the config, with its hash. A config with secrets has none there (docs/adr/0007): it
/// crosses the wire in the clear, and whoever knows the rest of the config could try secrets until the hash is right.
pub fn pointer(url: &str, token: &str, ca_pem: &str, config: Option<&[u8]>) -> Value {
    let mut replace = json!({
        "source": url,
        "httpHeaders": [{"name": "Authorization", "value": format!("Bearer {token}")}],
    });
    if let (Some(config), Some(replace)) = (config, replace.as_object_mut()) {
        let hash = format!("sha512-{}", hex::encode(Sha512::digest(config)));
        replace.insert("verification".to_owned(), json!({"hash": hash}));
    }
    json!({"ignition": {
        "version": SPEC,
        "config": {"replace": replace},
        "security": {"tls": {"certificateAuthorities": [{"source": data_url(ca_pem.as_bytes())}]}},
    }})
}

/// An initrd with the pointer where Fedora CoreOS (`/config.ign`) and Flatcar (`/usr/share/oem/config.ign`) look for it. Gzipped:
/// iPXE's EFI builds of before 2020 join initrds without padding, and the kernel takes a compressed one at any offset.
pub fn initrd(config_ign: &[u8]) -> io::Result<Vec<u8>> {
    let mut archive = Vec::new();
    let mut inode = 0;
    let mut add = |name: &str, mode: u32, content: &[u8]| -> io::Result<()> {
        inode += 1;
        newc_entry(&mut archive, name, inode, mode, content)
    };
    add("config.ign", 0o100_600, config_ign)?;
    for folder in ["usr", "usr/share", "usr/share/oem"] {
        add(folder, 0o040_755, &[])?;
    }
    add("usr/share/oem/config.ign", 0o100_600, config_ign)?;
    add("TRAILER!!!", 0, &[])?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&archive)?;
    gzip.finish()
}

/// One entry of a `newc` cpio archive (Linux: Documentation/driver-api/early-userspace/buffer-format.rst).
fn newc_entry(archive: &mut Vec<u8>, name: &str, inode: u32, mode: u32, content: &[u8]) -> io::Result<()> {
    let size = u32::try_from(content.len()).map_err(io::Error::other)?;
    let name_size = u32::try_from(name.len() + 1).map_err(io::Error::other)?;
    let links = if mode & 0o040_000 == 0 { 1 } else { 2 };
    write!(archive, "070701")?;
    for field in [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0] {
        write!(archive, "{field:08x}")?;
    }
    archive.write_all(name.as_bytes())?;
    archive.push(0);
    pad(archive);
    archive.write_all(content)?;
    pad(archive);
    Ok(())
}

fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}

fn data_url(content: &[u8]) -> String {
    format!("data:;base64,{}", BASE64.encode(content))
}

/// The same config for people's eyes: merged configs opened up, and the agent's configuration, which holds a token, masked.
pub fn masked(config: &Value) -> Value {
    let mut shown = config.clone();
    mask(&mut shown);
    shown
}

/// The keys of a config whose values are secrets.
const SECRET_KEYS: [&str; 2] = ["httpHeaders", "passwordHash"];

/// Whether a path of a config leads to a secret: `passwd.users[0].passwordHash`.
pub fn is_secret(path: &str) -> bool {
    path.split(['.', '[']).any(|part| SECRET_KEYS.contains(&part))
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("path").and_then(Value::as_str) == Some(pilotlight_types::agent::CONFIG_PATH)
                && let Some(contents) = map.get_mut("contents")
            {
                *contents = json!({"source": "(masked: the agent's configuration, with its token)"});
            }
            for secret in SECRET_KEYS {
                if map.contains_key(secret) {
                    map.insert(secret.into(), json!("(masked)"));
                }
            }
            if let Some(inner) = map.get("source").and_then(Value::as_str).and_then(opened) {
                map.clear();
                map.insert("config".into(), inner);
            }
            map.values_mut().for_each(mask);
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

/// What is inside a `data:` URL (RFC 2397) if that is a text; `gzip` says that it is compressed.
pub fn text_of(url: &str, gzip: bool) -> Option<String> {
    let (head, body) = url.strip_prefix("data:")?.split_once(',')?;
    let bytes = if head.ends_with(";base64") { BASE64.decode(body).ok()? } else { unescaped(body) };
    if !gzip {
        return String::from_utf8(bytes).ok();
    }
    let mut text = String::new();
    // A bound: what is packed may be much larger than what it is packed in.
    GzDecoder::new(bytes.as_slice()).take(LONGEST_TEXT).read_to_string(&mut text).ok()?;
    Some(text)
}

/// How much of a compressed text is unpacked to be shown.
const LONGEST_TEXT: u64 = 1 << 20;

/// A text without its percent signs (RFC 3986 section 2.1).
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend(before.as_bytes());
        match after.get(..2).and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend(rest.as_bytes());
    bytes
}

/// The config inside a data URL, if that is what it holds.
fn opened(url: &str) -> Option<Value> {
    let bytes = BASE64.decode(url.strip_prefix("data:;base64,")?).ok()?;
    serde_json::from_slice::<Value>(&bytes).ok().filter(|value| value.get("ignition").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initrd_holds_the_pointer_where_both_systems_look() {
        let initrd = initrd(b"{\"ignition\":{}}").unwrap();
        let mut archive = Vec::new();
        GzDecoder::new(initrd.as_slice()).read_to_end(&mut archive).unwrap();
        assert_eq!(archive.len() % 4, 0);
        let text = String::from_utf8_lossy(&archive);
        assert_eq!(text.matches("070701").count(), 6);
        assert_eq!(text.matches("{\"ignition\":{}}").count(), 2);
        assert!(text.contains("usr/share/oem/config.ign\0"));
    }

    #[test]
    fn what_people_see_holds_no_token() {
        let ours = additions(Additions {
            hostname: "n1",
            agent: Some(("http://10.77.0.1:8080/boot/files/agent", "00")),
            agent_config: r#"{"token": "secret-token"}"#,
            agent_unit: "[Service]\n",
        });
        let whole = merged(&[
            json!({"ignition": {"version": "3.3.0"}, "passwd": {"users": [{"name": "core"}]}}),
            ours,
        ]);
        let shown = masked(&whole).to_string();
        assert!(
            !shown.contains("secret-token")
                && !shown.contains(&BASE64.encode(r#"{"token": "secret-token"}"#)),
            "{shown}"
        );
        assert!(
            shown.contains("\"core\"") && shown.contains("/etc/hostname"),
            "merged configs are opened: {shown}"
        );
        let pointer = pointer("https://10.77.0.1:8443/x", "secret-token", "PEM", Some(b"{}"));
        assert!(!masked(&pointer).to_string().contains("secret-token"));
    }
}

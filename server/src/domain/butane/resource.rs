//! Text that travels inside of the config, written `inline` or in a file beside the Butane text: as a `data:` URL in the
//! shortest of three ways, or as a text.
use super::convert::Converter;
use crate::domain::{
    ignition::{
        check_text,
        place::{join, shown},
    },
    yaml::{Key, Located, Node, Value as Yaml},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use std::{collections::HashMap, fmt::Write as _, io::Write as _};

/// What was found of a map so far, by Ignition's names.
type Found = HashMap<&'static str, Value>;

/// A resource has one source.
pub(super) fn check_sources(converter: &mut Converter<'_>, node: &Node, path: &str) {
    let given = |name: &str| node.entry(name).filter(|(_, value)| value.text().is_some());
    let sources: Vec<_> = ["inline", "local", "source"].into_iter().filter_map(given).collect();
    if let [_, second, ..] = sources.as_slice() {
        converter.error(second.0.pos, path, "only one of `inline`, `local` and `source` can be given");
    }
}

/// Makes a resource's `inline` its source.
pub(super) fn inline<'n>(converter: &mut Converter<'n>, inline: &'n Node, path: &str, found: &mut Found) {
    let Value::String(text) = converter.text(inline, &join(path, "source")) else { return };
    if is_config(converter, path) && !is_compressed(found) {
        match check_text(&text) {
            Ok((_, warnings)) => {
                converter.warnings.extend(warnings.into_iter().map(|at| relocated(inline, at)));
            }
            Err(errors) => {
                for error in errors {
                    let error = relocated(inline, error);
                    converter.error(error.pos(), path, error.message);
                }
            }
        }
    }
    fill(converter, inline, path, found, text.as_bytes());
}

/// Makes the file that a resource's `local` names its source.
pub(super) fn local<'n>(converter: &mut Converter<'n>, local: &'n Node, path: &str, found: &mut Found) {
    let Value::String(name) = converter.text(local, &join(path, "source")) else { return };
    let Some(contents) = read(converter, local, path, &name) else { return };
    if is_config(converter, path) && !is_compressed(found) {
        let problems = match std::str::from_utf8(contents).map(check_text) {
            Ok(Ok((_, warnings))) => {
                let warnings =
                    warnings.into_iter().map(|at| Located::new(local.pos, format!("{name}: {at}")));
                converter.warnings.extend(warnings);
                Vec::new()
            }
            Ok(Err(errors)) => errors.iter().map(ToString::to_string).collect(),
            Err(_) => vec!["this is no text".to_owned()],
        };
        for problem in problems {
            converter.error(local.pos, path, format!("{}: {problem}", shown(&name)));
        }
    }
    fill(converter, local, path, found, contents);
}

/// Makes the file that a unit's `contents_local` names its text.
pub(super) fn contents<'n>(
    converter: &mut Converter<'n>,
    key: &Key,
    local: &'n Node,
    path: &str,
    found: &mut Found,
) {
    if found.get("contents").is_some_and(Value::is_string) {
        return converter.error(key.pos, path, "only one of `contents` and `contents_local` can be given");
    }
    let here = join(path, "contents");
    let Value::String(name) = converter.text(local, &here) else { return };
    if name.is_empty() {
        return;
    }
    if let Some(text) = read_text(converter, local, &here, &name) {
        converter.places.insert(here, local);
        found.insert("contents", Value::String(text));
    }
}

/// Adds the SSH keys in the files that `ssh_authorized_keys_local` names, one a line.
pub(super) fn keys<'n>(converter: &mut Converter<'n>, locals: &'n Node, path: &str, found: &mut Found) {
    const LIST: &str = "sshAuthorizedKeys";
    let here = join(path, LIST);
    let Yaml::Seq(items) = &locals.value else {
        converter.mistyped("a list", locals, &here);
        return;
    };
    let mut keys = match found.remove(LIST) {
        Some(Value::Array(keys)) => keys,
        _ => Vec::new(),
    };
    for item in items {
        let Value::String(name) = converter.text(item, &here) else { continue };
        let Some(text) = read_text(converter, item, &here, &name) else { continue };
        for line in text.lines().filter(|line| !line.is_empty()) {
            converter.places.insert(format!("{here}[{}]", keys.len()), item);
            keys.push(Value::String(line.to_owned()));
        }
    }
    converter.places.entry(here).or_insert(locals);
    found.insert(LIST, Value::Array(keys));
}

fn read<'n>(converter: &mut Converter<'n>, node: &Node, path: &str, name: &str) -> Option<&'n [u8]> {
    match converter.files.read(name) {
        Ok(contents) => Some(contents),
        Err(error) => {
            converter.error(node.pos, path, error.to_string());
            None
        }
    }
}

fn read_text(converter: &mut Converter<'_>, node: &Node, path: &str, name: &str) -> Option<String> {
    let contents = read(converter, node, path, name)?;
    match std::str::from_utf8(contents) {
        Ok(text) => Some(text.to_owned()),
        Err(_) => {
            converter.error(node.pos, path, format!("`{}` is no text in UTF-8", shown(name)));
            None
        }
    }
}

/// Whether a resource is itself a config, which Butane looks into since fcos 1.6.
fn is_config(converter: &Converter<'_>, path: &str) -> bool {
    converter.dialect.is_fcos(6) && path.starts_with("ignition.config.")
}

fn is_compressed(found: &Found) -> bool {
    found.get("compression").and_then(Value::as_str).is_some_and(|name| !name.is_empty())
}

/// A place in a text that stands in the Butane text.
fn relocated(node: &Node, at: Located) -> Located {
    Located::new(node.inner(at.pos()), at.message)
}

fn fill<'n>(converter: &mut Converter<'n>, node: &'n Node, path: &str, found: &mut Found, contents: &[u8]) {
    let (url, compression) = match converter.dialect.minor {
        // Of the three ways, the first version knew one.
        0 => (format!("data:,{}", escape(contents)), None),
        _ => data_url(contents, is_compressed(found)),
    };
    converter.places.insert(join(path, "source"), node);
    found.insert("source", Value::String(url));
    if let Some(compression) = compression {
        converter.places.entry(join(path, "compression")).or_insert(node);
        found.insert("compression", Value::String(compression.to_owned()));
    }
}

/// No text with gzip is shorter: header and trailer are 18 bytes, the least data 2, and base64 makes 28 letters of them.
const SHORTEST_PACKED: usize = ";base64,".len() + 28 + "gzip".len();

/// The URL, and the compression to be said with it. An empty one is said too, so that none is inherited when configs are
/// merged; of what is compressed already nothing is said.
pub(super) fn data_url(contents: &[u8], compressed: bool) -> (String, Option<&'static str>) {
    let mut best = format!(",{}", escape(contents));
    let base64 = format!(";base64,{}", STANDARD.encode(contents));
    if base64.len() < best.len() {
        best = base64;
    }
    let mut compression = (!compressed).then_some("");
    if !compressed
        && best.len() > SHORTEST_PACKED
        && let Some(packed) = gzip(contents)
    {
        let packed = format!(";base64,{}", STANDARD.encode(packed));
        // The word `gzip` takes room as well.
        if packed.len() + "gzip".len() < best.len() {
            best = packed;
            compression = Some("gzip");
        }
    }
    (format!("data:{best}"), compression)
}

/// Without a time or a name in its header: the same text is always the same URL.
fn gzip(contents: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(contents).ok()?;
    encoder.finish().ok()
}

/// RFC 2396, section 2.3: all but letters, digits and marks is escaped.
fn escape(contents: &[u8]) -> String {
    let mut text = String::with_capacity(contents.len());
    for byte in contents {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(byte) {
            text.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

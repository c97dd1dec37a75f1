//! `inline`: text that travels inside of the config, as a `data:` URL in the shortest of three ways.
use super::convert::Converter;
use crate::domain::{
    ignition::place::join,
    yaml::{Node, Value as Yaml},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use std::{collections::HashMap, fmt::Write as _, io::Write as _};

/// Makes a resource's `inline` its source, if `inline` is `known` there.
pub(super) fn fill<'n>(
    converter: &mut Converter<'n>,
    node: &'n Node,
    path: &str,
    known: bool,
    found: &mut HashMap<&'static str, Value>,
) {
    let given = |name: &str| node.entry(name).filter(|(_, value)| value.text().is_some());
    let sources: Vec<_> = ["inline", "local", "source"].into_iter().filter_map(given).collect();
    if let [_, second, ..] = sources.as_slice() {
        converter.error(second.0.pos, path, "only one of `inline`, `local` and `source` can be given");
    }
    let Some((_, inline)) = node.entry("inline").filter(|_| known) else { return };
    if inline.value == Yaml::Null {
        return;
    }
    let Value::String(text) = converter.text(inline, &join(path, "source")) else { return };
    let compressed = found.get("compression").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    let (url, compression) = match converter.dialect.minor {
        // Of the three ways, the first version knew one.
        0 => (format!("data:,{}", escape(text.as_bytes())), None),
        _ => data_url(text.as_bytes(), compressed),
    };
    converter.places.insert(join(path, "source"), inline);
    found.insert("source", Value::String(url));
    if let Some(compression) = compression {
        converter.places.entry(join(path, "compression")).or_insert(inline);
        found.insert("compression", Value::String(compression.to_owned()));
    }
}

/// The URL, and the compression to be said with it. An empty one is said too, so that none is inherited when configs are
/// merged; of what is compressed already nothing is said.
pub(super) fn data_url(contents: &[u8], compressed: bool) -> (String, Option<&'static str>) {
    let mut best = format!(",{}", escape(contents));
    let base64 = format!(";base64,{}", STANDARD.encode(contents));
    if base64.len() < best.len() {
        best = base64;
    }
    let mut compression = (!compressed).then_some("");
    if !compressed && let Some(packed) = gzip(contents) {
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

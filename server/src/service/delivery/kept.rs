//! What is kept of what machines are handed, for people to read later: never a secret.
use crate::{
    domain::delivery,
    store::{ServedPart, ServedRow, Write},
};
use pilotlight_types::BootId;
use serde_json::Value;

/// The longest config that is kept of a boot, in bytes.
const LONGEST: usize = 1 << 20;

/// A script that is handed out. There is nothing secret in it.
pub(super) fn script(boot: BootId, text: String) -> Write {
    Write::Served(Box::new(ServedRow { boot, part: ServedPart::Script, text }))
}

/// A config that is handed out: with masks, if that is another one.
pub(super) fn config(boot: BootId, masked: Option<Value>, sent: &[u8]) -> Write {
    let masked = masked.or_else(|| serde_json::from_slice(sent).ok()).unwrap_or_default();
    // The agent's token, and hashes of passwords.
    let mut text = delivery::masked(&masked).to_string();
    if text.len() > LONGEST {
        text = Value::from(format!("(not kept: it was {} bytes)", sent.len())).to_string();
    }
    Write::Served(Box::new(ServedRow { boot, part: ServedPart::Ignition, text }))
}

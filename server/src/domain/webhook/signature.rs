//! Signatures as Standard Webhooks has them (standardwebhooks.com, "Signature scheme", symmetric): HMAC-SHA256 over `ID.TIMESTAMP.BODY`.
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::fmt;

/// What a key begins with where it is written.
const PREFIX: &str = "whsec_";

/// How many bytes a key may have, as the specification has it.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A signing key. It never prints itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

/// A text that is no signing key. The text is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no signing key: `whsec_` and base64 of 24 to 64 random bytes are expected")]
pub struct KeyError;

impl Key {
    /// The key that is written like this: `whsec_` and base64.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let bytes =
            text.trim().strip_prefix(PREFIX).and_then(|text| BASE64.decode(text).ok()).ok_or(KeyError)?;
        if BYTES.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(KeyError) }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}

/// The header `webhook-signature`: a signature by each key, for what is sent with this `webhook-id` and `webhook-timestamp` (seconds).
pub fn signatures(keys: &[Key], id: &str, timestamp: i64, body: &str) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    let by = |key: &Key| {
        // HMAC takes keys of any length: this is never none.
        let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).ok()?;
        mac.update(signed.as_bytes());
        Some(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
    };
    keys.iter().filter_map(by).collect::<Vec<_>>().join(" ")
}

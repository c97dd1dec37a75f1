//! Webhooks: who is told of which events, and how they know that it was us.
use super::{
    secret::SecretRef,
    value::{Duration, ValueError, text_value},
};
use crate::schema::text_schema;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;
use std::{collections::BTreeMap, fmt, str::FromStr};

/// Somebody who is told of events, by a POST for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WebhookSpec {
    /// Where events are sent: an `https://` or `http://` URL; or where that is, for URLs that are secrets themselves.
    pub url: Given,
    /// Which events: their kinds, in which `*` stands for any text, as in `machine.*`.
    pub events: Vec<EventPattern>,
    /// Only those whose object has these labels, as kubectl has it: `site=dc1`. Machines have `stage`, `rack` and `drift` too.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub selector: String,
    /// The key that deliveries are signed with; several while keys are rotated, the newest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SigningKeys>,
    /// Further headers, for receivers that want to be told something, or a token.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<HeaderName, Given>,
    /// The authorities that the receiver's certificate may be from, PEM; Mozilla's, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<Given>,
    /// How long the receiver may take to answer: `1s` to `20s`.
    #[serde(default = "ten_seconds")]
    pub timeout: Duration,
    /// Whether nothing is sent for now. What happens meanwhile is sent afterwards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

const fn ten_seconds() -> Duration {
    Duration::seconds(10)
}

/// A text, or where it is: `{file: …}`, `{env: …}` or `{vault: "path#key"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Given {
    /// The text itself, which everybody who reads the webhook may see.
    Text(String),
    /// Where it is.
    Secret(SecretRef),
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self::Text(text)),
            map @ Value::Object(_) => SecretRef::deserialize(map).map(Self::Secret).map_err(D::Error::custom),
            _ => Err(D::Error::custom("a text, or one of {file: …}, {env: …} and {vault: …} is expected")),
        }
    }
}

/// One signing key, or several, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum SigningKeys {
    /// Where the key is.
    One(SecretRef),
    /// Where they are. Deliveries have a signature by each.
    Several(Vec<SecretRef>),
}

impl SigningKeys {
    /// Where each is, the newest first.
    pub fn places(&self) -> &[SecretRef] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(all) => all,
        }
    }
}

impl<'de> Deserialize<'de> for SigningKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            list @ Value::Array(_) => Vec::deserialize(list).map(Self::Several).map_err(D::Error::custom),
            map @ Value::Object(_) => SecretRef::deserialize(map).map(Self::One).map_err(D::Error::custom),
            // It may be a key: it is not repeated.
            _ => Err(D::Error::custom(
                "where the key is, {file: …}, {env: …} or {vault: …}, or a list of those is expected",
            )),
        }
    }
}

/// Kinds of events, such as `boot.failed`, in which `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventPattern(String);

impl EventPattern {
    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EventPattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let plain =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-' | b'*');
        if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            let why =
                "no kind of event: up to 64 of a-z, 0-9, `.`, `_`, `-` and `*` are expected, as in `boot.*`";
            Err(ValueError::new(text, why))
        }
    }
}
text_value!(EventPattern);
text_schema!(EventPattern, "EventPattern", r"^[a-z0-9._*-]{1,64}$", "boot.*");

/// The name of an HTTP header that a webhook may set, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeaderName(String);

impl HeaderName {
    /// The name as text, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What we say ourselves, and what would change how a request is read (RFC 9110 section 7.6, RFC 9112 section 6).
const OURS: [&str; 8] =
    ["connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

impl FromStr for HeaderName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let name = text.to_ascii_lowercase();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
            let why = "no header's name: up to 64 letters, digits, `-` and `_` are expected";
            return Err(ValueError::new(text, why));
        }
        if OURS.contains(&name.as_str()) || name.starts_with("webhook-") || name.starts_with("proxy-") {
            return Err(ValueError::new(text, "a header that is not for webhooks to set"));
        }
        Ok(Self(name))
    }
}
text_value!(HeaderName);
text_schema!(HeaderName, "HeaderName", "^[A-Za-z0-9_-]{1,64}$", "authorization");

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_webhook_is_read_and_written_as_it_was_meant() {
        let written = json!({
            "url": {"vault": "secret/data/pilotlight/chat#url"},
            "events": ["machine.*", "boot.failed"],
            "secret": [{"file": "/s/new"}, {"file": "/s/old"}],
            "headers": {"Authorization": {"env": "PILOTLIGHT_SECRET_CI"}, "x-team": "metal"},
        });
        let spec: WebhookSpec = serde_json::from_value(written).unwrap();
        assert_eq!(spec.timeout, Duration::seconds(10));
        assert_eq!(spec.secret.as_ref().unwrap().places().len(), 2);
        let again = serde_json::to_value(&spec).unwrap();
        assert_eq!(again["headers"]["authorization"], json!({"env": "PILOTLIGHT_SECRET_CI"}));
        assert_eq!(serde_json::from_value::<WebhookSpec>(again).unwrap(), spec);
    }

    #[test]
    fn what_is_no_webhook_is_said_without_repeating_a_key() {
        let read = |spec: Value| serde_json::from_value::<WebhookSpec>(spec).unwrap_err().to_string();
        let key = read(json!({"url": "https://a", "events": ["*"], "secret": "whsec_hunter2"}));
        assert!(key.contains("where the key is") && !key.contains("hunter2"), "{key}");
        assert!(read(json!({"url": 1, "events": ["*"]})).contains("a text, or one of"));
        assert!(read(json!({"url": "https://a", "events": ["Boot"]})).contains("no kind of event"));
        for name in ["Host", "webhook-id", "transfer-encoding", "a b", ""] {
            assert!(name.parse::<HeaderName>().is_err(), "{name}");
        }
    }
}

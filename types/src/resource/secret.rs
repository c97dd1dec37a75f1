//! Secrets as they are declared: their names, and where their values are. The values themselves are nowhere here.
use super::value::{ValueError, text_value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The name of a secret, as templates use it: up to 63 of `a-z`, `A-Z`, `0-9` and `_`, with no digit first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName(String);

impl SecretName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SecretName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let good = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !text.starts_with(|c: char| c.is_ascii_digit());
        if good {
            Ok(Self(text.to_owned()))
        } else {
            // A hyphen would be a minus in a template.
            let why =
                "no secret's name: up to 63 of letters, digits and `_` are expected, with no digit first";
            Err(ValueError::new(text, why))
        }
    }
}
text_value!(SecretName);
crate::schema::text_schema!(SecretName, "SecretName", "^[A-Za-z_][A-Za-z0-9_]{0,62}$", "db_password");

/// Where the value of a secret is: `{file: …}`, `{env: …}` or `{vault: "path#key"}`. Each text is a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretRef {
    /// In a file on the daemon's host: an absolute path.
    File(String),
    /// In a variable of the daemon's environment.
    Env(String),
    /// In Vault's key-value store, version 2: the path as Vault's policies have it, and the key.
    Vault(String),
}

impl SecretRef {
    /// What kind of place that is: `file`, `env` or `vault`.
    pub const fn source(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Env(_) => "env",
            Self::Vault(_) => "vault",
        }
    }

    /// The text, as it was written.
    pub fn text(&self) -> &str {
        match self {
            Self::File(text) | Self::Env(text) | Self::Vault(text) => text,
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.source(), self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[test]
    fn a_name_is_what_a_template_can_say() {
        for good in ["a", "db_password", "_x", "A1"] {
            assert_eq!(good.parse::<SecretName>().unwrap().as_str(), good);
        }
        for bad in ["", "db-password", "1a", "a.b", "ä", &"a".repeat(64)] {
            assert!(bad.parse::<SecretName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_reference_is_exactly_one_place() {
        let read = |value| serde_json::from_value::<BTreeMap<SecretName, SecretRef>>(json!({"db": value}));
        assert_eq!(
            read(json!({"vault": "kv/data/a#b"})).unwrap().values().next(),
            Some(&SecretRef::Vault("kv/data/a#b".into()))
        );
        for wrong in [json!("text"), json!({}), json!({"file": "/a", "env": "B"}), json!({"http": "x"})] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
        let written = serde_json::to_value(SecretRef::File("/a".into())).unwrap();
        assert_eq!(written, json!({"file": "/a"}));
    }
}

//! Roles: what somebody may do, and to what.
use super::{Kind, ValueError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Cow, fmt, str::FromStr};

/// What somebody may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RoleSpec {
    /// What is allowed by any of these is allowed; nothing else is.
    #[schemars(length(min = 1, max = 64))]
    pub rules: Vec<RoleRule>,
    /// Whom it is for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Allows each of its verbs on the objects of each of its kinds that the selector takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RoleRule {
    /// What may be done.
    #[schemars(length(min = 1))]
    pub verbs: Vec<Wild<Verb>>,
    /// What it may be done to.
    #[schemars(length(min = 1))]
    pub kinds: Vec<Wild<RuleKind>>,
    /// Only to those with these labels, as kubectl has it: `team=web`; to all, if it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub selector: String,
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// To see it, alone, in lists, in events, in plans.
    Get,
    /// To create and to change it.
    Write,
    /// To delete it.
    Delete,
    /// To look at what a webhook was told, and to send it again.
    Deliver,
    /// To take in a machine that is discovered, or retired.
    Accept,
    /// To arm a machine for the newest revision of its profile.
    Provision,
    /// To lock a machine.
    Hold,
    /// To unlock a machine.
    Release,
    /// To take a machine out of service.
    Retire,
    /// To switch a machine by its BMC, and its identify light.
    Power,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 10] = [
        Self::Get,
        Self::Write,
        Self::Delete,
        Self::Deliver,
        Self::Accept,
        Self::Provision,
        Self::Hold,
        Self::Release,
        Self::Retire,
        Self::Power,
    ];

    /// Whether it can be done to objects of this kind at all.
    pub fn is_for(self, kind: RuleKind) -> bool {
        match self {
            Self::Get | Self::Write | Self::Delete => true,
            Self::Deliver => kind == RuleKind::Resource(Kind::Webhook),
            Self::Accept | Self::Provision | Self::Hold | Self::Release | Self::Retire | Self::Power => {
                kind == RuleKind::Resource(Kind::Machine)
            }
        }
    }
}

/// What a rule can be about: a kind of resource, or something else that the daemon keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RuleKind {
    /// Resources of a kind. What a machine said, got and ran (its boots, console and facts) is part of the machine.
    Resource(Kind),
    /// API tokens.
    Token,
    /// People who sign in.
    User,
    /// The audit log.
    Audit,
    /// The site as a whole: the status page, the summary, events that are about no object.
    Site,
}

impl RuleKind {
    /// Whether its objects have labels, so that a selector can take some of them.
    pub const fn has_labels(self) -> bool {
        matches!(self, Self::Resource(_))
    }
}

/// A word out of a closed set.
pub trait Word: Copy + PartialEq + 'static {
    /// What the words are, for people: `verb`.
    const WHAT: &'static str;

    /// Every one.
    fn all() -> Vec<Self>;

    /// How it is written.
    fn word(self) -> &'static str;
}

impl Word for Verb {
    const WHAT: &'static str = "verb";

    fn all() -> Vec<Self> {
        Self::ALL.to_vec()
    }

    fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Deliver => "deliver",
            Self::Accept => "accept",
            Self::Provision => "provision",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Retire => "retire",
            Self::Power => "power",
        }
    }
}

impl Word for RuleKind {
    const WHAT: &'static str = "kind";

    fn all() -> Vec<Self> {
        let others = [Self::Token, Self::User, Self::Audit, Self::Site];
        Kind::ALL.into_iter().map(Self::Resource).chain(others).collect()
    }

    fn word(self) -> &'static str {
        match self {
            Self::Resource(kind) => kind.name(),
            Self::Token => "Token",
            Self::User => "User",
            Self::Audit => "Audit",
            Self::Site => "Site",
        }
    }
}

/// One word, or `*` for every one that there is and will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wild<T> {
    /// `*`
    Any,
    /// This one.
    One(T),
}

impl<T> From<T> for Wild<T> {
    fn from(one: T) -> Self {
        Self::One(one)
    }
}

fn parsed<T: Word>(text: &str) -> Result<T, ValueError> {
    let all = T::all();
    let found = all.iter().find(|one| one.word() == text);
    found.copied().ok_or_else(|| {
        let words: Vec<&str> = all.iter().map(|one| one.word()).collect();
        ValueError::new(text, format!("no {}: one of {} is expected", T::WHAT, words.join(", ")))
    })
}

impl FromStr for Verb {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        parsed(text)
    }
}

impl FromStr for RuleKind {
    type Err = ValueError;

    /// Takes `Machine`, `machine` and `machines`, as people write kinds.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        if let Ok(kind) = text.parse() {
            return Ok(Self::Resource(kind));
        }
        let lower = text.to_lowercase();
        let wanted = |one: &Self| {
            let word = one.word().to_lowercase();
            lower == word || lower.strip_suffix('s') == Some(&word)
        };
        Self::all().into_iter().find(wanted).map_or_else(|| parsed(text), Ok)
    }
}

impl<T: Word> fmt::Display for Wild<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "*",
            Self::One(one) => one.word(),
        })
    }
}

impl<T: Word> Serialize for Wild<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: Word> Deserialize<'de> for Wild<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        if text == "*" { Ok(Self::Any) } else { parsed(&text).map(Self::One).map_err(D::Error::custom) }
    }
}

impl<T: Word> JsonSchema for Wild<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Any{}", capital(T::WHAT)).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = ["*"].into_iter().chain(T::all().into_iter().map(T::word)).collect();
        json_schema!({"type": "string", "enum": words})
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_uppercase() + rest
}

/// How a word is written and read by itself.
macro_rules! plain_word {
    ($type:ty, $name:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                parsed(&Cow::<str>::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let words: Vec<&str> = Self::all().into_iter().map(Self::word).collect();
                json_schema!({"type": "string", "enum": words})
            }
        }
    };
}

plain_word!(Verb, "Verb");
plain_word!(RuleKind, "RuleKind");

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rule_is_written_as_it_is_read() {
        let text = json!({"verbs": ["get", "*"], "kinds": ["Machine", "Token", "*"], "selector": "team=web"});
        let rule: RoleRule = serde_json::from_value(text.clone()).unwrap();
        assert_eq!(rule.kinds[0], RuleKind::Resource(Kind::Machine).into());
        assert_eq!(serde_json::to_value(&rule).unwrap(), text);
        for (verb, kind) in [("gte", "Machine"), ("get", "machines"), ("get", "Robot")] {
            let wrong = serde_json::from_value::<RoleRule>(json!({"verbs": [verb], "kinds": [kind]}));
            assert!(wrong.unwrap_err().to_string().contains("is expected"));
        }
    }

    #[test]
    fn people_write_kinds_as_they_do_elsewhere() {
        for (text, kind) in [
            ("machines", RuleKind::Resource(Kind::Machine)),
            ("tokens", RuleKind::Token),
            ("audit", RuleKind::Audit),
        ] {
            assert_eq!(text.parse(), Ok(kind));
        }
        assert!("robots".parse::<RuleKind>().is_err());
    }
}

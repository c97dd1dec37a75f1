//! API tokens.
use super::Role;
use crate::{
    Timestamp,
    resource::{RuleKind, Verb},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// `POST /api/v1/tokens`: asks for an API token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What the token is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it ends; never, if absent.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// Which objects it is good for; all, if absent.
    #[serde(default, skip_serializing_if = "Scope::is_everything")]
    pub scope: Scope,
}

/// What a token is good for: of what its role allows, only this.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// To do this; to do anything, if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verbs: Vec<Verb>,
    /// To objects of these kinds; of all, if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<RuleKind>,
    /// To those with these labels, as kubectl has it: `site=dc1`; all, if it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub selector: String,
}

impl Scope {
    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.verbs.is_empty() && self.kinds.is_empty() && self.selector.trim().is_empty()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_everything() {
            return f.write_str("everything");
        }
        let words = |words: Vec<String>| Some(words.join(",")).filter(|text| !text.is_empty());
        let verbs = words(self.verbs.iter().map(Verb::to_string).collect());
        let kinds = words(self.kinds.iter().map(RuleKind::to_string).collect());
        let selector = Some(self.selector.clone()).filter(|text| !text.is_empty());
        f.write_str(&verbs.into_iter().chain(kinds).chain(selector).collect::<Vec<_>>().join(" "))
    }
}

/// The answer to [`NewToken`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CreatedToken {
    /// What the token is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The token: shown once, stored only as a hash.
    pub token: String,
}

impl fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedToken")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// `GET /api/v1/tokens`: a token, as it is listed. What it is made of is told nobody again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Which objects it is good for; all, if absent.
    #[serde(default, skip_serializing_if = "Scope::is_everything")]
    pub scope: Scope,
    /// Who it was made for when they signed in: `user:alice`; absent where somebody made it by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends; absent if it never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was used last, to the minute; absent if it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
}

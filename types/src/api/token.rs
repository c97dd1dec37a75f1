//! API tokens.
use crate::{Timestamp, resource::Kind};
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

/// Which objects a token is good for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Those of these kinds; of all, if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Kind>,
    /// Those with these labels, as kubectl has it: `site=dc1`; all, if it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub selector: String,
}

impl Scope {
    /// Whether all objects are meant.
    pub fn is_everything(&self) -> bool {
        self.kinds.is_empty() && self.selector.trim().is_empty()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_everything() {
            return f.write_str("everything");
        }
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.plural()).collect();
        f.write_str(&kinds.join(","))?;
        let between = if self.kinds.is_empty() || self.selector.is_empty() { "" } else { " " };
        write!(f, "{between}{}", self.selector)
    }
}

/// What the bearer of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See everything that is no secret.
    Viewer,
    /// Act on machines, as well: accept, provision, hold, release, retire.
    Operator,
    /// Change what is declared, as well.
    Editor,
    /// Everything: tokens and the audit log, as well.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Editor => "editor",
            Self::Admin => "admin",
        })
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

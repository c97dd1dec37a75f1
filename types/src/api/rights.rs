//! What somebody may do.
use super::Scope;
use crate::{
    resource::{Name, RoleRule, RuleKind, ValueError, Verb},
    schema::text_schema,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What somebody may do, by name: a role that is built in, or a resource of the kind Role.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Role {
    /// See everything that is no secret.
    Viewer,
    /// Act on machines, as well: accept, provision, hold, release, retire.
    Operator,
    /// Change what is declared, as well.
    Editor,
    /// Everything: tokens, roles and the audit log, as well.
    Admin,
    /// One that was declared.
    Custom(Name),
}

impl Role {
    /// The roles that are built in.
    pub const BUILT_IN: [Self; 4] = [Self::Viewer, Self::Operator, Self::Editor, Self::Admin];

    /// Its name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Editor => "editor",
            Self::Admin => "admin",
            Self::Custom(name) => name.as_str(),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Name> for Role {
    fn from(name: Name) -> Self {
        let built_in = Self::BUILT_IN.into_iter().find(|role| role.as_str() == name.as_str());
        built_in.unwrap_or(Self::Custom(name))
    }
}

impl FromStr for Role {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.parse::<Name>().map(Self::from)
    }
}

impl TryFrom<String> for Role {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl From<Role> for String {
    fn from(role: Role) -> Self {
        role.as_str().to_owned()
    }
}

text_schema!(Role, "RoleName", "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "viewer");

/// `GET /api/v1/me/rights`: what the caller may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rights {
    /// Who asks.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// What the role allows, as it is now.
    pub rules: Vec<RoleRule>,
    /// What of that their token is good for; all, if absent.
    #[serde(default, skip_serializing_if = "Scope::is_everything")]
    pub scope: Scope,
}

/// `POST /api/v1/me/can-i`: asks whether the caller may do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MayI {
    /// What.
    pub verb: Verb,
    /// To an object of which kind.
    pub kind: RuleKind,
    /// To which one; without it, whether there could be any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub name: Option<String>,
}

/// The answer to [`MayI`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MayIAnswer {
    /// Whether it would be let through.
    pub allowed: bool,
    /// Why not, if not: the same words as the refusal would have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_its_name() {
        assert_eq!("admin".parse(), Ok(Role::Admin));
        assert_eq!("web-team".parse(), Ok(Role::Custom("web-team".parse().unwrap())));
        assert!("Admin".parse::<Role>().is_err() && "a b".parse::<Role>().is_err());
        assert_eq!(serde_json::to_string(&Role::Editor).unwrap(), r#""editor""#);
    }
}

//! People: local users, and how anybody signs in.
use super::{Role, Scope};
use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// `GET /api/v1/users`: a local user. What is kept of the password is told nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// The name that they sign in with.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Which objects that is good for; all, if absent.
    #[serde(default, skip_serializing_if = "Scope::is_everything")]
    pub scope: Scope,
    /// Whether they may not sign in.
    pub disabled: bool,
    /// When the user was made.
    pub created: Timestamp,
    /// When they signed in last; absent if they never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in: Option<Timestamp>,
}

/// `POST /api/v1/users`: asks for a local user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The name that they sign in with.
    pub name: String,
    /// Their first password: 12 characters or more.
    pub password: String,
    /// What they may do.
    pub role: Role,
    /// Which objects that is good for; all, if absent.
    #[serde(default, skip_serializing_if = "Scope::is_everything")]
    pub scope: Scope,
}

/// `PUT /api/v1/users/{name}`: what a user may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// What they may do.
    pub role: Role,
    /// Which objects that is good for; all, if absent.
    #[serde(default, skip_serializing_if = "Scope::is_everything")]
    pub scope: Scope,
    /// Whether they may not sign in.
    #[serde(default)]
    pub disabled: bool,
}

/// `PUT /api/v1/users/{name}/password`: another password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// The new password: 12 characters or more.
    pub password: String,
}

/// `POST /api/v1/me/password`: another password for whoever asks.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password until now.
    pub old: String,
    /// The new one: 12 characters or more.
    pub new: String,
}

/// `POST /api/v1/token`: a name and a password for a token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordSignIn {
    /// The user's name.
    pub name: String,
    /// The user's password.
    pub password: String,
}

/// `POST /api/v1/token/exchange`: an issuer's ID token for one of ours. The fields are those of RFC 8693, section 2.1.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenExchange {
    /// The ID token, a JWT.
    pub subject_token: String,
    /// `urn:ietf:params:oauth:token-type:id_token`, which it is taken for if this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_token_type: Option<String>,
}

/// A token for somebody who signed in. The first four fields are those of RFC 8693, section 2.2.1.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssuedToken {
    /// The token: shown once, stored only as a hash.
    pub access_token: String,
    /// `urn:ietf:params:oauth:token-type:access_token`
    pub issued_token_type: String,
    /// `Bearer`
    pub token_type: String,
    /// Seconds until it ends.
    pub expires_in: u64,
    /// Its name in the list of tokens.
    pub name: String,
    /// Who it speaks for, as the audit log has it: `user:alice`.
    pub holder: String,
    /// What it may do.
    pub role: Role,
    /// Which objects it is good for; all, if absent.
    #[serde(default, skip_serializing_if = "Scope::is_everything")]
    pub scope: Scope,
}

macro_rules! says_only {
    ($($type:ident: $($field:ident),*;)+) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type))$(.field(stringify!($field), &self.$field))*.finish_non_exhaustive()
            }
        }
    )+};
}

// Passwords and tokens are not printed.
says_only! {
    NewUser: name, role;
    PasswordReset: ;
    PasswordChange: ;
    PasswordSignIn: name;
    TokenExchange: subject_token_type;
    IssuedToken: name, holder, role;
}

/// How somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// By an API token.
    Token,
    /// By the password of a local user.
    Password,
    /// By an OIDC issuer.
    Oidc,
}

/// `GET /api/v1/me`: who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Me {
    /// Their name, as the audit log has it: `user:alice`, `oidc:alice`, or a token's name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Which objects that is good for; all, if absent.
    #[serde(default, skip_serializing_if = "Scope::is_everything")]
    pub scope: Scope,
    /// How they signed in.
    pub how: How,
    /// Whether this is a browser's session.
    pub session: bool,
    /// Until when that is good; absent if it does not end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// `GET /api/v1/sign-in`: how people can sign in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignInWays {
    /// Whether there are local users.
    pub password: bool,
    /// The issuer that people sign in at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcWay>,
}

/// What a command-line client must know of the issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OidcWay {
    /// The issuer's URL.
    pub issuer: String,
    /// The id of the client that has no secret.
    pub client_id: String,
    /// What it asks for.
    pub scopes: Vec<String>,
    /// The authorities of the issuer's certificate, PEM; absent where they are well known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

//! Whom the daemon believes who somebody is: what the configuration says of OIDC issuers.
use pilotlight_types::api::{Role, Scope};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// The issuer that people sign in at.
#[derive(Debug, Clone)]
pub struct OidcAccess {
    /// Its URL, exactly as its tokens have it.
    pub issuer: String,
    /// Who we are to it.
    pub client_id: String,
    /// A file with what proves that; without one we are a public client.
    pub client_secret: Option<PathBuf>,
    /// The client of `pilotlight login`, which has no secret.
    pub cli_client_id: String,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// The claim that has the groups.
    pub groups_claim: String,
    /// The claim that has the name.
    pub name_claim: String,
    /// The role of each group.
    pub roles: BTreeMap<String, Role>,
    /// For whom else an ID token may be that is exchanged.
    pub audiences: Vec<String>,
    /// The URL that people reach this server by; the one that each browser asked, if not set.
    pub url: Option<String>,
    /// The authorities that its certificate may be from, PEM; Mozilla's, if not set.
    pub ca: Option<PathBuf>,
}

impl OidcAccess {
    /// For whom an ID token may be.
    pub fn audiences(&self) -> Vec<&str> {
        let own = [&self.client_id, &self.cli_client_id];
        own.into_iter().chain(&self.audiences).map(String::as_str).collect()
    }
}

/// What pipelines get a token for: an issuer's word on what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeRule {
    /// The issuer, exactly as its tokens have it.
    pub issuer: String,
    /// For whom the ID token must be.
    pub audience: String,
    /// What it must say: claims, each with a text or a pattern.
    pub claims: BTreeMap<String, String>,
    /// What the token may do.
    pub role: Role,
    /// Which objects it is good for.
    pub scope: Scope,
    /// How long.
    pub lifetime: Duration,
    /// The authorities that the issuer's certificate may be from, PEM; Mozilla's, if not set.
    pub ca: Option<PathBuf>,
}

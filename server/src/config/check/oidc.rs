//! Whom the daemon believes who somebody is: a slip here would let strangers in.
use super::parsed;
use crate::{
    config::fragment,
    secret::oidc::{ExchangeRule, OidcAccess},
};
use pilotlight_types::{
    api::{Role, Scope},
    resource::{Duration, RuleKind},
};
use std::collections::BTreeMap;

/// The longest life of a pipeline's token, in seconds.
const LONGEST: u64 = 3600;

/// The issuer that people sign in at, if there is to be one.
pub(super) fn people(from: &fragment::Oidc, found: &mut impl FnMut(&str, String)) -> Option<OidcAccess> {
    let rules_only = fragment::Oidc { exchange: from.exchange.clone(), ..fragment::Oidc::default() };
    if *from == rules_only {
        return None;
    }
    let issuer = issuer("oidc.issuer", from.issuer.as_deref(), found);
    let client_id = text("oidc.client-id", from.client_id.as_deref(), found);
    let default_scopes = || ["openid", "profile", "email", "groups"].map(str::to_owned).to_vec();
    let scopes = from.scopes.clone().unwrap_or_else(default_scopes);
    if !scopes.iter().any(|scope| scope == "openid") || !scopes.iter().all(|scope| plain(scope)) {
        found("oidc.scopes", "scopes without blanks, `openid` among them, are expected".into());
    }
    let roles = roles(from.roles.as_ref(), found);
    let audiences = from.audiences.clone().unwrap_or_default();
    if !audiences.iter().all(|audience| plain(audience)) {
        found("oidc.audiences", "ids of clients, without blanks, are expected".into());
    }
    let url = from.url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
    if url.as_ref().is_some_and(|url| !origin(url, "https://")) {
        found(
            "oidc.url",
            "https://HOST or https://HOST:PORT is expected: where people reach this server".into(),
        );
    }
    Some(OidcAccess {
        issuer: issuer?,
        cli_client_id: from.cli_client_id.clone().or_else(|| client_id.clone())?,
        client_id: client_id?,
        client_secret: from.client_secret_file.clone(),
        scopes,
        groups_claim: from.groups_claim.clone().unwrap_or_else(|| "groups".to_owned()),
        name_claim: from.name_claim.clone().unwrap_or_else(|| "preferred_username".to_owned()),
        roles,
        audiences,
        url,
        ca: from.ca.clone(),
    })
}

/// What pipelines get a token for.
pub(super) fn exchange(
    from: Option<&Vec<fragment::Exchange>>,
    found: &mut impl FnMut(&str, String),
) -> Vec<ExchangeRule> {
    let rules = from.into_iter().flatten().enumerate();
    rules.filter_map(|(index, rule)| self::rule(&format!("oidc.exchange[{index}]"), rule, found)).collect()
}

fn rule(
    place: &str,
    from: &fragment::Exchange,
    found: &mut impl FnMut(&str, String),
) -> Option<ExchangeRule> {
    let issuer = issuer(&format!("{place}.issuer"), from.issuer.as_deref(), found);
    let audience = text(&format!("{place}.audience"), from.audience.as_deref(), found);
    let role = from.role.as_deref().and_then(|role| role_named(&format!("{place}.role"), role, found));
    if from.role.is_none() {
        found(
            &format!("{place}.role"),
            "what may the token do? viewer, operator, editor, admin, or a role that was declared".into(),
        );
    }
    let claims = from.claims.clone().unwrap_or_default();
    // Each of an issuer's users can have a token for an audience that they choose.
    if !claims.iter().any(|(_, pattern)| pattern.chars().any(|c| c != '*')) {
        let why =
            "which claims must it have? Such as { project_path = \"infra/site\", ref_protected = \"true\" }";
        found(&format!("{place}.claims"), why.into());
    }
    if claims.iter().any(|(claim, pattern)| claim.is_empty() || pattern.len() > 256) {
        found(&format!("{place}.claims"), "patterns of at most 256 bytes are expected".into());
    }
    let kinds = from.kinds.iter().flatten();
    let kinds = kinds.filter_map(|kind| parsed::<RuleKind>(&format!("{place}.kinds"), kind, found)).collect();
    let scope = Scope { kinds, selector: from.selector.clone().unwrap_or_default(), ..Scope::default() };
    let lifetime = from.lifetime.as_deref().unwrap_or("15m");
    let lifetime = parsed::<Duration>(&format!("{place}.lifetime"), lifetime, found);
    if lifetime.is_some_and(|lifetime| !(60..=LONGEST).contains(&u64::from(lifetime.as_secs()))) {
        found(&format!("{place}.lifetime"), "1m to 1h are expected".into());
    }
    Some(ExchangeRule {
        issuer: issuer?,
        audience: audience?,
        claims,
        role: role?,
        scope,
        lifetime: lifetime?.std(),
        ca: from.ca.clone(),
    })
}

fn roles(
    from: Option<&BTreeMap<String, String>>,
    found: &mut impl FnMut(&str, String),
) -> BTreeMap<String, Role> {
    let from = from.cloned().unwrap_or_default();
    if from.is_empty() {
        found("oidc.roles", "which groups may do what? Such as \"infra-admins\" = \"admin\"".into());
    }
    let role = |(group, role): (String, String)| {
        Some((group.clone(), role_named(&format!("oidc.roles.{}", group.escape_default()), &role, found)?))
    };
    from.into_iter().filter_map(role).collect()
}

fn role_named(place: &str, name: &str, found: &mut impl FnMut(&str, String)) -> Option<Role> {
    let role = serde_json::from_value(name.into()).ok();
    if role.is_none() {
        let why = "is no role: viewer, operator, editor, admin and the names of declared roles are";
        found(place, format!("`{}` {why}", name.escape_default()));
    }
    role
}

/// An issuer's URL; without TLS on this host only, for tests.
fn issuer(place: &str, from: Option<&str>, found: &mut impl FnMut(&str, String)) -> Option<String> {
    let good = from.is_some_and(|url| {
        let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
        let on_this_host = local.iter().any(|host| {
            url.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        });
        let host =
            url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        plain(url) && !url.contains(['?', '#', '@']) && (host || on_this_host)
    });
    if !good {
        found(
            place,
            "the issuer's URL is expected, to the letter as its tokens have it: https://HOST/PATH".into(),
        );
    }
    from.filter(|_| good).map(str::to_owned)
}

fn text(place: &str, from: Option<&str>, found: &mut impl FnMut(&str, String)) -> Option<String> {
    let good = from.filter(|text| plain(text)).map(str::to_owned);
    if good.is_none() {
        found(place, "a text without blanks is expected".into());
    }
    good
}

/// Scheme, host and port, and nothing more.
fn origin(url: &str, scheme: &str) -> bool {
    let host = |c: char| c.is_ascii_alphanumeric() || ".:-[]".contains(c);
    url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && rest.chars().all(host))
}

fn plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

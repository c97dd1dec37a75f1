//! Other systems' word on who somebody is: OpenID Connect for people, and ID tokens of pipelines for tokens of ours.
//!
//! An issuer is believed what its own part of the configuration says, and nothing else: the one that people sign in at gives roles by
//! groups, and a rule for pipelines gives its own role. Tokens of ours and local users go on working while issuers are away.
mod flow;
mod issuer;

pub use flow::{Begun, FLOW_LASTS};
pub use issuer::Away;

use super::{
    journal::{Actor, Journal},
    sessions::Person,
};
use crate::{
    domain::{
        claims::{self, BadClaim, Expected},
        ration::Ration,
    },
    secret::{
        SiteKey,
        jwt::{self, BadToken, Claims},
        oidc::{ExchangeRule, OidcAccess},
    },
};
use issuer::Issuer;
use pilotlight_types::api::{How, OidcWay};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// How many groups are told to somebody whom none of them gives a role.
const SHOWN_GROUPS: usize = 20;

/// The issuers, and what they are believed.
#[derive(Debug, Clone)]
pub struct Oidc(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    people: Option<OidcAccess>,
    rules: Vec<ExchangeRule>,
    issuers: HashMap<String, Issuer>,
    authority: Option<String>,
    key: SiteKey,
    journal: Journal,
    refusals: Mutex<Ration>,
}

/// Why somebody is not who they say.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// There is no such issuer in the configuration.
    #[error("nobody signs in by OIDC here: `oidc.issuer` is not set")]
    NotConfigured,
    /// Nobody believes whoever made the token.
    #[error("the configuration has no issuer `{0}`")]
    UnknownIssuer(String),
    /// Our own secret at the issuer cannot be had.
    #[error("the daemon's secret at the issuer cannot be read (oidc.client-secret-file): {0}")]
    Secret(String),
    /// The issuer cannot be asked.
    #[error(transparent)]
    Away(#[from] Away),
    /// The token is not believed.
    #[error("the ID token is refused: {0}")]
    Token(#[from] BadToken),
    /// The token says the wrong thing.
    #[error("the ID token is refused: {0}")]
    Claim(#[from] BadClaim),
    /// The browser comes back with another sign-in than it left with.
    #[error("this sign-in was begun elsewhere, or more than 10 minutes ago: begin again")]
    State,
    /// The issuer refused.
    #[error("the issuer refused: {0}")]
    Denied(String),
    /// None of somebody's groups gives a role.
    #[error("of the groups of {name}, none may do anything here. {}", seen_groups(.groups))]
    NoRole {
        /// Who.
        name: String,
        /// Their groups.
        groups: Vec<String>,
    },
    /// No rule takes the token.
    #[error("no rule of `oidc.exchange` takes this ID token of {issuer} (about {subject}): {why}")]
    NoRule {
        /// Whose it is.
        issuer: String,
        /// Whom it is about.
        subject: String,
        /// Why not.
        why: String,
    },
}

fn seen_groups(groups: &[String]) -> String {
    match groups {
        [] => "The issuer named no groups: is the scope asked for, and the claim the right one?".to_owned(),
        some => {
            let shown: Vec<&str> = some.iter().take(SHOWN_GROUPS).map(String::as_str).collect();
            let more = some.len().saturating_sub(SHOWN_GROUPS);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("The groups that the issuer named: {}{more}", shown.join(", "))
        }
    }
}

impl Oidc {
    /// What the configuration says. `client` makes an HTTP client that trusts the authorities of a file, or Mozilla's.
    pub fn new<E>(
        (people, rules): (Option<OidcAccess>, Vec<ExchangeRule>),
        client: impl Fn(Option<&std::path::Path>) -> Result<reqwest::Client, E>,
        authority: Option<String>,
        key: SiteKey,
        journal: Journal,
    ) -> Result<Self, E> {
        let mut issuers = HashMap::new();
        let of_people = people.iter().map(|people| (&people.issuer, people.ca.as_deref()));
        for (url, ca) in of_people.chain(rules.iter().map(|rule| (&rule.issuer, rule.ca.as_deref()))) {
            if !issuers.contains_key(url) {
                issuers.insert(url.clone(), Issuer::new(url.clone(), client(ca)?));
            }
        }
        let refusals = Mutex::default();
        Ok(Self(Arc::new(Inner { people, rules, issuers, authority, key, journal, refusals })))
    }

    /// What a command-line client must know to sign somebody in.
    pub fn way(&self) -> Option<OidcWay> {
        let people = self.0.people.as_ref()?;
        Some(OidcWay {
            issuer: people.issuer.clone(),
            client_id: people.cli_client_id.clone(),
            scopes: people.scopes.clone(),
            ca: self.0.authority.clone(),
        })
    }

    /// The URL that people reach this server by, if that is set.
    pub fn url(&self) -> Option<&str> {
        self.0.people.as_ref()?.url.as_deref()
    }

    /// The host of the issuer that people sign in at, for a button.
    pub fn host(&self) -> Option<String> {
        let url = reqwest::Url::parse(&self.0.people.as_ref()?.issuer).ok()?;
        url.host_str().map(str::to_owned)
    }

    /// Whoever an ID token is about: a person, by the issuer that people sign in at, or a pipeline, by the rules.
    pub async fn exchange(&self, token: &str, from: &Actor) -> Result<Person, OidcError> {
        let done = self.exchanged(token).await;
        if let Err(error) = &done
            && !matches!(error, OidcError::Away(_))
        {
            self.refused(error, from);
        }
        done
    }

    async fn exchanged(&self, token: &str) -> Result<Person, OidcError> {
        let issuer =
            jwt::unverified(token)?.get("iss").and_then(serde_json::Value::as_str).map(str::to_owned);
        let issuer = issuer.ok_or(BadClaim::Missing("iss"))?;
        let unknown =
            || OidcError::UnknownIssuer(issuer.chars().filter(char::is_ascii_graphic).take(100).collect());
        let claims = self.0.issuers.get(&issuer).ok_or_else(unknown)?.verified(token).await?;
        if let Some(people) = self.0.people.as_ref().filter(|people| people.issuer == issuer) {
            let audiences = people.audiences();
            let expected = Expected { issuer: &issuer, audiences: &audiences, nonce: None };
            let checked = claims::check(&claims, expected, self.0.journal.now());
            let ruled = self.0.rules.iter().any(|rule| rule.issuer == issuer);
            match checked {
                Ok(()) => return person(people, &claims),
                // Another audience's may be a pipeline's.
                Err(BadClaim::Audience { .. }) if ruled => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.pipeline(&issuer, &claims)
    }

    /// Whoever the first rule that takes the token makes of it.
    fn pipeline(&self, issuer: &str, claims: &Claims) -> Result<Person, OidcError> {
        let now = self.0.journal.now();
        let subject = claims::name(claims, "sub")?;
        let mut why = None;
        for rule in self.0.rules.iter().filter(|rule| rule.issuer == issuer) {
            let audiences = [rule.audience.as_str()];
            if let Err(error) =
                claims::check(claims, Expected { issuer, audiences: &audiences, nonce: None }, now)
            {
                why.get_or_insert(error.to_string());
            } else if claims::all_match(claims, &rule.claims) {
                return Ok(Person {
                    holder: format!("ci:{subject}"),
                    how: How::Oidc,
                    role: rule.role.clone(),
                    scope: rule.scope.clone(),
                    until: Some(now.plus(rule.lifetime)),
                    mark: None,
                });
            } else {
                why = Some("its claims are not what a rule asks for".to_owned());
            }
        }
        let why = why.unwrap_or_else(|| "there is none for this issuer".to_owned());
        Err(OidcError::NoRule { issuer: issuer.to_owned(), subject, why })
    }

    /// Somebody was not believed: it is told, without anything of the token. Anybody can bring that about as often as they like.
    fn refused(&self, error: &OidcError, from: &Actor) {
        let journal = &self.0.journal;
        let told = self.0.refusals.lock().unwrap_or_else(PoisonError::into_inner).take(journal.now());
        let Some(left_out) = told else { return };
        let address = from.remote.map(|address| format!(" from {address}")).unwrap_or_default();
        let more = if left_out == 0 {
            String::new()
        } else {
            format!(" (and {left_out} before it that are not told)")
        };
        let words = format!("a sign-in by OIDC{address} was refused: {error}{more}");
        let told = journal.event("session.refused", "session/oidc", from, None, words);
        let audit = journal.audit(from, "refused", "session/oidc".into(), None, None);
        journal.later(vec![told, audit]);
    }
}

/// Who the claims are about, with the role of their groups.
fn person(people: &OidcAccess, claims: &Claims) -> Result<Person, OidcError> {
    let name = claims::name(claims, &people.name_claim)?;
    let groups = claims::groups(claims, &people.groups_claim);
    let Some(role) = claims::role(&groups, &people.roles) else {
        return Err(OidcError::NoRole { name, groups: groups.into_iter().collect() });
    };
    let (scope, holder) = (pilotlight_types::api::Scope::default(), format!("oidc:{name}"));
    Ok(Person { holder, how: How::Oidc, role, scope, until: None, mark: None })
}

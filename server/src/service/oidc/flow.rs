//! A browser's sign-in at an issuer: the authorization code flow of OpenID Connect Core 1.0 with PKCE (RFC 7636).
//!
//! Nothing is kept here between leaving and coming back: the browser has a cookie with random bytes, and state, nonce and verifier are
//! made of those with the site's key. So a sign-in can only be ended by the browser that began it, and beginning many takes no memory.
use super::{Oidc, OidcError, person};
use crate::{
    clock::random,
    domain::claims::{self, Expected},
    secret::{Secret, source},
    service::{journal::Actor, sessions::Person},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{path::PathBuf, time::Duration};

/// How long somebody may be at the issuer.
pub const FLOW_LASTS: Duration = Duration::from_secs(600);

/// A sign-in that was begun.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub to: String,
    /// What it keeps until it is back.
    pub cookie: Secret<String>,
}

/// What the issuer answers for a code. It has no Debug: there are tokens in it.
#[derive(Deserialize)]
struct Answer {
    id_token: String,
    access_token: Option<String>,
}

/// Our secret at the issuer. It is read each time: whoever changes it need not start the daemon again.
async fn client_secret(file: Option<PathBuf>) -> Result<Option<Secret<String>>, OidcError> {
    let Some(file) = file else { return Ok(None) };
    let read = tokio::task::spawn_blocking(move || source::read_file(&file.to_string_lossy())).await;
    match read {
        Ok(Ok(secret)) => Ok(Some(secret)),
        Ok(Err(why)) => Err(OidcError::Secret(why.to_string())),
        Err(_) => Err(OidcError::Secret("it was not read to its end".into())),
    }
}

impl Oidc {
    /// Begins a sign-in that comes back to `redirect` and then leads to `next`.
    pub async fn begin(&self, redirect: &str, next: &str) -> Result<Begun, OidcError> {
        let people = self.0.people.as_ref().ok_or(OidcError::NotConfigured)?;
        let issuer = self.0.issuers.get(&people.issuer).ok_or(OidcError::NotConfigured)?;
        let published = issuer.published().await?;
        let mut to = issuer.allowed(&published.authorization_endpoint)?;
        let began = self.0.journal.now().micros();
        let cookie = format!("{began}.{}.{}", hex::encode(random::<16>()), BASE64.encode(next));
        let challenge = BASE64.encode(Sha256::digest(self.derived("verifier", &cookie)?.as_bytes()));
        to.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &people.client_id),
            ("redirect_uri", redirect),
            ("scope", &people.scopes.join(" ")),
            ("state", &self.derived("state", &cookie)?),
            ("nonce", &self.derived("nonce", &cookie)?),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        Ok(Begun { to: to.into(), cookie: Secret::new(cookie) })
    }

    /// Ends the sign-in of the browser with this cookie: who it is, and where they wanted to go.
    pub async fn finish(
        &self,
        cookie: &str,
        (code, state): (&str, &str),
        redirect: &str,
        from: &Actor,
    ) -> Result<(Person, String), OidcError> {
        let done = self.finished(cookie, (code, state), redirect).await;
        if let Err(error) = &done
            && !matches!(error, OidcError::Away(_))
        {
            self.refused(error, from);
        }
        done
    }

    async fn finished(
        &self,
        cookie: &str,
        (code, state): (&str, &str),
        redirect: &str,
    ) -> Result<(Person, String), OidcError> {
        let people = self.0.people.as_ref().ok_or(OidcError::NotConfigured)?;
        let issuer = self.0.issuers.get(&people.issuer).ok_or(OidcError::NotConfigured)?;
        let next = self.begun(cookie, state).ok_or(OidcError::State)?;
        let verifier = self.derived("verifier", cookie)?;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier.as_str()),
        ];
        let secret = client_secret(people.client_secret.clone()).await?;
        let secret = secret.as_ref().map(|secret| secret.expose().as_str());
        let published = issuer.published().await?;
        let answer: Answer =
            issuer.form(&published.token_endpoint, &fields, (&people.client_id, secret)).await?;
        let mut said = issuer.verified(&answer.id_token).await?;
        let (nonce, audiences) = (self.derived("nonce", cookie)?, [people.client_id.as_str()]);
        let expected = Expected { issuer: &people.issuer, audiences: &audiences, nonce: Some(&nonce) };
        claims::check(&said, expected, self.0.journal.now())?;
        // Some issuers put groups and names where only this token leads (GitLab); it must be about the same subject (section 5.3.2).
        let missing = !said.contains_key(&people.groups_claim) || !said.contains_key(&people.name_claim);
        if let (true, Some(url), Some(token)) = (missing, &published.userinfo_endpoint, &answer.access_token)
        {
            let more = issuer.userinfo(url, token).await?;
            if claims::subject(&more)? == claims::subject(&said)? {
                for claim in [&people.groups_claim, &people.name_claim] {
                    if let (false, Some(value)) = (said.contains_key(claim), more.get(claim)) {
                        said.insert(claim.clone(), value.clone());
                    }
                }
            }
        }
        Ok((person(people, &said)?, next))
    }

    /// Where the browser wanted to go that has this cookie, if this is its state and it was not away for too long.
    fn begun(&self, cookie: &str, state: &str) -> Option<String> {
        let (began, rest) = cookie.split_once('.')?;
        let began = pilotlight_types::Timestamp::from_micros(began.parse().ok()?);
        let next = String::from_utf8(BASE64.decode(rest.split_once('.')?.1).ok()?).ok()?;
        let now = self.0.journal.now();
        let in_time = began <= now && now.since(began) < FLOW_LASTS;
        (in_time && self.0.key.verify(&format!("oidc/state/{cookie}"), state)).then_some(next)
    }

    /// 43 characters that only this server can make of a cookie: what RFC 7636 asks of a verifier.
    fn derived(&self, what: &str, cookie: &str) -> Result<String, OidcError> {
        let made = self.0.key.token(&format!("oidc/{what}/{cookie}")).ok_or(OidcError::State)?;
        Ok(made.expose().clone())
    }
}

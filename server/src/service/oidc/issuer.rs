//! An issuer: what it publishes of itself (OpenID Connect Discovery 1.0), and its keys, kept for a while.
use super::OidcError;
use crate::secret::jwt::{BadToken, Claims, Keys};
use reqwest::Url;
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// How long what an issuer publishes is kept.
const KEPT: Duration = Duration::from_secs(3600);

/// Keys that cannot be fetched again are still used for so long: an issuer that is away has signed nothing new.
const KEPT_WHILE_AWAY: Duration = Duration::from_secs(24 * 3600);

/// For a key that is not known, the keys are fetched again, but not more often than this: anybody can make up a key's name.
const AGAIN: Duration = Duration::from_secs(30);

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest answer that is read.
const LARGEST: usize = 512 * 1024;

/// An issuer cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the issuer {issuer} cannot be asked: {why}")]
pub struct Away {
    /// Which.
    pub issuer: String,
    /// Why not.
    pub why: String,
}

/// What an issuer publishes of itself.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Published {
    issuer: String,
    jwks_uri: String,
    #[serde(default)]
    pub(super) authorization_endpoint: String,
    #[serde(default)]
    pub(super) token_endpoint: String,
    pub(super) userinfo_endpoint: Option<String>,
}

/// An issuer.
#[derive(Debug, Clone)]
pub(super) struct Issuer {
    pub(super) url: String,
    http: reqwest::Client,
    // Held while it is asked: of many who want the same, one fetches it.
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    published: Option<(Published, Instant)>,
    keys: Option<(Keys, Instant)>,
    tried: Option<Instant>,
}

impl Issuer {
    pub(super) fn new(url: String, http: reqwest::Client) -> Self {
        Self { url, http, kept: Arc::default() }
    }

    /// What a token says, if one of the issuer's keys signed it.
    pub(super) async fn verified(&self, token: &str) -> Result<Claims, OidcError> {
        let mut kept = self.kept.lock().await;
        let fresh = kept.keys.as_ref().is_some_and(|(_, at)| at.elapsed() < KEPT);
        if !fresh && let Err(away) = self.fetch_keys(&mut kept).await {
            let old = kept.keys.as_ref().is_some_and(|(_, at)| at.elapsed() < KEPT_WHILE_AWAY);
            if !old {
                return Err(away.into());
            }
        }
        let known = kept.keys.as_ref().map(|(keys, _)| keys.clone()).unwrap_or_default();
        match known.verify(token) {
            Err(BadToken::UnknownKey(_)) if kept.tried.is_none_or(|at| at.elapsed() >= AGAIN) => {
                self.fetch_keys(&mut kept).await?;
                let keys = kept.keys.as_ref().map(|(keys, _)| keys.clone()).unwrap_or_default();
                Ok(keys.verify(token)?)
            }
            done => Ok(done?),
        }
    }

    async fn fetch_keys(&self, kept: &mut Kept) -> Result<(), Away> {
        let published = self.published_in(kept).await?;
        // After what is asked first: an issuer that comes back is asked at once.
        kept.tried = Some(Instant::now());
        let bytes = self.answer(self.http.get(self.allowed(&published.jwks_uri)?)).await?;
        let keys =
            Keys::parse(&bytes).map_err(|error| self.away(format!("its keys cannot be read: {error}")))?;
        if keys.is_empty() {
            return Err(self.away("it has no keys whose signatures are taken here"));
        }
        kept.keys = Some((keys, Instant::now()));
        Ok(())
    }

    /// What it publishes of itself.
    pub(super) async fn published(&self) -> Result<Published, Away> {
        self.published_in(&mut *self.kept.lock().await).await
    }

    async fn published_in(&self, kept: &mut Kept) -> Result<Published, Away> {
        if let Some((published, at)) = &kept.published
            && at.elapsed() < KEPT
        {
            return Ok(published.clone());
        }
        let url = format!("{}/.well-known/openid-configuration", self.url.trim_end_matches('/'));
        let published: Published = self.json(self.http.get(self.allowed(&url)?)).await?;
        if published.issuer != self.url {
            let other: String = published.issuer.chars().filter(char::is_ascii_graphic).take(100).collect();
            return Err(self.away(format!("it calls itself {other}; `issuer` must be that, to the letter")));
        }
        kept.published = Some((published.clone(), Instant::now()));
        Ok(published)
    }

    /// One of the issuer's own URLs: over TLS, unless the issuer itself is on this host without.
    pub(super) fn allowed(&self, url: &str) -> Result<Url, Away> {
        let parsed = Url::parse(url).map_err(|_| self.away("one of the URLs that it publishes is none"))?;
        let plain = parsed.scheme() == "http" && self.url.starts_with("http://");
        if parsed.scheme() == "https" || plain && is_this_host(&parsed) {
            return Ok(parsed);
        }
        Err(self.away("one of the URLs that it publishes is not https"))
    }

    /// Sends a form; gives the answer's JSON.
    pub(super) async fn form<T: DeserializeOwned>(
        &self,
        url: &str,
        fields: &[(&str, &str)],
        client: (&str, Option<&str>),
    ) -> Result<T, OidcError> {
        let (id, secret) = client;
        let mut request = self.http.post(self.allowed(url)?);
        let body = match secret {
            Some(secret) => {
                // RFC 6749, section 2.3.1: both are escaped before they are put together.
                request = request.basic_auth(escaped(id), Some(escaped(secret)));
                encoded(fields)
            }
            None => encoded(&[fields, &[("client_id", id)]].concat()),
        };
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let (status, bytes) = self.sent(request).await?;
        if status.is_client_error() {
            return Err(OidcError::Denied(told(&bytes).unwrap_or_else(|| format!("it answered {status}"))));
        }
        if !status.is_success() {
            return Err(self.away(format!("it answered {status}")).into());
        }
        Ok(serde_json::from_slice(&bytes).map_err(|_| self.away("its answer is not what is expected"))?)
    }

    /// What it says of whoever a token of its own is about.
    pub(super) async fn userinfo(&self, url: &str, access_token: &str) -> Result<Claims, Away> {
        self.json(self.http.get(self.allowed(url)?).bearer_auth(access_token)).await
    }

    async fn json<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, Away> {
        let bytes = self.answer(request).await?;
        serde_json::from_slice(&bytes).map_err(|_| self.away("its answer is not what is expected"))
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, Away> {
        let (status, bytes) = self.sent(request).await?;
        if status.is_success() { Ok(bytes) } else { Err(self.away(format!("it answered {status}"))) }
    }

    async fn sent(&self, request: reqwest::RequestBuilder) -> Result<(reqwest::StatusCode, Vec<u8>), Away> {
        let failed = |error: reqwest::Error| self.away(crate::errors::chain(&error.without_url()));
        let mut response = request.timeout(PATIENCE).send().await.map_err(failed)?;
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&part);
            if bytes.len() > LARGEST {
                return Err(self.away("its answer is too long"));
            }
        }
        Ok((response.status(), bytes))
    }

    fn away(&self, why: impl Into<String>) -> Away {
        Away { issuer: self.url.clone(), why: why.into() }
    }
}

/// An OAuth error in its own words (RFC 6749, section 5.2).
fn told(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Told {
        error: String,
        #[serde(default)]
        error_description: String,
    }
    let Told { error, error_description } = serde_json::from_slice(bytes).ok()?;
    let words = if error_description.is_empty() { error } else { format!("{error}: {error_description}") };
    Some(words.chars().filter(|c| !c.is_control()).take(200).collect())
}

fn is_this_host(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

/// Fields as a form.
pub(super) fn encoded(fields: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse("https://form.invalid/") else { return String::new() };
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

fn escaped(text: &str) -> String {
    encoded(&[("", text)]).trim_start_matches('=').to_owned()
}

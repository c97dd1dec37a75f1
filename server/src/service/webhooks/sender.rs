//! One try: secrets are had, the request is signed and sent, and what came of it is put into words in which there is no secret.
use super::client;
use crate::{
    domain::webhook::{Key, Outcome, Reach, masked, place_of, retry_after, signatures, target},
    service::secrets::Secrets,
};
use pilotlight_types::{
    Timestamp,
    api::Attempt,
    resource::{Given, SecretRef, SigningKeys, WebhookSpec},
};
use reqwest::{
    Client, Response,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};

/// How much of an answer is kept.
const SHOWN: usize = 1024;

/// How much of an answer is read, so that a secret is there as a whole where its beginning is shown.
const READ: usize = SHOWN + LONGEST;

/// The longest secret but `ca`, in bytes.
const LONGEST: usize = 4096;

/// How many clients are kept: one for each set of authorities.
const CLIENTS: usize = 32;

/// Sends what webhooks are told.
#[derive(Debug)]
pub(super) struct Sender {
    secrets: Secrets,
    reach: Arc<Reach>,
    clients: Mutex<HashMap<Option<String>, Client>>,
}

/// What came of a try.
pub(super) struct Sent {
    pub(super) attempt: Attempt,
    pub(super) outcome: Outcome,
}

/// A request with all that it needs.
struct Ready {
    client: Client,
    url: reqwest::Url,
    headers: HeaderMap,
    keys: Vec<Key>,
    /// What is masked in answers.
    secrets: Vec<String>,
}

/// What the receiver answered.
struct Answered {
    status: u16,
    after: Option<Duration>,
    text: Vec<u8>,
}

impl Sender {
    pub(super) fn new(secrets: Secrets, reach: Reach) -> Self {
        Self { secrets, reach: Arc::new(reach), clients: Mutex::default() }
    }

    /// Sends a body to a webhook, under this id, once, now.
    pub(super) async fn send(&self, spec: &WebhookSpec, id: &str, body: String, at: Timestamp) -> Sent {
        let begun = Instant::now();
        let ready = self.ready(spec).await;
        let answered = match &ready {
            Err(why) => Err(why.clone()),
            Ok(ready) => ready.post(id, body, at, begun + spec.timeout.std()).await,
        };
        let secrets = ready.map(|ready| ready.secrets).unwrap_or_default();
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut attempt = Attempt { at, millis, status: None, error: None, answer: String::new() };
        let outcome = match answered {
            Err(why) => {
                attempt.error = Some(masked(&why, &secrets, SHOWN));
                Outcome::Failed(None)
            }
            Ok(Answered { status, after, text }) => {
                attempt.status = Some(status);
                attempt.answer = masked(&String::from_utf8_lossy(&text), &secrets, SHOWN);
                attempt.error = why(status).map(str::to_owned);
                match status {
                    200..=299 => Outcome::Delivered,
                    410 => Outcome::Gone,
                    _ => Outcome::Failed(after),
                }
            }
        };
        Sent { attempt, outcome }
    }

    async fn ready(&self, spec: &WebhookSpec) -> Result<Ready, String> {
        let mut secrets = Vec::new();
        let url = self.given("url", &spec.url, &mut secrets).await?;
        let target = target(&url).map_err(|why| format!("`url`: {why}"))?;
        if let Some(address) = target.address {
            // A name's address is checked where it is looked up.
            self.reach.permits(target.url.host_str().unwrap_or_default(), address)?;
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &spec.headers {
            let text = self.given(name.as_str(), value, &mut secrets).await?;
            if target.url.scheme() != "https" && matches!(value, Given::Secret(_)) {
                return Err(format!(
                    "header `{name}` is a secret, which is not sent in the clear: `url` is no https:// URL"
                ));
            }
            let bad = || format!("header `{name}` has a value that is none for a header");
            let mut value = HeaderValue::from_str(&text).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_bytes(name.as_str().as_bytes()).map_err(|_| bad())?, value);
        }
        let mut keys = Vec::new();
        for place in spec.secret.as_ref().map(SigningKeys::places).unwrap_or_default() {
            let text = self.short("secret", place).await?;
            keys.push(Key::parse(&text).map_err(|error| format!("`secret`, {place}: {error}"))?);
            secrets.push(text);
        }
        let ca = match &spec.ca {
            None => None,
            Some(Given::Text(pem)) => Some(pem.clone()),
            Some(Given::Secret(reference)) => Some(self.secret("ca", reference).await?),
        };
        Ok(Ready { client: self.client(ca)?, url: target.url, headers, keys, secrets })
    }

    async fn given(&self, what: &str, given: &Given, secrets: &mut Vec<String>) -> Result<String, String> {
        match given {
            Given::Text(text) => Ok(text.clone()),
            Given::Secret(reference) => {
                let text = self.short(what, reference).await?;
                // Answers that repeat a header may leave out its `Bearer`.
                secrets.extend(text.split_once(' ').map(|(_, rest)| rest.trim().to_owned()));
                secrets.push(text.clone());
                Ok(text)
            }
        }
    }

    async fn short(&self, what: &str, reference: &SecretRef) -> Result<String, String> {
        let text = self.secret(what, reference).await?;
        if text.len() > LONGEST { Err(format!("`{what}` is longer than {LONGEST} bytes")) } else { Ok(text) }
    }

    async fn secret(&self, what: &str, reference: &SecretRef) -> Result<String, String> {
        let place = place_of(reference).map_err(|why| format!("`{what}`: {why}"))?;
        let value = self.secrets.one(reference, &place).await;
        Ok(value.map_err(|why| format!("`{what}` cannot be had: {why}"))?.expose().clone())
    }

    fn client(&self, ca: Option<String>) -> Result<Client, String> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&ca) {
            return Ok(client.clone());
        }
        if clients.len() >= CLIENTS {
            clients.clear();
        }
        let client = client::client(ca.as_deref(), self.reach.clone())?;
        clients.insert(ca, client.clone());
        Ok(client)
    }
}

impl Ready {
    async fn post(
        &self,
        id: &str,
        body: String,
        at: Timestamp,
        deadline: Instant,
    ) -> Result<Answered, String> {
        let seconds = at.micros().div_euclid(1_000_000);
        let mut request = self
            .client
            .post(self.url.clone())
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds.to_string());
        if !self.keys.is_empty() {
            request = request.header("webhook-signature", signatures(&self.keys, id, seconds, &body));
        }
        let sent = timeout_at(deadline, request.headers(self.headers.clone()).body(body).send()).await;
        let late = |_| "it did not answer in time (`timeout`)".to_owned();
        let mut response = sent.map_err(late)?.map_err(|error| {
            // The URL may be a secret.
            crate::errors::chain(&error.without_url())
        })?;
        let after =
            response.headers().get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, at));
        let status = response.status().as_u16();
        // The status counts. What comes after it is for people, as far as it comes in time.
        let text = read(&mut response, deadline).await;
        Ok(Answered { status, after, text })
    }
}

/// The beginning of an answer.
async fn read(response: &mut Response, deadline: Instant) -> Vec<u8> {
    let mut text = Vec::new();
    while let Ok(Ok(Some(chunk))) = timeout_at(deadline, response.chunk()).await {
        text.extend_from_slice(&chunk);
        if text.len() >= READ {
            text.truncate(READ);
            break;
        }
    }
    text
}

/// What a status means that is no success.
fn why(status: u16) -> Option<&'static str> {
    match status {
        200..=299 => None,
        300..=399 => Some("redirects are not followed: `url` is to be where it leads"),
        401 | 403 => Some(
            "the receiver does not let us: is a token missing in `headers`, or is the signing key another?",
        ),
        404 => Some("there is nothing at `url`"),
        410 => Some("the receiver wants nothing any more"),
        429 => Some("the receiver has too much to do"),
        _ => Some("the receiver did not take it"),
    }
}

impl Sent {
    /// What comes of a delivery that cannot be read.
    pub(super) fn unreadable(at: Timestamp, error: &crate::store::StoreError) -> Self {
        let error = Some(crate::errors::chain(error));
        let attempt = Attempt { at, millis: 0, status: None, error, answer: String::new() };
        Self { attempt, outcome: Outcome::Failed(None) }
    }
}

//! Vault's answers, and who we are to it: a token that was given, one in a file, or one of an AppRole, renewed before it ends
//! (developer.hashicorp.com/vault/api-docs: auth/token, auth/approle).
use crate::secret::{
    Secret,
    source::{self, Reason, Unavailable},
    vault::{VaultAccess, VaultLogin},
};
use futures_util::StreamExt;
use reqwest::{Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{fmt, time::Duration};
use tokio::{
    sync::{Mutex, Notify},
    time::Instant,
};

/// The longest answer that is read.
const LONGEST: usize = 1 << 20;
/// How many redirects are followed: a standby names the active node, and that is all.
const REDIRECTS: usize = 2;
/// How long a renewal waits for its next try after one that failed in passing.
const AGAIN: Duration = Duration::from_secs(5);
/// A token that is good for less is not renewed in a hurry.
const SHORTEST: Duration = Duration::from_secs(2);

/// Vault's HTTP API.
pub(super) struct Vaults {
    pub(super) access: VaultAccess,
    pub(super) http: reqwest::Client,
}

/// An answer that is not what was asked for.
pub(super) enum Answer {
    /// 403: the token is not good, or its policy does not allow this.
    Denied,
    /// 404, with what Vault says of it.
    Nothing(Secret<Vec<u8>>),
    /// Vault is sealed, overloaded or does not answer: later it may.
    Passing(Unavailable),
    /// Anything else.
    Final(Unavailable),
}

impl Vaults {
    /// Reads a path.
    pub(super) async fn get(&self, path: &str, token: &Secret<String>) -> Result<Secret<Vec<u8>>, Answer> {
        self.send(Method::GET, path, Some(token), None).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret<String>>,
        body: Option<&Value>,
    ) -> Result<Secret<Vec<u8>>, Answer> {
        let away = |why: String| Answer::Passing(Unavailable::new(Reason::Away, why));
        let answer =
            tokio::time::timeout(self.access.timeout, self.exchange(method, path, token, body)).await;
        let late = format!("Vault did not answer in {} s", self.access.timeout.as_secs_f32());
        let (status, body) = answer.map_err(|_| away(late))?.map_err(away)?;
        match status.as_u16() {
            200..=299 => Ok(body),
            403 => Err(Answer::Denied),
            404 => Err(Answer::Nothing(body)),
            // 503 is a Vault that is sealed or under maintenance; the body says which.
            503 if contains(body.expose(), "sealed") => {
                Err(Answer::Passing(Unavailable::new(Reason::Sealed, "Vault is sealed")))
            }
            // 412 is a standby that has not heard of the newest write; 429 is a quota.
            412 | 429 | 500..=599 => Err(away(format!("Vault answers {status}"))),
            _ => Err(Answer::Final(Unavailable::new(Reason::Unusable, format!("Vault answers {status}")))),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret<String>>,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Secret<Vec<u8>>), String> {
        let mut url = format!("{}/v1/{path}", self.access.address);
        for _ in 0..=REDIRECTS {
            // Without this header Vault Agent's listener, if told so, refuses.
            let mut request = self.http.request(method.clone(), &url).header("X-Vault-Request", "true");
            if let Some(namespace) = &self.access.namespace {
                request = request.header("X-Vault-Namespace", namespace);
            }
            if let Some(token) = token {
                let mut value = header::HeaderValue::from_str(token.expose())
                    .map_err(|_| "Vault's token holds characters that no token has".to_owned())?;
                value.set_sensitive(true);
                request = request.header("X-Vault-Token", value);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let response = request.send().await.map_err(|error| why(&error))?;
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            match to.filter(|_| response.status().is_redirection()) {
                // The token goes along: never from TLS into the clear.
                Some(to)
                    if to.starts_with("https://")
                        || !url.starts_with("https://") && to.starts_with("http://") =>
                {
                    url = to.to_owned();
                }
                Some(_) => return Err("Vault redirects to where there is no TLS".to_owned()),
                None => return read(response).await,
            }
        }
        Err("Vault redirects in a circle".to_owned())
    }
}

async fn read(response: reqwest::Response) -> Result<(StatusCode, Secret<Vec<u8>>), String> {
    let (status, mut pieces, mut all) = (response.status(), response.bytes_stream(), Vec::new());
    while let Some(piece) = pieces.next().await {
        all.extend_from_slice(&piece.map_err(|error| why(&error))?);
        if all.len() > LONGEST {
            return Err(format!("Vault's answer is longer than {LONGEST} bytes"));
        }
    }
    Ok((status, Secret::new(all)))
}

/// Why there was no answer. The address is ours and no secret.
fn why(error: &reqwest::Error) -> String {
    format!("Vault does not answer: {}", crate::errors::chain(error))
}

fn contains(body: &[u8], word: &str) -> bool {
    body.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

/// Who we are to Vault.
pub(super) struct Session {
    login: VaultLogin,
    now: Mutex<Option<Held>>,
    changed: Notify,
}

/// The token that we have.
#[derive(Clone)]
struct Held {
    token: Secret<String>,
    /// When it ends, if it does, and when that is to be put off, if it can be.
    ends: Option<Instant>,
    renew: Option<Instant>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

/// What Vault says of a token that it gave or renewed.
#[derive(Deserialize)]
struct Granted {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: Secret<String>,
    lease_duration: u64,
    renewable: bool,
}

#[derive(Deserialize)]
struct Looked {
    data: Life,
}

#[derive(Deserialize)]
struct Life {
    ttl: u64,
    #[serde(default)]
    renewable: bool,
}

impl Held {
    /// A token that is good for so many seconds from now; for ever, where it is 0.
    fn new(token: Secret<String>, seconds: u64, renewable: bool) -> Self {
        let life = (seconds > 0).then(|| Duration::from_secs(seconds));
        let now = Instant::now();
        // It is no good any more a little before it ends, so that no request is under way with it then.
        let ends = life.map(|life| now + life.mul_f64(0.95));
        let renew = life.filter(|life| renewable && *life > SHORTEST).map(|life| now + life.mul_f64(0.66));
        Self { token, ends, renew }
    }
}

impl Session {
    pub(super) fn new(login: VaultLogin) -> Self {
        Self { login, now: Mutex::new(None), changed: Notify::new() }
    }

    /// A token that should be good.
    pub(super) async fn token(&self, api: &Vaults) -> Result<Secret<String>, Unavailable> {
        let mut now = self.now.lock().await;
        if let Some(held) = now.as_ref().filter(|held| held.ends.is_none_or(|ends| Instant::now() < ends)) {
            return Ok(held.token.clone());
        }
        let held = self.log_in(api).await?;
        let token = held.token.clone();
        *now = Some(held);
        self.changed.notify_one();
        Ok(token)
    }

    /// Whether a token with which something was denied is good for nothing any more. Then the next one is another, if there is one.
    pub(super) async fn is_lost(&self, api: &Vaults, token: &Secret<String>) -> bool {
        let mut now = self.now.lock().await;
        if now.as_ref().is_none_or(|held| held.token != *token) {
            return true;
        }
        if !matches!(api.get("auth/token/lookup-self", token).await, Err(Answer::Denied)) {
            return false;
        }
        *now = None;
        match &self.login {
            VaultLogin::Token(_) => false,
            VaultLogin::TokenFile(path) => read_word(path).await.is_ok_and(|there| there != *token),
            VaultLogin::AppRole { .. } => true,
        }
    }

    async fn log_in(&self, api: &Vaults) -> Result<Held, Unavailable> {
        let token = match &self.login {
            VaultLogin::Token(token) => token.clone(),
            VaultLogin::TokenFile(path) => read_word(path).await?,
            VaultLogin::AppRole { mount, role_id, secret_id_file } => {
                let secret_id = read_word(secret_id_file).await?;
                let body = json!({"role_id": role_id, "secret_id": secret_id.expose()});
                let path = format!("auth/{mount}/login");
                let granted = api.send(Method::POST, &path, None, Some(&body)).await;
                let auth =
                    granted.map_err(|answer| refused(answer, "Vault does not take our AppRole's ids"))?;
                return read_grant(&auth);
            }
        };
        // How long it is good for is asked, for who gave it did not say.
        match api.get("auth/token/lookup-self", &token).await {
            Ok(body) => {
                let looked: Looked = serde_json::from_slice(body.expose()).map_err(|_| odd())?;
                Ok(Held::new(token, looked.data.ttl, looked.data.renewable))
            }
            Err(answer) => Err(refused(answer, "Vault does not take our token")),
        }
    }

    /// Renews the token whenever it is time, for ever.
    pub(super) async fn keep_alive(&self, api: &Vaults) {
        let mut said = String::new();
        // What lasts is said once.
        let mut warn = |why: &Unavailable| {
            if said != why.why {
                tracing::warn!("Vault: {why}");
                said.clone_from(&why.why);
            }
        };
        loop {
            let held = self.now.lock().await.clone();
            let Some((held, renew)) = held.and_then(|held| held.renew.map(|renew| (held, renew))) else {
                // A token that was given ends some day if nobody renews it, whether a machine boots or not.
                if self.now.lock().await.is_none()
                    && let Err(why) = self.token(api).await
                {
                    warn(&why);
                    tokio::time::sleep(AGAIN).await;
                } else {
                    self.changed.notified().await;
                }
                continue;
            };
            tokio::select! {
                () = tokio::time::sleep_until(renew) => {}
                () = self.changed.notified() => continue,
            }
            let renewed =
                api.send(Method::POST, "auth/token/renew-self", Some(&held.token), Some(&json!({}))).await;
            let mut now = self.now.lock().await;
            if now.as_ref().is_none_or(|there| there.token != held.token) {
                continue;
            }
            match renewed
                .map_err(|answer| refused(answer, "Vault does not renew our token"))
                .and_then(|body| read_grant(&body))
            {
                Ok(renewed) => *now = Some(renewed),
                Err(why) if why.reason == Reason::Denied => {
                    warn(&why);
                    *now = None;
                }
                Err(why) => {
                    warn(&why);
                    *now = Some(Held { renew: Some(Instant::now() + AGAIN), ..held });
                }
            }
        }
    }
}

fn read_grant(body: &Secret<Vec<u8>>) -> Result<Held, Unavailable> {
    let Granted { auth } = serde_json::from_slice(body.expose()).map_err(|_| odd())?;
    Ok(Held::new(auth.client_token, auth.lease_duration, auth.renewable))
}

fn odd() -> Unavailable {
    Unavailable::new(Reason::Unusable, "Vault's answer about our token is not one that it documents")
}

fn refused(answer: Answer, denied: &str) -> Unavailable {
    match answer {
        Answer::Passing(why) => why,
        // A wrong role id or secret id is a 400.
        Answer::Denied | Answer::Final(_) => Unavailable::new(Reason::Denied, denied),
        Answer::Nothing(_) => {
            Unavailable::new(Reason::Denied, format!("{denied}: there is no such auth method"))
        }
    }
}

/// The one word in a file: a token, a secret id.
async fn read_word(path: &std::path::Path) -> Result<Secret<String>, Unavailable> {
    let path = path.display().to_string();
    let away = |_| Unavailable::new(Reason::Away, "the file was not read to its end");
    let read = tokio::task::spawn_blocking(move || source::read_file(&path)).await.map_err(away)??;
    Ok(Secret::new(read.expose().trim().to_owned()))
}

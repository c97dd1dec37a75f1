//! Requests to a Redfish service (DSP0266): who we are to it, ETags, and what its refusals mean.
use super::tls;
use crate::{bmc::BmcError, secret::Secret};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::StreamExt;
use pilotlight_types::resource::{BmcProtocol, BmcSpec};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::time::Duration;

/// How long one request may take: BMCs are slow.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest answer that is read: logs are long.
const LONGEST: usize = 4 << 20;
/// How much of what a BMC says goes into our words.
const QUOTED: usize = 300;

/// A service, and who we are to it.
#[derive(Debug)]
pub(super) struct Service {
    http: reqwest::Client,
    base: String,
    user: String,
    password: Secret<String>,
    auth: Auth,
}

#[derive(Debug)]
enum Auth {
    /// Nobody yet.
    None,
    /// By a session, which is deleted at the end.
    Session { token: Secret<String>, path: Option<String> },
    /// By name and password with each request: for services without sessions.
    Basic,
}

/// An answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) json: Value,
    pub(super) etag: Option<String>,
    token: Option<Secret<String>>,
    location: Option<String>,
}

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sending<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) body: Option<&'a Value>,
    pub(super) if_match: Option<&'a str>,
}

impl Service {
    pub(super) fn new(spec: &BmcSpec, password: &Secret<String>) -> Result<Self, BmcError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(spec.tls.as_ref())?)
            // The token and the password would go to wherever a redirect leads.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(10))
            .timeout(PATIENCE)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(Duration::from_secs(20))
            .user_agent(concat!("pilotlight/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| BmcError::Tls(crate::errors::chain(&error)))?;
        let port = spec.address.port().unwrap_or(BmcProtocol::Redfish.port());
        let host = spec.address.host();
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Ok(Self {
            http,
            base: format!("https://{host}:{port}"),
            user: spec.username.clone(),
            password: password.clone(),
            auth: Auth::None,
        })
    }

    pub(super) const fn has_session(&self) -> bool {
        matches!(self.auth, Auth::Session { .. })
    }

    /// Opens a session at this collection, or goes on by name and password where there is none.
    pub(super) async fn sign_in(&mut self, sessions: Option<&str>) -> Result<(), BmcError> {
        let Some(sessions) = sessions else {
            self.auth = Auth::Basic;
            return Ok(());
        };
        let body = json!({"UserName": self.user, "Password": self.password.expose()});
        let sending = Sending { method: &Method::POST, path: sessions, body: Some(&body), if_match: None };
        match self.send(sending).await {
            Ok(Answer { token: Some(token), location, json, .. }) => {
                let path = location.or_else(|| json["@odata.id"].as_str().map(str::to_owned));
                self.auth = Auth::Session { token, path: path.and_then(|path| path_of(&path)) };
                Ok(())
            }
            // No sessions here, or none left, or a session without a token.
            Ok(_) | Err(BmcError::Unsupported(_)) => {
                self.auth = Auth::Basic;
                Ok(())
            }
            Err(BmcError::Busy(why)) if why.contains("SessionLimit") => {
                self.auth = Auth::Basic;
                Ok(())
            }
            Err(other) => Err(other),
        }
    }

    /// Gives the session back.
    pub(super) async fn sign_out(self) {
        if let Auth::Session { path: Some(path), .. } = &self.auth {
            let sending = Sending { method: &Method::DELETE, path, body: None, if_match: None };
            if let Err(error) = self.send(sending).await {
                tracing::debug!("a BMC's session was not deleted: {error}");
            }
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, BmcError> {
        self.send(Sending { method: &Method::GET, path, body: None, if_match: None }).await
    }

    /// Sends a request, and reads the answer if it is a good one.
    pub(super) async fn send(&self, sending: Sending<'_>) -> Result<Answer, BmcError> {
        let Sending { method, path, body, if_match } = sending;
        let path =
            path_of(path).ok_or_else(|| BmcError::Garbled("a link leads out of the BMC".to_owned()))?;
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.base))
            .header(header::ACCEPT, "application/json")
            .header("odata-version", "4.0");
        request = match &self.auth {
            Auth::None => request,
            Auth::Session { token, .. } => request.header("x-auth-token", token.expose()),
            Auth::Basic => {
                let both = STANDARD.encode(format!("{}:{}", self.user, self.password.expose()));
                request.header(header::AUTHORIZATION, format!("Basic {both}"))
            }
        };
        if let Some(etag) = if_match {
            request = request.header(header::IF_MATCH, etag);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| lost(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let bytes = bounded(response).await?;
        if !status.is_success() {
            return Err(self.refused(status, &bytes));
        }
        let json = if bytes.is_empty() { Value::Null } else { read(&bytes)? };
        let etag = text("etag").or_else(|| json["@odata.etag"].as_str().map(str::to_owned));
        let token = text("x-auth-token").map(Secret::new);
        Ok(Answer { json, etag, token, location: text("location") })
    }

    /// What a refusal means.
    fn refused(&self, status: StatusCode, bytes: &[u8]) -> BmcError {
        // Some quote what they were sent.
        let said = match self.password.expose().as_str() {
            "" => said(bytes),
            password => said(bytes).replace(password, "(secret)"),
        };
        let why = if said.is_empty() { status.to_string() } else { format!("{status}: {said}") };
        // Some say it with 400.
        let later = [
            "UnableToModifyDuringSystemPOST",
            "ResourceInUse",
            "ServiceTemporarilyUnavailable",
            "SessionLimitExceeded",
            "ServiceShuttingDown",
            "OperationTimeout",
        ];
        match status.as_u16() {
            401 if self.has_session() => BmcError::Session(why),
            401 => BmcError::Auth(why),
            // Some answer this to a wrong password, while a session is opened.
            403 if matches!(self.auth, Auth::None) => BmcError::Auth(why),
            404 | 405 | 501 => BmcError::Unsupported(why),
            409 | 412 | 428 | 429 | 500 | 502..=504 => BmcError::Busy(why),
            _ if later.iter().any(|word| said.contains(word)) => BmcError::Busy(why),
            _ => BmcError::Refused(why),
        }
    }
}

/// The path of a link; none if it leads elsewhere than to a path of the service.
fn path_of(link: &str) -> Option<String> {
    let path = match link.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map(|(_, path)| format!("/{path}"))?,
        None => link.to_owned(),
    };
    let good = path.starts_with('/') && !path.starts_with("//") && path.len() <= 1024;
    let plain = path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    (good && plain && !path.split('/').any(|part| part == "..")).then_some(path)
}

async fn bounded(response: reqwest::Response) -> Result<Vec<u8>, BmcError> {
    let mut bytes = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| match lost(&error) {
            BmcError::Away(why) => BmcError::Garbled(why),
            other => other,
        })?;
        if bytes.len() + piece.len() > LONGEST {
            return Err(BmcError::Garbled(format!("more than {LONGEST} bytes")));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

fn read(bytes: &[u8]) -> Result<Value, BmcError> {
    serde_json::from_slice(bytes).map_err(|error| BmcError::Garbled(format!("no JSON: {error}")))
}

/// What the service says of a refusal, in its own words and within bounds.
fn said(bytes: &[u8]) -> String {
    let Ok(json) = serde_json::from_slice::<Value>(bytes) else { return String::new() };
    let error = &json["error"];
    let info = error["@Message.ExtendedInfo"].as_array();
    let mut parts: Vec<String> = Vec::new();
    for one in info.into_iter().flatten().take(3).chain(std::iter::once(error)) {
        for text in [&one["MessageId"], &one["code"], &one["Message"], &one["message"]] {
            parts.extend(text.as_str().map(str::to_owned));
        }
    }
    let text: String = parts.join(" ").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.chars().take(QUOTED).collect()
}

/// A request that got no answer. Nothing of the request is in the words.
fn lost(error: &reqwest::Error) -> BmcError {
    let chain = crate::errors::chain(&error);
    if let Some((_, seen)) = chain.split_once(tls::MISMATCH) {
        let seen: String = seen.chars().take(95).collect();
        return BmcError::Tls(format!("its fingerprint is {seen}, and another one is pinned"));
    }
    if chain.contains("certificate") {
        return BmcError::Tls(chain);
    }
    if error.is_timeout() {
        return BmcError::Away(format!("it did not answer in {} s", PATIENCE.as_secs()));
    }
    BmcError::Away(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_does_not_lead_out_of_the_bmc() {
        for (link, path) in [
            ("/redfish/v1/Systems/1", Some("/redfish/v1/Systems/1")),
            (
                "https://bmc/redfish/v1/SessionService/Sessions/7",
                Some("/redfish/v1/SessionService/Sessions/7"),
            ),
            ("//evil.example/x", None),
            ("@evil.example/x", None),
            ("/redfish/../../x", None),
            ("/a b", None),
            ("", None),
        ] {
            assert_eq!(path_of(link).as_deref(), path, "{link}");
        }
    }

    #[test]
    fn what_a_bmc_says_is_quoted_within_bounds() {
        let body = json!({"error": {"code": "Base.1.0.GeneralError", "@Message.ExtendedInfo": [
            {"MessageId": "IDRAC.2.8.UnableToModifyDuringSystemPOST", "Message": "x\n".repeat(4000)}]}});
        let words = said(body.to_string().as_bytes());
        assert!(
            words.contains("UnableToModifyDuringSystemPOST")
                && words.len() <= QUOTED
                && !words.contains('\n')
        );
        assert_eq!(said(b"<html>"), "");
    }
}

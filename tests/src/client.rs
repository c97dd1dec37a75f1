//! A client of the REST API, for stories: what was asked, and everything that was answered.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use pilotlight_types::api::{Applied, Boot, Event, List, Machine, Problem};
use reqwest::header::{ACCEPT, HeaderMap};
use reqwest::{Method, StatusCode};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// How often a machine is looked at that is waited for.
const LOOK: Duration = Duration::from_millis(200);

/// Talks to one server as the bearer of one token.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// A whole answer, whatever it was.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// What the server refused, in its own words; an [`anyhow::Error`] of this client can be asked for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused(pub Problem);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.0.status, self.0.code, self.0.detail)?;
        self.0.errors.iter().try_for_each(|mistake| write!(f, "\n  {}: {}", mistake.path, mistake.detail))
    }
}

impl std::error::Error for Refused {}

impl Client {
    /// A client of `base` (`https://…` or `http://…`) that trusts the certificate in `ca` (PEM) and no other.
    pub fn new(base: &str, token: Option<&str>, ca: &str) -> Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            roots.add(certificate.context("no certificate")?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { http, base, token: token.map(str::to_owned) })
    }

    /// One request, to any path of the server, with further headers.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer> {
        let response = self.send(method, path, headers, body).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.with_context(|| format!("the answer of {path} broke off"))?;
        Ok(Answer { status, headers, body: body.to_vec() })
    }

    /// `GET` of a path below `/api/v1`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.api(Method::GET, path, &[], None).await?.json()
    }

    /// `POST` to a path below `/api/v1`.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        self.api(Method::POST, path, &[], Some(body)).await?.json()
    }

    /// `PUT` to a path below `/api/v1`, if the resource is still at `etag` where that is given.
    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: &Value, etag: Option<&str>) -> Result<T> {
        let headers: Vec<_> = etag.map(|etag| ("if-match", etag)).into_iter().collect();
        self.api(Method::PUT, path, &headers, Some(body)).await?.json()
    }

    /// `DELETE` of a path below `/api/v1`, if the resource is still at `etag` where that is given.
    pub async fn delete(&self, path: &str, etag: Option<&str>) -> Result<()> {
        let headers: Vec<_> = etag.map(|etag| ("if-match", etag)).into_iter().collect();
        self.api(Method::DELETE, path, &headers, None).await.map(drop)
    }

    /// Makes what is declared be as in these documents.
    pub async fn apply(&self, documents: &[Value]) -> Result<Applied> {
        self.post("/apply", &Value::from(documents)).await
    }

    /// The events after `after`, all pages of them, in order.
    pub async fn events(&self, after: i64) -> Result<Vec<Event>> {
        let mut events: Vec<Event> = Vec::new();
        let mut last = after;
        loop {
            let page: List<Event> = self.get(&format!("/events?after={last}")).await?;
            events.extend(page.items);
            match page.next {
                Some(next) => last = next.parse()?,
                None => return Ok(events),
            }
        }
    }

    /// The events as they come, after `last` where that is given.
    pub async fn follow(&self, last: Option<i64>) -> Result<EventStream> {
        let last = last.map(|last| last.to_string());
        let mut headers = vec![(ACCEPT.as_str(), "text/event-stream")];
        headers.extend(last.as_deref().map(|last| ("last-event-id", last)));
        let response = self.send(Method::GET, "/api/v1/events", &headers, None).await?;
        if !response.status().is_success() {
            bail!("the stream of events: {}", response.status());
        }
        Ok(EventStream { response, text: String::new() })
    }

    /// The boots of a machine, newest first.
    pub async fn boots(&self, machine: &str) -> Result<Vec<Boot>> {
        Ok(self.get::<List<Boot>>(&format!("/boots?machine={machine}")).await?.items)
    }

    /// A machine.
    pub async fn machine(&self, name: &str) -> Result<Machine> {
        self.get(&format!("/machines/{name}")).await
    }

    /// All machines.
    pub async fn machines(&self) -> Result<Vec<Machine>> {
        Ok(self.get::<List<Machine>>("/machines").await?.items)
    }

    /// Waits until a machine is in a stage.
    pub async fn wait_for(&self, machine: &str, stage: &str, within: Duration) -> Result<Machine> {
        self.wait_until(machine, stage, within, |machine| machine.stage == stage).await
    }

    /// Waits until a machine is as it should be, which `what` says for people. A server that is away for a moment is asked again.
    pub async fn wait_until(
        &self,
        machine: &str,
        what: &str,
        within: Duration,
        is_so: impl Fn(&Machine) -> bool,
    ) -> Result<Machine> {
        let deadline = Instant::now() + within;
        let mut last = anyhow!("it was never asked");
        while Instant::now() < deadline {
            // A connection to a server that was killed may hang.
            match timeout(Duration::from_secs(5), self.machine(machine)).await {
                Ok(Ok(found)) if is_so(&found) => return Ok(found),
                Ok(Ok(found)) => last = anyhow!("it is {}", summary(&found)),
                Ok(Err(error)) => last = error,
                Err(_) => last = anyhow!("the server does not answer"),
            }
            sleep(LOOK).await;
        }
        Err(last.context(format!("machine {machine} did not become {what} within {} s", within.as_secs())))
    }

    async fn api(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer> {
        let answer = self.request(method, &format!("/api/v1{path}"), headers, body).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        match answer.json::<Problem>() {
            Ok(problem) => Err(Refused(problem).into()),
            Err(_) => bail!("{path}: {} {}", answer.status, answer.text()),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<reqwest::Response> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.with_context(|| format!("{}{path} does not answer", self.base))
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).with_context(|| format!("not what is expected: {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Events as they come.
#[derive(Debug)]
pub struct EventStream {
    response: reqwest::Response,
    text: String,
}

impl EventStream {
    /// The next event, with the id that the stream gave it; none when the server ended the stream.
    pub async fn next(&mut self, within: Duration) -> Result<Option<(i64, Event)>> {
        let deadline = Instant::now() + within;
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field =
                    |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let found = field("id:")
                    .zip(field("data:"))
                    .map(|(id, data)| -> Result<_> { Ok((id.parse()?, serde_json::from_str(data)?)) });
                self.text = rest.to_owned();
                // The rest are comments that keep the connection alive.
                if let Some(found) = found {
                    return found.map(Some);
                }
            }
            let part = timeout_at(deadline, self.response.chunk())
                .await
                .with_context(|| format!("no event came within {} s", within.as_secs()))?;
            match part {
                Ok(Some(part)) => self.text.push_str(&String::from_utf8_lossy(&part)),
                Ok(None) | Err(_) => return Ok(None),
            }
        }
    }
}

/// A machine in a line, for an error's text.
fn summary(machine: &Machine) -> String {
    let why = machine.why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
    let boot = machine.boot.as_ref().map_or_else(
        || "no boot".to_owned(),
        |boot| {
            let phases: Vec<String> = boot.phases.iter().map(|seen| seen.phase.to_string()).collect();
            let outcome = boot.outcome.as_ref().map(|outcome| format!(": {outcome}")).unwrap_or_default();
            format!("boot {} through {}{outcome}", boot.id, phases.join(", "))
        },
    );
    format!("{}{why}, {boot}", machine.stage)
}

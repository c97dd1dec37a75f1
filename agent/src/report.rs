//! Reports to the server, over HTTPS that trusts the site's CA and nothing else.
use crate::session::Outcome;
use pilotlight_types::{
    agent::{AgentConfig, Instructions},
    facts::clean,
};
use serde::Deserialize;
use std::{error::Error, fmt::Write, sync::Arc, time::Duration};
use ureq::tls::{PemItem, RootCerts, TlsConfig};

const KIB: usize = 1024;
/// The largest answer that is read: instructions and problems are far smaller.
const LARGEST_ANSWER: u64 = 64 * 1024;

/// The site CA's certificate in the configuration cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration's `ca` has no certificate in PEM form")]
pub struct NoCa;

/// Speaks to the server about one boot.
pub struct Client {
    agent: ureq::Agent,
    base: String,
    bearer: String,
}

/// What the server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reply {
    status: u16,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Client {
    /// A client for the boot that `config` is about.
    pub fn new(config: &AgentConfig) -> Result<Self, NoCa> {
        let roots: Vec<_> = ureq::tls::parse_pem(config.ca.as_bytes())
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        if roots.is_empty() {
            return Err(NoCa);
        }
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&roots))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let seconds = |n| Some(Duration::from_secs(n));
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            // The token goes to this server and to no other one.
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("pilotlight-agent/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(seconds(10))
            .timeout_connect(seconds(10))
            .timeout_send_request(seconds(10))
            .timeout_send_body(seconds(30))
            .timeout_recv_response(seconds(30))
            .timeout_recv_body(seconds(10))
            .timeout_global(seconds(60))
            .input_buffer_size(16 * KIB)
            .output_buffer_size(16 * KIB)
            .max_response_header_size(16 * KIB)
            .max_idle_connections(1)
            .build()
            .new_agent();
        let base = format!("{}/agent/v1/boots/{}", config.server.trim_end_matches('/'), config.boot);
        Ok(Self { agent, base, bearer: format!("Bearer {}", config.token) })
    }

    /// Posts `json` to `…/boots/{boot}/{path}`.
    pub fn post(&self, path: &str, json: &[u8]) -> Outcome {
        match self.exchange(path, json) {
            Ok(reply) => outcome(&reply),
            Err(e) => Outcome::Busy { why: explain(&e), retry_after: None },
        }
    }

    fn exchange(&self, path: &str, json: &[u8]) -> Result<Reply, ureq::Error> {
        let mut response = self
            .agent
            .post(format!("{}/{path}", self.base))
            .header("authorization", &self.bearer)
            .header("content-type", "application/json")
            .header("accept", "application/json, application/problem+json")
            .send(json)?;
        let header = response.headers().get("retry-after").and_then(|v| v.to_str().ok()?.trim().parse().ok());
        // A status is an answer, even when the rest of it got lost.
        let body = response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_vec().unwrap_or_default();
        Ok(Reply { status: response.status().as_u16(), retry_after: header.map(Duration::from_secs), body })
    }
}

/// What an answer means.
fn outcome(reply: &Reply) -> Outcome {
    match reply.status {
        200..=299 => Outcome::Accepted(serde_json::from_slice::<Instructions>(&reply.body).ok()),
        408 | 429 | 500..=599 => Outcome::Busy { why: said(reply), retry_after: reply.retry_after },
        400 | 413 | 415 | 422 => Outcome::Unacceptable { why: said(reply) },
        _ => Outcome::Refused { why: said(reply) },
    }
}

/// What the server said, for people: its problem (RFC 9457) where it sent one.
fn said(reply: &Reply) -> String {
    #[derive(Deserialize)]
    struct Problem {
        code: Option<String>,
        title: Option<String>,
        detail: Option<String>,
    }
    let mut text = format!("status {}", reply.status);
    if let Ok(problem) = serde_json::from_slice::<Problem>(&reply.body) {
        if let Some(code) = problem.code.as_deref().and_then(clean) {
            text = format!("{text} {code}");
        }
        let words = [problem.detail, problem.title];
        if let Some(words) = words.into_iter().flatten().find_map(|words| clean(&words)) {
            text = format!("{text}: {words}");
        }
    }
    text
}

/// The error with its causes, each said once.
fn explain(error: &ureq::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        let words = e.to_string();
        if !text.contains(&words) {
            // Writing to a String does not fail.
            let _ = write!(text, ": {words}");
        }
        cause = e.source();
    }
    clean(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, retry_after: Some(Duration::from_secs(7)), body: body.into() }
    }

    #[test]
    fn an_accepted_report_may_bring_instructions() {
        let Outcome::Accepted(Some(instructions)) =
            outcome(&reply(200, r#"{"heartbeat_seconds": 15, "new": 1}"#))
        else {
            panic!("not accepted")
        };
        assert_eq!(instructions.heartbeat_seconds, 15);
        assert_eq!(outcome(&reply(204, "")), Outcome::Accepted(None));
    }

    #[test]
    fn statuses_that_pass_are_told_from_those_that_stay() {
        for status in [408, 429, 500, 502, 503, 504] {
            let busy =
                Outcome::Busy { why: format!("status {status}"), retry_after: Some(Duration::from_secs(7)) };
            assert_eq!(outcome(&reply(status, "<html>")), busy);
        }
        for status in [301, 401, 403, 404, 409, 410] {
            assert!(matches!(outcome(&reply(status, "")), Outcome::Refused { .. }), "{status}");
        }
        for status in [400, 413, 415, 422] {
            assert!(matches!(outcome(&reply(status, "")), Outcome::Unacceptable { .. }), "{status}");
        }
    }

    #[test]
    fn the_servers_problem_is_passed_on_within_bounds() {
        let body =
            r#"{"status": 409, "code": "boot-ended", "title": "Conflict", "detail": "boot 7 has\nended"}"#;
        assert_eq!(said(&reply(409, body)), "status 409 boot-ended: boot 7 has ended");
        assert_eq!(said(&reply(403, r#"{"title": "Forbidden", "detail": " "}"#)), "status 403: Forbidden");
        let long = format!(r#"{{"detail": "{}"}}"#, "x".repeat(10_000));
        assert!(said(&reply(401, &long)).len() < 300);
    }

    #[test]
    fn a_configuration_without_a_certificate_is_refused() {
        let config = |ca: &str| AgentConfig {
            server: "https://192.0.2.1".into(),
            ca: ca.into(),
            machine: "n1".into(),
            boot: "0199f0f0-0000-7000-8000-000000000001".parse().unwrap(),
            token: "t".into(),
            boot_mac: None,
            heartbeat_seconds: 30,
        };
        assert_eq!(Client::new(&config("no PEM")).err(), Some(NoCa));
        assert_eq!(Client::new(&config("")).err(), Some(NoCa));
    }
}

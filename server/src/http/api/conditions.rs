//! Conditional requests (RFC 9110, section 13): what is shown has an ETag, and what is written may be held to one.
use crate::{http::problem::Failure, service::changes::Expected};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use pilotlight_types::api::{Machine, Resource};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// How many ETags one header may have.
const MOST_TAGS: usize = 50;

/// Something that is shown, with its ETag: its revision. A machine's has more after a hyphen, for it changes without being written: it
/// boots, and its agent reports. `If-Match` looks at the revision only, `If-None-Match` at the whole.
#[derive(Debug)]
pub(super) struct Shown {
    tag: HeaderValue,
    body: Vec<u8>,
}

impl Shown {
    pub(super) fn resource(resource: &Resource) -> Result<Self, Failure> {
        Self::new(&resource.revision.to_string(), json(resource)?)
    }

    pub(super) fn machine(machine: &Machine) -> Result<Self, Failure> {
        let body = json(machine)?;
        let digest = hex::encode(Sha256::digest(&body));
        Self::new(&format!("{}-{}", machine.revision, digest.get(..12).unwrap_or_default()), body)
    }

    /// A text that is JSON and stays as it is, with the tag that it is known by.
    pub(super) fn text(tag: &str, text: &str) -> Result<Self, Failure> {
        Self::new(tag, text.as_bytes().to_vec())
    }

    fn new(tag: &str, body: Vec<u8>) -> Result<Self, Failure> {
        let tag = HeaderValue::from_str(&format!("\"{tag}\""));
        Ok(Self { tag: tag.map_err(|e| Failure::unavailable(e.to_string()))?, body })
    }

    /// 304 where the caller has it already.
    pub(super) fn unless_known(self, headers: &HeaderMap) -> Response {
        let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let ours = self.tag.to_str().unwrap_or_default();
        let same = |tag: &str| tag == "*" || tag.trim_start_matches("W/") == ours;
        if known.flat_map(|list| list.split(',')).map(str::trim).any(same) {
            return (StatusCode::NOT_MODIFIED, [(header::ETAG, self.tag)]).into_response();
        }
        self.into_response()
    }

    /// The document itself.
    pub(super) fn value(self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl IntoResponse for Shown {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json");
        ([(header::ETAG, self.tag), (header::CONTENT_TYPE, json)], Body::from(self.body)).into_response()
    }
}

fn json(document: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(document).map_err(|e| Failure::unavailable(e.to_string()))
}

/// What the caller of a write expects to be there.
pub(super) fn expected(headers: &HeaderMap) -> Result<Expected, Failure> {
    let wrong = |name: &str, takes: &str| Err(Failure::bad_request(format!("`{name}` takes {takes}")));
    if let Some(value) = headers.get(header::IF_NONE_MATCH) {
        return match value.to_str().map(str::trim) {
            Ok("*") if headers.get(header::IF_MATCH).is_none() => Ok(Expected::Absent),
            _ => wrong("If-None-Match", "`*` on a write, and does not go together with `If-Match`"),
        };
    }
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(Expected::Anything) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(Expected::Present);
    }
    let revision = |tag: &str| {
        let tag = tag.trim().trim_matches('"');
        tag.split('-').next().and_then(|revision| revision.parse::<i64>().ok())
    };
    let all: Option<Vec<i64>> = text.split(',').take(MOST_TAGS).map(revision).collect();
    match all {
        Some(revisions) => Ok(Expected::OneOf(revisions)),
        None => wrong("If-Match", "the ETag of the resource"),
    }
}

//! What the double of Vault answers.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Of;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Mood, Shared, State, Token};

pub(super) fn router(state: Shared) -> Router {
    Router::new().fallback(answer).with_state(state)
}

async fn answer(
    Of(shared): Of<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mood = shared.lock().unwrap_or_else(PoisonError::into_inner).mood;
    if mood == Mood::Silent {
        std::future::pending::<()>().await;
    }
    let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let path = uri.path().to_owned();
    if mood == Mood::Astray {
        return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, format!("http://127.0.0.1:1{path}"))])
            .into_response();
    }
    let (status, answer) = match mood {
        Mood::Sealed => errors(503, &["Vault is sealed"]),
        Mood::Broken => errors(500, &["internal error"]),
        _ => state.answer(&method, &path, &headers, &body),
    };
    state.requests.push((method.to_string(), path, status));
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let text = if mood == Mood::Odd { "<html>".to_owned() } else { answer.to_string() };
    (status, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], text)
        .into_response()
}

fn errors(status: u16, errors: &[&str]) -> (u16, Value) {
    (status, json!({"errors": errors}))
}

fn denied() -> (u16, Value) {
    errors(403, &["1 error occurred:\n\t* permission denied\n\n"])
}

fn whole(part: &str, content: Value) -> (u16, Value) {
    let mut whole = json!({
        "request_id": "0c1b0d0e-5ea1-4b6b-9a0b-5f0d9c1d0c1b", "lease_id": "", "renewable": false, "lease_duration": 0,
        "data": null, "wrap_info": null, "warnings": null, "auth": null,
    });
    whole[part] = content;
    (200, whole)
}

impl State {
    fn answer(&mut self, method: &Method, path: &str, headers: &HeaderMap, body: &Bytes) -> (u16, Value) {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if header("X-Vault-Request") != Some("true") {
            return errors(412, &["missing 'X-Vault-Request' header"]);
        }
        if self.namespace.as_deref() != header("X-Vault-Namespace").map(|name| name.trim_end_matches('/')) {
            return denied();
        }
        let Some(path) = path.strip_prefix("/v1/") else { return errors(404, &[]) };
        if path == "auth/approle/login" {
            return if method == Method::POST {
                self.log_in(body)
            } else {
                errors(405, &["unsupported operation"])
            };
        }
        let name = header("X-Vault-Token").unwrap_or_default().to_owned();
        let good = self.tokens.get(&name).filter(|token| token.ends.is_none_or(|ends| Instant::now() < ends));
        let Some(token) = good.cloned() else {
            return errors(403, &["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]);
        };
        match (method.as_str(), path) {
            ("GET", "auth/token/lookup-self") => looked(&token),
            ("POST" | "PUT", "auth/token/renew-self") => self.renew(&name, &token),
            ("GET", path) if !token.reads.iter().any(|start| path.starts_with(start.as_str())) => denied(),
            ("GET", path) => self.read(path),
            _ => errors(405, &["unsupported operation"]),
        }
    }

    fn log_in(&mut self, body: &Bytes) -> (u16, Value) {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return errors(400, &["failed to parse JSON input"]);
        };
        let given = (body["role_id"].as_str(), body["secret_id"].as_str());
        let good = self.role.as_ref().is_some_and(|(role, secret)| given == (Some(role), Some(secret)));
        if !good {
            return errors(400, &["invalid role or secret ID"]);
        }
        let (life, renewable) = self.grants;
        self.made += 1;
        let name = format!("hvs.made-{}", self.made);
        let ends = Some(Instant::now() + life);
        self.tokens.insert(name.clone(), Token { ends, renewable, reads: vec!["secret/data/".to_owned()] });
        granted(&name, life, renewable)
    }

    fn renew(&mut self, name: &str, token: &Token) -> (u16, Value) {
        if !token.renewable {
            return errors(400, &["lease is not renewable"]);
        }
        let life = self.grants.0;
        if let Some(token) = self.tokens.get_mut(name) {
            token.ends = Some(Instant::now() + life);
        }
        granted(name, life, true)
    }

    fn read(&self, path: &str) -> (u16, Value) {
        let Some((number, newest)) = self.secrets.get(path).and_then(|all| Some((all.len(), all.last()?)))
        else {
            return errors(404, &[]);
        };
        let gone = newest.deleted || newest.destroyed;
        let metadata = json!({
            "created_time": "2026-03-22T02:24:06.945319214Z", "custom_metadata": null, "destroyed": newest.destroyed,
            "deletion_time": if newest.deleted { "2026-03-22T02:36:43.986212308Z" } else { "" }, "version": number,
        });
        let data = if gone { Value::Null } else { Value::Object(newest.data.clone()) };
        let (status, answer) = whole("data", json!({"data": data, "metadata": metadata}));
        (if gone { 404 } else { status }, answer)
    }
}

fn granted(name: &str, life: Duration, renewable: bool) -> (u16, Value) {
    whole(
        "auth",
        json!({
            "client_token": name, "accessor": "8609694a-cdbc-db9b-d345-e782dbb562ed", "policies": ["default"],
            "token_policies": ["default"], "metadata": {}, "lease_duration": life.as_secs(), "renewable": renewable,
            "entity_id": "", "token_type": "service", "orphan": true, "num_uses": 0,
        }),
    )
}

fn looked(token: &Token) -> (u16, Value) {
    let ttl = token.ends.map_or(0, |ends| ends.saturating_duration_since(Instant::now()).as_secs());
    whole(
        "data",
        json!({
            "accessor": "8609694a-cdbc-db9b-d345-e782dbb562ed", "creation_ttl": ttl, "display_name": "token", "meta": null,
            "num_uses": 0, "orphan": true, "path": "auth/token/create", "policies": ["default"], "renewable": token.renewable,
            "ttl": ttl, "type": "service", "explicit_max_ttl": 0,
        }),
    )
}

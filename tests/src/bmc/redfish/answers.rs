//! What the service answers.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::{Fault, Make, Redfish, State};

const SYSTEM: &str = "/redfish/v1/Systems/1";
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";
const MANAGER_RESET: &str = "/redfish/v1/Managers/1/Actions/Manager.Reset";
const RESETS: [&str; 4] = ["On", "ForceOff", "GracefulShutdown", "ForceRestart"];

pub(super) fn router(state: Arc<Mutex<State>>) -> Router {
    Router::new().fallback(answer).with_state(state)
}

fn problem(status: StatusCode, id: &str) -> Response {
    let body = json!({"error": {"code": "Base.1.8.GeneralError", "message": "see ExtendedInfo",
        "@Message.ExtendedInfo": [{"MessageId": format!("Base.1.8.{id}"), "Message": id}]}});
    (status, axum::Json(body)).into_response()
}

fn json(value: Value) -> Response {
    axum::Json(value).into_response()
}

async fn answer(
    Shared(shared): Shared<Arc<Mutex<State>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = shared.lock().unwrap_or_else(PoisonError::into_inner).fault;
    if let Some(Fault::Slow(pause)) = fault {
        tokio::time::sleep(pause).await;
    }
    let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let path = uri.path().trim_end_matches('/').to_owned();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if state.strikes(|fault| matches!(fault, Fault::Unavailable(_))) {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "ServiceTemporarilyUnavailable");
    }
    if let Some(open) = state.open(&method, &path, &body) {
        return open;
    }
    if state.strikes(|fault| matches!(fault, Fault::DropsSessions(_))) {
        state.sessions.clear();
    }
    if !state.knows(&headers) {
        state.refused += 1;
        return problem(StatusCode::UNAUTHORIZED, "NoValidSession");
    }
    if method == Method::GET && state.strikes(|fault| matches!(fault, Fault::HalfJson(_))) {
        return ([(header::CONTENT_TYPE, "application/json")], "{\"PowerState\": \"O").into_response();
    }
    match method.as_str() {
        "GET" => state.get(&path),
        "PATCH" => state.patch(&path, &headers, &body),
        "POST" => state.post(&path, &body),
        "DELETE" => state.delete(&path),
        _ => problem(StatusCode::METHOD_NOT_ALLOWED, "OperationNotAllowed"),
    }
}

impl State {
    /// Whether this fault still holds, of those that hold so many times.
    fn strikes(&mut self, is: impl Fn(&Fault) -> bool) -> bool {
        let Some(fault) = self.fault.as_mut().filter(|fault| is(fault)) else { return false };
        match fault {
            Fault::HalfJson(left)
            | Fault::DropsSessions(left)
            | Fault::InPost(left)
            | Fault::Unavailable(left)
                if *left > 0 =>
            {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let word = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let token = word("x-auth-token").and_then(|token| token.strip_prefix("token-")?.parse().ok());
        let (user, password) = Redfish::ACCOUNT;
        let basic = format!("Basic {}", BASE64.encode(format!("{user}:{password}")));
        let known = token.is_some_and(|id: u64| self.sessions.contains(&id));
        (known || word("authorization") == Some(&basic)) && self.fault != Some(Fault::Unauthorized)
    }

    /// What anybody may ask for.
    fn open(&mut self, method: &Method, path: &str, body: &Value) -> Option<Response> {
        if (method, path) == (&Method::GET, "/redfish/v1") {
            let vendor = match self.make {
                Make::Ami => "AMI",
                Make::Hpe => "HPE",
                Make::Plain | Make::Basic => "Nobody",
            };
            let mut root = json!({"RedfishVersion": "1.9.0", "Vendor": vendor, "Systems": {"@odata.id": "/redfish/v1/Systems"}});
            if self.make != Make::Basic {
                root["Links"] = json!({"Sessions": {"@odata.id": SESSIONS}});
            }
            return Some(json(root));
        }
        if (method, path) != (&Method::POST, SESSIONS) || self.make == Make::Basic {
            return None;
        }
        let (user, password) = Redfish::ACCOUNT;
        if self.fault == Some(Fault::Unauthorized) || *body != json!({"UserName": user, "Password": password})
        {
            self.refused += 1;
            return Some(problem(StatusCode::UNAUTHORIZED, "ResourceAtUriUnauthorized"));
        }
        self.opened += 1;
        self.sessions.insert(self.opened);
        self.most_sessions = self.most_sessions.max(self.sessions.len());
        let (at, token) = (format!("{SESSIONS}/{}", self.opened), format!("token-{}", self.opened));
        let headers = [("x-auth-token", token), ("location", at.clone())];
        Some((StatusCode::CREATED, headers, axum::Json(json!({"@odata.id": at}))).into_response())
    }

    fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }

    fn get(&self, path: &str) -> Response {
        let tagged = |value: Value| ([(header::ETAG, self.etag())], axum::Json(value)).into_response();
        match path.strip_prefix("/redfish/v1/").unwrap_or_default() {
            "Systems" => json(json!({"Members": [{"@odata.id": SYSTEM}]})),
            "Managers/1" => json(json!({"Id": "1", "Actions": {"#Manager.Reset": {"target": MANAGER_RESET,
                "ResetType@Redfish.AllowableValues": ["GracefulRestart"]}}})),
            "Systems/1" => tagged(self.system()),
            "Systems/1/SD" if self.make == Make::Ami => tagged(json!({"Id": "SD", "Boot": self.boot})),
            "Chassis/1" => {
                json(json!({"Id": "1", "Thermal": {"@odata.id": "/redfish/v1/Chassis/1/Thermal"}}))
            }
            "Chassis/1/Thermal" => json(json!({"Temperatures": [
                {"Name": "Inlet", "ReadingCelsius": 23.5, "Status": {"State": "Enabled", "Health": "OK"}},
                {"Name": "CPU1", "ReadingCelsius": 101, "Status": {"State": "Enabled", "Health": "Critical"}}]})),
            "Systems/1/LogServices" => {
                json(json!({"Members": [{"@odata.id": format!("{SYSTEM}/LogServices/SEL")}]}))
            }
            "Systems/1/LogServices/SEL" => json(
                json!({"Id": "SEL", "Entries": {"@odata.id": format!("{SYSTEM}/LogServices/SEL/Entries")}}),
            ),
            "Systems/1/LogServices/SEL/Entries" => {
                let entry = |(n, (severity, text)): (usize, &(String, String))| {
                    let created = format!("2026-11-30T10:{:02}:00Z", n % 60);
                    json!({"Id": (n + 1).to_string(), "Severity": severity, "Message": text, "Created": created})
                };
                // The newest first, as some have it.
                let entries: Vec<Value> = self.log.iter().enumerate().map(entry).rev().collect();
                json(json!({"Members": entries}))
            }
            _ => problem(StatusCode::NOT_FOUND, "ResourceMissingAtURI"),
        }
    }

    fn system(&self) -> Value {
        let actions = json!({"#ComputerSystem.Reset": {
            "target": format!("{SYSTEM}/Actions/ComputerSystem.Reset"), "ResetType@Redfish.AllowableValues": RESETS}});
        let mut system = json!({
            "@odata.id": SYSTEM, "Id": "1", "Name": "node", "PowerState": if self.on { "On" } else { "Off" },
            "Boot": self.boot, "Actions": actions, "LocationIndicatorActive": self.lit,
            "Links": {"Chassis": [{"@odata.id": "/redfish/v1/Chassis/1"}],
                "ManagedBy": [{"@odata.id": "/redfish/v1/Managers/1"}]},
            "LogServices": {"@odata.id": format!("{SYSTEM}/LogServices")},
        });
        if self.make == Make::Ami {
            system["@Redfish.Settings"] = json!({"SettingsObject": {"@odata.id": format!("{SYSTEM}/SD")}});
        }
        system
    }

    fn patch(&mut self, path: &str, headers: &HeaderMap, body: &Value) -> Response {
        let settings = path == format!("{SYSTEM}/SD") && self.make == Make::Ami;
        if path != SYSTEM && !settings {
            return problem(StatusCode::NOT_FOUND, "ResourceMissingAtURI");
        }
        if self.strikes(|fault| matches!(fault, Fault::InPost(_))) {
            return problem(StatusCode::BAD_REQUEST, "UnableToModifyDuringSystemPOST");
        }
        let matches =
            headers.get(header::IF_MATCH).is_some_and(|tag| tag == self.etag().as_str() || tag == "*");
        if self.make == Make::Ami && !matches {
            return problem(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        if let Some(lit) = body["LocationIndicatorActive"].as_bool() {
            self.lit = lit;
        }
        if body["Boot"].is_object() {
            if self.make == Make::Hpe && body["Boot"].get("BootSourceOverrideMode").is_some() {
                return problem(StatusCode::BAD_REQUEST, "PropertyNotWritable");
            }
            // AMI takes it in the system itself as well, and forgets it.
            let lost = self.make == Make::Ami && !settings || self.fault == Some(Fault::ForgetsBoot);
            if !lost {
                self.boot = body["Boot"].clone();
            }
        }
        self.version += 1;
        StatusCode::NO_CONTENT.into_response()
    }

    fn post(&mut self, path: &str, body: &Value) -> Response {
        let kind = body["ResetType"].as_str().unwrap_or_default().to_owned();
        if path == MANAGER_RESET && kind == "GracefulRestart" {
            // It comes back and knows nobody.
            self.resets.push("Manager".to_owned());
            self.sessions.clear();
            return StatusCode::NO_CONTENT.into_response();
        }
        if path != format!("{SYSTEM}/Actions/ComputerSystem.Reset") {
            return problem(StatusCode::NOT_FOUND, "ResourceMissingAtURI");
        }
        if !RESETS.contains(&kind.as_str()) {
            return problem(StatusCode::BAD_REQUEST, "ActionParameterNotSupported");
        }
        self.reset(&kind);
        StatusCode::NO_CONTENT.into_response()
    }

    fn delete(&mut self, path: &str) -> Response {
        let id = path.strip_prefix(&format!("{SESSIONS}/")).and_then(|id| id.parse().ok());
        if id.is_some_and(|id: u64| self.sessions.remove(&id)) {
            StatusCode::NO_CONTENT.into_response()
        } else {
            problem(StatusCode::NOT_FOUND, "ResourceMissingAtURI")
        }
    }
}

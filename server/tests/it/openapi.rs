//! The document of the API against the API itself: what it says is there, what it says is answered is answered, and who it says may call
//! may call, and nobody else.
use crate::{
    http::{asked, secure, token},
    rig::{Engine, MAC1, Rig},
    sign_in::{PASSWORD, user},
};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use jsonschema::Validator;
use pilotlight::http::{openapi, operations};
use pilotlight_types::api::{Problem, Role};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};

/// Every operation of the document: method, path, and what it says of it.
fn described(document: &Value) -> Vec<(Method, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap();
        item.iter().map(|(method, operation)| {
            (method.to_uppercase().parse().unwrap(), path.clone(), operation.clone())
        })
    });
    all.collect()
}

/// A schema of the document, with all that it refers to.
fn validator(document: &Value, schema: &Value) -> Validator {
    let whole = json!({"components": document["components"], "allOf": [schema]});
    jsonschema::options().should_validate_formats(true).build(&whole).unwrap()
}

/// What is wrong with an answer, by what the document says of its operation.
fn wrong(
    document: &Value,
    operation: &Value,
    (status, headers, body): &(StatusCode, HeaderMap, Vec<u8>),
) -> Option<String> {
    let responses = &operation["responses"];
    let exact = &responses[status.as_str()];
    let said = if exact.is_null() && status.is_server_error() { &responses["5XX"] } else { exact };
    let said = match said["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#'))?,
        None => said,
    };
    if said.is_null() {
        return Some(format!("{status} is not in the document: {}", String::from_utf8_lossy(body)));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let Some(kind) = kind else {
        let silent = said["content"].is_null() && body.is_empty();
        return (!silent).then(|| format!("{status} has no content type"));
    };
    let schema = &said["content"][kind]["schema"];
    if schema.is_null() {
        return Some(format!("{status} with {kind} is not in the document"));
    }
    let body: Value = serde_json::from_slice(body).unwrap();
    let tagged = headers.contains_key(header::ETAG) || body["dry_run"] == true;
    if said["headers"]["ETag"].is_object() && !tagged {
        return Some(format!("{status} has no ETag"));
    }
    let mistakes: Vec<String> = validator(document, schema)
        .iter_errors(&body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    (!mistakes.is_empty()).then(|| format!("{status}: {}\n{body:#}", mistakes.join("\n")))
}

async fn call(
    router: &Router,
    (method, path): (&Method, &str),
    token: Option<&str>,
    body: &Value,
) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    asked(router, request, body).await
}

/// A path of the document with names of things that are there, or that are not.
fn filled(path: &str, boot: &str, there: bool) -> String {
    let name = match path.split('/').nth(3).unwrap_or_default() {
        _ if !there => "none",
        "machines" => "n1",
        "subnets" => "rack-a",
        "images" => "os",
        "profiles" => "worker",
        "groups" => "workers",
        "firmware" => "efi-x64",
        "roles" => "rack-r1",
        "tokens" => "spare",
        "webhooks" => "hook",
        "users" => "alice",
        "hardwareclasses" => "big",
        "expectedmachines" => "n90",
        "acceptrules" => "all",
        _ => "",
    };
    path.replace("{name}", name).replace("{id}", boot).replace("{revision}", "1")
}

#[test]
fn the_checked_in_document_is_what_the_code_makes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let made = format!("{:#}\n", openapi::document());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    // The whole would be a wall of text.
    let line = made.lines().zip(kept.lines()).position(|(made, kept)| made != kept);
    assert!(
        made == kept,
        "docs/openapi.json is not as the code has it, from line {:?} on; write it: \
         UPDATE=1 cargo test -p pilotlight --test it openapi",
        line.map(|line| line + 1)
    );
}

#[test]
fn router_gate_and_document_know_the_same_operations() {
    let document = openapi::document();
    let said: BTreeSet<String> =
        described(&document).iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    let there: BTreeSet<String> = operations()
        .iter()
        .filter(|operation| operation.path.starts_with("/api/v1/"))
        .map(|operation| format!("{} {}", operation.method, operation.path))
        .collect();
    assert_eq!(said, there);
    let ids: Vec<&str> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "an operation's id is its function's name in clients: {ids:?}");
    let plain = |id: &&str| id.len() > 5 && id.chars().all(|c| c.is_ascii_alphanumeric());
    assert!(ids.iter().all(plain), "{ids:?}");
    for (_, path, operation) in described(&document) {
        assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 5), "{path}: {operation}");
    }
}

#[test]
fn references_lead_somewhere_and_examples_are_good() {
    let document = openapi::document();
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(all) => all.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let mut all = BTreeSet::new();
    references(&document, &mut all);
    assert!(all.len() > 20, "{all:?}");
    for reference in &all {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    let mut examples = 0;
    for (method, path, operation) in described(&document) {
        let content = &operation["requestBody"]["content"]["application/json"];
        if content.is_null() {
            continue;
        }
        assert!(!content["example"].is_null(), "{method} {path} has no example of its body");
        let mistakes: Vec<String> = validator(&document, &content["schema"])
            .iter_errors(&content["example"])
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(mistakes.is_empty(), "{method} {path}: {mistakes:?}");
        examples += 1;
    }
    assert!(examples > 8, "{examples}");
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        let content = &response["content"]["application/problem+json"];
        let problem: Problem = serde_json::from_value(content["example"].clone()).unwrap();
        assert!(!problem.code.is_empty(), "{name}");
        assert!(response["description"].as_str().unwrap().contains(&problem.code), "{name}");
    }
}

/// What a custom role allows in the walk: to look at the machines of a rack, and to hold them.
fn of_a_rack() -> Value {
    json!({"kind": "Role", "name": "rack-r1", "spec": {
        "rules": [{"verbs": ["get", "hold"], "kinds": ["Machine"], "selector": "rack=r1"}]}})
}

/// What a role may do, written down a second time: the other is in the code.
fn may(role: &str, verb: &str, kind: &str, every: bool) -> bool {
    let secret = ["Token", "User", "Audit"].contains(&kind);
    let action = !["get", "write", "delete"].contains(&verb);
    let ours = secret || ["Role", "Webhook", "Site"].contains(&kind);
    let (see, declare) = (verb == "get" && !secret, !ours && !action && verb != "get");
    match role {
        "admin" => true,
        "viewer" => see,
        "operator" => see || action,
        "editor" => see || action || declare,
        "rack-r1" => ["get", "hold"].contains(&verb) && ["Machine", "each"].contains(&kind) && !every,
        _ => unreachable!("{role}"),
    }
}

/// Whether a role may call an operation, by what the document says of it.
fn may_call(role: &str, permission: &Value) -> bool {
    let (kind, every) = (permission["kind"].as_str().unwrap_or_default(), permission["every"] == true);
    match &permission["verb"] {
        Value::Null => true,
        Value::Array(verbs) => verbs.iter().any(|verb| may(role, verb.as_str().unwrap(), kind, every)),
        verb => may(role, verb.as_str().unwrap(), kind, every),
    }
}

/// Calls every operation as nobody, with each role that is built in, and with one that was declared.
#[tokio::test]
async fn every_operation_refuses_whom_it_says_and_nobody_else() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    rig.apply(&[of_a_rack()]).await;
    let roles = Role::BUILT_IN.into_iter().chain(["rack-r1".parse().unwrap()]);
    let mut tokens = Vec::new();
    for role in roles {
        tokens.push((role.to_string(), token(&rig, &role.to_string(), role).await));
    }
    let router = secure(&rig);
    let document = openapi::document();
    let (mut operations, mut calls, mut refusals) = (0, 0, 0);
    let mut anybody = BTreeSet::new();
    for (method, path, operation) in described(&document) {
        operations += 1;
        let open = operation["x-permission"]["open"] == true;
        assert_eq!(open, operation["security"] == json!([]), "{method} {path}");
        if open {
            // It is how one comes by a token: nothing of the request is right here, but that nobody sends it is no reason.
            let answer = call(&router, (&method, &path), None, &Value::Null).await;
            assert_eq!(wrong(&document, &operation, &answer), None, "{method} {path}");
            let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.0);
            assert!(!refused && !answer.0.is_server_error(), "{method} {path}: {}", answer.0);
            anybody.insert(format!("{method} {path}"));
            continue;
        }
        // Of things that are not there: what may be asked is answered, and nothing is changed.
        let asked = filled(&path, "01940000-0000-7000-8000-000000000000", false);
        for wrong_token in [None, Some("wrong")] {
            let answer = call(&router, (&method, &asked), wrong_token, &Value::Null).await;
            assert_eq!(answer.0, StatusCode::UNAUTHORIZED, "{method} {path} with {wrong_token:?}");
            assert_eq!(wrong(&document, &operation, &answer), None, "{method} {path}");
            (calls, refusals) = (calls + 1, refusals + 1);
        }
        for (role, token) in &tokens {
            let answer = call(&router, (&method, &asked), Some(token), &Value::Null).await;
            calls += 1;
            if may_call(role, &operation["x-permission"]) {
                let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.0);
                assert!(!refused, "{method} {path} by {role}: {}", answer.0);
                assert!(!answer.0.is_server_error(), "{method} {path} by {role}: {}", answer.0);
            } else {
                refusals += 1;
                assert_eq!(answer.0, StatusCode::FORBIDDEN, "{method} {path} by {role}");
                let problem: Problem = serde_json::from_slice(&answer.2).unwrap();
                assert_eq!(problem.code, "forbidden");
                assert!(problem.detail.contains(&format!("the role {role}")), "{}", problem.detail);
            }
            assert_eq!(wrong(&document, &operation, &answer), None, "{method} {path} by {role}");
        }
    }
    println!("{operations} operations, {calls} calls, {refusals} of them refused");
    assert!(calls > 300 && refusals > 150, "{calls} {refusals}");
    let open = ["GET /api/v1/sign-in", "POST /api/v1/token", "POST /api/v1/token/exchange"];
    assert_eq!(anybody, open.map(str::to_owned).into(), "what anybody may call is said here by name");
}

/// Calls every operation on things that are there, and holds each answer to its schema.
#[tokio::test]
async fn what_is_answered_is_what_the_document_says() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let (boot, _) = rig.script(MAC1, [10, 77, 0, 100]).await;
    let admin = token(&rig, "a", Role::Admin).await;
    token(&rig, "spare", Role::Viewer).await;
    rig.apply(&[of_a_rack()]).await;
    rig.apply(&[
        json!({"kind": "HardwareClass", "name": "big", "spec": {}}),
        json!({"kind": "ExpectedMachine", "name": "n90", "spec": {"serial": "S90"}}),
        json!({"kind": "AcceptRule", "name": "all", "spec": {"paused": true}}),
    ])
    .await;
    let delivery = crate::webhooks::a_delivery(&rig).await;
    user(&rig, "alice", Role::Viewer).await;
    let router = secure(&rig);
    let report = json!({"version": 1, "hostname": "n1", "disks": [{"name": "vda", "transport": "virtio"}],
        "nics": [{"name": "eno1", "mac": MAC1, "addresses": ["10.77.0.100/24"]}]});
    let agent = rig.configs.agent_token(boot).unwrap().expose().clone();
    let facts = format!("/agent/v1/boots/{boot}/facts");
    let reported = call(&router, (&Method::POST, &facts), Some(&agent), &report).await;
    assert_eq!(reported.0, StatusCode::OK);
    // A mirror that nobody answers at: what is fetched from it goes on until it is called off.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let file =
        json!({"url": format!("http://{}/kernel", silent.local_addr().unwrap()), "sha256": "0".repeat(64)});
    let slow = json!({"spec": {"os": "generic", "arch": "x86_64", "version": "1", "kernel": file, "initrd": [file]}});
    let request = Request::put("/api/v1/images/slow")
        .header(header::AUTHORIZATION, format!("Bearer {admin}"))
        .header("prefer", "respond-async");
    let (status, headers, _) = asked(&router, request, Body::from(slow.to_string())).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let operation_path = headers[header::LOCATION].to_str().unwrap().to_owned();
    let document = openapi::document();
    let mut all = described(&document);
    // What deletes comes last, and what is needed by others after those.
    let last = [
        "groups", "machines", "profiles", "images", "subnets", "firmware", "tokens", "webhooks", "roles",
        "users",
    ];
    let order = |(method, path, _): &(Method, String, Value)| {
        let place = last.iter().position(|kind| path.contains(kind)).unwrap_or_default();
        (*method == Method::DELETE, path.contains("accept"), path.contains("retire"), place)
    };
    all.sort_by_key(order);
    let mut fine = BTreeSet::new();
    for (method, path, operation) in &all {
        let id = if path.contains("/webhooks/") { delivery.to_string() } else { boot.to_string() };
        let mut asked = filled(path, &id, true);
        if path.ends_with("/explain") && *method == Method::GET && !path.contains("machines") {
            asked = format!("{asked}?mac={MAC1}");
        }
        if path.ends_with("/operations/{id}") {
            asked.clone_from(&operation_path);
        }
        let id = operation["operationId"].as_str().unwrap();
        if path.contains("/bmc") || path.ends_with("/power") {
            rig.apply(&[with_bmc(&rig)]).await;
        }
        let body = body(&rig, id, operation);
        for dry in ["?dry-run=true", ""] {
            let takes =
                operation["parameters"].as_array().into_iter().flatten().any(|p| p["name"] == "dry-run");
            if !dry.is_empty() && !takes {
                continue;
            }
            let answer = call(&router, (method, &format!("{asked}{dry}")), Some(&admin), &body).await;
            assert_eq!(wrong(&document, operation, &answer), None, "{method} {asked}{dry}");
            if answer.0.is_success() {
                fine.insert(format!("{id}{dry}"));
            }
        }
    }
    let ids = all.iter().map(|(_, _, operation)| operation["operationId"].as_str().unwrap().to_owned());
    // Another profile needs the image; an admin's token has no password; there is no issuer here (that is in oidc.rs), and no BMC (those are
    // in the stories).
    let stay = ["deleteImage", "changePassword", "exchangeToken", "getMachineBmcLog", "identifyMachine"];
    let silent: Vec<String> = ids.filter(|id| !fine.contains(id) && !stay.contains(&id.as_str())).collect();
    assert!(silent.is_empty(), "these were not answered well: {silent:?}");
}

/// A DHCPDISCOVER of a BIOS's PXE (RFC 2131, section 2), in hex.
fn discover() -> String {
    let fixed = format!("01010600{:08x}00008000{}", 7, "00".repeat(16));
    let hardware = format!("{}{}", MAC1.replace(':', ""), "00".repeat(10 + 192));
    let options = format!("6382536335010{}3c09{}5d020000ff", 1, hex::encode("PXEClient"));
    format!("{fixed}{hardware}{options}")
}

/// The machine with a BMC that nobody can sign in to.
fn with_bmc(rig: &Rig) -> Value {
    let declared = rig.documents();
    let mut machine =
        declared.into_iter().find(|one| one["kind"] == "Machine" && one["name"] == "n1").unwrap();
    machine["spec"]["bmc"] = json!({"type": "ipmi", "address": "127.0.0.1", "username": "admin",
        "password": {"env": "PILOTLIGHT_SECRET_OF_NO_BMC"}});
    machine
}

/// A body that is good here.
fn body(rig: &Rig, id: &str, operation: &Value) -> Value {
    let declared = rig.documents();
    let of = |kind: &str, name: &str| {
        let mut found =
            declared.iter().find(|one| one["kind"] == kind && one["name"] == name).unwrap().clone();
        found.as_object_mut().unwrap().remove("kind");
        found
    };
    match id {
        "putSubnet" => of("Subnet", "rack-a"),
        "putImage" => of("Image", "os"),
        "putProfile" => of("Profile", "worker"),
        "putGroup" => of("Group", "workers"),
        "putMachine" => of("Machine", "n1"),
        "applyDocuments" | "planDocuments" => json!(declared),
        "createUser" => json!({"name": "bob", "password": PASSWORD, "role": "viewer"}),
        "signIn" => json!({"name": "alice", "password": PASSWORD}),
        "explainPacket" => json!({"packet": discover(), "subnet": "rack-a"}),
        _ => operation["requestBody"]["content"]["application/json"]["example"].clone(),
    }
}

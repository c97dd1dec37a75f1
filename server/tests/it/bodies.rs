//! What becomes of bodies that are not as they should be: each endpoint that takes one says what is wrong and where, in one way.
use crate::{
    http::{asked, secure, token},
    rig::{Engine, Rig},
};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use pilotlight::http::openapi;
use pilotlight_types::api::{Problem, Role};
use serde_json::Value;

/// Every operation that takes a body, with the example of one, and whether it must have one.
fn taking() -> Vec<(Method, String, Value, bool)> {
    let document = openapi::document();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let example = &operation["requestBody"]["content"]["application/json"]["example"];
            if !example.is_null() {
                // Of things that are not there yet: what is written by mistake is seen.
                let path = path.replace("{name}", "spare");
                let needed = operation["requestBody"]["required"] == true;
                all.push((method.to_uppercase().parse().unwrap(), path, example.clone(), needed));
            }
        }
    }
    all
}

/// The same JSON with a NUL in each text.
fn with_nuls(value: &Value) -> Value {
    match value {
        Value::String(text) => format!("{text}\0").into(),
        Value::Array(items) => items.iter().map(with_nuls).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), with_nuls(value))).collect())
        }
        other => other.clone(),
    }
}

/// How many changes there were. That somebody could not sign in is told as an event, and changes nothing.
async fn changes(rig: &Rig) -> usize {
    rig.kinds().await.iter().filter(|kind| !["test.mark", "session.refused"].contains(&kind.as_str())).count()
}

#[tokio::test]
async fn every_body_that_is_wrong_is_told_what_and_where() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let admin = token(&rig, "a", Role::Admin).await;
    let router = secure(&rig);
    let before = changes(&rig).await;
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let mut calls = 0;
    let operations = taking();
    assert!(operations.len() > 10, "{operations:?}");
    for (method, path, example, needed) in &operations {
        let list = example.is_array();
        let twice = if list { r#"[{"kind": 1, "kind": 2}]"# } else { r#"{"spec": 1, "spec": 2}"# };
        let unknown = if list { r#"[{"colour": "red"}]"# } else { r#"{"colour": "red"}"# };
        let cases = [
            ("no JSON", "rubbish".to_owned(), 400, "line 1 column 1"),
            ("half of it", "{\"spec\":".to_owned(), 400, "line 1"),
            ("nothing", String::new(), 400, "the body is empty"),
            ("two of them", format!("{example} {example}"), 400, "trailing characters"),
            ("a control character", "{\"a\": \"\u{1}\"}".to_owned(), 400, "control character"),
            ("a lone surrogate", r#"{"a": "\ud800"}"#.to_owned(), 400, "line 1"),
            ("no Unicode", "\u{1}".to_owned(), 400, "line 1"),
            ("too deep", nested(1000), 400, "recursion limit"),
            ("deep", nested(100), 422, ""),
            ("a number", "42".to_owned(), 422, "invalid type: integer"),
            ("a text", "\"x\"".to_owned(), 422, "invalid type: string"),
            ("null", "null".to_owned(), 422, "invalid type: null"),
            ("the other shape", if list { "{}" } else { "[[]]" }.to_owned(), 422, ""),
            ("a key twice", twice.to_owned(), 422, "is here twice"),
            ("a key that nobody knows", unknown.to_owned(), 422, ""),
            ("NULs", with_nuls(example).to_string(), 0, ""),
            ("too much", format!("\"{}\"", "x".repeat(17 << 20)), 413, ""),
        ];
        for (case, body, status, words) in cases {
            if body.is_empty() && !needed {
                continue;
            }
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(header::AUTHORIZATION, format!("Bearer {admin}"));
            let (found, headers, bytes) = asked(&router, request, Body::from(body)).await;
            calls += 1;
            let said = String::from_utf8_lossy(&bytes).into_owned();
            let place = format!("{method} {path} with {case}: {found} {said}");
            assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json", "{place}");
            let problem: Problem = serde_json::from_str(&said).unwrap();
            // What a NUL is in decides whether the request is wrong, or its content, or somebody's password.
            let expected = if status == 0 { found.is_client_error() } else { found == status };
            assert!(expected, "{place}, and {status} was expected");
            let code = match found.as_u16() {
                400 => "bad-request",
                413 => "too-large",
                _ => "invalid",
            };
            assert!(problem.code == code || status == 0, "{place}");
            assert!(
                problem.detail.contains(words) || problem.errors.iter().any(|e| e.detail.contains(words)),
                "{place}"
            );
            if found == 422 && status == 422 {
                assert!(!problem.errors.is_empty(), "{place} says no place");
            }
        }
    }
    println!("{} operations, {calls} calls", operations.len());
    assert_eq!(changes(&rig).await, before, "nothing of that was written");
}

//! The JSON that requests send: read in one way for every endpoint, so that each says of what is wrong what it is and where.
use super::{LARGEST_BODY, problem::Failure};
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
};
use pilotlight_types::api::Mistake;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use std::fmt;

/// What was sent, as it is expected there. 400 where it is no JSON, 413 where it is too large, 422 where it is JSON of another shape,
/// with the place in `errors`.
pub(super) struct Sent<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        parse(&whole(request, state).await?, str::to_owned).map(Self)
    }
}

/// The same where nothing need be sent.
pub(super) struct SentOrNot<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for SentOrNot<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let body = whole(request, state).await?;
        if body.is_empty() { Ok(Self(T::default())) } else { parse(&body, str::to_owned).map(Self) }
    }
}

/// The same for what is a secret in whole or in part: what is wrong is told, and no value is repeated.
pub(super) struct SentSecret<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for SentSecret<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        parse(&whole(request, state).await?, without_values).map(Self)
    }
}

async fn whole<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Failure> {
    Bytes::from_request(request, state).await.map_err(|error| {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Failure::too_large(format!("a body has up to {} MiB", LARGEST_BODY >> 20))
        } else {
            Failure::bad_request(error.body_text())
        }
    })
}

/// What is wrong, in serde's words, without the value that it is about.
fn without_values(said: &str) -> String {
    if ["missing field `", "unknown field `", "the key `"].iter().any(|known| said.starts_with(known)) {
        return said.to_owned();
    }
    let kind = ["invalid type: ", "invalid value: "].iter().find(|known| said.starts_with(**known));
    match (kind, said.split_once(['`', '"']), said.rsplit_once(", expected ")) {
        (Some(_), Some((kind, _)), Some((_, expected))) => {
            format!("{}, expected {expected}", kind.trim_end())
        }
        (Some(_), None, Some(_)) => said.to_owned(),
        _ => "it is not what is expected here".to_owned(),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8], say: fn(&str) -> String) -> Result<T, Failure> {
    if body.is_empty() {
        return Err(Failure::bad_request("the body is empty, and JSON is expected"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let Plain(value) = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if error.is_data() { misshapen(&path, &say(&error.to_string())) } else { no_json(&error) }
    })?;
    reader.end().map_err(|error| no_json(&error))?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        misshapen(&path, &say(&error.into_inner().to_string()))
    })
}

fn no_json(error: &serde_json::Error) -> Failure {
    Failure::bad_request(format!("the body is no JSON: {error}"))
}

fn misshapen(path: &str, detail: &str) -> Failure {
    let path = if path == "." { String::new() } else { path.to_owned() };
    let place = if path.is_empty() { "what was sent".to_owned() } else { format!("`{path}`") };
    let mistake = Mistake { document: 0, path, position: None, detail: detail.to_owned() };
    Failure::mistakes(format!("{place}: {detail}"), vec![mistake])
}

/// Any JSON in which no key is twice in one object: of two, readers take either, and a person the one that they see.
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Self)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if all.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{}` is here twice", key.escape_default())));
            }
            let Plain(value) = entries.next_value()?;
            all.insert(key, value);
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused<T: DeserializeOwned>(body: &str) -> (String, String) {
        parse::<T>(body.as_bytes(), str::to_owned).err().map(Failure::told).unwrap()
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        type Numbers = std::collections::BTreeMap<String, Vec<u8>>;
        for (body, code, words) in [
            ("", "bad-request", "the body is empty"),
            ("{", "bad-request", "the body is no JSON: EOF while parsing an object at line 1 column 1"),
            ("{} {}", "bad-request", "trailing characters at line 1 column 4"),
            (r#"{"a": ["\ud800"]}"#, "bad-request", "at line 1"),
            (r#"{"a": [1], "a": [2]}"#, "invalid", "the key `a` is here twice"),
            (r#"{"b": {"a": 1, "a": 1}}"#, "invalid", "`b`: the key `a` is here twice"),
            (r#"{"a": [1, "x"]}"#, "invalid", "`a[1]`: invalid type: string \"x\", expected u8"),
            ("[]", "invalid", "what was sent: invalid type: sequence, expected a map"),
        ] {
            let (found, detail) = refused::<Numbers>(body);
            assert_eq!(found, code, "{body}: {detail}");
            assert!(detail.contains(words), "{body}: {detail}");
        }
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(refused::<Value>(&deep).1.contains("recursion limit"));
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Word {
            #[serde(rename = "password")]
            _password: String,
        }
        for (body, words) in [
            ("\"hunter2\"", "what was sent: invalid type: string, expected struct Word"),
            (r#"{"password": 4711}"#, "`password`: invalid type: integer, expected a string"),
            (
                r#"{"password": ["hunter2, expected \"x\""]}"#,
                "`password`: invalid type: sequence, expected a string",
            ),
            ("{}", "what was sent: missing field `password`"),
            (r#"{"pasword": "hunter2"}"#, "`pasword`: unknown field `pasword`, expected `password`"),
            (r#"{"password": "hunter2", "password": "hunter2"}"#, "the key `password` is here twice"),
        ] {
            let (_, detail) =
                parse::<Word>(body.as_bytes(), without_values).err().map(Failure::told).unwrap();
            assert!(detail.contains(words), "{body}: {detail}");
            assert!(!detail.contains("hunter2") && !detail.contains("4711"), "{body}: {detail}");
        }
        let sly = without_values("invalid value: string \"a, expected `hunter2`\", expected 4");
        assert_eq!(sly, "invalid value: string, expected 4");
    }

    proptest! {
        #[test]
        fn bytes_are_json_for_us_as_for_anybody_unless_a_key_is_twice(body in "[\\[\\]{}:,\"ab0-9. eE\\\\u-]{0,40}") {
            let theirs = serde_json::from_slice::<Value>(body.as_bytes());
            match parse::<Value>(body.as_bytes(), str::to_owned) {
                Ok(ours) => prop_assert_eq!(ours, theirs.unwrap()),
                Err(failure) => prop_assert!(theirs.is_err() || failure.told().1.contains("twice")),
            }
        }
    }
}

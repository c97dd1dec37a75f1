//! Webhooks: what can be told of one before anything is sent.
use super::Findings;
use crate::domain::{
    selector::Selector,
    webhook::{place_of, target},
};
use pilotlight_types::resource::{Given, SecretRef, SigningKeys, WebhookSpec};

/// How many patterns, headers and keys a webhook may have.
const MOST: (usize, usize, usize) = (50, 20, 4);

/// The longest header's value and certificate, in bytes.
const LONGEST: (usize, usize) = (4096, 64 << 10);

/// Checks a webhook.
pub(super) fn check(spec: &WebhookSpec, found: &mut Findings) {
    let (patterns, headers, keys) = MOST;
    if spec.events.is_empty() || spec.events.len() > patterns {
        found.error(
            "spec.events",
            format!("1 to {patterns} kinds of events are expected; `*` is all of them"),
        );
    }
    if let Err(bad) = spec.selector.parse::<Selector>() {
        found.error("spec.selector", bad.to_string());
    }
    check_given("spec.url", &spec.url, found);
    let mut plain = false;
    if let Given::Text(url) = &spec.url {
        match target(url) {
            Ok(target) => plain = target.url.scheme() == "http",
            Err(why) => found.error("spec.url", why),
        }
    }
    let all = spec.secret.as_ref().map(SigningKeys::places).unwrap_or_default();
    if spec.secret.is_some() && !(1..=keys).contains(&all.len()) {
        found.error("spec.secret", format!("1 to {keys} keys are expected"));
    }
    for (index, reference) in all.iter().enumerate() {
        check_reference(&format!("spec.secret[{index}]"), reference, found);
    }
    if spec.secret.is_none() {
        found.warnings.push("without `secret` its receiver cannot tell who sends to it".into());
    }
    if spec.headers.len() > headers {
        found.error("spec.headers", format!("up to {headers} headers are expected"));
    }
    for (name, value) in &spec.headers {
        let path = format!("spec.headers.{name}");
        check_given(&path, value, found);
        match value {
            Given::Text(text)
                if text.len() > LONGEST.0 || !text.bytes().all(|b| (0x20..0x7f).contains(&b)) =>
            {
                found.error(path, format!("up to {} printable ASCII characters are expected", LONGEST.0));
            }
            Given::Secret(_) if plain => {
                found.error(path, "a secret is not sent in the clear: an https:// URL is expected");
            }
            Given::Text(_) | Given::Secret(_) => {}
        }
    }
    if plain {
        found
            .warnings
            .push("events are sent in the clear: https:// keeps them from who is in between".into());
    }
    if let Some(ca) = &spec.ca {
        check_given("spec.ca", ca, found);
        if matches!(ca, Given::Text(pem) if pem.len() > LONGEST.1 || !pem.contains("-----BEGIN CERTIFICATE-----"))
        {
            found.error("spec.ca", "certificates in PEM are expected, or {file: …}");
        }
    }
    if !(1..=20).contains(&spec.timeout.as_secs()) {
        found.error("spec.timeout", "1s to 20s are expected");
    }
}

fn check_given(path: &str, given: &Given, found: &mut Findings) {
    if let Given::Secret(reference) = given {
        check_reference(path, reference, found);
    }
}

fn check_reference(path: &str, reference: &SecretRef, found: &mut Findings) {
    if let Err(why) = place_of(reference) {
        found.error(format!("{path}.{}", reference.source()), why);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{right, wrong};
    use pilotlight_types::resource::Kind;
    use serde_json::{Value, json};

    fn with(change: Value) -> Value {
        let mut spec = json!({
            "url": "https://hooks.example/x", "events": ["*"], "secret": {"file": "/etc/pilotlight/secrets/key"},
        });
        for (key, value) in change.as_object().unwrap() {
            spec[key] = value.clone();
        }
        spec
    }

    #[test]
    fn a_wrong_webhook_is_told_where_it_is_wrong() {
        for (change, path, words) in [
            (json!({"url": "ftp://hooks.example/"}), "spec.url", "https://… or http://…"),
            (json!({"url": "https://me:pw@hooks.example/"}), "spec.url", "no name and password"),
            (json!({"url": {"file": "relative"}}), "spec.url.file", "no absolute path"),
            (json!({"events": []}), "spec.events", "1 to 50"),
            (json!({"selector": "a b"}), "spec.selector", "no selector term"),
            (json!({"secret": []}), "spec.secret", "1 to 4"),
            (json!({"secret": {"env": "HOME"}}), "spec.secret[0].env", "PILOTLIGHT_SECRET_"),
            (json!({"secret": {"file": "/s/{{ machine.name }}"}}), "spec.secret[0].file", "no templates"),
            (json!({"headers": {"x-a": "b\r\nc: d"}}), "spec.headers.x-a", "printable ASCII"),
            (json!({"ca": "rubbish"}), "spec.ca", "PEM"),
            (json!({"timeout": "1m"}), "spec.timeout", "1s to 20s"),
            (
                json!({"url": "http://hooks.example/", "headers": {"authorization": {"file": "/s/token"}}}),
                "spec.headers.authorization",
                "not sent in the clear",
            ),
        ] {
            wrong(&[], Kind::Webhook, &with(change), path, words);
        }
    }

    #[test]
    fn what_is_probably_not_meant_is_a_warning() {
        assert_eq!(right(&[], Kind::Webhook, &with(json!({}))), [""; 0]);
        let odd = right(&[], Kind::Webhook, &json!({"url": "http://hooks.example/", "events": ["boot.*"]}));
        assert_eq!(odd.len(), 2, "{odd:?}");
    }
}

//! How webhooks are told, and where they may lead.
use super::parsed;
use crate::config::fragment;
use ipnet::IpNet;
use pilotlight_types::resource::Duration;
use std::net::IpAddr;

/// How webhooks are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Networks that may be reached in any case.
    pub networks: Vec<IpNet>,
    /// Hosts that may be reached whatever their address is, in lower case.
    pub hosts: Vec<String>,
    /// How long to wait after the first failure.
    pub retry_first: Duration,
    /// The longest pause between tries.
    pub retry_longest: Duration,
    /// How long it is tried.
    pub retry_for: Duration,
    /// How long deliveries that are done are kept.
    pub keep: Duration,
    /// How many of those of one webhook.
    pub keep_count: usize,
}

/// The section `[webhooks]`.
pub(super) fn webhooks(
    from: &fragment::Webhooks,
    found: &mut impl FnMut(&str, String),
) -> Option<WebhookSettings> {
    let (mut networks, mut hosts) = (Vec::new(), Vec::new());
    for text in from.allow.iter().flatten() {
        if let Ok(network) = text.parse::<IpNet>() {
            networks.push(network);
        } else if let Ok(address) = text.parse::<IpAddr>() {
            networks.push(address.into());
        } else if is_host(text) {
            hosts.push(text.trim_end_matches('.').to_ascii_lowercase());
        } else {
            let why = format!(
                "`{}`: a network such as 10.0.0.0/8, an address or a host's name is expected",
                text.escape_default()
            );
            found("webhooks.allow", why);
        }
    }
    let mut time = |key: &str, text: &Option<String>, default: &str| {
        parsed::<Duration>(key, text.as_deref().unwrap_or(default), found)
    };
    let first = time("webhooks.retry-first", &from.retry_first, "5s");
    let longest = time("webhooks.retry-longest", &from.retry_longest, "1h");
    let whole = time("webhooks.retry-for", &from.retry_for, "1d");
    let keep = time("webhooks.keep", &from.keep, "14d");
    let keep_count = from.keep_count.unwrap_or(10_000);
    if first.is_some_and(|first| first.as_secs() == 0) {
        found("webhooks.retry-first", "at least 1s is expected".into());
    }
    if first.zip(longest).is_some_and(|(first, longest)| longest < first) {
        found("webhooks.retry-longest", "it is shorter than webhooks.retry-first".into());
    }
    if keep_count == 0 || keep_count > 1_000_000 {
        found("webhooks.keep-count", "1 to 1000000 are expected".into());
    }
    Some(WebhookSettings {
        networks,
        hosts,
        retry_first: first?,
        retry_longest: longest?,
        retry_for: whole?,
        keep: keep?,
        keep_count,
    })
}

/// A name that a URL can have; with a letter in it, for what looks like an address is no name.
fn is_host(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=253).contains(&text.len())
        && text.bytes().all(plain)
        && text.bytes().any(|b| b.is_ascii_alphabetic())
}

//! What an issuer says of somebody: whether it is said to us and now, and what role comes of it.
use pilotlight_types::{Timestamp, api::Role};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How far an issuer's clock may be from ours.
pub const SKEW: Duration = Duration::from_secs(60);

/// How many groups are looked at.
const MOST_GROUPS: usize = 1000;

/// The longest name that is kept, in characters.
const LONGEST_NAME: usize = 100;

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Who made it.
    pub issuer: &'a str,
    /// For whom it may be.
    pub audiences: &'a [&'a str],
    /// What we asked for it by.
    pub nonce: Option<&'a str>,
}

/// What is wrong with a token that is signed well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadClaim {
    /// It is another issuer's.
    #[error("it is not by {0}")]
    Issuer(String),
    /// It is for others.
    #[error("it is for {said}, and not for {wanted}")]
    Audience {
        /// For whom it is.
        said: String,
        /// For whom it should be.
        wanted: String,
    },
    /// It is over.
    #[error("it ended {0} s ago")]
    Ended(u64),
    /// It is not good yet.
    #[error("it begins in {0} s: the clocks differ")]
    Early(u64),
    /// It is not what was asked for now.
    #[error("its nonce is not the one of this sign-in")]
    Nonce,
    /// It lacks something that each must have, or has it in another form.
    #[error("its `{0}` is missing, or not what it must be")]
    Missing(&'static str),
}

/// Whether a token is by that issuer, for us, and good now (OpenID Connect Core 1.0, section 3.1.3.7).
pub fn check(claims: &Map<String, Value>, expected: Expected<'_>, now: Timestamp) -> Result<(), BadClaim> {
    if claims.get("iss").and_then(Value::as_str) != Some(expected.issuer) {
        return Err(BadClaim::Issuer(expected.issuer.to_owned()));
    }
    audience(claims, expected.audiences)?;
    let seconds = now.micros().div_euclid(1_000_000);
    let skew = i64::try_from(SKEW.as_secs()).unwrap_or_default();
    let time = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            #[expect(clippy::cast_possible_truncation, reason = "a time far away is as good as the furthest")]
            let whole = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64));
            whole.map(Some).ok_or(BadClaim::Missing(name))
        }
    };
    let ends = time("exp")?.ok_or(BadClaim::Missing("exp"))?;
    if seconds >= ends.saturating_add(skew) {
        return Err(BadClaim::Ended(seconds.saturating_sub(ends).unsigned_abs()));
    }
    let made = time("iat")?.ok_or(BadClaim::Missing("iat"))?;
    let begins = time("nbf")?.unwrap_or(made).max(made);
    if begins > seconds.saturating_add(skew) {
        return Err(BadClaim::Early(begins.saturating_sub(seconds).unsigned_abs()));
    }
    if expected.nonce.is_some_and(|nonce| claims.get("nonce").and_then(Value::as_str) != Some(nonce)) {
        return Err(BadClaim::Nonce);
    }
    subject(claims).map(drop)
}

fn audience(claims: &Map<String, Value>, wanted: &[&str]) -> Result<(), BadClaim> {
    let said = texts(claims.get("aud"));
    let ours = said.iter().any(|one| wanted.contains(&one.as_str()));
    // Where it is for several, the one that it was made for is ours.
    let asked_by = claims.get("azp").and_then(Value::as_str);
    let for_us = said.len() < 2 || asked_by.is_some_and(|by| wanted.contains(&by));
    if ours && for_us {
        return Ok(());
    }
    let said = if said.is_empty() { "nobody".to_owned() } else { said.join(", ") };
    Err(BadClaim::Audience { said: plain(&said), wanted: wanted.join(" or ") })
}

/// Who it is about, as only the issuer knows them.
pub fn subject(claims: &Map<String, Value>) -> Result<&str, BadClaim> {
    let subject = claims.get("sub").and_then(Value::as_str).filter(|subject| !subject.is_empty());
    subject.ok_or(BadClaim::Missing("sub"))
}

/// The name of somebody: a claim's, or else their subject.
pub fn name(claims: &Map<String, Value>, claim: &str) -> Result<String, BadClaim> {
    let named = claims.get(claim).and_then(Value::as_str).map(plain).filter(|name| !name.is_empty());
    match named {
        Some(name) => Ok(name),
        None => Some(plain(subject(claims)?)).filter(|name| !name.is_empty()).ok_or(BadClaim::Missing("sub")),
    }
}

/// The groups that a claim has: a list, or one text.
pub fn groups(claims: &Map<String, Value>, claim: &str) -> BTreeSet<String> {
    texts(claims.get(claim)).into_iter().take(MOST_GROUPS).collect()
}

/// The role of somebody in these groups: an admin's before all; then one that was declared, for whoever gives it to a group means
/// just that, the first by name; then the highest of those that are built in.
pub fn role(groups: &BTreeSet<String>, roles: &BTreeMap<String, Role>) -> Option<Role> {
    let rank = |role: &&Role| match role {
        Role::Admin => 0,
        Role::Custom(_) => 1,
        Role::Editor => 2,
        Role::Operator => 3,
        Role::Viewer => 4,
    };
    let theirs = groups.iter().filter_map(|group| roles.get(group));
    theirs.min_by(|one, other| (rank(one), one.as_str()).cmp(&(rank(other), other.as_str()))).cloned()
}

/// Whether the claims are as these texts and patterns say, each of them.
pub fn all_match(claims: &Map<String, Value>, wanted: &BTreeMap<String, String>) -> bool {
    // Nothing asked for would be everything given.
    !wanted.is_empty()
        && wanted.iter().all(|(claim, pattern)| {
            let mut said = texts(claims.get(claim)).into_iter();
            said.any(|text| matches(pattern, &text))
        })
}

/// Whether a pattern takes a text: `*` is any text without a slash, `**` any text. The work is the product of their lengths at the most.
pub fn matches(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    // At each place of the text: whether what was seen of the pattern takes all before it.
    let mut taken: Vec<bool> = std::iter::once(true).chain(text.iter().map(|_| false)).collect();
    let mut pattern = pattern.chars().peekable();
    while let Some(c) = pattern.next() {
        let star = c == '*';
        let deep = star && pattern.next_if_eq(&'*').is_some();
        let mut next = Vec::with_capacity(taken.len());
        let mut before = false;
        for (at, was) in taken.iter().enumerate() {
            // The character that ends here.
            let passed = at.checked_sub(1).and_then(|at| text.get(at)).copied();
            let now = if star {
                *was || before && (deep || passed != Some('/'))
            } else {
                before && passed == Some(c)
            };
            next.push(now);
            before = if star { now } else { *was };
        }
        taken = next;
    }
    taken.last() == Some(&true)
}

/// A claim's texts: one, or those of a list. Numbers and truth values as they are written.
fn texts(value: Option<&Value>) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    match value {
        Some(Value::Array(all)) => all.iter().filter_map(text).collect(),
        Some(value) => text(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// A text of somebody else's as a name: of one line, and not long.
fn plain(text: &str) -> String {
    let seen = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.trim().chars().filter(seen).take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: i64 = 1_760_000_000;

    fn claims(changes: Value) -> Map<String, Value> {
        let mut claims = json!({"iss": "https://i.example", "aud": "us", "sub": "1", "iat": NOW - 5, "exp": NOW + 300, "nonce": "n"});
        for (key, value) in changes.as_object().unwrap() {
            claims[key] = value.clone();
        }
        claims.as_object().unwrap().clone()
    }

    fn checked(changes: Value) -> Result<(), BadClaim> {
        let expected = Expected { issuer: "https://i.example", audiences: &["us", "cli"], nonce: Some("n") };
        check(&claims(changes), expected, Timestamp::from_micros(NOW * 1_000_000))
    }

    #[test]
    fn a_token_is_by_its_issuer_for_us_and_good_now() {
        for good in [
            json!({}),
            json!({"aud": ["us"]}),
            json!({"aud": ["us", "others"], "azp": "us"}),
            json!({"exp": NOW - 59}),
            json!({"iat": NOW + 60, "nbf": NOW + 60}),
            json!({"exp": NOW as f64 + 0.5}),
        ] {
            assert_eq!(checked(good.clone()), Ok(()), "{good}");
        }
        for (bad, words) in [
            (json!({"iss": "https://i.example/"}), "not by https://i.example"),
            (json!({"iss": null}), "not by"),
            (json!({"aud": "others"}), "for others, and not for us or cli"),
            (json!({"aud": []}), "for nobody"),
            (json!({"aud": ["us", "others"]}), "for us, others"),
            (json!({"aud": ["us", "others"], "azp": "others"}), "for us, others"),
            (json!({"exp": NOW - 60}), "ended 60 s ago"),
            (json!({"exp": "soon"}), "`exp`"),
            (json!({"exp": null}), "`exp`"),
            (json!({"iat": null}), "`iat`"),
            (json!({"nbf": "never"}), "`nbf`"),
            (json!({"nbf": NOW + 61}), "begins in 61 s"),
            (json!({"iat": NOW + 3600}), "begins in 3600 s"),
            (json!({"nonce": "m"}), "nonce"),
            (json!({"nonce": null}), "nonce"),
            (json!({"sub": ""}), "`sub`"),
        ] {
            let error = checked(bad.clone()).expect_err(&bad.to_string());
            assert!(error.to_string().contains(words), "{bad}: {error}");
        }
    }

    #[test]
    fn several_groups_give_the_highest_role_and_none_gives_none() {
        let roles = BTreeMap::from([("ops".to_owned(), Role::Operator), ("core".to_owned(), Role::Admin)]);
        let of = |value: Value| role(&groups(&claims(json!({"groups": value})), "groups"), &roles);
        assert_eq!(of(json!(["ops", "core", "others"])), Some(Role::Admin));
        assert_eq!(of(json!("ops")), Some(Role::Operator));
        for none in [json!([]), json!(["Ops", "cor"]), json!(null), json!({"ops": true}), json!([["ops"]])] {
            assert_eq!(of(none.clone()), None, "{none}");
        }
    }

    #[test]
    fn a_name_is_one_line() {
        let named = |value: Value| name(&claims(json!({"n": value})), "n").unwrap();
        assert_eq!(named(json!("alice@example.com")), "alice@example.com");
        assert_eq!(named(json!("a\nlice\u{202e}")), "alice");
        assert_eq!(named(json!("\n")), "1", "or else the subject");
        assert_eq!(named(json!("x".repeat(500))).len(), LONGEST_NAME);
    }

    #[test]
    fn claims_are_as_a_rule_says() {
        let claims = claims(
            json!({"project_path": "infra/site", "ref": "main", "ref_protected": "true", "n": 3, "groups": ["a", "b"]}),
        );
        let rule = |pairs: &[(&str, &str)]| {
            let wanted = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            all_match(&claims, &wanted)
        };
        assert!(rule(&[("project_path", "infra/*"), ("ref_protected", "true")]));
        assert!(rule(&[("n", "3"), ("groups", "b")]));
        for bad in [
            vec![("project_path", "infra/*"), ("ref", "develop")],
            vec![("project_path", "infra")],
            vec![("project_path", "*")],
            vec![("missing", "**")],
            vec![],
        ] {
            assert!(!rule(&bad), "{bad:?}");
        }
    }

    #[test]
    fn a_star_ends_at_a_slash_and_two_do_not() {
        for (pattern, text) in [
            ("a", "a"),
            ("a/*", "a/b"),
            ("a/*", "a/"),
            ("**", "a/b/c"),
            ("a/**/z", "a/b/c/z"),
            ("release-*", "release-1"),
            ("*/site", "infra/site"),
            ("a*c*e", "abcde"),
            ("*é*", "aéb"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("a", "ab"),
            ("a", "A"),
            ("a/*", "a/b/c"),
            ("a/*", "evil/a/b"),
            ("*", "a/b"),
            ("", "a"),
            ("infra/*", "infra-evil/x"),
            ("a.c", "abc"),
            ("release-*", "prerelease-1"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_without_stars_takes_itself_only(a in "[a-z/é]{0,8}", b in "[a-z/é]{0,8}") {
            prop_assert!(matches(&a, &a));
            prop_assert_eq!(matches(&a, &b), a == b);
            prop_assert!(matches("**", &a));
            let prefixed = format!("{a}**");
            let joined = format!("{a}{b}");
            prop_assert!(matches(&prefixed, &joined));
            let starred = format!("{a}*");
            prop_assert_eq!(matches(&starred, &joined), !b.contains('/'));
        }
    }
}

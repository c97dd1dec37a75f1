//! Selectors, as kubectl has them: `role=worker,rack!=r1,gpu,!spare`. All terms must hold.
use pilotlight_types::resource::Labels;
use std::str::FromStr;

/// Which resources are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector(Vec<Term>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    Is(String, String),
    IsNot(String, String),
    Has(String),
    HasNot(String),
}

/// A text that is no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no selector term: key=value, key!=value, key or !key is expected")]
pub struct SelectorError(String);

impl Selector {
    /// Whether it takes everything.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes what both take.
    pub fn and(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().cloned());
        self
    }

    /// Whether a resource with these labels is meant. `field` knows what is no label, such as `stage`.
    pub fn takes(&self, labels: &Labels, field: impl Fn(&str) -> Option<String>) -> bool {
        let value = |key: &str| field(key).or_else(|| labels.get(key).map(str::to_owned));
        self.0.iter().all(|term| match term {
            Term::Is(key, wanted) => value(key).as_ref() == Some(wanted),
            Term::IsNot(key, wanted) => value(key).as_ref() != Some(wanted),
            Term::Has(key) => value(key).is_some(),
            Term::HasNot(key) => value(key).is_none(),
        })
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let terms = text.split(',').map(str::trim).filter(|term| !term.is_empty());
        terms.map(term).collect::<Result<_, _>>().map(Self)
    }
}

fn term(text: &str) -> Result<Term, SelectorError> {
    let wrong = || SelectorError(text.chars().take(80).collect());
    let plain = |part: &str| {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
        let part = part.trim();
        if part.is_empty() || !part.chars().all(good) { Err(wrong()) } else { Ok(part.to_owned()) }
    };
    if let Some((key, value)) = text.split_once("!=") {
        return Ok(Term::IsNot(plain(key)?, plain(value)?));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(Term::Is(plain(key)?, plain(value)?));
    }
    match text.strip_prefix('!') {
        Some(key) => Ok(Term::HasNot(plain(key)?)),
        None => Ok(Term::Has(plain(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(selector: &str) -> bool {
        let labels: Labels = serde_json::from_str(r#"{"role": "worker", "rack": "r1"}"#).unwrap();
        let stage = |key: &str| (key == "stage").then(|| "active".to_owned());
        selector.parse::<Selector>().unwrap().takes(&labels, stage)
    }

    #[test]
    fn a_selector_reads_as_in_kubectl() {
        for yes in
            ["", "role=worker", "role==worker,rack!=r2", "rack", "!gpu", "stage=active", " role = worker "]
        {
            assert!(takes(yes), "{yes}");
        }
        for no in ["role=storage", "role!=worker", "gpu", "!rack", "stage=ready,role=worker"] {
            assert!(!takes(no), "{no}");
        }
        for bad in ["=x", "a=", "a b", "!!a", "a='b'"] {
            assert!(bad.parse::<Selector>().is_err(), "{bad}");
        }
    }
}

//! Selectors, as kubectl has them: `role=worker,rack!=r1,gpu,!spare`. All terms must hold. What several rules of a role take is one
//! selector too: then it is enough that all terms of one of them hold.
use pilotlight_types::resource::Labels;
use std::str::FromStr;

/// Which resources are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector(Vec<Terms>);

/// All of these must hold.
type Terms = Vec<Term>;

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

impl Default for Selector {
    fn default() -> Self {
        Self(vec![Vec::new()])
    }
}

impl Term {
    /// Whether this one holds wherever the other does. It is decided by what is written only, which may say no where a yes were right.
    fn follows_from(&self, other: &Self) -> bool {
        self == other
            || match (self, other) {
                (Self::Has(key), Self::Is(same, _)) => key == same,
                (Self::IsNot(key, value), Self::Is(same, another)) => key == same && value != another,
                (Self::IsNot(key, _), Self::HasNot(same)) => key == same,
                _ => false,
            }
    }
}

impl Selector {
    /// Takes nothing.
    pub const fn nothing() -> Self {
        Self(Vec::new())
    }

    /// Whether it takes everything.
    pub fn is_empty(&self) -> bool {
        self.0.iter().any(Vec::is_empty)
    }

    /// Takes what both take.
    pub fn and(&self, other: &Self) -> Self {
        let pairs = self.0.iter().flat_map(|one| other.0.iter().map(move |two| (one, two)));
        Self(pairs.map(|(one, two)| [one.as_slice(), two].concat()).collect())
    }

    /// Takes what either takes.
    pub fn or(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().cloned());
        self
    }

    /// Whether the other takes all that this one takes, as far as the terms tell; where they do not, it says no.
    pub fn is_within(&self, other: &Self) -> bool {
        let inside = |ours: &Terms, theirs: &Terms| {
            theirs.iter().all(|wanted| ours.iter().any(|term| wanted.follows_from(term)))
        };
        self.0.iter().all(|ours| other.0.iter().any(|theirs| inside(ours, theirs)))
    }

    /// Whether a resource with these labels is meant. `field` knows what is no label, such as `stage`.
    pub fn takes(&self, labels: &Labels, field: impl Fn(&str) -> Option<String>) -> bool {
        let value = |key: &str| field(key).or_else(|| labels.get(key).map(str::to_owned));
        let holds = |term: &Term| match term {
            Term::Is(key, wanted) => value(key).as_ref() == Some(wanted),
            Term::IsNot(key, wanted) => value(key).as_ref() != Some(wanted),
            Term::Has(key) => value(key).is_some(),
            Term::HasNot(key) => value(key).is_none(),
        };
        self.0.iter().any(|terms| terms.iter().all(holds))
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let terms = text.split(',').map(str::trim).filter(|term| !term.is_empty());
        terms.map(term).collect::<Result<_, _>>().map(|terms| Self(vec![terms]))
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

    #[test]
    fn what_is_within_another_takes_no_more_than_it() {
        let parsed = |text: &str| text.parse::<Selector>().unwrap();
        for (narrow, wide) in
            [("a=1,b=2", "a=1"), ("a=1", "a"), ("a=1", "a!=2"), ("!a", "a!=2"), ("a=1", ""), ("a=1", "a=1")]
        {
            assert!(parsed(narrow).is_within(&parsed(wide)), "{narrow} in {wide}");
        }
        for (wide, narrow) in [("", "a=1"), ("a", "a=1"), ("a=1", "a!=1"), ("a!=2", "!a"), ("a=1", "a=1,b=2")]
        {
            assert!(!parsed(wide).is_within(&parsed(narrow)), "{wide} in {narrow}");
        }
        let either = parsed("a=1").or(&parsed("b"));
        assert!(parsed("b=2").is_within(&either) && !either.is_within(&parsed("a=1")));
        assert!(Selector::nothing().is_within(&parsed("a=1")) && !either.is_within(&Selector::nothing()));
        assert!(!Selector::nothing().takes(&Labels::default(), |_| None));
    }
}

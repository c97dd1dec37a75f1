//! What a token is good for beside its role: objects of some kinds only, or with some labels only.
use super::selector::{Selector, SelectorError};
use pilotlight_types::{
    api,
    resource::{Kind, Labels},
};

/// Which objects somebody may see and change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    kinds: Vec<Kind>,
    selector: Selector,
    words: api::Scope,
}

/// Which part of a scope an object is not in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfScope {
    /// It is of another kind.
    #[error("the token's scope has the kinds {known}, and this is about {kind}")]
    Kind {
        /// Its kind.
        kind: Kind,
        /// Those of the scope.
        known: String,
    },
    /// Its labels do not fit.
    #[error("the token's scope has the selector `{selector}`, which does not take {kind} {name}")]
    Selector {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// The scope's selector.
        selector: String,
    },
    /// It is about no object that a scope could take.
    #[error("the token has a scope ({0}), and this is not about objects that have a kind and labels")]
    Whole(String),
}

impl Scope {
    /// The scope that was asked for.
    pub fn new(words: &api::Scope) -> Result<Self, SelectorError> {
        let selector = words.selector.parse()?;
        Ok(Self { kinds: words.kinds.clone(), selector, words: words.clone() })
    }

    /// As it was asked for.
    pub const fn words(&self) -> &api::Scope {
        &self.words
    }

    /// Whether everything is in it.
    pub fn is_everything(&self) -> bool {
        self.kinds.is_empty() && self.selector.is_empty()
    }

    /// Fails unless everything is in it.
    pub fn permits_all(&self) -> Result<(), OutOfScope> {
        if self.is_everything() { Ok(()) } else { Err(OutOfScope::Whole(self.words.to_string())) }
    }

    /// Fails if no object of that kind can be in it.
    pub fn permits_kind(&self, kind: Kind) -> Result<(), OutOfScope> {
        if self.kinds.is_empty() || self.kinds.contains(&kind) {
            return Ok(());
        }
        let known: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
        Err(OutOfScope::Kind { kind, known: known.join(", ") })
    }

    /// Fails if an object with these labels is not in it. `field` knows what is no label, such as a machine's rack.
    pub fn permits(
        &self,
        kind: Kind,
        name: &str,
        labels: &Labels,
        field: impl Fn(&str) -> Option<String>,
    ) -> Result<(), OutOfScope> {
        self.permits_kind(kind)?;
        if self.selector.takes(labels, field) {
            return Ok(());
        }
        let selector = self.words.selector.clone();
        Err(OutOfScope::Selector { kind, name: name.to_owned(), selector })
    }

    /// Whether it asks for labels at all.
    pub fn has_selector(&self) -> bool {
        !self.selector.is_empty()
    }

    /// A selector that takes only what is in the scope as well.
    pub fn narrow(&self, selector: Selector) -> Selector {
        selector.and(&self.selector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(kinds: &[Kind], selector: &str) -> Scope {
        Scope::new(&api::Scope { kinds: kinds.to_vec(), selector: selector.into() }).unwrap()
    }

    #[test]
    fn an_object_is_in_a_scope_by_its_kind_and_its_labels() {
        let labels: Labels = serde_json::from_str(r#"{"site": "dc1"}"#).unwrap();
        let permits = |scope: &Scope, kind| scope.permits(kind, "x", &labels, |_| None);
        assert_eq!(permits(&Scope::default(), Kind::Subnet), Ok(()));
        assert_eq!(permits(&scope(&[Kind::Group], "site=dc1"), Kind::Group), Ok(()));
        let other = permits(&scope(&[Kind::Group, Kind::Profile], "site=dc1"), Kind::Subnet).unwrap_err();
        assert_eq!(
            other.to_string(),
            "the token's scope has the kinds Group, Profile, and this is about Subnet"
        );
        let elsewhere = permits(&scope(&[], "site=dc2"), Kind::Group).unwrap_err();
        assert_eq!(
            elsewhere.to_string(),
            "the token's scope has the selector `site=dc2`, which does not take Group x"
        );
    }

    #[test]
    fn only_a_scope_of_everything_is_good_for_what_is_no_object() {
        assert_eq!(scope(&[], "").permits_all(), Ok(()));
        assert!(scope(&[Kind::Machine], "").permits_all().is_err());
        assert!(scope(&[], "site").permits_all().is_err());
        assert!(Scope::new(&api::Scope { kinds: vec![], selector: "a b".into() }).is_err());
    }
}

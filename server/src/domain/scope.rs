//! What a token is good for, of what its role allows: some verbs only, objects of some kinds only, or with some labels only.
use super::selector::{Selector, SelectorError};
use pilotlight_types::{
    api,
    resource::{Kind, Labels, RuleKind, Verb},
};

/// What of a role somebody may use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    selector: Selector,
    words: api::Scope,
}

/// Which part of a scope says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfScope {
    /// It is another verb.
    #[error("the token's scope has the verbs {known}, and this is to `{verb}`")]
    Verb {
        /// What was to be done.
        verb: Verb,
        /// Those of the scope.
        known: String,
    },
    /// It is of another kind.
    #[error("the token's scope has the kinds {known}, and this is about {kind}")]
    Kind {
        /// Its kind.
        kind: RuleKind,
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
    /// It has no labels that a selector could take.
    #[error(
        "the token's scope has the selector `{selector}`, which takes nothing of the kind {kind}: those have no labels"
    )]
    NoLabels {
        /// Its kind.
        kind: RuleKind,
        /// The scope's selector.
        selector: String,
    },
}

impl Scope {
    /// The scope that was asked for.
    pub fn new(words: &api::Scope) -> Result<Self, SelectorError> {
        Ok(Self { selector: words.selector.parse()?, words: words.clone() })
    }

    /// As it was asked for.
    pub const fn words(&self) -> &api::Scope {
        &self.words
    }

    /// What objects must be like.
    pub const fn selector(&self) -> &Selector {
        &self.selector
    }

    /// Whether it asks for labels at all.
    pub fn has_selector(&self) -> bool {
        !self.selector.is_empty()
    }

    /// Whether it has this verb and this kind; none stands for one that there will be.
    pub fn means(&self, verb: Option<Verb>, kind: Option<RuleKind>) -> bool {
        let verb = self.words.verbs.is_empty() || verb.is_some_and(|verb| self.words.verbs.contains(&verb));
        let kinds = self.words.kinds.is_empty() || kind.is_some_and(|kind| self.words.kinds.contains(&kind));
        verb && kinds
    }

    /// Fails if it leaves this verb out.
    pub fn permits_verb(&self, verb: Verb) -> Result<(), OutOfScope> {
        if self.means_verb(verb) {
            return Ok(());
        }
        let known: Vec<String> = self.words.verbs.iter().map(Verb::to_string).collect();
        Err(OutOfScope::Verb { verb, known: known.join(", ") })
    }

    fn means_verb(&self, verb: Verb) -> bool {
        self.words.verbs.is_empty() || self.words.verbs.contains(&verb)
    }

    /// Fails if there can be no object of that kind that this may be done to.
    pub fn permits_some(&self, verb: Verb, kind: RuleKind) -> Result<(), OutOfScope> {
        self.permits_verb(verb)?;
        if !self.means(Some(verb), Some(kind)) {
            let known: Vec<String> = self.words.kinds.iter().map(RuleKind::to_string).collect();
            return Err(OutOfScope::Kind { kind, known: known.join(", ") });
        }
        if self.has_selector() && !kind.has_labels() {
            return Err(OutOfScope::NoLabels { kind, selector: self.words.selector.clone() });
        }
        Ok(())
    }

    /// Fails if its selector does not take an object with these labels.
    pub(super) fn permits(
        &self,
        (kind, name): (Kind, &str),
        labels: &Labels,
        field: impl Fn(&str) -> Option<String>,
    ) -> Result<(), OutOfScope> {
        if self.selector.takes(labels, field) {
            return Ok(());
        }
        let selector = self.words.selector.clone();
        Err(OutOfScope::Selector { kind, name: name.to_owned(), selector })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(verbs: &[Verb], kinds: &[Kind], selector: &str) -> Scope {
        let kinds = kinds.iter().copied().map(RuleKind::Resource).collect();
        Scope::new(&api::Scope { verbs: verbs.to_vec(), kinds, selector: selector.into() }).unwrap()
    }

    #[test]
    fn a_scope_says_which_part_of_it_says_no() {
        let of = RuleKind::Resource;
        assert_eq!(Scope::default().permits_some(Verb::Write, RuleKind::Token), Ok(()));
        let some = scope(&[Verb::Get], &[Kind::Group, Kind::Profile], "site=dc1");
        assert_eq!(some.permits_some(Verb::Get, of(Kind::Group)), Ok(()));
        let why = |verb, kind| some.permits_some(verb, kind).unwrap_err().to_string();
        assert_eq!(
            why(Verb::Get, of(Kind::Subnet)),
            "the token's scope has the kinds Group, Profile, and this is about Subnet"
        );
        assert_eq!(
            why(Verb::Write, of(Kind::Group)),
            "the token's scope has the verbs get, and this is to `write`"
        );
        let site = scope(&[], &[], "site=dc2").permits_some(Verb::Get, RuleKind::Site).unwrap_err();
        assert!(site.to_string().contains("takes nothing of the kind Site"), "{site}");
        let labels: Labels = serde_json::from_str(r#"{"site": "dc2"}"#).unwrap();
        let elsewhere = some.permits((Kind::Group, "x"), &labels, |_| None).unwrap_err();
        assert_eq!(
            elsewhere.to_string(),
            "the token's scope has the selector `site=dc1`, which does not take Group x"
        );
        assert!(Scope::new(&api::Scope { selector: "a b".into(), ..api::Scope::default() }).is_err());
    }
}

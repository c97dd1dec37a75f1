//! What somebody may do: what their role allows, and of that what their token is good for. One function each answers whether a thing may
//! be done to an object, which objects a list shows, and whether somebody may give to others what they ask to give.
mod built_in;
#[cfg(test)]
mod tests;
mod within;

pub use built_in::{built_in, described};
pub use within::Beyond;

use super::{
    scope::Scope,
    selector::{Selector, SelectorError},
};
use pilotlight_types::{
    api::Role,
    resource::{Kind, Labels, RoleRule, RoleSpec, RuleKind, Verb, Wild, Word},
};
use std::sync::Arc;

/// What somebody may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    role: Role,
    rules: Arc<[Rule]>,
    scope: Scope,
}

/// A rule of a role, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    verbs: Vec<Wild<Verb>>,
    kinds: Vec<Wild<RuleKind>>,
    selector: Selector,
    /// The selector as it was written.
    text: String,
    /// All of it, for people.
    words: String,
}

/// Why somebody may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// The role has no rule for it.
    #[error("the role {role} may not `{verb}` {kind}")]
    Kind {
        /// The role.
        role: Role,
        /// What was to be done.
        verb: Verb,
        /// To which kind of object.
        kind: RuleKind,
    },
    /// The role has rules for other objects of that kind.
    #[error("the role {role} may `{verb}` {kind} only where {selectors} holds, which is not so for {name}")]
    Selector {
        /// The role.
        role: Role,
        /// What was to be done.
        verb: Verb,
        /// To which kind of object.
        kind: RuleKind,
        /// To which one.
        name: String,
        /// The selectors of the rules.
        selectors: String,
    },
    /// The role has nothing to do with that verb.
    #[error("the role {role} may not `{verb}` anything")]
    Verb {
        /// The role.
        role: Role,
        /// What was to be done.
        verb: Verb,
    },
    /// It is about every object of a kind.
    #[error("this takes the right to `{verb}` every {kind}, and {whose} has that for some only")]
    Every {
        /// What was to be done.
        verb: Verb,
        /// To which kind of object.
        kind: RuleKind,
        /// Which part of the rights says so.
        whose: String,
    },
    /// The role allows it, and the token is not good for it.
    #[error(transparent)]
    OutOfScope(#[from] super::scope::OutOfScope),
}

impl Rule {
    /// Understands a rule.
    pub fn new(rule: &RoleRule) -> Result<Self, SelectorError> {
        let RoleRule { verbs, kinds, selector } = rule;
        let list = |words: Vec<String>| words.join(",");
        let text = selector.trim().to_owned();
        let verbs_and_kinds = [
            list(verbs.iter().map(Wild::to_string).collect()),
            list(kinds.iter().map(Wild::to_string).collect()),
        ];
        Ok(Self {
            verbs: verbs.clone(),
            kinds: kinds.clone(),
            selector: selector.parse()?,
            words: format!("{} {text}", verbs_and_kinds.join(" ")).trim_end().to_owned(),
            text,
        })
    }

    /// Whether it says something of this verb on some objects of this kind. A selector takes nothing of what has no labels, and what
    /// is done to machines only is done to nothing else.
    fn is_about(&self, verb: Verb, kind: RuleKind) -> bool {
        let word = self.verbs.iter().any(|one| matches!(one, Wild::Any) || *one == Wild::One(verb));
        let kinds = self.kinds.iter().any(|one| matches!(one, Wild::Any) || *one == Wild::One(kind));
        verb.is_for(kind) && word && kinds && (kind.has_labels() || self.selector.is_empty())
    }
}

/// The rules of a role that was declared.
pub fn rules(spec: &RoleSpec) -> Result<Arc<[Rule]>, SelectorError> {
    spec.rules.iter().map(Rule::new).collect()
}

impl Rights {
    /// What this role with these rules allows, as far as the scope goes.
    pub const fn new(role: Role, rules: Arc<[Rule]>, scope: Scope) -> Self {
        Self { role, rules, scope }
    }

    /// Everything.
    pub fn everything() -> Self {
        Self::new(Role::Admin, built_in(&Role::Admin), Scope::default())
    }

    /// The role.
    pub const fn role(&self) -> &Role {
        &self.role
    }

    /// What of it the token is good for.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The role's rules, as they are written.
    pub fn described(&self) -> Vec<RoleRule> {
        let written = |rule: &Rule| RoleRule {
            verbs: rule.verbs.clone(),
            kinds: rule.kinds.clone(),
            selector: rule.text.clone(),
        };
        self.rules.iter().map(written).collect()
    }

    fn about(&self, verb: Verb, kind: RuleKind) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| rule.is_about(verb, kind))
    }

    /// Fails if there can be no object of this kind that it may be done to.
    pub fn permits_some(&self, verb: Verb, kind: RuleKind) -> Result<(), Forbidden> {
        if self.about(verb, kind).next().is_none() {
            return Err(Forbidden::Kind { role: self.role.clone(), verb, kind });
        }
        Ok(self.scope.permits_some(verb, kind)?)
    }

    /// Fails if it may be done to nothing at all.
    pub fn permits_any(&self, verb: Verb) -> Result<(), Forbidden> {
        let mut kinds = RuleKind::all().into_iter();
        if kinds.any(|kind| self.about(verb, kind).next().is_some()) {
            return Ok(self.scope.permits_verb(verb)?);
        }
        Err(Forbidden::Verb { role: self.role.clone(), verb })
    }

    /// Fails unless it may be done to every object of this kind.
    pub fn permits_every(&self, verb: Verb, kind: RuleKind) -> Result<(), Forbidden> {
        self.permits_some(verb, kind)?;
        let every = |whose: String| Forbidden::Every { verb, kind, whose };
        if !self.about(verb, kind).any(|rule| rule.selector.is_empty()) {
            return Err(every(format!("the role {}", self.role)));
        }
        if self.scope.has_selector() { Err(every("the token's scope".to_owned())) } else { Ok(()) }
    }

    /// Fails unless it may be done to an object with these labels. `field` knows what is no label, such as a machine's rack.
    pub fn permits(
        &self,
        verb: Verb,
        (kind, name): (Kind, &str),
        labels: &Labels,
        field: impl Fn(&str) -> Option<String>,
    ) -> Result<(), Forbidden> {
        let of = RuleKind::Resource(kind);
        self.permits_some(verb, of)?;
        if !self.about(verb, of).any(|rule| rule.selector.takes(labels, &field)) {
            let selectors: Vec<String> =
                self.about(verb, of).map(|rule| format!("`{}`", rule.text)).collect();
            return Err(Forbidden::Selector {
                role: self.role.clone(),
                verb,
                kind: of,
                name: name.to_owned(),
                selectors: selectors.join(" or "),
            });
        }
        Ok(self.scope.permits((kind, name), labels, field)?)
    }

    /// What of a kind it may be done to.
    pub fn taken(&self, verb: Verb, kind: RuleKind) -> Selector {
        if self.scope.permits_some(verb, kind).is_err() {
            return Selector::nothing();
        }
        let rules = self.about(verb, kind).fold(Selector::nothing(), |all, rule| all.or(&rule.selector));
        rules.and(self.scope.selector())
    }

    /// Whether some objects may be out of what is seen.
    pub fn hides(&self) -> bool {
        Kind::ALL.into_iter().any(|kind| self.permits_every(Verb::Get, RuleKind::Resource(kind)).is_err())
    }
}

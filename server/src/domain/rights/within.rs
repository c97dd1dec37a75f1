//! Nobody gives what they do not have, as in Kubernetes: whether rights are within other rights.
use super::{Rights, Rule};
use crate::domain::{scope::Scope, selector::Selector};
use pilotlight_types::{
    api::Role,
    resource::{RuleKind, Verb, Wild, Word},
};

/// What somebody would give and does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {number} of the role {role} {why}")]
pub struct Beyond {
    /// The role that would be given, or written.
    pub role: Role,
    /// The rule's number in it, from 1.
    pub number: usize,
    /// What of it is not had, in words.
    why: String,
}

impl Rights {
    /// Fails unless everything that this role allows within this scope is among these rights. What is decided by labels is decided by
    /// the terms of the selectors alone: it may refuse what would be right, and never lets through what would not.
    pub fn may_give(&self, role: &Role, rules: &[Rule], scope: &Scope) -> Result<(), Beyond> {
        for (index, rule) in rules.iter().enumerate() {
            for verb in each(&rule.verbs) {
                for kind in each(&rule.kinds) {
                    let Some(given) = given(rule, scope, verb, kind) else { continue };
                    let had = self.had(verb, kind);
                    if given.is_within(&had) {
                        continue;
                    }
                    let selector =
                        if had == Selector::nothing() { "" } else { " wherever its selector takes them" };
                    let verb = verb.map_or("*", Word::word);
                    let kind = kind.map_or("*", Word::word);
                    let why = format!(
                        "({}) is beyond your own rights: you may not `{verb}` {kind}{selector}",
                        rule.words
                    );
                    return Err(Beyond { role: role.clone(), number: index + 1, why });
                }
            }
        }
        Ok(())
    }

    fn had(&self, verb: Option<Verb>, kind: Option<RuleKind>) -> Selector {
        self.rules
            .iter()
            .filter_map(|rule| given(rule, &self.scope, verb, kind))
            .fold(Selector::nothing(), |all, one| all.or(&one))
    }
}

/// Each word that is meant; none stands for those that there will be, which only `*` means.
fn each<T: Word>(words: &[Wild<T>]) -> Vec<Option<T>> {
    if words.iter().any(|word| matches!(word, Wild::Any)) {
        return T::all().into_iter().map(Some).chain([None]).collect();
    }
    words.iter().filter_map(|word| if let Wild::One(one) = word { Some(Some(*one)) } else { None }).collect()
}

fn means<T: Word>(words: &[Wild<T>], wanted: Option<T>) -> bool {
    words
        .iter()
        .any(|word| matches!(word, Wild::Any) || wanted.is_some_and(|wanted| *word == Wild::One(wanted)))
}

/// The objects that a rule allows a verb on, within a scope; none if that is nothing.
fn given(rule: &Rule, scope: &Scope, verb: Option<Verb>, kind: Option<RuleKind>) -> Option<Selector> {
    // Machines alone are accepted, held, armed: to allow it on anything else is to allow nothing.
    let possible = verb.is_none_or(|verb| kind.is_none_or(|kind| verb.is_for(kind)));
    let both = means(&rule.verbs, verb) && means(&rule.kinds, kind) && scope.means(verb, kind) && possible;
    let selector = rule.selector.and(scope.selector());
    let some = kind.is_none_or(RuleKind::has_labels) || selector.is_empty();
    (both && some).then_some(selector)
}

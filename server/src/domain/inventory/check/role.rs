//! What a role says: rules that can be understood, and that allow something.
use super::Findings;
use crate::domain::rights::Rule;
use pilotlight_types::{
    api::Role,
    resource::{Name, RoleRule, RoleSpec, Wild},
};

/// How many rules a role may have.
const MOST_RULES: usize = 64;

/// How long a description may be, in characters.
const LONGEST_DESCRIPTION: usize = 1000;

pub(super) fn check(name: &Name, spec: &RoleSpec, found: &mut Findings) {
    if !matches!(Role::from(name.clone()), Role::Custom(_)) {
        found.error("name", format!("the role {name} is built in: take another name"));
    }
    if !(1..=MOST_RULES).contains(&spec.rules.len()) {
        found.error("spec.rules", format!("a role has 1 to {MOST_RULES} rules"));
    }
    let description = spec.description.as_deref().unwrap_or_default();
    if description.chars().count() > LONGEST_DESCRIPTION || description.contains(char::is_control) {
        let wanted = format!("up to {LONGEST_DESCRIPTION} printable characters are expected");
        found.error("spec.description", wanted);
    }
    for (index, rule) in spec.rules.iter().take(MOST_RULES).enumerate() {
        check_rule(&format!("spec.rules[{index}]"), rule, found);
    }
}

fn check_rule(place: &str, rule: &RoleRule, found: &mut Findings) {
    let RoleRule { verbs, kinds, selector } = rule;
    if verbs.is_empty() {
        found.error(format!("{place}.verbs"), "a rule has verbs, or `*` for all");
    }
    if kinds.is_empty() {
        found.error(format!("{place}.kinds"), "a rule has kinds, or `*` for all");
    }
    if let Err(error) = Rule::new(rule) {
        found.error(format!("{place}.selector"), error.to_string());
    }
    for (index, verb) in verbs.iter().enumerate() {
        if let Wild::One(verb) = verb {
            let fits = |kind: &Wild<_>| match kind {
                Wild::Any => true,
                Wild::One(kind) => verb.is_for(*kind),
            };
            if !kinds.is_empty() && !kinds.iter().any(fits) {
                let detail = format!("`{verb}` is done to none of the rule's kinds");
                found.error(format!("{place}.verbs[{index}]"), detail);
            }
        }
    }
    for (index, kind) in kinds.iter().enumerate() {
        if let Wild::One(kind) = kind
            && !kind.has_labels()
            && !selector.trim().is_empty()
        {
            let detail = format!("nothing of the kind {kind} has labels, so no selector takes any");
            found.error(format!("{place}.kinds[{index}]"), detail);
        }
    }
}

/// Why a role cannot go by itself.
pub(super) fn needed(name: &Name) -> Option<String> {
    let role = Role::from(name.clone());
    (!matches!(role, Role::Custom(_))).then(|| "it is built in".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn wrong(name: &str, spec: Value) -> Vec<String> {
        let mut found = Findings::default();
        check(&name.parse().unwrap(), &serde_json::from_value(spec).unwrap(), &mut found);
        found.errors.into_iter().map(|finding| format!("{}: {}", finding.path, finding.detail)).collect()
    }

    #[test]
    fn what_allows_nothing_is_told_with_its_place() {
        let rule = |verbs: Value, kinds: Value, selector: &str| json!({"rules": [{"verbs": verbs, "kinds": kinds, "selector": selector}]});
        assert_eq!(wrong("web", rule(json!(["get", "hold"]), json!(["Machine"]), "team=web")), [""; 0]);
        assert_eq!(wrong("web", rule(json!(["*"]), json!(["*"]), "team=web")), [""; 0]);
        for (name, spec, told) in [
            ("admin", rule(json!(["get"]), json!(["*"]), ""), "name: the role admin is built in"),
            ("web", json!({"rules": []}), "spec.rules: a role has 1 to 64 rules"),
            ("web", rule(json!([]), json!(["*"]), ""), "spec.rules[0].verbs: a rule has verbs"),
            ("web", rule(json!(["get"]), json!([]), ""), "spec.rules[0].kinds: a rule has kinds"),
            (
                "web",
                rule(json!(["hold"]), json!(["Group"]), ""),
                "spec.rules[0].verbs[0]: `hold` is done to none",
            ),
            (
                "web",
                rule(json!(["get"]), json!(["Token"]), "a=1"),
                "spec.rules[0].kinds[0]: nothing of the kind",
            ),
            (
                "web",
                rule(json!(["get"]), json!(["*"]), "a b"),
                "spec.rules[0].selector: `a b` is no selector",
            ),
        ] {
            let found = wrong(name, spec);
            assert!(found.len() == 1 && found[0].starts_with(told), "{found:?}");
        }
    }
}

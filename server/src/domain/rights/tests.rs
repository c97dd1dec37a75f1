use super::*;
use pilotlight_types::api;
use proptest::prelude::*;

/// The kinds and labels that the properties are about: few, so that things meet.
const KINDS: [RuleKind; 4] =
    [RuleKind::Resource(Kind::Machine), RuleKind::Resource(Kind::Group), RuleKind::Token, RuleKind::Site];
const VERBS: [Verb; 3] = [Verb::Get, Verb::Write, Verb::Hold];
const SELECTORS: [&str; 7] = ["", "a=1", "a=2", "a", "!a", "a!=1,b=1", "a=1,b=1"];

fn wild<T: Word + std::fmt::Debug>(all: &'static [T]) -> impl Strategy<Value = Wild<T>> {
    prop_oneof![4 => proptest::sample::select(all).prop_map(Wild::One), 1 => Just(Wild::Any)]
}

fn a_rule() -> impl Strategy<Value = RoleRule> {
    let verbs = proptest::collection::vec(wild(&VERBS), 1..3);
    let kinds = proptest::collection::vec(wild(&KINDS), 1..3);
    (verbs, kinds, proptest::sample::select(&SELECTORS[..])).prop_map(|(verbs, kinds, selector)| RoleRule {
        verbs,
        kinds,
        selector: selector.into(),
    })
}

fn a_scope() -> impl Strategy<Value = api::Scope> {
    let verbs = proptest::collection::vec(proptest::sample::select(&VERBS[..]), 0..2);
    let kinds = proptest::collection::vec(proptest::sample::select(&KINDS[..]), 0..3);
    (verbs, kinds, proptest::sample::select(&SELECTORS[..])).prop_map(|(verbs, kinds, selector)| api::Scope {
        verbs,
        kinds,
        selector: selector.into(),
    })
}

/// Somebody with a role of these rules, and a token with this scope.
fn somebody(rules: &[RoleRule], scope: &api::Scope) -> Rights {
    let spec = RoleSpec { rules: rules.to_vec(), description: None };
    Rights::new("web".parse().unwrap(), super::rules(&spec).unwrap(), Scope::new(scope).unwrap())
}

/// Every set of the labels that the selectors ask for.
fn all_labels() -> Vec<Labels> {
    let values = [None, Some("1"), Some("2")];
    let of = |a: Option<&str>, b: Option<&str>| {
        let pairs: serde_json::Map<String, serde_json::Value> = [("a", a), ("b", b)]
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?.into())))
            .collect();
        serde_json::from_value(pairs.into()).unwrap()
    };
    values.iter().flat_map(|a| values.iter().map(move |b| (*a, *b))).map(|(a, b)| of(a, b)).collect()
}

/// The plain, slow way, from the words alone: some rule and the scope take the verb, the kind and the labels.
fn oracle(rules: &[RoleRule], scope: &api::Scope, verb: Verb, kind: RuleKind, labels: &Labels) -> bool {
    let selected = |text: &str| {
        let mut terms = text.split(',').filter(|term| !term.is_empty());
        let holds = |term: &str| match (term.split_once("!="), term.split_once('='), term.strip_prefix('!')) {
            (Some((key, value)), ..) => labels.get(key) != Some(value),
            (None, Some((key, value)), _) => labels.get(key) == Some(value),
            (None, None, Some(key)) => labels.get(key).is_none(),
            (None, None, None) => labels.get(term).is_some(),
        };
        let all = terms.all(holds);
        all && (text.is_empty() || matches!(kind, RuleKind::Resource(_)))
    };
    let by_role = rules.iter().any(|rule| {
        let verbs: Vec<String> = rule.verbs.iter().map(Wild::to_string).collect();
        let kinds: Vec<String> = rule.kinds.iter().map(Wild::to_string).collect();
        (verbs.contains(&"*".into()) || verbs.contains(&verb.to_string()))
            && (kinds.contains(&"*".into()) || kinds.contains(&kind.to_string()))
            && selected(&rule.selector)
    });
    let verb_asked = verb;
    let verb = scope.verbs.is_empty() || scope.verbs.contains(&verb);
    let kinds = scope.kinds.is_empty() || scope.kinds.contains(&kind);
    let possible = verb_asked != Verb::Hold || kind == RuleKind::Resource(Kind::Machine);
    by_role && possible && verb && kinds && selected(&scope.selector)
}

/// What these rights say of an object.
fn permits(rights: &Rights, verb: Verb, kind: RuleKind, labels: &Labels) -> bool {
    match kind {
        RuleKind::Resource(kind) => rights.permits(verb, (kind, "x"), labels, |_| None).is_ok(),
        _ => rights.permits_some(verb, kind).is_ok(),
    }
}

proptest! {
    #[test]
    fn what_is_allowed_is_what_a_plain_look_allows(
        rules in proptest::collection::vec(a_rule(), 0..4),
        scope in a_scope(),
    ) {
        let rights = somebody(&rules, &scope);
        for verb in VERBS {
            let mut any = false;
            for kind in KINDS {
                let mut every = true;
                for labels in all_labels() {
                    let wanted = oracle(&rules, &scope, verb, kind, &labels);
                    prop_assert_eq!(permits(&rights, verb, kind, &labels), wanted);
                    // Lists show what single objects would be let through.
                    if kind.has_labels() {
                        prop_assert_eq!(rights.taken(verb, kind).takes(&labels, |_| None), wanted);
                    }
                    if wanted {
                        prop_assert_eq!(rights.permits_some(verb, kind), Ok(()));
                        any = true;
                    }
                    every &= wanted;
                }
                // What is said of all of a kind is so for each of them.
                prop_assert!(rights.permits_every(verb, kind).is_err() || every);
            }
            prop_assert!(!any || rights.permits_any(verb).is_ok());
        }
    }

    #[test]
    fn what_may_be_given_is_had(
        (mine, my_scope) in (proptest::collection::vec(a_rule(), 0..4), a_scope()),
        (theirs, their_scope) in (proptest::collection::vec(a_rule(), 0..3), a_scope()),
    ) {
        let (me, they) = (somebody(&mine, &my_scope), somebody(&theirs, &their_scope));
        let given = me.may_give(&they.role, &they.rules, &they.scope);
        let more = VERBS.into_iter().any(|verb| KINDS.into_iter().any(|kind| {
            all_labels().iter().any(|labels| permits(&they, verb, kind, labels) && !permits(&me, verb, kind, labels))
        }));
        // Labels that no object has are not looked at, so it may be careful; it is never careless.
        prop_assert!(given.is_err() || !more, "{:?} {:?} {:?} {:?}", mine, my_scope, theirs, their_scope);
        prop_assert!(me.may_give(&me.role, &me.rules, &me.scope).is_ok(), "one's own rights may be given on");
    }
}

#[test]
fn built_in_roles_allow_more_and_more_and_only_the_admin_gives_them_all() {
    let roles = Role::BUILT_IN.map(|role| Rights::new(role.clone(), built_in(&role), Scope::default()));
    for (place, rights) in roles.iter().enumerate() {
        for (other, less) in roles.iter().enumerate() {
            let given = rights.may_give(&less.role, &less.rules, &less.scope);
            assert_eq!(given.is_ok(), other <= place, "{} gives {}: {given:?}", rights.role, less.role);
        }
    }
    let [viewer, operator, editor, admin] = &roles;
    let of = RuleKind::Resource;
    assert!(viewer.permits_every(Verb::Get, RuleKind::Site).is_ok());
    assert!(viewer.permits_some(Verb::Hold, of(Kind::Machine)).is_err());
    assert!(operator.permits_every(Verb::Hold, of(Kind::Machine)).is_ok());
    assert!(operator.permits_some(Verb::Write, of(Kind::Group)).is_err());
    for kind in [RuleKind::Token, RuleKind::User, RuleKind::Audit, of(Kind::Role)] {
        assert!(editor.permits_some(Verb::Write, kind).is_err(), "{kind}");
        assert!(admin.permits_every(Verb::Write, kind).is_ok(), "{kind}");
    }
    assert!(editor.permits_some(Verb::Get, RuleKind::Token).is_err());
}

#[test]
fn what_is_beyond_is_said_with_its_rule() {
    let rule = |text: &str| serde_json::from_str::<RoleRule>(text).unwrap();
    let mine = [rule(r#"{"verbs": ["get", "hold"], "kinds": ["Machine"], "selector": "team=web"}"#)];
    let me = somebody(&mine, &api::Scope::default());
    let web = [mine[0].clone(), rule(r#"{"verbs": ["get"], "kinds": ["Machine"]}"#)];
    let them = somebody(&web, &api::Scope::default());
    let why = me.may_give(&them.role, &them.rules, &them.scope).unwrap_err();
    assert_eq!(
        why.to_string(),
        "rule 2 of the role web (get Machine) is beyond your own rights: you may not `get` Machine wherever its selector takes them"
    );
    let scope =
        Scope::new(&api::Scope { selector: "team=web,rack=r1".into(), ..api::Scope::default() }).unwrap();
    assert_eq!(me.may_give(&them.role, &them.rules, &scope), Ok(()), "a scope narrows what is given");
    let all = [rule(r#"{"verbs": ["*"], "kinds": ["Machine"]}"#)];
    let every: Vec<&str> = Verb::ALL.into_iter().map(Verb::word).collect();
    let listed = [rule(&serde_json::json!({"verbs": every, "kinds": ["Machine"]}).to_string())];
    let (all, listed) = (somebody(&all, &api::Scope::default()), somebody(&listed, &api::Scope::default()));
    let why = listed.may_give(&all.role, &all.rules, &all.scope).unwrap_err().to_string();
    assert!(
        why.contains("you may not `*` Machine"),
        "who may do all there is may not give what there will be: {why}"
    );
    assert_eq!(all.may_give(&listed.role, &listed.rules, &listed.scope), Ok(()));
}

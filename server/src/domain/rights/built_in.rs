//! The roles that are built in, as data. A kind that is new is nobody's but the admin's until it is named here.
use super::{Rule, rules};
use pilotlight_types::{
    api::Role,
    resource::{Kind, RoleRule, RoleSpec, RuleKind, Verb, Wild},
};
use std::sync::{Arc, LazyLock};

/// What is there to be looked at: roles too, for they say what one may do. Tokens, users and the audit log are the admin's.
const SEEN: [RuleKind; 12] = [
    RuleKind::Resource(Kind::Role),
    RuleKind::Resource(Kind::Firmware),
    RuleKind::Resource(Kind::Subnet),
    RuleKind::Resource(Kind::Image),
    RuleKind::Resource(Kind::Profile),
    RuleKind::Resource(Kind::Group),
    RuleKind::Resource(Kind::HardwareClass),
    RuleKind::Resource(Kind::ExpectedMachine),
    RuleKind::Resource(Kind::AcceptRule),
    RuleKind::Resource(Kind::Machine),
    RuleKind::Resource(Kind::Webhook),
    RuleKind::Site,
];

/// What an editor declares. What is told to whom, and with which secrets, is no matter of what machines run: webhooks are the admin's.
const DECLARED: [RuleKind; 9] = [
    RuleKind::Resource(Kind::Firmware),
    RuleKind::Resource(Kind::Subnet),
    RuleKind::Resource(Kind::Image),
    RuleKind::Resource(Kind::Profile),
    RuleKind::Resource(Kind::Group),
    RuleKind::Resource(Kind::HardwareClass),
    RuleKind::Resource(Kind::ExpectedMachine),
    RuleKind::Resource(Kind::AcceptRule),
    RuleKind::Resource(Kind::Machine),
];

/// What an operator does to machines.
const ACTIONS: [Verb; 6] =
    [Verb::Accept, Verb::Provision, Verb::Hold, Verb::Release, Verb::Retire, Verb::Power];

const MACHINES: [RuleKind; 1] = [RuleKind::Resource(Kind::Machine)];

const WEBHOOKS: [RuleKind; 1] = [RuleKind::Resource(Kind::Webhook)];

/// A role's rules, as those of a role that is declared; none of one that is not built in.
pub fn described(role: &Role) -> Option<RoleSpec> {
    let rule = |verbs: &[Verb], kinds: &[RuleKind]| RoleRule {
        verbs: verbs.iter().copied().map(Wild::One).collect(),
        kinds: kinds.iter().copied().map(Wild::One).collect(),
        selector: String::new(),
    };
    let (see, act) = (rule(&[Verb::Get], &SEEN), rule(&ACTIONS, &MACHINES));
    let resend = rule(&[Verb::Deliver], &WEBHOOKS);
    let declare = rule(&[Verb::Write, Verb::Delete], &DECLARED);
    let all = RoleRule { verbs: vec![Wild::Any], kinds: vec![Wild::Any], selector: String::new() };
    let (rules, description) = match role {
        Role::Viewer => (vec![see], "sees everything that is no secret"),
        Role::Operator => (vec![see, act, resend], "acts on machines and on what webhooks are told, as well"),
        Role::Editor => (vec![see, act, resend, declare], "changes what is declared, as well"),
        Role::Admin => (vec![all], "may do everything: tokens, roles and the audit log, as well"),
        Role::Custom(_) => return None,
    };
    Some(RoleSpec { rules, description: Some(description.to_owned()) })
}

/// A built-in role's rules, understood; none of one that is not built in.
pub fn built_in(role: &Role) -> Arc<[Rule]> {
    static RULES: LazyLock<Vec<(Role, Arc<[Rule]>)>> = LazyLock::new(|| {
        let understood = |role: Role| {
            let spec = described(&role)?;
            // They have no selectors: nothing of them can be misunderstood.
            Some((role, rules(&spec).ok()?))
        };
        Role::BUILT_IN.into_iter().filter_map(understood).collect()
    });
    let found = RULES.iter().find(|(name, _)| name == role);
    found.map_or_else(|| Arc::from([]), |(_, rules)| rules.clone())
}

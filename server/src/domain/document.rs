//! From what was sent to what is meant: each document as its kind, or where it is wrong.
mod all_mistakes;

use all_mistakes::typed;
use pilotlight_types::{
    api::Mistake,
    resource::{
        AcceptRuleSpec, Document, ExpectedMachineSpec, FirmwareSpec, GroupSpec, HardwareClassSpec, ImageSpec,
        Kind, Labels, MachineSpec, Name, ProfileSpec, RoleSpec, SubnetSpec, WebhookSpec,
    },
};
use serde_json::Value;
use std::collections::BTreeSet;

/// A spec of whatever kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    /// Of a role.
    Role(RoleSpec),
    /// Of firmware.
    Firmware(FirmwareSpec),
    /// Of a subnet.
    Subnet(SubnetSpec),
    /// Of an image.
    Image(ImageSpec),
    /// Of a profile.
    Profile(ProfileSpec),
    /// Of a group.
    Group(GroupSpec),
    /// Of a machine.
    Machine(MachineSpec),
    /// Of an accept rule.
    AcceptRule(AcceptRuleSpec),
    /// Of an expected machine.
    ExpectedMachine(ExpectedMachineSpec),
    /// Of a hardware class.
    HardwareClass(HardwareClassSpec),
    /// Of a webhook.
    Webhook(WebhookSpec),
}

/// A document whose spec is understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Meant {
    /// Its place among the documents that were sent.
    pub document: usize,
    /// Its name.
    pub name: Name,
    /// Its labels.
    pub labels: Labels,
    /// What is wanted.
    pub spec: Spec,
}

impl Spec {
    /// Its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Role(_) => Kind::Role,
            Self::Firmware(_) => Kind::Firmware,
            Self::Subnet(_) => Kind::Subnet,
            Self::Image(_) => Kind::Image,
            Self::Profile(_) => Kind::Profile,
            Self::Group(_) => Kind::Group,
            Self::Machine(_) => Kind::Machine,
            Self::AcceptRule(_) => Kind::AcceptRule,
            Self::ExpectedMachine(_) => Kind::ExpectedMachine,
            Self::HardwareClass(_) => Kind::HardwareClass,
            Self::Webhook(_) => Kind::Webhook,
        }
    }

    /// The spec as JSON.
    pub fn json(&self) -> Value {
        let json = match self {
            Self::Role(spec) => serde_json::to_value(spec),
            Self::Firmware(spec) => serde_json::to_value(spec),
            Self::Subnet(spec) => serde_json::to_value(spec),
            Self::Image(spec) => serde_json::to_value(spec),
            Self::Profile(spec) => serde_json::to_value(spec),
            Self::Group(spec) => serde_json::to_value(spec),
            Self::Machine(spec) => serde_json::to_value(spec),
            Self::AcceptRule(spec) => serde_json::to_value(spec),
            Self::ExpectedMachine(spec) => serde_json::to_value(spec),
            Self::HardwareClass(spec) => serde_json::to_value(spec),
            Self::Webhook(spec) => serde_json::to_value(spec),
        };
        json.unwrap_or_default()
    }
}

/// Understands every document, or says of each all that is wrong with it.
pub fn understand(documents: &[Value]) -> Result<Vec<Meant>, Vec<Mistake>> {
    let (mut meant, mut mistakes) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for (index, document) in documents.iter().enumerate() {
        if mistakes.len() >= MOST_MISTAKES {
            break;
        }
        match understand_one(index, document) {
            Ok(one) if !seen.insert((one.spec.kind(), one.name.clone())) => {
                mistakes.push(mistake(
                    index,
                    "name",
                    format!("{} {} is here twice", one.spec.kind(), one.name),
                ));
            }
            Ok(one) => meant.push(one),
            Err(wrong) => mistakes.extend(wrong),
        }
    }
    if mistakes.is_empty() { Ok(meant) } else { Err(mistakes) }
}

/// After how many mistakes no further documents are looked at.
const MOST_MISTAKES: usize = 1000;

/// How long a spec may be as JSON; a profile's, whose texts and files have bounds of their own, is the larger one.
const LONGEST: usize = 1 << 20;
const LONGEST_PROFILE: usize = 12 << 20;

/// How many lists and maps may be inside of each other: less than readers of JSON take.
const DEEPEST: usize = 64;

fn understand_one(index: usize, document: &Value) -> Result<Meant, Vec<Mistake>> {
    let Document { kind, name, labels, spec } =
        typed::<Document>(index, "", document).map_err(|mut wrong| {
            // Under a wrong name there may be a wrong spec.
            let kind = document.get("kind").and_then(|kind| serde_json::from_value(kind.clone()).ok());
            if let Some((kind, spec)) = kind.zip(document.get("spec")) {
                wrong.extend(spec_of(index, kind, spec).err().into_iter().flatten());
            }
            wrong
        })?;
    let spec = spec_of(index, kind, &spec)?;
    Ok(Meant { document: index, name, labels, spec })
}

fn spec_of(index: usize, kind: Kind, spec: &Value) -> Result<Spec, Vec<Mistake>> {
    let bounded = |detail: String| Err(vec![mistake(index, "spec", detail)]);
    if !is_within(spec, DEEPEST) {
        return bounded(format!("lists and maps may be {DEEPEST} deep"));
    }
    let most = if kind == Kind::Profile { LONGEST_PROFILE } else { LONGEST };
    let bytes = spec.to_string().len();
    if bytes > most {
        return bounded(format!("it is {bytes} bytes as JSON, and {most} at the most"));
    }
    Ok(match kind {
        Kind::Role => Spec::Role(typed(index, "spec", spec)?),
        Kind::Firmware => Spec::Firmware(typed(index, "spec", spec)?),
        Kind::Subnet => Spec::Subnet(typed(index, "spec", spec)?),
        Kind::Image => Spec::Image(typed(index, "spec", spec)?),
        Kind::Profile => Spec::Profile(typed(index, "spec", spec)?),
        Kind::Group => Spec::Group(typed(index, "spec", spec)?),
        Kind::Machine => Spec::Machine(typed(index, "spec", spec)?),
        Kind::AcceptRule => Spec::AcceptRule(typed(index, "spec", spec)?),
        Kind::ExpectedMachine => Spec::ExpectedMachine(typed(index, "spec", spec)?),
        Kind::HardwareClass => Spec::HardwareClass(typed(index, "spec", spec)?),
        Kind::Webhook => Spec::Webhook(typed(index, "spec", spec)?),
    })
}

/// Whether no more lists and maps than that are inside of each other.
fn is_within(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| is_within(item, depth - 1)),
        Value::Object(map) => depth > 0 && map.values().all(|item| is_within(item, depth - 1)),
        _ => true,
    }
}

fn mistake(document: usize, path: &str, detail: String) -> Mistake {
    Mistake { document, path: path.to_owned(), position: None, detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn mistakes(documents: &[Value]) -> Vec<(usize, String, String)> {
        understand(documents).unwrap_err().into_iter().map(|m| (m.document, m.path, m.detail)).collect()
    }

    #[test]
    fn each_wrong_document_is_named_with_the_place() {
        let subnet = |spec: Value| json!({"kind": "Subnet", "name": "a", "spec": spec});
        let all = [
            subnet(json!({"cidr": "10.77.0.0/33", "mode": "authoritative"})),
            subnet(
                json!({"cidr": "10.77.0.0/24", "mode": "authoritative", "ranges": ["10.77.0.1-10.77.0.5", "x"]}),
            ),
            subnet(json!({"cidr": "10.77.0.0/24", "mode": "authoritative", "rnages": []})),
            json!({"kind": "Machine", "name": "N1", "spec": {}}),
            json!({"kind": "Sbunet", "name": "n1", "spec": {}}),
        ];
        let found = mistakes(&all);
        let places: Vec<(usize, &str)> =
            found.iter().map(|(document, path, _)| (*document, path.as_str())).collect();
        assert_eq!(
            places,
            [(0, "spec.cidr"), (1, "spec.ranges[1]"), (2, "spec.rnages"), (3, "name"), (4, "kind")]
        );
        assert!(found[2].2.contains("unknown field `rnages`"), "{found:?}");
    }

    #[test]
    fn what_is_too_large_or_too_deep_is_a_mistake() {
        let group = |value: Value| json!({"kind": "Group", "name": "a", "spec": {"profile": "p", "variables": {"a": value}}});
        let large = mistakes(&[group(json!("x".repeat(LONGEST)))]);
        assert_eq!((large[0].0, large[0].1.as_str()), (0, "spec"));
        assert!(large[0].2.contains("it is 1048") && large[0].2.contains("1048576 at the most"), "{large:?}");
        let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        assert!(understand(&[group(nested(DEEPEST - 2))]).is_ok());
        assert_eq!(mistakes(&[group(nested(DEEPEST - 1))])[0].2, "lists and maps may be 64 deep");
    }

    #[test]
    fn the_same_resource_twice_is_a_mistake() {
        let group = json!({"kind": "Group", "name": "a", "spec": {"profile": "p"}});
        assert_eq!(mistakes(&[group.clone(), group])[0].2, "Group a is here twice");
    }
}

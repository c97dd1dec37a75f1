//! A plan as the API has it.
use super::judge::Judged;
use crate::domain::diff;
use pilotlight_types::api::{Change, Plan, PlannedChange};
use serde_json::Value;

/// The most lines of differences in all.
const MOST_LINES: usize = 50_000;

impl Judged {
    /// The plan for whoever asked for it.
    pub(super) fn shown(self) -> Plan {
        let Self { draft, effects, hash, guard, .. } = self;
        let (mut changes, mut warnings, mut unchanged) = (Vec::new(), Vec::new(), 0);
        for (step, odd) in &draft.steps {
            warnings.extend(odd.iter().map(|why| format!("{} {}: {why}", step.kind, step.name)));
            if step.change == Change::Unchanged {
                unchanged += 1;
                continue;
            }
            changes.push(PlannedChange {
                kind: step.kind,
                name: step.name.to_string(),
                change: step.change,
                revision: step.revision,
                diff: differs(step.before.as_ref(), Some(&step.after)),
                danger: None,
            });
        }
        for gone in &draft.gone {
            changes.push(PlannedChange {
                kind: gone.kind,
                name: gone.name.to_string(),
                change: Change::Deleted,
                revision: Some(gone.revision),
                diff: differs(Some(&gone.content), None),
                danger: gone.runs(),
            });
        }
        let mut left = MOST_LINES;
        for change in &mut changes {
            if change.diff.len() > left {
                change.diff = vec![format!("@@ {} lines, too many to show here @@", change.diff.len())];
            }
            left = left.saturating_sub(change.diff.len());
        }
        warnings.extend(effects.broken);
        Plan {
            hash,
            changes,
            unchanged,
            boots: effects.boots,
            provision: effects.provision,
            machines: effects.machines.len(),
            hidden: effects.hidden.len(),
            guard,
            warnings,
        }
    }
}

/// What differs in a resource: labels are left out where there are none.
fn differs(before: Option<&Value>, after: Option<&Value>) -> Vec<String> {
    let plain = |content: &Value| {
        let mut content = content.clone();
        if let Some(map) = content.as_object_mut()
            && map.get("labels").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty)
        {
            map.shift_remove("labels");
        }
        content
    };
    diff::values(before.map(plain).as_ref(), after.map(plain).as_ref())
}

//! The bounds that facts keep, whoever wrote them.
use super::Facts;
use serde_json::Value;

/// The longest text in facts, in characters.
pub const MAX_TEXT: usize = 256;

/// The longest list in facts.
pub const MAX_ITEMS: usize = 1024;

/// Why facts are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactsProblem {
    /// The document does not say its version.
    #[error("the facts have no version")]
    NoVersion,
    /// A text is too long.
    #[error("{at} has {chars} characters, more than {MAX_TEXT}")]
    LongText {
        /// Where, as a JSON pointer.
        at: String,
        /// How long it is.
        chars: usize,
    },
    /// A text has characters that could play tricks on a terminal or a page.
    #[error("{at} has control characters")]
    ControlCharacters {
        /// Where, as a JSON pointer.
        at: String,
    },
    /// A list is too long.
    #[error("{at} has {items} items, more than {MAX_ITEMS}")]
    LongList {
        /// Where, as a JSON pointer.
        at: String,
        /// How long it is.
        items: usize,
    },
    /// The document cannot be written as JSON.
    #[error("the facts cannot be written as JSON")]
    NotJson,
}

impl Facts {
    /// Whether all texts and lists keep the bounds. What passes is still only what a host says of itself: numbers may be as absurd
    /// as they like (add them up with `saturating_add`), and a page must escape the texts.
    pub fn check(&self) -> Result<(), FactsProblem> {
        if self.version == 0 {
            return Err(FactsProblem::NoVersion);
        }
        // By way of JSON, so that a field that is added later cannot be forgotten here.
        let document = serde_json::to_value(self).map_err(|_| FactsProblem::NotJson)?;
        check(&document, &mut Vec::new())
    }
}

fn check<'a>(value: &'a Value, at: &mut Vec<Step<'a>>) -> Result<(), FactsProblem> {
    match value {
        Value::String(text) => {
            let chars = text.chars().count();
            if chars > MAX_TEXT {
                return Err(FactsProblem::LongText { at: pointer(at), chars });
            }
            if !text.chars().all(is_plain) {
                return Err(FactsProblem::ControlCharacters { at: pointer(at) });
            }
            Ok(())
        }
        Value::Array(items) => {
            if items.len() > MAX_ITEMS {
                return Err(FactsProblem::LongList { at: pointer(at), items: items.len() });
            }
            items.iter().enumerate().try_for_each(|(i, item)| below(item, Step::Item(i), at))
        }
        Value::Object(fields) => {
            fields.iter().try_for_each(|(name, field)| below(field, Step::Field(name), at))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn below<'a>(value: &'a Value, step: Step<'a>, at: &mut Vec<Step<'a>>) -> Result<(), FactsProblem> {
    at.push(step);
    check(value, at)?;
    at.pop();
    Ok(())
}

enum Step<'a> {
    Field(&'a str),
    Item(usize),
}

fn pointer(at: &[Step<'_>]) -> String {
    let part = |step: &Step<'_>| match step {
        Step::Field(name) => format!("/{name}"),
        Step::Item(i) => format!("/{i}"),
    };
    at.iter().map(part).collect()
}

/// The text as facts may have it: in one line, without surrounding white space and control characters, cut to [`MAX_TEXT`] characters; `None`
/// when nothing is left.
pub fn clean(text: &str) -> Option<String> {
    let blank = |c: char| if matches!(c, '\t' | '\n' | '\r') { ' ' } else { c };
    let plain: String = text.chars().map(blank).filter(|&c| is_plain(c)).collect();
    let cut: String = plain.trim().chars().take(MAX_TEXT).collect();
    let text = cut.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

/// No control characters, and none that turn the direction of writing: they make a text look like another one.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Disk, Transport};
    use proptest::prelude::*;

    fn facts() -> Facts {
        Facts { version: Facts::VERSION, ..Facts::default() }
    }

    fn disk(model: &str) -> Disk {
        Disk { model: Some(model.to_owned()), ..Disk::default() }
    }

    #[test]
    fn facts_within_the_bounds_pass() {
        let disks = vec![disk(&"é".repeat(MAX_TEXT)); MAX_ITEMS];
        assert_eq!(Facts { disks, ..facts() }.check(), Ok(()));
    }

    #[test]
    fn facts_that_break_a_bound_are_refused_with_the_place() {
        let long = Facts { disks: vec![disk("ok"), disk(&"x".repeat(MAX_TEXT + 1))], ..facts() };
        assert_eq!(long.check(), Err(FactsProblem::LongText { at: "/disks/1/model".into(), chars: 257 }));
        let many = Facts { problems: vec![String::new(); MAX_ITEMS + 1], ..facts() };
        assert_eq!(many.check(), Err(FactsProblem::LongList { at: "/problems".into(), items: 1025 }));
        for text in ["a\nb", "\u{1b}[2J", "\0", "abc\u{202e}def"] {
            let tricky = Facts { hostname: Some(text.into()), ..facts() };
            assert_eq!(
                tricky.check(),
                Err(FactsProblem::ControlCharacters { at: "/hostname".into() }),
                "{text:?}"
            );
        }
        assert_eq!(Facts::default().check(), Err(FactsProblem::NoVersion));
    }

    #[test]
    fn a_newer_agents_fields_and_words_do_not_hurt() {
        let text = r#"{"version": 2, "gpus": [{}], "disks": [{"name": "x", "transport": "cxl", "colour": 1}],
                       "nics": [{"name": "eth0", "mac": "52:54:00:12:34:56", "lldp": {}}]}"#;
        let facts: Facts = serde_json::from_str(text).unwrap();
        assert_eq!(facts.check(), Ok(()));
        assert_eq!(facts.disks[0].transport, Some(Transport::Other));
        assert_eq!(facts.nics[0].addresses, []);
    }

    proptest! {
        #[test]
        fn what_clean_returns_passes_the_check(text: String) {
            let hostname = clean(&text);
            prop_assert_eq!(Facts { hostname, ..facts() }.check(), Ok(()));
        }
    }
}

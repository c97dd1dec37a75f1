//! Texts that nobody would write.
use super::*;
use proptest::prelude::*;

/// A text with a few of its pieces cut out, doubled or replaced.
fn mangled() -> impl Strategy<Value = String> {
    let text = include_str!("everything.bu");
    let edit = (0..text.len(), 0usize..40, "([-:?&*!|>'\"{}\\[\\],# \n\t0-9a-c/]|inline: |<<: ){0,6}");
    proptest::collection::vec(edit, 0..6).prop_map(move |edits| {
        edits.into_iter().fold(text.to_owned(), |text, (at, length, new)| {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            match (text.get(..at), text.get(end..)) {
                (Some(head), Some(tail)) => format!("{head}{new}{tail}"),
                _ => text,
            }
        })
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = transpile(&text);
        let _ = transpile(&fcos(&text));
    }

    #[test]
    fn no_mangled_config_makes_it_panic_and_all_errors_are_in_the_text(text in mangled()) {
        match transpile(&text) {
            Ok(config) => prop_assert_eq!(ignition::validate(&config.ignition).errors, []),
            Err(errors) => {
                prop_assert!(!errors.is_empty());
                let lines = text.split('\n').count();
                for error in errors {
                    prop_assert!(error.line >= 1 && error.line <= lines + 1 && error.column >= 1, "{}", error);
                }
            }
        }
    }

    #[test]
    fn what_is_written_inline_arrives(text in "\\PC{0,400}", times in 1usize..20) {
        let text = text.repeat(times);
        let (url, compression) = resource::data_url(text.as_bytes(), false);
        let source = json!({"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "/a", "contents": {"source": url}}]}});
        prop_assert_eq!(ignition::validate(&source), ignition::Report::default());
        prop_assert!(compression.is_some());
    }
}

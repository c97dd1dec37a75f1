//! Writing YAML that people read and programs read back.
use super::parse_documents;
use serde_json::Value;
use serde_saphyr::ser_options;

/// A value as YAML, for people: texts of several lines stand as they are, and no line is folded.
pub fn write(value: &Value) -> String {
    let options = ser_options! { folded_wrap_chars: usize::MAX };
    // JSON is YAML, if not a pleasant one.
    serde_saphyr::to_string_with_options(value, options).unwrap_or_else(|_| value.to_string())
}

/// The same, for whoever reads it back: what is written is read once to see that it says the same, and is quoted, or in the end
/// written as JSON, where it does not.
pub fn write_exactly(value: &Value) -> String {
    let plain = write(value);
    if says(&plain, value) {
        return plain;
    }
    let quoted = serde_saphyr::to_string_with_options(value, ser_options! { quote_all: true });
    match quoted {
        Ok(quoted) if says(&quoted, value) => quoted,
        _ => format!("{value}\n"),
    }
}

fn says(text: &str, value: &Value) -> bool {
    matches!(parse_documents(text).as_deref(), Ok([node]) if node.to_json() == *value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_text_of_several_lines_stands_as_it_is() {
        let long = "x ".repeat(100);
        let text = write(&json!({"butane": "variant: fcos\nstorage:\n  files: []\n", "long": long.trim()}));
        assert_eq!(
            text,
            format!("butane: |\n  variant: fcos\n  storage:\n    files: []\nlong: {}\n", long.trim())
        );
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~]{0,12}",
            "( |\t|\n|\r|:|#|-|'|\"|\\||>|%|@|&|\\*|\\{|\\[|[a-z0-9]|ä|\u{feff}|\u{85}|\u{2028}){0,16}",
            prop_oneof![
                Just("0755"),
                Just("yes"),
                Just("null"),
                Just("~"),
                Just("1e3"),
                Just("0o17"),
                Just("1_000"),
                Just("---"),
                Just(".inf"),
                Just("2026-11-23"),
                Just("12:30:45"),
            ]
            .prop_map(str::to_owned),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z./_0-9-]{1,8}", inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in value()) {
            let text = write_exactly(&json!({"spec": value}));
            let read = parse_documents(&text).unwrap();
            prop_assert_eq!(read[0].to_json(), json!({"spec": value}), "{}", text);
        }
    }
}

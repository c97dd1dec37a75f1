//! A value in a config together with the way to it.
use serde_json::Value;

static NOTHING: Value = Value::Null;

/// A value, which may not be there, and its path.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub(super) value: &'a Value,
    pub(super) path: String,
}

impl<'a> Place<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, path: String::new() }
    }

    /// What is not there.
    pub(super) fn nothing() -> Self {
        Self::root(&NOTHING)
    }

    /// A field of this map.
    pub(super) fn get(&self, name: &str) -> Place<'a> {
        Place { value: self.value.get(name).unwrap_or(&NOTHING), path: join(&self.path, name) }
    }

    /// The entries of this list.
    pub(super) fn items(&self) -> Vec<Place<'a>> {
        let items = self.value.as_array().map(Vec::as_slice).unwrap_or_default();
        items
            .iter()
            .enumerate()
            .map(|(at, value)| Place { value, path: format!("{}[{at}]", self.path) })
            .collect()
    }

    pub(super) fn is_set(&self) -> bool {
        !self.value.is_null()
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// The text, unless it is empty.
    pub(super) fn filled(&self) -> Option<&'a str> {
        self.text().filter(|text| !text.is_empty())
    }

    pub(super) fn number(&self) -> Option<i64> {
        self.value.as_i64()
    }

    pub(super) fn is(&self, flag: bool) -> bool {
        self.value.as_bool() == Some(flag)
    }
}

pub(in crate::domain) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// What kind of value this is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// A text that is fit to be shown in a message.
pub(in crate::domain) fn shown(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// A path, and all that it is inside of: `a[1].b`, `a[1]`, `a`.
pub(in crate::domain) fn upwards(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.get(..path.rfind(['.', '['])?))
}

/// A path as a JSON pointer.
pub(in crate::domain) fn pointer(path: &str) -> String {
    format!("/{}", path.replace(['.', '['], "/").replace(']', ""))
}

/// Whether there is nothing in a value: it may as well not be there.
pub(in crate::domain) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

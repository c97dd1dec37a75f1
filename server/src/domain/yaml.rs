//! YAML with a memory of where everything stood, so that each mistake found later can be shown at its line and column.
//!
//! Scalars mean what go-yaml (and so Butane) takes them for: `0644` and `0o644` are octal, `yes` is a text, quoted is a text.
//! Input is bounded in size, depth and what aliases may unfold to; a "billion laughs" document is an error, not a load.
mod parse;
mod scalar;
#[cfg(test)]
mod tests;
mod write;

pub use parse::parse_documents;
use std::fmt;
pub use write::{write, write_exactly};

/// A place in a text; both counts begin at 1, columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

impl Position {
    /// The first character of a text.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// Something to say about one place of a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Located {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What there is to say.
    pub message: String,
}

impl Located {
    /// `message`, at `pos`.
    pub fn new(pos: Position, message: impl Into<String>) -> Self {
        Self { line: pos.line, column: pos.column, message: message.into() }
    }

    /// Its place.
    pub fn pos(&self) -> Position {
        Position { line: self.line, column: self.column }
    }
}

/// Why a text is no YAML that we take.
pub type YamlError = Located;

/// A key of a map, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key; one that was written as a number or the like is kept as written.
    pub text: String,
    /// Where it stands.
    pub pos: Position,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing at all.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Str(String),
    /// A list.
    Seq(Vec<Node>),
    /// A map, in the order of the text.
    Map(Vec<(Key, Node)>),
}

/// How a scalar was written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Written {
    /// A list, a map, or a text whose lines do not line up with the source.
    Other,
    /// On one line, from this column on.
    Inline { column: usize },
    /// As a literal block whose first line is this one of the source, each line indented by so many characters.
    Block { line: usize, indent: usize },
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it begins (a block scalar: at its first text).
    pub pos: Position,
    source: Option<String>,
    written: Written,
}

impl Node {
    /// A node that stands nowhere in particular.
    pub fn new(value: Value, pos: Position) -> Self {
        Self { value, pos, source: None, written: Written::Other }
    }

    /// What kind of value this is, in words.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Str(_) => "a text",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// A scalar as it was written: `0644` stays `0644`. Nothing for lists, maps and null.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Str(text) => Some(text),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => self.source.as_deref(),
            Value::Null | Value::Seq(_) | Value::Map(_) => None,
        }
    }

    /// A map's value of that key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// A map's key and value.
    pub fn entry(&self, key: &str) -> Option<(&Key, &Node)> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(k, _)| k.text == key).map(|(k, v)| (k, v)),
            _ => None,
        }
    }

    /// The same as JSON. Numbers that JSON does not have become texts.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(yes) => Json::Bool(*yes),
            Value::Int(number) => Json::from(*number),
            Value::Float(number) => serde_json::Number::from_f64(*number).map_or_else(
                || Json::String(self.source.clone().unwrap_or_else(|| number.to_string())),
                Json::Number,
            ),
            Value::Str(text) => Json::String(text.clone()),
            Value::Seq(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(entries) => {
                Json::Object(entries.iter().map(|(k, v)| (k.text.clone(), v.to_json())).collect())
            }
        }
    }

    /// Where the thing at `path` (`spec.ranges[1]`) stands, or else the longest part of the way that there is. Nothing if
    /// not even the first step is there.
    pub fn locate(&self, path: &str) -> Option<Position> {
        let (node, rest) = self.walk(path);
        (rest.len() < path.len() || path.is_empty() || path == ".").then_some(node.pos)
    }

    /// The node at `path`, if it is there.
    pub fn at(&self, path: &str) -> Option<&Node> {
        match self.walk(path) {
            (node, "") => Some(node),
            _ => None,
        }
    }

    /// Where the last key of `path` stands (not its value); as `locate` if the path ends in an index or is not all there.
    pub fn locate_key(&self, path: &str) -> Option<Position> {
        let splits = path.match_indices('.').map(|(at, _)| at).chain([usize::MAX]);
        let parent = splits
            .filter_map(|at| match at {
                usize::MAX => self.entry(path),
                _ => self.at(path.get(..at)?)?.entry(path.get(at + 1..)?),
            })
            .next()
            .map(|(key, _)| key.pos);
        parent.or_else(|| self.locate(path))
    }

    /// For a node that holds a text: where `inside` (a place in that text) is in the source. For a text whose lines are
    /// not those of the source (folded, or with escapes over several lines) this is where the text begins.
    pub fn inner(&self, inside: Position) -> Position {
        match self.written {
            Written::Inline { column } if inside.line == 1 => Position {
                line: self.pos.line,
                column: column.saturating_add(inside.column).saturating_sub(1),
            },
            Written::Block { line, indent } => Position {
                line: line.saturating_add(inside.line).saturating_sub(1),
                column: indent.saturating_add(inside.column),
            },
            Written::Inline { .. } | Written::Other => self.pos,
        }
    }

    /// Goes along `path` as far as there is something, and says what is left of it.
    fn walk<'p>(&self, path: &'p str) -> (&Node, &'p str) {
        let mut here = self;
        let mut rest = path;
        loop {
            let bare = rest.strip_prefix('.').unwrap_or(rest);
            let next = match &here.value {
                Value::Seq(items) => index_step(items, rest),
                // Keys may contain dots (labels do): the longest key that fits is meant.
                Value::Map(entries) => entries
                    .iter()
                    .filter_map(|(key, node)| Some((key.text.len(), node, key_step(&key.text, bare)?)))
                    .max_by_key(|(length, _, _)| *length)
                    .map(|(_, node, left)| (node, left)),
                _ => None,
            };
            match next {
                Some((node, left)) => (here, rest) = (node, left),
                None => return (here, if rest == "." { "" } else { rest }),
            }
        }
    }
}

fn index_step<'n, 'p>(items: &'n [Node], path: &'p str) -> Option<(&'n Node, &'p str)> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((items.get(index.parse::<usize>().ok()?)?, rest))
}

fn key_step<'p>(key: &str, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(key)?;
    (!key.is_empty() && (rest.is_empty() || rest.starts_with(['.', '[']))).then_some(rest)
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

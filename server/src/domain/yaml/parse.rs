//! From the parser's events to nodes, within a budget.
use super::{Key, Located, Node, Position, Value, Written, YamlError, scalar};
use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};
use std::{borrow::Cow, collections::HashMap};

/// The longest text that is read.
const MAX_BYTES: usize = 4 << 20;
/// The deepest nesting.
const MAX_DEPTH: usize = 64;
/// The most nodes, with aliases unfolded.
const MAX_NODES: usize = 200_000;
/// The most bytes of text in nodes, with aliases unfolded.
const MAX_TEXT: usize = 16 << 20;

/// Reads all documents of a text; documents without any content are left out.
pub fn parse_documents(text: &str) -> Result<Vec<Node>, YamlError> {
    if text.len() > MAX_BYTES {
        return Err(Located::new(Position::START, format!("the text is longer than {MAX_BYTES} bytes")));
    }
    let options = granit_parser::options! {
        block_scalar_eof_without_line_feed: true,
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker();
            Located::new(Position { line: at.line().max(1), column: at.col() + 1 }, error.info())
        })?;
        builder.take(event, &span)?;
    }
    Ok(builder.documents)
}

#[derive(Clone, Copy, Default)]
struct Weight {
    nodes: usize,
    bytes: usize,
}

#[derive(Default)]
struct Builder {
    stack: Vec<Frame>,
    anchors: HashMap<usize, (Node, Weight)>,
    spent: Weight,
    documents: Vec<Node>,
}

struct Frame {
    pos: Position,
    anchor: usize,
    holds: Holds,
}

enum Holds {
    Items(Vec<Node>),
    Entries {
        entries: Vec<(Key, Node)>,
        seen: HashMap<String, usize>,
        key: Option<PendingKey>,
        merged: Vec<Node>,
    },
}

struct PendingKey {
    key: Key,
    /// `<<`, not in quotes: the value's entries belong into this map.
    merge: bool,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), YamlError> {
        let pos = Position { line: span.start.line().max(1), column: span.start.col() + 1 };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let merge = style == ScalarStyle::Plain && text == "<<" && tag.is_none();
                let node = scalar_node(text, style, tag.as_deref(), pos, span)?;
                self.place(node, anchor, merge)
            }
            Event::Alias(id) => {
                let Some((node, weight)) = self.anchors.get(&id).cloned() else {
                    return Err(Located::new(pos, "an alias inside of what it stands for"));
                };
                self.spend(weight, pos)?;
                self.place(Node { pos, ..node }, 0, false)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.open(pos, anchor, tag.as_deref(), Holds::Items(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                let (entries, seen, merged) = (Vec::new(), HashMap::new(), Vec::new());
                self.open(pos, anchor, tag.as_deref(), Holds::Entries { entries, seen, key: None, merged })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::DocumentStart(..) => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(
        &mut self,
        pos: Position,
        anchor: usize,
        tag: Option<&Tag>,
        holds: Holds,
    ) -> Result<(), YamlError> {
        if let Some(tag) = tag {
            match (tag.core_suffix(), &holds) {
                (Some("seq"), Holds::Items(_)) | (Some("map"), Holds::Entries { .. }) => {}
                _ => {
                    return Err(Located::new(
                        pos,
                        format!("the tag `{}` is not supported here", tag.original()),
                    ));
                }
            }
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(Located::new(pos, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.stack.push(Frame { pos, anchor, holds });
        Ok(())
    }

    fn close(&mut self) -> Result<(), YamlError> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let value = match frame.holds {
            Holds::Items(items) => Value::Seq(items),
            Holds::Entries { entries, seen, merged, .. } => Value::Map(merge(entries, &seen, merged)?),
        };
        self.place(Node::new(value, frame.pos), frame.anchor, false)
    }

    /// Puts a finished node where it belongs: into the innermost open list or map, or as a document.
    fn place(&mut self, node: Node, anchor: usize, merge: bool) -> Result<(), YamlError> {
        let own = Weight { nodes: 1, bytes: node.text().map_or(0, str::len) };
        self.spend(own, node.pos)?;
        if anchor != 0 {
            // What is kept for aliases costs as much again, or nested anchors would multiply the text by their depth.
            let weight = weigh(&node);
            self.spend(weight, node.pos)?;
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        let Some(frame) = self.stack.last_mut() else {
            if node.value != Value::Null {
                self.documents.push(node);
            }
            return Ok(());
        };
        match &mut frame.holds {
            Holds::Items(items) => items.push(node),
            Holds::Entries { entries, seen, key, merged } => match key.take() {
                None => *key = Some(PendingKey { key: key_of(&node)?, merge }),
                Some(pending) if pending.merge => merged.push(node),
                Some(PendingKey { key, .. }) => {
                    if let Some(line) = seen.insert(key.text.clone(), key.pos.line) {
                        let message = format!("`{}` is given twice, first in line {line}", shown(&key.text));
                        return Err(Located::new(key.pos, message));
                    }
                    entries.push((key, node));
                }
            },
        }
        Ok(())
    }

    fn spend(&mut self, weight: Weight, pos: Position) -> Result<(), YamlError> {
        self.spent.nodes = self.spent.nodes.saturating_add(weight.nodes);
        self.spent.bytes = self.spent.bytes.saturating_add(weight.bytes);
        if self.spent.nodes > MAX_NODES || self.spent.bytes > MAX_TEXT {
            return Err(Located::new(
                pos,
                "the document unfolds to more than is accepted (are there aliases of aliases?)",
            ));
        }
        Ok(())
    }
}

fn weigh(node: &Node) -> Weight {
    let own = Weight { nodes: 1, bytes: node.text().map_or(0, str::len) };
    let add =
        |sum: Weight, item: Weight| Weight { nodes: sum.nodes + item.nodes, bytes: sum.bytes + item.bytes };
    match &node.value {
        Value::Seq(items) => items.iter().map(weigh).fold(own, add),
        Value::Map(entries) => entries.iter().map(|(_, item)| weigh(item)).fold(own, add),
        _ => own,
    }
}

fn key_of(node: &Node) -> Result<Key, YamlError> {
    let text = match &node.value {
        Value::Seq(_) | Value::Map(_) => return Err(Located::new(node.pos, "a key must be a text")),
        Value::Null => node.source.as_deref().unwrap_or("null"),
        _ => node.text().unwrap_or_default(),
    };
    Ok(Key { text: text.to_owned(), pos: node.pos })
}

/// Adds what `<<` brings: what the map says itself wins, then the earlier of several.
fn merge(
    mut entries: Vec<(Key, Node)>,
    seen: &HashMap<String, usize>,
    merged: Vec<Node>,
) -> Result<Vec<(Key, Node)>, YamlError> {
    let mut have: HashMap<String, usize> = HashMap::new();
    for node in merged {
        let (pos, sources) = match node.value {
            Value::Seq(items) => (node.pos, items),
            value => (node.pos, vec![Node::new(value, node.pos)]),
        };
        for source in sources {
            let Value::Map(more) = source.value else {
                return Err(Located::new(pos, "`<<` takes a map, or a list of maps"));
            };
            for (key, value) in more {
                if !seen.contains_key(&key.text) && have.insert(key.text.clone(), key.pos.line).is_none() {
                    entries.push((key, value));
                }
            }
        }
    }
    Ok(entries)
}

fn scalar_node(
    text: Cow<'_, str>,
    style: ScalarStyle,
    tag: Option<&Tag>,
    pos: Position,
    span: &Span,
) -> Result<Node, YamlError> {
    let resolved = match tag {
        None if style == ScalarStyle::Plain => scalar::resolve(&text),
        None => Value::Str(text.to_string()),
        Some(tag) => tagged(&text, tag, pos)?,
    };
    let one_line = span.start.line() == span.end.line();
    let escaped = style == ScalarStyle::DoubleQuoted
        && span.end.col().saturating_sub(span.start.col()) != text.chars().count() + 2;
    let written = match style {
        ScalarStyle::Plain if one_line => Written::Inline { column: pos.column },
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted if one_line && !escaped => {
            Written::Inline { column: pos.column + 1 }
        }
        ScalarStyle::Literal => {
            // The span begins at the first line with text; empty lines before it belong to the text as well.
            let before = text.chars().take_while(|c| *c == '\n').count();
            Written::Block { line: pos.line.saturating_sub(before), indent: span.start.col() }
        }
        _ => Written::Other,
    };
    let source = (!matches!(resolved, Value::Str(_))).then(|| text.into_owned());
    Ok(Node { value: resolved, pos, source, written })
}

fn tagged(text: &str, tag: &Tag, pos: Position) -> Result<Value, YamlError> {
    let refused = || Located::new(pos, format!("`{}` is no `{}`", shown(text), tag.original()));
    let plain = scalar::resolve(text);
    match (tag.core_suffix(), plain) {
        (Some("str"), _) => Ok(Value::Str(text.to_owned())),
        (Some("int"), value @ Value::Int(_))
        | (Some("float"), value @ Value::Float(_))
        | (Some("bool"), value @ Value::Bool(_))
        | (Some("null"), value @ Value::Null) => Ok(value),
        (Some("float"), Value::Int(_)) => text.parse().map(Value::Float).map_err(|_| refused()),
        (Some("int" | "float" | "bool" | "null"), _) => Err(refused()),
        _ if tag.original() == "!" => Ok(Value::Str(text.to_owned())),
        _ => Err(Located::new(pos, format!("the tag `{}` is not supported", shown(&tag.original())))),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect()
}

//! Templates: filled in within bounds, and traced back, line by line, to what was written.
mod engine;
mod strict;

use super::context::{Context, ROOTS};
use serde::Serialize;
use std::collections::BTreeSet;

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadTemplate {
    /// Line and column, from 1, if they are known.
    pub(super) position: Option<(usize, usize)>,
    /// In words.
    pub(super) message: String,
}

impl BadTemplate {
    const fn new(message: String) -> Self {
        Self { position: None, message }
    }
}

/// Whether a text is a template at all.
pub(super) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

/// Fills a template in. A variable that is not there is an error.
pub(super) fn fill(text: &str, context: &impl Serialize) -> Result<String, BadTemplate> {
    if !is_template(text) {
        return Ok(text.to_owned());
    }
    engine::render(text, minijinja::value::Serde(context).into())
}

/// Fills a template in that is no profile's, within the same bounds. What is wrong with it is said with its place.
pub fn filled(text: &str, context: &impl Serialize) -> Result<String, String> {
    fill(text, context).map_err(|BadTemplate { position, message }| match position {
        Some((line, column)) => format!("{message} (line {line}, column {column})"),
        None => message,
    })
}

/// The names of the secrets that a template uses; an empty one where it does not say which.
pub(super) fn secrets(text: &str) -> BTreeSet<String> {
    if !is_template(text) {
        return BTreeSet::new();
    }
    let named = engine::asked(text);
    let of_secrets = named.iter().filter_map(|name| name.strip_prefix("secrets"));
    of_secrets
        .filter_map(|rest| match rest.strip_prefix('.') {
            Some(rest) => Some(rest.split('.').next().unwrap_or_default().to_owned()),
            None => rest.is_empty().then(String::new),
        })
        .collect()
}

/// Characters for private use, around the number of a line: nobody writes them.
const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';

/// For each line of `filled`, which line of the template made it. Nothing where that cannot be told.
///
/// The template is filled in once more, with a mark at the beginning of each line; without the marks the result must be the same.
pub(super) fn lines(text: &str, context: &Context, filled: &str) -> Option<Vec<usize>> {
    if !is_template(text) {
        return Some((1..=text.lines().count().max(1)).collect());
    }
    if text.contains([OPEN, CLOSE]) || filled.contains([OPEN, CLOSE]) {
        return None;
    }
    let marked = fill(&marked(text), context).ok()?;
    let (mut plain, mut lines) = (String::with_capacity(filled.len()), Vec::new());
    let mut current = 1;
    for line in marked.split('\n') {
        if !lines.is_empty() {
            plain.push('\n');
        }
        let mut here: Option<usize> = None;
        let mut blank = true;
        for (at, part) in line.split(OPEN).enumerate() {
            let (number, rest) = match part.split_once(CLOSE) {
                Some((number, rest)) if at > 0 => (number.parse::<usize>().ok(), rest),
                _ => (None, part),
            };
            if let Some(number) = number {
                current = number;
                // Of several marks the last one before the first word counts.
                if here.is_none() || blank {
                    here = Some(number);
                }
            }
            blank &= rest.trim().is_empty();
            plain.push_str(rest);
        }
        lines.push(here.unwrap_or(current));
    }
    (plain == filled).then_some(lines)
}

/// The template with a mark at the beginning of each line that is not inside of a tag.
fn marked(text: &str) -> String {
    let tags = tags(text);
    let inside = |at: usize| {
        let next = tags.partition_point(|tag| tag.start < at);
        next.checked_sub(1).and_then(|last| tags.get(last)).is_some_and(|tag| at < tag.end)
    };
    let mut marked = String::with_capacity(text.len() * 2);
    let mut start = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let before = text.get(..start).unwrap_or_default().trim_end();
        let indent = line.len() - line.trim_start().len();
        let after = text.get(start..).unwrap_or_default().trim_start();
        // Tags with a minus take the blanks around them away, and a mark is none.
        let trims_after = ["{{-", "{%-", "{#-"].iter().any(|tag| after.starts_with(tag));
        let trimmed_before = ["-}}", "-%}", "-#}"].iter().any(|tag| before.ends_with(tag));
        let at = if trimmed_before { indent } else { 0 };
        let (head, rest) = line.split_at_checked(at).unwrap_or(("", line));
        marked.push_str(head);
        let blank = trimmed_before && line.trim().is_empty();
        if !inside(start) && !inside(start + at) && !trims_after && !blank {
            marked.push_str(&format!("{OPEN}{}{CLOSE}", number + 1));
        }
        marked.push_str(rest);
        start += line.len();
    }
    marked
}

/// What stands for the result of an expression in a text without its tags.
pub const UNKNOWN: char = '\u{e000}';

/// A template as if it were a plain text, each character at its line and column: expressions become unknown words, all else
/// becomes blank.
pub fn without_tags(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut from = 0;
    for tag in tags(text) {
        plain.push_str(text.get(from..tag.start).unwrap_or_default());
        let filler = if tag.kind == '{' { UNKNOWN } else { ' ' };
        let inner = text.get(tag.start..tag.end).unwrap_or_default();
        plain.extend(inner.chars().map(|c| if c == '\n' { '\n' } else { filler }));
        from = tag.end;
    }
    plain.push_str(text.get(from..).unwrap_or_default());
    plain
}

/// A tag in a template: from its first character to after its last.
struct Tag<'t> {
    start: usize,
    end: usize,
    kind: char,
    body: &'t str,
}

fn tags(text: &str) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find('{')) {
        let start = from + found;
        let kind = text.get(start + 1..).and_then(|rest| rest.chars().next());
        let Some((kind, close)) = kind.and_then(|kind| match kind {
            '{' => Some((kind, "}}")),
            '%' => Some((kind, "%}")),
            '#' => Some((kind, "#}")),
            _ => None,
        }) else {
            from = start + 1;
            continue;
        };
        let Some(length) = text.get(start + 2..).and_then(|rest| end_of(rest, close, kind != '#')) else {
            break;
        };
        let end = start + 2 + length + close.len();
        let body = text.get(start + 2..start + 2 + length).unwrap_or_default();
        tags.push(Tag { start, end, kind, body: body.trim_matches(['-', '+']).trim() });
        from = end;
    }
    tags
}

/// Where a tag closes, not counting what is in quotes.
fn end_of(rest: &str, close: &str, quotes: bool) -> Option<usize> {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in rest.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(mark) if c == mark => quote = None,
            Some(_) => {}
            None if quotes && (c == '"' || c == '\'') => quote = Some(c),
            None if rest.get(at..).is_some_and(|rest| rest.starts_with(close)) => return Some(at),
            None => {}
        }
    }
    None
}

/// For each line of a template, from the first on, the variables that it depends on: those in its tags, and those of the loops
/// and conditions that it is in.
pub(super) fn variables(text: &str) -> Vec<BTreeSet<String>> {
    let mut of_lines: Vec<BTreeSet<String>> = vec![BTreeSet::new(); text.lines().count().max(1)];
    if !is_template(text) {
        return of_lines;
    }
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    let line = |at: usize| ends.partition_point(|end| *end < at);
    let mut open: Vec<(usize, BTreeSet<String>)> = Vec::new();
    for tag in tags(text) {
        let (first, last) = (line(tag.start), line(tag.end));
        let word = tag.body.split_whitespace().next().unwrap_or_default();
        let source = match (tag.kind, word) {
            ('{', _) => format!("{{{{ {} }}}}", tag.body),
            ('%', "if") => format!("{{% {} %}}{{% endif %}}", tag.body),
            ('%', "elif") => format!("{{% if{} %}}{{% endif %}}", tag.body.trim_start_matches("elif")),
            ('%', "for") => format!("{{% {} %}}{{% endfor %}}", tag.body),
            ('%', "with") => format!("{{% {} %}}{{% endwith %}}", tag.body),
            ('%', "set") => format!("{{% {} %}}", tag.body),
            _ => String::new(),
        };
        let named: BTreeSet<String> = engine::asked(&source)
            .into_iter()
            .filter(|name| ROOTS.contains(&name.split('.').next().unwrap_or_default()))
            .collect();
        for place in of_lines.iter_mut().take(last + 1).skip(first) {
            place.extend(named.iter().cloned());
        }
        match (tag.kind, word) {
            ('%', "if" | "for" | "with") => open.push((first, named)),
            ('%', "elif") => {
                if let Some((_, names)) = open.last_mut() {
                    names.extend(named);
                }
            }
            ('%', "endif" | "endfor" | "endwith") => {
                if let Some((start, names)) = open.pop() {
                    for place in of_lines.iter_mut().take(last + 1).skip(start) {
                        place.extend(names.iter().cloned());
                    }
                }
            }
            _ => {}
        }
    }
    of_lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn context() -> Context {
        Context::example(
            serde_json::from_value(json!({"nodes": ["a", "b"], "on": true, "text": "x\ny"})).unwrap(),
        )
    }

    fn traced(text: &str) -> Vec<(String, usize)> {
        let filled = fill(text, &context()).unwrap();
        let lines = lines(text, &context(), &filled).unwrap();
        filled.split('\n').map(str::to_owned).zip(lines).filter(|(line, _)| !line.trim().is_empty()).collect()
    }

    #[test]
    fn the_last_line_keeps_its_end() {
        assert_eq!(fill("{{ site.name }}\n", &context()), Ok("example\n".to_owned()));
    }

    #[test]
    fn each_line_is_traced_to_the_one_that_made_it() {
        let text = "one\n{% for n in vars.nodes %}\n- {{ n }}\n{% endfor %}\nlast {{ vars.text }}\nend\n";
        let lines = traced(text);
        let lines: Vec<(&str, usize)> = lines.iter().map(|(line, number)| (line.as_str(), *number)).collect();
        assert_eq!(lines, [("one", 1), ("- a", 3), ("- b", 3), ("last x", 5), ("y", 5), ("end", 6)]);
    }

    #[test]
    fn blanks_that_tags_take_away_do_not_confuse_it() {
        let text = "a\n{%- for n in vars.nodes %}\n  - {{ n }}\n{%- endfor %}\nz\n";
        let lines = traced(text);
        assert_eq!(lines.iter().map(|(line, _)| line.trim()).collect::<Vec<_>>(), ["a", "- a", "- b", "z"]);
        assert_eq!(lines.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [1, 3, 3, 5]);
        let text = "a\n{% if vars.on -%}\n   b: 1\n{% endif -%}\nc\n";
        assert_eq!(traced(text), [("a".into(), 1), ("b: 1".into(), 3), ("c".into(), 5)]);
    }

    #[test]
    fn the_variables_of_a_line_are_those_of_its_tags_and_of_what_it_is_in() {
        let text = "a\n{% if vars.on %}\n{% for n in vars.nodes %}\n{{ n }} {{ machine.labels.role | default(\"}}\") }}\n{% endfor %}{% endif %}\n{{ site.name }}\n";
        let names: Vec<String> =
            variables(text).iter().map(|names| names.iter().cloned().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(names[0], "");
        assert_eq!(names[3], "machine.labels.role vars.nodes vars.on");
        assert_eq!(names[5], "site.name");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_tracer_panic(text in "(\\{\\{|\\}\\}|\\{%|%\\}|-|\n| |if |for n in vars.nodes|endif|endfor|\"|[a-z{}]|\u{e000}|ä){0,40}") {
            let _ = variables(&text);
            let filled = fill(&text, &context()).unwrap_or_default();
            let lines = lines(&text, &context(), &filled).unwrap_or_default();
            prop_assert!(lines.iter().all(|line| *line >= 1 && *line <= text.split('\n').count()));
        }
    }
}

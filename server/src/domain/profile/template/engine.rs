//! The template engine, within bounds: what a text may look like, and how far it may go when it is filled in.
use super::{BadTemplate, strict};
use minijinja::{
    Environment, Error, ErrorKind, UndefinedBehavior, Value, machinery::Token, syntax::SyntaxConfig,
};
use std::{collections::HashSet, sync::LazyLock};

/// How much work a template may do: steps of the template engine, and bytes that it makes.
const FUEL: u64 = 100_000;

/// How long a template's result may be, in bytes.
pub(super) const LONGEST_TEXT: usize = 4 << 20;

/// How many words and operators one tag may have. The engine goes one call deeper for each, and has no bound of its own: a tag with
/// thousands of them would end the daemon.
const MOST_WORDS: usize = 300;

/// How many `elif` a template may have, for the same reason.
const MOST_ELIFS: usize = 100;

/// How deep macros, loops and blocks may be in each other. Lists that a macro doubles each time it calls itself take no memory until
/// somebody counts them, which takes for ever.
const DEEPEST: usize = 20;

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_syntax(syntax());
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(DEEPEST);
    // For the column of what is wrong.
    engine.set_debug(true);
    strict::add(&mut engine);
    engine
});

fn syntax() -> SyntaxConfig {
    // Without this, a text at the end of a profile would lose its last line's end.
    SyntaxConfig::builder().keep_trailing_newline(true).build().unwrap_or_default()
}

/// The variables that a text asks for, each with its way (`machine.labels.role`); nothing if it is no template.
pub(super) fn asked(text: &str) -> HashSet<String> {
    if check(text).is_err() {
        return HashSet::new();
    }
    let engine: Environment<'_> = ENGINE.clone();
    engine.template_from_str(text).map(|template| template.undeclared_variables(true)).unwrap_or_default()
}

/// Fills a template in.
pub(super) fn render(text: &str, context: Value) -> Result<String, BadTemplate> {
    check(text)?;
    let filled = ENGINE.render_str(text, context).map_err(|error| bad(&error, text))?;
    if filled.len() > LONGEST_TEXT {
        return Err(BadTemplate::new(format!("the template makes a text of more than {LONGEST_TEXT} bytes")));
    }
    Ok(filled)
}

/// Looks whether the engine can take a text apart, by its own words.
fn check(text: &str) -> Result<(), BadTemplate> {
    let (mut words, mut elifs) = (0_usize, 0_usize);
    for token in minijinja::machinery::tokenize(text, false, syntax()) {
        let (token, span) = token.map_err(|error| bad(&error, text))?;
        match token {
            Token::VariableStart | Token::BlockStart => words = 0,
            // Lists of values may be long.
            Token::Comma | Token::Colon | Token::Assign => {}
            Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Int128(_) | Token::Float(_) => {}
            Token::Ident(word) => {
                words += 1;
                elifs += usize::from(word == "elif");
            }
            _ => words += 1,
        }
        let message = if words > MOST_WORDS {
            format!("template: a tag has at most {MOST_WORDS} words and operators: this one goes on")
        } else if elifs > MOST_ELIFS {
            format!("template: there are at most {MOST_ELIFS} `elif`: this is one more")
        } else {
            continue;
        };
        let place = (usize::from(span.start_line), usize::from(span.start_col) + 1);
        return Err(BadTemplate { position: Some(place), message });
    }
    Ok(())
}

/// What the engine says, at its line and column.
fn bad(error: &Error, text: &str) -> BadTemplate {
    let kind = error.kind();
    let message = match (kind, error.detail()) {
        (ErrorKind::OutOfFuel, _) => {
            "template: it does more than a template may: it loops, or makes too much".to_owned()
        }
        (kind, Some(detail)) => format!("template: {kind}: {detail}"),
        (kind, None) => format!("template: {kind}"),
    };
    let by_range = error.range().and_then(|range| {
        let before = text.get(..range.start)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Some(((line, column), text.get(range)?))
    });
    let named = |message: String, what: &str| {
        let short = what.len() <= 80 && !what.contains('\n');
        let said = message.contains(what) || error.detail().is_some_and(|detail| detail.contains("(null)"));
        if kind == ErrorKind::UndefinedError && short && !said {
            format!("{message}: `{what}`")
        } else {
            message
        }
    };
    match by_range {
        Some((place, what)) => BadTemplate { position: Some(place), message: named(message, what) },
        None => BadTemplate { position: error.line().map(|line| (line, 1)), message },
    }
}

#[cfg(test)]
mod tests;

//! The engine's filters, tests and functions, none of which takes what is not there.
//!
//! The engine's own let a variable that nobody declared pass in many places: as an argument, inside of a list, in most tests. Here it
//! is an error everywhere but in `default`, `is defined` and `is undefined`.
use super::engine::LONGEST_TEXT;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use minijinja::{
    Environment, Error, ErrorKind, Output, State, Value, filters, functions, tests,
    value::{Kwargs, ObjectRepr, Rest, ValueKind, ValueOrKwargs},
};

/// How many lists and maps may be inside of each other.
const DEEPEST: usize = 32;

/// How many values are looked at for one step of work.
const VALUES_A_STEP: usize = 16;

/// Puts them into the engine, and takes those out that cannot be held within bounds.
pub(super) fn add(engine: &mut Environment<'static>) {
    add_filters(engine);
    add_tests(engine);
    for (name, function) in
        [("range", Value::from_function(functions::range)), ("dict", Value::from_function(functions::dict))]
    {
        engine.add_function(name, strict(function));
    }
    // It prints all that there is, secrets too, and names none.
    engine.remove_global("debug");
    // What a loop adds to it again and again, a list in a list, becomes so deep that to drop it ends the process.
    engine.remove_global("namespace");
    engine.set_formatter(write);
}

fn add_filters(engine: &mut Environment<'static>) {
    macro_rules! strict_filters {
        ($($name:literal: $filter:expr),* $(,)?) => { $(engine.add_filter($name, strict(Value::from_function($filter)));)* };
    }
    strict_filters! {
        "safe": filters::safe, "escape": filters::escape, "e": filters::escape,
        "lower": filters::lower, "upper": filters::upper, "title": filters::title, "capitalize": filters::capitalize,
        "replace": filters::replace, "trim": filters::trim, "split": filters::split, "lines": filters::lines,
        "join": filters::join, "format": filters::format, "indent": indent, "string": filters::string,
        "length": filters::length, "count": filters::length, "first": filters::first, "last": filters::last,
        "dictsort": filters::dictsort, "items": filters::items, "reverse": filters::reverse, "sort": filters::sort,
        "unique": filters::unique, "groupby": filters::groupby, "batch": filters::batch, "slice": filters::slice,
        "list": filters::list, "map": filters::map, "select": filters::select, "reject": filters::reject,
        "selectattr": filters::selectattr, "rejectattr": filters::rejectattr, "attr": filters::attr,
        "round": filters::round, "abs": filters::abs, "int": filters::int, "float": filters::float, "bool": filters::bool,
        "min": filters::min, "max": filters::max, "sum": filters::sum, "zip": filters::zip,
        "tojson": to_json, "b64encode": |text: String| bounded(STANDARD.encode(text)),
    }
    // `pprint` is for debugging, and `chain` makes lists that are as long as 2 to the power of their number.
    engine.remove_filter("pprint");
    engine.remove_filter("chain");
}

fn add_tests(engine: &mut Environment<'static>) {
    macro_rules! strict_tests {
        ($($name:literal: $test:expr),* $(,)?) => {
            $(engine.add_test($name, {
                let test = strict(Value::from_function($test));
                move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| test(state, args).map(|found| found.is_true())
            });)*
        };
    }
    strict_tests! {
        "none": tests::is_none, "safe": tests::is_safe, "escaped": tests::is_safe, "boolean": tests::is_boolean,
        "odd": tests::is_odd, "even": tests::is_even, "divisibleby": divisible_by, "number": tests::is_number,
        "integer": tests::is_integer, "int": tests::is_integer, "float": tests::is_float, "string": tests::is_string,
        "sequence": tests::is_sequence, "iterable": tests::is_iterable, "mapping": tests::is_mapping,
        "startingwith": tests::is_startingwith, "endingwith": tests::is_endingwith, "lower": tests::is_lower,
        "upper": tests::is_upper, "sameas": tests::is_sameas, "eq": tests::is_eq, "equalto": tests::is_eq, "==": tests::is_eq,
        "ne": tests::is_ne, "!=": tests::is_ne, "lt": tests::is_lt, "lessthan": tests::is_lt, "<": tests::is_lt,
        "le": tests::is_le, "<=": tests::is_le, "gt": tests::is_gt, "greaterthan": tests::is_gt, ">": tests::is_gt,
        "ge": tests::is_ge, ">=": tests::is_ge, "in": tests::is_in, "true": tests::is_true, "false": tests::is_false,
        "filter": tests::is_filter, "test": tests::is_test,
    }
}

/// A function of the engine that takes only what is there, and makes plain lists of what would be worked out later.
fn strict(
    inner: Value,
) -> impl Fn(&mut State<'_, '_>, Rest<ValueOrKwargs>) -> Result<Value, Error> + Send + Sync + 'static {
    move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
        let args = args.into_values();
        for value in &args {
            look(state, value, 0)?;
        }
        let made = inner.call(state, &args)?;
        let later = made.as_object().is_some_and(|object| object.repr() == ObjectRepr::Iterable);
        if !later {
            return Ok(made);
        }
        let mut all = Vec::new();
        for value in made.try_iter()? {
            if all.len() % VALUES_A_STEP == 0 {
                state.consume_fuel(1)?;
            }
            all.push(value);
        }
        Ok(Value::from(all))
    }
}

/// Looks at a value and at all that is in it: whether it is there.
fn look(state: &State<'_, '_>, value: &Value, depth: usize) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    let Some(object) = value.as_object() else { return Ok(()) };
    if depth > DEEPEST {
        return Err(wrong(format!("lists and maps may be {DEEPEST} deep")));
    }
    let pairs = match object.repr() {
        ObjectRepr::Map => true,
        ObjectRepr::Seq | ObjectRepr::Iterable => false,
        _ => return Ok(()),
    };
    let Some(all) = object.try_iter() else { return Ok(()) };
    for (number, item) in all.enumerate() {
        if number % VALUES_A_STEP == 0 {
            state.consume_fuel(1)?;
        }
        if pairs {
            look(state, &object.get_value(&item).unwrap_or_default(), depth + 1)?;
        } else {
            look(state, &item, depth + 1)?;
        }
    }
    Ok(())
}

/// Writes what an expression comes to. `null` is no text: what has it is not there either, and no config means the word `None`.
fn write(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    look(state, value, 0)?;
    if value.is_none() {
        return Err(Error::new(
            ErrorKind::UndefinedError,
            "it has no value (null): ask for it with `if`, or write `or` and what to take instead",
        ));
    }
    minijinja::escape_formatter(out, state, value)
}

/// As the engine's own, which would make a text of any length.
fn indent(state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = args.into_values();
    let width = args.get(1).filter(|width| width.kind() == ValueKind::Number).and_then(Value::as_usize);
    let named =
        args.last().cloned().and_then(|last| Kwargs::try_from(last).ok()?.peek::<usize>("width").ok());
    let lines = args.first().and_then(Value::as_str).map_or(1, |text| text.matches('\n').count() + 1);
    if width.or(named).unwrap_or(4).saturating_mul(lines) > LONGEST_TEXT {
        return Err(wrong(format!("a text of more than {LONGEST_TEXT} bytes")));
    }
    Value::from_function(filters::indent).call(state, &args)
}

/// JSON in one line, which YAML takes as it is, whatever is in it.
fn to_json(value: Value) -> Result<String, Error> {
    match serde_json::to_string(&value) {
        Ok(json) => bounded(json),
        Err(error) => Err(Error::new(ErrorKind::BadSerialization, error.to_string())),
    }
}

fn divisible_by(value: &Value, other: &Value) -> Result<bool, Error> {
    if other.as_i64() == Some(0) {
        return Err(wrong("nothing is divisible by 0".to_owned()));
    }
    Ok(tests::is_divisibleby(value, other))
}

/// A text that is not so long that a few more filters would take all memory.
fn bounded(text: String) -> Result<String, Error> {
    if text.len() <= LONGEST_TEXT {
        return Ok(text);
    }
    Err(wrong(format!("a text of more than {LONGEST_TEXT} bytes")))
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

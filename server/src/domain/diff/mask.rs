//! Texts without what nobody is to read in them: values of keys that say that they are secret.
//!
//! It reads lines, not YAML: what stands in a profile is a template, and Butane inside of YAML inside of YAML. Better too much is
//! masked than too little.

/// Parts of keys whose values are not shown.
const SECRET: [&str; 7] =
    ["password", "passwd_hash", "passphrase", "secret", "token", "private_key", "privatekey"];

/// What stands in the place of a secret.
const MASKED: &str = "(masked)";

/// The text, with secrets masked.
pub fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    // How deep the key stands whose value goes on in deeper lines, and whether those are all secret or only their `value`s.
    let mut inside: Option<(usize, bool)> = None;
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches('\n');
        let depth = body.len() - body.trim_start().len();
        if inside.is_some_and(|(outer, _)| {
            !body.trim().is_empty() && depth <= outer && !goes_on(body, depth, outer)
        }) {
            inside = None;
        }
        match inside {
            // A blank line does not end a text: encrypted keys have one after their headers.
            Some((_, true)) if body.trim().is_empty() => {}
            Some((_, true)) => {
                shown.push_str(body.get(..depth).unwrap_or_default());
                shown.push_str(MASKED);
            }
            Some((_, false)) => shown.push_str(&inline(body, true)),
            _ => {
                inside = opens(body, depth);
                shown.push_str(&inline(body, false));
            }
        }
        if line.ends_with('\n') {
            shown.push('\n');
        }
    }
    shown
}

/// Whether a line belongs to a list right below its key, which YAML lets stand as far left as the key itself.
fn goes_on(body: &str, depth: usize, outer: usize) -> bool {
    depth == outer && body.trim_start().starts_with("- ")
}

/// Whether the value of this line's key is, or goes on, in the lines below it.
fn opens(body: &str, depth: usize) -> Option<(usize, bool)> {
    let (key, value) = body.split_once(':')?;
    let dashes = key.trim_start().len() - key.trim_start().trim_start_matches(['-', ' ']).len();
    let key = key.trim_matches(['-', ' ', '"', '\'']);
    let below = matches!(value.trim().chars().next(), None | Some('|' | '>' | '#'));
    // A text may go on in lines that stand deeper, in quotes or without. A reference has no value to hide.
    let goes_on = is_secret(key) && !is_reference(value.trim());
    if !below && !goes_on {
        return None;
    }
    match (is_secret(key), is_headers(key)) {
        (true, _) => Some((depth + dashes, true)),
        (_, true) => Some((depth + dashes, false)),
        _ => None,
    }
}

/// One line, with the values masked of those of its keys that are secret; in HTTP headers, of each `value`.
fn inline(body: &str, headers: bool) -> String {
    let mut shown = String::with_capacity(body.len());
    let mut rest = body;
    let mut in_headers = headers;
    while let Some(at) = rest.find(':') {
        let (before, after) = rest.split_at(at + 1);
        let key = before.trim_end_matches([':', '"', '\'', ' ']);
        let key =
            key.rsplit(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-')).next().unwrap_or_default();
        shown.push_str(before);
        rest = after;
        in_headers |= is_headers(key);
        let value = after.trim_start();
        // What begins below is looked at there.
        let shows = is_reference(value) || value.starts_with(['|', '>', '#']);
        let hides = is_secret(key) || in_headers && key.eq_ignore_ascii_case("value");
        if hides && !value.is_empty() && !shows && after.starts_with([' ', '"', '\'']) {
            shown.push(' ');
            shown.push_str(MASKED);
            rest = value.get(end(value)..).unwrap_or_default();
        }
    }
    shown.push_str(rest);
    shown
}

/// Where a value ends that stands in a line: at its closing quote, or at what ends it in a list or a map of one line.
fn end(value: &str) -> usize {
    let mut chars = value.char_indices();
    let quote = chars.next().map(|(_, c)| c).filter(|c| matches!(c, '"' | '\''));
    let found = match quote {
        Some(quote) => {
            let mut escaped = false;
            chars
                .find(|(_, c)| {
                    let closes = *c == quote && !escaped;
                    escaped = quote == '"' && *c == '\\' && !escaped;
                    closes
                })
                .map(|(at, c)| at + c.len_utf8())
        }
        None => value.find([',', '}', ']']),
    };
    found.unwrap_or(value.len())
}

/// Whether a value says where a secret is, and is none.
fn is_reference(value: &str) -> bool {
    ["{file", "{env", "{vault"].iter().any(|start| value.starts_with(start))
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET.iter().any(|part| key.contains(part))
}

fn is_headers(key: &str) -> bool {
    matches!(key.to_ascii_lowercase().as_str(), "http_headers" | "httpheaders")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_secret_is_masked_wherever_it_stands() {
        for (text, expected) in [
            ("password_hash: $6$abc\nname: core\n", "password_hash: (masked)\nname: core\n"),
            ("{name: core, passwordHash: \"a,b}\", x: 1}", "{name: core, passwordHash: (masked), x: 1}"),
            ("db_password: |\n  one\n  two\nnext: 1\n", "db_password: |\n  (masked)\n  (masked)\nnext: 1\n"),
            (
                "private_key: |\n  one\n\n  two\nnext: 1\n",
                "private_key: |\n  (masked)\n\n  (masked)\nnext: 1\n",
            ),
            ("- token: abc\n  name: x\n", "- token: (masked)\n  name: x\n"),
            ("password: {file: /etc/x}\n", "password: {file: /etc/x}\n"),
            ("variables: {join_token: t0p}\n", "variables: {join_token: (masked)}\n"),
            (
                "http_headers:\n  - name: Authorization\n    value: Bearer abc\nname: y\nvalue: 1\n",
                "http_headers:\n  - name: Authorization\n    value: (masked)\nname: y\nvalue: 1\n",
            ),
            (
                "httpHeaders:\n- name: Authorization\n  value: Bearer abc\nvalue: 1\n",
                "httpHeaders:\n- name: Authorization\n  value: (masked)\nvalue: 1\n",
            ),
            ("http_headers: [{name: A, value: abc}]\n", "http_headers: [{name: A, value: (masked)}]\n"),
            ("url: https://example.com/a:b\n", "url: https://example.com/a:b\n"),
            // A text in quotes, and one without, that goes on in the next line.
            ("password: \"one\n  two\"\nname: x\n", "password: (masked)\n  (masked)\nname: x\n"),
            ("- token: one\n    two\n  name: x\n", "- token: (masked)\n    (masked)\n  name: x\n"),
            (
                "a:\n  password_hash: one\n\n    two\n  b: 1\n",
                "a:\n  password_hash: (masked)\n\n    (masked)\n  b: 1\n",
            ),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_lines_stay_lines(text in "(password|token: |value: |http_headers:|[|>{},'\"\\\\:\n -]|ä|x){0,40}") {
            prop_assert_eq!(masked(&text).matches('\n').count(), text.matches('\n').count());
        }

        #[test]
        fn a_secret_on_its_line_is_never_shown(indent in " {0,6}", key in "(password|password_hash|admin_secret|apiToken)", secret in "[A-Z]{8,12}") {
            let text = format!("{indent}{key}: {secret}\n");
            prop_assert!(!masked(&text).contains(&secret));
        }
    }
}

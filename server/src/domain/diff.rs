//! What differs between two texts, for people: line by line, bounded, and without secrets.
use super::yaml;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

mod mask;

pub use mask::masked;

/// The longest text that is looked through, in lines: the work grows with the square of what differs.
const LONGEST: usize = 5_000;
/// The most lines of one difference.
const MOST_LINES: usize = 2_000;
/// The longest line that is shown, in characters.
const LONGEST_LINE: usize = 400;
/// What is said where nothing that is shown differs.
pub const ONLY_SECRETS: &str = "@@ only secrets differ, which are not shown @@";
/// Lines around a change that are the same.
const AROUND: usize = 3;

/// The lines that differ as `diff -u` has them, with three lines around: each begins with `+`, `-` or a blank, and `@@ … @@` stands
/// before each place. Nothing, if nothing differs.
pub fn lines(before: &str, after: &str) -> Vec<String> {
    if before == after {
        return Vec::new();
    }
    let count = |text: &str| text.lines().count();
    if count(before).max(count(after)) > LONGEST {
        return vec![format!("@@ {} lines became {}: too many to compare @@", count(before), count(after))];
    }
    let diff = TextDiff::from_lines(before, after);
    let mut found = Vec::new();
    for hunk in diff.unified_diff().context_radius(AROUND).iter_hunks() {
        found.push(hunk.header().to_string());
        for change in hunk.iter_changes() {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            let text = change.value().trim_end_matches(['\n', '\r']);
            found.push(format!("{sign}{}", shortened(text)));
        }
    }
    if found.len() > MOST_LINES {
        let more = found.len() - MOST_LINES;
        found.truncate(MOST_LINES);
        found.push(format!("@@ {more} more lines @@"));
    }
    found
}

/// The same of two values as YAML, with their secrets masked. Where secrets are all that differs, it says so.
pub fn values(before: Option<&Value>, after: Option<&Value>) -> Vec<String> {
    let text = |value: Option<&Value>| value.map(|value| masked(&yaml::write(value))).unwrap_or_default();
    let found = lines(&text(before), &text(after));
    if found.is_empty() && before != after {
        return vec![ONLY_SECRETS.to_owned()];
    }
    found
}

fn shortened(line: &str) -> String {
    let mut text: String = line.chars().take(LONGEST_LINE).collect();
    if line.chars().nth(LONGEST_LINE).is_some() {
        text.push('…');
    }
    plain(&text)
}

/// A line in which what would move a terminal's cursor, turn the direction of its writing, or not be seen at all, is shown by its
/// number: whoever reads a difference must see what is there (CVE-2021-42574).
pub fn plain(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for c in line.chars() {
        if c != '\t' && (c.is_control() || is_hidden(c)) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether it turns writing, or takes no room.
pub const fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_is_shown_with_what_is_around_it() {
        let before = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let after = "a\nb\nc\nd\ne\nF\ng\nh\n";
        assert_eq!(
            lines(before, after),
            ["@@ -3,6 +3,6 @@", " c", " d", " e", "-f", "+F", " g", " h"].map(str::to_owned)
        );
        assert_eq!(lines(before, before), [] as [String; 0]);
    }

    #[test]
    fn a_secret_that_changed_is_told_of_and_not_shown() {
        let of = |hash: &str| json!({"butane": format!("passwd:\n  users:\n    - name: core\n      password_hash: {hash}\n")});
        let diff = values(Some(&of("$6$old")), Some(&of("$6$new")));
        assert_eq!(diff, ["@@ only secrets differ, which are not shown @@"]);
        let with = |hash: &str, name: &str| json!({"butane": format!("users: [{{name: {name}, password_hash: {hash}}}]\n")});
        let diff = values(Some(&with("$6$old", "a")), Some(&with("$6$new", "b"))).join("\n");
        assert!(
            diff.contains("+  users: [{name: b, password_hash: (masked)}]") && !diff.contains("$6"),
            "{diff}"
        );
    }

    #[test]
    fn texts_that_are_too_long_and_lines_that_are_too_long_are_bounded() {
        let long = "x\n".repeat(LONGEST + 1);
        assert_eq!(lines(&long, "x\n"), ["@@ 5001 lines became 1: too many to compare @@"]);
        let numbers: String = (0..4000).map(|n| format!("{n}\n")).collect();
        assert_eq!(lines("", &numbers).len(), MOST_LINES + 1);
        let wide = lines("", &format!("{}\u{1b}[2J\n", "y".repeat(300)));
        assert!(wide[1].starts_with("+yyy") && wide[1].ends_with("y\\u{1b}[2J"), "{}", wide[1]);
        assert!(lines("", &"z".repeat(10_000))[1].chars().count() < 410);
    }

    #[test]
    fn what_is_there_is_seen() {
        // Trojan Source: an editor that obeys the marks shows the comment's end elsewhere.
        let shown = lines("", "a: 1 # \u{202e} }\u{2066}b\u{200b}\tä e\u{301}\n").remove(1);
        assert_eq!(shown, "+a: 1 # \\u{202e} }\\u{2066}b\\u{200b}\tä e\u{301}");
    }
}

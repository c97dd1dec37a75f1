//! The files that a profile brings along for its Butane: bounded, with paths that lead nowhere else.
use super::{Wrong, wrong};
use crate::domain::butane::{Entry, Files};
use base64::{Engine, engine::general_purpose::STANDARD};
use pilotlight_types::resource::{OtherFile, ProfileFile};
use std::collections::BTreeMap;

/// The most files of a profile.
pub const MOST_FILES: usize = 1000;
/// The most bytes in them, all together.
pub const MOST_BYTES: usize = 4 << 20;
/// The longest path of one.
const LONGEST_PATH: usize = 512;

/// The files as Butane takes them, or all that is wrong with them.
pub(super) fn of(given: &BTreeMap<String, ProfileFile>) -> Result<Files, Vec<Wrong>> {
    let (mut files, mut wrongs, mut bytes) = (Files::default(), Vec::new(), 0_usize);
    if given.len() > MOST_FILES {
        let message = format!("a profile has at most {MOST_FILES} files, this one {}", given.len());
        return Err(vec![wrong("spec.files", message)]);
    }
    for (path, file) in given {
        let at = format!("spec.files.{path}");
        let entry = check_path(path).and_then(|()| entry(file));
        let mut above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        let inside = above.any(|above| given.contains_key(above));
        match entry {
            Err(message) => wrongs.push(wrong(&at, message)),
            Ok(_) if inside => wrongs.push(wrong(&at, "a file cannot be a folder as well".to_owned())),
            Ok(entry) => {
                if let Entry::File { contents, .. } = &entry {
                    bytes = bytes.saturating_add(contents.len());
                }
                if let Err(error) = files.insert(path, entry) {
                    wrongs.push(wrong(&at, error.to_string()));
                }
            }
        }
    }
    if bytes > MOST_BYTES {
        wrongs.push(wrong(
            "spec.files",
            format!("a profile's files have at most {MOST_BYTES} bytes together, these {bytes}"),
        ));
    }
    if wrongs.is_empty() { Ok(files) } else { Err(wrongs) }
}

fn check_path(path: &str) -> Result<(), String> {
    if path.is_empty() || path.len() > LONGEST_PATH {
        return Err(format!("a path has 1 to {LONGEST_PATH} bytes"));
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("a path is relative and written simply: without `..`, `.` and double slashes".to_owned());
    }
    match path.chars().find(|c| is_deceptive(*c)) {
        Some(c) => Err(format!("a path is printable text: it holds {}", c.escape_unicode())),
        None => Ok(()),
    }
}

/// Whether a character is not what people see: control characters, those that turn the direction of writing, those of no width.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn entry(file: &ProfileFile) -> Result<Entry, String> {
    let OtherFile { text, base64, link, executable } = match file {
        ProfileFile::Text(text) => {
            return Ok(Entry::File { contents: text.clone().into_bytes(), executable: false });
        }
        ProfileFile::Other(other) => other.clone(),
    };
    match (text, base64, link) {
        (Some(text), None, None) => Ok(Entry::File { contents: text.into_bytes(), executable }),
        (None, Some(base64), None) => {
            let contents = STANDARD.decode(base64).map_err(|error| format!("this is no base64: {error}"))?;
            Ok(Entry::File { contents, executable })
        }
        (None, None, Some(_)) if executable => Err("a link is not executable".to_owned()),
        (None, None, Some(target)) if target.is_empty() || target.chars().any(is_deceptive) => {
            Err("a link's target is printable text".to_owned())
        }
        (None, None, Some(target)) => Ok(Entry::Link { target }),
        _ => Err("a file has one of `text`, `base64` and `link`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn wrongs(files: Value) -> Vec<String> {
        let files: BTreeMap<String, ProfileFile> = serde_json::from_value(files).unwrap();
        of(&files).unwrap_err().into_iter().map(|wrong| format!("{}: {}", wrong.path, wrong.detail)).collect()
    }

    #[test]
    fn a_path_that_leads_out_or_deceives_is_refused() {
        for path in [
            "../a",
            "/etc/passwd",
            "a/../../b",
            "a//b",
            "./a",
            "a/",
            "",
            "a\nb",
            "a\u{202e}txt.exe",
            "a\u{200b}",
            "\u{feff}a",
        ] {
            assert_eq!(wrongs(json!({path: "x"})).len(), 1, "{path:?}");
        }
        assert_eq!(
            wrongs(json!({"a": "x", "a/b": "y"})),
            ["spec.files.a/b: a file cannot be a folder as well"]
        );
        assert!(of(&serde_json::from_value(json!({"ä/ö.txt": "x", "a-b": "", "a/b": ""})).unwrap()).is_ok());
    }

    #[test]
    fn a_file_is_one_thing() {
        for file in [
            json!({}),
            json!({"text": "a", "base64": "YQ=="}),
            json!({"base64": "?"}),
            json!({"link": ""}),
            json!({"link": "a", "executable": true}),
        ] {
            assert_eq!(wrongs(json!({"a": file})).len(), 1, "{file}");
        }
    }

    #[test]
    fn files_are_bounded_in_number_and_size() {
        let many: serde_json::Map<String, Value> =
            (0..=MOST_FILES).map(|n| (format!("f{n}"), json!(""))).collect();
        assert_eq!(
            wrongs(Value::Object(many)),
            ["spec.files: a profile has at most 1000 files, this one 1001"]
        );
        let big = "x".repeat(MOST_BYTES / 2 + 1);
        assert!(wrongs(json!({"a": big, "b": big}))[0].contains("at most 4194304 bytes"));
    }
}

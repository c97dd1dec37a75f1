//! Keeps the direction of imports: `app`, `cli` → edges → `service` → `domain`, `store`. A path that goes another way fails with
//! its file and line. docs/architecture.md has the picture.
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Each top-level module, and those that it may use beside itself. `app` is the composition root: it sees everything but `cli`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("capture", &[]),
    ("bmc", &["clock", "domain", "errors", "secret"]),
    ("clock", &[]),
    ("errors", &[]),
    ("interface", &[]),
    ("lifecycle", &[]),
    ("metrics", &[]),
    ("reception", &[]),
    ("secret", &["clock"]),
    ("config", &["secret"]),
    ("site", &["clock", "domain", "secret"]),
    ("domain", &[]),
    ("store", &["domain", "errors"]),
    ("service", &["bmc", "clock", "domain", "errors", "secret", "store"]),
    ("dhcp", &["clock", "domain", "errors", "interface", "metrics", "reception", "service"]),
    ("dhcp6", &["clock", "domain", "errors", "interface", "metrics", "reception", "service"]),
    ("neighbor", &["clock", "domain", "errors", "interface", "metrics", "service"]),
    ("tftp", &["clock", "domain", "errors", "metrics", "service"]),
    ("syslog", &["clock", "domain", "errors", "metrics", "service"]),
    ("http", &["clock", "domain", "errors", "metrics", "secret", "service"]),
    ("reconcile", &["clock", "domain", "errors", "metrics", "service"]),
    (
        "app",
        &[
            "clock",
            "config",
            "dhcp",
            "dhcp6",
            "domain",
            "errors",
            "http",
            "interface",
            "lifecycle",
            "metrics",
            "neighbor",
            "reception",
            "reconcile",
            "secret",
            "service",
            "site",
            "store",
            "syslog",
            "tftp",
        ],
    ),
    // `serve` runs the daemon, and `doctor` tries its sockets and its database; the rest talks REST.
    (
        "cli",
        &[
            "app",
            "capture",
            "clock",
            "config",
            "dhcp",
            "dhcp6",
            "domain",
            "errors",
            "interface",
            "lifecycle",
            // `render` reads them where its user may.
            "secret",
            "store",
        ],
    ),
];

/// Crates that are one module's affair, and the modules that may name them.
const OWNED: &[(&str, &[&str])] = &[
    ("aes", &["bmc"]),
    ("axum", &["app", "http"]),
    ("cbc", &["bmc"]),
    ("clap", &["cli", "config"]),
    ("rcgen", &["site"]),
    ("reqwest", &["app", "bmc", "cli", "service"]),
    ("sqlx", &["store"]),
    ("tower_http", &["http"]),
];

/// What the rules of the domain must do without: the outside world.
const IMPURE: &[&str] = &[
    "rand::",
    "std::env",
    "std::fs",
    "std::process",
    "std::thread",
    "tokio::",
    "Instant::now",
    "SystemTime",
    "TcpStream",
    "UdpSocket",
    "jiff::",
];

#[test]
fn imports_run_downward() {
    let rules: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(allowed) = rules.get(source.module.as_str()) else {
            wrong.push(format!("{}: module `{}` has no rule in MAY_USE", source.name, source.module));
            continue;
        };
        for (line, used) in source.uses() {
            if used != source.module && !allowed.contains(&used.as_str()) && rules.contains_key(used.as_str())
            {
                let Source { name, module, .. } = &source;
                wrong.push(format!("server/src/{name}:{line}: `{module}` may not use `{used}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "imports run downward (docs/architecture.md):\n{}", wrong.join("\n"));
}

#[test]
fn a_crate_that_is_one_modules_affair_stays_there() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (name, owners) in OWNED.iter().filter(|(_, owners)| !owners.contains(&source.module.as_str())) {
            let path = format!("{name}::");
            for line in source.lines_with(&path) {
                let owners = owners.join("`, `");
                wrong.push(format!("server/src/{}:{line}: `{name}` is for `{owners}`", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_domain_is_pure() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.module == "domain") {
        for word in IMPURE {
            for line in source.lines_with(word) {
                wrong.push(format!("server/src/{}:{line}: `{word}` is the outside world", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn paths_are_found_wherever_they_are_written() {
    let source = Source {
        name: "http/a.rs".into(),
        module: "http".into(),
        code: code_only(
            "//! [`crate::app`]\nuse crate::{\n    store::{Db, StoreError},\n    service::boots,\n};\nfn f() {\n    let s = \"crate::cli\"; // crate::dhcp\n    \
             crate::tftp::g(r#\"crate::site\"#, '\"'); super::super::domain::h();\n}\n#[cfg(test)]\nmod tests { use crate::app; }\n",
        ),
    };
    let found: Vec<(usize, String)> = source.uses();
    let expected = [(3, "store"), (4, "service"), (8, "tftp"), (8, "domain")]
        .map(|(line, module)| (line, module.to_owned()));
    assert_eq!(found, expected);
}

/// A file of the server, without comments, strings and tests.
struct Source {
    name: String,
    module: String,
    code: String,
}

impl Source {
    /// The lines and the top-level modules that its paths begin with.
    fn uses(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (start, _) in self.code.match_indices("crate::") {
            if !self.code[..start].ends_with(is_word) {
                let from = start + "crate::".len();
                found.extend(
                    heads(&self.code[from..]).into_iter().map(|(at, head)| (self.line(from + at), head)),
                );
            }
        }
        // As many `super` as the file is deep lead to the root.
        let up = "super::".repeat(self.name.matches('/').count() + 1);
        for (start, _) in self.code.match_indices(&up) {
            let from = start + up.len();
            found
                .extend(heads(&self.code[from..]).into_iter().map(|(at, head)| (self.line(from + at), head)));
        }
        found
    }

    fn lines_with<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let whole = |start: &usize| !self.code[..*start].ends_with(|c| is_word(c) || c == ':');
        self.code.match_indices(word).map(|(start, _)| start).filter(whole).map(|start| self.line(start))
    }

    fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The first words of what a path goes on with: one, or those of a `{group}`.
fn heads(rest: &str) -> Vec<(usize, String)> {
    let word = |at: usize| -> String { rest[at..].chars().take_while(|c| is_word(*c)).collect() };
    if !rest.starts_with('{') {
        return vec![(0, word(0))];
    }
    let mut all = Vec::new();
    let (mut depth, mut fresh) = (0, false);
    for (at, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match c {
            '{' | ',' if depth == 1 => fresh = true,
            c if fresh && is_word(c) => {
                all.push((at, word(at)));
                fresh = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    all
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let named = files.into_iter().filter_map(|path| {
        let name = path.strip_prefix(&root).ok()?.to_str()?.to_owned();
        let module = name.split('/').next()?.trim_end_matches(".rs").to_owned();
        let skipped = matches!(module.as_str(), "lib" | "main")
            || name.ends_with("/tests.rs")
            || name.contains("/tests/");
        (!skipped).then(|| {
            let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            Source { name, module, code: code_only(&text) }
        })
    });
    named.collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

/// The text with comments and strings blanked, each line where it was, up to the tests at its end.
fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            raw.find("\"#").map_or(rest.len(), |end| end + 5)
        } else if c == '"' {
            string_length(rest)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\'") {
            3
        } else {
            0
        };
        if skipped == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.extend(rest[..skipped].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[skipped..];
        }
    }
    let end = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
    code.truncate(end);
    code
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

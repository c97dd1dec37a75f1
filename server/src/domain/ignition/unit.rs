//! systemd units: their names, and their text as Ignition reads it before it writes it to the disk (systemd.syntax(7)).
use super::{Problem, place::Place, place::shown, rules::Rules};
use crate::domain::diff::is_hidden;

/// systemd itself reads no longer lines.
const LONGEST_LINE: usize = 2047;
const SUFFIXES: [&str; 12] = [
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "snapshot",
    "slice",
    "scope",
];

/// What is wrong with a unit's text, and in which line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) line: usize,
    pub(super) message: String,
}

/// What a unit's text is made of, as far as it matters here.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Unit {
    /// There is at least one setting in `[Install]`.
    pub(super) installs: bool,
    /// The first line with something in it before any section.
    pub(super) stray: Option<usize>,
}

/// What the next line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    BeforeSections,
    Section,
    /// A comment that goes on, before all sections or in one.
    Comment {
        before: bool,
    },
    /// A value that goes on.
    Value,
}

/// What a line is.
enum Line<'t> {
    /// What follows the `[`.
    Header(&'t str),
    Comment,
    /// Before all sections, where it does not count.
    Stray,
    Setting,
    Empty,
    /// More of what the line before began.
    More,
}

/// Reads a unit's text.
pub(super) fn parse(text: &str) -> Result<Unit, Broken> {
    let mut unit = Unit::default();
    let mut section = String::new();
    let mut at = At::BeforeSections;
    let mut lines = text.split('\n').enumerate();
    while let Some((index, raw)) = lines.next() {
        let broken = |message: String| Err(Broken { line: index + 1, message });
        let line = raw.strip_suffix('\r').unwrap_or(raw);
        let bare = line.trim_start();
        let what = classify(bare, at);
        // The first character of these is taken before the rest is measured.
        let roomy = matches!(what, Line::Header(_) | Line::Stray) || at == At::BeforeSections;
        let longest = LONGEST_LINE + usize::from(roomy);
        if line.len() > longest {
            return broken(format!(
                "a line of a unit has at most {longest} bytes; break it with a `\\` at its end"
            ));
        }
        if at == At::BeforeSections && !bare.is_empty() && !bare.starts_with(['#', ';', '[']) {
            unit.stray.get_or_insert(index + 1);
        }
        at = match what {
            Line::Header(header) => {
                let Some((name, after)) = header_name(header, || lines.next().map(|(_, more)| more)) else {
                    return broken("this section's name has no `]`".to_owned());
                };
                if !after.trim().is_empty() {
                    return broken(format!("there is `{}` after the section's name", shown(after.trim())));
                }
                section = name;
                At::Section
            }
            Line::Setting if bare.split_once('=').is_none_or(|(name, _)| name.contains('\r')) => {
                return broken(format!("`{}` is no setting: `=` is missing", shown(line.trim())));
            }
            Line::Setting => {
                unit.installs |= section == "Install";
                // The backslash must be the very last of the line, even if lines end as on Windows.
                if raw.ends_with('\\') { At::Value } else { At::Section }
            }
            Line::Comment => {
                let before = matches!(at, At::BeforeSections | At::Comment { before: true });
                match (raw.strip_suffix(' ').unwrap_or(raw).ends_with('\\'), before) {
                    (true, _) => At::Comment { before },
                    (false, true) => At::BeforeSections,
                    (false, false) => At::Section,
                }
            }
            Line::More if raw.ends_with('\\') && !bare.is_empty() => at,
            Line::More => At::Section,
            Line::Stray | Line::Empty => at,
        };
    }
    Ok(unit)
}

fn classify(bare: &str, at: At) -> Line<'_> {
    match at {
        At::Value => Line::More,
        At::Comment { .. } => Line::Comment,
        // Anything may stand before the first section; what counts is which of these comes first.
        At::BeforeSections => match bare.find(['[', '#', ';']) {
            Some(at) => {
                bare.get(at..).and_then(|rest| rest.strip_prefix('[')).map_or(Line::Comment, Line::Header)
            }
            None => Line::Stray,
        },
        At::Section if bare.is_empty() => Line::Empty,
        At::Section if bare.starts_with(['#', ';']) => Line::Comment,
        At::Section => bare.strip_prefix('[').map_or(Line::Setting, Line::Header),
    }
}

/// A section's name, which ends at the first `]`, be it lines below; and what is left of that line.
fn header_name<'t>(first: &'t str, mut next: impl FnMut() -> Option<&'t str>) -> Option<(String, &'t str)> {
    let mut name = String::new();
    let mut line = first;
    loop {
        if let Some((end, after)) = line.split_once(']') {
            name.push_str(end);
            return Some((name, after));
        }
        name.push_str(line);
        name.push('\n');
        line = next()?;
    }
}

impl Rules<'_> {
    /// Judges `systemd`.
    pub(super) fn systemd(&mut self, systemd: &Place<'_>) {
        for unit in systemd.get("units").items() {
            let name = unit.get("name").text().unwrap_or_default();
            match name.rsplit_once('.') {
                Some((_, suffix)) if SUFFIXES.contains(&suffix) => {
                    if name
                        .contains(|c: char| c == '/' || c.is_whitespace() || c.is_control() || is_hidden(c))
                    {
                        let message = format!("`{}` is no unit name that systemd would load", shown(name));
                        self.warning(&unit.get("name"), message);
                    }
                }
                _ => self.error(
                    &unit.get("name"),
                    format!("`{}` is no unit name: it must end like `.service`", shown(name)),
                ),
            }
            let contents = unit.get("contents");
            let read = self.unit_text(&contents);
            if unit.get("enabled").is(true)
                && contents.filled().is_some()
                && read.is_some_and(|unit| !unit.installs)
            {
                let message = "the unit is enabled, but has no `[Install]` section: enabling it does nothing";
                self.warning(&contents, message.to_owned());
            }
            for dropin in unit.get("dropins").items() {
                self.unit_text(&dropin.get("contents"));
                let name = dropin.get("name");
                if !name.text().unwrap_or_default().ends_with(".conf") {
                    self.error(&name, "a drop-in's name must end in `.conf`".to_owned());
                } else if name.text().unwrap_or_default().contains('/') {
                    self.warning(&name, "a drop-in's name has no `/`".to_owned());
                }
            }
        }
    }

    fn unit_text(&mut self, contents: &Place<'_>) -> Option<Unit> {
        let path = contents.path.clone();
        match parse(contents.text()?) {
            Ok(unit) => {
                if let Some(line) = unit.stray {
                    let message =
                        "this stands before the first section, such as `[Unit]`, and is ignored".to_owned();
                    self.report.push_warning(Problem { path, line: Some(line), message });
                }
                Some(unit)
            }
            Err(Broken { line, message }) => {
                self.report.push_error(Problem { path, line: Some(line), message });
                None
            }
        }
    }
}

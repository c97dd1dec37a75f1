//! A terminal, or what stands in its place.

use std::io::{self, IsTerminal, Write};
use std::process::{Command, Stdio};

/// Where the demo is shown.
#[derive(Debug)]
pub struct Screen {
    /// Whether what was drawn can be drawn over.
    pub redraws: bool,
    /// Its height.
    pub rows: usize,
    /// Its colours.
    pub paint: Paint,
    drawn: usize,
}

/// Colours, where there are any.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    on: bool,
}

impl Screen {
    /// What standard output is.
    pub fn find() -> Self {
        let redraws =
            io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { redraws, rows: rows(), paint: Paint { on: redraws && !plain }, drawn: 0 }
    }

    /// Draws lines in place of those that it drew last.
    pub fn draw(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.drawn > 0 {
            write!(out, "\x1b[{}A", self.drawn)?;
        }
        for line in text.lines() {
            writeln!(out, "{line}\x1b[K")?;
        }
        // What an earlier, longer picture left below.
        write!(out, "\x1b[J")?;
        self.drawn = text.lines().count();
        out.flush()
    }
}

impl Paint {
    /// A heading.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
    /// Of less interest.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
    /// As it should be.
    pub fn good(self, text: &str) -> String {
        self.with("1;32", text)
    }
    /// Behind us.
    pub fn done(self, text: &str) -> String {
        self.with("32", text)
    }
    /// Under way.
    pub fn now(self, text: &str) -> String {
        self.with("1;33", text)
    }
    /// Not as it should be.
    pub fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on && !text.trim().is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

fn rows() -> usize {
    let size = Command::new("stty").arg("size").stdin(Stdio::inherit()).stderr(Stdio::null()).output();
    let text = size.map(|size| String::from_utf8_lossy(&size.stdout).into_owned()).unwrap_or_default();
    let rows = text.split_whitespace().next().and_then(|rows| rows.parse().ok());
    rows.filter(|rows| *rows >= 10).unwrap_or(24)
}

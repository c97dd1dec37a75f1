//! Passwords that are typed: never arguments, which others of this host can see.
use anyhow::{Context, Result, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{BufRead, IsTerminal, Write, stdin};

/// The longest line that is read.
const LONGEST: u64 = 4096;

/// A password: typed where there is a terminal, which does not show it, or else the first line of standard input.
pub(super) fn read(prompt: &str) -> Result<String> {
    if !stdin().is_terminal() {
        return line();
    }
    eprint!("{prompt}: ");
    std::io::stderr().flush()?;
    let _hidden = Hidden::begin()?;
    let typed = line();
    eprintln!();
    typed
}

/// A new password: at a terminal it is typed twice.
pub(super) fn read_new(prompt: &str) -> Result<String> {
    let password = read(prompt)?;
    if stdin().is_terminal() && read("The same again")? != password {
        bail!("these were two different ones");
    }
    Ok(password)
}

fn line() -> Result<String> {
    let mut text = String::new();
    let mut input = std::io::Read::take(stdin().lock(), LONGEST);
    input.read_line(&mut text).context("standard input cannot be read")?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        bail!("a password is expected on standard input");
    }
    Ok(line.to_owned())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> Result<Self> {
        let before = tcgetattr(stdin()).context("the terminal cannot be asked")?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(stdin(), OptionalActions::Flush, &hidden).context("the terminal cannot be kept quiet")?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Nobody could be told.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}

//! What a machine prints on its serial console: each line with its time since power-on, in memory and in a file.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::watch;

/// A line of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Since power-on, when its last byte came (a line may start in one stage and be ended by the next).
    pub at: Duration,
    /// Without control sequences.
    pub text: String,
}

/// The console of one machine; what it printed before a power cycle stays.
#[derive(Debug, Clone)]
pub struct Console {
    shared: Arc<Mutex<Shared>>,
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
struct Shared {
    lines: Vec<Line>,
    partial: Option<Line>,
    returned: bool,
    skip: Escape,
    log: File,
}

/// How far into a terminal's control sequence we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    Started,
    Within,
}

impl Console {
    pub(super) fn create(log: &Path) -> Result<Self> {
        let log =
            File::create(log).with_context(|| format!("the serial log {} cannot be made", log.display()))?;
        let shared = Shared { lines: Vec::new(), partial: None, returned: false, skip: Escape::None, log };
        Ok(Self { shared: Arc::new(Mutex::new(shared)), changed: watch::Sender::new(0) })
    }

    /// Takes what `serial` brings, until it ends, in a thread.
    pub(super) fn follow(&self, mut serial: impl Read + Send + 'static, power_on: Instant) -> Result<()> {
        let console = self.clone();
        thread::Builder::new().name("console".into()).spawn(move || {
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = serial.read(&mut part) {
                console.take(part.get(..count).unwrap_or_default(), power_on.elapsed());
            }
            console.with(Shared::end_line);
            console.tell();
        })?;
        Ok(())
    }

    /// All lines so far; the last may not be whole yet.
    pub fn lines(&self) -> Vec<Line> {
        self.with(|shared| shared.lines.iter().chain(&shared.partial).cloned().collect())
    }

    /// How many whole lines there are: a place to look on from.
    pub fn mark(&self) -> usize {
        self.with(|shared| shared.lines.len())
    }

    /// The first line, from the place `from` on, that has `marker` in it.
    pub fn find(&self, from: usize, marker: &str) -> Option<Line> {
        self.with(|shared| {
            shared
                .lines
                .iter()
                .skip(from)
                .chain(&shared.partial)
                .find(|line| line.text.contains(marker))
                .cloned()
        })
    }

    /// The last lines, for an error's text.
    pub fn tail(&self, count: usize) -> String {
        let lines = self.lines();
        let tail = lines.iter().skip(lines.len().saturating_sub(count));
        tail.map(|line| format!("{:9.2} {}\n", line.at.as_secs_f64(), line.text)).collect()
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Wakes who waits for something to change, as the machine's end is.
    pub(super) fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    fn take(&self, bytes: &[u8], at: Duration) {
        self.with(|shared| bytes.iter().for_each(|byte| shared.take(*byte, at)));
        self.tell();
    }

    fn with<T>(&self, act: impl FnOnce(&mut Shared) -> T) -> T {
        act(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shared {
    fn take(&mut self, byte: u8, at: Duration) {
        match (self.skip, byte) {
            (Escape::None, 0x1b) => self.skip = Escape::Started,
            (Escape::Started, b'[') => self.skip = Escape::Within,
            (Escape::Started, _) => self.skip = Escape::None,
            (Escape::Within, 0x40..=0x7e) => {
                self.skip = Escape::None;
                // Firmware draws screens: a jump of the cursor is the end of a line. Colours are not.
                if byte == b'H' {
                    self.end_line();
                }
            }
            (Escape::Within, _) => {}
            (Escape::None, b'\n') => {
                self.line(at);
                self.end_line();
            }
            // Progress is drawn over itself: each state is a line.
            (Escape::None, b'\r') => self.returned = true,
            (Escape::None, b'\t' | b' '..=b'~') => {
                if self.returned {
                    self.end_line();
                }
                self.line(at).text.push(char::from(byte));
            }
            // Texts of programs are ASCII here; the rest is drawing.
            (Escape::None, _) => {}
        }
    }

    /// The line that is being written.
    fn line(&mut self, at: Duration) -> &mut Line {
        let line = self.partial.get_or_insert_with(|| Line { at, text: String::new() });
        line.at = at;
        line
    }

    fn end_line(&mut self) {
        self.returned = false;
        let Some(mut line) = self.partial.take() else { return };
        line.text.truncate(line.text.trim_end().len());
        // The log is for people: a disk that is full ends it, not the machine.
        let _ = writeln!(self.log, "{:9.2} {}", line.at.as_secs_f64(), line.text);
        self.lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console() -> (Console, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Console::create(&folder.path().join("serial.log")).unwrap(), folder)
    }

    fn texts(console: &Console) -> Vec<String> {
        console.lines().into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn lines_come_without_colours_and_drawing() {
        let (console, _folder) = console();
        console.take(b"[\x1b[0;32m  OK  \x1b[0m] Started\r\nleft\x1b[05;01Hright\r\n", Duration::ZERO);
        assert_eq!(texts(&console), ["[  OK  ] Started", "left", "right"]);
    }

    #[test]
    fn a_line_has_the_time_of_its_end_and_is_found_before_it_ends() {
        let (console, _folder) = console();
        console.take(b"loading..", Duration::from_secs(1));
        console.take(b". ok\nroot@n1:~# ", Duration::from_secs(3));
        assert_eq!(console.find(0, "loading").unwrap().at, Duration::from_secs(3));
        assert_eq!(console.mark(), 1);
        assert_eq!(console.find(1, "root@").unwrap().text, "root@n1:~# ");
        assert_eq!(console.find(1, "loading"), None);
    }

    #[test]
    fn progress_that_is_drawn_over_itself_is_kept() {
        let (console, _folder) = console();
        console.take(b"10%\r20%\r\n", Duration::ZERO);
        assert_eq!(texts(&console), ["10%", "20%"]);
    }
}

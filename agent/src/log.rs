//! Lines for the journal: `<N>text` on standard error, N being the syslog priority (sd-daemon(3)).
use std::fmt;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// The agent cannot do its work.
    Error = 3,
    /// Something is not as it should be.
    Warning = 4,
    /// What happened.
    Info = 6,
}

/// Writes one line.
pub fn line(priority: Priority, text: &dyn fmt::Display) {
    eprintln!("{}", prefixed(priority, text));
}

fn prefixed(priority: Priority, text: &dyn fmt::Display) -> String {
    // What a server says may be in it: one message stays one line, and cannot forge another one's priority.
    let text: String = text.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("<{}>{text}", priority as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_with_its_priority_in_front() {
        assert_eq!(
            prefixed(Priority::Warning, &"refused: no\n<0>panic\u{1b}[2J"),
            "<4>refused: no <0>panic [2J"
        );
    }
}

//! Bytes to lines. Takes whatever comes: a header that is not understood is part of the text, and the text is safe to print.
//!
//! | who | how a line looks |
//! |---|---|
//! | RFC 5424 | `<14>1 2026-11-23T09:31:24Z n1 dracut 1 - - text` |
//! | RFC 3164 | `<14>Nov 23 09:31:24 n1 dracut[1]: text` |
//! | iPXE | `<14>n1.example ipxe: text`, or `<14>ipxe: text` |
//! | netconsole | `[    1.5] text`; extended `6,416,1758426,-;text`, with the kernel's release before it if that was asked for |

/// The most bytes of a line that are kept.
pub const LONGEST: usize = 1024;

/// The most lines that are taken of one datagram or frame.
const MOST_LINES: usize = 64;

/// A line that somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// 0 is an emergency, 7 for debugging (RFC 5424 section 6.2.1); none where the line does not say.
    pub severity: Option<u8>,
    /// The program that said it.
    pub tag: Option<String>,
    /// What it said: printable, at most [`LONGEST`] bytes.
    pub text: String,
}

/// The lines of a datagram. Empty ones are left out.
pub fn read(content: &[u8]) -> impl Iterator<Item = Message> {
    let text = String::from_utf8_lossy(content);
    let mut lines: Vec<Message> = Vec::new();
    let (head, body) = match priority(&text) {
        Some((severity, rest)) => {
            let (tag, rest) = rfc5424(rest).or_else(|| rfc3164(rest)).unwrap_or((None, rest));
            (Some((severity, tag)), rest)
        }
        None => (None, &*text),
    };
    for line in body.split(['\n', '\0']).take(MOST_LINES) {
        let (severity, tag, said) = match (&head, netconsole(line)) {
            (Some((severity, tag)), _) => (Some(*severity), tag.map(|tag| printable(tag, 48)), line),
            (None, Some((severity, said))) => (Some(severity), Some("kernel".into()), said),
            // What follows an extended line, indented, says of which device it was.
            (None, None) if line.starts_with(' ') && !lines.is_empty() => continue,
            (None, None) => (None, None, line),
        };
        let said = printable(said, LONGEST);
        if !said.is_empty() {
            lines.push(Message { severity, tag, text: said });
        }
    }
    lines.into_iter()
}

/// `<14>`: facility and severity (RFC 5424 section 6.2.1). 191 is the highest.
fn priority(text: &str) -> Option<(u8, &str)> {
    let (number, rest) = text.strip_prefix('<')?.split_once('>')?;
    let number: u8 = number.parse().ok().filter(|number| *number <= 191)?;
    Some((number & 7, rest))
}

/// After the priority: version, time, host, program, process, kind, structured data, text (RFC 5424 section 6).
fn rfc5424(text: &str) -> Option<(Option<&str>, &str)> {
    let mut rest = text.strip_prefix("1 ")?;
    let mut word = || {
        let (word, after) = rest.split_once(' ')?;
        rest = after;
        Some(word)
    };
    let (_time, _host, program, _process, _kind) = (word()?, word()?, word()?, word()?, word()?);
    let said = match rest.strip_prefix('-') {
        Some(said) => said,
        None => after_data(rest)?,
    };
    let said = said.strip_prefix(' ').unwrap_or(said);
    Some((Some(program).filter(|program| *program != "-"), said.trim_start_matches('\u{feff}')))
}

/// What follows `[id name="value"]…`; a `]` in a value is escaped (RFC 5424 section 6.3.3).
fn after_data(text: &str) -> Option<&str> {
    let (mut inside, mut quoted, mut escaped) = (false, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if inside => quoted = !quoted,
            '[' if !quoted => inside = true,
            ']' if !quoted => inside = false,
            _ if !inside => return text.get(at..),
            _ => {}
        }
    }
    (!inside).then_some("")
}

/// After the priority: `Nov 23 09:31:24 host program[process]: text`, of which time and host may be missing (RFC 3164 section
/// 4.3, iPXE).
fn rfc3164(text: &str) -> Option<(Option<&str>, &str)> {
    let rest = after_time(text).unwrap_or(text);
    let tagged = |rest: &'_ str| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "._-/()".contains(c)))?;
        let after = rest.get(end..)?;
        let after = match after.strip_prefix('[') {
            Some(process) => process.split_once(']')?.1,
            None => after,
        };
        after.strip_prefix(':').filter(|_| end > 0).map(|said| (end, rest.len() - said.len()))
    };
    let (start, (end, said)) = match tagged(rest) {
        Some(found) => (0, found),
        None => {
            let host = rest.find(' ')? + 1;
            (host, tagged(rest.get(host..)?)?)
        }
    };
    let rest = rest.get(start..)?;
    let text = rest.get(said..)?;
    Some((rest.get(..end), text.strip_prefix(' ').unwrap_or(text)))
}

/// `Nov 23 09:31:24 `, with the day padded by a blank.
fn after_time(text: &str) -> Option<&str> {
    let (time, rest) = text.split_at_checked(16)?;
    let form = "aaa dd dd:dd:dd ";
    let fits = |(c, f): (char, char)| match f {
        'a' => c.is_ascii_alphabetic(),
        'd' => c.is_ascii_digit() || c == ' ',
        other => c == other,
    };
    time.chars().zip(form.chars()).all(fits).then_some(rest)
}

/// `6,416,1758426,-;text`, or `6.12.0,6,416,1758426,-;text` (Documentation/networking/netconsole.rst).
fn netconsole(line: &str) -> Option<(u8, &str)> {
    let (head, said) = line.split_once(';')?;
    let mut words = head.split(',');
    let mut first = words.next()?;
    if first.contains('.') {
        first = words.next()?;
    }
    let level: u16 = first.parse().ok()?;
    let (_sequence, _micros): (u64, u64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    u8::try_from(level & 7).ok().map(|severity| (severity, said))
}

/// A text without what a terminal would obey: escape sequences are left out, other control characters are blanks.
fn printable(text: &str, longest: usize) -> String {
    let mut kept = String::new();
    let mut all = text.chars().peekable();
    while let Some(c) = all.next() {
        if c == '\u{1b}' {
            // ECMA-48: `ESC [`, parameters, and a final byte from `@` to `~`.
            if all.next_if_eq(&'[').is_some() {
                while all.next_if(|c| !('@'..='~').contains(c)).is_some() {}
                all.next();
            }
            continue;
        }
        let c = if c.is_control() || is_format(c) { ' ' } else { c };
        if kept.len() + c.len_utf8() > longest {
            break;
        }
        kept.push(c);
    }
    kept.trim_end().to_owned()
}

/// Characters that change the order of others, or hide.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests;

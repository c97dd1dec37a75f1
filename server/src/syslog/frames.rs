//! A TCP stream to messages (RFC 6587): counted (`27 <14>ipxe: …`), or ended by a line feed or NUL. A sender may do either from
//! one message to the next.

/// The most bytes of a message that are kept; the rest of it is left out.
const LONGEST: usize = 8192;

/// What has come of a stream and is no whole message yet.
#[derive(Debug, Default)]
pub struct Frames {
    kept: Vec<u8>,
    state: State,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    /// Between messages: digits are a count.
    #[default]
    Begin,
    /// Reading a count.
    Count(usize),
    /// So many bytes are to come.
    Counted(usize),
    /// Until the end of the line.
    Line,
}

impl Frames {
    /// Takes the next bytes; returns the messages that are whole now.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut whole = Vec::new();
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (State::Begin, b'1'..=b'9') => {
                    self.keep(byte);
                    State::Count(usize::from(byte - b'0'))
                }
                // RFC 6587 section 3.4.1: the length is decimal, and a blank ends it. Longer than this is none.
                (State::Count(count), b'0'..=b'9') if count < 1_000_000 => {
                    self.keep(byte);
                    State::Count(count * 10 + usize::from(byte - b'0'))
                }
                (State::Count(count), b' ') => {
                    self.kept.clear();
                    State::Counted(count)
                }
                (State::Counted(count), _) => {
                    self.keep(byte);
                    match count.saturating_sub(1) {
                        0 => self.end(&mut whole),
                        left => State::Counted(left),
                    }
                }
                (State::Begin | State::Count(_) | State::Line, b'\n' | 0) => self.end(&mut whole),
                (State::Begin | State::Count(_) | State::Line, _) => {
                    self.keep(byte);
                    State::Line
                }
            };
        }
        whole
    }

    /// What is left when the stream has ended.
    pub fn rest(self) -> Option<Vec<u8>> {
        Some(self.kept).filter(|kept| !kept.is_empty())
    }

    fn keep(&mut self, byte: u8) {
        if self.kept.len() < LONGEST {
            self.kept.push(byte);
        }
    }

    fn end(&mut self, whole: &mut Vec<Vec<u8>>) -> State {
        if !self.kept.is_empty() {
            whole.push(std::mem::take(&mut self.kept));
        }
        State::Begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(stream: &[u8], piece: usize) -> Vec<String> {
        let mut frames = Frames::default();
        let mut found: Vec<Vec<u8>> =
            stream.chunks(piece.max(1)).flat_map(|part| frames.take(part)).collect();
        found.extend(frames.rest());
        found.iter().map(|frame| String::from_utf8_lossy(frame).into_owned()).collect()
    }

    #[test]
    fn counted_and_ended_messages_may_be_mixed() {
        let stream = b"9 <14>a: b\n8 <14>c\nd:<14>e: f\n\n<14>g: h\x0012x: no count\n3 abc<14>rest";
        let expected =
            ["<14>a: b\n", "<14>c\nd:", "<14>e: f", "<14>g: h", "12x: no count", "abc", "<14>rest"];
        for piece in 1..stream.len() {
            assert_eq!(all(stream, piece), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_message_without_an_end_is_bounded() {
        let mut frames = Frames::default();
        for _ in 0..100 {
            assert!(frames.take(&[b'x'; 1000]).is_empty());
        }
        assert_eq!(frames.take(b"\nnext\n"), [vec![b'x'; LONGEST], b"next".to_vec()]);
        assert_eq!(all(b"99999999999999999999 x\ny\n", 5), ["99999999999999999999 x", "y"]);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(stream in prop::collection::vec(any::<u8>(), 0..500), piece in 1..50_usize) {
            prop_assert_eq!(all(&stream, piece), all(&stream, 500));
        }
    }
}

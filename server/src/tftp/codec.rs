//! TFTP packets: bytes to values and back. Takes hostile input; an option with a value that cannot be is an
//! option that was not asked for (RFC 2347: the server leaves out of its OACK what it does not take).

#[cfg(test)]
mod tests;

const READ: u16 = 1;
const WRITE: u16 = 2;
const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
const OACK: u16 = 6;

/// The codes of an ERROR packet (RFC 1350 appendix I, RFC 2347).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// See the message.
    Undefined,
    /// No such file.
    NotFound,
    /// Not allowed.
    Denied,
    /// Not a packet that makes sense here.
    Illegal,
}

impl ErrorCode {
    /// Its number on the wire.
    pub fn number(self) -> u16 {
        match self {
            Self::Undefined => 0,
            Self::NotFound => 1,
            Self::Denied => 2,
            Self::Illegal => 4,
        }
    }
}

/// What a client wants to read, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadRequest {
    /// The file's name, as sent.
    pub name: String,
    /// Block size in bytes: 8 to 65,464 (RFC 2348).
    pub block_size: Option<u16>,
    /// Blocks for each ACK (RFC 7440).
    pub window_size: Option<u16>,
    /// It wants to know the file's size (RFC 2349).
    pub transfer_size: bool,
    /// Seconds until we send again: 1 to 255 (RFC 2349).
    pub timeout: Option<u8>,
}

/// A packet from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// RRQ. Its mode is not kept: boot programs are sent as they are, in netascii mode too.
    Read(ReadRequest),
    /// WRQ.
    Write,
    /// DATA, which no client of ours has reason to send.
    Data {
        /// Block number.
        block: u16,
        /// Its bytes.
        data: &'a [u8],
    },
    /// ACK of a block.
    Ack(u16),
    /// ERROR.
    Error {
        /// Its number.
        code: u16,
        /// Its text, without control characters.
        message: String,
    },
    /// OACK, which no client has reason to send either.
    OptionAck,
}

/// Why bytes are no TFTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than its kind must be.
    #[error("the packet is cut off")]
    Short,
    /// Not one of the six.
    #[error("{0} is no TFTP opcode")]
    Opcode(u16),
    /// A request for no file.
    #[error("the request names no file")]
    Name,
    /// A request with another mode than octet or netascii.
    #[error("the transfer mode is neither octet nor netascii")]
    Mode,
}

/// Reads a client's packet.
pub fn parse(bytes: &[u8]) -> Result<Packet<'_>, Malformed> {
    let (opcode, rest) = number(bytes)?;
    match opcode {
        READ => read_request(rest).map(Packet::Read),
        WRITE => Ok(Packet::Write),
        DATA => number(rest).map(|(block, data)| Packet::Data { block, data }),
        ACK => number(rest).map(|(block, _)| Packet::Ack(block)),
        ERROR => number(rest).map(|(code, rest)| Packet::Error { code, message: text(until_nul(rest).0) }),
        OACK => Ok(Packet::OptionAck),
        other => Err(Malformed::Opcode(other)),
    }
}

fn number(bytes: &[u8]) -> Result<(u16, &[u8]), Malformed> {
    let (number, rest) = bytes.split_first_chunk().ok_or(Malformed::Short)?;
    Ok((u16::from_be_bytes(*number), rest))
}

/// Up to the next NUL, and what is behind it. ROMs that forget the last NUL are seen: the packet's end serves
/// as well.
fn until_nul(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (head, tail) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    (head, tail.get(1..).unwrap_or_default())
}

fn text(raw: &[u8]) -> String {
    let clean = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    String::from_utf8_lossy(raw).chars().map(clean).collect()
}

fn read_request(rest: &[u8]) -> Result<ReadRequest, Malformed> {
    let (name, rest) = until_nul(rest);
    let (mode, mut rest) = until_nul(rest);
    if mode.is_empty() {
        return Err(Malformed::Short);
    }
    if name.is_empty() {
        return Err(Malformed::Name);
    }
    if !(mode.eq_ignore_ascii_case(b"octet") || mode.eq_ignore_ascii_case(b"netascii")) {
        return Err(Malformed::Mode);
    }
    // Control characters stay in the name, for whoever checks names to refuse it.
    let mut request =
        ReadRequest { name: String::from_utf8_lossy(name).into_owned(), ..ReadRequest::default() };
    while !rest.is_empty() {
        let (option, after) = until_nul(rest);
        let (value, after) = until_nul(after);
        // Padding behind the last option.
        if option.is_empty() {
            break;
        }
        request.take(option, value);
        rest = after;
    }
    Ok(request)
}

impl ReadRequest {
    /// Takes an option by its name in any case; a second one of the same name is not heard (RFC 2347: "only
    /// once").
    fn take(&mut self, option: &[u8], value: &[u8]) {
        let value = std::str::from_utf8(value).ok().and_then(|value| value.trim().parse::<u64>().ok());
        let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
        let between = |low: u16, high: u16| {
            value.and_then(|v| u16::try_from(v).ok()).filter(|v| (low..=high).contains(v))
        };
        if is("blksize") {
            self.block_size = self.block_size.or(between(8, 65464));
        } else if is("windowsize") {
            self.window_size = self.window_size.or(between(1, u16::MAX));
        } else if is("timeout") {
            self.timeout = self.timeout.or(between(1, 255).and_then(|v| u8::try_from(v).ok()));
        } else if is("tsize") {
            // EDK2 and iPXE send 0; whatever it is, it is a question.
            self.transfer_size = true;
        }
    }

    /// The request's bytes, in octet mode.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = READ.to_be_bytes().to_vec();
        push_text(&mut out, &self.name);
        push_text(&mut out, "octet");
        push_options(
            &mut out,
            self.transfer_size.then_some(0),
            self.block_size,
            self.timeout,
            self.window_size,
        );
        out
    }
}

/// Writes a DATA packet behind what is in `out`. The number is the block's own, counted on past 65,535: on the wire it
/// goes round to 0.
pub fn write_data(out: &mut Vec<u8>, block: u64, data: &[u8]) {
    let [.., high, low] = block.to_be_bytes();
    out.extend(DATA.to_be_bytes());
    out.extend([high, low]);
    out.extend_from_slice(data);
}

/// Writes an OACK behind what is in `out`, with the options that are granted.
pub fn write_option_ack(
    out: &mut Vec<u8>,
    transfer_size: Option<u64>,
    block_size: Option<u16>,
    timeout: Option<u8>,
    window_size: Option<u16>,
) {
    out.extend(OACK.to_be_bytes());
    push_options(out, transfer_size, block_size, timeout, window_size);
}

/// An ACK's bytes.
pub fn encode_ack(block: u16) -> Vec<u8> {
    [ACK.to_be_bytes(), block.to_be_bytes()].concat()
}

/// An ERROR's bytes.
pub fn encode_error(code: ErrorCode, message: &str) -> Vec<u8> {
    let mut out = [ERROR.to_be_bytes(), code.number().to_be_bytes()].concat();
    push_text(&mut out, message);
    out
}

fn push_options(
    out: &mut Vec<u8>,
    tsize: Option<u64>,
    blksize: Option<u16>,
    timeout: Option<u8>,
    window: Option<u16>,
) {
    let all = [
        ("tsize", tsize),
        ("blksize", blksize.map(u64::from)),
        ("timeout", timeout.map(u64::from)),
        ("windowsize", window.map(u64::from)),
    ];
    for (name, value) in all {
        if let Some(value) = value {
            push_text(out, name);
            push_text(out, &value.to_string());
        }
    }
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.extend(text.bytes().filter(|byte| *byte != 0));
    out.push(0);
}

/// A requested name as a relative path with single `/`: firmware sends `\`, a leading `/` and `//`. `None`
/// for what climbs (`..`), what has control characters, and what is no name at all.
pub fn clean_name(name: &str) -> Option<String> {
    let unified = name.replace('\\', "/");
    let parts: Vec<&str> = unified.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let bad = |part: &&str| *part == ".." || part.chars().any(char::is_control);
    if parts.is_empty() || parts.iter().any(bad) || name.len() > 512 {
        return None;
    }
    Some(parts.join("/"))
}

//! The bytes of RMCP+ (IPMI 2.0 sections 13.6 and 13.8) and of IPMI messages in it (section 13.8 and 20). Pure: what a BMC, or somebody
//! who plays one, sends is read within bounds, and nothing of it is believed before its code was checked.
use super::keys::{Keys, same};

/// RMCP: version 6, no acknowledgement, class IPMI.
const RMCP: [u8; 4] = [0x06, 0x00, 0xff, 0x07];
/// The session header is that of RMCP+.
const RMCP_PLUS: u8 = 0x06;
const ENCRYPTED: u8 = 0x80;
const AUTHENTICATED: u8 = 0x40;
/// The largest packet that is read: RMCP+ over Ethernet has none that is larger.
pub const LARGEST: usize = 1500;

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// An IPMI message.
    Ipmi,
    /// Opens a session, and the answer to that.
    OpenRequest,
    /// Its answer.
    OpenResponse,
    /// RAKP message 1.
    Rakp1,
    /// RAKP message 2.
    Rakp2,
    /// RAKP message 3.
    Rakp3,
    /// RAKP message 4.
    Rakp4,
}

impl Payload {
    const ALL: [(Self, u8); 7] = [
        (Self::Ipmi, 0x00),
        (Self::OpenRequest, 0x10),
        (Self::OpenResponse, 0x11),
        (Self::Rakp1, 0x12),
        (Self::Rakp2, 0x13),
        (Self::Rakp3, 0x14),
        (Self::Rakp4, 0x15),
    ];

    fn number(self) -> u8 {
        Self::ALL.iter().find(|(payload, _)| *payload == self).map_or(0, |(_, number)| *number)
    }

    fn of(number: u8) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == number).map(|(payload, _)| *payload)
    }
}

/// Why bytes are no packet for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It ends too early.
    #[error("it is cut short")]
    Short,
    /// It is no RMCP+.
    #[error("it is no RMCP+ packet")]
    Foreign,
    /// Its payload is of another type.
    #[error("it carries something that we did not ask for")]
    Payload,
    /// It is of another session.
    #[error("it is of another session")]
    Session,
    /// It is in the clear, or not authenticated, in a session where both is agreed.
    #[error("it is not protected as was agreed")]
    Unprotected,
    /// Its code does not fit.
    #[error("its code is wrong")]
    Code,
    /// A checksum does not fit.
    #[error("a checksum is wrong")]
    Checksum,
}

/// A packet outside of a session.
pub fn bare(payload: Payload, body: &[u8]) -> Vec<u8> {
    let mut out = RMCP.to_vec();
    out.extend([RMCP_PLUS, payload.number()]);
    out.extend([0; 8]);
    out.extend(length(body).to_le_bytes());
    out.extend(body);
    out
}

/// The body of a packet outside of a session, if it carries that.
pub fn read_bare(bytes: &[u8], wanted: Payload) -> Result<&[u8], WireError> {
    let Header { kind, session, body, .. } = header(bytes)?;
    if kind & (ENCRYPTED | AUTHENTICATED) != 0 || session != 0 {
        return Err(WireError::Session);
    }
    if Payload::of(kind) == Some(wanted) { Ok(body) } else { Err(WireError::Payload) }
}

/// A packet in a session, encrypted and authenticated: an IPMI message.
pub fn sealed(keys: &Keys, session: u32, sequence: u32, iv: [u8; 16], body: &[u8]) -> Vec<u8> {
    let mut out = RMCP.to_vec();
    out.extend([RMCP_PLUS, ENCRYPTED | AUTHENTICATED | Payload::Ipmi.number()]);
    out.extend(session.to_le_bytes());
    out.extend(sequence.to_le_bytes());
    let secret = keys.encrypt(iv, body);
    out.extend(length(&secret).to_le_bytes());
    out.extend(secret);
    // What is authenticated begins after RMCP's header and is padded to a multiple of four, pad length and next header included.
    let pad = (4 - (out.len() - RMCP.len() + 2) % 4) % 4;
    out.extend(std::iter::repeat_n(0xff, pad));
    out.extend([u8::try_from(pad).unwrap_or_default(), 0x07]);
    let tag = keys.tag(out.get(RMCP.len()..).unwrap_or_default());
    out.extend(tag);
    out
}

/// The sequence number and the message of a packet in this session. One that is not encrypted or not authenticated is none.
pub fn read_sealed(bytes: &[u8], keys: &Keys, session: u32) -> Result<(u32, Vec<u8>), WireError> {
    let Header { kind, session: said, sequence, body, rest } = header(bytes)?;
    if said != session {
        return Err(WireError::Session);
    }
    if kind & (ENCRYPTED | AUTHENTICATED) != ENCRYPTED | AUTHENTICATED {
        return Err(WireError::Unprotected);
    }
    if Payload::of(kind & 0x3f) != Some(Payload::Ipmi) {
        return Err(WireError::Payload);
    }
    // The code is at the end: whatever comes before it is covered.
    let tag_at = bytes.len().checked_sub(keys.tag_length()).ok_or(WireError::Short)?;
    let (covered, tag) = bytes.split_at_checked(tag_at).ok_or(WireError::Short)?;
    if rest.len() < keys.tag_length() + 2 {
        return Err(WireError::Short);
    }
    if !same(&keys.tag(covered.get(RMCP.len()..).ok_or(WireError::Short)?), tag) {
        return Err(WireError::Code);
    }
    Ok((sequence, keys.decrypt(body).ok_or(WireError::Code)?))
}

struct Header<'a> {
    kind: u8,
    session: u32,
    sequence: u32,
    body: &'a [u8],
    rest: &'a [u8],
}

fn header(bytes: &[u8]) -> Result<Header<'_>, WireError> {
    let rest = bytes.strip_prefix(RMCP.as_slice()).ok_or(WireError::Foreign)?;
    let (&[format, kind], rest) = rest.split_first_chunk::<2>().ok_or(WireError::Short)?;
    if format != RMCP_PLUS {
        return Err(WireError::Foreign);
    }
    let (session, rest) = rest.split_first_chunk::<4>().ok_or(WireError::Short)?;
    let (sequence, rest) = rest.split_first_chunk::<4>().ok_or(WireError::Short)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(WireError::Short)?;
    let length = usize::from(u16::from_le_bytes(*length));
    let (body, rest) = rest.split_at_checked(length).ok_or(WireError::Short)?;
    let (session, sequence) = (u32::from_le_bytes(*session), u32::from_le_bytes(*sequence));
    Ok(Header { kind, session, sequence, body, rest })
}

fn length(body: &[u8]) -> u16 {
    // Ours are a few dozen bytes.
    u16::try_from(body.len()).unwrap_or(u16::MAX)
}

/// The BMC's address, and that of remote software.
const BMC: u8 = 0x20;
const US: u8 = 0x81;

/// An IPMI request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// Which group of functions.
    pub function: u8,
    /// Which of them.
    pub command: u8,
    /// What it takes.
    pub data: &'a [u8],
}

impl Request<'_> {
    /// The message, with this number between 0 and 63.
    pub fn encode(&self, number: u8) -> Vec<u8> {
        let mut out = vec![BMC, self.function << 2];
        out.push(checksum(&out));
        let from = out.len();
        out.extend([US, number << 2, self.command]);
        out.extend(self.data);
        out.push(checksum(out.get(from..).unwrap_or_default()));
        out
    }

    /// The completion code and the data of the answer to this request; none if it is the answer to another one.
    pub fn read(&self, number: u8, message: &[u8]) -> Result<Option<(u8, Vec<u8>)>, WireError> {
        let (head, rest) = message.split_first_chunk::<3>().ok_or(WireError::Short)?;
        if checksum(head) != 0 || checksum(rest) != 0 {
            return Err(WireError::Checksum);
        }
        let (&[_, numbered, command, code], rest) = rest.split_first_chunk::<4>().ok_or(WireError::Short)?;
        let data = rest.split_last().map(|(_, data)| data).ok_or(WireError::Short)?;
        let [_, function, _] = *head;
        let ours = function >> 2 == self.function | 1 && numbered >> 2 == number && command == self.command;
        Ok(ours.then(|| (code, data.to_vec())))
    }
}

/// What has the sum of the bytes and itself be zero; of bytes that end with theirs, zero.
fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg()
}

/// A completion code in words (IPMI 2.0 table 5-2).
pub fn completion(code: u8) -> String {
    let words = match code {
        0xc0 => "node busy",
        0xc1 => "command not known",
        0xc3 => "timeout",
        0xc4 => "out of space",
        0xc5 => "reservation cancelled",
        0xc7 => "wrong length",
        0xc9 => "parameter out of range",
        0xca => "cannot return so many bytes",
        0xcb => "there is no such sensor or record",
        0xcc => "invalid data",
        0xcf => "duplicated request",
        0xd2 => "initialising",
        0xd3 => "destination unavailable",
        0xd4 => "the user's privilege is too low",
        0xd5 => "not in its present state",
        _ => "see table 5-2 of IPMI 2.0",
    };
    format!("{words} (completion code {code:#04x})")
}

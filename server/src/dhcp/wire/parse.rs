//! Bytes to a [`Request`]. Only what makes a packet useless is an error; anything else that is wrong is left
//! out.
use super::{Hardware, Malformed, MessageType, Options, Request, options, options::code, smbios_uuid};
use std::net::Ipv4Addr;

const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// The fixed part of a packet, and the cookie (RFC 2131 section 2, figure 1).
struct Fixed<'a> {
    bytes: &'a [u8; 240],
    options: &'a [u8],
}

impl Fixed<'_> {
    fn at<const N: usize>(&self, offset: usize) -> [u8; N] {
        // Every offset below is a constant within the 240 bytes.
        self.bytes.get(offset..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
    }

    fn byte(&self, offset: usize) -> u8 {
        let [byte] = self.at(offset);
        byte
    }

    fn address(&self, offset: usize) -> Ipv4Addr {
        Ipv4Addr::from(self.at::<4>(offset))
    }

    /// All options: those of the options field, then of `file` and `sname` where option 52 says that they
    /// hold some (RFC 2131 section 4.1, RFC 3396 section 5).
    fn all_options(&self) -> Options {
        let mut all = Options::default();
        all.read(self.options);
        let [overload] = all.first(code::OVERLOAD).unwrap_or([0]);
        if overload & 1 != 0 {
            all.read(self.bytes.get(108..236).unwrap_or_default());
        }
        if overload & 2 != 0 {
            all.read(self.bytes.get(44..108).unwrap_or_default());
        }
        all
    }
}

/// Reads a client's packet.
pub fn parse(packet: &[u8]) -> Result<Request, Malformed> {
    let (bytes, rest) = packet.split_first_chunk().ok_or(Malformed::Short(packet.len()))?;
    let fixed = Fixed { bytes, options: rest };
    let hardware = Hardware { kind: fixed.byte(1), len: fixed.byte(2), address: fixed.at(28) };
    match () {
        () if fixed.byte(0) != 1 => return Err(Malformed::NotARequest(fixed.byte(0))),
        () if hardware.len > 16 => return Err(Malformed::HardwareLength(hardware.len)),
        () if fixed.at(236) != COOKIE => return Err(Malformed::Cookie),
        () => {}
    }
    let all = fixed.all_options();
    let [kind] = all.first(code::KIND).ok_or(Malformed::NotDhcp)?;
    let raw = |code| all.get(code).map(<[u8]>::to_vec);
    Ok(Request {
        kind: MessageType::from_number(kind),
        hops: fixed.byte(3),
        xid: u32::from_be_bytes(fixed.at(4)),
        secs: u16::from_be_bytes(fixed.at(8)),
        broadcast: fixed.byte(10) & 0x80 != 0,
        ciaddr: fixed.address(12),
        giaddr: fixed.address(24),
        hardware,
        requested: all.first::<4>(code::REQUESTED).map(Ipv4Addr::from),
        server_id: all.first::<4>(code::SERVER_ID).map(Ipv4Addr::from),
        client_id: raw(code::CLIENT_ID),
        hostname: text(all.get(code::HOSTNAME)),
        vendor_class: text(all.get(code::VENDOR_CLASS)),
        user_class: raw(code::USER_CLASS),
        archs: all
            .get(code::ARCHS)
            .unwrap_or_default()
            .as_chunks()
            .0
            .iter()
            .map(|c| u16::from_be_bytes(*c))
            .collect(),
        undi: all.first(code::UNDI),
        uuid: machine_id(all.get(code::MACHINE_ID)).and_then(smbios_uuid).or_else(|| hardware.guid()),
        ipxe: raw(code::IPXE),
        max_size: all.first(code::MAX_SIZE).map(u16::from_be_bytes),
        parameters: raw(code::PARAMETERS).unwrap_or_default(),
        relay_info: raw(code::RELAY_INFO),
        boot_item: all
            .get(code::VENDOR)
            .and_then(|raw| options::sub_option(raw, 71))
            .and_then(|item| <[u8; 4]>::try_from(item).ok()),
        options: all,
    })
}

/// A text from outside: up to its NUL, in whatever encoding, without control characters. Empty is none.
fn text(raw: Option<&[u8]>) -> Option<String> {
    let raw = raw?.split(|byte| *byte == 0).next()?;
    let clean = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    Some(String::from_utf8_lossy(raw).chars().map(clean).collect()).filter(|text: &String| !text.is_empty())
}

/// Option 97: a type byte of 0 and 16 bytes (RFC 4578 section 2.3); anything else is no identity.
fn machine_id(raw: Option<&[u8]>) -> Option<[u8; 16]> {
    match raw? {
        [0, guid @ ..] => guid.try_into().ok(),
        _ => None,
    }
}

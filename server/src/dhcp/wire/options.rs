//! Options as they lie in the packet: code, length, data (RFC 2132 section 2, RFC 3396).
use std::collections::BTreeMap;

/// The option codes that are used here, by their names in RFC 2132, RFC 3046, RFC 4578 and iPXE.
pub mod code {
    #![expect(missing_docs, reason = "the names say it")]
    pub const PAD: u8 = 0;
    pub const MASK: u8 = 1;
    pub const ROUTERS: u8 = 3;
    pub const DNS: u8 = 6;
    pub const HOSTNAME: u8 = 12;
    pub const DOMAIN: u8 = 15;
    pub const BROADCAST: u8 = 28;
    pub const VENDOR: u8 = 43;
    pub const REQUESTED: u8 = 50;
    pub const LEASE: u8 = 51;
    pub const OVERLOAD: u8 = 52;
    pub const KIND: u8 = 53;
    pub const SERVER_ID: u8 = 54;
    pub const PARAMETERS: u8 = 55;
    pub const MESSAGE: u8 = 56;
    pub const MAX_SIZE: u8 = 57;
    pub const RENEW: u8 = 58;
    pub const REBIND: u8 = 59;
    pub const VENDOR_CLASS: u8 = 60;
    pub const CLIENT_ID: u8 = 61;
    pub const TFTP_SERVER: u8 = 66;
    pub const BOOT_FILE: u8 = 67;
    pub const USER_CLASS: u8 = 77;
    pub const RELAY_INFO: u8 = 82;
    pub const ARCHS: u8 = 93;
    pub const UNDI: u8 = 94;
    pub const MACHINE_ID: u8 = 97;
    pub const SUBNET_SELECTION: u8 = 118;
    pub const IPXE: u8 = 175;
    pub const END: u8 = 255;
}

/// A packet's options by code. Parts of the same option are joined wherever they stood (RFC 3396 section 7).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options(BTreeMap<u8, Vec<u8>>);

impl Options {
    /// An option's data; empty if the option was there without any.
    pub fn get(&self, code: u8) -> Option<&[u8]> {
        self.0.get(&code).map(Vec::as_slice)
    }

    /// The first `N` bytes of an option; `None` if it has fewer.
    pub fn first<const N: usize>(&self, code: u8) -> Option<[u8; N]> {
        self.get(code)?.first_chunk().copied()
    }

    /// The codes that were there, in ascending order.
    pub fn codes(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.keys().copied()
    }

    /// Adds the options of one field of the packet.
    pub(super) fn read(&mut self, field: &[u8]) {
        for (code, data) in walk(field) {
            self.0.entry(code).or_default().extend_from_slice(data);
        }
    }
}

/// The options of a field in their order. Ends at END, at the field's end, or before an option that is cut
/// off.
pub fn walk(field: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = field;
    std::iter::from_fn(move || {
        loop {
            let (&code, after) = rest.split_first()?;
            match code {
                code::PAD => rest = after,
                code::END => return None,
                code => {
                    let (&len, after) = after.split_first()?;
                    let (data, after) = after.split_at_checked(len.into())?;
                    rest = after;
                    return Some((code, data));
                }
            }
        }
    })
}

/// One sub-option of an encapsulating option. In option 82 code 0 and 255 are no special bytes, but no relay
/// uses them.
pub fn sub_option(raw: &[u8], code: u8) -> Option<&[u8]> {
    walk(raw).find(|(found, _)| *found == code).map(|(_, data)| data)
}

/// Writes an option, in parts if it is longer than 255 bytes (RFC 3396 section 5).
pub fn write(out: &mut Vec<u8>, code: u8, data: &[u8]) {
    let mut rest = data;
    loop {
        let (part, after) = rest.split_at_checked(255).unwrap_or((rest, &[]));
        out.push(code);
        // At most 255 by the split above.
        out.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(part);
        rest = after;
        if rest.is_empty() {
            return;
        }
    }
}

/// How many bytes `write` takes for it.
pub fn written_len(data: &[u8]) -> usize {
    data.len() + 2 * data.len().div_ceil(255).max(1)
}

//! From bytes to a question. Nothing is trusted: lengths are checked, and how deep and how many is bounded.
use super::{
    Association, AssociationKind, INTEL, MOST_ASSOCIATIONS, MOST_RELAYS, Message, Question, RELAY_FORWARD,
    Relay, VendorClass, code,
};
use crate::domain::{dhcp6::Asks, duid::Duid};
use pilotlight_types::Mac;
use std::net::Ipv6Addr;

/// How many classes, codes and wanted options are kept of each.
const MOST_ITEMS: usize = 64;

/// Why bytes are no question for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A message or an option ends before it should.
    #[error("it ends in the middle of its {0}")]
    Short(&'static str),
    /// It is not a client's message.
    #[error("message type {0} is not for servers")]
    NotForServers(u8),
    /// Too many relays.
    #[error("more than {MOST_RELAYS} relays are between the client and us")]
    TooDeep,
    /// A relay that relays nothing.
    #[error("a relay's message without the client's")]
    NothingRelayed,
    /// A name that is none.
    #[error("a client's or server's id is no DUID")]
    Duid,
}

/// Reads what came in at the server's port.
pub fn parse(bytes: &[u8]) -> Result<Question, Malformed> {
    let mut relays = Vec::new();
    let mut bytes = bytes;
    while let [RELAY_FORWARD, rest @ ..] = bytes {
        if relays.len() == MOST_RELAYS {
            return Err(Malformed::TooDeep);
        }
        let (relay, inner) = relay(rest)?;
        relays.push(relay);
        bytes = inner;
    }
    Ok(Question { relays, message: message(bytes)? })
}

fn relay(bytes: &[u8]) -> Result<(Relay, &[u8]), Malformed> {
    const SHORT: Malformed = Malformed::Short("relay's header");
    let (hops, rest) = bytes.split_first().ok_or(SHORT)?;
    let (link, rest) = address(rest).ok_or(SHORT)?;
    let (peer, options) = address(rest).ok_or(SHORT)?;
    let mut relay = Relay { hops: *hops, link, peer, echo: Vec::new(), mac: None };
    let mut inner = None;
    for option in Options(options) {
        let (code, data) = option?;
        match code {
            code::RELAY_MESSAGE => inner = inner.or(Some(data)),
            code::INTERFACE_ID | code::RELAY_PORT if !relay.echo.iter().any(|(known, _)| *known == code) => {
                relay.echo.push((code, data.to_vec()));
            }
            // A type of hardware, 1 for Ethernet, and the address (RFC 6939 section 4).
            code::LINK_LAYER_ADDRESS => {
                if let [0, 1, mac @ ..] = data {
                    relay.mac = mac.try_into().ok().map(Mac::new).filter(|mac| mac.is_host());
                }
            }
            _ => {}
        }
    }
    Ok((relay, inner.ok_or(Malformed::NothingRelayed)?))
}

fn message(bytes: &[u8]) -> Result<Message, Malformed> {
    let [kind, a, b, c, options @ ..] = bytes else { return Err(Malformed::Short("header")) };
    let mut message = Message {
        asks: Asks::from_code(*kind).ok_or(Malformed::NotForServers(*kind))?,
        transaction: [*a, *b, *c],
        client: None,
        server: None,
        associations: Vec::new(),
        requested: Vec::new(),
        rapid_commit: false,
        user_classes: Vec::new(),
        vendor_class: None,
        archs: Vec::new(),
    };
    for option in Options(options) {
        let (code, data) = option?;
        match code {
            code::CLIENT_ID => message.client = Some(Duid::new(data).map_err(|_| Malformed::Duid)?),
            code::SERVER_ID => message.server = Some(Duid::new(data).map_err(|_| Malformed::Duid)?),
            code::IA_NA | code::IA_TA | code::IA_PD if message.associations.len() < MOST_ASSOCIATIONS => {
                message.associations.push(association(code, data)?);
            }
            code::REQUESTED => message.requested = numbers(data),
            code::RAPID_COMMIT => message.rapid_commit = true,
            code::USER_CLASS => message.user_classes = classes(data).map(<[u8]>::to_vec).collect(),
            code::VENDOR_CLASS => {
                let known = message.vendor_class.as_ref().is_some_and(|class| class.enterprise == INTEL);
                message.vendor_class =
                    vendor_class(data).filter(|_| !known).or_else(|| message.vendor_class.take());
            }
            code::ARCHITECTURE => message.archs = numbers(data),
            _ => {}
        }
    }
    Ok(message)
}

fn association(code: u16, data: &[u8]) -> Result<Association, Malformed> {
    const SHORT: Malformed = Malformed::Short("identity association");
    let (id, rest) = data.split_first_chunk().ok_or(SHORT)?;
    // T1 and T2 are the server's to say; a temporary association has none.
    let (kind, options) = match code {
        code::IA_NA => (AssociationKind::Addresses, rest.get(8..).ok_or(SHORT)?),
        code::IA_PD => (AssociationKind::Prefixes, rest.get(8..).ok_or(SHORT)?),
        _ => (AssociationKind::Temporary, rest),
    };
    let mut addresses = Vec::new();
    for option in Options(options) {
        let (code, data) = option?;
        if code == code::IA_ADDRESS && addresses.len() < MOST_ASSOCIATIONS {
            let (address, lifetimes) = address(data).ok_or(SHORT)?;
            lifetimes.get(..8).ok_or(SHORT)?;
            addresses.push(address);
        }
    }
    Ok(Association { kind, id: u32::from_be_bytes(*id), addresses })
}

/// The first class of one vendor.
pub(super) fn vendor_class(data: &[u8]) -> Option<VendorClass> {
    let (enterprise, rest) = data.split_first_chunk()?;
    let text = classes(rest).next().map(|class| String::from_utf8_lossy(class).into_owned());
    Some(VendorClass { enterprise: u32::from_be_bytes(*enterprise), text: text.unwrap_or_default() })
}

/// Pieces with their length before them, in two bytes. The last is taken as far as it goes.
pub(super) fn classes(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (len, after) = rest.split_first_chunk()?;
        let len = usize::from(u16::from_be_bytes(*len));
        let (class, after) = after.split_at_checked(len).unwrap_or((after, &[]));
        rest = after;
        Some(class)
    })
    .take(MOST_ITEMS)
}

fn numbers(data: &[u8]) -> Vec<u16> {
    let (pairs, _) = data.as_chunks();
    pairs.iter().take(MOST_ITEMS).map(|pair| u16::from_be_bytes(*pair)).collect()
}

pub(super) fn address(bytes: &[u8]) -> Option<(Ipv6Addr, &[u8])> {
    let (address, rest) = bytes.split_first_chunk::<16>()?;
    Some((Ipv6Addr::from(*address), rest))
}

/// The options of a message, of a relay or of an association: code, length, content (RFC 8415 section 21.1).
pub(super) struct Options<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Options<'a> {
    type Item = Result<(u16, &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let read = |bytes: &'a [u8]| {
            let (code, rest) = bytes.split_first_chunk()?;
            let (len, rest) = rest.split_first_chunk()?;
            let (data, rest) = rest.split_at_checked(u16::from_be_bytes(*len).into())?;
            Some((u16::from_be_bytes(*code), data, rest))
        };
        match read(self.0) {
            Some((code, data, rest)) => {
                self.0 = rest;
                Some(Ok((code, data)))
            }
            None => {
                self.0 = &[];
                Some(Err(Malformed::Short("options")))
            }
        }
    }
}

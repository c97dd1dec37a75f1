//! A message of either direction, read leniently: for whoever looks at what was sent, by us or by others. Whoever answers messages
//! uses [`super::parse`].
use super::{
    AssociationKind, MOST_RELAYS, Malformed, RELAY_FORWARD, RELAY_REPLY, VendorClass, code, parse, words,
};
use crate::domain::duid::Duid;
use pilotlight_types::api::{PacketField, PacketView};
use std::net::Ipv6Addr;

/// The options of a message, in their order: codes and contents.
pub type Options = Vec<(u16, Vec<u8>)>;

/// A question or an answer, as it lay on the wire (RFC 8415 section 8 and 9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The relays' messages around it, the outermost first.
    pub hops: Vec<Hop>,
    /// Its type.
    pub kind: u8,
    /// The client's number for the question.
    pub transaction: [u8; 3],
    /// Its options. What is behind a damaged one is left out.
    pub options: Options,
}

/// A relay's message around another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Relay-forward, or Relay-reply.
    pub kind: u8,
    /// How many relays were there before it.
    pub count: u8,
    /// An address of the client's link.
    pub link: Ipv6Addr,
    /// The client, or the relay before.
    pub peer: Ipv6Addr,
    /// What else it says.
    pub options: Options,
}

impl Packet {
    /// Reads a message. Errors are those of messages that have no header, and of relays that relay nothing.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let (mut hops, mut rest) = (Vec::new(), bytes);
        while let [RELAY_FORWARD | RELAY_REPLY, ..] = rest {
            if hops.len() == MOST_RELAYS {
                return Err(Malformed::TooDeep);
            }
            let (hop, inner) = hop(rest)?;
            hops.push(hop);
            rest = inner;
        }
        let [kind, a, b, c, options @ ..] = rest else { return Err(Malformed::Short("header")) };
        Ok(Self { hops, kind: *kind, transaction: [*a, *b, *c], options: kept(options) })
    }

    /// The content of the first option with this code.
    fn option(&self, code: u16) -> Option<&[u8]> {
        self.options.iter().find(|(known, _)| *known == code).map(|(_, data)| data.as_slice())
    }

    /// Option 2.
    pub fn server(&self) -> Option<Duid> {
        self.option(code::SERVER_ID).and_then(|data| Duid::new(data).ok())
    }

    /// Option 7; 0 without it (RFC 8415 section 18.2.1).
    pub fn preference(&self) -> u8 {
        self.option(code::PREFERENCE).and_then(<[u8]>::first).copied().unwrap_or_default()
    }

    /// Option 59.
    pub fn boot_file(&self) -> Option<String> {
        self.option(code::BOOT_FILE_URL).and_then(words::text)
    }

    /// Option 16: the first class.
    pub fn vendor_class(&self) -> Option<VendorClass> {
        self.option(code::VENDOR_CLASS).and_then(parse::vendor_class)
    }

    /// The addresses of the first association, each with the seconds that it is good for.
    pub fn addresses(&self) -> Vec<(Ipv6Addr, u32)> {
        let inner = self.option(code::IA_NA).and_then(|data| data.get(12..)).unwrap_or_default();
        let address = |(code, data): (u16, Vec<u8>)| {
            let (address, times) = parse::address(&data).filter(|_| code == code::IA_ADDRESS)?;
            Some((address, u32::from_be_bytes(*times.get(4..)?.first_chunk()?)))
        };
        kept(inner).into_iter().filter_map(address).collect()
    }

    /// What the server says that is wrong, of the whole or of the first association: a status that is no success, in words.
    pub fn complaint(&self) -> Option<String> {
        let inner = self.option(code::IA_NA).and_then(|data| data.get(12..)).map(kept).unwrap_or_default();
        let of_it = inner.iter().find(|(code, _)| *code == code::STATUS).map(|(_, data)| data.as_slice());
        let data = self.option(code::STATUS).into_iter().chain(of_it);
        data.filter(|data| !data.starts_with(&[0, 0])).map(words::status).next()
    }

    /// `Solicit`; `Relay-forward: Solicit`.
    pub fn name(&self) -> String {
        let hop = self.hops.first().map(|hop| format!("{}: ", words::kind(hop.kind)));
        format!("{}{}", hop.unwrap_or_default(), words::kind(self.kind))
    }

    /// The message in words: first what the relays say, the outermost first.
    pub fn view(&self) -> PacketView {
        let mut fields = Vec::new();
        let fixed = |name: &str, value: String| PacketField { code: None, name: name.into(), value };
        let option = |(code, data): &(u16, Vec<u8>)| {
            let (name, value) = words::option(*code, data);
            PacketField { code: Some(*code), name, value }
        };
        for hop in &self.hops {
            fields.push(fixed("hop-count", hop.count.to_string()));
            fields.push(fixed("link-address", hop.link.to_string()));
            fields.push(fixed("peer-address", hop.peer.to_string()));
            let said = hop.options.iter().filter(|(code, _)| *code != code::RELAY_MESSAGE);
            fields.extend(said.map(option));
        }
        fields.push(fixed("transaction-id", hex::encode(self.transaction)));
        fields.extend(self.options.iter().map(option));
        PacketView { kind: self.name(), fields }
    }
}

fn hop(bytes: &[u8]) -> Result<(Hop, &[u8]), Malformed> {
    const SHORT: Malformed = Malformed::Short("relay's header");
    let [kind, count, rest @ ..] = bytes else { return Err(SHORT) };
    let (link, rest) = parse::address(rest).ok_or(SHORT)?;
    let (peer, options) = parse::address(rest).ok_or(SHORT)?;
    let inner = parse::Options(options).map_while(Result::ok).find(|(code, _)| *code == code::RELAY_MESSAGE);
    let (_, inner) = inner.ok_or(Malformed::NothingRelayed)?;
    Ok((Hop { kind: *kind, count: *count, link, peer, options: kept(options) }, inner))
}

/// The options in these bytes, up to one that is damaged.
fn kept(bytes: &[u8]) -> Options {
    parse::Options(bytes).map_while(Result::ok).map(|(code, data)| (code, data.to_vec())).collect()
}

/// A question, as a machine that boots sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking<'a> {
    /// Its type (RFC 8415 section 7.3).
    pub kind: u8,
    /// Its number.
    pub transaction: [u8; 3],
    /// Who asks.
    pub client: &'a Duid,
    /// Whom; none for everybody.
    pub server: Option<&'a Duid>,
    /// The number of the one association, and the addresses that it has or wants; none, if no address is wanted.
    pub association: Option<(u32, &'a [Ipv6Addr])>,
    /// Further options, in their order.
    pub more: &'a [(u16, Vec<u8>)],
}

impl Asking<'_> {
    /// As it goes to a server.
    pub fn encode(&self) -> Vec<u8> {
        let [a, b, c] = self.transaction;
        let mut out = vec![self.kind, a, b, c];
        super::encode::put(&mut out, code::CLIENT_ID, self.client.bytes());
        if let Some(server) = self.server {
            super::encode::put(&mut out, code::SERVER_ID, server.bytes());
        }
        if let Some((id, addresses)) = self.association {
            let given = super::Given {
                kind: AssociationKind::Addresses,
                id,
                // Times are the server's to say.
                addresses: addresses.iter().map(|address| (*address, 0)).collect(),
                status: None,
            };
            super::encode::put_association(&mut out, &given);
        }
        for (code, data) in self.more {
            super::encode::put(&mut out, *code, data);
        }
        out
    }
}

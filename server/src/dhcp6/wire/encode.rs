//! From an answer to bytes, wrapped for each relay on the way back (RFC 8415 section 19.3).
use super::{
    AssociationKind, Given, Question, RELAY_REPLY, Relay, Reply, ReplyKind, Status, StatusCode, code,
};
use crate::domain::duid::Duid;
use std::net::Ipv6Addr;

/// A preference that ends a client's waiting for other servers (RFC 8415 section 18.2.1).
const AT_ONCE: u8 = 255;

/// The answer to a question, as it goes to the client or to the first relay.
pub fn encode(question: &Question, server: &Duid, reply: &Reply) -> Vec<u8> {
    let inner = message(question, server, reply);
    question.relays.iter().rev().fold(inner, |inner, relay| wrapped(relay, &inner))
}

fn message(question: &Question, server: &Duid, reply: &Reply) -> Vec<u8> {
    let kind = match reply.kind {
        ReplyKind::Advertise => 2,
        ReplyKind::Reply => 7,
    };
    let [a, b, c] = question.message.transaction;
    let mut out = vec![kind, a, b, c];
    if let Some(client) = &question.message.client {
        put(&mut out, code::CLIENT_ID, client.bytes());
    }
    put(&mut out, code::SERVER_ID, server.bytes());
    if let Some(said) = &reply.status {
        put(&mut out, code::STATUS, &status(said));
    }
    if reply.kind == ReplyKind::Advertise {
        put(&mut out, code::PREFERENCE, &[AT_ONCE]);
    }
    if reply.rapid_commit {
        put(&mut out, code::RAPID_COMMIT, &[]);
    }
    for given in &reply.associations {
        put_association(&mut out, given);
    }
    if !reply.dns.is_empty() {
        put(&mut out, code::DNS, &reply.dns.iter().flat_map(Ipv6Addr::octets).collect::<Vec<_>>());
    }
    if let Some(domain) = reply.domain.as_deref().and_then(labels) {
        put(&mut out, code::DOMAINS, &domain);
    }
    if let Some(class) = &reply.vendor_class {
        let mut data = class.enterprise.to_be_bytes().to_vec();
        let text = class.text.as_bytes();
        data.extend(u16::try_from(text.len()).unwrap_or_default().to_be_bytes());
        data.extend(text);
        put(&mut out, code::VENDOR_CLASS, &data);
    }
    if let Some(url) = &reply.boot_file {
        put(&mut out, code::BOOT_FILE_URL, url.as_bytes());
    }
    out
}

pub(super) fn put_association(out: &mut Vec<u8>, given: &Given) {
    let mut data = given.id.to_be_bytes().to_vec();
    if given.kind != AssociationKind::Temporary {
        // Asked again at half of its time, and others at eight tenths of it (RFC 8415 section 14.2).
        let least = given.addresses.iter().map(|(_, seconds)| *seconds).min().unwrap_or_default();
        data.extend((least / 2).to_be_bytes());
        data.extend((least / 10 * 8).to_be_bytes());
    }
    for (address, seconds) in &given.addresses {
        let times = [seconds.to_be_bytes(), seconds.to_be_bytes()].concat();
        put(&mut data, code::IA_ADDRESS, &[&address.octets()[..], &times].concat());
    }
    if let Some(said) = &given.status {
        put(&mut data, code::STATUS, &status(said));
    }
    let code = match given.kind {
        AssociationKind::Addresses => code::IA_NA,
        AssociationKind::Temporary => code::IA_TA,
        AssociationKind::Prefixes => code::IA_PD,
    };
    put(out, code, &data);
}

fn wrapped(relay: &Relay, inner: &[u8]) -> Vec<u8> {
    let mut out = vec![RELAY_REPLY, relay.hops];
    out.extend(relay.link.octets());
    out.extend(relay.peer.octets());
    for (code, data) in &relay.echo {
        put(&mut out, *code, data);
    }
    put(&mut out, code::RELAY_MESSAGE, inner);
    out
}

fn status(status: &Status) -> Vec<u8> {
    let code: u16 = match status.code {
        StatusCode::Success => 0,
        StatusCode::NoAddrsAvail => 2,
        StatusCode::NoBinding => 3,
        StatusCode::NotOnLink => 4,
        StatusCode::UseMulticast => 5,
        StatusCode::NoPrefixAvail => 6,
    };
    [&code.to_be_bytes()[..], status.text.as_bytes()].concat()
}

/// A domain as DNS writes it: each label with its length before it, and an empty one at the end (RFC 1035 section 3.1).
fn labels(domain: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for label in domain.trim_end_matches('.').split('.') {
        let len = u8::try_from(label.len()).ok().filter(|len| (1..64).contains(len))?;
        out.push(len);
        out.extend(label.as_bytes());
    }
    out.push(0);
    Some(out)
}

/// An option that is too long for its length field is left out: a client finds no use for half of one.
pub(super) fn put(out: &mut Vec<u8>, code: u16, data: &[u8]) {
    if let Ok(len) = u16::try_from(data.len()) {
        out.extend(code.to_be_bytes());
        out.extend(len.to_be_bytes());
        out.extend(data);
    }
}

//! Options in words (RFC 8415, RFC 3646, RFC 5970, RFC 6939). Takes hostile bytes: what does not have the form that its option should
//! have is shown in hex.
use super::{code, packet::Options, parse};
use crate::domain::{duid::Duid, firmware::Arch};
use std::net::Ipv6Addr;

/// The form of an option's data.
#[derive(Debug, Clone, Copy)]
enum Form {
    Duid,
    Addresses,
    Association,
    Temporary,
    Address,
    Codes,
    Byte,
    Hundredths,
    Seconds,
    Status,
    Nothing,
    Classes,
    VendorClass,
    Domains,
    Text,
    Archs,
    Undi,
    Hardware,
    Raw,
}

/// Every option that is seen of firmware, of systems, of relays and of servers: number, name, form.
const OPTIONS: &[(u16, &str, Form)] = &[
    (code::CLIENT_ID, "client identifier", Form::Duid),
    (code::SERVER_ID, "server identifier", Form::Duid),
    (code::IA_NA, "addresses (IA_NA)", Form::Association),
    (code::IA_TA, "temporary addresses (IA_TA)", Form::Temporary),
    (code::IA_ADDRESS, "address", Form::Address),
    (code::REQUESTED, "option request", Form::Codes),
    (code::PREFERENCE, "preference", Form::Byte),
    (8, "elapsed time", Form::Hundredths),
    (11, "authentication", Form::Raw),
    (12, "server unicast", Form::Addresses),
    (code::STATUS, "status", Form::Status),
    (code::RAPID_COMMIT, "rapid commit", Form::Nothing),
    (code::USER_CLASS, "user class", Form::Classes),
    (code::VENDOR_CLASS, "vendor class", Form::VendorClass),
    (17, "vendor options", Form::Raw),
    (code::INTERFACE_ID, "interface id", Form::Text),
    (20, "reconfigure accept", Form::Nothing),
    (code::DNS, "DNS servers", Form::Addresses),
    (code::DOMAINS, "domain search", Form::Domains),
    (code::IA_PD, "prefixes (IA_PD)", Form::Association),
    (32, "information refresh time", Form::Seconds),
    (37, "remote id", Form::Raw),
    (39, "client FQDN", Form::Raw),
    (code::BOOT_FILE_URL, "boot file URL", Form::Text),
    (60, "boot file parameters", Form::Classes),
    (code::ARCHITECTURE, "client architecture", Form::Archs),
    (62, "client interface (UNDI)", Form::Undi),
    (code::LINK_LAYER_ADDRESS, "client link-layer address", Form::Hardware),
    (82, "longest time between Solicits", Form::Seconds),
    (code::RELAY_PORT, "relay's port", Form::Raw),
];

/// The types of messages (RFC 8415 section 7.3).
const KINDS: [&str; 13] = [
    "Solicit",
    "Advertise",
    "Request",
    "Confirm",
    "Renew",
    "Rebind",
    "Reply",
    "Release",
    "Decline",
    "Reconfigure",
    "Information-request",
    "Relay-forward",
    "Relay-reply",
];

/// `Solicit` and the like.
pub(super) fn kind(kind: u8) -> String {
    let known = usize::from(kind).checked_sub(1).and_then(|index| KINDS.get(index));
    known.map_or_else(|| format!("DHCPv6 message type {kind}"), |name| (*name).to_owned())
}

/// An option's name, and what it says.
pub(super) fn option(code: u16, data: &[u8]) -> (String, String) {
    let Some((_, name, form)) = OPTIONS.iter().find(|(known, ..)| *known == code) else {
        return ("unknown".into(), raw(data));
    };
    ((*name).to_owned(), said(*form, data).unwrap_or_else(|| raw(data)))
}

/// A text with control characters made visible; none if it is empty.
pub(super) fn text(data: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(data.split(|byte| *byte == 0).next()?).into_owned();
    let visible = |c: char| if c.is_control() { c.escape_default().collect() } else { vec![c] };
    (!text.is_empty()).then(|| text.chars().flat_map(visible).collect())
}

/// A status: its name (RFC 8415 section 21.13), and what the server adds.
pub(super) fn status(data: &[u8]) -> String {
    const NAMES: [&str; 7] =
        ["Success", "UnspecFail", "NoAddrsAvail", "NoBinding", "NotOnLink", "UseMulticast", "NoPrefixAvail"];
    let Some((number, words)) = data.split_first_chunk() else { return raw(data) };
    let number = u16::from_be_bytes(*number);
    let name = NAMES.get(usize::from(number)).map_or_else(|| number.to_string(), |name| (*name).to_owned());
    text(words).map_or_else(|| name.clone(), |words| format!("{name}: {words}"))
}

fn raw(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// `None` if the data does not have that form.
fn said(form: Form, data: &[u8]) -> Option<String> {
    let number = |data: &[u8]| Some(u32::from_be_bytes(data.try_into().ok()?));
    Some(match form {
        Form::Duid => duid(&Duid::new(data).ok()?),
        Form::Addresses => all(data, |raw: &[u8; 16]| Ipv6Addr::from(*raw).to_string())?,
        Form::Association => {
            let (id, rest) = data.split_first_chunk()?;
            let t1 = number(rest.get(..4)?)?;
            let times = if t1 == 0 { String::new() } else { format!(", again in {t1} s") };
            inner(&format!("id {:08x}{times}", u32::from_be_bytes(*id)), rest.get(8..)?)
        }
        Form::Temporary => {
            let (id, rest) = data.split_first_chunk()?;
            inner(&format!("id {:08x}", u32::from_be_bytes(*id)), rest)
        }
        Form::Address => {
            let (address, rest) = parse::address(data)?;
            let seconds = number(rest.get(4..8)?)?;
            inner(&format!("{address} for {seconds} s"), rest.get(8..)?)
        }
        Form::Codes => all(data, |raw: &[u8; 2]| u16::from_be_bytes(*raw).to_string())?,
        Form::Byte => data.first().filter(|_| data.len() == 1)?.to_string(),
        Form::Hundredths => {
            let hundredths = u16::from_be_bytes(data.try_into().ok()?);
            format!("{}.{:02} s", hundredths / 100, hundredths % 100)
        }
        Form::Seconds => format!("{} s", number(data)?),
        Form::Status => status(data),
        Form::Nothing => data.is_empty().then(|| "yes".to_owned())?,
        Form::Classes => classes(data)?,
        Form::VendorClass => {
            let (enterprise, rest) = data.split_first_chunk()?;
            format!("{} (enterprise {})", classes(rest)?, u32::from_be_bytes(*enterprise))
        }
        Form::Domains => domains(data)?,
        Form::Text => text(data)?,
        Form::Archs => all(data, |raw: &[u8; 2]| {
            let code = u16::from_be_bytes(*raw);
            format!("{code} ({})", Arch::from_code(code).name())
        })?,
        Form::Undi => {
            let [kind, major, minor] = data.try_into().ok()?;
            format!("type {kind}, version {major}.{minor}")
        }
        Form::Hardware => match data {
            [0, 1, mac @ ..] => format!("Ethernet {}", raw(mac)),
            _ => return None,
        },
        Form::Raw => raw(data),
    })
}

/// The kind of name, what it says of the machine, and the name itself.
fn duid(duid: &Duid) -> String {
    let mac = duid.mac().map(|mac| format!(" of {mac}"));
    // Firmware copies it as SMBIOS has it, and nobody can tell who did.
    let uuid = duid.uuids().map(|[uuid, swapped]| format!(" {uuid}, or {swapped}"));
    format!("{}{}: {duid}", duid.kind(), mac.or(uuid).unwrap_or_default())
}

/// What is said, and the options within.
fn inner(said: &str, options: &[u8]) -> String {
    let kept: Options =
        parse::Options(options).map_while(Result::ok).map(|(code, data)| (code, data.to_vec())).collect();
    kept.iter().fold(said.to_owned(), |said, (code, data)| {
        let (name, value) = shallow(*code, data);
        format!("{said}; {name} {value}")
    })
}

/// An option within another one; what is within it in turn is left out, however deep somebody made it.
fn shallow(code: u16, data: &[u8]) -> (String, String) {
    match code {
        code::IA_ADDRESS => option(code, data.get(..24).unwrap_or(data)),
        code::STATUS => option(code, data),
        _ => (format!("option {code}"), raw(data)),
    }
}

/// Items of one length, one after the other.
fn all<const N: usize>(data: &[u8], one: impl Fn(&[u8; N]) -> String) -> Option<String> {
    let (items, rest) = data.as_chunks::<N>();
    let shown: Vec<String> = items.iter().map(one).collect();
    (rest.is_empty() && !items.is_empty()).then(|| shown.join(", "))
}

fn classes(data: &[u8]) -> Option<String> {
    let shown: Vec<String> = parse::classes(data).map(|class| text(class).unwrap_or_default()).collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

/// Names as DNS writes them, without compression (RFC 3646 section 4).
fn domains(data: &[u8]) -> Option<String> {
    let (mut names, mut labels, mut rest) = (Vec::new(), Vec::new(), data);
    while let Some((len, after)) = rest.split_first() {
        let (label, after) = after.split_at_checked(usize::from(*len))?;
        match text(label) {
            Some(label) => labels.push(label),
            None => names.push(std::mem::take(&mut labels).join(".")),
        }
        rest = after;
    }
    (!names.is_empty()).then(|| names.join(", "))
}

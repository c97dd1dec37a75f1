//! Options in words (RFC 2132, RFC 3046, RFC 4578, PXE 2.1, iPXE). Takes hostile bytes: what does not have the form that
//! its option should have is shown in hex.
use super::{MessageType, options::walk};
use crate::domain::firmware::{Arch, Features};
use std::net::Ipv4Addr;
use uuid::Uuid;

/// The form of an option's data.
#[derive(Debug, Clone, Copy)]
enum Form {
    Addresses,
    Text,
    Texts,
    Seconds,
    Byte,
    Word,
    Kind,
    Codes,
    Overload,
    Pxe,
    Relay,
    Archs,
    Undi,
    MachineId,
    UserClass,
    ClientId,
    Ipxe,
    Raw,
}

/// Every option that is seen of firmware, of systems and of servers: number, name, form.
const OPTIONS: &[(u8, &str, Form)] = &[
    (1, "subnet mask", Form::Addresses),
    (2, "time offset", Form::Raw),
    (3, "routers", Form::Addresses),
    (4, "time servers", Form::Addresses),
    (6, "DNS servers", Form::Addresses),
    (7, "log servers", Form::Addresses),
    (12, "host name", Form::Text),
    (13, "boot file size", Form::Word),
    (15, "domain name", Form::Text),
    (17, "root path", Form::Text),
    (26, "interface MTU", Form::Word),
    (28, "broadcast address", Form::Addresses),
    (33, "static routes", Form::Addresses),
    (42, "NTP servers", Form::Addresses),
    (43, "vendor options", Form::Pxe),
    (50, "requested address", Form::Addresses),
    (51, "lease time", Form::Seconds),
    (52, "overload", Form::Overload),
    (53, "message type", Form::Kind),
    (54, "server identifier", Form::Addresses),
    (55, "parameter request list", Form::Codes),
    (56, "message", Form::Text),
    (57, "largest message", Form::Word),
    (58, "renewal time", Form::Seconds),
    (59, "rebinding time", Form::Seconds),
    (60, "vendor class", Form::Text),
    (61, "client identifier", Form::ClientId),
    (66, "TFTP server name", Form::Text),
    (67, "boot file name", Form::Text),
    (77, "user class", Form::UserClass),
    (81, "client FQDN", Form::Raw),
    (82, "relay agent information", Form::Relay),
    (93, "client architecture", Form::Archs),
    (94, "client interface (UNDI)", Form::Undi),
    (97, "machine identifier", Form::MachineId),
    (116, "auto-configure", Form::Byte),
    (118, "subnet selection", Form::Addresses),
    (119, "domain search", Form::Raw),
    (121, "classless static routes", Form::Raw),
    (128, "TFTP server address", Form::Raw),
    (150, "TFTP server addresses", Form::Addresses),
    (175, "iPXE options", Form::Ipxe),
    (209, "config file (PXELINUX)", Form::Text),
    (210, "path prefix (PXELINUX)", Form::Text),
    (224, "private", Form::Texts),
];

/// Vendor options of PXE (PXE 2.1 table 2-2), then those that the Raspberry Pi takes in the same place.
const PXE: &[(u8, &str)] = &[
    (1, "MTFTP address"),
    (6, "discovery control"),
    (7, "discovery multicast address"),
    (8, "boot servers"),
    (9, "boot menu"),
    (10, "menu prompt"),
    (71, "boot item"),
    (116, "VLAN"),
];

/// Sub-options of a relay (RFC 3046, RFC 3527, RFC 5107, RFC 6925, Cisco's RFC 3527 twin).
const RELAY: &[(u8, &str)] = &[
    (1, "circuit id"),
    (2, "remote id"),
    (5, "link selection"),
    (6, "subscriber id"),
    (11, "server identifier override"),
    (12, "relay id"),
    (151, "VRF"),
    (152, "server identifier override (Cisco)"),
];

/// `DHCPDISCOVER` and the like.
pub(super) fn kind(kind: MessageType) -> String {
    match kind {
        MessageType::Discover => "DHCPDISCOVER".into(),
        MessageType::Offer => "DHCPOFFER".into(),
        MessageType::Request => "DHCPREQUEST".into(),
        MessageType::Decline => "DHCPDECLINE".into(),
        MessageType::Ack => "DHCPACK".into(),
        MessageType::Nak => "DHCPNAK".into(),
        MessageType::Release => "DHCPRELEASE".into(),
        MessageType::Inform => "DHCPINFORM".into(),
        MessageType::Other(number) => format!("DHCP message type {number}"),
    }
}

/// An option's name, and what it says.
pub(super) fn option(code: u8, data: &[u8]) -> (String, String) {
    let Some((_, name, form)) = OPTIONS.iter().find(|(known, ..)| *known == code) else {
        return ("unknown".into(), printable(data));
    };
    ((*name).to_owned(), said(*form, data).unwrap_or_else(|| hex(data)))
}

/// A text up to its NUL, with control characters made visible; none if it is empty.
pub(super) fn text(raw: &[u8]) -> Option<String> {
    let raw = raw.split(|byte| *byte == 0).next()?;
    let text = String::from_utf8_lossy(raw);
    (!text.is_empty()).then(|| text.chars().flat_map(visible).collect())
}

fn visible(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}

/// `01:02:ff`.
pub(super) fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

fn printable(data: &[u8]) -> String {
    let plain = !data.is_empty() && data.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    if plain { format!("{} (`{}`)", hex(data), String::from_utf8_lossy(data)) } else { hex(data) }
}

/// `None` if the data does not have that form.
fn said(form: Form, data: &[u8]) -> Option<String> {
    Some(match form {
        Form::Addresses => addresses(data)?,
        Form::Text => text(data)?,
        Form::Texts => printable(data),
        Form::Seconds => {
            let seconds = u32::from_be_bytes(data.try_into().ok()?);
            if seconds == u32::MAX { "for ever".into() } else { format!("{seconds} s") }
        }
        Form::Byte => data.first().filter(|_| data.len() == 1)?.to_string(),
        Form::Word => u16::from_be_bytes(data.try_into().ok()?).to_string(),
        Form::Kind => kind(MessageType::from_number(*data.first()?)),
        Form::Codes => data.iter().map(u8::to_string).collect::<Vec<_>>().join(" "),
        Form::Overload => match data {
            [1] => "options in file".into(),
            [2] => "options in sname".into(),
            [3] => "options in file and sname".into(),
            _ => return None,
        },
        Form::Pxe => encapsulated(data, PXE, pxe),
        Form::Relay => encapsulated(data, RELAY, relay),
        Form::Archs => archs(data)?,
        Form::Undi => {
            let [kind, major, minor] = data.try_into().ok()?;
            format!("type {kind}, version {major}.{minor}")
        }
        Form::MachineId => machine_id(data)?,
        Form::UserClass => user_class(data),
        Form::ClientId => match data {
            [1, mac @ ..] if mac.len() == 6 => format!("Ethernet {}", hex(mac)),
            _ => printable(data),
        },
        Form::Ipxe => ipxe(data),
        Form::Raw => printable(data),
    })
}

fn addresses(data: &[u8]) -> Option<String> {
    let (all, rest) = data.as_chunks::<4>();
    let shown: Vec<String> = all.iter().map(|raw| Ipv4Addr::from(*raw).to_string()).collect();
    (rest.is_empty() && !all.is_empty()).then(|| shown.join(", "))
}

fn archs(data: &[u8]) -> Option<String> {
    let (all, rest) = data.as_chunks::<2>();
    let one = |raw: &[u8; 2]| {
        let code = u16::from_be_bytes(*raw);
        format!("{code} ({})", Arch::from_code(code).name())
    };
    (rest.is_empty() && !all.is_empty()).then(|| all.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// RFC 4578 section 2.3: type 0, and the UUID as SMBIOS writes it.
fn machine_id(data: &[u8]) -> Option<String> {
    let (kind, raw) = data.split_first()?;
    let raw: [u8; 16] = raw.try_into().ok()?;
    (*kind == 0).then(|| Uuid::from_bytes_le(raw).to_string())
}

/// RFC 3004 has lengths before the classes; iPXE sends none.
fn user_class(data: &[u8]) -> String {
    let mut classes = Vec::new();
    let mut rest = data;
    while let Some((len, after)) = rest.split_first() {
        let Some((class, after)) = after.split_at_checked((*len).into()).filter(|_| *len > 0) else {
            return text(data).unwrap_or_default();
        };
        classes.push(text(class).unwrap_or_default());
        rest = after;
    }
    classes.join(", ")
}

fn encapsulated(data: &[u8], names: &[(u8, &str)], value: impl Fn(u8, &[u8]) -> String) -> String {
    let one = |(code, data): (u8, &[u8])| {
        let name = names.iter().find(|(known, _)| *known == code).map_or("unknown", |(_, name)| name);
        format!("{code} {name} {}", value(code, data))
    };
    let all: Vec<String> = walk(data).map(one).collect();
    if all.is_empty() { hex(data) } else { all.join("; ") }
}

fn pxe(code: u8, data: &[u8]) -> String {
    match (code, data) {
        (6, [8]) => "8 (boot the file named here; ask nobody else)".into(),
        (6, [bits]) => format!("{bits}"),
        _ => printable(data),
    }
}

fn relay(code: u8, data: &[u8]) -> String {
    match code {
        5 | 11 | 152 => addresses(data).unwrap_or_else(|| hex(data)),
        _ => printable(data),
    }
}

fn ipxe(data: &[u8]) -> String {
    // A server sends it settings; iPXE itself sends its features.
    if let [176, 1, value] = data {
        return format!("176 no-pxedhcp {value}");
    }
    let features = Features::parse(data);
    let version = features.version.map(|(a, b, c)| format!("iPXE {a}.{b}.{c}"));
    let can = [
        (features.http(), "http"),
        (features.https(), "https"),
        (features.efi(), "efi"),
        (features.vlan(), "vlan"),
        (features.menu(), "menu"),
    ];
    let can = can.into_iter().filter(|(has, _)| *has).map(|(_, name)| name.to_owned());
    version.into_iter().chain(can).collect::<Vec<_>>().join(", ")
}

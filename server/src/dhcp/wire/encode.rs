//! A [`Reply`] to bytes: 53 first, 82 last, and no longer than the client can take.
use super::{BootFields, LeaseTimes, MessageType, Reply, ReplyKind, Request, Style, options, options::code};
use std::net::Ipv4Addr;

/// Some relays and ROMs drop what is shorter than a BOOTP packet (RFC 1542 section 2.1).
const SHORTEST: usize = 300;
/// Before the options: the fixed part and the cookie.
const FIXED: usize = 240;
/// Option 57 counts the IP and UDP headers (RFC 2131 section 2: 576 is the datagram that every host must
/// take).
const HEADERS: u16 = 28;
/// `sname` and `file`, when they hold options, less their END.
const SNAME_ROOM: usize = 63;
const FILE_ROOM: usize = 127;

/// How dear an option is when there is no room: the highest go first.
type Rank = u8;
const KEEP: Rank = 0;
/// Left out only when nothing else helps.
const DEAR: Rank = 2;
/// Left out before any option is moved into `sname`.
const CHEAP: Rank = 10;

/// What its boot ROM looks for (and nothing else of option 43): a boot server of type 0, "Raspberry Pi Boot", and the prompt `PXE`.
const RASPBERRY_PI_MENU: &[u8] = b"\x06\x01\x03\x0a\x04\x00PXE\x09\x14\x00\x00\x11Raspberry Pi Boot\xff";

struct Field {
    code: u8,
    data: Vec<u8>,
    rank: Rank,
}

impl Field {
    fn len(&self) -> usize {
        options::written_len(&self.data)
    }
}

/// The options of a reply, in the order in which they are to be sent.
#[derive(Default)]
struct Fields {
    main: Vec<Field>,
    /// What has been moved into `sname`, and into `file`.
    sname: Vec<Field>,
    file: Vec<Field>,
}

impl Fields {
    fn push(&mut self, code: u8, rank: Rank, data: impl Into<Vec<u8>>) {
        self.main.push(Field { code, data: data.into(), rank });
    }

    fn push_addresses(&mut self, code: u8, rank: Rank, addresses: &[Ipv4Addr]) {
        if !addresses.is_empty() {
            self.push(code, rank, addresses.iter().flat_map(Ipv4Addr::octets).collect::<Vec<u8>>());
        }
    }

    /// Texts without their NUL (RFC 2132 section 2); an empty one is not an option.
    fn push_text(&mut self, code: u8, rank: Rank, text: Option<&str>) {
        if let Some(text) = text.map(until_nul).filter(|text| !text.is_empty()) {
            self.push(code, rank, text.as_bytes());
        }
    }

    /// The length of the options field, with END and, if some have moved, with option 52.
    fn main_len(&self) -> usize {
        let moved = !(self.sname.is_empty() && self.file.is_empty());
        self.main.iter().map(Field::len).sum::<usize>() + 1 + if moved { 3 } else { 0 }
    }

    /// Leaves out the cheapest option of at least this rank; the last of equals. `false` if there is none.
    fn leave_out(&mut self, at_least: Rank) -> bool {
        let cheapest = self
            .main
            .iter()
            .enumerate()
            .filter(|(_, f)| f.rank >= at_least.max(1))
            .max_by_key(|(_, f)| f.rank);
        let Some((index, _)) = cheapest else { return false };
        self.main.remove(index);
        true
    }

    /// Makes the options fit into `room`: what can be missed is left out, then options are moved to `sname`
    /// and, unless the name is there, to `file` (option 52), then whatever is left is left out, dearest last.
    /// Option 82 never moves (RFC 3046 section 2.1).
    fn fit(&mut self, room: usize, file_is_free: bool) {
        while self.main_len() > room && self.leave_out(CHEAP) {}
        let (mut sname, mut file) = (SNAME_ROOM, if file_is_free { FILE_ROOM } else { 0 });
        let mut index = self.main.len();
        while self.main_len() > room && index > 0 {
            index -= 1;
            let Some(field) = self.main.get(index) else { break };
            let (len, stays) =
                (field.len(), matches!(field.code, code::KIND | code::SERVER_ID | code::RELAY_INFO));
            if !stays && len <= sname {
                sname -= len;
                self.sname.push(self.main.remove(index));
            } else if !stays && len <= file {
                file -= len;
                self.file.push(self.main.remove(index));
            }
        }
        while self.main_len() > room && self.leave_out(1) {}
    }
}

/// Writes the answer to that request.
pub fn encode(request: &Request, reply: &Reply) -> Vec<u8> {
    let boot =
        reply.boot.as_ref().filter(|boot| reply.kind != ReplyKind::Nak && !until_nul(&boot.file).is_empty());
    let header_file = boot.map(|boot| until_nul(&boot.file)).filter(|file| file.len() <= FILE_ROOM);
    let room = usize::from(request.max_size.unwrap_or(0).clamp(576, 1500) - HEADERS) - FIXED;

    let mut fields = Fields::default();
    if reply.kind == ReplyKind::Nak {
        nak(&mut fields, reply);
    } else {
        grant(&mut fields, request, reply, boot);
    }
    // RFC 6842: the client's own id comes back in every answer.
    if let Some(id) = request.client_id.as_deref().filter(|id| !id.is_empty()) {
        fields.push(code::CLIENT_ID, DEAR, id);
    }
    if let Some(relay) = &request.relay_info {
        fields.push(code::RELAY_INFO, 1, relay.as_slice());
    }
    fields.fit(room, header_file.is_none());

    let mut out = header(request, reply, boot.is_some());
    out.extend(area(&fields.sname, b"", 64));
    out.extend(area(&fields.file, header_file.unwrap_or_default().as_bytes(), 128));
    out.extend([99, 130, 83, 99]);
    let overload = u8::from(!fields.file.is_empty()) | u8::from(!fields.sname.is_empty()) << 1;
    for field in &fields.main {
        options::write(&mut out, field.code, &field.data);
        if field.code == code::KIND && overload != 0 {
            options::write(&mut out, code::OVERLOAD, &[overload]);
        }
    }
    out.push(code::END);
    out.resize(out.len().max(SHORTEST), code::PAD);
    out
}

/// Up to `chaddr` (RFC 2131 table 3).
fn header(request: &Request, reply: &Reply, booting: bool) -> Vec<u8> {
    let nak = reply.kind == ReplyKind::Nak;
    // A relay must broadcast a nak: the client has no address that is right here (RFC 2131 section 4.3.2).
    let broadcast = request.broadcast || (nak && !request.giaddr.is_unspecified());
    let siaddr = match reply.siaddr {
        Ipv4Addr::UNSPECIFIED if booting => reply.server_id,
        siaddr => siaddr,
    };
    let ciaddr = if reply.kind == ReplyKind::Ack { request.ciaddr } else { Ipv4Addr::UNSPECIFIED };
    let yiaddr = reply.yiaddr.filter(|_| !nak && request.kind != MessageType::Inform);
    let mut out = Vec::with_capacity(576);
    out.extend([2, request.hardware.kind, request.hardware.len, 0]);
    out.extend(request.xid.to_be_bytes());
    out.extend([0, 0, if broadcast { 0x80 } else { 0 }, 0]);
    out.extend(ciaddr.octets());
    out.extend(yiaddr.unwrap_or(Ipv4Addr::UNSPECIFIED).octets());
    out.extend(if nak { [0; 4] } else { siaddr.octets() });
    out.extend(request.giaddr.octets());
    out.extend(request.hardware.address);
    out
}

/// `sname` or `file`: options that have moved there, else its own content, padded with NULs.
fn area(moved: &[Field], content: &[u8], len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len);
    if moved.is_empty() {
        out.extend_from_slice(content);
    } else {
        moved.iter().for_each(|field| options::write(&mut out, field.code, &field.data));
        out.push(code::END);
    }
    out.resize(len, code::PAD);
    out
}

/// RFC 2131 table 3 allows a nak these only.
fn nak(fields: &mut Fields, reply: &Reply) {
    fields.push(code::KIND, KEEP, [6]);
    fields.push(code::SERVER_ID, KEEP, reply.server_id.octets());
    fields.push_text(code::MESSAGE, CHEAP, reply.message.as_deref());
}

fn grant(fields: &mut Fields, request: &Request, reply: &Reply, boot: Option<&BootFields>) {
    let wanted = |code| request.parameters.is_empty() || request.parameters.contains(&code);
    fields.push(code::KIND, KEEP, [if reply.kind == ReplyKind::Offer { 2 } else { 5 }]);
    fields.push(code::SERVER_ID, KEEP, reply.server_id.octets());
    // An answer to INFORM must have no lease times (RFC 2131 section 4.3.5).
    if let Some(LeaseTimes { lease, renew, rebind }) =
        reply.lease.filter(|_| request.kind != MessageType::Inform)
    {
        fields.push(code::LEASE, KEEP, lease.to_be_bytes());
        fields.push(code::RENEW, CHEAP, renew.to_be_bytes());
        fields.push(code::REBIND, CHEAP, rebind.to_be_bytes());
    }
    if let Some(mask) = reply.mask {
        fields.push(code::MASK, KEEP, mask.octets()); // before the routers (RFC 2132 section 3.3)
    }
    fields.push_addresses(code::ROUTERS, DEAR + 1, &reply.routers);
    fields.push_addresses(code::DNS, DEAR + 2, &reply.dns);
    if let Some(boot) = boot {
        boot_options(fields, request, reply, boot);
    }
    if let Some(selected) = request.options.get(code::SUBNET_SELECTION).filter(|_| reply.mask.is_some()) {
        fields.push(code::SUBNET_SELECTION, DEAR, selected); // RFC 3011 section 2
    }
    // RFC 4578 section 2.3: mirrored, as sent.
    if let Some(id) = request.options.get(code::MACHINE_ID).filter(|id| !id.is_empty()) {
        fields.push(code::MACHINE_ID, DEAR, id);
    }
    if wanted(code::HOSTNAME) {
        fields.push_text(code::HOSTNAME, CHEAP + 1, reply.hostname.as_deref());
    }
    if wanted(code::DOMAIN) {
        fields.push_text(code::DOMAIN, CHEAP + 2, reply.domain.as_deref());
    }
    if wanted(code::BROADCAST) {
        fields.push_addresses(code::BROADCAST, CHEAP + 4, reply.broadcast_address.as_slice());
    }
    for (code, data) in &reply.options {
        fields.main.retain(|field| field.code != *code);
        let asked_for = request.parameters.contains(code);
        fields.push(*code, if asked_for { DEAR + 4 } else { CHEAP + 5 }, data.as_slice());
    }
}

fn boot_options(fields: &mut Fields, request: &Request, reply: &Reply, boot: &BootFields) {
    let proxy = reply.yiaddr.is_none();
    // What was measured: a proxy without 60 is heard by nobody; with it from the server that gives the
    // address, UEFI asks at 4011.
    let class: Option<&[u8]> = match boot.style {
        Style::HttpClient => Some(b"HTTPClient"),
        Style::Pxe | Style::RaspberryPi => Some(b"PXEClient"),
        Style::Plain | Style::Ipxe => proxy.then_some(b"PXEClient"),
    };
    if let Some(class) = class {
        fields.push(code::VENDOR_CLASS, KEEP, class);
    }
    match (request.boot_item, boot.style) {
        // The ROM, or iPXE, asked for an item of a menu: it takes the answer only with the same item.
        (Some([a, b, c, d]), Style::Pxe | Style::Plain | Style::Ipxe) => {
            fields.push(code::VENDOR, KEEP, [71, 4, a, b, c, d, code::END]);
        }
        (_, Style::Pxe) => fields.push(code::VENDOR, KEEP, [6, 1, 8, code::END]),
        (_, Style::RaspberryPi) => fields.push(code::VENDOR, KEEP, RASPBERRY_PI_MENU),
        (_, Style::Ipxe) if !proxy => fields.push(code::IPXE, CHEAP, [176, 1, 1]),
        _ => {}
    }
    // With its NUL: UEFI writes one over the byte that follows. The header has the name as well where it
    // fits, and then this can go.
    let name = until_nul(&boot.file);
    let rank = if name.len() <= FILE_ROOM { DEAR + 3 } else { 1 };
    fields.push(code::BOOT_FILE, rank, [name.as_bytes(), &[0]].concat());
    if matches!(boot.style, Style::Pxe | Style::Plain | Style::RaspberryPi) {
        let server = if reply.siaddr.is_unspecified() { reply.server_id } else { reply.siaddr };
        fields.push_text(code::TFTP_SERVER, CHEAP + 3, Some(&server.to_string()));
    }
}

fn until_nul(text: &str) -> &str {
    text.split('\0').next().unwrap_or_default()
}

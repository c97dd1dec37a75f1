//! A packet of either direction, read leniently: for whoever looks at what was sent, by us or by others. Whoever answers
//! packets uses [`super::parse`].
use super::{Hardware, Malformed, MessageType, Options, options::code, words};
use pilotlight_types::{
    Mac,
    api::{PacketField, PacketView},
};
use std::net::Ipv4Addr;

const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// A request or a reply, as it lay on the wire (RFC 2131 section 2, figure 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// 1 is a request, 2 a reply.
    pub op: u8,
    /// Option 53; none in BOOTP.
    pub kind: Option<MessageType>,
    /// `htype`, `hlen`, `chaddr`.
    pub hardware: Hardware,
    /// How many relays it came through.
    pub hops: u8,
    /// Transaction id.
    pub xid: u32,
    /// Seconds since the client began, as it says.
    pub secs: u16,
    /// The client wants a broadcast.
    pub broadcast: bool,
    /// The address that the client has.
    pub ciaddr: Ipv4Addr,
    /// The address that the client is given.
    pub yiaddr: Ipv4Addr,
    /// The server to boot from.
    pub siaddr: Ipv4Addr,
    /// The relay.
    pub giaddr: Ipv4Addr,
    /// The field `sname`, unless it holds options.
    pub sname: Option<String>,
    /// The field `file`, unless it holds options.
    pub file: Option<String>,
    /// All options.
    pub options: Options,
}

impl Packet {
    /// Reads a packet. Errors are those of packets that have no fixed part or no cookie.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let (fixed, rest) = bytes.split_first_chunk::<240>().ok_or(Malformed::Short(bytes.len()))?;
        let [op, htype, hlen, hops, ..] = *fixed;
        if part(fixed, 236) != COOKIE {
            return Err(Malformed::Cookie);
        }
        let mut options = Options::default();
        options.read(rest);
        let [overload] = options.first(code::OVERLOAD).unwrap_or([0]);
        let (sname, file) = (fixed.get(44..108).unwrap_or_default(), fixed.get(108..236).unwrap_or_default());
        let (file_has_options, sname_has_options) = (overload & 1 != 0, overload & 2 != 0);
        if file_has_options {
            options.read(file);
        }
        if sname_has_options {
            options.read(sname);
        }
        let [flags, _] = part(fixed, 10);
        Ok(Self {
            op,
            kind: options.first(code::KIND).map(|[kind]| MessageType::from_number(kind)),
            hardware: Hardware { kind: htype, len: hlen, address: part(fixed, 28) },
            hops,
            xid: u32::from_be_bytes(part(fixed, 4)),
            secs: u16::from_be_bytes(part(fixed, 8)),
            broadcast: flags & 0x80 != 0,
            ciaddr: part::<4>(fixed, 12).into(),
            yiaddr: part::<4>(fixed, 16).into(),
            siaddr: part::<4>(fixed, 20).into(),
            giaddr: part::<4>(fixed, 24).into(),
            sname: words::text(sname).filter(|_| !sname_has_options),
            file: words::text(file).filter(|_| !file_has_options),
            options,
        })
    }

    /// The client's Ethernet address.
    pub fn mac(&self) -> Option<Mac> {
        self.hardware.mac()
    }

    /// Option 54.
    pub fn server_id(&self) -> Option<Ipv4Addr> {
        self.options.first::<4>(code::SERVER_ID).map(Ipv4Addr::from)
    }

    /// Option 60, as text.
    pub fn vendor_class(&self) -> Option<String> {
        self.options.get(code::VENDOR_CLASS).and_then(words::text)
    }

    /// What to boot: option 67 before the field `file`, as firmware takes it.
    pub fn boot_file(&self) -> Option<String> {
        self.options.get(code::BOOT_FILE).and_then(words::text).or_else(|| self.file.clone())
    }

    /// `DHCPOFFER`, `BOOTP reply`.
    pub fn name(&self) -> String {
        match (self.kind, self.op) {
            (Some(kind), _) => words::kind(kind),
            (None, 1) => "BOOTP request".into(),
            (None, 2) => "BOOTP reply".into(),
            (None, op) => format!("BOOTP op {op}"),
        }
    }

    /// The packet in words. Fields that are empty are left out.
    pub fn view(&self) -> PacketView {
        let mut fields = Vec::new();
        let mut fixed = |name: &str, value: String| {
            fields.push(PacketField { code: None, name: name.into(), value });
        };
        let count = usize::from(self.hardware.len).min(16);
        let address = match self.mac() {
            Some(mac) => mac.to_string(),
            None => format!(
                "{} (htype {}, hlen {})",
                words::hex(self.hardware.address.get(..count).unwrap_or_default()),
                self.hardware.kind,
                self.hardware.len
            ),
        };
        fixed("chaddr", address);
        fixed("xid", format!("{:08x}", self.xid));
        if self.secs != 0 {
            fixed("secs", self.secs.to_string());
        }
        if self.hops != 0 {
            fixed("hops", self.hops.to_string());
        }
        if self.broadcast {
            fixed("flags", "broadcast".into());
        }
        let addresses = [self.ciaddr, self.yiaddr, self.siaddr, self.giaddr];
        for (name, address) in ["ciaddr", "yiaddr", "siaddr", "giaddr"].into_iter().zip(addresses) {
            if !address.is_unspecified() {
                fixed(name, address.to_string());
            }
        }
        for (name, text) in [("sname", &self.sname), ("file", &self.file)] {
            if let Some(text) = text {
                fixed(name, text.clone());
            }
        }
        for code in self.options.codes() {
            let (name, value) = words::option(code, self.options.get(code).unwrap_or_default());
            fields.push(PacketField { code: Some(code.into()), name, value });
        }
        PacketView { kind: self.name(), fields }
    }
}

/// `N` bytes from an offset, which is a constant within the fixed part wherever this is called.
fn part<const N: usize>(fixed: &[u8; 240], offset: usize) -> [u8; N] {
    fixed.get(offset..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}

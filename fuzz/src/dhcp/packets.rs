//! Packets that a few bytes stand for, so that chance finds its way through whole boots: offers are taken, leases renewed, given
//! back and stolen, by firmware, iPXE and Linux, directly and through relays.
use super::hall::OURS;
use pilotlight::dhcp::{
    listener::{Arrival, Role},
    wire::{Reply, Request},
};
use pilotlight_types::Mac;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4},
};

/// So many clients there are. The first few are declared machines; the others nobody knows.
const CLIENTS: u8 = 12;

const NONE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

/// A relay on the network behind it.
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 254);

/// What each client was told last.
#[derive(Default)]
pub struct Seen {
    addresses: BTreeMap<Mac, Ipv4Addr>,
    servers: BTreeMap<Mac, Ipv4Addr>,
}

impl Seen {
    pub fn answered(&mut self, request: &Request, reply: &Reply) {
        if let (Some(mac), Some(address)) = (request.mac(), reply.yiaddr) {
            self.addresses.insert(mac, address);
            self.servers.insert(mac, reply.server_id);
        }
    }
}

/// The MAC of a client.
pub fn mac(number: u8) -> Mac {
    Mac::new([0x52, 0x54, 0, 0, 0, number % CLIENTS])
}

/// How a packet comes in: on which interface, to which port; from a client that has an address, from a relay, or from nobody yet.
pub fn arrival(how: u8, from: Option<Ipv4Addr>) -> Arrival {
    let local = OURS[usize::from(how % 8) % OURS.len()];
    let role = if how & 8 != 0 { Role::BootServer } else { Role::Server };
    let [a, b, c, _] = local.octets();
    let from = match (how >> 4, from) {
        (0..=3, Some(from)) => from,
        (0..=7, _) => NONE,
        (last, _) => Ipv4Addr::new(a, b, c, 90 + last),
    };
    Arrival {
        interface: "eth1".into(),
        local,
        from: SocketAddrV4::new(from, if how & 8 != 0 { 4011 } else { 68 }),
        role,
    }
}

/// The packet that these bytes stand for: kind, client, what it is, address asked for, address that it has, relay, server, flags,
/// largest packet, and how it comes in.
pub fn made(bytes: &[u8], seen: &Seen) -> (Vec<u8>, Arrival) {
    let at = |place: usize| bytes.get(place).copied().unwrap_or_default();
    let client = mac(at(1));
    let address = |byte: u8| match byte {
        0..=63 => NONE,
        64..=159 => seen.addresses.get(&client).copied().unwrap_or(NONE),
        160..=191 => Ipv4Addr::new(10, 77, 0, 90 + byte % 32),
        192..=207 => Ipv4Addr::new(10, 77, 1, byte % 16),
        208..=223 => Ipv4Addr::new(10, 78 + byte % 4, 0, 10),
        224..=231 => seen.addresses.values().nth(usize::from(byte % 8)).copied().unwrap_or(NONE),
        232..=239 => OURS[usize::from(byte % 6)],
        240 => Ipv4Addr::BROADCAST,
        241 => Ipv4Addr::new(10, 77, 0, 255),
        242 => Ipv4Addr::new(224, 0, 0, 1),
        243 => Ipv4Addr::LOCALHOST,
        _ => Ipv4Addr::new(192, 0, 2, byte),
    };
    let mut packet = vec![0; 240];
    packet[..3].copy_from_slice(&[1, 1, 6]);
    packet[4..8].copy_from_slice(&[at(1), at(7), 0, 1]);
    packet[10] = at(7) & 0x80;
    packet[12..16].copy_from_slice(&address(at(4)).octets());
    packet[28..34].copy_from_slice(&client.bytes());
    packet[236..].copy_from_slice(&[99, 130, 83, 99]);
    let mut put = |code: u8, data: &[u8]| {
        packet.extend([code, u8::try_from(data.len()).unwrap_or_default()]);
        packet.extend(data);
    };
    // The kinds that clients send, more often than the others.
    put(53, &[[1, 3, 1, 3, 4, 7, 8, 3, 1, 3, 2, 5, 0, 13][usize::from(at(0) % 14)]]);
    for (code, data) in identity(at(2)) {
        put(*code, data);
    }
    if address(at(3)) != NONE {
        put(50, &address(at(3)).octets());
    }
    match at(6) {
        0..=95 => {}
        96..=191 => put(54, &seen.servers.get(&client).copied().unwrap_or(OURS[0]).octets()),
        byte => put(54, &address(byte).octets()),
    }
    match at(8) {
        0..=127 => {}
        byte => put(57, &(u16::from(byte - 120) * 24).to_be_bytes()),
    }
    let relay = at(5);
    let giaddr = match relay {
        0..=127 => NONE,
        128..=223 => RELAY,
        _ => address(relay),
    };
    match relay % 8 {
        4 => put(82, b"\x01\x04port\x05\x04\x0a\x4d\x01\x00"),
        5 => put(82, b"\x01\x04port\x0b\x04\x0a\x4d\x01\xfe"),
        6 => put(82, &[[1, 200].as_slice(), &[7; 200]].concat()),
        7 => put(118, &[10, 77, 1, 0]),
        _ => {}
    }
    packet.push(255);
    packet[24..28].copy_from_slice(&giaddr.octets());
    let from = [giaddr, address(at(4))].into_iter().find(|from| *from != NONE);
    (packet, arrival(at(9), from))
}

/// What a client says of itself.
fn identity(who: u8) -> &'static [(u8, &'static [u8])] {
    match who % 8 {
        0 => &[(60, b"PXEClient:Arch:00007:UNDI:003016"), (93, &[0, 7]), (94, &[1, 3, 16])],
        1 => &[(60, b"PXEClient:Arch:00000:UNDI:002001"), (93, &[0, 0]), (94, &[1, 2, 1])],
        2 => &[
            (60, b"PXEClient:Arch:00007:UNDI:003010"),
            (93, &[0, 7]),
            (77, b"iPXE"),
            (175, &[0xeb, 3, 1, 0, 0, 0x13, 1, 1]),
        ],
        3 => &[(61, &[255, 1, 2, 3, 4, 0, 1, 0, 1]), (55, &[1, 3, 6, 12, 15, 28, 51, 58, 59])],
        4 => &[(60, b"HTTPClient:Arch:00016:UNDI:003001"), (93, &[0, 16]), (94, &[1, 3, 1])],
        // EDK2 at port 4011, with the machine's UUID.
        5 => &[
            (60, b"PXEClient:Arch:00007:UNDI:003016"),
            (93, &[0, 7]),
            (97, &[0, 4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16]),
            (43, &[71, 4, 0x80, 0, 0, 0, 255]),
        ],
        6 => &[(60, b"iDRAC"), (12, b"bmc")],
        _ => &[],
    }
}

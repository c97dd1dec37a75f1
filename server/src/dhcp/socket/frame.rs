//! An Ethernet frame with a UDP packet in it, for a client that cannot answer ARP yet (RFC 791, RFC 768).
use pilotlight_types::Mac;
use std::net::SocketAddrV4;

const IPV4: [u8; 2] = [8, 0];
const UDP: u8 = 17;
const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;

/// The frame, with its checksums.
pub fn udp(from: (Mac, SocketAddrV4), to: (Mac, SocketAddrV4), content: &[u8]) -> Vec<u8> {
    let udp_len = len_field(UDP_HEADER + content.len());
    let (source, target) = (from.1.ip().octets(), to.1.ip().octets());

    let mut header = Vec::with_capacity(IP_HEADER);
    header.extend([0x45, 0xc0]); // version and length; network control, as DHCP servers have it
    header.extend(len_field(IP_HEADER + UDP_HEADER + content.len()));
    header.extend([0, 0, 0x40, 0]); // no id; do not fragment
    header.extend([64, UDP]);
    let mut sum = Sum::default();
    sum.add(&header);
    sum.add(&source);
    sum.add(&target);
    header.extend(sum.finish());
    header.extend(source);
    header.extend(target);

    let ports = [from.1.port().to_be_bytes(), to.1.port().to_be_bytes()].concat();
    let mut sum = Sum::default();
    for part in [&source[..], &target, &[0, UDP], &udp_len, &ports, &udp_len, content] {
        sum.add(part);
    }
    let checksum = match sum.finish() {
        [0, 0] => [0xff, 0xff], // 0 says that there is none
        checksum => checksum,
    };
    [&to.0.bytes()[..], &from.0.bytes(), &IPV4, &header, &ports, &udp_len, &checksum, content].concat()
}

/// The internet checksum of a packet (RFC 1071).
pub fn checksum(packet: &[u8]) -> [u8; 2] {
    let mut sum = Sum::default();
    sum.add(packet);
    sum.finish()
}

fn len_field(len: usize) -> [u8; 2] {
    // Replies are at most 1,472 bytes.
    u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes()
}

/// The internet checksum (RFC 1071). Every part but the last must be of even length.
#[derive(Default)]
struct Sum(u32);

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let (pairs, rest) = bytes.as_chunks();
        self.0 += pairs.iter().map(|pair| u32::from(u16::from_be_bytes(*pair))).sum::<u32>();
        if let [last] = rest {
            self.0 += u32::from(*last) << 8;
        }
    }

    fn finish(mut self) -> [u8; 2] {
        while self.0 > 0xffff {
            self.0 = (self.0 & 0xffff) + (self.0 >> 16);
        }
        // At most 16 bits are left.
        (!u16::try_from(self.0).unwrap_or(0)).to_be_bytes()
    }
}

//! Capture files: the UDP datagrams in a pcap or pcapng file (draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng). Takes hostile
//! files: what is cut off ends the file, and what is no UDP is left out.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A datagram of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Its packet's place in the file, from 1, as capture programs number them.
    pub number: usize,
    /// From whom.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// Its content.
    pub content: Vec<u8>,
}

/// Why a file is no capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// It begins otherwise.
    #[error("this is no capture file: neither pcap nor pcapng")]
    NotACapture,
    /// Frames of a kind that is not read.
    #[error("the frames are of link type {0}; Ethernet, Linux cooked, and bare IP are read")]
    LinkType(u32),
}

/// How frames begin (<https://www.tcpdump.org/linktypes.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Ethernet,
    Cooked,
    Cooked2,
    Ip,
}

impl Link {
    fn of(number: u32) -> Result<Self, CaptureError> {
        match number & 0xffff {
            1 => Ok(Self::Ethernet),
            12 | 101 | 228 => Ok(Self::Ip),
            113 => Ok(Self::Cooked),
            276 => Ok(Self::Cooked2),
            other => Err(CaptureError::LinkType(other)),
        }
    }
}

/// The whole UDP datagrams of a capture file, in their order. Fragments are left out.
pub fn datagrams(file: &[u8]) -> Result<Vec<Datagram>, CaptureError> {
    const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
    let magic = file.first_chunk::<4>().copied().ok_or(CaptureError::NotACapture)?;
    match magic {
        SECTION => pcapng(file),
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => pcap(file, u32::from_le_bytes),
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => pcap(file, u32::from_be_bytes),
        _ => Err(CaptureError::NotACapture),
    }
}

type Number = fn([u8; 4]) -> u32;

fn number_at(bytes: &[u8], offset: usize, number: Number) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(number)
}

fn length_at(bytes: &[u8], offset: usize, number: Number) -> Option<usize> {
    number_at(bytes, offset, number).and_then(|length| usize::try_from(length).ok())
}

fn pcap(file: &[u8], number: Number) -> Result<Vec<Datagram>, CaptureError> {
    let link = Link::of(number_at(file, 20, number).ok_or(CaptureError::NotACapture)?)?;
    let mut rest = file.get(24..).unwrap_or_default();
    let mut found = Vec::new();
    for place in 1.. {
        let Some(length) = length_at(rest, 8, number) else { break };
        let Some((frame, after)) = rest.get(16..).and_then(|rest| rest.split_at_checked(length)) else {
            break;
        };
        found.extend(datagram(place, frame, link));
        rest = after;
    }
    Ok(found)
}

/// Blocks of kind, length, content, length again; a section says how its numbers are written.
fn pcapng(file: &[u8]) -> Result<Vec<Datagram>, CaptureError> {
    let mut number: Number = u32::from_le_bytes;
    let mut links: Vec<Result<Link, CaptureError>> = Vec::new();
    let (mut rest, mut place, mut found) = (file, 0, Vec::new());
    let mut unread = None;
    while let Some(kind) = number_at(rest, 0, u32::from_le_bytes) {
        if kind == 0x0a0d_0d0a {
            number = match rest.get(8..12) {
                Some([0x4d, 0x3c, 0x2b, 0x1a]) => u32::from_le_bytes,
                Some([0x1a, 0x2b, 0x3c, 0x4d]) => u32::from_be_bytes,
                _ => return Err(CaptureError::NotACapture),
            };
            links.clear();
        }
        let kind = number_at(rest, 0, number).unwrap_or_default();
        let Some(length) = length_at(rest, 4, number).filter(|length| *length >= 12) else { break };
        let Some((block, after)) = rest.split_at_checked(length) else { break };
        let body = block.get(8..length - 4).unwrap_or_default();
        // An enhanced packet names its interface and both lengths; a simple one is of the first interface.
        let frame = match kind {
            1 => {
                // Link types are 16 bits at the block's beginning, in the section's order.
                let raw = number_at(body, 0, number).unwrap_or_default();
                let kind = if number([0, 0, 0, 1]) == 1 { raw >> 16 } else { raw & 0xffff };
                links.push(Link::of(kind));
                None
            }
            3 => body.get(4..).map(|frame| (0, frame)),
            6 => length_at(body, 12, number)
                .and_then(|kept| Some((length_at(body, 0, number)?, body.get(20..)?.get(..kept)?))),
            _ => None,
        };
        if let Some((interface, frame)) = frame {
            place += 1;
            match links.get(interface) {
                Some(Ok(link)) => found.extend(datagram(place, frame, *link)),
                Some(Err(error)) => unread = Some(*error),
                None => {}
            }
        }
        rest = after;
    }
    match unread {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

fn datagram(number: usize, frame: &[u8], link: Link) -> Option<Datagram> {
    let packet = match link {
        Link::Ip => frame,
        Link::Cooked => frame.get(16..)?,
        Link::Cooked2 => frame.get(20..)?,
        Link::Ethernet => behind_tags(frame.get(12..)?)?,
    };
    let (from, to, udp) = match packet.first()? >> 4 {
        4 => ipv4(packet)?,
        6 => ipv6(packet)?,
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(*udp.get(at..)?.first_chunk()?));
    let content = udp.get(8..usize::from(port(4)?))?.to_vec();
    Some(Datagram {
        number,
        from: SocketAddr::new(from, port(0)?),
        to: SocketAddr::new(to, port(2)?),
        content,
    })
}

/// From whom, to whom, and the UDP datagram in a packet of IPv4 (RFC 791 section 3.1).
fn ipv4(packet: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let (first, kind) = (packet.first()?, packet.get(9)?);
    let length = usize::from(u16::from_be_bytes(*packet.get(2..)?.first_chunk()?));
    let offset = u16::from_be_bytes(*packet.get(6..)?.first_chunk()?);
    // The rest of a fragmented packet, or one of which there is more, is no whole datagram.
    if *kind != 17 || offset & 0x3fff != 0 {
        return None;
    }
    let address = |at: usize| Some(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?).into());
    let udp = packet.get(..length)?.get(usize::from(first & 15) * 4..)?;
    Some((address(12)?, address(16)?, udp))
}

/// The same of IPv6 (RFC 8200 section 3), without headers between: DHCPv6 has none.
fn ipv6(packet: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let length = usize::from(u16::from_be_bytes(*packet.get(4..)?.first_chunk()?));
    let address = |at: usize| Some(Ipv6Addr::from(*packet.get(at..)?.first_chunk::<16>()?).into());
    let udp = packet.get(40..)?.get(..length).filter(|_| packet.get(6) == Some(&17))?;
    Some((address(8)?, address(24)?, udp))
}

/// What is in an Ethernet frame, from its type on, if that is IP: behind VLAN tags (802.1Q, 802.1ad), where there are some.
fn behind_tags(mut rest: &[u8]) -> Option<&[u8]> {
    while let [0x81, 0, ..] | [0x88, 0xa8, ..] = rest {
        rest = rest.get(4..)?;
    }
    rest.strip_prefix(&[8, 0]).or_else(|| rest.strip_prefix(&[0x86, 0xdd]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fixture(name: &str) -> Vec<u8> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pcaps");
        std::fs::read(folder.join(name)).unwrap()
    }

    /// The frames of a little-endian pcap.
    fn frames(file: &[u8]) -> Vec<Vec<u8>> {
        let (mut rest, mut frames) = (&file[24..], Vec::new());
        while !rest.is_empty() {
            let length = length_at(rest, 8, u32::from_le_bytes).unwrap();
            frames.push(rest[16..16 + length].to_vec());
            rest = &rest[16 + length..];
        }
        frames
    }

    fn be_pcap(link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
        let mut file = [0xa1b2_3c4d, 0x0002_0004, 0, 0, 65535, link].map(u32::to_be_bytes).concat();
        for frame in frames {
            let length = u32::try_from(frame.len()).unwrap();
            file.extend([1, 2, length, length].map(u32::to_be_bytes).concat());
            file.extend(frame);
        }
        file
    }

    fn pcapng(
        link: u16,
        frames: &[Vec<u8>],
        write: fn(u32) -> [u8; 4],
        short: fn(u16) -> [u8; 2],
    ) -> Vec<u8> {
        let block = |kind: u32, body: &[u8]| {
            let padded = body.len().next_multiple_of(4);
            let length = u32::try_from(padded + 12).unwrap();
            let padding = vec![0; padded - body.len()];
            [&write(kind)[..], &write(length), body, &padding, &write(length)].concat()
        };
        let head =
            [&write(0x1a2b_3c4d)[..], &short(1), &short(0), &write(u32::MAX), &write(u32::MAX)].concat();
        let mut file = block(0x0a0d_0d0a, &head);
        file.extend(block(1, &[&short(link)[..], &short(0), &write(65535)].concat()));
        for (index, frame) in frames.iter().enumerate() {
            let length = write(u32::try_from(frame.len()).unwrap());
            if index % 2 == 0 {
                let head = [write(0), write(1), write(2), length, length].concat();
                file.extend(block(6, &[&head[..], frame].concat()));
            } else {
                file.extend(block(3, &[&length[..], frame].concat()));
            }
            file.extend(block(0x8000_0001, b"something else"));
        }
        file
    }

    #[test]
    fn every_kind_of_file_gives_the_same_datagrams() {
        let file = fixture("uefi-pxe.pcap");
        let expected = datagrams(&file).unwrap();
        assert!(expected.iter().any(|d| d.to.port() == 67 && d.content[0] == 1));
        let ethernet = frames(&file);
        let tagged: Vec<_> =
            ethernet.iter().map(|f| [&f[..12], &[0x81, 0, 0, 7], &f[12..]].concat()).collect();
        let bare: Vec<_> = ethernet.iter().map(|frame| frame[14..].to_vec()).collect();
        let cooked: Vec<_> = bare.iter().map(|packet| [&[0; 16][..], packet].concat()).collect();
        for other in [
            be_pcap(1, &ethernet),
            be_pcap(1, &tagged),
            be_pcap(101, &bare),
            be_pcap(113, &cooked),
            pcapng(1, &ethernet, u32::to_le_bytes, u16::to_le_bytes),
            pcapng(1, &tagged, u32::to_be_bytes, u16::to_be_bytes),
            pcapng(113, &cooked, u32::to_be_bytes, u16::to_be_bytes),
        ] {
            assert!(datagrams(&other).unwrap() == expected);
        }
    }

    #[test]
    fn datagrams_of_ipv6_are_read_as_well() {
        let (from, to): (Ipv6Addr, Ipv6Addr) = ("fe80::1".parse().unwrap(), "ff02::1:2".parse().unwrap());
        let udp = [&[2, 34, 2, 35, 0, 12, 0, 0][..], &[1, 0, 0, 7]].concat();
        let packet = [&[0x60, 0, 0, 0, 0, 12, 17, 1][..], &from.octets(), &to.octets(), &udp].concat();
        let of_tcp = [&packet[..6], &[6], &packet[7..]].concat();
        let found = datagrams(&be_pcap(101, &[packet.clone(), of_tcp, packet[..50].to_vec()])).unwrap();
        let expected = Datagram {
            number: 1,
            from: SocketAddr::new(from.into(), 546),
            to: SocketAddr::new(to.into(), 547),
            content: vec![1, 0, 0, 7],
        };
        assert_eq!(found, std::slice::from_ref(&expected));
        let frame = [&[2; 12][..], &[0x86, 0xdd], &packet].concat();
        assert_eq!(datagrams(&be_pcap(1, &[frame])).unwrap(), [expected]);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert_eq!(datagrams(b"GET / HTTP/1.1"), Err(CaptureError::NotACapture));
        assert_eq!(datagrams(&be_pcap(147, &[])), Err(CaptureError::LinkType(147)));
        let wlan = pcapng(105, &[vec![0; 60]], u32::to_le_bytes, u16::to_le_bytes);
        assert_eq!(datagrams(&wlan), Err(CaptureError::LinkType(105)));
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_no_crash(
            (cut, at, byte) in (0..20_000_usize, 0..20_000_usize, any::<u8>()),
            (link, big) in (prop::sample::select(vec![1_u16, 101, 113]), any::<bool>()),
        ) {
            let frames = &frames(&fixture("ipxe-rom.pcap"))[..6];
            let next = if big {
                pcapng(link, frames, u32::to_be_bytes, u16::to_be_bytes)
            } else {
                pcapng(link, frames, u32::to_le_bytes, u16::to_le_bytes)
            };
            for mut file in [be_pcap(link.into(), frames), next] {
                let (at, cut) = (at % file.len(), cut % file.len());
                file[at] = byte;
                let _ = datagrams(&file);
                let _ = datagrams(&file[..cut]);
            }
        }
    }
}

//! DUIDs: what DHCPv6 clients and servers call themselves (RFC 8415 section 11), and what can be seen of a machine in one.
use pilotlight_types::Mac;
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// The longest DUID: a type of two bytes, and 128 more.
pub const LONGEST: usize = 130;

const LINK_LAYER_TIME: u16 = 1;
const ENTERPRISE: u16 = 2;
const LINK_LAYER: u16 = 3;
const UUID: u16 = 4;
const ETHERNET: u16 = 1;

/// The name that a client or server has for good. To everybody else it is a string of bytes; what its kind says of the machine is a
/// hint.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Duid(Vec<u8>);

/// These bytes are no DUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a DUID has from 3 to {LONGEST} bytes")]
pub struct NoDuid;

impl Duid {
    /// The DUID of these bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, NoDuid> {
        if (3..=LONGEST).contains(&bytes.len()) { Ok(Self(bytes.to_vec())) } else { Err(NoDuid) }
    }

    /// A DUID for nobody in particular: one of a random UUID (RFC 6355).
    pub fn random(bytes: [u8; 16]) -> Self {
        let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
        Self([&UUID.to_be_bytes()[..], uuid.as_bytes()].concat())
    }

    /// As it lies in a packet.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The Ethernet address in it, of any interface that the machine had when the DUID was made (DUID-LLT, DUID-LL).
    pub fn mac(&self) -> Option<Mac> {
        let (kind, rest) = self.split()?;
        let address = match (kind, rest) {
            (LINK_LAYER_TIME, [a, b, _, _, _, _, address @ ..]) | (LINK_LAYER, [a, b, address @ ..])
                if u16::from_be_bytes([*a, *b]) == ETHERNET =>
            {
                address
            }
            _ => return None,
        };
        Some(Mac::new(address.try_into().ok()?)).filter(|mac| mac.is_host())
    }

    /// The UUID in it (DUID-UUID), in both orders of its bytes: RFC 6355 has the one, and firmware copies the other from SMBIOS.
    pub fn uuids(&self) -> Option<[Uuid; 2]> {
        let (kind, rest) = self.split()?;
        let bytes: [u8; 16] = rest.try_into().ok().filter(|_| kind == UUID)?;
        // What firmware has that was given none.
        if bytes == [0; 16] || bytes == [0xff; 16] {
            return None;
        }
        Some([Uuid::from_bytes(bytes), Uuid::from_bytes_le(bytes)])
    }

    /// Its kind, for people.
    pub fn kind(&self) -> &'static str {
        match self.split().map(|(kind, _)| kind) {
            Some(LINK_LAYER_TIME) => "DUID-LLT",
            Some(ENTERPRISE) => "DUID-EN",
            Some(LINK_LAYER) => "DUID-LL",
            Some(UUID) => "DUID-UUID",
            _ => "DUID of another kind",
        }
    }

    fn split(&self) -> Option<(u16, &[u8])> {
        let (kind, rest) = self.0.split_first_chunk()?;
        Some((u16::from_be_bytes(*kind), rest))
    }
}

/// The Ethernet address that a link-local address was made of (RFC 4291 appendix A); none, if it was made in another way.
pub fn mac_in_link_local(address: std::net::Ipv6Addr) -> Option<Mac> {
    match address.octets() {
        [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a, b, c, 0xff, 0xfe, d, e, f] => {
            Some(Mac::new([a ^ 2, b, c, d, e, f])).filter(|mac| mac.is_host())
        }
        _ => None,
    }
}

impl fmt::Display for Duid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Duid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {self}", self.kind())
    }
}

impl FromStr for Duid {
    type Err = NoDuid;

    fn from_str(text: &str) -> Result<Self, NoDuid> {
        hex::decode(text).map_err(|_| NoDuid).and_then(|bytes| Self::new(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: Mac = Mac::new([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

    fn duid(hex: &str) -> Duid {
        hex.parse().unwrap()
    }

    #[test]
    fn each_kind_says_what_it_holds() {
        assert_eq!(duid("000100012d5f8a3f525400123456").mac(), Some(MAC));
        assert_eq!(duid("00030001525400123456").mac(), Some(MAC));
        let by_uuid = duid("000400112233445566778899aabbccddeeff");
        assert_eq!(by_uuid.mac(), None);
        let [straight, swapped] = by_uuid.uuids().unwrap();
        assert_eq!(straight.to_string(), "00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!(swapped.to_string(), "33221100-5544-7766-8899-aabbccddeeff");
        assert_eq!(duid("000400000000000000000000000000000000").uuids(), None, "of no machine");
        let by_vendor = duid("0002000009bf0102030405");
        assert_eq!((by_vendor.mac(), by_vendor.uuids(), by_vendor.kind()), (None, None, "DUID-EN"));
    }

    #[test]
    fn what_is_no_ethernet_address_of_a_host_is_none() {
        assert_eq!(duid("00030020525400123456").mac(), None, "InfiniBand");
        assert_eq!(duid("00030001525400").mac(), None, "short");
        assert_eq!(duid("00030001ffffffffffff").mac(), None, "everybody");
        assert_eq!(duid("0004001122").uuids(), None, "short");
    }

    #[test]
    fn link_local_addresses_tell_their_interface_where_they_are_made_of_it() {
        assert_eq!(mac_in_link_local("fe80::5054:ff:fe12:3456".parse().unwrap()), Some(MAC));
        assert_eq!(mac_in_link_local("fe80::1234".parse().unwrap()), None);
        assert_eq!(mac_in_link_local("2001:db8::5054:ff:fe12:3456".parse().unwrap()), None);
    }

    proptest! {
        #[test]
        fn bytes_are_kept_as_they_are(bytes: Vec<u8>) {
            match Duid::new(&bytes) {
                Ok(duid) => {
                    prop_assert_eq!(duid.bytes(), &bytes);
                    prop_assert_eq!(duid.to_string().parse::<Duid>(), Ok(duid.clone()));
                    let _ = (duid.mac(), duid.uuids(), duid.kind());
                }
                Err(NoDuid) => prop_assert!(bytes.len() < 3 || bytes.len() > LONGEST),
            }
        }
    }
}

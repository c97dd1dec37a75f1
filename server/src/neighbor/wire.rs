//! Two messages of ICMPv6: the solicitation that comes, the advert that goes (RFC 4861 sections 4.1 and 4.2).
use crate::domain::duid::mac_in_link_local;
use pilotlight_types::Mac;
use std::net::Ipv6Addr;

const SOLICITATION: u8 = 133;
const ADVERT: u8 = 134;
const SOURCE_LINK_ADDRESS: u8 = 1;

/// Whose solicitation this is: by its source link-layer address, or by the address that it came from. None if it is none.
pub(super) fn solicitor(message: &[u8], from: Ipv6Addr) -> Option<Mac> {
    let [SOLICITATION, 0, _, _, _, _, _, _, options @ ..] = message else { return None };
    let mut rest = options;
    while let [kind, units, ..] = *rest {
        // Lengths are in units of eight bytes; one of 0 makes the whole message void.
        let (option, after) = rest.split_at_checked(usize::from(units) * 8).filter(|_| units > 0)?;
        if let (SOURCE_LINK_ADDRESS, [_, _, a, b, c, d, e, f]) = (kind, option) {
            return Some(Mac::new([*a, *b, *c, *d, *e, *f])).filter(|mac| mac.is_host());
        }
        rest = after;
    }
    mac_in_link_local(from)
}

/// An advert that says nothing but that somebody is there: no router (lifetime 0), no prefix, no DHCPv6. The kernel fills in the checksum.
pub(super) fn advert(ours: Mac) -> [u8; 24] {
    const HOP_LIMIT: u8 = 64;
    let [a, b, c, d, e, f] = ours.bytes();
    [ADVERT, 0, 0, 0, HOP_LIMIT, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, SOURCE_LINK_ADDRESS, 1, a, b, c, d, e, f]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: Mac = Mac::new([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

    #[test]
    fn a_solicitation_tells_whose_it_is() {
        let mut message = vec![133, 0, 0, 0, 0, 0, 0, 0];
        let from: Ipv6Addr = "fe80::5054:ff:fe12:3456".parse().unwrap();
        assert_eq!(solicitor(&message, from), Some(MAC), "by its address");
        assert_eq!(solicitor(&message, "fe80::1".parse().unwrap()), None);
        message.extend([14, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56]);
        assert_eq!(
            solicitor(&message, "fe80::1".parse().unwrap()),
            Some(MAC),
            "by its option, behind another one"
        );
        assert_eq!(solicitor(&[134, 0, 0, 0, 0, 0, 0, 0], from), None, "an advert is no solicitation");
        assert_eq!(solicitor(&[133, 0, 0, 0, 0, 0, 0, 0, 1, 0], from), None, "an option without length");
    }

    #[test]
    fn an_advert_makes_nobody_take_us_for_a_router() {
        let advert = advert(MAC);
        assert_eq!(
            &advert[..8],
            [134, 0, 0, 0, 64, 0, 0, 0],
            "type, code, checksum, hop limit, flags, lifetime"
        );
        assert_eq!(&advert[16..], [1, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(message: Vec<u8>, from: u128) {
            let _ = solicitor(&message, Ipv6Addr::from(from));
        }
    }
}

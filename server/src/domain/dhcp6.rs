//! The rules of DHCPv6: which messages are for us, whose they are, and what becomes of an address that a client names.
use super::{
    duid::{Duid, mac_in_link_local},
    lease6::Holder,
};
use pilotlight_types::Mac;
use std::net::Ipv6Addr;
use uuid::Uuid;

/// What a client asks (RFC 8415 section 7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asks {
    /// Who is there?
    Solicit,
    /// May I have what you advertised?
    Request,
    /// Are my addresses right for this link?
    Confirm,
    /// May I keep my addresses?
    Renew,
    /// May I keep them, whoever you are?
    Rebind,
    /// I need them no more.
    Release,
    /// Somebody else has them.
    Decline,
    /// Only the rest, please.
    Information,
}

impl Asks {
    const CODES: [(u8, Self); 8] = [
        (1, Self::Solicit),
        (3, Self::Request),
        (4, Self::Confirm),
        (5, Self::Renew),
        (6, Self::Rebind),
        (8, Self::Release),
        (9, Self::Decline),
        (11, Self::Information),
    ];

    /// What a message of this type asks; none, if it is not for servers.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::CODES.iter().find(|(known, _)| *known == code).map(|(_, asks)| *asks)
    }

    /// Whether only the server that it names answers.
    const fn names_its_server(self) -> bool {
        matches!(self, Self::Request | Self::Renew | Self::Release | Self::Decline)
    }
}

/// The server that a message names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// None.
    Nobody,
    /// This one.
    Us,
    /// Another one.
    Another,
}

/// Whether a message is answered, before anything is looked up (RFC 8415 section 16 and 18.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It is.
    Take,
    /// It is to be sent to everybody: the client has not been told otherwise.
    ToEverybody,
    /// It is not, for this reason.
    Discard(&'static str),
}

/// Says whether a message is answered. `unicast` is one that a client sent to our own address.
pub fn hear(asks: Asks, has_client_id: bool, server: Named, has_associations: bool, unicast: bool) -> Heard {
    if !has_client_id && asks != Asks::Information {
        return Heard::Discard("no_client_id");
    }
    match server {
        Named::Another => return Heard::Discard("other_server"),
        Named::Nobody if asks.names_its_server() => return Heard::Discard("no_server_id"),
        Named::Us if !asks.names_its_server() && asks != Asks::Information => {
            return Heard::Discard("server_id");
        }
        _ => {}
    }
    if asks == Asks::Information && has_associations {
        return Heard::Discard("not_for_servers");
    }
    match (unicast, asks.names_its_server()) {
        (false, _) => Heard::Take,
        (true, true) => Heard::ToEverybody,
        (true, false) => Heard::Discard("unicast"),
    }
}

/// What a message says of who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The interface, where that is certain: a relay says so, or its address is made of it.
    pub interface: Option<Mac>,
    /// An interface of the machine, where the DUID holds one.
    pub of_machine: Option<Mac>,
    /// The machine's UUID, where the DUID holds one, in both orders of its bytes.
    pub uuids: Option<[Uuid; 2]>,
}

impl Sender {
    /// Who sent it. `relayed` is what a relay says; `peer` is the address that the client sent from.
    pub fn new(client: Option<&Duid>, relayed: Option<Mac>, peer: Ipv6Addr) -> Self {
        Self {
            interface: relayed.or_else(|| mac_in_link_local(peer)),
            of_machine: client.and_then(Duid::mac),
            uuids: client.and_then(Duid::uuids),
        }
    }

    /// The interface that the machine is found by.
    pub fn mac(&self) -> Option<Mac> {
        self.interface.or(self.of_machine)
    }

    /// Who holds the address of this association. Firmware, iPXE and the OS have DUIDs of their own: by their interface they keep one
    /// address. A DUID may be made of another interface than the one that asks, and is no use for that.
    pub fn holder(&self, client: &Duid, association: u32) -> Holder {
        match self.interface {
            Some(mac) => Holder::Interface(mac),
            None => Holder::Client { duid: client.clone(), association },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Asks::*;

    const ALL: [Asks; 8] = [Solicit, Request, Confirm, Renew, Rebind, Release, Decline, Information];

    #[test]
    fn the_table_of_rfc_8415_section_16() {
        let heard = |asks, server| hear(asks, true, server, false, false);
        for asks in [Request, Renew, Release, Decline] {
            assert_eq!(heard(asks, Named::Us), Heard::Take);
            assert_eq!(heard(asks, Named::Nobody), Heard::Discard("no_server_id"));
            assert_eq!(hear(asks, true, Named::Us, true, true), Heard::ToEverybody);
        }
        for asks in [Solicit, Confirm, Rebind] {
            assert_eq!(heard(asks, Named::Nobody), Heard::Take);
            assert_eq!(heard(asks, Named::Us), Heard::Discard("server_id"));
            assert_eq!(hear(asks, true, Named::Nobody, true, true), Heard::Discard("unicast"));
        }
        for asks in ALL {
            assert_eq!(heard(asks, Named::Another), Heard::Discard("other_server"));
            let nameless = hear(asks, false, Named::Nobody, false, false);
            assert_eq!(nameless == Heard::Take, asks == Information, "{asks:?}");
        }
        assert_eq!(heard(Information, Named::Us), Heard::Take);
        assert_eq!(hear(Information, true, Named::Nobody, true, false), Heard::Discard("not_for_servers"));
    }

    #[test]
    fn a_relays_word_comes_before_the_address_and_that_before_the_duid() {
        let [relayed, own, other] = [1, 2, 3].map(|n| Mac::new([2, 0, 0, 0, 0, n]));
        let duid: Duid = "00030001020000000003".parse().unwrap();
        let peer: Ipv6Addr = "fe80::ff:fe00:2".parse().unwrap();
        let private: Ipv6Addr = "fe80::1:2:3:4".parse().unwrap();
        let all = Sender::new(Some(&duid), Some(relayed), peer);
        assert_eq!((all.mac(), all.holder(&duid, 7)), (Some(relayed), Holder::Interface(relayed)));
        let two = Sender::new(Some(&duid), None, peer);
        assert_eq!((two.mac(), two.holder(&duid, 7)), (Some(own), Holder::Interface(own)));
        let one = Sender::new(Some(&duid), None, private);
        let holder = Holder::Client { duid: duid.clone(), association: 7 };
        assert_eq!(
            (one.mac(), one.holder(&duid, 7)),
            (Some(other), holder),
            "the machine, not the interface"
        );
        assert_eq!(Sender::new(None, None, private).mac(), None);
    }
}

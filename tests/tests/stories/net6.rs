//! IPv6 on a daemon's wire: addresses that are ready for use, and clients that say what they please.

use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pilotlight_tests::daemon::Builder;
use pilotlight_tests::rack::{Host, Namespace};
use serde_json::{Value, json};

use crate::net::{Net, SERVER};
use crate::rig::{Plan, subnet};

pub const SERVER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 1);

pub const SOLICIT: u8 = 1;
pub const ADVERTISE: u8 = 2;
pub const REQUEST: u8 = 3;
pub const CONFIRM: u8 = 4;
pub const RENEW: u8 = 5;
pub const REBIND: u8 = 6;
pub const REPLY: u8 = 7;
pub const RELEASE: u8 = 8;
pub const DECLINE: u8 = 9;
pub const INFORMATION: u8 = 11;

/// A subnet of both families, whose addresses from ::1000 to ::1fff are anybody's.
pub fn subnet6(unknown: &str) -> Value {
    let mut subnet = subnet("rack", "10.77.0", unknown);
    subnet["spec"]["cidr6"] = json!("2001:db8:77::/64");
    subnet["spec"]["ranges6"] = json!(["2001:db8:77::1000-2001:db8:77::1fff"]);
    subnet["spec"]["dns6"] = json!(["2001:db8:77::53"]);
    // A router advertises there.
    subnet["spec"]["answerRouterSolicitations"] = json!(false);
    subnet
}

/// A network of both families.
pub async fn rack6(name: &str) -> Result<Namespace> {
    let rack = Namespace::create(name, Some(format!("{SERVER}/24").parse()?))?;
    rack.ip(&format!("addr add {SERVER6}/64 dev br0 nodad"))?;
    settled(|| rack.ip("-6 addr show")).await?;
    Ok(rack)
}

/// A daemon of both families, on a network of its own.
pub async fn start6(
    rack: Namespace,
    documents: &[Value],
    change: impl FnOnce(Builder) -> Builder,
) -> Result<Net> {
    let both = |builder: Builder| {
        let builder = builder.inside(&rack, SERVER).set("dhcp.ipv6", true);
        builder.set("http.listen", "[::]:8080").set("https.listen", "[::]:8443").set("tftp.listen", "[::]:69")
    };
    let rig = Plan::new()?.with(|builder| change(both(builder))).start().await?;
    rig.admin.apply(documents).await?;
    Ok(Net { rig, rack })
}

/// A computer whose link-local address is ready for use.
pub async fn host6(rack: &Namespace, name: &str, mac: &str) -> Result<Host> {
    let host = rack.host(name, None)?;
    host.ip("link set eth0 down")?;
    host.ip(&format!("link set eth0 address {mac}"))?;
    host.ip("link set eth0 up")?;
    settled(|| host.ip("-6 addr show dev eth0")).await?;
    Ok(host)
}

/// Waits until nobody else was found to have the addresses (RFC 4862 section 5.4).
pub async fn settled(show: impl Fn() -> Result<String>) -> Result<()> {
    for _ in 0..200 {
        let shown = show()?;
        if shown.contains("fe80::") && !shown.contains("tentative") {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the addresses are not ready: {}", show()?)
}

/// A client of DHCPv6 that says what it is told to.
pub struct Client6 {
    socket: UdpSocket,
    index: u32,
    duid: Vec<u8>,
    number: u32,
}

/// What it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub kind: u8,
    pub options: Vec<(u16, Vec<u8>)>,
    pub from: SocketAddrV6,
}

pub fn option(code: u16, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(data.len()).expect("a short option");
    [&code.to_be_bytes()[..], &len.to_be_bytes(), data].concat()
}

/// An association with these addresses.
pub fn association(id: u32, addresses: &[Ipv6Addr]) -> Vec<u8> {
    let inner: Vec<u8> =
        addresses.iter().flat_map(|ip| option(5, &[&ip.octets()[..], &[0; 8]].concat())).collect();
    option(3, &[&id.to_be_bytes()[..], &[0; 8], &inner].concat())
}

impl Client6 {
    /// A client at the host's port 546.
    pub fn new(host: &Host, duid: &[u8]) -> Result<Self> {
        let (socket, index) = host.inside(|| -> Result<_> {
            let socket = UdpSocket::bind("[::]:546")?;
            socket.set_read_timeout(Some(Duration::from_secs(2)))?;
            Ok((socket, nix::net::if_::if_nametoindex("eth0")?))
        })??;
        Ok(Self { socket, index, duid: duid.to_vec(), number: 1 })
    }

    /// Asks everybody; `options` are whole options.
    pub fn ask(&mut self, kind: u8, options: &[Vec<u8>]) -> Result<Option<Answer>> {
        self.ask_at("ff02::1:2".parse()?, kind, options)
    }

    pub fn ask_at(&mut self, to: Ipv6Addr, kind: u8, options: &[Vec<u8>]) -> Result<Option<Answer>> {
        self.number += 1;
        let [_, a, b, c] = self.number.to_be_bytes();
        let packet = [vec![kind, a, b, c], option(1, &self.duid), options.concat()].concat();
        self.socket.send_to(&packet, SocketAddrV6::new(to, 547, 0, self.index))?;
        let mut buffer = [0; 2000];
        let (len, from) = match self.socket.recv_from(&mut buffer) {
            Ok(got) => got,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let answer = buffer.get(..len).context("a datagram")?;
        let [kind, x, y, z, rest @ ..] = answer else { bail!("a short answer") };
        ensure!([*x, *y, *z] == [a, b, c], "the answer is to another question");
        let std::net::SocketAddr::V6(from) = from else { bail!("an answer from {from}") };
        Ok(Some(Answer { kind: *kind, options: options_of(rest)?, from }))
    }
}

/// The options in these bytes.
pub fn options_of(mut bytes: &[u8]) -> Result<Vec<(u16, Vec<u8>)>> {
    let mut all = Vec::new();
    while let [a, b, c, d, rest @ ..] = bytes {
        let (data, rest) =
            rest.split_at_checked(usize::from(u16::from_be_bytes([*c, *d]))).context("a truncated option")?;
        all.push((u16::from_be_bytes([*a, *b]), data.to_vec()));
        bytes = rest;
    }
    ensure!(bytes.is_empty(), "{} bytes are left over", bytes.len());
    Ok(all)
}

impl Answer {
    pub fn option(&self, code: u16) -> Option<&[u8]> {
        self.options.iter().find(|(known, _)| *known == code).map(|(_, data)| data.as_slice())
    }

    /// The addresses of the first association, with the seconds that each is good for.
    pub fn addresses(&self) -> Result<Vec<(Ipv6Addr, u32)>> {
        let inner = self.option(3).and_then(|data| data.get(12..)).context("no association")?;
        let mut all = Vec::new();
        for (_, data) in options_of(inner)?.iter().filter(|(code, _)| *code == 5) {
            let address: [u8; 16] = data.get(..16).context("no address")?.try_into()?;
            let valid: [u8; 4] = data.get(20..24).context("no lifetime")?.try_into()?;
            all.push((address.into(), u32::from_be_bytes(valid)));
        }
        Ok(all)
    }

    /// The status of the first association, or of the whole answer.
    pub fn status(&self) -> Result<Option<u16>> {
        let inner = self.option(3).and_then(|data| data.get(12..)).map(options_of).transpose()?;
        let of_it = inner.unwrap_or_default();
        let data = of_it.iter().find(|(code, _)| *code == 13).map(|(_, data)| data.as_slice());
        let code = data.or(self.option(13)).and_then(|data| data.first_chunk());
        Ok(code.map(|code| u16::from_be_bytes(*code)))
    }
}

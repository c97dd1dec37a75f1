//! `probe`: plays a machine that boots, from its first DHCP packet to the files that its script names, against whatever
//! servers are on an interface; prints each packet, and what is wrong with the answers.
mod fetch;
mod frames;
pub(super) mod machine;
mod script;
pub(super) mod six;
pub(super) mod tftp;
pub(super) mod verdict;
pub(super) mod wire;

use self::{
    machine::{DISCOVER, Firmware, Machine, Program, RELEASE, REQUEST},
    six::wire6::Wire6,
    verdict::Answer,
    wire::{Received, Wire},
};
use crate::{
    dhcp::wire::{MessageType, Packet, options::code},
    interface,
};
use anyhow::{Result, bail, ensure};
use clap::{Args, ValueEnum as _, builder::PossibleValue};
use pilotlight_types::{Mac, api::PacketView};
use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};
use uuid::Uuid;

/// How often a packet is sent that nobody answers.
const TRIES: u32 = 3;
/// How long an answer to a REQUEST may take.
const PATIENCE: Duration = Duration::from_secs(4);

#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    /// The interface to ask on; its own address stays as it is
    #[arg(short, long, value_name = "NAME")]
    interface: String,
    /// The machine's MAC; without one, the interface's own
    #[arg(long)]
    mac: Option<Mac>,
    /// The machine's SMBIOS UUID; without one, one made from the MAC
    #[arg(long)]
    uuid: Option<Uuid>,
    /// The machine's serial number, which iPXE tells when it asks for its script; without one, none is told
    #[arg(long)]
    serial: Option<String>,
    /// What the machine is run by
    #[arg(long, value_enum, default_value_t = Firmware::EfiX64)]
    arch: Firmware,
    /// Ask for no address, only for what to boot: the interface's own address is used, and a proxy asked at port 4011
    #[arg(long)]
    proxy: bool,
    /// Boot over IPv6: DHCPv6, and the boot program and the script from addresses of IPv6
    #[arg(short = '6', long, conflicts_with = "proxy")]
    ipv6: bool,
    /// How many seconds to wait for offers
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    wait: u64,
    /// The port that boot programs are fetched at by TFTP
    #[arg(long, value_name = "PORT", default_value_t = 69)]
    tftp_port: u16,
    /// Show packets in hex, too
    #[arg(short, long)]
    verbose: bool,
}

/// A machine that boots on a wire of IPv4 or of IPv6, and what went wrong so far.
struct Probe<W> {
    args: ProbeArgs,
    wire: W,
    machine: Machine,
    /// The address that files are fetched from, of the wire's family.
    own: Option<IpAddr>,
    http: reqwest::Client,
    began: Instant,
    wrong: Vec<String>,
}

/// What a program of the machine was told to boot.
struct Told {
    /// Where a file is that is no URL.
    server: Option<Ipv4Addr>,
    file: String,
}

/// A program of a machine that asks for its address, and what to boot.
trait Boots {
    /// From the first packet to the last one; what to boot, if anybody said so.
    async fn ask(&mut self, program: Program) -> Result<Option<Told>>;
}

/// Plays the machine. An error if it would not have booted.
pub(super) async fn run(args: ProbeArgs) -> Result<()> {
    if !args.ipv6 {
        let wire = Wire::open(&args.interface)?;
        let mac = args.mac.unwrap_or(wire.mac());
        let own = interface::addresses(&args.interface)?.first().copied();
        let broadcast = mac != wire.mac() || args.arch != Firmware::Bios;
        ensure!(
            !args.proxy || own.is_some(),
            "{} has no IPv4 address, which a machine beside another DHCP server has",
            args.interface
        );
        return Probe::new(args, wire, (mac, broadcast), own.map(IpAddr::V4))?.run().await;
    }
    ensure!(args.arch != Firmware::Bios, "a BIOS boots over IPv4 only: choose another --arch");
    let wire = Wire6::open(&args.interface, args.mac)?;
    let (mac, own) = (wire.mac(), interface::addresses6(&args.interface)?.first().copied());
    Probe::new(args, wire, (mac, false), own.map(IpAddr::V6))?.run().await
}

/// A UUID as boards have that are numbered by their MAC.
fn uuid_of(mac: Mac) -> Uuid {
    let [a, b, c, d, e, f] = mac.bytes();
    Uuid::from_bytes([0x4c, 0x4c, 0x45, 0x44, 0, 0, 0x10, 0, 0x80, 0, a, b, c, d, e, f])
}

/// Boot servers are asked in the clear; a client must be given something nevertheless.
fn no_tls() -> Result<rustls::ClientConfig> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

impl<W> Probe<W> {
    fn new(args: ProbeArgs, wire: W, (mac, broadcast): (Mac, bool), own: Option<IpAddr>) -> Result<Self> {
        let uuid = args.uuid.unwrap_or_else(|| uuid_of(mac));
        let machine = Machine { mac, uuid, firmware: args.arch, broadcast };
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(no_tls()?)
            .interface(&args.interface)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(15))
            .build()?;
        Ok(Self { args, wire, machine, own, http, began: Instant::now(), wrong: Vec::new() })
    }

    async fn run(mut self) -> Result<()>
    where
        Self: Boots,
    {
        self.boot().await?;
        println!("\nverdict, after {:.1} s", self.began.elapsed().as_secs_f64());
        if self.wrong.is_empty() {
            println!("  this machine boots");
            return Ok(());
        }
        for line in &self.wrong {
            println!("  - {line}");
        }
        bail!("this machine does not boot as it should: see the verdict")
    }

    async fn boot(&mut self) -> Result<()>
    where
        Self: Boots,
    {
        println!(
            "plays a machine on {}: MAC {}, UUID {}, firmware {}",
            self.args.interface,
            self.machine.mac,
            self.machine.uuid,
            self.machine.firmware.to_possible_value().as_ref().map_or("", PossibleValue::get_name),
        );
        let Some(told) = self.ask(Program::Firmware).await? else { return Ok(()) };
        if !self.fetch_program(&told).await {
            return Ok(());
        }
        println!("\nnow as iPXE");
        if let Some(told) = self.ask(Program::Ipxe).await? {
            self.fetch_script(&told).await;
        }
        Ok(())
    }

    fn sent(&self, to: &str, packet: &PacketView, bytes: &[u8]) {
        print!("\n{:>7.3} s  to {to}: {packet}", self.began.elapsed().as_secs_f64());
        self.hex(bytes);
    }

    fn received(&self, at: Instant, from: &str, packet: &PacketView, bytes: &[u8]) {
        print!("\n{:>7.3} s  from {from}: {packet}", at.duration_since(self.began).as_secs_f64());
        self.hex(bytes);
    }

    fn hex(&self, bytes: &[u8]) {
        if self.args.verbose {
            println!("  {}", hex::encode(bytes));
        }
    }
}

impl Boots for Probe<Wire> {
    async fn ask(&mut self, program: Program) -> Result<Option<Told>> {
        let offers = self.discover(program).await?;
        let firmware = if program == Program::Ipxe { Firmware::Bios } else { self.machine.firmware };
        let mut wrong = verdict::of_offers(&offers, firmware);
        if self.args.proxy {
            wrong.retain(|line| !line.contains("nobody offers an address"));
        }
        self.wrong.extend(wrong);
        let (address, boot) = verdict::chosen(&offers);
        let mut boot = boot.cloned();
        if let Some(offer) = address.filter(|_| !self.args.proxy) {
            let acked = self.request(program, offer).await?;
            let wrong = verdict::of_ack(offer, acked.as_ref().map(|(answer, _)| answer));
            if let Some(wrong) = wrong {
                self.wrong.push(wrong);
                return Ok(None);
            }
            if let Some((answer, received)) = acked {
                self.release(&answer, &received)?;
                // What to boot is in the ACK, if it is the same server that says so.
                boot = boot.map(|boot| if boot.server() == answer.server() { answer } else { boot });
            }
        }
        let Some(boot) = boot else { return Ok(None) };
        let needs_4011 = boot.is_pxe() && !boot.asks_nobody() && program == Program::Firmware;
        let boot = if needs_4011 { self.ask_boot_server(&boot).await? } else { Some(boot) };
        let Some(boot) = boot else { return Ok(None) };
        let Some(file) = boot.packet.boot_file() else {
            self.wrong.push(format!("{} names no file to boot", boot.server()));
            return Ok(None);
        };
        Ok(Some(Told { server: Some(boot.boot_server()), file }))
    }
}

impl Probe<Wire> {
    /// Everybody's offers.
    async fn discover(&mut self, program: Program) -> Result<Vec<Answer>> {
        let xid = rand::random();
        let packet = self.machine.packet(program, DISCOVER, xid, Ipv4Addr::UNSPECIFIED, &[]);
        self.wire.drain();
        let mut offers: Vec<Answer> = Vec::new();
        for _ in 0..TRIES {
            self.sent4("everybody, port 67", &packet);
            self.wire.send((self.machine.mac, Ipv4Addr::UNSPECIFIED), None, &packet)?;
            let deadline = Instant::now() + Duration::from_secs(self.args.wait);
            while let Some(received) = self.wire.reply(xid, deadline).await? {
                self.received4(&received);
                if received.packet.kind == Some(MessageType::Offer) {
                    offers.push(Answer { from: received.from, packet: received.packet });
                }
            }
            if !offers.is_empty() {
                break;
            }
        }
        Ok(offers)
    }

    /// The answer to a REQUEST for what was offered.
    async fn request(&mut self, program: Program, offer: &Answer) -> Result<Option<(Answer, Received)>> {
        let xid = offer.packet.xid;
        let (address, server) = (offer.packet.yiaddr.octets(), offer.server().octets());
        let more: [(u8, &[u8]); 2] = [(code::REQUESTED, &address), (code::SERVER_ID, &server)];
        let packet = self.machine.packet(program, REQUEST, xid, Ipv4Addr::UNSPECIFIED, &more);
        for _ in 0..TRIES {
            self.sent4("everybody, port 67", &packet);
            self.wire.send((self.machine.mac, Ipv4Addr::UNSPECIFIED), None, &packet)?;
            let deadline = Instant::now() + PATIENCE;
            while let Some(received) = self.wire.reply(xid, deadline).await? {
                self.received4(&received);
                let final_word = matches!(received.packet.kind, Some(MessageType::Ack | MessageType::Nak));
                // A proxy may answer too; the address is the other's affair.
                let from_it = received.packet.server_id().is_none_or(|id| id == offer.server());
                if final_word && from_it {
                    let answer = Answer { from: received.from, packet: received.packet.clone() };
                    return Ok(Some((answer, received)));
                }
            }
        }
        Ok(None)
    }

    /// Gives the address back: nobody will use it.
    fn release(&self, answer: &Answer, received: &Received) -> Result<()> {
        let (address, server) = (answer.packet.yiaddr, answer.server());
        let more: [(u8, &[u8]); 1] = [(code::SERVER_ID, &server.octets())];
        let packet = self.machine.packet(Program::Firmware, RELEASE, rand::random(), address, &more);
        self.sent4(&format!("{server}, port 67"), &packet);
        self.wire.send((self.machine.mac, address), Some((received.hardware, server)), &packet)
    }

    /// What the boot server at port 4011 says (PXE 2.1 section 2.2.3).
    async fn ask_boot_server(&mut self, offer: &Answer) -> Result<Option<Answer>> {
        let server = offer.server();
        let Some(IpAddr::V4(own)) = self.own else {
            println!("\nport 4011 of {server} is not asked: {} has no address", self.args.interface);
            return Ok(Some(offer.clone()));
        };
        let xid = rand::random();
        let packet = self.machine.packet(Program::Firmware, REQUEST, xid, own, &[]);
        for _ in 0..TRIES {
            self.sent4(&format!("{server}, port 4011"), &packet);
            let asked = wire::ask_boot_server(&self.args.interface, server, &packet, xid, PATIENCE / 2);
            if let Some(received) = asked.await? {
                self.received4(&received);
                return Ok(Some(Answer { from: received.from, packet: received.packet }));
            }
        }
        self.wrong.push(format!(
            "{server} sends 60=PXEClient without 43.6=8, so UEFI asks it at port 4011, and nobody is there: \
             leave option 60 out, or send 43.6=8"
        ));
        // A PXE ROM, and iPXE, boot what the offer names.
        Ok(Some(offer.clone()).filter(|offer| offer.packet.boot_file().is_some()))
    }

    fn sent4(&self, to: &str, bytes: &[u8]) {
        if let Ok(packet) = Packet::read(bytes) {
            self.sent(to, &packet.view(), bytes);
        }
    }

    fn received4(&self, received: &Received) {
        self.received(received.at, &received.from.to_string(), &received.packet.view(), &received.bytes);
    }
}

//! `explain`: what a machine, or a packet, gets now, and why.
mod past;
mod text;

use super::{
    Output, Server,
    client::{Client, segment},
};
use crate::capture;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use past::Past;
use pilotlight_types::{
    BootId, Mac,
    api::{Explanation, PacketExplanation, PacketQuestion},
};
use serde::Serialize;
use std::{
    io::Read,
    net::IpAddr,
    path::{Path, PathBuf},
};
use uuid::Uuid;

/// Where DHCP packets go: to servers, to clients, and to PXE boot servers; then those of DHCPv6: to clients, and to servers.
const PORTS: [u16; 5] = [67, 68, 4011, 546, 547];
/// Of these, those of clients.
const OF_CLIENTS: [u16; 2] = [68, 546];

/// A part of what a machine gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Show {
    /// What DHCP says to its firmware and to its iPXE
    Dhcp,
    /// The script of its iPXE
    Script,
    /// The kernel arguments
    KernelArgs,
    /// The Ignition config, secrets masked
    Ignition,
}

/// Say what a machine gets now, and why; or what would be answered to a packet.
///
/// Nothing is sent, set aside or written down. Secrets are masked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pilotlight explain n1
      what n1 gets now: the decision, its script, its kernel arguments, its config
  pilotlight explain n1 --part dhcp --provenance
      each DHCP option that its firmware and its iPXE are sent, and where each is from
  pilotlight explain n1 --part ignition --provenance
      each value of its config: layer, line, and template variables
  pilotlight explain --mac 52:54:00:12:34:56
      the same for a machine that nobody declared
  pilotlight explain --boot 0199cb4f-8d30-7b6a-8a4e-3f6b8a1f2c01
      what a machine really got in a boot that was; --part script, kernel-args or ignition is that alone
  tcpdump -w - -i eth1 -c 20 udp portrange 67-68 | pilotlight explain --pcap -
      what packets say, and what would be answered to them")]
pub(super) struct ExplainArgs {
    /// The machine
    #[arg(required_unless_present_any = ["mac", "uuid", "serial", "packet", "pcap", "boot"])]
    machine: Option<String>,
    /// A MAC, whether there is such a machine or not
    #[arg(long, conflicts_with = "machine")]
    mac: Option<Mac>,
    /// An SMBIOS UUID that it says, alone or beside its MAC
    #[arg(long, conflicts_with = "machine")]
    uuid: Option<Uuid>,
    /// A serial number that it says, alone or beside its MAC
    #[arg(long, conflicts_with = "machine")]
    serial: Option<String>,
    /// A DHCP or DHCPv6 packet (the UDP content) in hex: what it is, and what would be answered to it now
    #[arg(long, value_name = "HEX", conflicts_with_all = ["machine", "mac", "uuid", "serial"])]
    packet: Option<String>,
    /// A capture (pcap or pcapng; - for standard input): the same for each DHCP and DHCPv6 packet in it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["machine", "mac", "uuid", "serial", "packet"])]
    pcap: Option<PathBuf>,
    /// The subnet that the packets are from, where they do not say so themselves
    #[arg(long, value_name = "NAME", conflicts_with_all = ["machine", "mac", "uuid", "serial"])]
    subnet: Option<String>,
    /// The port that the packet was sent to: 67, 4011 or 547; without this, 67 or 547, by what the packet looks like
    #[arg(long, value_name = "PORT", requires = "packet", value_parser = ["67", "4011", "547"])]
    port: Option<String>,
    /// The address that the packet was sent from: a client's own at port 4011, a link-local one in DHCPv6
    #[arg(long, value_name = "ADDRESS", requires = "packet")]
    from: Option<IpAddr>,
    /// A boot that was, by its id: what the machine got then
    #[arg(long, value_name = "ID", conflicts_with_all = ["machine", "mac", "uuid", "serial", "packet", "pcap", "provenance"])]
    boot: Option<BootId>,
    /// Only this part, and nothing else
    #[arg(long, value_enum, conflicts_with_all = ["packet", "pcap"])]
    part: Option<Show>,
    /// Say of each option, argument and value where it is from
    #[arg(long, conflicts_with_all = ["packet", "pcap"])]
    provenance: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn run(args: ExplainArgs) -> Result<()> {
    let client = Client::new(&args.server)?;
    if let Some(hex) = &args.packet {
        let question = question(hex.clone(), &args);
        let explained: PacketExplanation = client.post("/explain", &question).await?;
        return show(args.output, &explained, |explained| print_packet(explained, true));
    }
    if let Some(id) = args.boot {
        let past = Past::of(&client, id).await?;
        return match args.part {
            Some(part) => past.part(args.output, part),
            None => show(args.output, &past, Past::print),
        };
    }
    if let Some(file) = &args.pcap {
        return explain_capture(&client, file, &args).await;
    }
    let explanation: Explanation = match &args.machine {
        Some(name) => client.get(&format!("/machines/{}/explain", segment(name)?), &[]).await?,
        None => {
            let mac = args.mac.map(|mac| ("mac", mac.to_string()));
            let uuid = args.uuid.map(|uuid| ("uuid", uuid.to_string()));
            let serial = args.serial.clone().map(|serial| ("serial", serial));
            let says: Vec<_> = [mac, uuid, serial].into_iter().flatten().collect();
            client.get("/explain", &says).await?
        }
    };
    match args.part {
        Some(part) => text::part(args.output, &explanation, part, args.provenance),
        None => show(args.output, &explanation, |explanation| text::all(explanation, args.provenance)),
    }
}

/// What a machine got in a boot that was, for people.
pub(super) async fn boot(client: &Client, id: BootId) -> Result<()> {
    Past::of(client, id).await?.print();
    Ok(())
}

fn question(packet: String, args: &ExplainArgs) -> PacketQuestion {
    let port = args.port.as_deref().and_then(|port| port.parse().ok());
    PacketQuestion { packet, subnet: args.subnet.clone(), from: args.from, to: None, port }
}

async fn explain_capture(client: &Client, file: &Path, args: &ExplainArgs) -> Result<()> {
    let of_file = || format!("{} cannot be read", file.display());
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut bytes).context("standard input cannot be read")?;
    } else {
        bytes = std::fs::read(file).with_context(of_file)?;
    }
    let datagrams = capture::datagrams(&bytes).with_context(of_file)?;
    let mut all = Vec::new();
    for datagram in datagrams.iter().filter(|d| PORTS.contains(&d.to.port())) {
        let question = PacketQuestion {
            from: Some(datagram.from.ip()),
            to: Some(datagram.to.ip()),
            port: Some(datagram.to.port()),
            ..question(hex::encode(&datagram.content), args)
        };
        let explained: PacketExplanation = client
            .post("/explain", &question)
            .await
            .with_context(|| format!("packet {} of {}", datagram.number, file.display()))?;
        if args.output == Output::Table {
            println!("packet {}, {} to {}", datagram.number, datagram.from, datagram.to);
            print_packet(&explained, !OF_CLIENTS.contains(&datagram.to.port()));
            println!();
        }
        all.push(explained);
    }
    if all.is_empty() {
        bail!("{} has no DHCP packet (UDP to port 67, 68, 4011, 546 or 547)", file.display());
    }
    if args.output == Output::Table { Ok(()) } else { show(args.output, &all, |_| {}) }
}

fn show<T: Serialize>(output: Output, explained: &T, print: impl FnOnce(&T)) -> Result<()> {
    match output {
        Output::Table => print(explained),
        Output::Json => println!("{}", serde_json::to_string_pretty(explained)?),
        Output::Yaml => println!("{}", serde_saphyr::to_string(explained)?),
    }
    Ok(())
}

/// A packet, and, where it is for a server, what would be answered.
fn print_packet(explained: &PacketExplanation, for_server: bool) {
    print!("{}", explained.packet);
    let of = |what: &str, name: &Option<String>| {
        name.as_ref().map(|name| format!(", {what} {name}")).unwrap_or_default()
    };
    println!(
        "\nfrom {}{}{}",
        explained.client,
        of("machine", &explained.machine),
        of("subnet", &explained.subnet)
    );
    if !for_server {
        return;
    }
    println!("\nwould be answered now: {}", explained.answer);
    print_reasons(&explained.because);
    if let Some(to) = &explained.to {
        println!("\nto {to}");
    }
    if let Some(reply) = &explained.reply {
        print!("{reply}");
    }
    if let Some(hex) = &explained.reply_hex {
        println!("  {hex}");
    }
}

fn print_reasons(because: &[String]) {
    if !because.is_empty() {
        println!("\nbecause");
    }
    for line in because {
        println!("  - {line}");
    }
}

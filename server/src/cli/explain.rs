//! `explain`: what a machine, or a packet, gets now, and why.
use super::{
    Output, Server,
    client::{Client, segment},
};
use crate::capture;
use anyhow::{Context, Result, bail};
use clap::Args;
use pilotlight_types::{
    Mac,
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

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The machine
    #[arg(required_unless_present_any = ["mac", "uuid", "serial", "packet", "pcap"])]
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
    show(args.output, &explanation, print)
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

fn print(explanation: &Explanation) {
    let who = explanation.machine.as_deref().unwrap_or("this machine");
    println!("{who}: {}", explanation.answer);
    print_reasons(&explanation.because);
    if let Some(script) = &explanation.script {
        println!("\nscript");
        script.lines().for_each(|line| println!("  {line}"));
    }
    if !explanation.secrets.is_empty() {
        println!("\nsecrets");
    }
    for secret in &explanation.secrets {
        println!("  {}: {}, says {}", secret.name, secret.place, secret.from);
    }
    if let Some(ignition) = &explanation.ignition {
        println!("\nIgnition config (secrets masked)");
        let text = serde_json::to_string_pretty(ignition).unwrap_or_default();
        text.lines().for_each(|line| println!("  {line}"));
    }
}

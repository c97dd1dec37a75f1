//! `explain`: what a machine, or a packet, gets now, and why.
use super::{
    ExplainArgs, Output,
    client::{Client, segment},
};
use crate::capture;
use anyhow::{Context, Result, bail};
use pilotlight_types::{
    Mac,
    api::{Explanation, PacketExplanation, PacketQuestion},
};
use serde::Serialize;
use std::{io::Read, path::Path};

/// Where DHCP packets go: to servers, to clients, and to PXE boot servers.
const PORTS: [u16; 3] = [67, 68, 4011];

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
    let explanation: Explanation = match (&args.machine, &args.mac) {
        (Some(name), _) => client.get(&format!("/machines/{}/explain", segment(name)?), &[]).await?,
        (None, mac) => {
            let mac: Mac = mac.as_deref().unwrap_or_default().parse()?;
            client.get("/explain", &[("mac", mac.to_string())]).await?
        }
    };
    show(args.output, &explanation, print)
}

fn question(packet: String, args: &ExplainArgs) -> PacketQuestion {
    PacketQuestion { packet, subnet: args.subnet.clone(), to: None, port: args.port }
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
            to: Some(*datagram.to.ip()),
            port: Some(datagram.to.port()),
            ..question(hex::encode(&datagram.content), args)
        };
        let explained: PacketExplanation = client
            .post("/explain", &question)
            .await
            .with_context(|| format!("packet {} of {}", datagram.number, file.display()))?;
        if args.output == Output::Table {
            println!("packet {}, {} to {}", datagram.number, datagram.from, datagram.to);
            print_packet(&explained, datagram.to.port() != 68);
            println!();
        }
        all.push(explained);
    }
    if all.is_empty() {
        bail!("{} has no DHCP packet (UDP to port 67, 68 or 4011)", file.display());
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
    if let Some(ignition) = &explanation.ignition {
        println!("\nIgnition config (secrets masked)");
        let text = serde_json::to_string_pretty(ignition).unwrap_or_default();
        text.lines().for_each(|line| println!("  {line}"));
    }
}

//! What machines say while they boot, sent by util-linux' logger and as the kernel does.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pilotlight_types::api::{ConsoleLine, List};
use serde_json::json;
use tokio::time::sleep;

use crate::clients::succeeded;
use crate::dhcp::{Client, IPXE};
use crate::net::{Net, SERVER};
use crate::rig::{document, skipped, small_site, subnet};

const MAC: &str = "02:00:00:00:09:01";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_machine_says_is_kept_with_its_boot() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let files = tempfile::tempdir()?;
    let mut documents = small_site(files.path())?;
    documents.push(subnet("rack", "10.77.0", "ignore"));
    documents.push(document("Machine", "n1", json!({"macs": [MAC]})));
    let syslog = |builder: pilotlight_tests::daemon::Builder| builder.set("syslog.listen", "0.0.0.0:514");
    let mut net = Net::start_with("plsyslog", &documents, syslog).await?;
    let host = net.rack.host("client", None)?;
    let ack = Client::new(&host, MAC)?.lease(IPXE)?;
    host.ip(&format!("addr add {}/24 dev eth0", ack.yiaddr))?;

    let script = host.command("curl").args(["-sS", "--fail", &ack.file]).output()?;
    let script = String::from_utf8(script.stdout)?;
    ensure!(script.starts_with("#!ipxe\nset syslog 10.77.0.1\n"), "iPXE is told where to send it: {script}");

    // RFC 3164 and RFC 5424; datagrams, and streams with both framings.
    let server = SERVER.to_string();
    let logger = |arguments: &[&str]| {
        let mut command = host.command("logger");
        command.args(["-n", &server, "-P", "514"]).args(arguments);
        succeeded(command.output()?)
    };
    logger(&["-d", "--rfc3164", "-t", "dracut", "-p", "daemon.warning", "old, by UDP"])?;
    logger(&["-d", "--rfc5424", "-t", "ignition", "-p", "daemon.err", "new, by UDP"])?;
    logger(&["-T", "--rfc5424", "-t", "dracut", "new, by TCP"])?;
    logger(&["-T", "--octet-count", "--rfc5424", "-t", "dracut", "counted, by TCP"])?;
    host.inside(|| -> Result<()> {
        let socket = UdpSocket::bind((ack.yiaddr, 0))?;
        for datagram in [
            "<14>n1.rack.example ipxe: Pilotlight: n1 boots",
            "[    0.000000] Linux version 6.12",
            "3,416,1758426,-;i8042: \u{1b}[31mno controller\n SUBSYSTEM=acpi\n",
        ] {
            socket.send_to(datagram.as_bytes(), (SERVER, 514))?;
        }
        let mut stream = TcpStream::connect((SERVER, 514))?;
        stream.write_all(b"<11>a[1]: cut ")?;
        stream.flush()?;
        stream.write_all(b"in two\n")?;
        Ok(())
    })??;
    // Who does not boot is not listened to.
    let stranger = net.rack.host("stranger", Some("10.77.0.9/24".parse()?))?;
    let mut command = stranger.command("logger");
    succeeded(command.args(["-n", &server, "-P", "514", "-d", "I am nobody"]).output()?)?;

    let boot = net.rig.admin.boots("n1").await?.first().context("a boot")?.id;
    let path = format!("/boots/{boot}/console");
    let mut said: Vec<ConsoleLine> = Vec::new();
    for _ in 0..100 {
        said = net.rig.admin.get::<List<ConsoleLine>>(&path).await?.items;
        if said.len() >= 8 {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    let mut all: Vec<(Option<u8>, String)> =
        said.iter().map(|line| (line.severity, line.to_string())).collect();
    all.sort();
    let expected = [
        (None, "[    0.000000] Linux version 6.12"),
        (Some(3), "a: cut in two"),
        (Some(3), "ignition: new, by UDP"),
        (Some(3), "kernel: i8042: no controller"),
        (Some(4), "dracut: old, by UDP"),
        (Some(5), "dracut: counted, by TCP"),
        (Some(5), "dracut: new, by TCP"),
        (Some(6), "ipxe: Pilotlight: n1 boots"),
    ]
    .map(|(severity, text)| (severity, text.to_owned()));
    assert_eq!(all, expected);
    net.counts("pilotlight_syslog_lines_total{outcome=\"no_boot\",reason=\"\"}", 1).await?;

    net.rig.daemon.kill()?;
    net.rig.daemon.start().await?;
    let printed = net.rig.cli_ok(&["boot", "log", "n1"])?;
    assert!(printed.contains("ignition: new, by UDP") && printed.lines().count() == 8, "{printed}");
    let printed = net.rig.cli_ok(&["get", "boot", &boot.to_string()])?;
    assert!(printed.contains("last lines of 8") && printed.contains("Linux version 6.12"), "{printed}");
    Ok(())
}

//! HTTP boot on a real wire, with curl in the place of firmware, and with raw connections where curl is too polite.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};
use pilotlight_tests::rack::Host;

use crate::net::Net;
use crate::rig::{machine, skipped, small_site, subnet};

const MAC: &str = "02:00:00:00:07:01";

/// What curl is told at a path, headers first.
fn curl(host: &Host, options: &[&str], path: &str) -> Result<String> {
    let mut command = host.command("curl");
    command
        .args(["-sS", "--max-time", "20", "--path-as-is"])
        .args(options)
        .arg(format!("http://10.77.0.1:8080{path}"));
    let output = command.output()?;
    anyhow::ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Sends a request as it is, and gives what comes until the server closes.
fn raw(host: &Host, request: &str) -> Result<Vec<u8>> {
    let mut stream = host.inside(|| TcpStream::connect("10.77.0.1:8080"))??;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_is_answered_as_it_reads_http() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start("plhttpboot", &[subnet("rack", "10.77.0", "discover")]).await?;
    let host = net.rack.host("client", Some("10.77.0.9/24".parse()?))?;
    let mut documents = small_site(net.rig.folder.path())?;
    documents.push(machine("n1", MAC));
    net.rig.admin.apply(&documents).await?;
    let script = curl(&host, &[], &format!("/boot/ipxe?mac={}", MAC.replace(':', "-")))?;
    // The boot's id follows.
    let at = script.find(":8080/boot/").with_context(|| format!("no boot in:\n{script}"))?;
    let path = script.get(at + ":8080".len()..at + ":8080/boot/".len() + 36).context("no boot's id")?;
    let rootfs = format!("{path}/rootfs.img");

    // HEAD tells what GET does: the length, in the case that a BMC of 2024 looks for; nothing in chunks, no empty header.
    for options in [&["-I"][..], &["-i"], &["-i", "-0"]] {
        let answer = curl(&host, options, &rootfs)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no head")?;
        assert!(
            head.contains(" 200 OK\r\n") && head.contains("\r\nContent-Length: 300000"),
            "{options:?}: {head}"
        );
        assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
        for line in head.lines().skip(1) {
            let (name, value) = line.split_once(':').context("no header")?;
            assert!(!value.trim().is_empty() && name.starts_with(|c: char| c.is_ascii_uppercase()), "{line}");
        }
        assert_eq!(body.len(), if options == ["-I"] { 0 } else { 300_000 });
    }

    // Ranges, as virtual media and resumed downloads ask for them.
    let content = fs::read(net.rig.folder.path().join("rootfs.img"))?;
    for (asked, status, expected) in [
        ("100-199", "206", content.get(100..200)),
        ("299999-", "206", content.get(299_999..)),
        ("-5", "206", content.get(299_995..)),
        ("0-1,5-6", "200", content.get(..)),
    ] {
        let answer = curl(&host, &["-r", asked, "-w", "%{http_code}"], &rootfs)?;
        let body = answer.strip_suffix(status).with_context(|| format!("{asked}: {answer}"))?;
        assert_eq!(Some(body.as_bytes()), expected, "{asked}");
    }
    let answer = curl(&host, &["-i", "-r", "400000-"], &rootfs)?;
    assert!(
        answer.starts_with("HTTP/1.1 416 ") && answer.contains("\r\nContent-Range: bytes */300000\r\n"),
        "{answer}"
    );
    let known = ["-r", "0-9", "-H", "If-Range: \"another\"", "-w", "%{http_code}"];
    assert!(
        curl(&host, &known, &rootfs)?.ends_with("200"),
        "of another content than it has, a range is no use"
    );

    // Names behind folders with a slash too many: no redirect, which firmware would not follow.
    let slashes = format!("/{}", rootfs.replace("/boot/", "/boot///"));
    assert_eq!(curl(&host, &["-w", "%{http_code} %{num_redirects}", "-o", "/dev/null"], &slashes)?, "200 0");

    // One connection serves them all.
    let again = format!("http://10.77.0.1:8080{rootfs}");
    let connects =
        curl(&host, &["-o", "/dev/null", "-o", "/dev/null", "-w", "%{num_connects} ", &again], &rootfs)?;
    assert_eq!(connects, "1 0 ");

    // What has no length of its own has one too: scripts, programs, errors.
    for path in ["/boot/ipxe", "/boot/files/undionly.kpxe", "/boot/files/none", "/boot/nothing", "/healthz"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = String::from_utf8_lossy(&raw(&host, &request)?).into_owned();
        assert!(answer.contains("\r\nContent-Length: "), "{path}: {answer}");
        assert!(!answer.to_lowercase().contains("transfer-encoding"), "{path}: {answer}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn four_hundred_idle_connections_hold_nobody_up() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start("plhttpmany", &[subnet("rack", "10.77.0", "discover")]).await?;
    let host = net.rack.host("client", Some("10.77.0.9/24".parse()?))?;
    let connections = host.inside(|| -> std::io::Result<Vec<TcpStream>> {
        (0..400)
            .map(|_| {
                let mut stream = TcpStream::connect("10.77.0.1:8080")?;
                // Half a request: it is waited for, and costs nothing.
                stream.write_all(b"GET /boot/ip")?;
                Ok(stream)
            })
            .collect()
    })??;
    assert!(curl(&host, &[], "/boot/ipxe?mac=02-00-00-00-07-09")?.starts_with("#!ipxe"));
    drop(connections);
    Ok(())
}

//! TFTP on a real wire, with the clients of others: atftp and curl.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use pilotlight_tests::rack::{Host, Namespace};

use crate::clients::succeeded;
use crate::net::Net;
use crate::rig::skipped;

#[tokio::test(flavor = "multi_thread")]
async fn every_tftp_client_gets_the_file_whole() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start("pltftp", &[]).await?;
    let host = net.rack.host("client", Some("10.77.0.9/24".parse()?))?;
    let out = net.rig.folder.path().join("out");
    let atftp = |file: &str, options: &[&str]| {
        let mut command = host.command("atftp");
        for option in options {
            command.args(["--option", option]);
        }
        command.args(["-g", "-r", file, "-l"]).arg(&out).arg("10.77.0.1");
        command
    };
    let curl = |file: &str, options: &[&str]| {
        let mut command = host.command("curl");
        command.args(["-sS", "--max-time", "60"]).args(options).arg("-o").arg(&out);
        command.arg(format!("tftp://10.77.0.1/{file}"));
        command
    };
    for file in ["undionly.kpxe", "snponly.efi"] {
        let expected = fs::read(Path::new("/usr/lib/ipxe").join(file)).context("apt-get install ipxe")?;
        let commands = [
            atftp(file, &[]),
            atftp(file, &["blksize 1468", "tsize 0"]),
            atftp(file, &["blksize 1468", "windowsize 4"]),
            atftp(file, &["blksize 512", "windowsize 64", "timeout 3"]),
            atftp(file, &["blksize 8", "tsize 0"]),
            atftp(file, &["blksize 65464"]),
            curl(file, &[]),
            curl(file, &["--tftp-blksize", "1432"]),
            curl(file, &["--tftp-no-options"]),
        ];
        for mut command in commands {
            let _ = fs::remove_file(&out);
            succeeded(command.output()?).with_context(|| format!("{command:?}"))?;
            assert_eq!(fs::read(&out)?.len(), expected.len(), "{command:?}");
            assert!(fs::read(&out)? == expected, "{command:?} brought another content");
        }
    }
    // What firmware writes: a leading slash, a backslash, a folder of its own.
    // What others put around names: a MAC, a boot layer, the id of a trace.
    let traced = "undionly.kpxe-00-23b1e307bb35484f535a1f772c06910e-d887dc3912240434-01";
    for name in
        ["52:54:00:12:34:56/undionly.kpxe", "undionly.kpxe.0", traced, "52:54:00:12:34:56/autoexec.ipxe"]
    {
        succeeded(atftp(name, &[]).output()?).with_context(|| name.to_owned())?;
    }
    for name in ["/undionly.kpxe", "//undionly.kpxe", "\\undionly.kpxe", "02-00-00-00-00-01/undionly.kpxe"] {
        succeeded(atftp(name, &[]).output()?).with_context(|| name.to_owned())?;
    }
    for name in ["none", "../../etc/passwd", "/etc/passwd"] {
        let _ = fs::remove_file(&out);
        let mut command = curl(name, &[]);
        let output = command.output()?;
        assert!(!output.status.success(), "{name} was served: {output:?}");
    }
    net.counts("pilotlight_tftp_requests_total{outcome=\"sent\",reason=\"\"}", 2 * 9 + 4 + 4).await
}

/// What the server says first to a request, and where that came from.
fn asked(host: &Host, server: Ipv4Addr, request: &[u8]) -> Result<(Vec<u8>, SocketAddr)> {
    let socket = host.inside(|| UdpSocket::bind("0.0.0.0:0"))??;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    socket.send_to(request, (server, 69))?;
    let mut buffer = vec![0; 65536];
    let (len, from) = socket.recv_from(&mut buffer)?;
    buffer.truncate(len);
    // As firmware ends what it only wanted to know the size of.
    if buffer.starts_with(&[0, 6]) {
        socket.send_to(b"\0\x05\0\x08User aborted the transfer\0", from)?;
    }
    Ok((buffer, from))
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_fit_the_interface_and_answers_come_from_the_address_that_was_asked() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start("pltftpmtu", &[]).await?;
    let host = net.rack.host("client", Some("10.77.0.9/24".parse()?))?;
    net.rack.ip("addr add 10.77.0.2/24 dev br0")?;
    let request = b"\0\x01undionly.kpxe\0octet\0tsize\x000\0blksize\x0065464\0";
    for (mtu, block) in [(1500, 1468), (9000, 8968), (1400, 1368)] {
        net.rack.ip(&format!("link set br0 mtu {mtu}"))?;
        for server in [Ipv4Addr::new(10, 77, 0, 1), Ipv4Addr::new(10, 77, 0, 2)] {
            let (answer, from) = asked(&host, server, request)?;
            let text = String::from_utf8_lossy(&answer).into_owned();
            assert!(text.contains(&format!("blksize\0{block}\0")), "{mtu}: {text:?}");
            assert_eq!(from.ip(), server);
        }
    }
    let size = fs::metadata("/usr/lib/ipxe/undionly.kpxe")?.len();
    let (answer, _) = asked(&host, Ipv4Addr::new(10, 77, 0, 1), b"\0\x01undionly.kpxe\0octet\0tsize\x000\0")?;
    assert_eq!(answer, format!("\0\u{6}tsize\0{size}\0").into_bytes(), "never more than was asked");
    for garbage in
        [&b"\0\x01\xf0\x9d\x01\x02\0octet\0"[..], b"\0\x01\0octet\0", b"\0\x01revocations.efi\0octet\0"]
    {
        let (answer, _) = asked(&host, Ipv4Addr::new(10, 77, 0, 1), garbage)?;
        assert_eq!(answer.get(..4), Some(&[0, 5, 0, 1][..]), "{garbage:?}");
    }
    // A client that wants to know the size only has not failed.
    net.counts("pilotlight_tftp_requests_total{outcome=\"aborted_by_client\",reason=\"\"}", 7).await?;
    let failed = net.counted("pilotlight_tftp_requests_total{outcome=\"timed_out\",reason=\"\"}").await?;
    assert_eq!(failed, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_pass_a_router_whose_link_beyond_takes_less() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start("pltftprouter", &[]).await?;
    let far = Namespace::create("pltftpfar", None)?;
    let router = net.rack.relay("router", "10.77.0.2/24".parse()?, &far, "10.78.0.1/24".parse()?)?;
    router.ip("link set eth1 mtu 1280")?;
    let host = far.host("client", Some("10.78.0.9/24".parse()?))?;
    host.ip("route add default via 10.78.0.1")?;

    let out = net.rig.folder.path().join("out");
    let mut command = host.command("curl");
    command.args(["-sS", "--max-time", "60", "--tftp-blksize", "1468", "-o"]).arg(&out);
    succeeded(command.arg("tftp://10.77.0.1/undionly.kpxe").output()?)?;
    assert!(fs::read(&out)? == fs::read("/usr/lib/ipxe/undionly.kpxe")?, "it came whole");
    let counters = String::from_utf8(router.command("cat").arg("/proc/net/snmp").output()?.stdout)?;
    let ip: Vec<&str> = counters.lines().filter(|line| line.starts_with("Ip:")).collect();
    let at = ip[0].split(' ').position(|name| name == "FragOKs").context("FragOKs is counted")?;
    let cut: u64 = ip[1].split(' ').nth(at).context("a number")?.parse()?;
    assert!(cut > 10, "the router cut {cut} packets, which it does without `don't fragment` only");
    Ok(())
}

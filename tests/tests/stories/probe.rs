//! `pilotlight probe` against our own daemon, and against dnsmasq as others have it.

use std::process::{Child, Output, Stdio};

use anyhow::{Context, Result};
use pilotlight_tests::daemon::pilotlight;
use pilotlight_tests::rack::Host;
use serde_json::json;

use crate::net::Net;
use crate::net6::{host6, rack6, start6, subnet6};
use crate::proxy::proxied;
use crate::rig::{document, skipped, small_site, subnet};

const MAC: &str = "02:00:00:00:0a:01";

/// A `dnsmasq` on a host, which ends with this.
pub struct Dnsmasq(Child);

impl Dnsmasq {
    pub fn start(host: &Host, options: &[&str]) -> Result<Self> {
        let mut command = host.command("dnsmasq");
        command.args(["--keep-in-foreground", "--port=0", "--conf-file=/dev/null", "--interface=eth0"]);
        command.args(["--bind-interfaces", "--dhcp-leasefile=/dev/null", "--log-facility=-"]).args(options);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self(child.context("dnsmasq cannot be started: apt-get install dnsmasq-base")?))
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn probe(host: &Host, arguments: &[&str]) -> Result<(Output, String)> {
    let mut command = host.command(&pilotlight()?.display().to_string());
    let output = command.args(["probe", "--interface", "eth0", "--wait", "1"]).args(arguments).output()?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok((output, said))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_firmware_is_played_to_the_end_of_its_script() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let files = tempfile::tempdir()?;
    let mut documents = small_site(files.path())?;
    documents.push(subnet("rack", "10.77.0", "ignore"));
    documents.push(document("Machine", "n1", json!({"macs": [MAC]})));
    let net = Net::start("plprobe", &documents).await?;
    let host = net.rack.host("client", Some("10.77.0.9/24".parse()?))?;
    for (arch, file) in [("bios", "undionly.kpxe"), ("efi-x64", "snponly.efi"), ("http-x64", "snponly.efi")] {
        let (output, said) = probe(&host, &["--mac", MAC, "--arch", arch, "-v"])?;
        assert!(output.status.success(), "{arch}: {said}");
        for part in [
            "to everybody, port 67: DHCPDISCOVER",
            "from 10.77.0.1:67: DHCPOFFER",
            "DHCPREQUEST",
            "DHCPACK",
            "DHCPRELEASE",
            file,
            "now as iPXE",
            "/boot/ipxe?mac=02-00-00-00-0a-01",
            "#!ipxe",
            "/kernel: 200 OK, 70000 bytes",
            "/initramfs.img: 200 OK, ",
            "config.img: not asked for",
            "this machine boots",
        ] {
            assert!(said.contains(part), "{arch}: `{part}` is not in {said}");
        }
        assert!(said.contains("350102") || said.contains("350105"), "{arch}: hex: {said}");
    }
    let addresses = host.ip("-4 -o addr show dev eth0")?;
    assert!(addresses.lines().count() == 1 && addresses.contains("10.77.0.9/24"), "{addresses}");

    // A machine that nobody knows.
    let (output, said) = probe(&host, &["--mac", "02:00:00:00:0a:02"])?;
    assert!(!output.status.success() && said.contains("nobody offered anything"), "{said}");
    let (output, said) = probe(&host, &["--interface", "none0"])?;
    assert!(!output.status.success(), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_other_servers_is_said() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let files = tempfile::tempdir()?;
    let mut documents = small_site(files.path())?;
    documents.push(subnet("rack", "10.77.0", "ignore"));
    documents.push(document("Machine", "n1", json!({"macs": [MAC]})));
    let net = Net::start("plprobeodd", &documents).await?;
    let host = net.rack.host("client", Some("10.77.0.9/24".parse()?))?;
    let other = net.rack.host("other", Some("10.77.0.7/24".parse()?))?;
    let range = "--dhcp-range=10.77.0.210,10.77.0.220,255.255.255.0,10m";

    // Two servers that know nothing of each other.
    let dnsmasq = Dnsmasq::start(&other, &[range])?;
    let mut seen = String::new();
    for _ in 0..20 {
        seen = probe(&host, &["--mac", MAC])?.1;
        if seen.contains("2 servers offer addresses") {
            break;
        }
    }
    assert!(seen.contains("10.77.0.1") && seen.contains("10.77.0.7") && seen.contains("is chance"), "{seen}");
    drop(dnsmasq);

    // The classic: an address and `PXEClient`, so that UEFI asks port 4011, where nobody is.
    let options = ["--dhcp-option-force=60,PXEClient", "--dhcp-boot=boot.efi", range, "--dhcp-authoritative"];
    let _dnsmasq = Dnsmasq::start(&other, &options)?;
    for _ in 0..20 {
        // Our own daemon does not know this one.
        seen = probe(&host, &["--mac", "02:00:00:00:0a:03"])?.1;
        if seen.contains("DHCPOFFER") {
            break;
        }
    }
    assert!(seen.contains("10.77.0.7 sends 60=PXEClient without 43.6=8"), "{seen}");
    assert!(seen.contains("tftp://10.77.0.7/boot.efi"), "a PXE ROM would try: {seen}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_server_that_gives_the_addresses_a_machine_is_played_to_its_script() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let files = tempfile::tempdir()?;
    let mut documents = small_site(files.path())?;
    documents.extend([proxied(), document("Machine", "n1", json!({"macs": [MAC]}))]);
    let net = Net::start("plprobeproxy", &documents).await?;
    let other = net.rack.host("other", Some("10.77.0.7/24".parse()?))?;
    let range = "--dhcp-range=10.77.0.210,10.77.0.220,255.255.255.0,10m";
    let _dnsmasq = Dnsmasq::start(&other, &[range, "--no-ping"])?;
    let host = net.rack.host("client", Some("10.77.0.9/24".parse()?))?;
    let until_both = |arguments: &[&str]| -> Result<(Output, String)> {
        for _ in 0..10 {
            let (output, said) = probe(&host, arguments)?;
            if said.contains("from 10.77.0.7:67: DHCPOFFER") {
                return Ok((output, said));
            }
        }
        anyhow::bail!("dnsmasq offers nothing")
    };
    for (arch, at_4011, file) in [
        // Which way a BIOS is told changes when it comes again: it boots by either.
        ("bios", None, "tftp://10.77.0.1/undionly.kpxe: "),
        ("efi-x64", Some(true), "tftp://10.77.0.1/snponly.efi: "),
        ("http-x64", Some(false), "http://10.77.0.1:8080/boot/files/snponly.efi: "),
    ] {
        for whole in [true, false] {
            let mut arguments = vec!["--mac", MAC, "--arch", arch];
            arguments.extend((!whole).then_some("--proxy"));
            let (output, said) = until_both(&arguments)?;
            assert!(output.status.success(), "{arch}: {said}");
            for part in [
                "from 10.77.0.1:67: DHCPOFFER",
                file,
                "now as iPXE",
                "/boot/ipxe?mac=02-00-00-00-0a-01",
                "#!ipxe",
                "/kernel: 200 OK, 70000 bytes",
                "this machine boots",
            ] {
                assert!(said.contains(part), "{arch}: `{part}` is not in {said}");
            }
            let asked = said.contains("to 10.77.0.1, port 4011: DHCPREQUEST");
            assert!(at_4011.is_none_or(|expected| expected == asked), "{arch}: {said}");
            // Whoever only asks what to boot takes no address of the other server.
            assert_eq!(said.contains("DHCPRELEASE"), whole, "{arch}: {said}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_boots_over_ipv6_is_played_to_its_script() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let files = tempfile::tempdir()?;
    let mut documents = small_site(files.path())?;
    documents.extend([subnet6("ignore"), document("Machine", "n1", json!({"macs": [MAC]}))]);
    let net = start6(rack6("plprobesix").await?, &documents, |builder| builder).await?;
    let host = host6(&net.rack, "client", "02:00:00:00:0a:09").await?;
    host.ip("addr add 2001:db8:77::9/64 dev eth0 nodad")?;
    for (arch, file) in [
        ("efi-x64", "tftp://[2001:db8:77::1]/snponly.efi: "),
        ("http-x64", "http://[2001:db8:77::1]:8080/boot/files/snponly.efi: "),
    ] {
        let (output, said) = probe(&host, &["--ipv6", "--mac", MAC, "--arch", arch, "-v"])?;
        assert!(output.status.success(), "{arch}: {said}");
        for part in [
            "to everybody (ff02::1:2), port 547: Solicit",
            "port 547: Advertise",
            ": Request",
            ": Reply",
            ": Release",
            " 59 boot file URL            http://[2001:db8:77::1]:8080/boot/ipxe?mac=02-00-00-00-0a-01",
            file,
            "now as iPXE",
            "#!ipxe",
            "/kernel: 200 OK, 70000 bytes",
            "config.img: not asked for",
            "this machine boots",
        ] {
            assert!(said.contains(part), "{arch}: `{part}` is not in {said}");
        }
    }
    assert_eq!(net.counted("pilotlight_leases6_held{subnet=\"rack\"}").await?, 0, "it is given back");
    assert_eq!(net.rig.admin.machines().await?.len(), 1, "its MAC, and not the interface's, was seen");
    let addresses = host.ip("-6 -o addr show dev eth0")?;
    assert!(addresses.lines().count() == 2, "{addresses}");

    // The interface itself, which nobody declared; a BIOS; and a wire where nobody serves.
    let (output, said) = probe(&host, &["-6"])?;
    assert!(!output.status.success() && said.contains("nobody advertised anything"), "{said}");
    let (output, said) = probe(&host, &["-6", "--arch", "bios"])?;
    assert!(!output.status.success() && said.contains("a BIOS boots over IPv4 only"), "{said}");
    Ok(())
}

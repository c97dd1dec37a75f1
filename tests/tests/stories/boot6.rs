//! Whole machines whose firmware boots over IPv6.

use std::fs;
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};
use pilotlight_tests::daemon::Builder;
use pilotlight_tests::rack::{Firmware, Host, Machine, Namespace, accel};
use pilotlight_types::api::{self, Phase};
use serde_json::{Value, json};

use crate::boot::{patience, site};
use crate::net6::{SERVER6, rack6, settled, start6, subnet6};
use crate::rig::{document, skipped};

/// A router that advertises the network: addresses are to be had by DHCPv6 (M), and by nothing else.
struct Router {
    radvd: Child,
    _host: Host,
}

impl Router {
    async fn start(rack: &Namespace, folder: &std::path::Path) -> Result<Self> {
        let host = rack.host("router", None)?;
        host.ip("addr add 2001:db8:77::fe/64 dev eth0 nodad")?;
        settled(|| host.ip("-6 addr show dev eth0")).await?;
        let forward = host.command("sysctl").args(["-q", "-w", "net.ipv6.conf.all.forwarding=1"]).status()?;
        ensure!(forward.success(), "the router cannot forward");
        let config = folder.join("radvd.conf");
        let advert = "AdvSendAdvert on; AdvManagedFlag on; AdvOtherConfigFlag on; MinRtrAdvInterval 3; MaxRtrAdvInterval 10;";
        let prefix = "prefix 2001:db8:77::/64 { AdvOnLink on; AdvAutonomous off; };";
        fs::write(&config, format!("interface eth0 {{ {advert} {prefix} }};\n"))?;
        let radvd = host
            .command("radvd")
            .args(["-n", "-m", "none", "-C"])
            .arg(config)
            .arg("-p")
            .arg(folder.join("radvd.pid"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("radvd cannot be started: apt-get install radvd")?;
        Ok(Self { radvd, _host: host })
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _ = self.radvd.kill();
        let _ = self.radvd.wait();
    }
}

/// The site, with its subnet's IPv4 elsewhere: nobody answers DHCPv4, so what boots does it by IPv6.
fn site6() -> Result<Vec<Value>> {
    let mut subnet = subnet6("ignore");
    let spec = json!({"cidr": "10.99.0.0/24", "ranges": [], "gateway": null, "dns": []});
    for (key, value) in spec.as_object().context("an object")? {
        subnet["spec"][key] = value.clone();
    }
    let mut documents = site(&[])?;
    documents.retain(|document| document["kind"] != "Subnet");
    documents.push(subnet);
    Ok(documents)
}

fn told(boot: &api::Boot, phase: Phase) -> &str {
    boot.phase(phase).and_then(|record| record.detail.as_deref()).unwrap_or("nothing")
}

#[tokio::test]
async fn uefi_boots_over_ipv6_by_pxe_and_by_http_to_the_image() -> Result<()> {
    if skipped("boot") {
        return Ok(());
    }
    let accel = accel::choose()?.accel;
    let (pxe, http) = ("52:54:00:77:06:01", "52:54:00:77:06:02");
    let mut documents = site6()?;
    documents.extend([
        document("Machine", "pxe", json!({"macs": [pxe], "ip6": "2001:db8:77::61"})),
        document("Machine", "http", json!({"macs": [http]})),
    ]);
    let net = start6(rack6("itsix").await?, &documents, Builder::with_agent).await?;
    let folder = net.rig.folder.path();
    let _router = Router::start(&net.rack, folder).await?;
    let build = |name: &str, firmware, mac: &str| {
        Machine::builder(name, accel, firmware, mac.parse()?).memory_mib(768).build(&net.rack, folder)
    };
    let mut machines = [build("pxe", Firmware::UefiPxe6, pxe)?, build("http", Firmware::UefiHttp, http)?];
    for machine in &mut machines {
        machine.power_on()?;
    }
    for (machine, scheme) in machines.iter().zip(["tftp://[", "http://["]) {
        let loaded = |machine: &api::Machine| {
            machine.boot.as_ref().and_then(api::Boot::furthest) >= Some(Phase::Initramfs)
        };
        let found = net
            .rig
            .admin
            .wait_until(machine.name(), "at the initramfs", patience(accel), loaded)
            .await
            .with_context(|| machine.console().tail(40))?;
        let boot = found.boot.context("there is no boot")?;
        println!("{}: {:?}", machine.name(), boot.phases);
        let address = boot.address.context("no address")?;
        ensure!(address.is_ipv6(), "{address}");
        if machine.name() == "pxe" {
            assert_eq!(address.to_string(), "2001:db8:77::61", "the one that is reserved");
        }
        ensure!(told(&boot, Phase::BootProgram).ends_with(".efi"), "{:?}", boot.phases);
        let script = format!("http://[{SERVER6}]:8080/boot/ipxe?mac=");
        ensure!(told(&boot, Phase::Dhcp).starts_with(&script), "{:?}", boot.phases);
        ensure!(net.rig.daemon.log().contains(&format!("boots {scheme}{SERVER6}]")), "by {scheme}");
    }
    Ok(())
}

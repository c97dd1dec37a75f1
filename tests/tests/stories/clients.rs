//! Real DHCP clients, which write down what they are told and change nothing.

use std::collections::HashMap;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pilotlight_tests::rack::Host;

/// What a client's script was told, by the name of the variable.
pub type Told = HashMap<String, String>;

/// A script for udhcpc or dhclient that writes down what it is told, and changes nothing.
fn script(folder: &Path, name: &str) -> Result<(PathBuf, PathBuf)> {
    let (script, told) = (folder.join(format!("{name}.sh")), folder.join(format!("{name}.env")));
    let text = format!(
        "#!/bin/sh\ncase \"$1$reason\" in bound|renew|BOUND*|RENEW*|REBOOT) env > {0}.new; mv {0}.new {0};; esac\nexit 0\n",
        told.display()
    );
    fs::write(&script, text)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let _ = fs::remove_file(&told);
    Ok((script, told))
}

fn told(path: &Path) -> Result<Told> {
    let text = fs::read_to_string(path).context("the client was not given a lease")?;
    Ok(text.lines().filter_map(|line| line.split_once('=')).map(|(a, b)| (a.into(), b.into())).collect())
}

pub fn succeeded(output: Output) -> Result<()> {
    ensure!(
        output.status.success(),
        "{}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

pub fn udhcpc(host: &Host, folder: &Path, more: &[&str]) -> Result<Told> {
    let (script, env) = script(folder, "udhcpc")?;
    let mut command = host.command("udhcpc");
    command.args(["-i", "eth0", "-f", "-n", "-q", "-t", "10", "-T", "1", "-s"]).arg(script).args(more);
    succeeded(command.output()?)?;
    told(&env)
}

pub fn dhclient(host: &Host, folder: &Path, config: &str) -> Result<Told> {
    isc(host, folder, config, "-4")
}

/// The same by DHCPv6.
pub fn dhclient6(host: &Host, folder: &Path, config: &str) -> Result<Told> {
    isc(host, folder, config, "-6")
}

fn isc(host: &Host, folder: &Path, config: &str, family: &str) -> Result<Told> {
    let (script, env) = script(folder, "dhclient")?;
    let (leases, conf) = (folder.join("dhclient.leases"), folder.join("dhclient.conf"));
    let _ = fs::remove_file(&leases);
    fs::write(&conf, config)?;
    let mut command = host.command("timeout");
    command.args(["30", "dhclient", family, "-1", "-lf"]).arg(leases).arg("-cf").arg(conf);
    command.arg("-pf").arg(folder.join("dhclient.pid")).arg("-sf").arg(script).arg("eth0");
    succeeded(command.output()?)?;
    told(&env)
}

/// Ends the dhclient that the last call left, which renews. It goes into the background first and writes its number down then.
pub async fn end_dhclient(folder: &Path) -> Result<()> {
    for _ in 0..80 {
        let pid = fs::read_to_string(folder.join("dhclient.pid")).unwrap_or_default();
        if let Ok(pid) = pid.trim().parse() {
            return Ok(kill(Pid::from_raw(pid), Signal::SIGKILL)?);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    bail!("dhclient does not say which process it is")
}

pub fn ip(told: &Told, key: &str) -> Result<Ipv4Addr> {
    Ok(told.get(key).with_context(|| format!("no {key} in {told:?}"))?.parse()?)
}

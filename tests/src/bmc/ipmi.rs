//! OpenIPMI's `ipmi_sim`, with a script that switches what stands for a machine, and `ipmitool` for a second opinion.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// What the simulator calls when somebody switches: the machine is the file `power` beside it. It may be called twice.
const HOOK: &str = r#"#!/bin/sh
dir=$(dirname "$0")
shift
echo "$*" >>"$dir/calls"
case "$1 $2" in
    "get power") echo "power:$(cat "$dir/power")" ;;
    "set power") echo "$3" >"$dir/power" ;;
    "set shutdown") echo 0 >"$dir/power" ;;
    "get boot") echo "boot:$(cat "$dir/boot" 2>/dev/null || echo none)" ;;
    "set boot") echo "$3" >"$dir/boot" ;;
esac
exit 0
"#;

/// One simulated BMC, whose machine is the file `power` in its folder.
#[derive(Debug)]
pub struct Simulator {
    folder: PathBuf,
    port: u16,
    process: Child,
}

impl Simulator {
    /// The user's name and password.
    pub const ACCOUNT: (&str, &str) = ("admin", "sesame-of-the-bmc");

    /// Starts one in this folder, its machine off.
    pub fn start(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder.join("state"))?;
        let script = folder.join("hook");
        fs::write(&script, HOOK)?;
        fs::set_permissions(&script, Permissions::from_mode(0o755))?;
        fs::write(folder.join("power"), "0")?;
        fs::write(folder.join("calls"), "")?;
        let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let (user, password) = Self::ACCOUNT;
        let auths = ["callback", "user", "operator", "admin"]
            .map(|level| format!("    allowed_auths_{level} none md2 md5 straight\n"))
            .concat();
        // Without `guid` it does not speak IPMI 2.0.
        let lan = format!(
            "name \"bmc\"\nset_working_mc 0x20\n  startlan 1\n    addr 127.0.0.1 {port}\n    priv_limit admin\n{auths}    \
             guid a123456789abcdefa123456789abcdef\n  endlan\n  chassis_control \"{} 0x20\"\n  \
             user 2 true \"{user}\" \"{password}\" admin 10 none md2 md5 straight\n",
            script.display()
        );
        fs::write(folder.join("lan.conf"), lan)?;
        let emulated = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\n\
                        sel_enable 0x20 1000 0x0a\nmc_enable 0x20\n";
        fs::write(folder.join("sim.emu"), emulated)?;
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "ipmi_sim", "-n", "-c"])
            .arg(folder.join("lan.conf"))
            .arg("-f")
            .arg(folder.join("sim.emu"))
            .arg("-s")
            .arg(folder.join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("`ipmi_sim` cannot be started: it is in the package openipmi")?;
        let simulator = Self { folder: folder.to_owned(), port, process };
        let deadline = Instant::now() + Duration::from_secs(60);
        while let Err(error) = simulator.tool(&["mc", "info"]) {
            ensure!(Instant::now() < deadline, "ipmi_sim does not answer: {error:#}");
        }
        Ok(simulator)
    }

    /// Where it is.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What `ipmitool` says to this.
    pub fn tool(&self, arguments: &[&str]) -> Result<String> {
        let (user, password) = Self::ACCOUNT;
        let port = self.port.to_string();
        let output = Command::new("ipmitool")
            .args(["-I", "lanplus", "-C", "3", "-N", "2", "-R", "3", "-H", "127.0.0.1", "-p", &port])
            .args(["-U", user, "-P", password])
            .args(arguments)
            .output()
            .context("`ipmitool` cannot be started")?;
        if !output.status.success() {
            bail!("ipmitool {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Whether `ipmitool` says that the machine is on.
    pub fn is_on(&self) -> Result<bool> {
        let status = self.tool(&["chassis", "status"])?;
        let line = status.lines().find(|line| line.starts_with("System Power")).context("no power")?;
        Ok(line.ends_with("on"))
    }

    /// Adds an entry to its log: a sensor of this type says `failed` (IPMI 2.0 table 42-3).
    pub fn log(&self, sensor_type: u8) -> Result<()> {
        let kind = sensor_type.to_string();
        let words =
            ["0", "0", "2", "0", "0", "0", "0", "0x20", "0", "4", &kind, "0x51", "0x6f", "1", "0xff", "0xff"];
        self.tool(&[["raw", "0x0a", "0x44"].as_slice(), words.as_slice()].concat()).map(drop)
    }

    /// How many sessions it has open, beside that of `ipmitool` itself.
    pub fn sessions(&self) -> Result<usize> {
        let said = self.tool(&["session", "info", "active"])?;
        let line = said.lines().find(|line| line.starts_with("active sessions")).context("no sessions")?;
        let count: usize = line.rsplit(' ').next().context("no number")?.parse()?;
        Ok(count.saturating_sub(1))
    }

    /// What it told its machine, without what it only asked, and once what it said several times in a row: the simulator does not say what
    /// boot device it has, so it is told again.
    pub fn switched(&self) -> Result<Vec<String>> {
        let calls = fs::read_to_string(self.folder.join("calls"))?;
        let told = calls.lines().filter(|line| {
            line.starts_with("set power") || line.starts_with("set boot") || line.starts_with("set reset")
        });
        let mut told: Vec<String> = told.map(str::to_owned).collect();
        told.dedup();
        Ok(told)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

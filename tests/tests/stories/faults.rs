//! What keeps a daemon from starting or from working: it says which and what to do, with an exit code of sysexits.h.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::unistd::Uid;
use pilotlight_tests::daemon::pilotlight;
use pilotlight_types::api::{List, Problem, Resource};
use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Plan, skipped, subnet};

const UNAVAILABLE: i32 = 69;
const CANNOT_CREATE: i32 = 73;
const NO_PERMISSION: i32 = 77;
const CONFIG: i32 = 78;
const NOBODY: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];

fn must_be_root() -> Result<()> {
    ensure!(Uid::effective().is_root(), "this story needs root: switch it off by PILOTLIGHT_SKIP=faults");
    Ok(())
}

/// A folder that nobody in particular may enter, for daemons that are run as `nobody`.
fn for_nobody(plan: &Plan) -> Result<()> {
    must_be_root()?;
    let data = plan.folder.path().join("data");
    fs::create_dir_all(&data)?;
    fs::set_permissions(plan.folder.path(), fs::Permissions::from_mode(0o777))?;
    std::os::unix::fs::chown(&data, Some(65534), Some(65534))?;
    let program = pilotlight()?;
    let reached = Command::new(NOBODY[0]).args(&NOBODY[1..]).arg(&program).arg("--version").output()?;
    ensure!(
        reached.status.success(),
        "`nobody` cannot run {}: a folder above it is closed to others",
        program.display()
    );
    Ok(())
}

/// Lets `nobody` read the configuration.
const OPEN: &[&str] = &[
    "sh",
    "-c",
    "for last; do :; done; chmod 644 \"$last\"; exec setpriv --reuid=65534 --regid=65534 --clear-groups -- \"$@\"",
    "sh",
];

#[tokio::test]
async fn a_configuration_with_mistakes_is_refused_with_all_of_them() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("pilotlight.toml");
    let check = |text: &str, command: &[&str]| -> Result<(Option<i32>, String)> {
        fs::write(&config, text)?;
        let output = Command::new(pilotlight()?).args(command).arg("--config").arg(&config).output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let good = "[server]\ndata-dir = \"/var/lib/pilotlight\"\n[dhcp]\ninterfaces = [\"eth1\"]\n";
    assert_eq!(check(good, &["config", "check"])?, (Some(0), String::new()));

    for command in [&["config", "check"] as &[&str], &["serve"]] {
        let (code, said) = check("[http]\nlisten = \"0.0.0.0:8080\"\nlisten-on = 1\n", command)?;
        assert_eq!(code, Some(CONFIG), "{said}");
        assert!(
            said.contains("pilotlight.toml") && said.contains("listen-on") && said.contains("line 3"),
            "{said}"
        );
    }
    let many = "[http]\nlisten = \"here\"\n[boot]\npatience = \"1s\"\n[database]\nurl = \"mysql://root:hunter2@db\"\n[dhcp]\ninterfaces = [\"a b\"]\n";
    let (code, said) = check(many, &["config", "check"])?;
    assert_eq!(code, Some(CONFIG));
    for key in ["http.listen", "boot.patience", "database.url", "dhcp.interfaces"] {
        assert!(said.contains(key), "{key} is not named: {said}");
    }
    assert!(!said.contains("hunter2"), "a password is not repeated: {said}");
    let (code, said) = check("[http\n", &["config", "check"])?;
    assert_eq!(code, Some(CONFIG), "{said}");
    let gone = Command::new(pilotlight()?).args(["config", "check", "--config", "/nowhere.toml"]).output()?;
    assert_eq!(gone.status.code(), Some(CONFIG));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("/nowhere.toml"));
    let usage = Command::new(pilotlight()?).args(["serve", "--no-such-flag"]).output()?;
    assert_eq!(usage.status.code(), Some(64));
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() -> Result<()> {
    for key in ["http.listen", "https.listen"] {
        let other = TcpListener::bind("127.0.0.1:0")?;
        let address = other.local_addr()?.to_string();
        let (code, said) = Plan::new()?.builder.set(key, address.clone()).refused().await?;
        assert_eq!(code, UNAVAILABLE, "{said}");
        assert!(said.contains(key) && said.contains(&address) && said.contains("another program"), "{said}");
    }
    let other = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let address = other.local_addr()?.to_string();
    let (code, said) = Plan::new()?.builder.set("tftp.listen", address.clone()).refused().await?;
    assert_eq!(code, UNAVAILABLE, "{said}");
    assert!(said.contains(&address), "{said}");
    let elsewhere = "192.0.2.1:8080";
    let (code, said) = Plan::new()?.builder.set("http.listen", elsewhere).refused().await?;
    assert_eq!(code, UNAVAILABLE, "{said}");
    assert!(said.contains(elsewhere) && said.contains("does not have that address"), "{said}");
    Ok(())
}

#[tokio::test]
async fn an_interface_that_is_missing_is_named() -> Result<()> {
    let (code, said) = Plan::new()?.builder.set("dhcp.interfaces", json!(["none0"])).refused().await?;
    assert_eq!(code, UNAVAILABLE, "{said}");
    assert!(said.contains("none0") && said.contains("dhcp.interfaces"), "{said}");
    Ok(())
}

#[tokio::test]
async fn without_permission_the_daemon_says_which() -> Result<()> {
    if skipped("faults") {
        return Ok(());
    }
    let cases: &[(&str, Value, &str)] = &[
        ("http.listen", json!("127.0.0.1:80"), "CAP_NET_BIND_SERVICE"),
        ("tftp.listen", json!("127.0.0.1:69"), "CAP_NET_BIND_SERVICE"),
        ("dhcp.interfaces", json!(["lo"]), "CAP_NET"),
    ];
    for (key, value, word) in cases {
        let plan = Plan::new()?;
        for_nobody(&plan)?;
        let builder = plan.builder.clone().run_by(OPEN).set(key, value.clone());
        let builder = if *key == "dhcp.interfaces" { builder.set("dhcp.port", 67) } else { builder };
        let (code, said) = builder.refused().await?;
        assert_eq!(code, NO_PERMISSION, "{key}: {said}");
        assert!(said.contains(word), "{key}: {said}");
    }
    let plan = Plan::new()?;
    for_nobody(&plan)?;
    // And without need of permission it runs as anybody.
    let rig = plan.with(|builder| builder.run_by(OPEN)).start().await?;
    let owner = fs::metadata(rig.daemon.data_dir().join("admin.token"))?;
    assert_eq!(owner.permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(rig.daemon.ca_path())?.permissions().mode() & 0o777, 0o644);
    Ok(())
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_written_is_named() -> Result<()> {
    if skipped("faults") {
        return Ok(());
    }
    let plan = Plan::new()?;
    for_nobody(&plan)?;
    let data = plan.folder.path().join("data");
    std::os::unix::fs::chown(&data, Some(0), Some(0))?;
    let (code, said) = plan.builder.clone().run_by(OPEN).refused().await?;
    assert_eq!(code, NO_PERMISSION, "{said}");
    assert!(said.contains(&data.display().to_string()) && said.contains("server.data-dir"), "{said}");

    let plan = Plan::new()?;
    let mount = Mount::tmpfs(&plan.folder.path().join("small"), "size=1m")?;
    mount.remount("ro")?;
    let (code, said) = plan.builder.clone().data_dir(&mount.0).refused().await?;
    assert_eq!(code, CANNOT_CREATE, "{said}");
    assert!(said.contains("Read-only"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_second_daemon_on_the_same_data_is_refused() -> Result<()> {
    let rig = Plan::new()?.start().await?;
    let second = Plan::new()?;
    let (code, said) = second.builder.clone().data_dir(rig.daemon.data_dir()).refused().await?;
    assert_eq!(code, UNAVAILABLE, "{said}");
    assert!(said.contains("another pilotlight"), "{said}");
    assert!(rig.admin.get::<Value>("/subnets").await.is_ok(), "the first one goes on");
    Ok(())
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_said_without_its_password() -> Result<()> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let url = format!("postgres://pilotlight:hunter2@127.0.0.1:{port}/pilotlight");
    let (code, said) = Plan::new()?.builder.set("database.url", url).refused().await?;
    assert_eq!(code, UNAVAILABLE, "{said}");
    assert!(said.contains("database") && !said.contains("hunter2"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_full_disk_is_said_and_survived() -> Result<()> {
    if skipped("faults") {
        return Ok(());
    }
    must_be_root()?;
    let plan = Plan::new()?;
    let mount = Mount::tmpfs(&plan.folder.path().join("small"), "size=64k")?;
    fill(&mount.0)?;
    let (code, said) = plan.builder.clone().data_dir(&mount.0).refused().await?;
    assert_eq!(code, CANNOT_CREATE, "{said}");
    assert!(said.contains("full") && said.contains("make room"), "{said}");

    let plan = Plan::new()?;
    let mount = Mount::tmpfs(&plan.folder.path().join("small"), "size=4m")?;
    let mut rig = plan.with(|builder| builder.data_dir(&mount.0)).start().await?;
    rig.admin.apply(&[subnet("before", "10.1.0", "ignore")]).await?;
    let ballast = fill(&mount.0)?;
    let mut refused = None;
    for number in 2..250 {
        let body = subnet(&format!("s{number}"), &format!("10.{number}.0"), "ignore");
        let answer = rig.admin.request(Method::POST, "/api/v1/apply", &[], Some(&json!([body]))).await?;
        if answer.status != 200 {
            refused = Some((number, answer));
            break;
        }
    }
    let (number, answer) = refused.context("a full disk was not noticed")?;
    assert_eq!((answer.status.as_u16(), answer.json::<Problem>()?.code.as_str()), (503, "unavailable"));
    assert!(rig.daemon.log().contains("full"), "the log says why: {}", rig.daemon.log_tail(10));
    let reads = rig.admin.get::<List<Resource>>("/subnets").await?.items.len();
    assert_eq!(reads, number - 1, "what was refused is not there");
    fs::remove_file(ballast)?;
    rig.admin.apply(&[subnet("after", "192.168.0", "ignore")]).await.context("it works again by itself")?;
    rig.daemon.restart().await?;
    assert_eq!(rig.admin.get::<List<Resource>>("/subnets").await?.items.len(), number);
    assert_eq!(rig.daemon.stop().await?.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn a_daemon_that_is_told_to_stop_twice_stops_at_once() -> Result<()> {
    let mut rig = Plan::new()?.start().await?;
    let pid = rig.daemon.pid().context("it runs")?;
    // A request whose body never comes is under way.
    let hanging = std::net::TcpStream::connect(rig.daemon.http())?;
    std::io::Write::write_all(&mut &hanging, b"GET /boot/ipxe HTTP/1.1\r\nHost: x\r\n")?;
    let signal =
        || nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGTERM);
    signal()?;
    let begun = std::time::Instant::now();
    while rig.daemon.pid().is_some() {
        let _ = signal();
        if rig.daemon.ended(Duration::from_millis(200)).await.is_ok() {
            break;
        }
        ensure!(begun.elapsed() < Duration::from_secs(10), "it still runs");
    }
    Ok(())
}

/// A file system of its own, unmounted on drop.
struct Mount(PathBuf);

impl Mount {
    fn tmpfs(path: &Path, options: &str) -> Result<Self> {
        must_be_root()?;
        fs::create_dir_all(path)?;
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "pilotlight"]).arg(path).status()?;
        ensure!(done.success(), "a tmpfs cannot be mounted here: switch this off by PILOTLIGHT_SKIP=faults");
        Ok(Self(path.to_owned()))
    }

    fn remount(&self, options: &str) -> Result<()> {
        let done = Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0).status()?;
        ensure!(done.success(), "{} cannot be remounted", self.0.display());
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Takes all the space that there is.
fn fill(folder: &Path) -> Result<PathBuf> {
    let ballast = folder.join("ballast");
    let mut file = fs::File::create(&ballast)?;
    let piece = [0; 4096];
    while std::io::Write::write_all(&mut file, &piece).is_ok() {}
    Ok(ballast)
}

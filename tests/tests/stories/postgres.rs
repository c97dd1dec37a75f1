//! The stories of the API once more, on a real PostgreSQL 15 that is started for them.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use nix::unistd::Uid;
use tempfile::TempDir;

use crate::rig::Plan;

const BIN: &str = "/usr/lib/postgresql/15/bin";
const NOBODY: u32 = 65534;

/// The URL of a new, empty database of the server that all stories share.
pub fn database() -> Result<String> {
    static SERVER: OnceLock<Result<TempDir, String>> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let server = SERVER.get_or_init(|| start().map_err(|error| format!("{error:#}")));
    let folder = server.as_ref().map_err(|error| anyhow!("{error}"))?.path();
    let name = format!("story{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let made = as_nobody("createdb").arg("-h").arg(folder).args(["-U", "pilotlight", &name]).output()?;
    ensure!(made.status.success(), "createdb: {}", String::from_utf8_lossy(&made.stderr));
    // By its socket: that is reached from every network namespace.
    let socket = folder.display().to_string().replace('/', "%2F");
    Ok(format!("postgres://pilotlight@localhost/{name}?host={socket}"))
}

/// All that a database holds, as text: bytes in hex.
pub fn dump(url: &str) -> Result<String> {
    let dumped = as_nobody("pg_dump").arg("--inserts").arg(url).output()?;
    ensure!(dumped.status.success(), "pg_dump: {}", String::from_utf8_lossy(&dumped.stderr));
    Ok(String::from_utf8(dumped.stdout)?)
}

/// PostgreSQL does not run as root.
fn as_nobody(program: &str) -> Command {
    let path = Path::new(BIN).join(program);
    if !Uid::effective().is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--pdeathsig=KILL", "--"]).arg(path);
    command
}

fn start() -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("pl-pg-").tempdir()?;
    if Uid::effective().is_root() {
        chown(folder.path(), Some(NOBODY), Some(NOBODY))?;
    }
    let data = folder.path().join("data");
    let made = as_nobody("initdb")
        .args(["-U", "pilotlight", "-A", "trust", "-E", "UTF8", "--no-locale", "-N", "-D"])
        .arg(&data)
        .output()
        .context("initdb cannot be started: apt-get install postgresql-15")?;
    ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let log = fs::File::create(folder.path().join("log"))?;
    let mut server = as_nobody("postgres");
    server
        .arg("-D")
        .arg(&data)
        .arg("-k")
        .arg(folder.path())
        .args(["-c", "listen_addresses=", "-c", "max_connections=200", "-c", "fsync=off"])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let mut process = from_a_lasting_thread(server)?;
    let begun = Instant::now();
    loop {
        let asked = as_nobody("pg_isready").arg("-h").arg(folder.path()).arg("-q").status()?;
        if asked.success() {
            return Ok(folder);
        }
        let ended = process.try_wait()?.is_some();
        ensure!(
            !ended && begun.elapsed() < Duration::from_secs(30),
            "PostgreSQL does not start: {}",
            fs::read_to_string(folder.path().join("log"))?
        );
    }
}

/// Starts a process that dies with us: its parent is a thread that ends when the process does, not when a story does.
fn from_a_lasting_thread(mut command: Command) -> Result<Child> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("postgres".into()).spawn(move || {
        if sender.send(command.spawn()).is_ok() {
            loop {
                thread::park();
            }
        }
    })?;
    receiver.recv()?.context("PostgreSQL cannot be started")
}

macro_rules! on_postgres {
    ($($module:ident :: $story:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $story() -> anyhow::Result<()> {
            if crate::rig::skipped("postgres") {
                return Ok(());
            }
            let url = database()?;
            crate::api::$module::$story(Plan::new()?.with(|builder| builder.set("database.url", url))).await
        }
    )*};
}

crate::api::each_api_story!(on_postgres);

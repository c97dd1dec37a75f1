//! `make demo`: the main job on one computer. A daemon in a private network, bare machines that are powered on in it, their boots as
//! they happen, and then everything left running for a look around.

mod database;
mod door;
pub mod fleet;
mod ground;
mod live;
mod report;
mod screen;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pilotlight_types::Timestamp;
use pilotlight_types::api::{Boot, Machine, Outcome};
use tokio::time::sleep;

use crate::client::Client;
use crate::daemon::Daemon;
use database::Database;
use door::Door;
use fleet::{Member, fleet};
use ground::{Ground, Powered};
use live::{Live, is_active, seconds};
use screen::Screen;

/// How often the boots are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// What a run is given beyond a multiple of the time that it should take.
const SLACK: Duration = Duration::from_secs(60);

/// What the demo is asked to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many machines.
    pub machines: u16,
    /// Simulated ones, whether others could be had or not.
    pub simulate: bool,
    /// End when all machines are active.
    pub exit_when_active: bool,
    /// Where the image is kept from run to run, and the state of a run.
    pub cache: PathBuf,
    /// The demo's resources.
    pub resources: PathBuf,
    /// A database to use in place of SQLite.
    pub database: Option<String>,
}

/// Runs the demo until it is told to end. Whatever it started is gone when this returns, or is dropped.
pub async fn run(options: &Options) -> Result<()> {
    let ground = if options.simulate {
        println!("SIMULATE: simulated machines on this host's loopback, in place of virtual ones");
        Ground::simulated()?
    } else {
        Ground::rack().or_else(|error| {
            println!("No virtual machines here: {error:#}.");
            println!("So the same with simulated ones, on this host's loopback.");
            Ground::simulated()
        })?
    };
    let state = State::create(&ground, options)?;
    let fleet = fleet(options.machines);
    ground.declare(&options.cache, &state.resources)?;
    fs::write(state.resources.join("machines.yaml"), fleet::declared(&fleet))?;

    let mut builder =
        ground.settings(Daemon::builder(&state.folder), &state.folder)?.set("site.name", "demo").with_agent();
    let mut database = None;
    if let Some(url) = &options.database {
        let found = Database::reach(url, &ground)?;
        builder =
            builder.data_dir(&state.folder.join(&found.data_dir)).env("PILOTLIGHT_DATABASE_URL", &found.url);
        database = Some(found);
    }
    let daemon = builder.start().await.context("the daemon does not start")?;
    let door = Door::open(&ground, daemon)?;
    let paint = Screen::find().paint;
    let line = |what: &str, text: &str| println!("  {} {text}", paint.dim(&format!("{what:<9}")));
    println!("\n{}", paint.bold("pilotlight serve"));
    line("network", &ground.network());
    let (runs_them, why) = ground.runs_them();
    line("machines", &format!("{}, {runs_them}", fleet.len()));
    if let Some(why) = why {
        line("", &format!("({why})"));
    }
    line("database", database.as_ref().map_or("SQLite", |_| "PostgreSQL"));
    line("status", &format!("{}/status", door.url));
    line("password", &format!("the token in {}; any user name", shown(&door.token_path())));
    println!();
    let apply = ["apply", "-f", &shown(&options.resources), "-f", &shown(&state.resources)];
    println!("{}", paint.bold(&format!("$ pilotlight {}", apply.join(" "))));
    print!("{}", door.output(&apply).await?);

    let client = Client::new(&door.url, Some(&door.daemon.token()?), &door.daemon.ca()?)?;
    let expected = ground.expected(fleet.len());
    let title = format!("{} bare machines power on", fleet.len());
    println!("\n{}; expect about {} s\n", paint.bold(&title), expected.as_secs());
    let power_on = now();
    let mut powered = ground.power_on(&fleet, &state.folder)?;
    let machines = watch(&client, &fleet, &mut powered, power_on, expected * 8 + SLACK).await;
    let machines =
        machines.with_context(|| format!("the daemon's last words:\n{}", door.daemon.log_tail(8)))?;

    let right = conclude(&door, &fleet, &machines, power_on).await?;
    if options.exit_when_active {
        ensure!(right, "some facts are not what the machines were given");
        return Ok(());
    }
    door.tell(&state.folder)?;
    // The machines go on; simulated ones send their heartbeats.
    std::future::pending::<()>().await;
    drop((powered, database));
    Ok(())
}

/// Shows the boots until every machine is active. An error says which is not, and why.
async fn watch(
    client: &Client,
    fleet: &[Member],
    powered: &mut Powered,
    power_on: Timestamp,
    deadline: Duration,
) -> Result<Vec<Machine>> {
    let mut live = Live::new(Screen::find(), power_on);
    let end = Instant::now() + deadline;
    loop {
        let machines = client.machines().await?;
        live.show(fleet, &machines, now())?;
        let found = |name: &str| machines.iter().find(|machine| machine.name == name);
        let open: Vec<&Member> = fleet
            .iter()
            .filter(|member| !booted(found(&member.name), power_on).is_some_and(is_active))
            .collect();
        if open.is_empty() {
            return Ok(machines);
        }
        for member in &open {
            let machine = found(&member.name);
            let why = match booted(machine, power_on).and_then(|boot| boot.outcome.as_ref()) {
                Some(Outcome::Failed { why }) => Some(why.clone()),
                Some(Outcome::LocalDisk) => Some("it was sent to its disk, which is empty".into()),
                _ => powered.lost(&member.name),
            };
            let late = || {
                (Instant::now() >= end).then(|| format!("it is not active after {} s", deadline.as_secs()))
            };
            if let Some(why) = why.or_else(late) {
                let words = powered.last_words(&member.name);
                let words =
                    words.map(|words| format!("\nits console's last lines:\n{words}")).unwrap_or_default();
                bail!("{} failed: {why}{words}", member.name);
            }
        }
        sleep(LOOK).await;
    }
}

/// Facts, `explain` and timelines; says whether the facts are right.
async fn conclude(door: &Door, fleet: &[Member], machines: &[Machine], power_on: Timestamp) -> Result<bool> {
    let paint = Screen::find().paint;
    println!("\n{}\n", paint.good(&format!("All {} machines are active.", fleet.len())));
    println!("{}", paint.bold("What the agents found, beside what the machines were given"));
    let (table, right) = report::facts(paint, fleet, machines);
    println!("{table}");
    if let Some(member) = fleet.first() {
        println!("{}", paint.bold(&format!("$ pilotlight explain {}", member.name)));
        let text = door.output(&["explain", &member.name]).await?;
        let because = text.split("\nscript\n").next().unwrap_or(&text).trim_end();
        println!("{because}\n  (then its script and its Ignition config: see for yourself)\n");
    }
    for member in fleet.iter().take(report::IN_FULL) {
        let machine = machines.iter().find(|machine| machine.name == member.name);
        if let Some(boot) = booted(machine, power_on) {
            println!("{}", live::timeline(paint, member, boot, power_on));
        }
    }
    let took = machines.iter().filter_map(|machine| booted(Some(machine), power_on)?.ended);
    let last = took.max().map(|ended| seconds(ended.since(power_on))).unwrap_or_default();
    println!("From power-on to the last machine's report: {last}");
    Ok(right)
}

/// The machine's boot since power-on.
fn booted(machine: Option<&Machine>, power_on: Timestamp) -> Option<&Boot> {
    machine?.boot.as_ref().filter(|boot| boot.started >= power_on)
}

fn now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
}

/// A path as one would type it here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let short = here.and_then(|here| path.strip_prefix(here).ok());
    short.unwrap_or(path).display().to_string()
}

/// What a run leaves on the disk, until the next.
struct State {
    folder: PathBuf,
    resources: PathBuf,
}

impl State {
    /// A folder that is new but for the data of a database that is not.
    fn create(ground: &Ground, options: &Options) -> Result<Self> {
        let name = match ground {
            Ground::Rack { .. } => "demo",
            Ground::Simulated { .. } => "demo-simulated",
        };
        fs::create_dir_all(&options.cache).with_context(|| shown(&options.cache))?;
        let cache = fs::canonicalize(&options.cache)?;
        // Sockets are made in it, and their paths may have 107 bytes.
        ensure!(
            cache.as_os_str().len() < 80,
            "{} is too long a path: set CACHE to a shorter one",
            shown(&cache)
        );
        let folder = cache.join(name);
        let resources = folder.join("resources");
        for old in ["data", "resources", "pilotlight.log"] {
            let old = folder.join(old);
            let removed = if old.is_dir() { fs::remove_dir_all(&old) } else { fs::remove_file(&old) };
            if let Err(error) = removed
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(error)
                    .with_context(|| format!("{} of an earlier run cannot be removed", shown(&old)));
            }
        }
        fs::create_dir_all(&resources).with_context(|| shown(&resources))?;
        Ok(Self { folder, resources })
    }
}

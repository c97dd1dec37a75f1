//! The host itself: its disk, database, clock, permissions, and the files that machines get.
use super::Check;
use crate::{
    config::{DatabaseUrl, Settings},
    domain::firmware::table,
    errors,
    store::Db,
};
use nix::sys::statvfs::statvfs;
use pilotlight_types::resource::FirmwareSpec;
use std::path::{Path, PathBuf};

const GIB: u64 = 1 << 30;
/// An image is a gigabyte or so: with less there is no room for the next one.
const LITTLE: u64 = 5 * GIB;
/// The database stops when nothing is left.
const TOO_LITTLE: u64 = GIB / 4;

pub(super) fn data_dir(path: &Path) -> Vec<Check> {
    const CHECK: &str = "data-dir";
    let place = path.display();
    // Before the first start, what counts is where it will be made.
    let there = path.ancestors().find(|folder| folder.exists()).unwrap_or(path);
    let writable = if there == path {
        match tempfile::NamedTempFile::new_in(path) {
            Ok(_) => Check::ok(CHECK, format!("{place} can be written")),
            Err(error) => Check::fail(CHECK, format!("{place}: {error}"), "see server.data-dir"),
        }
    } else {
        Check::ok(CHECK, format!("{place} is made on first start"))
    };
    vec![writable, space(there)]
}

fn space(path: &Path) -> Check {
    const CHECK: &str = "disk";
    let stat = match statvfs(path) {
        Ok(stat) => stat,
        Err(error) => return Check::warn(CHECK, format!("{}: {error}", path.display()), "look with `df`"),
    };
    #[expect(clippy::useless_conversion, reason = "the types differ from one platform to the next")]
    let free = u64::from(stat.blocks_available()).saturating_mul(u64::from(stat.fragment_size()));
    let seen = format!("{}: {:.1} GiB are free", path.display(), in_gib(free));
    match free {
        free if free < TOO_LITTLE => {
            Check::fail(CHECK, seen, "make room: the database stops when nothing is left")
        }
        free if free < LITTLE => Check::warn(CHECK, seen, "make room: an image is a GiB or so"),
        _ => Check::ok(CHECK, seen),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn in_gib(bytes: u64) -> f64 {
    bytes as f64 / GIB as f64
}

pub(super) async fn database(settings: &Settings) -> Check {
    const CHECK: &str = "database";
    let DatabaseUrl::Postgres(url) = &settings.database else {
        return Check::ok(CHECK, "SQLite, in the data directory");
    };
    match Db::postgres(url.expose()).await {
        Ok(db) => {
            db.close().await;
            Check::ok(CHECK, "PostgreSQL answers, and its tables are of this version")
        }
        Err(error) => Check::fail(
            CHECK,
            errors::chain(&error),
            "does PostgreSQL run there, and take this user from this host? try `psql` with the URL of database.url",
        ),
    }
}

/// Certificates and one-time tokens need a clock that is right.
pub(super) async fn clock() -> Check {
    const CHECK: &str = "clock";
    let asked = tokio::process::Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .output()
        .await;
    let said = asked.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    match said.as_deref().map(<[u8]>::trim_ascii) {
        Some(b"yes") => Check::ok(CHECK, "the clock is synchronised"),
        Some(b"no") => Check::warn(
            CHECK,
            "the clock is not synchronised",
            "run chrony or systemd-timesyncd: machines refuse certificates from another time",
        ),
        _ => Check::warn(
            CHECK,
            "whether the clock is synchronised cannot be told (timedatectl does not say)",
            "make sure that it is",
        ),
    }
}

const NET_BIND_SERVICE: u32 = 10;
const NET_RAW: u32 = 13;

pub(super) fn capabilities(settings: &Settings) -> Check {
    const CHECK: &str = "capabilities";
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let Some(mask) = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()) else {
        return Check::warn(CHECK, "what this process may do cannot be read from /proc", "mount /proc");
    };
    let has = |bit: u32| mask >> bit & 1 == 1;
    let mut ports = vec![settings.http.port(), settings.https.port(), settings.tftp.port()];
    ports.extend(settings.syslog.map(|syslog| syslog.port()));
    if !settings.dhcp_interfaces.is_empty() {
        ports.push(settings.dhcp_port);
    }
    let low = ports.iter().any(|port| *port < 1024);
    let fix =
        "run doctor as the daemon runs; its unit has AmbientCapabilities=CAP_NET_BIND_SERVICE CAP_NET_RAW";
    match (has(NET_BIND_SERVICE), has(NET_RAW)) {
        (false, _) if low => {
            Check::fail(CHECK, "CAP_NET_BIND_SERVICE is missing, and ports below 1024 are set", fix)
        }
        (_, false) => Check::warn(CHECK, "CAP_NET_RAW is missing: new clients get broadcasts", fix),
        _ => Check::ok(CHECK, "ports below 1024 and raw sockets are allowed"),
    }
}

/// The rows of the firmware table that every site needs.
const NEEDED: [&str; 2] = ["bios", "efi-x64"];

/// The boot program of each row of the firmware table; rows that can do without have one line together.
pub(super) fn programs(settings: &Settings) -> Vec<Check> {
    const CHECK: &str = "boot-program";
    let folder = settings.ipxe_dir.display();
    let (mut checks, mut without) = (Vec::new(), Vec::new());
    for (row, spec) in table::shipped() {
        checks.push(match first_program(settings, spec) {
            Some((_, path, size)) if size > 0 => Check::ok(CHECK, format!("{row}: {}", path.display())),
            Some((_, path, _)) => {
                Check::fail(CHECK, format!("{row}: {} is empty", path.display()), "install it again")
            }
            None if NEEDED.contains(&row.as_str()) => Check::fail(
                CHECK,
                format!("{row}: there is none of {} in {folder}", spec.programs.join(", ")),
                "install the package `ipxe`, or set ipxe.dir",
            ),
            None => {
                without.push(row.as_str());
                continue;
            }
        });
    }
    if !without.is_empty() {
        let rows = without.join(", ");
        checks.push(Check::ok(CHECK, format!("none in {folder} for {rows}: such machines get no answer")));
    }
    checks
}

/// The first of a row's programs that is there: its name, its file, and how many bytes that has.
pub(super) fn first_program<'a>(
    settings: &Settings,
    spec: &'a FirmwareSpec,
) -> Option<(&'a str, PathBuf, u64)> {
    spec.programs.iter().find_map(|name| {
        let path = settings.ipxe_dir.join(name);
        let size = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?.len();
        Some((name.as_str(), path, size))
    })
}

pub(super) fn agent(settings: &Settings) -> Check {
    const CHECK: &str = "agent";
    match &settings.agent {
        Some(path) if path.is_file() => Check::ok(CHECK, path.display().to_string()),
        Some(path) => Check::fail(CHECK, format!("there is no {}", path.display()), "see agent.binary"),
        None => Check::warn(
            CHECK,
            "there is none to hand out, so no machine becomes active",
            "set agent.binary to the file `pilotlight-agent`",
        ),
    }
}

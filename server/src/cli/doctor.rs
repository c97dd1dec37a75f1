//! `doctor`: whether this host can run the daemon, before it does.
use super::ServeArgs;
use crate::{
    config::{self, DatabaseUrl, Settings},
    dhcp::socket::{Sharing, Socket},
    domain::firmware::table,
    errors, interface,
    store::Db,
};
use pilotlight_types::resource::{FirmwareSpec, Name};
use std::{net::SocketAddr, path::Path, process::ExitCode};
use tokio::net::{TcpListener, UdpSocket};

/// What was found of one thing.
enum Finding {
    Good(String),
    Odd(String),
    Bad(String),
}

pub(super) async fn run(args: ServeArgs) -> ExitCode {
    let settings = match config::load(args.config.as_deref(), &args.overrides) {
        Ok(settings) => settings,
        Err(problems) => return super::serve::refused(&problems),
    };
    let mut findings = vec![Finding::Good("the configuration is good".into())];
    findings.push(data_dir(&settings.data_dir));
    findings.push(database(&settings).await);
    findings.extend(interfaces(&settings));
    findings.push(tcp("http.listen", settings.http).await);
    findings.push(tcp("https.listen", settings.https).await);
    findings.push(tftp(&settings).await);
    findings.extend(programs(&settings));
    findings.push(agent(&settings));
    let mut bad = 0;
    for finding in &findings {
        match finding {
            Finding::Good(text) => println!("ok       {text}"),
            Finding::Odd(text) => println!("warning  {text}"),
            Finding::Bad(text) => {
                bad += 1;
                println!("FAILED   {text}");
            }
        }
    }
    if bad == 0 {
        println!("\nthis host can run pilotlight");
        ExitCode::SUCCESS
    } else {
        println!("\n{bad} of {} checks failed", findings.len());
        ExitCode::FAILURE
    }
}

fn data_dir(path: &Path) -> Finding {
    let place = path.display();
    if !path.exists() {
        return Finding::Good(format!("data directory {place}: is made on first start"));
    }
    match tempfile::NamedTempFile::new_in(path) {
        Ok(_) => Finding::Good(format!("data directory {place}: can be written")),
        Err(error) => Finding::Bad(format!("data directory {place}: {error}; see server.data-dir")),
    }
}

async fn database(settings: &Settings) -> Finding {
    let DatabaseUrl::Postgres(url) = &settings.database else {
        return Finding::Good("database: SQLite, in the data directory".into());
    };
    match Db::postgres(url.expose()).await {
        Ok(db) => {
            db.close().await;
            Finding::Good("database: PostgreSQL answers, and its tables are of this version".into())
        }
        Err(error) => Finding::Bad(format!("database: {}; see database.url", errors::chain(&error))),
    }
}

fn interfaces(settings: &Settings) -> Vec<Finding> {
    if settings.dhcp_interfaces.is_empty() {
        return vec![Finding::Odd("DHCP: served on no interface; see dhcp.interfaces".into())];
    }
    let sharing = if settings.dhcp_share_port { Sharing::Broadcasts } else { Sharing::Alone };
    let bound = |name: &String| Socket::bind(name, settings.dhcp_port, sharing);
    let check = |name: &String| match (interface::addresses(name), bound(name)) {
        (Err(error), _) => Finding::Bad(format!("DHCP: {error}")),
        (Ok(_), Err(error)) => Finding::Bad(format!("DHCP: {}", errors::chain(&error))),
        (Ok(addresses), Ok(_)) if addresses.is_empty() => Finding::Bad(format!(
            "DHCP: {name} has no IPv4 address; give it one of the subnet that it is to serve"
        )),
        (Ok(addresses), Ok(_)) => {
            let all: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            Finding::Good(format!("DHCP: {name} ({}), port {} is free", all.join(", "), settings.dhcp_port))
        }
    };
    settings.dhcp_interfaces.iter().map(check).collect()
}

async fn tcp(key: &str, address: SocketAddr) -> Finding {
    match TcpListener::bind(address).await {
        Ok(_) => Finding::Good(format!("{key}: {address} is free")),
        Err(error) => Finding::Bad(format!("{key}: {address}: {error}")),
    }
}

async fn tftp(settings: &Settings) -> Finding {
    match UdpSocket::bind(settings.tftp).await {
        Ok(_) => Finding::Good(format!("tftp.listen: {} is free", settings.tftp)),
        Err(error) => Finding::Bad(format!("tftp.listen: {}: {error}", settings.tftp)),
    }
}

fn programs(settings: &Settings) -> Vec<Finding> {
    let check = |(row, spec): &(Name, FirmwareSpec)| {
        let there =
            spec.programs.iter().map(|program| settings.ipxe_dir.join(program)).find(|path| path.is_file());
        match there {
            Some(path) => Finding::Good(format!("boot program for {row}: {}", path.display())),
            None if NEEDED.contains(&row.as_str()) => Finding::Bad(format!(
                "boot program for {row}: there is none of {} in {}; install the package `ipxe`, or set ipxe.dir",
                spec.programs.join(", "),
                settings.ipxe_dir.display()
            )),
            None => Finding::Good(format!("boot program for {row}: none; such machines get no answer")),
        }
    };
    table::shipped().iter().map(check).collect()
}

/// The rows of the firmware table that every site needs.
const NEEDED: [&str; 2] = ["bios", "efi-x64"];

fn agent(settings: &Settings) -> Finding {
    match &settings.agent {
        Some(path) if path.is_file() => Finding::Good(format!("agent: {}", path.display())),
        Some(path) => Finding::Bad(format!("agent: there is no {}; see agent.binary", path.display())),
        None => {
            Finding::Odd("agent: none to hand out, so no machine becomes active; see agent.binary".into())
        }
    }
}

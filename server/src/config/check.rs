//! What a configuration means, once it is known to mean something.
mod ladder;
mod oidc;
mod secrets;
mod webhooks;

pub use ladder::LadderSettings;
pub use webhooks::WebhookSettings;

use super::fragment::Fragment;
use crate::secret::{
    Secret,
    oidc::{ExchangeRule, OidcAccess},
    vault::VaultAccess,
};
use pilotlight_types::resource::{Duration, Name};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

/// The configuration of the daemon.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data centre's name.
    pub site: Name,
    /// Where the daemon keeps its state.
    pub data_dir: PathBuf,
    /// The address that machines are told, when it is not the one that they asked.
    pub advertise: Option<IpAddr>,
    /// Where boot files are served.
    pub http: SocketAddr,
    /// Where everything else is served, with TLS.
    pub https: SocketAddr,
    /// Certificate chain and key, instead of those from the site CA.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The interfaces that DHCP is served on.
    pub dhcp_interfaces: Vec<String>,
    /// The DHCP server's port.
    pub dhcp_port: u16,
    /// Whether another DHCP server on this host has that port as well.
    pub dhcp_share_port: bool,
    /// Whether DHCPv6 is served on those interfaces too.
    pub dhcp_ipv6: bool,
    /// Where TFTP is served.
    pub tftp: SocketAddr,
    /// Where syslog is received; nowhere, if not set.
    pub syslog: Option<SocketAddr>,
    /// Where the boot programs are.
    pub ipxe_dir: PathBuf,
    /// The agent's binary.
    pub agent: Option<PathBuf>,
    /// How many machines' next boots one change may touch before their number must be said.
    pub guard_machines: usize,
    /// How long a boot may be silent at the most.
    pub patience: Duration,
    /// How long it may be silent at the least.
    pub floor: Duration,
    /// How long after it was switched on a machine's first packet may come.
    pub post: Duration,
    /// What is tried with machines that do not boot.
    pub ladder: LadderSettings,
    /// The database.
    pub database: DatabaseUrl,
    /// The folders below which secrets of profiles may be in files.
    pub secret_files: Vec<PathBuf>,
    /// The Vault that has secrets of profiles.
    pub vault: Option<VaultAccess>,
    /// How webhooks are told.
    pub webhooks: WebhookSettings,
    /// The issuer that people sign in at.
    pub oidc: Option<OidcAccess>,
    /// What pipelines get a token for.
    pub exchange: Vec<ExchangeRule>,
}

/// Which database.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// A file in the data directory.
    Sqlite,
    /// A server; the URL may hold a password.
    Postgres(Secret<String>),
}

/// Something wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The file, or the key.
    pub place: String,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

/// Where packages put the agent.
const AGENT: &str = "/usr/lib/pilotlight/pilotlight-agent";

impl Settings {
    /// Checks the whole configuration, and says everything that is wrong with it.
    pub fn check(from: Fragment) -> Result<Self, Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        let mut found =
            |place: &str, why: String| problems.push(ConfigProblem { place: place.to_owned(), why });
        let default_site = || "default".to_owned();
        let site = parsed::<Name>("site.name", &from.site.name.unwrap_or_else(default_site), &mut found);
        let advertise =
            from.server.advertise.and_then(|text| parsed::<IpAddr>("server.advertise", &text, &mut found));
        // With IPv6, every address of both families.
        let ipv6 = from.dhcp.ipv6.unwrap_or(false);
        let every = if ipv6 { "[::]" } else { "0.0.0.0" };
        let http = listen("http.listen", from.http.listen, &format!("{every}:8080"), &mut found);
        let https = listen("https.listen", from.https.listen, &format!("{every}:8443"), &mut found);
        let tftp = listen("tftp.listen", from.tftp.listen, &format!("{every}:69"), &mut found);
        let syslog =
            from.syslog.listen.and_then(|text| parsed::<SocketAddr>("syslog.listen", &text, &mut found));
        let patience = from.boot.patience.unwrap_or_else(|| "10m".to_owned());
        let patience = parsed::<Duration>("boot.patience", &patience, &mut found);
        if patience.is_some_and(|patience| patience.as_secs() < 10) {
            found("boot.patience", "a boot is given at least 10s".into());
        }
        let mut time = |place: &str, text: Option<String>, default: &str| {
            let time = parsed::<Duration>(place, &text.unwrap_or_else(|| default.to_owned()), &mut found);
            if time.is_some_and(|time| time.as_secs() < 1) {
                found(place, "at least 1s is expected".into());
            }
            time
        };
        let floor = time("boot.floor", from.boot.floor, "2m");
        let post = time("boot.post", from.boot.post, "15m");
        let certificate = match (from.https.certificate, from.https.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => {
                found(
                    "https.certificate",
                    "a certificate needs its key (https.key), and a key its certificate".into(),
                );
                None
            }
        };
        let interfaces = from.dhcp.interfaces.unwrap_or_default();
        for (index, name) in interfaces.iter().enumerate() {
            // IFNAMSIZ in Linux' if.h is 16, with the final NUL.
            if name.is_empty() || name.len() > 15 || name.contains(|c: char| c.is_whitespace() || c == '/') {
                found("dhcp.interfaces", format!("`{}` is no interface's name", name.escape_default()));
            } else if interfaces.iter().take(index).any(|other| other == name) {
                found("dhcp.interfaces", format!("`{name}` is there twice"));
            }
        }
        let dhcp_port = from.dhcp.port.unwrap_or(67);
        if dhcp_port == 0 || dhcp_port == u16::MAX {
            found("dhcp.port", "a port from 1 to 65534 is expected: clients are at the next one".into());
        }
        let database = match from.database.url.as_deref() {
            None | Some("sqlite") => Some(DatabaseUrl::Sqlite),
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Some(DatabaseUrl::Postgres(Secret::new(url.to_owned())))
            }
            // It may hold a password: it is not repeated.
            Some(_) => {
                found("database.url", "`sqlite` or a postgres:// URL is expected".into());
                None
            }
        };
        let data_dir = from.server.data_dir.unwrap_or_else(|| "/var/lib/pilotlight".into());
        let ipxe_dir = from.ipxe.dir.unwrap_or_else(|| "/usr/lib/ipxe".into());
        if data_dir.starts_with(&ipxe_dir) {
            let why = "everything below it is served to everybody, and server.data-dir, which has the keys, is there";
            found("ipxe.dir", why.into());
        }
        let ladder = ladder::ladder(&from.ladder, &mut found);
        let vault = secrets::vault(&from.vault, &mut found);
        let webhooks = webhooks::webhooks(&from.webhooks, &mut found);
        let people = oidc::people(&from.oidc, &mut found);
        let exchange = oidc::exchange(from.oidc.exchange.as_ref(), &mut found);
        let secret_files = from.secrets.files.unwrap_or_default();
        let own = [Some(&data_dir), certificate.as_ref().map(|(_, key)| key)];
        let own = own.into_iter().flatten().chain(&from.vault.token_file).chain(&from.vault.secret_id_file);
        let own = own.chain(&from.oidc.client_secret_file);
        secrets::check_files(&secret_files, own.map(PathBuf::as_path), &mut found);
        let packaged = || Some(PathBuf::from(AGENT)).filter(|path| path.is_file());
        let settings = (|| {
            Some(Self {
                site: site?,
                data_dir,
                advertise,
                http: http?,
                https: https?,
                certificate,
                dhcp_interfaces: interfaces,
                dhcp_port,
                dhcp_ipv6: ipv6,
                dhcp_share_port: from.dhcp.share_port.unwrap_or(false),
                tftp: tftp?,
                syslog,
                ipxe_dir,
                agent: from.agent.binary.or_else(packaged),
                patience: patience?,
                floor: floor?,
                post: post?,
                ladder: ladder?,
                guard_machines: from.guard.machines.unwrap_or(50),
                database: database?,
                secret_files,
                vault,
                webhooks: webhooks?,
                oidc: people,
                exchange,
            })
        })();
        match settings {
            Some(settings) if problems.is_empty() => Ok(settings),
            _ => Err(problems),
        }
    }
}

impl Settings {
    /// Whether the file that this was read from, which may hold a password, is where profiles may read secrets.
    pub(super) fn check_own_file(&self, file: &std::path::Path) -> Result<(), Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        let mut found =
            |place: &str, why: String| problems.push(ConfigProblem { place: place.to_owned(), why });
        secrets::check_files(&self.secret_files, [file], &mut found);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

fn parsed<T: FromStr>(place: &str, text: &str, found: &mut impl FnMut(&str, String)) -> Option<T>
where
    T::Err: fmt::Display,
{
    text.parse().map_err(|e: T::Err| found(place, format!("`{}`: {e}", text.escape_default()))).ok()
}

fn listen<T: FromStr>(
    place: &str,
    text: Option<String>,
    default: &str,
    found: &mut impl FnMut(&str, String),
) -> Option<T>
where
    T::Err: fmt::Display,
{
    parsed(place, &text.unwrap_or_else(|| default.to_owned()), found)
}

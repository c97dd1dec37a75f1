//! What the daemon takes of its host: ports, addresses, names, files.
use super::StartError;
use crate::{
    config::{LadderSettings, Settings},
    dhcp::{
        listener::Role as DhcpRole,
        socket::{Sharing, Socket},
    },
    dhcp6,
    domain::{
        firmware::table,
        ladder::Rules,
        webhook::{Manner, Reach},
    },
    interface,
    neighbor::Solicitations,
    secret::vault::VaultAccess,
    service::{files::Files, secrets::Vault, webhooks},
};
use pilotlight_types::api::Listens;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{
    collections::HashSet,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};
use tokio::net::TcpListener;

/// The port that a socket got.
pub(super) fn port(socket: &TcpListener) -> u16 {
    socket.local_addr().map(|address| address.port()).unwrap_or_default()
}

/// Port 67 of each interface, and 4011 beside it. Firmware knows those two and no others: who serves DHCP on another port has other clients.
pub(super) fn bind_dhcp(settings: &Settings) -> Result<Vec<(Socket, DhcpRole)>, StartError> {
    let sharing = if settings.dhcp_share_port { Sharing::Broadcasts } else { Sharing::Alone };
    let mut sockets = Vec::new();
    for name in &settings.dhcp_interfaces {
        sockets.push((Socket::bind(name, settings.dhcp_port, sharing)?, DhcpRole::Server));
        if settings.dhcp_port == 67 {
            sockets.push((Socket::bind(name, 4011, Sharing::Alone)?, DhcpRole::BootServer));
        }
    }
    Ok(sockets)
}

/// DHCPv6's port on each interface, if it is served.
pub(super) fn bind_dhcp6(settings: &Settings) -> Result<Vec<dhcp6::socket::Socket>, StartError> {
    let names = settings.dhcp_interfaces.iter().filter(|_| settings.dhcp_ipv6);
    names.map(|name| Ok(dhcp6::socket::Socket::bind(name)?)).collect()
}

/// Without IPv6 nobody solicits: that is no reason not to start.
pub(super) fn listen_for_solicitations(name: &str) -> Option<Solicitations> {
    Solicitations::bind(name)
        .inspect_err(|error| tracing::info!("no router solicitations are answered on {name}: {error}"))
        .ok()
        .flatten()
}

/// A TCP port, by the setting that says which.
pub(super) async fn bind_tcp(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "another program listens there (see `ss -ltnp`); stop it, or choose another port".into()
            }
            io::ErrorKind::PermissionDenied => {
                "no permission; run with CAP_NET_BIND_SERVICE, or choose a port above 1023".into()
            }
            io::ErrorKind::AddrNotAvailable => {
                "this host does not have that address (see `ip address`)".into()
            }
            _ => error.to_string(),
        };
        StartError::Tcp { key, address, hint, kind: error.kind() }
    })
}

/// What the daemon listens on, for people.
pub(super) fn listens(settings: &Settings, http: &TcpListener, https: &TcpListener) -> Vec<Listens> {
    let one = |service: &str, at: String| Listens { service: service.to_owned(), at };
    let tcp = |service: &str, socket: &TcpListener| {
        socket.local_addr().ok().map(|address| one(service, address.to_string()))
    };
    let mut all: Vec<Listens> = [tcp("http", http), tcp("https", https)].into_iter().flatten().collect();
    all.push(one("tftp", settings.tftp.to_string()));
    all.extend(settings.syslog.map(|address| one("syslog", address.to_string())));
    for name in &settings.dhcp_interfaces {
        all.push(one("dhcp", format!("{name}, port {}", settings.dhcp_port)));
        if settings.dhcp_ipv6 {
            all.push(one("dhcpv6", name.clone()));
        }
    }
    all
}

/// The addresses that machines and people may reach this server by: those that its certificate names.
pub(super) fn our_addresses(settings: &Settings) -> Result<HashSet<IpAddr>, StartError> {
    let mut ours: HashSet<IpAddr> = HashSet::from([IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    ours.extend(settings.advertise);
    for listen in [settings.http.ip(), settings.https.ip()] {
        ours.extend(Some(listen).filter(|ip| !ip.is_unspecified()));
    }
    for name in &settings.dhcp_interfaces {
        ours.extend(interface::addresses(name)?.into_iter().map(IpAddr::V4));
        ours.extend(interface::addresses6(name)?.into_iter().map(IpAddr::V6));
    }
    Ok(ours)
}

/// The names that this host is known by.
pub(super) fn names() -> Vec<String> {
    let own = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let plain = |name: &String| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
    };
    ["localhost".to_owned()].into_iter().chain(own.filter(plain)).collect()
}

/// What images are downloaded with.
pub(super) fn download_client() -> Result<reqwest::Client, StartError> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    client(roots)?.build().map_err(|e| StartError::HttpClient(e.to_string()))
}

/// The Vault that profiles have secrets in.
pub(super) fn vault(access: VaultAccess) -> Result<Vault, StartError> {
    let roots = trusted("vault.ca", access.ca.as_deref())?;
    // The token would go along to wherever a redirect leads: they are followed with care, by hand.
    let http = client(roots)?.redirect(reqwest::redirect::Policy::none()).no_proxy().build();
    Ok(Vault::new(access, http.map_err(|e| StartError::HttpClient(e.to_string()))?))
}

/// What an issuer is asked with: it names other URLs to ask, and leads nowhere else.
pub(super) fn oidc_client(ca: Option<&Path>) -> Result<reqwest::Client, StartError> {
    let http = client(trusted("oidc.ca", ca)?)?.redirect(reqwest::redirect::Policy::none()).build();
    http.map_err(|e| StartError::HttpClient(e.to_string()))
}

/// The authorities in a file, or Mozilla's.
fn trusted(key: &'static str, ca: Option<&Path>) -> Result<rustls::RootCertStore, StartError> {
    match ca {
        None => Ok(rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }),
        Some(path) => authorities(key, path),
    }
}

fn authorities(key: &'static str, path: &Path) -> Result<rustls::RootCertStore, StartError> {
    let bad = |why: String| StartError::Authorities(key, path.to_owned(), why);
    let file = |source| StartError::File { what: path.to_owned(), source };
    let pem = std::fs::read(path).map_err(file)?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|e| bad(e.to_string()))?;
        roots.add(certificate).map_err(|e| bad(e.to_string()))?;
    }
    if roots.is_empty() { Err(bad("there is no certificate in it".to_owned())) } else { Ok(roots) }
}

fn client(roots: rustls::RootCertStore) -> Result<reqwest::ClientBuilder, StartError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| StartError::HttpClient(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(std::time::Duration::from_secs(10))
        .user_agent(concat!("pilotlight/", env!("CARGO_PKG_VERSION")));
    Ok(builder)
}

/// What is tried with machines that do not boot.
pub(super) fn rules(settings: &LadderSettings) -> Rules {
    let LadderSettings { enabled, steps, pause, at_once } = settings.clone();
    Rules { enabled, steps, pause: pause.std(), at_once }
}

/// How webhooks are told.
pub(super) fn webhooks(settings: &Settings) -> webhooks::Settings {
    let from = &settings.webhooks;
    webhooks::Settings {
        site: settings.site.to_string(),
        manner: Manner {
            first: from.retry_first.std(),
            longest: from.retry_longest.std(),
            give_up: from.retry_for.std(),
        },
        reach: Reach { networks: from.networks.clone(), hosts: from.hosts.clone() },
        keep: from.keep.std(),
        keep_count: from.keep_count,
    }
}

/// The rows of the firmware table that every site needs.
const EXPECTED: [&str; 2] = ["bios", "efi-x64"];

/// Says what is not there, though most sites need it.
pub(super) fn warn_of_missing(settings: &Settings, files: &Files) {
    for (row, spec) in table::shipped().iter().filter(|(row, _)| EXPECTED.contains(&row.as_str())) {
        if !spec.programs.iter().any(|program| files.has(program)) {
            tracing::warn!(
                "there is none of {} in {}: {row} machines cannot boot; install the package `ipxe`, or set ipxe.dir",
                spec.programs.join(", "),
                settings.ipxe_dir.display()
            );
        }
    }
    if files.agent().is_none() {
        tracing::warn!("there is no agent to hand out, so no machine becomes active: set agent.binary");
    }
    if settings.dhcp_interfaces.is_empty() {
        tracing::warn!("DHCP is served on no interface: set dhcp.interfaces");
    }
}

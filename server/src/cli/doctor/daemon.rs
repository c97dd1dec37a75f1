//! The daemon that runs: what machines will ask of it is asked here, by the addresses that they will use.
use super::{Check, host::first_program, webhooks};
use crate::{cli::probe::tftp, config::Settings, domain::firmware::table, interface};
use anyhow::{Context, Result, ensure};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

pub(super) async fn checks(settings: &Settings) -> Vec<Check> {
    let mut checks = Vec::new();
    let client = match client(settings) {
        Ok(client) => client,
        Err(error) => {
            return vec![Check::fail(
                "certificate",
                format!("{error:#}"),
                "run doctor as root, or as the daemon's user",
            )];
        }
    };
    let (http, https) = (addresses(settings, settings.http), addresses(settings, settings.https));
    for address in &https {
        checks.push(ready(&client, *address).await);
    }
    if let Some(address) = https.first() {
        checks.extend(told(&client, *address).await);
    }
    // Any boot program will do: the first of the table.
    let program = table::shipped().iter().find_map(|(_, spec)| first_program(settings, spec));
    let program = program.map(|(name, _, size)| (name, size));
    let Some((name, size)) = program else { return checks };
    for address in &http {
        checks.push(by_http(&client, *address, name, size).await);
    }
    let tftp: Vec<SocketAddr> = addresses(settings, settings.tftp);
    for address in tftp {
        checks.push(by_tftp(address, name, size).await);
    }
    checks
}

/// Where machines reach a port: at the address that they are told, at those of the interfaces, or at the one that it is bound to.
fn addresses(settings: &Settings, listen: SocketAddr) -> Vec<SocketAddr> {
    let mut all: BTreeSet<IpAddr> = settings.advertise.into_iter().collect();
    if listen.ip().is_unspecified() {
        for name in &settings.dhcp_interfaces {
            all.extend(interface::addresses(name).unwrap_or_default().into_iter().map(IpAddr::V4));
            if settings.dhcp_ipv6 && listen.is_ipv6() {
                all.extend(interface::addresses6(name).unwrap_or_default().into_iter().map(IpAddr::V6));
            }
        }
        if all.is_empty() {
            all.insert(Ipv4Addr::LOCALHOST.into());
        }
    } else {
        all.insert(listen.ip());
    }
    all.into_iter().map(|ip| SocketAddr::new(ip, listen.port())).collect()
}

/// A client that trusts the site CA only, as machines do.
fn client(settings: &Settings) -> Result<reqwest::Client> {
    let path = settings.data_dir.join("ca.pem");
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&path).with_context(|| path.display().to_string())? {
        roots.add(certificate.with_context(|| path.display().to_string())?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(20))
        .build()?;
    Ok(client)
}

async fn ready(client: &reqwest::Client, address: SocketAddr) -> Check {
    const CHECK: &str = "https";
    let url = format!("https://{address}/readyz");
    match client.get(&url).send().await {
        Ok(response) if response.status().is_success() => {
            Check::ok(CHECK, format!("{url}: ready, and the certificate is for this address"))
        }
        Ok(response) => {
            let status = response.status();
            let why = response.text().await.unwrap_or_default();
            Check::fail(CHECK, format!("{url}: {status}: {}", why.trim()), "see the daemon's log")
        }
        Err(error) => Check::fail(
            CHECK,
            format!("{url}: {}", crate::errors::chain(&error)),
            "if it is the certificate: restart the daemon, which makes it for the addresses that there are now",
        ),
    }
}

/// Whether webhooks are told. That the daemon does not answer is said already.
async fn told(client: &reqwest::Client, address: SocketAddr) -> Vec<Check> {
    let asked = async { client.get(format!("https://{address}/metrics")).send().await?.text().await };
    asked.await.map(|metrics| webhooks::judged(&metrics)).unwrap_or_default()
}

async fn by_http(client: &reqwest::Client, address: SocketAddr, name: &str, size: u64) -> Check {
    const CHECK: &str = "http";
    let url = format!("http://{address}/boot/files/{name}");
    let fetched = async {
        let response = client.get(&url).send().await?.error_for_status()?;
        anyhow::Ok(response.bytes().await?.len() as u64)
    };
    same(CHECK, &url, fetched.await, size)
}

async fn by_tftp(server: SocketAddr, name: &str, size: u64) -> Check {
    let fetched = async {
        let fetched = tftp::get(None, server, name).await?;
        ensure!(fetched.told.is_none_or(|told| told == fetched.bytes), "another size was told beforehand");
        anyhow::Ok(fetched.bytes as u64)
    };
    same("tftp", &format!("tftp://{server}/{name}"), fetched.await, size)
}

fn same(check: &'static str, url: &str, fetched: Result<u64>, size: u64) -> Check {
    match fetched {
        Ok(bytes) if bytes == size => Check::ok(check, format!("{url}: {bytes} bytes, as in ipxe.dir")),
        Ok(bytes) => Check::warn(
            check,
            format!("{url}: {bytes} bytes, and {size} in ipxe.dir"),
            "restart the daemon: it reads boot programs at its start",
        ),
        Err(error) => {
            Check::fail(check, format!("{url}: {error:#}"), "is a firewall in between? see the daemon's log")
        }
    }
}

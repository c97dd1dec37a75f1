//! The peers, from Debian's packages, each set up for speed by its own documentation and left alone otherwise.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::ground::{SERVER, Server, peer, until_open};
use crate::rack::Namespace;

/// A TFTP server to compare with: its name, and whether it knows windows (RFC 7440).
pub const TFTP_PEERS: [(&str, bool); 3] = [("dnsmasq", false), ("atftpd", true), ("tftpd-hpa", false)];

/// Starts a TFTP server on port 69 with that folder's files; `None` when its package is not there.
pub fn tftp(network: &Namespace, name: &str, root: &Path, packages: Option<&Path>) -> Result<Option<Server>> {
    let unpacked = |file: &str| {
        packages.map(|dir| dir.join(name).join("usr/sbin").join(file)).filter(|path| path.is_file())
    };
    let program = match name {
        "dnsmasq" => Some(PathBuf::from("dnsmasq")).filter(|_| Path::new("/usr/sbin/dnsmasq").is_file()),
        "atftpd" => unpacked("atftpd"),
        _ => unpacked("in.tftpd"),
    };
    let Some(program) = program else { return Ok(None) };
    let mut command = peer(network, &program.to_string_lossy());
    let text = root.to_string_lossy();
    match name {
        "dnsmasq" => command
            .args(["-k", "-p0", "--enable-tftp", "--tftp-max=4000", "--user=root", "-C/dev/null"])
            .arg(format!("--tftp-root={text}")),
        // It is made for inetd; these turn off what would end it or slow it down.
        "atftpd" => command
            .args([
                "--daemon",
                "--no-fork",
                "--maxthread",
                "4000",
                "--verbose=0",
                "--user",
                "root",
                "--group",
                "root",
            ])
            .arg(text.as_ref()),
        _ => command.args(["-L", "-s", "-u", "root", "-B", "65464"]).arg(text.as_ref()),
    };
    start(command, name).map(Some)
}

/// Starts nginx on port 8080 with that folder's files, sendfile on, one worker; on port 8443 with TLS, if there is a
/// [`certificate`] in the folder.
pub fn nginx(network: &Namespace, root: &Path, folder: &Path) -> Result<Server> {
    let config = folder.join("nginx.conf");
    let tls = format!(
        "listen {SERVER}:8443 ssl; ssl_certificate {0}/tls.pem; ssl_certificate_key {0}/tls.key; ssl_protocols TLSv1.3;",
        folder.display()
    );
    let text = format!(
        "user root; worker_processes 1; daemon off; pid {0}/nginx.pid; error_log {0}/nginx.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log {0}/access.log; sendfile on; tcp_nopush on; keepalive_requests 1000000; open_file_cache max=100;\n\
         server {{ listen {SERVER}:8080; {2} root {1}; }} }}\n",
        folder.display(),
        root.display(),
        if folder.join("tls.key").is_file() { tls.as_str() } else { "" }
    );
    fs::write(&config, text)?;
    let mut command = peer(network, "nginx");
    command.arg("-c").arg(&config);
    let server = start(command, "nginx")?;
    until_open(network, 8080)?;
    Ok(server)
}

/// Makes a certificate for nginx in that folder; gives it, as PEM.
pub fn certificate(folder: &Path) -> Result<String> {
    let (name, address) = ("/CN=bench", format!("subjectAltName=IP:{SERVER}"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            name,
            "-addext",
            &address,
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            "tls.key",
            "-out",
            "tls.pem",
        ])
        .current_dir(folder)
        .output()
        .context("openssl cannot be started")?;
    ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    Ok(fs::read_to_string(folder.join("tls.pem"))?)
}

/// Starts Kea with a lease file, for every client that asks through a relay in the network.
pub fn kea(network: &Namespace, folder: &Path) -> Result<Server> {
    let config = folder.join("kea.json");
    let text = serde_json::json!({"Dhcp4": {
        "interfaces-config": {"interfaces": ["br0"], "dhcp-socket-type": "udp"},
        "lease-database": {"type": "memfile", "persist": true, "name": folder.join("kea.leases"), "lfc-interval": 0},
        "valid-lifetime": 3600,
        "subnet4": [{"id": 1, "subnet": "10.77.0.0/16", "pools": [{"pool": "10.77.64.0 - 10.77.191.255"}]}],
        "loggers": [{"name": "kea-dhcp4", "severity": "WARN", "output_options": [{"output": folder.join("kea.log")}]}],
    }});
    fs::write(&config, text.to_string())?;
    let mut command = peer(network, "kea-dhcp4");
    command.arg("-c").arg(&config).env("KEA_PIDFILE_DIR", folder).env("KEA_LOCKFILE_DIR", folder);
    start(command, "kea-dhcp4")
}

/// Starts dnsmasq as a DHCP server that keeps its leases in a file.
pub fn dnsmasq_dhcp(network: &Namespace, folder: &Path) -> Result<Server> {
    let mut command = peer(network, "dnsmasq");
    command
        .args([
            "-k",
            "-p0",
            "-C/dev/null",
            "--user=root",
            "--interface=br0",
            "--dhcp-lease-max=200000",
            "--no-ping",
        ])
        .arg("--dhcp-range=10.77.64.0,10.77.191.255,255.255.0.0,1h")
        .arg("--dhcp-authoritative")
        .arg(format!("--dhcp-leasefile={}", folder.join("dnsmasq.leases").display()));
    start(command, "dnsmasq")
}

fn start(mut command: Command, name: &str) -> Result<Server> {
    let process = command.spawn().with_context(|| format!("{name} cannot be started"))?;
    Ok(Server::Peer(process))
}

//! What a simulated machine fetches: its boot program, its script, and a look at the files that the script names.
use super::{Machine, Probe, Told, script, tftp};
use anyhow::Context;
use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Instant,
};

impl<W> Probe<W> {
    /// Fetches the boot program; says whether there is one to go on with.
    pub(super) async fn fetch_program(&mut self, told: &Told) -> bool {
        if self.own.is_none() {
            println!(
                "\n{} is not fetched: {} has no address to do that from",
                told.file.escape_debug(),
                self.args.interface
            );
            return true;
        }
        let Some((server, file)) = by_tftp(told, self.args.tftp_port) else {
            return self.fetch(&told.file, "boot program").await.is_some();
        };
        if self.machine.firmware.http() {
            self.wrong.push(format!("UEFI HTTP Boot takes URLs, and `{}` is none", told.file.escape_debug()));
            return false;
        }
        let began = Instant::now();
        let got = tftp::get(Some(&self.args.interface), server, file).await;
        let host = if server.is_ipv6() { format!("[{}]", server.ip()) } else { server.ip().to_string() };
        let what = format!("tftp://{host}/{}", file.escape_debug());
        match got {
            Ok(fetched) => {
                println!(
                    "\n{what}: {} bytes in blocks of {}, {:.2} s",
                    fetched.bytes,
                    fetched.block,
                    began.elapsed().as_secs_f64()
                );
                if let Some(told) = fetched.told.filter(|told| *told != fetched.bytes) {
                    self.wrong
                        .push(format!("{what}: the server told {told} bytes and sent {}", fetched.bytes));
                }
                true
            }
            Err(error) => {
                self.wrong.push(format!("{what}: {error:#}"));
                false
            }
        }
    }

    /// Fetches the script, and asks for what it names.
    pub(super) async fn fetch_script(&mut self, told: &Told) {
        if !told.file.starts_with("http://") {
            self.wrong.push(format!(
                "iPXE is told to boot `{}`, which is no script's URL: it would load itself again, for ever",
                told.file.escape_debug()
            ));
            return;
        }
        if self.own.is_none() {
            println!("\n{} is not fetched: the interface has no address", told.file.escape_debug());
            return;
        }
        let Machine { mac, uuid, .. } = self.machine;
        let who = script::settings_of(mac, uuid, self.args.serial.as_deref().unwrap_or_default());
        let Some(text) = self.fetch(&script::filled(&told.file, &who), "script").await else { return };
        let text = String::from_utf8_lossy(&text).into_owned();
        if !text.starts_with("#!ipxe") {
            self.wrong.push(format!("{} is no script: it does not begin with `#!ipxe`", told.file));
            return;
        }
        text.lines().for_each(|line| println!("  {}", line.escape_debug()));
        println!();
        for url in script::loads(&text) {
            self.head(&url).await;
        }
    }

    async fn fetch(&mut self, url: &str, what: &str) -> Option<Vec<u8>> {
        let began = Instant::now();
        let fetched = async {
            let response = self.http.get(url).send().await?.error_for_status()?;
            anyhow::Ok(response.bytes().await?.to_vec())
        };
        match fetched.await {
            Ok(content) => {
                let took = began.elapsed().as_secs_f64();
                println!("\n{}: {} bytes, {took:.2} s", url.escape_debug(), content.len());
                Some(content)
            }
            Err(error) => {
                self.wrong.push(format!("the {what} cannot be fetched: {error:#}"));
                None
            }
        }
    }

    /// Asks for a file without fetching it.
    async fn head(&mut self, url: &str) {
        // To fetch the config is to make a one-time token.
        if url.ends_with("/config.img") {
            return println!("{}: not asked for: it holds a one-time token", url.escape_debug());
        }
        let response = match self.http.head(url).send().await.context("no answer") {
            Ok(response) => response,
            Err(error) => return self.wrong.push(format!("{}: {error:#}", url.escape_debug())),
        };
        let length = response.headers().get("content-length").and_then(|value| value.to_str().ok());
        println!("{}: {}, {} bytes", url.escape_debug(), response.status(), length.unwrap_or("?"));
        if !response.status().is_success() {
            self.wrong.push(format!("{}: {}", url.escape_debug(), response.status()));
        } else if length.is_none() {
            self.wrong.push(format!("{}: no Content-Length, which firmware needs", url.escape_debug()));
        }
    }
}

/// The server, and the file on it, if what is to be booted comes by TFTP: a name, or a URL with an address of IPv6 (RFC 5970 section
/// 3.1).
fn by_tftp(told: &Told, port: u16) -> Option<(SocketAddr, &str)> {
    let Some((_, rest)) = told.file.split_once("://") else {
        return Some((SocketAddr::new(IpAddr::V4(told.server?), port), &told.file));
    };
    let (host, file) = rest.split_once('/').filter(|_| told.file.starts_with("tftp://"))?;
    let address: Ipv6Addr = host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
    Some((SocketAddr::new(address.into(), port), file))
}

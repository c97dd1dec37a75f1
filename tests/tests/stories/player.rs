//! A machine that is played by hand: it asks for one thing after the other, and is silent when the story wants it to be.

use std::io::Read;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::read::GzDecoder;
use pilotlight_tests::rack::{Host, Namespace};
use pilotlight_tests::sim::escaped;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use crate::dhcp::{Client, DISCOVER, IPXE, Message, UEFI};

/// A host with the NIC of a machine.
pub struct Player {
    host: Host,
    dhcp: Client,
    ca: String,
    /// Its serial number; empty where the firmware has none.
    pub serial: String,
    /// Its address, once it has one.
    pub address: Ipv4Addr,
}

/// What `config.img` holds.
#[derive(Debug, Clone)]
pub struct Pointer {
    pub url: String,
    pub token: String,
    pub hash: String,
}

/// What the config tells the agent.
#[derive(Debug, Clone)]
pub struct Agent {
    pub boot: String,
    pub token: String,
    server: String,
}

impl Player {
    pub fn new(network: &Namespace, name: &str, mac: &str, ca: &str) -> Result<Self> {
        let host = network.host(name, None)?;
        let dhcp = Client::new(&host, mac)?;
        Ok(Self { host, dhcp, ca: ca.to_owned(), serial: String::new(), address: Ipv4Addr::UNSPECIFIED })
    }

    /// Its DHCP client.
    pub fn dhcp(&mut self) -> &mut Client {
        &mut self.dhcp
    }

    /// The firmware's and iPXE's DHCP; gives what iPXE was told, and takes the address.
    pub fn power_on(&mut self) -> Result<Message> {
        self.dhcp.lease(UEFI)?;
        let ack = self.dhcp.lease(IPXE)?;
        self.address = ack.yiaddr;
        self.host.ip("addr flush dev eth0")?;
        self.host.ip(&format!("addr add {}/24 dev eth0", self.address))?;
        Ok(ack)
    }

    /// An offer, and no more.
    pub fn offered(&mut self) -> Result<Message> {
        self.dhcp.ask(DISCOVER, Ipv4Addr::UNSPECIFIED, UEFI)
    }

    /// From power-on to the script.
    pub fn script(&mut self) -> Result<String> {
        let ack = self.power_on()?;
        let url = ack.file.replace("${serial:uristring}", &escaped(&self.serial));
        let (status, body) = self.get(&url, None)?;
        ensure!(status == 200, "the script: {status}");
        Ok(String::from_utf8(body)?)
    }

    /// Fetches a URL from its address; gives status and body.
    pub fn get(&self, url: &str, token: Option<&str>) -> Result<(u16, Vec<u8>)> {
        self.curl(url, token, None)
    }

    /// Fetches all that the script names, but for the config; gives the URL of the boot's files.
    pub fn load(&self, script: &str) -> Result<String> {
        let base = script.lines().find_map(|line| line.strip_prefix("set base ")).context("no base")?;
        for file in ["kernel", "initramfs.img", "rootfs.img"] {
            let (status, body) = self.get(&format!("{base}/{file}"), None)?;
            ensure!(status == 200 && body.len() > 10_000, "{file}: {status}, {} bytes", body.len());
        }
        Ok(base.to_owned())
    }

    /// Fetches `config.img` and looks into it.
    pub fn pointer(&self, base: &str) -> Result<Pointer> {
        let (status, body) = self.get(&format!("{base}/config.img"), None)?;
        ensure!(status == 200, "config.img: {status} {}", String::from_utf8_lossy(&body));
        let mut archive = Vec::new();
        GzDecoder::new(body.as_slice()).read_to_end(&mut archive)?;
        let text = String::from_utf8_lossy(&archive);
        let json = text.split_once("{\"ignition\"").context("no config in the archive")?.1;
        let json = format!("{{\"ignition\"{}", json.split('\0').next().unwrap_or_default());
        let config: Value = serde_json::from_str(&json)?;
        let replace = &config["ignition"]["config"]["replace"];
        let word = |value: &Value| value.as_str().map(str::to_owned).context("not a pointer");
        let header = word(&replace["httpHeaders"][0]["value"])?;
        Ok(Pointer {
            url: word(&replace["source"])?,
            token: header.strip_prefix("Bearer ").context("no bearer token")?.to_owned(),
            hash: word(&replace["verification"]["hash"])?,
        })
    }

    /// Fetches the config as Ignition does, hash and all; gives what it tells the agent.
    pub fn ignition(&self, pointer: &Pointer) -> Result<Agent> {
        let (status, body) = self.get(&pointer.url, Some(&pointer.token))?;
        ensure!(status == 200, "the config: {status} {}", String::from_utf8_lossy(&body));
        ensure!(pointer.hash == format!("sha512-{}", hex::encode(Sha512::digest(&body))), "another hash");
        let whole: Value = serde_json::from_slice(&body)?;
        let parts = whole["ignition"]["config"]["merge"].as_array().context("no merged configs")?;
        for part in parts {
            let config: Value = serde_json::from_slice(&data(&part["source"])?)?;
            for file in config["storage"]["files"].as_array().into_iter().flatten() {
                if file["path"] == pilotlight_types::agent::CONFIG_PATH {
                    let agent: Value = serde_json::from_slice(&data(&file["contents"]["source"])?)?;
                    let word = |key: &str| agent[key].as_str().map(str::to_owned).context("no agent config");
                    return Ok(Agent { boot: word("boot")?, token: word("token")?, server: word("server")? });
                }
            }
        }
        anyhow::bail!("no part of the config is for the agent")
    }

    /// Sends what an agent sends; gives the status and the answer.
    pub fn report(&self, agent: &Agent, what: &str, token: &str, body: &Value) -> Result<(u16, Vec<u8>)> {
        let url = format!("{}/agent/v1/boots/{}/{what}", agent.server, agent.boot);
        self.curl(&url, Some(token), Some(body))
    }

    /// The agent's first words: it has started, and these are its facts.
    pub fn run(&self, agent: &Agent) -> Result<()> {
        let facts = json!({"version": 1, "agent": "played"});
        for (what, body) in [("progress", json!({"step": "started"})), ("facts", facts)] {
            let (status, body) = self.report(agent, what, &agent.token, &body)?;
            ensure!(status == 200, "{what}: {status} {}", String::from_utf8_lossy(&body));
        }
        Ok(())
    }

    fn curl(&self, url: &str, token: Option<&str>, body: Option<&Value>) -> Result<(u16, Vec<u8>)> {
        let out = tempfile::NamedTempFile::new()?;
        let ca = tempfile::NamedTempFile::new()?;
        std::fs::write(ca.path(), &self.ca)?;
        let mut curl = self.host.command("curl");
        curl.args(["-sS", "--max-time", "30", "--noproxy", "*", "-w", "%{http_code}", "--cacert"]);
        curl.arg(ca.path()).arg("-o").arg(out.path());
        if let Some(token) = token {
            curl.arg("-H").arg(format!("Authorization: Bearer {token}"));
        }
        if let Some(body) = body {
            curl.args(["-H", "Content-Type: application/json", "--data", &body.to_string()]);
        }
        let output = curl.arg(url).output()?;
        ensure!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
        let status = String::from_utf8(output.stdout)?.trim().parse()?;
        Ok((status, std::fs::read(out.path())?))
    }
}

fn data(url: &Value) -> Result<Vec<u8>> {
    let (_, encoded) = url.as_str().and_then(|url| url.split_once(";base64,")).context("no data: URL")?;
    Ok(BASE64.decode(encoded)?)
}

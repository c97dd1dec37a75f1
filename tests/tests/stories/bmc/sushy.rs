//! Over Redfish, by the emulator of OpenStack's sushy-tools with its fake driver.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use pilotlight_tests::client::Client;
use pilotlight_types::api::BmcStatus;
use reqwest::Method;
use serde_json::{Value, json};

use super::{SOON, password_is_nowhere, start, switched};
use crate::rig::skipped;

const SYSTEM: &str = "11111111-2222-3333-4444-555555555555";
const PASSWORD: &str = "sesame-of-sushy";

struct Emulator {
    process: Child,
    port: u16,
    certificate: String,
}

impl Emulator {
    async fn start(folder: &Path) -> Result<Self> {
        let program = std::env::var("PILOTLIGHT_SUSHY_EMULATOR").unwrap_or_else(|_| "sushy-emulator".into());
        let python = Path::new(&program).with_file_name("python");
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        fs::write(folder.join("cert.pem"), made.cert.pem())?;
        fs::write(folder.join("key.pem"), made.signing_key.serialize_pem())?;
        let hash = format!("import bcrypt; print(bcrypt.hashpw(b'{PASSWORD}', bcrypt.gensalt(4)).decode())");
        let hash = Command::new(python).args(["-c", &hash]).output().context("a Python with bcrypt")?;
        ensure!(
            hash.status.success(),
            "{program} is not there: make a venv with sushy-tools and bcrypt from PyPI, and name its sushy-emulator in PILOTLIGHT_SUSHY_EMULATOR"
        );
        fs::write(folder.join("htpasswd"), format!("admin:{}\n", String::from_utf8(hash.stdout)?.trim()))?;
        fs::create_dir(folder.join("state"))?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let at = |name: &str| json!(folder.join(name));
        let system = json!({"uuid": SYSTEM, "name": "node1", "power_state": "Off", "nics": [{"mac": "52:54:00:00:00:01", "ip": "127.0.0.2"}]});
        // JSON's texts and numbers are Python's, too.
        let config = format!(
            "SUSHY_EMULATOR_LISTEN_IP='127.0.0.1'\nSUSHY_EMULATOR_LISTEN_PORT={port}\nSUSHY_EMULATOR_SSL_CERT={}\nSUSHY_EMULATOR_SSL_KEY={}\n\
             SUSHY_EMULATOR_AUTH_FILE={}\nSUSHY_EMULATOR_STATE_DIR={}\nSUSHY_EMULATOR_FAKE_DRIVER=True\n\
             SUSHY_EMULATOR_FAKE_SYSTEMS=[dict({system}, external_notifier=False)]\n",
            at("cert.pem"),
            at("key.pem"),
            at("htpasswd"),
            at("state"),
        );
        fs::write(folder.join("sushy.conf"), config)?;
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", &program, "--config"])
            .arg(folder.join("sushy.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let emulator = Self { process, port, certificate: made.cert.pem() };
        let deadline = Instant::now() + SOON;
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            ensure!(Instant::now() < deadline, "sushy-emulator does not listen");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Ok(emulator)
    }

    /// The machine as somebody else sees it.
    async fn system(&self) -> Result<Value> {
        let client = Client::new(&format!("https://127.0.0.1:{}", self.port), None, &self.certificate)?;
        let basic = format!("Basic {}", BASE64.encode(format!("admin:{PASSWORD}")));
        let path = format!("/redfish/v1/Systems/{SYSTEM}");
        client.request(Method::GET, &path, &[("authorization", &basic)], None).await?.json()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_switched_by_an_emulator_that_we_did_not_write() -> Result<()> {
    if skipped("bmc") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let emulator = Emulator::start(folder.path()).await?;
    let address = format!("127.0.0.1:{}", emulator.port);
    let bmc =
        json!({"type": "redfish", "address": address, "tls": {"ca": emulator.certificate}, "system": SYSTEM});
    let rig = start(PASSWORD, bmc).await?;
    switched(&rig, json!({"action": "on", "boot": "pxe"})).await?;
    let system = emulator.system().await?;
    assert_eq!(system["PowerState"], "On");
    assert_eq!(system["Boot"]["BootSourceOverrideTarget"], "Pxe");
    switched(&rig, json!({"action": "cycle", "boot": "disk"})).await?;
    let system = emulator.system().await?;
    assert_eq!(
        (&system["PowerState"], &system["Boot"]["BootSourceOverrideTarget"]),
        (&json!("On"), &json!("Hdd"))
    );
    switched(&rig, json!({"action": "reset"})).await?;
    switched(&rig, json!({"action": "soft"})).await?;
    assert_eq!(emulator.system().await?["PowerState"], "Off");
    // It has no sessions: the password goes with each request, over TLS that was checked.
    let status: BmcStatus = rig.admin.get("/machines/n1/bmc").await?;
    assert!(status.answers, "{status:?}");
    assert_eq!(status.about.as_deref(), Some("Redfish 1.5.0, by name and password"));
    password_is_nowhere(&rig, PASSWORD).await
}

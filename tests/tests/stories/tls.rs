//! Who gets which certificate, by curl and openssl.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::rig::{Plan, Rig};

const NAME: &str = "pilotlight.example";

/// Makes a certificate as an operator has one, for a name, and its key.
fn certificate(folder: &Path) -> Result<()> {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", &format!("/CN={NAME}"), "-addext", &format!("subjectAltName=DNS:{NAME}")])
        .args(["-keyout", "people.key", "-out", "people.pem"])
        .current_dir(folder)
        .output()
        .context("openssl cannot be run: apt-get install openssl")?;
    ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

/// Whether a client that trusts this authority only is content.
fn trusted(rig: &Rig, authority: &Path, host: &str) -> Result<bool> {
    let https = rig.daemon.https();
    let said = Command::new("curl")
        .args([
            "-sS",
            "--noproxy",
            "*",
            "--connect-to",
            &format!("{NAME}:{}:{https}", https.port()),
            "--cacert",
        ])
        .arg(authority)
        .arg(format!("https://{host}:{}/healthz", https.port()))
        .output()
        .context("curl cannot be run")?;
    // 60: the certificate is not to be trusted.
    ensure!(matches!(said.status.code(), Some(0 | 60)), "curl: {}", String::from_utf8_lossy(&said.stderr));
    Ok(said.status.success())
}

#[tokio::test]
async fn people_who_come_by_name_see_the_operators_certificate_and_machines_the_sites() -> Result<()> {
    let plan = Plan::new()?;
    let folder = plan.folder.path().to_owned();
    certificate(&folder)?;
    let people = folder.join("people.pem");
    let set = |key: &str| folder.join(key).display().to_string();
    let rig = plan
        .with(|builder| {
            builder.set("https.certificate", set("people.pem")).set("https.key", set("people.key"))
        })
        .start()
        .await?;
    let address = rig.daemon.https().ip().to_string();
    let site = rig.daemon.ca_path();
    assert!(trusted(&rig, &people, NAME)?, "by name: the operator's");
    assert!(!trusted(&rig, &site, NAME)?, "and not the site's");
    assert!(trusted(&rig, &site, &address)?, "by address: the site's, which Ignition and the agent trust");
    assert!(!trusted(&rig, &people, &address)?, "and not the operator's");
    Ok(())
}

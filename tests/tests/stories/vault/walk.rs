//! Where a secret could be seen, all of it looked through: what the daemon keeps, says, sends and is called with, on either database.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use pilotlight_tests::vault::Vault;
use reqwest::Method;
use serde_json::{Value, json};

use super::{BUTANE, Booting, files, mac, stage_with, token};
use crate::postgres;
use crate::rig::{Plan, Rig, document, skipped};
use crate::secrets::is_known;

const SECRETS: [&str; 6] =
    ["of-the-vault-n1", "of-the-vault-n2", "of-a-file-n1", "of-a-file-n2", "of-the-environment", "hvs.story"];

#[tokio::test(flavor = "multi_thread")]
async fn secrets_reach_their_machine_and_are_found_nowhere_else() -> Result<()> {
    if skipped("vault") {
        return Ok(());
    }
    walk(Plan::new()?, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_are_they_where_postgresql_keeps_the_data() -> Result<()> {
    if skipped("vault") || skipped("postgres") {
        return Ok(());
    }
    let url = postgres::database()?;
    walk(Plan::new()?.with(|builder| builder.set("database.url", url.clone())), Some(&url)).await
}

async fn walk(plan: Plan, database: Option<&str>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let vault = Vault::start(folder.path())?;
    vault.state().put("secret/data/pilotlight/n1", "password", "of-the-vault-n1");
    vault.state().put("secret/data/pilotlight/n2", "password", "of-the-vault-n2");
    let login = token(&vault);
    // Whoever looks for a fault turns everything on.
    let plan = plan.with(|builder| builder.env("PILOTLIGHT_LOG", "trace"));
    let rig = stage_with(plan, &vault, &login, &["vault", "file", "env"], "1m").await?;
    let (n1, n2) = (Booting::new(&rig, 1).await?, Booting::new(&rig, 2).await?);
    let (first, second) = (n1.have(Duration::from_secs(5)).await?, n2.have(Duration::from_secs(5)).await?);
    for (own, other, config) in [("n1", "n2", &first), ("n2", "n1", &second)] {
        let files = files(config)?;
        assert_eq!(files["/etc/vault"], format!("data:,of-the-vault-{own}"));
        assert_eq!(files["/etc/file"], format!("data:,of-a-file-{own}"));
        assert_eq!(files["/etc/env"], "data:,of-the-environment");
        assert!(!format!("{files:?}").contains(&format!("of-the-vault-{other}")));
    }
    assert_eq!(n1.ask().await?.0, 403, "once");

    let planned = change(&rig).await?;
    let mut seen = BTreeMap::from([("plan".to_owned(), planned)]);
    seen.extend(by_command_line(&rig)?);
    seen.extend(by_rest(&rig).await?);
    let pid = rig.daemon.pid().context("it runs")?;
    seen.insert("its arguments".into(), fs::read_to_string(format!("/proc/{pid}/cmdline"))?);
    if let Some(url) = database {
        seen.insert("PostgreSQL".into(), postgres::dump(url)?);
    }
    let masked =
        seen.values().filter(|text| text.contains("<secret vault>") || text.contains("%3Csecret%20vault%3E"));
    assert!(masked.count() >= 4, "masks are shown where a config is");
    for (secret, form) in
        SECRETS.iter().flat_map(|secret| forms(secret).into_iter().map(move |form| (secret, form)))
    {
        for (place, text) in &seen {
            assert!(!text.contains(&form), "{secret} is shown by {place}");
        }
        // The database with its WAL, the log, events and boots; not the secrets themselves, which lie beside the data.
        assert_eq!(is_known(&rig, &form).await?, None, "{secret} as {form}");
    }
    println!("{} places looked through, for {} secrets", seen.len(), SECRETS.len());
    Ok(())
}

/// Plans and makes a change of the profile, for the audit log and the revisions; gives all that the plan shows of it.
async fn change(rig: &Rig) -> Result<String> {
    let env = json!({"env": "PILOTLIGHT_SECRET_STORY"});
    let secrets = json!({"vault": {"vault": "secret/data/pilotlight/n2#password"}, "file": env, "env": env});
    let spec = json!({"image": "small", "boot": "live", "butane": format!("{BUTANE}    - path: /etc/more\n"), "secrets": secrets});
    let file = rig.folder.path().join("changed.yaml");
    fs::write(&file, document("Profile", "worker", spec).to_string())?;
    let file = file.display().to_string();
    let mut shown = String::new();
    for output in ["text", "json", "markdown"] {
        let planned = rig.cli(&["plan", "-f", &file, "-o", output, "--detailed"])?;
        shown.push_str(&String::from_utf8_lossy(&planned.stdout));
        shown.push_str(&String::from_utf8_lossy(&planned.stderr));
    }
    ensure!(shown.contains("/etc/more"), "the plan shows what differs: {shown}");
    rig.cli_ok(&["apply", "-f", &file, "-m", "for the audit log"])?;
    rig.cli_ok(&["machine", "provision", "n2"])?;
    Ok(shown)
}

fn by_command_line(rig: &Rig) -> Result<Vec<(String, String)>> {
    let mac = mac(2);
    let commands: &[&[&str]] = &[
        &["explain", "n1"],
        &["explain", "n1", "-o", "json"],
        &["explain", "--mac", &mac],
        &["describe", "machine", "n1"],
        &["describe", "profile", "worker"],
        &["get", "all", "-o", "yaml"],
        &["get", "profile", "worker", "-o", "yaml"],
        &["get", "machines", "-o", "json"],
        &["get", "boots", "-o", "json"],
        &["revisions", "profile", "worker"],
        &["revisions", "profile", "worker", "1"],
        &["diff", "profile", "worker", "1", "2"],
        &["events"],
        &["audit", "list", "-o", "json"],
        &["audit", "export"],
        &["operation", "list", "-o", "json"],
    ];
    commands.iter().map(|arguments| Ok((arguments.join(" "), rig.cli_ok(arguments)?))).collect()
}

/// What every endpoint answers that can be looked at, as far as there is something to look at.
async fn by_rest(rig: &Rig) -> Result<Vec<(String, String)>> {
    let document: Value = rig.admin.get("/openapi.json").await?;
    let boot = rig.admin.machine("n1").await?.boot.context("no boot")?.id.to_string();
    let named = |path: &str| {
        let kinds = [
            ("machines", "n1"),
            ("profiles", "worker"),
            ("groups", "all"),
            ("images", "small"),
            ("subnets", "loopback"),
        ];
        let name = kinds.iter().find(|(kind, _)| path.contains(kind)).map_or("none", |(_, name)| *name);
        path.replace("{name}", name).replace("{revision}", "1").replace("{id}", &boot)
    };
    let mut seen = Vec::new();
    for (path, item) in document["paths"].as_object().context("no paths")? {
        if item.get("get").is_none() {
            continue;
        }
        let asked =
            if path.ends_with("/api/v1/explain") { format!("{path}?mac={}", mac(1)) } else { named(path) };
        let answer = rig.admin.request(Method::GET, &asked, &[], None).await?;
        ensure!(
            answer.status.is_success() || asked.contains("none") || answer.status == 404,
            "{asked}: {}",
            answer.status
        );
        if answer.status.is_success() {
            seen.push((asked, String::from_utf8_lossy(&answer.body).into_owned()));
        }
    }
    for path in ["/metrics", "/readyz", "/api/v1/audit?limit=1000"] {
        let answer = rig.admin.request(Method::GET, path, &[], None).await?;
        ensure!(answer.status.is_success(), "{path}: {}", answer.status);
        seen.push((path.to_owned(), String::from_utf8_lossy(&answer.body).into_owned()));
    }
    ensure!(seen.len() >= 25, "{} endpoints", seen.len());
    Ok(seen)
}

/// A text as it is, and in the clothes of base64 at each of its three places, hex and URLs.
fn forms(text: &str) -> Vec<String> {
    let mut forms = vec![text.to_owned(), hex::encode(text)];
    for before in ["", "x", "xy"] {
        let encoded = STANDARD_NO_PAD.encode(format!("{before}{text}"));
        // The first and the last characters depend on the neighbours.
        forms.push(encoded[4..encoded.len() - 4].to_owned());
    }
    forms
}

/// A core file holds what was in memory: the daemon leaves none.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_crashes_leaves_no_memory_behind() -> Result<()> {
    let rig = Plan::new()?.start().await?;
    let pid = rig.daemon.pid().context("it runs")?;
    let limits = fs::read_to_string(format!("/proc/{pid}/limits"))?;
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).context("no limit")?;
    ensure!(core.split_whitespace().nth(4) == Some("0"), "{core}");
    Ok(())
}

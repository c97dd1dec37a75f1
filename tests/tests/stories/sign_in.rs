//! People sign in: with a real browser, at a real issuer (npm's oidc-provider), and by the command line.

mod browser;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use pilotlight_tests::daemon;
use pilotlight_types::api::{AuditEntry, List, Token, User};
use serde_json::{Value, json};

use browser::{Browser, free_port};

use crate::rig::{Plan, Rig, skipped};

const PASSWORD: &str = "a long sentence of hers";
const SECRET: &str = "the secret of the stories: +/%&=";

/// The issuer's process, and what it says, which somebody must be there to hear: it ends otherwise.
struct Issuer(Child, BufReader<ChildStdout>);

impl Drop for Issuer {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Issuer {
    /// Starts it where a daemon expects it; `claims` says where it puts what it knows of people.
    fn start(port: u16, daemon: &str, claims: &str) -> Result<Self> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("issuer");
        ensure!(
            folder.join("node_modules").is_dir(),
            "npm ci in tests/issuer was not done: scripts/test does it"
        );
        let mut process = Command::new("node")
            .args(["issuer.mjs", &port.to_string(), &format!("{daemon}/sign-in/oidc/callback")])
            .env("CLAIMS", claims)
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("node cannot be run: apt-get install nodejs npm")?;
        let said = BufReader::new(process.stdout.take().context("its output is a pipe")?);
        let mut issuer = Self(process, said);
        let mut line = String::new();
        issuer.1.read_line(&mut line)?;
        ensure!(line.starts_with("ready"), "the issuer does not start: {line}");
        Ok(issuer)
    }
}

/// A daemon that believes the issuer on this port.
async fn believing(port: u16) -> Result<Rig> {
    let plan = Plan::new()?;
    let secret = plan.folder.path().join("oidc-secret");
    std::fs::write(&secret, SECRET)?;
    let plan = plan.with(|builder| {
        builder
            .set("oidc.issuer", format!("http://127.0.0.1:{port}"))
            .set("oidc.client-id", "pilotlight")
            .set("oidc.client-secret-file", secret.display().to_string())
            .set("oidc.cli-client-id", "pilotlight-cli")
            .set("oidc.scopes", json!(["openid", "profile", "groups"]))
            .set("oidc.roles.infra", "editor")
            .set("oidc.roles.everybody", "viewer")
    });
    plan.start().await
}

/// The command line of somebody who has nothing but a home.
fn person(rig: &Rig, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(daemon::pilotlight()?);
    command
        .args(arguments)
        .env_clear()
        .env("HOME", rig.folder.path())
        .env("PILOTLIGHT_URL", rig.daemon.url())
        .env("PILOTLIGHT_CA", rig.daemon.ca_path());
    Ok(command)
}

fn ran(mut command: Command, input: &str) -> Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    std::io::Write::write_all(&mut child.stdin.take().context("its input is a pipe")?, input.as_bytes())?;
    Ok(child.wait_with_output()?)
}

fn out(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn a_browser_signs_in_by_password_and_out_again() -> Result<()> {
    if skipped("browser") {
        return Ok(());
    }
    let rig = Plan::new()?.start().await?;
    let _: User =
        rig.admin.post("/users", &json!({"name": "alice", "password": PASSWORD, "role": "operator"})).await?;
    let browser = Browser::start(&rig.daemon.ca()?).await?;
    let at = |path: &str| format!("{}{path}", rig.daemon.url());
    browser.open(&at("/status")).await?;
    browser.comes_to(&at("/sign-in?next=")).await?;
    browser.enter("#name", "alice").await?;
    browser.enter("#password", "not her sentence").await?;
    browser.click("form button").await?;
    browser.shows("The name or the password is wrong.").await?;
    browser.enter("#password", PASSWORD).await?;
    browser.click("form button").await?;
    browser.comes_to(&at("/status")).await?;
    browser.shows("user:alice").await?;
    ensure!(browser.readable_cookies().await?.is_empty(), "no script can read the session");
    browser.click(".who button").await?;
    browser.shows("You are signed out.").await?;
    browser.open(&at("/status")).await?;
    browser.comes_to(&at("/sign-in")).await.context("she is out")?;
    Ok(())
}

#[tokio::test]
async fn a_browser_signs_in_at_the_issuer() -> Result<()> {
    if skipped("browser") {
        return Ok(());
    }
    for claims in ["token", "userinfo"] {
        let port = free_port()?;
        let rig = believing(port).await?;
        let (issuer, at) =
            (format!("http://127.0.0.1:{port}"), |path: &str| format!("{}{path}", rig.daemon.url()));
        let running = Issuer::start(port, &rig.daemon.url(), claims)?;
        let alice = Browser::start(&rig.daemon.ca()?).await?;
        alice.open(&at("/status")).await?;
        alice.click("a.button").await?;
        alice.agree(&issuer, "alice").await?;
        alice.comes_to(&at("/status")).await?;
        alice.shows("oidc:alice").await.context(claims)?;
        let log: List<AuditEntry> = rig.admin.get("/audit?actor=oidc%3Aalice").await?;
        let after = log.items.first().and_then(|entry| entry.after.clone()).unwrap_or_default();
        ensure!(after["role"] == "editor", "the higher of her groups' roles: {after}");

        let bob = Browser::start(&rig.daemon.ca()?).await?;
        bob.open(&at("/sign-in")).await?;
        bob.click("a.button").await?;
        bob.agree(&issuer, "bob").await?;
        let page = bob.page().await?;
        ensure!(
            page.contains("f the groups of bob, none may do anything here") && page.contains("guests"),
            "{page}"
        );
        bob.open(&at("/status")).await?;
        bob.comes_to(&at("/sign-in")).await.context("bob is not in")?;

        drop(running);
        alice.open(&at("/status")).await?;
        ensure!(alice.page().await?.contains("oidc:alice"), "who is in stays in while the issuer is away");
        ensure!(!rig.daemon.log().contains(SECRET), "the secret is in the log");
    }
    Ok(())
}

#[tokio::test]
async fn an_issuer_that_is_away_is_told_and_others_go_on() -> Result<()> {
    if skipped("browser") {
        return Ok(());
    }
    let rig = believing(free_port()?).await?;
    let _: User =
        rig.admin.post("/users", &json!({"name": "alice", "password": PASSWORD, "role": "viewer"})).await?;
    let browser = Browser::start(&rig.daemon.ca()?).await?;
    browser.open(&format!("{}/sign-in", rig.daemon.url())).await?;
    browser.click("a.button").await?;
    browser.shows("cannot be asked").await?;
    browser.shows("Local users and API tokens").await?;
    browser.enter("#name", "alice").await?;
    browser.enter("#password", PASSWORD).await?;
    browser.click("form button").await?;
    browser.shows("user:alice").await?;
    Ok(())
}

#[tokio::test]
async fn the_command_line_signs_in_by_the_device_flow() -> Result<()> {
    if skipped("browser") {
        return Ok(());
    }
    let port = free_port()?;
    let rig = believing(port).await?;
    let _issuer = Issuer::start(port, &rig.daemon.url(), "token")?;
    let mut login = person(&rig, &["login"])?.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut said = BufReader::new(login.stderr.take().context("its errors are a pipe")?);
    let lines = said.by_ref().lines().take(2).collect::<Result<Vec<_>, _>>()?;
    ensure!(lines[0].contains("enter the code"), "{lines:?}");
    let whole = lines[1].trim_start_matches("(or open ").trim_end_matches(')');
    let browser = Browser::start(&rig.daemon.ca()?).await?;
    browser.open(whole).await?;
    browser.agree(&format!("http://127.0.0.1:{port}"), "alice").await?;
    let ended = login.wait_with_output()?;
    let mut rest = out(&ended);
    said.read_to_string(&mut rest)?;
    ensure!(ended.status.success() && rest.contains("oidc:alice"), "{rest}");
    let kept = rig.folder.path().join(".config/pilotlight/credentials");
    ensure!(std::fs::metadata(&kept)?.permissions().mode() & 0o777 == 0o600, "only she can read it");
    let who = ran(person(&rig, &["whoami", "-o", "json"])?, "")?;
    let me: Value = serde_json::from_slice(&who.stdout).with_context(|| out(&who))?;
    ensure!(me["name"] == "oidc:alice" && me["role"] == "editor" && me["how"] == "oidc", "{me}");
    let listed: List<Token> = rig.admin.get("/tokens").await?;
    let theirs = |token: &&Token| token.holder.as_deref() == Some("oidc:alice");
    ensure!(listed.items.iter().filter(theirs).count() == 1, "{listed:?}");
    let gone = ran(person(&rig, &["logout"])?, "")?;
    ensure!(gone.status.success(), "{}", out(&gone));
    let listed: List<Token> = rig.admin.get("/tokens").await?;
    ensure!(!listed.items.iter().any(|token| token.holder.is_some()), "{listed:?}");
    Ok(())
}

#[tokio::test]
async fn the_command_line_signs_in_by_password() -> Result<()> {
    let rig = Plan::new()?.start().await?;
    let admin = rig.daemon.token()?;
    let as_admin = |arguments: &[&str]| -> Result<Command> {
        let mut command = person(&rig, arguments)?;
        command.env("PILOTLIGHT_TOKEN", &admin);
        Ok(command)
    };
    let made = ran(as_admin(&["user", "create", "alice", "--role", "operator"])?, &format!("{PASSWORD}\n"))?;
    ensure!(made.status.success() && out(&made).contains("user/alice created"), "{}", out(&made));
    let wrong = ran(person(&rig, &["login", "--user", "alice"])?, "not her sentence\n")?;
    ensure!(
        !wrong.status.success() && out(&wrong).contains("name or the password is wrong"),
        "{}",
        out(&wrong)
    );
    let nobody = ran(person(&rig, &["get", "machines"])?, "")?;
    ensure!(out(&nobody).contains("pilotlight login"), "{}", out(&nobody));
    let right = ran(person(&rig, &["login", "--user", "alice"])?, &format!("{PASSWORD}\n"))?;
    ensure!(right.status.success() && out(&right).contains("user:alice"), "{}", out(&right));
    let machines = ran(person(&rig, &["get", "machines"])?, "")?;
    ensure!(machines.status.success(), "{}", out(&machines));
    let next = format!("{PASSWORD}\nanother sentence of hers\n");
    let changed = ran(person(&rig, &["user", "passwd"])?, &next)?;
    ensure!(changed.status.success(), "{}", out(&changed));
    let over = ran(person(&rig, &["whoami"])?, "")?;
    ensure!(!over.status.success(), "her token is over with the password: {}", out(&over));
    let shut = ran(as_admin(&["user", "set", "alice", "--disabled"])?, "")?;
    ensure!(shut.status.success(), "{}", out(&shut));
    let out_now = ran(person(&rig, &["login", "--user", "alice"])?, "another sentence of hers\n")?;
    ensure!(!out_now.status.success(), "{}", out(&out_now));
    ensure!(!rig.daemon.log().contains("sentence"), "a password is in the log");
    Ok(())
}

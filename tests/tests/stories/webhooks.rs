//! Webhooks with a real daemon, which is killed, and a receiver that takes what the library of Standard Webhooks (PyPI) finds good.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pilotlight_types::api::{Delivery, DeliveryState, List, WebhookStatus};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::postgres;
use crate::rig::{Plan, Rig, document, machine, skipped, small_site};
use crate::secrets::is_known;
use crate::vault::http;

const KEY: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const TOKEN: &str = "Bearer hunter2-hunter2";
const SOON: Duration = Duration::from_secs(60);

/// A Python that has the library.
fn python() -> Result<String> {
    let python = std::env::var("PILOTLIGHT_STANDARDWEBHOOKS").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python).args(["-c", "import standardwebhooks"]).stderr(Stdio::null()).status();
    ensure!(
        has.is_ok_and(|status| status.success()),
        "{python} has no standardwebhooks: make a venv with it from PyPI, and name its python in PILOTLIGHT_STANDARDWEBHOOKS"
    );
    Ok(python)
}

/// The receiver, in a process of its own.
struct Receiver {
    process: Child,
    folder: TempDir,
    url: String,
    ca: String,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Receiver {
    fn start(key: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        fs::write(folder.path().join("cert.pem"), made.cert.pem())?;
        fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem())?;
        fs::write(folder.path().join("receiver.py"), include_str!("webhooks/receiver.py"))?;
        let mut process = Command::new(python()?)
            .arg(folder.path().join("receiver.py"))
            .args([key, folder.path()])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut port = String::new();
        BufReader::new(process.stdout.take().context("no output")?).read_line(&mut port)?;
        let url = format!("https://127.0.0.1:{}/", port.trim());
        Ok(Self { process, folder, url, ca: made.cert.pem() })
    }

    fn lines(&self, file: &str) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.folder.path().join(file)).unwrap_or_default();
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// What it took, without tests and what came again: ids and kinds.
    fn taken(&self) -> Result<Vec<(String, String)>> {
        let mut taken = Vec::new();
        for event in self.lines("taken")? {
            let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            let one = (word("id"), word("type"));
            if one.1 != "webhook.test" && !taken.contains(&one) {
                taken.push(one);
            }
        }
        Ok(taken)
    }

    fn away(&self, away: bool) -> Result<()> {
        let file = self.folder.path().join("away");
        if away { fs::write(file, "") } else { fs::remove_file(file) }.map_err(Into::into)
    }
}

/// A daemon, its webhook for all of `n1`, and the receiver.
async fn stage(plan: Plan) -> Result<(Rig, Receiver)> {
    let secrets = plan.folder.path().join("secrets");
    fs::create_dir(&secrets)?;
    fs::write(secrets.join("key"), KEY)?;
    fs::write(secrets.join("token"), TOKEN)?;
    let receiver = Receiver::start(&secrets.join("key"))?;
    let mut documents = small_site(plan.folder.path())?;
    let loopback = json!({"cidr": "127.0.0.0/8", "mode": "authoritative"});
    documents.push(document("Subnet", "loopback", loopback));
    let mut labelled = machine("n1", "02:00:00:00:09:01");
    labelled["labels"] = json!({"site": "dc1"});
    documents.push(labelled);
    let spec = json!({
        "url": receiver.url, "ca": receiver.ca, "events": ["*"], "selector": "site=dc1", "timeout": "2s",
        "secret": {"file": secrets.join("key")}, "headers": {"authorization": {"file": secrets.join("token")}},
    });
    documents.push(document("Webhook", "hook", spec));
    let rig = plan
        .with(|builder| {
            builder
                .set("secrets.files", json!([secrets]))
                .set("webhooks.allow", json!(["127.0.0.0/8"]))
                .set("webhooks.retry-first", "1s")
                .set("webhooks.retry-longest", "1s")
                .set("webhooks.retry-for", "5s")
        })
        .start()
        .await?;
    // The inventory first: what happens to `n1` before it is there is about no label.
    rig.admin.apply(&documents).await?;
    Ok((rig, receiver))
}

/// The machine comes for its script and its files.
async fn boot(rig: &Rig) -> Result<()> {
    let (base, http) = (format!("http://{}", rig.daemon.http()), http(rig, Ipv4Addr::new(127, 0, 9, 1))?);
    let get = async |url: String| anyhow::Ok(http.get(url).send().await?.error_for_status()?.bytes().await?);
    let script = get(format!("{base}/boot/ipxe?mac=02:00:00:00:09:01")).await?;
    let script = String::from_utf8_lossy(&script).into_owned();
    let base = script.lines().find_map(|line| line.strip_prefix("set base ")).context(script.clone())?;
    for file in ["kernel", "initramfs.img", "config.img", "rootfs.img"] {
        get(format!("{base}/{file}")).await?;
    }
    Ok(())
}

/// What happened to the machine since the webhook was declared, by the daemon's own word: ids and kinds.
async fn happened(rig: &Rig) -> Result<Vec<(String, String)>> {
    let events = rig.admin.events(0).await?;
    let of_n1 = events.into_iter().filter(|event| event.object == "machine/n1");
    Ok(of_n1.map(|event| (event.id.to_string(), event.kind)).collect())
}

/// Waits until the receiver has everything, in its order.
async fn until_told(rig: &Rig, receiver: &Receiver) -> Result<()> {
    let deadline = Instant::now() + SOON;
    loop {
        let (wanted, taken) = (happened(rig).await?, receiver.taken()?);
        if wanted == taken {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "it was told {taken:#?} and not {wanted:#?}");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn a_receiver_is_told_all_of_a_boot_whatever_is_killed(plan: Plan) -> Result<()> {
    let (mut rig, receiver) = stage(plan).await?;
    let deadline = Instant::now() + SOON;
    for round in 0..4 {
        boot(&rig).await?;
        rig.admin.post::<Value>("/machines/n1/hold", &json!({"reason": format!("round {round}")})).await?;
        // At once, and after a while: before, while and after it is told.
        sleep(Duration::from_millis(40 * round)).await;
        rig.daemon.kill()?;
        rig.daemon.start().await?;
        rig.admin = rig.daemon.client()?;
        rig.admin.post::<Value>("/machines/n1/release", &json!({})).await?;
        ensure!(Instant::now() < deadline + SOON, "it takes too long");
    }
    // On PostgreSQL, the turn of the daemon that was killed must pass first.
    let kinds: Vec<String> = happened(&rig).await?.into_iter().map(|(_, kind)| kind).collect();
    for kind in ["boot.started", "boot.phase", "machine.held", "machine.released"] {
        ensure!(kinds.iter().any(|known| known == kind), "{kind} is not among {kinds:?}");
    }
    until_told(&rig, &receiver).await?;
    ensure!(
        receiver.lines("refused")?.is_empty(),
        "each signature is good: {:?}",
        receiver.lines("refused")?
    );
    for secret in ["hunter2-hunter2", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkw"] {
        assert_eq!(is_known(&rig, secret).await?, None, "{secret}");
    }
    Ok(())
}

async fn deliveries(rig: &Rig, state: DeliveryState) -> Result<Vec<Delivery>> {
    Ok(rig.admin.get::<List<Delivery>>(&format!("/webhooks/hook/deliveries?state={state}")).await?.items)
}

async fn what_is_given_up_is_shown_and_replayed(plan: Plan) -> Result<()> {
    let (rig, receiver) = stage(plan).await?;
    until_told(&rig, &receiver).await?;
    let test = rig.cli_ok(&["webhook", "test", "hook"])?;
    ensure!(test.starts_with("200 in ") && test.contains("thanks for <secret>"), "{test}");
    receiver.away(true)?;
    boot(&rig).await?;
    let before = receiver.taken()?;
    let deadline = Instant::now() + SOON;
    while deliveries(&rig, DeliveryState::Dead).await?.is_empty()
        || !deliveries(&rig, DeliveryState::Pending).await?.is_empty()
    {
        ensure!(
            Instant::now() < deadline,
            "they are never given up: {:#?}",
            deliveries(&rig, DeliveryState::Pending).await?
        );
        sleep(Duration::from_millis(200)).await;
    }
    let dead = deliveries(&rig, DeliveryState::Dead).await?;
    let last = dead[0].attempts.last().context("no tries")?;
    ensure!(last.status == Some(503) && last.answer == "thanks for <secret>", "{last:?}");
    ensure!(rig.admin.events(0).await?.iter().any(|event| event.kind == "webhook.dead"));
    let listed = rig.cli_ok(&["webhook", "deliveries", "hook", "--state", "dead"])?;
    ensure!(
        listed.contains("boot.phase") && listed.contains("503") && !listed.contains("hunter2"),
        "{listed}"
    );
    let metrics = format!("http://{}/metrics", rig.daemon.http());
    let metrics = http(&rig, Ipv4Addr::LOCALHOST)?.get(metrics).send().await?.text().await?;
    ensure!(
        metrics.contains("pilotlight_webhook_tries_total{webhook=\"hook\",outcome=\"dead\"}"),
        "{metrics}"
    );
    receiver.away(false)?;
    assert_eq!(receiver.taken()?, before, "it took nothing meanwhile");
    let replayed = rig.cli_ok(&["webhook", "replay", "hook", "--dead"])?;
    ensure!(replayed.contains(&format!("{} deliveries are sent again", dead.len())), "{replayed}");
    until_told(&rig, &receiver).await?;
    // The receiver has it before the daemon has its answer.
    let deadline = Instant::now() + SOON;
    loop {
        let status: WebhookStatus = rig.admin.get("/webhooks/hook/status").await?;
        ensure!(status.dead == 0 && status.paused.is_none() && Instant::now() < deadline, "{status:?}");
        if status.pending == 0 {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    for secret in ["hunter2-hunter2", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkw"] {
        assert_eq!(is_known(&rig, secret).await?, None, "{secret}");
    }
    Ok(())
}

fn on_postgres() -> Result<Plan> {
    let url = postgres::database()?;
    Ok(Plan::new()?.with(|builder| builder.set("database.url", url)))
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_a_receiver_is_told_all_of_a_boot() -> Result<()> {
    if skipped("webhooks") {
        return Ok(());
    }
    a_receiver_is_told_all_of_a_boot_whatever_is_killed(Plan::new()?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_a_receiver_is_told_all_of_a_boot() -> Result<()> {
    if skipped("webhooks") {
        return Ok(());
    }
    a_receiver_is_told_all_of_a_boot_whatever_is_killed(on_postgres()?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_what_is_given_up_is_replayed() -> Result<()> {
    if skipped("webhooks") {
        return Ok(());
    }
    what_is_given_up_is_shown_and_replayed(Plan::new()?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_what_is_given_up_is_replayed() -> Result<()> {
    if skipped("webhooks") {
        return Ok(());
    }
    what_is_given_up_is_shown_and_replayed(on_postgres()?).await
}

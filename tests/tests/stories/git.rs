//! A site in Git: the page that tells of it, and the pipelines that are shipped, run against a daemon.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pilotlight_tests::daemon::{self, Builder};
use pilotlight_types::api::{List, Machine, Revision};

use crate::bad_wires::power_on;
use crate::net::Net;
use crate::render::blocks;
use crate::rig::{Plan, Rig, document, machine, skipped, small_site, subnet};

/// A repository's checkout, and whose client is called there.
struct Checkout<'a> {
    rig: &'a Rig,
    folder: &'a Path,
}

impl Checkout<'_> {
    /// Runs a script as a runner does: it ends with the first command that fails.
    fn sh(&self, script: &str, variables: &BTreeMap<&str, String>) -> Result<Output> {
        let program = daemon::pilotlight()?;
        let programs = program.parent().context("the program is in a folder")?.display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        Ok(Command::new("bash")
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(self.folder)
            .env("PATH", format!("{programs}:{path}"))
            .env("PILOTLIGHT_URL", self.rig.daemon.url())
            .env("PILOTLIGHT_TOKEN", self.rig.daemon.token()?)
            .env("PILOTLIGHT_CA", self.rig.daemon.ca_path())
            .envs(variables)
            .output()?)
    }

    /// The same, when it must succeed; gives what it printed.
    fn sh_ok(&self, script: &str, variables: &BTreeMap<&str, String>) -> Result<String> {
        let output = self.sh(script, variables)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "{script}\nended with {}:\n{said}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }
}

fn shipped(name: &str) -> Result<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))
}

#[tokio::test]
async fn the_page_on_git_leads_to_a_worker() -> Result<()> {
    if skipped("network") {
        return Ok(());
    }
    let net = Net::start_with("plgit", &[], Builder::with_agent).await?;
    let hall = net.rack.host("hall", Some("10.77.0.2/24".parse()?))?;
    net.rack.ip("route add 10.80.0.0/20 via 10.77.0.2")?;
    let (folder, image) = (tempfile::tempdir()?, tempfile::tempdir()?);
    for (name, size) in [("kernel", 70_000), ("initramfs.img", 150_000), ("rootfs.img", 300_000)] {
        fs::write(image.path().join(name), vec![b'x'; size])?;
    }
    // The page's network and machine are ours here: a simulated one, behind a relay.
    let ours = |text: &str| {
        text.replace("10.77.0.", "10.80.0.")
            .replace("52:54:00:12:34:56", "52:54:01:77:00:01")
            .replace("/srv/fcos", &image.path().display().to_string())
    };
    let checkout = Checkout { rig: &net.rig, folder: folder.path() };
    let mut hall = Some(hall);
    let mut said: Vec<(String, String)> = Vec::new();
    let mut first_boot: Option<String> = None;
    for (info, body) in blocks(&shipped("docs/git.md")?) {
        let body = ours(&body);
        if let Some(("yaml" | "text", name)) = info.split_once(' ') {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
            fs::write(path, body)?;
        } else if info == "sh" {
            if body.trim() == "pilotlight get machines" {
                let reports = power_on(hall.take().context("it is powered on once")?, 1).await?;
                ensure!(reports.iter().all(|report| report.files.iter().any(|file| file == "/etc/motd")));
                net.rig.admin.wait_for("n1", "active", Duration::from_secs(60)).await?;
                first_boot = net.rig.admin.boots("n1").await?.first().map(|boot| boot.id.to_string());
            }
            let printed = checkout.sh_ok(&body, &BTreeMap::new())?;
            said.push((body, printed));
        }
    }
    let printed = |command: &str| -> Result<&str> {
        let found = said.iter().find(|(body, _)| body.contains(command));
        Ok(&found.with_context(|| format!("the page does not say `{command}`"))?.1)
    };
    ensure!(printed("--message \"One worker\"")?.contains("+ Machine n1"));
    let listed = printed("pilotlight get machines\n")?;
    ensure!(listed.contains("n1") && listed.contains("active") && listed.contains("worker@1"), "{listed}");
    let change = printed("Greet at more length")?;
    ensure!(
        change.contains("next boot, 1 machine: n1") && change.contains("and so does this line"),
        "{change}"
    );
    let applied = printed("--expect-plan plan.json")?;
    ensure!(
        applied.contains("profile/base updated") && applied.contains("Greet at more length ("),
        "{applied}"
    );
    let drift = printed("drift=true")?;
    ensure!(drift.contains("n1") && drift.contains("worker@1 (wanted 2)"), "{drift}");
    ensure!(printed("rollback")?.contains("profile/worker updated"));
    ensure!(printed("get all")?.contains("No change"), "{}", printed("get all")?);
    ensure!(said.len() >= 8, "the commands were not found on the page");

    // What it got in its first boot is what it got then, though all of that has changed since.
    let boot = first_boot.context("it booted")?;
    let part = |part: &str| net.rig.cli_ok(&["explain", "--boot", &boot, "--part", part]);
    ensure!(part("kernel-args")?.lines().any(|line| line == "console=ttyS0"), "{}", part("kernel-args")?);
    ensure!(part("script")?.starts_with("#!ipxe\n"), "{}", part("script")?);
    let config = part("ignition")?;
    ensure!(config.contains("This%20machine%20comes%20from%20Git.%0A"), "{config}");
    let machine = net.rig.cli_ok(&["describe", "machine", "n1"])?;
    for words in
        [&boot, "Stage:", "worker, revision", "machine.active: n1 runs worker@1", "52:54:01:77:00:01"]
    {
        ensure!(machine.contains(words), "{words}: {machine}");
    }
    let past = net.rig.cli_ok(&["describe", "boot", &boot])?;
    ensure!(past.contains("profile worker, revision 1") && past.contains("Ignition config"), "{past}");
    Ok(())
}

/// The scripts of a job of GitLab's, each line by itself.
fn gitlab(file: &str, job: &str) -> Vec<String> {
    let of_job = file.lines().skip_while(|line| *line != format!("{job}:")).skip(1);
    let of_job = of_job.take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let script = of_job.skip_while(|line| *line != "  script:").skip(1);
    let lines = script.take_while(|line| line.starts_with("    "));
    lines.filter_map(|line| line.strip_prefix("    - ")).map(str::to_owned).collect()
}

/// The scripts of a GoCD pipeline, in their order.
fn gocd(file: &str) -> Vec<String> {
    let mut scripts = Vec::new();
    let mut lines = file.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim() != "- script: |" {
            continue;
        }
        let depth = line.len() - line.trim_start().len() + 4;
        let mut script = String::new();
        while let Some(text) =
            lines.next_if(|text| text.len() > depth && text.get(..depth).is_some_and(|b| b.trim().is_empty()))
        {
            script.push_str(text.trim_start());
            script.push('\n');
        }
        scripts.push(script);
    }
    scripts
}

/// A daemon with a guard of one machine, and a site of two in a checkout.
async fn two_machines(checkout: &Path) -> Result<Rig> {
    let rig = Plan::new()?.with(|builder| builder.set("guard.machines", 1)).start().await?;
    let mut all = small_site(rig.folder.path())?;
    all.extend([subnet("rack", "10.77.0", "ignore"), machine("n1", "02:00:00:00:00:01")]);
    all.push(machine("n2", "02:00:00:00:00:02"));
    fs::create_dir(checkout.join("site"))?;
    for one in all {
        let name = one.get("name").and_then(|name| name.as_str()).context("a name")?;
        fs::write(checkout.join("site").join(format!("{name}.json")), one.to_string())?;
    }
    Ok(rig)
}

fn group(checkout: &Path, mtu: u16) -> Result<()> {
    let group = document("Group", "all", serde_json::json!({"profile": "worker", "options": {"26": mtu}}));
    Ok(fs::write(checkout.join("site/all.json"), group.to_string())?)
}

#[tokio::test]
async fn the_pipeline_for_gitlab_does_what_it_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let rig = two_machines(folder.path()).await?;
    let checkout = Checkout { rig: &rig, folder: folder.path() };
    let file = shipped("deploy/gitlab-ci.yml")?;
    let mut variables: BTreeMap<&str, String> =
        [("CI_COMMIT_TITLE", "Two machines".to_owned()), ("CI_COMMIT_SHORT_SHA", "1a2b3c4d".to_owned())]
            .into();
    let job = |name: &str, variables: &BTreeMap<&str, String>| -> Result<String> {
        let script = gitlab(&file, name);
        ensure!(!script.is_empty(), "job {name} has no script");
        checkout.sh_ok(&script.join("\n"), variables)
    };
    let shown = job("plan", &variables)?;
    ensure!(
        shown.starts_with("### Pilotlight plan") && shown.contains("<b>create</b> Machine n1"),
        "{shown}"
    );
    ensure!(
        rig.admin.get::<List<Machine>>("/machines").await?.items.is_empty(),
        "a merge request changes nothing"
    );
    job("plan-main", &variables)?;
    job("apply", &variables)?;
    ensure!(rig.admin.get::<List<Machine>>("/machines").await?.items.len() == 2);
    let revisions: List<Revision> = rig.admin.get("/profiles/worker/revisions").await?;
    let message = revisions.items.first().and_then(|revision| revision.message.clone());
    ensure!(message.as_deref() == Some("Two machines (1a2b3c4d)"), "{message:?}");

    // Nothing is left to do, and that is no failure.
    ensure!(job("plan", &variables)?.contains("No change"));
    // More than the guard lets through: the number must be typed. And only what was planned is done.
    group(folder.path(), 9000)?;
    job("plan-main", &variables)?;
    ensure!(job("apply", &variables).is_err(), "nobody typed the number");
    variables.insert("ALLOW_MACHINES", "2".into());
    group(folder.path(), 1400)?;
    ensure!(job("apply", &variables).is_err(), "that is not the plan");
    group(folder.path(), 9000)?;
    job("apply", &variables)?;
    fs::remove_file(folder.path().join("site/n2.json"))?;
    job("plan-main", &variables)?;
    job("apply", &variables)?;
    ensure!(rig.admin.get::<List<Machine>>("/machines").await?.items.len() == 1, "n2 was pruned");
    Ok(())
}

#[tokio::test]
async fn the_pipeline_for_gocd_does_what_it_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let rig = two_machines(folder.path()).await?;
    let checkout = Checkout { rig: &rig, folder: folder.path() };
    let scripts = gocd(&shipped("deploy/gocd.yaml")?);
    let [plan, apply] = scripts.as_slice() else { anyhow::bail!("two scripts were expected: {scripts:?}") };
    let mut variables: BTreeMap<&str, String> = [
        ("GO_PIPELINE_NAME", "pilotlight-site".to_owned()),
        ("GO_PIPELINE_LABEL", "7".to_owned()),
        ("GO_REVISION", "1a2b3c4d".to_owned()),
        ("ALLOW_MACHINES", String::new()),
    ]
    .into();
    checkout.sh_ok(plan, &variables)?;
    ensure!(fs::read_to_string(folder.path().join("plan.md"))?.contains("<b>create</b> Machine n2"));
    checkout.sh_ok(apply, &variables)?;
    group(folder.path(), 9000)?;
    checkout.sh_ok(plan, &variables)?;
    ensure!(!checkout.sh(apply, &variables)?.status.success(), "nobody typed the number");
    variables.insert("ALLOW_MACHINES", "2".into());
    checkout.sh_ok(apply, &variables)?;
    let revisions: List<Revision> = rig.admin.get("/groups/all/revisions").await?;
    let message = revisions.items.first().and_then(|revision| revision.message.clone());
    ensure!(message.as_deref() == Some("pilotlight-site 7, 1a2b3c4d"), "{message:?}");
    Ok(())
}

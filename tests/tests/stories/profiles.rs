//! The profiles that are shipped: what they make is what their folders show, Ignition takes it, and a daemon takes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use pilotlight_tests::daemon;
use serde_json::{Value, json};

use crate::rig::{Plan, document, skipped, small_image, subnet};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../ignition-profiles")
}

/// The folders, by name.
fn all() -> Result<Vec<(String, PathBuf)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root())? {
        let path = entry?.path();
        if path.is_dir() {
            all.push((path.file_name().context("a name")?.to_string_lossy().into_owned(), path));
        }
    }
    all.sort();
    ensure!(all.len() >= 8, "profiles are missing: {all:?}");
    Ok(all)
}

/// What a profile makes for an example machine: as Debian's Ignition takes it, for it takes 3.3.0 at the most.
fn rendered(documents: &Path, profile: &str, more: &[&str]) -> Result<String> {
    let output = Command::new(daemon::pilotlight()?)
        .args(["render", profile, "--ignition", "3.3.0", "-f"])
        .arg(documents)
        .args(more)
        .env_clear()
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && said.is_empty(), "{profile}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}

fn judged(config: &str) -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), config)?;
    let judged = Command::new("/usr/bin/ignition-validate").arg(file.path()).output()?;
    let said =
        String::from_utf8_lossy(&judged.stderr).into_owned() + &String::from_utf8_lossy(&judged.stdout);
    ensure!(judged.status.success() && !said.contains("warning"), "{said}");
    Ok(())
}

#[test]
fn the_examples_are_what_the_profiles_make_and_ignition_takes_them() -> Result<()> {
    for (name, folder) in all()? {
        let mut shown = 0;
        for (file, more) in [("example.ign", &[][..]), ("example.args", &["-o", "kernel-args"])] {
            let made = rendered(&root(), &name, more)?;
            let nothing = ["", "{}"].contains(&made.trim());
            let path = folder.join(file);
            if std::env::var_os("UPDATE").is_some() && !nothing {
                fs::write(&path, &made)?;
            }
            if nothing {
                ensure!(!path.exists(), "{} shows nothing that is made", path.display());
                continue;
            }
            let example = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            ensure!(example == made, "{} is old; UPDATE=1 writes it anew", path.display());
            if file == "example.ign" {
                judged(&made).with_context(|| name.clone())?;
            }
            shown += 1;
        }
        ensure!(shown > 0, "{name} shows nothing");
    }
    Ok(())
}

/// The documents, each with one text in the place of another.
fn changed(changes: &[(&str, &str)]) -> Result<tempfile::TempDir> {
    let copy = tempfile::tempdir()?;
    for (name, folder) in all()? {
        for file in ["profile.yaml", "group.yaml"] {
            if let Ok(mut text) = fs::read_to_string(folder.join(file)) {
                for (from, to) in changes {
                    text = text.replace(from, to);
                }
                fs::write(copy.path().join(format!("{name}-{file}")), text)?;
            }
        }
    }
    Ok(copy)
}

#[test]
fn they_make_valid_configs_for_flatcar_and_without_what_may_be_left_out() -> Result<()> {
    let flatcar = changed(&[("    os: fedora-coreos\n", "    os: flatcar\n")])?;
    for name in ["base", "kubernetes-worker", "kubernetes-control-plane", "install-to-disk"] {
        let made = rendered(flatcar.path(), name, &[])?;
        judged(&made).with_context(|| name.to_owned())?;
        ensure!(made != rendered(&root(), name, &[])?, "{name} makes no difference for Flatcar");
    }
    let worker = rendered(flatcar.path(), "kubernetes-worker", &[])?;
    ensure!(
        worker.contains("/opt/bin/kubelet") && !worker.contains("/usr/local/bin"),
        "/usr is read-only there"
    );
    ensure!(worker.contains("timesyncd") && !worker.contains("chrony"), "{worker}");
    // A first machine of a control plane, and an installation over what is there.
    let others = changed(&[
        (
            "machine.labels[\"control-plane\"] | default(\"\")",
            "machine.labels[\"control-plane\"] | default(\"first\")",
        ),
        ("wipe: false\n    # What", "wipe: true\n    # What"),
    ])?;
    let first = rendered(others.path(), "kubernetes-control-plane", &[])?;
    judged(&first)?;
    ensure!(first.contains("kubeadm init") && !first.contains("kubeadm join"), "{first}");
    judged(&rendered(others.path(), "install-to-disk", &[])?)
}

#[test]
fn every_parameter_is_in_the_group_with_what_it_means() -> Result<()> {
    for (name, folder) in all()? {
        let profile = fs::read_to_string(folder.join("profile.yaml"))?;
        let word = |rest: &str| {
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
        };
        let used: BTreeSet<String> = profile.split("vars.").skip(1).map(word).collect();
        let secrets: BTreeSet<String> = profile.split("secrets.").skip(1).map(word).collect();
        let group = fs::read_to_string(folder.join("group.yaml")).unwrap_or_default();
        let (mut known, mut comment) = (BTreeSet::new(), false);
        for line in group.lines() {
            let key = line
                .strip_prefix("    ")
                .filter(|rest| !rest.starts_with([' ', '#', '-']))
                .and_then(|rest| rest.split_once(':'));
            if let Some((key, _)) = key.filter(|(key, _)| *key != "labels") {
                ensure!(
                    comment || key == "cluster_domain" || key == "service_subnet",
                    "{name}: nobody says what `{key}` is"
                );
                known.insert(key.to_owned());
            }
            comment = line.trim_start().starts_with('#');
        }
        // A comment may end in such a word.
        let needed: BTreeSet<String> =
            used.union(&secrets).filter(|name| !name.is_empty()).cloned().collect();
        ensure!(needed.is_subset(&known), "{name}: {needed:?} are used, {known:?} are told");
        let of_layer = ["os", "base"];
        let unused: Vec<&String> =
            known.difference(&needed).filter(|key| !of_layer.contains(&key.as_str())).collect();
        ensure!(unused.is_empty(), "{name}: {unused:?} are told, and nothing uses them");
        let readme = fs::read_to_string(folder.join("README.md"))?;
        ensure!(readme.starts_with(&format!("# {name}\n")), "{name}/README.md");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_takes_all_of_them_together() -> Result<()> {
    if skipped("api") {
        return Ok(());
    }
    let rig = Plan::new()?.start().await?;
    let image = small_image(rig.folder.path())?;
    let mut documents = vec![subnet("rack", "10.76.0", "discover")];
    for (name, os) in
        [("fedora-coreos", "fedora-coreos"), ("container-linux", "container-linux"), ("demo", "generic")]
    {
        let mut spec = image["spec"].clone();
        spec["os"] = json!(os);
        documents.push(document("Image", name, spec));
    }
    rig.admin.apply(&documents).await?;
    let said = rig.cli_ok(&["apply", "-f", root().to_str().context("a path")?])?;
    let profiles: Value = rig.admin.get("/profiles").await?;
    ensure!(profiles["items"].as_array().map(Vec::len) == Some(all()?.len()), "{said}");
    Ok(())
}

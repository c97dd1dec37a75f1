//! `describe`: what there is to know of one thing.

use anyhow::Result;
use serde_json::json;

use super::Begin;
use crate::rig::{document, machine, small_site, subnet};

pub async fn a_thing_is_described_with_who_uses_it_and_what_happened_to_it(begin: Begin) -> Result<()> {
    let rig = begin.start().await?;
    let mut site = small_site(rig.folder.path())?;
    let base = "variant: fcos\nversion: 1.4.0\npasswd: {users: [{name: core, password_hash: $6$planted}]}\n";
    site.push(document("Profile", "base", json!({"boot": "local", "butane": base})));
    site[1]["spec"]["layers"] = json!(["base"]);
    site.extend([subnet("rack", "10.77.0", "ignore"), machine("n1", "02:00:00:00:00:01")]);
    let file = rig.folder.path().join("site.json");
    std::fs::write(&file, site.iter().map(|one| format!("---\n{one}\n")).collect::<String>())?;
    rig.cli_ok(&["apply", "-f", &file.display().to_string(), "--message", "the first site"])?;
    for (kind, name, words) in [
        (
            "profile",
            "worker",
            &["Revision:   1, of ", "Used by:    group all", "Used by:    machine n1", ": the first site"][..],
        ),
        (
            "profiles",
            "base",
            &["Used by:    no group", "Used by:    profile worker", "password_hash: (masked)"][..],
        ),
        ("image", "small", &["Used by:    profile worker", "arch: x86_64"][..]),
        ("subnet", "rack", &["cidr: 10.77.0.0/24", "resource.changed: Subnet rack was created"][..]),
        ("group", "all", &["profile: worker"][..]),
        (
            "machine",
            "n1",
            &[
                "Stage:      provisioning, since ",
                "Profile:    worker, revision 1 is wanted",
                "Newest boots:\n  none",
            ][..],
        ),
    ] {
        let said = rig.cli_ok(&["describe", kind, name])?;
        for words in words {
            assert!(said.contains(words), "{kind} {name} has no `{words}`:\n{said}");
        }
        assert!(!said.contains("planted"), "{said}");
    }
    for (kind, name, words) in [
        ("machine", "n2", "n2"),
        ("rack", "a", "no kind of resource"),
        ("boot", "x", "error: "),
        ("boot", "01990000-0000-7000-8000-000000000000", "there is no boot"),
    ] {
        let output = rig.cli(&["describe", kind, name])?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(words), "{kind} {name}: {said}");
    }
    // A service without a home has nothing that somebody signed in with, and is told what it is missing.
    let mut command = rig.command(&["describe", "machine", "n1"])?;
    let output =
        command.env_remove("PILOTLIGHT_TOKEN").env_remove("HOME").env_remove("XDG_CONFIG_HOME").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("token") && !said.contains("HOME"), "{said}");
    Ok(())
}

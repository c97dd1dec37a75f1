//! `pilotlight render`: offline, as docs/profiles.md tells it. Its files and commands are taken from there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};
use pilotlight_tests::daemon;

/// A fenced block of a document: what stands after the fence, and what is in it.
pub fn blocks(document: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((info, body.join("\n") + "\n"));
        }
    }
    blocks
}

fn run(folder: &Path, args: &[&str]) -> Result<Output> {
    let program = daemon::pilotlight()?;
    Command::new(&program)
        .args(args)
        .current_dir(folder)
        .env_clear()
        .output()
        .with_context(|| format!("{} cannot be run", program.display()))
}

/// Both streams, as a terminal shows them: these commands write to one of them at a time.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_page_on_profiles_says_what_happens() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/profiles.md");
    let (mut files, mut commands) = (0, 0);
    for (info, body) in blocks(&fs::read_to_string(page)?) {
        if let Some(("yaml" | "text", name)) = info.split_once(' ') {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
            fs::write(path, body)?;
            files += 1;
        } else if info == "console" {
            for part in body.split("$ pilotlight ").skip(1) {
                let (command, expected) = part.split_once('\n').context("a command has a line")?;
                let output = run(folder.path(), &command.split(' ').collect::<Vec<_>>())?;
                assert_eq!(said(&output), expected, "{command}");
                let code = if expected.contains("error: ") { 1 } else { 0 };
                assert_eq!(output.status.code(), Some(code), "{command}");
                commands += 1;
            }
        }
    }
    assert!(files >= 6 && commands >= 4, "{files} files, {commands} commands");
    Ok(())
}

#[test]
fn what_cannot_be_rendered_ends_with_1_and_says_where() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text);
    let profile = |name: &str, spec: &str| format!("kind: Profile\nname: {name}\nspec: {spec}\n");
    write(
        "loop.yaml",
        &(profile("a", "{boot: local, layers: [b]}") + "---\n" + &profile("b", "{boot: local, layers: [a]}")),
    )?;
    write(
        "unknown.yaml",
        "kind: Profile\nname: a\nspec:\n  boot: local\n  kernelArgs: ['{{ vars.none }}']\n  butane: |\n    variant: fcos\n    version: 1.5.0\n    {{ vars.none }}\n",
    )?;
    write(
        "escape.bu",
        "variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /a\n      contents:\n        local: ../../etc/passwd\n",
    )?;
    write(
        "newer.bu",
        "variant: fcos\nversion: 1.5.0\nstorage:\n  luks:\n    - name: a\n      device: /dev/b\n      discard: true\n",
    )?;
    write("two.yaml", &(profile("a", "{boot: local}") + "---\n" + &profile("b", "{boot: local}")))?;
    write("long.bu", &format!("variant: fcos\nversion: 1.5.0\n# {}\n", "x".repeat(10 << 20)))?;
    for (args, expected) in [
        (&["loop.yaml", "--mac", "52:54:00:12:34:56"][..], "several profiles"),
        (&["a", "-f", "loop.yaml"], "loop.yaml:3:30: spec.layers[0]: b has a among its own layers"),
        (&["unknown.yaml"], "unknown.yaml:9:8: spec.butane: template: undefined value"),
        (&["unknown.yaml"], "unknown.yaml:5:20: spec.kernelArgs[0]: template: undefined value"),
        (&["escape.bu"], "escape.bu:7:16: `../../etc/passwd` leads out of the profile's folder"),
        (&["newer.bu", "--ignition", "3.3.0"], "newer.bu:7:16: "),
        (&["two.yaml"], "several profiles"),
        (&["none", "-f", "two.yaml"], "there is no profile none"),
        (&["two.yaml", "--machine", "n1"], "there is no machine n1"),
        (&["nowhere.bu"], "no file"),
        (&["long.bu"], "longer than"),
    ] {
        let output = run(folder.path(), &[&["render"][..], args].concat())?;
        let said = said(&output);
        ensure!(
            output.status.code() == Some(1) && said.contains(expected),
            "{args:?}: {expected}\ngot {said}"
        );
        ensure!(output.stdout.is_empty(), "{args:?} printed a config");
    }
    Ok(())
}

#[test]
fn a_config_of_an_older_spec_is_taken_by_debians_ignition() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let text = "variant: fcos\nversion: 1.5.0\nstorage:\n  files: [{path: /a, contents: {inline: x}}]\n";
    fs::write(folder.path().join("a.bu"), text)?;
    let output = run(folder.path(), &["render", "a.bu", "--ignition", "3.3.0"])?;
    ensure!(output.status.success(), "{}", said(&output));
    let config = folder.path().join("a.ign");
    fs::write(&config, &output.stdout)?;
    let judged = Command::new("/usr/bin/ignition-validate").arg(&config).output()?;
    ensure!(judged.status.success(), "{}", said(&judged));
    Ok(())
}

//! Plans, exports and revisions, by command line and REST.

use anyhow::{Context, Result};
use pilotlight_types::api::{List, Machine, NewToken, Plan, Problem, Resource, Revision, Role, Scope};
use reqwest::Method;
use serde_json::{Value, json};

use super::Begin;
use crate::rig::{Rig, document, machine, refused, small_site, subnet};

/// Runs the command line; gives its exit code and what it printed.
fn run(rig: &Rig, arguments: &[&str]) -> Result<(i32, String, String)> {
    let output = rig.cli(arguments)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code().context("it was killed")?, text(&output.stdout), text(&output.stderr)))
}

fn write(rig: &Rig, name: &str, documents: &[Value]) -> Result<String> {
    let path = rig.folder.path().join(name);
    std::fs::write(&path, documents.iter().map(|one| format!("---\n{one}\n")).collect::<String>())?;
    Ok(path.display().to_string())
}

/// Applies one document as somebody else would, who says how many machines that may change.
async fn by_hand(rig: &Rig, document: &Value) -> Result<()> {
    rig.admin.post::<Value>("/apply?allow-machines=2", &json!([document])).await.map(drop)
}

pub async fn a_plan_ends_with_2_where_something_changes_and_the_apply_of_it_goes_through(
    begin: Begin,
) -> Result<()> {
    let rig = begin.with(|builder| builder.set("guard.machines", 1)).start().await?;
    let mut all = small_site(rig.folder.path())?;
    all.extend([subnet("rack", "10.77.0", "ignore"), machine("n1", "02:00:00:00:00:01")]);
    all.push(machine("n2", "02:00:00:00:00:02"));
    let file = write(&rig, "site.yaml", &all)?;

    let (code, text, _) = run(&rig, &["plan", "-f", &file])?;
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("+ Machine n1") && text.contains("Plan: 6 to create"), "{text}");
    assert!(rig.admin.get::<List<Machine>>("/machines").await?.items.is_empty(), "nothing was done");
    let (code, text, _) = run(&rig, &["apply", "--dry-run", "-f", &file])?;
    assert!(code == 2 && text.contains("Plan: 6 to create"), "{text}");
    rig.cli_ok(&["apply", "-f", &file, "--message", "the first"])?;
    let (code, text, _) = run(&rig, &["plan", "-f", &file, "--prune"])?;
    assert_eq!((code, text.as_str()), (0, "No change: 6 documents as they are.\n"));

    // The same files, and a group whose machines get something else, and a machine less.
    all[2] = document("Group", "all", json!({"profile": "worker", "options": {"26": 9000}}));
    let gone = all.pop().context("a machine")?;
    write(&rig, "site.yaml", &all)?;
    let (code, text, _) = run(&rig, &["plan", "-f", &file, "--prune"])?;
    assert_eq!(code, 2);
    for part in [
        "~ Group all",
        "- Machine n2",
        "option 26: 0x2328",
        "--allow-machines 2",
        "The next boots of 2 machines differ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (_, shown, _) = run(&rig, &["plan", "-f", &file, "--prune", "-o", "markdown"])?;
    assert!(shown.contains("<details><summary><b>delete</b> Machine n2</summary>"), "{shown}");
    let (code, json, _) = run(&rig, &["plan", "-f", &file, "--prune", "-o", "json"])?;
    let plan: Plan = serde_json::from_str(&json)?;
    assert_eq!((code, plan.machines, plan.guard.needs), (2, 2, Some(2)));
    let planned = rig.folder.path().join("plan.txt");
    std::fs::write(&planned, &json)?;
    let planned = planned.display().to_string();

    let apply = ["apply", "-f", &file, "--prune"];
    let (code, _, error) = run(&rig, &apply)?;
    assert!(code == 1 && error.contains("the next boot of 2 machines would change"), "{error}");
    let expecting = [&apply[..], &["--allow-machines", "2", "--expect-plan", &planned]].concat();
    rig.admin.apply(&[subnet("other", "10.78.0", "ignore")]).await?;
    by_hand(&rig, &document("Group", "all", json!({"profile": "worker", "options": {"26": 1400}}))).await?;
    let (code, _, error) = run(&rig, &expecting)?;
    assert!(code == 1 && error.contains("Group all is updated"), "what differs is said: {error}");
    by_hand(&rig, &document("Group", "all", json!({"profile": "worker"}))).await?;
    let done = rig.cli_ok(&expecting)?;
    assert!(done.contains("group/all updated") && done.contains("machine/n2 deleted"), "{done}");
    assert_eq!(run(&rig, &["plan", "-f", &file, "--prune"])?.0, 0);
    assert_eq!(
        rig.admin.get::<Resource>("/subnets/other").await?.revision,
        1,
        "it was never from these files"
    );

    // What is wrong with a file is said at its line, with exit code 1; so is a daemon that does not answer.
    let bad = write(
        &rig,
        "bad.yaml",
        &[json!({"kind": "Group", "name": "bad", "spec": {"profile": "none"}}), gone],
    )?;
    let (code, _, error) = run(&rig, &["plan", "-f", &bad])?;
    assert!(code == 1 && error.contains("bad.yaml:2:"), "{error}");
    let (code, _, _) = run(&rig, &["plan", "-f", &file, "--url", "https://127.0.0.1:9"])?;
    assert_eq!(code, 1);
    let (code, _, error) = run(&rig, &["apply", "-f", &file, "--expect-plan", "nothing"])?;
    assert!(code == 1 && error.contains("neither a plan's hash nor a file"), "{error}");
    Ok(())
}

pub async fn everything_is_exported_and_applied_to_an_empty_daemon_and_exported_again(
    begin: Begin,
) -> Result<()> {
    let rig = begin.start().await?;
    let mut all = small_site(rig.folder.path())?;
    all.extend([subnet("rack", "10.77.0", "discover"), machine("n1", "02:00:00:00:00:01")]);
    all[1]["spec"]["butane"] = json!("variant: fcos\nversion: 1.5.0\nstorage:\n  trees: [{local: tree}]\n");
    all[1]["spec"]["files"] = json!({"tree/etc/a.conf": "a: {{ b }}\n\ttab\r\n  # c", "tree/bin": {"base64": "AAECAw==", "executable": true},
        "tree/link": {"link": "etc/a.conf"}, "tree/empty": "", "tree/yes": "yes", "tree/lines": "\n\n one\n\n"});
    all[1]["labels"] = json!({"a": "0755", "b": "null", "c": "1.0"});
    all.push(document("Group", "some", json!({"match": {"labels": {"role": "a"}}, "profile": "worker",
        "variables": {"text": "two\nlines", "number": 1.5, "list": [true, "on", null], "long": "word ".repeat(60).trim()}})));
    all.push(json!({"kind": "Firmware", "name": "old", "spec": {"match": {"client": "pxe"}, "programs": ["snponly.efi"], "window": 1}}));
    rig.admin.apply(&all).await?;
    let exported = rig.cli_ok(&["get", "all", "-o", "yaml"])?;
    assert_eq!(exported.matches("---\nkind:").count(), all.len(), "{exported}");
    let file = rig.folder.path().join("all.yaml");
    std::fs::write(&file, &exported)?;
    let file = file.display().to_string();
    let (code, text, error) = run(&rig, &["plan", "-f", &file])?;
    assert_eq!(code, 0, "what is exported is what there is: {text}{error}");

    let empty = crate::rig::Plan::new()?.start().await?;
    assert_eq!(empty.cli_ok(&["get", "all", "-o", "yaml"])?, "");
    empty.cli_ok(&["apply", "-f", &file])?;
    assert_eq!(empty.cli_ok(&["get", "all", "-o", "yaml"])?, exported, "the same bytes");
    assert_eq!(run(&empty, &["plan", "-f", &file, "--prune"])?.0, 0);
    let some = empty.cli_ok(&["get", "groups,subnets", "-o", "yaml"])?;
    assert!(
        some.starts_with("---\nkind: Subnet\n")
            && some.contains("kind: Group")
            && !some.contains("kind: Image")
    );
    Ok(())
}

pub async fn an_older_revision_is_compared_and_comes_back(begin: Begin) -> Result<()> {
    let rig = begin.start().await?;
    let mut all = small_site(rig.folder.path())?;
    all.push(subnet("rack", "10.77.0", "ignore"));
    let file = write(&rig, "site.yaml", &all)?;
    rig.cli_ok(&["apply", "-f", &file, "-m", "as it began"])?;
    all[1]["spec"]["kernelArgs"] = json!(["quiet"]);
    write(&rig, "site.yaml", &all)?;
    rig.cli_ok(&["apply", "-f", &file, "--message", "less noise"])?;

    let list = rig.cli_ok(&["revisions", "profile", "worker"])?;
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines[1].starts_with('2') && lines[1].ends_with("admin   less noise"), "{list}");
    assert!(lines[2].starts_with('1') && lines[2].ends_with("as it began"), "{list}");
    let diff = rig.cli_ok(&["diff", "profile", "worker", "1"])?;
    assert!(diff.starts_with("--- profile/worker@1\n+++ profile/worker@2\n@@"), "{diff}");
    assert!(diff.contains("\n+  kernelArgs:\n") && diff.contains("quiet"), "{diff}");

    let (code, text, _) = run(&rig, &["rollback", "profile", "worker", "--to", "1", "--dry-run"])?;
    assert!(code == 2 && text.contains("~ Profile worker (revision 2)"), "{text}");
    rig.cli_ok(&["rollback", "profile", "worker", "--to", "1"])?;
    let now: Resource = rig.admin.get("/profiles/worker").await?;
    assert_eq!((now.revision, now.spec.get("kernelArgs")), (3, None));
    let revisions: List<Revision> = rig.admin.get("/profiles/worker/revisions?limit=2").await?;
    assert_eq!(revisions.items[0].message.as_deref(), Some("rolled back to revision 1"));
    assert_eq!(revisions.next.as_deref(), Some("2"));
    // It is from the files still: the next apply of them would bring the argument back, and says so.
    assert_eq!(run(&rig, &["plan", "-f", &file, "--prune"])?.0, 2);
    for (path, status) in [
        ("/profiles/worker/revisions/9", 404),
        ("/profiles/worker/revisions/x", 400),
        ("/profiles/none/revisions", 404),
        ("/machines/n1/revisions", 404),
        ("/nothing/a/revisions", 404),
    ] {
        assert_eq!(refused(rig.admin.get::<Value>(path).await).status, status, "{path}");
    }
    Ok(())
}

pub async fn a_viewer_may_plan_and_nothing_else(begin: Begin) -> Result<()> {
    let rig = begin.start().await?;
    let new = NewToken {
        name: "merge-requests".into(),
        role: Role::Viewer,
        expires: None,
        scope: Scope::default(),
    };
    let token: Value = rig.admin.post("/tokens", &serde_json::to_value(&new)?).await?;
    let viewer = rig.daemon.client_with(token["token"].as_str())?;
    let wanted = json!([subnet("rack", "10.77.0", "ignore")]);
    let plan: Plan = viewer.post("/plan", &wanted).await?;
    assert_eq!(plan.changes.len(), 1);
    assert_eq!(refused(viewer.post::<Value>("/apply", &wanted).await).status, 403);
    for (query, status, code) in [
        ("prune=true", 400, "bad-request"),
        ("source=Not%20a%20name", 400, "bad-request"),
        ("soruce=a", 400, "bad-request"),
        ("prune=maybe", 400, "bad-request"),
        ("message=a%07b", 400, "bad-request"),
        ("allow-machines=-1", 400, "bad-request"),
        ("expect-plan=1234", 412, "plan-differs"),
    ] {
        let answer =
            rig.admin.request(Method::POST, &format!("/api/v1/apply?{query}"), &[], Some(&wanted)).await?;
        let problem: Problem = answer.json()?;
        assert_eq!((problem.status, problem.code.as_str()), (status, code), "{query}: {}", problem.detail);
    }
    assert!(rig.admin.get::<List<Resource>>("/subnets").await?.items.is_empty());
    Ok(())
}

//! What is declared, and how it changes.

use anyhow::Result;
use pilotlight_types::api::{Change, List, Machine, Problem, Resource};
use reqwest::Method;
use serde_json::{Value, json};

use super::Begin;
use crate::rig::{document, machine, refused, small_site, subnet};

pub async fn an_etag_keeps_two_people_from_overwriting_each_other(begin: Begin) -> Result<()> {
    let rig = begin.start().await?;
    let (path, admin) = ("/api/v1/subnets/rack", &rig.admin);
    let body = subnet("rack", "10.77.0", "ignore");
    let mut other = body.clone();
    other["spec"]["lease"] = json!("30m");

    let made = admin.request(Method::PUT, path, &[], Some(&body)).await?;
    assert_eq!((made.status.as_u16(), made.header("etag")), (201, "\"1\""));
    let read = admin.request(Method::GET, path, &[], None).await?;
    assert_eq!((read.status.as_u16(), read.header("etag")), (200, "\"1\""));
    let changed = admin.request(Method::PUT, path, &[("if-match", "\"1\"")], Some(&other)).await?;
    assert_eq!((changed.status.as_u16(), changed.header("etag")), (200, "\"2\""));
    let late = admin.request(Method::PUT, path, &[("if-match", "\"1\"")], Some(&body)).await?;
    assert_eq!((late.status.as_u16(), late.json::<Problem>()?.code.as_str()), (412, "precondition-failed"));
    assert_eq!(admin.get::<Resource>("/subnets/rack").await?.spec["lease"], "30m");
    assert_eq!(refused(admin.delete("/subnets/rack", Some("\"1\"")).await).code, "precondition-failed");
    assert_eq!(refused(admin.delete("/subnets/rack", Some("yesterday")).await).status, 400);
    let absent =
        admin.put::<Value>("/subnets/none", &subnet("none", "10.78.0", "ignore"), Some("\"1\"")).await;
    assert_eq!(refused(absent).code, "precondition-failed", "what is not there has no revision");
    admin.delete("/subnets/rack", Some("\"2\"")).await?;
    assert_eq!(refused(admin.get::<Resource>("/subnets/rack").await).status, 404);
    Ok(())
}

pub async fn of_many_writers_with_the_same_etag_one_wins(begin: Begin) -> Result<()> {
    let rig = begin.start().await?;
    rig.admin.apply(&[subnet("rack", "10.77.0", "ignore")]).await?;
    let mut writers = tokio::task::JoinSet::new();
    for minutes in 1..=20 {
        let admin = rig.admin.clone();
        writers.spawn(async move {
            let mut body = subnet("rack", "10.77.0", "ignore");
            body["spec"]["lease"] = json!(format!("{minutes}m"));
            admin.request(Method::PUT, "/api/v1/subnets/rack", &[("if-match", "\"1\"")], Some(&body)).await
        });
    }
    let answers: Vec<u16> = writers
        .join_all()
        .await
        .into_iter()
        .map(|answer| Ok(answer?.status.as_u16()))
        .collect::<Result<_>>()?;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [200, 412].contains(status)), "{answers:?}");
    assert_eq!(rig.admin.get::<Resource>("/subnets/rack").await?.revision, 2);
    Ok(())
}

pub async fn what_others_need_cannot_be_deleted(begin: Begin) -> Result<()> {
    let rig = begin.start().await?;
    rig.admin.apply(&small_site(rig.folder.path())?).await?;
    rig.admin.apply(&[machine("n1", "02:00:00:00:00:01")]).await?;
    for (path, why) in [("/images/small", "profile worker"), ("/profiles/worker", "group all")] {
        let problem = refused(rig.admin.delete(path, None).await);
        assert_eq!((problem.status, problem.code.as_str()), (409, "needed"), "{path}");
        assert!(problem.detail.contains(why), "{}", problem.detail);
    }
    rig.admin.delete("/groups/all", None).await?;
    let armed = refused(rig.admin.delete("/profiles/worker", None).await);
    assert!(armed.detail.contains("n1"), "a machine that is armed for it needs it: {}", armed.detail);
    for path in ["/machines/n1", "/profiles/worker", "/images/small"] {
        rig.admin.delete(path, None).await?;
        assert_eq!(refused(rig.admin.delete(path, None).await).status, 404);
    }
    assert_eq!(rig.cli(&["get", "machine", "n1"])?.status.code(), Some(1));
    Ok(())
}

pub async fn applying_the_same_again_changes_nothing(begin: Begin) -> Result<()> {
    let rig = begin.start().await?;
    let mut all = small_site(rig.folder.path())?;
    all.extend([subnet("rack", "10.77.0", "ignore"), machine("n1", "02:00:00:00:00:01")]);
    let first = rig.admin.apply(&all).await?;
    assert!(first.items.iter().all(|item| item.change == Change::Created), "{first:?}");
    let last = rig.admin.events(0).await?.last().map_or(0, |event| event.seq);
    let again = rig.admin.apply(&all).await?;
    assert!(again.items.iter().all(|item| item.change == Change::Unchanged), "{again:?}");
    assert_eq!(rig.admin.events(last).await?, [], "nothing happened");

    // What `get -o yaml` prints is what `apply` takes.
    for kind in ["subnets", "images", "profiles", "groups", "machines"] {
        let path = rig.folder.path().join(format!("{kind}.yaml"));
        std::fs::write(&path, rig.cli_ok(&["get", kind, "-o", "yaml"])?)?;
        let printed = rig.cli_ok(&["apply", "-f", &path.display().to_string()])?;
        assert!(printed.lines().all(|line| line.ends_with(" unchanged")), "{printed}");
    }
    Ok(())
}

pub async fn a_killed_daemon_has_lost_nothing_that_was_acknowledged(begin: Begin) -> Result<()> {
    let mut rig = begin.start().await?;
    let mut all = small_site(rig.folder.path())?;
    all.push(subnet("rack", "10.77.0", "discover"));
    rig.admin.apply(&all).await?;
    let paths = ["/subnets", "/images", "/profiles", "/groups", "/machines", "/boots", "/events?after=0"];
    for round in 0..5 {
        let mut newest = Value::Null;
        for number in 0..8 {
            let mac = format!("02:00:00:00:{round:02}:{number:02}");
            newest = rig
                .admin
                .put(&format!("/machines/r{round}n{number}"), &json!({"spec": {"macs": [mac]}}), None)
                .await?;
        }
        // The instant of the last answer.
        rig.daemon.kill()?;
        rig.daemon.start().await?;
        let kept: Value = rig.admin.get(&format!("/machines/r{round}n7")).await?;
        assert_eq!((&kept["id"], &kept["spec"]), (&newest["id"], &newest["spec"]));
    }
    let mut before = Vec::new();
    for path in paths {
        before.push(rig.admin.get::<Value>(path).await?);
    }
    assert_eq!(before[4]["items"].as_array().map(Vec::len), Some(40));
    rig.daemon.restart().await?;
    for (path, before) in paths.into_iter().zip(before) {
        assert_eq!(rig.admin.get::<Value>(path).await?, before, "{path}");
    }
    let code = rig.daemon.stop().await?.code();
    assert_eq!(code, Some(0), "SIGTERM is an orderly end");
    Ok(())
}

pub async fn lists_come_in_pages_and_by_selector(begin: Begin) -> Result<()> {
    let rig = begin.start().await?;
    let documents: Vec<Value> = (10..35)
        .map(|number| {
            let mut one = machine(&format!("n{number}"), &format!("02:00:00:00:00:{number}"));
            one["labels"] = json!({"role": if number % 2 == 0 { "worker" } else { "store" }});
            one
        })
        .collect();
    rig.admin.apply(&documents).await?;
    let mut names: Vec<String> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page: List<Machine> = rig.admin.get(&format!("/machines?limit=10{cursor}")).await?;
        assert!(page.items.len() <= 10);
        names.extend(page.items.into_iter().map(|machine| machine.name));
        match page.next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let all: Vec<String> = (10..35).map(|number| format!("n{number}")).collect();
    assert_eq!(names, all);
    let workers: List<Machine> = rig.admin.get("/machines?selector=role=worker").await?;
    assert_eq!(workers.items.len(), 13);
    let others: List<Machine> = rig.admin.get("/machines?selector=role!=worker,stage=ready").await?;
    assert_eq!(others.items.len(), 12);
    let printed = rig.cli_ok(&["get", "machines", "-l", "role=store"])?;
    assert_eq!(printed.lines().filter(|line| line.starts_with('n')).count(), 12, "{printed}");
    Ok(())
}

pub async fn a_machine_takes_only_what_its_stage_allows(begin: Begin) -> Result<()> {
    let rig = begin.start().await?;
    rig.admin.apply(&[machine("n1", "02:00:00:00:00:01")]).await?;
    let act = async |action: &str, body: Value| {
        rig.admin.post::<Machine>(&format!("/machines/n1/{action}"), &body).await
    };
    assert_eq!(rig.admin.machine("n1").await?.stage, "ready", "who declares a machine has accepted it");
    assert_eq!(refused(act("accept", json!({})).await).code, "refused");
    assert_eq!(refused(act("provision", json!({})).await).status, 409, "no group gives it a profile");
    let held = act("hold", json!({"reason": "its fan is loud"})).await?;
    assert_eq!(held.hold.map(|hold| hold.reason).as_deref(), Some("its fan is loud"));
    for reason in ["", " ", "two\nlines"] {
        assert_eq!(refused(act("hold", json!({"reason": reason})).await).status, 400, "{reason:?}");
    }
    assert_eq!(refused(act("hold", json!({"why": "x"})).await).status, 422);
    assert_eq!(act("release", json!({})).await?.hold, None);
    rig.admin.apply(&small_site(rig.folder.path())?).await?;
    assert_eq!(rig.admin.machine("n1").await?.stage, "provisioning", "a group arms it");
    assert_eq!(act("retire", json!({})).await?.stage, "retired");
    assert_eq!(refused(act("provision", json!({})).await).code, "refused");
    assert_eq!(act("accept", json!({})).await?.stage, "provisioning");
    let unknown = rig.admin.post::<Machine>("/machines/n2/accept", &json!({})).await;
    assert_eq!(refused(unknown).status, 404);
    let both = [document("Machine", "n2", json!({"macs": ["02:00:00:00:00:01"]}))];
    assert_eq!(refused(rig.admin.apply(&both).await).errors.len(), 1);
    Ok(())
}

//! What operators do by the command line: a token that is good for its work only, a rack at once, and the log of who did what.

use anyhow::{Context, Result};
use pilotlight_types::api::{AuditCheck, AuditEntry, CreatedToken, List};
use serde_json::{Value, json};

use super::Begin;
use crate::rig::{document, refused, small_site};

pub async fn a_rack_is_held_at_once_by_a_token_that_is_good_for_it(begin: Begin) -> Result<()> {
    let rig = begin.start().await?;
    rig.admin.apply(&small_site(rig.folder.path())?).await?;
    let in_rack = |name: &str, n: u8, rack: &str| {
        let spec = json!({"macs": [format!("52:54:00:00:05:{n:02x}")], "rack": rack});
        document("Machine", name, spec)
    };
    rig.admin.apply(&[in_rack("a1", 1, "a"), in_rack("a2", 2, "a"), in_rack("b1", 3, "b")]).await?;
    let made = rig.cli_ok(&[
        "token",
        "create",
        "shift",
        "--role",
        "operator",
        "--kinds",
        "machines",
        "--selector",
        "rack=a",
    ])?;
    let listed = rig.cli_ok(&["token", "list"])?;
    assert!(
        listed.lines().any(|line| line.starts_with("shift") && line.contains("Machine rack=a")),
        "{listed}"
    );

    let said = rig.cli_ok(&["machine", "hold", "-l", "rack=a", "--reason", "the switch", "--dry-run"])?;
    assert_eq!(said.matches("would be").count(), 2, "{said}");
    assert_eq!(rig.admin.machine("a1").await?.hold, None, "only said");
    let held = rig.cli_ok(&["machine", "hold", "-l", "rack=a", "--reason", "the switch"])?;
    assert!(held.contains("a1") && held.contains("a2") && !held.contains("b1"), "{held}");
    assert_eq!(rig.admin.machine("a2").await?.hold.context("on hold")?.reason, "the switch");

    let shift = rig.daemon.client_with(Some(made.trim()))?;
    let names = |list: &Value| list["items"].as_array().map_or(0, Vec::len);
    assert_eq!(names(&shift.get::<Value>("/machines").await?), 2);
    let elsewhere = refused(shift.post::<Value>("/machines/b1/retire", &json!({})).await);
    assert_eq!((elsewhere.status, elsewhere.code.as_str()), (403, "forbidden"));
    assert!(elsewhere.detail.contains("selector `rack=a`"), "{}", elsewhere.detail);
    let not_its_role = refused(shift.put::<Value>("/machines/a1", &json!({"spec": {}}), None).await);
    assert!(not_its_role.detail.contains("may not `"), "{}", not_its_role.detail);
    shift.post::<Value>("/machines/a1/release", &json!({})).await?;
    let retired = rig.cli(&["machine", "retire", "b1", "none", "--dry-run"])?;
    assert!(!retired.status.success(), "one name at a time, or a selector");
    Ok(())
}

pub async fn who_changed_what_is_listed_and_the_log_is_whole(begin: Begin) -> Result<()> {
    let mut rig = begin.start().await?;
    let token: CreatedToken = rig.admin.post("/tokens", &json!({"name": "bob", "role": "editor"})).await?;
    let bob = rig.daemon.client_with(Some(&token.token))?;
    bob.apply(&[document("Profile", "p", json!({"boot": "local"}))]).await?;
    assert_eq!(refused(bob.get::<Value>("/audit").await).status, 403, "the log is for admins");
    let of_bob: List<AuditEntry> = rig.admin.get("/audit?actor=bob").await?;
    let [entry] = of_bob.items.as_slice() else { anyhow::bail!("{of_bob:?}") };
    assert_eq!((entry.action.as_str(), entry.object.as_str()), ("created", "profile/p"));
    assert_eq!(entry.after.as_ref().context("what it is")?["spec"]["boot"], "local");
    let from: std::net::IpAddr = entry.remote.as_deref().context("from where")?.parse()?;
    assert!(from.is_loopback(), "{from}");
    let request = entry.request.as_deref().context("by which request")?;
    assert!(rig.daemon.log().contains(request), "the server's log has it too");

    let table = rig.cli_ok(&["audit", "list", "--object", "profile/p"])?;
    assert!(table.lines().any(|line| line.contains("bob") && line.contains("created")), "{table}");
    let exported = rig.cli_ok(&["audit", "export"])?;
    let rows: Vec<AuditEntry> = exported.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert!(rows.len() >= 3 && rows.windows(2).all(|two| two[0].seq < two[1].seq), "{exported}");
    let check: AuditCheck = rig.admin.get("/audit/verify").await?;
    assert_eq!((usize::try_from(check.rows)?, check.broken), (rows.len(), None));
    rig.daemon.restart().await?;
    let verified = rig.cli_ok(&["audit", "verify", "--head", &check.head])?;
    assert!(verified.contains(&check.head), "{verified}");
    bob.apply(&[document("Profile", "q", json!({"boot": "local"}))]).await?;
    let moved_on = rig.cli(&["audit", "verify", "--head", &check.head])?;
    assert!(!moved_on.status.success(), "it is another hash by now");
    Ok(())
}

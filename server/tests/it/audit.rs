//! The audit log: who, from where, what; and that nobody changes it unseen.
use crate::rig::{MAC1, Rig, machine, on_both, operator};
use pilotlight::{
    service::{
        audit::{Audit, AuditFilter},
        journal::Actor,
    },
    store::Db,
};
use pilotlight_types::{Timestamp, api::AuditEntry};
use sqlx::AssertSqlSafe;

on_both!(
    a_change_is_told_with_who_from_where_and_by_which_request,
    rows_are_found_by_actor_object_and_time_and_come_in_pages,
    a_row_that_is_changed_taken_out_or_moved_is_told,
    the_end_of_the_log_is_missed_too,
    of_many_writers_at_once_each_has_its_place_in_the_chain,
    the_chain_goes_on_after_a_restart,
    rows_from_before_the_chain_are_counted_and_no_more,
);

fn audit(rig: &Rig) -> Audit {
    Audit::new(rig.db.clone())
}

async fn all(rig: &Rig, filter: AuditFilter) -> Vec<AuditEntry> {
    audit(rig).list(&filter, (i64::MAX, Some(0)), 10_000).await.unwrap()
}

/// What somebody with the database's password may do.
async fn meddle(rig: &Rig, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    let changed = match &rig.db {
        Db::Sqlite { writer, .. } => sqlx::query(sql).execute(writer).await.unwrap().rows_affected(),
        Db::Postgres(pool) => sqlx::query(sql).execute(pool).await.unwrap().rows_affected(),
    };
    assert!(changed > 0, "nothing was changed");
}

/// Where the log is broken.
async fn broken(rig: &Rig) -> Option<Option<i64>> {
    audit(rig).verify().await.unwrap().broken.map(|broken| broken.seq)
}

async fn a_change_is_told_with_who_from_where_and_by_which_request(rig: Rig) {
    let actor = Actor { remote: Some([10, 0, 0, 7].into()), ..Actor::named("alice").asking("r7") };
    rig.changes.apply(&[machine("n1", MAC1)], &actor).await.unwrap();
    rig.machines.hold("n1", Some("a DIMM".into()), &actor).await.unwrap();
    let rows = all(&rig, AuditFilter::default()).await;
    let last = rows.last().unwrap();
    assert_eq!(
        (last.actor.as_str(), last.remote.as_deref(), last.request.as_deref()),
        ("alice", Some("10.0.0.7"), Some("r7"))
    );
    assert_eq!((last.action.as_str(), last.object.as_str()), ("changed", "machine/n1"));
    assert_eq!(last.before.as_ref().unwrap()["hold"], serde_json::Value::Null);
    assert_eq!(last.after.as_ref().unwrap()["hold"], "a DIMM");
    let made = rows.iter().find(|row| row.action == "created").unwrap();
    assert_eq!(
        (&made.before, &made.after.as_ref().unwrap()["spec"]["macs"][0]),
        (&None, &serde_json::json!(MAC1))
    );
    assert_eq!(broken(&rig).await, None);
}

async fn rows_are_found_by_actor_object_and_time_and_come_in_pages(rig: Rig) {
    rig.apply(&rig.documents()).await;
    rig.advance(60);
    let then = rig.journal.now();
    rig.changes
        .apply(&[machine("n2", "52:54:00:00:00:02")], &Actor::named("bob").asking("r2"))
        .await
        .unwrap();
    let of = async |filter| all(&rig, filter).await.into_iter().map(|row| row.object).collect::<Vec<_>>();
    let by = AuditFilter { actor: Some("bob".into()), ..AuditFilter::default() };
    assert!(!of(by.clone()).await.is_empty() && of(by).await.iter().all(|object| object == "machine/n2"));
    assert_eq!(
        of(AuditFilter { object: Some("group/workers".into()), ..AuditFilter::default() }).await,
        ["group/workers"]
    );
    let since = of(AuditFilter { since: Some(then), ..AuditFilter::default() }).await;
    let until = of(AuditFilter { until: Some(then), ..AuditFilter::default() }).await;
    assert!(since.iter().all(|object| object == "machine/n2") && !since.is_empty(), "{since:?}");
    assert!(!until.contains(&"machine/n2".to_owned()) && until.len() > 4, "{until:?}");
    let everything = all(&rig, AuditFilter::default()).await;
    let (mut paged, mut before) = (Vec::new(), i64::MAX);
    loop {
        let page = audit(&rig).list(&AuditFilter::default(), (before, None), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        before = last.seq;
        paged.extend(page);
    }
    paged.reverse();
    assert_eq!(paged, everything, "newest first, page by page, is all of them");
}

async fn a_row_that_is_changed_taken_out_or_moved_is_told(rig: Rig) {
    rig.apply(&rig.documents()).await;
    let rows = all(&rig, AuditFilter::default()).await;
    let [_, second, third, ..] = rows.as_slice() else { panic!("{rows:?}") };
    let (one, other) = (second.seq, third.seq);
    assert_eq!(broken(&rig).await, None);
    for (column, value, was) in [
        ("actor", "'mallory'", format!("'{}'", second.actor)),
        ("object", "'group/none'", format!("'{}'", second.object)),
        ("before", "'{}'", "NULL".to_owned()),
        ("request", "NULL", format!("'{}'", second.request.as_deref().unwrap())),
        ("at", "at + 1", "at - 1".to_owned()),
        ("hash", "'00'", format!("'{}'", second.hash.as_deref().unwrap())),
    ] {
        meddle(&rig, &format!("UPDATE audit SET {column} = {value} WHERE seq = {one}")).await;
        assert_eq!(broken(&rig).await, Some(Some(one)), "{column} was changed");
        meddle(&rig, &format!("UPDATE audit SET {column} = {was} WHERE seq = {one}")).await;
        assert_eq!(broken(&rig).await, None, "{column} is as it was");
    }
    // Two rows change places: every column of each is the other's.
    let swap = |a: i64, b: i64| {
        let columns = ["at", "actor", "remote", "action", "object", "before", "after", "request", "hash"];
        let set: Vec<String> = columns.iter().map(|c| format!("{c} = other.{c}")).collect();
        format!(
            "UPDATE audit SET {} FROM (SELECT * FROM audit WHERE seq IN ({a}, {b})) AS other \
             WHERE audit.seq IN ({a}, {b}) AND other.seq <> audit.seq",
            set.join(", ")
        )
    };
    meddle(&rig, &swap(one, other)).await;
    assert_eq!(broken(&rig).await, Some(Some(one)), "two rows changed places");
    meddle(&rig, &swap(one, other)).await;
    assert_eq!(broken(&rig).await, None, "they are back");
    meddle(&rig, &format!("DELETE FROM audit WHERE seq = {one}")).await;
    assert_eq!(broken(&rig).await, Some(Some(other)), "a row was taken out before this one");
}

async fn the_end_of_the_log_is_missed_too(rig: Rig) {
    rig.apply(&rig.documents()).await;
    let last = all(&rig, AuditFilter::default()).await.last().unwrap().seq;
    meddle(&rig, &format!("DELETE FROM audit WHERE seq = {last}")).await;
    let check = audit(&rig).verify().await.unwrap();
    assert!(check.broken.as_ref().unwrap().why.contains("the log ends after"), "{check:?}");
    assert_eq!(check.broken.unwrap().seq, None);
}

async fn of_many_writers_at_once_each_has_its_place_in_the_chain(rig: Rig) {
    let many = (0..40).map(|n| {
        let changes = rig.changes.clone();
        async move {
            let document = machine(&format!("n{n}"), &format!("52:54:00:00:01:{n:02x}"));
            changes.apply(&[document], &operator()).await.unwrap();
        }
    });
    futures_util::future::join_all(many).await;
    let check = audit(&rig).verify().await.unwrap();
    assert_eq!((check.rows, check.broken), (40, None));
    assert_eq!(check.head, all(&rig, AuditFilter::default()).await.last().unwrap().hash.clone().unwrap());
}

async fn the_chain_goes_on_after_a_restart(rig: Rig) {
    rig.apply(&rig.documents()).await;
    let before = audit(&rig).verify().await.unwrap();
    let rig = rig.restarted().await;
    rig.apply(&[machine("n2", "52:54:00:00:00:02")]).await;
    let after = audit(&rig).verify().await.unwrap();
    assert!(after.rows > before.rows && after.head != before.head && after.broken.is_none(), "{after:?}");
}

async fn rows_from_before_the_chain_are_counted_and_no_more(rig: Rig) {
    let old = "INSERT INTO audit (at, actor, action, object) VALUES (1, 'alice', 'created', 'group/old')";
    meddle(&rig, old).await;
    rig.apply(&rig.documents()).await;
    let check = audit(&rig).verify().await.unwrap();
    assert_eq!((check.older, check.broken), (1, None));
    let first = &all(&rig, AuditFilter::default()).await[0];
    assert_eq!((first.at, first.hash.clone()), (Timestamp::from_micros(1), None));
    meddle(&rig, old).await;
    let late = audit(&rig).verify().await.unwrap().broken.unwrap();
    assert!(late.why.contains("no hash"), "a row without a hash after those that have one: {late:?}");
}

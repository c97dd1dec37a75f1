//! What machines say while they boot: kept with the boot, in its order and within its bounds.
use crate::{
    boots::stalls,
    rig::{MAC1, Rig, on_both, operator},
};
use pilotlight::{
    reconcile::Reconcile,
    service::console::{HALF, Line, Taken},
};
use pilotlight_types::{
    BootId,
    api::{ConsoleLine, Outcome},
    resource::Kind,
};
use std::net::Ipv4Addr;
use tokio_util::sync::CancellationToken;

on_both!(
    lines_belong_to_the_boot_of_their_address_and_outlive_a_restart,
    of_a_boot_that_says_too_much_the_first_and_last_lines_are_kept,
    a_failed_boot_is_told_of_with_its_last_words,
    what_runs_after_the_boot_is_not_its_console,
    the_lines_of_a_deleted_machine_go_with_it,
);

const FROM: [u8; 4] = [10, 77, 0, 100];

fn say(rig: &Rig, from: [u8; 4], text: &str) -> Taken {
    let line = Line { at: rig.journal.now(), severity: Some(6), tag: Some("ipxe".into()), text: text.into() };
    rig.console.take(Ipv4Addr::from(from), line)
}

/// Writes down what is taken, as at the daemon's end.
async fn written(rig: &Rig) {
    let stop = CancellationToken::new();
    stop.cancel();
    rig.console.clone().run(stop).await;
}

async fn lines(rig: &Rig, boot: BootId) -> Vec<ConsoleLine> {
    written(rig).await;
    rig.console.lines(boot, 0, 10_000).await.unwrap()
}

async fn lines_belong_to_the_boot_of_their_address_and_outlive_a_restart(rig: Rig) {
    let rig = rig.with_documents().await;
    assert_eq!(say(&rig, FROM, "too early"), Taken::NoBoot);
    let (boot, _) = rig.script(MAC1, FROM).await;
    assert_eq!(say(&rig, FROM, "one"), Taken::Kept);
    assert_eq!(say(&rig, [10, 77, 0, 101], "somebody else"), Taken::NoBoot);
    assert_eq!(say(&rig, FROM, "'; DROP TABLE boot; --"), Taken::Kept);
    let said = lines(&rig, boot).await;
    let texts: Vec<_> = said.iter().map(|line| (line.line, line.text.as_str())).collect();
    assert_eq!(texts, [(1, "one"), (2, "'; DROP TABLE boot; --")]);
    assert_eq!((said[0].severity, said[0].tag.as_deref()), (Some(6), Some("ipxe")));
    assert_eq!(said[0].at, rig.journal.now());

    let rig = rig.restarted().await;
    assert_eq!(say(&rig, FROM, "three"), Taken::Kept);
    let said = lines(&rig, boot).await;
    assert_eq!(said.iter().map(|line| line.line).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(rig.console.lines(boot, 2, 10).await.unwrap(), said[2..]);
    assert_eq!(rig.console.end(boot, 2).await.unwrap(), said[1..]);
}

async fn of_a_boot_that_says_too_much_the_first_and_last_lines_are_kept(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    let total = 2 * HALF + 300;
    for number in 1..=total {
        assert_eq!(say(&rig, FROM, &number.to_string()), Taken::Kept);
    }
    let said = lines(&rig, boot).await;
    let kept: Vec<i64> = said.iter().map(|line| line.line).collect();
    let expected: Vec<i64> = (1..=HALF).chain(total - HALF + 1..=total).collect();
    assert_eq!(kept, expected);
    assert!(said.iter().all(|line| line.text == line.line.to_string()));
}

async fn a_failed_boot_is_told_of_with_its_last_words(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    for text in ["one", "two", "no driver for this interface", "Kernel panic - not syncing"] {
        say(&rig, FROM, text);
    }
    written(&rig).await;
    rig.advance(601);
    stalls(&rig).pass().await.unwrap();
    let Some(Outcome::Failed { why }) = rig.boot(boot).outcome else { panic!("it failed") };
    let end = "; it said last: `ipxe: two`, `ipxe: no driver for this interface`, `ipxe: Kernel panic - not syncing`";
    assert!(why.ends_with(end), "{why}");
    // It goes on talking: that is the best part of it.
    assert_eq!(say(&rig, FROM, "Rebooting in 10 seconds"), Taken::Kept);
}

async fn what_runs_after_the_boot_is_not_its_console(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    say(&rig, FROM, "booting");
    rig.boots.end(boot, Outcome::Active).await.unwrap();
    assert_eq!(say(&rig, FROM, "sshd: somebody came"), Taken::NoBoot);
    assert_eq!(lines(&rig, boot).await.len(), 1);
}

async fn the_lines_of_a_deleted_machine_go_with_it(rig: Rig) {
    let rig = rig.with_documents().await;
    let (boot, _) = rig.script(MAC1, FROM).await;
    say(&rig, FROM, "written");
    assert_eq!(lines(&rig, boot).await.len(), 1);
    say(&rig, FROM, "waits");
    rig.changes.delete(Kind::Machine, "n1", None, &operator()).await.unwrap();
    // It is no failure, and nobody else's lines are lost by it.
    assert_eq!(lines(&rig, boot).await, []);
}

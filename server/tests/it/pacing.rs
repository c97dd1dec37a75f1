//! Pacing: machines that may not load yet get a script that waits, in the order in which they came, across a restart too.
use crate::rig::{MAC1, Rig, machine, on_both};
use pilotlight::service::boots::Seen;
use pilotlight_types::{BootId, api::Phase};
use serde_json::json;

on_both!(
    the_second_waits_until_the_first_has_its_image,
    who_loads_and_who_waits_survives_a_restart,
    a_boot_that_ends_makes_room,
);

const MAC2: &str = "52:54:00:00:00:02";
const MAC3: &str = "52:54:00:00:00:03";
const FROM: [[u8; 4]; 3] = [[10, 77, 0, 100], [10, 77, 0, 101], [10, 77, 0, 102]];

/// Three machines, of which one may load at a time.
async fn one_at_a_time(rig: Rig) -> Rig {
    let mut documents = rig.documents();
    documents[0]["spec"]["concurrentBoots"] = json!(1);
    documents.extend([machine("n2", MAC2), machine("n3", MAC3)]);
    rig.apply(&documents).await;
    rig
}

/// The image's files go to a boot, to their end.
fn load(rig: &Rig, boot: BootId) {
    for phase in [Phase::Kernel, Phase::Initramfs, Phase::Rootfs] {
        rig.boots.saw(boot, Seen::begun(phase, "file"));
        rig.boots.saw(boot, Seen::served(phase, 5000, true));
    }
}

fn waits(script: &str, before: usize) -> bool {
    script.contains(&format!("its turn to load comes after {before} others")) && !script.contains("kernel")
}

async fn the_second_waits_until_the_first_has_its_image(rig: Rig) {
    let rig = one_at_a_time(rig).await;
    let (first, script) = rig.script(MAC1, FROM[0]).await;
    assert!(script.contains("/kernel"), "{script}");
    rig.advance(1);
    let (second, script) = rig.script(MAC2, FROM[1]).await;
    assert!(waits(&script, 0) && script.contains("\nsleep 1\nchain "), "{script}");
    rig.advance(1);
    let (_, script) = rig.script(MAC3, FROM[2]).await;
    assert!(waits(&script, 1), "{script}");
    // The place in the queue is in the boot's record, and nothing of the image is handed out yet.
    let detail = rig.boot(second).phase(Phase::Script).and_then(|phase| phase.detail.clone());
    assert_eq!(detail.as_deref(), Some("its turn to load comes after 0 others"));
    assert!(rig.delivery.image_file(second, "kernel").is_err());
    let shown = rig.boots.pacing().shown(rig.journal.now());
    assert_eq!((shown[0].loading, shown[0].waiting), (1, 2));

    load(&rig, first);
    rig.advance(7);
    assert!(waits(&rig.script(MAC3, FROM[2]).await.1, 1), "the second comes first");
    let (same, script) = rig.script(MAC2, FROM[1]).await;
    assert!(script.contains("/kernel") && same == second, "the same boot goes on: {script}");
    assert!(waits(&rig.script(MAC3, FROM[2]).await.1, 0));
    let told: Vec<_> = rig.events().await.into_iter().map(|event| event.message).collect();
    let said = |text: &str| told.iter().filter(|message| *message == text).count();
    assert_eq!(said("n2 waits: its turn to load comes after 0 others"), 1, "{told:?}");
    assert_eq!(said("n2: its turn to load came after 8.0 s"), 1, "{told:?}");
}

async fn who_loads_and_who_waits_survives_a_restart(rig: Rig) {
    let rig = one_at_a_time(rig).await;
    let (first, _) = rig.script(MAC1, FROM[0]).await;
    rig.advance(1);
    rig.script(MAC2, FROM[1]).await;
    rig.advance(1);
    rig.script(MAC3, FROM[2]).await;
    let rig = rig.restarted().await;
    assert!(waits(&rig.script(MAC3, FROM[2]).await.1, 1), "it is still the last");
    assert!(waits(&rig.script(MAC2, FROM[1]).await.1, 0), "the first still loads");
    load(&rig, first);
    assert!(waits(&rig.script(MAC3, FROM[2]).await.1, 1));
    assert!(rig.script(MAC2, FROM[1]).await.1.contains("/kernel"));
    // What has its image is not taken for one that loads.
    let rig = rig.restarted().await;
    let shown = rig.boots.pacing().shown(rig.journal.now());
    assert_eq!((shown[0].loading, shown[0].waiting), (1, 1));
}

async fn a_boot_that_ends_makes_room(rig: Rig) {
    let rig = one_at_a_time(rig).await;
    let (first, _) = rig.script(MAC1, FROM[0]).await;
    assert!(waits(&rig.script(MAC2, FROM[1]).await.1, 0));
    let why = pilotlight_types::api::Outcome::Failed { why: "silent".into() };
    rig.boots.end(first, why).await.unwrap();
    assert!(rig.script(MAC2, FROM[1]).await.1.contains("/kernel"));
}

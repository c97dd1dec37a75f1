//! `explain` of packets, over REST and by the command line.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pilotlight_types::api::{CreatedToken, PacketExplanation};
use serde_json::json;

use super::Begin;
use crate::rig::{machine, refused, small_site, subnet};

fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/fixtures/pcaps").join(name)
}

pub async fn a_capture_of_real_firmware_is_explained_packet_by_packet(begin: Begin) -> Result<()> {
    let rig = begin.start().await?;
    let mut documents = small_site(rig.folder.path())?;
    documents.push(subnet("rack", "10.77.0", "ignore"));
    documents.push(machine("n1", "52:54:00:eb:05:e2"));
    rig.admin.apply(&documents).await?;

    let file = capture("uefi-pxe.pcap").display().to_string();
    let said = rig.cli_ok(&["explain", "--pcap", &file])?;
    for part in [
        "DHCPDISCOVER",
        "93 client architecture      7 (efi-x64)",
        "would be answered now: DHCPOFFER: 10.77.0.",
        "boots snponly.efi",
        "machine n1, subnet rack",
        "/boot/ipxe?mac=52-54-00-eb-05-e2",
        "because\n",
    ] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    let all: Vec<PacketExplanation> =
        serde_json::from_str(&rig.cli_ok(&["explain", "--pcap", &file, "-o", "json"])?)?;
    let offered = all.iter().find(|one| one.outcome == "offered").context("an offer")?;
    let hex = offered.reply_hex.as_ref().context("the answer in hex")?;

    // Our own answer, shown to us, is no request; the packet before it is, and gets the same answer.
    let shown = rig.cli_ok(&["explain", "--packet", hex])?;
    assert!(shown.starts_with("DHCPOFFER\n") && shown.contains("it is no request"), "{shown}");
    assert!(rig.admin.boots("n1").await?.is_empty(), "nothing was booted by all that");

    let viewer: CreatedToken = rig.admin.post("/tokens", &json!({"name": "look", "role": "viewer"})).await?;
    let viewer = rig.daemon.client_with(Some(&viewer.token))?;
    let again: PacketExplanation = viewer.post("/explain", &json!({"packet": hex})).await?;
    assert_eq!(again.packet.kind, "DHCPOFFER");
    let problem = refused(viewer.post::<PacketExplanation>("/explain", &json!({"packet": "0x"})).await);
    assert_eq!((problem.status, problem.code.as_str()), (422, "invalid"));
    assert_eq!(problem.errors.first().map(|error| error.path.as_str()), Some("packet"));

    let junk = rig.folder.path().join("junk.pcap");
    fs::write(&junk, "no capture")?;
    let output = rig.cli(&["explain", "--pcap", &junk.display().to_string()])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("neither pcap nor pcapng"));
    Ok(())
}

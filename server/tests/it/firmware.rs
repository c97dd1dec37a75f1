//! The firmware table at work: what is advertised is there, who does not take it is told in another way, operators have the last word.
use crate::{
    dhcp::{firmware, ipxe, tell},
    http::{asked, plain},
    rig::{Engine, MAC1, Rig, on_both, operator},
};
use axum::{body::Body, http::Request};
use pilotlight::{
    dhcp::wire::{MessageType, Request as Question, Style},
    domain::{firmware::table, selector::Selector},
    service::boots::Seen,
};
use pilotlight_types::{
    api::Phase,
    resource::{Kind, ReplyStyle},
};
use serde_json::json;
use std::{collections::BTreeSet, os::unix::fs::PermissionsExt};

on_both!(
    who_does_not_come_for_its_boot_program_is_told_in_another_way_and_it_is_remembered,
    the_table_is_a_resource_that_can_be_written_over,
);

/// A site with every boot program of the shipped table.
async fn with_all_programs() -> Rig {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    for program in table::shipped().iter().flat_map(|(_, spec)| &spec.programs) {
        let path = rig.folder.path().join("ipxe").join(program);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("program {program}")).unwrap();
    }
    rig.restarted().await
}

#[tokio::test]
async fn every_name_that_is_advertised_is_served_by_tftp_and_by_http() {
    let rig = with_all_programs().await;
    let router = plain(&rig);
    let mut advertised = BTreeSet::new();
    for code in 0..64 {
        for class in ["PXEClient", "HTTPClient"] {
            let question = Question {
                vendor_class: Some(format!("{class}:Arch:{code:05}:UNDI:003016")),
                archs: vec![code],
                ..firmware(MessageType::Discover, MAC1)
            };
            let Some(boot) = tell(&rig, question).await.reply.and_then(|reply| reply.boot) else { continue };
            let path = boot.file.strip_prefix("http://10.77.0.1:8080").map(str::to_owned);
            let by_tftp = rig.files.program(&boot.file, crate::rig::OURS.into());
            let path = match path {
                Some(path) => path,
                None => {
                    assert!(by_tftp.is_some(), "{code} {class}: {} by TFTP", boot.file);
                    format!("/boot/files/{}", boot.file)
                }
            };
            let (status, _, content) = asked(&router, Request::builder().uri(&path), Body::empty()).await;
            assert_eq!(status, 200, "{code} {class}: {path}");
            assert_eq!(content, format!("program {}", path.trim_start_matches("/boot/files/")).as_bytes());
            advertised.insert(path);
        }
    }
    assert!(advertised.len() >= 7, "{advertised:?}");
    // iPXE looks for its script beside itself, wherever that is.
    for path in &advertised {
        let folder = path.rsplit_once('/').unwrap().0;
        let (status, _, script) =
            asked(&router, Request::builder().uri(format!("{folder}/autoexec.ipxe")), Body::empty()).await;
        assert!(status == 200 && script.starts_with(b"#!ipxe\n"), "{folder}");
    }
}

#[tokio::test]
async fn files_are_found_whatever_firmware_writes_before_their_names() {
    let rig = with_all_programs().await;
    for (name, mode) in [("secret.key", 0o640), (".hidden", 0o644)] {
        let path = rig.folder.path().join("ipxe").join(name);
        std::fs::write(&path, "private").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let rig = rig.restarted().await;
    let found = |name: &str| rig.files.program(name, crate::rig::OURS.into()).map(|content| content.to_vec());
    for name in [
        "undionly.kpxe",
        "/undionly.kpxe",
        "\\undionly.kpxe",
        "//undionly.kpxe",
        "52:54:00:00:00:01/undionly.kpxe",
        "./a/b/undionly.kpxe",
    ] {
        assert_eq!(found(name).unwrap(), b"program undionly.kpxe", "{name}");
    }
    assert_eq!(found("x/x86_64-sb/snponly-shim.efi").unwrap(), b"program x86_64-sb/snponly-shim.efi");
    assert_eq!(
        found("9ffc6a4e/start4.elf").unwrap(),
        b"program raspberry-pi/start4.elf",
        "a Raspberry Pi's serial number"
    );
    for name in [
        "",
        "/",
        "..",
        "../pilotlight.db",
        "secret.key",
        ".hidden",
        "nothing/start4.elf",
        "9ffc6a4e/nothing",
        "x86_64-sb",
    ] {
        assert!(found(name).is_none(), "{name}");
    }
}

async fn who_does_not_come_for_its_boot_program_is_told_in_another_way_and_it_is_remembered(rig: Rig) {
    let rig = rig.with_documents().await;
    let style = async |rig: &Rig| {
        tell(rig, firmware(MessageType::Discover, MAC1)).await.reply.unwrap().boot.unwrap().style
    };
    assert_eq!(style(&rig).await, Style::Plain);
    assert_eq!(style(&rig).await, Style::Plain, "a relay's copy of the same question");
    rig.advance(4);
    let by_http = Question {
        vendor_class: Some("HTTPClient:Arch:00016:UNDI:003000".into()),
        archs: vec![16],
        ..firmware(MessageType::Discover, MAC1)
    };
    assert_eq!(tell(&rig, by_http).await.reply.unwrap().boot.unwrap().style, Style::HttpClient);
    rig.advance(4);
    assert_eq!(style(&rig).await, Style::Plain, "another way to boot is no second try of this one");
    rig.advance(4);
    assert_eq!(style(&rig).await, Style::Pxe, "UEFI asks again after four seconds");
    let why = rig.ask(MAC1, [10, 77, 0, 100]).await;
    assert!(why.known.firmware.unwrap().by.contains("asks again"), "explain says so");
    let given = tell(&rig, firmware(MessageType::Discover, MAC1)).await.reply.unwrap().yiaddr.unwrap();
    rig.boots.saw(rig.boots.of(rig.id("n1")).unwrap().id, Seen::begun(Phase::BootProgram, "snponly.efi"));
    tell(&rig, ipxe(MessageType::Discover, MAC1)).await;
    rig.script(MAC1, given.octets()).await;
    let rig = rig.restarted().await;
    let reply = rig.roster.read(|inventory| inventory.machine_named("n1").unwrap().reply);
    assert_eq!(reply, Some(ReplyStyle::Pxe));
    assert!(rig.kinds().await.contains(&"machine.firmware".into()));
    rig.advance(3600);
    assert_eq!(style(&rig).await, Style::Pxe, "and it is the first that the next boot gets");
    rig.boots.saw(rig.boots.of(rig.id("n1")).unwrap().id, Seen::begun(Phase::BootProgram, "snponly.efi"));
    rig.advance(60);
    assert_eq!(
        style(&rig).await,
        Style::Pxe,
        "a machine that came and starts over has nothing to say against it"
    );
}

#[tokio::test]
async fn strangers_who_ask_are_not_remembered() {
    let rig = Rig::new(Engine::Sqlite).await.with_documents().await;
    let mut subnet = rig.documents()[0].clone();
    subnet["spec"]["unknown"] = json!("ignore");
    rig.apply(&[subnet]).await;
    let stranger = "52:54:00:00:00:77";
    let reply = tell(&rig, firmware(MessageType::Discover, stranger)).await.reply;
    assert!(reply.is_none() && rig.boots.firmware().of(crate::rig::mac(stranger)).is_none());
    tell(&rig, firmware(MessageType::Discover, MAC1)).await;
    assert!(rig.boots.firmware().of(crate::rig::mac(MAC1)).is_some());
}

async fn the_table_is_a_resource_that_can_be_written_over(rig: Rig) {
    let rig = rig.with_documents().await;
    let all = || rig.views.resources(Kind::Firmware, &Selector::default(), None, 100);
    assert_eq!(all().len(), table::shipped().len());
    std::fs::write(rig.folder.path().join("ipxe/mine.efi"), "mine").unwrap();
    let rig = rig.restarted().await;
    let mine = json!({"kind": "Firmware", "name": "efi-x64", "spec": {
        "match": {"client": "pxe", "archs": [7]}, "replies": ["pxe"], "programs": ["mine.efi"]}});
    let named = json!({"kind": "Firmware", "name": "quiet", "spec": {"leave": "silence"}});
    rig.apply(&[mine, named]).await;
    let boot = tell(&rig, firmware(MessageType::Discover, MAC1)).await.reply.unwrap().boot.unwrap();
    assert_eq!((boot.file.as_str(), boot.style), ("mine.efi", Style::Pxe));
    let mut machine = crate::rig::machine("n1", MAC1);
    machine["spec"]["firmware"] = json!("quiet");
    rig.apply(&[machine.clone(), json!({"kind": "Profile", "name": "worker", "spec": {"boot": "local"}})])
        .await;
    rig.machines.provision("n1", &operator()).await.unwrap();
    assert_eq!(
        tell(&rig, firmware(MessageType::Discover, MAC1)).await.reply,
        None,
        "it goes on to its disk by itself"
    );
    let refused = rig.changes.delete(Kind::Firmware, "quiet", None, &operator()).await.unwrap_err();
    assert!(refused.to_string().contains("machine n1 names it"), "{refused}");
    rig.changes.delete(Kind::Firmware, "efi-x64", None, &operator()).await.unwrap();
    assert!(
        rig.changes.delete(Kind::Firmware, "efi-x64", None, &operator()).await.is_err(),
        "shipped rows stay"
    );
    machine["spec"]["firmware"] = json!("nothing");
    let wrong = rig.changes.apply(&[machine], &operator()).await.unwrap_err();
    assert!(format!("{wrong:?}").contains("there is no firmware nothing"), "{wrong:?}");
    let bad = json!({"kind": "Firmware", "name": "bad", "spec": {"programs": ["../../etc/passwd"], "blockSize": 7, "window": 0}});
    let wrong = format!("{:?}", rig.changes.apply(&[bad], &operator()).await.unwrap_err());
    for part in ["spec.programs[0]", "spec.blockSize", "spec.window"] {
        assert!(wrong.contains(part), "{part}: {wrong}");
    }
}

use super::*;
use crate::domain::stage::Revision;
use proptest::prelude::*;
use serde_json::json;

fn image() -> ImageSpec {
    let file = |name: &str| json!({"url": format!("/images/{name}"), "sha256": "0".repeat(64)});
    serde_json::from_value(json!({"os": "fedora-coreos", "arch": "x86_64", "version": "1",
        "kernel": file("kernel"), "initrd": [file("initramfs.img")], "rootfs": file("rootfs.img")}))
    .unwrap()
}

fn script(plan: &Plan, image: Option<&ImageSpec>, args: &[String]) -> String {
    render(ScriptFor {
        plan,
        image,
        kernel_args: args,
        machine: "n1",
        mac: "52:54:00:12:34:56".parse().unwrap(),
        base: "http://10.77.0.1:8080/boot/B",
        again: "http://10.77.0.1:8080/boot/ipxe?mac=52-54-00-12-34-56",
        leave: None,
    })
}

#[test]
fn a_boot_script_names_both_initrds_and_the_interface_that_boots() {
    let plan = Plan::Boot {
        profile: Revision { profile: "demo".parse().unwrap(), revision: 3 },
        image: "demo".parse().unwrap(),
    };
    let text = script(&plan, Some(&image()), &["console=ttyS0".into()]);
    assert!(text.starts_with("#!ipxe\n"));
    assert!(text.contains(
        "kernel ${base}/kernel initrd=initramfs.img initrd=config.img \
         coreos.live.rootfs_url=http://10.77.0.1:8080/boot/B/rootfs.img ignition.firstboot ignition.platform.id=metal \
         BOOTIF=01-52-54-00-12-34-56 console=ttyS0 || goto kernel_failed\n"
    ));
    assert!(text.contains("initrd --name config.img ${base}/config.img || goto config_failed\n"));
}

/// Every label that is gone to is there, once: iPXE finds out only when it goes.
fn is_linted(text: &str) {
    let labels: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(':')).collect();
    let goes: Vec<&str> = text
        .match_indices("goto ")
        .filter_map(|(at, word)| text[at + word.len()..].split_whitespace().next())
        .collect();
    for label in &goes {
        assert_eq!(labels.iter().filter(|other| other == &label).count(), 1, "{label} in {text}");
    }
    for label in labels {
        assert!(
            goes.contains(&label) || label == "initramfs" || label == "config" || label == "again",
            "{label} in {text}"
        );
    }
}

#[test]
fn every_script_goes_where_it_can() {
    let boot = Plan::Boot {
        profile: Revision { profile: "demo".parse().unwrap(), revision: 3 },
        image: "demo".parse().unwrap(),
    };
    for plan in [boot, Plan::LocalDisk, Plan::Hold { why: "x".into() }] {
        is_linted(&script(&plan, Some(&image()), &[]));
    }
}

#[test]
fn a_machine_leaves_for_its_disk_as_its_firmware_wants() {
    let leave = |how| {
        let mac = "52:54:00:12:34:56".parse().unwrap();
        let plan = Plan::LocalDisk;
        render(ScriptFor {
            plan: &plan,
            image: None,
            kernel_args: &[],
            machine: "n1",
            mac,
            base: "",
            again: "",
            leave: how,
        })
    };
    assert!(leave(Some(Leave::Exit)).ends_with("\nexit 1\n"));
    assert!(leave(Some(Leave::ExitSuccess)).ends_with("\nexit 0\n"));
    assert!(leave(Some(Leave::Sanboot)).contains("\nsanboot "));
    assert!(leave(None).contains("iseq ${platform} efi && exit 1 ||\nsanboot"));
}

#[test]
fn a_machine_on_hold_is_told_why_and_asks_again() {
    let text = script(&Plan::Hold { why: "disk; ${x} swap\nreboot".into() }, None, &[]);
    assert!(text.contains("n1 waits: disk_ __x_ swap_reboot\n"), "{text}");
    assert!(
        text.contains("chain --replace --autofree http://10.77.0.1:8080/boot/ipxe?mac=52-54-00-12-34-56")
    );
}

#[test]
fn an_argument_that_could_leave_its_place_is_refused() {
    for good in [
        "console=ttyS0,115200n8",
        "ip=10.0.0.2::10.0.0.1:255.255.255.0:n1:eth0:off",
        "mitigations=off",
        "a=b|c",
    ] {
        assert_eq!(check_argument(good), Ok(()), "{good}");
    }
    for bad in
        ["", "a b", "a\nb", "${net0/mac}", "a;b", "a&&b", "||", "a\"b", "a\\b", "a#b", "ä", "a'b", "a\0"]
    {
        assert!(check_argument(bad).is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn no_reason_for_a_hold_adds_a_line_to_the_script(why: String) {
        let text = script(&Plan::Hold { why }, None, &[]);
        prop_assert_eq!(text.lines().count(), 5);
        let expands = text.contains("${");
        prop_assert!(!expands, "{}", text);
    }
}

#[test]
fn ipxe_is_told_where_to_send_what_it_says_before_anything_else() {
    for plan in [Plan::LocalDisk, Plan::Hold { why: "no".into() }] {
        let plain = script(&plan, None, &[]);
        let told = with_syslog(&plain, Ipv4Addr::new(10, 77, 0, 1));
        assert!(told.starts_with("#!ipxe\nset syslog 10.77.0.1\necho Pilotlight: "), "{told}");
        assert_eq!(told.replace("set syslog 10.77.0.1\n", ""), plain);
    }
}

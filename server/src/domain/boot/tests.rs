use super::*;
use crate::domain::firmware::{Identity, classify, table::Table};
use proptest::prelude::*;

fn firmware(archs: &[u16], vendor: &str, ipxe: bool) -> Firmware {
    classify(&Identity {
        vendor_class: Some(vendor),
        user_class: ipxe.then_some(b"iPXE".as_slice()),
        archs,
        ipxe_options: ipxe.then_some([0x13, 1, 1].as_slice()),
        dhcp6: false,
    })
}

fn bios() -> Firmware {
    firmware(&[0], "PXEClient:Arch:00000:UNDI:002001", false)
}

fn ipxe() -> Firmware {
    firmware(&[0], "PXEClient:Arch:00000:UNDI:002001", true)
}

fn os() -> Firmware {
    classify(&Identity::default())
}

fn request(firmware: Firmware) -> BootRequest {
    BootRequest { mac: "52:54:00:00:00:01".parse().unwrap(), uuid: None, serial: None, firmware }
}

fn subnet(unknown: Unknown) -> Option<KnownSubnet> {
    Some(KnownSubnet {
        name: "lan".parse().unwrap(),
        mode: SubnetMode::Authoritative,
        addresses: true,
        unknown,
    })
}

fn revision() -> Revision {
    Revision { profile: "worker".parse().unwrap(), revision: 1 }
}

fn assigned(boot: BootMode) -> Assigned {
    Assigned { revision: revision(), group: None, boot, image: Some("fcos".parse().unwrap()) }
}

fn known(stage: Stage) -> Known {
    let machine = KnownMachine {
        name: "n1".parse().unwrap(),
        stage,
        hold: None,
        found: By::Mac,
        conflicts: Vec::new(),
    };
    Known {
        machine: Some(machine),
        subnet: subnet(Unknown::Discover),
        armed: Some(assigned(BootMode::Live)),
        discovery: None,
        firmware: None,
    }
}

/// The decision, with what the shipped table says and every boot program there.
fn decided(firmware: Firmware, known: &Known) -> Decision {
    let request = request(firmware);
    let declared = std::collections::BTreeMap::new();
    let table = Table { declared: &declared, has: &|_| true };
    let row = table.choose(&request.firmware, request.mac, [None, None], None, 0);
    decide(&request, &Known { firmware: row, ..known.clone() })
}

fn program(file: &str, reply: ReplyStyle) -> Step {
    Step::BootProgram { file: file.into(), reply }
}

#[test]
fn firmware_gets_a_boot_program_and_ipxe_gets_the_script() {
    let known = known(Stage::Provisioning(revision()));
    assert_eq!(decided(bios(), &known).step, program("undionly.kpxe", ReplyStyle::Pxe));
    let efi = firmware(&[7], "PXEClient:Arch:00007:UNDI:003000", false);
    assert_eq!(decided(efi, &known).step, program("x86_64-sb/snponly-shim.efi", ReplyStyle::Plain));
    let http = firmware(&[16], "HTTPClient:Arch:00016:UNDI:003000", false);
    assert_eq!(decided(http, &known).step, program("x86_64-sb/snponly-shim.efi", ReplyStyle::Http));
    let decision = decide(&request(ipxe()), &known);
    assert_eq!(decision.step, Step::Script);
    assert_eq!(decision.plan, Plan::Boot { profile: revision(), image: "fcos".parse().unwrap() });
    assert!(
        decision.because.iter().any(|line| line.contains("armed for worker@1")),
        "{:?}",
        decision.because
    );
}

#[test]
fn a_running_system_gets_an_address_and_nothing_to_boot() {
    assert_eq!(decide(&request(os()), &known(Stage::Active(revision()))).step, Step::AddressOnly);
}

#[test]
fn a_network_that_nobody_configured_gets_no_answer() {
    let known = Known { subnet: None, ..known(Stage::Ready) };
    for firmware in [bios(), ipxe(), os()] {
        assert_eq!(decide(&request(firmware), &known).step, Step::Silent { why: Silence::NoSubnet });
    }
}

#[test]
fn a_machine_that_nobody_declared_gets_its_subnets_policy() {
    let unknown = |policy, discovery| Known {
        machine: None,
        subnet: subnet(policy),
        armed: None,
        discovery,
        firmware: None,
    };
    let plan = |known: &Known| decide(&request(ipxe()), known).plan;
    assert_eq!(plan(&unknown(Unknown::Ignore, None)), Plan::Nothing { why: Silence::UnknownMachine });
    assert!(matches!(plan(&unknown(Unknown::Discover, None)), Plan::Hold { .. }));
    let discovery = Some(assigned(BootMode::Discovery));
    assert!(matches!(plan(&unknown(Unknown::Discover, discovery)), Plan::Boot { .. }));
}

#[test]
fn a_hold_is_stronger_than_anything_but_retirement() {
    let mut known = known(Stage::Provisioning(revision()));
    if let Some(machine) = &mut known.machine {
        machine.hold = Some("DIMM swap".into());
    }
    assert_eq!(decide(&request(ipxe()), &known).plan, Plan::Hold { why: "DIMM swap".into() });
    if let Some(machine) = &mut known.machine {
        machine.stage = Stage::Retired;
    }
    assert_eq!(decide(&request(bios()), &known).step, Step::Silent { why: Silence::Retired });
}

#[test]
fn a_profile_that_boots_from_the_disk_sends_the_machine_there() {
    let known = Known { armed: Some(assigned(BootMode::Local)), ..known(Stage::Active(revision())) };
    assert_eq!(decide(&request(ipxe()), &known).plan, Plan::LocalDisk);
}

#[test]
fn a_machine_whose_firmware_wants_silence_gets_it_when_it_is_to_boot_its_disk() {
    let mut known = known(Stage::Ready);
    let silent =
        |known: &Known| decide(&request(bios()), known).step == Step::Silent { why: Silence::LocalDisk };
    known.firmware =
        decided(bios(), &known).step.eq(&program("undionly.kpxe", ReplyStyle::Pxe)).then(|| Chosen {
            row: "silent".parse().unwrap(),
            by: "row silent matches".into(),
            reply: ReplyStyle::Pxe,
            program: Some("undionly.kpxe".into()),
            block_size: None,
            window: None,
            leave: Some(Leave::Silence),
        });
    assert!(silent(&known));
    assert_eq!(
        decide(&request(os()), &known).step,
        Step::AddressOnly,
        "its system gets its address all the same"
    );
    known.machine = Some(KnownMachine {
        name: "n1".parse().unwrap(),
        stage: Stage::Provisioning(revision()),
        hold: None,
        found: By::Mac,
        conflicts: Vec::new(),
    });
    assert!(!silent(&known), "it is to boot from the network");
}

#[test]
fn without_a_boot_program_that_is_there_nothing_is_advertised() {
    let known = known(Stage::Provisioning(revision()));
    let decision = decide(&request(bios()), &known);
    assert_eq!(decision.step, Step::Silent { why: Silence::NoBootProgram });
}

proptest! {
    #[test]
    fn the_same_question_gets_the_same_answer(archs in prop::collection::vec(0..30u16, 0..3), vendor in ".{0,40}", ipxe: bool) {
        let request = request(firmware(&archs, &vendor, ipxe));
        for stage in [Stage::Discovered, Stage::Ready, Stage::Provisioning(revision()), Stage::Active(revision()), Stage::Retired] {
            let known = known(stage);
            prop_assert_eq!(decide(&request, &known), decide(&request, &known));
        }
    }
}

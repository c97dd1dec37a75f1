use super::*;
use proptest::prelude::*;

fn seen(class: &str, archs: &[u16]) -> Firmware {
    classify(&Identity { vendor_class: Some(class), archs, ..Identity::default() })
}

#[test]
fn a_plain_pxe_rom_is_a_bios() {
    let firmware = seen("PXEClient:Arch:00000:UNDI:002001", &[0]);
    assert_eq!(firmware.client, Client::Pxe);
    assert_eq!(firmware.arch, Some(Arch::Bios));
}

#[test]
fn seven_and_nine_are_both_x64_and_16_is_x64_by_http() {
    for code in [7, 9] {
        assert_eq!(seen("PXEClient", &[code]).arch, Some(Arch::EfiX64), "{code}");
    }
    let http = seen("HTTPClient:Arch:00016:UNDI:003000", &[16]);
    assert_eq!((http.client, http.arch), (Client::HttpBoot, Some(Arch::EfiX64)));
}

#[test]
fn an_arch_list_gives_the_firmware_that_option_60_names() {
    assert_eq!(seen("PXEClient:Arch:00007:UNDI:003016", &[0, 7]).arch, Some(Arch::EfiX64));
    assert_eq!(seen("PXEClient:Arch:00000:UNDI:002001", &[0, 7]).arch, Some(Arch::Bios));
    assert_eq!(seen("PXEClient", &[0xfffe, 6, 9]).arch, Some(Arch::EfiX64), "the first that is common");
    assert_eq!(seen("PXEClient", &[0xfffe, 11]).arch, Some(Arch::EfiArm64), "the same");
    assert_eq!(seen("PXEClient", &[0xfffe, 10]).arch, Some(Arch::EfiArm32), "the first that is known");
    assert_eq!(seen("PXEClient", &[0xfffe]).arch, Some(Arch::Other(0xfffe)));
}

#[test]
fn without_option_93_the_arch_is_read_from_option_60() {
    let firmware = seen("PXEClient:Arch:00007:UNDI:003016", &[]);
    assert_eq!((firmware.client, firmware.arch), (Client::Pxe, Some(Arch::EfiX64)));
    assert!(firmware.why.contains("option 60"), "{}", firmware.why);
    for class in ["PXEClient", "PXEClient:Arch:", "PXEClient:Arch:+0007", "PXEClient:Arch:99999:"] {
        assert_eq!(seen(class, &[]).arch, None, "{class}");
    }
}

#[test]
fn ipxe_is_known_by_77_raw_or_with_length_and_by_175() {
    for raw in [&b"iPXE"[..], b"\x04iPXE", b"\x03foo\x04iPXE"] {
        let identity = Identity { user_class: Some(raw), archs: &[0], ..Identity::default() };
        assert!(matches!(classify(&identity).client, Client::Ipxe { .. }), "{raw:?}");
    }
    let identity = Identity { ipxe_options: Some(&[0x13, 1, 1]), ..Identity::default() };
    assert!(matches!(classify(&identity).client, Client::Ipxe { features } if features.http()));
    for raw in [&b"iPXE2"[..], b"\x09iPXE", b"ipxe-ish"] {
        let identity = Identity { user_class: Some(raw), archs: &[0], ..Identity::default() };
        assert_eq!(classify(&identity).client, Client::Pxe, "{raw:?}");
    }
}

#[test]
fn features_of_a_distributions_undionly_are_http_without_https() {
    let raw =
        [0xb1, 5, 1, 0x1a, 0xf4, 0x10, 0, 0xeb, 3, 1, 0, 0, 0x13, 1, 1, 0x14, 1, 0, 0x24, 1, 1, 0x26, 9, 1];
    let features = Features::parse(&raw);
    assert_eq!(features.version, Some((1, 0, 0)));
    assert!(features.http() && features.efi());
    assert!(!features.https(), "given as 0");
    assert!(!features.vlan(), "truncated");
}

#[test]
fn management_controllers_are_never_booted() {
    for class in ["iDRAC", "CPQRIB3", "NVIDIA/BF/OOB", "nvidia-bluefield-dpu aarch64", "U-Boot"] {
        assert_eq!(seen(class, &[]).client, Client::Bmc { vendor_class: class.to_owned() });
    }
    assert_eq!(seen("U-Boot.armv8", &[22]).client, Client::Pxe, "a board that boots from the network");
    assert!(matches!(seen("iDRAC", &[7]).client, Client::Bmc { .. }));
}

#[test]
fn an_operating_system_is_what_says_nothing() {
    assert_eq!(classify(&Identity::default()).client, Client::Os);
    assert_eq!(seen("udhcp 1.36", &[]).client, Client::Os);
    assert_eq!(classify(&Identity::default()).arch, None);
}

#[test]
fn by_dhcpv6_the_options_are_called_by_their_own_numbers() {
    let http = classify(&Identity {
        vendor_class: Some("HTTPClient:Arch:00016:UNDI:003016"),
        archs: &[16],
        dhcp6: true,
        ..Identity::default()
    });
    assert_eq!((http.client, http.arch), (Client::HttpBoot, Some(Arch::EfiX64)));
    assert_eq!(http.why, "option 16 begins with `HTTPClient`; efi-x64 by option 61");
    let ipxe =
        classify(&Identity { user_class: Some(b"iPXE"), archs: &[7], dhcp6: true, ..Identity::default() });
    assert_eq!(ipxe.why, "option 15 is `iPXE`; efi-x64 by option 61");
    let os = classify(&Identity { dhcp6: true, ..Identity::default() });
    assert_eq!(
        (os.client, os.why.as_str()),
        (Client::Os, "neither option 15, 16 nor 61 is that of a firmware")
    );
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(class: Option<String>, user: Option<Vec<u8>>, archs: Vec<u16>, ipxe: Option<Vec<u8>>, dhcp6: bool) {
        let identity = Identity {
            vendor_class: class.as_deref(),
            user_class: user.as_deref(),
            archs: &archs,
            ipxe_options: ipxe.as_deref(),
            dhcp6,
        };
        let firmware = classify(&identity);
        prop_assert!(archs.is_empty() || firmware.arch.is_some());
    }
}

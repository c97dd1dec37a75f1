//! How long the parts of this boot took.
use super::{Live, Tree};
use pilotlight_types::facts::BootTimes;

pub(super) fn boot_times(tree: &Tree, live: &Live) -> BootTimes {
    let systemd = live.systemd().map(by_systemd).unwrap_or_default();
    let acpi = by_acpi(tree);
    BootTimes {
        firmware_us: systemd.firmware_us.or(acpi.firmware_us),
        loader_us: systemd.loader_us.or(acpi.loader_us),
        ..systemd
    }
}

/// The manager's timestamps: microseconds from the kernel's start, those of firmware and loader before it. 0 is unknown.
fn by_systemd(properties: &str) -> BootTimes {
    let stamp = |name: &str| {
        let line =
            properties.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("TimestampMonotonic="));
        line?.trim().parse::<u64>().ok().filter(|&stamp| stamp != 0)
    };
    let (loader, initrd, userspace) = (stamp("Loader"), stamp("InitRD"), stamp("Userspace"));
    BootTimes {
        firmware_us: stamp("Firmware").and_then(|firmware| firmware.checked_sub(loader.unwrap_or(0))),
        loader_us: loader,
        kernel_us: initrd.or(userspace),
        initrd_us: initrd.and_then(|initrd| userspace?.checked_sub(initrd)),
        userspace_us: userspace.and_then(|userspace| stamp("Finish")?.checked_sub(userspace)),
    }
}

/// The Firmware Performance Data Table: nanoseconds since the reset.
fn by_acpi(tree: &Tree) -> BootTimes {
    let stamp = |name: &str| {
        let nanoseconds: u64 = tree.parsed(&format!("sys/firmware/acpi/fpdt/boot/{name}_ns"))?;
        Some(nanoseconds / 1000).filter(|&stamp| stamp != 0)
    };
    let launch = stamp("bootloader_launch");
    BootTimes {
        firmware_us: launch,
        loader_us: launch.and_then(|launch| stamp("exitbootservice_end")?.checked_sub(launch)),
        ..BootTimes::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(stamps: [(&str, u64); 5]) -> String {
        stamps.iter().map(|(name, stamp)| format!("{name}TimestampMonotonic={stamp}\n")).collect()
    }

    #[test]
    fn a_boot_with_all_stages_is_split_as_systemd_analyze_splits_it() {
        let text = properties([
            ("Firmware", 21_000_000),
            ("Loader", 6_000_000),
            ("InitRD", 1_500_000),
            ("Userspace", 9_000_000),
            ("Finish", 20_000_000),
        ]);
        let expected = BootTimes {
            firmware_us: Some(15_000_000),
            loader_us: Some(6_000_000),
            kernel_us: Some(1_500_000),
            initrd_us: Some(7_500_000),
            userspace_us: Some(11_000_000),
        };
        assert_eq!(by_systemd(&text), expected);
    }

    #[test]
    fn a_boot_that_goes_on_has_no_end_yet() {
        let text = properties([
            ("Firmware", 0),
            ("Loader", 0),
            ("InitRD", 0),
            ("Userspace", 2_000_000),
            ("Finish", 0),
        ]);
        assert_eq!(by_systemd(&text), BootTimes { kernel_us: Some(2_000_000), ..BootTimes::default() });
    }

    #[test]
    fn nonsense_is_no_time() {
        let text =
            properties([("Firmware", 1), ("Loader", 2), ("InitRD", 9), ("Userspace", 3), ("Finish", 1)]);
        assert_eq!(
            by_systemd(&text),
            BootTimes { loader_us: Some(2), kernel_us: Some(9), ..BootTimes::default() }
        );
        assert_eq!(by_systemd("LoaderTimestampMonotonic=[not set]\n"), BootTimes::default());
    }
}

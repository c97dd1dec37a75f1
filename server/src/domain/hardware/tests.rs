use super::*;
use serde_json::{Value, json};

fn class(spec: Value) -> HardwareClassSpec {
    serde_json::from_value(spec).unwrap()
}

/// A server as its agent measures it.
fn server() -> Value {
    json!({
        "version": 1,
        "system": {
            "vendor": "Dell Inc.", "product": "PowerEdge R640",
            "firmware": {"version": "2.8.2", "mode": "uefi", "secureBoot": false},
        },
        "cpus": {"sockets": 2, "cores": 40, "threads": 80, "packages": [
            {"number": 0, "model": "Intel(R) Xeon(R) Gold 6230", "cores": 20, "threads": 40},
            {"number": 1, "model": "Intel(R) Xeon(R) Gold 6230", "cores": 20, "threads": 40},
        ]},
        "memory": {"installedBytes": 64_u64 << 30, "usableBytes": 66_000_000_000_u64, "slots": [
            {"locator": "A1", "sizeBytes": 32_u64 << 30}, {"locator": "A2", "sizeBytes": 32_u64 << 30},
            {"locator": "B1", "sizeBytes": 0}, {"locator": "B2"},
        ]},
        "disks": [
            {"name": "nvme0n1", "sizeBytes": 960_197_124_096_u64, "transport": "nvme", "firmware": "1.2.0"},
            {"name": "sda", "sizeBytes": 4_000_787_030_016_u64, "transport": "sas", "rotational": true},
            {"name": "sdb", "sizeBytes": 8_000_000_000_u64, "transport": "usb", "removable": true},
        ],
        "nics": [
            {"name": "eno1", "mac": "52:54:00:00:00:01", "link": true, "speedMbps": 10000, "driver": "ixgbe"},
            {"name": "eno2", "mac": "52:54:00:00:00:02", "link": false, "driver": "ixgbe"},
        ],
    })
}

fn differ(spec: Value, facts: Value) -> Vec<String> {
    let facts: Facts = serde_json::from_value(facts).unwrap();
    differences(&class(spec), &facts).iter().map(ToString::to_string).collect()
}

#[test]
fn a_machine_that_is_as_its_class_differs_in_nothing() {
    let spec = json!({
        "vendor": "dell*", "model": "PowerEdge R640*",
        "cpus": {"model": "*Gold 6230*", "sockets": 2, "cores": 16},
        "memory": {"total": "64GiB", "slots": [{"locator": "A*", "size": "32GiB", "count": 2}]},
        "disks": [{"count": 1, "kind": "nvme", "size": {"min": "900GB", "max": "1TB"}, "firmware": "1.1.9"}, {"count": 1, "kind": "hdd"}],
        "nics": [{"count": 1, "speed": "10Gbit", "link": true}, {"count": 1, "driver": "ixgbe"}],
        "firmware": {"version": "2.8.0", "mode": "uefi", "secureBoot": false},
    });
    assert_eq!(differ(spec, server()), [""; 0]);
    assert_eq!(differ(json!({}), json!({"version": 1})), [""; 0]);
}

#[test]
fn each_difference_is_told_where_it_is() {
    for (spec, words) in [
        (json!({"vendor": "HPE"}), "maker: `HPE` is wanted, and there is `Dell Inc.`"),
        (json!({"model": "*R650"}), "model: `*R650` is wanted, and there is `PowerEdge R640`"),
        (json!({"cpus": {"sockets": 1}}), "processors: 1 is wanted, and there is 2"),
        (json!({"memory": {"total": "96GiB"}}), "memory: 96GiB or more is wanted, and there is 64GiB"),
        (
            json!({"memory": {"slots": [{"locator": "A1", "size": "64GiB"}]}}),
            "memory slot A1: 64GiB is wanted, and there is 32GiB",
        ),
        (
            json!({"memory": {"slots": [{"locator": "B1", "size": "32GiB"}]}}),
            "memory slot B1: 32GiB is wanted, and there is no module",
        ),
        (
            json!({"memory": {"slots": [{"locator": "B2", "size": "0B"}]}}),
            "memory slot B2: no module is wanted, and there is nothing that says how much",
        ),
        (
            json!({"memory": {"slots": [{"size": "32GiB", "count": 3}]}}),
            "memory slot B1: 32GiB is wanted, and there is no module",
        ),
        (
            json!({"memory": {"slots": [{"locator": "C*", "size": "32GiB", "count": 2}]}}),
            "memory slots `C*`: 2 is wanted, and there is 0",
        ),
        (
            json!({"disks": [{"count": 2, "kind": "nvme"}]}),
            "disks: 2 × NVMe is wanted, and there is 1, beside sda (hard disk of 4.0TB)",
        ),
        (
            json!({"disks": [{"count": 1, "kind": "nvme", "firmware": "1.10"}]}),
            "disks: 1 × NVMe with firmware 1.10 or later is wanted, and there is 0, beside nvme0n1 (NVMe of 960.1GB with \
             firmware 1.2.0), sda (hard disk of 4.0TB)",
        ),
        (
            json!({"nics": [{"count": 2, "speed": "10Gbit", "link": true}]}),
            "interfaces: 2 × interface of 10Gbit or more with a link is wanted, and there is 1, beside eno2 (speed unknown, no link)",
        ),
        (
            json!({"firmware": {"version": "2.10.0"}}),
            "firmware: version 2.10.0 or later is wanted, and there is `2.8.2`",
        ),
        (json!({"firmware": {"mode": "bios"}}), "firmware: BIOS is wanted, and there is UEFI"),
        (
            json!({"firmware": {"secureBoot": true}}),
            "firmware: Secure Boot on is wanted, and there is Secure Boot off",
        ),
    ] {
        assert_eq!(differ(spec, server()), [words]);
    }
    let cores = differ(json!({"cpus": {"cores": 24, "model": "AMD*"}}), server());
    assert_eq!(cores.len(), 4, "each processor is told by itself: {cores:?}");
    assert_eq!(cores[1], "processor 0: 24 cores or more is wanted, and there is 20 cores");
}

#[test]
fn what_was_not_measured_is_no_match() {
    let all = json!({
        "vendor": "*", "cpus": {"model": "*"}, "memory": {"total": "1GiB", "slots": [{"size": "1GiB"}]},
        "disks": [{"count": 1}], "nics": [{"count": 1}], "firmware": {"version": "1", "mode": "uefi", "secureBoot": true},
    });
    let found = differ(all, json!({"version": 1}));
    assert_eq!(found.len(), 9, "{found:?}");
}

#[test]
fn memory_that_the_kernel_can_use_counts_where_nothing_else_is_known() {
    let of = |bytes: u64| {
        differ(json!({"memory": {"total": "4GiB"}}), json!({"version": 1, "memory": {"usableBytes": bytes}}))
    };
    assert_eq!(of((4_u64 << 30) - (200 << 20)), [""; 0]);
    assert_eq!(of(3_u64 << 30).len(), 1);
}

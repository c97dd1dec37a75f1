//! Whole answer paths on hostile input: the rules of the fuzz targets `dhcp_answer` and `tftp_answer`, on every input that is kept
//! for them and on chance's.
use proptest::prelude::*;
use std::{fs, path::Path};

#[path = "../../../fuzz/src/lib.rs"]
mod fuzz;

fn on_each_seed(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let seeds: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
    for seed in seeds {
        eprintln!("{}", seed.display());
        run(&fs::read(seed).unwrap());
    }
}

#[test]
fn what_once_did_harm_to_dhcp_does_none() {
    on_each_seed("dhcp_answer", fuzz::dhcp::run);
}

#[test]
fn what_once_did_harm_to_tftp_does_none() {
    on_each_seed("tftp_answer", fuzz::tftp::run);
}

/// One step of `dhcp_answer`, more often a sensible one than bytes of chance are.
fn step() -> impl Strategy<Value = Vec<u8>> {
    // None, what the client was told, somebody else's, one of the range, one of ours.
    let address =
        prop_oneof![3 => Just(0), 3 => Just(64), 3 => 224..232_u8, 2 => 160..192_u8, 1 => any::<u8>()];
    let often = |usual: u8| prop_oneof![6 => Just(usual), 1 => any::<u8>()];
    let who = (any::<u8>(), any::<u8>(), any::<u8>());
    let ask = (who, address.clone(), address, often(0), prop_oneof![Just(0), Just(96)], often(0), often(0))
        .prop_map(|((kind, client, who), wanted, has, relay, server, size, how)| {
            vec![0, kind, client, who, wanted, has, relay, server, 0, size, how]
        });
    prop_oneof![
        20 => ask,
        3 => any::<u8>().prop_map(|seconds| vec![192, seconds]),
        1 => any::<u8>().prop_map(|minutes| vec![193, minutes]),
        1 => any::<u8>().prop_map(|who| vec![224, who]),
        1 => Just(vec![240]),
        1 => Just(vec![255]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 300 } else { 10_000 }))]

    #[test]
    fn no_address_is_given_twice_and_no_lease_is_lost(steps in prop::collection::vec(step(), 0..32)) {
        fuzz::dhcp::run(&steps.concat());
    }

    #[test]
    fn no_bytes_make_dhcp_do_what_it_must_not(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        fuzz::dhcp::run(&bytes);
    }

    #[test]
    fn each_datagram_has_one_outcome_and_each_transfer_an_end(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        fuzz::tftp::run(&bytes);
    }
}

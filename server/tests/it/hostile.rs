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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 300 } else { 10_000 }))]

    #[test]
    fn no_address_is_given_twice_and_no_lease_is_lost(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        fuzz::dhcp::run(&bytes);
    }

    #[test]
    fn each_datagram_has_one_outcome_and_each_transfer_an_end(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        fuzz::tftp::run(&bytes);
    }
}

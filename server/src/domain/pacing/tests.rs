use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

const GBIT: u64 = 125_000_000;
const MIB: u64 = 1 << 20;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_micros(1_760_000_000_000_000).plus(Duration::from_millis(millis))
}

fn machine(number: u16) -> MachineId {
    let [high, low] = number.to_be_bytes();
    MachineId::new(at(0), [0, 0, 0, 0, 0, 0, 0, 0, high, low])
}

fn boots(most: u32) -> Limits {
    Limits { rate: GBIT, boots: NonZeroU32::new(most), programs: false }
}

fn now(turn: Turn) -> bool {
    matches!(turn, Turn::Now { .. })
}

#[test]
fn as_many_load_as_the_link_serves_in_a_minute() {
    let limits = Limits { rate: GBIT, boots: None, programs: false };
    let mut segment = Segment::default();
    let admitted = (0..50).filter(|n| now(segment.ask(machine(*n), 800 * MIB, limits, at(0)))).count();
    assert_eq!(admitted, 8, "8 x 839 MB are 54 s at 1 Gbit/s");
    assert_eq!(segment.counts(at(0)), Counts { loading: 8, waiting: 42 });
}

#[test]
fn with_small_images_as_many_load_as_have_a_share() {
    let limits = Limits { rate: GBIT, boots: None, programs: false };
    let mut segment = Segment::default();
    let admitted = (0..450).filter(|n| now(segment.ask(machine(*n), 10 * MIB, limits, at(0)))).count();
    assert_eq!(admitted, 192, "5 Mbit/s each");
}

#[test]
fn what_was_loaded_makes_room() {
    let limits = Limits { rate: GBIT, boots: None, programs: false };
    let mut segment = Segment::default();
    for number in 0..9 {
        segment.ask(machine(number), 800 * MIB, limits, at(0));
    }
    assert!(!now(segment.ask(machine(8), 800 * MIB, limits, at(1000))));
    segment.loaded(machine(0), 500 * MIB, false, at(2000));
    assert!(now(segment.ask(machine(8), 800 * MIB, limits, at(3000))));
}

#[test]
fn a_machine_whose_kernel_starts_keeps_a_quarter_of_its_share() {
    let limits = Limits { rate: GBIT, boots: None, programs: false };
    let mut segment = Segment::default();
    for number in 0..192 {
        assert!(now(segment.ask(machine(number), MIB, limits, at(0))));
    }
    for number in 0..4 {
        segment.loaded(machine(number), 1000, true, at(1));
    }
    let programs = Limits { programs: true, ..limits };
    assert!(!now(segment.ask(machine(200), MIB, programs, at(1))), "boot programs go first");
    let more = (200..210).filter(|number| now(segment.ask(machine(*number), MIB, limits, at(2)))).count();
    assert_eq!(more, 3);
    segment.loaded(machine(0), 0, false, at(3));
    segment.done(machine(100));
    assert!(!now(segment.ask(machine(203), MIB, limits, at(4))), "its root file system has that room");
}

#[test]
fn a_vanished_machines_room_is_free_after_a_while_and_it_keeps_its_place() {
    let mut segment = Segment::default();
    assert!(now(segment.ask(machine(0), MIB, boots(1), at(0))));
    let mut time = 1;
    while !now(segment.ask(machine(1), MIB, boots(1), at(time))) {
        time += 10_000;
    }
    assert!((120_000..131_000).contains(&time), "after {time} ms");
    // It comes back, and goes before one that came after it.
    assert!(matches!(segment.ask(machine(2), MIB, boots(1), at(time)), Turn::Wait { before: 0, .. }));
    assert!(matches!(segment.ask(machine(0), MIB, boots(1), at(time + 1)), Turn::Wait { before: 0, .. }));
    assert!(matches!(
        segment.ask(machine(2), MIB, boots(1), at(time + 2)),
        Turn::Wait { before: 1, new: false, .. }
    ));
    segment.done(machine(1));
    assert!(!now(segment.ask(machine(2), MIB, boots(1), at(time + 3))));
    assert!(now(segment.ask(machine(0), MIB, boots(1), at(time + 4))));
}

#[test]
fn one_that_waits_and_is_gone_holds_nobody_up() {
    let mut segment = Segment::default();
    segment.ask(machine(0), MIB, boots(1), at(0));
    segment.ask(machine(1), MIB, boots(1), at(1));
    segment.ask(machine(2), MIB, boots(1), at(2));
    segment.done(machine(0));
    assert!(!now(segment.ask(machine(2), MIB, boots(1), at(10_000))), "1 is still expected");
    assert!(now(segment.ask(machine(2), MIB, boots(1), at(41_000))));
}

#[test]
fn the_wait_is_as_long_as_the_link_takes_for_those_before() {
    let mut segment = Segment::default();
    let pause = |segment: &mut Segment, number| match segment.ask(machine(number), 800 * MIB, boots(1), at(0))
    {
        Turn::Wait { pause, .. } => pause.as_millis(),
        Turn::Now { .. } => 0,
    };
    assert_eq!([0, 1, 2, 9].map(|number| pause(&mut segment, number)), [0, 3355, 6710, 10_066]);
    for number in 20..30 {
        pause(&mut segment, number);
    }
    assert_eq!(pause(&mut segment, 40), 15_000);
}

#[test]
fn places_of_machines_that_never_come_back_are_cleared_away() {
    let mut segment = Segment::default();
    for number in 0..1000 {
        segment.ask(machine(number), MIB, boots(1), at(0));
    }
    segment.ask(machine(5000), MIB, boots(1), at(901_000));
    assert_eq!((segment.waiting.len() + segment.loading.len(), segment.since.len()), (1, 1));
}

#[test]
fn an_offer_comes_before_firmware_gives_up() {
    // EDK2's four questions, in a hall where there is never room.
    let mut offers = Offers::default();
    let limits = Limits { rate: MIB, boots: None, programs: false };
    for number in 0..16 {
        assert!(offers.ask(machine(number), limits, at(0)));
    }
    let late = machine(100);
    assert_eq!([0, 4000, 12_000].map(|time| offers.ask(late, limits, at(time))), [false, false, true]);
    // One that is quick to ask is answered the third time.
    let quick = machine(101);
    assert_eq!(
        [12_000, 12_100, 12_200].map(|time| offers.ask(quick, limits, at(time))),
        [false, false, true]
    );
    // Room is made by those that came for their script, and by those that never did.
    offers.arrived(machine(3));
    offers.arrived(machine(4));
    offers.arrived(machine(5));
    assert!(offers.ask(machine(102), limits, at(12_300)));
    assert!(!offers.ask(machine(103), limits, at(12_300)));
    assert_eq!(offers.held(at(12_300)), 1);
    assert!(offers.ask(machine(104), limits, at(31_000)));
}

/// What happens to one machine in a story: when it is powered on, how long it loads, and whether it vanishes while it does.
#[derive(Debug, Clone)]
struct Fate {
    on: u64,
    loads: u64,
    vanishes: bool,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = (0..20_000_u64, 1..60_000_u64, proptest::bool::weighted(0.1))
        .prop_map(|(on, loads, vanishes)| Fate { on, loads, vanishes });
    prop::collection::vec(fate, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Plays a hall against the clock: each machine asks when it was told to, and loads when it may.
    #[test]
    fn nobody_is_lost_nor_passed_over_and_never_more_load_than_may(fates in fates(), most in 1..8_u32) {
        let mut segment = Segment::default();
        let mut asks: BTreeMap<(u64, u16), ()> = BTreeMap::new();
        let mut ends: BTreeMap<(u64, u16), ()> = BTreeMap::new();
        let mut first: HashMap<u16, u64> = HashMap::new();
        let mut waiting: BTreeMap<(u64, u16), ()> = BTreeMap::new();
        let mut promised = HashSet::new();
        let mut served = 0;
        for (number, fate) in (0..).zip(&fates) {
            asks.insert((fate.on, number), ());
        }
        while let Some(((time, number), ())) = asks.pop_first() {
            while let Some(entry) = ends.first_entry().filter(|entry| entry.key().0 <= time) {
                segment.done(machine(entry.remove_entry().0.1));
            }
            prop_assert!(time < 20_000 + 60 * 200_000, "{number} still waits");
            let since = *first.entry(number).or_insert(time);
            match segment.ask(machine(number), MIB, boots(most), at(time)) {
                Turn::Now { waited } => {
                    prop_assert_eq!(waited, Duration::from_millis(time - since));
                    served += 1;
                    waiting.remove(&(since, number));
                    // Those that came before it have room too, and find it when they ask next.
                    promised.extend(waiting.range(..(since, number)).map(|((_, before), ())| *before));
                    let fate = &fates[usize::from(number)];
                    if !fate.vanishes {
                        ends.insert((time + fate.loads, number), ());
                    }
                }
                Turn::Wait { pause, .. } => {
                    prop_assert!(!promised.contains(&number), "{number} was passed over");
                    prop_assert!((PAUSES.0..=PAUSES.1).contains(&pause));
                    waiting.insert((since, number), ());
                    asks.insert((time + u64::try_from(pause.as_millis()).unwrap(), number), ());
                }
            }
            prop_assert!(segment.counts(at(time)).loading <= usize::try_from(most).unwrap());
        }
        prop_assert_eq!(served, fates.len(), "everybody was served");
    }
}

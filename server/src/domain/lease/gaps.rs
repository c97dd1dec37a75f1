//! The addresses of a subnet's ranges that nobody was ever given, as the gaps between those that somebody was: the next one is found at
//! once, however full the ranges are.
use pilotlight_types::resource::Ipv4Range;
use std::{collections::BTreeMap, net::Ipv4Addr, ops::RangeInclusive};

/// The gaps, by their first address; each with its last.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    ranges: Vec<Ipv4Range>,
    gaps: BTreeMap<u32, u32>,
}

impl Gaps {
    /// Makes sure that these are the gaps of those ranges, where `taken` are given.
    pub(super) fn fit<'a>(&mut self, ranges: &[Ipv4Range], taken: impl Iterator<Item = &'a Ipv4Addr>) {
        if self.ranges == ranges {
            return;
        }
        self.ranges = ranges.to_vec();
        self.gaps = ranges.iter().map(|range| (range.first().to_bits(), range.last().to_bits())).collect();
        taken.for_each(|ip| self.take(*ip));
    }

    /// The address was given.
    pub(super) fn take(&mut self, ip: Ipv4Addr) {
        let ip = ip.to_bits();
        let Some((first, last)) = self.around(ip) else { return };
        self.gaps.remove(&first);
        if first < ip {
            self.gaps.insert(first, ip - 1);
        }
        if ip < last {
            self.gaps.insert(ip + 1, last);
        }
    }

    /// The address was forgotten.
    pub(super) fn give(&mut self, ip: Ipv4Addr) {
        if !self.ranges.iter().any(|range| range.contains(ip)) || self.around(ip.to_bits()).is_some() {
            return;
        }
        let ip = ip.to_bits();
        let before = ip.checked_sub(1).and_then(|ip| self.around(ip));
        let after = ip.checked_add(1).and_then(|ip| self.around(ip));
        let (first, last) = (before.map_or(ip, |(first, _)| first), after.map_or(ip, |(_, last)| last));
        if after.is_some() {
            self.gaps.remove(&(ip + 1));
        }
        self.gaps.insert(first, last);
    }

    /// Every address of the gaps once: from `start` on, and then those before it.
    pub(super) fn from(&self, start: Ipv4Addr) -> impl Iterator<Item = Ipv4Addr> + '_ {
        let start = start.to_bits();
        let inside = self.around(start).filter(|(first, _)| *first < start);
        let tail = inside.map(|(_, last)| start..=last);
        let all = |(first, last): (&u32, &u32)| *first..=*last;
        let head = inside.map(|(first, _)| first..=start - 1);
        let before = self.gaps.range(..start).map(all).filter(move |gap| Some(gap) != whole(inside).as_ref());
        let pieces = tail.into_iter().chain(self.gaps.range(start..).map(all)).chain(before).chain(head);
        pieces.flatten().map(Ipv4Addr::from_bits)
    }

    /// The gap that holds the address.
    fn around(&self, ip: u32) -> Option<(u32, u32)> {
        let (first, last) = self.gaps.range(..=ip).next_back()?;
        (ip <= *last).then_some((*first, *last))
    }
}

fn whole(gap: Option<(u32, u32)>) -> Option<RangeInclusive<u32>> {
    gap.map(|(first, last)| first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn the_gaps_are_what_is_not_taken(
            steps in prop::collection::vec((any::<bool>(), 0..40u8), 0..100), start in 0..40u8,
        ) {
            let at = |last: u8| Ipv4Addr::from([10, 77, 0, last]);
            let ranges: [Ipv4Range; 2] = ["10.77.0.3-10.77.0.12".parse().unwrap(), "10.77.0.13-10.77.0.30".parse().unwrap()];
            let mut gaps = Gaps::default();
            let mut free: HashSet<Ipv4Addr> = (3..=30).map(at).collect();
            gaps.fit(&ranges, [at(5)].iter());
            free.remove(&at(5));
            for (give, last) in steps {
                if give {
                    gaps.give(at(last));
                    if (3..=30).contains(&last) { free.insert(at(last)); }
                } else {
                    gaps.take(at(last));
                    free.remove(&at(last));
                }
                let all: Vec<_> = gaps.from(at(start)).collect();
                prop_assert_eq!(all.len(), free.len(), "each once");
                prop_assert_eq!(all.iter().copied().collect::<HashSet<_>>(), free.clone());
                if let Some(first) = all.first() {
                    let next = free.iter().filter(|ip| **ip >= at(start)).min().or_else(|| free.iter().min());
                    prop_assert_eq!(Some(first), next);
                }
            }
        }
    }

    #[test]
    fn the_ends_of_all_addresses_are_no_edge_case() {
        let ranges = ["0.0.0.0-255.255.255.255".parse().unwrap()];
        let mut gaps = Gaps::default();
        gaps.fit(&ranges, [].iter());
        for ip in [Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST] {
            gaps.take(ip);
            assert_ne!(gaps.from(ip).next(), Some(ip));
            gaps.give(ip);
            assert_eq!(gaps.from(ip).next(), Some(ip));
        }
    }
}

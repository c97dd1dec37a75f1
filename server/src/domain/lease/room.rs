//! How much room a subnet's ranges have.
use pilotlight_types::resource::Ipv4Range;
use std::{collections::HashSet, net::Ipv4Addr};

/// Addresses from the first of them to the one behind the last, as numbers.
type Span = (u64, u64);

/// How many addresses the ranges have, and how many of them anybody could be given: neither left out nor taken.
pub fn room(ranges: &[Ipv4Range], exclude: &[Ipv4Range], taken: &HashSet<Ipv4Addr>) -> (u64, u64) {
    let all = merged(ranges);
    let free: Vec<Span> = merged(exclude).iter().fold(all.clone(), |spans, out| without(&spans, *out));
    let inside = |ip: &&Ipv4Addr| {
        let number = u64::from(u32::from(**ip));
        free.iter().any(|(first, end)| (*first..*end).contains(&number))
    };
    let used = u64::try_from(taken.iter().filter(inside).count()).unwrap_or(u64::MAX);
    (size(&all), size(&free).saturating_sub(used))
}

/// The ranges in their order, each address once.
fn merged(ranges: &[Ipv4Range]) -> Vec<Span> {
    let span =
        |range: &Ipv4Range| (u64::from(u32::from(range.first())), u64::from(u32::from(range.last())) + 1);
    let mut spans: Vec<Span> = ranges.iter().map(span).collect();
    spans.sort_unstable();
    let mut all: Vec<Span> = Vec::with_capacity(spans.len());
    for (first, end) in spans {
        match all.last_mut() {
            Some(last) if first <= last.1 => last.1 = last.1.max(end),
            _ => all.push((first, end)),
        }
    }
    all
}

fn without(spans: &[Span], (first, end): Span) -> Vec<Span> {
    let left = spans.iter().flat_map(|span| [(span.0, span.1.min(first)), (span.0.max(end), span.1)]);
    left.filter(|(first, end)| first < end).collect()
}

fn size(spans: &[Span]) -> u64 {
    spans.iter().map(|(first, end)| end - first).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ranges(texts: &[&str]) -> Vec<Ipv4Range> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn what_is_left_out_or_taken_is_not_free() {
        let taken = ["10.0.0.12", "10.0.0.15", "10.0.0.99"].map(|ip| ip.parse().unwrap()).into();
        let found = room(&ranges(&["10.0.0.10-10.0.0.19"]), &ranges(&["10.0.0.14-10.0.0.16"]), &taken);
        assert_eq!(found, (10, 6), "one that is left out and taken counts once; one elsewhere does not");
        assert_eq!(room(&[], &[], &taken), (0, 0));
    }

    fn some() -> impl Strategy<Value = Vec<Ipv4Range>> {
        let range = (0_u8..40, 0_u8..10)
            .prop_map(|(first, more)| format!("10.0.0.{first}-10.0.0.{}", first + more).parse().unwrap());
        proptest::collection::vec(range, 0..5)
    }

    proptest! {
        #[test]
        fn it_is_what_counting_each_address_finds(
            ranges in some(),
            exclude in some(),
            taken in proptest::collection::hash_set((0_u8..60).prop_map(|n| Ipv4Addr::new(10, 0, 0, n)), 0..20),
        ) {
            let any = |ranges: &[Ipv4Range], ip: Ipv4Addr| ranges.iter().any(|range| range.contains(ip));
            let all: Vec<Ipv4Addr> = (0..60).map(|n| Ipv4Addr::new(10, 0, 0, n)).filter(|ip| any(&ranges, *ip)).collect();
            let free = all.iter().filter(|ip| !any(&exclude, **ip) && !taken.contains(*ip)).count();
            prop_assert_eq!(room(&ranges, &exclude, &taken), (all.len() as u64, free as u64));
        }
    }
}

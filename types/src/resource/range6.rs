//! Ranges of IPv6 addresses.
use super::value::{ValueError, text_value};
use crate::schema::text_schema;
use std::{fmt, net::Ipv6Addr, str::FromStr};

/// Addresses from `first` to `last`, both included. Written `2001:db8:77::1000-2001:db8:77::1fff`, or as one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ipv6Range {
    first: Ipv6Addr,
    last: Ipv6Addr,
}

impl Ipv6Range {
    /// The first address.
    pub const fn first(self) -> Ipv6Addr {
        self.first
    }

    /// The last address.
    pub const fn last(self) -> Ipv6Addr {
        self.last
    }

    /// Whether the address is one of these.
    pub fn contains(self, address: Ipv6Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }

    /// Whether any address is in both.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// How many addresses there are; of all that there are, one less.
    pub const fn size(self) -> u128 {
        (self.last.to_bits() - self.first.to_bits()).saturating_add(1)
    }

    /// The address `index` places after the first, if that is still in the range.
    pub fn nth(self, index: u128) -> Option<Ipv6Addr> {
        (index < self.size()).then(|| Ipv6Addr::from_bits(self.first.to_bits() + index))
    }
}

impl fmt::Display for Ipv6Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl FromStr for Ipv6Range {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(text, "no address range such as 2001:db8:77::1000-2001:db8:77::1fff");
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let first: Ipv6Addr = first.trim().parse().map_err(|_| wrong())?;
        let last: Ipv6Addr = last.trim().parse().map_err(|_| wrong())?;
        if first > last {
            return Err(ValueError::new(text, "an address range that ends before it begins"));
        }
        Ok(Self { first, last })
    }
}
text_value!(Ipv6Range);
text_schema!(
    Ipv6Range,
    "Ipv6Range",
    r"^[0-9A-Fa-f:.]+\s*(-\s*[0-9A-Fa-f:.]+)?$",
    "2001:db8:77::1000-2001:db8:77::1fff"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_counts_its_addresses_and_is_written_as_it_was() {
        let range: Ipv6Range = "2001:db8::1000-2001:db8::1fff".parse().unwrap();
        assert_eq!((range.size(), range.to_string().as_str()), (0x1000, "2001:db8::1000-2001:db8::1fff"));
        assert_eq!(range.nth(0xfff).unwrap().to_string(), "2001:db8::1fff");
        assert_eq!(range.nth(0x1000), None);
        let one: Ipv6Range = "2001:db8::1".parse().unwrap();
        assert_eq!((one.size(), one.to_string().as_str()), (1, "2001:db8::1"));
        let all: Ipv6Range = "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap();
        assert_eq!(all.size(), u128::MAX);
        assert!("2001:db8::2-2001:db8::1".parse::<Ipv6Range>().is_err());
        assert!("10.77.0.1".parse::<Ipv6Range>().is_err());
    }
}

//! The small values inside resources: each is a text outside, and checked once, when it is read.
use crate::{Mac, schema::text_schema};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap, fmt, net::Ipv4Addr, str::FromStr};

/// A text that is not what its place asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is {why}")]
pub struct ValueError {
    text: String,
    why: Cow<'static, str>,
}

impl ValueError {
    /// `why` completes the sentence "`text` is …".
    pub fn new(text: &str, why: impl Into<Cow<'static, str>>) -> Self {
        // What looks like another letter, turns the writing or is not seen at all is shown by its number.
        let shown = |c: char| {
            if c.is_ascii_graphic() || c == ' ' { c.to_string() } else { c.escape_unicode().to_string() }
        };
        Self { text: text.chars().take(80).map(shown).collect(), why: why.into() }
    }
}

macro_rules! text_value {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(super) use text_value;

/// A resource's name: a DNS label (RFC 1123 section 2.1), up to 63 of `a-z`, `0-9` and, inside, `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let good = (1..=63).contains(&text.len())
            && text.bytes().all(|b| plain(b) || b == b'-')
            && text.bytes().next().is_some_and(plain)
            && text.bytes().next_back().is_some_and(plain);
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(ValueError::new(text, "no name: up to 63 of a-z, 0-9 and inner hyphens are expected"))
        }
    }
}
text_value!(Name);
text_schema!(Name, "Name", "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "worker");

/// The first three bytes of a MAC: who made the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Oui([u8; 3]);

impl Oui {
    /// Whether the MAC begins with it.
    pub fn made(self, mac: Mac) -> bool {
        mac.bytes().starts_with(&self.0)
    }
}

impl fmt::Display for Oui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}")
    }
}

impl FromStr for Oui {
    type Err = ValueError;

    /// Takes `b8:27:eb`, with hyphens too.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(text, "no OUI: three bytes such as b8:27:eb are expected");
        let mut bytes = text.split([':', '-']).map(|part| {
            (part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))
                .then(|| u8::from_str_radix(part, 16).ok())?
        });
        let mut next = || bytes.next().flatten();
        match (next(), next(), next()) {
            (Some(a), Some(b), Some(c)) if text.len() == 8 => Ok(Self([a, b, c])),
            _ => Err(wrong()),
        }
    }
}
text_value!(Oui);
text_schema!(Oui, "Oui", "^[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}$", "b8:27:eb");

/// Labels: what people sort machines by. Keys, which are in their order, and values are up to 63 of `A-Z a-z 0-9 . _ - /`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels(Box<[(String, String)]>);

impl Labels {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The value of one label.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find_map(|(known, value)| (known == key).then_some(value))
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// These and others, which win over those of the same key.
    #[must_use]
    pub fn with(&self, others: &Self) -> Self {
        let all: BTreeMap<String, String> = self.0.iter().chain(&others.0).cloned().collect();
        Self(all.into_iter().collect())
    }

    /// Whether each of `wanted` is among these.
    pub fn contain(&self, wanted: &Self) -> bool {
        wanted.iter().all(|(key, value)| self.get(key) == Some(value))
    }
}

impl Serialize for Labels {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let labels = BTreeMap::<String, String>::deserialize(deserializer)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/');
        let bad = labels
            .iter()
            .flat_map(|(key, value)| [key, value])
            .find(|text| text.len() > 63 || !text.bytes().all(plain))
            .or_else(|| labels.keys().find(|key| key.is_empty()));
        match bad {
            None => Ok(Self(labels.into_iter().collect())),
            Some(text) => Err(serde::de::Error::custom(ValueError::new(
                text,
                "no label: up to 63 of letters, digits, `.`, `_`, `-` and `/` are expected",
            ))),
        }
    }
}

/// Addresses from `first` to `last`, both included. Written `10.77.0.100-10.77.0.200`, or as one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ipv4Range {
    first: Ipv4Addr,
    last: Ipv4Addr,
}

impl Ipv4Range {
    /// The first address.
    pub const fn first(self) -> Ipv4Addr {
        self.first
    }

    /// The last address.
    pub const fn last(self) -> Ipv4Addr {
        self.last
    }

    /// Whether the address is one of these.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }

    /// Whether any address is in both.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// How many addresses there are.
    pub fn size(self) -> u64 {
        u64::from(u32::from(self.last) - u32::from(self.first)) + 1
    }

    /// The address `index` places after the first, if that is still in the range.
    pub fn nth(self, index: u64) -> Option<Ipv4Addr> {
        let offset = u32::try_from(index).ok().filter(|_| index < self.size())?;
        Some(Ipv4Addr::from(u32::from(self.first) + offset))
    }
}

impl fmt::Display for Ipv4Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl FromStr for Ipv4Range {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(text, "no address range such as 10.77.0.100-10.77.0.200");
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let first: Ipv4Addr = first.trim().parse().map_err(|_| wrong())?;
        let last: Ipv4Addr = last.trim().parse().map_err(|_| wrong())?;
        if first > last {
            return Err(ValueError::new(text, "an address range that ends before it begins"));
        }
        Ok(Self { first, last })
    }
}
text_value!(Ipv4Range);
text_schema!(Ipv4Range, "Ipv4Range", r"^[0-9.]+\s*(-\s*[0-9.]+)?$", "10.77.0.100-10.77.0.200");

/// A length of time in whole seconds. Written `90s`, `15m`, `1h` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Duration(u32);

impl Duration {
    /// That many seconds.
    pub const fn seconds(seconds: u32) -> Self {
        Self(seconds)
    }

    /// The length in seconds.
    pub const fn as_secs(self) -> u32 {
        self.0
    }

    /// The length as the standard library has it.
    pub const fn std(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.0 as u64)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            s if s > 0 && s % 86_400 == 0 => write!(f, "{}d", s / 86_400),
            s if s > 0 && s % 3600 == 0 => write!(f, "{}h", s / 3600),
            s if s > 0 && s % 60 == 0 => write!(f, "{}m", s / 60),
            s => write!(f, "{s}s"),
        }
    }
}

impl FromStr for Duration {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(text, "no length of time such as 90s, 15m, 1h or 7d");
        let unit = match text.chars().next_back() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            _ => return Err(wrong()),
        };
        let digits =
            text.get(..text.len() - 1).filter(|d| d.bytes().all(|b| b.is_ascii_digit())).ok_or_else(wrong)?;
        let number: u32 = digits.parse().map_err(|_| wrong())?;
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }
}
text_value!(Duration);
text_schema!(Duration, "Duration", "^[0-9]{1,9}[smhd]$", "1h");

/// How fast a link is, in whole Mbit/s. Written `100Mbit`, `1Gbit` or `25Gbit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkRate(u32);

impl LinkRate {
    /// That many Mbit/s.
    pub const fn mbit(mbit: u32) -> Self {
        Self(mbit)
    }

    /// The rate in bytes a second.
    pub const fn bytes(self) -> u64 {
        self.0 as u64 * 125_000
    }
}

impl fmt::Display for LinkRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            mbit if mbit > 0 && mbit % 1000 == 0 => write!(f, "{}Gbit", mbit / 1000),
            mbit => write!(f, "{mbit}Mbit"),
        }
    }
}

impl FromStr for LinkRate {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(text, "no rate of a link such as 100Mbit, 1Gbit or 25Gbit");
        let (digits, unit) = match (text.strip_suffix("Mbit"), text.strip_suffix("Gbit")) {
            (Some(digits), _) => (digits, 1),
            (_, Some(digits)) => (digits, 1000),
            _ => return Err(wrong()),
        };
        let plain = digits.bytes().all(|b| b.is_ascii_digit());
        let number: u32 = digits.parse().ok().filter(|number| plain && *number > 0).ok_or_else(wrong)?;
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }
}
text_value!(LinkRate);
text_schema!(LinkRate, "LinkRate", "^[0-9]{1,7}[MG]bit$", "10Gbit");

/// A SHA-256 digest. Written as 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The digest with these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes.
    pub const fn bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Sha256 {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(text, "no SHA-256: 64 hex digits are expected");
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let pair = text.get(2 * index..2 * index + 2).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}
text_value!(Sha256);
text_schema!(
    Sha256,
    "Sha256",
    "^[0-9A-Fa-f]{64}$",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
);

#[cfg(test)]
mod tests;

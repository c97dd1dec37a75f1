//! The values by which hardware is compared: sizes, patterns, versions, bounds.
use super::value::{ValueError, text_value};
use crate::schema::text_schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, fmt, str::FromStr};

/// A size in bytes: `64GiB`, `960GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteSize(u64);

/// The units, the largest first.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1000),
    ("B", 1),
];

impl ByteSize {
    /// That many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// How many bytes that is.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteSize {
    /// Exactly, in the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = UNITS.into_iter().find(|(_, bytes)| self.0 > 0 && self.0.is_multiple_of(*bytes));
        let (unit, bytes) = found.unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / bytes)
    }
}

impl FromStr for ByteSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(text, "no size such as 64GiB or 960GB");
        let (unit, bytes) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit)).ok_or_else(wrong)?;
        let digits = text.strip_suffix(unit).unwrap_or_default();
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        number.checked_mul(bytes).map(Self).ok_or_else(wrong)
    }
}
text_value!(ByteSize);
text_schema!(ByteSize, "ByteSize", "^[0-9]{1,12}([KMGT]i|[kMGT])?B$", "64GiB");

/// A text in which `*` stands for any text; capitals do not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Whether a text is as the pattern says.
    pub fn takes(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.to_lowercase(), text.trim().to_lowercase());
        let mut parts = pattern.split('*');
        let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            match rest.find(part) {
                Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        true
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Pattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let good = !text.trim().is_empty() && text.len() <= 128 && !text.contains(char::is_control);
        if good && text.matches('*').count() <= 8 {
            Ok(Self(text.trim().to_owned()))
        } else {
            Err(ValueError::new(
                text,
                "no pattern: up to 128 printable characters are expected, at most eight of them *",
            ))
        }
    }
}
text_value!(Pattern);
text_schema!(Pattern, "Pattern", r"^[^\u0000-\u001f]{1,128}$", "PowerEdge R6*");

/// How two versions stand to each other: number by number, and text by text where there are none. `1.10` is above `1.9`.
pub fn compare_versions(one: &str, other: &str) -> Ordering {
    let parts = |text: &str| -> Vec<(u64, String)> {
        text.split(|c: char| !c.is_ascii_alphanumeric())
            .flat_map(|part| {
                let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
                let (number, rest) = part.split_at_checked(digits).unwrap_or_default();
                // `U46`: a letter before the number.
                let inner = rest.find(|c: char| c.is_ascii_digit()).filter(|_| number.is_empty());
                match inner.and_then(|at| rest.split_at_checked(at)) {
                    Some((letters, number)) => {
                        vec![(0, letters.to_lowercase()), (number.parse().unwrap_or(0), String::new())]
                    }
                    None => vec![(number.parse().unwrap_or(0), rest.to_lowercase())],
                }
            })
            .collect()
    };
    parts(one.trim()).cmp(&parts(other.trim()))
}

/// A number that is not below `min` nor above `max`, where those are said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}Bounds")]
#[serde(deny_unknown_fields)]
pub struct Bounds<T> {
    /// At least so much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<T>,
    /// At the most so much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<T>,
}

impl<T: PartialOrd> Bounds<T> {
    /// Whether the value is within them.
    pub fn take(&self, value: &T) -> bool {
        self.min.as_ref().is_none_or(|min| value >= min) && self.max.as_ref().is_none_or(|max| value <= max)
    }
}

impl<T: fmt::Display> fmt::Display for Bounds<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.min, &self.max) {
            (Some(min), Some(max)) => write!(f, "{min} to {max}"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (None, None) => f.write_str("anything"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pattern_reads_as_people_write_it() {
        let takes = |pattern: &str, text: &str| pattern.parse::<Pattern>().unwrap().takes(text);
        for (pattern, text) in [
            ("PowerEdge*", "poweredge R640"),
            ("*R640*", "PowerEdge R640"),
            ("a*b*c", "a--b--c"),
            ("QEMU", " qemu "),
        ] {
            assert!(takes(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("PowerEdge", "PowerEdge R640"), ("*R640", "R640 xs"), ("ab*ba", "aba"), ("a*b*c", "acb")]
        {
            assert!(!takes(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (low, high) in [
            ("1.9", "1.10"),
            ("2.8.2", "2.10.0"),
            ("U46 v2.10", "U46 v2.52"),
            ("1.0", "1.0.1"),
            ("U30", "U46"),
        ] {
            assert_eq!(compare_versions(low, high), Ordering::Less, "{low} {high}");
            assert_eq!(compare_versions(high, low), Ordering::Greater, "{low} {high}");
        }
        assert_eq!(compare_versions("2.8.2", " 2.8.2 "), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn a_size_is_read_as_it_is_written(bytes: u64) {
            let size = ByteSize::bytes(bytes);
            prop_assert_eq!(size.to_string().parse::<ByteSize>().unwrap(), size);
        }
    }
}

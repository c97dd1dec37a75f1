//! Ethernet addresses.
use std::{fmt, str::FromStr};

/// An Ethernet (EUI-48) address. Prints as `52:54:00:12:34:56`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac([u8; 6]);

/// A text that is no MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no MAC address: six pairs of hex digits are expected, as in 52:54:00:12:34:56")]
pub struct MacError(String);

impl Mac {
    /// The address with these bytes, in the order in which they cross the wire.
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// The bytes, in the order in which they cross the wire.
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }

    /// Whether this can be a host's own address: not a group address (IEEE 802.3, I/G bit) and not all zero.
    pub fn is_host(self) -> bool {
        let [first, ..] = self.0;
        first & 1 == 0 && self.0 != [0; 6]
    }

    /// `52-54-00-12-34-56`, as iPXE's `:hexhyp` and file names have it.
    pub fn hyphenated(self) -> String {
        self.to_string().replace(':', "-")
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Mac {
    type Err = MacError;

    /// Takes `aa:bb:..`, `aa-bb-..` and twelve bare digits, in either case.
    fn from_str(text: &str) -> Result<Self, MacError> {
        let wrong = || MacError(text.chars().take(40).collect());
        let digits: String = match text.len() {
            12 => text.to_owned(),
            17 => {
                let separator = text.chars().nth(2).filter(|c| matches!(c, ':' | '-')).ok_or_else(wrong)?;
                let pairs: Vec<&str> = text.split(separator).collect();
                if pairs.len() != 6 || pairs.iter().any(|p| p.len() != 2) {
                    return Err(wrong());
                }
                pairs.concat()
            }
            _ => return Err(wrong()),
        };
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let number = u64::from_str_radix(&digits, 16).map_err(|_| wrong())?;
        let [_, _, bytes @ ..] = number.to_be_bytes();
        Ok(Self(bytes))
    }
}

impl serde::Serialize for Mac {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Mac {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_address_survives_printing_and_parsing(bytes: [u8; 6]) {
            let mac = Mac::new(bytes);
            prop_assert_eq!(mac.to_string().parse::<Mac>().unwrap(), mac);
            prop_assert_eq!(mac.hyphenated().to_uppercase().parse::<Mac>().unwrap(), mac);
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = text.parse::<Mac>();
        }
    }

    #[test]
    fn texts_that_are_no_address_are_refused() {
        for text in
            ["", "52:54", "52:54:00:12:34:5g", "+2:54:00:12:34:56", "52:54-00:12:34:56", "525:4:00:12:34:56"]
        {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }
}

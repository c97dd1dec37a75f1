//! Points in time.
use std::{fmt, str::FromStr};

/// A point in time: microseconds since 1970-01-01T00:00:00Z. RFC 3339 outside, a plain number in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

/// A text that is no RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no RFC 3339 time such as 2026-11-23T08:00:00Z")]
pub struct TimestampError(String);

impl Timestamp {
    /// The time that many microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The time that an HTTP header says: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
    pub fn of_http(text: &str) -> Option<Self> {
        let date = jiff::fmt::rfc2822::parse(text).ok()?;
        Some(Self(date.timestamp().as_microsecond()))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This time plus `duration`; stays at the end of time rather than wrapping.
    pub fn plus(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long it has been since `earlier`; zero if that is later.
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{} us", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let time: jiff::Timestamp =
            text.parse().map_err(|_| TimestampError(text.chars().take(40).collect()))?;
        Ok(Self(time.as_microsecond()))
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => serializer.collect_str(&format_args!("{time:.6}")),
            Err(e) => Err(serde::ser::Error::custom(e)),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_keeps_its_microseconds_through_json() {
        let time: Timestamp = "2026-11-23T08:15:16.123456Z".parse().unwrap();
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(json, "\"2026-11-23T08:15:16.123456Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
        assert_eq!(time.to_string(), "2026-11-23T08:15:16.123Z");
    }
}

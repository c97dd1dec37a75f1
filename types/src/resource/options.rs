//! DHCP options that operators add, by number.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de};
use serde_json::{Value, json};
use std::{collections::BTreeMap, net::Ipv4Addr};

/// Extra DHCP options: number to value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct DhcpOptions(BTreeMap<u8, OptionValue>);

impl DhcpOptions {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number and value of each, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &OptionValue)> {
        self.0.iter().map(|(code, value)| (*code, value))
    }
}

/// The value of one option, in one of four ways to write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum OptionValue {
    /// `rack.example`: a text, or an address where the option is one.
    Text(String),
    /// `1500`: a number, of as many bytes as the option has.
    Number(u32),
    /// `[10.77.0.1, 10.77.0.2]`: addresses.
    Addresses(Vec<Ipv4Addr>),
    /// `{hex: "0a0b0c"}`: bytes.
    Hex(Vec<u8>),
}

impl TryFrom<Value> for OptionValue {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let wrong = || "a text, a number, a list of IPv4 addresses or {hex: \"…\"} is expected".to_owned();
        match value {
            Value::String(text) => Ok(Self::Text(text)),
            Value::Number(number) => {
                let number = number.as_u64().and_then(|number| u32::try_from(number).ok());
                number.map(Self::Number).ok_or_else(|| "a number from 0 to 4294967295 is expected".to_owned())
            }
            Value::Array(items) => {
                let address = |item: &Value| item.as_str().and_then(|text| text.parse().ok());
                let all: Option<Vec<Ipv4Addr>> = items.iter().map(address).collect();
                all.map(Self::Addresses).ok_or_else(|| "each item must be an IPv4 address".to_owned())
            }
            Value::Object(map) => match map.get("hex") {
                Some(Value::String(text)) if map.len() == 1 => bytes(text).map(Self::Hex),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

impl From<OptionValue> for Value {
    fn from(value: OptionValue) -> Self {
        match value {
            OptionValue::Text(text) => json!(text),
            OptionValue::Number(number) => json!(number),
            OptionValue::Addresses(all) => json!(all),
            OptionValue::Hex(bytes) => {
                let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                json!({ "hex": text })
            }
        }
    }
}

/// Hex digits, with or without colons between the bytes.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<char> = text.chars().filter(|c| *c != ':').collect();
    let wrong = || "pairs of hex digits are expected, such as 0a0b0c or 0a:0b:0c".to_owned();
    if !digits.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let byte = |pair: &[char]| {
        let [high, low] = pair else { return None };
        u8::try_from(high.to_digit(16)? * 16 + low.to_digit(16)?).ok()
    };
    digits.chunks(2).map(|pair| byte(pair).ok_or_else(wrong)).collect()
}

/// A share of a whole, from 0 to 100 percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Percent(#[schemars(range(max = 100))] u8);

impl Percent {
    /// 25 percent.
    pub const QUARTER: Self = Self(25);

    /// That many percent; none beyond 100.
    pub const fn new(percent: u8) -> Option<Self> {
        if percent <= 100 { Some(Self(percent)) } else { None }
    }

    /// The number itself.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The share of a number, rounded down.
    pub const fn of(self, whole: u64) -> u64 {
        // Wholes are counts of IPv4 addresses: this does not overflow.
        whole * self.0 as u64 / 100
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        Self::new(number).ok_or_else(|| de::Error::custom("a number from 0 to 100 is expected"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_in_four_ways_and_comes_back_as_it_was() {
        let written = json!({"15": "rack.example", "26": 1500, "42": ["10.77.0.1"], "224": {"hex": "0a0b"}});
        let options: DhcpOptions = serde_json::from_value(written.clone()).unwrap();
        let values: Vec<_> = options.iter().collect();
        assert_eq!(values[0], (15, &OptionValue::Text("rack.example".into())));
        assert_eq!(values[1], (26, &OptionValue::Number(1500)));
        assert_eq!(values[2], (42, &OptionValue::Addresses(vec![[10, 77, 0, 1].into()])));
        assert_eq!(values[3], (224, &OptionValue::Hex(vec![10, 11])));
        assert_eq!(serde_json::to_value(&options).unwrap(), written);
        let colons: OptionValue = serde_json::from_value(json!({"hex": "0A:0b"})).unwrap();
        assert_eq!(colons, OptionValue::Hex(vec![10, 11]));
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for bad in [
            json!(null),
            json!(true),
            json!(-1),
            json!(1.5),
            json!(4_294_967_296_u64),
            json!(["10.77.0"]),
            json!([1]),
            json!({}),
            json!({"hex": "0"}),
            json!({"hex": "zz"}),
            json!({"hex": "00", "x": 1}),
        ] {
            assert!(serde_json::from_value::<OptionValue>(bad.clone()).is_err(), "{bad}");
        }
        for bad in [json!({"256": 1}), json!({"x": 1}), json!({"-1": 1})] {
            assert!(serde_json::from_value::<DhcpOptions>(bad.clone()).is_err(), "{bad}");
        }
        assert!(serde_json::from_value::<Percent>(json!(101)).is_err());
        assert_eq!(Percent::new(25).unwrap().of(101), 25);
    }
}

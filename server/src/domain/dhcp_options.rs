//! DHCP options that operators add: which they may, and their bytes (RFC 2132).
use pilotlight_types::resource::{DhcpOptions, OptionValue};
use std::{collections::BTreeMap, net::Ipv4Addr};

/// The longest value: with more, an answer does not fit into the packet that every client takes.
pub const LONGEST: usize = 255;

/// How an option is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Addresses,
    /// A number of so many bytes.
    Number(usize),
    /// Pairs of addresses, routes, or what we do not know: given as it is.
    Any,
}

/// Why an operator may not set an option so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOption {
    /// It is ours to compute.
    #[error("option {0} cannot be set: it is part of the protocol, or says what a machine boots")]
    Ours(u8),
    /// The value is not what the option is made of.
    #[error("option {0} is {1}")]
    Form(u8, &'static str),
    /// We do not know how long the number is.
    #[error("how many bytes a number takes in option {0} is not known: write {{hex: \"…\"}}")]
    Width(u8),
    /// The number does not fit.
    #[error("{1} does not fit into option {0}")]
    TooLarge(u8, u32),
    /// Empty, or too long.
    #[error("option {0} has {1} bytes; 1 to {LONGEST} are expected")]
    Length(u8, usize),
}

/// Whether we compute the option, and nobody else may set it: padding and end (0, 255), the mask, the options of the protocol (50 to 61),
/// those of PXE (43, 66, 67, 93 to 97) and iPXE (175), and what relays and clients say (82, 118).
const fn is_ours(code: u8) -> bool {
    matches!(code, 0 | 1 | 43 | 50..=61 | 66 | 67 | 82 | 93..=97 | 118 | 175 | 255)
}

const fn form(code: u8) -> Form {
    match code {
        3..=11 | 16 | 28 | 32 | 41 | 42 | 44 | 45 | 48 | 49 | 65 | 68..=76 => Form::Addresses,
        12 | 14 | 15 | 17 | 18 | 40 | 47 | 62 | 64 | 100 | 101 | 114 | 209 | 210 => Form::Text,
        19 | 20 | 23 | 27 | 29 | 30 | 31 | 34 | 36 | 37 | 39 | 46 | 116 => Form::Number(1),
        13 | 22 | 26 => Form::Number(2),
        2 | 24 | 35 | 38 | 108 | 211 => Form::Number(4),
        _ => Form::Any,
    }
}

/// The bytes of an option.
pub fn encode(code: u8, value: &OptionValue) -> Result<Vec<u8>, BadOption> {
    if is_ours(code) {
        return Err(BadOption::Ours(code));
    }
    let bytes = match (form(code), value) {
        (_, OptionValue::Hex(bytes)) => bytes.clone(),
        (Form::Addresses | Form::Any, OptionValue::Addresses(all)) => octets(all),
        (Form::Addresses, OptionValue::Text(text)) => match text.parse() {
            Ok(one) => octets(&[one]),
            Err(_) => return Err(BadOption::Form(code, "a list of IPv4 addresses")),
        },
        (Form::Text | Form::Any, OptionValue::Text(text)) if !text.contains(char::is_control) => {
            text.clone().into_bytes()
        }
        (Form::Text, _) => return Err(BadOption::Form(code, "a text without control characters")),
        (Form::Any, OptionValue::Text(_)) => {
            return Err(BadOption::Form(code, "no text with control characters"));
        }
        (Form::Addresses, OptionValue::Number(_)) => {
            return Err(BadOption::Form(code, "a list of IPv4 addresses"));
        }
        (Form::Number(width), OptionValue::Number(number)) => {
            if width < 4 && *number >> (8 * width) != 0 {
                return Err(BadOption::TooLarge(code, *number));
            }
            number.to_be_bytes().into_iter().skip(4 - width).collect()
        }
        (Form::Number(_), _) => return Err(BadOption::Form(code, "a number")),
        (Form::Any, OptionValue::Number(_)) => return Err(BadOption::Width(code)),
    };
    match bytes.len() {
        1..=LONGEST => Ok(bytes),
        length => Err(BadOption::Length(code, length)),
    }
}

/// The options of several places together, the most specific last: it wins. What is wrong is left out; it was refused when it was written.
pub fn merge<'a>(places: impl IntoIterator<Item = &'a DhcpOptions>) -> BTreeMap<u8, Vec<u8>> {
    let all = places.into_iter().flat_map(DhcpOptions::iter);
    all.filter_map(|(code, value)| Some((code, encode(code, value).ok()?))).collect()
}

fn octets(addresses: &[Ipv4Addr]) -> Vec<u8> {
    addresses.iter().flat_map(Ipv4Addr::octets).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(json: serde_json::Value) -> OptionValue {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn each_form_has_its_bytes() {
        let bytes = |code, json| encode(code, &value(json)).unwrap();
        assert_eq!(bytes(42, json!(["10.77.0.1", "10.77.0.2"])), [10, 77, 0, 1, 10, 77, 0, 2]);
        assert_eq!(bytes(42, json!("10.77.0.1")), [10, 77, 0, 1], "one address needs no list");
        assert_eq!(bytes(26, json!(1500)), [5, 220]);
        assert_eq!(bytes(2, json!(3600)), [0, 0, 14, 16]);
        assert_eq!(bytes(46, json!(8)), [8]);
        assert_eq!(bytes(209, json!("pxelinux.cfg/x")), b"pxelinux.cfg/x");
        assert_eq!(bytes(224, json!("10.77.0.1")), b"10.77.0.1", "what is not known is given as written");
        assert_eq!(bytes(224, json!(["10.77.0.1"])), [10, 77, 0, 1]);
        assert_eq!(bytes(26, json!({"hex": "05dc"})), [5, 220]);
    }

    #[test]
    fn what_we_compute_and_what_does_not_fit_is_refused() {
        for code in [0, 1, 43, 50, 51, 53, 54, 60, 61, 66, 67, 82, 93, 97, 118, 175, 255] {
            assert_eq!(encode(code, &value(json!({"hex": "00"}))), Err(BadOption::Ours(code)));
        }
        for (code, json) in [
            (42, json!("ntp.example")),
            (42, json!(1)),
            (26, json!("1500")),
            (26, json!(65_536)),
            (224, json!(1)),
            (15, json!(["10.77.0.1"])),
            (15, json!("a\nb")),
            (224, json!("")),
            (224, json!([])),
            (224, json!("x".repeat(256))),
        ] {
            assert!(encode(code, &value(json.clone())).is_err(), "{code}: {json}");
        }
    }

    #[test]
    fn the_most_specific_place_wins() {
        let options = |json| serde_json::from_value::<DhcpOptions>(json).unwrap();
        let subnet = options(json!({"42": "10.77.0.1", "26": 1500}));
        let machine = options(json!({"26": 9000}));
        let merged = merge([&subnet, &machine]);
        assert_eq!(merged, [(26, vec![35, 40]), (42, vec![10, 77, 0, 1])].into());
    }
}

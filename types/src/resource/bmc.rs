//! BMCs: how a machine's power is switched, and how its controller is known to be the right one.
use super::{
    secret::SecretRef,
    value::{ValueError, text_value},
};
use crate::schema::text_schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The controller that switches a machine, and what it takes to speak with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BmcSpec {
    /// What it speaks.
    #[serde(rename = "type")]
    pub protocol: BmcProtocol,
    /// Where it is: a name or an address, with a port where that is not 443 (Redfish) or 623 (IPMI).
    pub address: BmcAddress,
    /// Whom we are to it.
    #[schemars(length(min = 1, max = 64))]
    pub username: String,
    /// Where the password is; it is read when it is used. A template, as the references of `secrets` are.
    pub password: SecretRef,
    /// Redfish: how its certificate is known to be the right one. By Mozilla's list of authorities, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<BmcTls>,
    /// Redfish: which of its systems this machine is, by its `Id`; needed where there is more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// IPMI: the one cipher suite to use, 3 or 17. If absent, 17 is asked for first, and 3 of a BMC that does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cipher_suite: Option<u8>,
}

/// What a BMC speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BmcProtocol {
    /// Redfish, over HTTPS.
    Redfish,
    /// IPMI 2.0 over RMCP+ (`lanplus`), authenticated and encrypted.
    Ipmi,
}

impl BmcProtocol {
    /// As JSON has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redfish => "redfish",
            Self::Ipmi => "ipmi",
        }
    }

    /// The port where none is said.
    pub const fn port(self) -> u16 {
        match self {
            Self::Redfish => 443,
            Self::Ipmi => 623,
        }
    }
}

/// How a BMC's certificate is known to be the right one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BmcTls {
    /// It is from one of these authorities, PEM, and names the address.
    Ca(String),
    /// It is this one: the SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` prints it.
    Fingerprint(Fingerprint),
    /// `true`: it may be anybody's. Whoever is in between can then read the password.
    Insecure(Insecure),
}

/// `true`, and nothing else: that is how one says that no certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "bool", into = "bool")]
#[schemars(with = "bool")]
pub struct Insecure;

impl TryFrom<bool> for Insecure {
    type Error = &'static str;

    fn try_from(said: bool) -> Result<Self, Self::Error> {
        if said {
            Ok(Self)
        } else {
            Err("`true` is expected; leave `insecure` out to have the certificate checked")
        }
    }
}

impl From<Insecure> for bool {
    fn from(Insecure: Insecure) -> Self {
        true
    }
}

/// A host with or without a port: `10.0.0.7`, `bmc-n1.example:8443`, `[2001:db8::7]:443`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BmcAddress {
    host: String,
    port: Option<u16>,
}

impl BmcAddress {
    /// The name or address, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, where one is said.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }
}

impl fmt::Display for BmcAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.host.contains(':'), self.port) {
            (true, _) => write!(f, "[{}]", self.host)?,
            (false, _) => f.write_str(&self.host)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl FromStr for BmcAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bad = || {
            let why = "no address of a BMC: a name or an IP address is expected, as in `10.0.0.7` or `bmc-n1.example:8443`";
            ValueError::new(text, why)
        };
        let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(bad);
        let (host, port) =
            if let Some((host, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
                host.parse::<std::net::Ipv6Addr>().map_err(|_| bad())?;
                (host, rest.strip_prefix(':').map(port).transpose()?)
            } else if text.parse::<std::net::Ipv6Addr>().is_ok() {
                (text, None)
            } else {
                match text.split_once(':') {
                    Some((host, number)) => (host, Some(port(number)?)),
                    None => (text, None),
                }
            };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
        if host.is_empty() || host.len() > 253 || !host.bytes().all(plain) || host.starts_with('-') {
            return Err(bad());
        }
        Ok(Self { host: host.to_ascii_lowercase(), port })
    }
}
text_value!(BmcAddress);
text_schema!(BmcAddress, "BmcAddress", r"^[A-Za-z0-9.:_\[\]-]{1,261}$", "10.0.0.7");

/// The SHA-256 of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint with these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    /// As OpenSSL prints it, so that people can compare.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if index == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl FromStr for Fingerprint {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bad = || {
            let why =
                "no SHA-256 of a certificate: 64 hexadecimal digits are expected, with or without colons";
            ValueError::new(text, why)
        };
        let digits: Vec<u8> = text
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
            .collect::<Option<_>>()
            .ok_or_else(bad)?;
        let pairs: Vec<u8> =
            digits.chunks_exact(2).filter_map(|pair| Some((pair.first()? << 4) | pair.last()?)).collect();
        let whole = digits.len() == 64;
        pairs.try_into().ok().filter(|_| whole).map(Self).ok_or_else(bad)
    }
}
text_value!(Fingerprint);
text_schema!(
    Fingerprint,
    "Fingerprint",
    "^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$",
    "9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08"
);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_address_is_a_host_with_or_without_a_port() {
        for (text, host, port) in [
            ("10.0.0.7", "10.0.0.7", None),
            ("BMC-n1.example:8443", "bmc-n1.example", Some(8443)),
            ("[2001:db8::7]:443", "2001:db8::7", Some(443)),
            ("2001:db8::7", "2001:db8::7", None),
        ] {
            let address: BmcAddress = text.parse().unwrap();
            assert_eq!((address.host(), address.port()), (host, port));
            assert_eq!(address.to_string().parse::<BmcAddress>().unwrap(), address);
        }
        for bad in ["", "https://10.0.0.7", "10.0.0.7:0", "a b", "a/b", "a:b:c", "me@host", "[::1"] {
            assert!(bad.parse::<BmcAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_certificate_goes_unchecked_only_where_somebody_says_so() {
        let read = |tls: serde_json::Value| serde_json::from_value::<BmcTls>(tls);
        assert!(matches!(read(json!({"insecure": true})), Ok(BmcTls::Insecure(_))));
        assert!(read(json!({"insecure": false})).is_err());
        assert!(read(json!({"fingerprint": "ab"})).is_err());
        let print = Fingerprint::new([0xa5; 32]);
        let said = read(json!({"fingerprint": print.to_string()})).unwrap();
        assert_eq!(said, BmcTls::Fingerprint(print));
        assert_eq!(said, read(json!({"fingerprint": "a5".repeat(32)})).unwrap());
    }
}

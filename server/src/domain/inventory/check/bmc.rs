//! BMCs: what can be told of one before anything is asked of it.
use super::Findings;
use pilotlight_types::resource::{BmcProtocol, BmcSpec, BmcTls};

/// The longest user name, by Redfish and by IPMI, and the longest certificate.
const LONGEST: (usize, usize, usize) = (64, 16, 64 << 10);

/// Checks a machine's BMC. Its reference was looked at with the machine's other ones.
pub(super) fn check(spec: &BmcSpec, found: &mut Findings) {
    let longest = if spec.protocol == BmcProtocol::Ipmi { LONGEST.1 } else { LONGEST.0 };
    if !(1..=longest).contains(&spec.username.len()) || spec.username.contains(char::is_control) {
        found.error("spec.bmc.username", format!("1 to {longest} printable bytes are expected"));
    }
    if spec.system.as_ref().is_some_and(|id| id.is_empty() || id.len() > 128 || id.contains(char::is_control))
    {
        found.error("spec.bmc.system", "1 to 128 printable bytes are expected");
    }
    match spec.protocol {
        BmcProtocol::Ipmi => {
            for (path, said) in
                [("spec.bmc.tls", spec.tls.is_some()), ("spec.bmc.system", spec.system.is_some())]
            {
                if said {
                    found.error(path, "this is of Redfish: IPMI has nothing like it");
                }
            }
            if spec.cipher_suite.is_some_and(|suite| !matches!(suite, 3 | 17)) {
                found.error(
                    "spec.bmc.cipherSuite",
                    "3 or 17 is expected: the others leave out encryption or build on MD5 or RC4",
                );
            }
        }
        BmcProtocol::Redfish => {
            if spec.cipher_suite.is_some() {
                found.error("spec.bmc.cipherSuite", "this is of IPMI: Redfish has TLS");
            }
            match &spec.tls {
                None => found.warnings.push(
                    "spec.bmc has no `tls`: its certificate must be from an authority that Mozilla trusts, as few BMCs' are; pin it with \
                     `tls: {fingerprint: …}` or name its authority with `tls: {ca: …}`"
                        .to_owned(),
                ),
                Some(BmcTls::Ca(pem)) if pem.len() > LONGEST.2 || !pem.contains("-----BEGIN CERTIFICATE-----") => {
                    found.error("spec.bmc.tls.ca", "certificates in PEM are expected");
                }
                Some(BmcTls::Insecure(_)) => found.warnings.push(
                    "spec.bmc.tls is `insecure`: whoever is between us and the BMC can read its password".to_owned(),
                ),
                Some(BmcTls::Ca(_) | BmcTls::Fingerprint(_)) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{right, wrong};
    use pilotlight_types::resource::Kind;
    use serde_json::{Value, json};

    fn with(change: &Value) -> Value {
        let mut bmc = json!({"type": "ipmi", "address": "10.0.0.7", "username": "admin", "password": {"file": "/s/bmc"}});
        for (key, value) in change.as_object().unwrap() {
            bmc[key] = value.clone();
        }
        json!({"macs": ["52:54:00:00:00:01"], "bmc": bmc})
    }

    #[test]
    fn a_wrong_bmc_is_told_where_it_is_wrong() {
        for (change, path, words) in [
            (json!({"username": ""}), "spec.bmc.username", "1 to 16"),
            (json!({"username": "a".repeat(17)}), "spec.bmc.username", "1 to 16"),
            (json!({"cipherSuite": 0}), "spec.bmc.cipherSuite", "3 or 17"),
            (json!({"system": "1"}), "spec.bmc.system", "of Redfish"),
            (json!({"tls": {"insecure": true}}), "spec.bmc.tls", "of Redfish"),
            (json!({"type": "redfish", "cipherSuite": 17}), "spec.bmc.cipherSuite", "of IPMI"),
            (json!({"type": "redfish", "tls": {"ca": "rubbish"}}), "spec.bmc.tls.ca", "PEM"),
            (json!({"password": {"file": "relative"}}), "spec.bmc.password", "absolute path"),
        ] {
            wrong(&[], Kind::Machine, &with(&change), path, words);
        }
    }

    #[test]
    fn what_lets_others_read_the_password_is_a_warning() {
        assert_eq!(right(&[], Kind::Machine, &with(&json!({}))), [""; 0]);
        for tls in [json!({"insecure": true}), Value::Null] {
            let odd = right(&[], Kind::Machine, &with(&json!({"type": "redfish", "tls": tls})));
            assert_eq!(odd.len(), 1, "{odd:?}");
        }
    }
}

//! Where makers of BMCs differ, a row each. What is not here is done as DSP0266 and the schema of ComputerSystem have it.
use serde_json::Value;

/// How one make of BMC differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quirks {
    /// What it is called.
    pub(super) make: &'static str,
    /// What its service root or its system calls its maker; lower case.
    words: &'static [&'static str],
    /// The boot device is set in the settings object (`…/SD`, taken over with the next boot) and not in the system itself.
    pub(super) settings_object: bool,
    /// A PATCH without If-Match is refused; `*` where there is no ETag.
    pub(super) needs_if_match: bool,
    /// `BootSourceOverrideMode` may be set together with the device. Others refuse the whole PATCH.
    pub(super) mode: bool,
}

/// What everybody else is.
const PLAIN: Quirks =
    Quirks { make: "Redfish", words: &[], settings_object: false, needs_if_match: false, mode: true };

const ROWS: &[Quirks] = &[
    // AMI MegaRAC: 412 without If-Match, and a device that is set in the system itself is forgotten (DMTF tacklebox#144).
    Quirks {
        make: "AMI",
        words: &["ami", "american megatrends"],
        settings_object: true,
        needs_if_match: true,
        ..PLAIN
    },
    // iLO: the mode is read-only, and a PATCH that has it is refused.
    Quirks { make: "HPE", words: &["hpe", "hewlett packard"], mode: false, ..PLAIN },
    // iDRAC: the mode is a BIOS attribute.
    Quirks { make: "Dell", words: &["dell"], mode: false, ..PLAIN },
    // XCC wants the ETag that it gave.
    Quirks { make: "Lenovo", words: &["lenovo"], needs_if_match: true, ..PLAIN },
];

/// The row for this service root and system.
pub(super) fn of(root: &Value, system: &Value) -> Quirks {
    let said = [&root["Vendor"], &root["Product"], &system["Manufacturer"]];
    let oem = root["Oem"].as_object().into_iter().flat_map(|oem| oem.keys().cloned());
    let words: Vec<String> = said
        .into_iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .chain(oem)
        .map(|w| w.to_lowercase())
        .collect();
    // By whole words: there is "ami" in "Dynamics".
    let padded: Vec<String> =
        words.iter().map(|word| format!(" {} ", word.replace(|c: char| !c.is_alphanumeric(), " "))).collect();
    let is = |row: &&Quirks| {
        row.words.iter().any(|known| padded.iter().any(|said| said.contains(&format!(" {known} "))))
    };
    ROWS.iter().find(is).copied().unwrap_or(PLAIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_make_is_known_by_what_it_says_of_itself() {
        for (root, system, make) in [
            (json!({"Vendor": "AMI"}), json!({}), "AMI"),
            (json!({}), json!({"Manufacturer": "American Megatrends Inc."}), "AMI"),
            (json!({"Vendor": "HPE", "Product": "ProLiant DL380 Gen10"}), json!({}), "HPE"),
            (json!({"Oem": {"Dell": {}}}), json!({"Manufacturer": "Dell Inc."}), "Dell"),
            (json!({}), json!({"Manufacturer": "Lenovo"}), "Lenovo"),
            (json!({"Vendor": "Dynamics"}), json!({"Manufacturer": "Supermicro"}), "Redfish"),
            (json!({}), json!({}), "Redfish"),
        ] {
            assert_eq!(of(&root, &system).make, make, "{root} {system}");
        }
    }
}

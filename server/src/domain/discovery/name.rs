//! The names that accept rules give: templates, and what they may use.
use super::Whence;
use crate::domain::{machine::Machine, profile};
use pilotlight_types::{facts::Facts, resource::Name};
use serde::Serialize;
use uuid::Uuid;

/// What name templates may use.
#[derive(Debug, Serialize)]
pub struct About {
    site: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subnet: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rack: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
    number: u32,
}

impl About {
    pub(super) fn new(machine: &Machine, facts: &Facts, whence: Whence<'_>, number: u32) -> Self {
        let system = &facts.system;
        let by_subnet = whence.subnet.and_then(|(_, subnet)| subnet.labels.get("rack")).map(str::to_owned);
        Self {
            site: whence.site.to_owned(),
            subnet: whence.subnet.map(|(name, _)| name.to_string()),
            rack: machine.spec.rack.clone().or(by_subnet),
            unit: machine.spec.unit,
            serial: system.serial.clone().or_else(|| machine.spec.serial.clone()),
            uuid: system.uuid.or(machine.spec.uuid),
            vendor: system.vendor.clone(),
            model: system.product.clone(),
            mac: machine.spec.macs.first().map(|mac| mac.to_string().replace(':', "")),
            number,
        }
    }

    /// A machine that has everything, to try templates on.
    pub fn example() -> Self {
        Self {
            site: "dc1".into(),
            subnet: Some("rack-a".into()),
            rack: Some("r1".into()),
            unit: Some(12),
            serial: Some("ABC1234".into()),
            uuid: Some(Uuid::nil()),
            vendor: Some("Maker".into()),
            model: Some("Model 1".into()),
            mac: Some("525400123456".into()),
            number: 1,
        }
    }
}

/// The name that a template makes: in small letters, with hyphens for what no name can have.
pub fn name_of(template: &str, about: &About) -> Result<Name, String> {
    let text = profile::filled(template, about).map_err(|bad| format!("its name template: {bad}"))?;
    let plain: String =
        text.trim().to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let mut name = String::with_capacity(plain.len());
    for part in plain.split('-').filter(|part| !part.is_empty()) {
        if !name.is_empty() {
            name.push('-');
        }
        name.push_str(part);
    }
    if name == "actions" {
        return Err("its name template makes `actions`, which is a path of the API".into());
    }
    name.parse()
        .map_err(|_| format!("its name template makes `{}`, which is no name", text.trim().escape_default()))
}

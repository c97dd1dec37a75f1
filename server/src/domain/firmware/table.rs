//! The firmware table: which boot program each make of firmware gets, how it is told, and how it goes on to its disk. Shipped as
//! data, and written over by rows that operators apply.
use super::{Client, Firmware};
use crate::domain::{
    document::{Spec, understand},
    inventory::ByName,
    yaml,
};
use pilotlight_types::{
    Mac,
    resource::{FirmwareClient, FirmwareMatch, FirmwareSpec, Leave, Name, ReplyStyle},
};
use serde::Serialize;
use std::sync::LazyLock;

/// What the table says to one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chosen {
    /// The row that was first to say something.
    pub row: Name,
    /// How that row was found.
    pub by: String,
    /// How the answer looks.
    pub reply: ReplyStyle,
    /// The boot program, as a path below `ipxe.dir`; none of the row's is there otherwise.
    pub program: Option<String>,
    /// The most bytes in a TFTP block.
    pub block_size: Option<u16>,
    /// The most blocks in a TFTP window.
    pub window: Option<u16>,
    /// How it goes on to its disk.
    pub leave: Option<Leave>,
}

/// Rows that are named for one machine, strongest first: who names it, and which.
pub type Named<'a> = [Option<(&'static str, &'a Name)>; 2];

/// What a choice depends on beside the firmware.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    /// The rows that operators applied.
    pub declared: &'a ByName<FirmwareSpec>,
    /// Whether a boot program is there.
    pub has: &'a dyn Fn(&str) -> bool,
}

/// The table as it is shipped, by name.
pub fn shipped() -> &'static [(Name, FirmwareSpec)] {
    static SHIPPED: LazyLock<Vec<(Name, FirmwareSpec)>> = LazyLock::new(|| {
        let documents = yaml::parse_documents(include_str!("table.yaml")).unwrap_or_default();
        let documents: Vec<_> = documents.iter().map(yaml::Node::to_json).collect();
        let rows = understand(&documents).unwrap_or_default().into_iter();
        let mut rows: Vec<_> = rows
            .filter_map(
                |meant| if let Spec::Firmware(spec) = meant.spec { Some((meant.name, spec)) } else { None },
            )
            .collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows
    });
    &SHIPPED
}

impl<'a> Table<'a> {
    /// A row by its name: the operator's before the shipped one.
    pub fn row(&self, name: &Name) -> Option<(&'a Name, &'a FirmwareSpec)> {
        let declared = self.declared.get_key_value(name).map(|(name, row)| (name, &*row.spec));
        declared.or_else(|| shipped().iter().find(|(row, _)| row == name).map(|(name, spec)| (name, spec)))
    }

    /// What this firmware is told, for the `attempt`-th time (from 0) that it asks without having come for what it was told. `known` is
    /// the style that worked before. Nothing, where no row is for it.
    pub fn choose(
        &self,
        firmware: &Firmware,
        mac: Mac,
        named: Named<'_>,
        known: Option<ReplyStyle>,
        attempt: usize,
    ) -> Option<Chosen> {
        let named = named.into_iter().flatten().filter_map(|(by, name)| {
            let (name, spec) = self.row(name)?;
            Some((format!("{by} names row {name}"), name, spec))
        });
        let declared = self.declared.iter().map(|(name, row)| (name, &*row.spec));
        let declared =
            best(declared, firmware, mac).map(|(name, spec)| (format!("row {name} matches"), name, spec));
        let untouched = shipped().iter().filter(|(name, _)| !self.declared.contains_key(name));
        let shipped = best(untouched.map(|(name, spec)| (name, spec)), firmware, mac);
        let shipped =
            shipped.map(|(name, spec)| (format!("row {name} of the shipped table matches"), name, spec));
        let rows: Vec<_> = named.chain(declared).chain(shipped).collect();
        let (by, row, _) = rows.first()?;

        let replies = rows.iter().map(|(_, _, row)| &row.replies).find(|replies| !replies.is_empty())?;
        let first = known.and_then(|known| replies.iter().position(|reply| *reply == known)).unwrap_or(0);
        let reply = *replies.iter().cycle().nth(first + attempt % replies.len())?;
        let programs = rows.iter().map(|(_, _, row)| &row.programs).find(|programs| !programs.is_empty());
        Some(Chosen {
            row: Name::clone(row),
            by: if attempt == 0 {
                by.clone()
            } else {
                format!("{by}; it asks again, so the answer looks `{}` now", reply.name())
            },
            reply,
            program: programs
                .and_then(|programs| programs.iter().find(|program| (self.has)(program)).cloned()),
            block_size: rows.iter().find_map(|(_, _, row)| row.block_size),
            window: rows.iter().find_map(|(_, _, row)| row.window),
            leave: rows.iter().find_map(|(_, _, row)| row.leave),
        })
    }
}

/// The row that says most of this firmware; of equals the one with the higher priority, then the first by name.
fn best<'a>(
    rows: impl Iterator<Item = (&'a Name, &'a FirmwareSpec)>,
    firmware: &Firmware,
    mac: Mac,
) -> Option<(&'a Name, &'a FirmwareSpec)> {
    let matching = rows.filter_map(|(name, spec)| {
        let matches = spec.matches.as_ref().filter(|matches| is_meant(matches, firmware, mac))?;
        Some((said(matches), spec.priority, std::cmp::Reverse(name), spec))
    });
    matching
        .max_by_key(|(said, priority, name, _)| (*said, *priority, *name))
        .map(|(_, _, name, spec)| (name.0, spec))
}

/// How much a match says.
fn said(matches: &FirmwareMatch) -> usize {
    usize::from(matches.client.is_some())
        + usize::from(!matches.archs.is_empty())
        + usize::from(matches.vendor_class.is_some())
        + usize::from(!matches.ouis.is_empty())
}

fn is_meant(matches: &FirmwareMatch, firmware: &Firmware, mac: Mac) -> bool {
    let client = match &firmware.client {
        Client::Pxe | Client::Ipxe { .. } => FirmwareClient::Pxe,
        Client::HttpBoot => FirmwareClient::Http,
        Client::Os | Client::Bmc { .. } => return false,
    };
    let class = firmware.vendor_class.as_deref().unwrap_or_default();
    matches.client.is_none_or(|wanted| wanted == client)
        && (matches.archs.is_empty() || firmware.code.is_some_and(|code| matches.archs.contains(&code)))
        && matches.vendor_class.as_ref().is_none_or(|pattern| is_like(class, pattern))
        && (matches.ouis.is_empty() || matches.ouis.iter().any(|oui| oui.made(mac)))
}

/// Whether a text is like a pattern, in which `*` stands for any text.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|start| text.strip_prefix(start)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(end) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(end)
}

#[cfg(test)]
mod tests;

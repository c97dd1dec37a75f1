//! Disks, partitions, RAID, LUKS and filesystems.
use super::{place::Place, place::shown, rules::Rules, url};
use std::collections::{HashMap, HashSet};

const RAID_LEVELS: [&str; 15] = [
    "linear", "raid0", "0", "stripe", "raid1", "1", "mirror", "raid4", "4", "raid5", "5", "raid6", "6",
    "raid10", "10",
];

impl Rules<'_> {
    /// Judges what `storage` says about disks.
    pub(super) fn disks(&mut self, storage: &Place<'_>) {
        for disk in storage.get("disks").items() {
            self.path(&disk.get("device"), "`device` is missing");
            self.partitions(&disk.get("partitions"));
        }
        for raid in storage.get("raid").items() {
            self.raid(&raid);
        }
        for luks in storage.get("luks").items() {
            self.luks(&luks);
        }
        for filesystem in storage.get("filesystems").items() {
            self.filesystem(&filesystem);
        }
        self.overwritten(storage);
    }

    fn partitions(&mut self, list: &Place<'_>) {
        let partitions = list.items();
        let (mut numbers, mut labels) = (HashSet::new(), HashSet::new());
        for partition in &partitions {
            self.partition(partition);
            let number = partition.get("number");
            if number.number().is_some_and(|n| n != 0 && !numbers.insert(n)) {
                self.error(&number, "another partition has this number");
            }
            let label = partition.get("label");
            if label.text().is_some_and(|text| !labels.insert(text)) {
                self.error(&label, "another partition has this label");
            }
        }
        let mut extents: Vec<(Extent, &Place<'_>)> =
            partitions.iter().filter_map(|partition| Some((extent(partition)?, partition))).collect();
        extents.sort_by_key(|(extent, _)| *extent);
        let mut furthest: Option<(Extent, &Place<'_>)> = None;
        for (extent, partition) in extents {
            match furthest {
                Some((other, place)) if extent.first <= other.last => {
                    self.error(partition, format!("it overlaps with {}", place.path));
                    furthest =
                        Some(if extent.last > other.last { (extent, partition) } else { (other, place) });
                }
                _ => furthest = Some((extent, partition)),
            }
        }
        let next_free = partitions.iter().any(|p| p.get("number").number().unwrap_or(0) == 0);
        if next_free && partitions.iter().any(|p| p.get("shouldExist").is(false)) {
            let message = "a partition without a number takes the next free one, which is not certain while others are removed";
            self.error(list, message);
        }
    }

    fn partition(&mut self, partition: &Place<'_>) {
        let has = |name: &str| partition.get(name).is_set();
        let filled = |name: &str| partition.get(name).filled().is_some();
        let described =
            has("label") || has("startMiB") || has("sizeMiB") || filled("guid") || filled("typeGuid");
        if partition.get("shouldExist").is(false) && described {
            self.error(partition, "a partition that should not exist is given by its number alone");
        }
        if partition.get("number").number().unwrap_or(0) == 0 && !has("label") {
            self.error(partition, "a partition needs a `number` from 1, or a label");
        }
        let label = partition.get("label");
        match label.text() {
            Some(text) if text.len() > 36 => self.error(&label, "a partition's label has at most 36 bytes"),
            Some(text) if text.contains(':') => {
                self.error(&label, "a partition's label has no colon: it would end there");
            }
            _ => {}
        }
        for name in ["guid", "typeGuid"] {
            let guid = partition.get(name);
            if guid.filled().is_some_and(|text| !is_guid(text)) {
                self.error(&guid, "a GUID is written like `01234567-89AB-CDEF-EDCB-A98765432101`");
            }
        }
        for name in ["sizeMiB", "startMiB", "number"] {
            let size = partition.get(name);
            if size.number().is_some_and(i64::is_negative) {
                self.warning(&size, "this is negative");
            }
        }
    }

    fn raid(&mut self, raid: &Place<'_>) {
        let level = raid.get("level");
        match level.text().unwrap_or_default() {
            "" => self.error(&level, "`level` is missing"),
            text if !RAID_LEVELS.contains(&text) => {
                self.error(
                    &level,
                    format!(
                        "`{}` is no RAID level: linear, raid0, raid1, raid4, raid5, raid6, raid10",
                        shown(text)
                    ),
                );
            }
            "linear" | "raid0" | "0" | "stripe"
                if raid.get("spares").number().is_some_and(|spares| spares != 0) =>
            {
                self.error(&raid.get("spares"), "an array of this level has no spares");
            }
            _ => {}
        }
        let devices = raid.get("devices").items();
        if devices.is_empty() {
            self.error(&raid.get("devices"), "an array needs devices");
        }
        for device in devices {
            self.path(&device, "a device is a path");
        }
        if raid.get("name").filled().is_none() {
            self.warning(raid, "an array without a name");
        }
    }

    fn luks(&mut self, luks: &Place<'_>) {
        let name = luks.get("name");
        match name.text().unwrap_or_default() {
            "" => self.warning(luks, "a LUKS volume without a name"),
            text if text.contains('/') => self.error(&name, "a LUKS volume's name has no `/`"),
            _ => {}
        }
        self.path(&luks.get("device"), "`device` is missing");
        let label = luks.get("label");
        if label.text().is_some_and(|text| text.len() > 47) {
            self.error(&label, "a LUKS volume's label has at most 47 bytes");
        }
        self.resource(&luks.get("keyFile"));
        self.clevis(&luks.get("clevis"));
        self.cex(luks);
    }

    /// A volume whose key is in an IBM Crypto Express card has no other.
    fn cex(&mut self, luks: &Place<'_>) {
        let (cex, clevis) = (luks.get("cex"), luks.get("clevis"));
        if !cex.get("enabled").is(true) {
            return;
        }
        let bound = clevis.get("custom").get("pin").filled().is_some()
            || !clevis.get("tang").items().is_empty()
            || clevis.get("tpm2").is(true)
            || clevis.get("threshold").number().unwrap_or(0) != 0;
        if bound {
            self.error(&cex, "`cex` excludes `clevis`");
        }
        if luks.get("keyFile").get("source").filled().is_some() {
            self.error(&cex, "`cex` excludes a key file");
        }
    }

    fn clevis(&mut self, clevis: &Place<'_>) {
        let custom = clevis.get("custom");
        let (pin, config) = (custom.get("pin"), custom.get("config"));
        let tang = clevis.get("tang").items();
        let others = !tang.is_empty()
            || clevis.get("tpm2").is(true)
            || clevis.get("threshold").number().unwrap_or(0) != 0;
        // In 3.2 `custom` was there once it was written, but `needsNetwork` alone asked for nothing else.
        let (is_custom, network) = match self.minor {
            0..3 => (custom.is_set(), false),
            _ => (pin.filled().is_some(), custom.get("needsNetwork").is_set()),
        };
        if is_custom && others {
            self.error(clevis, "`custom` excludes `tang`, `tpm2` and `threshold`");
        }
        if pin.filled().is_some() || config.filled().is_some() || network {
            match pin.text().unwrap_or_default() {
                "tpm2" | "tang" | "sss" => {}
                // Since 3.6 whoever brings a pin of their own may use it.
                text if !text.is_empty() && self.minor >= 6 => {}
                "" => self.error(&pin, "`pin` is missing: tpm2, tang or sss"),
                text => self.error(&pin, format!("`{}` is no Clevis pin: tpm2, tang, sss", shown(text))),
            }
            if config.filled().is_none() {
                self.error(&config, "`config` is missing");
            }
        }
        for server in tang {
            let address = server.get("url");
            match url::parse(address.text().unwrap_or_default()).map(|url| url.scheme) {
                Ok(scheme) if scheme == "http" || scheme == "https" => {}
                Ok(_) => self.error(&address, "a Tang server is given by an http or https URL"),
                Err(why) => self.error(&address, why),
            }
            if server.get("thumbprint").filled().is_none() {
                self.error(&server.get("thumbprint"), "`thumbprint` is missing");
            }
            let advertisement = server.get("advertisement");
            if advertisement
                .filled()
                .is_some_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_err())
            {
                self.error(&advertisement, "a Tang server's advertisement is JSON");
            }
        }
    }

    fn filesystem(&mut self, filesystem: &Place<'_>) {
        self.path(&filesystem.get("device"), "`device` is missing");
        let path = filesystem.get("path");
        if path.filled().is_some() {
            self.path(&path, "");
        }
        let format = filesystem.get("format");
        let label = filesystem.get("label");
        let longest = match format.text().unwrap_or_default() {
            "" => {
                let texts = ["path", "label", "uuid"]
                    .into_iter()
                    .find(|name| filesystem.get(name).filled().is_some());
                let lists = ["options", "mountOptions"]
                    .into_iter()
                    .find(|name| !filesystem.get(name).items().is_empty());
                let wiped = filesystem.get("wipeFilesystem").is(true).then_some("wipeFilesystem");
                if let Some(name) = texts.or(lists).or(wiped) {
                    self.error(&format, format!("`format` is missing, but there is `{name}`"));
                }
                return;
            }
            "ext4" => 16,
            "btrfs" => 256,
            "xfs" => 12,
            "swap" => 15,
            "vfat" => 11,
            "none" if self.minor >= 3 => return,
            text => {
                let none = if self.minor >= 3 { ", none" } else { "" };
                let message = format!(
                    "`{}` is no filesystem that Ignition makes: ext4, btrfs, xfs, vfat, swap{none}",
                    shown(text)
                );
                return self.error(&format, message);
            }
        };
        if label.text().is_some_and(|text| text.len() > longest) {
            self.error(&label, format!("the label of this filesystem has at most {longest} bytes"));
        }
    }

    /// A filesystem on a whole disk that has partitions, or whose table is wiped.
    fn overwritten(&mut self, storage: &Place<'_>) {
        let disks = storage.get("disks").items();
        let disks: HashMap<&str, &Place<'_>> =
            disks.iter().filter_map(|disk| Some((disk.get("device").filled()?, disk))).collect();
        for filesystem in storage.get("filesystems").items() {
            let device = filesystem.get("device");
            let Some(disk) = device.text().and_then(|text| disks.get(text)) else { continue };
            if !disk.get("partitions").items().is_empty() {
                self.warning(&device, format!("the filesystem overwrites the partitions of {}", disk.path));
            } else if disk.get("wipeTable").is(true) && !filesystem.get("wipeFilesystem").is(true) {
                self.warning(&device, format!("the filesystem is wiped, because {} is", disk.path));
            }
        }
    }
}

/// Where on its disk a partition is, in MiB.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Extent {
    first: i64,
    last: i64,
}

/// The extent of a partition that has a fixed place.
fn extent(partition: &Place<'_>) -> Option<Extent> {
    let first = partition.get("startMiB").number().filter(|start| *start != 0)?;
    let size = partition.get("sizeMiB").number()?;
    // A size of 0 is all that is left, which nobody knows here.
    let last = if size == 0 { first } else { first.saturating_add(size).saturating_sub(1) };
    Some(Extent { first, last })
}

fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
}

//! `boot_device`: the disk that the machine boots from, mirrored, encrypted, or both.
//!
//! The layout is that of Fedora CoreOS's own disk image, which
//! <https://github.com/coreos/coreos-assembler/blob/main/src/create_disk.sh> makes.
use super::{
    convert::Converter,
    sugar::{Made, put_below},
};
use crate::domain::{
    ignition::{place::upwards, schema::BOOT_DEVICE},
    yaml::Node,
};
use serde_json::{Value, json};

const RESERVED: &str = "8DA63339-0007-60C0-C436-083AC8230908";
const BIOS: &str = "21686148-6449-6E6F-744E-656564454649";
const PREP: &str = "9E1A2D38-C612-4316-AA26-8B49521E5A8B";
const ESP: &str = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";

/// Where in the tree this stands.
const ROOT: &str = "boot_device";

/// Merges the config with what its `boot_device` makes.
pub(super) fn apply<'n>(converter: &mut Converter<'n>, node: &'n Node, config: Value) -> Value {
    let before = converter.errors.len();
    let boot = converter.map(node, BOOT_DEVICE, ROOT);
    let boot = BootDevice { converter, node, boot };
    if let Some(made) = boot.make(before) { put_below(converter, &made, &config) } else { config }
}

struct BootDevice<'c, 'n> {
    converter: &'c mut Converter<'n>,
    node: &'n Node,
    boot: Value,
}

impl<'n> BootDevice<'_, 'n> {
    fn make(mut self, before: usize) -> Option<Made<'n>> {
        self.check();
        if self.converter.errors.len() > before {
            return None;
        }
        let mirror = !self.list("/mirror/devices").is_empty();
        let encrypted = self.flag("/luks/tpm2") || !self.list("/luks/tang").is_empty() || self.cex();
        if !mirror && !encrypted {
            return None;
        }
        let (mut disks, mut raid, mut luks, mut filesystems) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let devices: Vec<String> =
            self.list("/mirror/devices").iter().filter_map(|d| Some(d.as_str()?.to_owned())).collect();
        for (at, device) in devices.iter().enumerate() {
            disks.push(json!({"device": device, "partitions": self.partitions(at + 1), "wipeTable": true}));
            if self.has_esp() {
                filesystems.push(filesystem(
                    &format!("/dev/disk/by-partlabel/esp-{}", at + 1),
                    "vfat",
                    &format!("esp-{}", at + 1),
                ));
            }
        }
        if mirror {
            let members = |label: &str| -> Vec<String> {
                (1..=devices.len()).map(|number| format!("/dev/disk/by-partlabel/{label}-{number}")).collect()
            };
            // With its superblock at the end, BIOS GRUB need not understand RAID to read it.
            raid.push(json!({"devices": members("boot"), "level": "raid1", "name": "md-boot", "options": ["--metadata=1.0"]}));
            raid.push(json!({"devices": members("root"), "level": "raid1", "name": "md-root"}));
            filesystems.push(filesystem("/dev/md/md-boot", "ext4", "boot"));
        }
        if encrypted {
            luks.push(self.luks(mirror));
        }
        let root = if encrypted { "/dev/mapper/root" } else { "/dev/md/md-root" };
        filesystems.push(filesystem(root, "xfs", "root"));
        Some(self.places(
            json!({"storage": {"disks": disks, "filesystems": filesystems, "luks": luks, "raid": raid}}),
        ))
    }

    /// What Butane refuses, beyond what the table says.
    fn check(&mut self) {
        let dialect = self.converter.dialect;
        let layout = self.text("/layout").map(str::to_owned);
        let device = self.text("/luks/device").unwrap_or_default().to_owned();
        let mirrored = self.list("/mirror/devices").len();
        let s390x = layout.as_deref().is_some_and(|layout| layout.starts_with("s390x-"));
        match layout.as_deref() {
            None | Some("aarch64" | "ppc64le" | "x86_64") => {}
            Some("s390x-virt") if dialect.is_fcos(6) => {}
            Some(layout @ ("s390x-eckd" | "s390x-zfcp")) if dialect.is_fcos(6) => {
                let disk = if layout == "s390x-eckd" { "/dev/dasd" } else { "/dev/sd" };
                let letter = device.strip_prefix(disk).unwrap_or_default();
                let named = letter.len() == 1 && letter.bytes().all(|b| b.is_ascii_lowercase());
                if device.is_empty() {
                    self.error("layout", &format!("the layout {layout} needs `luks.device`"));
                } else if !named {
                    self.error(
                        "luks.device",
                        &format!("with the layout {layout}, the device is a whole disk like `{disk}a`"),
                    );
                }
            }
            Some(_) => {
                let more = if dialect.is_fcos(6) { ", s390x-eckd, s390x-virt, s390x-zfcp" } else { "" };
                self.error("layout", &format!("there is no such layout: aarch64, ppc64le, x86_64{more}"));
            }
        }
        if s390x && mirrored > 0 {
            self.error("mirror", "the layouts of s390x cannot be mirrored");
        }
        if mirrored == 1 {
            self.error("mirror.devices", "a mirror takes at least two devices");
        }
        if mirrored > 0 && layout.is_none() && dialect.is_fcos(7) {
            self.error("mirror", "a mirror needs the `layout`: aarch64, ppc64le, x86_64");
        }
        if self.cex() {
            if !s390x {
                self.error("luks.cex", "`cex` is for the layouts of s390x only");
            }
            if self.flag("/luks/tpm2") || !self.list("/luks/tang").is_empty() {
                self.error("luks.cex", "`cex` excludes `tang` and `tpm2`");
            }
        }
    }

    fn error(&mut self, at: &str, message: &str) {
        let path = format!("{ROOT}.{at}");
        let pos = upwards(&path).find_map(|path| self.converter.places.get(path)).unwrap_or(&self.node).pos;
        self.converter.error(pos, &path, message);
    }

    fn partitions(&self, number: usize) -> Vec<Value> {
        let part = |label: &str, size: u16, guid: &str| json!({"label": format!("{label}-{number}"), "sizeMiB": size, "typeGuid": guid});
        let first = match self.text("/layout") {
            None | Some("x86_64") => part("bios", 1, BIOS),
            Some("ppc64le") => part("prep", 4, PREP),
            Some(_) => part("reserved", 1, RESERVED),
        };
        let second = if self.has_esp() { part("esp", 127, ESP) } else { part("reserved", 1, RESERVED) };
        vec![
            first,
            second,
            json!({"label": format!("boot-{number}"), "sizeMiB": 384}),
            json!({"label": format!("root-{number}")}),
        ]
    }

    fn has_esp(&self) -> bool {
        matches!(self.text("/layout"), None | Some("x86_64" | "aarch64"))
    }

    fn luks(&self, mirror: bool) -> Value {
        let disk = self.text("/luks/device").unwrap_or_default();
        let device = match self.text("/layout") {
            Some("s390x-eckd") => format!("{disk}2"),
            Some("s390x-zfcp") => format!("{disk}4"),
            _ if mirror => "/dev/md/md-root".to_owned(),
            _ => "/dev/disk/by-partlabel/root".to_owned(),
        };
        let given = |path: &str| self.boot.pointer(path).cloned().unwrap_or_default();
        let (cex, clevis) = if self.cex() {
            (json!({"enabled": true}), Value::Null)
        } else {
            let clevis = json!({"tang": given("/luks/tang"), "threshold": given("/luks/threshold"), "tpm2": given("/luks/tpm2")});
            (Value::Null, clevis)
        };
        json!({"cex": cex, "clevis": clevis, "device": device, "discard": given("/luks/discard"),
            "label": "luks-root", "name": "root", "wipeVolume": true})
    }

    /// Where each part comes from: a disk from its device, the volume from `luks`, the rest from `mirror` or the whole.
    fn places(self, config: Value) -> Made<'n> {
        let of = |path: &str| upwards(path).find_map(|path| self.converter.places.get(path)).copied();
        let mut made = Made::from(config, self.node);
        let config = made.config.take();
        let mut say = |path: String, pointer: String, from: String| {
            if let (Some(value), Some(node)) = (config.pointer(&pointer), of(&from)) {
                made.say(&path, value, node);
            }
        };
        for at in 0..self.list("/mirror/devices").len() {
            say(
                format!("storage.disks[{at}]"),
                format!("/storage/disks/{at}"),
                format!("{ROOT}.mirror.devices[{at}]"),
            );
        }
        for at in 0..2 {
            say(
                format!("storage.raid[{at}]"),
                format!("/storage/raid/{at}"),
                format!("{ROOT}.mirror.devices"),
            );
        }
        say("storage.luks[0]".to_owned(), "/storage/luks/0".to_owned(), format!("{ROOT}.luks"));
        for field in ["threshold", "tpm2", "tang"] {
            say(
                format!("storage.luks[0].clevis.{field}"),
                format!("/storage/luks/0/clevis/{field}"),
                format!("{ROOT}.luks.{field}"),
            );
        }
        for (path, node) in &self.converter.places {
            if let Some(rest) = path.strip_prefix("boot_device.luks.tang[") {
                made.places.insert(format!("storage.luks[0].clevis.tang[{rest}"), node);
            }
        }
        made.config = config;
        made
    }

    fn cex(&self) -> bool {
        self.flag("/luks/cex/enabled")
    }

    fn flag(&self, pointer: &str) -> bool {
        self.boot.pointer(pointer).and_then(Value::as_bool) == Some(true)
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.boot.pointer(pointer).and_then(Value::as_str)
    }

    fn list(&self, pointer: &str) -> &[Value] {
        self.boot.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }
}

fn filesystem(device: &str, format: &str, label: &str) -> Value {
    json!({"device": device, "format": format, "label": label, "wipeFilesystem": true})
}

//! What may stand in a config: one table for Ignition's names, Butane's names, the types and the spec each field came with.
//! A new spec is a row in [`super::Version::ALL`] and the fields that it brought.

/// One field of a map.
#[derive(Debug)]
pub(in crate::domain) struct Field {
    /// Its name in Ignition; empty for what only Butane has.
    pub(in crate::domain) json: &'static str,
    /// Its name in Butane; empty for what only Ignition has.
    pub(in crate::domain) yaml: &'static str,
    /// What it holds.
    pub(in crate::domain) kind: Kind,
    /// The minor of the first spec 3.x.0 that has it (for what only Butane has: of the spec that such a Butane makes).
    pub(in crate::domain) since: u8,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(in crate::domain) enum Kind {
    Text,
    Whole,
    Flag,
    Texts(Same),
    Map(&'static [Field]),
    Maps(&'static [Field], Same),
    Sugar(Sugar),
}

/// What makes two entries of a list the same one, which is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domain) enum Same {
    /// Nothing does.
    Never,
    /// The text itself.
    Text,
    /// The text of this field.
    Field(&'static str),
    /// The path, among files, directories and links together.
    Path,
    /// The argument, among those that should exist and those that should not.
    Argument,
    /// A partition's number, or else its label.
    Partition,
}

/// What Butane has for people and Ignition does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domain) enum Sugar {
    /// Text that becomes a `data:` URL.
    Inline,
    /// A systemd unit made for a filesystem.
    MountUnit,
    /// A file beside the Butane text that a resource is made of.
    Local,
    /// A file beside it that is a unit's text.
    ContentsLocal,
    /// Files beside it with SSH keys.
    KeysLocal,
    /// Folders beside it that become files, directories and links.
    Trees,
    /// The disk that the machine boots from: mirrored, encrypted.
    BootDevice,
    /// Passwords of the boot loader.
    Grub,
    /// `variant`, `version`: read before all else.
    Header,
}

/// A field with the same name in both.
const fn f(name: &'static str, kind: Kind, since: u8) -> Field {
    Field { json: name, yaml: name, kind, since }
}

/// A field with two names.
const fn g(json: &'static str, yaml: &'static str, kind: Kind, since: u8) -> Field {
    Field { json, yaml, kind, since }
}

/// A field of Butane alone.
const fn b(yaml: &'static str, sugar: Sugar, since: u8) -> Field {
    Field { json: "", yaml, kind: Kind::Sugar(sugar), since }
}

use Kind::{Flag, Map, Maps, Text, Texts, Whole};
use Same::{Argument, Never, Partition, Path};

const NAME: Same = Same::Field("name");
const DEVICE: Same = Same::Field("device");
const SOURCE: Same = Same::Field("source");

/// The whole config.
pub(in crate::domain) const CONFIG: &[Field] = &[
    b("variant", Sugar::Header, 0),
    b("version", Sugar::Header, 0),
    f("ignition", Map(IGNITION), 0),
    g("kernelArguments", "kernel_arguments", Map(ARGUMENTS), 3),
    f("passwd", Map(PASSWD), 0),
    f("storage", Map(STORAGE), 0),
    f("systemd", Map(SYSTEMD), 0),
    b("boot_device", Sugar::BootDevice, 2),
    b("grub", Sugar::Grub, 4),
];

const IGNITION: &[Field] = &[
    g("version", "", Text, 0),
    f("config", Map(&[f("merge", Maps(REFERENCE, SOURCE), 0), f("replace", Map(REFERENCE), 0)]), 0),
    f("proxy", Map(PROXY), 1),
    f("security", Map(&[f("tls", Map(TLS), 0)]), 0),
    f("timeouts", Map(TIMEOUTS), 0),
];

const PROXY: &[Field] = &[
    g("httpProxy", "http_proxy", Text, 1),
    g("httpsProxy", "https_proxy", Text, 1),
    g("noProxy", "no_proxy", Texts(Same::Text), 1),
];

const TLS: &[Field] = &[g("certificateAuthorities", "certificate_authorities", Maps(REFERENCE, SOURCE), 0)];

const TIMEOUTS: &[Field] =
    &[g("httpResponseHeaders", "http_response_headers", Whole, 0), g("httpTotal", "http_total", Whole, 0)];

const ARGUMENTS: &[Field] = &[
    g("shouldExist", "should_exist", Texts(Argument), 3),
    g("shouldNotExist", "should_not_exist", Texts(Argument), 3),
];

const PASSWD: &[Field] = &[f("groups", Maps(GROUP, NAME), 0), f("users", Maps(USER, NAME), 0)];

const GROUP: &[Field] = &[
    f("gid", Whole, 0),
    f("name", Text, 0),
    g("passwordHash", "password_hash", Text, 0),
    g("shouldExist", "should_exist", Flag, 2),
    f("system", Flag, 0),
];

const USER: &[Field] = &[
    f("gecos", Text, 0),
    f("groups", Texts(Same::Text), 0),
    g("homeDir", "home_dir", Text, 0),
    f("name", Text, 0),
    g("noCreateHome", "no_create_home", Flag, 0),
    g("noLogInit", "no_log_init", Flag, 0),
    g("noUserGroup", "no_user_group", Flag, 0),
    g("passwordHash", "password_hash", Text, 0),
    g("primaryGroup", "primary_group", Text, 0),
    g("shouldExist", "should_exist", Flag, 2),
    g("sshAuthorizedKeys", "ssh_authorized_keys", Texts(Same::Text), 0),
    b("ssh_authorized_keys_local", Sugar::KeysLocal, 4),
    f("shell", Text, 0),
    f("system", Flag, 0),
    f("uid", Whole, 0),
];

/// Something to fetch that had no more than a source and its hash in 3.0.
const REFERENCE: &[Field] = &[
    f("compression", Text, 1),
    g("httpHeaders", "http_headers", Maps(HEADER, NAME), 1),
    f("source", Text, 0),
    f("verification", Map(VERIFICATION), 0),
    b("inline", Sugar::Inline, 1),
    b("local", Sugar::Local, 1),
];

/// What a file is made of.
const CONTENTS: &[Field] = &[
    f("compression", Text, 0),
    g("httpHeaders", "http_headers", Maps(HEADER, NAME), 1),
    f("source", Text, 0),
    f("verification", Map(VERIFICATION), 0),
    b("inline", Sugar::Inline, 0),
    b("local", Sugar::Local, 1),
];

const HEADER: &[Field] = &[f("name", Text, 1), f("value", Text, 1)];

const VERIFICATION: &[Field] = &[f("hash", Text, 0)];

const STORAGE: &[Field] = &[
    f("directories", Maps(DIRECTORY, Path), 0),
    f("disks", Maps(DISK, DEVICE), 0),
    f("files", Maps(FILE, Path), 0),
    f("filesystems", Maps(FILESYSTEM, DEVICE), 0),
    f("links", Maps(LINK, Path), 0),
    f("luks", Maps(LUKS, NAME), 2),
    f("raid", Maps(RAID, NAME), 0),
    b("trees", Sugar::Trees, 1),
];

const OWNER: &[Field] = &[f("id", Whole, 0), f("name", Text, 0)];

const DIRECTORY: &[Field] = &[
    f("group", Map(OWNER), 0),
    f("overwrite", Flag, 0),
    f("path", Text, 0),
    f("user", Map(OWNER), 0),
    f("mode", Whole, 0),
];

const FILE: &[Field] = &[
    f("group", Map(OWNER), 0),
    f("overwrite", Flag, 0),
    f("path", Text, 0),
    f("user", Map(OWNER), 0),
    f("append", Maps(CONTENTS, Never), 0),
    f("contents", Map(CONTENTS), 0),
    f("mode", Whole, 0),
];

const LINK: &[Field] = &[
    f("group", Map(OWNER), 0),
    f("overwrite", Flag, 0),
    f("path", Text, 0),
    f("user", Map(OWNER), 0),
    f("hard", Flag, 0),
    f("target", Text, 0),
];

const DISK: &[Field] = &[
    f("device", Text, 0),
    f("partitions", Maps(PARTITION, Partition), 0),
    g("wipeTable", "wipe_table", Flag, 0),
];

const PARTITION: &[Field] = &[
    f("guid", Text, 0),
    f("label", Text, 0),
    f("number", Whole, 0),
    f("resize", Flag, 2),
    g("shouldExist", "should_exist", Flag, 0),
    g("sizeMiB", "size_mib", Whole, 0),
    g("startMiB", "start_mib", Whole, 0),
    g("typeGuid", "type_guid", Text, 0),
    g("wipePartitionEntry", "wipe_partition_entry", Flag, 0),
];

const FILESYSTEM: &[Field] = &[
    f("device", Text, 0),
    f("format", Text, 0),
    f("label", Text, 0),
    g("mountOptions", "mount_options", Texts(Never), 1),
    f("options", Texts(Never), 0),
    f("path", Text, 0),
    f("uuid", Text, 0),
    g("wipeFilesystem", "wipe_filesystem", Flag, 0),
    b("with_mount_unit", Sugar::MountUnit, 1),
];

const LUKS: &[Field] = &[
    f("cex", Map(CEX), 5),
    f("clevis", Map(CLEVIS), 2),
    f("device", Text, 2),
    f("discard", Flag, 4),
    g("keyFile", "key_file", Map(CONTENTS), 2),
    f("label", Text, 2),
    f("name", Text, 2),
    g("openOptions", "open_options", Texts(Never), 4),
    f("options", Texts(Never), 2),
    f("uuid", Text, 2),
    g("wipeVolume", "wipe_volume", Flag, 2),
];

const CEX: &[Field] = &[f("enabled", Flag, 5)];

const CLEVIS: &[Field] = &[
    f("custom", Map(CUSTOM), 2),
    f("tang", Maps(TANG, Same::Field("url")), 2),
    f("threshold", Whole, 2),
    f("tpm2", Flag, 2),
];

const CUSTOM: &[Field] =
    &[f("config", Text, 2), g("needsNetwork", "needs_network", Flag, 2), f("pin", Text, 2)];

const TANG: &[Field] = &[f("advertisement", Text, 4), f("thumbprint", Text, 2), f("url", Text, 2)];

const RAID: &[Field] = &[
    f("devices", Texts(Same::Text), 0),
    f("level", Text, 0),
    f("name", Text, 0),
    f("options", Texts(Never), 0),
    f("spares", Whole, 0),
];

const SYSTEMD: &[Field] = &[f("units", Maps(UNIT, NAME), 0)];

const UNIT: &[Field] = &[
    f("contents", Text, 0),
    b("contents_local", Sugar::ContentsLocal, 4),
    f("dropins", Maps(DROPIN, NAME), 0),
    f("enabled", Flag, 0),
    f("mask", Flag, 0),
    f("name", Text, 0),
];

const DROPIN: &[Field] =
    &[f("contents", Text, 0), b("contents_local", Sugar::ContentsLocal, 4), f("name", Text, 0)];

/// Butane's `boot_device`. It has no counterpart in Ignition: the names are Butane's on both sides.
pub(in crate::domain) const BOOT_DEVICE: &[Field] = &[
    f("layout", Text, 2),
    f("luks", Map(BOOT_LUKS), 2),
    f("mirror", Map(&[f("devices", Texts(Never), 2)]), 2),
];

const BOOT_LUKS: &[Field] = &[
    f("cex", Map(CEX), 5),
    f("device", Text, 5),
    f("discard", Flag, 4),
    f("tang", Maps(TANG, Same::Field("url")), 2),
    f("threshold", Whole, 2),
    f("tpm2", Flag, 2),
];

/// Butane's `grub`.
pub(in crate::domain) const GRUB: &[Field] = &[f("users", Maps(GRUB_USER, Never), 4)];

const GRUB_USER: &[Field] = &[f("name", Text, 4), f("password_hash", Text, 4)];

/// One of Butane's `trees`.
pub(in crate::domain) const TREE: &[Field] = &[
    f("local", Text, 1),
    f("path", Text, 1),
    f("user", Map(OWNER), 6),
    f("group", Map(OWNER), 6),
    f("file_mode", Whole, 6),
    f("dir_mode", Whole, 6),
];

/** The keys of a Butane config, variant fcos, as completion offers them. The daemon decides what is right. */

export interface Keys {
  [key: string]: Keys | null;
}

const names = (...keys: string[]): Keys => Object.fromEntries(keys.map((key) => [key, null]));

const resource: Keys = {
  ...names("source", "inline", "local", "compression"),
  http_headers: names("name", "value"),
  verification: names("hash"),
};
const node: Keys = { path: null, overwrite: null, user: names("id", "name"), group: names("id", "name") };
const clevis: Keys = {
  tang: names("url", "thumbprint", "advertisement"),
  ...names("tpm2", "threshold"),
  custom: names("pin", "config", "needs_network"),
};

export const BUTANE: Keys = {
  variant: null,
  version: null,
  ignition: {
    config: { merge: resource, replace: resource },
    timeouts: names("http_response_headers", "http_total"),
    security: { tls: { certificate_authorities: resource } },
    proxy: names("http_proxy", "https_proxy", "no_proxy"),
  },
  storage: {
    disks: {
      ...names("device", "wipe_table"),
      partitions: names(
        "label",
        "number",
        "size_mib",
        "start_mib",
        "type_guid",
        "guid",
        "wipe_partition_entry",
        "should_exist",
        "resize",
      ),
    },
    raid: names("name", "level", "devices", "spares", "options"),
    filesystems: names(
      "device",
      "format",
      "path",
      "wipe_filesystem",
      "label",
      "uuid",
      "options",
      "mount_options",
      "with_mount_unit",
    ),
    files: { ...node, mode: null, contents: resource, append: resource },
    directories: { ...node, mode: null },
    links: { ...node, ...names("target", "hard") },
    luks: {
      ...names("name", "device", "label", "uuid", "options", "discard", "open_options", "wipe_volume"),
      key_file: resource,
      clevis,
    },
    trees: { ...names("local", "path"), user: names("id", "name"), group: names("id", "name") },
  },
  systemd: {
    units: {
      ...names("name", "enabled", "mask", "contents", "contents_local"),
      dropins: names("name", "contents", "contents_local"),
    },
  },
  passwd: {
    users: names(
      "name",
      "password_hash",
      "ssh_authorized_keys",
      "ssh_authorized_keys_local",
      "uid",
      "gecos",
      "home_dir",
      "no_create_home",
      "primary_group",
      "groups",
      "no_user_group",
      "no_log_init",
      "shell",
      "should_exist",
      "system",
    ),
    groups: names("name", "gid", "password_hash", "should_exist", "system"),
  },
  kernel_arguments: names("should_exist", "should_not_exist"),
  boot_device: {
    layout: null,
    luks: { ...names("discard", "device", "threshold", "tpm2"), tang: names("url", "thumbprint", "advertisement") },
    mirror: names("devices"),
  },
  grub: { users: names("name", "password_hash") },
};

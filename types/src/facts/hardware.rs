//! Facts of the iron.
use crate::Mac;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The machine as its maker describes it, from /sys/class/dmi/id. Texts that makers leave in place of a value ("To be filled by
/// O.E.M.", "0123456789") are absent: they would match the wrong machines.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct System {
    /// The maker, `sys_vendor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The model, `product_name`; the device tree's model on machines without SMBIOS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The model's version, `product_version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The order number, `product_sku`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// The model's family, `product_family`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// The serial number (Dell: service tag), `product_serial`; only root may read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The SMBIOS UUID as the operating system prints it, `product_uuid`; only root may read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Uuid>,
    /// The case.
    pub chassis: Chassis,
    /// The main board.
    pub board: Board,
    /// The firmware.
    pub firmware: Firmware,
}

/// The case, from /sys/class/dmi/id.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Chassis {
    /// What it is, `chassis_type` by the names of SMBIOS 7.4.1 in lower case: "rack mount chassis", "blade", "tower"; "type 99"
    /// for a number without a name here.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The maker, `chassis_vendor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The serial number, `chassis_serial`; only root may read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The owner's inventory number, `chassis_asset_tag`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset_tag: Option<String>,
}

/// The main board, from /sys/class/dmi/id.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Board {
    /// The maker, `board_vendor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The model, `board_name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The model's version, `board_version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The serial number, `board_serial`; only root may read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
}

/// The firmware.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(rename = "FirmwareFacts")]
pub struct Firmware {
    /// The maker, /sys/class/dmi/id/bios_vendor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The version, /sys/class/dmi/id/bios_version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The release date as the maker writes it, usually MM/DD/YYYY, /sys/class/dmi/id/bios_date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// How the system was booted: UEFI when /sys/firmware/efi is there; absent where the machine has no SMBIOS either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<FirmwareMode>,
    /// Whether Secure Boot is on: the EFI variable `SecureBoot`. Absent when unknown, and with BIOS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure_boot: Option<bool>,
}

/// How the firmware booted the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FirmwareMode {
    /// UEFI.
    Uefi,
    /// BIOS, or UEFI's compatibility module.
    Bios,
    /// What a newer agent may say.
    #[serde(other)]
    Other,
}

/// The processors, from /proc/cpuinfo and /sys/devices/system/cpu. Those that are offline do not count.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Cpus {
    /// The machine type as `uname -m` has it: x86_64, aarch64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The number of packages.
    pub sockets: u32,
    /// The number of cores in all packages.
    pub cores: u32,
    /// The number of hardware threads in all packages.
    pub threads: u32,
    /// Each package, in the order of their numbers.
    pub packages: Vec<CpuPackage>,
}

/// One processor package.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CpuPackage {
    /// Its number: `physical id` in /proc/cpuinfo, or topology/physical_package_id in sysfs.
    pub number: u32,
    /// The maker's name for itself: `vendor_id` in /proc/cpuinfo, as in GenuineIntel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The model: `model name` in /proc/cpuinfo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The number of cores.
    pub cores: u32,
    /// The number of hardware threads.
    pub threads: u32,
    /// The highest clock rate in MHz, from cpufreq/cpuinfo_max_freq.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_mhz: Option<u32>,
}

/// The memory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// Bytes that the kernel can use, `MemTotal` in /proc/meminfo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usable_bytes: Option<u64>,
    /// Bytes in all slots, by SMBIOS; absent without its table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed_bytes: Option<u64>,
    /// The slots, empty ones too: SMBIOS type 17 in /sys/firmware/dmi/tables/DMI, which only root may read.
    pub slots: Vec<MemorySlot>,
}

/// A slot for a memory module, from its SMBIOS type 17 structure (DSP0134, 7.18).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct MemorySlot {
    /// What is printed beside it: "DIMM_A1".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locator: Option<String>,
    /// The module's size in bytes; 0 in an empty slot, absent when the firmware does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// The kind of memory: "DDR4"; "type 99" for a number without a name here.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The highest rate that the module can do, in megatransfers a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_mts: Option<u32>,
    /// The rate at which it runs, in megatransfers a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configured_speed_mts: Option<u32>,
    /// The maker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// The serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The part number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_number: Option<String>,
}

/// A disk, from /sys/block/NAME and, where that has no serial number, from udev's record in /run/udev/data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Disk {
    /// The kernel's name: "vda". It may be another one at the next boot.
    pub name: String,
    /// The device node: "/dev/vda".
    pub path: String,
    /// The size in bytes, `size` (which counts in 512 bytes, whatever the sectors).
    pub size_bytes: u64,
    /// The maker, `device/vendor` of SCSI disks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The model, `device/model`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The serial number: `serial`, `device/serial`, SCSI's page 0x80, or udev's ID_SERIAL_SHORT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The world-wide name: `wwid`, `device/wwid`, or udev's ID_WWN: "naa.5000c500a1b2c3d4", "eui.0025385971b00f4c".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wwn: Option<String>,
    /// The disk's own firmware, `device/firmware_rev` or `device/rev`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Whether it spins, `queue/rotational`. Virtual disks say what they like.
    pub rotational: bool,
    /// Whether its medium can be taken out, `removable`.
    pub removable: bool,
    /// The size of a logical sector in bytes, `queue/logical_block_size`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logical_sector_bytes: Option<u32>,
    /// The size of a physical sector in bytes, `queue/physical_block_size`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physical_sector_bytes: Option<u32>,
    /// How it is attached, by its name and its place in /sys/devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
}

/// How a disk is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// A virtual machine's paravirtual disk (virtio-blk, virtio-scsi).
    Virtio,
    /// NVMe, over PCIe or a fabric.
    Nvme,
    /// Serial or parallel ATA.
    Sata,
    /// Serial attached SCSI.
    Sas,
    /// SCSI of another kind, among them RAID controllers' volumes.
    Scsi,
    /// USB.
    Usb,
    /// An SD card or eMMC.
    Mmc,
    /// iSCSI.
    Iscsi,
    /// Fibre Channel.
    Fc,
    /// A Xen virtual disk.
    Xen,
    /// Something else, or what a newer agent may say.
    #[serde(other)]
    Other,
}

/// A network interface that is hardware (it has /sys/class/net/NAME/device), from /sys/class/net/NAME.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Nic {
    /// The kernel's name: "eno1".
    pub name: String,
    /// The permanent address of a bond's member, from /proc/net/bonding; of all others the present one, `address`.
    pub mac: Mac,
    /// The present address, when it differs from `mac`, as in a bond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_mac: Option<Mac>,
    /// The driver's name, `device/driver`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Where it is on its bus: the PCI address "0000:3b:00.1" where it has one, else its parent device's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus_path: Option<String>,
    /// Whether there is a link, `carrier`; absent when the interface is down, as nobody looks then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<bool>,
    /// The link's speed in Mbit/s, `speed`; absent when unknown, as in most virtual machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_mbps: Option<u32>,
    /// The largest packet in bytes, `mtu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Whether the machine booted from it: its address is the one in the agent's configuration or in the kernel argument
    /// BOOTIF.
    #[serde(default)]
    pub booted: bool,
    /// Its IPv4 and IPv6 addresses with their prefix lengths, from the kernel (getifaddrs).
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub addresses: Vec<IpNet>,
}

/// A network interface that is no hardware, from /sys/class/net.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OtherInterface {
    /// The kernel's name: "bond0".
    pub name: String,
    /// Its IPv4 and IPv6 addresses with their prefix lengths, without those of the loopback, from the kernel (getifaddrs).
    #[schemars(with = "Vec<String>")]
    pub addresses: Vec<IpNet>,
}

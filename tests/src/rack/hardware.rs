//! What a machine is made of, and the QEMU arguments that make it so.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use pilotlight_types::Mac;
use uuid::Uuid;

use super::{Accel, Machine, Namespace, console::Console};

const OVMF_CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const OVMF_VARS: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// What is there before the operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// SeaBIOS, and iPXE in the NIC's ROM.
    Bios,
    /// OVMF with its own drivers and PXE over IPv4: asks for an EFI program by TFTP. NICs must be virtio.
    Uefi,
    /// OVMF that tries UEFI HTTP boot only.
    UefiHttp,
    /// OVMF that tries PXE over IPv6 first.
    UefiPxe6,
    /// OVMF, and iPXE in the NIC's ROM.
    UefiIpxeRom,
}

impl Firmware {
    /// Whether OVMF's own drivers are used.
    const fn drives_nics(self) -> bool {
        matches!(self, Self::Uefi | Self::UefiHttp | Self::UefiPxe6)
    }
}

/// The kind of the NICs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NicModel {
    /// virtio-net.
    Virtio,
    /// Intel's e1000.
    E1000,
}

/// How a disk is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskBus {
    /// virtio-blk: /dev/vda.
    Virtio,
    /// NVMe: /dev/nvme0n1.
    Nvme,
    /// SATA (AHCI): /dev/sda.
    Sata,
}

/// An empty disk, which takes space only as it is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// How it is attached.
    pub bus: DiskBus,
    /// Its serial number.
    pub serial: String,
    /// Its size.
    pub bytes: u64,
}

/// What the machine says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smbios {
    /// The manufacturer.
    pub vendor: String,
    /// The product's name.
    pub product: String,
    /// The serial number.
    pub serial: String,
    /// The system UUID, in the order that people write.
    pub uuid: Uuid,
}

/// A machine that is described, and not built yet.
#[derive(Debug, Clone)]
pub struct Builder {
    name: String,
    accel: Accel,
    firmware: Firmware,
    model: NicModel,
    macs: Vec<Mac>,
    memory_mib: u32,
    cpus: u32,
    disks: Vec<Disk>,
    smbios: Option<Smbios>,
    log: Option<PathBuf>,
    extra: Vec<String>,
}

impl Builder {
    /// Starts to describe a machine with one virtio NIC, 1 GiB of memory and one processor.
    pub fn new(name: &str, accel: Accel, firmware: Firmware, mac: Mac) -> Self {
        Self {
            name: name.to_owned(),
            accel,
            firmware,
            model: NicModel::Virtio,
            macs: vec![mac],
            memory_mib: 1024,
            cpus: 1,
            disks: Vec::new(),
            smbios: None,
            log: None,
            extra: Vec::new(),
        }
    }

    /// One more NIC on the same network.
    pub fn nic(mut self, mac: Mac) -> Self {
        self.macs.push(mac);
        self
    }

    /// The kind of its NICs.
    pub fn nic_model(mut self, model: NicModel) -> Self {
        self.model = model;
        self
    }

    /// Memory. The live image needs 512 MiB.
    pub fn memory_mib(mut self, memory_mib: u32) -> Self {
        self.memory_mib = memory_mib;
        self
    }

    /// Processors; with TCG each is a thread of the host.
    pub fn cpus(mut self, cpus: u32) -> Self {
        self.cpus = cpus;
        self
    }

    /// One more disk.
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disks.push(disk);
        self
    }

    /// What it says that it is.
    pub fn smbios(mut self, smbios: Smbios) -> Self {
        self.smbios = Some(smbios);
        self
    }

    /// Where the serial log goes; `serial.log` in the machine's folder otherwise.
    pub fn serial_log(mut self, path: &Path) -> Self {
        self.log = Some(path.to_owned());
        self
    }

    /// More of QEMU's arguments.
    pub fn extra(mut self, arguments: &[&str]) -> Self {
        self.extra.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Builds it into a network. `folder/NAME` is made anew for its disks, settings and logs; keep the path short, since a
    /// socket is in it, which may have 107 bytes.
    pub fn build(self, network: &Namespace, folder: &Path) -> Result<Machine> {
        let folder = folder.join(&self.name);
        ensure!(
            !(self.firmware.drives_nics() && self.model == NicModel::E1000),
            "OVMF has no driver for e1000: take virtio, or Firmware::UefiIpxeRom"
        );
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be emptied", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let qmp = folder.join("qmp");
        ensure!(
            qmp.as_os_str().len() <= 107,
            "{} is too long for a socket: give a shorter folder",
            qmp.display()
        );

        let mut arguments = Arguments::default();
        self.board(&mut arguments, &qmp);
        self.firmware(&mut arguments, &folder)?;
        self.nics(&mut arguments, network)?;
        self.disks(&mut arguments, &folder)?;
        arguments.0.extend(self.extra.iter().cloned());
        let console = Console::create(&self.log.clone().unwrap_or_else(|| folder.join("serial.log")))?;
        Ok(Machine::new(self.name, arguments.0, network.name(), (folder, qmp), console))
    }

    fn board(&self, arguments: &mut Arguments, qmp: &Path) {
        arguments.add("-name", &self.name);
        arguments.0.extend(["-nodefaults", "-no-user-config", "-display", "none"].map(str::to_owned));
        arguments.add("-machine", "q35");
        arguments.0.extend(self.accel.arguments().map(str::to_owned));
        arguments.add("-m", &self.memory_mib.to_string());
        arguments.add("-smp", &self.cpus.to_string());
        arguments.add("-chardev", "stdio,id=serial,signal=off");
        arguments.add("-serial", "chardev:serial");
        arguments.add("-qmp", &format!("unix:{},server=on,wait=off", qmp.display()));
        arguments.add("-device", "virtio-rng-pci");
        // SeaBIOS would stop after one round of failures: servers go on.
        arguments.add("-boot", "reboot-timeout=5000");
        if let Some(Smbios { vendor, product, serial, uuid }) = &self.smbios {
            let [vendor, product, serial] = [vendor, product, serial].map(|text| text.replace(',', ",,"));
            arguments.add(
                "-smbios",
                &format!("type=1,manufacturer={vendor},product={product},serial={serial},uuid={uuid}"),
            );
            arguments.add("-smbios", &format!("type=3,manufacturer={vendor},serial={serial}"));
        }
    }

    fn firmware(&self, arguments: &mut Arguments, folder: &Path) -> Result<()> {
        if self.firmware == Firmware::Bios {
            // Tells SeaBIOS to speak on the first serial port too (its number, little-endian), and so iPXE does.
            let port = folder.join("sercon-port");
            fs::write(&port, 0x03f8_u16.to_le_bytes())?;
            arguments.add("-fw_cfg", &format!("name=etc/sercon-port,file={}", port.display()));
            return Ok(());
        }
        let settings = folder.join("efi-vars.fd");
        fs::copy(OVMF_VARS, &settings)
            .with_context(|| format!("{OVMF_VARS} is missing: apt-get install ovmf"))?;
        arguments.add("-drive", &format!("if=pflash,unit=0,format=raw,readonly=on,file={OVMF_CODE}"));
        arguments.add("-drive", &format!("if=pflash,unit=1,format=raw,file={}", settings.display()));
        let off: &[&str] = match self.firmware {
            Firmware::UefiHttp => &["IPv4PXESupport", "IPv6PXESupport"],
            Firmware::Uefi => &["IPv6PXESupport"],
            Firmware::UefiPxe6 => &["IPv4PXESupport"],
            Firmware::Bios | Firmware::UefiIpxeRom => &[],
        };
        for what in off {
            arguments.add("-fw_cfg", &format!("name=opt/org.tianocore/{what},string=n"));
        }
        Ok(())
    }

    fn nics(&self, arguments: &mut Arguments, network: &Namespace) -> Result<()> {
        // Without iPXE's ROM, OVMF uses its own driver. Naming another ROM would not do: QEMU fits only its own to the NIC.
        let rom = if self.firmware.drives_nics() { ",romfile=" } else { "" };
        let model = match self.model {
            NicModel::Virtio => "virtio-net-pci",
            NicModel::E1000 => "e1000",
        };
        for (number, mac) in self.macs.iter().enumerate() {
            // 15 bytes at most, and two machines must not meet: the last three bytes of a MAC tell them apart.
            let digits: String = mac.to_string().split(':').skip(3).collect();
            let tap = format!("t{digits}n{number}");
            network.add_tap(&tap)?;
            arguments.add("-netdev", &format!("tap,id=n{number},ifname={tap},script=no,downscript=no"));
            arguments
                .add("-device", &format!("{model},netdev=n{number},mac={mac},bootindex={}{rom}", number + 1));
        }
        Ok(())
    }

    fn disks(&self, arguments: &mut Arguments, folder: &Path) -> Result<()> {
        if self.disks.iter().any(|disk| disk.bus == DiskBus::Sata) {
            arguments.add("-device", "ich9-ahci,id=sata");
        }
        for (number, disk) in self.disks.iter().enumerate() {
            let path = folder.join(format!("disk{number}.raw"));
            File::create(&path)
                .and_then(|file| file.set_len(disk.bytes))
                .with_context(|| format!("{} cannot be made", path.display()))?;
            let boot = 100 + number;
            let serial = disk.serial.replace(',', ",,");
            arguments.add(
                "-drive",
                &format!(
                    "if=none,id=d{number},format=raw,discard=unmap,cache=unsafe,file={}",
                    path.display()
                ),
            );
            let device = match disk.bus {
                DiskBus::Virtio => "virtio-blk-pci".to_owned(),
                DiskBus::Nvme => "nvme".to_owned(),
                DiskBus::Sata => format!("ide-hd,bus=sata.{number}"),
            };
            arguments.add("-device", &format!("{device},drive=d{number},serial={serial},bootindex={boot}"));
        }
        Ok(())
    }
}

#[derive(Default)]
struct Arguments(Vec<String>);

impl Arguments {
    fn add(&mut self, option: &str, value: &str) {
        self.0.push(option.to_owned());
        self.0.push(value.to_owned());
    }
}

//! Who is asking: which firmware, on which processor, and how that was seen. From DHCP options 60, 77, 93 and
//! 175 alone, so that an unknown value is logged and worked around, never refused (RFC 4578, RFC 3004).

pub mod table;
#[cfg(test)]
mod tests;

use serde::Serialize;

/// What a boot program must be built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arch {
    /// x86 with a BIOS.
    Bios,
    /// 32-bit x86 UEFI.
    EfiIa32,
    /// 64-bit x86 UEFI.
    EfiX64,
    /// 32-bit ARM UEFI.
    EfiArm32,
    /// 64-bit ARM UEFI.
    EfiArm64,
    /// A code of option 93 for which we have no name.
    Other(u16),
}

/// The codes of option 93 (IANA "Processor Architecture Types", RFC 5970 section 3.3): code, what it is, and
/// whether the firmware boots by HTTP. 9 and 17 were meant for EFI byte code, but RFC 4578 had 7 and 9 mixed
/// up and firmware sends both for x64.
const ARCHS: &[(u16, Arch, bool)] = &[
    (0, Arch::Bios, false),
    (6, Arch::EfiIa32, false),
    (7, Arch::EfiX64, false),
    (9, Arch::EfiX64, false),
    (10, Arch::EfiArm32, false),
    (11, Arch::EfiArm64, false),
    (15, Arch::EfiIa32, true),
    (16, Arch::EfiX64, true),
    (17, Arch::EfiX64, true),
    (18, Arch::EfiArm32, true),
    (19, Arch::EfiArm64, true),
    (20, Arch::Bios, true),
    // U-Boot, which runs EFI programs.
    (21, Arch::EfiArm32, false),
    (22, Arch::EfiArm64, false),
    (23, Arch::EfiArm32, true),
    (24, Arch::EfiArm64, true),
];

impl Arch {
    /// What this code of option 93 means.
    pub fn from_code(code: u16) -> Self {
        known(code).map_or(Self::Other(code), |(arch, _)| arch)
    }

    /// Whether this is UEFI, as far as we know.
    pub fn is_efi(self) -> bool {
        matches!(self, Self::EfiIa32 | Self::EfiX64 | Self::EfiArm32 | Self::EfiArm64)
    }

    /// The word for it in events, metrics and selectors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bios => "bios",
            Self::EfiIa32 => "efi-ia32",
            Self::EfiX64 => "efi-x64",
            Self::EfiArm32 => "efi-arm32",
            Self::EfiArm64 => "efi-arm64",
            Self::Other(_) => "other",
        }
    }
}

fn known(code: u16) -> Option<(Arch, bool)> {
    ARCHS.iter().find(|(known, ..)| *known == code).map(|&(_, arch, http)| (arch, http))
}

/// What iPXE tells of itself in option 175 (iPXE `features.h`): encapsulated options, one for each feature.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Features {
    /// `eb`: the version, as major, minor, patch.
    pub version: Option<(u8, u8, u8)>,
    tags: Vec<u8>,
}

impl Features {
    const HTTP: u8 = 0x13;
    const HTTPS: u8 = 0x14;
    const EFI: u8 = 0x24;
    const VLAN: u8 = 0x26;
    const MENU: u8 = 0x27;
    const VERSION: u8 = 0xeb;

    /// Reads the content of option 175; a truncated tail is left out.
    pub fn parse(mut raw: &[u8]) -> Self {
        let mut features = Self::default();
        while let [code, rest @ ..] = raw {
            // 0 and 255 are single bytes here as in the option field itself (RFC 2132 section 3).
            if matches!(code, 0 | 255) {
                raw = rest;
                continue;
            }
            let Some((data, rest)) =
                rest.split_first().and_then(|(len, rest)| rest.split_at_checked((*len).into()))
            else {
                break;
            };
            match (*code, data) {
                (Self::VERSION, [major, minor, patch, ..]) => {
                    features.version = Some((*major, *minor, *patch));
                }
                (code, [value, ..]) if *value != 0 && !features.tags.contains(&code) => {
                    features.tags.push(code);
                }
                _ => {}
            }
            raw = rest;
        }
        features
    }

    /// Whether this feature tag was given, and not as 0.
    pub fn has(&self, tag: u8) -> bool {
        self.tags.contains(&tag)
    }

    /// It can fetch `http://`.
    pub fn http(&self) -> bool {
        self.has(Self::HTTP)
    }

    /// It can fetch `https://`.
    pub fn https(&self) -> bool {
        self.has(Self::HTTPS)
    }

    /// It runs on UEFI.
    pub fn efi(&self) -> bool {
        self.has(Self::EFI)
    }

    /// It has VLAN commands.
    pub fn vlan(&self) -> bool {
        self.has(Self::VLAN)
    }

    /// It has menu commands.
    pub fn menu(&self) -> bool {
        self.has(Self::MENU)
    }
}

/// What kind of program sent the packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// A PXE ROM or UEFI's PXE: fetches a file by TFTP.
    Pxe,
    /// UEFI HTTP Boot: fetches a URL.
    HttpBoot,
    /// iPXE: fetches a script.
    Ipxe {
        /// What it can do; empty when it did not say.
        features: Features,
    },
    /// An operating system, or anything else that asks for an address only.
    Os,
    /// A management controller: takes an address, and must never be sent a boot program.
    Bmc {
        /// Option 60 as sent.
        vendor_class: String,
    },
}

impl Client {
    /// The word for it in events and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pxe => "pxe",
            Self::HttpBoot => "http-boot",
            Self::Ipxe { .. } => "ipxe",
            Self::Os => "os",
            Self::Bmc { .. } => "bmc",
        }
    }
}

/// What a packet says of its sender.
#[derive(Debug, Clone, Copy, Default)]
pub struct Identity<'a> {
    /// Option 60.
    pub vendor_class: Option<&'a str>,
    /// Option 77, raw.
    pub user_class: Option<&'a [u8]>,
    /// Option 93: all codes, in order.
    pub archs: &'a [u16],
    /// Option 175, raw.
    pub ipxe_options: Option<&'a [u8]>,
    /// Whether it came by DHCPv6, where the first three are options 16, 15 and 61.
    pub dhcp6: bool,
}

/// The sender, and how that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Firmware {
    /// What kind of program.
    pub client: Client,
    /// What it runs on; `None` if nothing in the packet says so.
    pub arch: Option<Arch>,
    /// The code of option 93, or of option 60, by which that was seen.
    pub code: Option<u16>,
    /// Option 60 as sent.
    pub vendor_class: Option<String>,
    /// The options that decided it, for `explain`.
    pub why: String,
}

/// Beginnings of option 60 by which management controllers are known (Dell iDRAC, HPE iLO, NVIDIA BlueField).
/// U-Boot's is that of OpenBMC as well as of boards that boot from the network; these send option 93.
const BMC_CLASSES: &[(&str, bool)] = &[
    ("iDRAC", false),
    ("CPQRIB", false),
    ("NVIDIA/BF/OOB", false),
    ("NVIDIA/BF/BMC", false),
    ("nvidia-bluefield-dpu", false),
    ("OpenBMC", false),
    ("U-Boot", true),
];

/// Says who sent a packet. Takes every packet: what is in doubt is an [`Client::Os`], which is given an
/// address only.
pub fn classify(identity: &Identity<'_>) -> Firmware {
    let class = identity.vendor_class.unwrap_or_default();
    let [class_option, _, arch_option] = identity.options();
    let (code, by_class) = choose_arch(identity.archs, class);
    let arch = code.map(Arch::from_code);
    let bmc = BMC_CLASSES.iter().find(|(start, only_without_93)| {
        starts_with_ignoring_case(class, start) && (identity.archs.is_empty() || !*only_without_93)
    });
    let (client, why) = if let Some((start, _)) = bmc {
        (
            Client::Bmc { vendor_class: class.to_owned() },
            format!("option {class_option} begins with `{start}`"),
        )
    } else if let Some(why) = ipxe(identity) {
        let features = identity.ipxe_options.map(Features::parse).unwrap_or_default();
        (Client::Ipxe { features }, why)
    } else if starts_with_ignoring_case(class, "HTTPClient") {
        (Client::HttpBoot, format!("option {class_option} begins with `HTTPClient`"))
    } else if starts_with_ignoring_case(class, "PXEClient") {
        (Client::Pxe, format!("option {class_option} begins with `PXEClient`"))
    } else if identity.archs.iter().any(|&code| known(code).is_some_and(|(_, http)| http)) {
        (Client::HttpBoot, format!("option {arch_option} has an HTTP code"))
    } else if !identity.archs.is_empty() {
        (Client::Pxe, format!("option {arch_option} is there"))
    } else {
        let [class, user, arch] = identity.options();
        let why = if identity.dhcp6 {
            format!("neither option {user}, {class} nor {arch} is that of a firmware")
        } else {
            format!("neither option {class}, {user}, {arch} nor 175 is that of a firmware")
        };
        (Client::Os, why)
    };
    let why = match arch {
        Some(arch) => {
            let option = if by_class { class_option } else { arch_option };
            format!("{why}; {} by option {option}", arch.name())
        }
        None => why,
    };
    Firmware { client, arch, code, vendor_class: identity.vendor_class.map(str::to_owned), why }
}

fn ipxe(identity: &Identity<'_>) -> Option<String> {
    let [_, user_option, _] = identity.options();
    match identity.user_class {
        Some(b"iPXE") => Some(format!("option {user_option} is `iPXE`")),
        Some(raw) if user_classes(raw).any(|class| class == b"iPXE") => {
            Some(format!("option {user_option} lists `iPXE`"))
        }
        _ => identity.ipxe_options.filter(|raw| !raw.is_empty()).map(|_| "option 175 is there".to_owned()),
    }
}

/// The classes of an option 77 as RFC 3004 section 4 has it: each with its length before it.
fn user_classes(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = raw;
    std::iter::from_fn(move || {
        let (len, after) = rest.split_first()?;
        let (class, after) = after.split_at_checked((*len).into())?;
        rest = after;
        Some(class)
    })
}

/// What is common, and so likely to have a boot program.
const COMMON: &[u16] = &[0, 7, 9, 11, 16, 19];

impl Identity<'_> {
    /// The numbers of the options for vendor class, user class and architecture.
    const fn options(&self) -> [u8; 3] {
        if self.dhcp6 { [16, 15, 61] } else { [60, 77, 93] }
    }
}

/// Option 93 is a list (RFC 4578 section 2.1). The firmware that runs is the one that option 60 names; failing that, the first
/// that is common, then the first that we know, then the first. Says too whether it was option 60 alone.
fn choose_arch(archs: &[u16], vendor_class: &str) -> (Option<u16>, bool) {
    let named = class_arch(vendor_class);
    let best = named
        .filter(|code| archs.contains(code))
        .or_else(|| archs.iter().copied().find(|code| COMMON.contains(code)))
        .or_else(|| archs.iter().copied().find(|&code| known(code).is_some()))
        .or_else(|| archs.first().copied());
    match (best, named) {
        (Some(code), _) => (Some(code), false),
        (None, named) => (named, true),
    }
}

/// The code in `PXEClient:Arch:00007:UNDI:003016` (PXE 2.1 section 2.2).
fn class_arch(vendor_class: &str) -> Option<u16> {
    let (_, after) = vendor_class.split_once(":Arch:")?;
    let digits = after.split(':').next()?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn starts_with_ignoring_case(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

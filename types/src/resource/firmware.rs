//! Firmware: one row of the table that says how each make of firmware is answered.
use super::value::Oui;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How firmware of one make is answered. What a row does not say is as in the shipped row for the same client and architecture.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FirmwareSpec {
    /// Whose row it is; a row that matches nobody can still be named by a subnet or a machine.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<FirmwareMatch>,
    /// How its DHCP answers look: the first, until a machine repeats its question without having come for its boot program;
    /// then the next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replies: Vec<ReplyStyle>,
    /// Boot programs, as paths below `ipxe.dir`: the first that is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
    /// The most bytes in one TFTP block; no bound but the network's where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_size: Option<u16>,
    /// The most TFTP blocks in one window (RFC 7440); 1 turns windows off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u16>,
    /// How it goes on to its disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<Leave>,
    /// The higher wins where two rows say equally much of a machine.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// What firmware says of itself: all that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FirmwareMatch {
    /// By which protocol it boots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<FirmwareClient>,
    /// One of these is its architecture: a code of option 93 (IANA "Processor Architecture Types").
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archs: Vec<u16>,
    /// Its option 60, where `*` stands for any text: `PXEClient:Arch:00007:UNDI:003016*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_class: Option<String>,
    /// Its MAC begins with one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ouis: Vec<Oui>,
}

/// By which protocol firmware boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FirmwareClient {
    /// PXE: a boot program by TFTP. iPXE that cannot fetch by HTTP is such a one too.
    Pxe,
    /// UEFI HTTP Boot: a boot program by HTTP.
    Http,
}

/// How a DHCP answer tells firmware of its boot program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReplyStyle {
    /// The name and our address, and neither option 60 nor 43: what UEFI takes from the server that gives the address.
    Plain,
    /// Option 60 `PXEClient`, and option 43 with PXE discovery control 8 (tag 6): "boot this file, ask nobody else"
    /// (PXE 2.1 section 2.2.3). What BIOS ROMs want.
    Pxe,
    /// As `pxe`, and the menu that a Raspberry Pi looks for (option 43, tags 9 and 10).
    RaspberryPi,
    /// Option 60 `HTTPClient`, and a URL.
    Http,
}

/// How a machine goes on to its disk when nothing is to be booted over the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Leave {
    /// iPXE ends as one that failed, and the firmware tries the next entry of its boot order.
    Exit,
    /// iPXE ends as one that succeeded: for firmware that stops after a failure.
    ExitSuccess,
    /// iPXE boots the first disk itself, by the BIOS.
    Sanboot,
    /// The firmware gets no boot answer at all, waits in vain, and goes on by itself.
    Silence,
}

impl ReplyStyle {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Pxe => "pxe",
            Self::RaspberryPi => "raspberry-pi",
            Self::Http => "http",
        }
    }
}

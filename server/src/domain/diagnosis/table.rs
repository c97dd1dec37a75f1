//! What a boot that did not get on most likely died of: the table that docs/troubleshooting.md has too. Codes are for programs, and are
//! never given to another cause.

/// One cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// A stable word.
    pub code: &'static str,
    /// What was seen last.
    pub seen: &'static str,
    /// What that most likely means.
    pub text: &'static str,
    /// What to look at.
    pub look: &'static str,
    /// Whether it may help to start the machine again.
    pub again: bool,
}

macro_rules! rows {
    ($($name:ident $code:literal, again: $again:literal, seen $seen:literal: $text:literal; $look:literal.)+) => {
        $(
            #[doc = $seen]
            pub const $name: Row = Row { code: $code, seen: $seen, text: $text, look: $look, again: $again };
        )+
        /// Every cause, in the order of a boot.
        pub const ALL: &[&Row] = &[$(&$name),+];
    };
}

rows! {
    POWER_FAILED "power-failed", again: true, seen "its BMC did not switch it":
        "its BMC did not do what it was asked, so it was not started";
        "`pilotlight machine bmc NAME`: whether the BMC answers, and what it said".
    POWER_OFF "power-off", again: true, seen "it is off":
        "its BMC says that it is off: it lost its power, or somebody switched it off";
        "its power supplies and the BMC's log".
    BOOT_ORDER_LOST "boot-order-lost", again: true, seen "it is on, no packet came, and its BMC forgot the boot device":
        "its BMC took the boot device and did not have it afterwards, so it boots from elsewhere";
        "the boot order in its firmware, and the BMC's firmware version".
    SEGMENT_SILENT "segment-silent", again: true, seen "it is on, no packet came, and none of the others of its network":
        "no packet comes from its network at all: the relay (helper address) is missing, or the network is cut off";
        "the relay on its router, and `pilotlight network`: which relays were heard".
    NO_PACKET "no-packet", again: true, seen "it is on, and no packet came":
        "it was switched on and did not ask for an address: its boot order was lost, it waits at a question of its firmware, or its port is down or in another VLAN";
        "its screen or serial console, the boot order, and the switch port".
    OTHER_DHCP "other-dhcp", again: true, seen "it was offered an address and did not take it, and another DHCP server answers there":
        "it was offered an address and did not take it: another DHCP server answers too, and is preferred";
        "`pilotlight network`: who that is; switch it off there, or make the subnet `proxy`".
    PROXY_IGNORED "proxy-ignored", again: true, seen "it was told what to boot beside another DHCP server, and did not go on":
        "it was told what to boot and did not follow: it got no address from the other server, or its firmware ignores proxyDHCP";
        "the other server's leases, and whether it sends options 43 or 60 itself; `authoritative` does without it".
    OFFERS_LOST "offers-lost", again: true, seen "it was offered an address and did not take it, like every other one of its network":
        "nobody of its network takes what is offered: the relay drops our replies, or they take another way back";
        "the relay's route to this server, and its filter for UDP port 67".
    OFFER_NOT_TAKEN "offer-not-taken", again: true, seen "it was offered an address and did not take it":
        "it was offered an address and did not take it: another DHCP server answers too, the relay drops our replies, or its firmware does not like our options";
        "`pilotlight explain NAME --part dhcp`, and a capture at the machine's port".
    SEGMENT_CUT_OFF "segment-cut-off", again: true, seen "it got an address and fetched nothing, like every other one of its network":
        "nobody of its network gets past DHCP: a firewall between there and this server, or no route back";
        "UDP port 69 and the ports of `http.listen` and `https.listen` from that network; `pilotlight probe`".
    BOOT_PROGRAM_NOT_ASKED "boot-program-not-asked", again: true, seen "it got an address and fetched nothing":
        "it got an address and did not fetch the boot program: a firewall, no route to the server, or the wrong file for its architecture";
        "the file's name and the architecture in `pilotlight explain NAME --part dhcp`".
    TFTP_BLOCKED "tftp-blocked", again: true, seen "it asked for its boot program by TFTP and took none of it":
        "the transfer of the boot program did not begin: a filter lets the request through and not the answer, which comes from another port";
        "UDP from this server's high ports to that network".
    TRANSFER_BROKE_OFF "transfer-broke-off", again: true, seen "it got a part of its boot program":
        "the transfer of the boot program broke off: packets larger than the path takes, or a filtered UDP port";
        "the MTU on the way; a Firmware row with a `blockSize` of 1024 or 512 and a `window` of 1".
    PROGRAM_SILENT "program-silent", again: true, seen "it got its boot program, which asked for nothing":
        "the boot program did not ask for its script: Secure Boot refused it, or it has no driver for this interface";
        "Secure Boot in its firmware; another boot program (`snponly.efi` or `ipxe.efi`) in a Firmware row".
    TOLD_TO_WAIT "told-to-wait", again: false, seen "it was told to wait, and stopped asking":
        "it was told to wait (its Script phase says for what) and stopped asking: it was switched off, or cannot reach the server any more";
        "what it waits for, and its power".
    IPXE_ERROR "ipxe-error", again: true, seen "it got its script, and iPXE told of an error":
        "iPXE stopped with an error, which it told: https://ipxe.org/ has a page for each number";
        "the console of the boot".
    NO_KERNEL "no-kernel", again: true, seen "it got its script, and did not fetch the kernel":
        "it got its script and did not fetch the kernel: it cannot reach the HTTP port, or its iPXE is too old for the script";
        "the console of the boot, and the port of `http.listen` from that network".
    NO_INITRAMFS "no-initramfs", again: true, seen "it fetched the kernel, and not the initramfs":
        "it fetched the kernel and not the initramfs";
        "the console of the boot: iPXE says what it could not do".
    KERNEL_BROKE_OFF "kernel-broke-off", again: true, seen "it got a part of the kernel":
        "the kernel was not fetched to its end: the link broke, or the machine stopped";
        "the interface's errors at the switch, and the BMC's log".
    INITRAMFS_BROKE_OFF "initramfs-broke-off", again: true, seen "it got a part of the initramfs":
        "the initramfs was not fetched to its end: the link broke, or its memory is too small";
        "the console of the boot, and its memory".
    KERNEL_PANIC "kernel-panic", again: true, seen "its kernel said that it panics":
        "its kernel started and panicked";
        "the console of the boot: the lines before the panic".
    LITTLE_MEMORY "little-memory", again: false, seen "it has the initramfs, and less memory than a live system takes, or said so":
        "its memory is too small for what it is to boot: a live system takes 2 GiB at least";
        "its memory modules; a profile that installs to disk takes no less".
    NO_ROOTFS "no-rootfs", again: true, seen "it has kernel and initramfs, and did not ask for its root file system":
        "the kernel did not come up far enough to ask for anything: no driver for the interface in the initramfs, too little memory, or wrong network arguments";
        "the profile's kernel arguments (`ip=`, `console=`), and the console of the boot".
    ROOTFS_BROKE_OFF "rootfs-broke-off", again: true, seen "it got a part of its root file system":
        "the root file system was not fetched to its end: the link broke, or its memory is too small";
        "the console of the boot, and its memory".
    CONFIG_NOT_ASKED "config-not-asked", again: true, seen "it has its image, and did not ask for its Ignition config":
        "it never asked for its Ignition config: the initrd with config.ign was lost (it is silent about that), or ignition.firstboot is missing";
        "the kernel arguments in `pilotlight explain --boot ID`, its clock, and the port of `https.listen` from that network".
    CONFIG_NOT_MADE "config-not-made", again: false, seen "it asked for its config, which could not be made":
        "it asked for its config, which could not be made (its Ignition phase says why), and stopped asking: it was switched off, or cannot reach the server any more";
        "what the config waits for: a secret, a hold, or a mistake in the profile".
    IGNITION_FAILED "ignition-failed", again: false, seen "it has its config, and Ignition told of an error":
        "Ignition refused the config or could not do what it says, which it told";
        "the console of the boot, and the profile's config in `pilotlight explain --boot ID`".
    AGENT_SILENT "agent-silent", again: true, seen "it has its config, and the agent did not report":
        "it fetched its config and the agent did not report: Ignition refused the config or failed, or the agent cannot reach the server";
        "its console (an emergency shell?), its clock, and the network that the config sets up".
    AGENT_TROUBLE "agent-trouble", again: true, seen "its agent told of trouble":
        "the agent started and told of trouble, and did not report the facts";
        "its Agent phase and the event `agent.trouble` say what".
    AGENT_STOPPED "agent-stopped", again: true, seen "its agent started":
        "the agent started and did not report the facts";
        "`journalctl -u pilotlight-agent` on the machine".
}

/// The row of a code.
pub fn row(code: &str) -> Option<&'static Row> {
    ALL.iter().find(|row| row.code == code).copied()
}

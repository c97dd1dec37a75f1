//! The iPXE script of one boot. Every value in it is one that iPXE cannot take for anything else.
use super::boot::Plan;
use pilotlight_types::{
    Mac,
    resource::{ImageOs, ImageSpec, Leave},
};
use std::{fmt::Write, net::Ipv4Addr};

/// In how many seconds a machine on hold asks again.
const HOLD: u64 = 15;

/// What a script needs to know.
#[derive(Debug, Clone, Copy)]
pub struct ScriptFor<'a> {
    /// What the machine is to get.
    pub plan: &'a Plan,
    /// The image, where it gets one.
    pub image: Option<&'a ImageSpec>,
    /// The profile's own kernel arguments.
    pub kernel_args: &'a [String],
    /// The machine's name, or its MAC.
    pub machine: &'a str,
    /// The interface that boots.
    pub mac: Mac,
    /// Where this boot's files are: `http://10.77.0.1:8080/boot/0195…`.
    pub base: &'a str,
    /// Where to ask for the script again: `http://10.77.0.1:8080/boot/ipxe?mac=…`.
    pub again: &'a str,
    /// How it goes on to its disk; by what its platform is, where the firmware table does not say.
    pub leave: Option<Leave>,
}

/// How often a boot's files are tried, all together, until the machine asks for its script again.
const TRIES: usize = 10;

/// A kernel argument that must not reach a script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("kernel argument `{argument}` holds {what}, which iPXE or the kernel would take for something else")]
pub struct BadArgument {
    argument: String,
    what: String,
}

/// Checks that a kernel argument is passed on as it is.
pub fn check_argument(argument: &str) -> Result<(), BadArgument> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-,:=/@+%[]*~!?<>()|^".contains(c);
    let bad = |what: String| BadArgument { argument: argument.escape_default().take(80).collect(), what };
    if argument.is_empty() {
        return Err(bad("nothing".into()));
    }
    if argument == "||" {
        return Err(bad("`||`".into()));
    }
    match argument.chars().find(|c| !plain(*c)) {
        None => Ok(()),
        Some(c) => Err(bad(format!("`{}`", c.escape_default()))),
    }
}

/// Where a kernel argument is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentFrom {
    /// The OS of the image needs it.
    Os,
    /// It names the interface that boots.
    Interface,
    /// It is the profile's own of that number, of those that its templates do not leave empty.
    Profile(usize),
}

/// The kernel arguments of a boot: those that the OS needs, the interface that booted, then the profile's own.
pub fn kernel_args(script: ScriptFor<'_>) -> Vec<(String, ArgumentFrom)> {
    let mut args = Vec::new();
    if let Some(image) = script.image {
        let mut add = |argument: String| args.push((argument, ArgumentFrom::Os));
        match image.os {
            ImageOs::FedoraCoreos => {
                if image.rootfs.is_some() {
                    add(format!("coreos.live.rootfs_url={}/rootfs.img", script.base));
                }
                add("ignition.firstboot".into());
                add("ignition.platform.id=metal".into());
            }
            ImageOs::Flatcar => add("flatcar.first_boot=1".into()),
            ImageOs::ContainerLinux => add("coreos.first_boot=1".into()),
            ImageOs::Generic => {}
        }
    }
    args.push((format!("BOOTIF=01-{}", script.mac.hyphenated()), ArgumentFrom::Interface));
    let own = script.kernel_args.iter().enumerate();
    args.extend(own.map(|(number, argument)| (argument.clone(), ArgumentFrom::Profile(number))));
    args
}

/// The script. iPXE gets one whatever the decision was: it never meets an error page.
pub fn render(script: ScriptFor<'_>) -> String {
    let mut text = String::from("#!ipxe\n");
    let ScriptFor { machine, base, again, plan, .. } = script;
    // Writing to a String cannot fail.
    let _ = match plan {
        Plan::Boot { profile, image } => {
            let args: Vec<String> = kernel_args(script).into_iter().map(|(argument, _)| argument).collect();
            let args = args.join(" ");
            write!(
                text,
                "echo Pilotlight: {machine} boots profile {profile}, image {image}\n\
                 set base {base}\n\
                 set tries:int32 0\n\
                 :kernel\n\
                 kernel ${{base}}/kernel initrd=initramfs.img initrd=config.img {args} || goto kernel_failed\n\
                 :initramfs\n\
                 initrd --name initramfs.img ${{base}}/initramfs.img || goto initramfs_failed\n\
                 :config\n\
                 initrd --name config.img ${{base}}/config.img || goto config_failed\n\
                 boot || goto again\n\
                 {}{}{}\
                 :again\n\
                 imgfree\n\
                 sleep 5\n\
                 chain --replace --autofree {again} || goto again\n",
                once_more("kernel"),
                once_more("initramfs"),
                once_more("config"),
            )
        }
        Plan::LocalDisk => {
            write!(text, "echo Pilotlight: {machine} boots from its disk\n{}", leave(script.leave))
        }
        Plan::Hold { why } => write!(text, "{}", wait(machine, why, HOLD, again)),
        Plan::Nothing { why } => write!(text, "{}", wait(machine, why.name(), HOLD, again)),
    };
    text
}

/// The kernel arguments in a script that [`render`] made.
pub fn arguments(script: &str) -> Vec<String> {
    let line = script.lines().find_map(|line| line.strip_prefix("kernel ${base}/kernel "));
    let line = line.and_then(|line| line.strip_suffix(" || goto kernel_failed")).unwrap_or_default();
    line.split(' ').filter(|argument| !argument.is_empty()).map(str::to_owned).collect()
}

/// Fetches one of the files again, after a while; what is there already stays. In the end the machine asks anew what it is to do.
fn once_more(file: &str) -> String {
    format!(
        ":{file}_failed\n\
         echo Pilotlight: {file} was not fetched; trying again\n\
         inc tries\n\
         iseq ${{tries}} {TRIES} && goto again ||\n\
         sleep 2\n\
         goto {file}\n"
    )
}

/// How iPXE ends. UEFI goes on to its next boot option after a program that failed, and stops at its menu after one that did not;
/// a BIOS starts its disk through the program, for its boot order may have nothing after the network.
const fn leave(how: Option<Leave>) -> &'static str {
    match how {
        None => "iseq ${platform} efi && exit 1 ||\nsanboot --no-describe --drive 0x80 || exit 1\n",
        Some(Leave::Sanboot) => "sanboot --no-describe --drive 0x80 || exit 1\n",
        Some(Leave::ExitSuccess) => "exit 0\n",
        Some(Leave::Exit | Leave::Silence) => "exit 1\n",
    }
}

/// The script, with where iPXE is to send what it says as the first thing that it does. An iPXE that was built without a syslog
/// console takes the setting and sends nothing.
pub fn with_syslog(script: &str, server: Ipv4Addr) -> String {
    match script.split_once('\n') {
        Some((first, rest)) => format!("{first}\nset syslog {server}\n{rest}"),
        None => script.to_owned(),
    }
}

/// The script of a machine whose turn to load has not come: in how many seconds it asks again.
pub fn render_turn(machine: &str, why: &str, seconds: u64, again: &str) -> String {
    format!("#!ipxe\n{}", wait(machine, why, seconds, again))
}

/// The script of a machine that is to have another address than it has.
pub fn render_readdress(machine: &str, again: &str) -> String {
    format!(
        "#!ipxe\n\
         echo Pilotlight: {machine} was recognised, and asks for its own address\n\
         dhcp netX || dhcp ||\n\
         :again\n\
         chain --replace --autofree {again} || sleep 5\n\
         goto again\n"
    )
}

fn wait(machine: &str, why: &str, seconds: u64, again: &str) -> String {
    format!(
        "echo Pilotlight: {machine} waits: {}\n\
         :again\n\
         sleep {seconds}\n\
         chain --replace --autofree {again} || goto again\n",
        printable(why)
    )
}

/// A text that people wrote, as iPXE's `echo` can take it: nothing that it would expand, split or obey.
fn printable(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " ._-,:=/@+()".contains(c);
    text.chars().take(200).map(|c| if plain(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests;

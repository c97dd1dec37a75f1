//! The files that are the same for every machine: boot programs and the agent.
mod kept;

use self::kept::Kept;
use super::ports::SERIAL;
use sha2::{Digest, Sha512};
use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Boot programs and the agent. A boot program is read when it is asked for, and served from memory from then on, while there is room.
#[derive(Debug, Clone)]
pub struct Files(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    programs: BTreeMap<String, PathBuf>,
    kept: Kept,
    agent: Option<Agent>,
    http_port: u16,
}

/// The agent's binary.
#[derive(Debug, Clone)]
pub struct Agent {
    /// Its content.
    pub content: bytes::Bytes,
    /// Its SHA-512 in hex, as Ignition checks it.
    pub sha512: String,
}

/// The script that iPXE builds of 2023 and later ask for beside their own binary.
pub const AUTOEXEC: &str = "autoexec.ipxe";

/// How deep below `ipxe.dir` boot programs are looked for, and how many at most.
const DEEPEST: usize = 3;
const MOST: usize = 4096;

/// A file above this is no boot program, in bytes.
const LARGEST: u64 = 64 << 20;

/// How many bytes of boot programs are in memory: some hundred of them, or four of the largest.
const ROOM: u64 = 256 << 20;

/// Where the files of Raspberry Pis are: each asks for them in a folder named like its serial number, eight hex digits.
const RASPBERRY_PI: &str = "raspberry-pi";

/// The length of `-00-`, 32 digits, `-`, 16 digits, `-01`.
const TRACE: usize = 56;

impl Files {
    /// Finds the boot programs in `ipxe`, and reads the agent.
    pub fn load(ipxe: &Path, agent: Option<&Path>, http_port: u16) -> io::Result<Self> {
        let mut programs = BTreeMap::new();
        find(ipxe, "", &mut programs, DEEPEST)?;
        let agent = agent.map(read_agent).transpose()?;
        Ok(Self(Arc::new(Inner { programs, kept: Kept::new(ROOM, LARGEST), agent, http_port })))
    }

    /// Whether there is a boot program at this path below `ipxe.dir`.
    pub fn has(&self, path: &str) -> bool {
        self.0.programs.contains_key(path)
    }

    /// A boot program, or the script that goes with it; `local` is the address that the client asked. Firmware and iPXE write folders
    /// of their own before a name (a MAC, a serial number, the folder that they think they are in), which are passed over.
    /// So is what others write behind it (`plain`), where no file has that very name.
    pub fn program(&self, name: &str, local: IpAddr) -> Option<bytes::Bytes> {
        self.named(name, local).or_else(|| self.named(plain(name)?, local))
    }

    fn named(&self, name: &str, local: IpAddr) -> Option<bytes::Bytes> {
        let parts: Vec<&str> = name.split(['/', '\\']).filter(|part| !matches!(*part, "" | ".")).collect();
        let mut tails = (0..parts.len()).filter_map(|from| Some(parts.get(from..)?.join("/")));
        let found = tails.find(|tail| self.has(tail));
        if let Some(content) = found.and_then(|name| self.content(&name)) {
            return Some(content);
        }
        if parts.last() == Some(&AUTOEXEC) {
            return Some(self.autoexec(local).into());
        }
        let of_a_pi = parts.first().is_some_and(|first| is_serial(first));
        let path = parts.get(1..).filter(|_| of_a_pi)?.join("/");
        self.content(&format!("{RASPBERRY_PI}/{path}"))
    }

    /// The agent, where there is one to hand out.
    pub fn agent(&self) -> Option<&Agent> {
        self.0.agent.as_ref()
    }

    /// What is in the boot program at this path below `ipxe.dir`.
    fn content(&self, name: &str) -> Option<bytes::Bytes> {
        let path = self.0.programs.get(name)?;
        let read = self.0.kept.get(name, path);
        read.inspect_err(|error| tracing::error!("{} cannot be served: {error}", path.display())).ok()
    }

    fn autoexec(&self, local: IpAddr) -> String {
        let at = SocketAddr::new(local, self.0.http_port);
        format!(
            "#!ipxe\n\
             isset ${{net0/ip}} || dhcp\n\
             :again\n\
             chain --replace --autofree http://{at}/boot/ipxe?mac=${{netX/mac:hexhyp}}&uuid=${{uuid}}{SERIAL} || sleep 10\n\
             goto again\n"
        )
    }
}

/// Puts the paths of what is in a folder into `programs`, by its path below the first one. A folder that is not there has nothing in it.
fn find(
    folder: &Path,
    prefix: &str,
    programs: &mut BTreeMap<String, PathBuf>,
    deeper: usize,
) -> io::Result<()> {
    let failed = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        // Links are followed: that is how distributions lay them out. One that leads nowhere is no boot program.
        let (Some(name), Ok(about)) = (path.file_name().and_then(|name| name.to_str()), path.metadata())
        else {
            continue;
        };
        // What is hidden, or is not for everybody on this host, is not for everybody on the network.
        let open = !name.starts_with('.') && about.mode() & 0o004 != 0;
        let name = format!("{prefix}{name}");
        if !open {
            continue;
        }
        if about.is_dir() && deeper > 1 {
            find(&path, &format!("{name}/"), programs, deeper - 1)?;
        } else if about.is_file() && about.len() <= LARGEST && programs.len() < MOST {
            programs.insert(name, path);
        }
    }
    Ok(())
}

fn is_serial(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// A file's name without what others put behind it: PXE's boot layer (`.0`, as dnsmasq's menus have it), or the id of a trace
/// (`-00-…-…-01`, a W3C traceparent).
fn plain(name: &str) -> Option<&str> {
    if let Some(layered) = name.strip_suffix(".0") {
        return Some(layered);
    }
    let (head, tail) = name.split_at_checked(name.len().checked_sub(TRACE)?)?;
    let parts = tail.split('-').map(|part| part.bytes().all(|b| b.is_ascii_hexdigit()).then_some(part.len()));
    parts.eq([0, 2, 32, 16, 2].map(Some)).then_some(head)
}

fn read_agent(path: &Path) -> io::Result<Agent> {
    let content =
        std::fs::read(path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    let sha512 = hex::encode(Sha512::digest(&content));
    Ok(Agent { content: content.into(), sha512 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_around_a_name_does_not_matter() {
        for name in ["snponly.efi.0", "snponly.efi-00-23b1e307bb35484f535a1f772c06910e-d887dc3912240434-01"] {
            assert_eq!(plain(name), Some("snponly.efi"));
        }
        for name in ["", ".0.0", "a-00-b-c-01", "é-00-23b1e307bb35484f535a1f772c06910e-d887dc3912240434-0é"]
        {
            assert!(plain(name).is_none_or(|plain| plain != "snponly.efi"), "{name}");
        }
    }

    #[test]
    fn a_program_is_found_in_any_folder_and_its_script_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("snponly.efi"), b"program").unwrap();
        let files = Files::load(folder.path(), None, 8080).unwrap();
        let local = "10.77.0.1".parse().unwrap();
        for name in ["snponly.efi", "52:54:00:12:34:56/snponly.efi", "a/b/snponly.efi"] {
            assert_eq!(files.program(name, local).unwrap().as_ref(), b"program", "{name}");
        }
        for name in ["autoexec.ipxe", "52:54:00:12:34:56/autoexec.ipxe"] {
            let script = files.program(name, local).unwrap();
            assert!(
                String::from_utf8_lossy(&script).contains("http://10.77.0.1:8080/boot/ipxe?mac="),
                "{name}"
            );
        }
        assert_eq!(files.program("revocations.efi", local), None);
    }
}

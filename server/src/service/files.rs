//! The files that are the same for every machine: boot programs and the agent.
use crate::domain::firmware::BOOT_PROGRAMS;
use sha2::{Digest, Sha512};
use std::{
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Boot programs and the agent, read once, served from memory.
#[derive(Debug, Clone)]
pub struct Files(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    programs: Vec<(&'static str, bytes::Bytes)>,
    missing: Vec<PathBuf>,
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

impl Files {
    /// Reads the boot programs from `ipxe`, and the agent.
    pub fn load(ipxe: &Path, agent: Option<&Path>, http_port: u16) -> io::Result<Self> {
        let mut programs = Vec::new();
        let mut missing = Vec::new();
        for name in BOOT_PROGRAMS {
            let path = ipxe.join(name);
            match std::fs::read(&path) {
                Ok(content) => programs.push((*name, content.into())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(path),
                Err(error) => {
                    return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
                }
            }
        }
        let agent = agent.map(read_agent).transpose()?;
        Ok(Self(Arc::new(Inner { programs, missing, agent, http_port })))
    }

    /// A boot program, or the script that goes with it; `local` is the address that the client asked.
    pub fn program(&self, name: &str, local: IpAddr) -> Option<bytes::Bytes> {
        let file = name.rsplit('/').next()?;
        if file == AUTOEXEC {
            return Some(self.autoexec(local).into());
        }
        self.0.programs.iter().find(|(program, _)| *program == file).map(|(_, content)| content.clone())
    }

    /// The boot programs that are not where they should be.
    pub fn missing(&self) -> &[PathBuf] {
        &self.0.missing
    }

    /// The agent, where there is one to hand out.
    pub fn agent(&self) -> Option<&Agent> {
        self.0.agent.as_ref()
    }

    fn autoexec(&self, local: IpAddr) -> String {
        let port = self.0.http_port;
        format!(
            "#!ipxe\n\
             isset ${{net0/ip}} || dhcp\n\
             :again\n\
             chain --replace --autofree http://{local}:{port}/boot/ipxe?mac=${{netX/mac:hexhyp}}&uuid=${{uuid}} || sleep 10\n\
             goto again\n"
        )
    }
}

fn read_agent(path: &Path) -> io::Result<Agent> {
    let content =
        std::fs::read(path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    let sha512 = hex::encode(Sha512::digest(&content));
    Ok(Agent { content: content.into(), sha512 })
}

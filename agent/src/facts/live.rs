//! What only the running system can say: addresses, and systemd's times.
use ipnet::IpNet;
use nix::{ifaddrs, sys::socket::SockaddrStorage};
use std::{
    env,
    io::{self, Read},
    net::IpAddr,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// systemd answers at once, or something is badly wrong with it.
const PATIENCE: Duration = Duration::from_secs(5);
const LARGEST_ANSWER: u64 = 64 * 1024;

/// What the running system said.
#[derive(Debug, Default)]
pub struct Live {
    architecture: Option<String>,
    systemd: Option<String>,
    addresses: Vec<(String, IpNet)>,
    problems: Vec<String>,
}

impl Live {
    /// Asks the running system.
    pub fn probe() -> Self {
        let mut live = Self { architecture: Some(env::consts::ARCH.to_owned()), ..Self::default() };
        match ifaddrs::getifaddrs() {
            Ok(found) => live.addresses = found.filter_map(|of| address(&of)).collect(),
            Err(e) => live.problems.push(format!("cannot list addresses: {e}")),
        }
        if Path::new("/run/systemd/system").exists() {
            match systemd_times() {
                Ok(text) => live.systemd = Some(text),
                Err(e) => live.problems.push(format!("cannot ask systemd for its times: {e}")),
            }
        }
        live
    }

    /// Nothing: there is no running system beside recorded files.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether systemd answered, so that the end of the boot is something to wait for.
    pub fn has_systemd(&self) -> bool {
        self.systemd.is_some()
    }

    pub(super) fn architecture(&self) -> Option<String> {
        self.architecture.clone()
    }

    pub(super) fn systemd(&self) -> Option<&str> {
        self.systemd.as_deref()
    }

    pub(super) fn addresses(&self, interface: &str) -> impl Iterator<Item = IpNet> {
        self.addresses.iter().filter(move |(name, _)| name == interface).map(|(_, address)| *address)
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().map(String::as_str)
    }

    /// What a test says that the running system said: the lines of `systemctl show`, and lines such as `eth0 10.0.0.5/24`.
    #[cfg(test)]
    pub(super) fn recorded(systemd: Option<String>, addresses: &str) -> Self {
        let address = |line: &str| {
            let (name, address) = line.split_once(' ').unwrap();
            (name.to_owned(), address.parse().unwrap())
        };
        Self { systemd, addresses: addresses.lines().map(address).collect(), ..Self::default() }
    }
}

fn address(of: &ifaddrs::InterfaceAddress) -> Option<(String, IpNet)> {
    let address = ip(of.address.as_ref()?)?;
    let prefix = match ip(of.netmask.as_ref()?)? {
        IpAddr::V4(mask) => mask.to_bits().count_ones(),
        IpAddr::V6(mask) => mask.to_bits().count_ones(),
    };
    Some((of.interface_name.clone(), IpNet::new(address, u8::try_from(prefix).ok()?).ok()?))
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
}

fn systemd_times() -> io::Result<String> {
    let mut child = Command::new("systemctl")
        .args(["show", "--property"])
        .arg(
            "FirmwareTimestampMonotonic,LoaderTimestampMonotonic,InitRDTimestampMonotonic,\
             UserspaceTimestampMonotonic,FinishTimestampMonotonic",
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let (done, answer) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        thread::Builder::new().spawn(move || {
            let mut text = String::new();
            let read = output.take(LARGEST_ANSWER).read_to_string(&mut text);
            // Nobody listens any more when it took too long.
            let _ = done.send(read.map(|_| text));
        })?;
    }
    let text = answer.recv_timeout(PATIENCE);
    // It is dead already, or it hangs.
    let _ = child.kill();
    let status = child.wait()?;
    match text {
        Ok(Ok(text)) if text.contains("TimestampMonotonic=") => Ok(text),
        Ok(Err(e)) => Err(e),
        Ok(Ok(_)) => Err(io::Error::other(format!("systemctl ended with {status}"))),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

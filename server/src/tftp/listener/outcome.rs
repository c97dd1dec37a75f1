//! What a TFTP listener asks of the rest, what it tells, and why it may not begin.
use crate::tftp::transfer::{Caps, Content};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Why there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// No such file: ERROR 1.
    #[error("no such file")]
    NotFound,
    /// Not for this client: ERROR 2.
    #[error("access denied")]
    Denied,
}

/// A file that is to be sent.
pub struct File {
    /// What is in it.
    pub content: Content,
    /// What the firmware that asks can take.
    pub caps: Caps,
}

impl From<Content> for File {
    /// For any firmware.
    fn from(content: Content) -> Self {
        Self { content, caps: Caps::default() }
    }
}

/// Where the files come from, and where the outcomes go.
pub trait Files: Send + Sync + 'static {
    /// The file of that name (see [`crate::tftp::codec::clean_name`]), for that client, at that address of
    /// ours. Must not block for long.
    fn open(&self, name: &str, peer: SocketAddr, local: IpAddr) -> Result<File, FileError>;

    /// Called exactly once for each packet that arrived at the port: at the transfer's end if it began one.
    fn done(&self, report: Report);
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Who asked.
    pub peer: SocketAddr,
    /// Which of our addresses was asked.
    pub local: IpAddr,
    /// The file's clean name; as sent, if that was refused; empty, if there was none.
    pub name: String,
    /// How much of it was acknowledged.
    pub bytes: u64,
    /// Packets that were sent again.
    pub resent: u64,
    /// From the request to the end.
    pub elapsed: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The client has the whole file.
    Sent,
    /// The client ended it; no failure: firmware asks for sizes so.
    AbortedByClient {
        /// The ERROR's number.
        code: u16,
        /// The ERROR's text.
        message: String,
    },
    /// The client fell silent.
    TimedOut,
    /// There was no such file, or not for this client; or the name was none; or it wanted to write.
    Refused(Refusal),
    /// The client began anew from the same port.
    Replaced,
    /// The network's copy of a request that is being served.
    Duplicate,
    /// Too many transfers at once; nothing was said, so the client asks again.
    Overloaded,
    /// No request at all.
    Malformed,
    /// The daemon stopped.
    Stopped,
    /// We could not answer.
    Failed(io::ErrorKind),
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No such file.
    NotFound,
    /// Not for this client.
    Denied,
    /// The name climbs, or is none.
    BadName,
    /// We are read only.
    Write,
}

/// Why the port cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another server is there.
    #[error(
        "UDP {0} is in use: another TFTP server runs here; stop it, or set tftp.listen to another address"
    )]
    InUse(SocketAddr),
    /// Ports below 1024 are for root.
    #[error(
        "no permission for UDP {0}: run with CAP_NET_BIND_SERVICE, or set tftp.listen to a port above 1023"
    )]
    Permission(SocketAddr),
    /// No interface has this address.
    #[error("no interface has the address of {0}: set tftp.listen to one that this host has, or to 0.0.0.0")]
    NoAddress(SocketAddr),
    /// Anything else.
    #[error("cannot listen for TFTP on UDP {listen}")]
    Other {
        /// Where.
        listen: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ListenError {
    pub(super) fn new(listen: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(listen),
            io::ErrorKind::PermissionDenied => Self::Permission(listen),
            io::ErrorKind::AddrNotAvailable => Self::NoAddress(listen),
            _ => Self::Other { listen, source },
        }
    }
}

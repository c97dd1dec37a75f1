//! Why the daemon does not start, and with which exit code.
use crate::{
    dhcp::socket::SocketError, dhcp6, interface::InterfaceError, service::access::TokenError,
    site::SiteError, store::StoreError, syslog, tftp::listener::ListenError,
};
use std::{io, net::SocketAddr, path::PathBuf};

/// Why the daemon does not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The database cannot be used.
    #[error("the database cannot be used{}", if .0.is_full() { " (make room where server.data-dir is)" } else { "" })]
    Store(#[from] StoreError),
    /// The first token cannot be made.
    #[error("the first token cannot be made")]
    Token(#[from] TokenError),
    /// An interface is not there.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// DHCP cannot be served.
    #[error(transparent)]
    Dhcp(#[from] SocketError),
    /// DHCPv6 cannot be served.
    #[error(transparent)]
    Dhcp6(#[from] dhcp6::socket::SocketError),
    /// TFTP cannot be served.
    #[error(transparent)]
    Tftp(#[from] ListenError),
    /// Syslog cannot be received.
    #[error(transparent)]
    Syslog(#[from] syslog::ListenError),
    /// A TCP port cannot be had.
    #[error("{key} {address}: {hint}")]
    Tcp {
        /// Which setting.
        key: &'static str,
        /// Which address.
        address: SocketAddr,
        /// What to do.
        hint: String,
        /// Why.
        kind: io::ErrorKind,
    },
    /// A file cannot be read.
    #[error("{what}: {source}")]
    File {
        /// Which.
        what: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The authorities of another system's certificate cannot be used.
    #[error("{0} {1}: {2}")]
    Authorities(&'static str, PathBuf, String),
    /// The client for downloads cannot be made.
    #[error("no HTTP client for downloads: {0}")]
    HttpClient(String),
}

impl StartError {
    /// The exit code for this, by sysexits.h.
    pub fn exit_code(&self) -> u8 {
        let by_kind = |kind: io::ErrorKind, other: u8| match kind {
            io::ErrorKind::PermissionDenied => 77,
            io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable => 69,
            io::ErrorKind::StorageFull | io::ErrorKind::ReadOnlyFilesystem => 73,
            _ => other,
        };
        match self {
            Self::Site(SiteError::File { source, .. }) => by_kind(source.kind(), 73),
            Self::Store(error) if error.is_full() => 73,
            Self::Site(SiteError::Locked(_)) | Self::Store(_) | Self::Token(_) => 69,
            Self::Site(SiteError::Certificate { .. }) | Self::Authorities(..) | Self::HttpClient(_) => 78,
            Self::Interface(_) | Self::Dhcp(SocketError::NoDevice { .. }) => 69,
            Self::Dhcp6(dhcp6::socket::SocketError::PermissionDenied(_)) => 77,
            Self::Dhcp(SocketError::PermissionDenied { .. }) | Self::Tftp(ListenError::Permission(_)) => 77,
            Self::Syslog(syslog::ListenError::Permission(_)) => 77,
            Self::Dhcp(_) | Self::Dhcp6(_) | Self::Tftp(_) | Self::Syslog(_) => 69,
            Self::Tcp { kind, .. } => by_kind(*kind, 71),
            Self::File { source, .. } => by_kind(source.kind(), 74),
        }
    }
}

//! How BMCs fail, by what can be done about it.
use crate::secret::source::Unavailable;

/// Why a BMC did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BmcError {
    /// Nothing answers, or not in time.
    #[error("no answer: {0}")]
    Away(String),
    /// It does not take the user and the password. Asking again and again would lock the account.
    #[error("it does not let us in: {0}")]
    Auth(String),
    /// Its certificate is not the one that it should have.
    #[error("its certificate is not the right one: {0}")]
    Tls(String),
    /// Not now: it is busy, or all its sessions are in use.
    #[error("not now: {0}")]
    Busy(String),
    /// It said no, and would say it again.
    #[error("it refuses: {0}")]
    Refused(String),
    /// What it answered cannot be read.
    #[error("its answer cannot be read: {0}")]
    Garbled(String),
    /// It dropped our session: a new one may do.
    #[error("it dropped our session: {0}")]
    Session(String),
    /// It cannot do that.
    #[error("it cannot do that: {0}")]
    Unsupported(String),
    /// It was told, and did not answer: it may have done it.
    #[error("it was told and did not answer, so nobody knows whether it did: {0}")]
    Uncertain(String),
    /// Its password cannot be had.
    #[error("its password cannot be had: {0}")]
    Secret(Unavailable),
    /// It failed too often: it is left alone for now.
    #[error("it is left alone for {0} s, since it failed too often")]
    Open(u64),
}

impl BmcError {
    /// The kind, for who counts them.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Away(_) => "away",
            Self::Auth(_) => "auth",
            Self::Tls(_) => "tls",
            Self::Busy(_) => "busy",
            Self::Refused(_) => "refused",
            Self::Garbled(_) => "garbled",
            Self::Session(_) => "session",
            Self::Unsupported(_) => "unsupported",
            Self::Uncertain(_) => "uncertain",
            Self::Secret(_) => "secret",
            Self::Open(_) => "open",
        }
    }

    /// Whether the same may succeed a moment later.
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Busy(_) | Self::Garbled(_) | Self::Session(_))
    }

    /// Whether it says something of the BMC, rather than of what was asked of it.
    pub const fn is_of_bmc(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Unsupported(_) | Self::Secret(_) | Self::Open(_))
    }

    /// Whether what it knows of us has to be said anew before anything else is asked.
    pub const fn ends_session(&self) -> bool {
        !matches!(self, Self::Busy(_) | Self::Refused(_) | Self::Unsupported(_))
    }
}

//! Secrets in files and in the environment: read when they are needed, within bounds, and only from where they may be.
use super::Secret;
use rustix::{
    fs::{Mode, OFlags, ResolveFlags},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The most bytes in a secret.
pub const LARGEST: u64 = 64 << 10;

/// Why a secret cannot be had. Nothing of its value is in the words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unavailable {
    /// The kind of reason, for who counts them.
    pub reason: Reason,
    /// In words.
    pub why: String,
}

impl Unavailable {
    /// For that reason.
    pub fn new(reason: Reason, why: impl Into<String>) -> Self {
        Self { reason, why: why.into() }
    }
}

/// The kinds of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The configuration does not allow to read there.
    NotAllowed,
    /// There is nothing there.
    Missing,
    /// Who has it does not let us read it.
    Denied,
    /// What is there cannot be a secret: too large, no text.
    Unusable,
    /// Vault is sealed.
    Sealed,
    /// Who has it does not answer.
    Away,
}

impl Reason {
    /// As metrics have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::Missing => "missing",
            Self::Denied => "denied",
            Self::Unusable => "unusable",
            Self::Sealed => "sealed",
            Self::Away => "away",
        }
    }
}

/// Reads a secret from a file below one of these folders. Links are followed as long as they stay below it, as those of a mounted
/// Kubernetes secret do.
pub fn read_file_below(folders: &[PathBuf], path: &str) -> Result<Secret<String>, Unavailable> {
    let below = folders.iter().find_map(|folder| {
        let inside = Path::new(path).strip_prefix(folder).ok()?;
        (!inside.as_os_str().is_empty()).then_some((folder, inside))
    });
    let Some((folder, inside)) = below else {
        let why = format!("{path} is in none of the folders that `secrets.files` allows");
        return Err(Unavailable::new(Reason::NotAllowed, why));
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(folder, flags | OFlags::DIRECTORY, Mode::empty()).and_then(|folder| {
        // Not blocking: a FIFO without a writer would never open.
        let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(folder, inside, flags, Mode::empty(), resolve)
    });
    let file = opened.map_err(|errno| match errno {
        Errno::XDEV => {
            let why = format!("{path} is a link that leads out of {}", folder.display());
            Unavailable::new(Reason::NotAllowed, why)
        }
        errno => unreadable(path, &errno.into()),
    })?;
    read(path, File::from(file))
}

/// Reads a secret from any file that the user may read.
pub fn read_file(path: &str) -> Result<Secret<String>, Unavailable> {
    read(path, File::open(path).map_err(|error| unreadable(path, &error))?)
}

fn read(path: &str, file: File) -> Result<Secret<String>, Unavailable> {
    let unreadable = |error: io::Error| unreadable(path, &error);
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(Unavailable::new(Reason::Unusable, format!("{path} is no file")));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Unavailable::new(Reason::Unusable, format!("{path} is no UTF-8 text")))?;
    // Editors and `echo` end a file with a line's end that is no part of the secret.
    let whole = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    checked(path, whole)
}

fn unreadable(path: &str, error: &io::Error) -> Unavailable {
    match error.kind() {
        io::ErrorKind::NotFound => Unavailable::new(Reason::Missing, format!("there is no file {path}")),
        io::ErrorKind::PermissionDenied => {
            Unavailable::new(Reason::Denied, format!("the daemon's user may not read {path}"))
        }
        _ => Unavailable::new(Reason::Away, format!("{path} cannot be read: {error}")),
    }
}

/// Reads a secret from a variable of the environment. Which names are allowed was checked when the reference was understood.
pub fn read_variable(name: &str) -> Result<Secret<String>, Unavailable> {
    match std::env::var(name) {
        Ok(value) => checked(name, &value),
        Err(std::env::VarError::NotPresent) => {
            Err(Unavailable::new(Reason::Missing, format!("there is no environment variable {name}")))
        }
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Unavailable::new(Reason::Unusable, format!("environment variable {name} is no UTF-8 text")))
        }
    }
}

/// The value, if it can be a secret.
pub fn checked(what: &str, value: &str) -> Result<Secret<String>, Unavailable> {
    if value.is_empty() {
        return Err(Unavailable::new(Reason::Missing, format!("{what} is empty")));
    }
    if u64::try_from(value.len()).unwrap_or(u64::MAX) > LARGEST {
        return Err(Unavailable::new(Reason::Unusable, format!("{what} is larger than {LARGEST} bytes")));
    }
    if value.contains('\0') {
        return Err(Unavailable::new(Reason::Unusable, format!("{what} is no text: it holds a NUL")));
    }
    Ok(Secret::new(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    fn reason(folders: &[PathBuf], path: &Path) -> Reason {
        read_file_below(folders, path.to_str().unwrap()).unwrap_err().reason
    }

    #[test]
    fn a_file_is_read_below_its_folder_and_nowhere_else() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let allowed = [folder.path().to_owned()];
        let inside = |name: &str| folder.path().join(name);
        fs::write(other.path().join("key"), "the daemon's").unwrap();
        fs::create_dir(inside("..data-1")).unwrap();
        fs::write(inside("..data-1/db"), "hunter2\n").unwrap();
        // As kubelet mounts a secret.
        symlink("..data-1", inside("..data")).unwrap();
        symlink("..data/db", inside("db")).unwrap();
        let read = read_file_below(&allowed, inside("db").to_str().unwrap()).unwrap();
        assert_eq!(read.expose(), "hunter2");
        symlink(other.path().join("key"), inside("out")).unwrap();
        symlink("../../../../etc", inside("up")).unwrap();
        for name in ["out", "up/passwd"] {
            assert_eq!(reason(&allowed, &inside(name)), Reason::NotAllowed, "{name}");
        }
        assert_eq!(reason(&allowed, &other.path().join("key")), Reason::NotAllowed);
        assert_eq!(reason(&allowed, folder.path()), Reason::NotAllowed);
        assert_eq!(reason(&[], &inside("db")), Reason::NotAllowed);
        assert_eq!(reason(&allowed, Path::new("/proc/self/environ")), Reason::NotAllowed);
    }

    #[test]
    fn what_cannot_be_a_secret_is_not_taken_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let allowed = [folder.path().to_owned()];
        let write = |name: &str, content: &[u8]| {
            fs::write(folder.path().join(name), content).unwrap();
            read_file_below(&allowed, folder.path().join(name).to_str().unwrap())
        };
        assert_eq!(write("empty", b"\n").unwrap_err().reason, Reason::Missing);
        assert_eq!(write("bytes", &[0xff, 0xfe]).unwrap_err().reason, Reason::Unusable);
        assert_eq!(write("nul", b"hunter2\0x").unwrap_err().reason, Reason::Unusable);
        assert!(!write("nul", b"hunter2\0x").unwrap_err().to_string().contains("hunter2"));
        let large = "x".repeat(usize::try_from(LARGEST).unwrap());
        assert!(write("large", large.as_bytes()).is_ok());
        assert_eq!(write("larger", format!("{large}x").as_bytes()).unwrap_err().reason, Reason::Unusable);
        assert_eq!(write("two", b"a\n\n").unwrap().expose(), "a\n", "one line's end is trimmed");
        assert_eq!(write("dos", b"a\r\n").unwrap().expose(), "a");
        assert_eq!(reason(&allowed, &folder.path().join("none")), Reason::Missing);
        fs::create_dir(folder.path().join("folder")).unwrap();
        assert_eq!(reason(&allowed, &folder.path().join("folder")), Reason::Unusable);
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(reason(&allowed, &fifo), Reason::Unusable, "it does not wait for a writer");
    }
}

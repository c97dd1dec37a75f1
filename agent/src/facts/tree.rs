//! Files below a root. What is not there is no news; what is there and may not be read is a problem to tell.
use nix::errno::Errno;
use pilotlight_types::facts::clean;
use std::{
    cell::RefCell,
    fs::{self, File},
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
    str::FromStr,
};

/// Larger than any file that is read here: /proc/cpuinfo of 1,000 threads, an SMBIOS table of 64 KiB and more.
const LARGEST: u64 = 4 * 1024 * 1024;
/// More entries than any directory that is read here has: a node with thousands of pods has as many interfaces.
const MOST_ENTRIES: usize = 16 * 1024;

/// The files of one host.
pub struct Tree {
    root: PathBuf,
    problems: RefCell<Vec<String>>,
}

impl Tree {
    /// The files below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), problems: RefCell::default() }
    }

    /// Notes that something could not be measured.
    pub fn problem(&self, text: impl Into<String>) {
        self.problems.borrow_mut().push(text.into());
    }

    /// What was noted so far.
    pub fn take_problems(&self) -> Vec<String> {
        self.problems.take()
    }

    /// Whether there is something at `path`.
    pub fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// The content of the file at `path`.
    pub fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let read = || {
            let mut bytes = Vec::new();
            File::open(self.root.join(path))?.take(LARGEST).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|e| self.failed(path, &e)).ok()
    }

    /// The text of the file at `path`.
    pub fn text(&self, path: &str) -> Option<String> {
        Some(String::from_utf8_lossy(&self.bytes(path)?).into_owned())
    }

    /// The text of a file that holds one value, as facts may have it.
    pub fn value(&self, path: &str) -> Option<String> {
        clean(&self.text(path)?)
    }

    /// The value of a file that holds a number or the like.
    pub fn parsed<T: FromStr>(&self, path: &str) -> Option<T> {
        self.value(path)?.parse().ok()
    }

    /// The names in a directory, as people count: sda, sdb, sdaa; eth2, eth10.
    pub fn names(&self, path: &str) -> Vec<String> {
        let list = || -> io::Result<Vec<String>> {
            let entries = fs::read_dir(self.root.join(path))?.take(MOST_ENTRIES);
            Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
        };
        let mut names = list().map_err(|e| self.failed(path, &e)).unwrap_or_default();
        names.sort_by(|a, b| natural(a).cmp(&natural(b)));
        names
    }

    /// The last part of where the link at `path` points: the name of a driver, a subsystem.
    pub fn link_name(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.root.join(path)).ok()?;
        clean(target.file_name()?.to_str()?)
    }

    /// Where `path` really is, below the root.
    pub fn real_path(&self, path: &str) -> Option<PathBuf> {
        let real = fs::canonicalize(self.root.join(path)).ok()?;
        let root = fs::canonicalize(&self.root).ok()?;
        Some(real.strip_prefix(root).map(Path::to_owned).unwrap_or(real))
    }

    fn failed(&self, path: &str, error: &io::Error) {
        // Attributes that do not apply are absent or answer EINVAL, EOPNOTSUPP, ENODEV (`carrier` of an interface that is down).
        let silent =
            matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidInput)
                || matches!(
                    error.raw_os_error().map(Errno::from_raw),
                    Some(Errno::EOPNOTSUPP | Errno::ENODEV | Errno::ENXIO)
                );
        if !silent {
            self.problem(format!("cannot read /{path}: {error}"));
        }
    }
}

fn natural(name: &str) -> (Option<&str>, usize, &str) {
    (name.get(..2), name.len(), name)
}

//! The image store: files by the hash of their content, checked before anything can be served from them.
use super::operations::{CalledOff, Fetched, Progress};
use crate::{domain::inventory::check::Finding, errors};
use futures_util::StreamExt;
use pilotlight_types::{
    Timestamp,
    resource::{FileRef, ImageSpec, Sha256},
};
use sha2::Digest;
use std::{
    collections::HashMap,
    fs::{Metadata, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

/// The files of images.
#[derive(Debug, Clone)]
pub struct Images {
    folder: PathBuf,
    http: reqwest::Client,
    sizes: Arc<Mutex<HashMap<String, Size>>>,
}

/// How large a file was when it was looked at.
#[derive(Debug, Clone, Copy)]
struct Size {
    bytes: u64,
    at: Timestamp,
}

/// How long what was seen of a file is taken to hold: each machine that asks for its script asks for three.
const LOOKED: Duration = Duration::from_secs(1);

/// Why a file of an image was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It cannot be read.
    #[error("{url} cannot be read: {source}")]
    Unreadable {
        /// Where it was to come from.
        url: String,
        /// Why not.
        source: io::Error,
    },
    /// It cannot be fetched.
    #[error("{url} cannot be fetched: {why}")]
    Unfetched {
        /// Where it was to come from.
        url: String,
        /// Why not.
        why: String,
    },
    /// It is not what it should be.
    #[error("{url} has the SHA-256 {found}, not {wanted}")]
    Different {
        /// Where it came from.
        url: String,
        /// What it hashes to.
        found: Sha256,
        /// What it should hash to.
        wanted: Sha256,
    },
    /// Whoever asked for it does not want it any more.
    #[error("{url} is not fetched: {source}")]
    CalledOff {
        /// Where it was to come from.
        url: String,
        /// So it was.
        source: CalledOff,
    },
    /// It cannot be stored.
    #[error("the image store {folder} cannot be written: {source}")]
    Unwritable {
        /// The store.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A file of the store never changes: it is mapped into memory while it is served.
const READ_ONLY: u32 = 0o444;

/// How long a download may stand still.
const STALL: Duration = Duration::from_secs(30);

/// How much is read at once.
const PIECE: usize = 1 << 20;

impl Images {
    /// The store in this folder, made if it is not there. What a killed daemon left half-written goes; what is whole is for
    /// reading only.
    pub fn open(folder: &Path, http: reqwest::Client) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(".new-") {
                std::fs::remove_file(entry.path())?;
            } else if entry.file_type()?.is_file() {
                std::fs::set_permissions(entry.path(), Permissions::from_mode(READ_ONLY))?;
            }
        }
        Ok(Self { folder: folder.to_owned(), http, sizes: Arc::default() })
    }

    /// Where a file of the store is.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// How many bytes a file of the store has; none if it is not there.
    pub fn size(&self, file: &str, now: Timestamp) -> Option<u64> {
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Size { bytes, at }) = sizes.get(file)
            && now.since(*at) < LOOKED
        {
            return Some(*bytes);
        }
        let found = self.path(file).metadata().ok().filter(Metadata::is_file).map(|found| found.len());
        match found {
            Some(bytes) => drop(sizes.insert(file.to_owned(), Size { bytes, at: now })),
            None => drop(sizes.remove(file)),
        }
        found
    }

    /// Takes every file of an image into the store, each checked against its hash.
    pub async fn take(&self, spec: &ImageSpec, progress: &Progress) -> Result<(), Vec<Finding>> {
        let mut findings = Vec::new();
        let initrds = spec.initrd.iter().enumerate().map(|(i, file)| (format!("spec.initrd[{i}]"), file));
        let files = [("spec.kernel".to_owned(), &spec.kernel)].into_iter().chain(initrds);
        for (path, file) in files.chain(spec.rootfs.iter().map(|file| ("spec.rootfs".to_owned(), file))) {
            if let Err(error) = self.take_file(file, progress).await {
                let part = if matches!(error, ImageError::Different { .. }) { "sha256" } else { "url" };
                findings.push(Finding {
                    path: format!("{path}.{part}"),
                    position: None,
                    detail: error.to_string(),
                });
            }
        }
        if !findings.is_empty() {
            return Err(findings);
        }
        self.join(&spec.initrd).await.map_err(|error| {
            vec![Finding { path: "spec.initrd".into(), position: None, detail: error.to_string() }]
        })
    }

    /// The file of the store that holds an image's initramfs: its one file, or its several joined.
    pub fn initramfs(files: &[FileRef]) -> String {
        match files {
            [one] => one.sha256.to_string(),
            several => {
                let mut hash = sha2::Sha256::new();
                several.iter().for_each(|file| hash.update(file.sha256.bytes()));
                format!("joined-{}", hex::encode(hash.finalize()))
            }
        }
    }

    async fn take_file(&self, file: &FileRef, progress: &Progress) -> Result<(), ImageError> {
        let to = self.path(&file.sha256.to_string());
        if tokio::fs::try_exists(&to).await.unwrap_or(false) {
            return Ok(());
        }
        tokio::select! {
            fetched = self.fetch(file, &to, progress) => fetched,
            source = progress.called_off() => Err(ImageError::CalledOff { url: file.url.clone(), source }),
        }
    }

    async fn fetch(&self, file: &FileRef, to: &Path, progress: &Progress) -> Result<(), ImageError> {
        let url = &file.url;
        tracing::info!(url, "taking a file into the image store");
        let (read, size): (Box<dyn AsyncRead + Send + Unpin>, _) = if url.starts_with('/') {
            let unreadable = |source| ImageError::Unreadable { url: url.clone(), source };
            let file = tokio::fs::File::open(url).await.map_err(unreadable)?;
            let size = file.metadata().await.map_err(unreadable)?.len();
            (Box::new(file), Some(size))
        } else {
            let unfetched =
                |e: reqwest::Error| ImageError::Unfetched { url: url.clone(), why: errors::chain(&e) };
            let silent = |_| {
                let why = format!("nothing was answered for {} s", STALL.as_secs());
                ImageError::Unfetched { url: url.clone(), why }
            };
            let response = tokio::time::timeout(STALL, self.http.get(url).send()).await.map_err(silent)?;
            let response = response.and_then(reqwest::Response::error_for_status).map_err(unfetched)?;
            let size = response.content_length();
            let pieces = response.bytes_stream().map(|piece| piece.map_err(io::Error::other));
            (Box::new(tokio_util::io::StreamReader::new(pieces)), size)
        };
        let (new, found) = self.copy(url, read, &progress.fetches(url, size)).await?;
        if found != file.sha256 {
            return Err(ImageError::Different { url: url.clone(), found, wanted: file.sha256 });
        }
        self.keep(new, to)
    }

    async fn copy(
        &self,
        url: &str,
        mut from: impl AsyncRead + Unpin,
        fetched: &Fetched,
    ) -> Result<(tempfile::NamedTempFile, Sha256), ImageError> {
        let unwritable = |source| ImageError::Unwritable { folder: self.folder.clone(), source };
        let unreadable = |source| ImageError::Unreadable { url: url.to_owned(), source };
        let (mut file, new) = self.new_file()?;
        let mut hash = sha2::Sha256::new();
        let mut piece = vec![0; PIECE];
        loop {
            let read = tokio::time::timeout(STALL, from.read(&mut piece)).await;
            let stalled =
                || io::Error::new(io::ErrorKind::TimedOut, format!("nothing came for {} s", STALL.as_secs()));
            let size = read.unwrap_or_else(|_| Err(stalled())).map_err(unreadable)?;
            let Some(bytes) = piece.get(..size).filter(|bytes| !bytes.is_empty()) else { break };
            hash.update(bytes);
            fetched.more(size);
            file.write_all(bytes).await.map_err(unwritable)?;
        }
        file.flush().await.map_err(unwritable)?;
        file.sync_all().await.map_err(unwritable)?;
        Ok((new, Sha256::new(hash.finalize().into())))
    }

    /// Several initramfs files as one; each begins at a multiple of four, where the kernel looks for it.
    async fn join(&self, files: &[FileRef]) -> Result<(), ImageError> {
        let [_, _, ..] = files else { return Ok(()) };
        let unwritable = |source| ImageError::Unwritable { folder: self.folder.clone(), source };
        let (mut out, new) = self.new_file()?;
        for file in files {
            let part = self.path(&file.sha256.to_string());
            let mut from = tokio::fs::File::open(&part).await.map_err(unwritable)?;
            let size = tokio::io::copy(&mut from, &mut out).await.map_err(unwritable)?;
            let padding = size.next_multiple_of(4) - size;
            for _ in 0..padding {
                out.write_all(&[0]).await.map_err(unwritable)?;
            }
        }
        out.flush().await.map_err(unwritable)?;
        out.sync_all().await.map_err(unwritable)?;
        self.keep(new, &self.path(&Self::initramfs(files)))
    }

    fn new_file(&self) -> Result<(tokio::fs::File, tempfile::NamedTempFile), ImageError> {
        let unwritable = |source| ImageError::Unwritable { folder: self.folder.clone(), source };
        let new = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.folder).map_err(unwritable)?;
        let file = new.reopen().map_err(unwritable)?;
        Ok((tokio::fs::File::from_std(file), new))
    }

    fn keep(&self, new: tempfile::NamedTempFile, to: &Path) -> Result<(), ImageError> {
        let unwritable = |source| ImageError::Unwritable { folder: self.folder.clone(), source };
        new.as_file().set_permissions(Permissions::from_mode(READ_ONLY)).map_err(unwritable)?;
        new.persist(to).map(drop).map_err(|e| unwritable(e.error))
    }
}

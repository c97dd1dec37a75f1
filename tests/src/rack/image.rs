//! The live image that the machines of the rack boot: made by the recipe in `tests/image` when it is not there yet.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

/// The image's files, in the shape of Fedora CoreOS's for network boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePaths {
    /// The version, which initramfs and rootfs must share.
    pub version: String,
    /// The kernel.
    pub kernel: ImageFile,
    /// The initramfs.
    pub initramfs: ImageFile,
    /// The rootfs, for `coreos.live.rootfs_url=`.
    pub rootfs: ImageFile,
}

/// One file of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// The image, in `cache`; made first when the recipe has changed since, or when it was never made, which takes about two
/// minutes, root, and Debian's packages of debootstrap, squashfs-tools and cpio.
pub fn ensure(cache: &Path) -> Result<ImagePaths> {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("image/make-image");
    let out = cache.join("image");
    fs::create_dir_all(cache).with_context(|| format!("{} cannot be made", cache.display()))?;
    let status = Command::new(&recipe)
        .arg(&out)
        .arg(cache.join("debian"))
        .status()
        .with_context(|| format!("{} cannot be started", recipe.display()))?;
    ensure!(status.success(), "{} failed with {status}: what it printed says why", recipe.display());
    let version =
        fs::read_to_string(out.join("version")).context("the image has no version")?.trim().to_owned();
    Ok(ImagePaths {
        version,
        kernel: file(out.join("kernel"))?,
        initramfs: file(out.join("initramfs.img"))?,
        rootfs: file(out.join("rootfs.img"))?,
    })
}

fn file(path: PathBuf) -> Result<ImageFile> {
    let mut hash = Sha256::new();
    let bytes = File::open(&path)
        .and_then(|mut file| io::copy(&mut file, &mut hash))
        .with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(ImageFile { path, sha256: hex::encode(hash.finalize()), bytes })
}

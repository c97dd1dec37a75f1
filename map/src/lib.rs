//! Files that never change, as memory: the one place of Pilotlight with `unsafe`, so small that it is read in a minute.
//! docs/adr/0006-images-are-served-from-memory-maps.md says why it is there.

use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt},
    path::Path,
};

/// The bits of a file's mode that let somebody write to it.
const WRITABLE: u32 = 0o222;

/// A file that nobody may write to, mapped into memory and never copied.
#[derive(Debug)]
pub struct Mapped {
    file: File,
    map: memmap2::Mmap,
}

impl Mapped {
    /// Maps a file. It must be one whose content never changes under this name: a regular file that nobody has leave to write
    /// to, as the image store makes them (written under another name, made read-only, renamed). Any other is refused
    /// with [`io::ErrorKind::InvalidInput`].
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.permissions().mode() & WRITABLE != 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it may be written to, and so is not mapped",
            ));
        }
        #[expect(
            unsafe_code,
            reason = "a map is memory that others could change; `open` takes only files that nobody writes to"
        )]
        // SAFETY: the bytes of a map must not change, and the file must not shrink. The mode forbids both to everybody but root;
        // the store itself only ever makes such files, renames them and unlinks them, and an unlinked file stays as it is.
        let map = unsafe { memmap2::Mmap::map(&file)? };
        debug_assert_eq!(map.len() as u64, metadata.size());
        Ok(Self { file, map })
    }

    /// The file itself, for the kernel to send from. It is open for reading only.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where in the file these very bytes are, if they are a part of this map and no copy of it.
    pub fn position_of(&self, bytes: &[u8]) -> Option<u64> {
        let (map, part) = (self.map.as_ptr_range(), bytes.as_ptr_range());
        let within = map.start <= part.start && part.end <= map.end;
        within.then(|| (part.start.addr() - map.start.addr()) as u64)
    }

    /// Reads `length` bytes from `offset` from the disk into the page cache, and finds out whether that can be done at all: a
    /// disk's error is an error here, and the end of the process when it is met in the map. Blocks.
    pub fn warm(&self, offset: u64, length: usize) -> io::Result<()> {
        let mut buffer = vec![0; length.min(256 << 10)];
        let (mut at, mut left) = (offset, length);
        while let Some(part) = buffer.get_mut(..left.min(256 << 10)).filter(|part| !part.is_empty()) {
            match self.file.read_at(part, at)? {
                0 => break,
                read => (at, left) = (at + read as u64, left.saturating_sub(read)),
            }
        }
        Ok(())
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};

    #[test]
    fn a_read_only_file_is_mapped_and_stays_when_its_name_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        fs::write(&path, b"an image's content").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        let map = Mapped::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        map.warm(0, 100).unwrap();
        assert_eq!(map.as_ref(), b"an image's content");
    }

    #[test]
    fn a_part_of_a_map_is_told_from_its_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        fs::write(&path, [7; 10_000]).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        let [one, other] = [Mapped::open(&path).unwrap(), Mapped::open(&path).unwrap()];
        let bytes = one.as_ref();
        assert_eq!(one.position_of(&bytes[5..10_000]), Some(5));
        assert_eq!(one.position_of(&bytes[9_999..]), Some(9_999));
        assert_eq!(one.position_of(bytes), Some(0));
        let copy = bytes.to_vec();
        assert_eq!(one.position_of(&copy), None);
        assert_eq!(other.position_of(bytes), None);
    }

    #[test]
    fn what_could_change_is_not_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        fs::write(&path, b"content").unwrap();
        for mode in [0o644, 0o600, 0o446] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(Mapped::open(&path).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{mode:o}");
        }
        assert!(Mapped::open(folder.path()).is_err());
    }

    #[test]
    fn an_empty_file_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty");
        fs::write(&path, b"").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        assert!(Mapped::open(&path).unwrap().as_ref().is_empty());
    }
}

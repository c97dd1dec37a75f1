//! The content of image files: mapped into memory once, and sent to any number of machines without a copy of it.
use pilotlight_map::Mapped;
use std::{
    collections::HashMap,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// What is sent at once, and looked at once whether it is in memory: 1 MiB.
const PIECE: u64 = 1 << 20;

/// More files than these are of no image that is booted: maps of deleted files keep their room on the disk.
const MOST: usize = 256;

/// The files that were asked for.
#[derive(Debug, Clone, Default)]
pub struct Contents(Arc<Mutex<HashMap<PathBuf, Content>>>);

/// A file of the image store.
#[derive(Debug, Clone)]
pub struct Content {
    bytes: bytes::Bytes,
    file: Arc<File>,
}

#[derive(Debug)]
struct File {
    map: Arc<Mapped>,
    /// A bit for each piece that was seen in memory.
    warm: Vec<AtomicU64>,
}

/// What [`bytes::Bytes`] keeps alive.
struct Owner(Arc<Mapped>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl Contents {
    /// The content of a file of the store.
    pub fn open(&self, path: &Path) -> io::Result<Content> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(content) = files.get(path).filter(|_| path.is_file()) {
            return Ok(content.clone());
        }
        if files.len() >= MOST {
            files.clear();
        }
        let content = Content::new(Mapped::open(path)?);
        files.insert(path.to_owned(), content.clone());
        Ok(content)
    }
}

impl Content {
    fn new(map: Mapped) -> Self {
        let map = Arc::new(map);
        let bytes = bytes::Bytes::from_owner(Owner(map.clone()));
        let pieces = (bytes.len() as u64).div_ceil(PIECE).div_ceil(64);
        Self { bytes, file: Arc::new(File { map, warm: (0..pieces).map(|_| AtomicU64::new(0)).collect() }) }
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Where in the file these very bytes are, if [`Content::next`] gave them and they are no copy.
    pub fn position_of(&self, bytes: &[u8]) -> Option<u64> {
        self.file.map.position_of(bytes)
    }

    /// The file, open for reading.
    pub fn file(&self) -> &std::fs::File {
        self.file.map.file()
    }

    /// The next bytes of a range, at most 1 MiB, and the rest of the range. `None` when nothing is left.
    ///
    /// A piece that nobody has read since the start is read from the disk first, in a thread that may block: a fault in the map
    /// would hold up everything else that this worker does, and a disk's error would end the process.
    pub async fn next(&self, range: Range<u64>) -> io::Result<Option<(bytes::Bytes, Range<u64>)>> {
        let Range { start, end } = range;
        let end = end.min(self.size());
        if start >= end {
            return Ok(None);
        }
        let piece = start / PIECE;
        let stop = end.min((piece + 1) * PIECE);
        if !self.file.is_warm(piece) {
            let file = self.file.clone();
            let warmed = tokio::task::spawn_blocking(move || file.warm(piece)).await;
            warmed.unwrap_or_else(|error| Err(io::Error::other(error)))?;
        }
        let [from, to] = [start, stop].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
        Ok(Some((self.bytes.slice(from..to), stop..end)))
    }
}

impl File {
    fn bit(&self, piece: u64) -> Option<(&AtomicU64, u64)> {
        let word = self.warm.get(usize::try_from(piece / 64).ok()?)?;
        Some((word, 1 << (piece % 64)))
    }

    fn is_warm(&self, piece: u64) -> bool {
        self.bit(piece).is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    fn warm(&self, piece: u64) -> io::Result<()> {
        self.map.warm(piece * PIECE, usize::try_from(PIECE).unwrap_or(usize::MAX))?;
        if let Some((word, bit)) = self.bit(piece) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    fn stored(size: usize) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        let bytes: Vec<u8> = (0..size).map(|at| (at / 1000) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        (folder, path, bytes)
    }

    async fn read(content: &Content, mut range: Range<u64>) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some((bytes, rest)) = content.next(range).await.unwrap() {
            assert!(!bytes.is_empty() && bytes.len() as u64 <= PIECE);
            all.extend_from_slice(&bytes);
            range = rest;
        }
        all
    }

    #[tokio::test]
    async fn any_range_comes_whole_and_in_pieces() {
        let size = 3 * PIECE + 17;
        let (_folder, path, bytes) = stored(size as usize);
        let content = Contents::default().open(&path).unwrap();
        assert_eq!(content.size(), size);
        for (start, end) in [
            (0, size),
            (0, 0),
            (5, 6),
            (PIECE - 1, PIECE + 1),
            (PIECE, 2 * PIECE),
            (size - 1, size + 9),
            (size, size),
        ] {
            let expected = &bytes[start as usize..end.clamp(start, size) as usize];
            assert!(read(&content, start..end).await == expected, "{start}..{end}");
        }
        assert!(content.file.is_warm(0) && content.file.is_warm(3) && !content.file.is_warm(4));
    }

    #[test]
    fn a_file_is_mapped_once_and_a_lost_one_is_lost() {
        let (_folder, path, _) = stored(10);
        let contents = Contents::default();
        let [one, two] = [contents.open(&path).unwrap(), contents.open(&path).unwrap()];
        assert!(Arc::ptr_eq(&one.file, &two.file));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(contents.open(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(one.size(), 10, "who has it keeps it");
    }
}

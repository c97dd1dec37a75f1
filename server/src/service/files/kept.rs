//! Boot programs in memory: as many as there is room for, and those that were not asked for the longest go first.
use bytes::Bytes;
use std::{
    collections::HashMap,
    io::{self, Read},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Files in memory. What is on its way to machines counts as well, so the room is a bound.
#[derive(Debug)]
pub(super) struct Kept {
    inner: Mutex<Inner>,
    /// How many bytes all of them together may have.
    room: u64,
    /// How many one of them may have.
    largest: u64,
}

#[derive(Debug, Default)]
struct Inner {
    files: HashMap<String, File>,
    /// Counts what was asked for.
    asked: u64,
}

#[derive(Debug)]
struct File {
    content: Bytes,
    /// What was being counted when it was asked for last.
    last: u64,
}

impl Kept {
    /// Keeps files of `largest` bytes at most, `room` bytes together.
    pub(super) fn new(room: u64, largest: u64) -> Self {
        Self { inner: Mutex::default(), room, largest }
    }

    /// The content of the file of this name, which is read from `path` if it is not there.
    ///
    /// # Errors
    /// It cannot be read, is larger than a file may be, or there is no room until others have been sent.
    pub(super) fn get(&self, name: &str, path: &Path) -> io::Result<Bytes> {
        if let Some(content) = self.lock().get(name) {
            return Ok(content);
        }
        let mut content = Vec::new();
        std::fs::File::open(path)?.take(self.largest + 1).read_to_end(&mut content)?;
        let size = len(&content);
        if size > self.largest {
            return Err(io::Error::other(format!("it has more than {} bytes", self.largest)));
        }
        let mut inner = self.lock();
        // Somebody else may have read it meanwhile.
        if let Some(content) = inner.get(name) {
            return Ok(content);
        }
        if !inner.make_room(self.room.saturating_sub(size)) || size > self.room {
            let full =
                format!("there is no room for its {size} bytes among boot programs that are being sent");
            return Err(io::Error::new(io::ErrorKind::WouldBlock, full));
        }
        let content = Bytes::from(content);
        let last = inner.asked;
        inner.files.insert(name.to_owned(), File { content: content.clone(), last });
        Ok(content)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn get(&mut self, name: &str) -> Option<Bytes> {
        self.asked += 1;
        let file = self.files.get_mut(name)?;
        file.last = self.asked;
        Some(file.content.clone())
    }

    /// Lets go of files that nobody is being sent, the longest unasked first, until no more than `left` bytes are there.
    fn make_room(&mut self, left: u64) -> bool {
        let mut all: u64 = self.files.values().map(|file| len(&file.content)).sum();
        while all > left {
            let idle = self.files.iter().filter(|(_, file)| file.content.is_unique());
            let Some(name) = idle.min_by_key(|(_, file)| file.last).map(|(name, _)| name.clone()) else {
                return false;
            };
            all -= self.files.remove(&name).map_or(0, |file| len(&file.content));
        }
        true
    }
}

fn len(content: &[u8]) -> u64 {
    u64::try_from(content.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folder(files: &[(&str, usize)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, size) in files {
            std::fs::write(folder.path().join(name), vec![name.as_bytes()[0]; *size]).unwrap();
        }
        folder
    }

    fn names(kept: &Kept) -> Vec<String> {
        let mut names: Vec<String> = kept.lock().files.keys().cloned().collect();
        names.sort();
        names
    }

    #[test]
    fn the_programs_that_nobody_asks_for_go_first() {
        let folder = folder(&[("a", 40), ("b", 40), ("c", 40), ("d", 101)]);
        let kept = Kept::new(100, 100);
        let get = |name: &str| kept.get(name, &folder.path().join(name));
        for name in ["a", "b", "a", "c"] {
            assert_eq!(get(name).unwrap(), vec![name.as_bytes()[0]; 40]);
        }
        assert_eq!(names(&kept), ["a", "c"]);
        assert!(get("d").unwrap_err().to_string().contains("more than 100 bytes"));
        assert_eq!(get("none").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_being_sent_is_counted_and_stays() {
        let folder = folder(&[("a", 60), ("b", 60)]);
        let kept = Kept::new(100, 100);
        let get = |name: &str| kept.get(name, &folder.path().join(name));
        let sending = get("a").unwrap();
        assert_eq!(get("b").unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(get("a").unwrap().as_ptr(), sending.as_ptr(), "the same bytes are sent to everybody");
        drop(sending);
        assert_eq!(get("b").unwrap().len(), 60);
    }

    proptest! {
        /// Whatever is asked for, and held for however long: no more is in memory than there is room for.
        #[test]
        fn there_is_never_more_in_memory_than_room(
            sizes in prop::collection::vec(0..60usize, 6), asked in prop::collection::vec((0..6usize, any::<bool>()), 0..40),
        ) {
            let all = ["a", "b", "c", "d", "e", "f"];
            let folder = folder(&all.into_iter().zip(sizes).collect::<Vec<_>>());
            let kept = Kept::new(100, 50);
            let mut sending = Vec::new();
            for (which, held) in asked {
                match kept.get(all[which], &folder.path().join(all[which])) {
                    Ok(content) if held => sending.push(content),
                    Ok(_) => {}
                    Err(_) => sending.clear(),
                }
                let total: usize = kept.lock().files.values().map(|file| file.content.len()).sum();
                prop_assert!(total <= 100);
            }
        }
    }
}

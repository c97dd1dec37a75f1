//! The files that lie beside a Butane text (Butane's `--files-dir`), in memory.
use crate::domain::ignition::place::shown;
use std::{collections::BTreeMap, fmt};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file.
    File {
        /// What is in it.
        contents: Vec<u8>,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link, which only trees take.
    Link {
        /// Where it leads.
        target: String,
    },
}

/// All of them. Paths are relative to the folder of the text, with `/` between their parts; none leads out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    // By the parts of the path: so a folder's files are one after the other, as a walk through it meets them.
    entries: BTreeMap<Vec<String>, Entry>,
}

/// Why a file cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileError {
    /// The path leads out of the folder.
    Outside(String),
    /// There is nothing at that path.
    Missing(String),
    /// There is a folder, or a link, where a file is meant.
    NoFile(String),
    /// There is a file where a folder is meant.
    NoFolder(String),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside(path) => write!(f, "`{}` leads out of the profile's folder", shown(path)),
            Self::Missing(path) => write!(f, "there is no `{}` among the profile's files", shown(path)),
            Self::NoFile(path) => write!(f, "`{}` is no file", shown(path)),
            Self::NoFolder(path) => write!(f, "`{}` is no folder", shown(path)),
        }
    }
}

/// A step of a walk through a folder: the path from there, and what is there. Nothing is a folder.
pub(super) type Step<'f> = (Vec<&'f str>, Option<&'f Entry>);

impl Files {
    /// Adds one; an earlier one at the same path goes.
    pub fn insert(&mut self, path: &str, entry: Entry) -> Result<(), FileError> {
        let parts = parts(path)?;
        if parts.is_empty() {
            return Err(FileError::NoFile(path.to_owned()));
        }
        self.entries.insert(parts, entry);
        Ok(())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A file's contents.
    pub fn read(&self, path: &str) -> Result<&[u8], FileError> {
        let parts = parts(path)?;
        match self.entries.get(&parts) {
            Some(Entry::File { contents, .. }) => Ok(contents),
            Some(Entry::Link { .. }) => Err(FileError::NoFile(path.to_owned())),
            None if self.below(&parts).next().is_some() => Err(FileError::NoFile(path.to_owned())),
            None => Err(FileError::Missing(path.to_owned())),
        }
    }

    /// All that is in a folder, the folder itself first, each folder before what is in it.
    pub(super) fn walk(&self, path: &str) -> Result<Vec<Step<'_>>, FileError> {
        let base = parts(path)?;
        if self.entries.contains_key(&base) {
            return Err(FileError::NoFolder(path.to_owned()));
        }
        let mut steps: Vec<Step<'_>> = Vec::new();
        for (parts, entry) in self.below(&base) {
            let inner: Vec<&str> = parts.iter().skip(base.len()).map(String::as_str).collect();
            let last: &[&str] = steps.last().map(|(path, _)| path.as_slice()).unwrap_or_default();
            let common = inner.iter().zip(last).take_while(|(a, b)| a == b).count();
            let first = if steps.is_empty() { 0 } else { common + 1 };
            let folders: Vec<Step<'_>> =
                (first..inner.len()).filter_map(|depth| Some((inner.get(..depth)?.to_vec(), None))).collect();
            steps.extend(folders);
            steps.push((inner, Some(entry)));
        }
        if steps.is_empty() { Err(FileError::Missing(path.to_owned())) } else { Ok(steps) }
    }

    fn below<'f>(&'f self, base: &[String]) -> impl Iterator<Item = (&'f Vec<String>, &'f Entry)> {
        let start = base.to_vec();
        self.entries.range(start.clone()..).take_while(move |(parts, _)| parts.starts_with(&start)).filter({
            let length = base.len();
            move |(parts, _)| parts.len() > length
        })
    }
}

/// The parts of a path. A leading `/` means nothing, as in Butane.
fn parts(path: &str) -> Result<Vec<String>, FileError> {
    let mut parts: Vec<String> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(|| FileError::Outside(path.to_owned()))?;
            }
            part if part.contains('\0') => return Err(FileError::Missing(path.to_owned())),
            part => parts.push(part.to_owned()),
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> Files {
        let mut files = Files::default();
        for path in paths {
            let entry = Entry::File { contents: path.as_bytes().to_vec(), executable: false };
            files.insert(path, entry).unwrap();
        }
        files
    }

    #[test]
    fn a_path_is_relative_and_does_not_lead_out() {
        let files = files(&["a", "b/c"]);
        for path in ["a", "./a", "/a", "b/../a", "b//../a"] {
            assert_eq!(files.read(path), Ok(b"a".as_slice()), "{path}");
        }
        assert_eq!(files.read("../a"), Err(FileError::Outside("../a".into())));
        assert_eq!(files.read("b/../../a"), Err(FileError::Outside("b/../../a".into())));
        assert_eq!(files.read("x"), Err(FileError::Missing("x".into())));
        assert_eq!(files.read("b"), Err(FileError::NoFile("b".into())));
    }

    #[test]
    fn a_walk_meets_each_folder_before_what_is_in_it() {
        let files = files(&["t/a/x", "t/a-b/y", "t/a/d/z", "u"]);
        let walk = |path: &str| {
            let steps = files.walk(path).unwrap();
            steps
                .iter()
                .map(|(p, e)| format!("{}{}", p.join("/"), if e.is_some() { "" } else { "/" }))
                .collect::<Vec<_>>()
        };
        assert_eq!(walk("t"), ["/", "a/", "a/d/", "a/d/z", "a/x", "a-b/", "a-b/y"]);
        assert_eq!(walk("."), ["/", "t/", "t/a/", "t/a/d/", "t/a/d/z", "t/a/x", "t/a-b/", "t/a-b/y", "u"]);
        assert_eq!(files.walk("u"), Err(FileError::NoFolder("u".into())));
        assert_eq!(files.walk("v"), Err(FileError::Missing("v".into())));
    }
}

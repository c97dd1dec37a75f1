//! The files that a profile's Butane asks for, from the folder of its document (Butane's `--files-dir`).
use crate::domain::{
    profile::{MOST_BYTES, MOST_FILES, UNKNOWN, without_tags},
    yaml::{Node, Position, Value, parse_documents},
};
use anyhow::{Context, Result, anyhow, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use pilotlight_types::resource::{OtherFile, ProfileFile};
use std::{
    collections::{BTreeMap, HashSet},
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
};

/// A file, or a folder of files, that a Butane text asks for.
#[derive(Debug, PartialEq, Eq)]
struct Reference {
    path: String,
    tree: bool,
    pos: Position,
}

/// The files that a document's Butane asks for, if it is a profile; `used` gets what was read.
pub(super) fn of_document(
    file: &str,
    document: &Node,
    folder: Option<&Path>,
    used: &mut HashSet<PathBuf>,
) -> Result<BTreeMap<String, ProfileFile>> {
    let is_profile = document.get("kind").and_then(Node::text) == Some("Profile");
    let butane = document.at("spec.butane").filter(|_| is_profile);
    let files = document.get("spec").and_then(|spec| spec.get("files"));
    // A tree is there if anything of it is: an exported profile has all of it.
    let own = |path: &str| match files.map(|files| &files.value) {
        Some(Value::Map(entries)) => entries.iter().any(|(key, _)| {
            let below = key.text.strip_prefix(path.trim_end_matches('/'));
            below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
        }),
        _ => false,
    };
    match (butane, folder) {
        (Some(node), Some(folder)) => {
            let at = |pos: Position| {
                let pos = node.inner(pos);
                format!("{file}:{}:{}", pos.line, pos.column)
            };
            gather(node.text().unwrap_or_default(), folder, at, own, used)
        }
        _ => Ok(BTreeMap::new()),
    }
}

/// The files that a Butane text asks for, from a folder. Those that there are already (`own`) are not looked for.
pub(super) fn gather(
    butane: &str,
    folder: &Path,
    at: impl Fn(Position) -> String,
    own: impl Fn(&str) -> bool,
    used: &mut HashSet<PathBuf>,
) -> Result<BTreeMap<String, ProfileFile>> {
    // A document that is named without a folder is in this one.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut gathered = Gathered { files: BTreeMap::new(), bytes: 0, used };
    for reference in references(butane) {
        if own(&reference.path) {
            continue;
        }
        gathered.take(folder, &reference).map_err(|error| anyhow!("{}: {error:#}", at(reference.pos)))?;
    }
    Ok(gathered.files)
}

/// What a text asks for. Of a template that is no YAML without its tags nothing is known; neither is a path that it makes.
fn references(butane: &str) -> Vec<Reference> {
    let Ok(documents) = parse_documents(&without_tags(butane)) else { return Vec::new() };
    let mut found = Vec::new();
    for document in &documents {
        if let Some(Value::Seq(trees)) = document.at("storage.trees").map(|trees| &trees.value) {
            found.extend(trees.iter().filter_map(|tree| reference(tree.get("local")?, true)));
        }
        collect(document, &mut found);
    }
    found
}

fn reference(node: &Node, tree: bool) -> Option<Reference> {
    let path = node.text().filter(|path| !path.contains(UNKNOWN))?.to_owned();
    Some(Reference { path, tree, pos: node.pos })
}

fn collect(node: &Node, found: &mut Vec<Reference>) {
    match &node.value {
        Value::Seq(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Map(entries) => {
            for (key, value) in entries {
                match (key.text.as_str(), &value.value) {
                    ("trees", _) => {}
                    ("local" | "contents_local", _) => found.extend(reference(value, false)),
                    ("ssh_authorized_keys_local", Value::Seq(items)) => {
                        found.extend(items.iter().filter_map(|item| reference(item, false)));
                    }
                    _ => collect(value, found),
                }
            }
        }
        _ => {}
    }
}

struct Gathered<'u> {
    files: BTreeMap<String, ProfileFile>,
    bytes: usize,
    used: &'u mut HashSet<PathBuf>,
}

impl Gathered<'_> {
    fn take(&mut self, folder: &Path, reference: &Reference) -> Result<()> {
        let inner = inside(&reference.path)?;
        let path = folder.join(&inner);
        let real = path.canonicalize().with_context(|| format!("{} cannot be read", path.display()))?;
        let base = folder.canonicalize().with_context(|| format!("{} cannot be read", folder.display()))?;
        if !real.starts_with(&base) {
            bail!("{} leads out of the folder {}", path.display(), folder.display());
        }
        if reference.tree { self.tree(&path, &inner, 0) } else { self.file(&real, &inner) }
    }

    fn tree(&mut self, path: &Path, inner: &Path, depth: usize) -> Result<()> {
        let of_folder = || format!("{} cannot be read", path.display());
        if depth > 64 {
            bail!("{} is too deep", path.display());
        }
        if !path.is_dir() {
            bail!("{} is no folder", path.display());
        }
        let mut entries: Vec<_> =
            std::fs::read_dir(path).and_then(Iterator::collect::<Result<_, _>>).with_context(of_folder)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (path, inner) = (entry.path(), inner.join(entry.file_name()));
            let kind = entry.file_type().with_context(of_folder)?;
            if kind.is_symlink() {
                let target = std::fs::read_link(&path).with_context(of_folder)?;
                let link = target.to_str().context("a link's target is no text")?.to_owned();
                self.put(&inner, ProfileFile::Other(OtherFile { link: Some(link), ..OtherFile::default() }))?;
            } else if kind.is_dir() {
                self.tree(&path, &inner, depth + 1)?;
            } else if kind.is_file() {
                self.file(&path.canonicalize().with_context(of_folder)?, &inner)?;
            } else {
                bail!("{} is no file, folder or link", path.display());
            }
        }
        Ok(())
    }

    fn file(&mut self, real: &Path, inner: &Path) -> Result<()> {
        let of_file = || format!("{} cannot be read", real.display());
        let about = real.metadata().with_context(of_file)?;
        if !about.is_file() {
            bail!("{} is no file", real.display());
        }
        self.bytes = self.bytes.saturating_add(usize::try_from(about.len()).unwrap_or(usize::MAX));
        if self.bytes > MOST_BYTES {
            bail!("the files of the profile have more than {MOST_BYTES} bytes together");
        }
        let contents = std::fs::read(real).with_context(of_file)?;
        self.used.insert(real.to_owned());
        let executable = about.permissions().mode() & 0o111 != 0;
        let file = match (String::from_utf8(contents), executable) {
            (Ok(text), false) => ProfileFile::Text(text),
            (Ok(text), true) => {
                ProfileFile::Other(OtherFile { text: Some(text), executable, ..OtherFile::default() })
            }
            (Err(bytes), _) => {
                let base64 = Some(STANDARD.encode(bytes.into_bytes()));
                ProfileFile::Other(OtherFile { base64, executable, ..OtherFile::default() })
            }
        };
        self.put(inner, file)
    }

    fn put(&mut self, inner: &Path, file: ProfileFile) -> Result<()> {
        let name = inner.to_str().with_context(|| format!("{} is no text", inner.display()))?;
        self.files.insert(name.to_owned(), file);
        if self.files.len() > MOST_FILES {
            bail!("the profile has more than {MOST_FILES} files");
        }
        Ok(())
    }
}

/// A path without `.` and `..`, none of which may lead out. A leading `/` means nothing, as in Butane.
fn inside(path: &str) -> Result<PathBuf> {
    let mut inner = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) => inner.push(part),
            Component::ParentDir if !inner.pop() => bail!("`{path}` leads out of the profile's folder"),
            _ => {}
        }
    }
    Ok(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_text_asks_for_is_found_in_a_template_too() {
        let text = "variant: fcos\nversion: 1.7.0\n{% for n in vars.nodes %}\nx: {{ n }}\n{% endfor %}\nignition: {security: {tls: {certificate_authorities: [{local: ca.pem}]}}}\nstorage:\n  trees: [{local: t}, {local: \"{{ vars.t }}\"}]\nsystemd:\n  units: [{name: a, contents_local: a.service, dropins: [{name: b, contents_local: b.conf}]}]\npasswd: {users: [{name: core, ssh_authorized_keys_local: [k1, k2]}]}\n";
        let found = references(text);
        let paths: Vec<(&str, bool)> = found.iter().map(|found| (found.path.as_str(), found.tree)).collect();
        assert_eq!(
            paths,
            [
                ("t", true),
                ("ca.pem", false),
                ("a.service", false),
                ("b.conf", false),
                ("k1", false),
                ("k2", false)
            ]
        );
    }
}

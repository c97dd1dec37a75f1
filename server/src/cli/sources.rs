//! Files to documents, and findings back to file, line and column.
use super::beside;
use crate::domain::{
    diff::plain,
    yaml::{Node, Position, parse_documents},
};
use anyhow::{Context, Result};
use pilotlight_types::{api::Mistake, resource::ProfileFile};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashSet},
    io::Read,
    path::{Path, PathBuf},
};

/// A document, and where it was read.
pub(super) struct Source {
    /// The file's name, as it was given.
    pub(super) file: String,
    /// The document.
    pub(super) node: Node,
    /// What lies beside a profile's Butane, and is asked for in it.
    beside: BTreeMap<String, ProfileFile>,
}

/// A file that was read, and may not be one of documents after all.
struct Candidate {
    file: String,
    path: Option<PathBuf>,
    /// Whether it was found in a folder.
    found: bool,
    nodes: Result<Vec<Node>>,
}

/// Reads all documents. A profile's Butane is looked through for files that lie beside its document; those are no documents
/// themselves, though they may be called so.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Source>> {
    let mut candidates = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
            let file = "standard input".to_owned();
            candidates.push(Candidate { nodes: parse(&file, &text), file, path: None, found: false });
            continue;
        }
        for file in files(path)? {
            let text = std::fs::read_to_string(&file);
            let text = text.with_context(|| format!("{} cannot be read", file.display()));
            let named = file.display().to_string();
            let nodes = text.and_then(|text| parse(&named, &text));
            candidates.push(Candidate { file: named, nodes, found: path.is_dir(), path: Some(file) });
        }
    }
    let mut used = HashSet::new();
    let mut gathered = Vec::new();
    for candidate in &candidates {
        let folder = candidate.path.as_deref().and_then(Path::parent);
        let mut of_nodes = Vec::new();
        for node in candidate.nodes.iter().flatten() {
            of_nodes.push(beside::of_document(&candidate.file, node, folder, &mut used));
        }
        gathered.push(of_nodes);
    }
    let mut sources = Vec::new();
    for (candidate, gathered) in candidates.into_iter().zip(gathered) {
        let real = candidate.path.as_ref().and_then(|path| path.canonicalize().ok());
        if candidate.found && real.is_some_and(|real| used.contains(&real)) {
            continue;
        }
        for (node, beside) in candidate.nodes?.into_iter().zip(gathered) {
            sources.push(Source { file: candidate.file.clone(), node, beside: beside? });
        }
    }
    Ok(sources)
}

/// The documents as they are sent: a profile with the files that its Butane asks for. Those that it has itself stay.
pub(super) fn documents(sources: &[Source]) -> Vec<Value> {
    let document = |source: &Source| {
        let mut document = source.node.to_json();
        let spec = document.get_mut("spec").and_then(Value::as_object_mut);
        if let Some(spec) = spec.filter(|_| !source.beside.is_empty()) {
            let files = spec.entry("files").or_insert_with(|| Value::Object(serde_json::Map::new()));
            for (path, file) in &source.beside {
                if let Some(files) = files.as_object_mut()
                    && let Ok(file) = serde_json::to_value(file)
                {
                    files.entry(path.clone()).or_insert(file);
                }
            }
        }
        document
    };
    sources.iter().map(document).collect()
}

/// The file itself, or the folder's files in the order of their names, its folders' too.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let of_folder = || format!("{} cannot be read", path.display());
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .with_context(of_folder)?;
    entries.sort();
    let mut all = Vec::new();
    for entry in entries {
        let known =
            entry.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
        if entry.is_dir() || known {
            all.extend(files(&entry)?);
        }
    }
    Ok(all)
}

fn parse(file: &str, text: &str) -> Result<Vec<Node>> {
    parse_documents(text)
        .map_err(|error| anyhow::anyhow!("{file}:{}:{}: {}", error.line, error.column, error.message))
}

/// A mistake with its file, line and column.
pub(super) fn place(mistake: &Mistake, sources: &[Source]) -> String {
    let Some(source) = sources.get(mistake.document) else {
        return format!("{}: {}", mistake.path, mistake.detail);
    };
    let at = source.node.at(&mistake.path);
    let inner = mistake.position.zip(at).map(|((line, column), node)| node.inner(Position { line, column }));
    let unknown = mistake.detail.starts_with("unknown field");
    let key = if unknown { source.node.locate_key(&mistake.path) } else { None };
    let position = inner.or(key).or_else(|| source.node.locate(&mistake.path)).unwrap_or(Position::START);
    let (path, detail) = (plain(&mistake.path), plain(&mistake.detail));
    format!("{}:{}:{}: {path}: {detail}", source.file, position.line, position.column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, path: &str, position: Option<(usize, usize)>) -> String {
        let sources: Vec<Source> = parse("a.yaml", text)
            .unwrap()
            .into_iter()
            .map(|node| Source { file: "a.yaml".into(), node, beside: BTreeMap::new() })
            .collect();
        let mistake =
            Mistake { document: sources.len() - 1, path: path.into(), position, detail: "wrong".into() };
        place(&mistake, &sources)
    }

    #[test]
    fn a_mistake_is_shown_where_it_was_written() {
        let text = "kind: Subnet\nname: a\n---\nkind: Profile\nname: b\nspec:\n  boot: live\n  butane: |\n    variant: fcos\n    version: 1.4.0\n    storag: {}\n";
        assert_eq!(said(text, "spec.boot", None), "a.yaml:7:9: spec.boot: wrong");
        assert_eq!(said(text, "spec.butane", Some((3, 1))), "a.yaml:11:5: spec.butane: wrong");
        assert_eq!(
            said(text, "spec.image", None),
            "a.yaml:7:3: spec.image: wrong",
            "the nearest that exists"
        );
    }

    #[test]
    fn yaml_that_is_none_is_an_error_with_its_place() {
        let error = parse("a.yaml", "kind: [").err().unwrap().to_string();
        assert!(error.starts_with("a.yaml:"), "{error}");
    }

    #[test]
    fn what_lies_beside_a_profile_goes_with_it_and_is_no_document() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "worker.yaml",
            "kind: Profile\nname: worker\nspec:\n  boot: local\n  butane: |\n    variant: fcos\n    version: 1.5.0\n    storage:\n      trees: [{local: tree}]\n    systemd:\n      units:\n    {% if vars.a %}\n        - {name: a.service, contents_local: a.service}\n    {% endif %}\n",
        );
        write("a.service", "[Service]\n");
        write("tree/etc/kubelet.yaml", "{{ not yaml");
        std::os::unix::fs::symlink("etc/kubelet.yaml", folder.path().join("tree/link")).unwrap();
        let sources = read(&[folder.path().to_owned()]).unwrap();
        assert_eq!(sources.len(), 1);
        assert_eq!(
            documents(&sources)[0]["spec"]["files"],
            serde_json::json!({"a.service": "[Service]\n", "tree/etc/kubelet.yaml": "{{ not yaml", "tree/link": {"link": "etc/kubelet.yaml"}})
        );
    }

    #[test]
    fn a_link_out_of_the_folder_is_not_followed() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(other.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(other.path().join("secret"), folder.path().join("a")).unwrap();
        let profile = |local: &str| {
            format!(
                "kind: Profile\nname: p\nspec:\n  boot: local\n  butane: |\n    variant: fcos\n    version: 1.5.0\n    storage: {{files: [{{path: /a, contents: {{local: {local}}}}}]}}\n"
            )
        };
        for local in ["a", "../x", "missing"] {
            let file = folder.path().join("p.yaml");
            std::fs::write(&file, profile(local)).unwrap();
            let error = read(std::slice::from_ref(&file)).err().unwrap().to_string();
            assert!(error.starts_with(&format!("{}:8:52: ", file.display())), "{error}");
        }
    }
}

//! `apply`: files to documents, and the server's findings back to file, line and column.
use super::{
    ApplyArgs,
    client::{Client, Refused},
};
use crate::domain::yaml::{Node, Position, parse_documents};
use anyhow::{Context, Result, bail};
use pilotlight_types::api::{Applied, Change, Mistake};
use serde_json::Value;
use std::{
    io::Read,
    path::{Path, PathBuf},
};

/// A document, and where it was read.
struct Source {
    file: String,
    node: Node,
}

pub(super) async fn run(args: ApplyArgs) -> Result<()> {
    let sources = read(&args.files)?;
    if sources.is_empty() {
        bail!("there is no document in what was given");
    }
    let documents: Vec<Value> = sources.iter().map(|source| source.node.to_json()).collect();
    if documents.iter().any(|document| document.get("kind").and_then(Value::as_str) == Some("Image")) {
        eprintln!("taking images in: the server fetches each file that it does not have yet, and checks it");
    }
    let client = Client::new(&args.server)?;
    let applied: Applied =
        client.post("/apply", &documents).await.map_err(|error| located(error, &sources))?;
    for item in &applied.items {
        println!("{}/{} {}", item.kind.name().to_lowercase(), item.name, item.change);
        for warning in &item.warnings {
            eprintln!("warning: {}/{}: {warning}", item.kind.name().to_lowercase(), item.name);
        }
    }
    let changed = applied.items.iter().filter(|item| item.change != Change::Unchanged).count();
    eprintln!("{} documents, {changed} changed", applied.items.len());
    Ok(())
}

fn read(paths: &[PathBuf]) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
            sources.extend(parse("standard input", &text)?);
            continue;
        }
        for file in files(path)? {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("{} cannot be read", file.display()))?;
            sources.extend(parse(&file.display().to_string(), &text)?);
        }
    }
    Ok(sources)
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

fn parse(file: &str, text: &str) -> Result<Vec<Source>> {
    let nodes = parse_documents(text)
        .map_err(|error| anyhow::anyhow!("{file}:{}:{}: {}", error.line, error.column, error.message))?;
    Ok(nodes.into_iter().map(|node| Source { file: file.to_owned(), node }).collect())
}

/// The server's mistakes, each with its file, line and column.
fn located(error: anyhow::Error, sources: &[Source]) -> anyhow::Error {
    let Some(refused) = error.downcast_ref::<Refused>() else { return error };
    let lines: Vec<String> = refused.0.errors.iter().map(|mistake| place(mistake, sources)).collect();
    if lines.is_empty() { error } else { anyhow::anyhow!("{}\n{}", refused.0.detail, lines.join("\n")) }
}

fn place(mistake: &Mistake, sources: &[Source]) -> String {
    let Some(source) = sources.get(mistake.document) else {
        return format!("{}: {}", mistake.path, mistake.detail);
    };
    let at = source.node.at(&mistake.path);
    let inner = mistake.position.zip(at).map(|((line, column), node)| node.inner(Position { line, column }));
    let unknown = mistake.detail.starts_with("unknown field");
    let key = if unknown { source.node.locate_key(&mistake.path) } else { None };
    let position = inner.or(key).or_else(|| source.node.locate(&mistake.path)).unwrap_or(Position::START);
    format!("{}:{}:{}: {}: {}", source.file, position.line, position.column, mistake.path, mistake.detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, path: &str, position: Option<(usize, usize)>) -> String {
        let sources = parse("a.yaml", text).unwrap();
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
}

//! A changed migration is compiled in again. So is the web UI, if it was built: `web/dist/ui`, each file with its compressed forms.
//! Without it the daemon says on `/` how to get it.
use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=../migrations");
    // The folder itself is always there: what is missing would be looked for, and this be run, at each build.
    println!("cargo:rerun-if-changed=../web/dist");
    let root = env::var("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default().join("../web/dist/ui");
    let mut files = Vec::new();
    if root.is_dir() {
        collect(&root, &mut files)?;
    }
    files.sort();
    let mut table = String::from("&[\n");
    for file in files.iter().filter(|file| !is_compressed(file)) {
        let Ok(path) = file.strip_prefix(&root) else { continue };
        let bytes = |file: &Path| format!("include_bytes!({:?})", file.display().to_string());
        let compressed = |ending: &str| {
            let mut name = file.clone().into_os_string();
            name.push(ending);
            let name = PathBuf::from(name);
            if files.contains(&name) { format!("Some({})", bytes(&name)) } else { "None".to_owned() }
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "    Asset {{ path: {:?}, plain: {}, brotli: {}, gzip: {} }},",
            path.display().to_string(),
            bytes(file),
            compressed(".br"),
            compressed(".gz"),
        );
    }
    table.push_str("]\n");
    let out = env::var("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    fs::write(out.join("ui.rs"), table)
}

fn is_compressed(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "br" || ending == "gz")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

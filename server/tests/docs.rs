//! What the documents list is what there is: metrics, error codes, events, configuration keys, endpoints, dependencies, migrations.
use clap::Args as _;
use pilotlight::{config, http::operations};
use pilotlight_types::resource::Kind;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

#[test]
fn every_metric_is_in_its_document() {
    let parts = files("server/src/metrics", "rs");
    let source = parts.iter().fold(read("server/src/metrics.rs"), |all, part| all + &text(part));
    let names: BTreeSet<String> = source
        .split("registry.register(")
        .skip(1)
        .filter_map(|rest| quoted(rest, '"'))
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 5, "the metrics were not found in the source: {names:?}");
    let said: BTreeSet<String> = first_cells("docs/metrics.md")
        .iter()
        .filter_map(|cell| cell.strip_prefix("pilotlight_"))
        .filter(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
        .map(|name| name.trim_end_matches("_total").to_owned())
        .collect();
    same("docs/metrics.md", &names, &said);
}

#[test]
fn every_error_code_is_in_its_document() {
    let mut codes = BTreeSet::new();
    for file in files("server/src/http", "rs") {
        // `new(StatusCode::CONFLICT, "needed", …`, on however many lines.
        let source: String = text(&file).chars().filter(|c| !c.is_whitespace()).collect();
        for rest in source.split("new(StatusCode::").skip(1) {
            codes.extend(
                rest.split_once(",\"").and_then(|(_, rest)| rest.split('"').next()).map(str::to_owned),
            );
        }
    }
    assert!(codes.contains("not-found"), "the codes were not found in the source: {codes:?}");
    same("docs/errors.md", &codes, &first_cells("docs/errors.md"));
}

#[test]
fn every_kind_of_event_is_in_the_document_of_the_api() {
    let areas = [
        "agent", "bmc", "boot", "dhcp", "ignition", "machine", "resource", "secret", "session", "token",
        "user", "webhook",
    ];
    let mut kinds = BTreeSet::new();
    for file in files("server/src/service", "rs") {
        let source = text(&file);
        for word in source.split('"') {
            let plain =
                |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            if word.split_once('.').is_some_and(|(area, what)| areas.contains(&area) && plain(what)) {
                kinds.insert(word.to_owned());
            }
        }
    }
    assert!(kinds.contains("boot.started"), "the events were not found in the source: {kinds:?}");
    let said = first_cells("docs/api.md")
        .into_iter()
        .filter(|cell| cell.split_once('.').is_some_and(|(area, _)| areas.contains(&area)));
    same("docs/api.md", &kinds, &said.collect());
}

#[test]
fn every_endpoint_is_in_the_document_of_the_api_with_its_permission() {
    let document = read("docs/api.md");
    let there: BTreeSet<String> = operations()
        .iter()
        .map(|operation| {
            // What all kinds but machines and webhooks have, has one row for all of them.
            let (path, permission) = (operation.path.clone(), operation.permission.to_string());
            let own = [Kind::Machine, Kind::Webhook];
            let shared = |kind: &Kind| {
                let of_roles = path.replace(&format!("/{}", kind.plural()), "/roles");
                of_roles.contains("/roles")
                    && operations().iter().any(|o| o.path == of_roles && o.method == operation.method)
            };
            let kind = operation.kind.filter(|kind| !own.contains(kind)).filter(shared);
            let (path, permission) = match kind {
                Some(kind) => (
                    path.replace(&format!("/{}", kind.plural()), "/{kind}"),
                    permission.replace(kind.name(), "{kind}"),
                ),
                None => (path, permission),
            };
            format!("| `{} {path}` | {permission} |", operation.method)
        })
        .collect();
    let missing: Vec<&String> =
        there.iter().filter(|row| !document.lines().any(|line| line.starts_with(*row))).collect();
    assert!(missing.is_empty(), "docs/api.md has no line that begins with {missing:#?}");
    let listed = document.lines().filter(|line| line.starts_with("| `") && line.contains(" /api/v1/"));
    let invented: Vec<&str> =
        listed.filter(|line| !there.iter().any(|row| line.starts_with(row.as_str()))).collect();
    assert!(invented.is_empty(), "docs/api.md lists endpoints that are not there: {invented:#?}");
}

/// `section.key`, as `Fragment` has them.
fn config_keys() -> BTreeSet<String> {
    let source = read("server/src/config/fragment.rs");
    let laid = source.split("lay(&mut self.").skip(1).filter_map(|rest| rest.split(',').next());
    // Tables are in the file only.
    let tables = ["oidc.exchange", "oidc.roles"].map(str::to_owned);
    let keys: BTreeSet<String> = laid.map(|key| key.replace('_', "-")).chain(tables).collect();
    assert!(keys.contains("server.data-dir"), "the keys were not found in the source: {keys:?}");
    keys
}

#[test]
fn every_configuration_key_is_in_the_shipped_file_which_is_good() {
    let shipped = read("deploy/pilotlight.toml");
    config::parse(&shipped).unwrap_or_else(|e| panic!("deploy/pilotlight.toml: {e}"));
    // A key is commented out without a blank after the sign, words with one.
    let uncommented: String = shipped
        .lines()
        .map(|line| {
            format!("{}\n", line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        })
        .collect();
    let fragment =
        config::parse(&uncommented).unwrap_or_else(|e| panic!("deploy/pilotlight.toml, uncommented: {e}"));
    let problems = config::Settings::check(fragment).err().unwrap_or_default();
    assert!(problems.is_empty(), "deploy/pilotlight.toml, uncommented: {problems:?}");
    let table: toml::Table = uncommented.parse().unwrap_or_else(|e| panic!("deploy/pilotlight.toml: {e}"));
    let said = table.iter().flat_map(|(section, keys)| {
        keys.as_table().into_iter().flatten().map(move |(key, _)| format!("{section}.{key}"))
    });
    same("deploy/pilotlight.toml", &config_keys(), &said.collect());
}

#[test]
fn every_configuration_key_is_in_its_document_with_flag_and_variable() {
    same("docs/configuration.md", &config_keys(), &first_cells("docs/configuration.md"));
    let document = read("docs/configuration.md");
    for argument in config::Overrides::augment_args(clap::Command::new("serve")).get_arguments() {
        let (Some(flag), Some(variable)) =
            (argument.get_long(), argument.get_env().and_then(|name| name.to_str()))
        else {
            continue;
        };
        let row = document.lines().find(|line| line.contains(&format!("`--{flag}`")));
        let row = row.unwrap_or_else(|| panic!("docs/configuration.md does not have --{flag}"));
        assert!(
            row.contains(&format!("`{variable}`")),
            "docs/configuration.md does not have {variable} beside --{flag}"
        );
    }
}

#[test]
fn every_dependency_is_in_its_document() {
    let mut names = BTreeSet::new();
    for manifest in [
        "Cargo.toml",
        "agent/Cargo.toml",
        "fuzz/Cargo.toml",
        "map/Cargo.toml",
        "server/Cargo.toml",
        "tests/Cargo.toml",
        "types/Cargo.toml",
    ] {
        let table: toml::Table = read(manifest).parse().unwrap_or_else(|e| panic!("{manifest}: {e}"));
        let of_workspace = table.get("workspace").and_then(|workspace| workspace.get("dependencies"));
        let own = ["dependencies", "dev-dependencies", "build-dependencies"]
            .into_iter()
            .filter_map(|part| table.get(part));
        for part in of_workspace.into_iter().chain(own) {
            names.extend(part.as_table().into_iter().flat_map(|part| part.keys().cloned()));
        }
    }
    names.retain(|name| !name.starts_with("pilotlight"));
    same("docs/dependencies.md", &names, &first_cells("docs/dependencies.md"));
}

#[test]
fn every_test_that_the_table_of_firmware_names_is_there() {
    let folders = ["server/src", "server/tests", "tests/src", "tests/tests", "types/src"];
    let sources: Vec<String> =
        folders.iter().flat_map(|folder| files(folder, "rs")).map(|file| text(&file)).collect();
    let table = read("docs/firmware.md");
    let last_cells = table.lines().filter_map(|line| line.strip_suffix(" |")?.rsplit(" | ").next());
    let named: BTreeSet<&str> = last_cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(|name| name.contains('_'))
        .collect();
    assert!(named.len() > 20, "the tests were not found in the table: {named:?}");
    let missing: Vec<_> = named
        .iter()
        .filter(|name| !sources.iter().any(|source| source.contains(&format!("fn {name}("))))
        .collect();
    assert!(missing.is_empty(), "docs/firmware.md names tests that are not there: {missing:?}");
}

#[test]
fn both_databases_have_the_same_migrations() {
    let names = |folder: &str| -> BTreeSet<String> {
        files(folder, "sql").iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    };
    let sqlite = names("migrations/sqlite");
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, names("migrations/postgres"));
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    let roots = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "web/README.md"]
        .map(|name| root().join(name));
    for file in roots.into_iter().chain(files("docs", "md")) {
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        let text = text(&file);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            // The pictures are made by a script, and need not be there.
            let elsewhere = path.is_empty() || path.contains("://") || path.contains("docs/pictures/");
            if !elsewhere && !folder.join(path).exists() {
                wrong.push(format!("{}: {target}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn same(document: &str, there: &BTreeSet<String>, said: &BTreeSet<String>) {
    let missing: Vec<&String> = there.difference(said).collect();
    let invented: Vec<&String> = said.difference(there).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "{document}: missing {missing:?}; not there any more: {invented:?}"
    );
}

/// What stands in backquotes in the first column of each row of each table of a document.
fn first_cells(document: &str) -> BTreeSet<String> {
    let text = read(document);
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect()
}

fn quoted(text: &str, mark: char) -> Option<&str> {
    text.split(mark).nth(1)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    text(&root().join(name))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root().join(folder), end, &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, end: &str, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, end, found);
        } else if path.extension().is_some_and(|given| given == end) {
            found.push(path);
        }
    }
}

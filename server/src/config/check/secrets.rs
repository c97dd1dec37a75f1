//! Where profiles may have secrets from: whoever writes a profile reads there, so nothing of the daemon's own may be there.
use super::parsed;
use crate::{
    config::fragment,
    secret::{
        Secret,
        vault::{VaultAccess, VaultLogin},
    },
};
use pilotlight_types::resource::Duration;
use std::path::{Path, PathBuf};

/// The folders of `secrets.files`. `own` are the files and folders that have the daemon's own keys.
pub(super) fn check_files<'a>(
    folders: &[PathBuf],
    own: impl IntoIterator<Item = &'a Path>,
    found: &mut impl FnMut(&str, String),
) {
    // What is not there yet has no links to follow.
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let own: Vec<&Path> = own.into_iter().collect();
    for folder in folders {
        let simple = folder.is_absolute() && folder.components().count() > 1;
        let leads_up = folder.components().any(|part| matches!(part, std::path::Component::ParentDir));
        if !simple || leads_up {
            let why =
                format!("`{}`: an absolute path below `/`, without `..`, is expected", folder.display());
            found("secrets.files", why);
            continue;
        }
        let there = real(folder);
        for own in &own {
            let ours = real(own);
            if ours.starts_with(&there) || there.starts_with(&ours) {
                let why = "whoever writes a profile could read there, and it has the daemon's own";
                found("secrets.files", format!("{}: {why} {}", folder.display(), own.display()));
            }
        }
    }
}

/// The Vault, if there is to be one.
pub(super) fn vault(from: &fragment::Vault, found: &mut impl FnMut(&str, String)) -> Option<VaultAccess> {
    if *from == fragment::Vault::default() {
        return None;
    }
    let address = address(from.address.as_deref(), found);
    let login = login(from, found);
    let paths = paths(from.paths.as_deref().unwrap_or_default(), found);
    let namespace = from.namespace.clone().map(|name| name.trim_matches('/').to_owned());
    if namespace.as_ref().is_some_and(|name| name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic())) {
        found("vault.namespace", "a namespace such as `teams/infra` is expected".into());
    }
    let mut time = |key: &str, text: &Option<String>, default: u32| {
        let text = text.clone().unwrap_or_else(|| Duration::seconds(default).to_string());
        parsed::<Duration>(key, &text, found)
    };
    let (timeout, keep) = (time("vault.timeout", &from.timeout, 3), time("vault.cache", &from.cache, 60));
    if timeout.is_some_and(|timeout| !(1..=5).contains(&timeout.as_secs())) {
        found("vault.timeout", "1s to 5s are expected: a machine's Ignition waits 10 seconds".into());
    }
    if keep.is_some_and(|keep| keep.as_secs() > 3600) {
        found("vault.cache", "at most 1h is expected".into());
    }
    Some(VaultAccess {
        address: address?,
        namespace,
        login: login?,
        paths,
        ca: from.ca.clone(),
        timeout: timeout?.std(),
        keep: keep?.std(),
    })
}

fn address(from: Option<&str>, found: &mut impl FnMut(&str, String)) -> Option<String> {
    let Some(text) = from else {
        found("vault.address", "where is Vault? `https://vault.example:8200` is expected".into());
        return None;
    };
    let address = text.trim_end_matches('/');
    let host = |rest: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".:-[]".contains(c);
        !rest.is_empty() && rest.chars().all(plain)
    };
    let local = |rest: &str| {
        let name = rest.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        ["127.0.0.1", "localhost", "[::1]"].contains(&name.map_or(rest, |(name, _)| name))
    };
    let good = match (address.strip_prefix("https://"), address.strip_prefix("http://")) {
        (Some(rest), _) => host(rest),
        // Vault Agent on this host.
        (_, Some(rest)) => local(rest),
        _ => false,
    };
    if !good {
        // It may hold a password: it is not repeated.
        let why =
            "https://HOST:PORT is expected; http:// for this host only (Vault Agent), for a token goes there";
        found("vault.address", why.into());
    }
    good.then(|| address.to_owned())
}

/// Of several ways, the first counts: an AppRole, a file with a token, a token.
fn login(from: &fragment::Vault, found: &mut impl FnMut(&str, String)) -> Option<VaultLogin> {
    match (&from.role_id, &from.secret_id_file, &from.token_file, &from.token) {
        (Some(role_id), Some(file), ..) => {
            let mount = from.auth_mount.as_deref().unwrap_or("approle").trim_matches('/');
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"/_-.".contains(&b);
            if mount.is_empty() || mount.contains("..") || !mount.bytes().all(plain) {
                found("vault.auth-mount", "where AppRole is mounted, such as `approle`, is expected".into());
                return None;
            }
            let (role_id, secret_id_file) = (role_id.clone(), file.clone());
            Some(VaultLogin::AppRole { mount: mount.to_owned(), role_id, secret_id_file })
        }
        (Some(_), None, ..) | (None, Some(_), ..) => {
            found("vault.role-id", "an AppRole has both: vault.role-id and vault.secret-id-file".into());
            None
        }
        (None, None, Some(file), _) => Some(VaultLogin::TokenFile(file.clone())),
        (None, None, None, Some(token)) => {
            let good = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
            if !good {
                found("vault.token", "a token without blanks is expected".into());
            }
            good.then(|| VaultLogin::Token(Secret::new(token.clone())))
        }
        (None, None, None, None) => {
            let why = "who is the daemon to Vault? Set role-id and secret-id-file, or token-file, or token";
            found("vault.token", why.into());
            None
        }
    }
}

/// Paths as Vault's policies have them, with or without `/` or `/*` at their ends.
fn paths(from: &[String], found: &mut impl FnMut(&str, String)) -> Vec<String> {
    if from.is_empty() {
        found("vault.paths", "which paths may profiles read? Such as `secret/data/pilotlight`".into());
    }
    let path = |text: &String| {
        let path = text.trim_end_matches('*').trim_end_matches('/');
        let parts: Vec<&str> = path.split('/').collect();
        let data = parts.iter().skip(1).any(|part| *part == "data");
        if !data || parts.iter().any(|part| matches!(*part, "" | "." | "..")) || path.contains(['*', '+']) {
            let why = "a path of the key-value store, version 2, as in Vault's policies, is expected: MOUNT/data/PATH";
            found("vault.paths", format!("`{}`: {why}", text.escape_default()));
        }
        path.to_owned()
    };
    from.iter().map(path).collect()
}

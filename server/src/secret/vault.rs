//! How the daemon reaches Vault: what the configuration says of it.
use super::Secret;
use std::{path::PathBuf, time::Duration};

/// How the daemon reaches Vault, and what it may read there.
#[derive(Debug, Clone)]
pub struct VaultAccess {
    /// Where it is: `https://vault.example:8200`, without a slash at the end.
    pub address: String,
    /// The namespace that everything is in.
    pub namespace: Option<String>,
    /// Who we are to it.
    pub login: VaultLogin,
    /// The paths below which secrets may be read, without slashes at their ends.
    pub paths: Vec<String>,
    /// The authorities that its certificate may be from, PEM; Mozilla's, if not set.
    pub ca: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How long a secret is kept in memory.
    pub keep: Duration,
}

/// Who we are to Vault.
#[derive(Debug, Clone)]
pub enum VaultLogin {
    /// A token that was given.
    Token(Secret<String>),
    /// A token in a file, which another program may renew: Vault Agent's sink.
    TokenFile(PathBuf),
    /// A role, by its id and a file with its secret id.
    AppRole {
        /// Where the method is mounted: `approle`.
        mount: String,
        /// The role's id.
        role_id: String,
        /// The file with the secret id.
        secret_id_file: PathBuf,
    },
}

impl VaultAccess {
    /// Whether a secret at this path may be read.
    pub fn allows(&self, path: &str) -> bool {
        let below = |allowed: &String| {
            path.strip_prefix(allowed.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.paths.iter().any(below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_allowed_by_whole_parts() {
        let access = VaultAccess {
            address: "https://vault.example:8200".into(),
            namespace: None,
            login: VaultLogin::Token(Secret::new("x".into())),
            paths: vec!["secret/data/pilotlight".into(), "kv/data/one".into()],
            ca: None,
            timeout: Duration::from_secs(1),
            keep: Duration::ZERO,
        };
        for good in ["secret/data/pilotlight", "secret/data/pilotlight/n1", "kv/data/one"] {
            assert!(access.allows(good), "{good}");
        }
        for bad in ["secret/data/pilotlight2", "secret/data", "secret/metadata/pilotlight", "kv/data/on", ""]
        {
            assert!(!access.allows(bad), "{bad}");
        }
        assert!(!format!("{access:?}").contains("\"x\""));
    }
}

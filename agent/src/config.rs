//! The agent's configuration file: it holds the boot's token, so it must be its owner's alone.
use pilotlight_types::agent::AgentConfig;
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

const LARGEST: u64 = 64 * 1024;

/// Why the agent cannot run with a configuration file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not there, or not readable.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others than the owner may read or change it.
    #[error(
        "{} has mode {mode:04o}: it holds this boot's token, so nobody but its owner may read or change it (chmod 0600)",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is no configuration. What it says instead is left out, for it may be the token.
    #[error("{} is no agent configuration: {what} at line {line}, column {column}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
        /// Where.
        line: usize,
        /// Where.
        column: usize,
    },
    /// A value in it cannot be used.
    #[error("{}: {what}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
}

/// Reads the file at `path`.
pub fn read(path: &Path) -> Result<AgentConfig, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(ConfigError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text).map_err(unreadable)?;
    let config: AgentConfig = serde_json::from_slice(&text).map_err(|e| ConfigError::Malformed {
        path: path.to_owned(),
        what: match e.classify() {
            serde_json::error::Category::Data => "unknown, missing or wrong field",
            serde_json::error::Category::Eof => "unexpected end",
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => "no JSON",
        },
        line: e.line(),
        column: e.column(),
    })?;
    let value = |what| ConfigError::Value { path: path.to_owned(), what };
    if !config.server.starts_with("https://") {
        return Err(value("server must be an https:// URL"));
    }
    if config.token.is_empty() || !config.token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(value("token must be printable ASCII characters without blanks"));
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, fs::Permissions};

    const GOOD: &str = r#"{"server": "https://10.77.0.1:8443", "ca": "", "machine": "n1", "token": "s3cr3t-t0k3n",
        "boot": "0199f0f0-0000-7000-8000-000000000001", "boot_mac": null, "heartbeat_seconds": 30}"#;

    fn read_text(text: &str, mode: u32) -> Result<AgentConfig, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.json");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        read(&path).map_err(|e| e.to_string().replace(dir.path().to_str().unwrap(), "/etc/pilotlight"))
    }

    #[test]
    fn a_file_that_only_its_owner_can_read_is_taken() {
        assert_eq!(read_text(GOOD, 0o600).unwrap().machine, "n1");
        assert_eq!(read_text(GOOD, 0o400).unwrap().heartbeat_seconds, 30);
    }

    #[test]
    fn a_file_that_others_can_read_or_change_is_refused() {
        for mode in [0o644, 0o640, 0o604, 0o620] {
            let error = read_text(GOOD, mode).unwrap_err();
            assert_eq!(
                error,
                format!(
                    "/etc/pilotlight/agent.json has mode {mode:04o}: it holds this boot's token, so nobody but its owner may read \
                     or change it (chmod 0600)"
                )
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_token() {
        let cases = [
            (GOOD.replace("https:", "http:"), "server must be an https:// URL"),
            (
                GOOD.replace("s3cr3t-", "s3cr3t-\\r\\nX: "),
                "token must be printable ASCII characters without blanks",
            ),
            (GOOD.replace("null", "\"s3cr3t\""), "unknown, missing or wrong field at line 2"),
            (GOOD.replace("\"machine\"", "\"s3cr3t\""), "unknown, missing or wrong field at line 1"),
            (GOOD.replace('}', ""), "unexpected end"),
            ("s3cr3t".to_owned(), "no JSON at line 1"),
        ];
        for (text, part) in cases {
            let error = read_text(&text, 0o600).unwrap_err();
            assert!(error.contains(part), "{error}");
            assert!(!error.contains("s3cr3t"), "{error}");
        }
    }
}

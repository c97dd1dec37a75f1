//! Configuration in three steps: a fragment for each source (file, environment and flags), merged; then checked into [`Settings`].
mod check;
mod fragment;

pub use check::{ConfigProblem, DatabaseUrl, LadderSettings, Settings, WebhookSettings};
pub use fragment::{Fragment, Overrides};

use std::path::Path;

/// Reads the file, lays flags and environment over it, and checks the whole. All problems at once.
pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Settings, Vec<ConfigProblem>> {
    let fragment = match file {
        None => Fragment::default(),
        Some(path) => {
            let problem = |why: String| vec![ConfigProblem { place: path.display().to_string(), why }];
            let text = std::fs::read_to_string(path).map_err(|e| problem(format!("cannot be read: {e}")))?;
            parse(&text).map_err(|e| problem(e.to_string().trim_end().to_owned()))?
        }
    };
    let settings = Settings::check(fragment.overridden(overrides))?;
    file.map_or(Ok(()), |file| settings.check_own_file(file))?;
    Ok(settings)
}

/// The text of a configuration file.
pub fn parse(text: &str) -> Result<Fragment, Box<toml::de::Error>> {
    toml::from_str(text).map_err(Box::new)
}

#[cfg(test)]
mod tests;

//! A config to be: all that it is made of, as it was at one moment. It is made with masks for people, and with secrets for its
//! machine.
use super::{ConfigError, told};
use crate::domain::{
    delivery,
    profile::{self, Context, Limit, Place, SecretUse, SecretValues, Wrong},
};
use pilotlight_types::resource::{Name, ProfileSpec};
use serde_json::Value;
use std::{fmt::Write as _, sync::Arc};

/// A config to be.
#[derive(Debug, Clone)]
pub struct Draft {
    pub(super) machine: String,
    pub(super) layers: Vec<(Name, Arc<ProfileSpec>)>,
    pub(super) limit: Option<Limit>,
    /// With masks.
    pub(super) context: Context,
    pub(super) secrets: Vec<(SecretUse, Place)>,
    pub(super) additions: Value,
}

impl Draft {
    /// The secrets that it holds, and where their values are.
    pub fn secrets(&self) -> &[(SecretUse, Place)] {
        &self.secrets
    }

    /// The config with a mask for each secret. Without secrets it is the config itself.
    pub fn masked(&self) -> Result<Value, ConfigError> {
        Ok(self.whole(self.parts()?))
    }

    /// The config with these secrets, for its machine alone. What is wrong with it is told without what it says.
    pub fn filled(&self, values: SecretValues) -> Result<Value, ConfigError> {
        let masked = self.parts()?;
        let context = self.context.clone().with_secrets(values);
        let parts = profile::configs(&self.layers, &context, self.limit.as_ref());
        let parts = parts.map_err(|wrongs| self.wrong(places(&wrongs)))?;
        let same = masked.len() == parts.len()
            && masked.iter().zip(&parts).all(|(masked, part)| profile::differ_in_texts_only(masked, part));
        if !same {
            return Err(
                self.wrong("a secret's value changes more than the text that it stands in".to_owned())
            );
        }
        Ok(self.whole(parts))
    }

    fn parts(&self) -> Result<Vec<Value>, ConfigError> {
        profile::configs(&self.layers, &self.context, self.limit.as_ref())
            .map_err(|wrongs| ConfigError::Profile { machine: self.machine.clone(), why: told(wrongs) })
    }

    fn whole(&self, mut parts: Vec<Value>) -> Value {
        parts.push(self.additions.clone());
        delivery::merged(&parts)
    }

    fn wrong(&self, why: String) -> ConfigError {
        let names: Vec<String> =
            self.secrets.iter().map(|(secret, _)| format!("`{}`", secret.name)).collect();
        ConfigError::Secrets { machine: self.machine.clone(), why, names: names.join(", ") }
    }
}

/// Where mistakes are, and not what they are: the words may hold a secret.
fn places(wrongs: &[Wrong]) -> String {
    let mut all = String::from("there is a mistake at");
    for (number, wrong) in wrongs.iter().enumerate().take(10) {
        let _ = write!(all, "{} {}", if number > 0 { "," } else { "" }, wrong.path);
        if let Some((line, _)) = wrong.position {
            let _ = write!(all, ", line {line}");
        }
    }
    all
}

//! A config to be: all that it is made of, as it was at one moment. It is made with masks for people and for plans, and with secrets
//! for its machine.
use super::{ConfigError, told};
use crate::domain::{
    delivery,
    profile::{self, Context, Limit, Place, SecretUse, SecretValues, Wrong},
};
use pilotlight_types::resource::{Name, ProfileSpec};
use serde_json::Value;
use std::{fmt::Write as _, sync::Arc};

/// A profile, by its name.
type Layer = (Name, Arc<ProfileSpec>);

/// What the profile's part of a machine's config is made of.
#[derive(Debug, Clone)]
pub struct Makings {
    /// The machine's name.
    pub machine: Name,
    /// The profile's layers and itself, lowest first.
    pub layers: Vec<Layer>,
    /// What its image takes.
    pub limit: Option<Limit>,
    /// What its templates may use, with masks for secrets.
    pub context: Context,
    /// The secrets that it holds, and where their values are.
    pub secrets: Vec<(SecretUse, Place)>,
}

impl Makings {
    /// Whether the same is made of both, but for the values of secrets.
    pub fn is_same(&self, other: &Self) -> bool {
        let same = |(one, other): (&Layer, &Layer)| one.0 == other.0 && Arc::ptr_eq(&one.1, &other.1);
        self.machine == other.machine
            && self.limit == other.limit
            && self.layers.len() == other.layers.len()
            && self.layers.iter().zip(&other.layers).all(same)
            && self.context == other.context
    }
}

/// A config to be.
#[derive(Debug, Clone)]
pub struct Draft {
    pub(super) makings: Makings,
    pub(super) additions: Value,
}

impl Draft {
    /// What the profile's part of it is made of.
    pub fn makings(&self) -> &Makings {
        &self.makings
    }

    /// The secrets that it holds, and where their values are.
    pub fn secrets(&self) -> &[(SecretUse, Place)] {
        &self.makings.secrets
    }

    /// The config with a mask for each secret. Without secrets it is the config itself.
    pub fn masked(&self) -> Result<Value, ConfigError> {
        Ok(self.whole(self.parts()?))
    }

    /// The config with these secrets, for its machine alone. What is wrong with it is told without what it says.
    pub fn filled(&self, values: SecretValues) -> Result<Value, ConfigError> {
        let masked = self.parts()?;
        let Makings { layers, limit, context, .. } = &self.makings;
        let parts = profile::configs(layers, &context.clone().with_secrets(values), limit.as_ref());
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
        let Makings { machine, layers, limit, context, .. } = &self.makings;
        profile::configs(layers, context, limit.as_ref())
            .map_err(|wrongs| ConfigError::Profile { machine: machine.to_string(), why: told(wrongs) })
    }

    fn whole(&self, mut parts: Vec<Value>) -> Value {
        parts.push(self.additions.clone());
        delivery::merged(&parts)
    }

    fn wrong(&self, why: String) -> ConfigError {
        let names: Vec<String> =
            self.secrets().iter().map(|(secret, _)| format!("`{}`", secret.name)).collect();
        ConfigError::Secrets { machine: self.makings.machine.to_string(), why, names: names.join(", ") }
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

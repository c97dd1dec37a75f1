//! The secrets of what is rendered here: masks, or, if somebody asks for them, those that this user can read.
use super::Subject;
use crate::{
    domain::profile::{self, Place, SecretValues},
    secret::source,
};
use anyhow::{Context as _, Result, bail};

/// What stands for the secrets: values, if `real`.
pub(super) fn values(subject: &Subject, real: bool) -> Result<SecretValues> {
    if !real {
        return Ok(SecretValues::masks(subject.secrets.keys()));
    }
    let mut values = Vec::new();
    for secret in profile::used_secrets(&subject.layers, &subject.secrets) {
        let (name, from) = (&secret.name, &secret.from);
        let of_secret = || format!("secret `{name}` of {from}");
        let place = match profile::place(&secret.reference, &subject.context) {
            Ok(place) => place,
            Err(why) => bail!("{}: {why}", of_secret()),
        };
        let value = match &place {
            Place::File(path) => source::read_file(path),
            Place::Env(variable) => source::read_variable(variable),
            Place::Vault { .. } => {
                eprintln!(
                    "warning: {} is in Vault, which only the daemon asks: it stays masked",
                    of_secret()
                );
                values.push((secret.name.clone(), profile::mask(&secret.name)));
                continue;
            }
        };
        values.push((secret.name.clone(), value.with_context(of_secret)?.expose().clone()));
    }
    Ok(SecretValues::new(values))
}

//! Configs that were made already: thousands of machines have the same text to transpile.
use super::{Context, Limit, Wrong, parts, template};
use crate::domain::ignition::Version;
use pilotlight_types::resource::{Name, ProfileSpec};
use serde_json::Value;
use std::{collections::HashMap, sync::Arc};

/// Keeps what profiles made, by the text that their templates made and what the image takes.
#[derive(Debug, Default)]
pub struct Kept(HashMap<Key, Made>);

/// The profile by its place in memory, the newest spec, and the text.
type Key = (usize, Option<Version>, String);

/// What was made, and the profile: while that is held, no other one has its place in memory.
type Made = (Arc<ProfileSpec>, Option<Arc<Value>>);

impl Kept {
    /// As [`super::configs`]: the configs of a profile and its layers for one machine, lowest first, each with its profile's name.
    pub fn configs(
        &mut self,
        layers: &[(Name, Arc<ProfileSpec>)],
        context: &Context,
        limit: Option<&Limit>,
    ) -> Result<Vec<(Name, Arc<Value>)>, Vec<Wrong>> {
        let mut all = Vec::with_capacity(layers.len());
        for layer in layers {
            if let Some(config) = self.config(layer, context, limit)? {
                all.push((layer.0.clone(), config));
            }
        }
        Ok(all)
    }

    fn config(
        &mut self,
        layer: &(Name, Arc<ProfileSpec>),
        context: &Context,
        limit: Option<&Limit>,
    ) -> Result<Option<Arc<Value>>, Vec<Wrong>> {
        let spec = &layer.1;
        // What cannot be filled in is looked at in full below, which says what is wrong with it.
        let text = spec.butane.as_ref().map_or(Ok(String::new()), |text| template::fill(text, context));
        let newest = limit.map(|limit| limit.newest);
        let key = text.ok().map(|text| (Arc::as_ptr(spec).addr(), newest, text));
        if let Some((_, made)) = key.as_ref().and_then(|key| self.0.get(key)) {
            return Ok(made.clone());
        }
        let made = parts([layer], context, limit)?.pop().map(|part| Arc::new(part.ignition));
        if let Some(key) = key {
            self.0.insert(key, (spec.clone(), made.clone()));
        }
        Ok(made)
    }
}

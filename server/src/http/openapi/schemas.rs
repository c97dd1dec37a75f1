//! The schemas of the types that are sent and taken. What may be left out when it is taken is always there when it is sent, so one type
//! may have two schemas: then the one that is taken is called `…Input`.
use crate::http::routes::SchemaOf;
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// How schemas of what is sent are referred to, in the end all of them.
const SENT: &str = "#/components/schemas/";

/// How schemas of what is taken are referred to until all are known.
const TAKEN: &str = "#/taken/";

/// Collects the schemas of a document.
pub(super) struct Schemas {
    sent: SchemaGenerator,
    taken: SchemaGenerator,
}

impl Default for Schemas {
    fn default() -> Self {
        let settings = |path: &str| {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = path.trim_matches('#').trim_end_matches('/').to_owned().into();
                settings.meta_schema = None;
            })
        };
        Self {
            sent: settings(SENT).for_serialize().into_generator(),
            taken: settings(TAKEN).for_deserialize().into_generator(),
        }
    }
}

impl Schemas {
    /// The schema of something that is sent.
    pub(super) fn sent(&mut self, schema: SchemaOf) -> Value {
        schema(&mut self.sent).to_value()
    }

    /// The schema of something that is taken.
    pub(super) fn taken(&mut self, schema: SchemaOf) -> Value {
        schema(&mut self.taken).to_value()
    }

    /// Puts all that was referred to into the document.
    pub(super) fn put_into(mut self, document: &mut Value) {
        let (sent, taken) = (self.sent.take_definitions(true), self.taken.take_definitions(true));
        let differ = differing(&sent, &taken);
        let name = |reference: &str| match (reference.strip_prefix(SENT), reference.strip_prefix(TAKEN)) {
            (Some(name), _) => plain(name),
            (_, Some(name)) if differ.contains(name) => format!("{}Input", plain(name)),
            (_, Some(name)) => plain(name),
            (None, None) => reference.to_owned(),
        };
        let mut all = Map::new();
        for (prefix, definitions) in [(SENT, sent), (TAKEN, taken)] {
            for (key, schema) in definitions {
                all.entry(name(&format!("{prefix}{key}"))).or_insert(schema);
            }
        }
        all.sort_keys();
        if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
            components.insert("schemas".into(), Value::Object(all));
        }
        each_reference(document, &|reference| format!("{SENT}{}", name(reference)));
    }
}

/// Which types look different when they are taken, themselves or in their parts.
fn differing(sent: &Map<String, Value>, taken: &Map<String, Value>) -> BTreeSet<String> {
    let mut differ = BTreeSet::new();
    loop {
        let before = differ.len();
        for (name, schema) in taken {
            let Some(other) = sent.get(name) else { continue };
            let mut same = schema.clone();
            each_reference(&mut same, &|reference| match reference.strip_prefix(TAKEN) {
                Some(part) if !differ.contains(part) => format!("{SENT}{part}"),
                _ => reference.to_owned(),
            });
            if same != *other {
                differ.insert(name.clone());
            }
        }
        if differ.len() == before {
            return differ;
        }
    }
}

/// A type's name as people have it: a resource with a `SubnetSpec` is a `Subnet`.
fn plain(name: &str) -> String {
    name.replace("SpecResource", "").replace("SpecDeclaration", "Declaration").replace("AnyValue", "")
}

fn each_reference(value: &mut Value, change: &impl Fn(&str) -> String) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get_mut("$ref")
                && (reference.starts_with(SENT) || reference.starts_with(TAKEN))
            {
                *reference = change(reference);
            }
            map.values_mut().for_each(|value| each_reference(value, change));
        }
        Value::Array(all) => all.iter_mut().for_each(|value| each_reference(value, change)),
        _ => {}
    }
}

/// A query string has no null: what may be left out is left out.
pub(super) fn not_null(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
        choices.retain(|choice| *choice != json!({"type": "null"}));
        if let [only] = choices.as_slice() {
            *schema = only.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Outer {
        inner: Inner,
        same: Same,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Inner {
        #[serde(default)]
        number: u8,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Same {
        text: String,
    }

    #[test]
    fn what_differs_when_it_is_taken_has_a_name_of_its_own_and_so_has_what_holds_it() {
        let mut schemas = Schemas::default();
        let sent = schemas.sent(SchemaGenerator::subschema_for::<Outer>);
        let taken = schemas.taken(SchemaGenerator::subschema_for::<Outer>);
        let mut document = json!({"components": {}, "sent": sent, "taken": taken});
        schemas.put_into(&mut document);
        let names: Vec<_> = document["components"]["schemas"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["Inner", "InnerInput", "Outer", "OuterInput", "Same"]);
        assert_eq!(document["sent"]["$ref"], "#/components/schemas/Outer");
        assert_eq!(document["taken"]["$ref"], "#/components/schemas/OuterInput");
        let input = &document["components"]["schemas"]["OuterInput"]["properties"];
        assert_eq!(input["inner"]["$ref"], "#/components/schemas/InnerInput");
        assert_eq!(input["same"]["$ref"], "#/components/schemas/Same");
        assert_eq!(document["components"]["schemas"]["Inner"]["required"], json!(["number"]));
    }
}

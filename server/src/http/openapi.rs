//! The document of the API, OpenAPI 3.1: made of the list of endpoints and of the types that they take and answer with.
mod examples;
mod schemas;

use super::{
    problem::codes_of,
    routes::{Header, Operation, Permission},
};
use pilotlight_types::api::Problem;
use schemars::SchemaGenerator;
use schemas::Schemas;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, sync::LazyLock};

/// Where the API begins. Pages for people are not in the document.
const API: &str = "/api/v1";

/// What the document says of the whole.
const ABOUT: &str = "Turns racks of bare machines into running CoreOS hosts and Kubernetes nodes. Everything that the command line \
    and the web UI do goes through this API. `x-permission` says of each operation which verb on which kind it takes: `each` where it is looked at \
    each object that turns out to be meant, `every` where all objects of the kind must be allowed. Errors are problem documents (RFC 9457) with a stable `code`; docs/errors.md lists the codes.";

/// The document, as it is served.
pub(super) fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));
    &TEXT
}

/// What the text is known by: whoever was made for this API finds out whether it is still the same.
pub(super) fn known_by() -> &'static str {
    static TAG: LazyLock<String> = LazyLock::new(|| hex::encode(Sha256::digest(text())));
    TAG.get(..16).unwrap_or_default()
}

/// The document.
pub fn document() -> Value {
    let mut schemas = Schemas::default();
    let mut paths: Map<String, Value> = Map::new();
    let mut statuses = BTreeSet::new();
    let mut operations = super::api::operations();
    operations.retain(|operation| operation.path.starts_with(API));
    for operation in &operations {
        let described = described(operation, &mut schemas, &mut statuses);
        let path = paths.entry(&operation.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(operation.method.as_str().to_lowercase(), described);
        }
    }
    let problem = schemas.sent(SchemaGenerator::subschema_for::<Problem>);
    let responses: Map<String, Value> = statuses
        .into_iter()
        .map(|status| {
            let content = json!({"application/problem+json": {
                "schema": problem, "example": examples::problem(status),
            }});
            (component(status), json!({"description": refusal(status), "content": content}))
        })
        .collect();
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Pilotlight", "version": "v1", "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "the daemon's TLS port"}],
        "security": [{"token": []}],
        "tags": tags(&operations),
        "paths": paths,
        "components": {
            "responses": responses,
            "securitySchemes": {"token": {
                "type": "http", "scheme": "bearer",
                "description": "An API token: `pilotlight token create`. The first one is in admin.token in the data directory.",
            }},
        },
    });
    schemas.put_into(&mut document);
    document
}

/// The first part of each path: `machines`.
fn tag(operation: &Operation) -> &str {
    operation.path.trim_start_matches(API).split('/').nth(1).unwrap_or_default()
}

fn tags(operations: &[Operation]) -> Value {
    let names: BTreeSet<&str> = operations.iter().map(tag).collect();
    names.into_iter().map(|name| json!({"name": name})).collect()
}

fn described(operation: &Operation, schemas: &mut Schemas, statuses: &mut BTreeSet<u16>) -> Value {
    let mut made = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [tag(operation)],
        "x-permission": permission(operation),
    });
    let parameters = parameters(operation, schemas);
    let problems = problems(operation);
    let mut responses = answers(operation, schemas);
    for status in problems {
        statuses.insert(status);
        let key = if status == 500 { "5XX".to_owned() } else { status.to_string() };
        responses.insert(key, json!({"$ref": format!("#/components/responses/{}", component(status))}));
    }
    let Some(map) = made.as_object_mut() else { return made };
    if operation.permission == Permission::Open {
        map.insert("security".into(), json!([]));
    }
    if let Some(description) = operation.description {
        map.insert("description".into(), json!(description));
    }
    if !parameters.is_empty() {
        map.insert("parameters".into(), parameters.into());
    }
    if let Some(body) = operation.body {
        let mut content = json!({"schema": schemas.taken(body.schema)});
        if let (Some(example), Some(content)) = (examples::body(&operation.id), content.as_object_mut()) {
            content.insert("example".into(), example);
        }
        let body = json!({"required": body.required, "content": {"application/json": content}});
        map.insert("requestBody".into(), body);
    }
    map.insert("responses".into(), responses.into());
    made
}

fn permission(operation: &Operation) -> Value {
    match operation.permission {
        Permission::Open => json!({"open": true}),
        Permission::Anybody => json!({"verb": null, "kind": null}),
        Permission::On(verb, kind) => json!({"verb": verb, "kind": kind}),
        Permission::OneOf(verbs, kind) => json!({"verb": verbs, "kind": kind}),
        Permission::Each(verb) => json!({"verb": verb, "kind": "each"}),
        Permission::Every(verb, kind) => json!({"verb": verb, "kind": kind, "every": true}),
    }
}

fn parameters(operation: &Operation, schemas: &mut Schemas) -> Vec<Value> {
    let in_path = operation.path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(|name| {
        // Names of tokens are no DNS labels, and what is no name is simply not there.
        let schema = match name {
            "id" => json!({"type": "string", "format": "uuid"}),
            "revision" => json!({"type": "integer", "minimum": 1}),
            _ => json!({"type": "string", "minLength": 1, "maxLength": 63}),
        };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    });
    let mut all: Vec<Value> = in_path.collect();
    for query in &operation.query {
        let schema = schemas.taken(*query);
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let mut property = property.clone();
            let description = property.as_object_mut().and_then(|map| map.remove("description"));
            schemas::not_null(&mut property);
            let mut parameter = json!({"name": name, "in": "query", "schema": property});
            if let (Some(description), Some(map)) = (description, parameter.as_object_mut()) {
                map.insert("description".into(), description);
            }
            all.push(parameter);
        }
    }
    all.extend(operation.headers.iter().map(|header| header.parameter()));
    all
}

impl Header {
    fn parameter(self) -> Value {
        let (name, description, schema) = match self {
            Self::IfMatch => (
                "If-Match",
                "The ETag of what the caller read: where it is another one by now, nothing is changed (412).",
                json!({"type": "string", "pattern": "^\"[0-9]{1,18}\"$", "examples": ["\"3\""]}),
            ),
            Self::IfNoneMatch => (
                "If-None-Match",
                "`*`: only if there is none of that name yet (412 otherwise).",
                json!({"type": "string", "const": "*"}),
            ),
            Self::IfChanged => (
                "If-None-Match",
                "The ETag of what the caller has: where it is still that one, the answer is 304.",
                json!({"type": "string", "examples": ["\"3\""]}),
            ),
            Self::LastEventId => (
                "Last-Event-ID",
                "For a stream: the id of the last event that was received.",
                json!({"type": "string", "pattern": "^[0-9]{1,18}$"}),
            ),
            Self::Prefer => (
                "Prefer",
                "`respond-async`: answer at once with an operation (202), and go on.",
                json!({"type": "string", "examples": ["respond-async"]}),
            ),
        };
        json!({"name": name, "in": "header", "description": description, "schema": schema})
    }
}

fn answers(operation: &Operation, schemas: &mut Schemas) -> Map<String, Value> {
    let mut answers = Map::new();
    for answer in &operation.answers {
        let said = answers.entry(answer.status.to_string()).or_insert_with(|| json!({"description": ""}));
        let Some(said) = said.as_object_mut() else { continue };
        let all = match said["description"].as_str() {
            Some(before) if !before.is_empty() => format!("{before}; {}", answer.description),
            _ => answer.description.to_owned(),
        };
        said.insert("description".into(), json!(all));
        if answer.etag {
            let tag = json!({"ETag": {
                "description": "what `If-Match` takes", "schema": {"type": "string"},
            }});
            said.insert("headers".into(), tag);
        }
        if let Some((kind, schema)) = answer.content {
            let schema = schemas.sent(schema);
            let content = said.entry("content").or_insert_with(|| json!({}));
            if let Some(content) = content.as_object_mut() {
                let other = content.get(kind).and_then(|media| media.get("schema"));
                let media = match (kind, other) {
                    // Each event's data is such a document; the stream itself is a text.
                    ("text/event-stream", _) => json!({"schema": {"type": "string"}, "x-event-data": schema}),
                    // One status, two shapes: what was done, and what would be.
                    (_, Some(other)) => json!({"schema": {"anyOf": [other, schema]}}),
                    (_, None) => json!({"schema": schema}),
                };
                content.insert(kind.to_owned(), media);
            }
        }
    }
    answers
}

/// What an operation may refuse with.
fn problems(operation: &Operation) -> BTreeSet<u16> {
    // 400: a key in the query that it does not take.
    let mut all: BTreeSet<u16> = [400, 401, 403, 500].into();
    if operation.permission == Permission::Open {
        // What an issuer says may not be enough.
        if operation.id != "exchangeToken" {
            all.remove(&403);
        }
    }
    all.extend(operation.problems.iter().copied());
    if operation.path.contains('{') {
        all.insert(404);
    }
    if operation.body.is_some() {
        all.extend([413, 422]);
    }
    if operation.headers.iter().any(|header| matches!(header, Header::IfMatch | Header::IfNoneMatch)) {
        all.insert(412);
    }
    all
}

fn component(status: u16) -> String {
    if status == 500 { "ProblemOfServer".to_owned() } else { format!("Problem{status}") }
}

fn refusal(status: u16) -> String {
    let codes: Vec<String> = codes_of(status).map(|(code, title)| format!("`{code}`: {title}")).collect();
    codes.join("; ")
}

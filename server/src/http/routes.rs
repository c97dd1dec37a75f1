//! Endpoints: each is said once, with its handler, the permission that it takes, and what the document of the API says of it. The
//! router, the gate and the document are made of that one list, so none of them knows an endpoint that the others do not.
use super::problem::Failure;
use axum::{
    Extension, Router,
    extract::{Query, Request, State},
    handler::Handler,
    http::Method,
    middleware::{self, Next},
    response::Response,
    routing::{MethodFilter, on},
};
use pilotlight_types::{
    api,
    resource::{Kind, RuleKind, Verb, Word},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, fmt, sync::Arc};

/// Makes the schema of a type.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What somebody must be allowed who calls an operation: the one table of permissions, for the gate, the document and the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Nothing, not even a token: it is how one comes by one.
    Open,
    /// Nothing, but to be somebody.
    Anybody,
    /// The verb on the object of this kind that the path names; on any object of the kind where it names none.
    On(Verb, RuleKind),
    /// One of the verbs on objects of this kind: the handler looks at each, for the verb that the body says.
    OneOf(&'static [Verb], RuleKind),
    /// The verb on objects of several kinds: the handler looks at each, and leaves out or refuses what is not allowed.
    Each(Verb),
    /// The verb on every object of this kind, for the answer may be about any.
    Every(Verb, RuleKind),
}

impl fmt::Display for Permission {
    /// As docs/api.md has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("anyone"),
            Self::Anybody => f.write_str("to be somebody"),
            Self::On(verb, kind) => write!(f, "{verb} {kind}"),
            Self::OneOf(verbs, kind) => {
                let verbs: Vec<&str> = verbs.iter().map(|verb| verb.word()).collect();
                write!(f, "{} {kind}", verbs.join(" or "))
            }
            Self::Each(verb) => write!(f, "{verb} each"),
            Self::Every(verb, kind) => write!(f, "{verb} every {kind}"),
        }
    }
}

/// One operation of the API.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path, with `{parameters}`.
    pub path: String,
    /// What it takes to call it.
    pub permission: Permission,
    /// The kind of the resources that it is about, where that is one.
    pub kind: Option<Kind>,
    /// Its name in clients that are generated: `getMachine`.
    pub id: String,
    /// In a line.
    pub summary: String,
    pub(super) filter: MethodFilter,
    pub(super) description: Option<&'static str>,
    pub(super) query: Vec<SchemaOf>,
    pub(super) headers: Vec<Header>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<Answer>,
    pub(super) problems: Vec<u16>,
}

/// A header that a request may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// Only if it is still as the caller knows it.
    IfMatch,
    /// `*`: only if it is not there yet.
    IfNoneMatch,
    /// Only if it is not any more as the caller knows it.
    IfChanged,
    /// Where a stream goes on.
    LastEventId,
    /// `respond-async`: not to be waited for (RFC 7240 section 4.1).
    Prefer,
}

/// A body that a request has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body {
    pub(super) schema: SchemaOf,
    pub(super) required: bool,
}

/// An answer that is no problem.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) description: &'static str,
    pub(super) content: Option<(&'static str, SchemaOf)>,
    pub(super) etag: bool,
}

impl Operation {
    fn new(method: Method, filter: MethodFilter, path: impl Into<String>) -> Self {
        Self {
            method,
            filter,
            path: path.into(),
            // Whoever forgets to say it gives it to the admin alone.
            permission: Permission::Every(Verb::Write, RuleKind::Token),
            kind: None,
            id: String::new(),
            summary: String::new(),
            description: None,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            answers: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// `GET`, which `HEAD` may ask for too.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, MethodFilter::GET, path)
    }

    /// `POST`.
    pub(super) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, MethodFilter::POST, path)
    }

    /// `PUT`.
    pub(super) fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, MethodFilter::PUT, path)
    }

    /// `DELETE`.
    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, MethodFilter::DELETE, path)
    }

    /// Its name in generated clients, and what it does in a line.
    pub(super) fn called(mut self, id: impl Into<String>, summary: impl Into<String>) -> Self {
        (self.id, self.summary) = (id.into(), summary.into());
        self
    }

    /// Takes this permission.
    pub(super) fn takes_right(self, permission: Permission) -> Self {
        let kind = match permission {
            Permission::On(_, kind) | Permission::OneOf(_, kind) => kind,
            Permission::Open | Permission::Anybody | Permission::Each(_) | Permission::Every(..) => {
                RuleKind::Site
            }
        };
        let kind = if let RuleKind::Resource(kind) = kind { Some(kind) } else { None };
        Self { permission, kind, ..self }
    }

    /// Takes the right to do this to the resource that the path names, or to those of the kind where it names none.
    pub(super) fn needs(self, verb: Verb, kind: Kind) -> Self {
        self.takes_right(Permission::On(verb, RuleKind::Resource(kind)))
    }

    /// What a line does not hold.
    pub(super) fn says(self, description: &'static str) -> Self {
        Self { description: Some(description), ..self }
    }

    /// Takes these in its query string.
    pub(super) fn asks<T: JsonSchema>(mut self) -> Self {
        self.query.push(T::json_schema);
        self
    }

    /// The keys that its query string may have.
    fn keys(&self) -> BTreeSet<String> {
        let mut generator = SchemaGenerator::default();
        let keys = |schema: &SchemaOf| {
            let schema = schema(&mut generator);
            let properties = schema.get("properties").and_then(Value::as_object).map(Map::keys);
            properties.into_iter().flatten().cloned().collect::<Vec<_>>()
        };
        self.query.iter().flat_map(keys).collect()
    }

    /// Takes this header.
    pub(super) fn header(mut self, header: Header) -> Self {
        self.headers.push(header);
        self
    }

    /// Takes a body.
    pub(super) fn takes<T: JsonSchema>(self) -> Self {
        self.takes_schema(SchemaGenerator::subschema_for::<T>)
    }

    /// Takes a body with this schema.
    pub(super) fn takes_schema(mut self, schema: SchemaOf) -> Self {
        self.body = Some(Body { schema, required: true });
        self
    }

    /// Takes a body, or none.
    pub(super) fn may_take<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Body { schema: SchemaGenerator::subschema_for::<T>, required: false });
        self
    }

    /// Answers with JSON.
    pub(super) fn answers<T: JsonSchema>(self, status: u16, description: &'static str) -> Self {
        self.answers_schema(status, description, SchemaGenerator::subschema_for::<T>)
    }

    /// Answers with JSON of this schema.
    pub(super) fn answers_schema(mut self, status: u16, description: &'static str, schema: SchemaOf) -> Self {
        let content = Some(("application/json", schema));
        self.answers.push(Answer { status, description, content, etag: false });
        self
    }

    /// Answers as the last one too, as a stream of server-sent events, each of which has this as its data.
    pub(super) fn streams<T: JsonSchema>(self, status: u16, description: &'static str) -> Self {
        self.streams_schema(status, description, SchemaGenerator::subschema_for::<T>)
    }

    /// The same with this schema.
    pub(super) fn streams_schema(mut self, status: u16, description: &'static str, schema: SchemaOf) -> Self {
        let content = Some(("text/event-stream", schema));
        self.answers.push(Answer { status, description, content, etag: false });
        self
    }

    /// Answers without a body.
    pub(super) fn answers_nothing(mut self, status: u16, description: &'static str) -> Self {
        self.answers.push(Answer { status, description, content: None, etag: false });
        self
    }

    /// Its answers so far have an ETag.
    pub(super) fn tagged(mut self) -> Self {
        self.answers.iter_mut().for_each(|answer| answer.etag = true);
        self
    }

    /// May take long: a client that does not want to wait gets an operation.
    pub(super) fn may_last(self) -> Self {
        self.header(Header::Prefer).answers::<api::Operation>(
            202,
            "it goes on, with `Prefer: respond-async`: the operation that `Location` leads to",
        )
    }

    /// May refuse with these too, beside what every operation of its kind may.
    pub(super) fn refuses(mut self, statuses: &[u16]) -> Self {
        self.problems.extend_from_slice(statuses);
        self
    }
}

/// Endpoints that share a state.
#[derive(Debug)]
pub(super) struct Routes<S> {
    prefix: &'static str,
    router: Router<S>,
    operations: Vec<Operation>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None yet; their paths are below `prefix`.
    pub(super) fn under(prefix: &'static str) -> Self {
        Self { prefix, router: Router::new(), operations: Vec::new() }
    }

    /// One more. The handler may ask for the [`Kind`] of the objects as an extension.
    pub(super) fn on<H, T>(mut self, mut operation: Operation, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        operation.path.insert_str(0, self.prefix);
        let keys = Arc::new(operation.keys());
        let mut route = on(operation.filter, handler).layer(middleware::from_fn_with_state(keys, known_keys));
        if let Some(kind) = operation.kind {
            route = route.layer(Extension(kind));
        }
        self.router = self.router.route(&operation.path, route);
        self.operations.push(operation);
        self
    }

    /// As many more as these make.
    pub(super) fn each<I>(self, items: impl IntoIterator<Item = I>, add: impl Fn(Self, I) -> Self) -> Self {
        items.into_iter().fold(self, add)
    }

    /// What they are.
    pub(super) fn operations(self) -> Vec<Operation> {
        self.operations
    }

    /// The router.
    pub(super) fn with_state(self, state: S) -> Router {
        self.router.with_state(state)
    }
}

/// Refuses what a query string has and the operation does not take: a misspelt `dry-run` would be done in earnest. And what nothing
/// takes.
async fn known_keys(
    State(keys): State<Arc<BTreeSet<String>>>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let query = Query::<Vec<(String, String)>>::try_from_uri(request.uri());
    let Query(pairs) = query.map_err(|error| Failure::bad_request(error.body_text()))?;
    // Nothing that is asked for has one, and PostgreSQL takes no text with a NUL in it. A message may have several lines.
    let strange = |c: char| c.is_control() && c != '\n';
    if let Some((key, _)) = pairs.iter().find(|(_, value)| value.contains(strange)) {
        let key = key.escape_default();
        return Err(Failure::bad_request(format!("`{key}`: printable characters are expected")));
    }
    let Some((unknown, _)) = pairs.iter().find(|(key, _)| !keys.contains(key)) else {
        return Ok(next.run(request).await);
    };
    let known: Vec<&str> = keys.iter().map(String::as_str).collect();
    let takes = if known.is_empty() { "nothing".to_owned() } else { format!("`{}`", known.join("`, `")) };
    Err(Failure::bad_request(format!(
        "`?{}=` is not known here: this takes {takes}",
        unknown.escape_default()
    )))
}

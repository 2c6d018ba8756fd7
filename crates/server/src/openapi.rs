//! The OpenAPI document of the API: which routes there are, what they take, and what they answer.
//!
//! The schemas are those of the types that the handlers read and write, with their doc comments. Who may call a route is
//! what the router says. A test compares the document with the router, in both directions.

mod operations;
mod schemas;

use std::sync::{LazyLock, OnceLock};

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use self::{
    operations::{Answer, Operation, operations},
    schemas::Schemas,
};
use crate::{
    access::{Access, Route},
    etag,
};

/// The document as it is sent, and its tag.
struct Document {
    value: Value,
    text: String,
    tag: HeaderValue,
}

/// The routes that the document describes, the same for every server of this program.
static ROUTES: OnceLock<Vec<Route>> = OnceLock::new();

/// Built when it is first asked for: a server starts without it.
static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let value = build(ROUTES.get().map_or(&[], Vec::as_slice));
    let text = value.to_string();
    Document {
        tag: etag::of(&text),
        value,
        text,
    }
});

/// The document.
pub(crate) fn document() -> &'static Value {
    &DOCUMENT.value
}

/// Tells which routes there are.
pub(crate) fn describe_routes(routes: &[Route]) {
    ROUTES.get_or_init(|| routes.to_vec());
}

/// `GET /openapi.json`.
pub(crate) async fn get(headers: HeaderMap) -> Response {
    let shared = [
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=300"),
        ),
        (header::ETAG, DOCUMENT.tag.clone()),
    ];
    if etag::is_known(headers.get_all(header::IF_NONE_MATCH), &DOCUMENT.tag) {
        return (StatusCode::NOT_MODIFIED, shared).into_response();
    }
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (shared, kind, DOCUMENT.text.as_str()).into_response()
}

fn build(routes: &[Route]) -> Value {
    let mut schemas = Schemas::default();
    let problem = schemas.answer::<model::problem::Problem>();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        let access = routes
            .iter()
            .find(|route| route.method == operation.method && route.path == operation.path)
            .map(|route| route.access);
        let described = describe(&operation, access, &mut schemas, &problem);
        let methods = paths
            .entry(operation.path.to_owned())
            .or_insert_with(|| json!({}));
        methods[operation.method.as_str().to_ascii_lowercase()] = described;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "toolhub",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Which tools of a team's coding agents work, what they cost, and which are dead weight",
            "description": "Answers are JSON; errors are `application/problem+json` with a stable `code`. Lists answer \
                `next_cursor`, which the parameter `cursor` takes. An unknown parameter is an error.",
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": "/" }],
        "tags": operations::TAGS.iter()
            .map(|(name, description)| json!({ "name": name, "description": description }))
            .collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "A token (`thb_…`) of `toolhub login`, `toolhub tokens create`, or an exchange of a CI identity",
                },
            },
            "schemas": schemas.finish(),
        },
    })
}

fn describe(operation: &Operation, access: Option<Access>, schemas: &mut Schemas, problem: &Value) -> Value {
    let mut parameters = path_parameters(operation.path);
    if let Some(query) = operation.query {
        parameters.extend(query(schemas));
    }
    parameters.extend(operation.headers.iter().map(|(name, description)| {
        json!({
            "name": name, "in": "header", "required": false, "description": description,
            "schema": { "type": "string" },
        })
    }));
    let mut described = json!({
        "operationId": operation.id(),
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": parameters,
        "responses": responses(operation, access, schemas, problem),
    });
    let (needs, security) = needs(access);
    described["description"] = json!(match operation.details {
        "" => needs,
        details => format!("{details} {needs}"),
    });
    described["security"] = security;
    if let Some((media, schema)) = operation.body {
        let schema = schema(schemas);
        let content: Map<String, Value> = media
            .iter()
            .map(|media| {
                let schema = match *media {
                    "application/x-ndjson" => json!({ "type": "string", "description": "An event per line" }),
                    _ => schema.clone(),
                };
                ((*media).to_owned(), json!({ "schema": schema }))
            })
            .collect();
        described["requestBody"] = json!({ "required": true, "content": content });
    }
    described
}

fn responses(operation: &Operation, access: Option<Access>, schemas: &mut Schemas, problem: &Value) -> Value {
    let answer = match operation.answer {
        Answer::Json(schema) => json!({ "application/json": { "schema": schema(schemas) } }),
        Answer::Other("application/json") => json!({ "application/json": { "schema": {} } }),
        Answer::Other(media) => json!({ media: { "schema": { "type": "string" } } }),
        Answer::Nothing => json!(null),
    };
    let mut responses = Map::new();
    let mut done = json!({ "description": operation.done });
    if !answer.is_null() {
        done["content"] = answer;
    }
    responses.insert(operation.status.to_string(), done);
    if operation.cached {
        responses.insert(
            "304".to_owned(),
            json!({ "description": "The caller's `If-None-Match` has it already" }),
        );
    }
    let error = |description: &str| {
        json!({
            "description": description,
            "content": { "application/problem+json": { "schema": problem } },
        })
    };
    let mut errors = vec![];
    if !matches!(access, Some(Access::Probe)) {
        errors.push((
            400,
            "A parameter or the body is invalid (`invalid_parameter`, `invalid_body`, …)",
        ));
        errors.push((429, "Too many requests: `Retry-After` says when to come again"));
        errors.push((
            503,
            "The server or its database is busy or stopping: `Retry-After` says when to come again",
        ));
    }
    if !matches!(access, Some(Access::Probe | Access::Public)) {
        errors.push((401, "No token, or one that is unknown, ended or revoked"));
        errors.push((403, "The token's scope, or the member's role, does not allow it"));
    }
    errors.extend(operation.errors);
    for (status, description) in errors {
        let response = if status < 400 {
            json!({ "description": description })
        } else {
            error(description)
        };
        responses.insert(status.to_string(), response);
    }
    responses.insert("default".to_owned(), error("Any other error"));
    Value::Object(responses)
}

/// What a caller needs, in a sentence, and as OpenAPI says it.
fn needs(access: Option<Access>) -> (String, Value) {
    let token = || json!([{ "token": [] }]);
    match access {
        Some(Access::Scope(scope)) => (format!("Needs a token with the scope `{scope}`."), token()),
        Some(Access::Role(role)) => (
            format!("Needs a token with the scope `admin`, of a member with at least the role `{role}`."),
            token(),
        ),
        Some(Access::Token) => ("Needs a token of any scope.".to_owned(), token()),
        _ => ("Needs no token.".to_owned(), json!([])),
    }
}

fn path_parameters(path: &str) -> Vec<Value> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            let (schema, description) = match name {
                "board" => {
                    let boards: Vec<&str> = model::api::Board::ALL.iter().map(|board| board.as_str()).collect();
                    (json!({ "type": "string", "enum": boards }), "Of what the rows are")
                }
                "tool_id" => (json!({ "type": "string", "examples": ["mcp:linear"] }), "The tool"),
                "handle" => (json!({ "type": "string" }), "The handle of the member"),
                _ => (json!({ "type": "string" }), "The id, as the list answers it"),
            };
            json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema })
        })
        .collect()
}

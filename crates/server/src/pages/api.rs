//! `/docs/api`: the document of the API, for people. Everything on it comes from `/openapi.json`.

use std::collections::BTreeMap;

use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::{layout, visit::Visit};
use crate::{error::ApiError, extract::Query, openapi};

/// Where the document's schemas are.
const SCHEMAS: &str = "#/components/schemas/";

/// Which part is shown: both in one page are heavier than a page may be.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Part {
    #[default]
    Routes,
    Bodies,
}

/// The parameters of the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shown {
    #[serde(default)]
    part: Part,
}

/// The page.
pub(crate) async fn get(visit: Visit, Query(shown): Query<Shown>) -> Result<Response, ApiError> {
    let document = openapi::document();
    let content = html! {
        p .lede {
            "Every route, what it takes and what it answers. The same as a document for programs: "
            a href="/openapi.json" { "openapi.json" } "."
        }
        @match shown.part {
            Part::Routes => {
                p { a href="?part=bodies" { "Bodies and answers" } " are on a page of their own." }
                (routes(document))
            }
            Part::Bodies => {
                p { a href="?part=routes" { "The routes" } " are on a page of their own." }
                (bodies(document))
            }
        }
    };
    layout::Page {
        visit: &visit,
        title: "API",
        section: "/docs/api",
        as_of: None,
        content,
    }
    .respond()
}

fn routes(document: &Value) -> Markup {
    let usual = usual_errors(document);
    html! {
        @for tag in list(&document["tags"]) {
            section .routes {
                h2 { (text(&tag["name"])) }
                p { (text(&tag["description"])) "." }
                @for (path, method, operation) in operations(document, text(&tag["name"])) {
                    (route(path, method, operation, &usual))
                }
            }
        }
        section {
            h2 { "Errors" }
            p {
                "Each is a " (link("Problem")) " with a stable code. Most routes may answer "
                (usual.join(", ")) "; a route lists the others."
            }
            dl .errors {
                @for (status, description) in errors(document) {
                    dt { code { (status) } }
                    dd { (description) }
                }
            }
        }
    }
}

fn bodies(document: &Value) -> Markup {
    html! {
        section .routes {
            h2 { "Bodies and answers" }
            p { "A field with a question mark is optional." }
            @let schemas = &document["components"]["schemas"];
            @for (name, schema) in fields(schemas) {
                // What is sent as it is answered is described once.
                @let answered = name.strip_suffix("Request").is_some_and(|name| schemas[name].is_object());
                @if !answered { (described(name, schema)) }
            }
        }
    }
}

/// A link to what is described among the bodies.
fn link(name: &str) -> Markup {
    html! { a href={ "?part=bodies#" (name) } { (name) } }
}

/// The operations with a tag.
fn operations<'d>(document: &'d Value, tag: &'d str) -> impl Iterator<Item = (&'d str, &'d str, &'d Value)> {
    fields(&document["paths"])
        .flat_map(|(path, methods)| fields(methods).map(move |(method, operation)| (path, method, operation)))
        .filter(move |(_, _, operation)| operation["tags"][0] == tag)
}

/// Every status of an error, each with what it says first.
fn errors(document: &Value) -> BTreeMap<&str, &str> {
    let mut errors = BTreeMap::new();
    for (status, response) in fields(&document["paths"])
        .flat_map(|(_, methods)| fields(methods))
        .flat_map(|(_, operation)| fields(&operation["responses"]))
        .filter(|(status, _)| status.starts_with(['4', '5']))
    {
        errors.entry(status).or_insert(text(&response["description"]));
    }
    errors
}

/// The errors of most routes, which are not listed with each.
fn usual_errors(document: &Value) -> Vec<&str> {
    let mut routes = 0;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, operation) in fields(&document["paths"]).flat_map(|(_, methods)| fields(methods)) {
        routes += 1;
        for (status, _) in
            fields(&operation["responses"]).filter(|(status, _)| status.starts_with(['4', '5']))
        {
            *counts.entry(status).or_default() += 1;
        }
    }
    let usual = counts.into_iter().filter(|(_, count)| count * 2 > routes);
    usual.map(|(status, _)| status).collect()
}

fn route(path: &str, method: &str, operation: &Value, usual: &[&str]) -> Markup {
    html! {
        details {
            summary {
                code { (method.to_ascii_uppercase()) " " (path) }
                " " (text(&operation["summary"]))
            }
            @let description = text(&operation["description"]);
            @if !description.is_empty() { p { (description) } }
            @let parameters = list(&operation["parameters"]);
            @let pages = parameters.iter().any(|one| one["name"] == "cursor");
            @if pages { p { "A list: " code { "limit" } " and " code { "cursor" } " page it." } }
            @let parameters: Vec<&Value> = parameters.iter().filter(|one| !pages || !is_paging(one)).collect();
            @if !parameters.is_empty() {
                dl {
                    @for parameter in parameters {
                        dt { (text(&parameter["name"])) }
                        dd { (place(parameter)) (kind(&parameter["schema"])) " " (text(&parameter["description"])) }
                    }
                }
            }
            @for (media, content) in fields(&operation["requestBody"]["content"]) {
                p { "Takes " code { (media) } ": " (kind(&content["schema"])) }
            }
            @for (status, response) in fields(&operation["responses"]) {
                @if status.starts_with('2') {
                    p {
                        "Answers " (status) ": " (text(&response["description"]))
                        @for (_, content) in fields(&response["content"]) { ", " (kind(&content["schema"])) }
                    }
                }
            }
            @let others: Vec<&str> = fields(&operation["responses"])
                .map(|(status, _)| status)
                .filter(|status| status.starts_with(['3', '4', '5']) && !usual.contains(status))
                .collect();
            @if !others.is_empty() { p { "Also: " (others.join(", ")) } }
        }
    }
}

/// The two parameters of every list.
fn is_paging(parameter: &Value) -> bool {
    matches!(parameter["name"].as_str(), Some("limit" | "cursor"))
}

fn place(parameter: &Value) -> &'static str {
    match parameter["in"].as_str() {
        Some("path") => "in the path: ",
        Some("header") => "a header: ",
        _ => "",
    }
}

fn described(name: &str, schema: &Value) -> Markup {
    let required = list(&schema["required"]);
    html! {
        details id=(name) {
            summary { code { (name) } " " (text(&schema["description"])) }
            @if schema["properties"].is_object() {
                dl {
                    @for (key, field) in fields(&schema["properties"]) {
                        dt { (key) @if !required.iter().any(|one| one == key) { "?" } }
                        dd { (kind(field)) " " (text(&field["description"])) }
                    }
                }
            } @else { p { (kind(schema)) } }
        }
    }
}

/// What a value is, in words; a link where it is described elsewhere.
fn kind(schema: &Value) -> Markup {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|reference| reference.strip_prefix(SCHEMAS))
    {
        let schemas = &openapi::document()["components"]["schemas"];
        let answered = name
            .strip_suffix("Request")
            .filter(|answered| schemas[*answered].is_object());
        let shown = answered.unwrap_or(name);
        return link(shown);
    }
    if let Some(words) = schema["enum"].as_array() {
        return html! { @for (nth, word) in words.iter().filter(|word| word.is_string()).enumerate() {
            @if nth > 0 { ", " } (text(word))
        } };
    }
    let any = [&schema["anyOf"], &schema["oneOf"]]
        .into_iter()
        .flat_map(list)
        .filter(|one| one["type"] != "null");
    let any: Vec<&Value> = any.collect();
    if !any.is_empty() {
        return html! { @for (nth, one) in any.into_iter().enumerate() {
            @if nth > 0 { " or " } (kind(one))
        } };
    }
    if schema["items"].is_object() {
        return html! { "list of " (kind(&schema["items"])) };
    }
    let word = schema["type"].as_str().or_else(|| {
        let words = schema["type"].as_array()?;
        words
            .iter()
            .filter_map(Value::as_str)
            .find(|word| *word != "null")
    });
    let word = match (word, schema["format"].as_str()) {
        (_, Some("date-time")) => "time",
        (_, Some("date")) => "day",
        (Some("integer"), _) => "integer",
        (Some("number"), _) => "number",
        (Some("boolean"), _) => "true or false",
        (Some("string"), _) => "text",
        _ => "value",
    };
    html! { (word) }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn fields(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value))
}

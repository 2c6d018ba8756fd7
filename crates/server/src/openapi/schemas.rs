//! The schemas of the document: of bodies and answers as components, of queries as parameters.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Collects the schemas that the document refers to. What is read and what is written can differ in what is required.
pub(super) struct Schemas {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

impl Default for Schemas {
    fn default() -> Schemas {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Schemas {
            read: settings().for_deserialize().into_generator(),
            written: settings().for_serialize().into_generator(),
        }
    }
}

impl Schemas {
    /// The schema of what the server answers.
    pub(super) fn answer<T: JsonSchema>(&mut self) -> Value {
        self.written.subschema_for::<T>().to_value()
    }

    /// The schema of what a caller sends.
    pub(super) fn request<T: JsonSchema>(&mut self) -> Value {
        let mut schema = self.read.subschema_for::<T>().to_value();
        to_requests(&mut schema);
        schema
    }

    /// The parameters of a query.
    pub(super) fn parameters<T: JsonSchema>(&mut self) -> Vec<Value> {
        let mut schema = self.read.root_schema_for::<T>().to_value();
        let Value::Object(properties) = schema["properties"].take() else {
            return Vec::new();
        };
        let definitions = schema["components"]["schemas"].take();
        properties
            .into_iter()
            .map(|(name, mut schema)| {
                let description = schema
                    .as_object_mut()
                    .and_then(|schema| schema.remove("description"));
                json!({
                    "name": name, "in": "query", "required": false,
                    "description": description.unwrap_or_default(),
                    "schema": parameter(schema, &definitions),
                })
            })
            .collect()
    }

    /// All components.
    pub(super) fn finish(mut self) -> Map<String, Value> {
        let mut schemas = self.written.take_definitions(true);
        for (name, mut schema) in self.read.take_definitions(true) {
            to_requests(&mut schema);
            schemas.insert(request_name(&name), schema);
        }
        schemas
    }
}

/// The component of a type as it is read, beside the one as it is written.
fn request_name(name: &str) -> String {
    if name.ends_with("Request") || name.ends_with("Change") {
        name.to_owned()
    } else {
        format!("{name}Request")
    }
}

/// Lets references point to the components of what is read.
fn to_requests(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                match (key.as_str(), &mut *value) {
                    ("$ref", Value::String(reference)) => {
                        if let Some((path, name)) = reference.rsplit_once('/') {
                            *reference = format!("{path}/{}", request_name(name));
                        }
                    }
                    _ => to_requests(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(to_requests),
        _ => {}
    }
}

/// A query has no null: a parameter is there or it is not. Words stand in the parameter itself.
fn parameter(mut schema: Value, definitions: &Value) -> Value {
    if let Some(any) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        any.retain(|one| one["type"] != "null");
        if let [one] = any.as_slice() {
            schema = one.clone();
        }
    }
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|reference| reference.rsplit('/').next())
    {
        schema = definitions[name].clone();
    }
    if let Some(object) = schema.as_object_mut() {
        object.remove("default");
        object.remove("description");
        if let Some(kinds) = object.get_mut("type").filter(|kinds| kinds.is_array()) {
            let kind = kinds
                .as_array()
                .and_then(|kinds| kinds.iter().find(|kind| *kind != "null"))
                .cloned();
            *kinds = kind.unwrap_or_default();
        }
        if let Some(words) = object.get_mut("enum").and_then(Value::as_array_mut) {
            words.retain(|word| !word.is_null());
        }
    }
    schema
}

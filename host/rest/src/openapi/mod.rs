//! `GET /api/v1/openapi.json`: the routes as an OpenAPI 3.1 document, made of the same rows that answer requests.
//!
//! Not here: Kafka Connect's interface, which its own project describes.

mod connectors;
mod host;
mod records;
mod shape;
mod workbench;

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use self::shape::{Shape, named, object};
use crate::routes::{self, Content, Route};

/// `GET /api/v1/openapi.json`
pub(crate) async fn openapi() -> impl IntoResponse {
    /// It is large and never changes.
    static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str())
}

/// Returns the document.
pub(crate) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in routes::all() {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.to_lowercase(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "linkspan", "version": env!("CARGO_PKG_VERSION"),
            "description": "What linkspan has beyond Kafka Connect's REST interface, which it answers beside this one. \
                Fields may be added at any time; null means not known. Times in `…_ms` are milliseconds since 1970 UTC.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "basic": { "type": "http", "scheme": "basic" },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
        },
    })
}

/// All named shapes.
fn schemas() -> Map<String, Value> {
    let error = object(&[
        ("error_code", shape::integer()),
        ("code", shape::text()),
        ("message", shape::text()),
        ("help?", shape::text()),
    ]);
    let mut shapes: Vec<Shape> = vec![("Error", error)];
    shapes.extend(host::shapes());
    shapes.extend(connectors::shapes());
    shapes.extend(records::shapes());
    shapes.extend(workbench::shapes());
    shapes
        .into_iter()
        .map(|(name, shape)| (name.to_owned(), shape))
        .collect()
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = route
        .captures()
        .map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    parameters.extend(route.query.iter().map(|param| {
        json!({
            "name": param.name, "in": "query", "required": false, "description": param.docs,
            "schema": { "type": param.kind },
        })
    }));
    let mut responses = Map::new();
    for status in route.statuses {
        let mut response = json!({ "description": "done" });
        if let (Some(content), Some(response)) = (content(route.answer), response.as_object_mut()) {
            response.insert("content".to_owned(), content);
        }
        responses.insert(status.to_string(), response);
    }
    responses.insert(
        "default".to_owned(),
        json!({
            "description": "refused: what, where, why, and what to do",
            "content": { "application/json": { "schema": named("Error") } },
        }),
    );
    let mut operation = json!({
        "operationId": id(route), "summary": route.summary, "tags": [tag(route)],
        "parameters": parameters, "responses": responses, "x-role": route.role.word(),
        "security": [{}, { "basic": [] }, { "bearer": [] }],
    });
    if let Some(operation) = operation.as_object_mut() {
        if let Some(content) = content(route.body) {
            operation.insert("requestBody".to_owned(), json!({ "content": content }));
        }
        if route.on_machine {
            operation.insert("x-on-machine".to_owned(), true.into());
        }
    }
    operation
}

fn content(content: Content) -> Option<Value> {
    Some(match content {
        Content::Nothing => return None,
        Content::Json(shape) => json!({ "application/json": { "schema": named(shape) } }),
        Content::Lines(shape) => json!({ "application/x-ndjson": { "schema": named(shape) } }),
        Content::Events => json!({ "text/event-stream": { "schema": { "type": "string" } } }),
        Content::Metrics => json!({ "text/plain": { "schema": { "type": "string" } } }),
    })
}

/// The first word behind the version.
fn tag(route: &Route) -> &'static str {
    let path = route
        .path
        .trim_start_matches("/api/v1")
        .trim_start_matches('/');
    path.split('/').next().unwrap_or_default()
}

/// The method and the path as one word: `put_connectors_name_pause`.
fn id(route: &Route) -> String {
    let path = route.path.trim_start_matches("/api/v1");
    let words: String = path
        .chars()
        .filter(|c| !matches!(c, '{' | '}'))
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    format!("{}{words}", route.method.to_lowercase())
}

#[cfg(test)]
/// The names of shapes that are used in a value.
fn used(value: &Value, names: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_str() {
                    Some(text) if key == "$ref" => {
                        names.insert(text.trim_start_matches(shape::PLACE).to_owned());
                    }
                    _ => used(value, names),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| used(item, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_shape_is_there_and_used() {
        let document = document();
        let mut names = BTreeSet::new();
        used(&document, &mut names);
        let known: BTreeSet<String> = schemas().keys().cloned().collect();
        assert_eq!(names, known);
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let ids: BTreeSet<String> = routes::all().map(id).collect();
        assert_eq!(ids.len(), routes::all().count());
        assert!(ids.contains("put_connectors_name_pause"), "{ids:?}");
    }
}

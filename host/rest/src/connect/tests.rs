//! The HTTP layer against a host that knows nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::*;
use crate::connectors::ConnectorCommand;

#[derive(Debug)]
struct Nobody;

fn unknown(name: &str) -> Refusal {
    Refusal::new(404, "LS0610", format!("Unknown connector {name}"))
}

impl ConnectHost for Nobody {
    fn server(&self) -> ServerInfo {
        ServerInfo {
            version: "1".to_owned(),
            commit: "2".to_owned(),
            kafka_cluster_id: "3".to_owned(),
        }
    }
    fn ready(&self) -> Result<(), String> {
        Err("It opens the log.".to_owned())
    }
    fn list(&self, _: Expand) -> Result<Vec<Listed>, Refusal> {
        Ok(Vec::new())
    }
    fn info(&self, name: &str) -> Result<ConnectorInfo, Refusal> {
        Err(unknown(name))
    }
    fn state(&self, name: &str) -> Result<ConnectorState, Refusal> {
        Err(unknown(name))
    }
    fn tasks(&self, name: &str) -> Result<Value, Refusal> {
        Err(unknown(name))
    }
    fn topics(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn reset_topics(&self, _: &str) {}
    fn configure(
        &self,
        name: &str,
        config: BTreeMap<String, String>,
        _: InitialState,
        _: bool,
    ) -> Result<Created, Refusal> {
        Ok(Created {
            new: true,
            info: ConnectorInfo {
                name: name.to_owned(),
                config,
                tasks: Vec::new(),
                kind: "source".to_owned(),
            },
        })
    }
    fn patch(
        &self,
        name: &str,
        _: BTreeMap<String, Option<String>>,
    ) -> Result<ConnectorInfo, Refusal> {
        Err(unknown(name))
    }
    fn remove(&self, name: &str) -> Result<(), Refusal> {
        Err(unknown(name))
    }
    fn restart(&self, name: &str, _: bool, _: bool) -> Result<ConnectorState, Refusal> {
        Err(unknown(name))
    }
    fn act(&self, name: &str, _: ConnectorCommand) -> Result<Value, Refusal> {
        Err(unknown(name))
    }
    fn plugins(&self, _: bool) -> Vec<PluginRow> {
        Vec::new()
    }
    fn plugin_config(&self, plugin: &str) -> Result<Value, Refusal> {
        Err(Refusal::new(
            404,
            "LS0611",
            format!("Unknown plugin {plugin}."),
        ))
    }
    fn validate(
        &self,
        _: &str,
        _: BTreeMap<String, Option<String>>,
        _: bool,
    ) -> Result<Value, Refusal> {
        Ok(json!({}))
    }
    fn loggers(&self) -> BTreeMap<String, LoggerLevel> {
        BTreeMap::new()
    }
    fn set_logger(&self, _: &str, _: &str) -> Result<Vec<String>, Refusal> {
        Ok(Vec::new())
    }
}

async fn ask(request: Request<Body>) -> (u16, Option<String>, Vec<u8>) {
    let response = respond(Arc::new(Nobody), request).await;
    let status = response.status().as_u16();
    let location = response
        .headers()
        .get("location")
        .map(|value| value.to_str().unwrap().to_owned());
    let body = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .unwrap();
    (status, location, body.to_vec())
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

/// Path before method, method before types, types before the resource.
#[tokio::test]
async fn the_order_of_checks() {
    let json = ("content-type", "application/json");
    for (method, path, headers, body, status) in [
        ("GET", "/nope", &[("accept", "text/html")][..], "", 404),
        ("PUT", "/connectors", &[("accept", "text/html")], "", 405),
        ("FOO", "/connectors", &[], "", 405),
        ("GET", "/connectors/x", &[("accept", "text/html")], "", 406),
        (
            "GET",
            "/connectors/x",
            &[("content-type", "text/plain")],
            "",
            415,
        ),
        ("POST", "/connectors", &[], "{}", 415),
        ("POST", "/connectors", &[json], "{", 400),
        ("GET", "/connectors/x/tasks/x/status", &[], "", 404),
        ("POST", "/connectors/x/tasks/x/status", &[], "", 405),
        ("PATCH", "/connectors/x/config", &[json], "null", 404),
        ("PATCH", "/connectors/x/config", &[json], "{", 400),
        ("GET", "/health", &[], "", 503),
        ("PUT", "/connectors/x/fence", &[], "", 400),
    ] {
        let (got, _, body) = ask(request(method, path, headers, body)).await;
        assert_eq!(got, status, "{method} {path}");
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert!(status == 503 || answer["error_code"] == status, "{answer}");
        assert!(!answer["message"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn head_has_no_body_and_options_says_the_methods() {
    let (status, _, body) = ask(request("HEAD", "/connectors", &[], "")).await;
    assert_eq!((status, body.len()), (200, 0));
    let (status, _, body) = ask(request("OPTIONS", "/connectors/x/config", &[], "")).await;
    assert_eq!(
        (status, body.as_slice()),
        (200, &b"HEAD, GET, PUT, PATCH, OPTIONS"[..])
    );
    assert_eq!(ask(request("OPTIONS", "/nope", &[], "")).await.0, 404);
}

#[tokio::test]
async fn names_are_trimmed_by_post_and_shown_in_location() {
    let json = [("content-type", "application/json"), ("host", "h:1")];
    let body = r#"{"name":" a b ","config":{"x":1}}"#;
    let (status, location, body) = ask(request("POST", "/connectors", &json, body)).await;
    assert_eq!(
        (status, location.as_deref()),
        (201, Some("http://h:1/connectors/a%20b"))
    );
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["config"], json!({"x": "1", "name": "a b"}));
    let mismatch = r#"{"name":"a","config":{"name":"b"}}"#;
    assert_eq!(
        ask(request("POST", "/connectors", &json, mismatch)).await.0,
        400
    );
    let null = r#"{"name":null,"x":"y"}"#;
    let put = ask(request("PUT", "/connectors/a/config", &json, null)).await;
    assert_eq!(put.0, 201);
}

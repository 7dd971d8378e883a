//! Answers: JSON, empty ones, errors, and what OPTIONS says.

use axum::body::Body;
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Response as HttpResponse, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde_json::json;

use super::path;
use crate::refusal::Refusal;

/// The header with the stable code of a refusal.
const CODE: HeaderName = HeaderName::from_static("linkspan-code");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

fn build(status: StatusCode, body: Body) -> Response {
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    response
}

/// A body of JSON.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let Ok(bytes) = serde_json::to_vec(body) else {
        return error(&Refusal::new(
            500,
            "LS0499",
            "the answer cannot be written as JSON",
        ));
    };
    let mut response = build(status, Body::from(bytes));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// No body.
pub(super) fn empty(status: StatusCode) -> Response {
    build(status, Body::empty())
}

/// 201 with where the connector is.
pub(super) fn created(base: &str, name: &str, body: &impl Serialize) -> Response {
    let mut response = json(StatusCode::CREATED, body);
    let location = format!("{base}/connectors/{}", path::encode(name));
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Every error has this shape: `{"error_code", "message"}`; the message ends with what to do.
pub(crate) fn error(refusal: &Refusal) -> Response {
    let status =
        StatusCode::from_u16(refusal.error_code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let message = match &refusal.help {
        Some(help) => format!("{}. {help}", refusal.message.trim_end_matches('.')),
        None => refusal.message.clone(),
    };
    let mut response = json(
        status,
        &json!({ "error_code": refusal.error_code, "message": message }),
    );
    // Beside the body: strict clients of Kafka Connect refuse fields that it does not have.
    response
        .headers_mut()
        .insert(CODE, HeaderValue::from_static(refusal.code));
    response
}

/// OPTIONS of a resource that exists: its methods, as text where any type is welcome.
pub(super) fn options(parts: &Parts, methods: &[Method]) -> Response {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if methods.contains(&Method::GET) {
        names.insert(0, "HEAD");
    }
    names.push("OPTIONS");
    let wanted = parts
        .headers
        .get(ACCEPT)
        .filter(|value| value.as_bytes() != b"*/*");
    let (kind, body) = match wanted {
        Some(wanted) => (wanted.clone(), Body::empty()),
        None => (
            HeaderValue::from_static("text/plain"),
            Body::from(names.join(", ")),
        ),
    };
    let mut response = build(StatusCode::OK, body);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    if let Ok(allow) = HeaderValue::from_str(&names.join(",")) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

/// The answer to HEAD.
pub(super) fn without_body(response: Response) -> Response {
    let (parts, _) = response.into_parts();
    HttpResponse::from_parts(parts, Body::empty())
}

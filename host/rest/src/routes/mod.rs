//! Every route of `/api/v1` and `/metrics`, once: what it is called, who may call it, what it takes and answers, and who does it.
//!
//! ```text
//! rows (here) ─┬─► the router, and what it answers to a path or a method that is not there ([`dispatch`])
//!              ├─► the role that a request needs ([`need`])
//!              └─► /api/v1/openapi.json ([`crate::openapi`]), README.md
//! ```
//! Not here: the shapes that are named (`openapi/schemas.rs`), Kafka Connect's routes (`connect/route.rs`).

mod connectors;
mod host;
mod records;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;

use crate::api::Host;
use crate::refusal::Refusal;
use crate::role::Role;

/// Bytes of a refusal that is given another shape.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// What travels, in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing.
    Nothing,
    /// JSON of a named shape.
    Json(&'static str),
    /// Lines, each JSON of a named shape.
    Lines(&'static str),
    /// Server-sent events.
    Events,
    /// Text for Prometheus.
    Metrics,
}

/// A parameter behind the question mark.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    /// JSON Schema's word.
    pub(crate) kind: &'static str,
    pub(crate) docs: &'static str,
}

/// One action.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// Captures in braces.
    pub(crate) path: &'static str,
    pub(crate) role: Role,
    /// A sentence without its full stop.
    pub(crate) summary: &'static str,
    pub(crate) query: &'static [Param],
    pub(crate) body: Content,
    pub(crate) answer: Content,
    /// Statuses of a success.
    pub(crate) statuses: &'static [u16],
    /// Only over the data directory's socket: it touches files of the machine.
    pub(crate) on_machine: bool,
    handler: fn() -> MethodRouter<Host>,
}

impl Route {
    const fn new(
        method: &'static str,
        path: &'static str,
        role: Role,
        summary: &'static str,
        handler: fn() -> MethodRouter<Host>,
    ) -> Self {
        Self {
            method,
            path,
            role,
            summary,
            query: &[],
            body: Content::Nothing,
            answer: Content::Nothing,
            statuses: &[200],
            on_machine: false,
            handler,
        }
    }

    const fn asks(mut self, query: &'static [Param]) -> Self {
        self.query = query;
        self
    }

    const fn takes(mut self, shape: &'static str) -> Self {
        self.body = Content::Json(shape);
        self
    }

    const fn takes_lines(mut self, shape: &'static str) -> Self {
        self.body = Content::Lines(shape);
        self
    }

    const fn answers(mut self, shape: &'static str) -> Self {
        self.answer = Content::Json(shape);
        self
    }

    const fn answers_with(mut self, content: Content) -> Self {
        self.answer = content;
        self
    }

    const fn with(mut self, statuses: &'static [u16]) -> Self {
        self.statuses = statuses;
        self
    }

    const fn on_the_machine(mut self) -> Self {
        self.on_machine = true;
        self
    }

    /// The names in the braces of its path.
    pub(crate) fn captures(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(capture)
    }
}

fn capture(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// All routes.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    [host::ROWS, connectors::ROWS, records::ROWS]
        .into_iter()
        .flatten()
}

/// The router of all of them.
pub(crate) fn router() -> axum::Router<Host> {
    all().fold(axum::Router::new(), |router, route| {
        router.route(route.path, (route.handler)())
    })
}

/// Why there is no route.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Nothing has this path.
    Path,
    /// Something has, for these methods.
    Method(Vec<&'static str>),
}

impl Missing {
    /// The methods for `Allow`.
    fn allow(methods: &[&'static str]) -> String {
        let mut allow = methods.to_vec();
        if allow.contains(&"GET") {
            allow.push("HEAD");
        }
        allow.push("OPTIONS");
        allow.join(", ")
    }

    /// The answer: 404, or 405 with `Allow`; 204 to who only asked what there is.
    fn answer(&self, method: &Method, path: &str) -> Response {
        let path = path.escape_debug();
        let methods = match self {
            Self::Path => {
                return Refusal::new(404, "LS0601", format!("there is nothing at `{path}`"))
                    .help("/api/v1/openapi.json lists what there is")
                    .into_response();
            }
            Self::Method(methods) => Self::allow(methods),
        };
        let mut response = if method == Method::OPTIONS {
            StatusCode::NO_CONTENT.into_response()
        } else {
            let word = method.as_str().escape_debug();
            Refusal::new(405, "LS0602", format!("`{path}` has no method {word}"))
                .help(format!("it has {methods}"))
                .into_response()
        };
        if let Ok(value) = HeaderValue::from_str(&methods) {
            response.headers_mut().insert(ALLOW, value);
        }
        response
    }
}

/// Finds the route of a request.
///
/// # Errors
/// The path or its method is not there.
pub(crate) fn find(method: &Method, path: &str) -> Result<&'static Route, Missing> {
    let asked = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    let mut others = Vec::new();
    for route in all() {
        if !fits(route.path, path) {
            continue;
        }
        if route.method == asked {
            return Ok(route);
        }
        others.push(route.method);
    }
    if others.is_empty() {
        return Err(Missing::Path);
    }
    Err(Missing::Method(others))
}

fn fits(pattern: &'static str, path: &str) -> bool {
    let mut segments = path.split('/');
    let fit = pattern.split('/').all(|wanted| {
        let segment = segments.next();
        match capture(wanted) {
            Some(_) => segment.is_some_and(|segment| !segment.is_empty()),
            None => segment == Some(wanted),
        }
    });
    fit && segments.next().is_none()
}

/// Whether a path belongs to these routes, whether or not it is there.
pub(crate) fn owns(path: &str) -> bool {
    path == "/metrics" || path == "/api/v1" || path.starts_with("/api/v1/")
}

/// The role that a request to the listener needs; `None`: everybody may (probes, the dashboard's files). What is not there is
/// for viewers: only who may ask at all is told so.
pub(crate) fn need(method: &Method, path: &str) -> Option<Role> {
    if owns(path) {
        return Some(find(method, path).map_or(Role::Viewer, |route| route.role));
    }
    match path {
        "/livez" | "/readyz" => None,
        _ if path == "/ui" || path.starts_with("/ui/") => None,
        _ => crate::connect::need(method, path),
    }
}

/// Answers what is not there; passes on what is.
pub(crate) async fn dispatch(request: Request<Body>, next: Next) -> Response {
    match find(request.method(), request.uri().path()) {
        Ok(_) => in_shape(next.run(request).await).await,
        Err(missing) => missing.answer(request.method(), request.uri().path()),
    }
}

/// Gives refusals of the router's own readers (a query, a body that is too large), which are plain text, the one shape.
async fn in_shape(response: Response) -> Response {
    let status = response.status();
    let plain = response
        .headers()
        .get(CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || !plain {
        return response;
    }
    let text = axum::body::to_bytes(response.into_body(), REFUSAL_BYTES_MAX).await;
    let text = text.unwrap_or_default();
    let message = String::from_utf8_lossy(&text).trim().to_owned();
    let code = if status == StatusCode::PAYLOAD_TOO_LARGE {
        "LS0603"
    } else {
        "LS0220"
    };
    Refusal::new(status.as_u16(), code, message).into_response()
}

#[cfg(test)]
mod readme;
#[cfg(test)]
mod tests;

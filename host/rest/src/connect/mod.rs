//! Kafka Connect's REST interface: path for path, code for code, shape for shape, so that its clients work unchanged.
//!
//! ```text
//! request ─► path (segments) ─► route (404, 405) ─► negotiate (415, 406) ─► perform ─► answer
//! ```
//!
//! What is asked of the host stands in [`ConnectHost`]; nothing here knows a connector. Where Kafka Connect answers 500 to
//! input it could not read, this answers 400 and says what and where.

mod answer;
mod body;
mod host;
mod negotiate;
mod path;
mod perform;
mod query;
mod route;
#[cfg(test)]
mod tests;
mod veil;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;

pub(crate) use self::answer::error;
pub use self::host::{
    ConnectHost, ConnectorInfo, ConnectorState, Created, Expand, InitialState, Listed, LoggerLevel,
    PluginRow, ServerInfo, TaskInfo, TaskState,
};
use self::route::Route;
pub use self::veil::veil;
use crate::refusal::Refusal;
use crate::role::{Caller, Role};

/// The largest body. A configuration of a thousand options stays far below.
pub const BODY_BYTES_MAX: usize = 4 << 20;

/// A request as far as it was understood.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) route: Route,
    pub(crate) method: Method,
    pub(crate) query: query::Query,
    /// `http://host:port`, for `Location`.
    pub(crate) base: String,
    pub(crate) body: Vec<u8>,
    /// Whether the caller may see secrets: who may set them.
    pub(crate) reveals: bool,
}

/// Answers one request.
pub async fn respond(host: Arc<dyn ConnectHost>, request: Request<Body>) -> Response {
    let head = request.method() == Method::HEAD;
    let response = match understand(request).await {
        Ok(Understood::Answered(response)) => response,
        // Whether it is well is said at once, whatever all threads that may block are blocked by.
        Ok(Understood::Call(call)) if call.route == Route::Health => perform::health(host.as_ref()),
        Ok(Understood::Call(call)) => {
            let done = tokio::task::spawn_blocking(move || perform::perform(host.as_ref(), &call));
            match done.await {
                Ok(Ok(response)) => response,
                Ok(Err(refusal)) => answer::error(&refusal),
                Err(_) => answer::error(&Refusal::new(500, "LS0499", "the operation panicked")),
            }
        }
        Err(refusal) => answer::error(&refusal),
    };
    if head {
        return answer::without_body(response);
    }
    response
}

/// The role that a request needs; `None`: everybody may, as it is a probe.
pub(crate) fn need(method: &Method, path: &str) -> Option<Role> {
    let Ok(segments) = path::segments(path) else {
        return Some(Role::Viewer);
    };
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    route::need(method, &segments)
}

/// Either a call, or an answer that needs no host.
enum Understood {
    Call(Box<Call>),
    Answered(Response),
}

async fn understand(request: Request<Body>) -> Result<Understood, Refusal> {
    let (parts, body) = request.into_parts();
    let segments = path::segments(parts.uri.path())?;
    let Some((route, methods)) = route::find(&segments) else {
        return Err(Refusal::new(404, "LS0601", "HTTP 404 Not Found"));
    };
    let method = parts.method.clone();
    if method == Method::OPTIONS {
        return Ok(Understood::Answered(answer::options(&parts, methods)));
    }
    let asked = if method == Method::HEAD {
        Method::GET
    } else {
        method
    };
    if !methods.contains(&asked) {
        return Err(Refusal::new(405, "LS0602", "HTTP 405 Method Not Allowed"));
    }
    negotiate::content_type(&parts.headers)?;
    negotiate::accept(&parts.headers)?;
    let route = route?;
    let bytes = axum::body::to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|error| too_large(&error))?;
    if !bytes.is_empty() {
        negotiate::has_type(&parts.headers)?;
    }
    Ok(Understood::Call(Box::new(Call {
        route,
        method: asked,
        query: query::Query::parse(parts.uri.query().unwrap_or_default()),
        base: base(&parts),
        body: bytes.to_vec(),
        reveals: Caller::of(&parts.extensions).role == Role::Admin,
    })))
}

fn too_large(error: &axum::Error) -> Refusal {
    let reason = linkspan_types::error_chain(error);
    if reason.contains("length limit") {
        let message = format!("the body is larger than {BODY_BYTES_MAX} bytes");
        return Refusal::new(StatusCode::PAYLOAD_TOO_LARGE.as_u16(), "LS0603", message);
    }
    if reason.contains("too slowly") {
        return Refusal::new(408, "LS0603", "the body came too slowly");
    }
    Refusal::new(400, "LS0603", format!("the body ended early: {reason}"))
}

/// Where the client sees this host.
fn base(parts: &axum::http::request::Parts) -> String {
    let host = parts
        .headers
        .get(axum::http::header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| {
            parts
                .uri
                .authority()
                .map(axum::http::uri::Authority::as_str)
        })
        .unwrap_or("localhost");
    let scheme = parts
        .extensions
        .get::<crate::listen::Scheme>()
        .map_or("http", |scheme| scheme.0);
    format!("{scheme}://{host}")
}

//! Everything behind one listener: the guard, then `/api/v1`, the probes, and Kafka Connect's interface.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;
use tower_service::Service;

use crate::connect::{self, ConnectHost};
use crate::guard::Names;
use crate::metrics::{self, REQUESTS};
use crate::refusal::Refusal;
use crate::routes;

/// What a listener serves.
#[derive(Debug, Clone)]
pub struct Front {
    names: Arc<Names>,
    api: Router,
    host: Arc<dyn ConnectHost>,
}

impl Front {
    /// A front over the router of `/api/v1` and a host.
    pub fn new(names: Names, api: Router, host: Arc<dyn ConnectHost>) -> Self {
        Self {
            names: Arc::new(names),
            api,
            host,
        }
    }

    /// Answers one request, and counts it.
    pub async fn respond(&self, request: Request<Body>) -> Response {
        let route = metrics::route(request.uri().path());
        let method = metrics::word(request.method());
        let response = self.answer(request).await;
        REQUESTS.count(route, method, response.status().as_u16());
        response
    }

    async fn answer(&self, request: Request<Body>) -> Response {
        if let Err(refusal) = self.names.check(request.method(), request.headers()) {
            return refusal.into_response();
        }
        if crate::ui::wants(&request) {
            return crate::ui::respond(&request);
        }
        let path = request.uri().path();
        if routes::owns(path) {
            if routes::find(request.method(), path).is_ok_and(|route| route.on_machine) {
                // It reads or writes files of this machine: for those who may do that anyway.
                let message = format!("`{path}` is only for commands on the machine itself");
                return Refusal::new(403, "LS0623", message)
                    .help(
                        "use `linkspan backup` or `linkspan run --once` beside the data directory",
                    )
                    .into_response();
            }
            let mut api = self.api.clone();
            return match api.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
        }
        match path {
            "/livez" => Json(json!({ "status": "alive" })).into_response(),
            "/readyz" => self.ready(),
            _ => connect::respond(Arc::clone(&self.host), request).await,
        }
    }

    fn ready(&self) -> Response {
        match self.host.ready() {
            Ok(()) => Json(json!({ "status": "ready" })).into_response(),
            Err(stage) => (
                StatusCode::SERVICE_UNAVAILABLE,
                Json(json!({ "status": "starting", "message": stage })),
            )
                .into_response(),
        }
    }
}

//! Everything behind one listener: the guard, then `/api/v1`, the probes, and Kafka Connect's interface.
//!
//! ```text
//! request ─► name and page (421, 403) ─► who asks (401, 429) ─► may they (403) ─► the answer ─► audit trail
//!              └► the dashboard's files and the probes are for everybody
//! ```

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;
use tower_service::Service;

use crate::audit::{Audit, Call};
use crate::auth::{Access, Denied};
use crate::connect::{self, ConnectHost};
use crate::guard::Names;
use crate::metrics::{self, REQUESTS};
use crate::refusal::Refusal;
use crate::role::Caller;
use crate::routes;

/// What a listener serves.
#[derive(Debug, Clone)]
pub struct Front {
    names: Arc<Names>,
    api: Router,
    host: Arc<dyn ConnectHost>,
    /// `None`: everybody is the local admin.
    access: Option<Arc<Access>>,
    audit: Option<Arc<Audit>>,
}

/// What a client is told that sent nothing, or something wrong.
const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"linkspan\", charset=\"UTF-8\"");
/// Seconds after which an address may try again.
const TRY_AGAIN: HeaderValue = HeaderValue::from_static("1");

impl Front {
    /// A front over the router of `/api/v1` and a host.
    pub fn new(names: Names, api: Router, host: Arc<dyn ConnectHost>) -> Self {
        Self {
            names: Arc::new(names),
            api,
            host,
            access: None,
            audit: None,
        }
    }

    /// Lets only these in.
    #[must_use]
    pub fn guarded(mut self, access: Arc<Access>) -> Self {
        self.access = Some(access);
        self
    }

    /// Notes who changes what.
    #[must_use]
    pub fn audited(mut self, audit: Arc<Audit>) -> Self {
        self.audit = Some(audit);
        self
    }

    /// Answers one request, and counts it.
    pub async fn respond(&self, request: Request<Body>) -> Response {
        let route = metrics::route(request.uri().path());
        let method = metrics::word(request.method());
        let response = self.answer(request).await;
        REQUESTS.count(route, method, response.status().as_u16());
        response
    }

    async fn answer(&self, mut request: Request<Body>) -> Response {
        if let Err(refusal) = self.names.check(request.method(), request.headers()) {
            return refusal.into_response();
        }
        if crate::ui::wants(&request) {
            return crate::ui::respond(&request);
        }
        let from = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |from| from.0.ip());
        let call = self
            .audit
            .as_ref()
            .and_then(|_| Call::of(&request, &from.to_canonical().to_string()));
        let (method, path) = (request.method(), request.uri().path());
        let admitted = self.admit(method, path, request.headers(), from).await;
        let (response, caller) = match admitted {
            Ok(caller) => {
                if let Some(caller) = &caller {
                    request.extensions_mut().insert(caller.clone());
                }
                if let Some(audit) = &self.audit {
                    request.extensions_mut().insert(Arc::clone(audit));
                }
                (self.serve(request).await, caller)
            }
            Err(refused) => *refused,
        };
        if let (Some(audit), Some(call)) = (&self.audit, call) {
            let status = response.status().as_u16();
            audit.note(call, caller.as_ref(), status).await;
        }
        response
    }

    /// Finds out who asks and whether they may; `None`: it is for everybody.
    async fn admit(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        from: IpAddr,
    ) -> Result<Option<Caller>, Box<(Response, Option<Caller>)>> {
        let Some(access) = &self.access else {
            return Ok(Some(Caller::local()));
        };
        let Some(need) = routes::need(method, path) else {
            return Ok(None);
        };
        let caller = match access.caller(headers, from).await {
            Ok(caller) => caller,
            Err(denied) => return Err(Box::new((challenge(denied, path), None))),
        };
        if caller.role < need {
            let message = format!(
                "`{}` is {}, and this is for {}",
                caller.user,
                caller.role.word(),
                need.word()
            );
            let refusal = Refusal::new(403, "LS0626", message)
                .help("ask with another user, or have the role changed under `host:`");
            return Err(Box::new((shaped(&refusal, path), Some(caller))));
        }
        Ok(Some(caller))
    }

    async fn serve(&self, request: Request<Body>) -> Response {
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

/// A refusal as the clients of a path know refusals.
fn shaped(refusal: &Refusal, path: &str) -> Response {
    if routes::owns(path) {
        refusal.clone().into_response()
    } else {
        connect::error(refusal)
    }
}

/// 401 with what to send, 429 with when.
fn challenge(denied: Denied, path: &str) -> Response {
    let mut response = shaped(&denied.refusal(), path);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match denied {
        Denied::Silent | Denied::Wrong => headers.insert(WWW_AUTHENTICATE, CHALLENGE),
        Denied::TooMany => headers.insert(RETRY_AFTER, TRY_AGAIN),
    };
    response
}

//! One request, from its first byte to its answer.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use axum::{Router, body};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::acker::Outcome;
use super::authenticate::{Authenticator, Refused};
use super::body::{BodyError, Piece, pointed, split};
use super::options::{Ack, WebhookOptions};
use super::repeats::{self, Name};
use crate::rate::Bucket;

/// What a caller that is turned away waits before it tries again, in seconds.
const RETRY_AFTER_S: u64 = 1;

/// The most bytes of one request's records with their headers, which are the same for each: they are one commit of the log.
const REQUEST_BYTES_MAX: usize = 20 << 20;

/// A request that waits for the next batch.
pub(super) struct Job {
    pub(super) pieces: Vec<Piece>,
    /// What every record of the request gets as headers.
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) name: Option<Name>,
    /// The bytes of all records, with their headers.
    pub(super) weight: usize,
    /// Nobody waits where 2xx was said before.
    pub(super) caller: Option<oneshot::Sender<Outcome>>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("pieces", &self.pieces.len())
            .finish_non_exhaustive()
    }
}

/// The address of a connection's other side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remote(pub(super) SocketAddr);

/// What all requests share.
#[derive(Debug)]
pub(super) struct Gate {
    options: WebhookOptions,
    authenticator: Authenticator,
    in_flight: Semaphore,
    /// Guards the bucket only, for a moment.
    bucket: Option<Mutex<Bucket>>,
    queue: mpsc::Sender<Job>,
    closing: AtomicBool,
}

impl Gate {
    pub(super) fn new(options: &WebhookOptions, queue: mpsc::Sender<Job>) -> Self {
        Self {
            authenticator: Authenticator::new(options),
            in_flight: Semaphore::new(
                usize::try_from(options.max_in_flight).unwrap_or(usize::MAX >> 4),
            ),
            bucket: options
                .rate_limit
                .map(|rate| Mutex::new(Bucket::new(rate, Instant::now()))),
            options: options.clone(),
            queue,
            closing: AtomicBool::new(false),
        }
    }

    /// Turns away all requests from now on.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }
}

/// Returns the routes: one path, all else is 404.
pub(super) fn router(gate: Arc<Gate>) -> Router {
    let path = gate.options.path.clone();
    Router::new()
        .route(&path, any(receive))
        .fallback(async || {
            Answer::problem(StatusCode::NOT_FOUND, "there is nothing at this path").build()
        })
        .with_state(gate)
}

async fn receive(
    State(gate): State<Arc<Gate>>,
    Extension(Remote(remote)): Extension<Remote>,
    request: Request,
) -> Response {
    let answer = gate
        .answer(remote, request)
        .await
        .unwrap_or_else(|problem| problem);
    answer.build()
}

impl Gate {
    async fn answer(&self, remote: SocketAddr, request: Request) -> Result<Answer, Answer> {
        let (parts, body) = request.into_parts();
        self.admit(&parts.method)?;
        let _in_flight = self.in_flight.try_acquire().map_err(|_| {
            Answer::busy(
                Duration::from_secs(RETRY_AFTER_S),
                "too many requests at one time",
            )
        })?;
        self.authenticator
            .check_headers(&parts.headers)
            .map_err(|refused| self.refused(&refused))?;
        let body = self.read(&parts.headers, body).await?;
        self.authenticator
            .check_body(&parts.headers, &body, unix_seconds())
            .map_err(|refused| self.refused(&refused))?;
        let pieces = split(
            self.options.batch,
            self.options.key_path.as_deref(),
            &parts.headers,
            &body,
        )
        .map_err(|error: BodyError| Answer::problem(StatusCode::BAD_REQUEST, &error.to_string()))?;
        let count = pieces.len();
        let name = self.name(&parts.headers, &body);
        let headers = self.record_headers(&parts, remote);
        let (caller, outcome) = oneshot::channel();
        let waits = self.options.ack == Ack::Durable;
        let weight = body.len()
            + count
                * headers
                    .iter()
                    .map(|(name, value)| name.len() + value.len())
                    .sum::<usize>();
        if weight > REQUEST_BYTES_MAX {
            return Err(Answer::problem(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the records with their headers have more than 20 MiB",
            ));
        }
        let job = Job {
            pieces,
            headers,
            name,
            weight,
            caller: waits.then_some(caller),
        };
        self.queue.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Answer::busy(
                Duration::from_secs(RETRY_AFTER_S),
                "too many requests wait for the log",
            ),
            mpsc::error::TrySendError::Closed(_) => Answer::unavailable("this webhook is closing"),
        })?;
        if !waits {
            return Ok(self.accepted(count, false));
        }
        match timeout(self.options.timeout, outcome).await {
            Ok(Ok(outcome)) => Ok(self.accepted(count, outcome == Outcome::Repeated)),
            Ok(Err(_)) => Err(Answer::unavailable("the records could not be made durable")),
            Err(_) => Err(Answer::unavailable(
                "the records did not become durable in time; sending them again is safe with an idempotency key",
            )),
        }
    }

    fn admit(&self, method: &Method) -> Result<(), Answer> {
        if self.closing.load(Ordering::Acquire) {
            return Err(Answer::unavailable("this webhook is closing"));
        }
        if !self
            .options
            .methods
            .iter()
            .any(|one| one.eq_ignore_ascii_case(method.as_str()))
        {
            let mut answer = Answer::problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "this method is not taken here",
            );
            let allowed =
                HeaderValue::from_str(&self.options.methods.join(", ").to_ascii_uppercase());
            answer
                .headers
                .extend(allowed.ok().map(|value| (header::ALLOW, value)));
            return Err(answer);
        }
        let Some(bucket) = &self.bucket else {
            return Ok(());
        };
        let taken = bucket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(Instant::now());
        taken.map_err(|wait| Answer::busy(wait, "too many requests; this webhook has a rate limit"))
    }

    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<bytes::Bytes, Answer> {
        let most = self.options.max_body_bytes.as_usize();
        let too_large = || {
            Answer::problem(
                StatusCode::PAYLOAD_TOO_LARGE,
                &format!("the body has more than {most} bytes"),
            )
        };
        let encoding = headers
            .get(header::CONTENT_ENCODING)
            .map(HeaderValue::as_bytes)
            .unwrap_or_default();
        if !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity") {
            return Err(Answer::problem(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "bodies with a content encoding are not taken",
            ));
        }
        let announced = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > most) {
            return Err(too_large());
        }
        match timeout(self.options.read_timeout, body::to_bytes(body, most)).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => {
                let mut cause = std::error::Error::source(&error);
                while let Some(inner) = cause {
                    if inner.is::<http_body_util::LengthLimitError>() {
                        return Err(too_large());
                    }
                    cause = inner.source();
                }
                Err(Answer::problem(
                    StatusCode::BAD_REQUEST,
                    "the body could not be read to its end",
                ))
            }
            Err(_) => Err(Answer::problem(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not arrive in time",
            )),
        }
    }

    fn name(&self, headers: &HeaderMap, body: &[u8]) -> Option<Name> {
        let options = &self.options.idempotency;
        if options.max == 0 {
            return None;
        }
        let header = options
            .headers
            .iter()
            .find_map(|name| headers.get(name.as_str()));
        match header {
            Some(value) => Some(repeats::name(value.as_bytes())),
            None => options
                .path
                .as_deref()
                .and_then(|path| pointed(body, path))
                .map(|text| repeats::name(&text)),
        }
    }

    fn record_headers(
        &self,
        parts: &axum::http::request::Parts,
        remote: SocketAddr,
    ) -> Vec<(String, Vec<u8>)> {
        let mut headers = vec![
            (
                "http.method".to_owned(),
                parts.method.as_str().as_bytes().to_vec(),
            ),
            ("http.path".to_owned(), parts.uri.path().as_bytes().to_vec()),
            (
                "http.remote".to_owned(),
                remote.ip().to_string().into_bytes(),
            ),
        ];
        if let Some(query) = parts.uri.query() {
            headers.push(("http.query".to_owned(), query.as_bytes().to_vec()));
        }
        for name in &self.options.headers_include {
            for value in parts.headers.get_all(name.as_str()) {
                headers.push((
                    format!("http.header.{}", name.to_ascii_lowercase()),
                    value.as_bytes().to_vec(),
                ));
            }
        }
        headers
    }

    fn accepted(&self, count: usize, repeated: bool) -> Answer {
        let status =
            StatusCode::from_u16(self.options.response_status).unwrap_or(StatusCode::ACCEPTED);
        let body = if repeated {
            format!("{{\"accepted\":{count},\"repeated\":true}}")
        } else {
            format!("{{\"accepted\":{count}}}")
        };
        Answer {
            status,
            headers: Vec::new(),
            body,
        }
    }

    fn refused(&self, refused: &Refused) -> Answer {
        let mut answer = Answer::problem(StatusCode::UNAUTHORIZED, &refused.to_string());
        answer.headers.extend(
            self.authenticator
                .challenge()
                .map(|value| (header::WWW_AUTHENTICATE, value)),
        );
        answer
    }
}

/// What a caller hears.
struct Answer {
    status: StatusCode,
    headers: Vec<(header::HeaderName, HeaderValue)>,
    body: String,
}

impl Answer {
    fn problem(status: StatusCode, message: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: serde_json::json!({ "error": message }).to_string(),
        }
    }

    fn later(status: StatusCode, wait: Duration, message: &str) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let mut answer = Self::problem(status, message);
        answer
            .headers
            .push((header::RETRY_AFTER, HeaderValue::from(seconds.max(1))));
        answer
    }

    fn busy(wait: Duration, message: &str) -> Self {
        Self::later(StatusCode::TOO_MANY_REQUESTS, wait, message)
    }

    fn unavailable(message: &str) -> Self {
        Self::later(
            StatusCode::SERVICE_UNAVAILABLE,
            Duration::from_secs(RETRY_AFTER_S),
            message,
        )
    }

    fn build(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        response.headers_mut().extend(self.headers);
        response
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

//! The listener: an accept loop of its own, so that slow and many clients cost little (limits of DESIGN §14, S9).
//!
//! A head must arrive within [`HEAD_WITHIN`]; at most [`CONNECTIONS_MAX`] connections are open, and [`CONNECTIONS_PER_IP_MAX`]
//! from one address that is not this machine's own. One more waits in the system's queue until another closes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// How long the head of a request may take.
pub const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Open connections.
pub const CONNECTIONS_MAX: usize = 1024;
/// Open connections from one address other than loopback.
pub const CONNECTIONS_PER_IP_MAX: usize = 64;
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Headers of a request.
const HEADERS_MAX: usize = 100;
/// Pause after an accept that failed, for want of file descriptors usually.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// `http` or `https`, as the client sees it; an extension of each request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scheme(pub(crate) &'static str);

/// Answers requests.
pub trait Respond: Clone + Send + Sync + 'static {
    /// Answers one.
    fn respond(&self, request: Request<Body>) -> impl Future<Output = Response> + Send;
}

impl<F, R> Respond for F
where
    F: Fn(Request<Body>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response> + Send,
{
    fn respond(&self, request: Request<Body>) -> impl Future<Output = Response> + Send {
        self(request)
    }
}

#[derive(Debug, Default)]
struct Counts(Mutex<HashMap<IpAddr, usize>>);

impl Counts {
    fn enter(self: &Arc<Self>, ip: IpAddr) -> Option<Entered> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(ip).or_default();
        if *count >= CONNECTIONS_PER_IP_MAX && !ip.is_loopback() {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Entered(Arc::clone(self), ip))
    }
}

struct Entered(Arc<Counts>, IpAddr);

impl Drop for Entered {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

/// Serves for ever; drop the future to stop.
pub async fn serve(listener: TcpListener, respond: impl Respond) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let counts = Arc::<Counts>::default();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(entered) = counts.enter(from.ip()) else {
            tracing::warn!(%from, "more than {CONNECTIONS_PER_IP_MAX} connections from one address; this one is closed");
            continue;
        };
        let respond = respond.clone();
        tokio::spawn(async move {
            connection(stream, from, respond).await;
            drop((slot, entered));
        });
    }
}

async fn connection(stream: TcpStream, from: SocketAddr, respond: impl Respond) {
    // Small answers go out at once; a stream that refuses this works, only slower.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request: Request<Incoming>| {
        let respond = respond.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(from));
            request.extensions_mut().insert(Scheme("http"));
            Ok::<_, Infallible>(respond.respond(request).await)
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%from, %error, "a connection ended");
    }
}

//! The listener: an accept loop of its own, so that slow and many clients cost little (limits of DESIGN §14, S9).
//!
//! A TLS handshake and the head of a request must arrive within [`Limits::head_within`], a body at [`BODY_BYTES_PER_S_MIN`]
//! after [`Limits::body_grace`], and a client that does not read its answer for [`Limits::write_within`] is dropped. At most
//! [`Limits::connections_max`] connections are open, and [`CONNECTIONS_PER_IP_MAX`] from one address that is not this machine's
//! own. One more waits in the system's queue until another closes.

mod slow;

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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use self::slow::{Patient, Timed};
use crate::tls::Tls;

/// Open connections from one address other than loopback.
pub const CONNECTIONS_PER_IP_MAX: usize = 64;
/// How fast a body comes at least, once its grace is over.
pub const BODY_BYTES_PER_S_MIN: u64 = 16 << 10;
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Headers of a request.
const HEADERS_MAX: usize = 100;
/// Pause after an accept that failed, for want of file descriptors usually.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How much clients may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a handshake, and the head of a request, may take; `None`: for ever.
    pub head_within: Option<Duration>,
    /// How long a body may come as slowly as it likes.
    pub body_grace: Duration,
    /// How long a client may not read while an answer waits for it.
    pub write_within: Duration,
    /// Open connections.
    pub connections_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Also what ends an idle connection: at no period at which clients ask (5, 10, 15, 30 s), or their requests would
            // meet the end of their connection again and again.
            head_within: Some(Duration::from_secs(13)),
            body_grace: Duration::from_secs(30),
            write_within: Duration::from_secs(60),
            connections_max: 1024,
        }
    }
}

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
pub async fn serve(listener: TcpListener, tls: Option<Tls>, limits: Limits, respond: impl Respond) {
    let slots = Arc::new(Semaphore::new(limits.connections_max));
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
        let (tls, respond) = (tls.clone(), respond.clone());
        tokio::spawn(async move {
            connection(stream, from, tls, limits, respond).await;
            drop((slot, entered));
        });
    }
}

async fn connection(
    stream: TcpStream,
    from: SocketAddr,
    tls: Option<Tls>,
    limits: Limits,
    respond: impl Respond,
) {
    // Small answers go out at once; a stream that refuses this works, only slower.
    drop(stream.set_nodelay(true));
    let stream = Patient::new(stream, limits.write_within);
    let Some(tls) = tls else {
        return speak(stream, from, "http", limits, respond).await;
    };
    let handshake = tls.acceptor().accept(stream);
    let accepted = match limits.head_within {
        Some(within) => match tokio::time::timeout(within, handshake).await {
            Ok(accepted) => accepted,
            Err(_) => {
                tracing::debug!(%from, "a TLS handshake took too long");
                return;
            }
        },
        None => handshake.await,
    };
    match accepted {
        Ok(stream) => speak(stream, from, "https", limits, respond).await,
        Err(error) => tracing::debug!(%from, %error, "a TLS handshake failed"),
    }
}

async fn speak<S>(
    stream: S,
    from: SocketAddr,
    scheme: &'static str,
    limits: Limits,
    respond: impl Respond,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let respond = respond.clone();
        async move {
            let mut request = request.map(|body| Body::new(Timed::new(body, limits.body_grace)));
            request.extensions_mut().insert(ConnectInfo(from));
            request.extensions_mut().insert(Scheme(scheme));
            Ok::<_, Infallible>(respond.respond(request).await)
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%from, %error, "a connection ended");
    }
}

#[cfg(test)]
mod tests;

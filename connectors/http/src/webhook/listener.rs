//! Connections: accepting them within limits, TLS, and an orderly end.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use linkspan_sdk::tracing::{debug, warn};
use linkspan_sdk::{Error, Result};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::options::WebhookOptions;
use super::service::Remote;

/// Most headers of a request; more are answered with 431.
const HEADERS_MAX: usize = 100;
/// Room for the headers of a request; larger ones are answered with 431.
const HEADERS_BYTES_MAX: usize = 16 << 10;
/// How long accepting rests when the system has no more file handles.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// What serves connections.
pub(super) struct Server {
    pub(super) listener: TcpListener,
    pub(super) router: Router,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) connections_max: usize,
    pub(super) read_timeout: Duration,
}

impl Server {
    /// Accepts connections until `closing` says true, then lets the requests at hand come to their end.
    pub(super) async fn run(self, mut closing: watch::Receiver<bool>) {
        let room = Arc::new(Semaphore::new(self.connections_max));
        let mut connections = JoinSet::new();
        let ended = closing.clone();
        loop {
            let accepted = tokio::select! {
                () = is_closing(&mut closing) => break,
                accepted = accept(&self.listener, &room) => accepted,
                Some(_) = connections.join_next() => continue,
            };
            let (stream, permit) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_REST).await;
                    continue;
                }
            };
            let (router, tls, read_timeout) =
                (self.router.clone(), self.tls.clone(), self.read_timeout);
            let closing = ended.clone();
            connections.spawn(async move {
                serve(stream, router, tls, read_timeout, closing).await;
                drop(permit);
            });
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, permit))
}

async fn serve(
    stream: TcpStream,
    router: Router,
    tls: Option<TlsAcceptor>,
    read_timeout: Duration,
    closing: watch::Receiver<bool>,
) {
    let Ok(remote) = stream.peer_addr() else {
        return;
    };
    let router = router.layer(Extension(Remote(remote)));
    match tls {
        None => talk(stream, router, read_timeout, closing).await,
        Some(tls) => match timeout(read_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => talk(stream, router, read_timeout, closing).await,
            Ok(Err(error)) => debug!(%error, %remote, "no TLS with this caller"),
            Err(_) => debug!(%remote, "the TLS handshake took too long"),
        },
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    read_timeout: Duration,
    mut closing: watch::Receiver<bool>,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(read_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADERS_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = is_closing(&mut closing) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        debug!(%error, "a connection ended early");
    }
}

async fn is_closing(closing: &mut watch::Receiver<bool>) {
    // An error says that the task is gone, which is an end just the same.
    let _gone = closing.wait_for(|closing| *closing).await.is_err();
}

/// Reads certificate and key for the listener.
///
/// # Errors
/// A file is missing, not PEM, or the key does not fit the certificate.
pub(super) fn acceptor(options: &WebhookOptions) -> Result<Option<TlsAcceptor>> {
    let (Some(certificate), Some(key)) = (&options.tls_certificate, &options.tls_key) else {
        return Ok(None);
    };
    let wrong = |option: &'static str, path: &Path, error: &dyn std::fmt::Display| {
        Error::config_invalid(format!(
            "`{option}`: `{}` is no usable PEM: {error}",
            path.display()
        ))
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| wrong("tls.certificate", certificate, &error))?;
    let private =
        PrivateKeyDer::from_pem_file(key).map_err(|error| wrong("tls.key", key, &error))?;
    crate::tls::use_ring();
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| wrong("tls.key", key, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

//! Calls to a server of the test's own, with and without TLS.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

use super::*;

/// A certificate for `localhost` that only these tests trust, and its key.
fn certificate() -> &'static (CertificateDer<'static>, Vec<u8>) {
    static MADE: OnceLock<(CertificateDer<'static>, Vec<u8>)> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.der().clone(), made.signing_key.serialize_der())
    })
}

fn trusted() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(certificate().0.clone()).unwrap();
    roots
}

fn foreign() -> RootCertStore {
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(other.cert.der().clone()).unwrap();
    roots
}

/// Answers one request with this status; returns the request.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, status: &str) -> String {
    let mut heard = Vec::new();
    let mut piece = [0_u8; 4096];
    loop {
        let read = stream.read(&mut piece).await.unwrap();
        heard.extend_from_slice(&piece[..read]);
        if read == 0 || String::from_utf8_lossy(&heard).ends_with('}') {
            break;
        }
    }
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    String::from_utf8(heard).unwrap()
}

/// Calls a server that answers once; returns the request it heard, and what the call came to.
async fn called(
    secure: bool,
    status: &'static str,
    roots: fn() -> RootCertStore,
) -> (Option<String>, Result<(), String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        if !secure {
            return Some(answer(stream, status).await);
        }
        let key = PrivateKeyDer::try_from(certificate().1.clone()).unwrap();
        let config =
            ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate().0.clone()], key)
                .unwrap();
        let stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await;
        Some(answer(stream.ok()?, status).await)
    });
    let scheme = if secure { "https" } else { "http" };
    let headers = BTreeMap::from([("authorization".to_owned(), "Bearer x".to_owned())]);
    let body = "{\"run_id\":\"1\"}".to_owned();
    let done = call(
        &format!("{scheme}://localhost:{port}/hook?a=b"),
        &headers,
        body,
        roots,
    )
    .await;
    (server.await.unwrap(), done)
}

#[tokio::test]
async fn the_summary_is_posted_with_its_headers_also_over_tls() {
    for secure in [false, true] {
        let (heard, done) = called(secure, "204 No Content", trusted).await;
        assert_eq!(done, Ok(()));
        let heard = heard.unwrap();
        assert!(heard.starts_with("POST /hook?a=b HTTP/1.1\r\n"), "{heard}");
        for part in [
            "host: localhost:",
            "authorization: Bearer x",
            "{\"run_id\":\"1\"}",
        ] {
            assert!(heard.contains(part), "no `{part}` in {heard}");
        }
    }
}

#[tokio::test]
async fn a_server_that_nobody_trusts_hears_nothing() {
    let (heard, done) = called(true, "200 OK", foreign).await;
    assert_eq!(heard, None);
    assert!(done.unwrap_err().contains("no secure connection"));
}

#[tokio::test]
async fn an_answer_other_than_2xx_is_a_failure() {
    let (_, done) = called(false, "500 Oh No", trusted).await;
    assert!(done.unwrap_err().contains("500"));
}

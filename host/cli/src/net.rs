//! Connections to other machines: TCP, with TLS for https. No redirects, no proxies.

use std::path::Path;
use std::sync::Arc;

use hyper::Uri;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// Both directions of a connection, whatever it runs over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Connects to the host of an address; `roots` says whom to trust where it is https.
///
/// # Errors
/// What is wrong with the address, or why the other side cannot be reached.
pub(crate) async fn connect(
    uri: &Uri,
    roots: impl FnOnce() -> Result<RootCertStore, String>,
) -> Result<Box<dyn Stream>, String> {
    let host = uri.host().ok_or("the url names no host")?;
    let secure = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err("the url begins with neither http:// nor https://".to_owned()),
    };
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((bare, port))
        .await
        .map_err(|error| format!("`{host}:{port}` cannot be reached: {error}"))?;
    if !secure {
        return Ok(Box::new(stream));
    }
    let name = ServerName::try_from(bare.to_owned()).map_err(|error| error.to_string())?;
    let stream = tls(roots()?)?
        .connect(name, stream)
        .await
        .map_err(|error| format!("`{host}:{port}`: no secure connection: {error}"))?;
    Ok(Box::new(stream))
}

/// The certificates that this system trusts; `SSL_CERT_FILE` names others.
pub(crate) fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// The certificates of a PEM file.
///
/// # Errors
/// The file cannot be read, or holds no certificate.
pub(crate) fn roots_of(file: &Path) -> Result<RootCertStore, String> {
    let failed = |error: String| format!("certificates of `{}`: {error}", file.display());
    let found = CertificateDer::pem_file_iter(file).map_err(|error| failed(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in found {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("there are none".to_owned()));
    }
    Ok(roots)
}

fn tls(roots: RootCertStore) -> Result<TlsConnector, String> {
    if roots.is_empty() {
        return Err("this system has no trusted certificates".to_owned());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

//! Certificate and key of the listener, taken over while it runs when their files change.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

/// The largest file of certificates or of a key.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is larger than any certificate.
    #[error("`{0}` is larger than 1 MiB, which no certificate is")]
    Large(PathBuf),
    /// A file holds not what it should.
    #[error("`{path}` holds {what}")]
    Empty {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// Both are there and do not fit.
    #[error("the certificate in `{cert}` and the key in `{key}` do not fit: {why}")]
    Pair {
        /// The chain.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// What rustls says.
        why: rustls::Error,
    },
}

/// What tells two states of a file apart.
type Mark = Option<(i64, i64, u64, u64)>;

/// The pair that is used for new connections.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

/// TLS of a listener; cheap to clone.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    cert: PathBuf,
    key: PathBuf,
    marks: Arc<Mutex<[Mark; 2]>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("cert", &self.cert)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads a chain and its key.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn open(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let marks = [mark(cert), mark(key)];
        let pair = read(cert, key)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(pair))));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|why| TlsError::Pair {
                cert: cert.to_owned(),
                key: key.to_owned(),
                why,
            })?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            current,
            cert: cert.to_owned(),
            key: key.to_owned(),
            marks: Arc::new(Mutex::new(marks)),
        })
    }

    /// Reads both again; new connections get them. Those that are open stay as they are.
    ///
    /// # Errors
    /// They cannot be used, and the old pair stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        let marks = [mark(&self.cert), mark(&self.key)];
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner) = marks;
        let pair = Arc::new(read(&self.cert, &self.key)?);
        *self
            .current
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner) = pair;
        Ok(())
    }

    /// Whether a file differs from when it was read last.
    #[must_use]
    pub fn changed(&self) -> bool {
        let marks = [mark(&self.cert), mark(&self.key)];
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner) != marks
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

fn mark(path: &Path) -> Mark {
    let data = fs::metadata(path).ok()?;
    Some((data.mtime(), data.mtime_nsec(), data.len(), data.ino()))
}

fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read {
        path: path.to_owned(),
        source,
    };
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > FILE_BYTES_MAX {
        return Err(TlsError::Large(path.to_owned()));
    }
    fs::read(path).map_err(failed)
}

fn read(cert: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let empty = |path: &Path, what| TlsError::Empty {
        path: path.to_owned(),
        what,
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&bytes(cert)?)
        .collect::<Result<_, _>>()
        .map_err(|_| empty(cert, "a PEM block that cannot be read"))?;
    if chain.is_empty() {
        return Err(empty(cert, "no PEM certificate"));
    }
    let private = PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|_| {
        empty(
            key,
            "no PEM private key that can be read (an encrypted one cannot)",
        )
    })?;
    let pair = |why| TlsError::Pair {
        cert: cert.to_owned(),
        key: key.to_owned(),
        why,
    };
    let certified =
        CertifiedKey::from_der(chain, private, &ring::default_provider()).map_err(pair)?;
    certified.keys_match().map_err(pair)?;
    Ok(certified)
}

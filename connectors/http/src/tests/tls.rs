//! TLS: names, authorities of one's own, mutual TLS, and a webhook that speaks it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use linkspan_sdk::{Error, Result};
use linkspan_testkit::TestHost;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;

use crate::source::HttpSource;
use crate::webhook::Webhook;

/// An authority with a certificate for `localhost` and one for a client.
struct Authority {
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        crate::tls::use_ring();
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, pem: String| std::fs::write(folder.path().join(name), pem).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        write("ca.pem", params.self_signed(&key).unwrap().pem());
        let issuer = Issuer::new(params, key);
        for (name, subject) in [("server", "localhost"), ("client", "client")] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![subject.to_owned()]).unwrap();
            write(
                &format!("{name}.pem"),
                params.signed_by(&key, &issuer).unwrap().pem(),
            );
            write(&format!("{name}.key"), key.serialize_pem());
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Serves `[1]` over TLS, to clients with a certificate of this authority only where that is asked for.
    fn serve(&self, wants_client: bool) -> SocketAddr {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_file_iter(self.path("server.pem"))
                .unwrap()
                .map(std::result::Result::unwrap)
                .collect();
        let key = PrivateKeyDer::from_pem_file(self.path("server.key")).unwrap();
        let builder = rustls::ServerConfig::builder();
        let builder = if wants_client {
            let mut roots = RootCertStore::empty();
            roots.add(certificate(&self.path("ca.pem"))).unwrap();
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder(Arc::new(roots))
                    .build()
                    .unwrap(),
            )
        } else {
            builder.with_no_client_auth()
        };
        let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, mut stream) = (Arc::clone(&config), stream.unwrap());
                thread::spawn(move || {
                    let mut session = rustls::ServerConnection::new(config).unwrap();
                    let mut tls = rustls::Stream::new(&mut session, &mut stream);
                    let mut request = [0; 4096];
                    // A handshake that fails ends here, which is what some tests want.
                    if tls.read(&mut request).is_ok_and(|count| count > 0) {
                        let _closed = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\n[1]").is_err();
                    }
                });
            }
        });
        at
    }
}

fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).unwrap()
}

fn get(url: &str, options: &[(&str, &str)]) -> Result<usize, Error> {
    let mut config = BTreeMap::from([
        ("topic", "t"),
        ("egress.allow", "127.0.0.0/8,::1"),
        ("max.retries", "0"),
        ("url", url),
    ]);
    config.extend(options.iter().copied());
    let config: BTreeMap<String, String> = config
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    TestHost::source::<HttpSource>(config)
        .run(10)
        .map(|records| records.len())
}

#[test]
fn a_certificate_is_checked_for_its_name_and_its_authority() {
    let authority = Authority::new();
    let port = authority.serve(false).port();
    let ca = authority.text("ca.pem");
    assert_eq!(
        get(&format!("https://localhost:{port}/"), &[("tls.ca", &ca)]).unwrap(),
        1
    );
    let name = get(
        &format!("https://127.0.0.1:{port}/items"),
        &[("tls.ca", &ca)],
    )
    .unwrap_err();
    assert!(!name.is_temporary(), "{name:?}");
    for text in [
        &format!("GET https://127.0.0.1:{port}/items"),
        "TLS failed",
        "not valid for name",
        "localhost",
    ] {
        assert!(name.chain().contains(text), "`{text}` in {name:?}");
    }
    let stranger = get(&format!("https://localhost:{port}/"), &[]).unwrap_err();
    assert!(
        !stranger.is_temporary()
            && stranger.chain().contains("UnknownIssuer")
            && stranger.chain().contains("tls.ca"),
        "{stranger:?}"
    );
    assert_eq!(
        get(
            &format!("https://localhost:{port}/"),
            &[("tls.verify", "false")]
        )
        .unwrap(),
        1
    );
    let missing = get("https://localhost/", &[("tls.ca", "/no/such.pem")]).unwrap_err();
    assert!(
        missing.chain().contains("tls.ca") && missing.chain().contains("/no/such.pem"),
        "{missing:?}"
    );
}

#[test]
fn mutual_tls_shows_the_clients_certificate() {
    let authority = Authority::new();
    let port = authority.serve(true).port();
    let (ca, certificate, key) = (
        authority.text("ca.pem"),
        authority.text("client.pem"),
        authority.text("client.key"),
    );
    let url = format!("https://localhost:{port}/");
    let with = [
        ("tls.ca", ca.as_str()),
        ("tls.certificate", &certificate),
        ("tls.key", &key),
    ];
    assert_eq!(get(&url, &with).unwrap(), 1);
    assert!(
        get(&url, &with[..1]).is_err(),
        "nobody without a certificate"
    );
}

#[test]
fn a_webhook_speaks_tls() {
    let authority = Authority::new();
    let at = super::raw::free_port();
    let (certificate, key) = (authority.text("server.pem"), authority.text("server.key"));
    let listen = at.to_string();
    let mut source = TestHost::source::<Webhook>([
        ("topic", "t"),
        ("listen", &listen),
        ("tls.certificate", &certificate),
        ("tls.key", &key),
        ("ack", "enqueued"),
    ]);
    source.open().unwrap();
    let mut roots = RootCertStore::empty();
    roots
        .add(self::certificate(&authority.path("ca.pem")))
        .unwrap();
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut session =
        rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = super::raw::connect(at);
    let mut tls = rustls::Stream::new(&mut session, &mut stream);
    tls.write_all(
        b"POST /post HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
    )
    .unwrap();
    let mut answer = String::new();
    // The other side may close without TLS's goodbye.
    let _cut = tls.read_to_string(&mut answer).is_err();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert_eq!(source.poll().unwrap().records.len(), 1);
    let wrong = TestHost::source::<Webhook>([
        ("topic", "t"),
        ("listen", "127.0.0.1:0"),
        ("tls.certificate", &key),
        ("tls.key", &key),
    ])
    .open()
    .unwrap_err();
    assert!(!wrong.is_temporary(), "{wrong:?}");
}

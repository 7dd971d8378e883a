//! TLS to real servers whose certificate, for the name `localhost`, an authority of the test signed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use linkspan_sdk::{ErrorKind, Result};
use linkspan_testkit::{SinkTest, TestHost};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::servers::{Kind, Server};
use crate::sink::SqlSink;

/// Writes an authority (`ca.pem`) and a server's certificate and key, and another authority that signed nothing here.
fn certificates(kind: Kind) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, pem: String| {
        let path = folder.path().join(name);
        fs::write(&path, pem).unwrap();
        let mode = if name.ends_with(".key") { 0o600 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        write(name, params.self_signed(&key).unwrap().pem());
        Issuer::new(params, key)
    };
    let issuer = authority("ca.pem");
    let _other = authority("other.pem");
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    write("server.pem", params.signed_by(&key, &issuer).unwrap().pem());
    write("server.key", key.serialize_pem());
    Server::give(kind, folder.path());
    folder
}

fn start(kind: Kind, certificates: &Path) -> Option<Server> {
    let at = |name: &str| certificates.join(name).display().to_string();
    let settings = match kind {
        Kind::Postgres => vec![
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", at("server.pem")),
            format!("ssl_key_file={}", at("server.key")),
        ],
        Kind::MariaDb => vec![
            format!("ssl-ca={}", at("ca.pem")),
            format!("ssl-cert={}", at("server.pem")),
            format!("ssl-key={}", at("server.key")),
        ],
    };
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    Server::start(kind, &settings)
}

/// Opens a sink; on success its connection stays open.
fn open(
    server: &Server,
    database: &str,
    host: &str,
    tls: &[(&str, &str)],
) -> Result<SinkTest<SqlSink>> {
    let url = server.url(database).replace("127.0.0.1", host);
    let mut config: BTreeMap<String, String> = [("connection.url".to_owned(), url)].into();
    let more = tls.iter().map(|(name, value)| {
        let name = match *name {
            "ca" => "connection.tls.ca",
            _ => "connection.tls",
        };
        (name.to_owned(), (*value).to_owned())
    });
    config.extend(more);
    let mut sink = TestHost::sink::<SqlSink>(config);
    sink.open()?;
    Ok(sink)
}

/// Each mode does what its name says; a connection that must be encrypted is, by the server's own word.
#[test]
fn a_certificate_is_checked_as_far_as_the_mode_says() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let folder = certificates(kind);
        let Some(server) = start(kind, folder.path()) else {
            continue;
        };
        let database = server.database();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (ca, other) = (path("ca.pem"), path("other.pem"));

        for (host, tls) in [
            (
                "localhost",
                vec![("tls", "verify-full"), ("ca", ca.as_str())],
            ),
            ("127.0.0.1", vec![("tls", "verify-ca"), ("ca", ca.as_str())]),
            ("127.0.0.1", vec![("tls", "require")]),
            ("127.0.0.1", vec![("tls", "prefer")]),
        ] {
            let mut sink = open(&server, &database, host, &tls)
                .unwrap_or_else(|error| panic!("{kind:?} {tls:?}: {error}"));
            if kind == Kind::Postgres {
                assert_eq!(encrypted(&server, &database), "t", "{tls:?}");
            }
            sink.close().unwrap();
        }
        if kind == Kind::Postgres {
            let mut plain = open(&server, &database, "127.0.0.1", &[("tls", "disable")]).unwrap();
            assert_eq!(encrypted(&server, &database), "f");
            plain.close().unwrap();
        }

        let refused = [
            // The right authority, another name than the certificate's.
            (
                "127.0.0.1",
                vec![("tls", "verify-full"), ("ca", ca.as_str())],
            ),
            // Authorities that did not sign it: another one, and those of browsers.
            (
                "localhost",
                vec![("tls", "verify-full"), ("ca", other.as_str())],
            ),
            (
                "localhost",
                vec![("tls", "verify-ca"), ("ca", other.as_str())],
            ),
            ("localhost", vec![("tls", "verify-ca")]),
        ];
        for (host, tls) in refused {
            let error = open(&server, &database, host, &tls).err().unwrap();
            assert_eq!(
                (error.kind(), error.is_temporary()),
                (ErrorKind::Permission, false),
                "{kind:?} {tls:?}: {error}"
            );
            for part in ["certificate", "connection.tls.ca", host] {
                assert!(error.message().contains(part), "{kind:?} {tls:?}: {error}");
            }
        }
        let wrong_name = [("tls", "verify-full"), ("ca", ca.as_str())];
        let error = open(&server, &database, "127.0.0.1", &wrong_name)
            .err()
            .unwrap();
        assert!(
            error.message().contains("localhost"),
            "the name that it is for: {error}"
        );
    }
}

/// What the server says of the one connection of the sink.
fn encrypted(server: &Server, database: &str) -> String {
    server.sql(
        database,
        "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name LIKE 'linkspan%'",
    )
}

/// A user that the server lets in over TLS only.
#[test]
fn mariadb_lets_in_who_must_come_encrypted() {
    let folder = certificates(Kind::MariaDb);
    let Some(server) = start(Kind::MariaDb, folder.path()) else {
        return;
    };
    let database = server.database();
    server.sql(
        &database,
        &format!("CREATE USER 'careful'@'127.0.0.1' REQUIRE SSL; GRANT ALL ON {database}.* TO 'careful'@'127.0.0.1'"),
    );
    let url = server.url(&database).replace("linkspan@", "careful@");
    let sink = |tls: &str| {
        TestHost::sink::<SqlSink>([("connection.url", url.as_str()), ("connection.tls", tls)])
    };
    let mut encrypted = sink("require");
    encrypted.open().unwrap();
    encrypted.close().unwrap();
    let error = sink("disable").open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
}

/// A server without TLS is no server for whoever asks for it.
#[test]
fn a_server_without_tls_is_refused_where_tls_is_required() {
    let servers = [super::servers::postgres(), super::servers::mariadb()];
    for server in servers.into_iter().flatten() {
        let database = server.database();
        let error = open(server, &database, "127.0.0.1", &[("tls", "require")])
            .err()
            .unwrap();
        assert_eq!(
            (error.kind(), error.is_temporary()),
            (ErrorKind::Permission, false),
            "{error}"
        );
        assert!(error.message().contains("TLS"), "{error}");
    }
}

//! TLS and SCRAM: needs a plugin that was built with `kafka-ssl`, as `tests/run` does; elsewhere a counted skip.

use std::env;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::broker::{Broker, PASSWORD, USER, broker};
use crate::client::Row;
use crate::pipeline::{Pipeline, name, records};
use crate::support::skip;

/// Names of the files that [`write_certificates`] makes.
pub(crate) const AUTHORITY: &str = "authority.pem";
pub(crate) const SERVER: &str = "server.pem";
const STRANGER: &str = "stranger.pem";

/// Makes an authority, a broker's key with its certificate for `localhost`, and another authority that vouches for nobody.
pub(crate) fn write_certificates(folder: &Path) {
    let authority = |file: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, file);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        fs::write(folder.join(file), &pem).unwrap();
        (Issuer::new(params, key), pem)
    };
    let (issuer, issuer_pem) = authority(AUTHORITY);
    authority(STRANGER);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    let chain = [key.serialize_pem(), certificate, issuer_pem].concat();
    fs::write(folder.join(SERVER), chain).unwrap();
}

/// Whether the plugin under test has TLS; notes that `what` was skipped where it has none.
fn has_tls(what: &str) -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    let has = *HAS.get_or_init(|| {
        let yaml = source(
            "127.0.0.1:1",
            "t",
            "    security.protocol: ssl\n    request.timeout: 1s\n",
        );
        let ran = Pipeline::new(&yaml).run(&["--timeout", "3s"]);
        !ran.stderr.contains("--features kafka-ssl")
    });
    if !has {
        // Who wanted it in the build must not lose it silently.
        assert!(
            env::var_os("LINKSPAN_TEST_KAFKA_TLS").is_none(),
            "{what}: the plugin was to be built with `kafka-ssl` and was not"
        );
        skip(what, "the Kafka plugin was built without `kafka-ssl`");
    }
    has
}

fn source(servers: &str, topic: &str, more: &str) -> String {
    format!(
        "connectors:\n  in:\n    connector: kafka-source\n    bootstrap.servers: {servers}\n    topics: [{topic}]\n{more}"
    )
}

fn prepared(broker: &Broker) -> String {
    let topic = name("tls");
    broker.topic(&topic, 1, &[]);
    broker.write(&topic, &[Row::of("one"), Row::of("two")]);
    topic
}

#[test]
fn records_pass_through_tls_and_sasl_both_ways() {
    const WHAT: &str = "TLS and SCRAM";
    let Some(broker) = broker(WHAT) else { return };
    if !has_tls(WHAT) {
        return;
    }
    let topic = prepared(broker);
    let authority = format!("ssl.ca.location: {}", broker.authority().display());
    let user = format!("sasl.username: {USER}, sasl.password: {PASSWORD}");
    let (tls, sasl_tls) = (
        format!("localhost:{}", broker.tls),
        format!("localhost:{}", broker.sasl_tls),
    );
    for (servers, security) in [
        (&tls, format!("security.protocol: ssl, {authority}")),
        (
            &sasl_tls,
            format!("security.protocol: sasl_ssl, {authority}, {user}"),
        ),
        (
            &sasl_tls,
            format!(
                "security.protocol: SASL_SSL, sasl.mechanism: SCRAM-SHA-256, {authority}, {user}"
            ),
        ),
        (
            &broker.sasl,
            format!("security.protocol: sasl_plaintext, sasl.mechanism: SCRAM-SHA-512, {user}"),
        ),
    ] {
        // Positions are kept by the connector's name, and each round has a log of its own.
        let (to, out) = (name("tls-to"), name("out"));
        let pipeline = Pipeline::new(&format!(
            "connectors:
  in: {{ connector: kafka-source, bootstrap.servers: '{servers}', topics: [{topic}], {security} }}
  {out}: {{ connector: kafka-sink, bootstrap.servers: '{servers}', topics: [{topic}], topic.rename: {to}, {security} }}
"
        ));
        let ran = pipeline.run(&[]).expect_code(0);
        assert_eq!(records(&ran, &out), 2, "{security}");
        assert_eq!(broker.read(&to).len(), 2, "{security}");
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(PASSWORD));
    }
}

#[test]
fn a_wrong_name_authority_or_password_is_said_and_no_secret_is_shown() {
    const WHAT: &str = "TLS that fails";
    let Some(broker) = broker(WHAT) else { return };
    if !has_tls(WHAT) {
        return;
    }
    let topic = prepared(broker);
    let authority = broker.authority();
    let stranger = authority.with_file_name(STRANGER);
    let (by_name, by_number) = (
        format!("localhost:{}", broker.tls),
        format!("127.0.0.1:{}", broker.tls),
    );
    let tls = |file: &Path| {
        format!(
            "    security.protocol: ssl\n    ssl.ca.location: {}\n",
            file.display()
        )
    };
    let scram = format!(
        "    security.protocol: sasl_ssl\n    ssl.ca.location: {}\n    sasl.mechanism: SCRAM-SHA-512\n    sasl.username: {USER}\n    sasl.password: wrong-horse\n",
        authority.display()
    );
    let sasl = format!("localhost:{}", broker.sasl_tls);
    for (servers, more, says) in [
        // The certificate names `localhost` only.
        (
            &by_number,
            tls(&authority),
            vec!["certificate", "ssl.endpoint.identification.algorithm"],
        ),
        (
            &by_name,
            tls(&stranger),
            vec!["certificate", "ssl.ca.location"],
        ),
        (&sasl, scram, vec!["sasl.password"]),
    ] {
        let yaml = source(servers, &topic, &format!("{more}    request.timeout: 5s\n"));
        let ran = Pipeline::new(&yaml)
            .run(&["--timeout", "20s"])
            .expect_code(1)
            .says(&[servers.as_str()])
            .says(&says);
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("wrong-horse"));
    }
    // The negative control: who does not check the name gets through.
    let unchecked = format!(
        "{}    ssl.endpoint.identification.algorithm: none\n",
        tls(&authority)
    );
    let ran = Pipeline::new(&source(&by_number, &topic, &unchecked))
        .run(&[])
        .expect_code(0);
    assert_eq!(records(&ran, "in"), 2);
}

//! How a cluster is reached: options that source and sink share, and the client's configuration made of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use linkspan_sdk::prelude::*;
use rdkafka::ClientConfig;

use crate::passthrough;

/// The most bytes of `client.id`.
const CLIENT_ID_BYTES_MAX: usize = 200;
/// The longest pause between two tries of the client to connect, so that it goes on soon after a broker came back; librdkafka's
/// own is 10 s and half as much again.
const RECONNECT_BACKOFF_MAX: Duration = Duration::from_secs(2);
/// The shortest wait for an answer: a fetch may rest at the broker for half a second.
const ANSWER_WAIT_MIN: Duration = Duration::from_secs(5);
/// The longest that the client allows.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(300);
/// How a build without TLS gets it.
const GET_TLS: &str = "this build of the Kafka plugin has no OpenSSL: build it with `cargo build --release -p linkspan-connector-kafka --features kafka-ssl` (needs perl and some minutes), or take a release";

/// Where the cluster is and who asks.
#[derive(Debug, Clone, Options)]
pub(crate) struct Connection {
    /// Brokers to ask first, as `host:port`; the others are found through them.
    #[option(importance = "high")]
    pub(crate) bootstrap_servers: Vec<String>,
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`, in capitals or not. The two with TLS need a build with the feature `kafka-ssl`.
    #[option(default = "plaintext", group = "security")]
    pub(crate) security_protocol: SecurityProtocol,
    /// `PLAIN`, or `SCRAM-SHA-256` or `SCRAM-SHA-512`, which need a build with the feature `kafka-ssl`.
    #[option(default = "PLAIN", group = "security")]
    pub(crate) sasl_mechanism: SaslMechanism,
    /// The user, for SASL.
    #[option(group = "security")]
    pub(crate) sasl_username: Option<String>,
    /// The user's password.
    #[option(group = "security")]
    pub(crate) sasl_password: Option<Secret>,
    /// The authorities that may vouch for a broker, a PEM file. Unset: the system's.
    #[option(group = "security")]
    pub(crate) ssl_ca_location: Option<PathBuf>,
    /// The client's certificate, a PEM file.
    #[option(group = "security")]
    pub(crate) ssl_certificate_location: Option<PathBuf>,
    /// The client's private key, a PEM file.
    #[option(group = "security")]
    pub(crate) ssl_key_location: Option<PathBuf>,
    /// The password of the private key.
    #[option(group = "security")]
    pub(crate) ssl_key_password: Option<Secret>,
    /// `https` checks that a broker's certificate names the host that was asked, `none` does not.
    #[option(default = "https", group = "security")]
    pub(crate) ssl_endpoint_identification_algorithm: HostCheck,
    /// The name by which brokers know this client in their logs and quotas. Unset: `linkspan-` and the connector's name.
    pub(crate) client_id: Option<String>,
    /// How long a question to the cluster may take.
    #[option(default = "10s", alias = "request.timeout.ms", min = "1s", max = "10m")]
    pub(crate) request_timeout: Duration,
    /// How often the client's statistics become metrics; 0 turns them off.
    #[option(default = "5s", max = "1h")]
    pub(crate) statistics_interval: Duration,
    /// Settings of librdkafka, passed on as they are; only those on the list in the connector's README.
    #[option(default = "{}", importance = "low")]
    pub(crate) librdkafka: BTreeMap<String, String>,
}

/// What protects the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum SecurityProtocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

/// How the user proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum SaslMechanism {
    #[option(name = "PLAIN")]
    Plain,
    #[option(name = "SCRAM-SHA-256")]
    ScramSha256,
    #[option(name = "SCRAM-SHA-512")]
    ScramSha512,
}

/// Whether a certificate must name the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum HostCheck {
    Https,
    None,
}

impl SecurityProtocol {
    const fn word(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    const fn tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    const fn sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

impl SaslMechanism {
    const fn word(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl Connection {
    /// Says what is wrong, without asking anybody.
    pub(crate) fn check(&self) -> Vec<ConfigProblem> {
        self.check_in_a_build(cfg!(feature = "kafka-ssl"))
    }

    fn check_in_a_build(&self, has_tls: bool) -> Vec<ConfigProblem> {
        let mut problems = passthrough::check(&self.librdkafka);
        let mut problem =
            |option: &str, message: String| problems.push(ConfigProblem::new(option, message));
        if self.bootstrap_servers.is_empty() {
            problem("bootstrap.servers", "names no broker".to_owned());
        }
        for server in &self.bootstrap_servers {
            if !is_address(server) {
                problem(
                    "bootstrap.servers",
                    format!("has `{}`, which is not `host:port`", server.escape_debug()),
                );
            }
        }
        if self.security_protocol.tls() && !has_tls {
            let word = self.security_protocol.word();
            problem("security.protocol", format!("is `{word}`, and {GET_TLS}"));
        }
        if self.security_protocol.sasl() {
            if self.sasl_mechanism != SaslMechanism::Plain && !has_tls {
                let word = self.sasl_mechanism.word();
                problem("sasl.mechanism", format!("is `{word}`, and {GET_TLS}"));
            }
            for (option, missing) in [
                ("sasl.username", self.sasl_username.is_none()),
                ("sasl.password", self.sasl_password.is_none()),
            ] {
                if missing {
                    let word = self.security_protocol.word();
                    problem(
                        option,
                        format!("is missing; `security.protocol: {word}` needs it"),
                    );
                }
            }
        }
        if !self.security_protocol.tls() {
            for (option, set) in [
                ("ssl.ca.location", self.ssl_ca_location.is_some()),
                (
                    "ssl.certificate.location",
                    self.ssl_certificate_location.is_some(),
                ),
                ("ssl.key.location", self.ssl_key_location.is_some()),
            ] {
                if set {
                    problem(
                        option,
                        "is set, but `security.protocol` says no TLS".to_owned(),
                    );
                }
            }
        }
        if self.ssl_certificate_location.is_some() != self.ssl_key_location.is_some() {
            problem(
                "ssl.key.location",
                "and `ssl.certificate.location` belong together; one of them is missing".to_owned(),
            );
        }
        if self
            .client_id
            .as_ref()
            .is_some_and(|id| id.len() > CLIENT_ID_BYTES_MAX)
        {
            problem(
                "client.id",
                format!("has more than {CLIENT_ID_BYTES_MAX} bytes"),
            );
        }
        problems
    }

    /// Returns the brokers as one text, for messages.
    pub(crate) fn servers(&self) -> String {
        self.bootstrap_servers.join(",")
    }

    /// Makes the part of a client's configuration that all clients share.
    pub(crate) fn client_config(&self, connector: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        // The client refuses one of each pair that does not fit the other: who sets one sets both.
        let is_set = |name: &str| self.librdkafka.contains_key(name);
        if !is_set("reconnect.backoff.ms") {
            let pause = RECONNECT_BACKOFF_MAX.as_millis();
            config.set("reconnect.backoff.max.ms", pause.to_string());
        }
        if !is_set("fetch.wait.max.ms") {
            // A broker that is stopped, or a network that swallows, shows only by answers that do not come.
            let wait = self.request_timeout.clamp(ANSWER_WAIT_MIN, ANSWER_WAIT_MAX);
            config.set("socket.timeout.ms", wait.as_millis().to_string());
        }
        for (name, value) in passthrough::settings(&self.librdkafka) {
            config.set(name, value);
        }
        let client_id = self.client_id.clone();
        config
            .set("bootstrap.servers", self.servers())
            .set(
                "client.id",
                client_id.unwrap_or_else(|| format!("linkspan-{connector}")),
            )
            .set("security.protocol", self.security_protocol.word())
            .set(
                "statistics.interval.ms",
                self.statistics_interval.as_millis().to_string(),
            )
            .set_log_level(rdkafka::config::RDKafkaLogLevel::Warning);
        if self.security_protocol.sasl() {
            config.set("sasl.mechanism", self.sasl_mechanism.word());
            if let (Some(user), Some(password)) = (&self.sasl_username, &self.sasl_password) {
                config
                    .set("sasl.username", user)
                    .set("sasl.password", password.expose());
            }
        }
        if self.security_protocol.tls() {
            self.tls(&mut config);
        }
        config
    }

    fn tls(&self, config: &mut ClientConfig) {
        let check = match self.ssl_endpoint_identification_algorithm {
            HostCheck::Https => "https",
            HostCheck::None => "none",
        };
        config.set("ssl.endpoint.identification.algorithm", check);
        let files = [
            ("ssl.ca.location", &self.ssl_ca_location),
            ("ssl.certificate.location", &self.ssl_certificate_location),
            ("ssl.key.location", &self.ssl_key_location),
        ];
        for (name, path) in files {
            if let Some(path) = path {
                config.set(name, path.display().to_string());
            }
        }
        if self.ssl_ca_location.is_none() {
            // OpenSSL that is linked in looks in folders of the machine that built it; `probe` looks where systems keep theirs.
            config.set("ssl.ca.location", "probe");
        }
        if let Some(password) = &self.ssl_key_password {
            config.set("ssl.key.password", password.expose());
        }
    }
}

fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.trim().rsplit_once(':') else {
        return false;
    };
    !host.is_empty()
        && !host.contains(|c: char| c.is_whitespace() || c == '/' || c == ',')
        && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(config: &[(&str, &str)]) -> Vec<(String, String)> {
        problems_in_a_build(cfg!(feature = "kafka-ssl"), config)
    }

    fn problems_in_a_build(has_tls: bool, config: &[(&str, &str)]) -> Vec<(String, String)> {
        let config = config
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let read = Connection::from_config(&config);
        let problems = read.map_or_else(
            |problems| problems,
            |connection| connection.check_in_a_build(has_tls),
        );
        problems
            .into_iter()
            .map(|problem| (problem.option, problem.message))
            .collect()
    }

    #[test]
    fn addresses_are_host_and_port() {
        for (text, good) in [
            ("a:9092", true),
            ("[::1]:9092", true),
            ("a", false),
            ("a:0", false),
            (":1", false),
            ("http://a:1", false),
        ] {
            assert_eq!(is_address(text), good, "{text}");
        }
    }

    #[test]
    fn sasl_needs_user_and_password_and_shows_neither() {
        let found = problems(&[
            ("bootstrap.servers", "a:1"),
            ("security.protocol", "SASL_PLAINTEXT"),
        ]);
        let options: Vec<_> = found.iter().map(|(option, _)| option.as_str()).collect();
        assert_eq!(options, ["sasl.username", "sasl.password"]);
        let config = [
            ("bootstrap.servers", "a:1"),
            ("security.protocol", "sasl_plaintext"),
            ("sasl.username", "u"),
            ("sasl.password", "hidden-word"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()));
        let connection = Connection::from_config(&config.into()).unwrap();
        assert!(connection.check().is_empty());
        assert!(!format!("{connection:?}").contains("hidden-word"));
        let config = connection.client_config("c");
        assert_eq!(config.get("sasl.password"), Some("hidden-word"));
        assert!(!format!("{config:?}").contains("hidden-word"));
    }

    #[test]
    fn the_client_goes_on_soon_unless_it_is_told_otherwise() {
        let config = |more: &[(&str, &str)]| {
            let all = [&[("bootstrap.servers", "a:1")], more].concat();
            let all = all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            let connection = Connection::from_config(&all.collect()).unwrap();
            let config = connection.client_config("c");
            let made: std::result::Result<rdkafka::consumer::BaseConsumer, _> = config.create();
            assert!(made.is_ok(), "{more:?}: {:?}", made.err());
            ["reconnect.backoff.max.ms", "socket.timeout.ms"]
                .map(|name| config.get(name).unwrap_or_default().to_owned())
        };
        assert_eq!(config(&[]), ["2000", "10000"]);
        assert_eq!(config(&[("request.timeout", "1s")]), ["2000", "5000"]);
        assert_eq!(config(&[("request.timeout", "10m")]), ["2000", "300000"]);
        let own = r#"{"reconnect.backoff.ms":"5000","fetch.wait.max.ms":"20000"}"#;
        assert_eq!(config(&[("librdkafka", own)]), ["", ""]);
        let own = r#"{"reconnect.backoff.max.ms":"60000","socket.timeout.ms":"7000"}"#;
        assert_eq!(config(&[("librdkafka", own)]), ["60000", "7000"]);
    }

    #[test]
    fn a_build_without_tls_says_how_to_get_it() {
        for config in [
            [
                ("bootstrap.servers", "a:1"),
                ("security.protocol", "ssl"),
                ("client.id", "c"),
            ],
            [
                ("bootstrap.servers", "a:1"),
                ("security.protocol", "sasl_plaintext"),
                ("sasl.mechanism", "SCRAM-SHA-256"),
            ],
        ] {
            let says = |has_tls| {
                let found = problems_in_a_build(has_tls, &config);
                let mut messages = found.iter().map(|(_, message)| message);
                messages.any(|message| message.contains("--features kafka-ssl"))
            };
            assert!(says(false) && !says(true), "{config:?}");
        }
    }
}

//! Options that say where the database is; the same for source and sink.

use linkspan_sdk::prelude::*;

use super::params::{self, Fate};
use crate::dialect::Dialect;
use crate::url::ServerUrl;

/// Where the database is and how it is reached.
#[derive(Debug, Clone, Options)]
#[options(validate = "ConnectionOptions::check")]
pub(crate) struct ConnectionOptions {
    /// The database: `postgres://host:5432/db`, `mysql://host:3306/db`, `sqlite:path/to/file.db`, or the same as `jdbc:` URL with its
    /// query options. Several hosts with commas between them are tried in order. A relative path of SQLite resolves against
    /// the YAML file; folder and file are created by a sink.
    #[option(
        name = "connection.url",
        kind = "url",
        importance = "high",
        group = "connection"
    )]
    pub(crate) url: String,
    /// The user. Wins over a user in the URL.
    #[option(
        name = "connection.user",
        alias = "connection.username",
        importance = "high",
        group = "connection"
    )]
    pub(crate) user: Option<String>,
    /// The password, best as `${env:NAME}` or `${file:path:key}`. Wins over a password in the URL.
    #[option(
        name = "connection.password",
        importance = "high",
        group = "connection"
    )]
    pub(crate) password: Option<Secret>,
    /// TLS: `prefer` encrypts where the server can, `disable` never, `require` always, `verify-ca` checks who signed the server's
    /// certificate, `verify-full` its host name too. `sslmode` and `useSSL` of the URL say the same.
    #[option(name = "connection.tls", group = "connection")]
    pub(crate) tls: Option<TlsMode>,
    /// The file (PEM) with the certificates that may sign the server's. Unset: those that browsers trust.
    #[option(name = "connection.tls.ca", kind = "path", group = "connection")]
    pub(crate) tls_ca: Option<std::path::PathBuf>,
    /// The file (PEM) with the client's own certificate.
    #[option(
        name = "connection.tls.cert",
        kind = "path",
        group = "connection",
        importance = "low"
    )]
    pub(crate) tls_cert: Option<std::path::PathBuf>,
    /// The file (PEM) with the key of the client's own certificate.
    #[option(
        name = "connection.tls.key",
        kind = "path",
        group = "connection",
        importance = "low"
    )]
    pub(crate) tls_key: Option<std::path::PathBuf>,
    /// How long opening a connection may take.
    #[option(
        name = "connection.timeout",
        default = "10s",
        min = "100ms",
        max = "5m",
        group = "connection",
        importance = "low"
    )]
    pub(crate) timeout: Duration,
    /// A statement that takes longer is looked after on a second connection: if the server does not work on it any more, or
    /// cannot be reached, the connection is given up. It finds connections that are open on one side only.
    #[option(
        name = "connection.watch",
        default = "3s",
        min = "100ms",
        max = "10m",
        group = "connection",
        importance = "low"
    )]
    pub(crate) watch: Duration,
}

/// How much of TLS is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum TlsMode {
    Disable,
    Prefer,
    Require,
    #[option(name = "verify-ca")]
    VerifyCa,
    #[option(name = "verify-full")]
    VerifyFull,
}

impl ConnectionOptions {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let url = match ServerUrl::parse(&self.url) {
            Ok(url) => url,
            Err(error) => return vec![ConfigProblem::new("connection.url", error.to_string())],
        };
        for (name, fate) in params::fates(&url) {
            if let Fate::Unsupported(why) = fate {
                problems.push(ConfigProblem::new(
                    "connection.url",
                    format!("has the option `{name}`, which cannot be met: {why}"),
                ));
            }
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            problems.push(ConfigProblem::new(
                "connection.tls.cert",
                "and `connection.tls.key` are set together or not at all",
            ));
        }
        if url.dialect == Dialect::Sqlite && self.tls.is_some_and(|mode| mode != TlsMode::Disable) {
            problems.push(ConfigProblem::new(
                "connection.tls",
                "has no meaning for a file of SQLite",
            ));
        }
        if let Some(user) = self.user.as_deref()
            && user.is_empty()
        {
            problems.push(ConfigProblem::new("connection.user", "is empty"));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(config: &[(&str, &str)], expected: &[&str]) {
        let config = config
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let problems = ConnectionOptions::from_config(&config)
            .err()
            .unwrap_or_default();
        let options: Vec<_> = problems
            .iter()
            .map(|problem| problem.option.as_str())
            .collect();
        assert_eq!(options, expected, "{problems:?}");
    }

    #[test]
    fn connection_options_are_checked() {
        check(
            &[
                ("connection.url", "postgres://h/d"),
                ("connection.tls", "verify-full"),
            ],
            &[],
        );
        check(
            &[
                ("connection.url", "jdbc:postgresql://h/d"),
                ("connection.username", "u"),
            ],
            &[],
        );
        check(&[], &["connection.url"]);
        check(
            &[("connection.url", "jdbc:oracle:thin:@h")],
            &["connection.url"],
        );
        check(
            &[
                ("connection.url", "sqlite:a.db"),
                ("connection.tls", "require"),
            ],
            &["connection.tls"],
        );
        check(
            &[
                ("connection.url", "mysql://h/d"),
                ("connection.tls.cert", "/c"),
            ],
            &["connection.tls.cert"],
        );
    }
}

//! Options of `webhook-source`, and what is wrong with them before a port is opened.

use std::net::SocketAddr;
use std::path::PathBuf;

use linkspan_sdk::prelude::*;

use crate::rate::Rate;

/// Receives HTTP requests as records; a caller hears 2xx only when its record is durable.
#[derive(Debug, Clone, Options)]
#[options(validate = "WebhookOptions::check")]
pub(crate) struct WebhookOptions {
    /// The topic that the records go to.
    #[option(importance = "high")]
    pub(crate) topic: TopicName,
    /// Address and port to listen on. Anything but a loopback address needs authentication and TLS.
    #[option(default = "127.0.0.1:8085", importance = "high")]
    pub(crate) listen: String,
    /// The path that takes requests; others are answered with 404.
    #[option(default = "/post", importance = "high")]
    pub(crate) path: String,
    /// The methods that are taken; others are answered with 405.
    #[option(default = "[\"POST\"]")]
    pub(crate) methods: Vec<String>,
    /// How a body becomes records. `none`: the body is one record. `jsonl`: each line that is not empty. `json_array`: each
    /// element. `multipart`: each part of a `multipart/*` body.
    #[option(default = "none", importance = "high")]
    pub(crate) batch: Batch,
    /// JSON Pointer, such as `/order/id`, to what becomes the record's key. A record without it has no key.
    #[option()]
    pub(crate) key_path: Option<String>,
    /// Request headers that become record headers, as `http.header.NAME`.
    #[option(default = "[\"content-type\"]")]
    pub(crate) headers_include: Vec<String>,
    /// When a caller hears 2xx. `durable`: when its records are in the log for good. `enqueued`: as soon as they are in
    /// memory, where a crash loses them.
    #[option(default = "durable")]
    pub(crate) ack: Ack,
    /// The status of a good answer.
    #[option(default = "202", min = 200, max = 299)]
    pub(crate) response_status: u16,
    /// How long a caller waits for its records to become durable; then it hears 503 and tries again.
    #[option(default = "5s", min = "1ms")]
    pub(crate) timeout: Duration,
    /// How long a caller may take to send its headers or its body; then it hears 408.
    #[option(default = "30s", min = "1ms")]
    pub(crate) read_timeout: Duration,
    /// The largest body; a larger one is answered with 413. A record must also fit the topic's `max.message.bytes`, which
    /// leaves room for headers beside the default.
    #[option(
        name = "max.body.bytes",
        default = "1000KiB",
        min = 1,
        max = 15_728_640
    )]
    pub(crate) max_body_bytes: ByteSize,
    /// The most requests at one time; more are answered with 429.
    #[option(default = "1000", min = 1, max = 100_000)]
    pub(crate) max_in_flight: u32,
    /// The most connections at one time; more wait in the system's queue.
    #[option(default = "1000", min = 1, max = 100_000)]
    pub(crate) max_connections: u32,
    /// The most requests in a time, such as `100/s` or `6000/m`; more are answered with 429.
    #[option()]
    pub(crate) rate_limit: Option<Rate>,
    #[option(nest = "auth")]
    pub(crate) auth: AuthOptions,
    #[option(nest = "hmac")]
    pub(crate) hmac: HmacOptions,
    #[option(nest = "idempotency")]
    pub(crate) idempotency: IdempotencyOptions,
    /// The certificate chain of the listener, PEM. With it the listener speaks TLS only.
    #[option(group = "tls")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// The private key of the certificate, PEM.
    #[option(group = "tls")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Allows an address that is not loopback without authentication or TLS, for a proxy in front that does both.
    #[option(default = "false", group = "tls")]
    pub(crate) insecure_listen: bool,
}

/// How a body becomes records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Batch {
    None,
    Jsonl,
    JsonArray,
    Multipart,
}

/// When a caller hears 2xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Ack {
    Durable,
    Enqueued,
}

/// How a caller proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum AuthType {
    None,
    Basic,
    Bearer,
    Hmac,
}

/// Who may call.
#[derive(Debug, Clone, Options)]
pub(crate) struct AuthOptions {
    /// `none`, `basic` (user and password), `bearer` (a token) or `hmac` (a signature of the body, see `hmac.scheme`).
    #[option(name = "type", default = "none", importance = "high", group = "auth")]
    pub(crate) kind: AuthType,
    /// The user of `basic`.
    #[option(group = "auth")]
    pub(crate) username: Option<String>,
    /// The password of `basic`.
    #[option(group = "auth")]
    pub(crate) password: Option<Secret>,
    /// The tokens of `bearer`: any of them is taken, so that one can replace another without a gap.
    #[option(default = "[]", group = "auth")]
    pub(crate) tokens: Vec<Secret>,
}

/// Whose way of signing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Scheme {
    StandardWebhooks,
    Github,
    Stripe,
    Custom,
}

/// The hash of a custom signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Algorithm {
    Sha256,
    Sha512,
}

/// How a custom signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum SignatureEncoding {
    Hex,
    Base64,
}

/// How a body is signed.
#[derive(Debug, Clone, Options)]
pub(crate) struct HmacOptions {
    /// `standard_webhooks` (`webhook-signature`), `github` (`X-Hub-Signature-256`), `stripe` (`Stripe-Signature`) or `custom`.
    #[option(default = "standard_webhooks", group = "hmac")]
    pub(crate) scheme: Scheme,
    /// The secrets: a signature by any of them is taken, so that one can replace another without a gap.
    #[option(default = "[]", group = "hmac")]
    pub(crate) secrets: Vec<Secret>,
    /// How far the time of a signature may be from this machine's, where the scheme has one.
    #[option(default = "5m", group = "hmac")]
    pub(crate) tolerance: Duration,
    /// `custom`: the header with the signature.
    #[option(default = "x-signature", group = "hmac")]
    pub(crate) header: String,
    /// `custom`: what stands before the signature in its header, such as `sha256=`.
    #[option(default = "", group = "hmac")]
    pub(crate) prefix: String,
    /// `custom`: the hash.
    #[option(default = "sha256", group = "hmac")]
    pub(crate) algorithm: Algorithm,
    /// `custom`: how the signature is written.
    #[option(default = "hex", group = "hmac")]
    pub(crate) encoding: SignatureEncoding,
    /// `custom`: the header with the time of the signature, seconds since 1970. Then `TIME.BODY` is signed, else the body.
    #[option(group = "hmac")]
    pub(crate) timestamp_header: Option<String>,
}

/// How a request that comes again is known.
#[derive(Debug, Clone, Options)]
pub(crate) struct IdempotencyOptions {
    /// The headers that name a request; the first that is there counts. A request whose name was seen is answered with 2xx
    /// and is not written again.
    #[option(
        default = "[\"webhook-id\",\"idempotency-key\",\"x-github-delivery\"]",
        group = "idempotency"
    )]
    pub(crate) headers: Vec<String>,
    /// JSON Pointer into the body to the request's name, where no header has it (Stripe: `/id`).
    #[option(group = "idempotency")]
    pub(crate) path: Option<String>,
    /// How long names are remembered, over restarts.
    #[option(default = "24h", min = "1s", group = "idempotency")]
    pub(crate) window: Duration,
    /// The most names that are remembered; beyond that the oldest are forgotten. 0 remembers none.
    #[option(default = "100000", max = 1_000_000, group = "idempotency")]
    pub(crate) max: u32,
}

impl WebhookOptions {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut problem =
            |option: &str, message: String| problems.push(ConfigProblem::new(option, message));
        if !self.path.starts_with('/') || self.path.contains(['?', '#', '{', '}', ' ']) {
            problem(
                "path",
                format!("is `{}`; it must be a path such as `/post`", self.path),
            );
        }
        if self.methods.is_empty() {
            problem("methods", "names no method".to_owned());
        }
        for method in &self.methods {
            if method.parse::<axum::http::Method>().is_err() {
                problem("methods", format!("`{method}` is not a method"));
            }
        }
        for (option, pointer) in [
            ("key.path", &self.key_path),
            ("idempotency.path", &self.idempotency.path),
        ] {
            if pointer
                .as_deref()
                .is_some_and(|pointer| !pointer.starts_with('/'))
            {
                problem(option, "must be a JSON Pointer such as `/id`".to_owned());
            }
        }
        for header in self
            .headers_include
            .iter()
            .chain(&self.idempotency.headers)
            .chain([&self.hmac.header])
            .chain(&self.hmac.timestamp_header)
        {
            if header.parse::<axum::http::HeaderName>().is_err() {
                problem(
                    "headers.include",
                    format!("`{header}` is not a header's name"),
                );
            }
        }
        self.check_auth(&mut problem);
        self.check_listen(&mut problem);
        problems
    }

    fn check_auth(&self, problem: &mut impl FnMut(&str, String)) {
        match self.auth.kind {
            AuthType::None => {}
            AuthType::Basic => {
                if self.auth.username.is_none() {
                    problem(
                        "auth.username",
                        "is missing; `auth.type: basic` needs it".to_owned(),
                    );
                }
                if self.auth.password.is_none() {
                    problem(
                        "auth.password",
                        "is missing; `auth.type: basic` needs it".to_owned(),
                    );
                }
            }
            AuthType::Bearer => {
                if self
                    .auth
                    .tokens
                    .iter()
                    .all(|token| token.expose().is_empty())
                {
                    problem(
                        "auth.tokens",
                        "names no token; `auth.type: bearer` needs one".to_owned(),
                    );
                }
            }
            AuthType::Hmac => {
                if self.hmac.secrets.is_empty()
                    || self
                        .hmac
                        .secrets
                        .iter()
                        .any(|secret| secret.expose().is_empty())
                {
                    problem(
                        "hmac.secrets",
                        "names no secret, or an empty one; `auth.type: hmac` needs one".to_owned(),
                    );
                } else if self.hmac.scheme == Scheme::StandardWebhooks {
                    for secret in &self.hmac.secrets {
                        if super::signature::standard_key(secret.expose()).is_none() {
                            problem("hmac.secrets", "holds one that is not base64, with or without `whsec_` in front, as `standard_webhooks` wants it".to_owned());
                        }
                    }
                }
            }
        }
    }

    fn check_listen(&self, problem: &mut impl FnMut(&str, String)) {
        let Some(address) = self.address() else {
            problem(
                "listen",
                format!(
                    "is `{}`; it must be an address and a port such as `127.0.0.1:8085` or `[::1]:8085`",
                    self.listen
                ),
            );
            return;
        };
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            problem(
                "tls.key",
                "goes with `tls.certificate`: set both or none".to_owned(),
            );
        }
        let guarded = self.auth.kind != AuthType::None && self.tls_certificate.is_some();
        if !address.ip().is_loopback() && !guarded && !self.insecure_listen {
            problem(
                "listen",
                format!(
                    "is `{address}`, which others can reach: set `auth.type` and `tls.certificate`, or `insecure.listen: true` behind a proxy that does both"
                ),
            );
        }
    }

    /// Returns the address to listen on; `localhost` is 127.0.0.1.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self.listen.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}").parse().ok(),
            None => self.listen.parse().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Options, WebhookOptions};

    fn check(config: &[(&str, &str)], expected: &[&str]) {
        let config = config
            .iter()
            .chain(&[("topic", "t")])
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let problems = WebhookOptions::from_config(&config)
            .err()
            .unwrap_or_default();
        let options: Vec<_> = problems
            .iter()
            .map(|problem| problem.option.as_str())
            .collect();
        assert_eq!(options, expected, "{config:?}: {problems:?}");
    }

    #[test]
    fn what_is_wrong_is_named_all_at_once() {
        check(&[], &[]);
        check(
            &[("path", "post"), ("listen", "here"), ("key.path", "id")],
            &["path", "key.path", "listen"],
        );
        check(
            &[("auth.type", "basic")],
            &["auth.username", "auth.password"],
        );
        check(&[("auth.type", "bearer")], &["auth.tokens"]);
        check(&[("auth.type", "hmac")], &["hmac.secrets"]);
        check(
            &[("auth.type", "hmac"), ("hmac.secrets", "not base64!")],
            &["hmac.secrets"],
        );
        check(&[("rate.limit", "fast")], &["rate.limit"]);
    }

    #[test]
    fn others_reach_it_only_with_authentication_and_tls() {
        check(&[("listen", "0.0.0.0:80")], &["listen"]);
        check(
            &[("listen", "0.0.0.0:80"), ("insecure.listen", "true")],
            &[],
        );
        check(&[("listen", "[::1]:80")], &[]);
        check(&[("listen", "localhost:80")], &[]);
        check(
            &[
                ("listen", "0.0.0.0:80"),
                ("auth.type", "bearer"),
                ("auth.tokens", "t"),
                ("tls.certificate", "c.pem"),
                ("tls.key", "k.pem"),
            ],
            &[],
        );
    }
}

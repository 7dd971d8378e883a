//! Options of `http-sink`. The names of Aiven's HTTP sink are aliases.

use std::collections::BTreeMap;

use linkspan_sdk::OptionValue;
use linkspan_sdk::prelude::*;

use crate::auth::AuthOptions;
use crate::client::ClientOptions;
use crate::retry::Codes;
use crate::template::{Kind, Template};

/// Delivers records to an HTTP endpoint, at least once and with a key by which repeats are known.
#[derive(Debug, Clone, Options)]
#[options(validate = "HttpSinkOptions::check")]
pub(crate) struct HttpSinkOptions {
    /// Where records go: a URL or a template of one, such as `https://api.example.com/orders/{{ value.id }}`. What is put in
    /// is percent-encoded.
    #[option(alias = "http.url", importance = "high")]
    pub(crate) url: String,
    /// The method, or a template of it.
    #[option(default = "POST", alias = "http.method", importance = "high")]
    pub(crate) method: String,
    /// Headers and their values, which may be templates.
    #[option(default = "{}", alias = "http.headers")]
    pub(crate) headers: BTreeMap<String, String>,
    /// What `Content-Type` says.
    #[option(default = "application/json", alias = "http.headers.content.type")]
    pub(crate) headers_content_type: String,
    /// Further headers, each as `name:value`.
    #[option(default = "[]", alias = "http.headers.additional")]
    pub(crate) headers_additional: Vec<String>,
    /// A template of the body. Unset: the record's value as it is, a row as its JSON.
    #[option(name = "body.template")]
    pub(crate) body_template: Option<String>,
    /// What a record without a value is. `skip`: nothing. `delete`: a DELETE at `delete.url`. `fail`: a bad record.
    #[option(default = "skip", alias = "behavior.on.null.values")]
    pub(crate) on_null_value: OnNullValue,
    /// Where the DELETE goes, a template. Unset: `url`.
    #[option(name = "delete.url")]
    pub(crate) delete_url: Option<String>,
    /// Several records in one request.
    #[option(
        name = "batching.enabled",
        default = "false",
        importance = "high",
        group = "batching"
    )]
    pub(crate) batching_enabled: bool,
    /// `jsonl`: a line of JSON for each record. `json_array`: one array.
    #[option(name = "batch.format", default = "jsonl", group = "batching")]
    pub(crate) batch_format: BatchFormat,
    /// The most records of a request.
    #[option(
        name = "batch.max.size",
        default = "500",
        min = 1,
        max = 1_000_000,
        group = "batching"
    )]
    pub(crate) batch_max_size: u32,
    /// The most bytes of a request, unless a single record has more.
    #[option(
        name = "batch.max.bytes",
        default = "1MiB",
        min = 1,
        max = 16_777_216,
        group = "batching"
    )]
    pub(crate) batch_max_bytes: ByteSize,
    /// What stands before the first record instead of the format's; `\n` and `\t` are understood.
    #[option(name = "batch.prefix", group = "batching")]
    pub(crate) batch_prefix: Option<String>,
    /// What stands behind the last record.
    #[option(name = "batch.suffix", group = "batching")]
    pub(crate) batch_suffix: Option<String>,
    /// What stands between two records.
    #[option(name = "batch.separator", group = "batching")]
    pub(crate) batch_separator: Option<String>,
    /// Which records keep their order: those of a `partition`, those of a `key`, or `none`.
    #[option(default = "partition", importance = "high", group = "delivery")]
    pub(crate) order: Order,
    /// The most requests at one time. As `order` says, one after the other within a partition or a key.
    #[option(
        name = "max.in.flight",
        default = "8",
        min = 1,
        max = 1_024,
        group = "delivery"
    )]
    pub(crate) max_in_flight: u32,
    /// How long a request may take in all; a plain number is seconds.
    #[option(
        name = "request.timeout",
        default = "30s",
        alias = "http.timeout",
        group = "delivery"
    )]
    pub(crate) request_timeout: Seconds,
    /// How often a request is tried again before the task fails; -1 is without end, also what holds where it is unset, except
    /// in a `--once` job (10).
    #[option(name = "max.retries", min = -1, group = "delivery")]
    pub(crate) max_retries: Option<i32>,
    /// The wait before the second try, which doubles each time. What a server asks for (`Retry-After`) counts more.
    #[option(
        name = "retry.backoff.ms",
        default = "3000",
        min = 1,
        group = "delivery"
    )]
    pub(crate) retry_backoff: Duration,
    /// The longest wait between two tries that no server asked for.
    #[option(
        name = "retry.backoff.max.ms",
        default = "60000",
        alias = "kafka.retry.backoff.ms",
        min = 1,
        group = "delivery"
    )]
    pub(crate) retry_backoff_max: Duration,
    /// The answers that mean: delivered.
    #[option(name = "success.codes", default = "200-299", group = "delivery")]
    pub(crate) success_codes: Codes,
    /// The answers that mean: not now. 401, 403 and redirects fail the task, all others refuse the record.
    #[option(
        name = "retry.codes",
        default = "408,425,429,500-599",
        group = "delivery"
    )]
    pub(crate) retry_codes: Codes,
    /// Answers that are taken as delivered although they are no success, such as 404 of a DELETE or 409.
    #[option(name = "ignore.codes", default = "", group = "delivery")]
    pub(crate) ignore_codes: Codes,
    /// The header that names a delivery, so that the other side knows a repeat. Empty: none.
    #[option(
        name = "idempotency.header",
        default = "Idempotency-Key",
        group = "delivery"
    )]
    pub(crate) idempotency_header: String,
    /// A template of the name. Unset: `TOPIC-ID-PARTITION-OFFSET`, of a batch `TOPIC-ID-PARTITION-FIRST-LAST`.
    #[option(name = "idempotency.key", group = "delivery")]
    pub(crate) idempotency_key: Option<String>,
    /// A topic of the log that keeps the answers: the body as value, the record's key, status and coordinates in headers. An
    /// answer is in the same commit as the position behind its record.
    #[option(name = "response.topic", group = "delivery")]
    pub(crate) response_topic: Option<TopicName>,
    /// The most bytes that are kept of an answer's body.
    #[option(
        name = "response.max.bytes",
        default = "64KiB",
        min = 0,
        max = 1_000_000,
        group = "delivery"
    )]
    pub(crate) response_max_bytes: ByteSize,
    #[option(nest = "")]
    pub(crate) auth: AuthOptions,
    #[option(nest = "")]
    pub(crate) client: ClientOptions,
}

/// What a record without a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnNullValue {
    Skip,
    Delete,
    Fail,
}

impl OptionValue for OnNullValue {
    // Not declared as words, since `ignore` of other sinks is taken too.
    const KIND: &'static str = "string";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "skip" | "ignore" => Ok(Self::Skip),
            "delete" => Ok(Self::Delete),
            "fail" => Ok(Self::Fail),
            _ => Err("`skip`, `delete` or `fail`".to_owned()),
        }
    }
}

/// How several records make one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum BatchFormat {
    Jsonl,
    JsonArray,
}

/// Which records keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Order {
    Partition,
    Key,
    None,
}

/// A time; a plain number is seconds, as Aiven's sink has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) Duration);

impl OptionValue for Seconds {
    const KIND: &'static str = "string";

    fn parse(name: &str, text: &str) -> Result<Self, String> {
        let plain = text.trim().parse().map(Duration::from_secs).ok();
        let read = plain.map_or_else(|| Duration::parse(name, text), Ok)?;
        if read.is_zero() {
            Err("longer than nothing".to_owned())
        } else {
            Ok(Self(read))
        }
    }
}

impl HttpSinkOptions {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut problem =
            |option: &str, message: String| problems.push(ConfigProblem::new(option, message));
        let templates = [
            ("url", Some(&self.url), Kind::Url),
            ("delete.url", self.delete_url.as_ref(), Kind::Url),
            ("method", Some(&self.method), Kind::Text),
            ("body.template", self.body_template.as_ref(), Kind::Text),
            ("idempotency.key", self.idempotency_key.as_ref(), Kind::Text),
        ];
        for (option, text, kind) in templates {
            let Some(text) = text else { continue };
            match Template::parse(option, text, kind) {
                Err(wrong) => problem(option, wrong),
                Ok(template) if kind == Kind::Url => {
                    let fixed = template.fixed().map(url::Url::parse);
                    if fixed.is_some_and(|url| !url.is_ok_and(|url| url.has_host())) {
                        problem(
                            option,
                            "is not a URL such as `https://host/path`".to_owned(),
                        );
                    }
                }
                Ok(_) => {}
            }
        }
        for (name, value) in self.all_headers() {
            if name.parse::<reqwest::header::HeaderName>().is_err() {
                problem("headers", format!("`{name}` is not a header's name"));
            }
            if let Err(wrong) = Template::parse("headers", value, Kind::Text) {
                problem("headers", format!("`{name}` {wrong}"));
            }
        }
        for text in &self.headers_additional {
            if !text.contains(':') {
                problem(
                    "headers.additional",
                    format!("`{text}` is not `name:value`"),
                );
            }
        }
        if !self.idempotency_header.is_empty()
            && self
                .idempotency_header
                .parse::<reqwest::header::HeaderName>()
                .is_err()
        {
            problem("idempotency.header", "is not a header's name".to_owned());
        }
        if self.client.tls_certificate.is_some() != self.client.tls_key.is_some() {
            problem(
                "tls.key",
                "goes with `tls.certificate`: set both or none".to_owned(),
            );
        }
        problems
    }

    /// Returns names and values of all headers that are set by hand.
    pub(crate) fn all_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let map = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let list = self
            .headers_additional
            .iter()
            .filter_map(|text| text.split_once(':'));
        map.chain(list.map(|(name, value)| (name.trim(), value.trim())))
    }

    /// Returns what stands before, between and behind the records of a batch.
    pub(crate) fn batch_frame(&self) -> [Vec<u8>; 3] {
        let (prefix, separator, suffix) = match self.batch_format {
            BatchFormat::Jsonl => ("", "\n", "\n"),
            BatchFormat::JsonArray => ("[", ",", "]"),
        };
        let text = |set: &Option<String>, default: &str| {
            let text = set.as_deref().unwrap_or(default);
            text.replace("\\n", "\n").replace("\\t", "\t").into_bytes()
        };
        [
            text(&self.batch_prefix, prefix),
            text(&self.batch_separator, separator),
            text(&self.batch_suffix, suffix),
        ]
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
        let problems = HttpSinkOptions::from_config(&config)
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
        check(&[("url", "http://h/p")], &[]);
        check(&[("url", "http://h/{{ value.id }}")], &[]);
        check(
            &[
                ("url", "h/p"),
                ("method", "{{"),
                ("headers.additional", "x"),
            ],
            &["url", "method", "headers.additional"],
        );
        check(
            &[("url", "http://h"), ("success.codes", "2xx")],
            &["success.codes"],
        );
        check(
            &[("url", "http://h"), ("auth.type", "oauth2")],
            &[
                "oauth2.access.token.url",
                "oauth2.client.id",
                "oauth2.client.secret",
            ],
        );
        check(
            &[("url", "http://h"), ("headers", "{\"a b\":\"c\"}")],
            &["headers"],
        );
    }

    #[test]
    fn a_configuration_of_aivens_sink_is_taken_as_it_is() {
        let config = [
            ("http.url", "http://h/p"),
            ("http.authorization.type", "oauth2"),
            ("http.headers.content.type", "text/plain"),
            ("http.headers.additional", "a:b,c:d"),
            ("oauth2.access.token.url", "http://t/"),
            ("oauth2.client.id", "i"),
            ("oauth2.client.secret", "s"),
            ("oauth2.client.scope", "x"),
            ("oauth2.client.authorization.mode", "URL"),
            ("oauth2.response.token.property", "token"),
            ("batching.enabled", "true"),
            ("batch.max.size", "10"),
            ("batch.prefix", "["),
            ("batch.suffix", "]"),
            ("batch.separator", ","),
            ("max.retries", "1"),
            ("retry.backoff.ms", "3000"),
            ("kafka.retry.backoff.ms", "10000"),
            ("http.timeout", "30"),
        ];
        check(&config, &[]);
        let config = config
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let options = HttpSinkOptions::from_config(&config).unwrap();
        assert_eq!(options.request_timeout, Seconds(Duration::from_secs(30)));
        assert_eq!(
            options.all_headers().collect::<Vec<_>>(),
            [("a", "b"), ("c", "d")]
        );
        assert_eq!(
            options.batch_frame(),
            [b"[".to_vec(), b",".to_vec(), b"]".to_vec()]
        );
        check(
            &[
                ("http.url", "http://h"),
                ("http.authorization.type", "static"),
                ("http.headers.authorization", "Bearer x"),
            ],
            &[],
        );
    }
}

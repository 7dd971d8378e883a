//! Options of `http-source`: a connector's own, and those of each stream.

mod check;
mod stream;
mod streams;

use std::collections::{BTreeMap, BTreeSet};

use linkspan_sdk::prelude::*;

pub(crate) use self::stream::{
    CursorType, Decoder, InjectInto, Order, PaginationOptions, PaginationType, StreamOptions,
    TokenIn,
};
use self::streams::Streams;
use crate::auth::AuthOptions;
use crate::client::ClientOptions;
use crate::rate::Rate;
use crate::retry::Codes;

/// Polls HTTP APIs: requests by templates, pages, cursors, streams that depend on others.
#[derive(Debug, Clone, Options)]
#[options(validate = "HttpSourceOptions::check")]
pub(crate) struct HttpSourceOptions {
    /// Several streams, each a map of the stream options below with a `name`; what one leaves out is the connector's. Unset:
    /// one stream, made of the connector's options.
    #[option(default = "[]", importance = "high")]
    pub(crate) streams: Streams,
    #[option(nest = "")]
    pub(crate) stream: StreamOptions,
    /// The most requests in a time, such as `10/s`, of all streams of a task together. `RateLimit-*` headers and `Retry-After`
    /// are heeded in any case.
    #[option()]
    pub(crate) rate_limit: Option<Rate>,
    /// How long a request may take in all.
    #[option(
        name = "request.timeout",
        default = "2m",
        min = "1ms",
        group = "delivery"
    )]
    pub(crate) request_timeout: Duration,
    /// How often a request is tried again before the task fails; -1 is without end, also what holds where it is unset, except
    /// in a `--once` job (5).
    #[option(name = "max.retries", min = -1, group = "delivery")]
    pub(crate) max_retries: Option<i32>,
    /// The wait before the second try, which doubles each time. What a server asks for (`Retry-After`) counts more.
    #[option(
        name = "retry.backoff.ms",
        default = "5000",
        min = 1,
        group = "delivery"
    )]
    pub(crate) retry_backoff: Duration,
    /// The longest wait between two tries that no server asked for.
    #[option(
        name = "retry.backoff.max.ms",
        default = "60000",
        min = 1,
        group = "delivery"
    )]
    pub(crate) retry_backoff_max: Duration,
    /// The answers that mean: not now.
    #[option(
        name = "retry.codes",
        default = "408,425,429,500-599",
        group = "delivery"
    )]
    pub(crate) retry_codes: Codes,
    #[option(nest = "")]
    pub(crate) auth: AuthOptions,
    #[option(nest = "")]
    pub(crate) client: ClientOptions,
    /// Which share of the streams this task reads, as `index/count`. Set by the connector.
    #[option(default = "0/1", importance = "low")]
    pub(crate) streams_share: String,
}

impl HttpSourceOptions {
    /// Returns the streams, each with what it leaves to the connector; `config` is the flat configuration of the task.
    ///
    /// # Errors
    /// A stream is not complete, or its parent is not there: all problems at once.
    pub(crate) fn resolve(
        &self,
        config: &BTreeMap<String, String>,
    ) -> Result<Vec<StreamOptions>, Vec<ConfigProblem>> {
        if self.streams.0.is_empty() {
            return Ok(vec![self.stream.clone()]);
        }
        let names: BTreeSet<String> = StreamOptions::definitions()
            .into_iter()
            .map(|one| one.name)
            .collect();
        let shared: BTreeMap<String, String> = config
            .iter()
            .filter(|(key, _)| names.contains(*key))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        let mut streams: Vec<StreamOptions> = Vec::new();
        let mut problems = Vec::new();
        for entry in &self.streams.0 {
            let mut whole = shared.clone();
            whole.extend(entry.iter().map(|(k, v)| (k.clone(), v.clone())));
            match StreamOptions::from_config(&whole) {
                Err(wrong) => problems.extend(wrong),
                Ok(stream) => {
                    let name = stream.named();
                    let mut problem = |option: &str, message: String| {
                        problems.push(ConfigProblem::new(
                            "streams",
                            format!("stream `{name}`: `{option}` {message}"),
                        ))
                    };
                    stream.check(&mut problem);
                    if streams.iter().any(|other| other.named() == name) {
                        problem("name", "is the name of two streams".to_owned());
                    }
                    streams.push(stream);
                }
            }
        }
        for stream in &streams {
            let Some(parent) = &stream.partition.parent_stream else {
                continue;
            };
            match streams.iter().find(|other| other.named() == *parent) {
                None => problems.push(ConfigProblem::new(
                    "streams",
                    format!("stream `{}`: there is no stream `{parent}`", stream.named()),
                )),
                Some(parent)
                    if parent.partition.parent_stream.is_some()
                        || !parent.partition.list.is_empty() =>
                {
                    problems.push(ConfigProblem::new("streams", format!("stream `{}`: its parent `{}` is read for several values itself, which is not supported", stream.named(), parent.named())));
                }
                Some(_) => {}
            }
        }
        if problems.is_empty() {
            Ok(streams)
        } else {
            Err(problems)
        }
    }
}

/// Reads `index/count`.
pub(crate) fn share(text: &str) -> Option<(usize, usize)> {
    let (index, count) = text.split_once('/')?;
    let (index, count) = (index.parse().ok()?, count.parse().ok()?);
    (index < count).then_some((index, count))
}

#[cfg(test)]
mod tests;

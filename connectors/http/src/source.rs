//! `http-source`: polls APIs, page by page, and resumes at the page where it was.
//!
//! Start reading at `source/reader.rs`; what an answer's body becomes is in `source/decode.rs`.

mod cursor;
mod decode;
mod options;
mod page;
mod pager;
mod path;
mod reader;
mod rounds;
mod state;
mod stream;
mod wire;
mod xml;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use linkspan_sdk::prelude::*;

pub(crate) use self::options::HttpSourceOptions;
use self::options::share;
use self::reader::{Reader, Step};
use self::stream::Stream;
use self::wire::Wire;
use crate::auth::Auth;
use crate::client::Client;
use crate::mask::Mask;
use crate::outside::{self, Endpoint};

/// The task of an HTTP source.
pub(crate) struct HttpSource {
    readers: Vec<Reader>,
    /// The reader whose round runs.
    current: usize,
    wire: Wire,
    bounded: bool,
}

/// The split of streams into tasks.
pub(crate) struct HttpSourceConnector;

impl SourceConnector for HttpSourceConnector {
    type Options = HttpSourceOptions;

    async fn check(options: &HttpSourceOptions) -> Result<Checked> {
        let mask = Mask::default();
        let client = Client::new(&options.client, options.request_timeout, &mask)?;
        let auth = Auth::new(&options.auth, &mask)?;
        Ok(outside::look(&client, &auth, &endpoints(options)).await)
    }

    async fn task_configs(options: &HttpSourceOptions, max: u32) -> Result<Vec<TaskConfig>> {
        let streams = u32::try_from(options.streams.0.len().max(1)).unwrap_or(u32::MAX);
        let count = max.min(streams).max(1);
        let share = |index: u32| {
            TaskConfig::from([("streams.share".to_owned(), format!("{index}/{count}"))])
        };
        std::future::ready(Ok((0..count).map(share).collect())).await
    }
}

/// Where the streams begin to read.
fn endpoints(options: &HttpSourceOptions) -> Vec<Endpoint> {
    let whole = |entry: &BTreeMap<String, String>| {
        let url = entry.get("url").or(options.stream.url.as_ref())?.clone();
        let method = entry.get("method").unwrap_or(&options.stream.method);
        let own = entry.get("headers").map(|json| serde_json::from_str(json));
        let own = own.and_then(std::result::Result::ok);
        Some(Endpoint {
            option: if entry.is_empty() { "url" } else { "streams" },
            url,
            headers: own.unwrap_or_else(|| options.stream.headers.clone()),
            reads: method.eq_ignore_ascii_case("GET"),
        })
    };
    if options.streams.0.is_empty() {
        return whole(&BTreeMap::new()).into_iter().collect();
    }
    options.streams.0.iter().filter_map(whole).collect()
}

impl SourceTask for HttpSource {
    type Options = HttpSourceOptions;

    async fn open(options: HttpSourceOptions, ctx: SourceContext) -> Result<Self> {
        let streams = options.resolve(ctx.config()).map_err(|problems| {
            let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Error::config_invalid(told.join("; "))
        })?;
        let streams: Vec<Rc<Stream>> = streams
            .into_iter()
            .map(|stream| Stream::new(stream, ctx.config()).map(Rc::new))
            .collect::<Result<_>>()?;
        let (index, count) = share(&options.streams_share).unwrap_or((0, 1));
        let mut readers = Vec::new();
        for stream in streams.iter().skip(index).step_by(count) {
            let parent = stream.options.partition.parent_stream.as_ref();
            let parent = parent
                .and_then(|name| streams.iter().find(|other| other.name == *name))
                .map(Rc::clone);
            readers.push(Reader::new(Rc::clone(stream), parent, &ctx)?);
        }
        let bounded = ctx.bounded();
        std::future::ready(()).await;
        Ok(Self {
            readers,
            current: 0,
            wire: Wire::new(&options, bounded)?,
            bounded,
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        loop {
            let now = Instant::now();
            let is_due = |reader: &Reader| reader.due.is_none_or(|due| due <= now);
            let has_round = self
                .readers
                .get(self.current)
                .is_some_and(|reader| reader.due.is_none());
            if !has_round {
                let Some(next) = self.readers.iter().position(is_due) else {
                    return Ok(self.rest(now));
                };
                self.current = next;
            }
            let Some(reader) = self.readers.get_mut(self.current) else {
                return Ok(self.rest(now));
            };
            reader.due = None;
            match reader.step(&mut self.wire, out).await? {
                Step::Went => continue,
                Step::Wrote => {}
                Step::RoundDone if self.bounded => {
                    self.readers.remove(self.current);
                }
                Step::RoundDone => reader.due = Some(Instant::now() + reader.interval()),
            }
            // A request may fail, and would take with it what the batch holds.
            return Ok(Poll::More);
        }
    }
}

impl HttpSource {
    /// Says when there is something to do again.
    fn rest(&self, now: Instant) -> Poll {
        let next = self.readers.iter().filter_map(|reader| reader.due).min();
        match next {
            None => Poll::Exhausted,
            Some(due) => Poll::Idle(
                due.saturating_duration_since(now)
                    .max(Duration::from_millis(1)),
            ),
        }
    }
}

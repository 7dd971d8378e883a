//! `http-sink`: records to an endpoint, at least once, each with a key by which the other side knows a repeat.
//!
//! ```text
//! put ─► plan: records → requests → lanes ─► deliver: lanes side by side, requests of a lane one after the other
//!                                              │ delivered · refused (dead letter) · later (the same batch again) · failed
//!        progress ◄── all of them settled ◄────┘
//! ```
//! What was answered is committed while the batch is still under way (`marks`), with the answers, where `response.topic` keeps them.
//! After "later" the host puts the same batch again, and only what was not settled before is sent again.

mod deliver;
mod marks;
mod options;
mod plan;
mod request;

use std::cell::RefCell;
use std::collections::HashMap;

use linkspan_sdk::prelude::*;

use self::deliver::Delivery;
use self::marks::Marks;
pub(crate) use self::options::HttpSinkOptions;
use self::plan::{Settled, plan};
use self::request::Maker;
use crate::auth::Auth;
use crate::client::Client;
use crate::mask::Mask;
use crate::outside::{self, Endpoint};
use crate::retry::Retries;

/// Tries of a `--once` job where `max.retries` is not set.
const BOUNDED_RETRIES: i32 = 10;

/// What became of a record.
#[derive(Debug, Clone)]
enum Outcome {
    /// With what is still to be written to `response.topic`.
    Delivered(Option<Box<NewRecord>>),
    /// Kind and message.
    Refused(ErrorKind, String),
}

/// The task of an HTTP sink.
pub(crate) struct HttpSink {
    options: HttpSinkOptions,
    ctx: SinkContext,
    client: Client,
    auth: Auth,
    maker: Maker,
    retries: Retries,
    /// What was settled of a batch that comes again, by topic, partition and offset.
    settled: HashMap<(String, i32, i64), Outcome>,
}

/// What the connector does as a whole.
pub(crate) struct HttpSinkConnector;

impl SinkConnector for HttpSinkConnector {
    type Options = HttpSinkOptions;

    async fn check(options: &HttpSinkOptions) -> Result<Checked> {
        let mask = Mask::default();
        let client = Client::new(&options.client, options.request_timeout.0, &mask)?;
        let auth = Auth::new(&options.auth, &mask)?;
        let headers = options.all_headers();
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let endpoint = Endpoint {
            option: "url",
            url: options.url.clone(),
            headers: headers.collect(),
            reads: false,
        };
        Ok(outside::look(&client, &auth, &[endpoint]).await)
    }
}

impl SinkTask for HttpSink {
    type Options = HttpSinkOptions;

    async fn open(options: HttpSinkOptions, ctx: SinkContext) -> Result<Self> {
        let mask = Mask::default();
        let client = Client::new(&options.client, options.request_timeout.0, &mask)?;
        let auth = Auth::new(&options.auth, &mask)?;
        let most = options
            .max_retries
            .unwrap_or(if ctx.bounded() { BOUNDED_RETRIES } else { -1 });
        Ok(Self {
            maker: Maker::new(&options)?,
            retries: Retries::new(most, options.retry_backoff, options.retry_backoff_max),
            options,
            ctx,
            client,
            auth,
            settled: HashMap::new(),
        })
    }

    async fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        let done = records.progress();
        let records: Vec<Record<'_>> = records.collect();
        if records.is_empty() {
            return Ok(done);
        }
        let known = |record: &Record<'_>| self.settled.get(&coordinates(record)).cloned();
        let outcomes: Vec<Option<Outcome>> = if self.settled.is_empty() {
            vec![None; records.len()]
        } else {
            records.iter().map(known).collect()
        };
        let outcomes = RefCell::new(outcomes);
        let is_open = |index: usize| outcomes.borrow().get(index).is_some_and(Option::is_none);
        let mut planned = Vec::new();
        let lanes = plan(
            &self.options,
            &self.maker,
            &records,
            is_open,
            |index, settled| planned.push((index, settled)),
        );
        for (index, settled) in planned {
            let outcome = match settled {
                Settled::Skipped => Outcome::Delivered(None),
                Settled::Refused(error) => Outcome::Refused(error.kind(), error.chain()),
            };
            settle(&outcomes, index, outcome);
        }
        let marks = Marks::new(&self.ctx, &records, &outcomes);
        let delivery = Delivery {
            options: &self.options,
            ctx: &self.ctx,
            client: &self.client,
            auth: &self.auth,
            maker: &self.maker,
            records: &records,
            outcomes: &outcomes,
            marks: &marks,
        };
        let mut delivered = delivery.run(lanes).await;
        let stopped = self.ctx.stopped()
            && matches!(&delivered, Err(error) if error.kind() == ErrorKind::Stopped);
        // Where this batch does not come again, no answer may stay behind.
        let last = delivered.is_ok() || stopped;
        if !last || self.options.response_topic.is_some() {
            let committed = marks.commit(last);
            delivered = if last {
                committed.and(delivered)
            } else {
                delivered
            };
        }
        let outcomes = outcomes.into_inner();
        self.settled.clear();
        if let Err(error) = delivered {
            if self.ctx.stopped() && error.kind() == ErrorKind::Stopped {
                refuse(&records, &outcomes, report);
                return Ok(finished(&records, &outcomes));
            }
            let settled = records
                .iter()
                .zip(outcomes)
                .filter_map(|(record, outcome)| Some((coordinates(record), outcome?)));
            self.settled.extend(settled);
            return Err(self.retries.failed(error));
        }
        self.retries.reset();
        refuse(&records, &outcomes, report);
        Ok(done)
    }
}

fn coordinates(record: &Record<'_>) -> (String, i32, i64) {
    (
        record.original_topic().to_owned(),
        record.partition(),
        record.offset(),
    )
}

fn settle(outcomes: &RefCell<Vec<Option<Outcome>>>, index: usize, outcome: Outcome) {
    if let Some(place) = outcomes.borrow_mut().get_mut(index) {
        *place = Some(outcome);
    }
}

fn refuse(records: &[Record<'_>], outcomes: &[Option<Outcome>], report: &mut Report) {
    for (record, outcome) in records.iter().zip(outcomes) {
        if let Some(Outcome::Refused(kind, message)) = outcome {
            report.reject(record, Error::new(*kind, message.clone()));
        }
    }
}

/// Returns the progress of a batch that a stop cut short: up to the first record of each partition that is not settled.
fn finished(records: &[Record<'_>], outcomes: &[Option<Outcome>]) -> Progress {
    let mut progress = Progress::none();
    let mut ended: Vec<TopicPartition> = Vec::new();
    for (record, outcome) in records.iter().zip(outcomes) {
        let at = record.topic_partition();
        if ended.contains(&at) {
            continue;
        }
        match outcome {
            Some(_) => {
                progress.set(at, record.offset().saturating_add(1), "");
            }
            None => ended.push(at),
        }
    }
    progress
}

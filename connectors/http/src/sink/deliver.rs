//! Sending planned requests, and what their answers mean.

use std::cell::{Cell, RefCell};
use std::time::SystemTime;

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use linkspan_sdk::prelude::*;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;

use super::marks::Marks;
use super::options::HttpSinkOptions;
use super::plan::{Lane, Unit};
use super::request::Maker;
use super::{Outcome, settle};
use crate::answer::Answer;
use crate::auth::Auth;
use crate::client::Client;
use crate::error::CallError;
use crate::retry::{forbidden, later};

/// One batch on its way.
pub(super) struct Delivery<'p, 'r> {
    pub(super) options: &'p HttpSinkOptions,
    pub(super) ctx: &'p SinkContext,
    pub(super) client: &'p Client,
    pub(super) auth: &'p Auth,
    pub(super) maker: &'p Maker,
    pub(super) records: &'p [Record<'r>],
    pub(super) outcomes: &'p RefCell<Vec<Option<Outcome>>>,
    pub(super) marks: &'p Marks<'p, 'r>,
}

/// What an answer means for the records of its request.
enum Meaning {
    /// With what is to be kept of the answer.
    Delivered(Option<Box<NewRecord>>),
    Refused(String),
}

impl Delivery<'_, '_> {
    /// Sends all lanes, several at a time. After the first failure no further request is begun.
    pub(super) async fn run(&self, lanes: Vec<Lane>) -> Result<()> {
        let most = usize::try_from(self.options.max_in_flight).unwrap_or(1);
        let failed = Cell::new(false);
        let mut running = iter(lanes)
            .map(|lane| self.lane(lane, &failed))
            .buffer_unordered(most);
        let mut worst: Option<Error> = None;
        while let Some(outcome) = running.next().await {
            if let Err(error) = outcome {
                failed.set(true);
                worst = Some(match worst {
                    Some(known) if weight(&known) >= weight(&error) => known,
                    _ => error,
                });
            }
        }
        worst.map_or(Ok(()), Err)
    }

    async fn lane(&self, lane: Lane, failed: &Cell<bool>) -> Result<()> {
        for unit in lane {
            if failed.get() {
                return Ok(());
            }
            if self.ctx.stopped() {
                return Err(Error::stopped("the task was asked to stop"));
            }
            self.unit(unit).await?;
        }
        Ok(())
    }

    /// Sends one request; a batch that is refused is halved until the bad records are found.
    async fn unit(&self, unit: Unit) -> Result<()> {
        let mut open = vec![unit];
        while let Some(unit) = open.pop() {
            match self.send(&unit).await? {
                Meaning::Delivered(answer) => {
                    let bytes = answer.as_ref().map_or(0, |answer| answer.bytes());
                    let last = unit.indexes.last().copied();
                    for index in &unit.indexes {
                        settle(self.outcomes, *index, Outcome::Delivered(None));
                    }
                    // The answer to several records goes with the last of them.
                    if let (Some(answer), Some(last)) = (answer, last) {
                        settle(self.outcomes, last, Outcome::Delivered(Some(answer)));
                    }
                    self.marks.answered(bytes)?;
                }
                Meaning::Refused(_) if unit.indexes.len() > 1 => {
                    let (first, second) = halves(unit);
                    // The second is taken after the first.
                    open.push(second);
                    open.push(first);
                }
                Meaning::Refused(message) => {
                    for index in unit.indexes {
                        settle(
                            self.outcomes,
                            index,
                            Outcome::Refused(ErrorKind::DataInvalid, message.clone()),
                        );
                    }
                }
            }
        }
        Ok(())
    }

    async fn send(&self, unit: &Unit) -> Result<Meaning> {
        let record = |index: Option<&usize>| index.and_then(|index| self.records.get(*index));
        let (Some(first), Some(last)) = (record(unit.indexes.first()), record(unit.indexes.last()))
        else {
            return Ok(Meaning::Delivered(None));
        };
        let bodies: Vec<&[u8]> = unit.bodies.iter().map(Vec::as_slice).collect();
        let call = match self
            .maker
            .call(unit.target.clone(), first, last, &bodies, unit.batched)
        {
            Ok(call) => call,
            Err(error) => return Ok(Meaning::Refused(error.chain())),
        };
        match self.client.send(self.auth, call).await {
            Ok(answer) => self.meaning(first, last, &answer),
            // The record made this URL, so it is the record that is refused.
            Err(error @ CallError::Egress { .. }) if self.is_templated() => {
                Ok(Meaning::Refused(Error::from(error).chain()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Returns what `response.topic` keeps of an answer.
    fn kept(&self, first: &Record<'_>, last: &Record<'_>, answer: &Answer) -> Option<NewRecord> {
        let topic = self.options.response_topic.as_ref()?;
        let most = self.options.response_max_bytes.as_usize();
        let whole = answer.body.as_ref();
        let body = whole.get(..most).unwrap_or(whole);
        let body = match std::str::from_utf8(body) {
            Ok(text) => self.client.mask().apply(text).into_owned().into_bytes(),
            Err(_) => body.to_vec(),
        };
        let mut kept = NewRecord::to(topic)
            .value(body)
            .header("http.status", answer.status.as_str())
            .header("http.topic", first.original_topic())
            .header("http.partition", first.partition().to_string())
            .header("http.offset", first.offset().to_string());
        if let Some(kind) = answer.headers.get(CONTENT_TYPE) {
            kept = kept.header("http.header.content-type", kind.as_bytes());
        }
        if whole.len() > most {
            kept = kept.header("http.body.bytes", whole.len().to_string());
        }
        if first.offset() != last.offset() {
            return Some(kept.header("http.last.offset", last.offset().to_string()));
        }
        let key = first.key();
        let mut json = Vec::new();
        Some(match key.as_bytes() {
            Some(bytes) => kept.key(bytes),
            None if !key.is_null() && key.write_json(&mut json).is_ok() => kept.key(json),
            None => kept,
        })
    }

    fn is_templated(&self) -> bool {
        self.options.url.contains("{{")
    }

    fn meaning(&self, first: &Record<'_>, last: &Record<'_>, answer: &Answer) -> Result<Meaning> {
        let (status, options) = (answer.status, self.options);
        if options.success_codes.holds(status) || options.ignore_codes.holds(status) {
            return Ok(Meaning::Delivered(
                self.kept(first, last, answer).map(Box::new),
            ));
        }
        let place = if first.offset() == last.offset() {
            format!(
                "record {}-{} offset {}",
                first.original_topic(),
                first.partition(),
                first.offset()
            )
        } else {
            format!(
                "records {}-{} offsets {} to {}",
                first.original_topic(),
                first.partition(),
                first.offset(),
                last.offset()
            )
        };
        let told = format!("{place}: {}", answer.told(self.client.mask()));
        if options.retry_codes.holds(status) {
            return Err(later(status, told, answer.retry_after(SystemTime::now())));
        }
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
            return Err(forbidden(told));
        }
        if status.is_redirection() {
            return Err(Error::config_invalid(format!(
                "{told}; set the `url` that it points to"
            )));
        }
        Ok(Meaning::Refused(told))
    }
}

/// A permanent failure counts more than a temporary one, and of those the one that waits longest.
fn weight(error: &Error) -> (bool, Option<Duration>) {
    (
        !error.is_temporary() && error.kind() != ErrorKind::Stopped,
        error.retry_delay(),
    )
}

fn halves(mut unit: Unit) -> (Unit, Unit) {
    let middle = unit.indexes.len() / 2;
    let second = Unit {
        indexes: unit.indexes.split_off(middle),
        bodies: unit.bodies.split_off(middle),
        target: unit.target.clone(),
        batched: unit.batched,
    };
    (unit, second)
}

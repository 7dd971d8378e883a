//! A producer of librdkafka that says which of the records sent were not delivered.

use std::sync::{Mutex, PoisonError};

use linkspan_sdk::prelude::*;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext, PurgeConfig};
use rdkafka::statistics::Statistics;
use rdkafka::{ClientConfig, ClientContext};

use crate::client::Events;
use crate::error;

/// Failed deliveries that are remembered one by one.
const FAILED_MAX: usize = 1_000;
/// How long the client's events are served at a time.
const SERVE: Duration = Duration::from_millis(1);

/// A record of a batch that was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Undelivered {
    /// Its number in the batch.
    pub(crate) index: usize,
    pub(crate) code: Code,
}

/// Context of a producer.
pub(crate) struct Deliveries {
    events: Events,
    failed: Mutex<Vec<Undelivered>>,
}

impl Deliveries {
    fn failed(&self) -> std::sync::MutexGuard<'_, Vec<Undelivered>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.events.log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.events.stats(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.events.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        let Err((failed, _)) = result else { return };
        let code = failed.rdkafka_error_code().unwrap_or(Code::Unknown);
        let mut list = self.failed();
        if list.len() < FAILED_MAX {
            list.push(Undelivered { index, code });
        }
    }
}

/// A record as it goes to Kafka.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Option<i32>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Option<OwnedHeaders>,
}

/// A producer with its deliveries.
pub(crate) struct Sender {
    producer: BaseProducer<Deliveries>,
    place: String,
}

impl Sender {
    pub(crate) fn new(config: &ClientConfig, ctx: TaskContext, place: &str) -> Result<Self> {
        let context = Deliveries {
            events: Events::new(ctx),
            failed: Mutex::default(),
        };
        let producer = config
            .create_with_context(context)
            .map_err(|failed| error::from_call(&failed, place, "make a producer", None))?;
        Ok(Self {
            producer,
            place: place.to_owned(),
        })
    }

    pub(crate) fn events(&self) -> &Events {
        &self.producer.context().events
    }

    pub(crate) const fn inner(&self) -> &BaseProducer<Deliveries> {
        &self.producer
    }

    /// Serves the client's events for a moment.
    pub(crate) fn serve(&self) {
        self.producer.poll(SERVE);
    }

    /// Hands a record to the client, waiting while its queue is full.
    ///
    /// # Errors
    /// The code of what the client refuses at once: too large, a partition that does not exist; `None` when told to stop.
    pub(crate) fn send(
        &self,
        index: usize,
        outgoing: Outgoing<'_>,
    ) -> std::result::Result<(), Option<Code>> {
        let mut record: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(outgoing.topic, index);
        record.partition = outgoing.partition;
        record.timestamp = outgoing.timestamp;
        record.key = outgoing.key;
        record.payload = outgoing.value;
        record.headers = outgoing.headers;
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((failed, again)) => match failed.rdkafka_error_code() {
                    Some(Code::QueueFull) => {
                        if self.events().task().stopped() {
                            return Err(None);
                        }
                        record = again;
                        self.serve();
                    }
                    code => return Err(Some(code.unwrap_or(Code::Fail))),
                },
            }
        }
    }

    /// Waits until every record sent was delivered or given up, and returns those that were not delivered. With
    /// `until_failed` it ends with the first that was not: in a transaction nothing behind it is sent any more.
    ///
    /// # Errors
    /// Told to stop while it waited.
    pub(crate) fn settle(&self, until_failed: bool) -> Result<Vec<Undelivered>> {
        let mut turn: u32 = 0;
        while self.producer.in_flight_count() > 0 {
            // The client sends what lingers when it is asked to flush; it is asked now and then, because it forgets.
            if turn.is_multiple_of(8) {
                let _still_waiting = self.producer.flush(Duration::ZERO).is_err();
            }
            turn = turn.wrapping_add(1);
            self.serve();
            if until_failed && !self.producer.context().failed().is_empty() {
                break;
            }
            if self.events().task().stopped() && turn > STOP_TURNS {
                return Err(Error::stopped(
                    "the task was asked to stop while Kafka did not answer",
                ));
            }
        }
        Ok(std::mem::take(&mut *self.producer.context().failed()))
    }

    /// Throws away what is under way, so that nothing of it reaches a later batch's account.
    pub(crate) fn purge(&self) {
        self.producer
            .purge(PurgeConfig::default().queue().inflight());
        for _ in 0..STOP_TURNS {
            if self.producer.in_flight_count() == 0 {
                break;
            }
            self.serve();
        }
        self.producer.context().failed().clear();
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }
}

/// How many times the events are served after a stop before the wait is given up: five seconds.
const STOP_TURNS: u32 = 5_000;

/// Copies a record's headers; `None` without any.
pub(crate) fn headers<'a>(
    all: impl ExactSizeIterator<Item = (&'a str, Option<&'a [u8]>)>,
) -> Option<OwnedHeaders> {
    if all.len() == 0 {
        return None;
    }
    let mut headers = OwnedHeaders::new_with_capacity(all.len());
    for (key, value) in all {
        headers = headers.insert(Header { key, value });
    }
    Some(headers)
}

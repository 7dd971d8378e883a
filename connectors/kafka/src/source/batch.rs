//! From Kafka's messages to a batch of ours.

use std::sync::Arc;

use linkspan_sdk::prelude::*;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _};

use super::KafkaSource;
use super::client::SourceClient;
use super::start::{Key, source_partition};
use crate::origin;

/// Empty polls in a row after which a queue counts as empty: an event that was consumed looks like one.
const EMPTY_POLLS: u32 = 3;
/// What a record costs beyond its key and value, roughly.
const RECORD_OVERHEAD: usize = 64;

impl KafkaSource {
    /// Moves what the client has fetched into the batch; returns whether anything was read.
    ///
    /// An error that comes up behind messages waits for the next poll: what was taken from the client does not come again.
    pub(super) fn fill(&mut self, out: &mut BatchBuilder) -> Result<bool> {
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        self.start_late()?;
        if self.look_for_lost {
            self.lost()?;
        }
        let consumer = Arc::clone(&self.consumer);
        let held = self.hold(&consumer, out);
        if held.is_empty()
            && let Some(error) = self.pending.take()
        {
            return Err(error);
        }
        let read = self.hand_out(&held, out)?;
        if read.is_empty() {
            return Ok(false);
        }
        for (key, next) in &read {
            self.store(out, key, *next);
        }
        self.consumer.context().handed_out(out.seq(), read);
        Ok(true)
    }

    /// Takes messages from the client until the batch is full or nothing is there.
    fn hold<'c>(
        &mut self,
        consumer: &'c BaseConsumer<SourceClient>,
        out: &BatchBuilder,
    ) -> Vec<BorrowedMessage<'c>> {
        let records_max = usize::try_from(self.options.batch_records.min(out.max_records()))
            .unwrap_or(usize::MAX);
        let bytes_max = usize::try_from(self.options.batch_bytes.as_u64().min(out.max_bytes()))
            .unwrap_or(usize::MAX);
        let mut held: Vec<BorrowedMessage<'_>> = Vec::new();
        let (mut bytes, mut empty) = (0_usize, 0);
        while held.len() < records_max
            && bytes < bytes_max
            && empty < EMPTY_POLLS
            && self.pending.is_none()
        {
            match consumer.poll(Duration::ZERO) {
                Some(Ok(message)) => {
                    empty = 0;
                    bytes = bytes.saturating_add(
                        message.key_len() + message.payload_len() + RECORD_OVERHEAD,
                    );
                    held.push(message);
                }
                Some(Err(failed)) => self.pending = self.trouble(&failed).err(),
                None => empty += 1,
            }
            // A rebalance takes back what was fetched before it and is not handed out: its next owner reads it.
            let gone = self.rebalanced();
            if !gone.is_empty() {
                held.retain(|message| {
                    !gone.iter().any(|(topic, partition)| {
                        topic == message.topic() && *partition == message.partition()
                    })
                });
            }
        }
        held
    }

    /// Writes messages into the batch; returns the position behind each partition's.
    fn hand_out(
        &mut self,
        held: &[BorrowedMessage<'_>],
        out: &mut BatchBuilder,
    ) -> Result<Vec<(Key, i64)>> {
        let mut read: Vec<(Key, i64)> = Vec::new();
        let mut run = None;
        for message in held {
            let (topic, partition) = (message.topic(), message.partition());
            if !self.tracks.read(topic, partition, message.offset()) {
                continue;
            }
            let is_run = |key: &Key| key.1 == partition && key.0 == topic;
            let same = run.filter(|at: &usize| read.get(*at).is_some_and(|(key, _)| is_run(key)));
            let at = match same.or_else(|| read.iter().position(|(key, _)| is_run(key))) {
                Some(at) => at,
                None => {
                    read.push(((topic.to_owned(), partition), 0));
                    read.len() - 1
                }
            };
            if same.is_none() {
                out.stamp(source_partition(topic, partition));
            }
            run = Some(at);
            if let Some((_, next)) = read.get_mut(at) {
                *next = message.offset().saturating_add(1);
            }
            self.write(message, out).map_err(|error| {
                error.context(format!(
                    "Kafka at {}: topic `{topic}` partition {partition} offset {}",
                    self.place,
                    message.offset()
                ))
            })?;
        }
        Ok(read)
    }

    fn write(&self, message: &BorrowedMessage<'_>, out: &mut BatchBuilder) -> Result<()> {
        if self.is_skipped(message) {
            return Ok(());
        }
        let Some(track) = self.tracks.get(message.topic(), message.partition()) else {
            return Ok(());
        };
        let mut record = out.to(&track.target);
        if self.options.preserve_partition {
            record = record.partition(message.partition());
        }
        if let Some(ms) = message.timestamp().to_millis() {
            record = record.timestamp(ms);
        }
        if let Some(key) = message.key() {
            record = record.key_bytes(key);
        }
        for header in message
            .headers()
            .into_iter()
            .flat_map(|headers| headers.iter())
        {
            record = record.header(header.key, header.value.map_or(Data::Null, Data::Bytes));
        }
        if let Some(alias) = &self.options.source_alias {
            let origin = origin::value(
                alias,
                message.topic(),
                message.partition(),
                message.offset(),
            );
            record = record.header(origin::HEADER, Data::Utf8(&origin));
        }
        match message.payload() {
            Some(value) => record.bytes(value),
            None => record.null(),
        }
    }

    fn is_skipped(&self, message: &BorrowedMessage<'_>) -> bool {
        if self.options.skip_origins.is_empty() {
            return false;
        }
        let mut headers = message
            .headers()
            .into_iter()
            .flat_map(|headers| headers.iter());
        headers.any(|header| {
            let alias = header
                .value
                .filter(|_| header.key == origin::HEADER)
                .and_then(origin::alias);
            alias.is_some_and(|alias| {
                self.options
                    .skip_origins
                    .iter()
                    .any(|skipped| skipped == alias)
            })
        })
    }
}

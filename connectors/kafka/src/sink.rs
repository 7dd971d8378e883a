//! `kafka-sink`: a batch is a transaction (`exactly-once`), or a batch of an idempotent producer (`at-least-once`).
//!
//! ```text
//! exactly-once:  begin ─► records ─► positions ─► commit          one task; what is refused undoes the batch
//! at-least-once: records ─► wait for all of them                  any number of tasks; what is refused is reported
//! ```
//! A transaction of which nobody knows how it ended closes the producer: a new one fences it, and the positions say what
//! was committed; records that were are left out when the batch comes again.

use std::collections::{BTreeSet, HashMap};

use linkspan_sdk::{prelude::*, tracing};

use crate::options::{Delivery, SinkOptions};
use crate::positions::Positions;
use crate::producer::Sender;
use crate::target::Topics;

mod at_least_once;
mod records;
mod refused;
mod start;
mod transaction;

/// What a position that was stored here is marked with, so that one that was set by hand can be told.
const METADATA: &str = "kafka";

/// What the connector does as a whole.
pub(crate) struct KafkaSinkConnector;

impl SinkConnector for KafkaSinkConnector {
    type Options = SinkOptions;

    async fn check(options: &SinkOptions) -> Result<Checked> {
        // Names come from records, and what is missing is created or said then.
        let checked = crate::outside::look(&options.connection, &[]);
        std::future::ready(Ok(checked)).await
    }

    async fn task_configs(options: &SinkOptions, max: u32) -> Result<Vec<TaskConfig>> {
        // Fencing is by the connector's one transactional id: a partition that moves between tasks would need all their ids.
        let count = if options.delivery == Delivery::ExactlyOnce {
            1
        } else {
            max.max(1)
        };
        Ok((0..count).map(|_| TaskConfig::new()).collect())
    }
}

/// A task of `kafka-sink`.
pub(crate) struct KafkaSink {
    options: SinkOptions,
    ctx: SinkContext,
    place: String,
    topics: Topics,
    /// Empty with `at-least-once`.
    transactional_id: String,
    /// `None` after a transaction whose end nobody knows.
    sender: Option<Sender>,
    /// Positions in Kafka, with `exactly-once`.
    positions: Positions,
    /// Partitions whose offset was set by hand and not written behind yet: Kafka's position of these is the old one.
    by_hand: BTreeSet<(String, i32)>,
    /// The ids of the topics here.
    topic_ids: HashMap<String, String>,
    /// Partitions of the topics in Kafka.
    known: HashMap<String, i32>,
    opened: u64,
    /// No broker answered when that was looked at last.
    away: bool,
    skipped_origins: u64,
}

impl SinkTask for KafkaSink {
    type Options = SinkOptions;

    async fn open(options: SinkOptions, ctx: SinkContext) -> Result<Self> {
        let place = options.connection.servers();
        let topics = Topics {
            config: options.connection.client_config(ctx.connector()),
            ctx: (*ctx).clone(),
            place: place.clone(),
            limit: options.connection.request_timeout,
        };
        let mut sink = Self {
            transactional_id: start::transactional_id(&options, &ctx)?,
            options,
            ctx,
            place,
            topics,
            sender: None,
            positions: Positions::new(),
            by_hand: BTreeSet::new(),
            topic_ids: HashMap::new(),
            known: HashMap::new(),
            opened: 0,
            away: false,
            skipped_origins: 0,
        };
        sink.connect().await?;
        Ok(sink)
    }

    async fn assigned(&mut self, partitions: &[Assigned]) -> Result<Seeks> {
        let mut seeks = Seeks::none();
        for assigned in partitions {
            self.topic_ids.insert(
                assigned.topic.as_str().to_owned(),
                assigned.topic_id.clone(),
            );
            let at = (assigned.topic.as_str().to_owned(), assigned.partition);
            let by_hand = assigned.metadata != METADATA;
            match self.positions.get(&at) {
                Some(position) if position.topic_id != assigned.topic_id => {
                    return Err(self.foreign_position(assigned, position));
                }
                Some(position) if !by_hand => {
                    // Behind it the host may be further: by dead letters, which are in no transaction here.
                    if assigned.next < position.next {
                        seeks.to(assigned.topic_partition(), position.next);
                    }
                    continue;
                }
                Some(position) => {
                    // Set or reset by hand, here: that is what is wanted now.
                    tracing::info!(topic = %assigned.topic, partition = assigned.partition, next = assigned.next, in_kafka = position.next, "the offset was set by hand, the position in Kafka gives way");
                    self.positions.remove(&at);
                    self.by_hand.insert(at);
                }
                None => {}
            }
            if self.options.delivery == Delivery::ExactlyOnce && by_hand {
                // Before the first record: from here on an offset without this mark was set by hand.
                seeks.commit(assigned.topic_partition(), assigned.next, METADATA);
            }
        }
        Ok(seeks)
    }

    async fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        if records.len() == 0 {
            self.look_around()?;
            return Ok(Progress::none());
        }
        if self.sender.is_none() {
            self.connect().await?;
        }
        self.find_targets(&records).await?;
        match self.options.delivery {
            Delivery::ExactlyOnce => self.put_once(records),
            Delivery::AtLeastOnce => self.put_at_least_once(records, report),
        }
    }

    async fn revoked(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        for partition in partitions {
            tracing::debug!(%partition, "given up");
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        if self.skipped_origins > 0 {
            tracing::info!(
                records = self.skipped_origins,
                "records that came from this cluster were not written back"
            );
        }
        self.sender = None;
        Ok(())
    }
}

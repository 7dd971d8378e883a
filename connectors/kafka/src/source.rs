//! `kafka-source`: a consumer whose positions are stored here, in one commit with the records.
//!
//! ```text
//! topics, regex ─► partitions of this task ─► start of each ─► assign ─► poll ─► records + {"topic","partition"} → {"offset"}
//! group.id      ─► what the group gives    ─┘
//! ```
//! Without a group the tasks divide the partitions by a hash that never changes, and look for new ones now and then.
//! A `--once` job reads each topic up to where it ended when the job came to it, one topic after the other.

mod batch;
mod client;
mod commits;
mod connect;
mod group;
mod lost;
mod start;
mod topics;
mod track;

use std::collections::VecDeque;
use std::sync::Arc;

use linkspan_sdk::prelude::*;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use tokio::sync::Notify;

use self::client::{Group, SourceClient};
use self::connect::{client_config, cluster_id};
use self::start::{Key, Starts};
pub(crate) use self::start::{LostPosition, StartFrom};
use self::track::Tracks;
use crate::client::Events;
use crate::error;
use crate::metadata::Question;
use crate::options::{SourceOptions, share, whole_name};

/// How long an empty poll waits at most before it looks at its timers.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What the connector does as a whole.
pub(crate) struct KafkaSourceConnector;

impl SourceConnector for KafkaSourceConnector {
    type Options = SourceOptions;

    async fn check(options: &SourceOptions) -> Result<Checked> {
        let checked = crate::outside::look(&options.connection, &options.topics);
        std::future::ready(Ok(checked)).await
    }

    async fn task_configs(_options: &SourceOptions, max: u32) -> Result<Vec<TaskConfig>> {
        let max = max.max(1);
        // Also with a group: a job does not join it, and its tasks must divide the partitions all the same.
        let config =
            |index| TaskConfig::from([("partition.share".to_owned(), format!("{index}/{max}"))]);
        Ok((0..max).map(config).collect())
    }
}

/// A task of `kafka-source`.
pub(crate) struct KafkaSource {
    options: SourceOptions,
    ctx: SourceContext,
    place: String,
    starts: Starts,
    share: (u64, u64),
    regex: Option<fancy_regex::Regex>,
    consumer: Arc<BaseConsumer<SourceClient>>,
    filled: Arc<Notify>,
    tracks: Tracks,
    /// Positions to store although nothing was read.
    pinned: Vec<(Key, i64)>,
    /// No broker answered when that was looked at last.
    away: bool,
    /// A position may be gone; looked at when nothing is held.
    look_for_lost: bool,
    /// An error that waits for the records before it.
    pending: Option<Error>,
    /// Topics that a job has still to read.
    ahead: VecDeque<String>,
    refresh_at: tokio::time::Instant,
    /// Partitions that the group gave and whose starts could not be found out yet.
    unstarted: Vec<Key>,
}

impl SourceTask for KafkaSource {
    type Options = SourceOptions;

    async fn open(options: SourceOptions, ctx: SourceContext) -> Result<Self> {
        let place = options.connection.servers();
        let regex = options.topics_regex.as_deref().map(whole_name).transpose();
        let regex = regex.map_err(Error::config_invalid)?;
        let from = StartFrom::parse(&options.start_from).map_err(Error::config_invalid)?;
        // A job ends; a group would have to be joined and left for it.
        let in_group = options.group_id.is_some() && !ctx.bounded();
        let starts = |cluster: Option<String>| Starts {
            ctx: ctx.clone(),
            place: place.clone(),
            limit: options.connection.request_timeout,
            from,
            offsets: options.start_offsets.clone(),
            group: options.group_id.is_some(),
            cluster,
        };
        let cluster = cluster_id(&options, &ctx, &place)?;
        let group = in_group.then(|| Group::new(starts(cluster.clone()), ctx.durable()));
        let client = SourceClient::new(Events::new((*ctx).clone()), group);
        let mut consumer: BaseConsumer<SourceClient> = client_config(&options, &ctx)
            .create_with_context(client)
            .map_err(|failed| error::from_call(&failed, &place, "make a client", None))?;
        let filled = Arc::new(Notify::new());
        let wake = Arc::clone(&filled);
        consumer.set_nonempty_callback(move || wake.notify_one());
        let mut source = Self {
            share: share(&options.partition_share).unwrap_or((0, 1)),
            starts: starts(cluster),
            unstarted: Vec::new(),
            options,
            ctx,
            place,
            regex,
            consumer: Arc::new(consumer),
            filled,
            tracks: Tracks::default(),
            pinned: Vec::new(),
            away: false,
            look_for_lost: false,
            pending: None,
            ahead: VecDeque::new(),
            refresh_at: tokio::time::Instant::now(),
        };
        if in_group {
            source.subscribe()?;
        } else if source.ctx.bounded() {
            source.ahead = source.topics()?.into_keys().collect();
            source.next_topic()?;
        } else {
            source.refresh()?;
        }
        Ok(source)
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        loop {
            let now = tokio::time::Instant::now();
            if !self.in_group() && !self.ctx.bounded() && now >= self.refresh_at {
                self.refresh()?;
            }
            self.consumer.context().commit(&self.consumer, now);
            let read = self.fill(out)?;
            if read || !self.pinned.is_empty() {
                let pinned = std::mem::take(&mut self.pinned);
                for (key, next) in &pinned {
                    self.store(out, key, *next);
                }
                self.consumer.context().handed_out(out.seq(), pinned);
                return Ok(Poll::More);
            }
            if self.ctx.bounded() && self.tracks.all_done() && !self.next_topic()? {
                return Ok(Poll::Exhausted);
            }
            if self.consumer.context().events().take_down() || self.away {
                self.probe()?;
            }
            // Woken by the first message; the rest are timers.
            let _woken = tokio::time::timeout(LOOK_AGAIN, self.filled.notified())
                .await
                .is_ok();
        }
    }

    async fn close(&mut self) -> Result<()> {
        let client = self.consumer.context();
        client.commit_now(&self.consumer, CommitMode::Sync);
        Ok(())
    }
}

impl KafkaSource {
    fn in_group(&self) -> bool {
        self.consumer.context().in_group()
    }

    fn question<'a>(&'a self, doing: &'a str) -> Question<'a> {
        Question {
            events: self.consumer.context().events(),
            place: &self.place,
            doing,
            limit: self.options.connection.request_timeout,
        }
    }

    /// Lets the client say what it knows; nothing is assigned while this is called first, so that no message is lost by it.
    fn pump(&self) {
        for _ in 0..16 {
            if self.consumer.poll(Duration::ZERO).is_none() {
                break;
            }
        }
    }

    fn store(&self, out: &mut BatchBuilder, (topic, partition): &Key, next: i64) {
        let cluster = self.starts.cluster.as_deref();
        let mut offset = vec![(start::OFFSET, OffsetValue::from(next))];
        if let Some(cluster) = cluster {
            offset.push((start::CLUSTER, OffsetValue::from(cluster)));
        }
        out.offset(start::source_partition(topic, *partition), offset);
    }
}

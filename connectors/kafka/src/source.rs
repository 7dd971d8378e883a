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
mod start;
mod track;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use linkspan_sdk::{prelude::*, tracing};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::Notify;

use self::client::{Change, Group, SourceClient};
use self::start::{Key, Start, Starts};
pub(crate) use self::start::{LostPosition, StartFrom};
use self::track::{Track, Tracks};
use crate::client::Events;
use crate::error;
use crate::metadata::{Question, partitions};
use crate::options::{Isolation, SourceOptions, fill, share, whole_name};

/// How long an empty poll waits at most before it looks at its timers.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What the connector does as a whole.
pub(crate) struct KafkaSourceConnector;

impl SourceConnector for KafkaSourceConnector {
    type Options = SourceOptions;

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
            if self.consumer.context().events().take_down() {
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

    /// Asks the cluster which partitions the wanted topics have.
    fn topics(&self) -> Result<BTreeMap<String, Vec<i32>>> {
        let mut found = BTreeMap::new();
        let idle = self.tracks.is_empty();
        let pump = || {
            if idle {
                self.pump();
            }
        };
        if let Some(regex) = &self.regex {
            let question = self.question("list the topics");
            let metadata = question.ask(pump, |limit| self.consumer.fetch_metadata(None, limit))?;
            for topic in metadata.topics() {
                let name = topic.name();
                if name.starts_with("__") || !regex.is_match(name).unwrap_or(false) {
                    continue;
                }
                if let Ok(Some(partitions)) = partitions(topic) {
                    found.insert(name.to_owned(), partitions);
                }
            }
            return Ok(found);
        }
        for name in &self.options.topics {
            let doing = format!("look for topic `{name}`");
            let question = self.question(&doing);
            let metadata = question.ask(pump, |limit| {
                self.consumer.fetch_metadata(Some(name), limit)
            })?;
            let topic = metadata.topics().first().map(partitions).transpose();
            let topic = topic.map_err(|code| error::from_code(code, &self.place, &doing, ""))?;
            let Some(partitions) = topic.flatten() else {
                return Err(self.no_topic(name));
            };
            found.insert(name.clone(), partitions);
        }
        Ok(found)
    }

    #[cold]
    fn no_topic(&self, name: &str) -> Error {
        let read: Vec<String> = self.tracks.positions_of(name);
        let gone = if read.is_empty() {
            "does not exist; create it, or correct `topics`".to_owned()
        } else {
            format!(
                "is gone, it was read up to {}; create it and reset the connector's offsets, or take it out of `topics`",
                read.join(", ")
            )
        };
        Error::not_found(format!("Kafka at {}: topic `{name}` {gone}", self.place))
    }

    /// Looks for topics and partitions that are new, and begins to read those that are this task's.
    fn refresh(&mut self) -> Result<()> {
        self.refresh_at = tokio::time::Instant::now() + self.options.refresh_interval;
        let topics = self.topics()?;
        if topics.is_empty() && self.tracks.is_empty() {
            tracing::info!(regex = self.options.topics_regex, "no topic matches yet");
        }
        let mut new = Vec::new();
        for (topic, partitions) in &topics {
            let mine = partitions
                .iter()
                .filter(|partition| self.is_mine(topic, **partition));
            let keys = mine.map(|partition| (topic.clone(), *partition));
            let before = new.len();
            new.extend(keys.filter(|key| !self.tracks.contains(key)));
            if new.len() > before {
                self.prepare_target(topic, partitions)?;
            }
        }
        self.begin(&new)
    }

    fn is_mine(&self, topic: &str, partition: i32) -> bool {
        let (index, count) = self.share;
        // FNV-1a, written out because it must never change: with another one a partition would have two readers for a while.
        let hash = topic.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        hash.wrapping_add(u64::from(partition.unsigned_abs())) % count == index
    }

    /// Assigns partitions from their starts on.
    fn begin(&mut self, keys: &[Key]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let starts = self.starts.of(&*self.consumer, keys)?;
        let mut list = TopicPartitionList::with_capacity(starts.len());
        for start in &starts {
            let (topic, partition) = &start.key;
            list.add_partition_offset(topic, *partition, start.offset)
                .map_err(|failed| error::from_call(&failed, &self.place, "begin to read", None))?;
        }
        let assigned = self.consumer.incremental_assign(&list);
        assigned.map_err(|failed| error::from_call(&failed, &self.place, "begin to read", None))?;
        for start in starts {
            self.track(start, None);
        }
        Ok(())
    }

    fn track(&mut self, start: Start, end: Option<i64>) {
        if let Some(next) = start.pin {
            self.pinned.push((start.key.clone(), next));
        }
        let target = self.target(&start.key.0);
        self.tracks
            .insert(start.key, Track::new(start.offset, end, target));
    }

    fn target(&self, topic: &str) -> String {
        let alias = self.options.source_alias.as_deref().unwrap_or_default();
        fill(
            &self.options.topic_rename,
            &[("topic", topic), ("alias", alias)],
        )
    }

    /// Makes sure that the topic here has room for the numbers of the partitions there.
    fn prepare_target(&self, topic: &str, partitions: &[i32]) -> Result<()> {
        if !self.options.preserve_partition {
            return Ok(());
        }
        let count = partitions
            .iter()
            .max()
            .map_or(1, |highest| highest.saturating_add(1));
        let target = self.target(topic);
        TopicName::try_new(&target).map_err(|error| {
            Error::config_invalid(format!(
                "`topic.rename` makes `{target}` of topic `{topic}`: {error}"
            ))
        })?;
        match self.ctx.ensure_topic(&target, count) {
            // A host without this creates topics as it likes; a partition that is missing is its error.
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
            answer => answer,
        }
    }

    /// A job goes on to its next topic; returns whether there is one.
    fn next_topic(&mut self) -> Result<bool> {
        while let Some(topic) = self.ahead.pop_front() {
            let all = self.topics_of(&topic)?;
            let mine: Vec<Key> = all
                .iter()
                .filter(|partition| self.is_mine(&topic, **partition))
                .map(|partition| (topic.clone(), *partition))
                .collect();
            if mine.is_empty() {
                continue;
            }
            self.prepare_target(&topic, &all)?;
            self.tracks.clear();
            let mut list = TopicPartitionList::new();
            for start in self.starts.of(&*self.consumer, &mine)? {
                let (low, high) = self.starts.bounds(&*self.consumer, &start.key)?;
                let first = match start.offset {
                    Offset::Offset(next) => next,
                    _ => low,
                };
                if first != high {
                    list.add_partition_offset(&topic, start.key.1, Offset::Offset(first))
                        .map_err(|failed| {
                            error::from_call(&failed, &self.place, "begin to read", None)
                        })?;
                }
                // A position beyond the end is not a finished partition but a lost one.
                let start = Start {
                    offset: Offset::Offset(first),
                    ..start
                };
                self.track(start, Some(high));
            }
            let assigned = self.consumer.assign(&list);
            assigned
                .map_err(|failed| error::from_call(&failed, &self.place, "begin to read", None))?;
            return Ok(true);
        }
        Ok(false)
    }

    fn topics_of(&self, topic: &str) -> Result<Vec<i32>> {
        let doing = format!("look for topic `{topic}`");
        let question = self.question(&doing);
        let metadata = question.ask(
            || {},
            |limit| self.consumer.fetch_metadata(Some(topic), limit),
        )?;
        let found = metadata.topics().first().map(partitions).transpose();
        let found = found.map_err(|code| error::from_code(code, &self.place, &doing, ""))?;
        found.flatten().ok_or_else(|| self.no_topic(topic))
    }

    fn subscribe(&mut self) -> Result<()> {
        // A wrong address or password is an error of the start; the group would only wait.
        let topics = self.topics()?;
        for (topic, partitions) in &topics {
            self.prepare_target(topic, partitions)?;
        }
        let pattern;
        let mut names: Vec<&str> = self.options.topics.iter().map(String::as_str).collect();
        if let Some(regex) = &self.options.topics_regex {
            // librdkafka takes what begins with `^` as a pattern.
            pattern = format!("^({regex})$");
            names = vec![&pattern];
        }
        let subscribed = self.consumer.subscribe(&names);
        subscribed.map_err(|failed| error::from_call(&failed, &self.place, "subscribe", None))
    }

    /// What rebalances changed; returns the partitions that are gone. What is wrong waits for its turn.
    fn rebalanced(&mut self) -> Vec<Key> {
        let mut gone = Vec::new();
        for change in self.consumer.context().changes() {
            match change {
                Change::Assigned(starts) => {
                    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
                    for start in starts {
                        topics
                            .entry(start.key.0.clone())
                            .or_default()
                            .push(start.key.1);
                        self.track(start, None);
                    }
                    for (topic, partitions) in topics {
                        if let Err(error) = self.prepare_target(&topic, &partitions) {
                            self.pending.get_or_insert(error);
                        }
                    }
                }
                Change::Unstarted(keys) => self.unstarted.extend(keys),
                Change::Revoked(keys) => {
                    self.unstarted.retain(|key| !keys.contains(key));
                    for key in keys {
                        self.tracks.remove(&key);
                        self.pinned.retain(|(pinned, _)| *pinned != key);
                        gone.push(key);
                    }
                }
                Change::Failed(error) => {
                    self.pending.get_or_insert(error);
                }
            }
        }
        gone
    }

    /// Begins with the partitions whose starts could not be found out when the group gave them.
    pub(super) fn start_late(&mut self) -> Result<()> {
        if self.unstarted.is_empty() {
            return Ok(());
        }
        let starts = self.starts.of(&*self.consumer, &self.unstarted)?;
        self.unstarted.clear();
        self.consumer.context().started(&starts);
        let places: Vec<(Key, Offset)> = starts
            .iter()
            .map(|start| (start.key.clone(), start.offset))
            .collect();
        for start in starts {
            self.track(start, None);
        }
        self.read_from(&places, "begin to read")
    }

    /// What a poll said instead of a message.
    fn trouble(&mut self, failed: &KafkaError) -> Result<()> {
        if let KafkaError::PartitionEOF(partition) = failed {
            self.tracks.reached_end(*partition);
            return Ok(());
        }
        let Some(code) = failed.rdkafka_error_code() else {
            return Err(error::from_call(failed, &self.place, "read", None));
        };
        match code {
            Code::AutoOffsetReset | Code::OffsetOutOfRange => {
                self.look_for_lost = true;
                Ok(())
            }
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition
                if !self.in_group() && !self.ctx.bounded() =>
            {
                // Says which topic it is, where it really is gone.
                self.refresh()
            }
            Code::PollExceeded => {
                tracing::warn!(
                    "the group gave this task up because it did not poll in time; it joins again"
                );
                Ok(())
            }
            code if error::of(code).temporary => {
                tracing::debug!(%failed, "librdkafka tries again");
                Ok(())
            }
            code => {
                let last = self.consumer.context().events().last();
                let reason = last
                    .filter(|(known, _)| *known == code)
                    .map(|(_, reason)| reason);
                Err(error::from_code(
                    code,
                    &self.place,
                    "read",
                    &reason.unwrap_or_default(),
                ))
            }
        }
    }

    /// Finds the partitions whose position is not in Kafka any more.
    pub(super) fn lost(&mut self) -> Result<()> {
        for (key, next) in self.tracks.positions() {
            let (low, high) = self.starts.bounds(&*self.consumer, &key)?;
            if (low..=high).contains(&next) {
                continue;
            }
            let (topic, partition) = &key;
            let what = if next < low {
                format!(
                    "the {} records before offset {low} were deleted unread",
                    low - next
                )
            } else {
                format!("the topic ends at offset {high}: it was made anew or records were lost")
            };
            let go_on = match self.options.on_lost_position {
                LostPosition::Fail => {
                    return Err(Error::data_invalid(format!(
                        "Kafka at {}: topic `{topic}` partition {partition}: position {next} is gone, {what}; \
                         set `on.lost.position: earliest` or `latest` to go on, or set the offset by hand",
                        self.place
                    )));
                }
                LostPosition::Earliest => low,
                LostPosition::Latest => high,
            };
            tracing::warn!(
                topic,
                partition,
                position = next,
                go_on,
                "a position is gone, {what}"
            );
            self.tracks.move_to(&key, go_on);
            self.read_from(
                &[(key.clone(), Offset::Offset(go_on))],
                "go on after a lost position",
            )?;
            self.pinned.push((key, go_on));
        }
        self.look_for_lost = false;
        Ok(())
    }

    /// Reads partitions that are assigned already from other offsets on.
    fn read_from(&self, places: &[(Key, Offset)], doing: &str) -> Result<()> {
        let protocol = self.consumer.rebalance_protocol();
        let whole = self.in_group() && !matches!(protocol, RebalanceProtocol::Cooperative);
        let moved = if whole {
            // A group's older protocol knows the assignment as a whole only.
            let all = self.tracks.places();
            list_of(all).and_then(|all| self.consumer.assign(&all))
        } else {
            let of = |(key, at): &'_ (Key, Offset)| (key.clone(), *at);
            list_of(places.iter().map(of)).and_then(|list| {
                self.consumer.incremental_unassign(&list)?;
                self.consumer.incremental_assign(&list)
            })
        };
        moved.map_err(|failed| error::from_call(&failed, &self.place, doing, None))
    }

    /// No broker answered: finds out whether that is still so.
    fn probe(&self) -> Result<()> {
        let question = self.question("reach a broker");
        let topic = self.tracks.any_topic();
        let asked = question.ask(
            || {},
            |limit| self.consumer.fetch_metadata(topic.as_deref(), limit),
        );
        asked.map(|_| ())
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

fn list_of(places: impl Iterator<Item = (Key, Offset)>) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), at) in places {
        list.add_partition_offset(&topic, partition, at)?;
    }
    Ok(list)
}

/// Asks for the id of the cluster with a client of its own, so that a wrong address or password ends the start at once.
fn cluster_id(options: &SourceOptions, ctx: &SourceContext, place: &str) -> Result<Option<String>> {
    let client = SourceClient::new(Events::new((**ctx).clone()), None);
    let mut config = options.connection.client_config(ctx.connector());
    config.set("allow.auto.create.topics", "false");
    let consumer: BaseConsumer<SourceClient> = config
        .create_with_context(client)
        .map_err(|failed| error::from_call(&failed, place, "make a client", None))?;
    let question = Question {
        events: consumer.context().events(),
        place,
        doing: "reach a broker",
        limit: options.connection.request_timeout,
    };
    let pump = || {
        for _ in 0..16 {
            if consumer.poll(Duration::ZERO).is_none() {
                break;
            }
        }
    };
    // The smallest question that needs a broker's answer.
    question.ask(pump, |limit| {
        consumer
            .client()
            .fetch_metadata(options.topics.first().map(String::as_str), limit)
    })?;
    Ok(consumer
        .client()
        .fetch_cluster_id(options.connection.request_timeout))
}

fn client_config(options: &SourceOptions, ctx: &SourceContext) -> rdkafka::ClientConfig {
    let mut config = options.connection.client_config(ctx.connector());
    let group = options
        .group_id
        .clone()
        .unwrap_or_else(|| format!("linkspan-{}", ctx.connector()));
    let isolation = match options.isolation_level {
        Isolation::ReadCommitted => "read_committed",
        Isolation::ReadUncommitted => "read_uncommitted",
    };
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("allow.auto.create.topics", "false")
        .set("isolation.level", isolation)
        .set(
            "enable.partition.eof",
            if ctx.bounded() { "true" } else { "false" },
        );
    config
}

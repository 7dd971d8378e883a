//! What a sink commits while its `put` still runs: how far it is, and records for topics of the log.
//!
//! ```text
//! put, flush ──► request `sink.commit` ──► one frame: records + positions, fenced like every commit of the group
//! ```
//! A sink that asks a slow system about each record would do a whole batch again after a crash; with this it does again what was
//! in flight. A record that goes with the position of what it answers is in the log exactly once: both are there, or none.
//!
//! The request comes from inside of the plugin's call. It goes by what was noted before that call, and the task's thread takes
//! over afterwards what it came to.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use linkspan_log::{Append, Commit, GroupOffset, Ticket, Topic, TopicSpec};
use linkspan_types::{LeaderEpoch, Offset, PartitionId, TopicId, TopicName, TopicPartition};
use linkspan_wire::{BatchBuilder, Compression, Partitioner, Spread};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};

use super::fetch::Command;
use super::reply::Progress;
use super::task::skip_positions;
use crate::connector::{Shared, TaskContext};
use crate::error::TaskError;
use crate::source::{MESSAGE_BYTES_MAX, RECORD_OVERHEAD_MAX};
use crate::spec::ConnectorSpec;

/// Where the positions of one partition may go during a `put` or `flush`.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    pub(crate) partition: TopicPartition,
    pub(crate) topic_id: TopicId,
    /// What the group has.
    pub(crate) at: Offset,
    /// Behind the last record that the plugin was given.
    pub(crate) up_to: Offset,
    /// Where each leader epoch among its records begins.
    pub(crate) epochs: Vec<(Offset, LeaderEpoch)>,
    /// That of the record before them.
    pub(crate) epoch_before: LeaderEpoch,
}

/// Commits on behalf of a task that is inside of `put`. One for each life of a sink's task.
#[derive(Debug)]
pub(crate) struct Midway {
    runtime: Arc<Shared>,
    spec: Arc<ConnectorSpec>,
    /// Weak: fetching ends when the task's thread lets go of it.
    commands: mpsc::WeakUnboundedSender<Command>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    reach: Vec<Reach>,
    done: BTreeMap<TopicPartition, GroupOffset>,
    /// The last commit, until it is known to be durable. A failed one is not followed by another.
    open: Option<Ticket>,
    /// The last commit that the host made by itself, likewise.
    before: Option<Ticket>,
    targets: BTreeMap<String, Target>,
}

/// A topic that the sink writes.
#[derive(Debug)]
struct Target {
    topic: Topic,
    batch_bytes_max: usize,
    compression: Compression,
    partitioner: Partitioner,
}

/// The request: one line of JSON, then the bytes of all keys, values and headers, in order.
#[derive(Debug, Deserialize)]
struct Wanted<'a> {
    #[serde(default)]
    progress: Vec<Progress>,
    #[serde(default, borrow)]
    records: Vec<WantedRecord<'a>>,
}

/// Numbers are lengths in the bytes that follow; none is null.
#[derive(Debug, Deserialize)]
struct WantedRecord<'a> {
    topic: &'a str,
    #[serde(default)]
    timestamp: Option<i64>,
    #[serde(default)]
    key: Option<usize>,
    #[serde(default)]
    value: Option<usize>,
    #[serde(default, borrow)]
    headers: Vec<(std::borrow::Cow<'a, str>, Option<usize>)>,
}

impl Midway {
    pub(crate) fn new(ctx: &TaskContext, commands: mpsc::WeakUnboundedSender<Command>) -> Self {
        Self {
            runtime: Arc::clone(&ctx.runtime),
            spec: Arc::clone(&ctx.spec),
            commands,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A `put` or `flush` begins.
    pub(crate) fn begin(&self, reach: Vec<Reach>) {
        self.lock().reach = reach;
    }

    /// Has the next commit wait for one that the host made.
    pub(crate) fn follow(&self, ticket: Ticket) {
        self.lock().before = Some(ticket);
    }

    /// It has ended: returns what was committed meanwhile, for good.
    pub(crate) fn end(&self) -> Result<Vec<(TopicPartition, GroupOffset)>, TaskError> {
        let mut state = self.lock();
        state.reach.clear();
        let done = std::mem::take(&mut state.done);
        state.wait()?;
        Ok(done.into_iter().collect())
    }

    /// Serves a request.
    pub(crate) fn commit(&self, body: &[u8]) -> Result<(), TaskError> {
        let line = body
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(body.len());
        let (head, bytes) = body.split_at(line);
        let wanted: Wanted<'_> = serde_json::from_slice(head)
            .map_err(|error| TaskError::data(format!("commit of a sink: {error}")))?;
        let now_ms = self.runtime.clock.now_ms();
        let mut state = self.lock();
        if let Some(ticket) = state.before.take() {
            ticket.wait()?;
        }
        state.wait()?;
        let mut offsets = state.positions(&wanted.progress, now_ms)?;
        if skip_positions() {
            offsets.clear();
        }
        let mut bytes = Bytes(bytes.get(1..).unwrap_or_default()); // Behind the line's end.
        let appends = self.appends(&mut state, &wanted.records, &mut bytes, now_ms)?;
        if offsets.is_empty() && appends.is_empty() {
            return Ok(());
        }
        let commands = self
            .commands
            .upgrade()
            .ok_or_else(|| TaskError::internal("the fetching half has ended"))?;
        let (reply, answer) = oneshot::channel();
        let commit = Commit {
            appends,
            puts: Vec::new(),
        };
        commands
            .send(Command::Commit(offsets.clone(), commit, reply))
            .map_err(|_| TaskError::internal("the fetching half has ended"))?;
        let ticket = answer
            .blocking_recv()
            .map_err(|_| TaskError::internal("the fetching half ended before it committed"))??;
        state.open = Some(ticket);
        state.done.extend(offsets);
        Ok(())
    }

    fn appends(
        &self,
        state: &mut State,
        records: &[WantedRecord<'_>],
        bytes: &mut Bytes<'_>,
        now_ms: i64,
    ) -> Result<Vec<Append>, TaskError> {
        let mut appends = Vec::new();
        let mut builders: BTreeMap<(&str, i32), BatchBuilder> = BTreeMap::new();
        for record in records {
            let key = bytes.take(record.key)?;
            let value = bytes.take(record.value)?;
            let mut headers = Vec::with_capacity(record.headers.len());
            for (name, length) in &record.headers {
                headers.push((name.as_bytes(), bytes.take(*length)?));
            }
            let size = key.map_or(0, <[u8]>::len)
                + value.map_or(0, <[u8]>::len)
                + headers
                    .iter()
                    .map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len) + 10)
                    .sum::<usize>();
            let target = self.target(state, record.topic)?;
            let most = target.batch_bytes_max;
            if size + RECORD_OVERHEAD_MAX + linkspan_wire::HEADER_LEN > most {
                return Err(TaskError::permanent(
                    "LS0413",
                    "config_invalid",
                    format!(
                        "connector `{}` writes a record of {size} bytes, topic `{}` takes {most} in one batch; raise its \
                         `max.message.bytes` (at most 16 MiB) or have the sink write less",
                        self.spec.name, record.topic
                    ),
                ));
            }
            let partition = target
                .partitioner
                .pick(None, key, target.topic.partitions)
                .unwrap_or(0);
            let builder = builders
                .entry((record.topic, partition))
                .or_insert_with(|| BatchBuilder::new(target.compression));
            if !builder.is_empty() && builder.estimated_bytes() + size + RECORD_OVERHEAD_MAX > most
            {
                appends.push(finish(target.topic.id, partition, builder)?);
            }
            builder
                .push(record.timestamp.unwrap_or(now_ms), key, value, headers)
                .map_err(|error| TaskError::data(error.to_string()))?;
        }
        for ((topic, partition), mut builder) in builders {
            if let Some(target) = state.targets.get_mut(topic)
                && !builder.is_empty()
            {
                appends.push(finish(target.topic.id, partition, &mut builder)?);
                target.partitioner.next_batch();
            }
        }
        Ok(appends)
    }

    /// Returns a topic, which is made if it is not there.
    fn target<'s>(&self, state: &'s mut State, name: &str) -> Result<&'s mut Target, TaskError> {
        match state.targets.entry(name.to_owned()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(vacant) => Ok(vacant.insert(self.open_target(name)?)),
        }
    }

    fn open_target(&self, name: &str) -> Result<Target, TaskError> {
        let wrong = |told: String| {
            TaskError::permanent(
                "LS0210",
                "config_invalid",
                format!("connector `{}`: {told}", self.spec.name),
            )
        };
        let topic_name = TopicName::try_new(name).map_err(|error| wrong(error.to_string()))?;
        if self.spec.reads(&topic_name) {
            return Err(wrong(format!(
                "it reads topic `{name}` itself, what it writes there would come back to it; name another topic"
            )));
        }
        let log = self.runtime.log.as_ref();
        let topic = match log.topic(&topic_name)? {
            Some(topic) => topic,
            None => {
                let spec = TopicSpec::with_partitions(self.runtime.settings.num_partitions);
                match log.create_topic(&topic_name, &spec) {
                    Ok(topic) => topic,
                    // Another task made it in between.
                    Err(error) => log.topic(&topic_name)?.ok_or(error)?,
                }
            }
        };
        let setting = |name: &str| topic.settings.get(name).map(String::as_str);
        Ok(Target {
            batch_bytes_max: setting("max.message.bytes")
                .and_then(|text| text.parse().ok())
                .unwrap_or(MESSAGE_BYTES_MAX),
            compression: match setting("compression.type") {
                Some("lz4") => Compression::Lz4,
                Some("zstd") => Compression::Zstd,
                _ => Compression::None,
            },
            partitioner: Partitioner::new(Spread::Sticky, 0),
            topic,
        })
    }
}

impl State {
    /// Waits for the last commit. What follows a failed one would pass records that it lost.
    fn wait(&mut self) -> Result<(), TaskError> {
        match self.open.take() {
            Some(ticket) => Ok(ticket.wait().map(|_| ())?),
            None => Ok(()),
        }
    }

    /// Returns what of a sink's progress is new.
    fn positions(
        &self,
        progress: &[Progress],
        now_ms: i64,
    ) -> Result<Vec<(TopicPartition, GroupOffset)>, TaskError> {
        let mut news = Vec::new();
        for report in progress {
            let found = self.reach.iter().find(|reach| {
                reach.partition.partition.0 == report.partition
                    && reach.partition.topic.as_str() == report.topic
            });
            let Some(reach) = found.filter(|reach| report.offset <= reach.up_to.0) else {
                return Err(TaskError::internal(format!(
                    "the sink commits offset {} of `{}`-{} before it was put",
                    report.offset, report.topic, report.partition
                )));
            };
            let done = self.done.get(&reach.partition);
            let at = done.map_or(reach.at, |done| done.next);
            let next = Offset(report.offset);
            if next <= at {
                continue;
            }
            let epoch = reach.epochs.iter().rev().find(|(begin, _)| *begin < next);
            let offset = GroupOffset {
                topic_id: reach.topic_id,
                next,
                leader_epoch: epoch.map_or(reach.epoch_before, |(_, epoch)| *epoch),
                metadata: report.metadata.clone(),
                commit_ts: now_ms,
            };
            news.push((reach.partition.clone(), offset));
        }
        Ok(news)
    }
}

/// The bytes behind the first line of a request.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: Option<usize>) -> Result<Option<&'a [u8]>, TaskError> {
        let Some(length) = length else {
            return Ok(None);
        };
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or_else(|| TaskError::data("commit of a sink: its records end early"))?;
        self.0 = rest;
        Ok(Some(taken))
    }
}

fn finish(topic: TopicId, partition: i32, builder: &mut BatchBuilder) -> Result<Append, TaskError> {
    Ok(Append {
        topic,
        partition: PartitionId(partition),
        batch: builder
            .finish()
            .map_err(|error| TaskError::internal(error.to_string()))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition() -> TopicPartition {
        TopicPartition::new(TopicName::try_new("t").unwrap(), PartitionId(0))
    }

    fn state() -> State {
        State {
            reach: vec![Reach {
                partition: partition(),
                topic_id: TopicId([1; 16]),
                at: Offset(10),
                up_to: Offset(40),
                epochs: vec![(Offset(10), LeaderEpoch(1)), (Offset(30), LeaderEpoch(2))],
                epoch_before: LeaderEpoch(0),
            }],
            ..State::default()
        }
    }

    fn report(offset: i64) -> Vec<Progress> {
        vec![Progress {
            topic: "t".to_owned(),
            partition: 0,
            offset,
            metadata: String::new(),
        }]
    }

    #[test]
    fn positions_only_grow_and_stay_within_the_put() {
        let mut state = state();
        for (offset, epoch) in [(11, 1), (30, 1), (31, 2), (40, 2)] {
            let news = state.positions(&report(offset), 0).unwrap();
            assert_eq!(
                (news[0].1.next, news[0].1.leader_epoch),
                (Offset(offset), LeaderEpoch(epoch))
            );
        }
        assert!(state.positions(&report(10), 0).unwrap().is_empty());
        assert!(state.positions(&report(41), 0).is_err());
        let news = state.positions(&report(20), 0).unwrap();
        state.done.extend(news);
        assert!(state.positions(&report(20), 0).unwrap().is_empty());
        state.reach.clear();
        assert!(state.positions(&report(30), 0).is_err());
    }

    #[test]
    fn lengths_beyond_the_request_are_refused() {
        let mut bytes = Bytes(b"abc");
        assert_eq!(bytes.take(Some(2)).unwrap(), Some(&b"ab"[..]));
        assert_eq!(bytes.take(None).unwrap(), None);
        assert!(bytes.take(Some(2)).is_err());
    }
}

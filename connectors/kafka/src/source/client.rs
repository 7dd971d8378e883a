//! The consumer's side of librdkafka: events, and what a rebalance of its group does.
//!
//! A group may take a partition away at any poll. It is given up only when everything that was read of it is durable here;
//! its next owner, another task of this connector, then finds the position that covers it.

use std::sync::{Mutex, PoisonError};

use linkspan_sdk::{prelude::*, tracing};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::commits::Commits;
use super::start::{Key, Start, Starts};
use crate::client::Events;

/// How long a revoked partition waits for what was read of it to become durable.
const DURABLE_WAIT: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What a rebalance did.
#[derive(Debug)]
pub(crate) enum Change {
    Assigned(Vec<Start>),
    /// It is not known yet where these begin.
    Unstarted(Vec<Key>),
    Revoked(Vec<Key>),
    Failed(Error),
}

/// Context of a source's consumer.
pub(crate) struct SourceClient {
    events: Events,
    group: Option<Group>,
}

/// What a group's rebalances need.
pub(crate) struct Group {
    pub(crate) starts: Starts,
    pub(crate) durable: Durable,
    state: Mutex<GroupState>,
}

#[derive(Default)]
struct GroupState {
    /// The last batch that was handed out.
    last: Seq,
    changes: Vec<Change>,
    commits: Commits,
}

impl Group {
    pub(crate) fn new(starts: Starts, durable: Durable) -> Self {
        Self {
            starts,
            durable,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, GroupState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, on the task's own thread, until all that was handed out is durable.
    fn settle(&self, events: &Events) -> bool {
        let last = self.state().last;
        let looks = DURABLE_WAIT.as_millis() / LOOK_AGAIN.as_millis();
        for _ in 0..looks {
            if self.durable.get() >= last {
                return true;
            }
            // Whatever stops here comes again from the position that is durable.
            if events.task().stopped() {
                return false;
            }
            std::thread::park_timeout(LOOK_AGAIN);
        }
        false
    }
}

impl SourceClient {
    pub(crate) const fn new(events: Events, group: Option<Group>) -> Self {
        Self { events, group }
    }

    pub(crate) const fn events(&self) -> &Events {
        &self.events
    }

    /// Takes what rebalances did since the last time.
    pub(crate) fn changes(&self) -> Vec<Change> {
        self.group
            .as_ref()
            .map_or_else(Vec::new, |group| std::mem::take(&mut group.state().changes))
    }

    /// Returns whether this is a member of a group.
    pub(crate) const fn in_group(&self) -> bool {
        self.group.is_some()
    }

    /// Notes that a batch was handed out.
    pub(crate) fn handed_out(&self, seq: Seq, positions: Vec<(Key, i64)>) {
        if let Some(group) = &self.group {
            let mut state = group.state();
            state.last = seq;
            state.commits.handed_out(seq, positions);
        }
    }

    /// Partitions begin at their starts.
    pub(crate) fn started(&self, starts: &[Start]) {
        if let Some(group) = &self.group {
            let mut state = group.state();
            for start in starts {
                state.commits.assigned(&start.key, start.stored);
            }
        }
    }

    /// Tells the group what is durable here, when it is time for it.
    pub(crate) fn commit(&self, consumer: &BaseConsumer<Self>, now: tokio::time::Instant) {
        let Some(group) = &self.group else { return };
        let due = {
            let mut state = group.state();
            state.commits.settled(group.durable.get());
            state.commits.due(now)
        };
        send(consumer, &due, CommitMode::Async);
    }

    /// As [`SourceClient::commit`], at once.
    pub(crate) fn commit_now(&self, consumer: &BaseConsumer<Self>, mode: CommitMode) {
        let Some(group) = &self.group else { return };
        let open = {
            let mut state = group.state();
            state.commits.settled(group.durable.get());
            state.commits.open()
        };
        send(consumer, &open, mode);
    }

    fn assigned(&self, group: &Group, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let keys = keys(list);
        let change = match group.starts.of(consumer, &keys) {
            Ok(starts) => {
                for mut element in list.elements() {
                    let key = (element.topic().to_owned(), element.partition());
                    let start = starts.iter().find(|start| start.key == key);
                    let offset = start.map_or(Offset::Invalid, |start| start.offset);
                    if let Err(error) = element.set_offset(offset) {
                        tracing::warn!(%error, topic = key.0, partition = key.1, "the start of a partition was refused");
                    }
                }
                self.started(&starts);
                Change::Assigned(starts)
            }
            // Asked again by the next poll, which says what is wrong; until then nothing of them is taken.
            Err(error) => {
                tracing::debug!(%error, "the starts of partitions are not known yet");
                Change::Unstarted(keys)
            }
        };
        group.state().changes.push(change);
    }

    fn revoked(&self, group: &Group, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let keys = keys(list);
        if keys.is_empty() {
            return;
        }
        if !group.settle(&self.events) && !self.events.task().stopped() {
            let error = Error::unavailable(format!(
                "Kafka at {}: the group takes partitions away, and what was read of them is not durable after {} s",
                group.starts.place,
                DURABLE_WAIT.as_secs()
            ));
            group.state().changes.push(Change::Failed(error));
        }
        // While the partitions are still this member's; the client sends it before it gives them up.
        self.commit_now(consumer, CommitMode::Async);
        let mut state = group.state();
        for key in &keys {
            state.commits.revoked(key);
        }
        state.changes.push(Change::Revoked(keys));
    }
}

/// Sends offsets to the group's coordinator. What fails is sent again, see [`Commits`].
fn send(consumer: &BaseConsumer<SourceClient>, offsets: &[(Key, i64)], mode: CommitMode) {
    if offsets.is_empty() {
        return;
    }
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for ((topic, partition), next) in offsets {
        let added = list.add_partition_offset(topic, *partition, Offset::Offset(*next));
        debug_assert!(added.is_ok(), "an offset that was read is one");
    }
    if let Err(error) = consumer.commit(&list, mode) {
        tracing::debug!(%error, "the group's offsets were not committed");
    }
}

fn keys(list: &TopicPartitionList) -> Vec<Key> {
    list.elements()
        .iter()
        .map(|element| (element.topic().to_owned(), element.partition()))
        .collect()
}

impl ClientContext for SourceClient {
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

impl ConsumerContext for SourceClient {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Some(group) = &self.group else { return };
        match rebalance {
            Rebalance::Assign(list) => self.assigned(group, consumer, list),
            Rebalance::Revoke(list) => self.revoked(group, consumer, list),
            Rebalance::Error(error) => {
                let error = crate::error::from_call(
                    error,
                    &group.starts.place,
                    "join the consumer group",
                    self.events.last(),
                );
                group.state().changes.push(Change::Failed(error));
            }
        }
    }

    fn commit_callback(
        &self,
        result: rdkafka::error::KafkaResult<()>,
        offsets: &TopicPartitionList,
    ) {
        let Some(group) = &self.group else { return };
        // The position here is the one that counts; Kafka's copy is for its tools, and is sent again.
        if let Err(error) = &result {
            tracing::debug!(%error, "the group's offsets were not committed");
        }
        let mut taken = Vec::new();
        if result.is_ok() {
            for element in offsets.elements() {
                if let (Ok(()), Offset::Offset(next)) = (element.error(), element.offset()) {
                    taken.push(((element.topic().to_owned(), element.partition()), next));
                }
            }
        }
        group.state().commits.answered(taken);
    }
}

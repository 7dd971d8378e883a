//! Records that a sink's task has set aside: dead letters, or skipped.
//!
//! A dead letter is durable before the sink is given anything behind it. Its coordinate is durable in the same commit, so that
//! a restart before the offset was committed neither writes it a second time nor gives the record to the sink again:
//! ```text
//! Store::Meta  key    dead/<connector> \0 topic id (16 bytes) partition (i32, big-endian)
//!              value  [41,57]: offsets at or behind the committed one, in order
//! ```
//! The commit of the offset that covers them takes them out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use linkspan_convert::Coordinates;
use linkspan_log::{Assignment, Commit, GroupOffset, KvPut, LogBackend, Producer, Store};
use linkspan_types::{Offset, TopicId, TopicPartition};
use linkspan_wire::{Batches, Record};

use crate::connector::TaskContext;
use crate::error::TaskError;
use crate::errors::{ErrorPolicy, Letter, LetterTopic, Place, log_record};

/// More offsets that no committed one covers make the task flush: each commit of letters stores them all.
pub(crate) const ASIDE_MAX: usize = 10_000;
/// Letters of one commit: with their headers far below what a commit takes.
const LETTERS_MAX: usize = 1000;
/// Bytes of letters of one commit, about.
const LETTER_BYTES: usize = 4 << 20;

/// Offsets set aside and not yet covered by a committed one.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    map: BTreeMap<TopicPartition, (TopicId, BTreeSet<i64>)>,
}

impl Aside {
    pub(crate) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.map.values().map(|(_, offsets)| offsets.len()).sum()
    }

    pub(crate) fn contains(&self, partition: &TopicPartition, offset: i64) -> bool {
        self.map
            .get(partition)
            .is_some_and(|(_, offsets)| offsets.contains(&offset))
    }

    fn insert(&mut self, at: &At) -> bool {
        let (_, offsets) = self
            .map
            .entry(at.partition.clone())
            .or_insert_with(|| (at.topic_id, BTreeSet::new()));
        offsets.insert(at.offset)
    }

    /// Where a partition stands once records that are set aside need no word of the sink.
    pub(crate) fn pass(&self, partition: &TopicPartition, next: Offset) -> Offset {
        let mut next = next;
        while self.contains(partition, next.0) {
            next.0 += 1;
        }
        next
    }

    /// Forgets what `offsets` cover; returns the puts that make it durable with them.
    pub(crate) fn cover(
        &mut self,
        connector: &str,
        offsets: &[(TopicPartition, GroupOffset)],
    ) -> Vec<KvPut> {
        let mut puts = Vec::new();
        for (partition, offset) in offsets {
            let Some((topic_id, aside)) = self.map.get_mut(partition) else {
                continue;
            };
            let left = aside.split_off(&offset.next.0);
            // What stays in `aside` is covered.
            let changed = !aside.is_empty();
            *aside = left;
            if changed {
                puts.push(put(connector, topic_id, partition, aside));
            }
            if aside.is_empty() {
                self.map.remove(partition);
            }
        }
        puts
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.map.remove(partition);
        }
    }
}

/// A record's coordinate.
#[derive(Debug, Clone)]
pub(crate) struct At {
    pub(crate) partition: TopicPartition,
    pub(crate) topic_id: TopicId,
    pub(crate) offset: i64,
}

/// A record that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) at: At,
    pub(crate) error: TaskError,
}

/// Writes the dead letters of one sink task.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    policy: Arc<ErrorPolicy>,
    /// Without a topic the records are skipped.
    out: Option<(LetterTopic, Arc<dyn Producer>)>,
}

impl DeadLetters {
    pub(crate) fn open(
        ctx: &TaskContext,
        policy: &Arc<ErrorPolicy>,
        producer: impl FnOnce() -> linkspan_log::Result<Arc<dyn Producer>>,
    ) -> Result<Self, TaskError> {
        let out = match &policy.letters {
            Some(name) if policy.tolerant => Some((
                LetterTopic::open(ctx.runtime.log.as_ref(), name)?,
                producer()?,
            )),
            _ => None,
        };
        Ok(Self {
            policy: Arc::clone(policy),
            out,
        })
    }

    /// Whether records become dead letters; they are skipped otherwise.
    pub(crate) fn writes(&self) -> bool {
        self.out.is_some()
    }

    /// Reads what earlier lives set aside in these partitions.
    pub(crate) fn assigned(
        &self,
        ctx: &TaskContext,
        assigned: &[Assignment],
        aside: &mut Aside,
    ) -> Result<(), TaskError> {
        if !self.writes() || test_switch("LINKSPAN_TEST_SKIP_ASIDE") {
            return Ok(());
        }
        for assignment in assigned {
            let key = key(&ctx.spec.name, &assignment.topic_id, &assignment.partition);
            let Some(stored) = ctx.runtime.log.get(Store::Meta, &key)? else {
                continue;
            };
            let offsets: BTreeSet<i64> = serde_json::from_slice(&stored).map_err(|error| {
                TaskError::internal(format!("stored dead letters are not readable: {error}"))
            })?;
            aside
                .map
                .insert(assignment.partition.clone(), (assignment.topic_id, offsets));
        }
        Ok(())
    }

    pub(crate) fn revoked(partitions: &[TopicPartition], aside: &mut Aside) {
        aside.forget(partitions);
    }

    /// Sets records aside; what is written is durable when this returns. Returns how many were not set aside before.
    pub(crate) fn set_aside(
        &mut self,
        ctx: &TaskContext,
        mut failed: Vec<Failed>,
        aside: &mut Aside,
    ) -> Result<u64, TaskError> {
        failed.retain(|failed| !aside.contains(&failed.at.partition, failed.at.offset));
        failed.sort_by(|a, b| (&a.at.partition, a.at.offset).cmp(&(&b.at.partition, b.at.offset)));
        failed.dedup_by(|a, b| a.at.partition == b.at.partition && a.at.offset == b.at.offset);
        let mut rest = failed.as_slice();
        let mut written = 0;
        while !rest.is_empty() {
            let done = self.set_some_aside(ctx, rest, aside)?;
            written += done as u64;
            rest = rest.get(done..).unwrap_or_default();
        }
        Ok(written)
    }

    fn set_some_aside(
        &mut self,
        ctx: &TaskContext,
        failed: &[Failed],
        aside: &mut Aside,
    ) -> Result<usize, TaskError> {
        let (policy, task) = (&self.policy, &ctx.task);
        let mut commit = Commit::default();
        let mut done = 0;
        let wants_records = self.out.is_some() || policy.log_messages;
        let mut push = |failed: &Failed, record: Option<&Record<'_>>| -> Result<(), TaskError> {
            let letter = Letter::about(task, policy, &place_of(&failed.at), &failed.error);
            let Some(record) = record else {
                return Ok(());
            };
            if policy.log && policy.log_messages {
                log_record(task, record.key, record.value);
            }
            if let Some((topic, _)) = &mut self.out {
                topic.push(
                    record.timestamp,
                    (record.key, record.value),
                    record.headers,
                    &letter,
                    &mut commit.appends,
                )?;
            }
            Ok(())
        };
        if wants_records {
            // The bad records of one stored batch, which one commit can take.
            done = originals(ctx.runtime.log.as_ref(), failed, &mut push)?;
        } else {
            for failed in failed {
                push(failed, None)?;
                done += 1;
            }
        }
        let some = failed.get(..done).unwrap_or_default();
        for failed in some {
            aside.insert(&failed.at);
        }
        if let Some((topic, producer)) = &mut self.out {
            topic.flush(&mut commit.appends)?;
            for partition in touched(some) {
                if let Some((topic_id, offsets)) = aside.map.get(partition) {
                    commit
                        .puts
                        .push(put(&ctx.spec.name, topic_id, partition, offsets));
                }
            }
            commit.puts.extend(topic.mark());
            submit(ctx, producer.as_ref(), commit)?;
            if test_switch("LINKSPAN_TEST_DIE_AFTER_LETTERS") {
                std::process::abort();
            }
        }
        Ok(done)
    }
}

/// Makes letters durable. A full log takes them beyond its bound, as the sink's progress is what may make room. When that is
/// used up too the task waits, shown as DISK_BOUND, and then begins anew.
fn submit(ctx: &TaskContext, producer: &dyn Producer, commit: Commit) -> Result<(), TaskError> {
    let submitted = if test_switch("LINKSPAN_TEST_NO_RESERVE") {
        producer.submit(commit)
    } else {
        producer.submit_reserved(commit)
    };
    match submitted {
        Ok(ticket) => {
            ticket.wait()?;
            Ok(())
        }
        Err(error) => {
            if matches!(error, linkspan_log::Error::DiskBound { .. }) {
                ctx.wait_for_room();
            }
            Err(error.into())
        }
    }
}

/// Hands over the stored records of `failed` that lie in the batch of the first of them, as many as one commit takes;
/// returns how many.
fn originals(
    log: &dyn LogBackend,
    failed: &[Failed],
    push: &mut impl FnMut(&Failed, Option<&Record<'_>>) -> Result<(), TaskError>,
) -> Result<usize, TaskError> {
    let mut rest = failed.iter().peekable();
    let Some(first) = rest.peek().map(|failed| failed.at.clone()) else {
        return Ok(0);
    };
    let fetched = log.fetch(
        &first.topic_id,
        first.partition.partition,
        Offset(first.offset),
        1,
    )?;
    let unreadable =
        |error: linkspan_wire::Error| TaskError::internal(format!("{}: {error}", place_of(&first)));
    let (mut scratch, mut done, mut bytes) = (Vec::new(), 0, 0);
    for batch in Batches::new(&fetched.bytes) {
        let batch = batch.map_err(unreadable)?;
        if batch.header().last_offset() < first.offset {
            continue;
        }
        for record in batch.records(&mut scratch).map_err(unreadable)? {
            let record = record.map_err(unreadable)?;
            let Some(next) = rest.next_if(|failed| {
                failed.at.partition == first.partition && failed.at.offset == record.offset
            }) else {
                continue;
            };
            push(next, Some(&record))?;
            bytes += record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
            done += 1;
            if done >= LETTERS_MAX || bytes >= LETTER_BYTES {
                return Ok(done);
            }
        }
        break;
    }
    if done == 0 {
        return Err(TaskError::internal(format!(
            "{}: the record to set aside is not in the log",
            place_of(&first)
        )));
    }
    Ok(done)
}

fn place_of(at: &At) -> Place<'static> {
    Place::Log(Coordinates {
        topic: Arc::from(at.partition.topic.as_str()),
        partition: at.partition.partition.0,
        offset: at.offset,
    })
}

/// The partitions of sorted records, each once.
fn touched(failed: &[Failed]) -> impl Iterator<Item = &TopicPartition> {
    let mut last = None;
    failed.iter().filter_map(move |failed| {
        let partition = &failed.at.partition;
        (last.replace(partition) != Some(partition)).then_some(partition)
    })
}

/// For the crash tests and their negative control. Debug builds only.
fn test_switch(name: &str) -> bool {
    cfg!(debug_assertions) && std::env::var_os(name).is_some()
}

/// What every key of a connector's coordinates begins with.
pub(crate) fn prefix(connector: &str) -> Vec<u8> {
    format!("dead/{connector}\0").into_bytes()
}

fn key(connector: &str, topic_id: &TopicId, partition: &TopicPartition) -> Bytes {
    let mut key = prefix(connector);
    key.extend_from_slice(&topic_id.0);
    key.extend_from_slice(&partition.partition.0.to_be_bytes());
    key.into()
}

fn put(
    connector: &str,
    topic_id: &TopicId,
    partition: &TopicPartition,
    offsets: &BTreeSet<i64>,
) -> KvPut {
    KvPut {
        store: Store::Meta,
        key: key(connector, topic_id, partition),
        // Numbers always serialize.
        value: (!offsets.is_empty())
            .then(|| serde_json::to_vec(offsets).unwrap_or_default().into()),
    }
}

#[cfg(test)]
mod tests {
    use linkspan_types::{LeaderEpoch, PartitionId, TopicName};

    use super::*;

    fn partition() -> TopicPartition {
        TopicPartition::new(TopicName::try_new("t").unwrap(), PartitionId(0))
    }

    fn aside(offsets: &[i64]) -> Aside {
        let mut aside = Aside::default();
        for offset in offsets {
            aside.insert(&At {
                partition: partition(),
                topic_id: TopicId([1; 16]),
                offset: *offset,
            });
        }
        aside
    }

    fn committed(next: i64) -> Vec<(TopicPartition, GroupOffset)> {
        let offset = GroupOffset {
            topic_id: TopicId([1; 16]),
            next: Offset(next),
            leader_epoch: LeaderEpoch(0),
            metadata: String::new(),
            commit_ts: 0,
        };
        vec![(partition(), offset)]
    }

    #[test]
    fn an_offset_takes_out_what_it_covers_and_keeps_the_rest() {
        let mut aside = aside(&[3, 7, 9]);
        assert!(aside.cover("c", &committed(3)).is_empty());
        let puts = aside.cover("c", &committed(8));
        assert_eq!(puts[0].value.as_deref(), Some(&b"[9]"[..]));
        assert!(!aside.contains(&partition(), 7) && aside.contains(&partition(), 9));
        let puts = aside.cover("c", &committed(10));
        assert!(puts[0].value.is_none() && aside.is_empty());
    }

    #[test]
    fn a_position_passes_what_lies_right_behind_it() {
        let aside = aside(&[5, 6, 8]);
        for (next, expected) in [(4, 4), (5, 7), (7, 7), (8, 9)] {
            assert_eq!(aside.pass(&partition(), Offset(next)), Offset(expected));
        }
    }
}

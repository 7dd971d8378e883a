//! Members of groups that read for people: joined, polled, committed and left over the socket, or used in this process.
//!
//! A member that is not polled for [`IDLE_MAX`] leaves by itself, so that a killed command does not hold partitions.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use linkspan_log::{
    Assignment, Assignor, Consumer, ConsumerOptions, Event, GroupOffset, LogBackend, OffsetQuery,
    Start,
};
use linkspan_types::{Clock, GroupId, LeaderEpoch, Offset, SystemClock, TopicId, TopicPartition};
use linkspan_wire::Batches;
use serde::{Deserialize, Serialize};

use crate::records::{RecordView, decode};
use crate::refusal::Refusal;
use crate::start::From;
use crate::topics;

/// How long a member may go without a poll.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// How often members are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// Members over the socket at a time.
const MEMBERS_MAX: usize = 256;
/// Bytes of one batch of records.
const READ_BYTES: usize = 256 * 1024;

/// How to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The topics to read.
    pub topics: Vec<String>,
    /// Where to begin in a partition without a committed position, as `--from` has it; `earliest` if not given.
    #[serde(default)]
    pub from: Option<String>,
}

/// What a poll answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Polled {
    /// Records to print, then to commit.
    pub records: Vec<RecordView>,
    /// Partitions that are this member's since now.
    pub assigned: Vec<Assigned>,
    /// Partitions that are another member's since now.
    pub revoked: Vec<String>,
    /// Records that were deleted before they were read: text for people.
    pub lost: Vec<String>,
    /// Whether every partition of this member was read to its end.
    pub at_end: bool,
}

/// A partition that a member may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assigned {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Where reading begins.
    pub next: i64,
    /// Whether the group had a position there.
    pub stored: bool,
}

#[derive(Debug, Clone)]
struct Position {
    topic_id: TopicId,
    next: i64,
    leader_epoch: LeaderEpoch,
}

/// One member of a group.
pub struct Member {
    log: Arc<dyn LogBackend>,
    consumer: Box<dyn Consumer>,
    from: From,
    positions: BTreeMap<TopicPartition, Position>,
    joined: bool,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("consumer", &self.consumer)
            .finish_non_exhaustive()
    }
}

impl Member {
    /// Joins a group.
    ///
    /// # Errors
    /// A topic does not exist, `from` is malformed, or the log refuses.
    pub fn join(
        log: Arc<dyn LogBackend>,
        group: &str,
        member: &str,
        join: &Join,
    ) -> Result<Self, Refusal> {
        if group.is_empty() || group.contains('\0') {
            return Err(Refusal::argument("a group needs a name"));
        }
        let from = join.from.as_deref().unwrap_or("earliest");
        let from: From = from
            .parse()
            .map_err(|error: crate::FromError| Refusal::argument(error.to_string()))?;
        let mut names = Vec::new();
        for topic in &join.topics {
            names.push(topics::find(&*log, topic)?.name);
        }
        let consumer = log.open_consumer(ConsumerOptions {
            group: GroupId::from(group),
            member: member.to_owned(),
            topics: names,
            start: if from == From::Latest {
                Start::Latest
            } else {
                Start::Earliest
            },
            max_bytes: READ_BYTES,
            fence: None,
            assignor: Assignor::default(),
            pattern: None,
        })?;
        Ok(Self {
            log,
            consumer,
            from,
            positions: BTreeMap::new(),
            joined: false,
        })
    }

    /// Waits for records or a change of partitions, at most `wait`.
    ///
    /// # Errors
    /// The log refuses.
    pub async fn poll(&mut self, wait: Duration) -> Result<Polled, Refusal> {
        let mut polled = Polled::default();
        if let Ok(event) = tokio::time::timeout(wait, self.consumer.next()).await {
            match event? {
                Event::Assigned(assigned) => self.assigned(assigned, &mut polled)?,
                Event::Revoked(gone) | Event::Lost(gone) => {
                    for tp in gone {
                        self.positions.remove(&tp);
                        polled.revoked.push(tp.to_string());
                    }
                }
                Event::OffsetLost {
                    partition,
                    wanted,
                    log_start,
                } => polled.lost.push(format!(
                    "{partition}: the records {wanted}..{log_start} were deleted before the group had read them"
                )),
                Event::Batch(batch) => {
                    let bad = |error: linkspan_wire::Error| {
                        Refusal::new(500, "LS0513", format!("{}: {error}", batch.partition))
                    };
                    let (topic, number) = (&batch.partition.topic, batch.partition.partition.0);
                    decode(&batch.bytes, topic, number, batch.from.0, &mut polled.records)
                        .map_err(bad)?;
                    let last = Batches::new(&batch.bytes).filter_map(Result::ok).last();
                    if let Some(position) = self.positions.get_mut(&batch.partition) {
                        position.next = batch.next.0;
                        position.leader_epoch = last
                            .map_or(position.leader_epoch, |batch| LeaderEpoch(batch.header().leader_epoch));
                    }
                }
            }
        }
        polled.at_end = self.at_end()?;
        Ok(polled)
    }

    fn assigned(&mut self, new: Vec<Assignment>, polled: &mut Polled) -> Result<(), Refusal> {
        self.joined = true;
        for assignment in new {
            let tp = assignment.partition;
            let mut next = assignment.next;
            if !assignment.stored {
                next = self.start(&tp, &assignment.topic_id, next)?;
            }
            polled.assigned.push(Assigned {
                topic: tp.topic.to_string(),
                partition: tp.partition.0,
                next: next.0,
                stored: assignment.stored,
            });
            let position = Position {
                topic_id: assignment.topic_id,
                next: next.0,
                leader_epoch: assignment.leader_epoch,
            };
            self.positions.insert(tp, position);
        }
        Ok(())
    }

    /// Begins where `--from` says.
    fn start(
        &mut self,
        tp: &TopicPartition,
        topic: &TopicId,
        next: Offset,
    ) -> Result<Offset, Refusal> {
        let marks = self.log.offsets(topic, tp.partition)?;
        let to = match self.from {
            From::Earliest | From::Latest => return Ok(next),
            From::Offset(at) => at.clamp(marks.log_start.0, marks.high_watermark.0),
            From::Time(time) => self
                .log
                .find_offset(topic, tp.partition, OffsetQuery::Time(time))?
                .map_or(marks.high_watermark.0, |found| found.offset.0),
        };
        self.consumer.seek(tp, Offset(to))?;
        Ok(Offset(to))
    }

    fn at_end(&self) -> Result<bool, Refusal> {
        if !self.joined {
            return Ok(false);
        }
        let ends = self.consumer.end_offsets()?;
        Ok(ends.iter().all(|(tp, end)| {
            self.positions
                .get(tp)
                .is_some_and(|position| position.next >= end.0)
        }))
    }

    /// Commits everything that was polled; durable when it returns.
    ///
    /// # Errors
    /// The log refuses.
    pub fn commit(&self) -> Result<(), Refusal> {
        let now = SystemClock::default().now_ms();
        let offsets: Vec<(TopicPartition, GroupOffset)> = self
            .positions
            .iter()
            .map(|(tp, position)| {
                let offset = GroupOffset {
                    topic_id: position.topic_id,
                    next: Offset(position.next),
                    leader_epoch: position.leader_epoch,
                    metadata: String::new(),
                    commit_ts: now,
                };
                (tp.clone(), offset)
            })
            .collect();
        if !offsets.is_empty() {
            self.consumer
                .commit(&offsets, linkspan_log::Commit::default())?
                .wait()?;
        }
        Ok(())
    }
}

/// The members that joined over the socket.
#[derive(Debug, Default)]
pub(crate) struct Members {
    all: Mutex<HashMap<String, Entry>>,
    /// A task looks for members that nobody polls.
    watched: AtomicBool,
}

#[derive(Debug)]
struct Entry {
    group: String,
    used: Instant,
    /// `None` while a request has it.
    member: Option<Member>,
}

impl Members {
    pub(crate) fn add(&self, group: &str, id: String, member: Member) -> Result<(), Refusal> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MEMBERS_MAX {
            let message = format!("{MEMBERS_MAX} members read over the socket already");
            return Err(Refusal::new(429, "LS0501", message));
        }
        let entry = Entry {
            group: group.to_owned(),
            used: Instant::now(),
            member: Some(member),
        };
        all.insert(id, entry);
        Ok(())
    }

    /// Takes a member for one request.
    pub(crate) fn take(&self, group: &str, id: &str) -> Result<Member, Refusal> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = all.get_mut(id).filter(|entry| entry.group == group);
        entry.and_then(|entry| entry.member.take()).ok_or_else(|| {
            let message = format!("group `{group}` has no member `{id}` here");
            Refusal::new(404, "LS0520", message)
                .help("a member that is not polled for 30 s leaves; join again")
        })
    }

    pub(crate) fn give_back(&self, id: &str, member: Member) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = all.get_mut(id) {
            entry.used = Instant::now();
            entry.member = Some(member);
        }
    }

    pub(crate) fn remove(&self, id: &str) -> bool {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(id).is_some()
    }

    /// Watches the members until none is left. Called in the host's runtime.
    pub(crate) fn watch(self: &Arc<Self>) {
        if self.watched.swap(true, Ordering::AcqRel) {
            return;
        }
        let members = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP_EVERY).await;
                let Some(members) = members.upgrade() else {
                    return;
                };
                let sweep = tokio::task::spawn_blocking(move || members.sweep());
                if !sweep.await.unwrap_or(false) {
                    return;
                }
            }
        });
    }

    /// Lets members go that nobody polls any more; answers whether any is left, else the watch is over.
    fn sweep(&self) -> bool {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<String> = all
            .iter()
            .filter(|(_, entry)| entry.member.is_some() && entry.used.elapsed() > IDLE_MAX)
            .map(|(id, _)| id.clone())
            .collect();
        let gone: Vec<Entry> = gone.iter().filter_map(|id| all.remove(id)).collect();
        let some_left = !all.is_empty();
        self.watched.store(some_left, Ordering::Release);
        drop(all);
        // Leaving may wait for the group; not under the lock.
        drop(gone);
        some_left
    }
}

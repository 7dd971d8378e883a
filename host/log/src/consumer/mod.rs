//! A member of a group that reads the local log.
//!
//! `next` does one step after the other until there is an event: fence, what to let go, what to claim (`start`), data
//! (`poll`). While it waits, the group and the partitions wake it; reads that need the disk are done by `readers`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use linkspan_types::{FenceEpoch, LeaderEpoch, Offset, TopicPartition};
use tokio::sync::oneshot;

use crate::backend::{
    BoxFuture, Commit, Consumer, ConsumerOptions, Event, GroupOffset, KvPut, Store, check_metadata,
    group_offset_key,
};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::group::{Change, Joining, Membership};
use crate::journal::queue::{FenceRule, OwnerFence};
use crate::partition::{Partition, Read};
use crate::readers::Readers;
use crate::submit::{check_puts, submit_within};
use crate::ticket::Ticket;

mod poll;
mod start;

pub(crate) use start::check_position;

/// An assigned partition.
#[derive(Debug)]
struct Assigned {
    partition: Arc<Partition>,
    next: i64,
    paused: bool,
}

/// A read that waits for the disk.
#[derive(Debug)]
struct Pending {
    partition: TopicPartition,
    from: i64,
    answer: oneshot::Receiver<Result<Option<Read>>>,
}

/// A member of a group.
#[derive(Debug)]
pub(crate) struct LocalConsumer {
    core: Arc<Core>,
    readers: Arc<Readers>,
    options: ConsumerOptions,
    fence: Option<(Arc<OwnerFence>, FenceEpoch)>,
    membership: Membership,
    assigned: BTreeMap<TopicPartition, Assigned>,
    /// Whose turn it is, for fairness.
    turn: VecDeque<TopicPartition>,
    /// Told to go; released by the next call of `next`.
    revoking: Vec<TopicPartition>,
    events: VecDeque<Event>,
    pending: Option<Pending>,
    /// The log's count of deleted topics when this consumer last looked.
    deletions: u64,
}

enum Step {
    Event(Event),
    WaitForChange,
    WaitForDisk,
}

impl LocalConsumer {
    pub(crate) fn join(
        core: Arc<Core>,
        readers: Arc<Readers>,
        options: ConsumerOptions,
    ) -> Result<Self> {
        core.check_alive()?;
        let fence = options
            .fence
            .as_ref()
            .map(|(owner, epoch)| (core.fence(owner), *epoch));
        if let Some((fence, epoch)) = &fence {
            check_fence(fence, *epoch)?;
        }
        let joining = Joining {
            group: &options.group,
            name: &options.member,
            topics: &options.topics,
            pattern: options.pattern.as_ref(),
            assignor: options.assignor,
        };
        let membership = loop {
            core.groups.wait_until_let_go(&options.group);
            let catalog = core.catalog.read().unwrap_or_else(PoisonError::into_inner);
            let joined = core.groups.join(&joining, &catalog)?;
            if let Some(membership) = joined {
                break membership;
            }
        };
        Ok(Self {
            deletions: core.deletions.load(Ordering::Acquire),
            core,
            readers,
            options,
            fence,
            membership,
            assigned: BTreeMap::new(),
            turn: VecDeque::new(),
            revoking: Vec::new(),
            events: VecDeque::new(),
            pending: None,
        })
    }

    async fn next_event(&mut self) -> Result<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            match self.step()? {
                Step::Event(event) => return Ok(event),
                Step::WaitForChange => self.membership.notify.notified().await,
                Step::WaitForDisk => {
                    // The read stays in `pending` while it is awaited, so that a dropped future loses nothing.
                    let Some(pending) = &mut self.pending else {
                        continue;
                    };
                    let answer = (&mut pending.answer).await;
                    let Some(Pending {
                        partition, from, ..
                    }) = self.pending.take()
                    else {
                        continue;
                    };
                    let read = match answer.unwrap_or(Err(Error::Closed)) {
                        // Deleted while it was read: the next look says where it goes on.
                        Err(Error::OffsetOutOfRange { .. }) => None,
                        other => other?,
                    };
                    if let Some(event) = read.and_then(|read| self.deliver(&partition, from, read))
                    {
                        return Ok(event);
                    }
                }
            }
        }
    }

    fn step(&mut self) -> Result<Step> {
        self.core.check_alive()?;
        if let Some(event) = self.check_fenced()? {
            return Ok(Step::Event(event));
        }
        if let Some(event) = self.check_deleted() {
            return Ok(Step::Event(event));
        }
        if !self.revoking.is_empty() {
            let revoking = std::mem::take(&mut self.revoking);
            for partition in &revoking {
                self.forget(partition);
            }
            self.membership.release(&revoking);
        }
        match self.membership.change() {
            Change::Nothing => {}
            Change::Revoke(partitions) => {
                self.revoking.clone_from(&partitions);
                return Ok(Step::Event(Event::Revoked(partitions)));
            }
            Change::Claimed(partitions) => return self.claim(&partitions).map(Step::Event),
        }
        if self.pending.is_some() {
            return Ok(Step::WaitForDisk);
        }
        self.poll()
    }

    fn check_fenced(&mut self) -> Result<Option<Event>> {
        let Some((fence, epoch)) = &self.fence else {
            return Ok(None);
        };
        let Err(error) = check_fence(fence, *epoch) else {
            return Ok(None);
        };
        if self.assigned.is_empty() {
            self.leave();
            return Err(error);
        }
        let lost: Vec<TopicPartition> = self.assigned.keys().cloned().collect();
        for partition in &lost {
            self.forget(partition);
        }
        self.leave();
        Ok(Some(Event::Lost(lost)))
    }

    fn leave(&self) {
        let catalog = self
            .core
            .catalog
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        self.membership.leave(&catalog);
    }

    /// Lets go of partitions whose topic was deleted.
    fn check_deleted(&mut self) -> Option<Event> {
        let deletions = self.core.deletions.load(Ordering::Acquire);
        if std::mem::replace(&mut self.deletions, deletions) == deletions {
            return None;
        }
        let lost: Vec<TopicPartition> = self
            .assigned
            .iter()
            .filter(|(_, assigned)| assigned.partition.is_deleted())
            .map(|(tp, _)| tp.clone())
            .collect();
        for partition in &lost {
            self.forget(partition);
        }
        self.revoking.retain(|partition| !lost.contains(partition));
        self.membership.release(&lost);
        (!lost.is_empty()).then_some(Event::Lost(lost))
    }

    fn forget(&mut self, partition: &TopicPartition) {
        if let Some(assigned) = self.assigned.remove(partition) {
            assigned.partition.watchers.unwatch(&self.membership.notify);
        }
        self.turn.retain(|other| other != partition);
        if self
            .pending
            .as_ref()
            .is_some_and(|pending| pending.partition == *partition)
        {
            self.pending = None;
        }
    }

    fn set_paused(&mut self, partitions: &[TopicPartition], paused: bool) {
        let wanted: BTreeSet<&TopicPartition> = partitions.iter().collect();
        for (tp, assigned) in &mut self.assigned {
            if wanted.contains(tp) {
                assigned.paused = paused;
            }
        }
    }
}

fn check_fence(fence: &OwnerFence, epoch: FenceEpoch) -> Result<()> {
    let current = fence.current();
    if current == epoch {
        return Ok(());
    }
    Err(Error::Fenced {
        owner: fence.owner.clone(),
        found: epoch,
        current,
    })
}

impl Consumer for LocalConsumer {
    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Event>> {
        Box::pin(self.next_event())
    }

    fn seek(&mut self, partition: &TopicPartition, to: Offset) -> Result<()> {
        let Some(assigned) = self.assigned.get_mut(partition) else {
            return Err(Error::NotAssigned {
                partition: partition.clone(),
            });
        };
        let marks = assigned.partition.watermarks(LeaderEpoch(0));
        if to < marks.log_start || to > marks.high_watermark {
            return Err(Error::OffsetOutOfRange {
                wanted: to,
                log_start: marks.log_start,
                high_watermark: marks.high_watermark,
            });
        }
        assigned.next = to.0;
        if self
            .pending
            .as_ref()
            .is_some_and(|pending| pending.partition == *partition)
        {
            self.pending = None;
        }
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) {
        self.set_paused(partitions, true);
    }

    fn resume(&mut self, partitions: &[TopicPartition]) {
        self.set_paused(partitions, false);
    }

    fn commit(&self, offsets: &[(TopicPartition, GroupOffset)], with: Commit) -> Result<Ticket> {
        check_puts(&with.puts)?;
        let mut puts = Vec::with_capacity(offsets.len() + with.puts.len());
        for (tp, offset) in offsets {
            check_metadata(&offset.metadata)?;
            if offset.next.0 < 0 {
                let why = format!(
                    "position {} of {tp}: a position is not negative",
                    offset.next
                );
                return Err(Error::InvalidCommit { why });
            }
            let assigned = self.assigned.get(tp).ok_or_else(|| Error::NotAssigned {
                partition: tp.clone(),
            })?;
            let topic_id = assigned.partition.id.topic;
            if offset.topic_id != topic_id {
                return Err(Error::UnknownPartition {
                    topic: offset.topic_id,
                    partition: tp.partition,
                });
            }
            puts.push(KvPut {
                store: Store::GroupOffsets,
                key: group_offset_key(&self.options.group, &topic_id, tp.partition),
                value: Some(offset.encode(&tp.topic)),
            });
        }
        puts.extend(with.puts);
        let in_flight = self
            .membership
            .begin_commit(offsets.iter().map(|(tp, _)| tp))?;
        let rule = match &self.fence {
            Some((fence, epoch)) => FenceRule::Check(Arc::clone(fence), *epoch),
            None => FenceRule::None,
        };
        submit_within(
            &self.core,
            Commit {
                appends: with.appends,
                puts,
            },
            rule,
            None,
            Some(in_flight),
            Core::reserved_room,
        )
    }

    fn end_offsets(&self) -> Result<Vec<(TopicPartition, Offset)>> {
        let end =
            |assigned: &Assigned| assigned.partition.watermarks(LeaderEpoch(0)).high_watermark;
        Ok(self
            .assigned
            .iter()
            .map(|(tp, assigned)| (tp.clone(), end(assigned)))
            .collect())
    }
}

impl Drop for LocalConsumer {
    fn drop(&mut self) {
        for assigned in self.assigned.values() {
            assigned.partition.watchers.unwatch(&self.membership.notify);
        }
        self.leave();
    }
}

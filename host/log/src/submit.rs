//! From a commit to something the journal's writer can write: all checks that need no order.

use std::sync::Arc;
use std::sync::PoisonError;

use linkspan_wire::{Batch, BatchHeader};

use crate::backend::{Append, COMMIT_ENTRIES_MAX, Commit, KEY_BYTES_MAX, KvPut, Producer, Store};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::group::InFlight;
use crate::journal::queue::{FenceRule, Lane, OwnerFence, PendingAppend, Submission};
use crate::journal::writer::{journal_bytes, raise_bytes};
use crate::partition::Partition;
use crate::produce;
use crate::producers::{self, Claim};
use crate::ticket::Ticket;
use crate::topics;
use crate::{declared, trim};

use linkspan_types::FenceEpoch;

/// A producer of the local log.
#[derive(Debug)]
pub(crate) struct LocalProducer {
    core: Arc<Core>,
    fence: Arc<OwnerFence>,
    epoch: FenceEpoch,
    lane: Arc<Lane>,
}

impl LocalProducer {
    pub(crate) fn new(core: Arc<Core>, fence: Arc<OwnerFence>, epoch: FenceEpoch) -> Self {
        Self {
            core,
            fence,
            epoch,
            lane: Arc::default(),
        }
    }
}

impl Producer for LocalProducer {
    fn fence_epoch(&self) -> FenceEpoch {
        self.epoch
    }

    fn submit(&self, commit: Commit) -> Result<Ticket> {
        self.queue(commit, Core::room)
    }

    fn submit_reserved(&self, commit: Commit) -> Result<Ticket> {
        self.queue(commit, Core::reserved_room)
    }
}

impl LocalProducer {
    fn queue(&self, commit: Commit, room: fn(&Core) -> Result<()>) -> Result<Ticket> {
        if self.lane.has_failed() {
            return Err(Error::Aborted);
        }
        check_puts(&commit.puts)?;
        let rule = FenceRule::Check(Arc::clone(&self.fence), self.epoch);
        let lane = Some(Arc::clone(&self.lane));
        submit_within(&self.core, commit, rule, lane, None, room)
    }
}

/// Checks and queues a commit.
pub(crate) fn submit(
    core: &Core,
    commit: Commit,
    fence: FenceRule,
    lane: Option<Arc<Lane>>,
    in_flight: Option<InFlight>,
) -> Result<Ticket> {
    submit_within(core, commit, fence, lane, in_flight, Core::room)
}

/// Checks and queues a commit; `room` says whether its appends may still come.
pub(crate) fn submit_within(
    core: &Core,
    mut commit: Commit,
    fence: FenceRule,
    lane: Option<Arc<Lane>>,
    in_flight: Option<InFlight>,
    room: fn(&Core) -> Result<()>,
) -> Result<Ticket> {
    core.check_writable()?;
    if !commit.appends.is_empty() {
        room(core)?;
    }
    produce::by_topic(core, &mut commit.appends)?;
    let raise = match &fence {
        FenceRule::Raise(fence) => raise_bytes(&fence.owner),
        FenceRule::None | FenceRule::Check(..) => 0,
    };
    let bytes = journal_bytes(&commit.appends, &commit.puts) + raise;
    let limit = core.options.commit_bytes_max;
    if bytes > limit {
        return Err(Error::TooLarge {
            what: "the commit",
            size: bytes,
            limit,
        });
    }
    let n_entries = commit.appends.len() + commit.puts.len();
    if n_entries >= COMMIT_ENTRIES_MAX {
        let why = format!("{n_entries} entries, the limit is {COMMIT_ENTRIES_MAX}");
        return Err(Error::InvalidCommit { why });
    }
    let appends = resolve(core, commit.appends)?;
    let (promise, ticket) = Ticket::pair();
    let submission = Submission {
        fence,
        lane,
        appends,
        puts: commit.puts,
        bytes,
        promise,
        in_flight,
    };
    if core.queue.push(submission) {
        return Ok(ticket);
    }
    Err(core.check_alive().err().unwrap_or(Error::Closed))
}

/// Queues puts of the log itself and waits for them.
pub(crate) fn put_and_wait(core: &Core, puts: Vec<KvPut>, fence: FenceRule) -> Result<()> {
    let commit = Commit {
        appends: Vec::new(),
        puts,
    };
    submit(core, commit, fence, None, None)?.wait().map(|_| ())
}

fn resolve(core: &Core, appends: Vec<Append>) -> Result<Vec<PendingAppend>> {
    let catalog = core.catalog.read().unwrap_or_else(PoisonError::into_inner);
    let resolve = |Append {
                       topic,
                       partition,
                       batch,
                   }| {
        let unknown = Error::UnknownPartition { topic, partition };
        let entry = catalog.by_id(&topic).ok_or_else(|| unknown.clone())?;
        let partition = catalog
            .partition(&topic, partition)
            .map(Arc::clone)
            .ok_or(unknown)?;
        let header = check_batch(&batch, entry.batch_bytes_max)?;
        if entry.settings.compact {
            check_keys(&batch, &partition)?;
        }
        Ok(PendingAppend {
            partition,
            batch,
            offsets: i64::from(header.record_count),
            max_timestamp: header.max_timestamp,
            claim: Claim::of(&header),
            duplicate_of: None,
        })
    };
    appends.into_iter().map(resolve).collect()
}

fn check_batch(batch: &[u8], limit: usize) -> Result<BatchHeader> {
    let invalid = |why: String| Error::InvalidCommit { why };
    if batch.len() > limit {
        return Err(Error::TooLarge {
            what: "the record batch",
            size: batch.len(),
            limit,
        });
    }
    let parsed = Batch::parse(batch).map_err(|e| invalid(format!("not one record batch: {e}")))?;
    let header = parsed.header();
    if header.base_offset != 0 {
        return Err(invalid(format!(
            "a batch with base offset {}, offsets are assigned at commit",
            header.base_offset
        )));
    }
    if header.record_count < 1 || header.last_offset_delta != header.record_count - 1 {
        let (count, delta) = (header.record_count, header.last_offset_delta);
        return Err(invalid(format!(
            "a batch of {count} records whose last offset delta is {delta}"
        )));
    }
    if header.is_control() {
        return Err(invalid("a control batch".to_owned()));
    }
    if header.is_transactional() {
        return Err(invalid("a batch of a transaction".to_owned()));
    }
    if header.producer_id >= 0 && header.base_sequence < 0 {
        let id = header.producer_id;
        return Err(invalid(format!(
            "a batch of producer {id} without a sequence"
        )));
    }
    Ok(*header)
}

/// Keys of `Store::Meta` that only the log writes.
const OWN_PREFIXES: [&str; 6] = [
    topics::KEY_PREFIX,
    trim::START_PREFIX,
    trim::LOST_PREFIX,
    trim::GONE_PREFIX,
    declared::KEY_PREFIX,
    producers::ids::KEY,
];

/// Checks that every record has a key.
fn check_keys(batch: &[u8], partition: &Partition) -> Result<()> {
    let invalid = |e: linkspan_wire::Error| Error::InvalidCommit {
        why: format!("records that cannot be read: {e}"),
    };
    let mut scratch = Vec::new();
    let records = Batch::parse(batch)
        .and_then(|batch| batch.records(&mut scratch))
        .map_err(invalid)?;
    for (index, record) in records.enumerate() {
        if record.map_err(invalid)?.key.is_none() {
            return Err(Error::NullKey {
                topic: partition.topic.clone(),
                partition: partition.id.partition,
                index,
            });
        }
    }
    Ok(())
}

/// Refuses keys that only the log itself writes.
pub(crate) fn check_puts(puts: &[KvPut]) -> Result<()> {
    for put in puts {
        if put.key.len() > KEY_BYTES_MAX {
            return Err(Error::TooLarge {
                what: "the key",
                size: put.key.len(),
                limit: KEY_BYTES_MAX,
            });
        }
        let own = match put.store {
            Store::Fences => true,
            Store::Meta => OWN_PREFIXES
                .iter()
                .any(|prefix| put.key.starts_with(prefix.as_bytes())),
            Store::Configs
            | Store::SourceOffsets
            | Store::GroupOffsets
            | Store::Status
            | Store::Schemas
            | Store::Runs => false,
        };
        if own {
            let why = format!(
                "a put into the log's own part of store `{}`",
                put.store.name()
            );
            return Err(Error::InvalidCommit { why });
        }
    }
    Ok(())
}

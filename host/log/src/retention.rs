//! The thread that deletes: what retention allows, and the files of deleted topics.
//!
//! ```text
//!  log start                                   unread by a declared sink          high watermark
//!     │ segment │ segment │ segment │ segment │ segment │ segment │ batches in memory │
//!     ├── too old, or too many bytes ──────────────►│
//!     ├── goes ─────────────────────────────►│   whole segments, the oldest first, none that holds unread records
//! ```
//!
//! The rules are Kafka's: by time a segment goes when its newest record is older than `retention.ms`, and the first young
//! one ends it; by size while what remains without it is still at least `retention.bytes`. The last segment may go, too.
//! Ours is `keep.unread` (see `declared`). A segment without any timestamp never gets old.
//!
//! It sleeps until its check is due (`log.retention.check.interval.ms`) or somebody asks, and looks at memory only, so an
//! idle log pays one short walk over its partitions each five minutes. While the log is bound by `log.max.bytes` it looks
//! each second, because what a sink has read since then may go.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use linkspan_types::topic_settings::TopicSettings;

use crate::admin::start_puts;
use crate::backend::KvPut;
use crate::core::Core;
use crate::declared::Declared;
use crate::error::Result;
use crate::journal::queue::FenceRule;
use crate::partition::Partition;
use crate::retention_clock::RetentionClock;
use crate::segment::Segment;
use crate::submit::put_and_wait;
use crate::thread;
use crate::topics::Entry;

/// Time between two looks while the log may not grow.
const BOUND_INTERVAL: Duration = Duration::from_secs(1);
/// The most partitions whose start moves with one frame.
const PARTITIONS_PER_FRAME: usize = 256;

#[derive(Debug, Default)]
struct Requests {
    wanted: bool,
    closed: bool,
}

/// When to look.
#[derive(Debug, Default)]
pub(crate) struct Retention {
    requests: Mutex<Requests>,
    wake: Condvar,
    clock: RetentionClock,
    /// One round at a time.
    round: Mutex<()>,
}

impl Retention {
    /// Asks for a round soon.
    pub(crate) fn request(&self) {
        self.lock().wanted = true;
        self.wake.notify_all();
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    /// Waits until no round is under way, and keeps the next one from beginning.
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Believes the wall clock as it is now.
    pub(crate) fn start_clock(&self, core: &Core) {
        self.clock.now_ms(&*core.clock);
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, core: &Core) {
        loop {
            let interval = match core.room() {
                Ok(()) => core.options.retention_check_interval,
                Err(_) => core.options.retention_check_interval.min(BOUND_INTERVAL),
            };
            let mut requests = self.lock();
            if !requests.wanted && !requests.closed {
                requests = self
                    .wake
                    .wait_timeout(requests, interval)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
            if requests.closed {
                return;
            }
            requests.wanted = false;
            drop(requests);
            if core.check_alive().is_err() {
                return;
            }
            if let Err(error) = round(core) {
                // The next round tries again; the log itself says what is wrong with it.
                tracing::debug!(%error, "retention could not finish");
            }
        }
    }
}

/// Does everything that is due, on the caller's thread.
pub(crate) fn round(core: &Core) -> Result<()> {
    let _one_at_a_time = core.retention.hold();
    let now_ms = core.retention.clock.now_ms(&*core.clock);
    core.gone.clean(core)?;
    let catalog = core.catalog.read().unwrap_or_else(PoisonError::into_inner);
    let entries: Vec<Arc<Entry>> = catalog.all().map(Arc::clone).collect();
    drop(catalog);
    let declared = Declared::of(core);
    for entry in entries {
        for partition in &entry.partitions {
            partition.seal_old(now_ms);
        }
        if entry.settings.delete {
            topic(core, &entry, &declared, now_ms)?;
        }
    }
    Ok(())
}

/// What one partition may lose.
#[derive(Debug)]
struct Due {
    from: i64,
    to: i64,
    unread_from: Option<i64>,
}

fn topic(core: &Core, entry: &Entry, declared: &Declared, now_ms: i64) -> Result<()> {
    let settings = &entry.settings;
    if settings.retention_ms.is_none() && settings.retention_bytes.is_none() {
        return Ok(());
    }
    let due: Vec<(&Arc<Partition>, Due)> = entry
        .partitions
        .iter()
        .filter_map(|partition| {
            let unread_from = declared.unread_from(core, &partition.topic, partition.id);
            Some((
                partition,
                partition_due(partition, settings, unread_from, now_ms)?,
            ))
        })
        .collect();
    let (mut records, mut lost) = (0, 0);
    for due in due.chunks(PARTITIONS_PER_FRAME) {
        let mut puts: Vec<KvPut> = Vec::new();
        for (partition, due) in due {
            puts.extend(start_puts(
                core,
                partition,
                due.from,
                due.to,
                due.unread_from,
            ));
            records += due.to - due.from;
            lost += due
                .unread_from
                .map_or(0, |unread| due.to - unread.clamp(due.from, due.to));
        }
        put_and_wait(core, puts, FenceRule::None)?;
        for (partition, _) in due {
            partition.trim(core);
        }
    }
    if !due.is_empty() {
        core.checkpoints.request();
        tracing::info!(topic = %entry.topic.name, offsets = records, partitions = due.len(), "retention deleted old segments");
    }
    if lost > 0 {
        tracing::warn!(topic = %entry.topic.name, offsets = lost, "retention deleted records that a declared sink had not read, because `keep.unread` is false");
    }
    Ok(())
}

fn partition_due(
    partition: &Partition,
    settings: &TopicSettings,
    unread_from: Option<i64>,
    now_ms: i64,
) -> Option<Due> {
    let state = partition.lock();
    let keep = unread_from.filter(|_| settings.keep_unread);
    let waiting = state.unflushed_bytes as u64;
    let to = retained_from(&state.segments, waiting, settings, keep, now_ms)?;
    let from = state.log_start;
    (to > from).then_some(Due {
        from,
        to,
        unread_from,
    })
}

/// Returns where a partition begins when all that may go has gone; `None` when nothing may.
fn retained_from(
    segments: &[Segment],
    waiting_bytes: u64,
    settings: &TopicSettings,
    keep: Option<i64>,
    now_ms: i64,
) -> Option<i64> {
    let total = waiting_bytes + segments.iter().map(|segment| segment.len).sum::<u64>();
    let too_old = |segment: &Segment| {
        settings.retention_ms.is_some_and(|ms| {
            segment.max_timestamp >= 0 && now_ms.saturating_sub(segment.max_timestamp) > ms
        })
    };
    let mut excess = settings
        .retention_bytes
        .map_or(0, |bytes| total.saturating_sub(bytes));
    let bounded = settings.retention_bytes.is_some();
    // Time first: what it takes counts towards the size.
    let (mut from, mut by_time) = (None, true);
    for segment in segments {
        by_time = by_time && too_old(segment);
        let by_size = bounded && excess >= segment.len;
        if !(by_time || by_size) || keep.is_some_and(|keep| segment.next > keep) {
            break;
        }
        excess = excess.saturating_sub(segment.len);
        from = Some(segment.next);
    }
    from
}

/// Starts the thread.
pub(crate) fn spawn(core: &Arc<Core>) -> Result<std::thread::JoinHandle<()>> {
    thread::spawn(core, "log-retention", |core| core.retention.run(core))
}

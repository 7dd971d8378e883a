//! Reading many partitions in one request, as Kafka's Fetch does: with limits, and waiting until enough has come.
//!
//! The answer holds whole batches only, at least one if there is any, whatever the limits say (KIP-74). What is not
//! there yet is waited for: every partition wakes the request when something is committed, the log wakes it when it is
//! closed or stops; nothing is polled.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use linkspan_types::{Offset, PartitionId, TopicId};
use tokio::sync::Notify;

use crate::backend::Fetched;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::partition::Partition;
use crate::readers::Readers;

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// In the order in which they are served: let the order rotate, so that none starves behind a full answer.
    pub partitions: Vec<FetchPartition>,
    /// Answer when so many bytes are there; 0 answers at once.
    pub min_bytes: usize,
    /// The most bytes of all partitions together; one larger batch comes whole.
    pub max_bytes: usize,
    /// How long to wait for `min_bytes`.
    pub max_wait: Duration,
}

/// What to read of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    /// The topic.
    pub topic: TopicId,
    /// The partition inside it.
    pub partition: PartitionId,
    /// Where to begin.
    pub from: Offset,
    /// The most bytes of this partition.
    pub max_bytes: usize,
}

/// What was read of one partition.
#[derive(Clone, Debug)]
pub struct FetchedPartition {
    /// The topic.
    pub topic: TopicId,
    /// The partition inside it.
    pub partition: PartitionId,
    /// Its batches, or why it could not be read; other partitions are not affected.
    pub result: Result<Fetched>,
}

/// One partition while it is read.
struct Part {
    wanted: FetchPartition,
    partition: Option<Arc<Partition>>,
    next: i64,
    bytes: Vec<Bytes>,
    len: usize,
    full: bool,
    error: Option<Error>,
}

/// Ends the watch of all partitions when the request ends or is given up.
struct Watch<'a> {
    core: &'a Core,
    parts: Vec<&'a Arc<Partition>>,
    notify: Arc<Notify>,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        for partition in &self.parts {
            partition.watchers.unwatch(&self.notify);
        }
        self.core.fetches.unwatch(&self.notify);
    }
}

/// Reads; waits only on a running log.
pub(crate) async fn fetch_many(
    core: &Core,
    running: Option<(&Arc<Core>, &Arc<Readers>)>,
    request: FetchRequest,
) -> Result<Vec<FetchedPartition>> {
    core.check_alive()?;
    let mut parts: Vec<Part> = request
        .partitions
        .iter()
        .map(|wanted| Part::new(core, *wanted))
        .collect();
    let partitions: Vec<Arc<Partition>> = parts
        .iter()
        .filter_map(|part| part.partition.clone())
        .collect();
    let watch = Watch {
        core,
        parts: partitions.iter().collect(),
        notify: Arc::new(Notify::new()),
    };
    let may_wait = running.is_some() && !request.max_wait.is_zero() && request.min_bytes > 0;
    if may_wait {
        for partition in &watch.parts {
            partition.watchers.watch(&watch.notify);
        }
        core.fetches.watch(&watch.notify);
        // From here on the end of the log wakes it; before, it is seen here.
        core.check_alive()?;
    }
    let deadline = may_wait.then(|| tokio::time::Instant::now() + request.max_wait);
    loop {
        let mut total: usize = parts.iter().map(|part| part.len).sum();
        for part in &mut parts {
            part.read(core, running, &mut total, request.max_bytes)
                .await;
        }
        let failed = parts.iter().any(|part| part.error.is_some());
        let full = !parts.is_empty() && parts.iter().all(|part| part.full);
        let Some(deadline) = deadline else {
            break;
        };
        if failed || full || total >= request.min_bytes {
            break;
        }
        let woken = tokio::time::timeout_at(deadline, watch.notify.notified()).await;
        core.check_alive()?;
        if woken.is_err() {
            break;
        }
    }
    drop(watch);
    Ok(parts.into_iter().map(|part| part.finish(core)).collect())
}

impl Part {
    fn new(core: &Core, wanted: FetchPartition) -> Self {
        let found = core.partition(&wanted.topic, wanted.partition);
        let (partition, error) = match found {
            Ok(partition) => (Some(partition), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            next: wanted.from.0,
            wanted,
            partition,
            bytes: Vec::new(),
            len: 0,
            full: false,
            error,
        }
    }

    /// Takes what is there and fits.
    async fn read(
        &mut self,
        core: &Core,
        running: Option<(&Arc<Core>, &Arc<Readers>)>,
        total: &mut usize,
        max_bytes: usize,
    ) {
        while let Some(partition) = self.partition.clone()
            && self.error.is_none()
            && !self.full
        {
            let of_all = max_bytes.saturating_sub(*total);
            let room = self.wanted.max_bytes.saturating_sub(self.len).min(of_all);
            if room == 0 && *total > 0 {
                self.full = true;
                return;
            }
            let read = match partition.read(core, self.next, room, running.is_none()) {
                Ok(None) => match running {
                    Some((core, readers)) => {
                        let answer = readers.read(core, partition, self.next, room);
                        answer.await.unwrap_or(Err(Error::Closed))
                    }
                    None => Ok(None),
                },
                other => other,
            };
            match read {
                Ok(Some(read)) if !read.bytes.is_empty() => {
                    // A batch that is too large comes only when the answer is empty otherwise.
                    if read.bytes.len() > room && *total > 0 {
                        self.full = true;
                        return;
                    }
                    self.len += read.bytes.len();
                    *total += read.bytes.len();
                    self.next = read.next;
                    self.bytes.push(read.bytes);
                }
                Ok(_) => return,
                Err(error) => {
                    self.error = Some(error);
                    return;
                }
            }
        }
    }

    fn finish(self, core: &Core) -> FetchedPartition {
        let FetchPartition {
            topic, partition, ..
        } = self.wanted;
        let result = match (self.partition, self.error) {
            // What was read before the error counts; the next request meets it again.
            (Some(found), error) if error.is_none() || self.len > 0 => {
                core.counters.handed_out(self.len);
                Ok(Fetched {
                    bytes: join(self.bytes, self.len),
                    next: Offset(self.next),
                    watermarks: found.watermarks(core.leader_epoch()),
                })
            }
            (_, error) => Err(error.unwrap_or(Error::UnknownPartition { topic, partition })),
        };
        FetchedPartition {
            topic,
            partition,
            result,
        }
    }
}

fn join(mut parts: Vec<Bytes>, len: usize) -> Bytes {
    if parts.len() == 1 {
        return parts.pop().unwrap_or_default();
    }
    let mut joined = BytesMut::with_capacity(len);
    for part in parts {
        joined.extend_from_slice(&part);
    }
    joined.freeze()
}

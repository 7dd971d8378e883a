//! Looking for data in the partitions of a member, in turn.

use std::sync::Arc;

use linkspan_types::{LeaderEpoch, Offset, TopicPartition};

use super::{LocalConsumer, Pending, Step};
use crate::backend::{Event, FetchedBatch};
use crate::error::{Error, Result};
use crate::partition::Read;

impl LocalConsumer {
    /// Looks for data, each partition in turn.
    pub(super) fn poll(&mut self) -> Result<Step> {
        for _ in 0..self.turn.len() {
            let Some(tp) = self.turn.pop_front() else {
                break;
            };
            self.turn.push_back(tp.clone());
            let Some(assigned) = self.assigned.get(&tp).filter(|assigned| !assigned.paused) else {
                continue;
            };
            let from = assigned.next;
            let read =
                match assigned
                    .partition
                    .read(&self.core, from, self.options.max_bytes, false)
                {
                    Err(Error::OffsetOutOfRange {
                        wanted, log_start, ..
                    }) if wanted < log_start => {
                        if let Some(assigned) = self.assigned.get_mut(&tp) {
                            assigned.next = log_start.0;
                        }
                        return Ok(Step::Event(Event::OffsetLost {
                            partition: tp,
                            wanted,
                            log_start,
                        }));
                    }
                    other => other?,
                };
            match read {
                Some(read) => {
                    if let Some(event) = self.deliver(&tp, from, read) {
                        return Ok(Step::Event(event));
                    }
                }
                None => {
                    let partition = Arc::clone(&assigned.partition);
                    let answer =
                        self.readers
                            .read(&self.core, partition, from, self.options.max_bytes);
                    self.pending = Some(Pending {
                        partition: tp,
                        from,
                        answer,
                    });
                    return Ok(Step::WaitForDisk);
                }
            }
        }
        Ok(Step::WaitForChange)
    }

    /// Turns what was read into an event, unless the partition has moved on.
    pub(super) fn deliver(&mut self, tp: &TopicPartition, from: i64, read: Read) -> Option<Event> {
        let assigned = self.assigned.get_mut(tp)?;
        if read.bytes.is_empty() || assigned.next != from || assigned.paused {
            return None;
        }
        assigned.next = read.next;
        self.core.counters.handed_out(read.bytes.len());
        let marks = assigned.partition.watermarks(LeaderEpoch(0));
        Some(Event::Batch(FetchedBatch {
            partition: tp.clone(),
            topic_id: assigned.partition.id.topic,
            bytes: read.bytes,
            from: Offset(from),
            next: Offset(read.next),
            high_watermark: marks.high_watermark,
        }))
    }
}

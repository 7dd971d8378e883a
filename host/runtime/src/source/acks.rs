//! Waits for the tickets of one source task, in order, off its thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use linkspan_log::Ticket;
use linkspan_plugin::TaskControl;
use linkspan_types::TopicName;
use tokio::sync::mpsc;

use super::flight::Flight;
use crate::budget::Held;
use crate::error::TaskError;
use crate::report::FileReport;
use crate::schemas::Registered;
use crate::task::TaskShared;

/// One submitted batch.
#[derive(Debug)]
pub(crate) struct Submitted {
    pub(crate) ticket: Ticket,
    /// When it was submitted.
    pub(crate) since: Instant,
    pub(crate) seq: u64,
    pub(crate) records: u64,
    /// Of these, dropped by transforms.
    pub(crate) filtered: u64,
    /// Of these, set aside.
    pub(crate) aside: u64,
    /// Whether those became dead letters.
    pub(crate) letters: bool,
    /// Bytes counted against the flight.
    pub(crate) weight: usize,
    /// Bytes of the records.
    pub(crate) bytes: u64,
    pub(crate) schemas: Vec<Arc<Registered>>,
    /// Topics that it writes.
    pub(crate) topics: Vec<TopicName>,
    /// Files as they stand with this batch.
    pub(crate) files: Vec<FileReport>,
    /// Its part of the host's memory, until it has landed.
    pub(crate) _held: Held,
}

/// Runs until the sender is gone: counts, marks schemas as stored, tells the plugin, releases the flight.
pub(crate) async fn follow(
    mut submitted: mpsc::UnboundedReceiver<Submitted>,
    flight: Flight,
    control: TaskControl,
    task: Arc<TaskShared>,
) {
    while let Some(batch) = submitted.recv().await {
        match batch.ticket.await {
            Ok(_) => {
                for schema in &batch.schemas {
                    schema.mark_stored();
                }
                task.used.note(&batch.topics);
                task.measures.commit.observe(batch.since.elapsed());
                task.measures.last_commit.now();
                task.counters.add(batch.records, batch.bytes);
                task.counters
                    .filtered
                    .fetch_add(batch.filtered, Ordering::Relaxed);
                task.counters.set_aside(batch.letters, batch.aside);
                task.keep_files(batch.files);
                control.durable(batch.seq);
                flight.land(batch.weight);
                task.beat();
            }
            Err(error) => flight.fail(batch.weight, TaskError::from(error)),
        }
    }
}

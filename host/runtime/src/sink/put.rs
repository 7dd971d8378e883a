//! A batch into the plugin, and what becomes of it: written, refused, rejected in part.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use linkspan_convert::Stage;
use linkspan_plugin::Task;

use super::aside::{ASIDE_MAX, Failed};
use super::reply::Reply;
use super::task::Delivery;
use crate::connector::Backoff;
use crate::error::TaskError;
use crate::errors::{Attempts, Verdict};

/// What one `put` came to.
pub(super) enum Put {
    /// The plugin's answer, and the records and bytes it was given.
    Done(Reply, u64, u64),
    /// Data of the batch is at fault, and that is tolerated; the batch.
    Refused(TaskError, Vec<u8>),
    /// Told to stop while the plugin failed temporarily.
    Stopped,
}

impl Delivery<'_> {
    /// Hands over what is in the builder, if anything; returns false when told to stop while the plugin refused it.
    pub(super) fn put(&mut self) -> Result<bool, TaskError> {
        self.set_failed_aside()?;
        if self.builder.is_empty() {
            self.pass_pending();
            return Ok(true);
        }
        self.put_bytes()
    }

    /// Partitions whose fetched batches held nothing for the sink stand behind them all the same.
    pub(super) fn pass_pending(&mut self) {
        self.uncounted
            .set_aside(std::mem::take(&mut self.builder.left_out));
        let passed = std::mem::take(&mut self.pending);
        let topics = passed.iter().map(|(partition, _)| &partition.topic);
        self.ctx.task.used.note(topics);
        for (partition, next) in passed {
            if self.builder.tracks() {
                let kept = self.builder.take_kept(&partition);
                self.positions.advance_past(&partition, next, kept);
            } else {
                self.positions.advance(&partition, next);
            }
        }
        let filtered = std::mem::take(&mut self.builder.filtered);
        self.ctx
            .task
            .counters
            .filtered
            .fetch_add(filtered, Ordering::Relaxed);
    }

    /// One `put`, also without records: that is how a buffering sink reports progress while nothing arrives.
    pub(super) fn put_bytes(&mut self) -> Result<bool, TaskError> {
        self.set_failed_aside()?;
        let idle = self.builder.is_empty();
        let put = self.call_put()?;
        let delivered = match put {
            Put::Stopped => false,
            Put::Refused(error, batch) => self.bisect(&batch, &error)?,
            Put::Done(reply, records, bytes) => {
                self.pass_pending();
                self.take_rejected(&reply, records, bytes)?;
                self.uncounted.close(self.positions.marks());
                self.commit(&reply.progress, false)?;
                true
            }
        };
        if !delivered {
            // Nothing of this batch is committed, the next start begins with it.
            self.pending.clear();
            return Ok(false);
        }
        if self.builder.aside.len() > ASIDE_MAX {
            self.flush()?;
        }
        if idle || self.next_tick <= Instant::now() {
            self.next_tick = Instant::now() + self.ctx.spec.flush_interval;
        }
        Ok(true)
    }

    /// Hands the batch in the builder to the plugin.
    pub(super) fn call_put(&mut self) -> Result<Put, TaskError> {
        let weight = self.builder.weight();
        let (buffer, records, bytes) = self.builder.finish()?;
        let count = u32::try_from(records).unwrap_or(u32::MAX);
        self.midway.begin(self.positions.reach(&self.pending));
        let youngest = std::mem::take(&mut self.builder.youngest_ms);
        let measures = &self.ctx.task.measures;
        let begun = Instant::now();
        let answer = self.insist(|task| {
            let asked = Instant::now();
            let answer = task.put(&buffer, count, 0);
            measures.put.observe(asked.elapsed());
            answer
        });
        self.aim.put(weight, begun.elapsed());
        self.builder.aim(self.aim.bytes());
        self.take_midway()?;
        let refused = match answer {
            Ok(Some(answer)) => {
                self.builder.recycle(buffer);
                self.measure_put(records, youngest);
                return Ok(Put::Done(Reply::parse(&answer)?, records, bytes));
            }
            Ok(None) => return Ok(Put::Stopped),
            Err(error) => error,
        };
        if records > 0 && self.retrier.policy.tolerates(&refused) {
            return Ok(Put::Refused(refused, buffer));
        }
        Err(refused)
    }

    /// Takes over what the plugin committed while it worked.
    fn take_midway(&mut self) -> Result<(), TaskError> {
        let done = self.midway.end()?;
        if !done.is_empty() {
            let connector = &self.ctx.spec.name;
            self.covered
                .extend(self.builder.aside.cover(connector, &done));
            self.positions.committed(&done);
            self.midway_committed = true;
        }
        Ok(())
    }

    fn measure_put(&self, records: u64, youngest_ms: Option<i64>) {
        if records == 0 {
            return;
        }
        let measures = &self.ctx.task.measures;
        measures.written.fetch_add(records, Ordering::Relaxed);
        measures.last_record.now();
        if let Some(youngest) = youngest_ms {
            let age = self.ctx.runtime.clock.now_ms().saturating_sub(youngest);
            // A timestamp of tomorrow says nothing about how long the way was.
            if let Ok(age) = u64::try_from(age) {
                measures.end_to_end.observe(Duration::from_millis(age));
            }
        }
    }

    /// Counts what was put, and sets aside what the plugin rejected of it.
    pub(super) fn take_rejected(
        &mut self,
        reply: &Reply,
        records: u64,
        bytes: u64,
    ) -> Result<(), TaskError> {
        self.uncounted.put(records, bytes);
        if reply.rejected.is_empty() {
            return Ok(());
        }
        if !self.retrier.policy.tolerant {
            return reply.refuse_rejected(&self.ctx.spec.name);
        }
        let failed = self.positions.rejected(reply)?;
        let rejected = self.set_aside(failed)?;
        self.uncounted.reject(rejected);
        Ok(())
    }

    /// Sets records aside that could not be converted, before the plugin gets what lies behind them.
    fn set_failed_aside(&mut self) -> Result<(), TaskError> {
        let failed = std::mem::take(&mut self.builder.failed);
        if !failed.is_empty() {
            self.set_aside(failed)?;
        }
        Ok(())
    }

    /// Makes dead letters of records, durably, or skips them. Returns how many were not set aside before.
    pub(super) fn set_aside(&mut self, failed: Vec<Failed>) -> Result<u64, TaskError> {
        let count = self
            .letters
            .set_aside(self.ctx, failed, &mut self.builder.aside)?;
        self.uncounted.set_aside(count);
        Ok(count)
    }

    pub(super) fn flush(&mut self) -> Result<(), TaskError> {
        self.midway.begin(self.positions.reach(&[]));
        let answer = self.insist(Task::flush);
        self.take_midway()?;
        let Some(answer) = answer? else {
            return Ok(());
        };
        let reply = Reply::parse(&answer)?;
        self.take_rejected(&reply, 0, 0)?;
        self.commit(&reply.progress, true)
    }

    /// Calls the plugin again and again while it answers with a temporary error, without limit or as long as
    /// `errors.retry.timeout` says; `None` when told to stop meanwhile.
    fn insist(
        &self,
        call: impl Fn(&Task) -> Result<Vec<u8>, linkspan_plugin::PluginError>,
    ) -> Result<Option<Vec<u8>>, TaskError> {
        let mut backoff = Backoff::new(self.ctx.spec.restart_delay_max);
        let mut attempts = Attempts::default();
        loop {
            match call(self.task) {
                Ok(answer) => {
                    if backoff.reset() {
                        self.ctx.running();
                    }
                    self.retrier.done(&attempts);
                    return Ok(Some(answer));
                }
                Err(error) => {
                    let error = TaskError::from(error);
                    if !error.temporary {
                        return Err(error);
                    }
                    if self.retrier.policy.retry.is_none() {
                        if self.ctx.retry_after(&error, &mut backoff) {
                            return Ok(None);
                        }
                        continue;
                    }
                    match self.retrier.again(&mut attempts, error.at(Stage::TaskPut)) {
                        Verdict::Again => {}
                        Verdict::Stopped => return Ok(None),
                        Verdict::GiveUp(error) => return Err(error),
                    }
                }
            }
        }
    }
}

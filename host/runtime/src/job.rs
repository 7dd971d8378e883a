//! Bounded jobs: `run --once` ends when the sources are exhausted and every sink has passed the ends they left.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use linkspan_log::list_group;
use linkspan_types::{Offset, PartitionId, TopicPartition};

use crate::sink::group_of;
use crate::supervisor::{Run, Running};
use crate::task::TaskState;

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All was read and written.
    Done,
    /// A task failed for good.
    Failed,
    /// `--timeout` passed first.
    TimedOut,
    /// It was told to stop.
    Interrupted,
}

type Ends = BTreeMap<TopicPartition, Offset>;

impl Run {
    /// Drives a bounded job to its end and stops all tasks. `interrupted` is looked at often; `progress` is called with it.
    ///
    /// # Errors
    /// The log refuses to be read.
    pub fn drive_job(
        &mut self,
        timeout: Option<Duration>,
        interrupted: &AtomicBool,
        mut progress: impl FnMut(&Self),
    ) -> linkspan_log::Result<Outcome> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let outcome = match self.wait_for(deadline, interrupted, &mut progress, |run| {
            Ok(run.sources_over())
        })? {
            Outcome::Done => {
                let ends = self.capture_ends()?;
                self.announce(&ends);
                self.wait_for(deadline, interrupted, &mut progress, |run| {
                    run.sinks_passed(&ends)
                })?
            }
            other => other,
        };
        self.stop();
        if outcome == Outcome::Done {
            self.mark_completed();
        }
        progress(self);
        Ok(outcome)
    }

    fn wait_for(
        &self,
        deadline: Option<Instant>,
        interrupted: &AtomicBool,
        progress: &mut impl FnMut(&Self),
        done: impl Fn(&Self) -> linkspan_log::Result<bool>,
    ) -> linkspan_log::Result<Outcome> {
        loop {
            let seen = self.pulse.now();
            progress(self);
            if self.connectors.iter().any(Running::failed) {
                return Ok(Outcome::Failed);
            }
            if done(self)? {
                return Ok(Outcome::Done);
            }
            if interrupted.load(Ordering::Relaxed) {
                return Ok(Outcome::Interrupted);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(Outcome::TimedOut);
            }
            // The limit only bounds how late a signal or the deadline is noticed.
            self.pulse.wait(seen, Duration::from_millis(100));
        }
    }

    fn sources_over(&self) -> bool {
        self.connectors
            .iter()
            .filter(|connector| connector.is_source())
            .all(Running::is_over)
    }

    fn capture_ends(&self) -> linkspan_log::Result<Vec<Ends>> {
        let mut all = Vec::with_capacity(self.connectors.len());
        for connector in &self.connectors {
            let mut ends = Ends::new();
            for name in Self::topics_of(&connector.spec) {
                let Some(topic) = self.shared.log.topic(name)? else {
                    continue;
                };
                for partition in (0..topic.partitions).map(PartitionId) {
                    let marks = self.shared.log.offsets(&topic.id, partition)?;
                    if marks.high_watermark > marks.log_start {
                        ends.insert(
                            TopicPartition::new(name.clone(), partition),
                            marks.high_watermark,
                        );
                    }
                }
            }
            all.push(ends);
        }
        Ok(all)
    }

    fn announce(&self, ends: &[Ends]) {
        for (connector, ends) in self.connectors.iter().zip(ends) {
            if connector.is_source() {
                continue;
            }
            for task in &connector.tasks {
                // Announced once a job.
                drop(task.ends.set(ends.clone()));
                task.wake();
            }
        }
    }

    /// Records that each sink of the run has not passed, by its name; sinks that passed all are left out.
    ///
    /// # Errors
    /// The log refuses to be read.
    pub fn left_over(&self) -> linkspan_log::Result<Vec<(String, u64)>> {
        let mut left = Vec::new();
        for (connector, ends) in self.connectors.iter().zip(self.capture_ends()?) {
            if connector.is_source() {
                continue;
            }
            let committed = self.committed(connector)?;
            let records: i64 = ends
                .iter()
                .map(|(partition, end)| end.0 - committed.get(partition).map_or(0, |at| at.0))
                .filter(|left| *left > 0)
                .sum();
            if records > 0 {
                left.push((
                    connector.spec.name.clone(),
                    u64::try_from(records).unwrap_or(0),
                ));
            }
        }
        Ok(left)
    }

    fn committed(&self, connector: &Running) -> linkspan_log::Result<Ends> {
        Ok(
            list_group(self.shared.log.as_ref(), &group_of(&connector.spec.name))?
                .into_iter()
                .map(|(topic, partition, offset)| {
                    (TopicPartition::new(topic, partition), offset.next)
                })
                .collect(),
        )
    }

    fn sinks_passed(&self, ends: &[Ends]) -> linkspan_log::Result<bool> {
        for (connector, ends) in self.connectors.iter().zip(ends) {
            if connector.is_source() || ends.is_empty() {
                continue;
            }
            let committed = self.committed(connector)?;
            let passed = ends
                .iter()
                .all(|(partition, end)| committed.get(partition).is_some_and(|at| at >= end));
            if !passed {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn mark_completed(&self) {
        for task in self
            .connectors
            .iter()
            .flat_map(|connector| &connector.tasks)
        {
            if task.state() == TaskState::Stopped && task.error().is_none() {
                task.set_state(TaskState::Completed, None);
            }
        }
    }
}

//! Bounded jobs: `run --once` ends when the sources are exhausted and every sink has passed the ends they left.
//!
//! ```text
//! stage 0: sources exhausted ─► ends captured ─► every sink passed them ─► did dead letters move an end? ─► again
//! stage 1: starts now, the same way
//! ```
//!
//! A source that fails for good is over: the others go on, the sinks write what is in the log, and then the job fails. A sink that fails
//! ends the job at once.
//!
//! Only this job's own dead letters may move an end: what others write meanwhile belongs to their next run, so that a job
//! ends on a host whose other connectors never do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use linkspan_log::list_group;
use linkspan_types::{Offset, PartitionId, TopicName, TopicPartition};

use crate::error::StartError;
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

/// The end of each partition that a sink of a job must pass.
pub(crate) type Ends = BTreeMap<TopicPartition, Offset>;

/// The ends of one sink task: none until the sources are exhausted, later ones after each round.
#[derive(Debug, Default)]
pub(crate) struct JobEnds(RwLock<Option<Arc<Ends>>>);

impl JobEnds {
    pub(crate) fn get(&self) -> Option<Arc<Ends>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    fn set(&self, ends: Ends) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(ends));
    }
}

impl Run {
    /// Drives a bounded job to its end and stops all tasks. `interrupted` is looked at often; `progress` is called with it.
    ///
    /// # Errors
    /// The log refuses to be read, or a connector of a later stage cannot be started.
    pub fn drive_job(
        &mut self,
        timeout: Option<Duration>,
        interrupted: &AtomicBool,
        mut progress: impl FnMut(&Self),
    ) -> Result<Outcome, StartError> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let last = self.connectors.iter().map(|one| one.spec.stage).max();
        let mut outcome = Ok(Outcome::Done);
        for stage in 0..=last.unwrap_or(0) {
            outcome = self
                .start_stage(stage)
                .and_then(|()| Ok(self.drive_stage(deadline, interrupted, &mut progress)?));
            if !matches!(outcome, Ok(Outcome::Done)) || self.a_source_failed() {
                break;
            }
        }
        self.stop();
        if matches!(outcome, Ok(Outcome::Done)) {
            self.mark_completed();
            if self.a_source_failed() {
                outcome = Ok(Outcome::Failed);
            }
        }
        progress(self);
        outcome
    }

    fn start_stage(&mut self, stage: u32) -> Result<(), StartError> {
        let (shared, pulse) = (Arc::clone(&self.shared), self.pulse.clone());
        // Sinks first, as at the start.
        for sources in [false, true] {
            for running in &mut self.connectors {
                if running.is_source() == sources
                    && running.spec.stage == stage
                    && let Some(planned) = running.waiting.take()
                {
                    running.start(planned, &shared, &pulse, true)?;
                }
            }
        }
        Ok(())
    }

    /// Until the sources that have started are exhausted and the sinks have passed what they left.
    fn drive_stage(
        &self,
        deadline: Option<Instant>,
        interrupted: &AtomicBool,
        progress: &mut impl FnMut(&Self),
    ) -> linkspan_log::Result<Outcome> {
        let exhausted = |run: &Self| Ok(run.sources_over());
        match self.wait_for(deadline, interrupted, progress, exhausted)? {
            Outcome::Done => {}
            other => return Ok(other),
        }
        let mut ends = self.capture_ends()?;
        loop {
            self.announce(&ends);
            let passed = |run: &Self| run.sinks_passed(&ends);
            match self.wait_for(deadline, interrupted, progress, passed)? {
                Outcome::Done => {}
                other => return Ok(other),
            }
            if !self.letters_moved(&mut ends)? {
                return Ok(Outcome::Done);
            }
        }
    }

    /// Takes over the ends of topics that this job's dead letters go to; returns whether one of them moved.
    fn letters_moved(&self, ends: &mut [Ends]) -> linkspan_log::Result<bool> {
        let letters: BTreeSet<&TopicName> = self
            .connectors
            .iter()
            .filter_map(|connector| connector.letters.as_ref())
            .collect();
        if letters.is_empty() {
            return Ok(false);
        }
        let mut moved = false;
        for (ends, now) in ends.iter_mut().zip(self.capture_ends()?) {
            for (partition, end) in now {
                if letters.contains(&partition.topic)
                    && ends.get(&partition).is_none_or(|known| *known < end)
                {
                    ends.insert(partition, end);
                    moved = true;
                }
            }
        }
        Ok(moved)
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
            // What a source that failed has left is written all the same: the next run must not find half a night's work.
            if self
                .connectors
                .iter()
                .any(|one| !one.is_source() && one.failed())
            {
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

    fn a_source_failed(&self) -> bool {
        let mut sources = self.connectors.iter().filter(|one| one.is_source());
        sources.any(Running::failed)
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
            for name in connector.spec.topics_now(self.shared.log.as_ref())? {
                let Some(topic) = self.shared.log.topic(&name)? else {
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
                task.ends.set(ends.clone());
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
            if connector.is_source() || connector.waiting.is_some() || ends.is_empty() {
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

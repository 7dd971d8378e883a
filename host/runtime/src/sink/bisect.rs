//! A `put` that failed because of its data: which of its records it was.
//!
//! An `Err` of `put` means that nothing of the batch may be assumed applied, so its halves are put again, in order, until what
//! fails is a single record. One bad record among `n` costs about `2 log2 n` puts. The smaller batches are cut out of the refused
//! one: no record is fetched, decompressed, converted or transformed again.

use std::ops::Range;

use linkspan_plugin::batch::{SinkBatch, SinkRecord};

use super::aside::Failed;
use super::batch::place;
use super::task::{Delivery, Put};
use crate::error::TaskError;

/// The most puts for one batch. More means that the target refuses nearly everything, and somebody has to look.
const PUTS_MAX: usize = 16_384;

impl Delivery<'_> {
    /// Puts the records of `refused` again in smaller batches and sets aside those that fail alone. `error` is why all of them
    /// together failed. Returns false when told to stop meanwhile: what has not been committed is put again.
    pub(super) fn bisect(&mut self, refused: &[u8], error: &TaskError) -> Result<bool, TaskError> {
        let batch = SinkBatch::parse(refused).map_err(|error| {
            TaskError::internal(format!("the batch that was put is not readable: {error}"))
        })?;
        let records: Vec<SinkRecord<'_>> = batch.records().collect();
        tracing::debug!(
            task = self.ctx.task.name(),
            records = records.len(),
            "a batch was refused, looking for the bad record: {error}"
        );
        let mut stack = halves(0..records.len());
        if records.len() == 1 {
            // It failed alone already.
            stack.clear();
            self.set_one_aside(&records, error.clone())?;
        }
        let mut kept = Vec::new();
        let mut progress = Vec::new();
        let mut puts = 0;
        while let Some(window) = stack.pop() {
            let some = records.get(window.clone()).unwrap_or_default();
            self.builder.again(some)?;
            puts += 1;
            if puts > PUTS_MAX {
                return Err(TaskError::permanent(
                    "LS0422",
                    "data_invalid",
                    format!(
                        "the sink refused so many records of one batch that {PUTS_MAX} attempts did not separate them; the last \
                         reason: {error}"
                    ),
                ));
            }
            match self.call_put()? {
                Put::Stopped => return Ok(false),
                Put::Done(reply, records, bytes) => {
                    kept.append(&mut self.builder.kept);
                    self.take_rejected(&reply, records, bytes)?;
                    progress.extend(reply.progress);
                }
                Put::Refused(error, _) if window.len() == 1 => self.set_one_aside(some, error)?,
                Put::Refused(..) => stack.extend(halves(window)),
            }
        }
        self.builder.kept = latest(kept);
        self.pass_pending();
        self.commit(&progress, false)?;
        Ok(true)
    }

    fn set_one_aside(
        &mut self,
        records: &[SinkRecord<'_>],
        error: TaskError,
    ) -> Result<(), TaskError> {
        let at = records.first().map(place).transpose()?;
        self.set_aside(
            at.into_iter()
                .map(|at| Failed {
                    at,
                    error: error.clone(),
                })
                .collect(),
        )?;
        Ok(())
    }
}

/// The halves of a window, the later one first: they lie on a stack.
fn halves(window: Range<usize>) -> Vec<Range<usize>> {
    let middle = window.start + window.len() / 2;
    let mut halves = vec![middle..window.end, window.start..middle];
    halves.retain(|half| !half.is_empty());
    halves
}

/// Of each partition the last entry.
fn latest<K: PartialEq, V>(entries: Vec<(K, V)>) -> Vec<(K, V)> {
    let mut latest: Vec<(K, V)> = Vec::new();
    for (key, value) in entries {
        match latest.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => latest.push((key, value)),
        }
    }
    latest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_cover_a_window_in_order() {
        assert_eq!(halves(0..5), [2..5, 0..2]);
        assert_eq!(halves(3..5), [4..5, 3..4]);
    }

    /// Every set of bad records among eight is found, in order, within the bound that the module promises.
    #[test]
    fn exactly_the_bad_records_are_found() {
        for bad in 0_u32..256 {
            let is_bad = |at: usize| bad & (1 << at) != 0;
            let (mut found, mut good, mut puts) = (Vec::new(), Vec::new(), 0);
            let mut stack = halves(0..8);
            while let Some(window) = stack.pop() {
                puts += 1;
                if !window.clone().any(is_bad) {
                    good.extend(window);
                } else if window.len() == 1 {
                    found.push(window.start);
                } else {
                    stack.extend(halves(window));
                }
            }
            assert_eq!(found, (0..8).filter(|at| is_bad(*at)).collect::<Vec<_>>());
            assert_eq!(good, (0..8).filter(|at| !is_bad(*at)).collect::<Vec<_>>());
            assert!(puts <= 2 * 8);
        }
    }
}

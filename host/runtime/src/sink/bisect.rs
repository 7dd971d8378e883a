//! A `put` that failed because of its data: which of its records it was.
//!
//! An `Err` of `put` means that nothing of the batch may be assumed applied, so its halves are put again, in order, until what
//! fails is a single record. One bad record among `n` costs about `2 log2 n` puts. A plugin that names the records at fault spares
//! that: they are set aside, and the rest is put once more. The smaller batches are cut out of the refused one: no record is
//! fetched, decompressed, converted or transformed again.

use linkspan_plugin::batch::{SinkBatch, SinkRecord};

use super::aside::Failed;
use super::batch::place;
use super::put::Put;
use super::reply::{Rejected, Reply};
use super::task::Delivery;
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
        let units = units(&records);
        let all: Vec<usize> = (0..units.len()).collect();
        let mut stack = match self.without_blamed(&units, &all, error)? {
            Some(rest) => vec![rest],
            None if units.len() == 1 => {
                // It failed alone already.
                self.set_one_aside(&records, error.clone())?;
                Vec::new()
            }
            None => halves(&all),
        };
        let mut kept = Vec::new();
        let mut progress = Vec::new();
        let mut puts = 0;
        while let Some(window) = stack.pop() {
            if window.is_empty() {
                continue;
            }
            let some: Vec<SinkRecord<'_>> = window
                .iter()
                .filter_map(|&at| units.get(at))
                .flat_map(|unit| unit.iter().cloned())
                .collect();
            self.builder.again(&some)?;
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
                Put::Refused(error, _) => match self.without_blamed(&units, &window, &error)? {
                    Some(rest) => stack.push(rest),
                    None if window.len() == 1 => self.set_one_aside(&some, error)?,
                    None => stack.extend(halves(&window)),
                },
            }
        }
        self.builder.kept = latest(kept);
        self.pass_pending();
        self.commit(&progress, false)?;
        Ok(true)
    }

    /// Sets aside those records of a window that the plugin names as the ones at fault, and returns the others; `None` where it
    /// names none of them.
    fn without_blamed(
        &mut self,
        units: &[&[SinkRecord<'_>]],
        window: &[usize],
        error: &TaskError,
    ) -> Result<Option<Vec<usize>>, TaskError> {
        let mut blamed = Reply::blamed(error);
        let named = |one: &Rejected, record: &SinkRecord<'_>| {
            one.offset == record.offset
                && one.partition == record.partition
                && one.topic == record.original_topic
        };
        let (mut rest, mut found) = (Vec::new(), Vec::new());
        for &at in window {
            let record = units.get(at).and_then(|unit| unit.first());
            let one =
                record.and_then(|record| blamed.rejected.iter().position(|one| named(one, record)));
            match one {
                Some(one) => found.push(one),
                None => rest.push(at),
            }
        }
        if found.is_empty() {
            return Ok(None);
        }
        let mut at = 0;
        blamed.rejected.retain(|_| {
            at += 1;
            found.contains(&(at - 1))
        });
        let failed = self.positions.rejected(&blamed)?;
        self.set_aside(failed)?;
        Ok(Some(rest))
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

/// Records that follow each other and have one place in the log: transforms made them of one record, and they are put and set
/// aside together.
fn units<'r, 'a>(records: &'r [SinkRecord<'a>]) -> Vec<&'r [SinkRecord<'a>]> {
    let same = |a: &SinkRecord<'_>, b: &SinkRecord<'_>| {
        a.offset == b.offset && a.partition == b.partition && a.original_topic == b.original_topic
    };
    records.chunk_by(same).collect()
}

/// The halves of a window, the later one first: they lie on a stack.
fn halves(window: &[usize]) -> Vec<Vec<usize>> {
    let (first, second) = window.split_at(window.len() / 2);
    let mut halves = vec![second.to_vec(), first.to_vec()];
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
        assert_eq!(halves(&[0, 1, 2, 3, 4]), [vec![2, 3, 4], vec![0, 1]]);
        assert_eq!(halves(&[3, 4]), [[4], [3]]);
        assert_eq!(halves(&[3]), [[3]]);
    }

    /// Every set of bad records among eight is found, in order, within the bound that the module promises.
    #[test]
    fn exactly_the_bad_records_are_found() {
        for bad in 0_u32..256 {
            let is_bad = |at: usize| bad & (1 << at) != 0;
            let (mut found, mut good, mut puts) = (Vec::new(), Vec::new(), 0);
            let mut stack = halves(&[0, 1, 2, 3, 4, 5, 6, 7]);
            while let Some(window) = stack.pop() {
                puts += 1;
                if !window.iter().any(|&at| is_bad(at)) {
                    good.extend(window);
                } else if window.len() == 1 {
                    found.extend(window);
                } else {
                    stack.extend(halves(&window));
                }
            }
            assert_eq!(found, (0..8).filter(|at| is_bad(*at)).collect::<Vec<_>>());
            assert_eq!(good, (0..8).filter(|at| !is_bad(*at)).collect::<Vec<_>>());
            assert!(puts <= 2 * 8);
        }
    }
}

//! An upsert that finds nothing to update: COPY straight into the table, which is twice as fast as by way of a temporary one.
//!
//! ```text
//! SAVEPOINT ─ COPY t ─┬─ done: RELEASE, then the upsert of no rows     new rows only: the first load, the append
//!                     └─ a key is there: ROLLBACK TO                   temporary table and upsert as ever; soon not tried again
//! ```
//! The upsert of no rows asks the server whether the key has the unique index that ON CONFLICT needs, and keeps it until the end of
//! the transaction: without it COPY would take every key twice.

use std::collections::HashMap;
use std::ops::Range;

use super::super::rows::Rows;
use super::super::target::Target;
use super::Writer;
use super::stages::copy;
use super::statement::{column_list, stage_key};
use crate::connect::Connection;
use crate::dialect::Dialect;
use crate::errors::{Class, SqlError};

/// Bytes of rows from which on it is tried: in a trickle the server's log would fill with refused keys.
const TRIED_BYTES: usize = 128 << 10;
/// Batches that a table is spared after its first refusal; twice as many after each further one.
const SPARED_LEAST: u32 = 8;
const SPARED_MOST: u32 = 1024;

/// What is known of each table, by its quoted name.
#[derive(Debug, Default)]
pub(super) struct Trials(HashMap<String, Trial>);

#[derive(Debug, Default)]
struct Trial {
    /// Batches until the next try.
    spared: u32,
    /// So many were spared last time.
    last: u32,
}

impl Trials {
    /// Whether to try with this batch.
    fn are_due(&mut self, table: &str) -> bool {
        let Some(trial) = self.0.get_mut(table) else {
            return true;
        };
        let due = trial.spared == 0;
        trial.spared = trial.spared.saturating_sub(1);
        due
    }

    fn succeeded(&mut self, table: &str) {
        self.0.remove(table);
    }

    fn failed(&mut self, table: &str) {
        let trial = self.0.entry(table.to_owned()).or_default();
        trial.last = trial
            .last
            .saturating_mul(2)
            .clamp(SPARED_LEAST, SPARED_MOST);
        trial.spared = trial.last;
    }
}

impl Writer {
    /// Tries to add the rows of a range as new ones; false where one of them is there already, with the transaction as before.
    pub(super) async fn add_new(
        &mut self,
        connection: &mut Connection,
        target: &Target,
        columns: &[usize],
        rows: &Rows,
        range: Range<usize>,
    ) -> Result<bool, SqlError> {
        let stage = self.stages.get(&stage_key(target, columns));
        let Some(stage) = stage.filter(|stage| !stage.used && !self.distinct) else {
            return Ok(false);
        };
        if rows.byte_len() < TRIED_BYTES || !self.trials.are_due(&target.quoted) {
            return Ok(false);
        }
        let list = column_list(target, columns, Dialect::Postgres);
        let nothing = self.upsert_from(target, columns, &list, &stage.name);
        connection.run("SAVEPOINT linkspan_new").await?;
        let into = format!("{} ({list})", target.quoted);
        match copy(connection, &into, rows, range).await {
            Ok(()) => {
                connection.run("RELEASE SAVEPOINT linkspan_new").await?;
                connection.run(&nothing).await?;
                self.trials.succeeded(&target.quoted);
                Ok(true)
            }
            Err(error) if matches!(error.class, Class::Unique | Class::Unsupported) => {
                self.trials.failed(&target.quoted);
                connection
                    .run("ROLLBACK TO SAVEPOINT linkspan_new; RELEASE SAVEPOINT linkspan_new")
                    .await?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_table_is_spared_for_longer_and_longer() {
        let mut trials = Trials::default();
        let mut pauses = Vec::new();
        for _ in 0..10 {
            let mut pause = 0;
            while !trials.are_due("t") {
                pause += 1;
            }
            pauses.push(pause);
            trials.failed("t");
        }
        assert_eq!(pauses, [0, 8, 16, 32, 64, 128, 256, 512, 1024, 1024]);
        assert!(trials.are_due("another"));
        trials.succeeded("t");
        assert!(trials.are_due("t"));
    }
}

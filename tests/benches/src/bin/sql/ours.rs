//! Sinks and sources of the host on one database, with each number of tasks.

use anyhow::Result;

use crate::TASKS;
use crate::job::Host;
use crate::report::{Runs, line};

const UPSERT: &str = "insert.mode: upsert, pk.mode: record_value, pk.fields: [id]";

/// All runs on one database, by the number of tasks.
#[derive(Default)]
pub(crate) struct Ours {
    pub(crate) inserts: [Runs; TASKS.len()],
    pub(crate) upserts: [Runs; TASKS.len()],
    sources: [Runs; TASKS.len()],
}

impl Ours {
    /// One round of sinks: `fresh` empties the table, `full` counts it.
    pub(crate) fn write(
        &mut self,
        host: &Host,
        url: &str,
        fresh: &dyn Fn() -> Result<()>,
        full: &dyn Fn() -> Result<()>,
    ) -> Result<()> {
        for (mode, all) in [
            ("insert.mode: insert", &mut self.inserts),
            (UPSERT, &mut self.upserts),
        ] {
            for (tasks, runs) in TASKS.iter().zip(all) {
                fresh()?;
                runs.push(host.sink(url, *tasks, mode)?);
                full()?;
            }
        }
        Ok(())
    }

    /// One round of sources, from the full table.
    pub(crate) fn read(&mut self, host: &Host, url: &str, rows: u32) -> Result<()> {
        for (tasks, runs) in TASKS.iter().zip(&mut self.sources) {
            runs.push(host.source(url, *tasks, rows)?);
        }
        Ok(())
    }

    pub(crate) fn print_inserts(&self, rows: u32, beside: &[(&str, &Runs, f64)]) {
        print("sql-sink insert", &self.inserts, rows, beside);
    }

    pub(crate) fn print_upserts(&self, rows: u32, beside: &[(&str, &Runs, f64)]) {
        print("sql-sink upsert", &self.upserts, rows, beside);
    }

    pub(crate) fn print_sources(&self, rows: u32, beside: &[(&str, &Runs, f64)]) {
        print("sql-source", &self.sources, rows, beside);
    }
}

fn print(name: &str, all: &[Runs], rows: u32, beside: &[(&str, &Runs, f64)]) {
    for (tasks, runs) in TASKS.iter().zip(all) {
        line(&format!("{name}, {tasks} tasks"), runs, rows, beside);
    }
}

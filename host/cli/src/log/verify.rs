//! `linkspan log verify`: every checksum, offset and checkpoint of a stopped directory.

use std::sync::Arc;

use linkspan_log::{DiskFs, Problem, verify};
use linkspan_types::SystemClock;
use serde_json::Value;

use super::held;
use crate::args::{LogArgs, Output};
use crate::exit::{Exit, Failure};
use crate::shown::{names_in, structured, text};
use crate::terminal::{self, count};

pub(super) fn run(args: &LogArgs) -> Result<Exit, Failure> {
    crate::open::check_exists(&args.data)?;
    let clock = Arc::new(SystemClock::default());
    let busy = terminal::Busy::new("checking every record");
    let report = verify(Arc::new(DiskFs), clock, &args.data).map_err(|e| held(e, "verify"))?;
    drop(busy);
    let sound = report.problems.is_empty();
    match args.output {
        Output::Table => {
            report
                .problems
                .iter()
                .for_each(|problem| terminal::line(&line(problem)));
            terminal::line(&format!(
                "{}: {} segments, {} batches, {} records, {} bytes, {} journal frames",
                if sound { "sound" } else { "damaged" },
                count(report.segments),
                count(report.batches),
                count(report.records),
                count(report.bytes),
                count(report.frames),
            ));
            if !sound {
                terminal::note(&format!(
                    "see what a repair would cut: linkspan log repair --data {}",
                    args.data.display()
                ));
            }
        }
        Output::Json | Output::Yaml | Output::Name => {
            let value = serde_json::to_value(&report).unwrap_or_default();
            let places = |of: &Value| names_in(of, "problems", |problem| text(problem, "path"));
            structured(args.output, &value, places);
        }
    }
    Ok(if sound { Exit::Ok } else { Exit::Runtime })
}

/// `FILE at byte N: WHAT (topic t, partition 0, offset 42)`.
pub(super) fn line(problem: &Problem) -> String {
    let place = match (&problem.topic, problem.partition, problem.record_offset) {
        (Some(topic), Some(partition), Some(offset)) => {
            format!(" (topic {topic}, partition {partition}, offset {offset})")
        }
        _ => String::new(),
    };
    format!(
        "{} at byte {}: {}{place}",
        problem.path.display(),
        problem.offset,
        problem.what
    )
}

//! Checking every byte that the log vouches for: slots, snapshots, journal, segments.
//!
//! Opening has already refused what recovery refuses. This adds what recovery need not look at: checksums of all segments,
//! the second copy of every header, the older slot.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use serde::Serialize;

use crate::checkpoint::{self, SlotState};
use crate::core::Core;
use crate::error::Error;
use crate::fs::Open;
use crate::journal::file::{self, DATA_START};
use crate::journal::frame;
use crate::journal::search::search;
use crate::partition::Partition;
use crate::recovery;
use crate::segment::{index_file, walk_batches};

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Segment files read.
    pub segments: u64,
    /// Record batches checked.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of batches checked.
    pub bytes: u64,
    /// Journal frames read.
    pub frames: u64,
    /// Everything that is not as it should be; empty = the log is sound.
    pub problems: Vec<Problem>,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// Where in the file.
    pub offset: u64,
    /// What was found.
    pub what: String,
}

impl Report {
    fn add(&mut self, path: &Path, offset: u64, what: impl Into<String>) {
        self.problems.push(Problem {
            path: path.to_owned(),
            offset,
            what: what.into(),
        });
    }

    fn add_error(&mut self, path: &Path, error: &Error) {
        match error {
            Error::Corrupt { path, offset, what } | Error::Damaged { path, offset, what } => {
                self.add(path, *offset, what.clone())
            }
            other => self.add(path, 0, linkspan_types::error_chain(other)),
        }
    }
}

pub(crate) fn verify(core: &Core) -> Report {
    let mut report = Report::default();
    let dir = &core.options.dir;
    for path in [checkpoint::slot_path(dir, 0), checkpoint::slot_path(dir, 1)] {
        match checkpoint::read_slot(&*core.fs, &path) {
            Ok(SlotState::Broken) => report.add(&path, 0, "the checkpoint slot fails its checksum"),
            Ok(SlotState::Good(_) | SlotState::Missing) => {}
            Err(error) => report.add_error(&path, &error),
        }
    }
    journal(core, &mut report);
    let catalog = core.catalog.read().unwrap_or_else(PoisonError::into_inner);
    let partitions: Vec<Arc<Partition>> = catalog
        .all()
        .flat_map(|entry| entry.partitions.iter().map(Arc::clone))
        .collect();
    drop(catalog);
    for partition in partitions {
        segments(core, &partition, &mut report);
    }
    report
}

fn journal(core: &Core, report: &mut Report) {
    let dir = core.options.dir.join("journal");
    let files = match recovery::list_journal(&*core.fs, &dir) {
        Ok((files, _)) => files,
        Err(error) => return report.add_error(&dir, &error),
    };
    for found in &files {
        let bytes = match recovery::read_journal(core, found) {
            Ok(bytes) => bytes,
            Err(error) => {
                report.add_error(&found.path, &error);
                continue;
            }
        };
        for at in file::broken_copies(&bytes) {
            report.add(
                &found.path,
                at,
                "one copy of the journal file's header is broken, the other one is used",
            );
        }
        let seed = frame::seed(&found.header.generation);
        let mut at = usize::try_from(DATA_START).unwrap_or(0);
        while let Some((start, frame)) = search(&bytes, at, seed) {
            report.frames += 1;
            if let Err(what) = frame.entries() {
                report.add(&found.path, start as u64, what);
            }
            at = start + frame.len;
        }
    }
}

fn segments(core: &Core, partition: &Partition, report: &mut Report) {
    let places: Vec<_> = {
        let state = partition.lock();
        state
            .segments
            .iter()
            .map(|segment| (segment.whole(&state.epochs), segment.max_timestamp))
            .collect()
    };
    for (place, max_timestamp) in places {
        let (base, next) = (place.base, place.next);
        let path = partition.path_of(&place);
        let file = match core.fs.open(&path, Open::Read) {
            Ok(file) => file,
            Err(error) => {
                report.add(&path, 0, format!("could not open the segment: {error}"));
                continue;
            }
        };
        report.segments += 1;
        let mut scratch = Vec::new();
        let mut last = base;
        let (mut begins, mut youngest) = (Vec::new(), -1);
        let walked = walk_batches(&*file, &path, &place, |position, batch| {
            batch.verify_crc().map_err(|e| e.to_string())?;
            for record in batch.records(&mut scratch).map_err(|e| e.to_string())? {
                record.map_err(|e| e.to_string())?;
                report.records += 1;
            }
            report.batches += 1;
            report.bytes += batch.bytes().len() as u64;
            last = batch.header().next_offset();
            begins.push((batch.header().base_offset, position, youngest));
            youngest = youngest.max(batch.header().max_timestamp);
            Ok(())
        });
        match walked {
            Err(error) => report.add_error(&path, &error),
            // A compacted segment may have lost its last records.
            Ok(()) if last != next && place.generation == 0 => {
                report.add(
                    &path,
                    place.len,
                    format!("the segment ends at offset {last}, the checkpoint says {next}"),
                );
            }
            Ok(()) => {
                if let Some(what) =
                    index_file::check(core, partition, &place, max_timestamp, &begins)
                {
                    report.add(&partition.index_path(base), 0, what);
                }
            }
        }
    }
}

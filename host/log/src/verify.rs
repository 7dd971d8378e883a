//! Checking every byte that the log vouches for: format, slots, snapshots, journal, segments.
//!
//! `examine` does the work, also where opening refuses; this is what it answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use linkspan_types::Clock;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::examine::examine;
use crate::fs::{Fs, Open};
use crate::lock;

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
    /// Whose records are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Of which partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// The first offset that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_offset: Option<i64>,
}

impl Report {
    /// The report of a check that could not be done.
    pub(crate) fn of_error(dir: &Path, error: &Error) -> Self {
        let problem = Problem {
            path: dir.to_owned(),
            offset: 0,
            what: linkspan_types::error_chain(error),
            topic: None,
            partition: None,
            record_offset: None,
        };
        Self {
            problems: vec![problem],
            ..Self::default()
        }
    }
}

/// Checks a stopped data directory, also one that refuses to open. Writes nothing.
///
/// # Errors
/// [`Error::Locked`], [`Error::NotADataDirectory`], [`Error::NewerFormat`], [`Error::LaterVersion`], or the system's.
pub fn verify(fs: Arc<dyn Fs>, clock: Arc<dyn Clock>, dir: &Path) -> Result<Report> {
    let exists = fs
        .try_exists(dir)
        .map_err(|e| Error::io("look for", dir, e))?;
    if !exists {
        return Err(Error::NotADataDirectory {
            dir: dir.to_owned(),
            why: "it does not exist".into(),
        });
    }
    let _lock = lock::shared(&*fs, dir)?;
    Ok(examine(fs, clock, dir, Open::Read)?.report)
}

//! What stands in files, for people: batches of a segment file, frames of the journal.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use linkspan_types::Clock;
use linkspan_wire::{Batch, Batches};

use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::{Fs, Open, read_range};
use crate::journal::file::DATA_START;
use crate::journal::frame::{self, Entry};
use crate::journal::search::search;
use crate::lock;
use crate::options::LocalOptions;
use crate::recovery::{self, Mode};

/// How much is read at a time.
const READ_BYTES: usize = 1 << 20;

/// A frame of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalFrame {
    /// The file.
    pub path: PathBuf,
    /// Where in the file.
    pub position: u64,
    /// Its number.
    pub lsn: u64,
    /// The highest number known to be on the disk when it was written.
    pub durable_lsn: u64,
    /// Its size.
    pub bytes: usize,
    /// Its appends: topic id, partition, base offset, bytes of the batch.
    pub appends: Vec<(String, i32, i64, usize)>,
    /// Its puts: store, key, value.
    pub puts: Vec<DumpedPut>,
}

/// A put as a dump shows it: store, key, value; `None` deletes.
pub type DumpedPut = (&'static str, Vec<u8>, Option<Vec<u8>>);

/// Visits every batch of a `.log` file with its position, until one is damaged or `visit` answers false.
///
/// # Errors
/// [`Error::Corrupt`] at the first batch that cannot be read, or the system's.
pub fn dump_segment(
    fs: &dyn Fs,
    path: &Path,
    mut visit: impl FnMut(u64, &Batch<'_>) -> bool,
) -> Result<()> {
    let failed = |e| Error::io("read segment", path, e);
    let corrupt = |offset: u64, what: String| Error::Corrupt {
        path: path.to_owned(),
        offset,
        what,
    };
    let file = fs.open(path, Open::Read).map_err(failed)?;
    let len = file.len().map_err(failed)?;
    let (mut position, mut want) = (0, READ_BYTES);
    while position < len {
        let bytes = read_range(&*file, position, want).map_err(failed)?;
        let mut batches = Batches::new(&bytes);
        let mut at = 0;
        for batch in batches.by_ref() {
            let here = position + at as u64;
            let batch = batch.map_err(|e| corrupt(here, e.to_string()))?;
            at += batch.header().size();
            if !visit(here, &batch) {
                return Ok(());
            }
        }
        if at == 0 {
            let needed = batches.needed().unwrap_or(want + 1);
            if needed as u64 > len - position || needed <= want {
                let what = format!("a batch of {needed} bytes passes the end of the file");
                return Err(corrupt(position, what));
            }
            want = needed;
        }
        position += at as u64;
    }
    Ok(())
}

/// Visits every readable frame of the journal of a stopped directory, in order of use of its files, until `visit`
/// answers false.
///
/// # Errors
/// [`Error::Locked`], [`Error::NotADataDirectory`], damage to the journal's headers, or the system's.
pub fn dump_journal(
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
    dir: &Path,
    mut visit: impl FnMut(&JournalFrame) -> bool,
) -> Result<()> {
    let _lock = lock::shared(&*fs, dir)?;
    recovery::check_format(&*fs, dir, Mode::ReadOnly)?;
    let core = Core::new(fs, clock, LocalOptions::new(dir), Open::Read);
    let (files, _) = recovery::list_journal(&*core.fs, &dir.join("journal"))?;
    for found in &files {
        let bytes = recovery::read_journal(&core, found)?;
        let seed = frame::seed(&found.header.generation);
        let mut at = usize::try_from(DATA_START).unwrap_or(0);
        while let Some((start, read)) = search(&bytes, at, seed) {
            at = start + read.len;
            let mut shown = JournalFrame {
                path: found.path.clone(),
                position: start as u64,
                lsn: read.lsn,
                durable_lsn: read.durable_lsn,
                bytes: read.len,
                appends: Vec::new(),
                puts: Vec::new(),
            };
            let entries = read.entries().map_err(|what| Error::LaterVersion {
                path: found.path.clone(),
                offset: start as u64,
                what,
            })?;
            for entry in entries {
                match entry {
                    Entry::Append {
                        topic,
                        partition,
                        base_offset,
                        batch,
                    } => {
                        shown
                            .appends
                            .push((topic.to_string(), partition, base_offset, batch.len()))
                    }
                    Entry::Put { store, key, value } => {
                        shown
                            .puts
                            .push((store.name(), key.to_vec(), value.map(<[u8]>::to_vec)))
                    }
                }
            }
            if !visit(&shown) {
                return Ok(());
            }
        }
    }
    Ok(())
}

//! One partition's files that are being written, published together.
//!
//! All files of a partition are published at the same record, so that one offset says which records are outside. After a crash the
//! records from the committed offset on come again; the first record of each file is the same then, and with it the file's name,
//! so that what was published already is written over, whether the next files hold as many records, more or fewer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use linkspan_sdk::prelude::*;

use crate::encode::{Encoder, Refused};
use crate::error;
use crate::pack::Packer;
use crate::storage::{Draft, Storage};

/// Encoded bytes are packed and written when there are this many.
const BUFFER_BYTES: usize = 256 << 10;

/// One file that is being written.
#[derive(Debug)]
pub(super) struct OpenFile {
    path: PathBuf,
    draft: Box<dyn Draft>,
    encoder: Encoder,
    packer: Packer,
    buf: Vec<u8>,
    pub(super) records: u64,
    /// Bytes written, packed.
    pub(super) bytes: u64,
}

/// A file that was published.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) records: u64,
}

/// The files of one partition.
#[derive(Debug)]
pub(super) struct Lane {
    /// The offset after the last record that came.
    pub(super) next: i64,
    /// Files by their name without the offset.
    pub(super) files: BTreeMap<String, OpenFile>,
    /// When the first record came since the last time files were published.
    pub(super) since: Option<Instant>,
    /// Nothing was ever written for this partition: a file of the same name is somebody else's.
    pub(super) is_new: bool,
    /// Records came that made no file: they were rejected.
    pub(super) moved: bool,
    /// Behind the last record that is in a published file and committed.
    pub(super) done: i64,
    /// Files were published whose commit may not be durable yet.
    pub(super) uncommitted: bool,
    /// A record of this `put` was rejected.
    pub(super) rejected: bool,
    /// Files were published behind a rejected record: the next wait for the next `put`, and files grow meanwhile.
    pub(super) waits: bool,
}

impl Lane {
    pub(super) fn new(next: i64, is_new: bool) -> Self {
        Self {
            next,
            files: BTreeMap::new(),
            since: None,
            is_new,
            moved: false,
            done: next,
            uncommitted: false,
            rejected: false,
            waits: false,
        }
    }

    /// Publishes all files, one after the other.
    pub(super) fn publish(&mut self) -> Result<Vec<Published>> {
        self.since = None;
        self.moved = false;
        let mut published = Vec::new();
        while let Some((_, file)) = self.files.pop_first() {
            published.push(file.publish()?);
        }
        self.is_new = false;
        Ok(published)
    }

    /// Gives up the file whose only record was rejected.
    pub(super) fn discard_empty(&mut self) -> Result<()> {
        let empty = |(_, file): &(&String, &OpenFile)| file.records == 0;
        let Some(name) = self.files.iter().find(empty).map(|(name, _)| name.clone()) else {
            return Ok(());
        };
        let Some(mut file) = self.files.remove(&name) else {
            return Ok(());
        };
        let discarded = file.draft.discard();
        discarded.map_err(|error| error::write_draft(error, &file.path))
    }

    /// Gives up what was not published.
    pub(super) fn discard(&mut self) {
        while let Some((_, mut file)) = self.files.pop_first() {
            // What is left has a name of its own and is written over by the next try.
            if let Err(error) = file.draft.discard() {
                linkspan_sdk::tracing::debug!(%error, "an unfinished file stays behind");
            }
        }
    }
}

impl OpenFile {
    pub(super) fn create(
        storage: &dyn Storage,
        path: &Path,
        suffix: &str,
        encoder: Encoder,
        packer: Packer,
    ) -> Result<Self> {
        let draft = storage
            .create(path, suffix)
            .map_err(|error| error::open_output(error, path))?;
        Ok(Self {
            path: path.to_owned(),
            draft,
            encoder,
            packer,
            buf: Vec::new(),
            records: 0,
            bytes: 0,
        })
    }

    /// Appends a record; a refused one leaves nothing behind.
    pub(super) fn push(&mut self, value: &Datum<'_>) -> Result<(), Refused> {
        let start = self.buf.len();
        self.encoder
            .encode(value, &mut self.buf)
            .inspect_err(|_| self.buf.truncate(start))?;
        self.records += 1;
        if self.buf.len() >= BUFFER_BYTES {
            self.write().map_err(Refused::File)?;
        }
        Ok(())
    }

    /// Returns how large the file is, about.
    pub(super) fn size(&self) -> u64 {
        self.bytes + self.buf.len() as u64
    }

    fn write(&mut self) -> Result<()> {
        let failed = |error| error::write_draft(error, &self.path);
        let packed = self.packer.push(&self.buf).map_err(failed)?;
        self.draft.write_all(packed).map_err(failed)?;
        self.bytes += packed.len() as u64;
        packed.clear();
        self.buf.clear();
        Ok(())
    }

    fn publish(mut self) -> Result<Published> {
        self.encoder.end(&mut self.buf);
        self.write()?;
        let failed = |error| error::write_draft(error, &self.path);
        let rest = self.packer.finish().map_err(failed)?;
        self.draft.write_all(&rest).map_err(failed)?;
        self.draft.publish().map_err(failed)?;
        Ok(Published {
            bytes: self.bytes + rest.len() as u64,
            path: self.path,
            records: self.records,
        })
    }
}

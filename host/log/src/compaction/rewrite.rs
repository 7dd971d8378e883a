//! One pass over a partition: which record of a key is the last one, and segments without the others.
//!
//! What stays is what Kafka's log cleaner keeps: of each key the record with the greatest offset; a tombstone until its
//! delete horizon; the last batch of every producer, if need be without records, so that its sequence survives; whatever
//! lies behind the part whose keys are known. Records without a key go, as in Kafka: a compacted topic refuses them, they
//! stem from a time when the topic was not compacted, and they are counted.

use std::collections::HashMap;
use std::io::IoSlice;
use std::sync::Arc;

use linkspan_wire::{
    Batch, BatchHeader, MAX_DECOMPRESSED_DEFAULT, Record, Retained, retain_records, without_records,
};

use super::keys::KeyOffsets;
use super::swap::Swap;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::{File, Open};
use crate::partition::Partition;
use crate::segment::{Place, Segment, Stop, cleaned_name, walk_batches};

/// Output is written in pieces of about this size.
const WRITE_BYTES: usize = 1 << 20;

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) segments_read: u64,
    pub(crate) segments_written: u64,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
    pub(crate) records_read: u64,
    pub(crate) records_kept: u64,
    /// Records without a key that were dropped.
    pub(crate) without_key: u64,
}

/// Reads the keys of `sources` from `first_dirty` up to `end`; returns them and where the map was full, else `end`.
pub(super) fn read_keys(
    core: &Core,
    partition: &Partition,
    sources: &[Place],
    first_dirty: i64,
    end: i64,
) -> Result<(KeyOffsets, i64)> {
    let mut keys = KeyOffsets::new(core.options.compaction_keys_max);
    let mut full_at = None;
    let mut scratch = Vec::new();
    for place in sources.iter().filter(|place| place.next > first_dirty) {
        if full_at.is_some() {
            break;
        }
        let (file, path) = open(core, partition, place)?;
        walk_batches(&*file, &path, place, |_, batch| {
            core.check_not_closing().map_err(Stop::Failed)?;
            let header = batch.header();
            if full_at.is_some() || header.next_offset() <= first_dirty || header.is_control() {
                return Ok(());
            }
            batch.verify_crc().map_err(|e| e.to_string())?;
            for record in batch.records(&mut scratch).map_err(|e| e.to_string())? {
                let record = record.map_err(|e| e.to_string())?;
                if record.offset < first_dirty || full_at.is_some() {
                    continue;
                }
                if record.key.is_some_and(|key| !keys.put(key, record.offset)) {
                    full_at = Some(record.offset);
                }
            }
            Ok(())
        })?;
    }
    Ok((keys, full_at.unwrap_or(end)))
}

/// Opens a source; one that is gone (deleted meanwhile) ends the pass.
fn open(
    core: &Core,
    partition: &Partition,
    place: &Place,
) -> Result<(Arc<dyn File>, std::path::PathBuf)> {
    let gone = || Error::UnknownPartition {
        topic: partition.id.topic,
        partition: partition.id.partition,
    };
    let file = partition.file(core, place)?.ok_or_else(gone)?;
    Ok((file, partition.path_of(place)))
}

/// Writes groups of segments anew.
pub(super) struct Rewriter<'a> {
    pub(super) core: &'a Core,
    pub(super) partition: &'a Partition,
    pub(super) keys: &'a KeyOffsets,
    /// Records from here on stay: their keys were not read.
    pub(super) keys_end: i64,
    pub(super) now_ms: i64,
    pub(super) delete_retention_ms: i64,
    /// The last offset of every producer whose state is kept.
    pub(super) producers: HashMap<i64, i64>,
    pub(super) counts: Counts,
}

impl Rewriter<'_> {
    /// Writes what stays of `sources` into one new file, durable but for its name.
    ///
    /// `None` when nothing changes: a single segment in which everything stays.
    pub(super) fn rewrite(&mut self, sources: &[Place], generation: u32) -> Result<Option<Swap>> {
        let Some(first) = sources.first() else {
            return Ok(None);
        };
        let mut output = Output::new(self.core, self.partition, first.base, generation);
        let result = self.fill(sources, &mut output);
        let unchanged = !output.changed && sources.len() == 1;
        if result.is_err() || unchanged || output.segment.len == 0 {
            output.remove();
        }
        result?;
        self.counts.segments_read += sources.len() as u64;
        self.counts.bytes_read += sources.iter().map(|place| place.len).sum::<u64>();
        if unchanged {
            self.counts.segments_written += 1;
            self.counts.bytes_written += first.len;
            return Ok(None);
        }
        let mut new = None;
        if output.segment.len > 0 {
            let mut segment = output.finish()?;
            // The segment still stands for all offsets of its sources.
            segment.next = sources.last().map_or(segment.next, |last| last.next);
            self.counts.segments_written += 1;
            self.counts.bytes_written += segment.len;
            new = Some(segment);
        }
        let sources = sources
            .iter()
            .map(|place| (place.base, place.generation))
            .collect();
        Ok(Some(Swap { sources, new }))
    }

    fn fill(&mut self, sources: &[Place], output: &mut Output<'_>) -> Result<()> {
        let mut scratch = Vec::new();
        for place in sources {
            let (file, path) = open(self.core, self.partition, place)?;
            walk_batches(&*file, &path, place, |_, batch| {
                self.core.check_not_closing().map_err(Stop::Failed)?;
                // What is sealed anew must not hide damage.
                batch.verify_crc().map_err(|e| e.to_string())?;
                self.batch(batch, &mut scratch, output)
            })?;
        }
        Ok(())
    }

    fn batch(
        &mut self,
        batch: &Batch<'_>,
        scratch: &mut Vec<u8>,
        output: &mut Output<'_>,
    ) -> Result<(), Stop> {
        let header = *batch.header();
        if header.is_control() {
            // Markers are the Kafka listener's matter.
            return output.put(&header, batch.bytes()).map_err(Stop::Failed);
        }
        let horizon = self.now_ms.saturating_add(self.delete_retention_ms);
        let tombstones_stay = header
            .delete_horizon_ms()
            .is_none_or(|horizon| self.now_ms < horizon);
        let (mut read, mut kept, mut without_key) = (0, 0, 0);
        let (keys, keys_end) = (self.keys, self.keys_end);
        let keep = |record: &Record<'_>| {
            read += 1;
            without_key += u64::from(record.key.is_none() && record.offset < keys_end);
            let stays = record.offset >= keys_end
                || record.key.is_some_and(|key| {
                    keys.get(key).is_none_or(|last| record.offset >= last)
                        && (record.value.is_some() || tombstones_stay)
                });
            kept += u64::from(stays);
            stays
        };
        let retained = retain_records(batch, scratch, MAX_DECOMPRESSED_DEFAULT, horizon, keep)
            .map_err(|e| e.to_string())?;
        self.counts.records_read += read;
        self.counts.records_kept += kept;
        self.counts.without_key += without_key;
        match retained {
            Retained::Whole => return output.put(&header, batch.bytes()).map_err(Stop::Failed),
            Retained::Rewritten(bytes) => output.put(&header, &bytes).map_err(Stop::Failed)?,
            Retained::Nothing if self.is_last_of_producer(&header) => {
                if header.record_count == 0 {
                    return output.put(&header, batch.bytes()).map_err(Stop::Failed);
                }
                let bytes = without_records(&header).map_err(|e| e.to_string())?;
                output.put(&header, &bytes).map_err(Stop::Failed)?;
            }
            Retained::Nothing => {}
        }
        output.changed = true;
        Ok(())
    }

    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        header.producer_id >= 0
            && self.producers.get(&header.producer_id) == Some(&header.last_offset())
    }
}

/// A new segment file on its way.
struct Output<'a> {
    core: &'a Core,
    path: std::path::PathBuf,
    file: Option<Arc<dyn File>>,
    segment: Segment,
    written: u64,
    buffer: Vec<u8>,
    changed: bool,
}

impl<'a> Output<'a> {
    fn new(core: &'a Core, partition: &Partition, base: i64, generation: u32) -> Self {
        let mut segment = Segment::new(base);
        segment.generation = generation;
        Self {
            core,
            path: partition.dir.join(cleaned_name(base, generation)),
            file: None,
            segment,
            written: 0,
            buffer: Vec::new(),
            changed: false,
        }
    }

    fn put(&mut self, header: &BatchHeader, bytes: &[u8]) -> Result<()> {
        // The header is that of the source: only its offsets are the same for sure.
        let max_timestamp = BatchHeader::read(bytes).map_or(-1, |new| new.max_timestamp);
        self.segment.add(
            header.base_offset,
            header.next_offset(),
            bytes.len(),
            max_timestamp,
        );
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        let failed = |op, error| Error::io(op, &self.path, error);
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => {
                let file = self
                    .core
                    .fs
                    .open(&self.path, Open::Create)
                    .map_err(|e| failed("make segment", e))?;
                file.truncate(0).map_err(|e| failed("cut segment", e))?;
                self.file = Some(Arc::clone(&file));
                file
            }
        };
        file.write_at(&[IoSlice::new(&self.buffer)], self.written)
            .map_err(|e| failed("write segment", e))?;
        file.start_writeback(self.written, self.buffer.len() as u64);
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the rest and makes the bytes durable.
    fn finish(mut self) -> Result<Segment> {
        let result = self.write().and_then(|()| match &self.file {
            Some(file) => file
                .sync_data()
                .map_err(|e| Error::io("sync segment", &self.path, e)),
            None => Ok(()),
        });
        match result {
            Ok(()) => Ok(self.segment),
            Err(error) => {
                self.remove();
                Err(error)
            }
        }
    }

    fn remove(&self) {
        if self.file.is_some()
            && let Err(error) = self.core.fs.remove(&self.path)
        {
            // Only space is lost, until the next start sweeps it.
            tracing::debug!(%error, path = %self.path.display(), "could not remove an unfinished segment");
        }
    }
}

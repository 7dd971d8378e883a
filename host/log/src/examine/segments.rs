//! Every segment, batch by batch.

use std::path::Path;
use std::sync::PoisonError;

use linkspan_types::TopicName;

use super::{Examination, Rebuild, list};
use crate::backend::Topic;
use crate::compaction::state::Written;
use crate::error::{Error, Result};
use crate::fs::Open;
use crate::partition::PartitionKey;
use crate::repair::Cut;
use crate::segment::{self, Piece, Place, Scan, Segment, index_file, scan};
use crate::snapshot::{Manifest, SegmentRecord};
use crate::topics;
use crate::verify::Problem;

impl Examination {
    pub(super) fn segments(&mut self) -> Result<()> {
        if !self.trusted {
            self.adopt_directories()?;
        }
        let keys: Vec<PartitionKey> = {
            let catalog = self
                .core
                .catalog
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            catalog
                .all()
                .flat_map(|entry| entry.partitions.iter().map(|partition| partition.id))
                .collect()
        };
        for key in keys {
            self.partition(key)?;
        }
        Ok(())
    }

    /// Topics whose description is lost get one, so that their records can be read.
    fn adopt_directories(&mut self) -> Result<()> {
        let described = self.topic_puts()?;
        self.core.apply_puts(described.iter());
        let topics_dir = self.dir().join("topics");
        let mut lost = std::collections::BTreeMap::new();
        for name in list(&*self.core.fs, &topics_dir)? {
            let Some(key) = PartitionKey::parse(&name) else {
                continue;
            };
            let catalog = self
                .core
                .catalog
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            if catalog.by_id(&key.topic).is_none() {
                let partitions = lost.entry(key.topic).or_insert(0);
                *partitions = key.partition.0.saturating_add(1).max(*partitions);
            }
        }
        for (id, partitions) in lost {
            let Ok(name) = TopicName::try_new(format!("recovered-{id}")) else {
                continue;
            };
            let topic = Topic {
                name,
                id,
                partitions,
                settings: std::collections::BTreeMap::new(),
            };
            self.core.apply_puts([topics::put(&topic)].iter());
        }
        Ok(())
    }

    fn partition(&mut self, key: PartitionKey) -> Result<()> {
        let Ok(partition) = self.core.partition(&key.topic, key.partition) else {
            return Ok(());
        };
        let recorded = self.manifest(&key).unwrap_or_default();
        let mut manifest = recorded.clone();
        if !self.trusted {
            self.extend(&key, &mut manifest)?;
        }
        let (mut records, mut changed) = (Vec::new(), !self.trusted);
        let candidates = std::mem::take(&mut manifest.segments);
        for record in &candidates {
            let written = recorded.cleaning.segments.iter();
            let written = written.copied().find(|written| written.base == record.base);
            let mut segment = Segment::recorded(*record);
            segment.generation = written.map_or(0, |written| written.generation);
            segment.unswapped = written.is_some_and(|written| written.swap)
                && self.is_unswapped(&partition.dir, &segment);
            let unknown_end = record.next == i64::MAX;
            let place = segment.whole(if unknown_end { &[] } else { &manifest.epochs });
            let path = partition.path_of(&place);
            let found = self.scan(&path, *record, &place)?;
            changed |= !found.faults.is_empty();
            self.note(&partition.topic, key, &path, &found);
            if found.faults.is_empty()
                && self.trusted
                && let Some(what) = index_file::check(
                    &self.core,
                    &partition,
                    &place,
                    record.max_timestamp,
                    &found.begins,
                )
            {
                // Derived, so nothing is lost; a repair puts it away.
                let index = partition.index_path(record.base);
                self.problem(&index, 0, what);
                self.bad_indexes.push(index);
            }
            if !found.faults.is_empty() {
                let pieces = found.pieces.clone();
                self.rebuilds.push(Rebuild { path, pieces });
            }
            if found.faults.is_empty() && record.next != i64::MAX {
                records.push(*record);
            } else {
                records.extend(found.pieces.iter().map(Piece::record));
                if let Some(written) = written {
                    // Each piece is of the same compaction, and has its last name.
                    let all = &mut manifest.cleaning.segments;
                    all.retain(|known| known.base != record.base);
                    all.extend(found.pieces.iter().map(|piece| Written {
                        base: piece.base,
                        swap: false,
                        ..written
                    }));
                }
            }
        }
        if !changed {
            return Ok(());
        }
        manifest.segments = records;
        if !self.trusted {
            let last = manifest
                .segments
                .last()
                .map_or(manifest.next, |last| last.next);
            manifest.next = manifest.next.max(last);
        }
        if manifest.segments.is_empty() {
            manifest.log_start = manifest.next;
        }
        partition.load(&manifest);
        let mut chain = self
            .core
            .checkpoints
            .chain
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        chain.manifests.insert(key, manifest);
        Ok(())
    }

    fn manifest(&self, key: &PartitionKey) -> Option<Manifest> {
        let chain = self
            .core
            .checkpoints
            .chain
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        chain.manifests.get(key).cloned()
    }

    /// Takes in what the files have beyond an old manifest: as much as is good and follows.
    fn extend(&mut self, key: &PartitionKey, manifest: &mut Manifest) -> Result<()> {
        let dir = self.dir().join("topics").join(key.to_string());
        for name in list(&*self.core.fs, &dir)? {
            let Some(base) = segment::parse_name(&name) else {
                continue;
            };
            let path = dir.join(&name);
            let file = self.core.fs.open(&path, Open::Read);
            let len = file
                .and_then(|file| file.len())
                .map_err(|e| Error::io("read segment", &path, e))?;
            let known = manifest.segments.iter_mut().find(|s| s.base == base);
            match known {
                Some(segment) if len <= segment.len => {}
                Some(segment) => (segment.len, segment.next) = (len, i64::MAX),
                None if base < manifest.next => {}
                None => manifest.segments.push(SegmentRecord {
                    base,
                    next: i64::MAX,
                    len,
                    max_timestamp: -1,
                }),
            }
        }
        manifest.segments.sort_by_key(|segment| segment.base);
        // Epochs of batches that came later are not known: they are taken as they are.
        let known = manifest.next;
        manifest.epochs.retain(|(_, start)| *start < known);
        Ok(())
    }

    fn is_unswapped(&self, dir: &Path, segment: &Segment) -> bool {
        let path = dir.join(segment::cleaned_name(segment.base, segment.generation));
        matches!(self.core.fs.try_exists(&path), Ok(true))
    }

    fn scan(&mut self, path: &Path, record: SegmentRecord, place: &Place) -> Result<Scan> {
        let file = match self.core.fs.open(path, Open::Read) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Scan::gone(record));
            }
            Err(e) => return Err(Error::io("open segment", path, e)),
        };
        let mut found = scan(&*file, path, place)?;
        if record.next == i64::MAX {
            // The end of an unrecorded file is where its good batches end.
            let end = found.pieces.last().map_or(record.base, |piece| piece.next);
            found.faults.retain(|fault| fault.next != i64::MAX);
            for piece in &mut found.pieces {
                piece.next = piece.next.min(end);
            }
        }
        Ok(found)
    }

    fn note(&mut self, topic: &TopicName, key: PartitionKey, path: &Path, found: &Scan) {
        let report = &mut self.report;
        report.segments += 1;
        report.batches += found.batches;
        report.records += found.records;
        report.bytes += found.bytes;
        for fault in &found.faults {
            self.needs_repair = true;
            self.holes.push((key, fault.first, fault.next));
            self.report.problems.push(Problem {
                path: path.to_owned(),
                offset: fault.from,
                what: fault.what.clone(),
                topic: Some(topic.to_string()),
                partition: Some(key.partition.0),
                record_offset: Some(fault.first),
            });
            self.cuts.push(Cut {
                path: path.to_owned(),
                from: fault.from,
                what: format!("bytes {}..{}", fault.from, fault.to),
                topic: Some(topic.to_string()),
                partition: Some(key.partition.0),
                first: Some(fault.first),
                next: Some(fault.next),
                records: u64::try_from(fault.next - fault.first).ok(),
            });
        }
    }
}

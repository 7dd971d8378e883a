//! What a checkpoint names, brought back: stores and partitions from snapshots, segments cut to their recorded lengths.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use crate::backend::{KvPut, Store};
use crate::checkpoint::{Chain, Slot};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::Open;
use crate::snapshot;

pub(crate) fn load_snapshots(core: &Core, slot: &Slot) -> Result<()> {
    let mut chain = Chain {
        slot: *slot,
        previous_base: slot.snapshot_base,
        ..Chain::default()
    };
    let mut stores = core.stores.write().unwrap_or_else(PoisonError::into_inner);
    if slot.snapshot_base > 0 {
        for seq in slot.snapshot_base..=slot.snapshot_last {
            let path = snapshot::path(&core.options.dir, seq);
            if !core
                .fs
                .try_exists(&path)
                .map_err(|e| Error::io("look for", &path, e))?
            {
                let what = "the snapshot is gone".to_owned();
                return Err(Error::Damaged {
                    path,
                    offset: 0,
                    what,
                });
            }
            let content = snapshot::read(&*core.fs, &path, seq, seq == slot.snapshot_base)?;
            content.puts.iter().for_each(|put| stores.load(put));
            chain.manifests.extend(content.partitions);
            let file = core
                .fs
                .open(&path, Open::Read)
                .map_err(|e| Error::io("open", &path, e))?;
            let len = file.len().map_err(|e| Error::io("read", &path, e))?;
            if seq == slot.snapshot_base {
                chain.base_bytes = len
            } else {
                chain.delta_bytes += len
            }
        }
    }
    let mut catalog = core.catalog.write().unwrap_or_else(PoisonError::into_inner);
    for (key, value) in stores.scan(Store::Meta, crate::topics::KEY_PREFIX.as_bytes()) {
        catalog.apply(
            &KvPut {
                store: Store::Meta,
                key,
                value: Some(value),
            },
            &core.options,
        )?;
    }
    // Those of deleted topics are not of this log any more.
    chain
        .manifests
        .retain(|key, _| catalog.partition(&key.topic, key.partition).is_some());
    for (key, manifest) in &chain.manifests {
        if let Some(partition) = catalog.partition(&key.topic, key.partition) {
            partition.load(manifest);
            core.space
                .add(manifest.segments.iter().map(|segment| segment.len).sum());
        }
    }
    let starts = stores.scan(Store::Meta, crate::trim::START_PREFIX.as_bytes());
    drop((catalog, stores));
    for (key, value) in starts {
        core.follow(&KvPut {
            store: Store::Meta,
            key,
            value: Some(value),
        })?;
    }
    core.counters
        .snapshot_bytes
        .store(chain.base_bytes + chain.delta_bytes, Ordering::Relaxed);
    *core
        .checkpoints
        .chain
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = chain;
    Ok(())
}

/// Cuts every segment to its recorded length and removes those that no checkpoint has recorded.
pub(crate) fn cut_segments(core: &Core) -> Result<()> {
    let chain = core
        .checkpoints
        .chain
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let topics = core.options.dir.join("topics");
    for name in core
        .fs
        .list(&topics)
        .map_err(|e| Error::io("list", &topics, e))?
    {
        let Some(key) = crate::partition::PartitionKey::parse(&name) else {
            continue;
        };
        let dir = topics.join(&name);
        let recorded = chain
            .manifests
            .get(&key)
            .map(|m| m.segments.as_slice())
            .unwrap_or_default();
        for file in core.fs.list(&dir).map_err(|e| Error::io("list", &dir, e))? {
            let base = crate::segment::parse_name(&file)
                .or_else(|| crate::segment::index_file::parse_name(&file));
            if base.is_none() && !file.ends_with(crate::segment::CLEANED) {
                continue;
            }
            // What compaction was about to write goes too: a file that counts has its own name by now.
            if !recorded.iter().any(|segment| Some(segment.base) == base) {
                let path = dir.join(file);
                core.fs
                    .remove(&path)
                    .map_err(|e| Error::io("remove", &path, e))?;
            }
        }
    }
    for (key, manifest) in &chain.manifests {
        for segment in &manifest.segments {
            let path = topics
                .join(key.to_string())
                .join(crate::segment::name(segment.base));
            let file = match core.fs.open(&path, Open::Write) {
                Ok(file) => file,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    return Err(Error::Damaged {
                        path,
                        offset: 0,
                        what: "the segment is gone".into(),
                    });
                }
                Err(e) => return Err(Error::io("open segment", &path, e)),
            };
            let len = file
                .len()
                .map_err(|e| Error::io("read segment", &path, e))?;
            if len < segment.len {
                let what = format!(
                    "the segment ends early, it should have {} bytes",
                    segment.len
                );
                return Err(Error::Damaged {
                    path,
                    offset: len,
                    what,
                });
            }
            if len > segment.len {
                file.truncate(segment.len)
                    .map_err(|e| Error::io("cut segment", &path, e))?;
                // It may know more than the segment has now.
                let index = path.with_file_name(crate::segment::index_file::name(segment.base));
                if let Err(e) = core.fs.remove(&index)
                    && e.kind() != std::io::ErrorKind::NotFound
                {
                    return Err(Error::io("remove", &index, e));
                }
            }
        }
    }
    Ok(())
}

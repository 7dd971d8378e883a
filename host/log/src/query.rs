//! Reading the log's state: what a running log and a read-only one have in common.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use linkspan_types::{LeaderEpoch, Offset, PartitionId, TopicId, TopicName, TopicPartition};

use crate::backend::{Fetched, Health, ProducerStateView, Store, Topic, Watermarks};
use crate::consumer;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::figures::ratio;
use crate::partition::{Partition, Read};
use crate::recovery::FORMAT_VERSION;
use crate::stat::{LogStat, PartitionStat, TopicStat};
use crate::trim;

pub(crate) fn topic(core: &Core, name: &TopicName) -> Option<Topic> {
    let catalog = core.catalog.read().unwrap_or_else(PoisonError::into_inner);
    catalog.by_name(name).map(|entry| entry.topic.clone())
}

pub(crate) fn topics(core: &Core) -> Vec<Topic> {
    let catalog = core.catalog.read().unwrap_or_else(PoisonError::into_inner);
    catalog.all().map(|entry| entry.topic.clone()).collect()
}

pub(crate) fn scan(core: &Core, store: Store, prefix: &[u8]) -> Vec<(Bytes, Bytes)> {
    core.stores
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .scan(store, prefix)
}

pub(crate) fn fetch(
    core: &Core,
    topic: &TopicId,
    partition: PartitionId,
    from: Offset,
    max_bytes: usize,
) -> Result<Fetched> {
    let partition = core.partition(topic, partition)?;
    let read = partition.read(core, from.0, max_bytes, true)?;
    let Read { bytes, next } = read.unwrap_or(Read {
        bytes: Bytes::new(),
        next: from.0,
    });
    core.counters.handed_out(bytes.len());
    Ok(Fetched {
        bytes,
        next: Offset(next),
        watermarks: partition.watermarks(core.leader_epoch()),
    })
}

pub(crate) fn offsets(core: &Core, topic: &TopicId, partition: PartitionId) -> Result<Watermarks> {
    Ok(core
        .partition(topic, partition)?
        .watermarks(core.leader_epoch()))
}

pub(crate) fn producers(
    core: &Core,
    topic: &TopicId,
    partition: PartitionId,
) -> Result<Vec<ProducerStateView>> {
    let partition = core.partition(topic, partition)?;
    let state = partition.lock();
    let mut views: Vec<ProducerStateView> = state
        .producers
        .iter()
        .map(|(producer_id, entry)| ProducerStateView {
            producer_id,
            epoch: entry.epoch,
            last_sequence: entry.last_sequence(),
            last_timestamp_ms: entry.timestamp_ms,
        })
        .collect();
    drop(state);
    views.sort_unstable_by_key(|view| view.producer_id);
    Ok(views)
}

pub(crate) fn check_position(
    core: &Core,
    topic: &TopicId,
    number: PartitionId,
    epoch: LeaderEpoch,
    next: Offset,
) -> Result<()> {
    let Ok(partition) = core.partition(topic, number) else {
        // The name is unknown too: the text of the id stands in for it.
        let name = TopicName::try_new(topic.to_string()).map_err(|_| Error::UnknownPartition {
            topic: *topic,
            partition: number,
        })?;
        return Err(Error::UnknownPosition {
            partition: TopicPartition::new(name, number),
            next,
            leader_epoch: epoch,
            why: "this log has no topic of that id, or not that partition".to_owned(),
        });
    };
    if epoch > core.leader_epoch() {
        return Err(Error::UnknownPosition {
            partition: TopicPartition::new(partition.topic.clone(), number),
            next,
            leader_epoch: epoch,
            why: format!("this log is at leader epoch {}", core.leader_epoch()),
        });
    }
    consumer::check_position(
        &partition,
        &TopicPartition::new(partition.topic.clone(), number),
        epoch,
        next,
    )
}

pub(crate) fn stat(core: &Core) -> LogStat {
    let topics = topic_stats(core);
    let partitions = || topics.iter().flat_map(|topic| &topic.partitions);
    let segment_bytes = partitions().map(|p| p.bytes).sum();
    let segments = partitions().map(|p| u64::from(p.segments)).sum();
    let counters = &core.counters;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let past = core.past.get();
    let (journal_bytes, journal_files) = match core.ring.get() {
        Some(ring) => ring.size(),
        None => past.map_or((0, 0), |past| past.journal),
    };
    let (hits, misses) = (count(&counters.cache_hits), count(&counters.cache_misses));
    let health = match core.health() {
        Health::Ok => "ok",
        Health::DiskFull { .. } => "disk-full",
        Health::OutOfFiles { .. } => "out-of-files",
        Health::DiskBound { .. } => "disk-bound",
        Health::Poisoned { .. } => "poisoned",
    };
    LogStat {
        dir: core.options.dir.display().to_string(),
        format: FORMAT_VERSION,
        opened_ms: core.opened_ms,
        leader_epoch: core.leader_epoch().0,
        health: health.to_owned(),
        last_lsn: core.published_lsn.load(Ordering::Relaxed),
        witnessed: core.witnessed.load(Ordering::Relaxed),
        replay_lsn: core.replay_lsn.load(Ordering::Relaxed),
        journal_bytes,
        journal_files,
        cache_bytes: core.cache.bytes() as u64,
        log_bytes: core.space.bytes(),
        log_bytes_max: core.options.log_bytes_max,
        segment_bytes,
        segments,
        disk_bytes: journal_bytes + segment_bytes + count(&counters.snapshot_bytes),
        checkpoints: count(&counters.checkpoints),
        commits: count(&counters.commits),
        groups: count(&counters.groups),
        cache_hits: hits,
        cache_misses: misses,
        cache_hit_rate: ratio(hits, hits + misses),
        bytes_in: count(&counters.bytes_in),
        bytes_out: count(&counters.bytes_out),
        journal_bytes_written: count(&counters.journal_bytes_written),
        syncs: counters.syncs.stat(),
        recovery: past.map(|past| past.recovery.clone()).unwrap_or_default(),
        stores: core
            .stores
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .stat(),
        topics,
    }
}

/// How many segments one call looks into for the time of their first batch; each is looked into once.
const FIRST_BATCHES_MAX: usize = 64;

fn topic_stats(core: &Core) -> Vec<TopicStat> {
    let catalog = core.catalog.read().unwrap_or_else(PoisonError::into_inner);
    let entries: Vec<_> = catalog
        .all()
        .map(|entry| {
            let partitions: Vec<_> = entry.partitions.iter().map(Arc::clone).collect();
            (entry.topic.name.to_string(), entry.topic.id, partitions)
        })
        .collect();
    drop(catalog);
    // A stopped log is asked once, so it answers everything.
    let mut looks = match core.ring.get() {
        Some(_) => FIRST_BATCHES_MAX,
        None => usize::MAX,
    };
    let mut stat = |partition: &Partition| PartitionStat {
        lost: trim::lost(core, partition.id),
        ..partition.stat(core, &mut looks)
    };
    entries
        .into_iter()
        .map(|(name, id, partitions)| TopicStat {
            name,
            id: id.to_string(),
            partitions: partitions.iter().map(|p| stat(p)).collect(),
        })
        .collect()
}

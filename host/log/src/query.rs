//! Reading the log's state: what a running log and a read-only one have in common.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use linkspan_types::{LeaderEpoch, Offset, PartitionId, TopicId, TopicName, TopicPartition};

use crate::backend::{Fetched, Health, ProducerStateView, Store, Topic, Watermarks};
use crate::consumer;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::partition::Read;
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
    let catalog = core.catalog.read().unwrap_or_else(PoisonError::into_inner);
    let topics: Vec<TopicStat> = catalog
        .all()
        .map(|entry| TopicStat {
            name: entry.topic.name.to_string(),
            id: entry.topic.id.to_string(),
            partitions: entry
                .partitions
                .iter()
                .map(|partition| PartitionStat {
                    lost: trim::lost(core, partition.id),
                    ..partition.stat()
                })
                .collect(),
        })
        .collect();
    drop(catalog);
    let (journal_bytes, journal_files) = core.ring.get().map_or((0, 0), |ring| ring.size());
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
        segment_bytes: topics
            .iter()
            .flat_map(|topic| &topic.partitions)
            .map(|p| p.bytes)
            .sum(),
        checkpoints: core.counters.checkpoints.load(Ordering::Relaxed),
        commits: core.counters.commits.load(Ordering::Relaxed),
        groups: core.counters.groups.load(Ordering::Relaxed),
        cache_hits: core.counters.cache_hits.load(Ordering::Relaxed),
        cache_misses: core.counters.cache_misses.load(Ordering::Relaxed),
        stores: core
            .stores
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .stat(),
        topics,
    }
}

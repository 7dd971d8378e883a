//! Small logs, small files, and short ways to write and read.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use linkspan_types::{OwnerId, PartitionId, SystemClock, TopicName};

use crate::conformance::batch;
use crate::{
    Append, Commit, Fs, KvPut, Local, LocalOptions, LogBackend, MemFs, Producer, Result, Store,
    Topic, TopicSpec, open_local,
};

pub(crate) fn dir() -> PathBuf {
    PathBuf::from("/data")
}

/// Options with which a few commits fill journal files, roll segments and make deltas.
pub(crate) fn tiny() -> LocalOptions {
    LocalOptions {
        commit_bytes_max: 32 * 1024,
        journal_first_bytes: 16 * 1024,
        journal_file_bytes: 96 * 1024,
        journal_bytes_max: 3 * 96 * 1024,
        checkpoint_bytes: 24 * 1024,
        segment_bytes: 4 * 1024,
        tail_cache_bytes: 16 * 1024,
        flush_bytes: 1024,
        flush_age: Duration::from_millis(4),
        idle_marker: Duration::from_millis(3),
        open_files_max: 2,
        space_retry: Duration::from_millis(1),
        ..LocalOptions::new(dir())
    }
}

pub(crate) fn open_mem(fs: &MemFs, options: LocalOptions) -> Result<Arc<Local>> {
    open_local(
        Arc::new(fs.clone()),
        Arc::new(SystemClock::default()),
        options,
    )
}

pub(crate) fn open_on(fs: Arc<dyn Fs>, options: LocalOptions) -> Arc<Local> {
    open_local(fs, Arc::new(SystemClock::default()), options).unwrap()
}

pub(crate) fn topic(log: &dyn LogBackend, name: &str, partitions: i32) -> Topic {
    let name = TopicName::try_new(name).unwrap();
    match log.topic(&name).unwrap() {
        Some(topic) => topic,
        None => log
            .create_topic(&name, &TopicSpec::with_partitions(partitions))
            .unwrap(),
    }
}

pub(crate) fn producer(log: &dyn LogBackend) -> Arc<dyn Producer> {
    log.open_producer(&OwnerId::from("test")).unwrap()
}

pub(crate) fn append(topic: &Topic, partition: i32, texts: &[&str]) -> Append {
    Append {
        topic: topic.id,
        partition: PartitionId(partition),
        batch: batch(1000, texts),
    }
}

pub(crate) fn put(key: &str, value: &str) -> KvPut {
    KvPut {
        store: Store::SourceOffsets,
        key: key.to_owned().into(),
        value: Some(value.to_owned().into()),
    }
}

pub(crate) fn commit(topic: &Topic, partition: i32, texts: &[&str]) -> Commit {
    Commit {
        appends: vec![append(topic, partition, texts)],
        puts: Vec::new(),
    }
}

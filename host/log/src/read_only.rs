//! A stopped data directory, read without writing a byte into it.
//!
//! The journal is replayed in memory: what it holds beyond the last checkpoint (at most `journal_bytes_max`, usually less
//! than 64 MiB) stays there while the directory is open. A shared lock keeps a host from starting meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use linkspan_types::{
    Clock, FenceEpoch, GroupId, LeaderEpoch, Offset, OwnerId, PartitionId, TopicId, TopicName,
    TopicPartition,
};

use crate::backend::{
    BoxFuture, Consumer, ConsumerOptions, Fetched, Health, LogBackend, Producer, ProducerStateView,
    Store, Topic, TopicSpec, Watermarks,
};
use crate::backup::{self, BackupReport};
use crate::core::Core;
use crate::declared;
use crate::error::{Error, Result};
use crate::examine::examine;
use crate::fetch::{self, FetchRequest, FetchedPartition};
use crate::find_offset::{self, FoundOffset, OffsetQuery};
use crate::fs::{Fs, Lock, Open};
use crate::group;
use crate::group::view::{GroupDescription, GroupSummary};
use crate::lock;
use crate::options::LocalOptions;
use crate::query;
use crate::recovery::{self, Mode};
use crate::stat::LogStat;
use crate::verify::Report;

/// A stopped log. Everything that would write fails with [`Error::ReadOnly`].
#[derive(Debug)]
pub struct ReadOnly {
    core: Core,
    _lock: Box<dyn Lock>,
}

/// Opens a stopped data directory for reading.
///
/// # Errors
/// [`Error::Locked`] while a host runs on it, [`Error::NotADataDirectory`], [`Error::NewerFormat`], [`Error::Damaged`],
/// [`Error::LaterVersion`], or the system's.
pub fn open_read_only(
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
    dir: impl Into<PathBuf>,
) -> Result<Arc<ReadOnly>> {
    let started = Instant::now();
    let options = LocalOptions::new(dir);
    let dir = options.dir.clone();
    if !fs
        .try_exists(&dir.join("format"))
        .map_err(|e| Error::io("look for", &dir, e))?
    {
        return Err(Error::NotADataDirectory {
            dir,
            why: "it has no file `format`".into(),
        });
    }
    let lock = lock::shared(&*fs, &dir)?;
    recovery::check_format(&*fs, &dir, Mode::ReadOnly)?;
    let core = Core::new(fs, clock, options, Open::Read);
    let recovered = recovery::recover(&core, Mode::ReadOnly)?;
    core.past.get_or_init(|| recovered.past(started.elapsed()));
    Ok(Arc::new(ReadOnly { core, _lock: lock }))
}

impl ReadOnly {
    /// Checks every byte that the log vouches for.
    #[must_use]
    pub fn verify(&self) -> Report {
        let clock = Arc::new(linkspan_types::SystemClock::default());
        let (fs, dir) = (Arc::clone(&self.core.fs), &self.core.options.dir);
        match examine(fs, clock, dir, Open::Read) {
            Ok(found) => found.report,
            Err(error) => Report::of_error(dir, &error),
        }
    }
}

impl LogBackend for ReadOnly {
    fn create_topic(&self, _name: &TopicName, _spec: &TopicSpec) -> Result<Topic> {
        Err(Error::ReadOnly)
    }

    fn add_partitions(&self, _name: &TopicName, _total: i32) -> Result<Topic> {
        Err(Error::ReadOnly)
    }

    fn delete_topic(&self, _name: &TopicName) -> Result<()> {
        Err(Error::ReadOnly)
    }

    fn alter_topic(
        &self,
        _name: &TopicName,
        _changes: &BTreeMap<String, Option<String>>,
    ) -> Result<Topic> {
        Err(Error::ReadOnly)
    }

    fn delete_records(
        &self,
        _topic: &TopicId,
        _partition: PartitionId,
        _before: Option<Offset>,
    ) -> Result<Offset> {
        Err(Error::ReadOnly)
    }

    fn declare_reader(&self, _group: &GroupId, _topics: &[TopicName]) -> Result<()> {
        Err(Error::ReadOnly)
    }

    fn forget_reader(&self, _group: &GroupId) -> Result<()> {
        Err(Error::ReadOnly)
    }

    fn readers(&self) -> Result<Vec<(GroupId, Vec<TopicName>)>> {
        Ok(declared::all(&self.core))
    }

    fn topic(&self, name: &TopicName) -> Result<Option<Topic>> {
        Ok(query::topic(&self.core, name))
    }

    fn topics(&self) -> Result<Vec<Topic>> {
        Ok(query::topics(&self.core))
    }

    fn get(&self, store: Store, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.core.get(store, key))
    }

    fn scan(&self, store: Store, prefix: &[u8]) -> Result<Vec<(Bytes, Bytes)>> {
        Ok(query::scan(&self.core, store, prefix))
    }

    fn open_producer(&self, _owner: &OwnerId) -> Result<Arc<dyn Producer>> {
        Err(Error::ReadOnly)
    }

    fn current_fence(&self, owner: &OwnerId) -> Result<FenceEpoch> {
        Ok(self.core.fence(owner).current())
    }

    fn producer_at(&self, _owner: &OwnerId, _epoch: FenceEpoch) -> Result<Arc<dyn Producer>> {
        Err(Error::ReadOnly)
    }

    fn open_consumer(&self, _options: ConsumerOptions) -> Result<Box<dyn Consumer>> {
        Err(Error::ReadOnly)
    }

    fn fetch(
        &self,
        topic: &TopicId,
        partition: PartitionId,
        from: Offset,
        max_bytes: usize,
    ) -> Result<Fetched> {
        query::fetch(&self.core, topic, partition, from, max_bytes)
    }

    fn fetch_many(&self, request: FetchRequest) -> BoxFuture<'_, Result<Vec<FetchedPartition>>> {
        Box::pin(fetch::fetch_many(&self.core, None, request))
    }

    fn offsets(&self, topic: &TopicId, partition: PartitionId) -> Result<Watermarks> {
        query::offsets(&self.core, topic, partition)
    }

    fn find_offset(
        &self,
        topic: &TopicId,
        partition: PartitionId,
        query: OffsetQuery,
    ) -> Result<Option<FoundOffset>> {
        find_offset::find(&self.core, topic, partition, query)
    }

    fn groups(&self) -> Result<Vec<GroupSummary>> {
        Ok(group::admin::list(&self.core))
    }

    fn describe_group(&self, group: &GroupId) -> Result<Option<GroupDescription>> {
        group::admin::describe(&self.core, group)
    }

    fn set_group_offsets(
        &self,
        _group: &GroupId,
        _changes: &[(TopicPartition, Option<Offset>)],
    ) -> Result<()> {
        Err(Error::ReadOnly)
    }

    fn delete_group(&self, _group: &GroupId) -> Result<()> {
        Err(Error::ReadOnly)
    }

    fn check_position(
        &self,
        topic: &TopicId,
        partition: PartitionId,
        epoch: LeaderEpoch,
        next: Offset,
    ) -> Result<()> {
        query::check_position(&self.core, topic, partition, epoch, next)
    }

    fn init_producer_id(&self) -> Result<(i64, i16)> {
        Err(Error::ReadOnly)
    }

    fn producers(&self, topic: &TopicId, partition: PartitionId) -> Result<Vec<ProducerStateView>> {
        query::producers(&self.core, topic, partition)
    }

    fn stat(&self) -> Result<LogStat> {
        Ok(query::stat(&self.core))
    }

    fn health(&self) -> Health {
        Health::Ok
    }

    fn backup(&self, target: &Path) -> Result<BackupReport> {
        backup::run(&self.core, target)
    }

    fn close(&self) -> Result<()> {
        Ok(())
    }
}

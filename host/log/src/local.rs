//! The local log: opening, closing, and the trait on top of the parts.
//!
//! ```text
//!  submit ─► queue ─► journal::writer ─► partitions, stores ─► consumers
//!                          │  ▲ ready files: journal::ring
//!                          ▼  │
//!                     flush (segments) ─► checkpoint ─► files are free again
//! ```
//!
//! Six threads: `log-journal`, `log-journal-files`, `log-segments`, `log-checkpoint`, `log-retention`, `log-cleaner`, and
//! readers when the page cache misses.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use linkspan_types::{
    Clock, FenceEpoch, GroupId, LeaderEpoch, Offset, OwnerId, PartitionId, TopicId, TopicName,
    TopicPartition,
};

use crate::admin;
use crate::backend::{
    BoxFuture, Consumer, ConsumerOptions, Fetched, Health, LogBackend, Producer, ProducerStateView,
    Store, Topic, TopicSpec, Watermarks,
};
use crate::backup::{self, BackupReport};
use crate::checkpoint;
use crate::compaction::{self, Compacted};
use crate::consumer::LocalConsumer;
use crate::core::Core;
use crate::declared;
use crate::error::{Error, Result};
use crate::fetch::{self, FetchRequest, FetchedPartition};
use crate::find_offset::{self, FoundOffset, OffsetQuery};
use crate::flush;
use crate::fs::{Fs, Lock, Open, make_dir};
use crate::group;
use crate::group::view::{GroupDescription, GroupSummary};
use crate::journal::queue::FenceRule;
use crate::journal::ring::{self, Ring};
use crate::journal::writer::Writer;
use crate::lock;
use crate::options::LocalOptions;
use crate::query;
use crate::readers::Readers;
use crate::recovery::{self, Mode, Recovered, TornTail};
use crate::retention;
use crate::stat::LogStat;
use crate::submit::{LocalProducer, put_and_wait};
use crate::thread;
use crate::topics;

/// What opening found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// There was no log: a new one was made.
    New,
    /// An existing log goes on.
    Resumed {
        /// It was not shut down: the journal was replayed and a new leader epoch began.
        unclean: bool,
        /// Commits replayed from the journal.
        replayed: u64,
        /// What was cut from the journal's end because it was never acknowledged.
        torn: Option<TornTail>,
    },
}

/// The local log. Dropping it closes it.
#[derive(Debug)]
pub struct Local {
    core: Arc<Core>,
    readers: Arc<Readers>,
    opened: Opened,
    threads: Mutex<Threads>,
    /// Serialises changes of the catalogue.
    changing_topics: Mutex<()>,
}

#[derive(Debug, Default)]
struct Threads {
    journal: Option<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
    lock: Option<Box<dyn Lock>>,
}

/// Opens a data directory, making it when it does not exist, and recovers what a crash left.
///
/// # Errors
/// [`Error::Locked`], [`Error::NewerFormat`], [`Error::NotADataDirectory`], [`Error::Damaged`] (acknowledged data is not
/// there any more), [`Error::LaterVersion`], [`Error::InvalidOption`], or the system's.
pub fn open_local(
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
    options: LocalOptions,
) -> Result<Arc<Local>> {
    let started = Instant::now();
    options.check()?;
    let dir = options.dir.clone();
    make_directory(&*fs, &dir)?;
    let lock = lock::exclusive(&*fs, &dir)?;
    recovery::check_format(&*fs, &dir, Mode::Write)?;
    let volume = fs
        .volume(&dir)
        .map_err(|e| Error::io("open the file system of", &dir, e))?;
    let core = Arc::new(Core::new(fs, clock, options, Open::Write));
    core.volume.get_or_init(|| volume);
    let recovered = recovery::recover(&core, Mode::Write)?;
    if recovered.unclean {
        // A killed process may have left names that only the page cache knows.
        for dir in [dir.clone(), dir.join("journal")] {
            core.fs
                .sync_dir(&dir)
                .map_err(|e| Error::io("sync directory", &dir, e))?;
        }
        core.flush.write_all_out(&core)?;
        core.set_leader_epoch(core.leader_epoch().0 + 1);
    }
    core.retention.start_clock(&core);
    core.forget_producers(recovered.unclean);
    let opened = opened(&recovered);
    let mut past = recovered.past(Duration::ZERO);
    let first_journal_seq = recovered.journal.next_seq;
    let ring = Arc::new(Ring::new(
        dir.join("journal"),
        recovered.journal,
        recovered.next_lsn - 1,
    ));
    let ring = core.ring.get_or_init(|| ring);
    // From here on the old journal is not needed, and the log is marked unclean before anything is written into it.
    checkpoint::begin_life(&core, first_journal_seq)?;
    let first = ring.first(&core)?;
    let writer = Writer::new(
        Arc::clone(&core),
        Arc::clone(&core.queue),
        Arc::clone(ring),
        first,
        recovered.next_lsn,
    );
    let journal = thread::spawn(&core, "log-journal", move |_| writer.run())?;
    let others = vec![
        ring::spawn(ring, &core)?,
        flush::spawn(&core)?,
        checkpoint::spawn(&core)?,
        retention::spawn(&core)?,
        compaction::spawn(&core)?,
    ];
    past.recovery.took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    core.past.get_or_init(|| past);
    let threads = Threads {
        journal: Some(journal),
        others,
        lock: Some(lock),
    };
    Ok(Arc::new(Local {
        core,
        readers: Arc::default(),
        opened,
        threads: Mutex::new(threads),
        changing_topics: Mutex::default(),
    }))
}

/// Makes the data directory if it is not one yet.
fn make_directory(fs: &dyn Fs, dir: &Path) -> Result<()> {
    let format = dir.join("format");
    match fs.try_exists(&format) {
        Ok(true) => Ok(()),
        Ok(false) => make_dir(fs, dir).map_err(|(op, path, e)| Error::io(op, &path, e)),
        Err(e) => Err(Error::io("look for", &format, e)),
    }
}

fn opened(recovered: &Recovered) -> Opened {
    if recovered.new {
        return Opened::New;
    }
    Opened::Resumed {
        unclean: recovered.unclean,
        replayed: recovered.replayed,
        torn: recovered.torn.clone(),
    }
}

impl Local {
    /// Returns what opening found.
    #[must_use]
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Returns the leader epoch of this life of the log.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.core.leader_epoch()
    }

    /// Takes a checkpoint now and returns when it is durable.
    ///
    /// # Errors
    /// It could not be written; the journal still has everything. Anything but a shortage has stopped the log.
    pub fn checkpoint(&self) -> Result<()> {
        self.core.check_alive()?;
        checkpoint::checkpoint(&self.core, false)
    }

    /// Does at once what the retention thread does when its check is due.
    ///
    /// # Errors
    /// What was to be deleted could not be written down; nothing was deleted ahead of that.
    pub fn run_retention_now(&self) -> Result<()> {
        self.core.check_alive()?;
        retention::round(&self.core)
    }

    #[cfg(test)]
    pub(crate) fn sweeps_for_test(&self) -> u64 {
        self.core.flush.sweeps()
    }

    /// Looks for compacted topics that need it, as the cleaner's thread does, and returns what was done.
    ///
    /// # Errors
    /// [`Error::Closed`] or [`Error::Poisoned`]; damaged partitions and a full disk are logged and end nothing else.
    pub fn run_compaction_now(&self) -> Result<Vec<Compacted>> {
        self.core.check_alive()?;
        compaction::round(&self.core)
    }

    #[cfg(test)]
    pub(crate) fn core_for_test(&self) -> &Arc<Core> {
        &self.core
    }

    #[cfg(test)]
    pub(crate) fn partition_for_test(
        &self,
        topic: &TopicId,
        partition: i32,
    ) -> Arc<crate::partition::Partition> {
        self.core.partition(topic, PartitionId(partition)).unwrap()
    }

    fn put_topic(&self, topic: Topic) -> Result<Topic> {
        put_and_wait(&self.core, vec![topics::put(&topic)], FenceRule::None)?;
        Ok(topic)
    }

    fn write_last_indexes(&self) {
        let catalog = self
            .core
            .catalog
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let partitions: Vec<_> = catalog
            .all()
            .flat_map(|entry| entry.partitions.iter().map(Arc::clone))
            .collect();
        drop(catalog);
        partitions
            .iter()
            .for_each(|partition| partition.write_last_index(&self.core));
    }

    fn end_threads(&self) -> Result<()> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.core.condition.mark_closing() {
            return Ok(());
        }
        self.core.queue.close();
        join(threads.journal.take());
        let short = self.core.condition.shortage(&self.core.options);
        self.core.flush.close();
        self.core.checkpoints.close();
        self.core.retention.close();
        self.core.cleaner.close();
        if let Some(ring) = self.core.ring.get() {
            ring.close();
        }
        threads
            .others
            .drain(..)
            .for_each(|thread| join(Some(thread)));
        let alive = self.core.check_alive();
        let result = match alive {
            Ok(()) => match short {
                Some(error) => Err(error),
                None => {
                    self.write_last_indexes();
                    checkpoint::checkpoint(&self.core, true)
                }
            },
            Err(error) => Err(error),
        };
        self.core.condition.mark_closed();
        // A checkpoint that somebody else has begun ends before the directory is let go of; a later one finds the log closed.
        drop(self.core.checkpoints.chain.lock());
        self.core.wake_everything();
        self.readers.close();
        threads.lock = None;
        result
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if thread.is_some_and(|thread| thread.join().is_err()) {
        tracing::error!("a thread of the log panicked");
    }
}

impl LogBackend for Local {
    fn create_topic(&self, name: &TopicName, spec: &TopicSpec) -> Result<Topic> {
        let _one_at_a_time = self
            .changing_topics
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.topic(name)?.is_some() {
            return Err(Error::TopicExists { name: name.clone() });
        }
        self.put_topic(topics::new_topic(name, spec)?)
    }

    fn add_partitions(&self, name: &TopicName, total: i32) -> Result<Topic> {
        let _one_at_a_time = self
            .changing_topics
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let old = self
            .topic(name)?
            .ok_or_else(|| Error::UnknownTopic { name: name.clone() })?;
        let topic = topics::with_partitions(&old, total)?;
        if topic == old {
            Ok(old)
        } else {
            self.put_topic(topic)
        }
    }

    fn delete_topic(&self, name: &TopicName) -> Result<()> {
        let _one_at_a_time = self
            .changing_topics
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        admin::delete_topic(&self.core, name)
    }

    fn alter_topic(
        &self,
        name: &TopicName,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<Topic> {
        let _one_at_a_time = self
            .changing_topics
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let old = self
            .topic(name)?
            .ok_or_else(|| Error::UnknownTopic { name: name.clone() })?;
        let topic = topics::with_settings(&old, changes)?;
        if topic == old {
            Ok(old)
        } else {
            self.put_topic(topic)
        }
    }

    fn delete_records(
        &self,
        topic: &TopicId,
        partition: PartitionId,
        before: Option<Offset>,
    ) -> Result<Offset> {
        admin::delete_records(&self.core, topic, partition, before)
    }

    fn declare_reader(&self, group: &GroupId, topics: &[TopicName]) -> Result<()> {
        declared::declare(&self.core, group, topics)
    }

    fn forget_reader(&self, group: &GroupId) -> Result<()> {
        declared::forget(&self.core, group)
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

    fn open_producer(&self, owner: &OwnerId) -> Result<Arc<dyn Producer>> {
        let fence = self.core.fence(owner);
        // The writer raises the epoch; two calls at a time would not know whose epoch is whose.
        let _one_at_a_time = self
            .changing_topics
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        put_and_wait(&self.core, Vec::new(), FenceRule::Raise(Arc::clone(&fence)))?;
        let epoch = fence.current();
        self.core.groups.wake_all();
        Ok(Arc::new(LocalProducer::new(
            Arc::clone(&self.core),
            fence,
            epoch,
        )))
    }

    fn current_fence(&self, owner: &OwnerId) -> Result<FenceEpoch> {
        Ok(self.core.fence(owner).current())
    }

    fn producer_at(&self, owner: &OwnerId, epoch: FenceEpoch) -> Result<Arc<dyn Producer>> {
        let fence = self.core.fence(owner);
        let current = fence.current();
        if current != epoch {
            return Err(Error::Fenced {
                owner: owner.clone(),
                found: epoch,
                current,
            });
        }
        Ok(Arc::new(LocalProducer::new(
            Arc::clone(&self.core),
            fence,
            epoch,
        )))
    }

    fn open_consumer(&self, options: ConsumerOptions) -> Result<Box<dyn Consumer>> {
        let consumer =
            LocalConsumer::join(Arc::clone(&self.core), Arc::clone(&self.readers), options)?;
        Ok(Box::new(consumer))
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
        let running = Some((&self.core, &self.readers));
        Box::pin(fetch::fetch_many(&self.core, running, request))
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
        group: &GroupId,
        changes: &[(TopicPartition, Option<Offset>)],
    ) -> Result<()> {
        group::admin::set_offsets(&self.core, group, changes)
    }

    fn delete_group(&self, group: &GroupId) -> Result<()> {
        group::admin::delete_group(&self.core, group)
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
        Ok((self.core.producer_ids.take(&self.core)?, 0))
    }

    fn producers(&self, topic: &TopicId, partition: PartitionId) -> Result<Vec<ProducerStateView>> {
        query::producers(&self.core, topic, partition)
    }

    fn stat(&self) -> Result<LogStat> {
        Ok(query::stat(&self.core))
    }

    fn health(&self) -> Health {
        self.core.health()
    }

    fn backup(&self, target: &Path) -> Result<BackupReport> {
        backup::run(&self.core, target)
    }

    fn close(&self) -> Result<()> {
        self.end_threads()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Err(error) = self.end_threads() {
            tracing::warn!(error = %linkspan_types::error_chain(&error), "the log was not closed cleanly");
        }
        let commits = self.core.counters.commits.load(Ordering::Relaxed);
        tracing::debug!(commits, "the log is closed");
    }
}

//! A log in memory for one setup, and short ways to fill it.

use std::sync::Arc;

use libtest_mimic::Failed;
use linkspan_log::{
    Append, Commit, Local, LocalOptions, LogBackend, MemFs, Topic, TopicSpec, open_local,
};
use linkspan_types::{Offset, OwnerId, PartitionId, SystemClock, TopicName};
use linkspan_wire::{BatchBuilder, Compression};

use crate::json::chain;

/// The time of the vectors, in milliseconds since 1970.
pub(crate) const T0: i64 = 1_700_000_000_000;
/// Why a case is not asked here.
pub(crate) const LISTENER: &str = "needs the Kafka listener";
/// The value of every record.
const VALUE: &[u8] = b"0123456789";

/// A log, and the files it lives in.
pub(crate) struct Place {
    pub(crate) log: Arc<Local>,
    pub(crate) fs: MemFs,
}

impl Place {
    pub(crate) fn new() -> Result<Self, Failed> {
        Self::with(LocalOptions::new("/data"))
    }

    pub(crate) fn with(options: LocalOptions) -> Result<Self, Failed> {
        let fs = MemFs::new();
        let clock = Arc::new(SystemClock::default());
        let log = open_local(Arc::new(fs.clone()), clock, options).map_err(chain)?;
        Ok(Self { log, fs })
    }

    pub(crate) fn make(&self, name: &str, partitions: i32) -> Result<Topic, Failed> {
        self.make_with(name, partitions, &[])
    }

    /// Makes a topic. Its records are years old, and no part of the vectors is that they go.
    pub(crate) fn make_with(
        &self,
        name: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<Topic, Failed> {
        let mut spec = TopicSpec::with_partitions(partitions);
        for (name, value) in settings.iter().chain(&[("retention.ms", "-1")]) {
            spec.settings
                .insert((*name).to_owned(), (*value).to_owned());
        }
        self.log
            .create_topic(&TopicName::try_new(name)?, &spec)
            .map_err(chain)
    }

    /// Commits one batch with a record for each time.
    pub(crate) fn write(
        &self,
        topic: &Topic,
        partition: i32,
        codec: Compression,
        times: &[i64],
    ) -> Result<(), Failed> {
        self.write_keyed(topic, partition, codec, times, None)
    }

    pub(crate) fn write_keyed(
        &self,
        topic: &Topic,
        partition: i32,
        codec: Compression,
        times: &[i64],
        key: Option<&[u8]>,
    ) -> Result<(), Failed> {
        let mut builder = BatchBuilder::new(codec);
        for time in times {
            builder.push_plain(*time, key, Some(VALUE)).map_err(chain)?;
        }
        let append = Append {
            topic: topic.id,
            partition: PartitionId(partition),
            batch: builder.finish().map_err(chain)?,
        };
        let producer = self.log.open_producer(&OwnerId::from("golden"));
        let commit = Commit {
            appends: vec![append],
            ..Commit::default()
        };
        let ticket = producer.and_then(|producer| producer.submit(commit));
        ticket
            .and_then(linkspan_log::Ticket::wait)
            .map(|_| ())
            .map_err(chain)
    }

    pub(crate) fn delete_before(
        &self,
        topic: &Topic,
        partition: i32,
        offset: i64,
    ) -> Result<(), Failed> {
        let deleted =
            self.log
                .delete_records(&topic.id, PartitionId(partition), Some(Offset(offset)));
        deleted.map(|_| ()).map_err(chain)
    }

    pub(crate) fn topic(&self, name: &str) -> Result<Topic, Failed> {
        let found = self.log.topic(&TopicName::try_new(name)?).map_err(chain)?;
        found.ok_or_else(|| format!("no topic `{name}`").into())
    }
}

/// Waits for a future of the log.
pub(crate) fn wait_for<T>(future: impl Future<Output = T>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    Ok(runtime.block_on(future))
}

//! What a topic's settings do to a batch before it is committed: `message.timestamp.type`, `compression.type`, and the
//! window of `message.timestamp.before.max.ms` and `message.timestamp.after.max.ms`.
//!
//! The rules are those of [`linkspan_wire::check_produce_batch`]. A listener for foreign clients runs it for every batch,
//! with [`produce_rules`]. Batches of the host's own tasks were built by the host: for them it runs only when the topic
//! asks for something that is not the default, so that the usual topic costs no second look at every record.

use std::sync::PoisonError;

use linkspan_types::topic_settings::{TopicCompression, TopicSettings};
use linkspan_wire::{
    BatchHeader, Compression, MAX_DECOMPRESSED_DEFAULT, ProduceError, ProduceRules,
    check_produce_batch,
};

use crate::backend::Append;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::topics::Entry;

/// Returns what a topic asks of a batch; `bytes_max` holds where the topic has no `max.message.bytes`.
#[must_use]
pub fn produce_rules(settings: &TopicSettings, bytes_max: usize) -> ProduceRules {
    ProduceRules {
        bytes_max: settings.max_message_bytes.unwrap_or(bytes_max),
        keys: settings.compact,
        log_append_time: settings.log_append_time,
        before_max_ms: settings.timestamp_before_max_ms,
        after_max_ms: settings.timestamp_after_max_ms,
        compression: codec(settings.compression),
        decompressed_max: MAX_DECOMPRESSED_DEFAULT,
    }
}

fn codec(wanted: TopicCompression) -> Option<Compression> {
    match wanted {
        TopicCompression::Producer => None,
        TopicCompression::Uncompressed => Some(Compression::None),
        TopicCompression::Lz4 => Some(Compression::Lz4),
        TopicCompression::Zstd => Some(Compression::Zstd),
    }
}

/// Whether a topic asks for more than the default of a batch.
fn asks(settings: &TopicSettings, batch: &[u8]) -> bool {
    let default = TopicSettings::default();
    let window = |s: &TopicSettings| (s.timestamp_before_max_ms, s.timestamp_after_max_ms);
    let other_codec = codec(settings.compression).is_some_and(|wanted| {
        BatchHeader::read(batch).and_then(|header| header.compression().ok()) != Some(wanted)
    });
    settings.log_append_time || other_codec || window(settings) != window(&default)
}

/// Brings batches into the form that their topics ask for.
///
/// # Errors
/// [`Error::RefusedBatch`], [`Error::NullKey`], [`Error::TooLarge`]; unknown topics are left to whoever looks next.
pub(crate) fn by_topic(core: &Core, appends: &mut [Append]) -> Result<()> {
    let catalog = core.catalog.read().unwrap_or_else(PoisonError::into_inner);
    for append in appends {
        let Some(entry) = catalog.by_id(&append.topic) else {
            continue;
        };
        if !asks(&entry.settings, &append.batch) {
            continue;
        }
        let rules = produce_rules(&entry.settings, entry.batch_bytes_max);
        let accepted = check_produce_batch(&append.batch, &rules, core.clock.now_ms());
        append.batch = accepted.map_err(|e| refused(entry, append, &e))?.batch;
    }
    Ok(())
}

fn refused(entry: &Entry, append: &Append, error: &ProduceError) -> Error {
    let (topic, partition) = (entry.topic.name.clone(), append.partition);
    if let ProduceError::TooLarge { size, limit } = error {
        return Error::TooLarge {
            what: "the record batch",
            size: *size,
            limit: *limit,
        };
    }
    Error::RefusedBatch {
        topic,
        partition,
        kafka: error.kafka_name(),
        why: linkspan_types::error_chain(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use linkspan_types::{ManualClock, OwnerId, TopicName};
    use linkspan_wire::{Batches, TimestampType};

    use super::*;
    use crate::conformance::batch;
    use crate::{Commit, LocalOptions, LogBackend, MemFs, TopicSpec, open_local};

    #[test]
    fn a_topics_time_codec_and_window_hold_for_every_commit() {
        let clock = Arc::new(ManualClock::at(5_000_000));
        let fs = Arc::new(MemFs::new());
        let log = open_local(fs, clock, LocalOptions::new("/data")).unwrap();
        let writer = log.open_producer(&OwnerId::from("t")).unwrap();
        let send = |name: &str, settings: &[(&str, &str)], at_ms: i64| {
            let mut spec = TopicSpec::with_partitions(1);
            for (name, value) in settings {
                spec.settings.insert((*name).into(), (*value).into());
            }
            let name = TopicName::try_new(name).unwrap();
            let topic = log.create_topic(&name, &spec).unwrap();
            let append = Append {
                topic: topic.id,
                partition: 0.into(),
                batch: batch(at_ms, &["a", "b"]),
            };
            let commit = Commit {
                appends: vec![append],
                puts: Vec::new(),
            };
            writer.submit(commit)?.wait()?;
            log.fetch(&topic.id, 0.into(), 0.into(), 1)
        };
        let header = |fetched: Result<crate::Fetched>| {
            let bytes = fetched.unwrap().bytes;
            let batch = Batches::verified(&bytes).next().unwrap().unwrap();
            *batch.header()
        };
        let stored = header(send(
            "lat",
            &[("message.timestamp.type", "LogAppendTime")],
            1,
        ));
        assert_eq!(stored.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(stored.max_timestamp, 5_000_000);
        let stored = header(send("zstd", &[("compression.type", "zstd")], 1));
        assert_eq!(stored.compression().unwrap(), Compression::Zstd);
        assert_eq!((stored.max_timestamp, stored.record_count), (1, 2));
        let window = [("message.timestamp.before.max.ms", "1000")];
        let error = send("window", &window, 1).unwrap_err();
        let Error::RefusedBatch { kafka, topic, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!((kafka, topic.as_str()), ("INVALID_TIMESTAMP", "window"));
    }
}

//! The settings of a topic: one table for the log, the configuration and the commands.
//!
//! Names, ranges and defaults are those of Kafka 4.3, so that a topic's description moves between the two unchanged.
//! `keep.unread` is ours. Settings that make no sense on one machine are accepted and do nothing; the table says so.
//!
//! ```text
//!  {"retention.ms": "7d", "cleanup.policy": "compact, delete"}     as people write it
//!        │ canonical                                               every mistake at once, each with its remedy
//!        ▼
//!  {"retention.ms": "604800000", "cleanup.policy": "compact,delete"}     as it is stored
//!        │ TopicSettings::parse
//!        ▼
//!  TopicSettings { retention_ms: Some(604800000), … }                    as the log uses it
//! ```
//!
//! Start with [`TABLE`].

mod parse;
mod table;

use std::collections::BTreeMap;
use std::fmt;

pub use parse::{SettingError, canonical};
pub use table::{Effect, Kind, MESSAGE_BYTES_MAX, SEGMENT_BYTES_MIN, TABLE, TopicSetting, find};

/// All settings of one topic, with the defaults filled in.
///
/// `None` means that the log's own setting or no limit holds, as the field says.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicSettings {
    /// `cleanup.policy` has `delete`: old segments go by time and size.
    pub delete: bool,
    /// `cleanup.policy` has `compact`: only the last record of a key stays.
    pub compact: bool,
    /// `retention.ms`; `None` = no limit.
    pub retention_ms: Option<i64>,
    /// `retention.bytes` of each partition; `None` = no limit.
    pub retention_bytes: Option<u64>,
    /// `keep.unread`: retention never passes the position of a declared sink.
    pub keep_unread: bool,
    /// `segment.bytes` or `internal.segment.bytes`; `None` = the log's `log.segment.bytes`.
    pub segment_bytes: Option<u64>,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `max.message.bytes` of a record batch; `None` = the log's default.
    pub max_message_bytes: Option<usize>,
    /// `compression.type`.
    pub compression: TopicCompression,
    /// `message.timestamp.type` is `LogAppendTime`.
    pub log_append_time: bool,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// `min.cleanable.dirty.ratio`, from 0 to 1.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: i64,
    /// `delete.retention.ms`.
    pub delete_retention_ms: i64,
}

/// How the batches of a topic are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TopicCompression {
    /// As whoever wrote them chose.
    #[default]
    Producer,
    /// Not at all.
    Uncompressed,
    /// By lz4.
    Lz4,
    /// By zstd.
    Zstd,
}

impl TopicSettings {
    /// Reads settings by name. Names and values may have every spelling that [`canonical`] takes.
    ///
    /// # Errors
    /// All that is wrong, by name.
    pub fn parse(settings: &BTreeMap<String, String>) -> Result<Self, Vec<SettingError>> {
        canonical(settings).map(|settings| Self::from_canonical(&settings))
    }

    fn from_canonical(settings: &BTreeMap<String, String>) -> Self {
        let text = |name: &str| {
            let default = || find(name).map_or("", |setting| setting.default);
            settings.get(name).map_or_else(default, String::as_str)
        };
        // Canonical values are in range, so the stand-ins below are never taken.
        let number = |name: &str| text(name).parse::<i64>().unwrap_or_default();
        let own = |name: &str| settings.get(name).and_then(|text| text.parse::<u64>().ok());
        let policy = text("cleanup.policy");
        Self {
            delete: policy.split(',').any(|word| word == "delete"),
            compact: policy.split(',').any(|word| word == "compact"),
            retention_ms: Some(number("retention.ms")).filter(|ms| *ms >= 0),
            retention_bytes: u64::try_from(number("retention.bytes")).ok(),
            keep_unread: text("keep.unread") == "true",
            segment_bytes: own("internal.segment.bytes").or_else(|| own("segment.bytes")),
            segment_ms: number("segment.ms"),
            max_message_bytes: own("max.message.bytes")
                .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            compression: match text("compression.type") {
                "uncompressed" | "none" => TopicCompression::Uncompressed,
                "lz4" => TopicCompression::Lz4,
                "zstd" => TopicCompression::Zstd,
                _ => TopicCompression::Producer,
            },
            log_append_time: text("message.timestamp.type") == "LogAppendTime",
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            min_cleanable_dirty_ratio: text("min.cleanable.dirty.ratio").parse().unwrap_or(0.5),
            min_compaction_lag_ms: number("min.compaction.lag.ms"),
            max_compaction_lag_ms: number("max.compaction.lag.ms"),
            delete_retention_ms: number("delete.retention.ms"),
        }
    }
}

impl Default for TopicSettings {
    fn default() -> Self {
        Self::from_canonical(&BTreeMap::new())
    }
}

/// Prints several mistakes as one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingErrors(pub Vec<SettingError>);

impl fmt::Display for SettingErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { "; " };
            write!(f, "{between}{error}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! Every setting that a topic may have.

/// The most that `max.message.bytes` may be: the bound of a record batch.
pub const MESSAGE_BYTES_MAX: i64 = 16 << 20;
/// The least that `segment.bytes` may be, as in Kafka.
pub const SEGMENT_BYTES_MIN: i64 = 1 << 20;
const INT_MAX: i64 = i32::MAX as i64;

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Milliseconds; `7d`, `30s` are taken too.
    Duration,
    /// Bytes; `1GiB`, `64KiB` are taken too.
    Bytes,
    /// A whole number.
    Number,
    /// A fraction between 0 and 1.
    Ratio,
    /// `true` or `false`, in any case.
    Boolean,
    /// One of some words.
    Word,
    /// Some of some words, with commas.
    Words,
    /// Replicas as `PARTITION:BROKER` with commas, or `*`.
    Replicas,
}

/// What a setting does in this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What its docs say.
    Works,
    /// Nothing: it is accepted so that settings of a Kafka topic can be taken over. The text says why.
    Nothing(&'static str),
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct TopicSetting {
    /// Kafka's name.
    pub name: &'static str,
    /// What a value looks like.
    pub kind: Kind,
    /// What holds when it is not set.
    pub default: &'static str,
    /// The smallest number.
    pub min: i64,
    /// The largest number.
    pub max: i64,
    /// The allowed words of [`Kind::Word`] and [`Kind::Words`].
    pub values: &'static [&'static str],
    /// Values of Kafka that are refused here, and why.
    pub refused: &'static [(&'static str, &'static str)],
    /// What it does.
    pub effect: Effect,
    /// Its manual entry.
    pub docs: &'static str,
}

impl TopicSetting {
    const fn new(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        docs: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            default,
            min: 0,
            max: i64::MAX,
            values: &[],
            refused: &[],
            effect: Effect::Works,
            docs,
        }
    }

    const fn range(self, min: i64, max: i64) -> Self {
        Self { min, max, ..self }
    }

    const fn values(self, values: &'static [&'static str]) -> Self {
        Self { values, ..self }
    }

    const fn refused(self, refused: &'static [(&'static str, &'static str)]) -> Self {
        Self { refused, ..self }
    }

    const fn without_effect(self, why: &'static str) -> Self {
        Self {
            effect: Effect::Nothing(why),
            ..self
        }
    }
}

/// Returns the setting of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static TopicSetting> {
    TABLE.iter().find(|setting| setting.name == name)
}

const ONE_COPY: &str = "one machine holds one copy of each partition";
const SYNCED: &str = "the journal is synced before each acknowledgement (`log.durability`)";
const OWN_INDEX: &str = "indexes are kept in memory and built when needed";
const NO_REMOTE: &str = "there is no remote storage";
const OWN_LEVEL: &str = "compression uses one fixed level";
const READ_ONLY_CODEC: &str = "this codec is read, never written; use lz4 or zstd";

/// All settings, by name.
pub static TABLE: &[TopicSetting] = &[
    TopicSetting::new(
        "cleanup.policy",
        Kind::Words,
        "delete",
        "What happens to old records: `delete` removes whole segments by `retention.ms` and `retention.bytes`, `compact` keeps the last record of each key, both together do both; empty keeps everything.",
    )
    .values(&["compact", "delete"]),
    TopicSetting::new("compression.gzip.level", Kind::Number, "-1", "The level of gzip.")
        .range(-1, 9)
        .refused(&[("0", "levels are -1 and 1 to 9")])
        .without_effect(OWN_LEVEL),
    TopicSetting::new("compression.lz4.level", Kind::Number, "9", "The level of lz4.")
        .range(1, 17)
        .without_effect(OWN_LEVEL),
    TopicSetting::new(
        "compression.type",
        Kind::Word,
        "producer",
        "How batches are compressed: `producer` leaves it to whoever writes.",
    )
    .values(&["producer", "uncompressed", "none", "lz4", "zstd"])
    .refused(&[("gzip", READ_ONLY_CODEC), ("snappy", READ_ONLY_CODEC)]),
    TopicSetting::new("compression.zstd.level", Kind::Number, "3", "The level of zstd.")
        .range(-131_072, 22)
        .without_effect(OWN_LEVEL),
    TopicSetting::new(
        "delete.retention.ms",
        Kind::Duration,
        "86400000",
        "How long a compacted topic keeps tombstones after they were first cleaned.",
    ),
    TopicSetting::new(
        "file.delete.delay.ms",
        Kind::Duration,
        "60000",
        "How long files of deleted segments stay.",
    )
    .without_effect("files go as soon as a checkpoint no longer names them"),
    TopicSetting::new(
        "flush.messages",
        Kind::Number,
        "9223372036854775807",
        "Records between two syncs.",
    )
    .range(1, i64::MAX)
    .without_effect(SYNCED),
    TopicSetting::new(
        "flush.ms",
        Kind::Duration,
        "9223372036854775807",
        "Time between two syncs.",
    )
    .without_effect(SYNCED),
    TopicSetting::new(
        "follower.replication.throttled.replicas",
        Kind::Replicas,
        "",
        "Replicas that copy slowly.",
    )
    .without_effect(ONE_COPY),
    TopicSetting::new(
        "index.interval.bytes",
        Kind::Bytes,
        "4096",
        "Bytes between two entries of an index.",
    )
    .range(0, INT_MAX)
    .without_effect(OWN_INDEX),
    TopicSetting::new(
        "internal.segment.bytes",
        Kind::Bytes,
        "",
        "`segment.bytes` without its lower bound, for tests; goes before it.",
    )
    .range(1, INT_MAX),
    TopicSetting::new(
        "keep.unread",
        Kind::Boolean,
        "true",
        "Retention keeps what a declared sink has not read yet. `false` deletes it by time and size all the same; what was lost that way is counted.",
    ),
    TopicSetting::new(
        "leader.replication.throttled.replicas",
        Kind::Replicas,
        "",
        "Replicas that are read slowly.",
    )
    .without_effect(ONE_COPY),
    TopicSetting::new(
        "local.retention.bytes",
        Kind::Bytes,
        "-2",
        "Bytes kept beside the remote storage.",
    )
    .range(-2, i64::MAX)
    .without_effect(NO_REMOTE),
    TopicSetting::new(
        "local.retention.ms",
        Kind::Duration,
        "-2",
        "Time kept beside the remote storage.",
    )
    .range(-2, i64::MAX)
    .without_effect(NO_REMOTE),
    TopicSetting::new(
        "max.compaction.lag.ms",
        Kind::Duration,
        "9223372036854775807",
        "A record is compacted no later than this.",
    )
    .range(1, i64::MAX),
    TopicSetting::new(
        "max.message.bytes",
        Kind::Bytes,
        "1048588",
        "The largest record batch; at most 16 MiB.",
    )
    .range(0, MESSAGE_BYTES_MAX),
    TopicSetting::new(
        "message.timestamp.after.max.ms",
        Kind::Duration,
        "3600000",
        "How far ahead of the clock a record's time may be when a client produces it.",
    ),
    TopicSetting::new(
        "message.timestamp.before.max.ms",
        Kind::Duration,
        "9223372036854775807",
        "How far behind the clock a record's time may be when a client produces it.",
    ),
    TopicSetting::new(
        "message.timestamp.type",
        Kind::Word,
        "CreateTime",
        "Which time a record carries: its own, or that of the append.",
    )
    .values(&["CreateTime", "LogAppendTime"]),
    TopicSetting::new(
        "min.cleanable.dirty.ratio",
        Kind::Ratio,
        "0.5",
        "A log is compacted when at least this part of it is new.",
    )
    .range(0, 1),
    TopicSetting::new(
        "min.compaction.lag.ms",
        Kind::Duration,
        "0",
        "A record is not compacted before this age.",
    ),
    TopicSetting::new(
        "min.insync.replicas",
        Kind::Number,
        "1",
        "Copies that must acknowledge a write.",
    )
    .range(1, INT_MAX)
    .without_effect(ONE_COPY),
    TopicSetting::new(
        "preallocate",
        Kind::Boolean,
        "false",
        "Whether segment files get their size at once.",
    )
    .without_effect("segments are written behind a journal that is allocated ahead"),
    TopicSetting::new(
        "remote.log.copy.disable",
        Kind::Boolean,
        "false",
        "Stop copying to the remote storage.",
    )
    .without_effect(NO_REMOTE),
    TopicSetting::new(
        "remote.log.delete.on.disable",
        Kind::Boolean,
        "false",
        "Delete remote data when it is turned off.",
    )
    .without_effect(NO_REMOTE),
    TopicSetting::new(
        "remote.storage.enable",
        Kind::Boolean,
        "false",
        "Keep old segments elsewhere.",
    )
    .refused(&[("true", NO_REMOTE)])
    .without_effect(NO_REMOTE),
    TopicSetting::new(
        "retention.bytes",
        Kind::Bytes,
        "-1",
        "How many bytes of a partition are kept; negative = all. Whole segments go, the oldest first.",
    )
    .range(i64::MIN, i64::MAX),
    TopicSetting::new(
        "retention.ms",
        Kind::Duration,
        "604800000",
        "How long records are kept, by their timestamps; -1 = for ever. Whole segments go, the oldest first.",
    )
    .range(-1, i64::MAX),
    TopicSetting::new(
        "segment.bytes",
        Kind::Bytes,
        "1073741824",
        "The size at which a segment file is closed; without it the host's `log.segment.bytes` holds.",
    )
    .range(SEGMENT_BYTES_MIN, INT_MAX),
    TopicSetting::new(
        "segment.index.bytes",
        Kind::Bytes,
        "10485760",
        "The size of an index file.",
    )
    .range(4, INT_MAX)
    .without_effect(OWN_INDEX),
    TopicSetting::new(
        "segment.jitter.ms",
        Kind::Duration,
        "0",
        "Spreads the closing of segments.",
    )
    .without_effect("segments are closed beside the journal, so that nothing waits for it"),
    TopicSetting::new(
        "segment.ms",
        Kind::Duration,
        "604800000",
        "The age at which a segment file is closed: by the timestamps of its records, and by the clock when nothing is written.",
    )
    .range(1, i64::MAX),
    TopicSetting::new(
        "unclean.leader.election.enable",
        Kind::Boolean,
        "false",
        "Whether a copy that lags may lead.",
    )
    .without_effect(ONE_COPY),
];

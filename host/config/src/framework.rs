//! The options that the host itself understands, declared once: for connectors, for topics, for the host.
//!
//! Names are Kafka Connect's and Kafka's. What a later version builds stands here already, marked [`Built::No`] or
//! [`Built::Only`]: such an option is refused with words that say so, never ignored.

use std::sync::LazyLock;

use crate::option::{ClassKind, OptionDef, OptionType};
use crate::vocabulary::Built;

/// One option of the host.
#[derive(Clone, Debug)]
pub struct FrameworkOption {
    /// Name, type, default, docs.
    pub def: OptionDef,
    /// How much of it this version does.
    pub built: Built,
    /// The kind of connector it belongs to; `None` = both.
    pub kind: Option<ClassKind>,
}

/// Options of every connector.
pub static CONNECTOR: LazyLock<Vec<FrameworkOption>> = LazyLock::new(connector_options);
/// Options of a topic.
pub static TOPIC: LazyLock<Vec<FrameworkOption>> = LazyLock::new(topic_options);
/// Settings of the host.
pub static HOST: LazyLock<Vec<FrameworkOption>> = LazyLock::new(host_options);
/// Parts of a parameter's declaration.
pub static PARAM: LazyLock<Vec<FrameworkOption>> = LazyLock::new(param_options);

const BOTH: Option<ClassKind> = None;
const SOURCE: Option<ClassKind> = Some(ClassKind::Source);
const SINK: Option<ClassKind> = Some(ClassKind::Sink);

/// The most tasks of one connector: each is a thread.
pub const TASKS_MAX: i64 = 1024;
/// The most partitions of one topic.
pub const PARTITIONS_MAX: i64 = 10_000;

fn option(name: &str, kind: OptionType, default: Option<&str>, docs: &str) -> OptionDef {
    OptionDef::new(name, kind, default, docs)
}

fn built(kind: Option<ClassKind>, def: OptionDef) -> FrameworkOption {
    FrameworkOption {
        def,
        built: Built::Yes,
        kind,
    }
}

fn only(
    kind: Option<ClassKind>,
    values: &'static [&'static str],
    def: OptionDef,
) -> FrameworkOption {
    FrameworkOption {
        def,
        built: Built::Only(values),
        kind,
    }
}

fn later(kind: Option<ClassKind>, name: &str, docs: &str) -> FrameworkOption {
    FrameworkOption {
        def: option(name, OptionType::String, None, docs),
        built: Built::No,
        kind,
    }
}

fn connector_options() -> Vec<FrameworkOption> {
    use OptionType::{Duration, Int, List, String};
    let class = OptionDef {
        aliases: vec!["connector".to_owned()],
        ..option(
            "connector.class",
            String,
            None,
            "The class: which plugin does the work.",
        )
    };
    let mut options = vec![
        built(BOTH, class),
        built(BOTH, option("name", String, None, "The connector's name; in YAML the key says it.")),
        built(BOTH, option("tasks.max", Int, Some("1"), "The most tasks the work is divided among.").range(1, TASKS_MAX)),
        built(SINK, option("topics", List, None, "The topics that are read.")),
        built(SOURCE, option("key.fields", List, None, "Columns whose struct becomes the key; order is kept per key. Without it the key is null.")),
        built(BOTH, option("offset.flush.interval.ms", Duration, Some("1000"), "How often a sink may report progress while nothing arrives.").range(1, 3_600_000)),
        built(BOTH, option("restart.policy", String, Some("backoff"), "What happens to a task that stopped with a temporary error, an internal one or a panic.").one_of(&["backoff", "never"])),
        built(BOTH, option("restart.delay.max.ms", Duration, Some("60000"), "The longest pause between two restarts.").range(1, 86_400_000)),
        built(BOTH, option("moved.from", String, None, "The connector's former name, whose offsets it takes over.")),
        only(BOTH, &["auto"], option("key.converter", String, Some("auto"), "How keys become bytes.")),
        only(BOTH, &["auto"], option("value.converter", String, Some("auto"), "How values become bytes.")),
        only(BOTH, &["auto"], option("header.converter", String, Some("auto"), "How headers become bytes.")),
        only(BOTH, &["none"], option("errors.tolerance", String, Some("none"), "Whether a bad record stops the task.").one_of(&["none", "all"])),
        only(BOTH, &["none"], option("isolation", String, Some("none"), "Whether the plugin runs in a process of its own.").one_of(&["none", "process"])),
        only(BOTH, &["none"], option("config.action.reload", String, Some("none"), "Restart when a secret changes.").one_of(&["none", "restart"])),
    ];
    options.extend([
        later(SINK, "topics.regex", "Topics by pattern."),
        later(BOTH, "transforms", "Transforms, in order."),
        later(BOTH, "transforms.*", "Options of transforms."),
        later(BOTH, "predicates", "Predicates."),
        later(BOTH, "predicates.*", "Options of predicates."),
        later(BOTH, "key.converter.*", "Options of the key converter."),
        later(BOTH, "value.converter.*", "Options of the value converter."),
        later(
            BOTH,
            "header.converter.*",
            "Options of the header converter.",
        ),
        later(
            BOTH,
            "errors.retry.timeout",
            "How long a failing record is retried.",
        ),
        later(
            BOTH,
            "errors.retry.delay.max.ms",
            "The longest pause between two attempts.",
        ),
        later(BOTH, "errors.log.enable", "Log each error."),
        later(BOTH, "errors.log.include.messages", "Log the record, too."),
        later(BOTH, "errors.deadletterqueue.*", "Where bad records go."),
        later(
            BOTH,
            "tasks.max.enforce",
            "Refuse more tasks than asked for.",
        ),
        later(
            SOURCE,
            "topic.creation.*",
            "Settings of topics that are created.",
        ),
        later(
            SOURCE,
            "exactly.once.support",
            "Whether exactly-once is demanded.",
        ),
        later(
            SOURCE,
            "transaction.boundary",
            "What one transaction holds.",
        ),
        later(
            SOURCE,
            "transaction.boundary.interval.ms",
            "How long a transaction lasts.",
        ),
        later(SOURCE, "offsets.storage.topic", "A separate offsets topic."),
        later(BOTH, "producer.override.*", "Settings of the producer."),
        later(BOTH, "consumer.override.*", "Settings of the consumer."),
        later(BOTH, "admin.override.*", "Settings of the admin client."),
    ]);
    options
}

fn topic_options() -> Vec<FrameworkOption> {
    use OptionType::{Boolean, Bytes, Duration, Int, String};
    let ms_max = i64::MAX;
    vec![
        built(
            BOTH,
            option(
                "partitions",
                Int,
                None,
                "The number of partitions; default `host.num.partitions`. It can only grow.",
            )
            .range(1, PARTITIONS_MAX),
        ),
        built(
            BOTH,
            option(
                "retention.ms",
                Duration,
                Some("604800000"),
                "How long records are kept; -1 = for ever.",
            )
            .range(-1, ms_max),
        ),
        built(
            BOTH,
            option(
                "retention.bytes",
                Bytes,
                Some("-1"),
                "How many bytes of a partition are kept; -1 = all.",
            )
            .range(-1, i64::MAX),
        ),
        built(
            BOTH,
            option(
                "segment.bytes",
                Bytes,
                Some("1073741824"),
                "The size of a segment file.",
            )
            .range(1 << 20, i64::from(i32::MAX)),
        ),
        built(
            BOTH,
            option(
                "segment.ms",
                Duration,
                Some("604800000"),
                "The age at which a segment file is closed.",
            )
            .range(1, ms_max),
        ),
        built(
            BOTH,
            option(
                "max.message.bytes",
                Bytes,
                Some("1048588"),
                "The largest record batch.",
            )
            .range(1024, 64 << 20),
        ),
        built(
            BOTH,
            option(
                "compression.type",
                String,
                Some("none"),
                "How batches are compressed.",
            )
            .one_of(&["none", "lz4", "zstd"]),
        ),
        built(
            BOTH,
            option(
                "keep.unread",
                Boolean,
                Some("true"),
                "Keep what a sink has not read yet beyond the retention.",
            ),
        ),
        only(
            BOTH,
            &["delete"],
            option(
                "cleanup.policy",
                String,
                Some("delete"),
                "What happens to old records.",
            )
            .one_of(&["delete", "compact", "compact,delete"]),
        ),
        only(
            BOTH,
            &["CreateTime"],
            option(
                "message.timestamp.type",
                String,
                Some("CreateTime"),
                "Which time a record carries.",
            )
            .one_of(&["CreateTime", "LogAppendTime"]),
        ),
        only(
            BOTH,
            &["1"],
            option(
                "replication.factor",
                Int,
                Some("1"),
                "Copies; one machine holds one.",
            )
            .range(1, 100),
        ),
        later(BOTH, "min.compaction.lag.ms", "When compaction may begin."),
        later(BOTH, "delete.retention.ms", "How long tombstones are kept."),
        later(BOTH, "min.cleanable.dirty.ratio", "When compaction pays."),
        later(BOTH, "min.insync.replicas", "Copies that must acknowledge."),
    ]
}

fn host_options() -> Vec<FrameworkOption> {
    use OptionType::{Bytes, Duration, Int, Path, String};
    vec![
        built(BOTH, option("data", Path, Some("linkspan-data"), "The data directory.")),
        built(BOTH, option("plugins", Path, None, "Directories that are searched for plugins, in order; one or a list.")),
        built(BOTH, option("listen", String, Some("none"), "The address of the REST interface, or none.")),
        built(BOTH, option("num.partitions", Int, Some("1"), "Partitions of a topic that nobody declared.").range(1, PARTITIONS_MAX)),
        built(BOTH, option("stop.timeout.ms", Duration, Some("30000"), "How long tasks may take to stop.").range(1, 3_600_000)),
        only(BOTH, &["local"], option("log.backend", String, Some("local"), "Where topics are stored.").one_of(&["local", "kafka"])),
        built(BOTH, option("log.durability", String, Some("fsync"), "fsync: on disk before it is acknowledged; os: when the system likes, lost in a power cut.").one_of(&["fsync", "os"])),
        built(BOTH, option("log.journal.bytes", Bytes, Some("67108864"), "The size of one journal file.").range(1 << 20, 1 << 30)),
        built(BOTH, option("log.journal.max.bytes", Bytes, Some("1073741824"), "The most that the journal takes.").range(2 << 20, 1 << 40)),
        built(BOTH, option("log.segment.bytes", Bytes, Some("1073741824"), "The size of a segment file of a topic that does not say.").range(1 << 20, i64::from(i32::MAX))),
        built(BOTH, option("log.cache.bytes", Bytes, Some("67108864"), "Memory for records that were just written.").range(1 << 20, 1 << 36)),
        only(BOTH, &["file"], option("config", String, Some("file"), "Who may change connectors of files.").one_of(&["file", "rest"])),
        later(BOTH, "bootstrap.servers", "The Kafka cluster of the backend kafka."),
        later(BOTH, "group.id", "Hosts of one group share the work."),
        later(BOTH, "rest.*", "Access and TLS of the REST interface."),
        later(BOTH, "metrics.*", "Metrics."),
    ]
}

fn param_options() -> Vec<FrameworkOption> {
    use OptionType::String;
    vec![
        built(
            BOTH,
            option("type", String, Some("string"), "What the value is.")
                .one_of(&["string", "int", "date"]),
        ),
        built(
            BOTH,
            option(
                "default",
                String,
                None,
                "The value when the run names none; without it the run must.",
            ),
        ),
        built(
            BOTH,
            option(
                "timezone",
                String,
                Some("UTC"),
                "Where `today` is decided: Asia/Seoul, UTC, +09:00.",
            ),
        ),
        built(BOTH, option("docs", String, None, "What it means.")),
    ]
}

//! The options that the host itself understands, declared once: for connectors, for topics, for the host.
//!
//! Names are Kafka Connect's and Kafka's. What a later version builds stands here already, marked [`Built::No`] or
//! [`Built::Only`]: such an option is refused with words that say so, never ignored.

use std::sync::LazyLock;

use linkspan_types::topic_settings::{self, Effect, Kind, TopicSetting};

use crate::logging::LEVELS;
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
pub static CONNECTOR: LazyLock<Vec<FrameworkOption>> =
    LazyLock::new(|| CONNECTOR_ROWS.iter().map(Row::option).collect());
/// Options of a topic.
pub static TOPIC: LazyLock<Vec<FrameworkOption>> = LazyLock::new(|| {
    let own = TOPIC_ROWS.iter().map(Row::option);
    own.chain(topic_settings::TABLE.iter().map(topic_option))
        .collect()
});
/// Settings of the host.
pub static HOST: LazyLock<Vec<FrameworkOption>> =
    LazyLock::new(|| HOST_ROWS.iter().map(Row::option).collect());
/// Parts of a parameter's declaration.
pub static PARAM: LazyLock<Vec<FrameworkOption>> =
    LazyLock::new(|| PARAM_ROWS.iter().map(Row::option).collect());

/// What a user takes.
pub static USER: LazyLock<Vec<FrameworkOption>> = LazyLock::new(|| with_role(USER_ROWS));
/// What a token takes.
pub static TOKEN: LazyLock<Vec<FrameworkOption>> = LazyLock::new(|| with_role(TOKEN_ROWS));

fn with_role(rows: &[Row]) -> Vec<FrameworkOption> {
    let mut options: Vec<_> = rows.iter().map(Row::option).collect();
    for option in &mut options {
        option.def.required = option.def.name == "role";
    }
    options
}

/// What `schedule:` takes.
pub static SCHEDULE: LazyLock<Vec<FrameworkOption>> = LazyLock::new(|| {
    let mut options: Vec<_> = SCHEDULE_ROWS.iter().map(Row::option).collect();
    for option in &mut options {
        option.def.required = option.def.name == "cron";
    }
    options
});
/// What `on.failure:` and `on.success:` take.
pub static HOOK: LazyLock<Vec<FrameworkOption>> = LazyLock::new(|| {
    let mut options: Vec<_> = HOOK_ROWS.iter().map(Row::option).collect();
    for option in &mut options {
        option.def.secret = option.def.name == "headers";
    }
    options
});

/// The most tasks of one connector: each is a thread.
pub const TASKS_MAX: i64 = 1024;
/// The most partitions of one topic.
pub const PARTITIONS_MAX: i64 = 10_000;
/// The option of a topic that is no setting of the log.
pub(crate) const REPLICATION_FACTOR: &str = "replication.factor";
const HOUR_MS: i64 = 3_600_000;
const MIB: i64 = 1 << 20;
const SEGMENT_BYTES_MAX: i64 = 2_147_483_647;

/// One line of the tables below.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    alias: &'static str,
    kind: OptionType,
    default: Option<&'static str>,
    docs: &'static str,
    values: &'static [&'static str],
    range: Option<(i64, i64)>,
    built: Built,
    side: Option<ClassKind>,
    /// It is accepted and does nothing here; the docs say why.
    idle: bool,
}

/// Returns an option with a type.
const fn row(name: &'static str, kind: OptionType, docs: &'static str) -> Row {
    Row {
        name,
        alias: "",
        kind,
        default: None,
        docs,
        values: &[],
        range: None,
        built: Built::Yes,
        side: None,
        idle: false,
    }
}

/// Returns an option that a later version builds.
const fn later(name: &'static str, docs: &'static str) -> Row {
    Row {
        built: Built::No,
        ..row(name, OptionType::String, docs)
    }
}

impl Row {
    const fn default(self, text: &'static str) -> Self {
        Self {
            default: Some(text),
            ..self
        }
    }

    const fn range(self, min: i64, max: i64) -> Self {
        Self {
            range: Some((min, max)),
            ..self
        }
    }

    const fn values(self, values: &'static [&'static str]) -> Self {
        Self { values, ..self }
    }

    /// The values that this version does; the others are known.
    const fn only(self, values: &'static [&'static str]) -> Self {
        Self {
            built: Built::Only(values),
            ..self
        }
    }

    const fn alias(self, alias: &'static str) -> Self {
        Self { alias, ..self }
    }

    /// Accepted without effect.
    const fn idle(self) -> Self {
        Self { idle: true, ..self }
    }

    const fn of_source(self) -> Self {
        Self {
            side: Some(ClassKind::Source),
            ..self
        }
    }

    const fn of_sink(self) -> Self {
        Self {
            side: Some(ClassKind::Sink),
            ..self
        }
    }

    fn option(&self) -> FrameworkOption {
        let mut def = OptionDef::new(self.name, self.kind, self.default, self.docs);
        def.values = self
            .values
            .iter()
            .map(|value| (*value).to_owned())
            .collect();
        def.aliases = Some(self.alias.to_owned())
            .filter(|alias| !alias.is_empty())
            .into_iter()
            .collect();
        (def.min, def.max) = self.range.unzip();
        def.group = self.idle.then(|| "ignored".to_owned());
        FrameworkOption {
            def,
            built: self.built,
            kind: self.side,
        }
    }
}

static CONNECTOR_ROWS: &[Row] = &[
    row(
        "connector.class",
        OptionType::String,
        "The class: which plugin does the work.",
    )
    .alias("connector"),
    row(
        "name",
        OptionType::String,
        "The connector's name; in YAML the key says it.",
    ),
    row(
        "tasks.max",
        OptionType::Int,
        "The most tasks the work is divided among.",
    )
    .default("1")
    .range(1, TASKS_MAX),
    row("topics", OptionType::List, "The topics that are read; either this or `topics.regex`.").of_sink(),
    row(
        "topics.regex",
        OptionType::String,
        "A pattern, in Java's syntax: every topic whose whole name matches is read, also those that are made later.",
    )
    .of_sink(),
    row(
        "key.fields",
        OptionType::List,
        "Columns whose struct becomes the key; order is kept per key. Without it the key is null.",
    )
    .of_source(),
    row(
        "offset.flush.interval.ms",
        OptionType::Duration,
        "How often a sink may report progress while nothing arrives.",
    )
    .default("1000")
    .range(1, HOUR_MS),
    row(
        "restart.policy",
        OptionType::String,
        "What happens to a task that stopped with a temporary error, an internal one or a panic.",
    )
    .default("backoff")
    .values(&["backoff", "never"]),
    row(
        "restart.delay.max.ms",
        OptionType::Duration,
        "The longest pause between two restarts.",
    )
    .default("60000")
    .range(1, 24 * HOUR_MS),
    row(
        "no.progress.timeout.ms",
        OptionType::Duration,
        "How long one call of the plugin may last before the task is shown as hung; 0 = for ever.",
    )
    .default("600000")
    .range(0, 24 * HOUR_MS),
    row(
        "moved.from",
        OptionType::String,
        "The connector's former name, whose offsets and state it takes over, once.",
    ),
    row(
        "initial.state",
        OptionType::String,
        "What a connector is that was not here before; afterwards pause, stop and resume decide.",
    )
    .default("RUNNING")
    .values(&["RUNNING", "PAUSED", "STOPPED"]),
    row(
        "tasks.max.enforce",
        OptionType::Boolean,
        "Whether a class that makes more tasks than `tasks.max` is refused.",
    )
    .default("true"),
    row(
        "key.converter",
        OptionType::String,
        "How keys become bytes: auto, row, json, string, bytes, boolean, short, integer, long, float, double; Connect's class names too.",
    )
    .default("auto"),
    row(
        "value.converter",
        OptionType::String,
        "How values become bytes: auto, row, json, string, bytes, boolean, short, integer, long, float, double; Connect's class names too.",
    )
    .default("auto"),
    row(
        "header.converter",
        OptionType::String,
        "How headers become bytes: auto, row, json, string, bytes, boolean, short, integer, long, float, double, simple; Connect's class names too.",
    )
    .default("auto"),
    row(
        "errors.tolerance",
        OptionType::String,
        "none: a bad record stops the task. all: it becomes a dead letter, or is skipped and counted.",
    )
    .default("none")
    .values(&["none", "all"]),
    row(
        "isolation",
        OptionType::String,
        "Whether the plugin runs in a process of its own.",
    )
    .default("none")
    .values(&["none", "process"])
    .only(&["none"]),
    row(
        "config.action.reload",
        OptionType::String,
        "Restart when a secret changes.",
    )
    .default("none")
    .values(&["none", "restart"])
    .only(&["none"]),
    row(
        "transforms",
        OptionType::List,
        "Steps that every record goes through, in order: a list of {name, type, …}, or names with `transforms.NAME.type`.",
    ),
    row(
        "transforms.*",
        OptionType::String,
        "Options of the steps.",
    ),
    row(
        "predicates",
        OptionType::List,
        "Conditions that steps name: a map or a list of {name, type, …}.",
    ),
    row(
        "predicates.*",
        OptionType::String,
        "Options of the conditions.",
    ),
    row(
        "key.converter.*",
        OptionType::String,
        "Options of the key converter.",
    ),
    row(
        "value.converter.*",
        OptionType::String,
        "Options of the value converter.",
    ),
    row(
        "header.converter.*",
        OptionType::String,
        "Options of the header converter.",
    ),
    row(
        "errors.retry.timeout",
        OptionType::Duration,
        "How long a temporary error is retried before it counts as final; -1 = for ever. 0: records are not retried, a put of a sink is without limit.",
    )
    .default("0")
    .range(-1, i64::MAX),
    row(
        "errors.retry.delay.max.ms",
        OptionType::Duration,
        "The longest pause between two such attempts; the first is 300 ms, each one twice the last.",
    )
    .default("60000")
    .range(0, 24 * HOUR_MS),
    row(
        "errors.log.enable",
        OptionType::Boolean,
        "Whether each bad record is logged: where it was, what failed and why, never its content.",
    )
    .default("false"),
    row(
        "errors.log.include.messages",
        OptionType::Boolean,
        "Whether key and value of a bad record are logged with it.",
    )
    .default("false"),
    row(
        "errors.deadletterqueue.topic.name",
        OptionType::Topic,
        "The topic that bad records go to with `errors.tolerance: all`; made with one partition unless it is declared.",
    ),
    row(
        "errors.deadletterqueue.context.headers.enable",
        OptionType::Boolean,
        "Whether dead letters carry headers that say where they come from and why they failed.",
    )
    .default("true"),
    row(
        "errors.deadletterqueue.topic.replication.factor",
        OptionType::Int,
        "Copies of the topic of dead letters; one machine holds one. Accepted without effect.",
    )
    .range(-1, 100),
    row(
        "topic.creation.groups",
        OptionType::List,
        "Groups of topics that are made alike, asked in this order; `default` takes what no other takes.",
    )
    .of_source(),
    row(
        "topic.creation.*",
        OptionType::String,
        "Of a group: include and exclude (patterns of whole names), partitions, replication.factor, and settings of the topic.",
    )
    .of_source(),
    row(
        "exactly.once.support",
        OptionType::String,
        "Records and offsets of a source are one commit in any case; accepted without effect.",
    )
    .values(&["requested", "required"])
    .of_source(),
    row(
        "transaction.boundary",
        OptionType::String,
        "What one commit of a source holds: `poll`, `interval`, or `connector` for classes that say it themselves.",
    )
    .default("poll")
    .values(&["poll", "interval", "connector"])
    .of_source(),
    row(
        "transaction.boundary.interval.ms",
        OptionType::Duration,
        "How long a transaction of `transaction.boundary: interval` lasts; without it `offset.flush.interval.ms`.",
    )
    .range(1, HOUR_MS)
    .of_source(),
    row(
        "offsets.storage.topic",
        OptionType::String,
        "A topic of its own for offsets. Accepted without effect: they are in the log's own commits.",
    )
    .idle()
    .of_source(),
    row(
        "producer.override.*",
        OptionType::String,
        "Settings of Kafka's producer. Accepted without effect: there is none.",
    )
    .idle(),
    row(
        "consumer.override.*",
        OptionType::String,
        "Settings of Kafka's consumer. Accepted without effect: there is none.",
    )
    .idle(),
    row(
        "admin.override.*",
        OptionType::String,
        "Settings of Kafka's admin client. Accepted without effect: there is none.",
    )
    .idle(),
];

/// When the connectors of a file run by themselves, as one bounded job.
static SCHEDULE_ROWS: &[Row] = &[
    row(
        "cron",
        OptionType::String,
        "Minute, hour, day of month, month, day of week; a sixth field in front is seconds; @daily and its like.",
    ),
    row(
        "timezone",
        OptionType::String,
        "The zone of these times: a name such as Asia/Seoul, UTC, or an offset such as +09:00.",
    )
    .default("UTC"),
    row(
        "missed",
        OptionType::String,
        "Times at which no host ran: skip, one run for all of them, or a run for each.",
    )
    .default("run-once")
    .values(&["skip", "run-once", "run-all"]),
    row(
        "overlap",
        OptionType::String,
        "A time at which the run before still works: it is left out, or runs afterwards.",
    )
    .default("skip")
    .values(&["skip", "queue"]),
    row(
        "timeout.ms",
        OptionType::Duration,
        "When a run is given up, as --timeout does.",
    )
    .alias("timeout")
    .range(1, 30 * 24 * HOUR_MS),
    row(
        "name",
        OptionType::String,
        "The job's name; default the file's, without its ending.",
    ),
];

/// What is done after a job; its summary goes with it.
static HOOK_ROWS: &[Row] = &[
    row(
        "command",
        OptionType::List,
        "A program and its arguments, without a shell; the summary is its standard input.",
    ),
    row(
        "url",
        OptionType::String,
        "An address that gets the summary by POST, as JSON.",
    ),
    row("headers", OptionType::Map, "Further headers of the call."),
    row("timeout.ms", OptionType::Duration, "How long it may take.")
        .alias("timeout")
        .default("30000")
        .range(1, HOUR_MS),
];

/// What a topic has beside its settings; those stand in [`topic_settings::TABLE`].
static TOPIC_ROWS: &[Row] = &[
    row(
        "partitions",
        OptionType::Int,
        "The number of partitions; default `host.num.partitions`. It can only grow.",
    )
    .range(1, PARTITIONS_MAX),
    row(
        REPLICATION_FACTOR,
        OptionType::Int,
        "Copies; one machine holds one.",
    )
    .default("1")
    .range(1, 100)
    .only(&["1"]),
];

/// A setting of the log's table as an option of the configuration.
fn topic_option(setting: &TopicSetting) -> FrameworkOption {
    let kind = match setting.kind {
        Kind::Duration => OptionType::Duration,
        Kind::Bytes => OptionType::Bytes,
        Kind::Number => OptionType::Long,
        Kind::Ratio => OptionType::Double,
        Kind::Boolean => OptionType::Boolean,
        Kind::Word | Kind::Replicas => OptionType::String,
        Kind::Words => OptionType::List,
    };
    let default = Some(setting.default).filter(|text| !text.is_empty());
    let docs = match setting.effect {
        Effect::Works => setting.docs.to_owned(),
        Effect::Nothing(why) => format!("{} Accepted without effect: {why}.", setting.docs),
    };
    let mut def = OptionDef::new(setting.name, kind, default, &docs);
    def.values = setting
        .values
        .iter()
        .map(|value| (*value).to_owned())
        .collect();
    (def.min, def.max) = (Some(setting.min), Some(setting.max));
    FrameworkOption {
        def,
        built: Built::Yes,
        kind: None,
    }
}

static HOST_ROWS: &[Row] = &[
    row("data", OptionType::Path, "The data directory.").default("linkspan-data"),
    row(
        "plugins",
        OptionType::Path,
        "Directories that are searched for plugins, in order; one or a list.",
    ),
    row(
        "listen",
        OptionType::String,
        "The address of the REST interface, or none; default 127.0.0.1:8083 for a run that lasts. One that others can reach needs users or tokens, and TLS.",
    )
    .alias("listen.address"),
    row(
        "listen.names",
        OptionType::List,
        "Names that the host is asked by, besides its addresses and localhost: hub.example.org.",
    ),
    row(
        "listen.tls.cert",
        OptionType::Path,
        "The certificate chain of the REST interface, a PEM file; a changed one is taken over by itself, and on SIGHUP.",
    ),
    row(
        "listen.tls.key",
        OptionType::Path,
        "Its private key, a PEM file.",
    ),
    row(
        "users",
        OptionType::Map,
        "Who may use the REST interface, by name: role, and password.hash or password. With users or tokens nobody else may.",
    ),
    row(
        "tokens",
        OptionType::Map,
        "Bearer tokens, by name: role, sha256 or token, and expires.",
    ),
    row(
        "num.partitions",
        OptionType::Int,
        "Partitions of a topic that nobody declared.",
    )
    .default("1")
    .range(1, PARTITIONS_MAX),
    row(
        "stop.timeout.ms",
        OptionType::Duration,
        "How long tasks may take to stop.",
    )
    .default("30000")
    .range(1, HOUR_MS),
    row(
        "memory.max.bytes",
        OptionType::Bytes,
        "Bytes of records that all tasks together hold between plugins and log; each task holds one batch in any case.",
    )
    .default("268435456")
    .range(1 << 20, i64::MAX),
    row(
        "log.backend",
        OptionType::String,
        "Where topics are stored.",
    )
    .default("local")
    .values(&["local", "kafka"])
    .only(&["local"]),
    row(
        "log.durability",
        OptionType::String,
        "fsync: on disk before it is acknowledged; os: when the system likes, lost in a power cut.",
    )
    .default("fsync")
    .values(&["fsync", "os"]),
    row(
        "log.journal.bytes",
        OptionType::Bytes,
        "The size of one journal file.",
    )
    .default("67108864")
    .range(MIB, 1 << 30),
    row(
        "log.journal.max.bytes",
        OptionType::Bytes,
        "The most that the journal takes.",
    )
    .default("1073741824")
    .range(2 * MIB, 1 << 40),
    row(
        "log.segment.bytes",
        OptionType::Bytes,
        "The size of a segment file of a topic that does not say.",
    )
    .default("1073741824")
    .range(MIB, SEGMENT_BYTES_MAX),
    row(
        "log.max.bytes",
        OptionType::Bytes,
        "The most bytes of records that the log holds, journal not counted; -1 = no limit. When it is reached sources wait, nothing is deleted for it, and everything goes on when retention, delete-records or a deleted topic made room.",
    )
    .default("-1")
    .range(-1, i64::MAX),
    row(
        "log.retention.check.interval.ms",
        OptionType::Duration,
        "Time between two looks for what retention may delete.",
    )
    .default("300000")
    .range(1, 24 * HOUR_MS),
    row(
        "log.cache.bytes",
        OptionType::Bytes,
        "Memory for records that were just written.",
    )
    .default("67108864")
    .range(MIB, 1 << 36),
    row(
        "config",
        OptionType::String,
        "Who may change connectors of files.",
    )
    .default("file")
    .values(&["file", "rest"])
    .only(&["file"]),
    row(
        "key.converter",
        OptionType::String,
        "The key converter of connectors that name none; default auto.",
    ),
    row(
        "key.converter.*",
        OptionType::String,
        "Options of that converter.",
    ),
    row(
        "value.converter",
        OptionType::String,
        "The value converter of connectors that name none; default auto.",
    ),
    row(
        "value.converter.*",
        OptionType::String,
        "Options of that converter.",
    ),
    row(
        "header.converter",
        OptionType::String,
        "The header converter of connectors that name none; default auto.",
    ),
    row(
        "header.converter.*",
        OptionType::String,
        "Options of that converter.",
    ),
    row(
        "config.providers",
        OptionType::List,
        "Further names of providers for placeholders; env, file, directory and param are always there.",
    ),
    row(
        "config.providers.*",
        OptionType::String,
        "Of a provider: class, param.allowed.paths (files and folders, absolute) and param.allowlist.pattern (whole names of variables).",
    ),
    later(
        "bootstrap.servers",
        "The Kafka cluster of the backend kafka.",
    ),
    later("group.id", "Hosts of one group share the work."),
    later("metrics.*", "Metrics."),
    row(
        "logging.output",
        OptionType::String,
        "Where the host's own log goes.",
    )
    .default("stderr")
    .values(&["stderr", "file", "journald"]),
    row(
        "logging.format",
        OptionType::String,
        "How a line of it looks; journald gets fields.",
    )
    .default("text")
    .values(&["text", "json"]),
    row(
        "logging.level",
        OptionType::String,
        "The least severe events that show; without it info, in a job warn. LINKSPAN_LOG overrides it.",
    )
    .values(LEVELS),
    row(
        "logging.levels",
        OptionType::Map,
        "Levels of single connectors, by name.",
    ),
    row(
        "logging.file",
        OptionType::Path,
        "The file of the output `file`; default linkspan.log next to the first PATH.",
    ),
    row(
        "logging.file.max.bytes",
        OptionType::Bytes,
        "The size at which the file begins anew.",
    )
    .default("104857600")
    .range(64 << 10, 1 << 40),
    row(
        "logging.file.daily",
        OptionType::Boolean,
        "Whether the file begins anew at midnight, UTC.",
    )
    .default("true"),
    row(
        "logging.file.keep",
        OptionType::Int,
        "How many old files are kept.",
    )
    .default("7")
    .range(0, 10_000),
    row(
        "logging.journald.socket",
        OptionType::Path,
        "The socket of the output `journald`.",
    )
    .default("/run/systemd/journal/socket"),
];

const ROLE: Row = row(
    "role",
    OptionType::String,
    "viewer sees all but the values of records, operator works with connectors, offsets and records, admin makes, changes and deletes.",
)
.values(&["viewer", "operator", "admin"]);

static USER_ROWS: &[Row] = &[
    ROLE,
    row(
        "password.hash",
        OptionType::String,
        "The argon2id hash of the password, as `linkspan users hash` prints it.",
    ),
    row(
        "password",
        OptionType::String,
        "The password itself, by a placeholder only: ${env:NAME} or ${file:path:key}.",
    ),
];

static TOKEN_ROWS: &[Row] = &[
    ROLE,
    row(
        "sha256",
        OptionType::String,
        "The SHA-256 of the token, 64 hex digits, as `linkspan users token` prints it.",
    ),
    row(
        "token",
        OptionType::String,
        "The token itself, by a placeholder only: ${env:NAME} or ${file:path:key}.",
    ),
    row(
        "expires",
        OptionType::String,
        "From when on it is worth nothing: 2027-01-31 or 2027-01-31T12:00:00Z.",
    ),
];

static PARAM_ROWS: &[Row] = &[
    row("type", OptionType::String, "What the value is.")
        .default("string")
        .values(&["string", "int", "date"]),
    row(
        "default",
        OptionType::String,
        "The value when the run names none; without it the run must.",
    ),
    row(
        "timezone",
        OptionType::String,
        "Where `today` is decided: Asia/Seoul, UTC, +09:00.",
    )
    .default("UTC"),
    row("docs", OptionType::String, "What it means."),
];

//! Settings of the host, of its users and tokens, and of parameters.

use super::row::{Row, later, row};
use super::{HOUR_MS, MIB, PARTITIONS_MAX, SEGMENT_BYTES_MAX};
use crate::logging::LEVELS;
use crate::option::OptionType;

pub(super) static HOST_ROWS: &[Row] = &[
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

pub(super) const ROLE: Row = row(
    "role",
    OptionType::String,
    "viewer sees all but the values of records, operator works with connectors, offsets and records, admin makes, changes and deletes.",
)
.values(&["viewer", "operator", "admin"]);

pub(super) static USER_ROWS: &[Row] = &[
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

pub(super) static TOKEN_ROWS: &[Row] = &[
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

pub(super) static PARAM_ROWS: &[Row] = &[
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

//! Options of every connector.

use super::row::{Row, row};
use super::{HOUR_MS, TASKS_MAX};
use crate::option::OptionType;

pub(super) static CONNECTOR_ROWS: &[Row] = &[
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

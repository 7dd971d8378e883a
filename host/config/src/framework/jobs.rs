//! Options of schedules and hooks.

use super::HOUR_MS;
use super::row::{Row, row};
use crate::option::OptionType;

/// When the connectors of a file run by themselves, as one bounded job.
pub(super) static SCHEDULE_ROWS: &[Row] = &[
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
pub(super) static HOOK_ROWS: &[Row] = &[
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

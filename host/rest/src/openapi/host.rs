//! Shapes of the host, the fleet, jobs and figures.

use serde_json::{Value, json};

use super::shape::{
    Shape, any, extended, flag, integer, list, named, number, object, or_null, text, words,
};
use crate::fleet::HEALTH_WORDS;

pub(super) fn shapes() -> Vec<Shape> {
    let mut shapes = vec![
        (
            "Whoami",
            object(&[
                ("user", text()),
                ("role", words(&["viewer", "operator", "admin"])),
                ("auth", flag()),
            ]),
        ),
        ("Audit", object(&[("entries", list(named("AuditEntry")))])),
        ("AuditEntry", audit_entry()),
        ("Host", host()),
        (
            "Explanation",
            object(&[("code", text()), ("title", text()), ("text", text())]),
        ),
        ("Jobs", list(named("Job"))),
        (
            "Job",
            object(&[
                ("job", text()),
                ("state", text()),
                ("run_id?", text()),
                ("started_ms?", integer()),
                ("connectors", list(text())),
                ("schedule?", text()),
                ("timezone?", text()),
                ("next?", or_null(text())),
                ("next_ms?", or_null(integer())),
                ("last?", any()),
                ("waiting?", integer()),
                ("origin?", text()),
            ]),
        ),
        ("HandedJob", json!({ "type": "object" })),
        (
            "JobEvent",
            object(&[
                ("started?", any()),
                ("progress?", any()),
                ("done?", any()),
                ("failed?", any()),
            ]),
        ),
        ("Any", any()),
        ("Cancelled", object(&[("cancelled", text())])),
        (
            "Applied",
            object(&[
                ("started", list(text())),
                ("restarted", list(text())),
                ("left", list(text())),
                ("unchanged", integer()),
            ]),
        ),
        (
            "LogStat",
            json!({ "type": "object", "required": ["dir", "health", "topics", "commits"] }),
        ),
        ("Backup", object(&[("dir", text())])),
        (
            "BackupReport",
            object(&[
                ("dir", text()),
                ("files", integer()),
                ("bytes", integer()),
                ("segments", integer()),
                ("records", integer()),
                ("last_lsn", integer()),
                ("leader_epoch", integer()),
            ]),
        ),
    ];
    shapes.extend(fleet());
    shapes
}

fn audit_entry() -> Value {
    object(&[
        ("seq", integer()),
        ("t_ms", integer()),
        ("user", or_null(text())),
        ("role", or_null(text())),
        ("from", text()),
        ("method", text()),
        ("path", text()),
        ("status", integer()),
    ])
}

fn host() -> Value {
    let fsync = object(&[
        ("count", integer()),
        ("p50_us", integer()),
        ("p99_us", integer()),
        ("max_us", integer()),
    ]);
    let log = object(&[
        ("health", text()),
        ("topics", integer()),
        ("disk_bytes", integer()),
        ("log_bytes", integer()),
        ("log_bytes_max", or_null(integer())),
        ("commits", integer()),
        ("fsync", fsync),
    ]);
    let memory = object(&[
        ("rss_bytes", or_null(integer())),
        ("open_files", or_null(integer())),
        ("threads", or_null(integer())),
    ]);
    let disk = object(&[("total_bytes", integer()), ("free_bytes", integer())]);
    let listen = object(&[
        ("address", or_null(text())),
        ("tls", flag()),
        ("auth", flag()),
    ]);
    object(&[
        ("name", text()),
        ("version", text()),
        ("pid", integer()),
        ("started_ms", or_null(integer())),
        ("uptime_s", or_null(integer())),
        ("data_dir", text()),
        ("commit", or_null(text())),
        ("ready", or_null(flag())),
        ("starting", or_null(text())),
        ("log", log),
        ("memory", memory),
        ("disk", or_null(disk)),
        ("listen", listen),
    ])
}

fn problem() -> Value {
    object(&[
        ("code", text()),
        ("message", text()),
        ("remedy", or_null(text())),
    ])
}

/// A row of the fleet; a connector's page has it too.
pub(super) fn row() -> Value {
    let speed = object(&[("records_per_s", number()), ("bytes_per_s", number())]);
    let lag = object(&[
        ("records", integer()),
        ("seconds", or_null(number())),
        ("partitions", integer()),
    ]);
    let task = object(&[
        ("id", integer()),
        ("state", text()),
        ("connect_state", text()),
        ("starts", integer()),
        ("restarts", integer()),
        ("records", integer()),
        ("error?", or_null(problem())),
        ("next_attempt_ms?", or_null(integer())),
        ("hung_ms?", or_null(integer())),
        ("trace?", text()),
    ]);
    object(&[
        ("name", text()),
        ("type", text()),
        ("class", text()),
        ("health", words(&HEALTH_WORDS)),
        ("state", text()),
        ("target", text()),
        ("since_ms", integer()),
        ("origin", text()),
        ("owner", words(&["file", "rest", "none"])),
        ("left", flag()),
        ("tasks", list(task)),
        ("error", or_null(problem())),
        ("records", integer()),
        ("bytes", integer()),
        ("filtered", integer()),
        ("dlq", integer()),
        ("skipped", integer()),
        ("lost", integer()),
        ("restarts", integer()),
        ("starts", integer()),
        ("zombies", integer()),
        ("rate", speed),
        ("lag", or_null(lag)),
        ("last_record_ms", or_null(integer())),
        ("freshness_s", or_null(number())),
        ("topics", list(text())),
        ("job", or_null(text())),
        ("stage", or_null(text())),
    ])
}

fn fleet() -> Vec<Shape> {
    let mut totals = object(&[
        ("connectors", integer()),
        ("tasks", integer()),
        ("tasks_failed", integer()),
        ("records_per_s", number()),
        ("bytes_per_s", number()),
        ("lag_records", integer()),
        ("dlq", integer()),
        ("restarts", integer()),
    ]);
    for word in HEALTH_WORDS {
        totals = extended(&totals, &[(word, integer())]);
    }
    let node = object(&[
        ("id", text()),
        ("kind", words(&["source", "sink", "topic"])),
        ("name", text()),
        ("health?", text()),
        ("class?", text()),
        ("records_per_s", number()),
        ("lag_records?", or_null(integer())),
        ("partitions?", integer()),
        ("records?", integer()),
        ("bytes?", integer()),
        ("dlq?", flag()),
    ]);
    let edge = object(&[
        ("from", text()),
        ("to", text()),
        ("records_per_s", or_null(number())),
        ("lag_records", or_null(integer())),
        ("dlq", flag()),
    ]);
    vec![
        (
            "Fleet",
            object(&[
                ("now_ms", integer()),
                ("seq", integer()),
                // Null: the log does not tell its figures.
                ("host", or_null(named("Host"))),
                ("totals", totals),
                ("connectors", list(named("FleetRow"))),
            ]),
        ),
        ("FleetRow", row()),
        (
            "Graph",
            object(&[("nodes", list(node)), ("edges", list(edge))]),
        ),
    ]
}

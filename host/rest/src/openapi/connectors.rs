//! Shapes of connectors: states, events, offsets.

use serde_json::Value;

use super::host;
use super::shape::{
    Shape, any, either, extended, flag, integer, list, map, named, number, object, or_null, text,
    words,
};

pub(super) fn shapes() -> Vec<Shape> {
    vec![
        ("ConnectorStatuses", list(named("ConnectorStatus"))),
        ("ConnectorStatus", object(&status())),
        ("ConnectorDetail", detail()),
        ("Deleted", object(&[("deleted", text())])),
        ("Events", object(&[("events", list(named("Event")))])),
        (
            "Event",
            object(&[
                ("id", integer()),
                ("t_ms", integer()),
                ("type", words(&["added", "removed", "connector", "error"])),
                ("connector", text()),
                ("from", or_null(text())),
                ("to", or_null(text())),
                ("code", or_null(text())),
                ("message", or_null(text())),
            ]),
        ),
        (
            "Offsets",
            object(&[(
                "offsets",
                list(object(&[
                    ("partition", map(any())),
                    ("offset", or_null(map(any()))),
                ])),
            )]),
        ),
        (
            "OffsetsChange",
            either(&[
                object(&[("message", text()), ("offsets?", list(any()))]),
                object(&[
                    ("preview", flag()),
                    ("stopped", flag()),
                    (
                        "changes",
                        list(object(&[
                            ("partition", map(any())),
                            ("from", or_null(map(any()))),
                            ("to", or_null(map(any()))),
                        ])),
                    ),
                ]),
            ]),
        ),
        (
            "LogLines",
            object(&[
                ("lines", list(line())),
                ("dropped", integer()),
                ("next", integer()),
            ]),
        ),
        ("Rewind", object(&[("to_ms", integer())])),
    ]
}

fn line() -> Value {
    object(&[
        ("seq", integer()),
        ("t_ms", integer()),
        ("level", words(&["ERROR", "WARN", "INFO", "DEBUG", "TRACE"])),
        ("task", or_null(text())),
        ("target", text()),
        ("message", text()),
        ("fields", map(text())),
    ])
}

/// What the host says of a connector; one that waits for the time of its job says less.
fn status() -> Vec<(&'static str, Value)> {
    let task = object(&[
        ("id", integer()),
        ("state", text()),
        ("connect_state", text()),
        ("trace?", text()),
        ("starts", integer()),
        ("restarts", integer()),
        ("records", integer()),
        ("next_attempt_ms?", integer()),
        ("hung_ms?", integer()),
    ]);
    vec![
        ("name", text()),
        ("type", or_null(text())),
        ("class?", text()),
        ("origin?", text()),
        ("left?", flag()),
        ("target?", text()),
        ("state", text()),
        ("trace?", text()),
        ("tasks", list(task)),
        ("starts?", integer()),
        ("records?", integer()),
        ("bytes?", integer()),
        ("filtered?", integer()),
        ("dead_letters?", integer()),
        ("skipped?", integer()),
        ("restarts?", integer()),
        ("lost?", integer()),
        ("zombies?", integer()),
        ("stage?", or_null(text())),
        ("stage_ms?", integer()),
        ("next_attempt_ms?", integer()),
        ("topics?", list(text())),
        ("error?", or_null(text())),
        ("job?", or_null(text())),
        ("next?", or_null(text())),
    ]
}

/// Row and status together, and what the fleet remembers.
fn detail() -> Value {
    let point = object(&[
        ("t_ms", integer()),
        ("records_per_s", number()),
        ("bytes_per_s", number()),
        ("lag_records", or_null(integer())),
        ("lag_seconds", or_null(number())),
        ("dlq", integer()),
        ("health", text()),
    ]);
    let lag = object(&[
        ("topic", text()),
        ("partition", integer()),
        ("committed", or_null(integer())),
        ("end", or_null(integer())),
        ("lag", or_null(integer())),
    ]);
    let error = object(&[
        ("t_ms", integer()),
        ("code", or_null(text())),
        ("message", or_null(text())),
        ("remedy", or_null(text())),
    ]);
    // Of a field that both have, the status says what it is.
    let both = extended(
        &host::row(),
        &[
            ("trace?", text()),
            ("dead_letters", integer()),
            ("stage_ms?", integer()),
            ("next_attempt_ms?", integer()),
        ],
    );
    extended(
        &both,
        &[
            ("error?", any()),
            ("config", or_null(map(text()))),
            ("lag_by_partition", list(lag)),
            ("history", list(point)),
            ("events", list(named("Event"))),
            ("errors", list(error)),
        ],
    )
}

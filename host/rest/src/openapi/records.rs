//! Shapes of topics, records, groups and dead letters.

use serde_json::{Value, json};

use super::shape::{Shape, either, flag, integer, list, map, named, object, or_null, text};

pub(super) fn shapes() -> Vec<Shape> {
    let mut shapes = topics();
    shapes.extend(records());
    shapes.extend(groups());
    shapes.extend(members());
    shapes.extend(letters());
    shapes
}

fn partition() -> Value {
    object(&[
        ("partition", integer()),
        ("log_start", integer()),
        ("high_watermark", integer()),
        ("segments?", integer()),
        ("bytes", integer()),
        ("unflushed_bytes", integer()),
        ("oldest_ms?", or_null(integer())),
        ("newest_ms?", or_null(integer())),
        ("lost?", integer()),
    ])
}

fn setting() -> Value {
    object(&[
        ("name", text()),
        ("value", text()),
        ("default", flag()),
        ("docs", text()),
        ("no_effect?", text()),
    ])
}

fn topics() -> Vec<Shape> {
    vec![
        (
            "Topics",
            list(object(&[
                ("name", text()),
                ("id", text()),
                ("partitions", integer()),
                ("records", integer()),
                ("bytes", integer()),
                ("settings", map(text())),
            ])),
        ),
        (
            "NewTopic",
            object(&[
                ("name", text()),
                ("partitions?", or_null(integer())),
                ("settings?", map(text())),
            ]),
        ),
        (
            "TopicBrief",
            object(&[
                ("name", text()),
                ("id", text()),
                ("partitions", integer()),
                ("settings", map(text())),
            ]),
        ),
        (
            "Topic",
            object(&[
                ("name", text()),
                ("id", text()),
                ("partitions", list(partition())),
                ("settings", list(setting())),
            ]),
        ),
        (
            "TopicChange",
            object(&[
                ("partitions?", or_null(integer())),
                ("settings?", map(or_null(text()))),
            ]),
        ),
        (
            "TopicDeleted",
            object(&[("deleted", text()), ("id", text())]),
        ),
        (
            "DeleteRecords",
            object(&[
                ("partition?", or_null(integer())),
                ("before?", or_null(integer())),
            ]),
        ),
        (
            "RecordsDeleted",
            object(&[
                ("topic", text()),
                (
                    "partitions",
                    list(object(&[
                        ("partition", integer()),
                        ("log_start", integer()),
                    ])),
                ),
            ]),
        ),
    ]
}

fn record() -> Value {
    object(&[
        ("topic", text()),
        ("partition", integer()),
        ("offset", integer()),
        ("timestamp", integer()),
        ("key", named("Data")),
        ("value", named("Data")),
        ("headers", list(list(named("Data")))),
    ])
}

fn headers() -> Value {
    either(&[list(list(named("Data"))), object(&[("hidden", flag())])])
}

/// A letter before and after the steps that mend it.
fn sample() -> Value {
    let record = object(&[
        ("key", named("Data")),
        ("value", named("Data")),
        ("headers", headers()),
    ]);
    object(&[
        ("partition", integer()),
        ("offset", integer()),
        ("before", record.clone()),
        ("after", list(record)),
    ])
}

fn page() -> Value {
    let row = object(&[
        ("topic", text()),
        ("partition", integer()),
        ("offset", integer()),
        ("timestamp", integer()),
        ("key", named("Data")),
        ("value", named("Data")),
        ("headers", headers()),
        ("key_bytes", or_null(integer())),
        ("value_bytes", or_null(integer())),
        ("truncated", flag()),
    ]);
    object(&[
        ("topic", text()),
        ("records", list(row)),
        ("next", text()),
        ("scanned", integer()),
        ("end", flag()),
        ("notes", list(text())),
    ])
}

fn records() -> Vec<Shape> {
    vec![
        // Text when it is UTF-8; never parsed.
        (
            "Data",
            either(&[
                text(),
                object(&[("base64", text())]),
                object(&[("hidden", flag())]),
                json!({ "type": "null" }),
            ]),
        ),
        ("Record", record()),
        ("Page", page()),
        (
            "RecordLine",
            either(&[
                named("Record"),
                object(&[("note", text())]),
                object(&[("error", text())]),
            ]),
        ),
        (
            "NewRecord",
            object(&[
                ("topic?", text()),
                ("partition?", integer()),
                ("offset?", integer()),
                ("timestamp?", integer()),
                ("key?", named("Data")),
                ("value?", named("Data")),
                ("headers?", list(list(named("Data")))),
            ]),
        ),
        (
            "Produced",
            object(&[
                ("topic", text()),
                ("records", integer()),
                (
                    "batches",
                    list(object(&[
                        ("partition", integer()),
                        ("base_offset", integer()),
                    ])),
                ),
            ]),
        ),
    ]
}

fn groups() -> Vec<Shape> {
    let member = object(&[
        ("member", text()),
        ("topics", list(text())),
        ("assigned", list(text())),
    ]);
    let position = object(&[
        ("topic", text()),
        ("topic_id", text()),
        ("partition", integer()),
        ("committed", or_null(integer())),
        ("leader_epoch", or_null(integer())),
        ("metadata", or_null(text())),
        ("commit_ts", or_null(integer())),
        ("log_start", or_null(integer())),
        ("log_end", or_null(integer())),
        ("lag", or_null(integer())),
        ("member", or_null(text())),
    ]);
    let moved = object(&[
        ("topic", text()),
        ("partition", integer()),
        ("from", or_null(integer())),
        ("to", integer()),
    ]);
    vec![
        (
            "Groups",
            list(object(&[
                ("group", text()),
                ("state", text()),
                ("members", integer()),
            ])),
        ),
        (
            "Group",
            object(&[
                ("group", text()),
                ("state", text()),
                ("assignor", or_null(text())),
                ("members", list(member)),
                ("offsets", list(position)),
            ]),
        ),
        (
            "GroupReset",
            object(&[
                ("topics?", list(text())),
                ("to", text()),
                ("execute?", flag()),
            ]),
        ),
        (
            "GroupWasReset",
            object(&[
                ("group", text()),
                ("executed", flag()),
                ("new", flag()),
                ("positions", list(moved)),
            ]),
        ),
    ]
}

/// Members that read for people.
fn members() -> Vec<Shape> {
    let assigned = object(&[
        ("topic", text()),
        ("partition", integer()),
        ("next", integer()),
        ("stored", flag()),
    ]);
    vec![
        (
            "Join",
            object(&[("topics", list(text())), ("from?", or_null(text()))]),
        ),
        ("Joined", object(&[("member", text())])),
        ("Left", object(&[("left", flag())])),
        (
            "Polled",
            object(&[
                ("records", list(named("Record"))),
                ("assigned", list(assigned)),
                ("revoked", list(text())),
                ("lost", list(text())),
                ("at_end", flag()),
            ]),
        ),
        ("Committed", object(&[])),
    ]
}

fn letters() -> Vec<Shape> {
    let letter = object(&[
        ("partition", integer()),
        ("offset", integer()),
        ("timestamp", integer()),
        ("from", text()),
        ("connector", or_null(text())),
        ("stage", or_null(text())),
        ("code", or_null(text())),
        ("class", or_null(text())),
        ("message", or_null(text())),
        ("topic", or_null(text())),
        ("key", named("Data")),
        ("value", named("Data")),
        ("headers", headers()),
    ]);
    vec![
        (
            "LetterTopics",
            list(object(&[("topic", text()), ("letters", integer())])),
        ),
        (
            "WhichLetters",
            object(&[
                ("offsets?", list(text())),
                ("code?", or_null(text())),
                ("limit?", or_null(integer())),
                ("to?", or_null(text())),
                ("preview?", flag()),
                ("transforms?", map(text())),
            ]),
        ),
        (
            "Letters",
            object(&[
                ("topic", text()),
                ("letters", list(letter)),
                ("more", flag()),
            ]),
        ),
        (
            "Replayed",
            object(&[
                ("topic", text()),
                ("preview", flag()),
                (
                    "replayed",
                    list(object(&[("topic", text()), ("records", integer())])),
                ),
                ("before", integer()),
                ("unknown", integer()),
                ("filtered", integer()),
                ("samples", list(sample())),
            ]),
        ),
    ]
}

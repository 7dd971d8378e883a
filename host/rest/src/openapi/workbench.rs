//! Shapes of runs, plugins, trials and configurations.

use serde_json::Value;

use super::shape::{
    Shape, any, extended, flag, integer, list, map, named, object, or_null, text, words,
};

pub(super) fn shapes() -> Vec<Shape> {
    let mut shapes = vec![
        ("Runs", list(named("Run"))),
        ("Run", run()),
        ("Plugins", list(object(&plugin()))),
        (
            "PluginDetail",
            extended(
                &object(&plugin()),
                &[
                    ("options", list(option())),
                    ("config_keys", list(named("ConfigKey"))),
                ],
            ),
        ),
        (
            "Doctor",
            object(&[(
                "findings",
                list(object(&[
                    ("check", text()),
                    ("status", words(&["ok", "warn", "fail"])),
                    ("found", text()),
                    ("remedy", or_null(text())),
                ])),
            )]),
        ),
        (
            "TryTransforms",
            // With options of steps these are tried, not those of the connector.
            object(&[
                ("connector?", or_null(text())),
                ("options?", map(text())),
                ("record", any()),
            ]),
        ),
        (
            "TriedTransforms",
            object(&[
                ("connector", text()),
                (
                    "steps",
                    list(object(&[
                        ("step", or_null(text())),
                        ("type", or_null(text())),
                        ("record?", any()),
                        ("error?", text()),
                    ])),
                ),
            ]),
        ),
        (
            "ToValidate",
            object(&[("name?", text()), ("config", map(or_null(text())))]),
        ),
    ];
    shapes.extend(trials());
    shapes.extend(configuration());
    shapes
}

/// The first records of a source that does not run.
fn trials() -> Vec<Shape> {
    vec![
        (
            "TrySource",
            object(&[
                ("name?", text()),
                ("config", map(or_null(text()))),
                ("limit?", or_null(integer())),
            ]),
        ),
        (
            "TriedSource",
            object(&[
                (
                    "records",
                    list(object(&[
                        ("topic", text()),
                        // -1: by key.
                        ("partition", integer()),
                        ("timestamp", integer()),
                        ("key", named("Data")),
                        ("value", named("Data")),
                        ("headers", list(list(named("Data")))),
                    ])),
                ),
                ("filtered", integer()),
                ("ended", flag()),
            ]),
        ),
    ]
}

/// A run that works, or that was lost, says less than one that has ended.
fn run() -> Value {
    object(&[
        ("run_id", text()),
        ("job?", text()),
        ("trigger?", text()),
        ("status?", text()),
        ("exit_code?", or_null(integer())),
        ("started?", text()),
        ("ended?", or_null(text())),
        ("due?", or_null(text())),
        ("duration_ms?", or_null(integer())),
        ("rerun_of?", or_null(text())),
        ("config_sha256?", text()),
        ("data_dir?", text()),
        ("pid?", integer()),
        ("asked?", any()),
        ("params?", any()),
        ("connectors?", list(any())),
        ("warnings?", list(any())),
        ("error?", or_null(any())),
    ])
}

fn plugin() -> Vec<(&'static str, Value)> {
    vec![
        ("class", text()),
        ("type", words(&["source", "sink", "transform"])),
        ("version", text()),
        ("plugin", text()),
        ("path", text()),
        ("aliases", list(text())),
        ("summary", text()),
        ("options", integer()),
    ]
}

fn option() -> Value {
    object(&[
        ("name", text()),
        ("type", text()),
        ("required", flag()),
        ("default", or_null(text())),
        ("importance", or_null(text())),
        ("doc", text()),
        ("secret", flag()),
        ("values", list(text())),
    ])
}

/// Kafka Connect's shapes, and those of files.
fn configuration() -> Vec<Shape> {
    let key = object(&[
        ("name", text()),
        ("type", text()),
        ("required", flag()),
        ("default_value", or_null(text())),
        ("importance", text()),
        ("documentation", text()),
        ("group", or_null(text())),
        ("order_in_group", integer()),
        ("width", text()),
        ("display_name", text()),
        ("dependents", list(text())),
    ]);
    let value = object(&[
        ("name", text()),
        ("value", or_null(text())),
        ("recommended_values", list(text())),
        ("errors", list(text())),
        ("visible", flag()),
    ]);
    let info = object(&[
        ("definition", or_null(named("ConfigKey"))),
        ("value", value),
    ]);
    let diagnostic = object(&[
        ("severity", text()),
        ("code", text()),
        ("title", or_null(text())),
        ("message", text()),
        ("file", or_null(text())),
        ("line", or_null(integer())),
        ("column", or_null(integer())),
        ("hint", or_null(text())),
        ("help", or_null(text())),
        ("notes", list(text())),
        ("related", list(any())),
    ]);
    vec![
        ("ConfigKey", key),
        (
            "ConfigInfos",
            object(&[
                ("name", text()),
                ("error_count", integer()),
                ("groups", list(text())),
                ("configs", list(info)),
            ]),
        ),
        (
            "Plan",
            object(&[
                ("valid", flag()),
                ("diagnostics", list(diagnostic)),
                ("started", list(text())),
                ("restarted", list(text())),
                ("left", list(text())),
                ("unchanged", integer()),
            ]),
        ),
        ("Exported", object(&[("yaml", text())])),
    ]
}

use std::collections::BTreeMap;

use super::*;

fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn the_table_is_sorted_and_its_defaults_are_valid() {
    let names: Vec<&str> = TABLE.iter().map(|setting| setting.name).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(names, sorted);
    for setting in TABLE.iter().filter(|setting| !setting.default.is_empty()) {
        let stored = canonical(&settings(&[(setting.name, setting.default)]))
            .unwrap_or_else(|errors| panic!("{errors:?}"));
        assert_eq!(stored[setting.name], setting.default, "{}", setting.name);
    }
}

#[test]
fn spellings_become_one_form() {
    for (name, text, stored) in [
        ("retention.ms", "7d", "604800000"),
        ("retention.ms", " 1000 ", "1000"),
        ("retention.ms", "-1", "-1"),
        ("retention.bytes", "1GiB", "1073741824"),
        ("cleanup.policy", "compact, delete", "compact,delete"),
        (
            "cleanup.policy",
            "[\"compact\",\"delete\"]",
            "compact,delete",
        ),
        ("cleanup.policy", "", ""),
        ("preallocate", "TRUE", "true"),
        ("keep.unread", "False", "false"),
        ("min.cleanable.dirty.ratio", "0.25", "0.25"),
    ] {
        let found = canonical(&settings(&[(name, text)])).unwrap();
        assert_eq!(found[name], stored, "{name}={text}");
    }
}

#[test]
fn all_mistakes_are_named_at_once_with_their_remedies() {
    let errors = canonical(&settings(&[
        ("Retention.ms", "1"),
        ("cleanup.policy", "compact,remove"),
        ("compression.type", "gzip"),
        ("max.compaction.lag.ms", "50"),
        ("min.compaction.lag.ms", "100"),
        ("min.cleanable.dirty.ratio", "1.5"),
        ("no.such.config", "1"),
        ("retention.ms", "7 weeks"),
        ("segment.bytes", "1000"),
    ]))
    .unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "`Retention.ms` is not a setting of a topic: did you mean `retention.ms`?",
            "`cleanup.policy` may not be `compact,remove`: write one of compact, delete",
            "`compression.type` may not be `gzip`: this codec is read, never written; use lz4 or zstd",
            "`min.cleanable.dirty.ratio` may not be `1.5`: write a number from 0 to 1, such as 0.5",
            "`no.such.config` is not a setting of a topic: the settings are those of a Kafka topic, and `keep.unread`",
            "`retention.ms` may not be `7 weeks`: write a whole number, or one with a unit such as 500ms, 30s, 5m, 2h or 7d",
            "`segment.bytes` may not be `1000`: write 1048576 up to 2147483647",
            "`min.compaction.lag.ms` is 100, more than `max.compaction.lag.ms` 50: make it smaller, or the other one larger",
        ]
    );
}

#[test]
fn the_log_reads_what_was_stored() {
    let parsed = TopicSettings::parse(&settings(&[
        ("cleanup.policy", "compact"),
        ("retention.ms", "-1"),
        ("retention.bytes", "-2"),
        ("keep.unread", "false"),
        ("compression.type", "none"),
        ("segment.bytes", "2MiB"),
    ]))
    .unwrap();
    assert!(parsed.compact && !parsed.delete && !parsed.keep_unread);
    assert_eq!((parsed.retention_ms, parsed.retention_bytes), (None, None));
    assert_eq!(parsed.segment_bytes, Some(2 << 20));
    assert_eq!(parsed.compression, TopicCompression::Uncompressed);
    let default = TopicSettings::default();
    assert!(default.delete && !default.compact && default.keep_unread);
    assert_eq!(default.retention_ms, Some(7 * 24 * 3_600_000));
    assert_eq!(
        (default.segment_bytes, default.max_message_bytes),
        (None, None)
    );
}

/// The table of the log's README.
fn rendered() -> String {
    let mut out = String::from("| setting | default | takes | what it does |\n|---|---|---|---|\n");
    for setting in TABLE {
        let numbers = match (setting.min, setting.max) {
            (i64::MIN, i64::MAX) => String::new(),
            (min, i64::MAX) => format!(", from {min}"),
            (min, max) => format!(", {min} to {max}"),
        };
        let takes = match setting.kind {
            Kind::Duration => format!("milliseconds or `7d`{numbers}"),
            Kind::Bytes => format!("bytes or `1GiB`{numbers}"),
            Kind::Number => format!("a whole number{numbers}"),
            Kind::Ratio => "a number from 0 to 1".to_owned(),
            Kind::Boolean => "`true`, `false`".to_owned(),
            Kind::Word => format!("one of `{}`", setting.values.join("`, `")),
            Kind::Words => format!("some of `{}`", setting.values.join("`, `")),
            Kind::Replicas => "`PARTITION:BROKER`, …, or `*`".to_owned(),
        };
        let effect = match setting.effect {
            Effect::Works => String::new(),
            Effect::Nothing(why) => format!(" *Accepted without effect: {why}.*"),
        };
        let default = match setting.default {
            "" => String::new(),
            text => format!("`{text}`"),
        };
        out.push_str(&format!(
            "| `{}` | {default} | {takes} | {}{effect} |\n",
            setting.name, setting.docs
        ));
    }
    out
}

#[test]
fn the_readme_has_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../log/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (before, rest) = readme
        .split_once("<!-- topic settings: begin -->\n")
        .unwrap();
    let (table, after) = rest.split_once("<!-- topic settings: end -->").unwrap();
    if std::env::var_os("LINKSPAN_BLESS").is_some() {
        let table = rendered();
        let text = format!(
            "{before}<!-- topic settings: begin -->\n{table}<!-- topic settings: end -->{after}"
        );
        std::fs::write(path, text).unwrap();
        return;
    }
    assert_eq!(table, rendered(), "run it with LINKSPAN_BLESS=1");
}

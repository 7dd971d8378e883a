//! Warnings about what is allowed and probably not meant, each with its place and its remedy.

use super::*;

/// What is said about a file with these topics, source options and sinks; the source is at line 3.
fn said(topics: &str, source: &str, sink: &str) -> Vec<String> {
    let text = format!(
        "topics: {{ {topics} }}\nconnectors:\n  in: {{ connector: file-source, path: x, topic: t{source} }}\n  out: {{ connector: blackhole-sink, {sink} }}\n"
    );
    let case = Case::one(&text);
    let lines = case.lines();
    // They are warnings: the plan stands.
    case.plan();
    lines
}

#[test]
fn several_partitions_without_a_key_are_a_warning() {
    let of_four = "t: { partitions: 4 }";
    let warned = said(of_four, "", "topics: [t]");
    assert_eq!(
        warned,
        [
            "LS0905 a.yaml:3:49 connector `in` writes records without a key to the 4 partitions of `t`: they keep their order inside of a partition only"
        ]
    );
    let none = Vec::<String>::new();
    for (topics, source) in [
        ("t: { partitions: 1 }", ""),
        ("", ""),
        (of_four, ", key.fields: [id]"),
        (
            of_four,
            ", transforms: [{ name: k, type: ValueToKey, fields: [id] }]",
        ),
        (of_four, ", header.key: x"),
    ] {
        assert_eq!(said(topics, source, "topics: [t]"), none, "{source}");
    }
}

#[test]
fn the_host_s_number_of_partitions_counts_where_no_topic_is_declared() {
    let text = "host: { num.partitions: 3 }\nconnectors:\n  in: { connector: file-source, path: x, topic: t }\n  out: { connector: blackhole-sink, topics: [t], tasks.max: 3 }\n";
    let lines = Case::one(text).lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].starts_with("LS0905 a.yaml:3:49 "),
        "as many tasks as partitions are fine: {lines:?}"
    );
}

#[test]
fn more_tasks_than_partitions_are_a_warning() {
    let sink = |tasks: u32| format!("topics: [t], tasks.max: {tasks}");
    assert_eq!(
        said("", "", &sink(3)),
        [
            "LS0906 a.yaml:4:61 connector `out`: 3 tasks for 1 partition: 2 of them have nothing to do"
        ]
    );
    assert_eq!(said("", "", &sink(1)), Vec::<String>::new());
    // What a pattern will match nobody knows.
    let open = said("", "", "topics.regex: t, tasks.max: 3");
    assert_eq!(open, Vec::<String>::new());
}

#[test]
fn a_pattern_that_matches_nothing_is_a_warning() {
    assert_eq!(
        said("", "", "topics.regex: orders"),
        [
            "LS0902 a.yaml:4:51 connector `out`: `topics.regex` `orders` matches no topic that these files name"
        ]
    );
    // A declared topic, and one that a source writes.
    for topics in ["orders: {}", "orders-2: {}"] {
        assert_eq!(
            said(topics, "", "topics.regex: orders"),
            Vec::<String>::new()
        );
    }
}

#[test]
fn each_lint_says_what_to_do() {
    let text = "topics: { t: { partitions: 2 } }\nconnectors:\n  in: { connector: file-source, path: x, topic: t }\n  out: { connector: blackhole-sink, topics: [t], tasks.max: 9 }\n  more: { connector: blackhole-sink, topics.regex: zz }\n";
    let rendered = Case::one(text).load().1.render(false);
    for remedy in [
        "set `key.fields`",
        "set `tasks.max: 2`",
        "written here are `t`",
    ] {
        assert!(rendered.contains(remedy), "{remedy}: {rendered}");
    }
}

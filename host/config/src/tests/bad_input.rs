//! Every kind of mistake, and all of them in one run.

use super::{Case, check, source};

#[test]
fn a_typo_is_shown_with_a_caret_and_a_suggestion() {
    check(
        "connectors:\n  in:\n    connector: file-source\n    pth: /x\n    topic: t\n",
        "
error[LS0103]: unknown key `pth`
  --> a.yaml:4:5
   |
 4 |     pth: /x
   |     ^^^ did you mean `path`?
   = known here: path, topic, format, csv.null.values, csv.types, csv.header, poll.interval, idle.ms, buffer.bytes, max.line, ratio, lines.max, api.key, login.password, header.*, connector, name, tasks.max, key.fields, offset.flush.interval.ms, restart.policy, restart.delay.max.ms, no.progress.timeout.ms, moved.from, ... (55 in all)
",
    );
}

#[test]
fn wrong_values_say_what_is_accepted() {
    for (body, code, message) in [
        (
            "csv.header: yes",
            "LS0202",
            "`csv.header` takes true or false, found `yes`",
        ),
        (
            "lines.max: many",
            "LS0202",
            "`lines.max` takes a whole number, found `many`",
        ),
        (
            "lines.max: 1001",
            "LS0204",
            "`lines.max` must lie between 0 and 1000, found `1001`",
        ),
        (
            "tasks.max: 0",
            "LS0204",
            "`tasks.max` must lie between 1 and 1024, found `0`",
        ),
        (
            "ratio: 1.5",
            "LS0204",
            "`ratio` must lie between 0 and 1, found `1.5`",
        ),
        (
            "format: cvs",
            "LS0205",
            "`format` is one of lines, csv, found `cvs`",
        ),
        (
            "poll.interval: 5",
            "LS0206",
            "`poll.interval` has no unit, found `5`",
        ),
        (
            "max.line: 4096",
            "LS0206",
            "`max.line` has no unit, found `4096`",
        ),
        (
            "idle.ms: 5x",
            "LS0202",
            "`idle.ms` takes a duration such as 500ms, 1s, 5m, 2h or 7d, found `5x`",
        ),
        (
            "idle.ms: 2h",
            "LS0204",
            "`idle.ms` must lie between 1 and 60000, found `2h`",
        ),
        (
            "format: [csv]",
            "LS0202",
            "`format` takes a text, found a list",
        ),
        (
            "csv.types: [a]",
            "LS0202",
            "`csv.types` takes a map, found a list",
        ),
        ("format:", "LS0112", "connector `in`: `format` has no value"),
        (
            "topics: [x]",
            "LS0208",
            "connector `in`: `topics` is an option of sinks; a source takes `topic`",
        ),
        (
            "csv.null.values: [a, ~]",
            "LS0112",
            "`csv.null.values`: an item has no value",
        ),
    ] {
        let lines = Case::one(&source(body)).lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].starts_with(code) && lines[0].ends_with(message),
            "{body}: {lines:?}"
        );
    }
}

#[test]
fn mistakes_of_connectors_have_a_place_and_a_code() {
    for (text, expected) in [
        (
            "connectors:\n  in: { conector: x }\n",
            "LS0113 a.yaml:2:3 connector `in` does not say what it is",
        ),
        (
            "connectors:\n  in: { connector: file-sorce }\n",
            "LS0201 a.yaml:2:20 connector `in`: no installed plugin offers the class `file-sorce`",
        ),
        (
            "connectors:\n  in: { connector: mask }\n",
            "LS0201 a.yaml:2:20 connector `in`: `mask` is a transform, not a source or sink",
        ),
        (
            "connectors:\n  a/b: { connector: blackhole-sink, topics: t }\n",
            "LS0116 a.yaml:2:3 `a/b` cannot name a connector",
        ),
        (
            "connectors:\n  in: [x]\n",
            "LS0109 a.yaml:2:7 connector `in` takes a map of options, found a list",
        ),
        (
            "connectors:\n  out: { connector: blackhole-sink }\n",
            "LS0203 a.yaml:2:3 connector `out` lacks the required option `topics`",
        ),
        (
            "connectors:\n  out: { connector: blackhole-sink, topics: [a b] }\n",
            "LS0116 a.yaml:2:45 topic name `a b` contains ' '; allowed are letters, digits, `.`, `_` and `-`",
        ),
        (
            "connectors:\n  out: { connector: blackhole-sink, topic: a }\n",
            "LS0103 a.yaml:2:37 unknown key `topic`",
        ),
        (
            "conectors: {}\n",
            "LS0103 a.yaml:1:1 unknown key `conectors`",
        ),
        (
            "topics: { t: 4 }\n",
            "LS0109 a.yaml:1:14 topic `t` takes a map of options, found a single value",
        ),
        (
            "host: { listn: x }\n",
            "LS0103 a.yaml:1:9 unknown key `listn`",
        ),
        ("connectors: {}\n", "LS0114 - no file names a connector"),
        ("", "LS0114 - no file names a connector"),
        (
            "- a\n",
            "LS0109 a.yaml:1:1 a configuration is a map, found a list",
        ),
    ] {
        assert_eq!(Case::one(text).lines(), [expected], "{text}");
    }
}

#[test]
fn what_is_not_built_is_refused_and_never_ignored() {
    for option in ["isolation: process", "config.action.reload: restart"] {
        let lines = Case::one(&source(option)).lines();
        assert!(
            lines.len() == 1 && lines[0].starts_with("LS0290 a.yaml:6:"),
            "{option}: {lines:?}"
        );
    }
    for option in [
        "errors.tolerance: none",
        "errors: { tolerance: all, retry.timeout: 5s, deadletterqueue: { topic.name: dlq } }",
        "errors.retry.timeout: -1",
        "errors.retry.delay.max.ms: 2s",
        "errors.log: { enable: true, include.messages: false }",
        "errors.deadletterqueue.context.headers.enable: false",
        "value.converter: auto",
        "value.converter: org.apache.kafka.connect.json.JsonConverter",
        "isolation: none",
        "moved.from: old",
        "tasks.max.enforce: false",
        "initial.state: PAUSED",
        "no.progress.timeout.ms: 30s",
    ] {
        assert_eq!(Case::one(&source(option)).lines(), [""; 0], "{option}");
    }
    let sink = |options: &str| {
        format!("connectors: {{ out: {{ connector: blackhole-sink, {options} }} }}")
    };
    assert_eq!(Case::one(&sink("topics.regex: a.*")).lines(), [""; 0]);
    let both = Case::one(&sink("topics.regex: a.*, topics: [a]")).lines();
    assert!(
        both.len() == 1 && both[0].starts_with("LS0205 a.yaml:1:"),
        "{both:?}"
    );
    let topic = format!(
        "topics: {{ t: {{ replication.factor: 2 }} }}\n{}",
        source("")
    );
    assert!(Case::one(&topic).lines()[0].starts_with("LS0290 a.yaml:1:16 "));
}

#[test]
fn dead_letters_never_go_to_a_topic_that_their_sink_reads() {
    let sink = |letters: &str| {
        let text = format!(
            "connectors:\n  out:\n    connector: blackhole-sink\n    topics: [a, b]\n    errors.deadletterqueue.topic.name: {letters}\n"
        );
        let mut lines = Case::one(&text).lines();
        // Nobody writes these topics here.
        lines.retain(|line| !line.starts_with("LS0901 "));
        lines
    };
    assert_eq!(
        sink("b"),
        [
            "LS0205 a.yaml:5:40 connector `out`: the dead letters would come back: `topics` names their topic, too"
        ]
    );
    assert!(sink("a/b")[0].starts_with("LS0116 a.yaml:5:40 "));
    assert_eq!(sink("letters"), [""; 0]);
}

#[test]
fn settings_of_topics_are_those_of_the_log_with_every_mistake_named() {
    let topic = |settings: &str| {
        let text = format!("topics:\n  t: {{ {settings} }}\n{}", source(""));
        Case::one(&text).lines()
    };
    let good = "retention.ms: 7d, retention.bytes: 1GiB, segment.bytes: 2MiB, cleanup.policy: [compact, delete], keep.unread: false, min.cleanable.dirty.ratio: 0.2, compression.type: none";
    assert_eq!(topic(good), [""; 0]);
    let bad = "retention.ms: -2, segment.bytes: 1000, cleanup.policy: remove, colour: red, compression.type: gzip";
    assert_eq!(topic(bad).len(), 5, "{:?}", topic(bad));
    let pair = topic("min.compaction.lag.ms: 100, max.compaction.lag.ms: 50");
    assert!(
        pair.len() == 1 && pair[0].contains("more than `max.compaction.lag.ms` 50"),
        "{pair:?}"
    );
    let idle = topic("min.insync.replicas: 2");
    assert!(
        idle.len() == 1 && idle[0].starts_with("LS0904 a.yaml:2:8 "),
        "{idle:?}"
    );
}

#[test]
fn an_option_set_in_two_ways_names_both_places() {
    let (_, said) = Case::one(&source("csv: { header: true }\ncsv.header: false")).load();
    let said = said.render(false);
    assert!(
        said.contains("LS0106")
            && said.contains("a.yaml:7:5")
            && said.contains("first set at: a.yaml:6:12"),
        "{said}"
    );
    let alias = Case::one(&source("file: /y")).lines();
    assert_eq!(
        alias,
        ["LS0106 a.yaml:6:5 connector `in`: `path` is set twice"]
    );
}

#[test]
fn everything_wrong_in_all_files_is_said_in_one_run() {
    let case = Case::new(&[
        ("a.yaml", "connectors:\n  in: { connector: file-source, pth: /x, topic: t }\n  out: { connector: blackhole-sink, topics: t, tasks.max: two }\n"),
        ("b.yaml", "connectors:\n  in: { connector: file-source, path: /x, topic: t, topic: u }\n  c: { connector: nope }\n  c: { connector: file-sink, topics: t, path: x, format: xml }\n"),
        ("tab.yaml", "connectors:\n\tin:\n"),
        ("broken.yaml", "connectors: {\n"),
    ])
    .paths(&["a.yaml", "gone.yaml", "b.yaml", "tab.yaml", "broken.yaml"]);
    let lines = case.lines();
    let heads: Vec<String> = lines
        .iter()
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        heads,
        [
            "LS0103 a.yaml:2:33",
            "LS0202 a.yaml:3:59",
            "LS0105 b.yaml:2:3",
            "LS0104 b.yaml:2:53",
            "LS0201 b.yaml:3:19",
            "LS0105 b.yaml:4:3",
            "LS0205 b.yaml:4:58",
            "LS0101 broken.yaml:2:1",
            "LS0102 tab.yaml:2:1",
            "LS0107 -",
        ],
        "{lines:#?}"
    );
    assert!(case.load().0.is_none());
}

#[test]
fn secrets_never_reach_a_message_or_debug() {
    let text = source(
        "login.password: hunter2\napi.key: [hunter2]\npasswort: hunter2\nlogin.pasword: hunter2\ndb.token: hunter2",
    );
    let case = Case::one(&text);
    let (_, said) = case.load();
    assert_eq!(said.error_count(), 4, "{}", said.render(false));
    assert!(
        !said.render(false).contains("hunter2"),
        "{}",
        said.render(false)
    );
    assert!(!said.to_json().to_string().contains("hunter2"));

    let case =
        Case::one(&source("login.password: hunter2\napi.key: ${env:KEY}")).env("KEY", "s3cret");
    let plan = case.plan();
    let debug = format!("{plan:?} {:?}", plan.connectors[0].resolved(&plan.resolver));
    assert!(
        !debug.contains("hunter2") && !debug.contains("s3cret"),
        "{debug}"
    );
    assert_eq!(
        plan.connectors[0].resolved(&plan.resolver).unwrap().0["api.key"],
        "s3cret"
    );
    assert_eq!(
        case.lines(),
        ["LS0903 a.yaml:6:5 connector `in`: the secret `login.password` stands in the file"]
    );

    let case = Case::one(&source("login.password: '[hidden]'"));
    assert_eq!(
        case.lines(),
        [
            "LS0232 a.yaml:6:21 connector `in`: `login.password` is `[hidden]`, which is shown in a secret's place and is no secret"
        ]
    );

    let case = Case::one(&source("lines.max: ${env:N}")).env("N", "s3cret");
    let (_, said) = case.load();
    assert_eq!(said.error_count(), 1);
    assert!(
        !said.render(false).contains("s3cret"),
        "{}",
        said.render(false)
    );
}

#[test]
fn korean_text_keeps_the_caret_in_its_column() {
    check(
        "connectors:\n  항공편: { connector: file-sorce }\n",
        "
error[LS0201]: connector `항공편`: no installed plugin offers the class `file-sorce`
  --> a.yaml:2:21
   |
 2 |   항공편: { connector: file-sorce }
   |                        ^^^^^^^^^^ did you mean `file-source`?
   = installed: file-source, file-sink, blackhole-sink, mask
",
    );
}

#[test]
fn a_class_whose_plugin_is_built_by_itself_says_how() {
    let case = Case::one("connectors:\n  in: { connector: kafka-source }\n");
    let text = case.load().1.render(false);
    assert!(
        text.contains("cargo build -p linkspan-connector-kafka"),
        "{text}"
    );
}

#[test]
fn a_sink_that_nobody_feeds_is_a_warning() {
    let text = format!(
        "{}  out: {{ connector: blackhole-sink, topics: [t, u] }}\n",
        source("")
    );
    let case = Case::one(&text);
    assert_eq!(
        case.lines(),
        ["LS0901 a.yaml:6:45 connector `out` reads the topic `u`, which no source here writes"]
    );
    assert!(case.load().0.is_some());
}

#[test]
fn json_carries_what_the_text_does() {
    let (_, said) = Case::one("connectors:\n  in: { connector: file-sorce }\n").load();
    let json = said.to_json();
    assert_eq!(json[0]["code"], "LS0201");
    assert_eq!(
        (&json[0]["file"], &json[0]["line"], &json[0]["column"]),
        (&"a.yaml".into(), &2.into(), &20.into())
    );
    assert_eq!(json[0]["hint"], "did you mean `file-source`?");
    assert_eq!(json[0]["severity"], "error");
}

#[test]
fn every_code_used_is_explained_once() {
    let codes: Vec<&str> = crate::codes::all().map(|code| code.code).collect();
    let mut sorted = codes.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(codes, sorted);
    assert_eq!(crate::codes::find("ls0103").unwrap().title, "unknown key");
    assert!(crate::codes::find("0999").is_none());
}

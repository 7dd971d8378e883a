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
   = known here: path, topic, format, csv.null.values, csv.types, csv.header, poll.interval, idle.ms, buffer.bytes, max.line, ratio, lines.max, api.key, login.password, header.*, connector, name, tasks.max, key.fields, offset.flush.interval.ms, restart.policy, restart.delay.max.ms, moved.from, key.converter, ... (29 in all)
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

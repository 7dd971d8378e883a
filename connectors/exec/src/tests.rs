//! Behaviour of the classes with real programs.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use linkspan_sdk::prelude::*;
use linkspan_testkit::{SinkTest, SourceTest, TestHost, TestRecord};
use serde_json::json;

use crate::options::{ExecSinkOptions, ExecSourceOptions};
use crate::sink::ExecSink;
use crate::source::ExecSource;

const T0: (&str, i32) = ("t", 0);

fn config(script: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let command = json!(["sh", "-c", script, "script"]).to_string();
    let mut config = BTreeMap::from([("command".to_owned(), command)]);
    config.extend(
        more.iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
    );
    config
}

fn source(script: &str, more: &[(&str, &str)]) -> SourceTest<ExecSource> {
    let mut config = config(script, more);
    config.entry("topic".to_owned()).or_insert("t".to_owned());
    TestHost::source::<ExecSource>(config)
}

fn sink(script: &str, more: &[(&str, &str)]) -> SinkTest<ExecSink> {
    TestHost::sink::<ExecSink>(config(script, more))
}

fn texts(records: &[TestRecord]) -> Vec<String> {
    records.iter().map(|record| record.value.text()).collect()
}

#[test]
fn lines_are_records_and_a_success_ends_a_job() {
    let mut source = source("printf 'a\\r\\n\\n서울\\nend'; echo noise >&2", &[]);
    assert_eq!(texts(&source.run(100).unwrap()), ["a", "", "서울", "end"]);
    source.close().unwrap();
    let log: Vec<_> = source
        .log()
        .iter()
        .map(|line| format!("{line:?}"))
        .collect();
    assert!(log.iter().any(|line| line.contains("noise")), "{log:?}");
}

#[test]
fn an_exit_code_fails_a_job_after_its_records() {
    let mut failing = source("echo a; echo first >&2; echo 서울 >&2; exit 3", &[]);
    failing.open().unwrap();
    assert_eq!(texts(&failing.poll().unwrap().records), ["a"]);
    let error = failing.poll().unwrap_err();
    assert_eq!(
        error.message(),
        "`sh` ended with exit code 3; its last words on stderr: first\n서울"
    );
    let mut allowed = source("echo a; exit 3", &[("success.codes", "[\"0\",\"3\"]")]);
    assert_eq!(texts(&allowed.run(100).unwrap()), ["a"]);
    let mut killed = source("kill -9 $$", &[]);
    assert_eq!(
        killed.run(1).unwrap_err().message(),
        "`sh` was ended by signal 9 and wrote nothing to stderr"
    );
    let missing =
        TestHost::source::<ExecSource>([("command", "[\"/no/such/program\"]"), ("topic", "t")])
            .run(1);
    assert!(
        missing
            .unwrap_err()
            .chain()
            .contains("start the program `/no/such/program`")
    );
}

#[test]
fn a_program_that_fails_or_ends_is_run_again_as_told() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "echo x >> {0}/n; echo run; test $(wc -l < {0}/n) -ge 3",
        folder.path().display()
    );
    let mut source = source(&script, &[("restart.backoff", "1ms")])
        .bounded(false)
        .waiting(Duration::from_secs(5));
    source.open().unwrap();
    let mut all = Vec::new();
    let mut last = Poll::More;
    for _ in 0..50 {
        let polled = source.poll().unwrap();
        all.extend(texts(&polled.records));
        last = polled.poll;
        if last == Poll::Exhausted {
            break;
        }
        if let Poll::Idle(pause) = last {
            std::thread::park_timeout(pause);
        }
    }
    assert_eq!((all.len(), last), (3, Poll::Exhausted));
}

#[test]
fn a_stop_ends_the_program_and_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "sleep 1000 & echo $! > {}/pid; echo up; wait",
        folder.path().display()
    );
    let mut source = source(&script, &[("stop.timeout", "2s")]).bounded(false);
    source.open().unwrap();
    assert_eq!(texts(&source.poll().unwrap().records), ["up"]);
    let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
    let process = std::path::PathBuf::from("/proc")
        .join(pid.trim())
        .join("stat");
    assert!(process.try_exists().unwrap());
    source.close().unwrap();
    let gone = (0..500).any(|_| {
        std::thread::park_timeout(Duration::from_millis(10));
        // A zombie that nobody has waited for yet is as dead as any.
        fs::read_to_string(&process).map_or(true, |stat| stat.contains(") Z"))
    });
    assert!(gone, "the grandchild outlived the task");
}

#[test]
fn bad_lines_name_their_place_and_go_aside_where_that_is_wanted() {
    let script = "echo 1; echo '{'; printf '\\377\\n'; echo 2";
    let mut strict = source(script, &[("format", "jsonl")]);
    strict.open().unwrap();
    let mut records = 0;
    let error = loop {
        match strict.poll() {
            Ok(polled) => records += polled.records.len(),
            Err(error) => break error,
        }
    };
    assert_eq!(records, 1);
    assert!(
        error.chain().starts_with("`sh` line 2: it is not JSON"),
        "{}",
        error.chain()
    );
    let mut tolerant = source(script, &[("format", "jsonl"), ("errors.tolerance", "all")]);
    tolerant.open().unwrap();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    loop {
        let polled = tolerant.poll().unwrap();
        good.extend(texts(&polled.records));
        bad.extend(
            polled
                .rejected
                .into_iter()
                .map(|(record, why)| (record.value, why)),
        );
        if polled.poll == Poll::Exhausted {
            break;
        }
    }
    assert_eq!(good, ["1", "2"]);
    assert_eq!(bad.len(), 2);
    assert_eq!(bad[1].0, linkspan_testkit::TestData::Bytes(vec![0xff]));
    assert_eq!(bad[1].1, "`sh` line 3: byte 0: not UTF-8");
    let long = source(
        "head -c 100000 /dev/zero | tr '\\0' x; echo; echo ok",
        &[("max.line.bytes", "1000")],
    )
    .run(9);
    assert!(
        long.unwrap_err()
            .chain()
            .contains("longer than `max.line.bytes` (1000)")
    );
}

const TAP: &str = r#"
state=; config=; catalog=
while [ $# -gt 0 ]; do case "$1" in
  --state) state=$(cat "$2"); shift;; --config) config=$(cat "$2"); shift;; --catalog) catalog=$(cat "$2"); shift;;
  --discover) echo '{"streams": [{"tap_stream_id": "a", "schema": {}}, {"tap_stream_id": "b", "schema": {}, "metadata": [{"breadcrumb": [], "metadata": {}}]}]}'; exit 0;; esac; shift; done
echo '{"type":"SCHEMA","stream":"my stream","schema":{"properties":{"id":{"type":"integer"},"x":{"type":["null","number"]},"s":{"type":["string","null"]},"o":{"type":"object"}}},"key_properties":["id"]}'
echo '{"type":"RECORD","stream":"my stream","record":{"id":1,"x":1.5,"s":"'"${state:+again}"'","o":{"k":[1]}}}'
echo '{"type":"STATE","value":{"at":1}}'
echo '{"type":"ACTIVATE_VERSION","stream":"my stream","version":1}'
echo '{"type":"RECORD","stream":"my stream","record":{"id":2}}'
echo '{"type":"STATE","value":{"at":2}}'
echo '{"type":"STATE","value":{}}'
printf '%s' "$config" >&2
printf '%s' "$catalog" > "$LINKSPAN_CATALOG"
"#;

#[test]
fn a_singer_tap_makes_typed_rows_and_goes_on_from_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("catalog").display().to_string();
    let env = json!({ "LINKSPAN_CATALOG": seen }).to_string();
    let options = [
        ("format", "singer"),
        ("topic", "tap."),
        ("singer.config", r#"{"password":"geheim"}"#),
        ("singer.discover", "true"),
        ("singer.streams", "b"),
        ("env", &env),
    ];
    let mut source = source(TAP, &options);
    let records = source.run(100).unwrap();
    assert_eq!(
        texts(&records),
        [
            r#"{"id":1,"x":1.5,"s":"","o":"{\"k\":[1]}"}"#,
            r#"{"id":2,"x":null,"s":null,"o":null}"#,
        ]
    );
    assert_eq!(records[0].topic, "tap.my_stream");
    assert_eq!(records[0].key.text(), r#"{"id":1}"#);
    assert_eq!(
        source.committed(&json!({"exec": "test"})),
        Some(json!({"state": {"at": 2}}))
    );
    let catalog: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&seen).unwrap()).unwrap();
    assert_eq!(catalog["streams"][0]["schema"]["selected"], false);
    assert_eq!(
        catalog["streams"][1]["metadata"][0]["metadata"]["selected"],
        true
    );
    source.reopen().unwrap();
    let again = source.run(100).unwrap();
    assert!(
        texts(&again)[0].contains(r#""s":"again""#),
        "{:?}",
        texts(&again)
    );
}

#[test]
fn a_state_is_stored_only_with_the_records_before_it() {
    let mut source = source(
        TAP,
        &[
            ("format", "singer"),
            ("env", r#"{"LINKSPAN_CATALOG":"/dev/null"}"#),
        ],
    )
    .asking(1, 1 << 20);
    source.open().unwrap();
    // The program may need a moment to begin.
    let first = (0..100)
        .map(|_| source.poll().unwrap())
        .find(|polled| !polled.records.is_empty() || !polled.offsets.is_empty())
        .unwrap();
    assert_eq!((first.records.len(), first.offsets.len()), (1, 0));
    let mut state = None;
    for _ in 0..10 {
        let polled = source.poll().unwrap();
        if let Some(offset) = polled.offsets.values().next() {
            state = offset.clone();
            break;
        }
    }
    assert_eq!(state, Some(json!({"state": {"at": 1}})));
}

#[test]
fn unknown_streams_and_properties_are_bad_records() {
    let fails = |script: &str, expected: &str| {
        let error = source(script, &[("format", "singer")]).run(9).unwrap_err();
        assert!(error.chain().contains(expected), "{}", error.chain());
    };
    fails(
        r#"echo '{"type":"RECORD","stream":"a","record":{}}'"#,
        "`sh` line 1: stream `a`: a RECORD came before its SCHEMA",
    );
    fails(
        r#"echo '{"type":"SCHEMA","stream":"a","schema":{"properties":{"n":{"type":"integer"}}}}'; echo '{"type":"RECORD","stream":"a","record":{"n":"x"}}'"#,
        "`sh` line 2: stream `a`: property `n` is not an integer of 64 bits",
    );
    fails("echo hello", "`sh` line 1: it is no Singer message");
}

#[test]
fn a_run_of_the_sink_counts_when_it_has_ended_with_success() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    let mut sink = sink(&format!("cat >> {out}"), &[]);
    sink.open().unwrap();
    sink.assign(&[T0]).unwrap();
    let put = sink
        .put(&[
            TestRecord::new("t", "a"),
            TestRecord::new("t", "x\ny"),
            TestRecord::new("t", "서울"),
        ])
        .unwrap();
    assert!(put.progress.is_empty(), "nothing counts while it runs");
    assert_eq!(put.rejected.len(), 1);
    assert_eq!(sink.flush().unwrap().progress[&("t".to_owned(), 0)].0, 3);
    assert_eq!(fs::read_to_string(&out).unwrap(), "a\n서울\n");
    let mut failing = self::sink("cat > /dev/null; exit 4", &[]);
    failing.open().unwrap();
    failing.assign(&[T0]).unwrap();
    failing.put(&[TestRecord::new("t", "a")]).unwrap();
    let error = failing.flush().unwrap_err();
    assert_eq!(
        error.message(),
        "`sh` ended with exit code 4 and wrote nothing to stderr"
    );
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[test]
fn a_line_for_each_record_is_its_answer() {
    let mut sink = sink(
        "read a; echo ok; read b; echo ok; read c; exit 1",
        &[("ack", "line"), ("restart", "never")],
    );
    sink.open().unwrap();
    sink.assign(&[T0]).unwrap();
    let records: Vec<_> = (0..3)
        .map(|n| TestRecord::new("t", n.to_string().as_str()))
        .collect();
    let mut done = sink.put(&records).unwrap().progress;
    for _ in 0..500 {
        if done
            .get(&("t".to_owned(), 0))
            .is_some_and(|(next, _)| *next == 2)
        {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(5));
        done.extend(sink.put(&[]).unwrap().progress);
    }
    assert_eq!(done[&("t".to_owned(), 0)].0, 2);
    let error = sink.flush().unwrap_err();
    assert!(!error.is_temporary() && error.kind() == ErrorKind::Unavailable);
}

#[test]
fn a_singer_target_answers_with_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    let script = format!(
        "while read -r line; do echo \"$line\" >> {out}; case \"$line\" in *STATE*) echo \"$line\" | sed 's/.*\"value\"://; s/}}$//';; esac; done"
    );
    let mut sink = sink(&script, &[("format", "singer")]);
    sink.open().unwrap();
    sink.assign(&[T0]).unwrap();
    let mut done = sink
        .put(&[
            TestRecord::new("t", r#"{"a":1}"#),
            TestRecord::new("t", "3"),
        ])
        .unwrap()
        .progress;
    for _ in 0..500 {
        if !done.is_empty() {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(5));
        done.extend(sink.put(&[]).unwrap().progress);
    }
    assert_eq!(done[&("t".to_owned(), 0)].0, 2);
    let written = fs::read_to_string(&out).unwrap();
    let lines: Vec<_> = written.lines().collect();
    assert_eq!(
        lines,
        [
            r#"{"type":"SCHEMA","stream":"t","schema":{"type":"object"},"key_properties":[]}"#,
            r#"{"type":"RECORD","stream":"t","record":{"a":1}}"#,
            r#"{"type":"STATE","value":{"batch":1}}"#,
        ]
    );
}

#[test]
fn options_are_all_checked_at_once() {
    let problems = |found: Vec<ConfigProblem>| {
        let mut options: Vec<_> = found.into_iter().map(|problem| problem.option).collect();
        options.sort();
        options
    };
    let read = |config: &[(&str, &str)]| -> BTreeMap<String, String> {
        config
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    };
    let bad = read(&[
        ("command", "[]"),
        ("topic", "a b"),
        ("success.codes", "x"),
        ("singer.config", "[]"),
    ]);
    assert_eq!(
        problems(ExecSourceOptions::from_config(&bad).err().unwrap()),
        ["command", "singer.config", "success.codes", "topic"]
    );
    let bad = read(&[("command", "[\"\"]")]);
    assert_eq!(
        problems(ExecSinkOptions::from_config(&bad).err().unwrap()),
        ["command"]
    );
}

#[test]
fn tables_are_complete() {
    fn check<O: Options>(heading: &str) {
        let readme = include_str!("../README.md");
        let start = readme.find(&format!("## `{heading}`")).unwrap() + 3;
        let section = readme.get(start..).unwrap().split("\n## ").next().unwrap();
        for option in O::definitions() {
            let row = section
                .lines()
                .find(|line| line.starts_with(&format!("| `{}` |", option.name)));
            let row = row.unwrap_or_else(|| panic!("{heading}: README lacks `{}`", option.name));
            if let Some(default) = option.default {
                assert!(
                    row.contains(&format!("| `{default}` |")),
                    "{heading}: {row}"
                );
            }
        }
        let rows = section
            .lines()
            .filter(|line| line.starts_with("| `"))
            .count();
        assert_eq!(rows, O::definitions().len(), "{heading}");
    }
    check::<ExecSourceOptions>("exec-source");
    check::<ExecSinkOptions>("exec-sink");
}

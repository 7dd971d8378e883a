//! Behaviour of `blackhole-sink`, through the same shims and bytes as under the host.

use linkspan_sdk::prelude::*;
use linkspan_testkit::{SinkTest, TestHost, TestRecord, conformance::SinkSuite};

use crate::options::BlackholeOptions;
use crate::sink::Blackhole;

fn sink(check: &str, partitions: &[(&str, i32)]) -> SinkTest<Blackhole> {
    let mut sink = TestHost::sink::<Blackhole>([("check", check)]);
    sink.open().unwrap();
    sink.assign(partitions).unwrap();
    sink
}

fn numbered(partition: i32, numbers: &[u64]) -> Vec<TestRecord> {
    let record = |n: &u64| TestRecord::new("t", format!("{n:016}:filler")).partition(partition);
    numbers.iter().map(record).collect()
}

fn check(word: &str, partitions: &[(&str, i32)], records: &[TestRecord], expected: Option<&str>) {
    let found = sink(word, partitions)
        .put(records)
        .err()
        .map(|error| error.chain());
    let hint = "; two generators on one topic need `check: none`";
    assert_eq!(
        found.map(|text| text.replace(hint, "")),
        expected.map(str::to_owned),
        "{word}"
    );
}

#[test]
fn gaps_and_repeats_are_named() {
    let one = [("t", 0)];
    let two = [("t", 0), ("t", 1)];
    for word in ["auto", "sequence"] {
        check(word, &one, &numbered(0, &[0, 1, 2]), None);
        check(
            word,
            &one,
            &numbered(0, &[0, 1, 3]),
            Some("t-0 offset 2: a gap in the sequence: expected 2, found 3"),
        );
        check(
            word,
            &one,
            &numbered(0, &[0, 0]),
            Some("t-0 offset 1: a repeat in the sequence: expected 1, found 0"),
        );
        check(
            word,
            &one,
            &numbered(0, &[5]),
            Some("t-0 offset 0: a gap in the sequence: expected 0, found 5"),
        );
        check(
            word,
            &two,
            &[numbered(0, &[0, 4]), numbered(1, &[1, 2, 3])].concat(),
            None,
        );
        let repeat = "t-1 offset 1: a repeat in the sequence: expected more than 3, found 3";
        check(
            word,
            &two,
            &[numbered(0, &[0, 4]), numbered(1, &[3, 3])].concat(),
            Some(repeat),
        );
    }
    check("none", &one, &numbered(0, &[9, 9, 3]), None);
}

#[test]
fn other_records_are_counted_or_refused() {
    let records = [
        TestRecord::new("t", "hello"),
        TestRecord {
            topic: "t".to_owned(),
            ..TestRecord::default()
        },
    ];
    check("auto", &[("t", 0)], &records, None);
    let refused = "t-0 offset 0: the value does not begin with a generator's number";
    check("sequence", &[("t", 0)], &records, Some(refused));
}

#[test]
fn the_check_goes_on_after_a_restart() {
    let mut sink = sink("sequence", &[("t", 0)]);
    let put = sink.put(&numbered(0, &[0, 1])).unwrap();
    assert_eq!(
        put.progress[&("t".to_owned(), 0)],
        (2, r#"{"seen":{"0":[0,1,2,1]}}"#.to_owned())
    );
    sink.reopen().unwrap();
    sink.assign(&[("t", 0)]).unwrap();
    let error = sink.put(&numbered(0, &[3])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataInvalid);
    assert!(
        error.message().starts_with("t-0 offset 2: a gap"),
        "{error}"
    );
    sink.put(&numbered(0, &[2])).unwrap();
}

#[test]
fn totals_are_told_at_close() {
    for (second, expected) in [
        ([1, 2], "the sequence is complete"),
        ([1, 4], "the sequence has holes or repeats"),
    ] {
        let mut sink = sink("auto", &[("t", 0), ("t", 1)]);
        sink.put(&[numbered(0, &[0, 3]), numbered(1, &second)].concat())
            .unwrap();
        sink.close().unwrap();
        let told: String = sink.log().iter().map(|line| line.message.clone()).collect();
        assert!(
            told.contains(expected) && told.contains("records taken"),
            "{told}"
        );
    }
}

#[test]
fn options_are_in_the_readme() {
    let readme = include_str!("../README.md");
    for option in BlackholeOptions::definitions() {
        let row = readme
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", option.name)));
        assert!(
            row.is_some_and(|row| row.contains(&option.default.unwrap_or_default())),
            "`{}`",
            option.name
        );
    }
}

/// The sink itself is the judge of what arrives: it fails at a gap or a repeat.
#[test]
fn it_conforms() {
    for word in ["sequence", "auto", "none"] {
        // One of two tasks: partitions go from one to the other, which a task alone would take for a gap.
        SinkSuite::<Blackhole>::new(move |_folder| [("check", word), ("blackhole.tasks", "2")])
            .records(|partition, offset| {
                TestRecord::new(
                    "t",
                    format!("{:016}:filler", offset * 2 + i64::from(partition)),
                )
            })
            .run();
    }
}

//! Behaviour of `generator-source`, through the same shims and bytes as under the host.

use std::collections::BTreeMap;
use std::time::Instant;

use linkspan_sdk::prelude::*;
use linkspan_testkit::{SourceTest, TestHost, conformance::SourceSuite};
use serde_json::json;

use crate::options::GeneratorOptions;
use crate::source::Generator;

fn source(more: &[(&str, &str)]) -> SourceTest<Generator> {
    let mut config = BTreeMap::from([("topic".to_owned(), "t".to_owned())]);
    config.extend(
        more.iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
    );
    TestHost::source::<Generator>(config)
}

fn numbers(source: &mut SourceTest<Generator>, max: usize) -> Vec<u64> {
    source
        .run(max)
        .unwrap()
        .iter()
        .map(|record| record.value.text().get(..16).unwrap().parse().unwrap())
        .collect()
}

#[test]
fn records_are_numbered_and_go_on_where_they_stopped() {
    let mut source = source(&[("count", "10"), ("size", "20B")]).asking(3, 1 << 20);
    assert_eq!(numbers(&mut source, 4), [0, 1, 2, 3, 4, 5]);
    assert_eq!(
        source.committed(&json!({"partition": "generator-0"})),
        Some(json!({"next": 6}))
    );
    source.reopen().unwrap();
    assert_eq!(numbers(&mut source, 100), [6, 7, 8, 9]);
    source.reopen().unwrap();
    assert!(numbers(&mut source, 100).is_empty());
}

#[test]
fn a_poll_that_was_lost_makes_the_same_records_again() {
    let mut source = source(&[("count", "5"), ("seed", "7")]);
    source.open().unwrap();
    let lost = source.poll().unwrap();
    source.reopen().unwrap();
    assert_eq!(source.poll().unwrap().records, lost.records);
}

#[test]
fn tasks_share_the_count_and_no_number() {
    let mut all = Vec::new();
    for task in 0..3 {
        let mut source = source(&[("count", "10"), ("generator.tasks", "3")]).task_index(task);
        all.extend(numbers(&mut source, 100));
    }
    let (a, b) = (1_000_000_000_000, 2_000_000_000_000);
    assert_eq!(all, [0, 1, 2, 3, a, a + 1, a + 2, b, b + 1, b + 2]);
}

#[test]
fn keys_and_rows_and_partitions() {
    let mut source = source(&[
        ("count", "200"),
        ("keys", "3"),
        ("schema", "row"),
        ("size", "27B"),
        ("partition", "1"),
    ]);
    let records = source.run(1000).unwrap();
    let mut keys: Vec<_> = records.iter().map(|record| record.key.text()).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys, ["key-0", "key-1", "key-2"]);
    let value = records[42].value.text();
    assert!(
        value.starts_with("{\"sequence\":42,\"payload\":\""),
        "{value}"
    );
    assert!(records.iter().all(|record| record.partition == Some(1)));
}

#[test]
fn an_endless_generator_is_refused_by_a_job() {
    let error = source(&[]).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
    assert!(error.message().contains("`count` is 0"), "{error}");
    let mut endless = source(&[]).bounded(false);
    assert_eq!(numbers(&mut endless, 1500).len(), 2000);
}

#[test]
fn a_rate_is_not_passed() {
    let mut source = source(&[("rate", "1000"), ("count", "100")]).waiting(Duration::ZERO);
    let started = Instant::now();
    source.open().unwrap();
    let mut made = 0_u128;
    loop {
        let polled = source.poll().unwrap();
        made += polled.records.len() as u128;
        assert!(
            made <= started.elapsed().as_millis() + 1,
            "{made} records after {:?}",
            started.elapsed()
        );
        if polled.poll == Poll::Exhausted {
            break;
        }
    }
    assert_eq!(made, 100);
}

#[test]
fn options_are_checked_and_in_the_readme() {
    let readme = include_str!("../README.md");
    for option in GeneratorOptions::definitions() {
        let row = readme
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", option.name)));
        let row = row.unwrap_or_else(|| panic!("README lacks `{}`", option.name));
        let default = option.default.unwrap_or_else(|| "required".to_owned());
        assert!(
            row.contains(&default),
            "`{}` has another default: {row}",
            option.name
        );
    }
    for (name, text) in [
        ("size", "16B"),
        ("schema", "xml"),
        ("count", "1000000000000"),
        ("partition", "-2"),
    ] {
        let error = source(&[(name, text)]).bounded(false).open().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{name}={text}");
    }
}

#[test]
fn it_conforms() {
    let config = [
        ("topic", "t"),
        ("count", "40"),
        ("size", "24B"),
        ("keys", "3"),
    ];
    SourceSuite::<crate::source::Generator>::new(move |_folder| config).run();
    let slow = [
        ("topic", "t"),
        ("count", "6"),
        ("rate", "200"),
        ("schema", "row"),
    ];
    SourceSuite::<crate::source::Generator>::new(move |_folder| slow).run();
}

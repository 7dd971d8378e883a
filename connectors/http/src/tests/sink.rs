//! `http-sink`, class by class of behaviour; here the ways to run one.

mod answers;
mod requests;
mod who;

use std::collections::BTreeMap;

use linkspan_testkit::{SinkTest, TestHost, TestRecord};

use super::server::Seen;
use crate::sink::HttpSink;

const TOPIC_ID: &str = "00000000-0000-0000-0000-000000000000";

fn open(url: &str, options: &[(&str, &str)]) -> SinkTest<HttpSink> {
    let mut config = BTreeMap::from([
        ("url".to_owned(), url.to_owned()),
        ("egress.allow".to_owned(), "127.0.0.1".to_owned()),
        ("retry.backoff.ms".to_owned(), "10".to_owned()),
    ]);
    config.extend(
        options
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
    );
    let mut sink = TestHost::sink::<HttpSink>(config).bounded(false);
    sink.open().unwrap();
    sink.assign(&[("t", 0), ("t", 1), ("t", 2), ("t", 3)])
        .unwrap();
    sink
}

fn records(values: &[&str]) -> Vec<TestRecord> {
    values
        .iter()
        .map(|value| TestRecord::new("t", *value))
        .collect()
}

fn bodies(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.body.as_str()).collect()
}

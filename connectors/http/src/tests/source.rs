//! `http-source`, class by class of behaviour; here the ways to run one.

mod paging;
mod rounds;
mod trouble;

use std::collections::BTreeMap;

use linkspan_sdk::Error;
use linkspan_testkit::{SourceTest, TestHost, TestRecord};
use serde_json::{Value, json};

use super::server::{Reply, Server};
use crate::source::HttpSource;

fn source(options: &[(&str, &str)]) -> SourceTest<HttpSource> {
    let mut config = BTreeMap::from([
        ("topic".to_owned(), "t".to_owned()),
        ("egress.allow".to_owned(), "127.0.0.1".to_owned()),
        ("retry.backoff.ms".to_owned(), "10".to_owned()),
        ("max.retries".to_owned(), "0".to_owned()),
    ]);
    config.extend(
        options
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
    );
    TestHost::source::<HttpSource>(config)
}

fn run(options: &[(&str, &str)]) -> Vec<String> {
    texts(&source(options).run(100_000).unwrap())
}

fn failed(options: &[(&str, &str)]) -> Error {
    source(options).run(100_000).unwrap_err()
}

fn texts(records: &[TestRecord]) -> Vec<String> {
    records.iter().map(|record| record.value.text()).collect()
}

fn ids(records: &[String]) -> Vec<i64> {
    records
        .iter()
        .map(|record| {
            serde_json::from_str::<Value>(record).unwrap()["id"]
                .as_i64()
                .unwrap()
        })
        .collect()
}

fn items(range: std::ops::Range<i64>) -> Vec<Value> {
    range.map(|id| json!({ "id": id })).collect()
}

/// A list in pages by number, as many APIs have it.
fn numbered(count: i64, size: i64) -> Server {
    Server::new(move |seen| {
        let page: i64 = seen.query("page").unwrap().parse().unwrap();
        let from = (page - 1) * size;
        Reply::json(&json!({ "data": items(from.min(count)..(from + size).min(count)) }))
    })
}

/// The error is permanent unless said otherwise, and names all of this.
#[track_caller]
fn told(error: &Error, temporary: bool, texts: &[&str]) {
    assert_eq!(error.is_temporary(), temporary, "{error:?}");
    for text in texts {
        assert!(error.chain().contains(text), "`{text}` in {error:?}");
    }
}

//! `check`: endpoints are asked with `HEAD`, nothing is sent to them, and what is said of them has no secret.

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;

use super::server::{Reply, Server};
use crate::sink::{HttpSinkConnector, HttpSinkOptions};
use crate::source::{HttpSourceConnector, HttpSourceOptions};

const PASSWORD: &str = "correct-horse";

fn config(url: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let common = [("url", url), ("egress.allow", "127.0.0.1"), ("topic", "t")];
    let all = common.iter().chain(more);
    all.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

fn run<T>(future: impl Future<Output = Result<T>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future).unwrap()
}

fn source(config: &BTreeMap<String, String>) -> Checked {
    run(HttpSourceConnector::check(
        &HttpSourceOptions::from_config(config).unwrap(),
    ))
}

fn sink(config: &BTreeMap<String, String>) -> Checked {
    let mut config = config.clone();
    config.remove("topic");
    run(HttpSinkConnector::check(
        &HttpSinkOptions::from_config(&config).unwrap(),
    ))
}

#[test]
fn who_answers_is_found_with_head_only() {
    let server = Server::new(|_| Reply::new(405, ""));
    let config = config(&server.url("/in"), &[]);
    for checked in [source(&config), sink(&config)] {
        assert!(checked.problems.is_empty(), "{checked:?}");
        assert!(checked.tried.contains("answered with 405"), "{checked:?}");
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert!(
        seen.iter()
            .all(|seen| seen.method == "HEAD" && seen.body.is_empty()),
        "{seen:?}"
    );
}

#[test]
fn credentials_that_are_not_taken_are_said_without_them() {
    let server = Server::new(|seen| {
        let good = seen.header("authorization").starts_with("Basic ");
        Reply::new(if good { 200 } else { 401 }, "")
    });
    let basic = [
        ("auth.type", "basic"),
        ("auth.username", "u"),
        ("auth.password", PASSWORD),
    ];
    let checked = sink(&config(&server.url("/in"), &basic));
    assert!(checked.problems.is_empty(), "{checked:?}");
    let bearer = [("auth.type", "bearer"), ("auth.token", PASSWORD)];
    for checked in [
        source(&config(&server.url("/in"), &bearer)),
        sink(&config(&server.url("/in"), &bearer)),
    ] {
        let [problem] = checked.problems.as_slice() else {
            panic!("{checked:?}")
        };
        assert_eq!(problem.option, "url");
        assert!(problem.message.contains("401"), "{problem:?}");
        assert!(problem.message.contains("check `auth.type`"), "{problem:?}");
        assert!(!problem.message.contains(PASSWORD), "{problem:?}");
    }
    // A source that reads with GET asks with GET before it says so.
    let methods: Vec<String> = server.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["HEAD", "HEAD", "GET", "HEAD"]);
}

#[test]
fn every_stream_is_tried_and_a_server_that_is_not_there_is_said_with_its_place() {
    let server = Server::new(|_| Reply::new(200, ""));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}/x", free.local_addr().unwrap());
    drop(free);
    let streams = serde_json::json!([
        { "name": "a", "url": server.url("/a"), "topic": "a" },
        { "name": "b", "url": gone, "topic": "b" },
    ]);
    let mut config = config("", &[("streams", &streams.to_string())]);
    config.remove("url");
    let checked = source(&config);
    assert!(
        checked.tried.contains("/a` answered with 200")
            || checked.tried.contains("/a answered with 200"),
        "{checked:?}"
    );
    let [problem] = checked.problems.as_slice() else {
        panic!("{checked:?}")
    };
    assert_eq!(problem.option, "streams");
    assert!(problem.message.contains(&gone), "{problem:?}");
}

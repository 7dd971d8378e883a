//! What is new since the last round: cursors, windows, streams that depend on others.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use linkspan_sdk::Poll;
use linkspan_testkit::conformance::SourceSuite;
use serde_json::{Value, json};

use super::{ids, items, source, texts};
use crate::source::HttpSource;
use crate::tests::server::{Reply, Seen, Server};

/// An API of events that can be asked for what is new since a time.
fn events(times: &Arc<Mutex<Vec<(i64, &'static str)>>>) -> Server {
    let times = Arc::clone(times);
    Server::new(move |seen| {
        let since = seen.query("since").unwrap_or_default();
        let until = seen.query("until").unwrap_or_else(|| "9999".to_owned());
        let events: Vec<Value> = times
            .lock()
            .unwrap()
            .iter()
            .filter(|(_, at)| *at >= since.as_str() && *at <= until.as_str())
            .map(|(id, at)| json!({"id": id, "at": at}))
            .collect();
        Reply::json(&Value::Array(events))
    })
}

#[test]
fn each_round_asks_for_what_is_new_and_drops_what_it_knows() {
    let times = Arc::new(Mutex::new(vec![
        (1, "2024-01-01T00:00:00Z"),
        (2, "2024-01-02T00:00:00Z"),
        (3, "2024-01-02T00:00:00Z"),
    ]));
    let server = events(&times);
    let url = server.url("/");
    let mut source = source(&[
        ("url", &url),
        ("cursor.field", "/at"),
        ("params", r#"{"since":"{{ cursor.start }}"}"#),
        ("cursor.lookback", "12h"),
    ]);
    assert_eq!(ids(&texts(&source.run(100).unwrap())), [1, 2, 3]);
    source.reopen().unwrap();
    assert!(source.run(100).unwrap().is_empty(), "nothing is new");
    assert_eq!(
        server.seen()[1].query("since").as_deref(),
        Some("2024-01-01T12:00:00Z")
    );
    // One of the same time, and one that appeared late.
    times.lock().unwrap().extend([
        (4, "2024-01-02T00:00:00Z"),
        (5, "2024-01-01T20:00:00Z"),
        (6, "2024-01-03T00:00:00Z"),
    ]);
    source.reopen().unwrap();
    assert_eq!(ids(&texts(&source.run(100).unwrap())), [4, 5, 6]);
    let state = source.committed(&json!({"stream": "t"})).unwrap();
    assert_eq!(state["cursor"], "2024-01-03T00:00:00.000000Z");
    assert!(state.get("slice").is_none());
}

#[test]
fn windows_go_up_to_now_and_a_record_of_the_future_does_not_move_the_cursor_there() {
    let start = chrono::Utc::now() - chrono::Duration::hours(50);
    let at = |hours: i64| {
        (start + chrono::Duration::hours(hours)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    };
    let events = [(1, at(1)), (2, at(25)), (3, at(49)), (4, at(2_000))];
    let server = Server::new(move |seen| {
        let (since, until) = (seen.query("since").unwrap(), seen.query("until").unwrap());
        // This API ignores the end of the window for the record of the future.
        let found = events
            .iter()
            .filter(|(id, at)| *at >= since && (*at <= until || *id == 4));
        Reply::json(&Value::Array(
            found.map(|(id, at)| json!({"id": id, "at": at})).collect(),
        ))
    });
    let (url, from) = (server.url("/"), at(0));
    let options = [
        ("url", url.as_str()),
        ("cursor.field", "/at"),
        ("cursor.start", from.as_str()),
        ("cursor.step", "1d"),
        (
            "params",
            r#"{"since":"{{ cursor.start }}","until":"{{ cursor.end }}"}"#,
        ),
    ];
    let mut windowed = source(&options);
    assert_eq!(ids(&texts(&windowed.run(100).unwrap())), [1, 2, 3]);
    assert_eq!(server.seen().len(), 3, "a day, a day, two hours");
    let cursor = windowed.committed(&json!({"stream": "t"})).unwrap()["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        cursor <= chrono::Utc::now().to_rfc3339() && cursor > at(48),
        "{cursor}"
    );
    // Without windows the record is handed out, once, and the cursor stays in the present.
    let mut whole = source(&[
        options[0],
        options[1],
        options[2],
        ("params", r#"{"since":"{{ cursor.start }}","until":"9"}"#),
    ]);
    assert_eq!(ids(&texts(&whole.run(100).unwrap())), [1, 2, 3, 4]);
    whole.reopen().unwrap();
    assert!(whole.run(100).unwrap().is_empty());
    let cursor = whole.committed(&json!({"stream": "t"})).unwrap()["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(cursor <= chrono::Utc::now().to_rfc3339(), "{cursor}");
}

#[test]
fn an_unordered_slice_moves_the_cursor_when_it_is_whole_and_an_ascending_one_with_each_page() {
    let check = |order: &str, cursor: &Value| {
        let server = Server::new(|seen| {
            let page: i64 = seen.query("page").unwrap().parse().unwrap();
            Reply::json(&Value::Array(items((page - 1) * 2..page * 2)))
        });
        let mut source = source(&[
            ("url", &server.url("/")),
            ("pagination.type", "page"),
            ("cursor.field", "/id"),
            ("cursor.type", "integer"),
            ("cursor.order", order),
        ]);
        source.open().unwrap();
        let polled = source.poll().unwrap();
        source.commit(&polled).unwrap();
        let state = source.committed(&json!({"stream": "t"})).unwrap();
        assert_eq!(
            state.get("cursor").unwrap_or(&Value::Null),
            cursor,
            "{order}"
        );
        assert_eq!(state["slice"]["token"], "2");
    };
    check("unordered", &Value::Null);
    check("asc", &json!("1"));
    // Newest first: a page that reaches what is known is the last.
    let newest = Arc::new(AtomicUsize::new(10));
    let served = Arc::clone(&newest);
    let server = Server::new(move |seen| {
        let page: i64 = seen.query("page").unwrap().parse().unwrap();
        let top = served.load(Ordering::Acquire) as i64 - (page - 1) * 3;
        Reply::json(&Value::Array(
            (top - 3..top)
                .rev()
                .filter(|id| *id >= 0)
                .map(|id| json!({ "id": id }))
                .collect(),
        ))
    });
    let url = server.url("/");
    let mut source = source(&[
        ("url", &url),
        ("pagination.type", "page"),
        ("cursor.field", "/id"),
        ("cursor.type", "integer"),
        ("cursor.order", "desc"),
    ]);
    assert_eq!(source.run(100).unwrap().len(), 10);
    newest.store(12, Ordering::Release);
    let before = server.seen().len();
    source.reopen().unwrap();
    assert_eq!(ids(&texts(&source.run(100).unwrap())), [11, 10]);
    assert_eq!(
        server.seen().len() - before,
        2,
        "the second page has older ones"
    );
}

#[test]
fn a_token_that_the_server_forgot_starts_the_slice_again() {
    let restarted = Arc::new(AtomicUsize::new(0));
    let is_restarted = Arc::clone(&restarted);
    let server = Server::new(move |seen| {
        let life = is_restarted.load(Ordering::Acquire);
        match seen.query("cursor").as_deref() {
            None => Reply::json(&json!({"items": items(0..2), "next": format!("tok-{life}")})),
            Some(token) if token == format!("tok-{life}") => {
                Reply::json(&json!({"items": items(2..4)}))
            }
            Some(_) => Reply::new(410, "token expired"),
        }
    });
    let url = server.url("/");
    let mut source = source(&[
        ("url", &url),
        ("records.path", "/items"),
        ("pagination.type", "cursor"),
        ("cursor.field", "/id"),
        ("cursor.type", "integer"),
        ("cursor.lookback", "100"),
    ]);
    source.open().unwrap();
    let polled = source.poll().unwrap();
    source.commit(&polled).unwrap();
    restarted.store(1, Ordering::Release);
    source.reopen().unwrap();
    let rest = source.run(100).unwrap();
    assert_eq!(ids(&texts(&rest)), [2, 3], "what was read before is known");
    assert!(
        source
            .log()
            .iter()
            .any(|line| line.message.contains("no longer knows this page")
                && line.message.contains("token expired")),
        "{:?}",
        source.log()
    );
}

#[test]
fn children_are_read_for_each_record_of_their_parent_and_resume_there() {
    let server = Server::new(|seen| {
        if seen.path() == "/users" {
            let page: i64 = seen.query("page").unwrap().parse().unwrap();
            return Reply::json(&Value::Array(
                (page * 2 - 2..(page * 2).min(5))
                    .map(|id| json!({"id": id, "name": format!("u {id}")}))
                    .collect(),
            ));
        }
        let user: i64 = seen.path().split('/').nth(2).unwrap().parse().unwrap();
        assert_eq!(seen.query("name"), Some(format!("u {user}")));
        if user == 3 {
            return Reply::new(404, "gone");
        }
        Reply::json(&Value::Array(items(user * 10..user * 10 + 2)))
    });
    let streams = json!([
        {"name": "users", "topic": "users", "url": server.url("/users"), "pagination": {"type": "page", "page.size": "2"}},
        {"name": "posts", "topic": "posts", "url": server.url("/users/{{ partition }}/posts"), "params": {"name": "{{ parent.name }}"}, "ignore.codes": "404",
         "partition": {"parent": {"stream": "users"}}},
    ]);
    let streams = streams.to_string();
    let expected = [0, 1, 10, 11, 20, 21, 40, 41];
    for killed in 0..30 {
        let mut source = source(&[("streams", &streams)]);
        source.open().unwrap();
        let mut records = Vec::new();
        for _ in 0..killed {
            let polled = source.poll().unwrap();
            source.commit(&polled).unwrap();
            records.extend(polled.records);
            if polled.poll == Poll::Exhausted {
                break;
            }
        }
        if source.committed(&json!({"round": "values", "stream": "posts"}))
            == Some(json!({"done": 0, "page": 0}))
        {
            // The round was over; the next one reads everything again, for these streams have no cursor.
            assert!(killed > 7, "{killed}");
            break;
        }
        source.reopen().unwrap();
        records.extend(source.run(1_000).unwrap());
        let posts: Vec<String> = records
            .iter()
            .filter(|record| record.topic == "posts")
            .map(|record| record.value.text())
            .collect();
        assert_eq!(ids(&posts), expected, "killed after {killed} batches");
    }
}

#[test]
fn a_list_of_values_has_a_cursor_for_each() {
    let server = Server::new(|seen| {
        let since: i64 = seen.query("since").unwrap_or_default().parse().unwrap_or(0);
        let base = if seen.path() == "/kr" { 100 } else { 0 };
        Reply::json(&Value::Array(items(since.max(base)..base + 3)))
    });
    let url = server.url("/{{ partition }}");
    let mut source = source(&[
        ("url", &url),
        ("partition.list", "kr,jp"),
        ("cursor.field", "/id"),
        ("cursor.type", "integer"),
        ("params", r#"{"since":"{{ cursor.start }}"}"#),
    ]);
    assert_eq!(
        ids(&texts(&source.run(100).unwrap())),
        [100, 101, 102, 0, 1, 2]
    );
    assert_eq!(
        source
            .committed(&json!({"partition": "kr", "stream": "t"}))
            .unwrap()["cursor"],
        "102"
    );
    assert_eq!(
        source
            .committed(&json!({"partition": "jp", "stream": "t"}))
            .unwrap()["cursor"],
        "2"
    );
    source.reopen().unwrap();
    assert!(source.run(100).unwrap().is_empty());
}

#[test]
fn what_did_not_change_is_not_sent_again() {
    let server = Server::new(|seen| {
        if seen.header("if-none-match") == "\"v1\""
            && seen.header("if-modified-since") == "Wed, 21 Oct 2015 07:28:00 GMT"
        {
            return Reply::new(304, "");
        }
        Reply::json(&json!([1]))
            .header("etag", "\"v1\"")
            .header("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT")
    });
    let url = server.url("/");
    let mut source = source(&[("url", &url), ("poll.interval", "10ms")]).bounded(false);
    source.open().unwrap();
    let mut records = 0;
    while server.seen().len() < 4 {
        let polled = source.poll().unwrap();
        source.commit(&polled).unwrap();
        records += polled.records.len();
        if let Poll::Idle(rest) = polled.poll {
            std::thread::sleep(rest);
        }
    }
    assert_eq!(records, 1);
    source.reopen().unwrap();
    assert!(
        source.poll().unwrap().records.is_empty(),
        "also after a restart"
    );
}

#[test]
fn streams_are_shared_between_tasks() {
    use linkspan_sdk::SourceConnector as _;
    use linkspan_sdk::options::Options as _;
    let streams = json!(
        (0..5)
            .map(|n| json!({"name": format!("s{n}"), "url": "http://h/"}))
            .collect::<Vec<_>>()
    )
    .to_string();
    let config = BTreeMap::from([
        ("streams".to_owned(), streams),
        ("topic".to_owned(), "t".to_owned()),
    ]);
    let options = crate::source::HttpSourceOptions::from_config(&config).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let shares = |max| {
        runtime
            .block_on(crate::source::HttpSourceConnector::task_configs(
                &options, max,
            ))
            .unwrap()
    };
    assert_eq!(
        shares(2)
            .iter()
            .map(|task| task["streams.share"].as_str())
            .collect::<Vec<_>>(),
        ["0/2", "1/2"]
    );
    assert_eq!(shares(9).len(), 5);
}

#[test]
fn the_source_conforms() {
    SourceSuite::<HttpSource>::new(|_| {
        let server = Server::new(|seen: &Seen| {
            let since: i64 = seen.query("since").unwrap_or_default().parse().unwrap_or(0);
            let page: i64 = seen.query("page").unwrap().parse().unwrap();
            let from = since + (page - 1) * 5;
            Reply::json(&Value::Array(items(from.min(24)..(from + 5).min(24))))
        });
        let url = server.url("/");
        // It lives as long as the test program: the suite has no end of a scenario to stop it at.
        let _lives_on: &Server = Box::leak(Box::new(server));
        [
            ("url", url),
            ("topic", "t".to_owned()),
            ("egress.allow", "127.0.0.1".to_owned()),
            ("pagination.type", "page".to_owned()),
            ("pagination.page.size", "5".to_owned()),
            ("cursor.field", "/id".to_owned()),
            ("cursor.type", "integer".to_owned()),
            ("params", r#"{"since":"{{ cursor.start }}"}"#.to_owned()),
        ]
    })
    .run();
}

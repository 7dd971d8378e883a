//! `http-source`: pages of every kind, cursors, rounds, and what a restart finds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use linkspan_sdk::{Error, ErrorKind, Poll};
use linkspan_testkit::conformance::SourceSuite;
use linkspan_testkit::{SourceTest, TestHost, TestRecord};
use serde_json::{Value, json};

use super::server::{Reply, Seen, Server};
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

#[test]
fn one_answer_is_as_many_records_as_it_holds() {
    let server =
        Server::new(|seen| Reply::json(&json!({"items": [{"n": seen.query("q")}, 2], "more": 1})));
    let records = run(&[
        ("url", &server.url("/x")),
        ("records.path", "/items"),
        ("params", r#"{"q":"{{ 1 + 1 }} & 3","none":""}"#),
    ]);
    assert_eq!(records, [r#"{"n":"2 & 3"}"#, "2"]);
    let seen = &server.seen()[0];
    assert_eq!(
        (seen.method.as_str(), seen.path(), seen.header("accept")),
        ("GET", "/x", "application/json")
    );
    assert_eq!(seen.query("none"), None);
}

#[test]
fn keys_and_times_come_from_the_records() {
    let server = Server::new(|_| {
        Reply::json(
            &json!([{"id": 7, "at": "2024-05-01T10:00:00.5Z"}, {"id": "x", "at": 1714557600}, {}]),
        )
    });
    let records = source(&[
        ("url", &server.url("/")),
        ("key.path", "/id"),
        ("timestamp.path", "/at"),
    ])
    .run(10)
    .unwrap();
    let told: Vec<_> = records
        .iter()
        .map(|record| (record.key.text(), record.timestamp))
        .collect();
    assert_eq!(told[0], ("7".to_owned(), Some(1_714_557_600_500)));
    assert_eq!(told[1], ("x".to_owned(), Some(1_714_557_600_000)));
    assert_eq!(told[2].1, None);
}

#[test]
fn pages_by_number_and_by_offset_end_with_a_short_one() {
    let server = numbered(10, 4);
    let options = [
        ("url", server.url("/")),
        ("records.path", "/data".to_owned()),
        ("pagination.type", "page".to_owned()),
        ("pagination.page.size", "4".to_owned()),
        ("pagination.size.param", "per_page".to_owned()),
    ];
    let options: Vec<(&str, &str)> = options.iter().map(|(k, v)| (*k, v.as_str())).collect();
    assert_eq!(ids(&run(&options)), (0..10).collect::<Vec<_>>());
    let asked: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| (seen.query("page"), seen.query("per_page")))
        .collect();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[2], (Some("3".to_owned()), Some("4".to_owned())));
    let offset = Server::new(|seen| {
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        let from = body["start"].as_i64().unwrap();
        assert_eq!(body["q"], "all");
        Reply::json(&Value::Array(items(from..(from + 3).min(9))))
    });
    let records = run(&[
        ("url", &offset.url("/")),
        ("method", "POST"),
        ("body", r#"{"q":"all"}"#),
        ("pagination.type", "offset"),
        ("pagination.param", "start"),
        ("pagination.inject.into", "body"),
    ]);
    assert_eq!(ids(&records), (0..9).collect::<Vec<_>>());
    assert_eq!(
        offset.seen().len(),
        4,
        "without a size only an empty page is the last"
    );
}

#[test]
fn github_pages_follow_the_link_header() {
    let server = Server::new(|seen| {
        let page: i64 = seen.query("page").map_or(1, |page| page.parse().unwrap());
        assert_eq!(seen.query("per_page").as_deref(), Some("2"));
        let reply = Reply::json(&Value::Array(items((page - 1) * 2..(page * 2).min(5))));
        let host = seen.header("host");
        let link = |page: i64, relation: &str| {
            format!("<http://{host}/repos/o/r/issues?per_page=2&page={page}>; rel=\"{relation}\"")
        };
        if page == 3 {
            reply.header("link", &link(2, "prev"))
        } else {
            reply.header(
                "link",
                &format!("{}, {}", link(page + 1, "next"), link(3, "last")),
            )
        }
    });
    let records = run(&[
        ("url", &server.url("/repos/o/r/issues")),
        ("params", r#"{"per_page":"2"}"#),
        ("pagination.type", "link_header"),
    ]);
    assert_eq!(ids(&records), [0, 1, 2, 3, 4]);
}

#[test]
fn stripe_pages_start_after_the_last_record() {
    let server = Server::new(|seen| {
        assert_eq!(seen.header("authorization"), "Bearer sk_test_1");
        let from = seen
            .query("starting_after")
            .map_or(0, |id| id.parse::<i64>().unwrap() + 1);
        Reply::json(
            &json!({"object": "list", "data": items(from..(from + 3).min(8)), "has_more": from + 3 < 8}),
        )
    });
    let records = run(&[
        ("url", &server.url("/v1/charges")),
        ("auth.type", "bearer"),
        ("auth.token", "sk_test_1"),
        ("records.path", "/data"),
        ("pagination.type", "cursor"),
        ("pagination.cursor.in", "last_record"),
        ("pagination.cursor.path", "/id"),
        ("pagination.param", "starting_after"),
        ("pagination.stop.when", "not response.has_more"),
    ]);
    assert_eq!(ids(&records), (0..8).collect::<Vec<_>>());
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn shopify_pages_carry_a_token_in_the_link_and_no_other_parameter() {
    let server = Server::new(|seen| {
        let token = seen.query("page_info");
        // Shopify refuses other filters beside `page_info`.
        assert!(
            token.is_none() || seen.query("status").is_none(),
            "{seen:?}"
        );
        let (from, next) = match token.as_deref() {
            None => (0, Some("tok2")),
            Some("tok2") => (2, Some("tok3")),
            Some(_) => (4, None),
        };
        let reply = Reply::json(&json!({"orders": items(from..from + 2)}));
        match next {
            Some(next) => reply.header(
                "link",
                &format!(
                    "<http://{}/orders.json?limit=2&page_info={next}>; rel=\"next\"",
                    seen.header("host")
                ),
            ),
            None => reply,
        }
    });
    let records = run(&[
        ("url", &server.url("/orders.json")),
        ("params", r#"{"limit":"2","status":"any"}"#),
        ("auth.type", "api_key"),
        ("auth.api.key.name", "X-Shopify-Access-Token"),
        ("auth.api.key", "shpat_1"),
        ("records.path", "/orders"),
        ("pagination.type", "link_header"),
    ]);
    assert_eq!(ids(&records), (0..6).collect::<Vec<_>>());
    assert!(
        server
            .seen()
            .iter()
            .all(|seen| seen.header("x-shopify-access-token") == "shpat_1")
    );
}

#[test]
fn tokens_and_next_urls_come_from_the_answer() {
    let server = Server::new(|seen| {
        let from = seen.query("cursor").map_or(0, |token| {
            token.trim_start_matches('c').parse::<i64>().unwrap()
        });
        let next = if from < 4 {
            json!(format!("c{}", from + 2))
        } else {
            Value::Null
        };
        Reply::json(&json!({"items": items(from..from + 2), "meta": {"next": next}}))
    });
    assert_eq!(
        ids(&run(&[
            ("url", &server.url("/")),
            ("records.path", "/items"),
            ("pagination.type", "cursor"),
            ("pagination.cursor.path", "/meta/next")
        ])),
        (0..6).collect::<Vec<_>>()
    );
    let server = Server::new(|seen| {
        let page = seen.path().trim_start_matches('/').parse::<i64>().unwrap();
        let next = if page < 2 {
            json!(format!("/{}", page + 1))
        } else {
            json!("")
        };
        Reply::json(&json!({"items": items(page..page + 1), "next": next}))
    });
    assert_eq!(
        ids(&run(&[
            ("url", &server.url("/0")),
            ("records.path", "/items"),
            ("pagination.type", "next_url")
        ])),
        [0, 1, 2]
    );
}

#[test]
fn a_kill_at_any_page_resumes_there() {
    let server = numbered(20, 4);
    let options = [
        ("url", server.url("/")),
        ("records.path", "/data".to_owned()),
        ("pagination.type", "page".to_owned()),
        ("pagination.page.size", "4".to_owned()),
    ];
    for killed in 0..6 {
        let options: Vec<(&str, &str)> = options.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let mut source = source(&options);
        source.open().unwrap();
        let mut records = Vec::new();
        for _ in 0..killed {
            let polled = source.poll().unwrap();
            source.commit(&polled).unwrap();
            records.extend(texts(&polled.records));
        }
        // What is polled and not committed when the kill comes is polled again.
        let _lost = source.poll().unwrap();
        let before = server.seen().len();
        source.reopen().unwrap();
        records.extend(texts(&source.run(1_000).unwrap()));
        if killed < 5 {
            assert_eq!(
                ids(&records),
                (0..20).collect::<Vec<_>>(),
                "killed after {killed} pages"
            );
            assert_eq!(
                server.seen()[before].query("page"),
                Some((killed + 1).to_string()),
                "no page before it is asked for again"
            );
        }
    }
}

#[test]
fn a_page_larger_than_a_batch_resumes_within() {
    let server = Server::new(|_| Reply::json(&Value::Array(items(0..100))));
    let options = [("url", server.url("/"))];
    let options: Vec<(&str, &str)> = options.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let mut source = source(&options).asking(7, 1 << 20);
    source.open().unwrap();
    let polled = source.poll().unwrap();
    assert_eq!(polled.records.len(), 7);
    source.commit(&polled).unwrap();
    let mut records = texts(&polled.records);
    source.reopen().unwrap();
    records.extend(texts(&source.run(1_000).unwrap()));
    assert_eq!(ids(&records), (0..100).collect::<Vec<_>>());
}

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
fn rate_limits_are_kept_and_heeded() {
    let server = numbered(8, 2);
    let begin = Instant::now();
    let options = [
        ("url", server.url("/")),
        ("records.path", "/data".to_owned()),
        ("pagination.type", "page".to_owned()),
        ("rate.limit", "600/m".to_owned()),
    ];
    let options: Vec<(&str, &str)> = options.iter().map(|(k, v)| (*k, v.as_str())).collect();
    assert_eq!(run(&options).len(), 8);
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "ten at once, then ten a second"
    );
    let exhausted = Server::new(|seen| {
        let page: i64 = seen.query("page").unwrap().parse().unwrap();
        Reply::json(&Value::Array(items(
            page * 2..page * 2 + if page < 2 { 2 } else { 0 },
        )))
        .header("ratelimit-remaining", "0")
        .header("ratelimit-reset", "1")
    });
    let begin = Instant::now();
    run(&[("url", &exhausted.url("/")), ("pagination.type", "page")]);
    assert!(
        begin.elapsed() >= Duration::from_millis(900),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn an_answer_that_says_not_now_is_asked_again_later() {
    let tries = AtomicUsize::new(0);
    let server = Server::new(move |_| match tries.fetch_add(1, Ordering::AcqRel) {
        0 => Reply::new(429, "slow down").header("retry-after", "3"),
        1 => Reply::new(429, "slow down"),
        2 => Reply::new(503, "down"),
        _ => Reply::json(&json!([1])),
    });
    let url = server.url("/");
    let mut source = source(&[("url", &url), ("max.retries", "5")]);
    source.open().unwrap();
    let mut polls = || source.poll().map(|polled| texts(&polled.records));
    let first = polls().unwrap_err();
    assert_eq!(
        (first.kind(), first.retry_delay()),
        (ErrorKind::RateLimited, Some(Duration::from_secs(3)))
    );
    for text in ["try 1 of 6", "GET http://127.0.0.1", "429", "slow down"] {
        assert!(first.chain().contains(text), "{first:?}");
    }
    let second = polls().unwrap_err();
    assert_eq!(
        second.retry_delay(),
        Some(Duration::from_millis(20)),
        "without `Retry-After` the wait is its own"
    );
    assert_eq!(polls().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(polls().unwrap(), ["1"]);
}

#[test]
fn an_expired_token_in_the_middle_of_the_pages_is_replaced() {
    let issued = AtomicUsize::new(0);
    let server = Server::new(move |seen| {
        if seen.path() == "/token" {
            assert!(
                seen.body.contains("grant_type=refresh_token"),
                "{}",
                seen.body
            );
            let number = issued.fetch_add(1, Ordering::AcqRel) + 1;
            let wanted = if number == 1 {
                "refresh-0"
            } else {
                "refresh-1"
            };
            assert!(
                seen.body.contains(wanted),
                "a newer refresh token is used: {}",
                seen.body
            );
            return Reply::json(
                &json!({"access_token": format!("access-{number}"), "refresh_token": "refresh-1", "expires_in": "3600"}),
            );
        }
        let page: i64 = seen.query("page").unwrap().parse().unwrap();
        let good = if page < 3 {
            "Bearer access-1"
        } else {
            "Bearer access-2"
        };
        if seen.header("authorization") != good {
            return Reply::new(401, "expired");
        }
        Reply::json(&Value::Array(items(page * 2 - 2..(page * 2).min(8))))
    });
    let (url, token) = (server.url("/"), server.url("/token"));
    let records = run(&[
        ("url", &url),
        ("pagination.type", "page"),
        ("auth.type", "oauth2_refresh"),
        ("oauth2.access.token.url", &token),
        ("oauth2.refresh.token", "refresh-0"),
        ("oauth2.client.id", "id"),
    ]);
    assert_eq!(ids(&records), (0..8).collect::<Vec<_>>());
}

/// The error is permanent unless said otherwise, and names all of this.
#[track_caller]
fn told(error: &Error, temporary: bool, texts: &[&str]) {
    assert_eq!(error.is_temporary(), temporary, "{error:?}");
    for text in texts {
        assert!(error.chain().contains(text), "`{text}` in {error:?}");
    }
}

#[test]
fn bad_answers_name_url_status_type_and_body() {
    let always = |reply: Reply| Server::new(move |_| reply.clone());
    let html = always(
        Reply::new(200, "<!DOCTYPE html><title>Log in</title>").header("content-type", "text/html"),
    );
    told(
        &failed(&[("url", &html.url("/api"))]),
        false,
        &[
            "GET http://127.0.0.1",
            "/api",
            "200",
            "text/html",
            "Log in",
            "not JSON",
        ],
    );
    let moved = always(Reply::json(&json!({"error": "renamed"})));
    told(
        &failed(&[("url", &moved.url("/")), ("records.path", "/items")]),
        false,
        &[
            "records.path",
            "there is no `items`",
            "error",
            "application/json",
            "renamed",
        ],
    );
    let cut = {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder
            .write_all(json!(items(0..1000)).to_string().as_bytes())
            .unwrap();
        let whole = encoder.finish().unwrap();
        whole[..whole.len() / 2].to_vec()
    };
    let gzip = always(
        Reply::new(200, cut)
            .header("content-encoding", "gzip")
            .header("content-type", "application/json"),
    );
    told(
        &failed(&[("url", &gzip.url("/"))]),
        false,
        &[
            "200",
            "application/json",
            "ends early or cannot be decompressed",
            "given up after 1 tries",
        ],
    );
    let short = always(Reply {
        announced: Some(1000),
        ..Reply::json(&json!([1]))
    });
    told(
        &failed(&[("url", &short.url("/"))]),
        false,
        &["200", "ends early", "after 3 bytes", "[1]"],
    );
}

#[test]
fn refusals_and_wrong_encodings_name_url_status_type_and_body() {
    let always = |reply: Reply| Server::new(move |_| reply.clone());
    let charset = always(
        Reply::new(200, b"[\"\xb0\xa1\"]".to_vec())
            .header("content-type", "application/json; charset=utf-8"),
    );
    told(
        &failed(&[("url", &charset.url("/"))]),
        false,
        &["byte 2 (0xb0) is not UTF-8", "charset", "200"],
    );
    let forbidden =
        always(Reply::new(403, "no access for you").header("content-type", "text/plain"));
    told(
        &failed(&[
            ("url", &forbidden.url("/")),
            ("auth.type", "bearer"),
            ("auth.token", "hidden-token"),
        ]),
        false,
        &["403", "text/plain", "no access for you", "auth.*"],
    );
    let missing = always(Reply::new(404, "nothing here"));
    told(
        &failed(&[("url", &missing.url("/"))]),
        false,
        &["404", "nothing here", "check `url`"],
    );
}

#[test]
fn endless_things_end() {
    let redirects =
        Server::new(|seen| Reply::new(302, "").header("location", &format!("{}x", seen.target)));
    told(
        &failed(&[("url", &redirects.url("/r"))]),
        false,
        &["answered 302", "redirects.max", "/rx", "/rxxxx"],
    );
    let circle = Server::new(|seen| {
        let next = if seen.query("cursor").as_deref() == Some("b") {
            "a"
        } else {
            "b"
        };
        Reply::json(&json!({"items": [1], "next": next}))
    });
    told(
        &failed(&[
            ("url", &circle.url("/")),
            ("records.path", "/items"),
            ("pagination.type", "cursor"),
        ]),
        false,
        &["pagination does not end", "page 3", "`b`, which was page 2"],
    );
    let same = Server::new(|_| Reply::json(&json!([1, 2])));
    told(
        &failed(&[("url", &same.url("/")), ("pagination.type", "page")]),
        false,
        &["page 2", "page 1 again", "does the server take `page`?"],
    );
    let endless = Server::new(|seen| {
        Reply::json(
            &json!({"items": [1], "next": seen.query("cursor").map_or(1, |token| token.parse::<i64>().unwrap() + 1)}),
        )
    });
    told(
        &failed(&[
            ("url", &endless.url("/")),
            ("records.path", "/items"),
            ("pagination.type", "cursor"),
            ("pagination.max.pages", "20"),
        ]),
        false,
        &["after page 20", "pagination.max.pages"],
    );
    let elsewhere = Server::new(|_| {
        Reply::json(&json!({"items": [1], "next": "http://169.254.169.254/latest"}))
    });
    told(
        &failed(&[
            ("url", &elsewhere.url("/")),
            ("records.path", "/items"),
            ("pagination.type", "next_url"),
        ]),
        false,
        &["http://169.254.169.254", "another server"],
    );
}

#[test]
fn large_and_slow_answers_are_given_up_in_bounded_memory_and_time() {
    let huge = Server::new(|_| Reply {
        announced: Some(2 << 30),
        ..Reply::json(&json!([1]))
    });
    told(
        &failed(&[("url", &huge.url("/"))]),
        false,
        &[
            "200",
            "application/json",
            "body `[1]`",
            "more than 33554432 bytes",
            "max.response.bytes",
        ],
    );
    let long =
        Server::new(|_| Reply::new(200, vec![b' '; 300_000]).header("content-type", "text/plain"));
    told(
        &failed(&[("url", &long.url("/")), ("max.response.bytes", "100KiB")]),
        false,
        &[
            "answered 200",
            "text/plain",
            "body `",
            "more than 102400 bytes",
        ],
    );
    let dripping = Server::new(|_| Reply {
        drip: Some(Duration::from_secs(10)),
        ..Reply::json(&json!([1, 2, 3]))
    });
    let begin = Instant::now();
    told(
        &failed(&[("url", &dripping.url("/")), ("read.timeout", "300ms")]),
        false,
        &[
            "300ms",
            "read.timeout",
            "began with 200 OK (application/json), 1 bytes `[`",
        ],
    );
    let steady = Server::new(|_| Reply {
        drip: Some(Duration::from_millis(50)),
        ..Reply::json(&json!(items(0..100)))
    });
    told(
        &failed(&[("url", &steady.url("/")), ("request.timeout", "400ms")]),
        false,
        &[
            "400ms",
            "request.timeout",
            "began with 200 OK (application/json)",
        ],
    );
    assert!(
        begin.elapsed() < Duration::from_secs(10),
        "{:?}",
        begin.elapsed()
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

//! `http-sink`: what arrives, in which order, and what an answer leads to.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use linkspan_sdk::ErrorKind;
use linkspan_testkit::conformance::SinkSuite;
use linkspan_testkit::{SinkTest, TestData, TestHost, TestRecord};
use serde_json::json;

use super::server::{Reply, Seen, Server};
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

#[test]
fn each_record_is_a_request_made_by_templates_with_a_key_of_its_own() {
    let server = Server::new(|_| Reply::new(200, ""));
    let mut sink = open(
        &server.url("/orders/{{ value.id }}"),
        &[
            ("method", "{{ headers.method }}"),
            (
                "headers",
                r#"{"x-key":"{{ key }}","x-where":"{{ topic }}/{{ partition }}/{{ offset }}"}"#,
            ),
        ],
    );
    let record = TestRecord::new("t", r#"{"id": "a/b ?c"}"#)
        .partition(2)
        .key("k1")
        .header("method", "put");
    let put = sink.put(&[record]).unwrap();
    assert_eq!(put.progress[&("t".to_owned(), 2)].0, 1);
    let seen = server.seen();
    assert_eq!(
        (seen[0].method.as_str(), seen[0].target.as_str()),
        ("PUT", "/orders/a%2Fb%20%3Fc")
    );
    assert_eq!(seen[0].body, r#"{"id": "a/b ?c"}"#, "the value as it is");
    assert_eq!(
        (seen[0].header("x-key"), seen[0].header("x-where")),
        ("k1", "t/2/0")
    );
    assert_eq!(seen[0].header("content-type"), "application/json");
    assert_eq!(seen[0].header("idempotency-key"), format!("{TOPIC_ID}-2-0"));
    assert!(seen[0].header("user-agent").starts_with("linkspan/"));
}

#[test]
fn bodies_and_names_can_be_templates() {
    let server = Server::new(|_| Reply::new(200, ""));
    let options = [
        (
            "body.template",
            r#"{"text": {{ value.name | tojson }}, "at": {{ offset }}}"#,
        ),
        ("idempotency.header", "X-Delivery"),
        ("idempotency.key", "{{ topic }}:{{ offset }}"),
    ];
    let mut sink = open(&server.url("/"), &options);
    let put = sink
        .put(&records(&[r#"{"name":"a \"b\""}"#, r#"{"other":1}"#]))
        .unwrap();
    let seen = server.seen();
    assert_eq!(bodies(&seen), [r#"{"text": "a \"b\"", "at": 0}"#]);
    assert_eq!(seen[0].header("x-delivery"), "t:0");
    // A name that is not there is the record's fault, and is told without the record.
    assert_eq!(put.rejected.len(), 1);
    assert_eq!(
        (put.rejected[0].offset, put.rejected[0].error.kind.as_str()),
        (1, "data_invalid")
    );
    assert!(
        put.rejected[0].error.message.contains("body.template"),
        "{:?}",
        put.rejected
    );
    assert!(
        !put.rejected[0].error.message.contains("other"),
        "{:?}",
        put.rejected
    );
}

#[test]
fn batches_are_lines_or_arrays_within_their_bounds() {
    let check = |options: &[(&str, &str)], expected: &[&str]| {
        let server = Server::new(|_| Reply::new(200, ""));
        let mut sink = open(
            &server.url("/"),
            &[&[("batching.enabled", "true")], options].concat(),
        );
        sink.put(&records(&["{\"a\":\n1}", "text", "3"])).unwrap();
        assert_eq!(bodies(&server.seen()), expected, "{options:?}");
        server.seen()
    };
    let seen = check(&[], &["{\"a\":1}\n\"text\"\n3\n"]);
    assert_eq!(
        seen[0].header("idempotency-key"),
        format!("{TOPIC_ID}-0-0-2")
    );
    check(
        &[("batch.format", "json_array")],
        &["[{\"a\":1},\"text\",3]"],
    );
    check(
        &[("batch.max.size", "2")],
        &["{\"a\":1}\n\"text\"\n", "3\n"],
    );
    check(
        &[("batch.max.bytes", "10B")],
        &["{\"a\":1}\n", "\"text\"\n3\n"],
    );
    check(
        &[
            ("batch.prefix", "<"),
            ("batch.separator", "\\t"),
            ("batch.suffix", ">"),
        ],
        &["<{\"a\":1}\t\"text\"\t3>"],
    );
    check(
        &[
            ("body.template", "{{ offset }}"),
            ("batch.format", "json_array"),
        ],
        &["[0,1,2]"],
    );
}

#[test]
fn partitions_go_side_by_side_and_keep_their_order() {
    let server = Server::new(|_| Reply {
        delay: Some(Duration::from_millis(20)),
        ..Reply::new(200, "")
    });
    let mut sink = open(&server.url("/"), &[("max.in.flight", "3")]);
    let batch: Vec<TestRecord> = (0..24)
        .map(|n| TestRecord::new("t", format!("{}-{n:02}", n % 4)).partition(n % 4))
        .collect();
    sink.put(&batch).unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 24);
    assert_eq!(server.most_at_a_time(), 3);
    for partition in 0..4 {
        let of: Vec<&str> = bodies(&seen)
            .into_iter()
            .filter(|body| body.starts_with(&format!("{partition}-")))
            .collect();
        assert!(of.is_sorted(), "{of:?}");
    }
    let one = Server::new(|_| Reply {
        delay: Some(Duration::from_millis(5)),
        ..Reply::new(200, "")
    });
    open(&one.url("/"), &[])
        .put(&records(&["a", "b", "c"]))
        .unwrap();
    assert_eq!(
        (bodies(&one.seen()), one.most_at_a_time()),
        (vec!["a", "b", "c"], 1)
    );
    let any = Server::new(|_| Reply {
        delay: Some(Duration::from_millis(30)),
        ..Reply::new(200, "")
    });
    open(&any.url("/"), &[("order", "none")])
        .put(&records(&["a", "b", "c"]))
        .unwrap();
    assert_eq!(
        any.most_at_a_time(),
        3,
        "without an order one partition goes side by side"
    );
    let keyed = Server::new(|_| Reply {
        delay: Some(Duration::from_millis(5)),
        ..Reply::new(200, "")
    });
    let batch: Vec<TestRecord> = (0..40)
        .map(|n| TestRecord::new("t", format!("{}-{n:02}", n % 5)).key((n % 5).to_string()))
        .collect();
    open(&keyed.url("/"), &[("order", "key")])
        .put(&batch)
        .unwrap();
    for key in 0..5 {
        let seen = keyed.seen();
        let of: Vec<&str> = bodies(&seen)
            .into_iter()
            .filter(|body| body.starts_with(&format!("{key}-")))
            .collect();
        assert!(of.len() == 8 && of.is_sorted(), "{of:?}");
    }
    assert!(keyed.most_at_a_time() > 1);
}

#[test]
fn what_is_not_taken_now_is_sent_again_with_the_same_key_and_nothing_else_is() {
    let tries = AtomicUsize::new(0);
    let server = Server::new(move |seen| {
        if seen.body == "c" && tries.fetch_add(1, Ordering::AcqRel) < 2 {
            return Reply::new(503, "busy").header("retry-after", "7");
        }
        if seen.body == "bad" {
            Reply::new(422, "no")
        } else {
            Reply::new(200, "")
        }
    });
    let mut sink = open(&server.url("/"), &[]);
    let batch = records(&["a", "bad", "c", "d"]);
    let error = sink.put(&batch).unwrap_err();
    assert!(error.is_temporary());
    assert_eq!(error.retry_delay(), Some(Duration::from_secs(7)));
    for text in ["try 1", "t-0 offset 2", "503", "busy"] {
        assert!(error.chain().contains(text), "{error:?}");
    }
    assert!(sink.put(&batch).unwrap_err().chain().contains("try 2"));
    let put = sink.put(&batch).unwrap();
    assert_eq!(put.progress[&("t".to_owned(), 0)].0, 4);
    assert_eq!(
        put.rejected.len(),
        1,
        "what was refused before is told with the batch that goes through"
    );
    let seen = server.seen();
    assert_eq!(bodies(&seen), ["a", "bad", "c", "c", "c", "d"]);
    let keys: Vec<&str> = seen
        .iter()
        .filter(|seen| seen.body == "c")
        .map(|seen| seen.header("idempotency-key"))
        .collect();
    assert!(
        keys.iter().all(|key| *key == format!("{TOPIC_ID}-0-2")),
        "{keys:?}"
    );
    // 429 without `Retry-After` waits by itself.
    let server = Server::new(|_| Reply::new(429, ""));
    let error = open(&server.url("/"), &[("max.retries", "1")])
        .put(&batch)
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry_delay()),
        (ErrorKind::RateLimited, Some(Duration::from_millis(10)))
    );
}

#[test]
fn enough_tries_are_enough() {
    let server = Server::new(|_| Reply::new(500, ""));
    let mut sink = open(&server.url("/"), &[("max.retries", "1")]);
    assert!(sink.put(&records(&["a"])).unwrap_err().is_temporary());
    let error = sink.put(&records(&["a"])).unwrap_err();
    assert!(
        !error.is_temporary() && error.chain().contains("given up after 2 tries"),
        "{error:?}"
    );
    drop(server);
    let nobody = super::raw::free_port();
    let error = open(&format!("http://{nobody}/"), &[])
        .put(&records(&["a"]))
        .unwrap_err();
    assert!(
        error.is_temporary() && error.chain().contains(&nobody.to_string()),
        "{error:?}"
    );
}

#[test]
fn a_bad_record_is_refused_at_once_with_status_and_body() {
    let server = Server::new(|seen| match seen.body.as_str() {
        "400" => Reply::new(400, "{\"error\":\"wrong colour\"}")
            .header("content-type", "application/json"),
        "404" => Reply::new(404, "gone"),
        "409" => Reply::new(409, "twice"),
        _ => Reply::new(204, ""),
    });
    let mut sink = open(&server.url("/in?x=1"), &[("ignore.codes", "409")]);
    let put = sink
        .put(&records(&["a", "400", "404", "409", "b"]))
        .unwrap();
    assert_eq!(put.progress[&("t".to_owned(), 0)].0, 5);
    let refused: Vec<_> = put
        .rejected
        .iter()
        .map(|one| (one.offset, one.error.kind.as_str()))
        .collect();
    assert_eq!(refused, [(1, "data_invalid"), (2, "data_invalid")]);
    let message = &put.rejected[0].error.message;
    for text in [
        "t-0 offset 1",
        "POST http://127.0.0.1",
        "/in?x=1",
        "400 Bad Request",
        "application/json",
        "wrong colour",
    ] {
        assert!(message.contains(text), "`{text}` in {message}");
    }
    assert_eq!(server.seen().len(), 5, "none was tried again");
}

#[test]
fn a_refused_batch_is_halved_to_its_bad_records() {
    let server = Server::new(|seen| {
        if seen.body.contains("bad") {
            Reply::new(422, "bad inside")
        } else {
            Reply::new(200, "")
        }
    });
    let mut sink = open(
        &server.url("/"),
        &[("batching.enabled", "true"), ("batch.format", "json_array")],
    );
    let values: Vec<String> = (0..16)
        .map(|n| {
            if n == 5 || n == 11 {
                format!("bad{n}")
            } else {
                format!("ok{n}")
            }
        })
        .collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let put = sink.put(&records(&values)).unwrap();
    assert_eq!(
        put.rejected
            .iter()
            .map(|one| one.offset)
            .collect::<Vec<_>>(),
        [5, 11]
    );
    let taken: String = server
        .seen()
        .iter()
        .filter(|seen| !seen.body.contains("bad"))
        .map(|seen| seen.body.clone())
        .collect();
    for n in (0..16).filter(|n| *n != 5 && *n != 11) {
        assert_eq!(taken.matches(&format!("\"ok{n}\"")).count(), 1, "{taken}");
    }
}

#[test]
fn a_record_without_a_value_is_skipped_or_deleted_or_refused() {
    let tombstone = || {
        vec![
            TestRecord::new("t", TestData::Null).key("k/1"),
            TestRecord::new("t", "x").key("k2"),
        ]
    };
    let check = |options: &[(&str, &str)], expected: &[(&str, &str)], refused: usize| {
        let server = Server::new(|_| Reply::new(200, ""));
        let put = open(&server.url("/items/{{ key }}"), options)
            .put(&tombstone())
            .unwrap();
        let seen = server.seen();
        let seen: Vec<_> = seen
            .iter()
            .map(|seen| (seen.method.as_str(), seen.target.as_str()))
            .collect();
        assert_eq!(seen, expected, "{options:?}");
        assert_eq!(
            (put.rejected.len(), put.progress[&("t".to_owned(), 0)].0),
            (refused, 2)
        );
    };
    check(&[], &[("POST", "/items/k2")], 0);
    check(
        &[("on.null.value", "delete")],
        &[("DELETE", "/items/k%2F1"), ("POST", "/items/k2")],
        0,
    );
    check(&[("on.null.value", "fail")], &[("POST", "/items/k2")], 1);
    check(
        &[("on.null.value", "delete"), ("batching.enabled", "true")],
        &[("DELETE", "/items/k%2F1"), ("POST", "/items/k2")],
        0,
    );
}

#[test]
fn an_expired_token_in_the_middle_is_replaced_once_and_never_shown() {
    let issued = AtomicUsize::new(0);
    let good = Mutex::new(0);
    let server = Server::new(move |seen| {
        if seen.path() == "/token" {
            assert_eq!(seen.header("authorization"), "Basic aWQ6c2VjcmV0LXZhbHVl");
            assert!(
                seen.body.contains("grant_type=client_credentials")
                    && seen.body.contains("scope=a+b"),
                "{}",
                seen.body
            );
            let number = issued.fetch_add(1, Ordering::AcqRel) + 1;
            *good.lock().unwrap() = number;
            return Reply::json(
                &json!({"access_token": format!("token-number-{number}"), "expires_in": 3600}),
            );
        }
        let number = *good.lock().unwrap();
        if seen.header("authorization") != format!("Bearer token-number-{number}") {
            return Reply::new(401, format!("no good: {}", seen.header("authorization")));
        }
        if seen.body == "c" {
            // From now on the token is no good.
            *good.lock().unwrap() = 100;
        }
        Reply::new(200, "")
    });
    let options = |mode: &'static str| {
        [
            ("auth.type", "oauth2"),
            ("oauth2.access.token.url", ""),
            ("oauth2.client.id", "id"),
            ("oauth2.client.secret", "secret-value"),
            ("oauth2.client.scope", "a b"),
            ("oauth2.client.authorization.mode", mode),
        ]
    };
    let mut with_url = options("HEADER").to_vec();
    let token_url = server.url("/token");
    with_url[1].1 = &token_url;
    let mut sink = open(&server.url("/"), &with_url);
    sink.put(&records(&["a", "b", "c", "d"])).unwrap();
    let asked: Vec<String> = server
        .seen()
        .iter()
        .map(|seen| format!("{}{}", seen.path(), seen.body))
        .collect();
    assert_eq!(
        asked.iter().filter(|one| one.starts_with("/token")).count(),
        2,
        "{asked:?}"
    );
    assert_eq!(
        asked.iter().filter(|one| one.as_str() == "/d").count(),
        2,
        "the refused one was sent again"
    );
    // A token that is refused although it is new fails the task, and neither token nor secret is told.
    let refusing = Server::new(|seen| match seen.path() {
        "/token" => Reply::json(&json!({"access_token": "very-secret-token"})),
        _ => Reply::new(401, format!("bad token {}", seen.header("authorization"))),
    });
    let token_url = refusing.url("/token");
    with_url[1].1 = &token_url;
    let error = open(&refusing.url("/"), &with_url)
        .put(&records(&["a"]))
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.is_temporary()),
        (ErrorKind::Permission, false)
    );
    assert!(
        error.chain().contains("401") && error.chain().contains("***"),
        "{error:?}"
    );
    assert!(!error.chain().contains("very-secret-token"), "{error:?}");
}

#[test]
fn a_token_that_cannot_be_had_says_why_without_the_secret() {
    let server = Server::new(|seen| {
        Reply::new(
            400,
            format!("{{\"error\":\"invalid_client\",\"got\":\"{}\"}}", seen.body),
        )
    });
    let url = server.url("/token");
    let options = [
        ("auth.type", "oauth2"),
        ("oauth2.access.token.url", url.as_str()),
        ("oauth2.client.id", "id"),
        ("oauth2.client.secret", "secret-value"),
        ("oauth2.client.authorization.mode", "url"),
    ];
    let error = open(&server.url("/"), &options)
        .put(&records(&["a"]))
        .unwrap_err();
    assert!(
        !error.is_temporary()
            && error.chain().contains("invalid_client")
            && error.chain().contains("oauth2"),
        "{error:?}"
    );
    assert!(!error.chain().contains("secret-value"), "{error:?}");
    assert!(server.seen()[0].body.contains("client_secret=secret-value"));
    let busy = Server::new(|_| Reply::new(503, ""));
    let url = busy.url("/token");
    let mut options = options.to_vec();
    options[1].1 = &url;
    assert!(
        open(&server.url("/"), &options)
            .put(&records(&["a"]))
            .unwrap_err()
            .is_temporary()
    );
}

#[test]
fn every_way_of_showing_who_sends_arrives() {
    let check = |options: &[(&str, &str)], expected: &dyn Fn(&Seen) -> bool| {
        let server = Server::new(|_| Reply::new(200, ""));
        open(&server.url("/?a=1"), options)
            .put(&records(&["x"]))
            .unwrap();
        assert!(
            expected(&server.seen()[0]),
            "{options:?}: {:?}",
            server.seen()
        );
    };
    check(
        &[
            ("auth.type", "basic"),
            ("auth.username", "u"),
            ("auth.password", "p"),
        ],
        &|seen| seen.header("authorization") == "Basic dTpw",
    );
    check(&[("auth.type", "bearer"), ("auth.token", "tok")], &|seen| {
        seen.header("authorization") == "Bearer tok"
    });
    check(
        &[("auth.type", "static"), ("auth.authorization", "Custom x")],
        &|seen| seen.header("authorization") == "Custom x",
    );
    check(
        &[("auth.type", "api_key"), ("auth.api.key", "k1")],
        &|seen| seen.header("x-api-key") == "k1",
    );
    let query = [
        ("auth.type", "api_key"),
        ("auth.api.key", "k 1"),
        ("auth.api.key.name", "key"),
        ("auth.api.key.in", "query"),
    ];
    check(&query, &|seen| {
        seen.query("key").as_deref() == Some("k 1") && seen.query("a").as_deref() == Some("1")
    });
    check(
        &[
            ("auth.type", "jwt"),
            ("jwt.key", "shared"),
            ("jwt.claims", "{\"iss\":\"me\"}"),
        ],
        &|seen| {
            seen.header("authorization")
                .starts_with("Bearer eyJhbGciOiJIUzI1NiIs")
        },
    );
}

#[test]
fn redirects_are_followed_only_where_nothing_is_lost_or_leaked() {
    let other = Server::new(|_| Reply::new(200, ""));
    let elsewhere = other.url("/there");
    let server = Server::new(move |seen| match seen.path() {
        "/308" => Reply::new(308, "").header("location", &elsewhere),
        "/302" => Reply::new(302, "").header("location", "/there"),
        "/loop" => Reply::new(307, "").header("location", "/loop"),
        "/file" => Reply::new(307, "").header("location", "file:///etc/passwd"),
        "/metadata" => Reply::new(307, "").header("location", "http://169.254.169.254/latest"),
        _ => Reply::new(200, ""),
    });
    let auth = [("auth.type", "bearer"), ("auth.token", "token-1")];
    open(&server.url("/308"), &auth)
        .put(&records(&["a"]))
        .unwrap();
    assert_eq!(
        (
            bodies(&other.seen()),
            other.seen()[0].header("authorization").to_owned()
        ),
        (vec!["a"], String::new())
    );
    for (path, text) in [
        ("/302", "into a GET"),
        ("/loop", "redirects.max"),
        ("/file", "scheme `file`"),
        ("/metadata", "link-local"),
    ] {
        let error = open(&server.url(path), &auth)
            .put(&records(&["a"]))
            .unwrap_err();
        assert!(
            !error.is_temporary() && error.chain().contains(text),
            "{path}: {error:?}"
        );
    }
    assert_eq!(
        server
            .seen()
            .iter()
            .filter(|seen| seen.path() == "/loop")
            .count(),
        4,
        "the first and three redirects"
    );
}

#[test]
fn a_record_cannot_send_a_request_to_where_none_may_go() {
    let server = Server::new(|_| Reply::new(200, ""));
    let mut sink = open("http://{{ value | safe }}/x", &[]);
    let put = sink
        .put(&records(&[
            "169.254.169.254",
            &server.at.to_string(),
            "127.0.0.1:1@169.254.169.254",
            "a b",
        ]))
        .unwrap();
    assert_eq!(
        put.rejected
            .iter()
            .map(|one| one.offset)
            .collect::<Vec<_>>(),
        [0, 2, 3],
        "{:?}",
        put.rejected
    );
    assert!(
        put.rejected[0].error.message.contains("link-local"),
        "{:?}",
        put.rejected
    );
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_server_that_does_not_end_its_answer_is_given_up() {
    let server = Server::new(|_| Reply {
        drip: Some(Duration::from_millis(200)),
        ..Reply::new(200, vec![b'x'; 100])
    });
    let options = [("http.timeout", "500ms"), ("read.timeout", "10s")];
    let error = open(&server.url("/"), &options)
        .put(&records(&["a"]))
        .unwrap_err();
    assert!(
        error.is_temporary() && error.chain().contains("request.timeout"),
        "{error:?}"
    );
}

#[test]
fn a_proxy_gets_whole_urls_and_its_credentials_are_not_told() {
    let proxy = Server::new(|seen| {
        if seen.body == "x" {
            Reply::new(200, "")
        } else {
            Reply::new(
                502,
                format!("proxy says {}", seen.header("proxy-authorization")),
            )
        }
    });
    let url = format!("http://user:proxy-pass@{}", proxy.at);
    let mut sink = open(
        "http://192.0.2.1/in",
        &[
            ("proxy", &url),
            ("retry.codes", "503"),
            ("success.codes", "200"),
        ],
    );
    sink.put(&records(&["x"])).unwrap();
    let seen = proxy.seen();
    assert_eq!(
        (
            seen[0].target.as_str(),
            seen[0].header("proxy-authorization")
        ),
        ("http://192.0.2.1/in", "Basic dXNlcjpwcm94eS1wYXNz")
    );
    let put = sink.put(&records(&["y"])).unwrap();
    assert!(
        !put.rejected[0].error.message.contains("proxy-pass"),
        "{:?}",
        put.rejected
    );
}

#[test]
fn a_stop_in_the_middle_keeps_what_was_delivered() {
    let server = Server::new(|_| Reply {
        delay: Some(Duration::from_millis(50)),
        ..Reply::new(200, "")
    });
    let mut sink = open(&server.url("/"), &[]);
    let control = sink.control().unwrap();
    let stopper = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300)); // Some of the forty are through by then.
        control.stop();
    });
    let batch: Vec<TestRecord> = (0..40)
        .map(|n| TestRecord::new("t", n.to_string()))
        .collect();
    let put = sink.put(&batch).unwrap();
    stopper.join().unwrap();
    let next = put.progress[&("t".to_owned(), 0)].0;
    assert_eq!(server.seen().len() as i64, next);
    assert!((1..40).contains(&next), "{next}");
}

#[test]
fn the_sink_conforms() {
    SinkSuite::<HttpSink>::new(|folder| {
        let log = folder.join("received");
        std::fs::write(&log, "").unwrap();
        let server = Server::new(move |seen| {
            use std::io::Write as _;
            if seen.body == "refuse me" {
                return Reply::new(422, "no");
            }
            let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
            file.write_all(format!("{}\n", seen.body).as_bytes())
                .unwrap();
            Reply::new(200, "")
        });
        let url = server.url("/");
        // It lives as long as the test program: the suite has no end of a scenario to stop it at.
        let _lives_on: &Server = Box::leak(Box::new(server));
        [("url", url), ("egress.allow", "127.0.0.1".to_owned())]
    })
    .outside(|folder| {
        std::fs::read_to_string(folder.join("received"))
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    })
    .rejecting(TestRecord::new("t", "refuse me"))
    .run();
}

#[test]
fn answers_are_kept_once_with_the_position_behind_their_records() {
    let tries = AtomicUsize::new(0);
    let server = Server::new(move |seen: &Seen| match seen.body.as_str() {
        "c" if tries.fetch_add(1, Ordering::SeqCst) == 0 => Reply::new(503, "later"),
        body => Reply::new(201, format!("{{\"got\":\"{body}\"}}")),
    });
    let mut sink = open(
        &server.url("/p"),
        &[("response.topic", "answers"), ("max.in.flight", "1")],
    );
    let batch: Vec<TestRecord> = ["a", "b", "c", "d"]
        .iter()
        .map(|value| TestRecord::new("t", *value).key(format!("key {value}")))
        .collect();
    assert!(sink.put(&batch).unwrap_err().is_temporary());
    // What was answered is committed although the batch is not through, and its answers with it.
    assert_eq!(sink.position("t", 0), Some((2, "")));
    assert_eq!(sink.written().len(), 2);
    // A log that is full loses nothing: the batch comes again, and what was delivered is not sent again.
    sink.refuse_commits(Some("the log is full"));
    assert!(sink.put(&batch).unwrap_err().is_temporary());
    assert_eq!(sink.written().len(), 2);
    sink.refuse_commits(None);
    sink.put(&batch).unwrap();
    assert_eq!(bodies(&server.seen()), ["a", "b", "c", "c", "d"]);
    let written = sink.written();
    let values: Vec<TestData> = written.iter().map(|one| one.value.clone()).collect();
    let wanted = ["a", "b", "c", "d"].map(|body| format!("{{\"got\":\"{body}\"}}").into_bytes());
    assert_eq!(values, wanted.map(TestData::Bytes));
    assert_eq!(written[3].topic, "answers");
    assert_eq!(written[3].key, TestData::Bytes(b"key d".to_vec()));
    let header = |name: &str| {
        let found = written[3].headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let bytes = |text: &str| Some(TestData::Bytes(text.as_bytes().to_vec()));
    for (name, text) in [
        ("http.status", "201"),
        ("http.topic", "t"),
        ("http.partition", "0"),
        ("http.offset", "3"),
    ] {
        assert_eq!(header(name), bytes(text), "{name}");
    }
    assert_eq!(sink.position("t", 0), Some((4, "")));
}

#[test]
fn a_record_that_is_not_answered_holds_the_mark_in_any_order() {
    // With one request at a time the oldest goes first, also where no order is asked for.
    let server = Server::new(|seen: &Seen| match seen.body.as_str() {
        "c" => Reply::new(503, "later"),
        _ => Reply::new(200, ""),
    });
    for order in ["none", "key", "partition"] {
        let mut sink = open(
            &server.url("/p"),
            &[("order", order), ("max.in.flight", "1")],
        );
        assert!(sink.put(&records(&["a", "b", "c", "d"])).is_err());
        assert_eq!(sink.position("t", 0), Some((2, "")), "{order}");
        assert!(sink.written().is_empty());
    }
}

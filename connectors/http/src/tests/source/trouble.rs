//! Servers that are slow, limit, refuse, lie or never end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use linkspan_sdk::ErrorKind;
use serde_json::{Value, json};

use super::{failed, ids, items, numbered, run, source, texts, told};
use crate::tests::server::{Reply, Server};

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

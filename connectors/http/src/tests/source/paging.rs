//! Records and pages of every kind, and what a kill in between finds.

use serde_json::{Value, json};

use super::{ids, items, numbered, run, source, texts};
use crate::tests::server::{Reply, Server};

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

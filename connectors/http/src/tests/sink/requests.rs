//! What arrives: templates, batches, order, deletes, kept answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use linkspan_testkit::conformance::SinkSuite;
use linkspan_testkit::{TestData, TestRecord};

use super::{TOPIC_ID, bodies, open, records};
use crate::sink::HttpSink;
use crate::tests::server::{Reply, Seen, Server};

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

//! What an answer leads to: again, refused, halved.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use linkspan_sdk::ErrorKind;

use super::{TOPIC_ID, bodies, open, records};
use crate::tests::server::{Reply, Server};

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
    let nobody = crate::tests::raw::free_port();
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

//! `webhook-source`: what callers hear, and when.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use linkspan_testkit::{Polled, SourceTest, TestData, TestHost, TestRecord};

use super::raw::{Heard, connect, free_port, hear, request};
use crate::webhook::Webhook;

/// A webhook on a port of its own.
struct Scene {
    at: SocketAddr,
    source: SourceTest<Webhook>,
}

impl Scene {
    fn new(options: &[(&str, &str)]) -> Self {
        let at = free_port();
        let mut config = BTreeMap::from([
            ("topic".to_owned(), "hooks".to_owned()),
            ("listen".to_owned(), at.to_string()),
        ]);
        config.extend(
            options
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
        );
        let mut source = TestHost::source::<Webhook>(config)
            .bounded(false)
            .waiting(Duration::from_millis(50));
        source.open().unwrap();
        Self { at, source }
    }

    fn caller(&self, headers: &[(&str, &str)], body: &str) -> JoinHandle<Heard> {
        let (at, body) = (self.at, body.to_owned());
        let headers: Vec<(String, String)> = headers
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        thread::spawn(move || {
            let headers: Vec<(&str, &str)> = headers
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect();
            request(at, "POST", "/post", &headers, body.as_bytes())
        })
    }

    /// Polls until a batch with records comes.
    fn batch(&mut self) -> Polled {
        let begin = Instant::now();
        loop {
            let polled = self.source.poll().unwrap();
            if !polled.records.is_empty() {
                return polled;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "no records");
        }
    }

    /// Serves one caller to its end and returns what it heard and what was written.
    fn post(&mut self, headers: &[(&str, &str)], body: &str) -> (Heard, Vec<TestRecord>) {
        let caller = self.caller(headers, body);
        let mut records = Vec::new();
        while !caller.is_finished() {
            let polled = self.source.poll().unwrap();
            self.source.commit(&polled).unwrap();
            records.extend(polled.records);
        }
        (caller.join().unwrap(), records)
    }
}

fn texts(records: &[TestRecord]) -> Vec<String> {
    records.iter().map(|record| record.value.text()).collect()
}

#[test]
fn a_caller_hears_2xx_only_when_its_record_is_durable() {
    let mut scene = Scene::new(&[]);
    let caller = scene.caller(&[("content-type", "text/plain")], "hello");
    let polled = scene.batch();
    assert_eq!(texts(&polled.records), ["hello"]);
    let headers: BTreeMap<_, _> = polled.records[0]
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.text()))
        .collect();
    assert_eq!(headers["http.method"], "POST");
    assert_eq!(headers["http.path"], "/post");
    assert_eq!(headers["http.remote"], "127.0.0.1");
    assert_eq!(headers["http.header.content-type"], "text/plain");
    thread::sleep(Duration::from_millis(200)); // Long enough for an answer that should not be there.
    assert!(!caller.is_finished(), "2xx before the record is durable");
    scene.source.commit(&polled).unwrap();
    let heard = caller.join().unwrap();
    assert_eq!(
        (heard.status, heard.body.as_str()),
        (202, "{\"accepted\":1}")
    );
}

#[test]
fn a_caller_whose_record_does_not_become_durable_in_time_hears_503() {
    let mut scene = Scene::new(&[("timeout", "200ms")]);
    let caller = scene.caller(&[], "hello");
    let polled = scene.batch();
    assert_eq!(polled.records.len(), 1);
    let heard = caller.join().unwrap();
    assert_eq!(heard.status, 503);
    assert_eq!(heard.header("retry-after"), Some("1"));
    // With `enqueued` the same caller hears 2xx at once.
    let scene = Scene::new(&[("timeout", "200ms"), ("ack", "enqueued")]);
    assert_eq!(scene.caller(&[], "hello").join().unwrap().status, 202);
}

#[test]
fn callers_that_wait_together_share_a_batch() {
    let mut scene = Scene::new(&[("timeout", "20s")]);
    let callers: Vec<_> = (0..32)
        .map(|number| scene.caller(&[], &number.to_string()))
        .collect();
    let (mut batches, mut records) = (0, 0);
    thread::sleep(Duration::from_millis(300)); // All of them wait by now; more batches would only be slower.
    while records < 32 {
        let polled = scene.batch();
        records += polled.records.len();
        batches += 1;
        scene.source.commit(&polled).unwrap();
    }
    assert!(
        callers
            .into_iter()
            .all(|caller| caller.join().unwrap().status == 202)
    );
    assert!(
        batches <= 16,
        "{batches} batches for 32 callers that waited"
    );
}

#[test]
fn who_may_not_call_hears_why() {
    let check = |options: &[(&str, &str)], headers: &[(&str, &str)], status: u16| {
        let mut scene = Scene::new(options);
        let (heard, records) = scene.post(headers, "{}");
        assert_eq!(heard.status, status, "{options:?} {headers:?}: {heard:?}");
        assert_eq!(records.len(), usize::from(status == 202));
        heard
    };
    let bearer = [("auth.type", "bearer"), ("auth.tokens", "old,new")];
    assert_eq!(
        check(&bearer, &[], 401).header("www-authenticate"),
        Some("Bearer")
    );
    check(&bearer, &[("authorization", "Bearer ne")], 401);
    check(&bearer, &[("authorization", "Bearer old")], 202);
    check(&bearer, &[("authorization", "bearer new")], 202);
    let basic = [
        ("auth.type", "basic"),
        ("auth.username", "u"),
        ("auth.password", "p"),
    ];
    check(&basic, &[("authorization", "Basic dTpw")], 202);
    check(&basic, &[("authorization", "Basic dTpx")], 401);
    let github = [
        ("auth.type", "hmac"),
        ("hmac.scheme", "github"),
        ("hmac.secrets", "s"),
    ];
    // HMAC-SHA256 of `{}` by `s`, computed elsewhere.
    let signature = "sha256=143ca8d517ba1b181025d732b1cf275d90104fca57bb02a565542978aa18c4b6";
    check(&github, &[("x-hub-signature-256", signature)], 202);
    check(
        &github,
        &[("x-hub-signature-256", &signature.replace("143c", "143d"))],
        401,
    );
    let refused = check(&github, &[], 401);
    assert!(refused.body.contains("x-hub-signature-256"), "{refused:?}");
}

#[test]
fn what_is_not_taken_is_answered_with_its_own_status() {
    let mut scene = Scene::new(&[
        ("max.body.bytes", "10B"),
        ("batch", "json_array"),
        ("read.timeout", "300ms"),
    ]);
    let at = scene.at;
    assert_eq!(request(at, "POST", "/other", &[], b"").status, 404);
    let get = request(at, "GET", "/post", &[], b"");
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
    assert_eq!(
        request(at, "POST", "/post", &[], b"[1,2,3,4,5]").status,
        413
    );
    assert_eq!(
        request(at, "POST", "/post", &[("content-encoding", "gzip")], b"x").status,
        415
    );
    let bad = request(at, "POST", "/post", &[], b"{\"a\":1}");
    assert_eq!(bad.status, 400);
    assert!(bad.body.contains("JSON array"), "{bad:?}");
    let mut chunked = connect(at);
    chunked.write_all(b"POST /post HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n20\r\n[1,2,3,4,5,6,7,8,9,1,2,3,4,5,6]\r\n0\r\n\r\n").unwrap();
    assert_eq!(hear(&mut chunked).unwrap().status, 413);
    let mut slow = connect(at);
    slow.write_all(b"POST /post HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n[1")
        .unwrap();
    assert_eq!(hear(&mut slow).unwrap().status, 408);
    let mut slower = connect(at);
    slower.write_all(b"POST /post HT").unwrap();
    assert_eq!(
        hear(&mut slower),
        None,
        "a caller that never ends its headers is let go"
    );
    let many: String = (0..200).map(|number| format!("h{number}: v\r\n")).collect();
    let mut wordy = connect(at);
    wordy
        .write_all(format!("POST /post HTTP/1.1\r\nhost: a\r\n{many}\r\n").as_bytes())
        .unwrap();
    assert_eq!(hear(&mut wordy).unwrap().status, 431);
    let (heard, records) = scene.post(&[], "[1,\"a\"]");
    assert_eq!(heard.body, "{\"accepted\":2}");
    assert_eq!(texts(&records), ["1", "\"a\""]);
}

#[test]
fn too_many_requests_hear_429_with_retry_after() {
    let scene = Scene::new(&[("rate.limit", "2/m"), ("ack", "enqueued")]);
    let first: Vec<u16> = (0..2)
        .map(|_| request(scene.at, "POST", "/post", &[], b"x").status)
        .collect();
    let second = request(scene.at, "POST", "/post", &[], b"x");
    assert_eq!(first, [202, 429]);
    assert_eq!(second.status, 429);
    let wait: u64 = second.header("retry-after").unwrap().parse().unwrap();
    assert!((25..=30).contains(&wait), "{wait}");
    let mut scene = Scene::new(&[("max.in.flight", "1")]);
    let waiting = scene.caller(&[], "a");
    let polled = scene.batch();
    assert_eq!(request(scene.at, "POST", "/post", &[], b"b").status, 429);
    scene.source.commit(&polled).unwrap();
    assert_eq!(waiting.join().unwrap().status, 202);
}

#[test]
fn a_request_that_comes_again_is_written_once_also_after_a_restart() {
    let mut scene = Scene::new(&[]);
    let id = [("idempotency-key", "one")];
    let (first, records) = scene.post(&id, "a");
    assert_eq!((first.status, records.len()), (202, 1));
    let (again, records) = scene.post(&id, "a");
    assert_eq!(
        (again.body.as_str(), records.len()),
        ("{\"accepted\":1,\"repeated\":true}", 0)
    );
    scene.source.reopen().unwrap();
    let (again, records) = scene.post(&id, "a");
    assert_eq!(
        (again.status, records.len()),
        (202, 0),
        "the window survives a restart"
    );
    let (other, records) = scene.post(&[("idempotency-key", "two")], "a");
    assert_eq!((other.status, records.len()), (202, 1));
    let (unnamed, records) = scene.post(&[], "a");
    assert_eq!((unnamed.status, records.len()), (202, 1));
    assert_eq!(scene.source.committed_count(), 2);
}

#[test]
fn a_repeat_hears_2xx_only_when_the_first_one_is_durable() {
    let mut scene = Scene::new(&[("timeout", "20s")]);
    let id = [("webhook-id", "m1")];
    let first = scene.caller(&id, "a");
    let polled = scene.batch();
    let repeat = scene.caller(&id, "a");
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(300) {
        assert!(scene.source.poll().unwrap().records.is_empty());
    }
    assert!(!repeat.is_finished() && !first.is_finished());
    scene.source.commit(&polled).unwrap();
    assert_eq!(
        (first.join().unwrap().status, repeat.join().unwrap().status),
        (202, 202)
    );
}

#[test]
fn names_leave_the_window_by_time_and_by_number() {
    let mut scene = Scene::new(&[("idempotency.max", "2")]);
    for id in ["1", "2", "3"] {
        let (_, records) = scene.post(&[("webhook-id", id)], "a");
        assert_eq!(records.len(), 1);
    }
    assert_eq!(scene.source.committed_count(), 2);
    let (_, records) = scene.post(&[("webhook-id", "1")], "a");
    assert_eq!(records.len(), 1, "the oldest was forgotten");
    let mut scene = Scene::new(&[("idempotency.window", "1s"), ("idempotency.path", "/id")]);
    assert_eq!(scene.post(&[], r#"{"id":"e"}"#).1.len(), 1);
    assert_eq!(scene.post(&[], r#"{"id":"e"}"#).1.len(), 0);
    thread::sleep(Duration::from_millis(1100)); // The window itself.
    scene.post(&[], r#"{"id":"f"}"#);
    assert_eq!(scene.post(&[], r#"{"id":"e"}"#).1.len(), 1);
}

#[test]
fn a_stop_answers_everybody_and_frees_the_port() {
    let mut scene = Scene::new(&[("timeout", "20s")]);
    let taken = scene.caller(&[], "taken");
    let polled = scene.batch();
    let untaken = scene.caller(&[], "untaken");
    thread::sleep(Duration::from_millis(200)); // It waits in the queue by now.
    scene.source.control().unwrap().stop();
    // What was polled lands, and the host says so, before it closes the task.
    scene.source.commit(&polled).unwrap();
    scene.source.close().unwrap();
    assert_eq!(taken.join().unwrap().status, 202);
    let heard = untaken.join().unwrap();
    assert_eq!(
        (heard.status, heard.header("retry-after")),
        (503, Some("1"))
    );
    assert!(
        std::net::TcpStream::connect(scene.at).is_err(),
        "the port is still open"
    );
    scene.source.open().unwrap();
    assert_eq!(scene.post(&[], "later").0.status, 202);
}

#[test]
fn a_taken_port_says_so_and_is_tried_again() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = holder.local_addr().unwrap().to_string();
    let mut source = TestHost::source::<Webhook>([("topic", "t"), ("listen", at.as_str())]);
    let error = source.open().unwrap_err();
    assert!(
        error.is_temporary() && error.chain().contains(&at),
        "{error:?}"
    );
}

#[test]
fn multipart_parts_keep_their_names_and_json_gives_keys() {
    let mut scene = Scene::new(&[("batch", "multipart")]);
    let body = "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\nabc\r\n--B--\r\n";
    let (_, records) = scene.post(&[("content-type", "multipart/form-data; boundary=B")], body);
    assert_eq!(texts(&records), ["abc"]);
    let part = records[0]
        .headers
        .iter()
        .find(|(name, _)| name == "http.part.content-disposition")
        .unwrap();
    assert!(part.1.text().contains("a.txt"));
    let mut scene = Scene::new(&[("batch", "jsonl"), ("key.path", "/id")]);
    let (_, records) = scene.post(&[], "{\"id\":\"k\"}\n{\"id\":7}\n{}\n");
    let keys: Vec<_> = records.iter().map(|record| record.key.clone()).collect();
    assert_eq!(
        keys,
        [
            TestData::Bytes(b"k".to_vec()),
            TestData::Bytes(b"7".to_vec()),
            TestData::Null
        ]
    );
}

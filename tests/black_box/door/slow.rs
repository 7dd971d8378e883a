//! 500 slow sockets, bodies that are too large, too deep or not UTF-8: the host answers others meanwhile.
//!
//! That the limits are what helps shows `host/rest/src/listen/tests.rs`, where they are off.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::host::Host;

/// How many sockets are slow at the same time.
const SLOW: usize = 500;
/// How often health is asked for meanwhile.
const ASKED: usize = 200;

fn address(host: &Host) -> String {
    host.url.replace("http://localhost", "127.0.0.1")
}

fn health(address: &str) -> Option<Duration> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .ok()?;
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then(|| begun.elapsed())
}

/// Opens the sockets: a third drips its head, a third its body, a third never reads a large answer.
fn slow(address: &str) -> Vec<TcpStream> {
    (0..SLOW)
        .map(|n| {
            let mut stream = TcpStream::connect(address).unwrap();
            let text = match n % 3 {
                0 => "GET /connectors HTTP/1.1\r\nHost: loc".to_owned(),
                1 => "POST /connectors HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{".to_owned(),
                _ => "GET /ui/ko.js HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(300),
            };
            stream.write_all(text.as_bytes()).unwrap();
            stream
        })
        .collect()
}

#[test]
fn health_is_answered_while_500_sockets_are_slow() {
    let host = Host::open();
    let at = address(&host);
    let mut sockets = slow(&at);
    let mut times: Vec<Duration> = (0..ASKED)
        .map(|n| {
            // They go on dripping; one that was given up meanwhile takes nothing any more.
            for stream in sockets.iter_mut().skip(n % 7).step_by(7) {
                drop(stream.write_all(b"a"));
            }
            health(&at).unwrap_or_else(|| panic!("no answer: {}", host.said()))
        })
        .collect();
    times.sort();
    println!(
        "health beside {SLOW} slow sockets: p50 {:?}, p99 {:?}, worst {:?}",
        times[ASKED / 2],
        times[ASKED * 99 / 100],
        times[ASKED - 1]
    );
}

#[test]
fn bodies_that_cannot_be_are_refused_with_what_and_where() {
    let host = Host::open();
    let deep = "[".repeat(100_000);
    let many = format!(
        "{{\"name\":\"x\",\"config\":{{{}}}}}",
        vec!["\"a\":\"b\""; 100_000].join(",")
    );
    let large = vec![b'x'; 5 << 20];
    let produced = vec![b'x'; 49 << 20];
    for (name, path, body, expected) in [
        ("deep", "/connectors", deep.as_bytes(), 400),
        (
            "deep-config",
            "/connectors",
            format!("{{\"name\":\"x\",\"config\":{deep}").as_bytes(),
            400,
        ),
        ("deep-api", "/api/v1/topics", deep.as_bytes(), 400),
        ("utf8", "/connectors", b"{\"name\":\"\xff\xfe\"}", 400),
        ("utf8-api", "/api/v1/topics", b"{\"name\":\"\xff\"}", 400),
        ("large", "/connectors", large.as_slice(), 413),
        (
            "large-api",
            "/api/v1/topics/lines/records",
            produced.as_slice(),
            413,
        ),
        ("half", "/connectors", b"{\"name\":", 400),
        ("many", "/connectors", many.as_bytes(), 400),
    ] {
        let file = host.scratch.write(name, body);
        let data = format!("@{}", file.display());
        let arguments = [
            "-X",
            "POST",
            "-H",
            "Content-Type: application/json",
            "-H",
            "Expect:",
            "--data-binary",
            &data,
            path,
        ];
        let (status, answer) = host.curl("", &arguments);
        // A body that is refused early may be cut off before curl has read why.
        assert!(
            status == expected || (expected == 413 && status == 0),
            "{name}: {status} {answer}"
        );
        assert!(health(&address(&host)).is_some(), "{name}: {}", host.said());
    }
    let names: Vec<String> = (0..200).map(|n| format!("X-{n}: y")).collect();
    let mut headers: Vec<&str> = names
        .iter()
        .flat_map(|name| ["-H", name.as_str()])
        .collect();
    headers.push("/connectors");
    assert_eq!(host.curl("", &headers).0, 431);
    let long = format!("/{}", "a".repeat(100 << 10));
    assert!(
        matches!(host.curl("", &[&long]).0, 414 | 431),
        "a long path"
    );
    assert!(health(&address(&host)).is_some());
    assert!(!host.said().contains("panicked"), "{}", host.said());
}

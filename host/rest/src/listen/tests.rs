//! Slow clients: with the limits others are served, and without each limit they are not.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::*;

/// What is for ever in a test.
const EVER: Duration = Duration::from_secs(3600);
/// What is soon.
const SOON: Duration = Duration::from_millis(200);
/// How long an answer may take on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long is waited for an answer that must not come.
const GLANCE: Duration = Duration::from_secs(1);
const CONNECTIONS: usize = 4;

fn limits() -> Limits {
    Limits {
        head_within: None,
        body_grace: EVER,
        write_within: EVER,
        connections_max: CONNECTIONS,
    }
}

/// Reads a body and answers `ok`, or a great deal at `/large`.
async fn answer(request: Request<Body>) -> Response {
    if request.uri().path() == "/large" {
        return vec![b'x'; 64 << 20].into_response();
    }
    match axum::body::to_bytes(request.into_body(), 1 << 20).await {
        Ok(_) => "ok".into_response(),
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

async fn started(limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, None, limits, answer));
    address
}

async fn say(to: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

async fn ask(to: SocketAddr) -> String {
    let mut stream = say(to, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// All connections are taken by clients that say `text` and then nothing; another one is served, or not.
async fn check(limits: Limits, text: &str, served: bool) {
    let to = started(limits).await;
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        held.push(say(to, text).await);
    }
    let within = if served { PATIENCE } else { GLANCE };
    let answer = timeout(within, ask(to)).await;
    assert_eq!(answer.is_ok(), served, "{limits:?} {text:?}");
    drop(held);
    // The others are gone, so it is served now in any case.
    assert!(timeout(PATIENCE, ask(to)).await.unwrap().ends_with("ok"));
}

#[tokio::test]
async fn a_head_that_never_ends_keeps_nobody_out() {
    let head = "GET / HTTP/1.1\r\nHo";
    let with = Limits {
        head_within: Some(SOON),
        ..limits()
    };
    check(with, head, true).await;
    check(limits(), head, false).await;
}

#[tokio::test]
async fn a_body_that_never_comes_keeps_nobody_out() {
    let body = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9\r\n\r\nx";
    let with = Limits {
        body_grace: SOON,
        ..limits()
    };
    check(with, body, true).await;
    check(limits(), body, false).await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_keeps_nobody_out() {
    let large = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
    let with = Limits {
        write_within: SOON,
        ..limits()
    };
    check(with, large, true).await;
    check(limits(), large, false).await;
}

#[tokio::test]
async fn a_body_that_was_given_up_is_told_so_and_a_quick_one_is_read() {
    let to = started(Limits {
        body_grace: SOON,
        ..limits()
    })
    .await;
    let mut slow = say(
        to,
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
    )
    .await;
    let mut text = String::new();
    timeout(PATIENCE, slow.read_to_string(&mut text))
        .await
        .unwrap()
        .unwrap();
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    let whole = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
    let mut quick = say(to, whole).await;
    text.clear();
    timeout(PATIENCE, quick.read_to_string(&mut text))
        .await
        .unwrap()
        .unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

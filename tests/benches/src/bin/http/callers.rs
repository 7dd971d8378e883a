//! Callers: each keeps a connection and posts one body after the other.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Measured;

/// Posts for a time on so many connections.
pub(crate) async fn post(
    address: &str,
    connections: usize,
    size: usize,
    time: Duration,
) -> Result<Measured> {
    let body = "x".repeat(size);
    let request = format!(
        "POST /post HTTP/1.1\r\nhost: h\r\ncontent-type: text/plain\r\ncontent-length: {size}\r\n\r\n{body}"
    );
    let begin = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (address, request) = (address.to_owned(), request.clone().into_bytes());
        callers.spawn(async move { one(&address, &request, begin + time).await });
    }
    let mut times: Vec<Duration> = Vec::new();
    while let Some(caller) = callers.join_next().await {
        times.extend(caller??);
    }
    let seconds = begin.elapsed().as_secs_f64();
    times.sort_unstable();
    let p99 = times
        .get(times.len() * 99 / 100)
        .copied()
        .unwrap_or_default();
    let count = u32::try_from(times.len())?;
    Ok(Measured {
        per_second: f64::from(count) / seconds,
        p99_ms: p99.as_secs_f64() * 1e3,
        resident_kib: 0,
    })
}

async fn one(address: &str, request: &[u8], until: Instant) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut times = Vec::new();
    let mut answer = Vec::with_capacity(512);
    while Instant::now() < until {
        let begin = Instant::now();
        stream.write_all(request).await?;
        answer.clear();
        while !whole(&answer) {
            ensure!(
                stream.read_buf(&mut answer).await? > 0,
                "the server closed the connection"
            );
        }
        ensure!(
            answer.starts_with(b"HTTP/1.1 2"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        times.push(begin.elapsed());
    }
    Ok(times)
}

/// Returns whether the head and the announced body are there.
fn whole(answer: &[u8]) -> bool {
    let read = || -> Result<bool> {
        let text = std::str::from_utf8(answer)?;
        let (head, body) = text.split_once("\r\n\r\n").context("no head")?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(Ok(0), str::parse::<usize>)?;
        Ok(body.len() >= length)
    };
    read().unwrap_or(false)
}

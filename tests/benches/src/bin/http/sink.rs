//! `http-sink` beside bare reqwest, both to bare axum.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::runtime::Runtime;

use crate::endpoint::Endpoint;
use crate::host::Host;
use crate::{Measured, Options, median};

/// How long a host may take until its first request.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long it runs in before it is measured.
const WARM_UP: Duration = Duration::from_secs(1);

pub(crate) fn compare(
    options: &Options,
    connections: usize,
    runtime: &Runtime,
) -> Result<(Measured, Measured)> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        ours.push(sink(options, connections, runtime)?);
        theirs.push(bare(options, connections, runtime)?);
    }
    Ok((median(ours), median(theirs)))
}

fn sink(options: &Options, connections: usize, runtime: &Runtime) -> Result<Measured> {
    let endpoint = Endpoint::start()?;
    let yaml = format!(
        "connectors:\n  in: {{ connector: generator-source, topic: lines, count: 2000000, size: \"{} B\", rate: 30000 }}\n  \
         out: {{ connector: http-sink, topics: [lines], url: \"http://{}/post\", order: none, max.in.flight: {connections} }}\n",
        options.size, endpoint.address
    );
    let host = Host::start(&options.binary, "sink", &yaml)?;
    let count = || -> Result<u64> {
        let url = format!("http://{}/count", endpoint.address);
        Ok(runtime
            .block_on(async { reqwest::get(url).await?.text().await })?
            .parse()?)
    };
    let begin = Instant::now();
    while count()? == 0 {
        ensure!(
            begin.elapsed() < START_LIMIT,
            "no request came:\n{}",
            host.log()
        );
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(WARM_UP);
    let (begin, before) = (Instant::now(), count()?);
    thread::sleep(Duration::from_secs(options.seconds));
    let delivered = u32::try_from(count()? - before)?;
    Ok(Measured {
        per_second: f64::from(delivered) / begin.elapsed().as_secs_f64(),
        p99_ms: 0.0,
        resident_kib: host.resident_kib()?,
    })
}

fn bare(options: &Options, connections: usize, runtime: &Runtime) -> Result<Measured> {
    let endpoint = Endpoint::start()?;
    let url = format!("http://{}/post", endpoint.address);
    let time = Duration::from_secs(options.seconds);
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let body = bytes::Bytes::from("x".repeat(options.size));
        let failed = Arc::new(AtomicU64::new(0));
        let begin = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..connections {
            let (client, url, body, failed) = (
                client.clone(),
                url.clone(),
                body.clone(),
                Arc::clone(&failed),
            );
            tasks.spawn(async move {
                let mut times = Vec::new();
                while begin.elapsed() < time {
                    let one = Instant::now();
                    let sent = client
                        .post(&url)
                        .header("idempotency-key", "k")
                        .body(body.clone())
                        .send()
                        .await;
                    let whole = match sent {
                        Ok(answer) => answer.bytes().await.is_ok(),
                        Err(_) => false,
                    };
                    if whole {
                        times.push(one.elapsed());
                    } else {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
                times
            });
        }
        let mut times: Vec<Duration> = Vec::new();
        while let Some(task) = tasks.join_next().await {
            times.extend(task?);
        }
        ensure!(failed.load(Ordering::Relaxed) == 0, "requests failed");
        times.sort_unstable();
        let p99 = times
            .get(times.len() * 99 / 100)
            .copied()
            .unwrap_or_default();
        let per_second = f64::from(u32::try_from(times.len())?) / begin.elapsed().as_secs_f64();
        Ok(Measured {
            per_second,
            p99_ms: p99.as_secs_f64() * 1e3,
            resident_kib: 0,
        })
    })
}

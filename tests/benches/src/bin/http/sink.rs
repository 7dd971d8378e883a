//! `http-sink` beside bare reqwest, both to bare axum.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::runtime::Runtime;

use crate::endpoint::Endpoint;
use crate::host::Host;
use crate::{Measured, Options, median};

/// How long a host may take until its first request.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Records per second of the measurement of ages.
pub(crate) const AGES_RATE: u32 = 1000;
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

/// Returns median and 99th percentile, in ms, of how old records are when they arrive, at a rate that leaves room.
pub(crate) fn ages(
    options: &Options,
    connections: usize,
    runtime: &Runtime,
) -> Result<(String, String)> {
    let endpoint = Endpoint::start()?;
    let more = "headers: { x-time: \"{{ timestamp }}\" }";
    let _host = begin(options, connections, runtime, &endpoint, AGES_RATE, more)?;
    // Those of the warm-up are forgotten.
    get(runtime, &endpoint, "ages")?;
    thread::sleep(Duration::from_secs(options.seconds));
    let answer = get(runtime, &endpoint, "ages")?;
    let (median, p99) = answer.split_once(' ').context("two figures")?;
    Ok((median.to_owned(), p99.to_owned()))
}

fn sink(options: &Options, connections: usize, runtime: &Runtime) -> Result<Measured> {
    let endpoint = Endpoint::start()?;
    let host = begin(options, connections, runtime, &endpoint, 30_000, "")?;
    let count = || -> Result<u64> { Ok(get(runtime, &endpoint, "count")?.parse()?) };
    let (begin, before) = (Instant::now(), count()?);
    thread::sleep(Duration::from_secs(options.seconds));
    let delivered = u32::try_from(count()? - before)?;
    Ok(Measured {
        per_second: f64::from(delivered) / begin.elapsed().as_secs_f64(),
        p99_ms: 0.0,
        resident_kib: host.resident_kib()?,
    })
}

/// Starts a host that generates records at a rate and delivers them, and lets it run in.
fn begin(
    options: &Options,
    connections: usize,
    runtime: &Runtime,
    endpoint: &Endpoint,
    rate: u32,
    more: &str,
) -> Result<Host> {
    let yaml = format!(
        "connectors:\n  in: {{ connector: generator-source, topic: lines, count: 2000000, size: \"{} B\", rate: {rate} }}\n  \
         out:\n    connector: http-sink\n    topics: [lines]\n    url: \"http://{}/post\"\n    order: none\n    max.in.flight: {connections}\n    {more}\n",
        options.size, endpoint.address
    );
    let host = Host::start(&options.binary, "sink", &yaml)?;
    let begin = Instant::now();
    while get(runtime, endpoint, "count")? == "0" {
        ensure!(
            begin.elapsed() < START_LIMIT,
            "no request came:\n{}",
            host.log()
        );
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(WARM_UP);
    Ok(host)
}

fn get(runtime: &Runtime, endpoint: &Endpoint, what: &str) -> Result<String> {
    let url = format!("http://{}/{what}", endpoint.address);
    Ok(runtime.block_on(async { reqwest::get(url).await?.text().await })?)
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

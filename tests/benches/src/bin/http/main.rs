//! HTTP connectors beside bare libraries, in the same run: requests per second, p99, resident memory.
//!
//! ```text
//! http BINARY [--seconds N] [--rounds N] [--size BYTES] [--connections 1,32,256]
//! ```
//! Webhook: callers on so many connections post to `webhook-source` (2xx when durable) and to bare axum, in turns.
//! Sink: `http-sink` with so many requests at a time, and bare reqwest with so many tasks, deliver to the same bare axum.
//! Servers are processes of their own; all share the machine's cores with the callers.

#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

mod callers;
mod endpoint;
mod host;
mod sink;
mod webhook;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

struct Options {
    binary: PathBuf,
    seconds: u64,
    rounds: usize,
    size: usize,
    connections: Vec<usize>,
}

/// One measurement.
#[derive(Clone, Copy, Default)]
struct Measured {
    per_second: f64,
    p99_ms: f64,
    resident_kib: u64,
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let first = args.next().context(
        "usage: http BINARY [--seconds N] [--rounds N] [--size BYTES] [--connections 1,32,256]",
    )?;
    if first == "--endpoint" {
        return endpoint::serve();
    }
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok()
        .context("cryptography is installed already")?;
    let mut options = Options {
        binary: std::fs::canonicalize(first)?,
        seconds: 5,
        rounds: 3,
        size: 500,
        connections: vec![1, 32, 256],
    };
    while let Some(flag) = args.next() {
        let value = args
            .next()
            .with_context(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--seconds" => options.seconds = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            "--size" => options.size = value.parse()?,
            "--connections" => {
                options.connections = value.split(',').map(str::parse).collect::<Result<_, _>>()?
            }
            _ => bail!("unknown flag {flag}"),
        }
    }
    println!(
        "{} B bodies, {} rounds of {} s, medians; p99 of the callers; RSS of the host",
        options.size, options.rounds, options.seconds
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    for connections in &options.connections {
        let (ours, bare) = webhook::compare(&options, *connections, &runtime)?;
        row("durable webhook", *connections, ours, "bare axum", bare);
    }
    for connections in &options.connections {
        let (ours, bare) = sink::compare(&options, *connections, &runtime)?;
        row("http-sink", *connections, ours, "bare reqwest", bare);
        let (median, p99) = sink::ages(&options, *connections, &runtime)?;
        println!(
            "http-sink x{connections} at {} records/s: age at arrival, from the log on: median {median} ms, p99 {p99} ms",
            sink::AGES_RATE
        );
    }
    Ok(())
}

fn row(what: &str, connections: usize, ours: Measured, baseline: &str, bare: Measured) {
    let latency = |one: Measured| {
        if one.p99_ms > 0.0 {
            format!("{:.2} ms", one.p99_ms)
        } else {
            "-".to_owned()
        }
    };
    println!(
        "{what} x{connections}: {:.0} requests/s, p99 {}, {} MiB | {baseline}: {:.0} requests/s, p99 {} | ratio {:.2}",
        ours.per_second,
        latency(ours),
        ours.resident_kib >> 10,
        bare.per_second,
        latency(bare),
        ours.per_second / bare.per_second
    );
}

/// Returns the median by rate.
fn median(mut all: Vec<Measured>) -> Measured {
    all.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    all.get(all.len() / 2).copied().unwrap_or_default()
}

//! Hosts of many small connectors.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use crate::host::{Folder, Host};
use crate::{Options, median, quantile};

const ALL: &str = "/connectors?expand=status&expand=info";
/// Requests of one kind to one host.
const REQUESTS: usize = 200;
/// Connectors of the budget of a cold start.
const FEW: usize = 5;

/// What the sources do.
#[derive(Clone, Copy, PartialEq)]
enum Load {
    /// Generators that have made their ten records, and files to which nobody writes.
    Idle,
    /// A record a second from every generator.
    Trickle,
}

/// Prints the cold start of small hosts.
pub(crate) fn start(options: &Options) -> Result<()> {
    let (mut serving, mut first) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let mut host = host(options, FEW, Load::Idle)?;
        serving.push(millis(
            host.until("serving", |host| Ok(host.get("/").is_ok()))?,
        ));
        first.push(millis(host.until("moving records", |host| {
            let row = host.json("/api/v1/connectors/out-0")?;
            Ok(row.get("records").and_then(Value::as_u64) > Some(0))
        })?));
    }
    println!(
        "cold start, {FEW} connectors: serving after {:.0} ms, a sink has its first record committed after {:.0} ms (budget 200 ms; {} rounds, medians)",
        median(&mut serving),
        median(&mut first),
        options.rounds
    );
    Ok(())
}

/// Prints what hosts of many connectors need.
pub(crate) fn measure(options: &Options) -> Result<()> {
    for connectors in &options.connectors {
        for load in [Load::Idle, Load::Trickle] {
            one(options, *connectors, load)?;
        }
    }
    Ok(())
}

fn one(options: &Options, connectors: usize, load: Load) -> Result<()> {
    let mut host = host(options, connectors, load)?;
    let serving = host.until("serving", |host| Ok(host.get("/").is_ok()))?;
    let running = host.until("all RUNNING", |host| {
        Ok(runs(&host.json("/connectors?expand=status")?) == connectors)
    })?;
    // What the start left to do is not the idle state: two looks at a core that is quiet, or a minute.
    settle(&host)?;
    let (before, begun) = (host.processor_seconds()?, Instant::now());
    std::thread::sleep(Duration::from_secs(options.seconds));
    let share = (host.processor_seconds()? - before) / begun.elapsed().as_secs_f64();
    let (resident, threads) = (host.resident_mib()?, host.threads()?);
    let (mut all, mut least) = (Vec::new(), Vec::new());
    let mut bare = Vec::new();
    let answer = host.get(ALL)?;
    let bytes = answer.len();
    // The same bytes, ready in memory, from a server that does nothing else.
    let server = host.bare(answer)?;
    for _ in 0..REQUESTS {
        timed(&host, ALL, &mut all)?;
        timed(&host, "/", &mut least)?;
        let begin = Instant::now();
        host.get_at(&server)?;
        bare.push(millis(begin.elapsed()));
    }
    println!(
        "{connectors} connectors, {}: serving after {:.0} ms, all RUNNING after {:.0} ms | {resident:.0} MiB, {threads} threads | {:.1} % of a core",
        match load {
            Load::Idle => "idle",
            Load::Trickle => "a record a second from each generator",
        },
        millis(serving),
        millis(running),
        share * 100.0
    );
    println!(
        "    GET {ALL}: {} KiB, p50 {:.2} ms, p99 {:.2} ms | GET /: p50 {:.2} ms, p99 {:.2} ms | ratio of p50 {:.1}",
        bytes >> 10,
        median(&mut all),
        quantile(&mut all, 99),
        median(&mut least),
        quantile(&mut least, 99),
        median(&mut all) / median(&mut least)
    );
    println!(
        "    the same {} KiB from a bare axum: p50 {:.2} ms, p99 {:.2} ms | ratio of p50 {:.1}, of p99 {:.1}",
        bytes >> 10,
        median(&mut bare),
        quantile(&mut bare, 99),
        median(&mut all) / median(&mut bare),
        quantile(&mut all, 99) / quantile(&mut bare, 99)
    );
    Ok(())
}

fn host(options: &Options, connectors: usize, load: Load) -> Result<Host> {
    let folder = Folder::new()?;
    std::fs::write(folder.0.join("quiet.txt"), "")?;
    let yaml = pipeline(connectors, load);
    Host::start(&options.binary, folder, &yaml, None)
}

/// In turns a generator, a sink of its topic, a file nobody writes to, a second sink of the topic.
fn pipeline(connectors: usize, load: Load) -> String {
    let made = match load {
        Load::Idle => "count: 10",
        Load::Trickle => "rate: 1",
    };
    let mut yaml = "connectors:\n".to_owned();
    for number in 0..connectors {
        let group = number / 4;
        let line = match number % 4 {
            0 => format!("in-{group}: {{ connector: generator-source, topic: t{group}, {made} }}"),
            1 => format!("out-{group}: {{ connector: blackhole-sink, topics: [t{group}] }}"),
            2 => format!(
                "file-{group}: {{ connector: file-source, path: quiet.txt, format: lines, topic: f{group} }}"
            ),
            _ => format!("also-{group}: {{ connector: blackhole-sink, topics: [t{group}] }}"),
        };
        // Writing to a text cannot fail.
        let _written = writeln!(yaml, "  {line}");
    }
    yaml
}

/// Returns how many connectors run with all their tasks, or have done what they had to do.
fn runs(all: &Value) -> usize {
    let fine = |state: Option<&Value>| {
        matches!(state.and_then(Value::as_str), Some("RUNNING" | "COMPLETED"))
    };
    all.as_object().map_or(0, |all| {
        all.values()
            .filter(|one| {
                let tasks = one.pointer("/status/tasks").and_then(Value::as_array);
                fine(one.pointer("/status/connector/state"))
                    && tasks.is_some_and(|tasks| {
                        !tasks.is_empty() && tasks.iter().all(|task| fine(task.get("state")))
                    })
            })
            .count()
    })
}

fn settle(host: &Host) -> Result<()> {
    const LOOKS: u32 = 60;
    const QUIET: f64 = 0.02;
    let mut last = f64::MAX;
    for _ in 0..LOOKS {
        let before = host.processor_seconds()?;
        std::thread::sleep(Duration::from_secs(1));
        let used = host.processor_seconds()? - before;
        if used <= QUIET || (used - last).abs() <= QUIET {
            break;
        }
        last = used;
    }
    Ok(())
}

fn timed(host: &Host, path: &str, times: &mut Vec<f64>) -> Result<usize> {
    let begin = Instant::now();
    let bytes = host.get(path)?.len();
    times.push(millis(begin.elapsed()));
    Ok(bytes)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

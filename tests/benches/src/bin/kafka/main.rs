//! The Kafka connectors of the real program beside Kafka's own clients, on one private broker, in turns.
//!
//! ```text
//! kafka BINARY KAFKA_LIBS [--records N] [--rounds N] [--connectors N]
//! ```
//! BINARY has its plugins beside it; KAFKA_LIBS is the folder of Kafka's jars. For 100 B and 1 KB:
//! ProducerPerformance (`acks=all`), ConsumerPerformance, `kcat -C` where it is installed; then `kafka-source` into the log and
//! `kafka-sink` out of it, at least and exactly once. Ours are timed from start to end of the process; the peers' rates are
//! their own words, without the start of the JVM. Last, memory and threads of a process with many connectors that have nothing to
//! do: `kafka-source`s, then as many `kafka-sink`s, exactly once. `--rounds 0` measures this alone.

#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

mod broker;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::broker::Broker;

/// The sizes of records that are measured.
const SIZES: [u64; 2] = [100, 1_000];
/// How long many connectors may take until all of them run.
const START_LIMIT: Duration = Duration::from_secs(120);

struct Options {
    binary: PathBuf,
    libraries: PathBuf,
    records: u64,
    rounds: usize,
    connectors: usize,
}

fn main() -> Result<()> {
    let options = options()?;
    let folder = std::env::temp_dir().join(format!("linkspan-kafka-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let outcome = bench(&options, &folder);
    fs::remove_dir_all(&folder)?;
    outcome
}

fn options() -> Result<Options> {
    const USAGE: &str =
        "usage: kafka BINARY KAFKA_LIBS [--records N] [--rounds N] [--connectors N]";
    let mut args = std::env::args().skip(1);
    let mut path = || args.next().map(PathBuf::from).context(USAGE);
    let mut options = Options {
        binary: fs::canonicalize(path()?)?,
        libraries: fs::canonicalize(path()?)?,
        records: 1_000_000,
        rounds: 3,
        connectors: 50,
    };
    while let Some(flag) = args.next() {
        let value = args
            .next()
            .with_context(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--records" => options.records = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            "--connectors" => options.connectors = value.parse()?,
            _ => bail!("unknown flag {flag}\n{USAGE}"),
        }
    }
    Ok(options)
}

fn bench(options: &Options, folder: &Path) -> Result<()> {
    let broker = Broker::start(&options.libraries, folder)?;
    for size in SIZES.into_iter().filter(|_| options.rounds > 0) {
        rates(options, &broker, folder, size)?;
    }
    broker.produce("idle", 1, 100)?;
    many(options, &broker, folder, Class::Source)?;
    many(options, &broker, folder, Class::Sink)
}

/// What many connectors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Source,
    Sink,
}

/// All ways for one size of records, in turns; prints medians and ratios.
fn rates(options: &Options, broker: &Broker, folder: &Path, size: u64) -> Result<()> {
    // Smaller counts for larger records: the same time, not the same bytes.
    let records = options.records * 100 / size.clamp(100, 500);
    println!(
        "\n{records} records of {size} bytes, {} rounds, medians",
        options.rounds
    );
    let mut runs: [Vec<f64>; 6] = Default::default();
    let [produced, consumed, kcat, read, at_least, exactly] = &mut runs;
    for round in 0..options.rounds {
        let topic = format!("bench-{size}-{round}");
        produced.push(broker.produce(&topic, records, size)?);
        consumed.push(broker.consume(&topic, records)?);
        if let Some(rate) = broker.kcat(&topic, records)? {
            kcat.push(rate);
        }
        let data = folder.join("data");
        let source = format!(
            "connectors:\n  in: {{ connector: kafka-source, bootstrap.servers: '{}', topics: [{topic}] }}\n",
            broker.address
        );
        read.push(job(options, folder, &data, &source, records)?);
        for (delivery, rates) in [
            ("at-least-once", &mut *at_least),
            ("exactly-once", &mut *exactly),
        ] {
            // Connectors of two names: each reads the topic here from its beginning.
            let sink = format!(
                "connectors:\n  {delivery}: {{ connector: kafka-sink, bootstrap.servers: '{}', topics: [{topic}], delivery: {delivery}, topic.rename: '{{topic}}-{delivery}' }}\n",
                broker.address
            );
            rates.push(job(options, folder, &data, &sink, records)?);
        }
        fs::remove_dir_all(&data)?;
    }
    let [produced, consumed, kcat, read, at_least, exactly] = runs.map(median);
    let line = |name: &str, rate: f64, peer: Option<(&str, f64)>| {
        let ratio = peer.map_or_else(String::new, |(peer, of)| {
            format!("   {:.2} x {peer}", rate / of)
        });
        println!(
            "{name:<28} {rate:>12.0} records/s {:>8.1} MB/s{ratio}",
            rate * to_f64(size) / 1e6
        );
    };
    line("ProducerPerformance", produced, None);
    line("ConsumerPerformance", consumed, None);
    if kcat.is_nan() {
        println!("kcat                         not installed here");
    } else {
        line("kcat -C", kcat, None);
    }
    line(
        "kafka-source -> log",
        read,
        Some(("ConsumerPerformance", consumed)),
    );
    line(
        "log -> kafka-sink, at least",
        at_least,
        Some(("ProducerPerformance", produced)),
    );
    line(
        "log -> kafka-sink, exactly",
        exactly,
        Some(("ProducerPerformance", produced)),
    );
    Ok(())
}

/// Runs a bounded job; returns records for each second of the whole process.
fn job(options: &Options, folder: &Path, data: &Path, yaml: &str, records: u64) -> Result<f64> {
    let path = folder.join("job.yaml");
    fs::write(&path, yaml)?;
    let begin = Instant::now();
    let ran = Command::new(&options.binary)
        .args(["run", "--once", "-o", "json", "--data"])
        .arg(data)
        .arg(&path)
        .output()?;
    let seconds = begin.elapsed().as_secs_f64();
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    let all = format!("\"records\":{records}");
    if !ran.status.success() || !text.replace(' ', "").contains(&all) {
        bail!("{yaml}\n{text}\n{}", String::from_utf8_lossy(&ran.stderr));
    }
    Ok(to_f64(records) / seconds)
}

/// Memory and threads of one process with many connectors that have nothing to do.
fn many(options: &Options, broker: &Broker, folder: &Path, class: Class) -> Result<()> {
    let address = &broker.address;
    let mut yaml = match class {
        Class::Source => "connectors:\n".to_owned(),
        Class::Sink => "topics: { idle: {} }\nconnectors:\n".to_owned(),
    };
    for index in 0..options.connectors {
        yaml.push_str(&match class {
            Class::Source => format!(
                "  in-{index}: {{ connector: kafka-source, bootstrap.servers: '{address}', topics: [idle], start.from: latest, topic.rename: 'idle-{index}' }}\n"
            ),
            Class::Sink => format!(
                "  out-{index}: {{ connector: kafka-sink, bootstrap.servers: '{address}', topics: [idle], topic.rename: 'idle-{index}' }}\n"
            ),
        });
    }
    let (path, data) = (
        folder.join("many.yaml"),
        folder.join(format!("many-{class:?}")),
    );
    fs::write(&path, yaml)?;
    let mut host = Command::new(&options.binary)
        .args(["run", "--listen", "none", "--data"])
        .arg(&data)
        .arg(&path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let outcome = measure(options, &data, &mut host);
    host.kill()?;
    host.wait()?;
    let (resident, threads, cpu) = outcome?;
    println!(
        "\n{} idle {} in one process: {:.0} MiB resident, {threads} threads, {:.1} % of a core",
        options.connectors,
        match class {
            Class::Source => "kafka-sources",
            Class::Sink => "kafka-sinks",
        },
        to_f64(resident) / 1024.0,
        cpu * 100.0
    );
    Ok(())
}

fn measure(options: &Options, data: &Path, host: &mut Child) -> Result<(u64, u64, f64)> {
    const REST: Duration = Duration::from_secs(5);
    let begin = Instant::now();
    loop {
        let shown = Command::new(&options.binary)
            .args(["get", "-o", "json", "--data"])
            .arg(data)
            .output()?;
        let text = String::from_utf8_lossy(&shown.stdout).replace(' ', "");
        // The connector and its task.
        if text.matches("\"RUNNING\"").count() >= options.connectors {
            break;
        }
        if host.try_wait()?.is_some() || begin.elapsed() > START_LIMIT {
            bail!("the connectors do not run:\n{text}");
        }
    }
    let before = ticks(host.id())?;
    std::thread::sleep(REST);
    let used = to_f64(ticks(host.id())?.saturating_sub(before)) / 100.0 / REST.as_secs_f64();
    let status = fs::read_to_string(format!("/proc/{}/status", host.id()))?;
    let field = |name: &str| -> Result<u64> {
        let line = status.lines().find(|line| line.starts_with(name));
        let word = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(word.with_context(|| format!("no {name}"))?.parse()?)
    };
    Ok((field("VmRSS:")?, field("Threads:")?, used))
}

/// Hundredths of a second of processor time that a process has used.
fn ticks(pid: u32) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    let words: Vec<&str> = behind.split_whitespace().collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    Ok(number(11)
        .zip(number(12))
        .map_or(0, |(user, system)| user + system))
}

fn to_f64(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::NAN, f64::from)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

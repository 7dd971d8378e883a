//! The log against the disk: every figure is a ratio to a bare program that does the same system calls in the same run.
//!
//! ```text
//! logbench [append] [latency] [read] [restart] [compression] [direct] [--long] [--dir DIR] [--rounds N] [--seconds S]   (no name = all)
//! ```
//!
//! R = a sequential write of 256 MiB with one fdatasync at its end, measured again in every round.
//! S = a 4 KiB write + fdatasync on a prewritten file, measured between the samples it is compared with.
//! Skeleton = threads, queue and system calls of the log without the log (module `skeleton`).
//! Rounds alternate between the sides, so that all meet the same noise; medians are printed. `--long` runs each side of the
//! sustained rows for more than 60 s.

mod append;
mod compression;
mod latency;
mod raw;
mod read;
mod restart;
mod sides;
mod skeleton;
mod table;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::table::{median, quantile, say};

#[derive(Debug)]
pub(crate) struct Args {
    dir: PathBuf,
    rounds: usize,
    seconds: f64,
    long: bool,
    names: Vec<String>,
}

fn args(words: &[String]) -> Result<Args> {
    let mut parsed = Args {
        dir: PathBuf::from("target/logbench"),
        rounds: 11,
        seconds: 1.0,
        long: false,
        names: Vec::new(),
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .with_context(|| format!("{word} needs a value"))
        };
        match word.as_str() {
            "--long" => (parsed.long, parsed.rounds, parsed.seconds) = (true, 7, 9.0),
            "--dir" => parsed.dir = PathBuf::from(value()?).join("logbench"),
            "--rounds" => parsed.rounds = value()?.parse()?,
            "--seconds" => parsed.seconds = value()?.parse()?,
            "append" | "latency" | "read" | "restart" | "compression" | "direct" => {
                parsed.names.push(word.clone());
            }
            other => bail!("unknown argument `{other}`"),
        }
    }
    Ok(parsed)
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = words.split_first()
        && first == "child"
    {
        return restart::child(rest);
    }
    let args = args(&words)?;
    let wants = |name: &str| args.names.is_empty() || args.names.iter().any(|n| n == name);
    if args.dir.try_exists()? {
        // Left by a run that did not end.
        std::fs::remove_dir_all(&args.dir)?;
    }
    std::fs::create_dir_all(&args.dir)?;
    calibrate(&args)?;
    if wants("append") {
        append::table(&args)?;
    }
    if wants("latency") {
        latency::table(&args)?;
    }
    if wants("read") {
        read::table(&args)?;
    }
    if wants("restart") {
        restart::table(&args)?;
    }
    if wants("compression") {
        compression::table(&args)?;
    }
    if wants("direct") {
        append::direct(&args)?;
    }
    say("the wire rows (fetch and produce over a socket) come with the Kafka listener");
    say(&format!("load {}", load().trim()));
    std::fs::remove_dir_all(&args.dir)?;
    Ok(())
}

fn calibrate(args: &Args) -> Result<()> {
    let mut rates = Vec::new();
    for _ in 0..5 {
        rates.push(raw::sequential(&args.dir)?);
    }
    let mut page = raw::Page::new(&args.dir)?;
    let mut times = Vec::new();
    for _ in 0..500 {
        times.push(page.sync()?);
    }
    say(&format!(
        "R = {:.0} MB/s (raw sequential write + final fdatasync); S50 = {:.0} us, S99 = {:.0} us (4 KiB write + fdatasync); load {}",
        median(&mut rates),
        median(&mut times),
        quantile(&mut times, 0.99),
        load().trim(),
    ));
    Ok(())
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default()
}

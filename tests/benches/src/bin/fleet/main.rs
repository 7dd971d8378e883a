//! Many connectors in one host, and what they cost each other: start-up, memory, idle processor time, answers about all of
//! them, transforms, rejected records, and a neighbour beside a plugin that misbehaves.
//!
//! ```text
//! fleet BINARY [--only start,crowd,transforms,letters,neighbours] [--connectors 200,1000] [--records N] [--rounds N]
//!              [--seconds N] [--rogues 1,10]
//! ```
//! Every figure stands beside one of the same run: the same pipeline without the step, the same host before the plugin
//! misbehaves, the smallest answer of the same listener. Sides are measured in turns; medians are printed.

#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

mod crowd;
mod host;
mod jobs;
mod neighbours;

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};

const USAGE: &str = "usage: fleet BINARY [--only start,crowd,transforms,letters,neighbours] [--connectors 200,1000] [--records N] [--rounds N] [--seconds N] [--rogues 1,10]";
const PARTS: [&str; 5] = ["start", "crowd", "transforms", "letters", "neighbours"];

struct Options {
    binary: PathBuf,
    only: Vec<String>,
    connectors: Vec<usize>,
    /// Of one job.
    records: u64,
    rounds: usize,
    /// Of one phase in which something is counted.
    seconds: u64,
    rogues: Vec<usize>,
}

fn main() -> Result<()> {
    let options = options()?;
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok()
        .context("cryptography is installed already")?;
    for part in &options.only {
        match part.as_str() {
            "start" => crowd::start(&options)?,
            "crowd" => crowd::measure(&options)?,
            "transforms" => jobs::transforms(&options)?,
            "letters" => jobs::letters(&options)?,
            "neighbours" => neighbours::measure(&options)?,
            other => bail!("--only {other}: expected some of {}", PARTS.join(", ")),
        }
    }
    Ok(())
}

fn options() -> Result<Options> {
    let mut args = std::env::args().skip(1);
    let binary = PathBuf::from(args.next().context(USAGE)?);
    let mut options = Options {
        binary: std::fs::canonicalize(&binary)
            .with_context(|| format!("the program {}", binary.display()))?,
        only: PARTS.map(str::to_owned).to_vec(),
        connectors: vec![200, 1000],
        records: 2_000_000,
        rounds: 10,
        seconds: 5,
        rogues: vec![1, 10],
    };
    while let Some(flag) = args.next() {
        let value = args
            .next()
            .with_context(|| format!("{flag} needs a value\n{USAGE}"))?;
        match flag.as_str() {
            "--only" => options.only = list(&value)?,
            "--connectors" => options.connectors = list(&value)?,
            "--records" => options.records = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            "--seconds" => options.seconds = value.parse()?,
            "--rogues" => options.rogues = list(&value)?,
            _ => bail!("unknown flag {flag}\n{USAGE}"),
        }
    }
    Ok(options)
}

fn list<T: FromStr>(text: &str) -> Result<Vec<T>>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.split(',')
        .map(|item| item.parse().with_context(|| format!("`{item}`")))
        .collect()
}

/// Returns the value below which so many percent of all lie.
fn quantile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = values.len() * percent / 100;
    values.get(at.min(last)).copied().unwrap_or(f64::NAN)
}

fn median(values: &mut [f64]) -> f64 {
    quantile(values, 50)
}

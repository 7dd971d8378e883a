//! Loads a log and says what was acknowledged, or judges a log by such a protocol.
//!
//! ```text
//! logload run DIR [--seconds S] [--threads N] [--partitions N] [--durability fsync|os] [--compression none|lz4|zstd]
//!                 [--ack-early] [--ignore-sync-errors] [--jumping-clock] [--large-files] [--segment-bytes N]     lines of the module `ack` on stdout
//! logload verify DIR ACKS…                                                     exit code 1: a promise was broken
//! ```

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use linkspan_log::{DiskFs, Durability, LocalOptions, LogBackend as _, open_local};
use linkspan_log_kill::{Clocks, Judge, Line, Load};
use linkspan_types::SystemClock;
use linkspan_wire::Compression;

#[expect(clippy::print_stderr, reason = "this is a program for a terminal")]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.split_first() {
        Some((what, rest)) if what == "run" => load(rest).and_then(|load| load.run()),
        Some((what, rest)) if what == "verify" => verify(rest),
        _ => Err(anyhow::anyhow!(
            "usage: logload run DIR … | logload verify DIR ACKS…"
        )),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("logload: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn load(args: &[String]) -> Result<Load> {
    let (dir, options) = args.split_first().context("`run` needs a directory")?;
    let mut load = Load::new(dir);
    let mut words = options.iter();
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .with_context(|| format!("{word} needs a value"))
        };
        match word.as_str() {
            "--seconds" => load.duration = Duration::from_secs_f64(value()?.parse()?),
            "--threads" => load.threads = value()?.parse()?,
            "--partitions" => load.partitions = value()?.parse()?,
            "--window" => load.window = value()?.parse()?,
            "--segment-bytes" => load.options.segment_bytes = value()?.parse()?,
            "--durability" => {
                load.options.durability = match value()?.as_str() {
                    "fsync" => Durability::Fsync,
                    "os" => Durability::Os,
                    other => bail!("no durability `{other}`"),
                }
            }
            "--compression" => {
                load.compression = match value()?.as_str() {
                    "none" => Compression::None,
                    "lz4" => Compression::Lz4,
                    "zstd" => Compression::Zstd,
                    other => bail!("no compression `{other}`"),
                }
            }
            "--ack-early" => load.ack_early = true,
            "--ignore-sync-errors" => load.ignore_sync_errors = true,
            "--jumping-clock" => load.clock = Clocks::Jumping,
            "--large-files" => {
                load.options = LocalOptions {
                    durability: load.options.durability,
                    ..LocalOptions::new(dir)
                }
            }
            other => bail!("unknown option `{other}`"),
        }
    }
    Ok(load)
}

#[expect(clippy::print_stdout, reason = "the verdict is the program's output")]
fn verify(args: &[String]) -> Result<()> {
    let (dir, acks) = args.split_first().context("`verify` needs a directory")?;
    let mut judge = Judge::default();
    for path in acks.iter().map(PathBuf::from) {
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("read `{}`", path.display()))?;
        let lines: Vec<Line> = text.split_inclusive('\n').filter_map(Line::parse).collect();
        judge.promised(&lines);
    }
    let log = open_local(
        Arc::new(DiskFs),
        Arc::new(SystemClock::default()),
        LocalOptions::new(dir),
    )?;
    let verdict = judge.look(&*log)?;
    println!("kept: {verdict:?}");
    Ok(log.close()?)
}

//! Whole pipelines of the real program: records per second, MB/s and peak memory, beside a raw write of the same bytes.
//!
//! ```text
//! pipeline BINARY [--lines N] [--size BYTES] [--rounds N] [--peer 'COMMAND']
//! pipeline BINARY --codecs FILE [--rounds N]      the lines of FILE through the log, with each compression.type
//! ```
//! `COMMAND` is run with the input file as its last argument, in the same rounds; of what it prints, the number before
//! `records/s` is taken as its rate.

#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

struct Options {
    binary: PathBuf,
    lines: u64,
    size: usize,
    rounds: usize,
    peer: Option<String>,
    /// Compare codecs on the lines of this file instead.
    codecs: Option<PathBuf>,
}

/// One run: seconds of wall time and the peak of resident memory.
struct Measured {
    seconds: f64,
    peak_kib: u64,
}

fn main() -> Result<()> {
    let options = options()?;
    let folder = std::env::temp_dir().join(format!("linkspan-pipeline-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let outcome = match &options.codecs {
        Some(input) => codecs(&options, input, &folder),
        None => bench(&options, &folder),
    };
    fs::remove_dir_all(&folder)?;
    outcome
}

fn options() -> Result<Options> {
    let mut args = std::env::args().skip(1);
    let binary = PathBuf::from(args.next().context(
        "usage: pipeline BINARY [--lines N] [--size BYTES] [--rounds N] [--peer COMMAND]",
    )?);
    let mut options = Options {
        binary: fs::canonicalize(binary)?,
        lines: 2_000_000,
        size: 100,
        rounds: 3,
        peer: None,
        codecs: None,
    };
    while let Some(flag) = args.next() {
        let value = args
            .next()
            .with_context(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--lines" => options.lines = value.parse()?,
            "--size" => options.size = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            "--peer" => options.peer = Some(value),
            "--codecs" => options.codecs = Some(fs::canonicalize(value)?),
            _ => bail!("unknown flag {flag}"),
        }
    }
    Ok(options)
}

fn bench(options: &Options, folder: &Path) -> Result<()> {
    let input = folder.join("input.txt");
    write_lines(&input, options.lines, options.size)?;
    let bytes = fs::metadata(&input)?.len();
    let generator = folder.join("generator.yaml");
    fs::write(&generator, generator_yaml(options, 0))?;
    let (one, five) = (folder.join("one.yaml"), folder.join("five.yaml"));
    fs::write(&one, generator_yaml(options, 1))?;
    fs::write(&five, generator_yaml(options, 5))?;
    let copy = folder.join("copy.yaml");
    fs::write(&copy, copy_yaml(&input, &folder.join("output.txt")))?;
    println!(
        "{} records of {} bytes, {} rounds, medians",
        options.lines, options.size, options.rounds
    );
    let mut raw = Vec::new();
    let mut generated = Vec::new();
    let mut with_one = Vec::new();
    let mut with_five = Vec::new();
    let mut copied = Vec::new();
    let mut peer = Vec::new();
    for _ in 0..options.rounds {
        raw.push(Measured {
            seconds: raw_write(folder, bytes)?,
            peak_kib: 0,
        });
        generated.push(job(&options.binary, &generator, folder)?);
        with_one.push(job(&options.binary, &one, folder)?);
        with_five.push(job(&options.binary, &five, folder)?);
        copied.push(job(&options.binary, &copy, folder)?);
        same_multiset(&input, &folder.join("output.txt"))?;
        if let Some(command) = &options.peer {
            peer.push(peer_rate(command, &input)?);
        }
    }
    let raw_rate = report(
        "raw sequential write + fdatasync",
        &raw,
        options.lines,
        bytes,
        None,
    );
    report(
        "generator -> log -> blackhole",
        &generated,
        options.lines,
        bytes,
        Some(raw_rate),
    );
    for (name, runs) in [
        ("the same with 1 transform", &with_one),
        ("the same with 5 transforms", &with_five),
    ] {
        report(name, runs, options.lines, bytes, Some(raw_rate));
    }
    let copy_rate = report(
        "file -> log -> file",
        &copied,
        options.lines,
        bytes,
        Some(raw_rate),
    );
    if !peer.is_empty() {
        let rate = median(peer);
        println!(
            "{:<34} {:>12.0} records/s   ours is {:.1} x",
            "peer",
            rate,
            copy_rate / rate
        );
    }
    Ok(())
}

/// The same file through the log with each codec, in turns.
fn codecs(options: &Options, input: &Path, folder: &Path) -> Result<()> {
    const CODECS: [&str; 3] = ["uncompressed", "lz4", "zstd"];
    let bytes = fs::metadata(input)?.len();
    let text = fs::read(input)?;
    let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64;
    drop(text);
    println!(
        "{}: {lines} lines of {} bytes, {} rounds, medians",
        input.display(),
        bytes / lines.max(1),
        options.rounds
    );
    let mut runs: [Vec<Measured>; 3] = Default::default();
    let mut stored = [0; 3];
    for _ in 0..options.rounds {
        for ((codec, runs), stored) in CODECS.iter().zip(&mut runs).zip(&mut stored) {
            let yaml = folder.join(format!("{codec}.yaml"));
            let text = copy_yaml(input, &folder.join("output.txt"));
            fs::write(
                &yaml,
                text.replacen(
                    "partitions: 4",
                    &format!("partitions: 4, compression.type: {codec}"),
                    1,
                ),
            )?;
            runs.push(job(&options.binary, &yaml, folder)?);
            *stored = size_of(&folder.join("data/topics"))?;
        }
        same_multiset(input, &folder.join("output.txt"))?;
    }
    for ((codec, runs), stored) in CODECS.iter().zip(&runs).zip(stored) {
        report(
            &format!("file -> log -> file, {codec}"),
            runs,
            lines,
            bytes,
            None,
        );
        println!(
            "{:<34} {:>12.2} of the input on disk",
            "",
            to_f64(stored) / to_f64(bytes)
        );
    }
    Ok(())
}

fn size_of(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() {
            size_of(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(bytes)
}

fn report(name: &str, runs: &[Measured], records: u64, bytes: u64, raw: Option<f64>) -> f64 {
    let seconds = median(runs.iter().map(|run| run.seconds).collect());
    let rate = to_f64(records) / seconds;
    let peak = runs.iter().map(|run| run.peak_kib).max().unwrap_or(0);
    let ratio = raw.map_or_else(String::new, |raw| format!("  {:.2} of raw", rate / raw));
    println!(
        "{name:<34} {rate:>12.0} records/s {:>8.1} MB/s  {:>6.1} MiB peak{ratio}",
        to_f64(bytes) / seconds / 1e6,
        to_f64(peak) / 1024.0
    );
    rate
}

fn to_f64(number: u64) -> f64 {
    u32::try_from(number).map_or_else(
        |_| f64::from(u32::try_from(number / 4096).unwrap_or(u32::MAX)) * 4096.0,
        f64::from,
    )
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn write_lines(path: &Path, lines: u64, size: usize) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let filler = "x".repeat(size.saturating_sub(17));
    for line in 0..lines {
        writeln!(out, "{line:016}:{filler}")?;
    }
    out.into_inner()?.sync_all()?;
    Ok(())
}

/// The same number of bytes, written in 1 MiB pieces to a new file and synced once.
fn raw_write(folder: &Path, bytes: u64) -> Result<f64> {
    let path = folder.join("raw");
    let chunk = vec![b'x'; 1 << 20];
    let start = Instant::now();
    let mut file = File::create(&path)?;
    let mut left = bytes;
    while left > 0 {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        file.write_all(chunk.get(..take).unwrap_or_default())?;
        left -= take as u64;
    }
    file.sync_data()?;
    let seconds = start.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(seconds)
}

/// Steps of the source: the first touches the topic only, the last two take the value apart and put it together again.
const STEPS: [&str; 5] = [
    "{ name: a, type: RegexRouter, regex: nothing, replacement: else }",
    "{ name: b, type: InsertHeader, header: h, value.literal: x }",
    "{ name: c, type: DropHeaders, headers: h }",
    "{ name: d, type: HoistField$Value, field: f }",
    "{ name: e, type: ExtractField$Value, field: f }",
];

fn generator_yaml(options: &Options, steps: usize) -> String {
    let steps: Vec<&str> = STEPS.iter().take(steps).copied().collect();
    let transforms = if steps.is_empty() {
        String::new()
    } else {
        format!(", transforms: [ {} ]", steps.join(", "))
    };
    format!(
        "topics: {{ bench: {{ partitions: 4 }} }}\nconnectors:\n  in: {{ connector: generator-source, topic: bench, count: {}, size: {}B{transforms} }}\n  \
         out: {{ connector: blackhole-sink, topics: [bench] }}\n",
        options.lines, options.size
    )
}

fn copy_yaml(input: &Path, output: &Path) -> String {
    format!(
        "topics: {{ lines: {{ partitions: 4 }} }}\nconnectors:\n  in: {{ connector: file-source, path: {}, format: lines, topic: lines }}\n  \
         out: {{ connector: file-sink, path: {}, format: lines, topics: [lines] }}\n",
        input.display(),
        output.display()
    )
}

/// Runs a bounded job on a new data directory.
fn job(binary: &Path, yaml: &Path, folder: &Path) -> Result<Measured> {
    let data = folder.join("data");
    let output = folder.join("output.txt");
    for path in [&data, &output] {
        match if path.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        } {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    let start = Instant::now();
    let mut child = Command::new(binary)
        .args(["run", "--once", "-o", "json", "--data"])
        .arg(&data)
        .arg(yaml)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut peak_kib = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        peak_kib = peak_kib.max(high_water(child.id()));
        std::thread::sleep(Duration::from_millis(5));
    };
    let seconds = start.elapsed().as_secs_f64();
    if !status.success() {
        let mut text = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            std::io::Read::read_to_string(&mut stderr, &mut text)?;
        }
        bail!("{} ended with {status}:\n{text}", yaml.display());
    }
    Ok(Measured { seconds, peak_kib })
}

fn high_water(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

/// Fails unless both files hold the same lines, in whatever order.
fn same_multiset(one: &Path, other: &Path) -> Result<()> {
    let read = |path: &Path| -> Result<Vec<Vec<u8>>> {
        let mut lines: Vec<Vec<u8>> = fs::read(path)?
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        lines.sort_unstable();
        Ok(lines)
    };
    if read(one)? != read(other)? {
        bail!(
            "{} does not hold the lines of {}",
            other.display(),
            one.display()
        );
    }
    Ok(())
}

fn peer_rate(command: &str, input: &Path) -> Result<f64> {
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("{command} '{}'", input.display()))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words
        .iter()
        .position(|word| word.starts_with("records/s"))
        .context("the peer printed no rate")?;
    let rate = at
        .checked_sub(1)
        .and_then(|before| words.get(before))
        .context("the peer printed no rate")?;
    rate.parse()
        .with_context(|| format!("the peer's rate `{rate}`"))
}

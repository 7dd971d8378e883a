//! Files into the log, beside a bare program that only reads: lines and `wc -l`, CSV and the csv crate, gzip and `zcat`.
//!
//! ```text
//! files BINARY [--lines N] [--rounds N] [--big-mib N]
//! ```
//! Each round runs the baseline and the job after each other, on the same file; medians and their ratio are printed. A job's time
//! is that of the whole process, with start, the durable log and the summary.
//!
//! At last a file of `--big-mib` MiB (1024; 0 leaves it out) is read once, and the most memory that the process had is printed. The
//! file is written for that and removed; the topic is packed, so that the log takes a tenth of it.

#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

struct Options {
    binary: PathBuf,
    lines: u64,
    rounds: usize,
    big_mib: u64,
}

/// What is read, by the job and by the program beside it.
struct Case {
    name: &'static str,
    file: PathBuf,
    format: &'static str,
    baseline: fn(&Path) -> Result<f64>,
    beside: &'static str,
}

fn main() -> Result<()> {
    let options = options()?;
    let folder = std::env::temp_dir().join(format!("linkspan-files-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let outcome = bench(&options, &folder);
    fs::remove_dir_all(&folder)?;
    outcome
}

fn options() -> Result<Options> {
    let mut args = std::env::args().skip(1);
    let binary = args
        .next()
        .context("usage: files BINARY [--lines N] [--rounds N] [--big-mib N]")?;
    let mut options = Options {
        binary: fs::canonicalize(binary)?,
        lines: 1_000_000,
        rounds: 10,
        big_mib: 1024,
    };
    while let Some(flag) = args.next() {
        let value = args
            .next()
            .with_context(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--lines" => options.lines = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            "--big-mib" => options.big_mib = value.parse()?,
            _ => bail!("unknown flag {flag}"),
        }
    }
    Ok(options)
}

fn bench(options: &Options, folder: &Path) -> Result<()> {
    let (lines, csv, packed) = inputs(options.lines, folder)?;
    let cases = [
        Case {
            name: "lines -> log",
            file: lines,
            format: "format: lines",
            baseline: |file| timed(Command::new("wc").arg("-l").arg(file)),
            beside: "wc -l",
        },
        Case {
            name: "typed csv -> log",
            file: csv,
            format: "format: csv, csv.types: { id: int64, price: 'decimal(12,2)' }",
            baseline: csv_crate,
            beside: "csv crate",
        },
        Case {
            name: "gzip lines -> log",
            file: packed,
            format: "format: lines",
            baseline: |file| timed(Command::new("zcat").arg(file)),
            beside: "zcat",
        },
    ];
    println!(
        "{} records, {} rounds, medians",
        options.lines, options.rounds
    );
    for case in cases {
        let (mut bare, mut job) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            bare.push((case.baseline)(&case.file)?);
            job.push(run(options, &case, folder)?);
        }
        let (bare, job) = (median(&mut bare), median(&mut job));
        let rate = |seconds: f64| precise(options.lines) / seconds;
        println!(
            "{:<18} {:>12.0} records/s   {:<10} {:>12.0} records/s   ratio {:.3}",
            case.name,
            rate(job),
            case.beside,
            rate(bare),
            bare / job
        );
        fs::remove_file(&case.file)?;
    }
    if options.big_mib > 0 {
        big(options, folder)?;
    }
    Ok(())
}

/// Reads a file that is larger than memory should be; prints the most memory that the process had.
fn big(options: &Options, folder: &Path) -> Result<()> {
    let file = folder.join("big.txt");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&file)?);
    let (wanted, mut bytes, mut lines) = (options.big_mib << 20, 0, 0_u64);
    while bytes < wanted {
        let line = format!(
            "{lines:012} a line of a hundred bytes, as logs have them, {:044}\n",
            lines % 9_973
        );
        out.write_all(line.as_bytes())?;
        bytes += line.len() as u64;
        lines += 1;
    }
    out.into_inner()
        .map_err(std::io::IntoInnerError::into_error)?
        .sync_all()?;
    let yaml = folder.join("big.yaml");
    fs::write(
        &yaml,
        format!(
            "topics:\n  big: {{ partitions: 1, compression.type: zstd }}\nconnectors:\n  in: {{ connector: file-source, path: {}, topic: big }}\n",
            file.display()
        ),
    )?;
    let begin = Instant::now();
    let mut child = Command::new(&options.binary)
        .args(["run", "--once", "--data"])
        .arg(folder.join("big-data"))
        .arg(&yaml)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut peak_kib = 0;
    let status = loop {
        // The kernel's own greatest value: only what comes after the last look is missed.
        peak_kib = peak_kib.max(peak(child.id()).unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    };
    if !status.success() {
        bail!("the job with {} MiB failed", options.big_mib);
    }
    println!(
        "{:<18} {:>12.0} records/s   {} MiB, {lines} records   peak RSS {} MiB",
        "big file -> log",
        precise(lines) / begin.elapsed().as_secs_f64(),
        options.big_mib,
        peak_kib >> 10
    );
    Ok(())
}

/// The most memory that a process had so far, in KiB.
fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Writes the same rows as lines, as CSV and packed.
fn inputs(lines: u64, folder: &Path) -> Result<(PathBuf, PathBuf, PathBuf)> {
    let names = ["in.txt", "in.csv", "in.txt.gz"].map(|name| folder.join(name));
    let [plain, csv, packed] = &names;
    let mut text = BufWriter::new(File::create(plain)?);
    let mut rows = BufWriter::new(File::create(csv)?);
    writeln!(rows, "id,name,price,note")?;
    for n in 0..lines {
        writeln!(
            text,
            "{n:012} a line of a hundred bytes, as logs have them, {:044}",
            n.wrapping_mul(7919)
        )?;
        writeln!(
            rows,
            "{n},name {n},{}.{:02},\"a note, {n}\"",
            n % 9_973,
            n % 100
        )?;
    }
    text.flush()?;
    rows.flush()?;
    let out = File::create(packed)?;
    let done = Command::new("gzip")
        .arg("-1c")
        .arg(plain)
        .stdout(out)
        .status()?;
    if !done.success() {
        bail!("gzip failed");
    }
    let [plain, csv, packed] = names;
    Ok((plain, csv, packed))
}

fn timed(command: &mut Command) -> Result<f64> {
    let begin = Instant::now();
    let status = command.stdout(Stdio::null()).status()?;
    if !status.success() {
        bail!("{command:?} failed");
    }
    Ok(begin.elapsed().as_secs_f64())
}

fn csv_crate(file: &Path) -> Result<f64> {
    let begin = Instant::now();
    let mut reader = csv::Reader::from_path(file)?;
    let mut record = csv::ByteRecord::new();
    let mut fields = 0;
    while reader.read_byte_record(&mut record)? {
        fields += record.len();
    }
    if fields == 0 {
        bail!("no field was read");
    }
    Ok(begin.elapsed().as_secs_f64())
}

/// Runs a job into a new data directory.
fn run(options: &Options, case: &Case, folder: &Path) -> Result<f64> {
    let data = folder.join("data");
    if data.try_exists()? {
        fs::remove_dir_all(&data)?;
    }
    let yaml = folder.join("job.yaml");
    let file = case.file.display();
    fs::write(
        &yaml,
        format!(
            "connectors:\n  in: {{ connector: file-source, path: {file}, topic: t, {} }}\n",
            case.format
        ),
    )?;
    let mut command = Command::new(&options.binary);
    command
        .args(["run", "--once", "--data"])
        .arg(&data)
        .arg(&yaml);
    timed(command.stderr(Stdio::null()))
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn precise(count: u64) -> f64 {
    count as f64
}

//! Bounded jobs: what a transform costs, and what a rejected record costs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::host::Folder;
use crate::{Options, median};

/// Steps that touch topic and headers only: the value stays the bytes that it is.
const BYTES: [&str; 5] = [
    "{ name: a, type: RegexRouter, regex: nothing, replacement: else }",
    "{ name: b, type: InsertHeader, header: h, value.literal: x }",
    "{ name: c, type: DropHeaders, headers: h }",
    "{ name: d, type: InsertHeader, header: g, value.literal: y }",
    "{ name: e, type: DropHeaders, headers: g }",
];
/// Steps that take the value apart and put it together again.
const VALUES: [&str; 5] = [
    "{ name: a, type: HoistField$Value, field: f }",
    "{ name: b, type: ExtractField$Value, field: f }",
    "{ name: c, type: HoistField$Value, field: g }",
    "{ name: d, type: InsertField$Value, static.field: s, static.value: x }",
    "{ name: e, type: ExtractField$Value, field: g }",
];
/// Of so many records one has a number that ends in `00`.
const ONE_IN: u64 = 100;
/// Bytes of a value.
const SIZE: u32 = 100;

/// One pipeline under measurement.
struct Case {
    name: &'static str,
    yaml: String,
    seconds: Vec<f64>,
    letters: u64,
}

impl Case {
    fn new(name: &'static str, source: &str, sink: &str, records: u64) -> Self {
        let yaml = format!(
            "topics: {{ bench: {{ partitions: 4 }} }}\nconnectors:\n  \
             in: {{ connector: generator-source, topic: bench, count: {records}, size: {SIZE}B{source} }}\n  \
             out: {{ connector: blackhole-sink, topics: [bench]{sink} }}\n"
        );
        Self {
            name,
            yaml,
            seconds: Vec::new(),
            letters: 0,
        }
    }
}

/// Prints throughput with none, one and five transforms.
pub(crate) fn transforms(options: &Options) -> Result<()> {
    let steps = |steps: &[&str]| format!(", transforms: [ {} ]", steps.join(", "));
    let case = |name, source: &str| Case::new(name, source, "", options.records);
    let mut cases = [
        case("no transform", ""),
        case("1, bytes stay", &steps(&BYTES[..1])),
        case("5, bytes stay", &steps(&BYTES)),
        case("2, value taken apart", &steps(&VALUES[..2])),
        case("5, value taken apart", &steps(&VALUES)),
    ];
    rounds(options, &mut cases)?;
    let records = decimal(options.records);
    println!(
        "generator -> log -> blackhole, {} records of {SIZE} B, {} rounds, medians, start and end of the program included",
        options.records, options.rounds
    );
    let mut base = f64::NAN;
    for case in &mut cases {
        let rate = records / median(&mut case.seconds);
        if base.is_nan() {
            base = rate;
        }
        println!(
            "    transforms: {:<22} {rate:>10.0} records/s  ratio {:.2}",
            case.name,
            rate / base
        );
    }
    Ok(())
}

/// Prints what a record costs that its sink rejects.
pub(crate) fn letters(options: &Options) -> Result<()> {
    let refuse = |by: &str, errors: &str| {
        format!(
            ", check: none, rehearse.refuse: '00:', rehearse.refuse.by: {by}, errors: {{ {errors} }}"
        )
    };
    let letter = "tolerance: all, deadletterqueue.topic.name: letters";
    let case = |name, sink: &str| Case::new(name, "", sink, options.records);
    let mut cases = [
        case("no record rejected", ", check: none"),
        case("reported, skipped", &refuse("report", "tolerance: all")),
        case("reported, dead letter", &refuse("report", letter)),
        case("batch refused, bisected", &refuse("batch", letter)),
    ];
    rounds(options, &mut cases)?;
    println!(
        "{} records of {SIZE} B, one in {ONE_IN} rejected by the sink, {} rounds, medians",
        options.records, options.rounds
    );
    let mut base = f64::NAN;
    for case in &mut cases {
        let seconds = median(&mut case.seconds);
        if base.is_nan() {
            base = seconds;
        }
        let each = if case.letters == 0 {
            String::new()
        } else {
            let cost = (seconds - base) / decimal(case.letters);
            format!(
                "  {:.1} µs for each of {} rejected",
                cost * 1e6,
                case.letters
            )
        };
        println!(
            "    rejected: {:<24} {:>10.0} records/s  ratio {:.2}{each}",
            case.name,
            decimal(options.records) / seconds,
            base / seconds
        );
    }
    Ok(())
}

/// Runs all cases in turns.
fn rounds(options: &Options, cases: &mut [Case]) -> Result<()> {
    for _ in 0..options.rounds {
        for case in &mut *cases {
            let (seconds, letters) = job(&options.binary, &case.yaml, options.records)?;
            case.seconds.push(seconds);
            case.letters = letters;
        }
    }
    Ok(())
}

/// Runs one job in a new folder; returns its seconds and the records that became dead letters or were skipped.
fn job(binary: &Path, yaml: &str, records: u64) -> Result<(f64, u64)> {
    let folder = Folder::new()?;
    let path = folder.0.join("pipeline.yaml");
    fs::write(&path, yaml)?;
    let begin = Instant::now();
    let output = Command::new(binary)
        .args(["run", "--once", "-o", "json"])
        .arg(&path)
        .stdin(Stdio::null())
        .output()?;
    let seconds = begin.elapsed().as_secs_f64();
    let summary: Value = serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "{}:\n{yaml}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
    })?;
    let count = |name: &str, what: &str| {
        let connectors = summary.get("connectors").and_then(Value::as_array);
        let found = connectors.and_then(|all| {
            all.iter()
                .find(|one| one.get("name").is_some_and(|is| is == name))
        });
        found
            .and_then(|one| one.get(what))
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    let letters = count("out", "dlq") + count("out", "skipped");
    let refuses = yaml.contains("rehearse.refuse");
    let expected = if refuses { records.div_ceil(ONE_IN) } else { 0 };
    ensure!(
        count("in", "records") == records
            && count("out", "records") + letters == records
            && letters == expected,
        "{records} records, {expected} of them to be rejected: {summary}"
    );
    Ok((seconds, letters))
}

fn decimal(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

//! Fixed-width and copybook files into the log, records per second, beside the same records as lines and `wc -l` of the same run.
//!
//! ```text
//! legacy BINARY [--records N] [--rounds N]
//! ```
//! Every record has an account, a name in CP949 or EBCDIC, a day and an amount, about 60 bytes. The fixed-width file is written back
//! too, and must be the same bytes.

#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

const LAYOUT: &str = "{ R: { fields: [ { name: id, length: 10, type: int64 }, { name: holder, length: 20, pad: wide }, { name: day, length: 8, type: date }, { name: amount, length: 13, type: 'decimal(13,2)', sign: zoned } ] } }";
const BOOK: &str = "01 R. 05 ID PIC 9(9) COMP. 05 HOLDER PIC X(20). 05 DAY-NO PIC 9(8). 05 AMOUNT PIC S9(11)V99 COMP-3. 05 NOTE PIC X(10).";

struct Case {
    name: &'static str,
    input: PathBuf,
    yaml: PathBuf,
    rates: Vec<f64>,
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let binary = args
        .next()
        .context("usage: legacy BINARY [--records N] [--rounds N]")?;
    let binary = fs::canonicalize(binary)?;
    let (mut records, mut rounds) = (1_000_000_u32, 5_usize);
    while let Some(flag) = args.next() {
        let value = args
            .next()
            .with_context(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--records" => records = value.parse()?,
            "--rounds" => rounds = value.parse()?,
            _ => bail!("unknown flag {flag}"),
        }
    }
    let folder = std::env::temp_dir().join(format!("linkspan-legacy-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let outcome = bench(&binary, &folder, records, rounds);
    fs::remove_dir_all(&folder)?;
    outcome
}

fn bench(binary: &Path, folder: &Path, records: u32, rounds: usize) -> Result<()> {
    let fixed = format!(
        "format: fixed\n    encoding: cp949\n    fixed: {{ record.end: none, layout: {LAYOUT} }}\n"
    );
    let copybook =
        format!("format: copybook\n    encoding: cp037\n    copybook: {{ text: '{BOOK}' }}\n");
    let back = format!(
        "  back:\n    connector: file-sink\n    topics: [t]\n    path: back.dat\n    {fixed}"
    );
    let mut cases = [
        case(folder, "lines", lines(records), "format: lines\n", "")?,
        case(folder, "fixed", fixed_file(records), &fixed, "")?,
        case(folder, "copybook", copybook_file(records), &copybook, "")?,
        case(
            folder,
            "fixed, and written back",
            fixed_file(records),
            &fixed,
            &back,
        )?,
    ];
    let mut counted = Vec::new();
    for _ in 0..rounds {
        let begin = Instant::now();
        let status = Command::new("wc")
            .arg("-l")
            .arg(&cases[0].input)
            .stdout(Stdio::null())
            .status()?;
        ensure!(status.success(), "wc failed");
        counted.push(f64::from(records) / begin.elapsed().as_secs_f64());
        for case in &mut cases {
            let seconds = job(binary, &case.yaml, folder)?;
            case.rates.push(f64::from(records) / seconds);
        }
        let written = fs::read(folder.join("back.dat"))?;
        ensure!(
            written == fs::read(&cases[3].input)?,
            "the fixed-width file came back as other bytes"
        );
    }
    println!("{records} records, {rounds} rounds, medians, start and end of the program included");
    let wc = median(&mut counted);
    println!("{:<24} {wc:>10.0} records/s", "wc -l");
    let base = median(&mut cases[0].rates);
    for case in &mut cases {
        let rate = median(&mut case.rates);
        println!(
            "{:<24} {rate:>10.0} records/s  ratio to wc -l {:.3}, to lines {:.2}",
            case.name,
            rate / wc,
            rate / base
        );
    }
    Ok(())
}

fn case(
    folder: &Path,
    name: &'static str,
    bytes: Vec<u8>,
    options: &str,
    sink: &str,
) -> Result<Case> {
    let stem = name.replace([' ', ','], "-");
    let input = folder.join(format!("{stem}.dat"));
    fs::write(&input, bytes)?;
    let yaml = folder.join(format!("{stem}.yaml"));
    fs::write(
        &yaml,
        format!(
            "connectors:\n  in:\n    connector: file-source\n    path: {stem}.dat\n    topic: t\n    {options}{sink}"
        ),
    )?;
    Ok(Case {
        name,
        input,
        yaml,
        rates: Vec::new(),
    })
}

fn job(binary: &Path, yaml: &Path, folder: &Path) -> Result<f64> {
    let data = folder.join("data");
    for old in [&data, &folder.join("back.dat")] {
        if old.is_dir() {
            fs::remove_dir_all(old)?;
        } else if old.try_exists()? {
            fs::remove_file(old)?;
        }
    }
    let begin = Instant::now();
    let output = Command::new(binary)
        .args(["run", "--once", "--data"])
        .arg(&data)
        .arg(yaml)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()?;
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(seconds)
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(0.0)
}

fn lines(records: u32) -> Vec<u8> {
    (0..records)
        .flat_map(|i| {
            format!(
                "{i:010},김철수            ,20260131,{:013}\n",
                u64::from(i) * 7
            )
            .into_bytes()
        })
        .collect()
}

fn fixed_file(records: u32) -> Vec<u8> {
    let mut out = Vec::new();
    for i in 0..records {
        out.extend(format!("{i:010}").into_bytes());
        out.extend_from_slice(b"\xb1\xe8\xc3\xb6\xbc\xf6");
        out.extend_from_slice(&[0xa1; 14]);
        out.extend(format!("20260131{:012}A", u64::from(i) * 7).into_bytes());
    }
    out
}

fn copybook_file(records: u32) -> Vec<u8> {
    let mut out = Vec::new();
    for i in 0..records {
        out.extend_from_slice(&i.to_be_bytes());
        out.extend_from_slice(b"\xd2\xc9\xd4\x40\xc3\xc8\xc5\xd6\xd3\xe2\xe4");
        out.extend_from_slice(&[0x40; 9]);
        out.extend_from_slice(b"\xf2\xf0\xf2\xf6\xf0\xf1\xf3\xf1");
        let digits = format!("{:013}c", u64::from(i) * 7);
        out.extend(digits.as_bytes().chunks(2).map(|pair| {
            let text = std::str::from_utf8(pair).unwrap_or("00");
            u8::from_str_radix(text, 16).unwrap_or(0)
        }));
        out.extend_from_slice(&[0x40; 10]);
    }
    out
}

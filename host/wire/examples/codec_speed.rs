//! How many million records a second the codec encodes and decodes on one core.
//!
//! `cargo run --release -p linkspan-wire --example codec_speed`; a record has an 8 byte key. Each figure is the best of 15 rounds:
//! a neighbour's load can only slow a round down.

#![expect(clippy::print_stdout, reason = "a measuring program reports on stdout")]

use std::hint::black_box;
use std::time::Instant;

use linkspan_wire::{Batch, BatchBuilder, Batches, Compression, Error};

const ROUNDS: usize = 15;
const RECORDS_PER_ROUND: usize = 1_000_000;

fn main() -> Result<(), Error> {
    println!(
        "{:<16}{:>10}{:>10}{:>12}",
        "M records/s", "encode", "decode", "no crc"
    );
    for (value_len, per_batch) in [(100, 160), (100, 2500), (1024, 16), (1024, 250)] {
        let rounds = (RECORDS_PER_ROUND / per_batch / (value_len / 100)).max(1);
        let value = vec![b'v'; value_len];
        let mut builder = BatchBuilder::new(Compression::None);
        let encoded = best(rounds * per_batch, || {
            for _ in 0..rounds {
                let batch = encode(&mut builder, per_batch, &value)?;
                builder.recycle(black_box(batch));
            }
            Ok(())
        })?;
        let batch = encode(&mut builder, per_batch, &value)?;
        // As much as fits the second-level cache, so that memory is not what is measured.
        let batches = batch.repeat((512 << 10) / batch.len() + 1);
        let count = per_batch * (batches.len() / batch.len());
        let passes = RECORDS_PER_ROUND / count + 1;
        let verified = best(count * passes, || {
            (0..passes).try_for_each(|_| read(Batches::verified(&batches)))
        })?;
        let unverified = best(count * passes, || {
            (0..passes).try_for_each(|_| read(Batches::new(&batches)))
        })?;
        println!(
            "{value_len:>5} B x {per_batch:<6}{encoded:>12.1}{verified:>10.1}{unverified:>12.1}"
        );
    }
    compressed()
}

fn encode(builder: &mut BatchBuilder, count: usize, value: &[u8]) -> Result<Vec<u8>, Error> {
    for (at, key) in (0..count).zip(0u64..) {
        let timestamp = 1_700_000_000_000 + i64::try_from(at / 10).unwrap_or(0);
        builder.push_plain(timestamp, Some(&key.to_be_bytes()), Some(value))?;
    }
    builder.finish()
}

fn read(batches: Batches<'_>) -> Result<(), Error> {
    for batch in batches {
        if let Some(records) = batch?.plain_records()? {
            for record in records {
                let record = record?;
                black_box((record.offset, record.timestamp, record.key, record.value));
            }
        }
    }
    Ok(())
}

/// Lines of JSON in batches of about 100 KiB: what compression costs and saves.
fn compressed() -> Result<(), Error> {
    println!(
        "{:<16}{:>10}{:>10}{:>12}",
        "JSON, 1000/batch", "enc MB/s", "dec MB/s", "ratio"
    );
    for codec in [
        Compression::Lz4,
        Compression::Zstd,
        Compression::Snappy,
        Compression::Gzip,
    ] {
        let mut builder = BatchBuilder::new(codec);
        let fill = |builder: &mut BatchBuilder| {
            for at in 0..1000i64 {
                let (station, degrees) = (at * 7919 % 100, at * 31 % 400);
                let value = format!(
                    r#"{{"id":{at},"origin":"EWR","station":"S{station:02}","temp":{degrees}.5,"wind":null,"note":"clear sky"}}"#
                );
                builder.push_plain(at, None, Some(value.as_bytes()))?;
            }
            let raw = builder.estimated_bytes();
            builder.finish().map(|batch| (raw, batch))
        };
        let (raw, batch) = fill(&mut builder)?;
        let encoded = best(raw * 20, || {
            (0..20).try_for_each(|_| fill(&mut builder).map(|out| drop(black_box(out))))
        })?;
        let mut scratch = Vec::new();
        let decoded = best(raw * 20, || {
            for _ in 0..20 {
                let parsed = Batch::parse(&batch)?;
                parsed.verify_crc()?;
                for record in parsed.records(&mut scratch)? {
                    black_box(record?);
                }
            }
            Ok(())
        })?;
        #[expect(clippy::cast_precision_loss, reason = "a ratio to two digits")]
        let ratio = raw as f64 / batch.len() as f64;
        println!(
            "{:<16}{encoded:>10.0}{decoded:>10.0}{ratio:>12.2}",
            codec.as_str()
        );
    }
    Ok(())
}

/// Returns how many million units a second one round does.
fn best(units: usize, mut round: impl FnMut() -> Result<(), Error>) -> Result<f64, Error> {
    let mut best = 0.0f64;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round()?;
        #[expect(clippy::cast_precision_loss, reason = "a rate to three digits")]
        let rate = units as f64 / start.elapsed().as_secs_f64() / 1e6;
        best = best.max(rate);
    }
    Ok(best)
}

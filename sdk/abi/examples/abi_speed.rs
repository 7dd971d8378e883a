//! Measures what a record costs at the boundary: `cargo run --release -p linkspan-abi --example abi_speed`.
//!
//! Each figure is the least of several rounds, in nanoseconds a record; the budgets stand beside them.

use std::{hint::black_box, time::Instant};

use linkspan_abi::{
    batch::{
        Data, GroupKey, Limits, NO_SOURCE_PARTITION, SinkBatch, SinkBatchWriter, SourceBatch,
        SourceBatchWriter,
    },
    json::{json_to_row, row_to_json},
    row::{RowRef, RowWriter, validate_row},
    schema::{NoSchemas, Schema, SchemaBuilder},
};

const RECORDS: u32 = 1_000;
const ROUNDS: usize = 400;

/// Prints the least time a record of many runs.
#[expect(clippy::print_stdout, reason = "printing is what it is for")]
fn measure(what: &str, budget: Option<f64>, mut run: impl FnMut()) {
    let mut least = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        run();
        let ns = start.elapsed().as_secs_f64() * 1e9 / f64::from(RECORDS);
        least = least.min(ns);
    }
    match budget {
        Some(budget) => {
            let verdict = if least <= budget { "ok" } else { "MISSED" };
            println!("{what:<46} {least:>8.1} ns  budget {budget:>6.0}  {verdict}");
        }
        None => println!("{what:<46} {least:>8.1} ns"),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let value = vec![b'x'; 100];
    let key = vec![b'k'; 16];
    source(&key, &value)?;
    sink(&key, &value)?;
    rows()
}

fn build(writer: &mut SourceBatchWriter, key: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let topic = writer.topic("measurements").ok()?;
    for n in 0..RECORDS {
        let (key, value) = (Data::Bytes(key), Data::Bytes(value));
        let time = Some(i64::from(n));
        writer
            .record(
                topic,
                -1,
                NO_SOURCE_PARTITION,
                time,
                key,
                value,
                std::iter::empty(),
            )
            .ok()?;
    }
    writer
        .source_partition_offset("{\"p\":1}", "{\"o\":1}")
        .ok()?;
    writer.finish().ok()
}

fn source(key: &[u8], value: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let mut writer = SourceBatchWriter::new();
    measure("source: build", None, || {
        black_box(build(&mut writer, key, value));
    });
    let bytes = build(&mut writer, key, value).ok_or("no batch")?;
    measure("source: validate", None, || {
        black_box(SourceBatch::parse_and_validate(&bytes, &Limits::DEFAULT, &NoSchemas).is_ok());
    });
    measure("source: build + validate", Some(40.0), || {
        if let Some(bytes) = build(&mut writer, key, value) {
            black_box(
                SourceBatch::parse_and_validate(&bytes, &Limits::DEFAULT, &NoSchemas).is_ok(),
            );
        }
    });
    let batch = SourceBatch::parse_and_validate(&bytes, &Limits::DEFAULT, &NoSchemas)?;
    measure("source: iterate", None, || {
        let sum: usize = batch.records().map(|record| record.value.len()).sum();
        black_box(sum);
    });
    Ok(())
}

fn build_sink(writer: &mut SinkBatchWriter, key: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let group = GroupKey {
        topic: "measurements",
        original_topic: "measurements",
        topic_id: [1; 16],
        partition: 0,
        leader_epoch: 1,
        timestamp_type: 0,
    };
    writer.begin_group(&group, 0).ok()?;
    for n in 0..RECORDS {
        let (key, value) = (Data::Bytes(key), Data::Bytes(value));
        writer
            .record(i64::from(n), Some(1), key, value, std::iter::empty())
            .ok()?;
    }
    writer.finish().ok()
}

fn sink(key: &[u8], value: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let mut writer = SinkBatchWriter::new();
    measure("sink: build", Some(35.0), || {
        if let Some(bytes) = build_sink(&mut writer, key, value) {
            writer.recycle(black_box(bytes));
        }
    });
    let bytes = build_sink(&mut writer, key, value).ok_or("no batch")?;
    measure("sink: parse + read", Some(10.0), || {
        if let Ok(batch) = SinkBatch::parse(&bytes) {
            let sum: usize = batch.records().map(|record| record.value.len()).sum();
            black_box(sum);
        }
    });
    Ok(())
}

/// Three int64, a double, an int32, four strings of which one is null, a boolean.
fn table() -> Schema {
    SchemaBuilder::structure()
        .field("id", SchemaBuilder::int64())
        .field("account", SchemaBuilder::int64())
        .field("amount", SchemaBuilder::float64())
        .field("quantity", SchemaBuilder::int32())
        .field("created", SchemaBuilder::int64())
        .field("carrier", SchemaBuilder::string())
        .field("origin", SchemaBuilder::string())
        .field("destination", SchemaBuilder::string())
        .field("remark", SchemaBuilder::string().optional())
        .field("open", SchemaBuilder::boolean())
        .build()
}

fn write_row(schema: &Schema, out: &mut Vec<u8>) -> Result<(), linkspan_abi::RowError> {
    let mut row = RowWriter::struct_row(schema, out)?;
    row.int64(0, 1_234_567)?
        .int64(1, 99)?
        .float64(2, 1024.75)?
        .int32(3, 12)?
        .int64(4, 1_700_000_000_000)?
        .string(5, "United Airlines")?
        .string(6, "EWR Newark Liberty")?
        .string(7, "IAH Houston")?
        .boolean(9, true)?;
    row.finish()
}

fn rows() -> Result<(), Box<dyn std::error::Error>> {
    let schema = table();
    let mut row = Vec::new();
    write_row(&schema, &mut row)?;
    let mut json = Vec::new();
    row_to_json(&schema, &row, &mut json)?;
    let mut out = Vec::with_capacity(1 << 10);
    let mut each = |what: &str, budget: Option<f64>, run: &mut dyn FnMut(&mut Vec<u8>) -> bool| {
        measure(what, budget, || {
            for _ in 0..RECORDS {
                out.clear();
                black_box(run(&mut out));
            }
        });
    };
    each("row of 10: write", None, &mut |out| {
        write_row(&schema, out).is_ok()
    });
    each("row of 10: validate", None, &mut |_| {
        validate_row(&schema, &row).is_ok()
    });
    each("row of 10: read all fields", None, &mut |_| {
        RowRef::new(&schema, &row)
            .ok()
            .flatten()
            .is_some_and(|row| row.iter().all(|field| black_box(field).is_ok()))
    });
    each("row of 10: row_to_json", Some(195.0), &mut |out| {
        row_to_json(&schema, &row, out).is_ok()
    });
    each("row of 10: json_to_row", Some(400.0), &mut |out| {
        json_to_row(&schema, &json, out).is_ok()
    });
    Ok(())
}

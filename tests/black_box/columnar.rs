//! Parquet and Avro files beside programs of another make: DuckDB and fastavro read what the sink wrote, and the source reads theirs.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Scratch, repository, run, run_once, skip_outside_ci};

/// Runs `peer.py`; nothing where DuckDB and fastavro are not installed (`tests/run --install` does).
fn peer(arguments: &[&str]) -> Option<String> {
    let libraries = std::env::var_os("COLUMNAR_PEERS").map_or_else(PathBuf::new, PathBuf::from);
    let python = || {
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", &libraries);
        python
    };
    let there = python()
        .args(["-c", "import duckdb, fastavro, cramjam, backports.zstd"])
        .output();
    if !there.is_ok_and(|output| output.status.success()) {
        skip_outside_ci(
            "Parquet and Avro beside DuckDB and fastavro",
            "python3 has no `duckdb`, `fastavro`, `cramjam` and `backports.zstd` (COLUMNAR_PEERS names their folder)",
        );
        return None;
    }
    let mut command = python();
    command
        .arg(repository().join("tests/fixtures/columnar/peer.py"))
        .args(arguments);
    Some(run(&mut command).expect_code(0).stdout)
}

const INPUT: &str = "n,big,real,flag,price,day,clock,at,raw,text
1,-9007199254740993,0.1,true,-4.01,2022-01-08,23:59:59.999,2024-02-29T12:34:56.789Z,AP8=,\"서울 \"\"1\"\"\"
2,,,,,,,,,
3,9223372036854775807,-1.5e300,false,1234567890.12,1969-12-31,00:00:00.001,1969-12-31T23:59:59.999Z,QQ==,b
";

/// Writes [`INPUT`] as one columnar file, and returns where it is.
fn written(scratch: &Scratch, format: &str, compression: &str) -> PathBuf {
    scratch.write("in.csv", INPUT);
    let yaml = scratch.write(
        "write.yaml",
        format!(
            "connectors:\n  in:\n    connector: file-source\n    path: in.csv\n    format: csv\n    topic: t\n    \
             csv.types: {{ n: int32, big: int64, real: float64, flag: boolean, price: 'decimal(12,2)', day: date, clock: time, at: timestamp, raw: bytes }}\n  \
             out: {{ connector: columnar-sink, path: out, format: {format}, compression: {compression}, topics: [t] }}\n"
        ),
    );
    run_once(&yaml, &["--timeout", "60s"]).expect_code(0);
    scratch.path(&format!("out/t/00000-00000000000000000000.{format}"))
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn check_written(format: &str, expected: &[Value]) {
    for compression in ["none", "snappy", "zstd"] {
        let scratch = Scratch::new();
        let file = written(&scratch, format, compression);
        let Some(found) = peer(&["read", file.to_str().unwrap()]) else {
            return;
        };
        assert_eq!(lines(&found), expected, "{format}, {compression}");
    }
}

#[test]
fn duckdb_reads_the_parquet_that_the_sink_wrote() {
    let columns = json!([
        "n INTEGER",
        "big BIGINT",
        "real DOUBLE",
        "flag BOOLEAN",
        "price DECIMAL(38,2)",
        "day DATE",
        "clock TIME",
        "at TIMESTAMP WITH TIME ZONE",
        "raw BLOB",
        "text VARCHAR"
    ]);
    let rows = [
        json!([
            "1",
            "-9007199254740993",
            "0.1",
            "true",
            "-4.01",
            "2022-01-08",
            "23:59:59.999",
            "2024-02-29 12:34:56.789+00",
            "\\x00\\xFF",
            "서울 \"1\""
        ]),
        json!(["2", null, null, null, null, null, null, null, null, null]),
        json!([
            "3",
            "9223372036854775807",
            "-1.5e+300",
            "false",
            "1234567890.12",
            "1969-12-31",
            "00:00:00.001",
            "1969-12-31 23:59:59.999+00",
            "A",
            "b"
        ]),
    ];
    check_written("parquet", &[&[columns], rows.as_slice()].concat());
}

#[test]
fn fastavro_reads_the_avro_that_the_sink_wrote() {
    let columns = json!([
        "n int",
        "big long",
        "real double",
        "flag boolean",
        "price decimal",
        "day date",
        "clock time-millis",
        "at timestamp-millis",
        "raw bytes",
        "text string"
    ]);
    let rows = [
        json!([
            1,
            -9_007_199_254_740_993_i64,
            0.1,
            true,
            "-4.01",
            "2022-01-08",
            "23:59:59.999000",
            "2024-02-29 12:34:56.789000+00:00",
            "00ff",
            "서울 \"1\""
        ]),
        json!([2, null, null, null, null, null, null, null, null, null]),
        json!([
            3,
            i64::MAX,
            -1.5e300,
            false,
            "1234567890.12",
            "1969-12-31",
            "00:00:00.001000",
            "1969-12-31 23:59:59.999000+00:00",
            "41",
            "b"
        ]),
    ];
    check_written("avro", &[&[columns], rows.as_slice()].concat());
}

/// A small number times another.
fn real(n: i64, by: f64) -> f64 {
    f64::from(i32::try_from(n).unwrap()) * by
}

fn read(scratch: &Scratch, file: &Path) -> Vec<Value> {
    let name = file.file_name().unwrap().to_str().unwrap();
    let yaml = scratch.write(
        &format!("{name}.yaml"),
        format!(
            "connectors:\n  in: {{ connector: columnar-source, path: {name}, topic: t }}\n  \
             out: {{ connector: file-sink, topics: [t], path: {name}.jsonl, format: jsonl }}\n"
        ),
    );
    let data = scratch.path(&format!("{name}-data"));
    let more = ["--timeout", "60s", "--data", data.to_str().unwrap()];
    run_once(&yaml, &more).expect_code(0);
    lines(&scratch.read(&format!("{name}.jsonl")))
}

#[test]
fn files_of_another_make_are_read_with_their_types() {
    let scratch = Scratch::new();
    let folder = scratch.path("");
    if peer(&["write", folder.to_str().unwrap()]).is_none() {
        return;
    }
    let rows = |row: fn(i64) -> Value| (1..4).map(row).collect::<Vec<_>>();
    assert_eq!(
        read(&scratch, &folder.join("foreign.parquet")),
        rows(|n| json!({
            "tiny": n, "big": -n, "real": real(n, 1.5), "flag": n == 1, "price": format!("{n}.25"),
            "day": "2024-02-29", "at": "2024-02-29T12:34:56.789012Z", "text": format!("서울 {n}"), "list": [n, n + 1],
            "pair": { "x": n, "y": "z" }, "gap": if n == 2 { Value::Null } else { json!(n) },
        }))
    );
    assert_eq!(
        read(&scratch, &folder.join("foreign.avro")),
        rows(|n| json!({
            "n": n, "gap": if n == 2 { Value::Null } else { json!(n) }, "price": format!("{n}.25"), "day": "2024-02-29",
            "at": "2024-02-29T12:34:56.789Z", "kind": if n % 2 == 0 { "A" } else { "B" }, "list": ["서울", n.to_string()],
            "pairs": { "k": n }, "inner": { "x": real(n, 0.5) },
        }))
    );
}

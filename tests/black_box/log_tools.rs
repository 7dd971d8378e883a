//! What a person sees of the log: `consume`, `log stat`, `log verify`, and Kafka's own dump tool on its segments.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::pipeline::{Pipeline, numbered};
use crate::support::{linkspan, run, skip};

#[test]
fn consume_prints_one_object_for_each_record_in_order() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input("plain\n\u{c11c}\u{c6b8}\n{\"a\": 1}\n\nlast without newline");
    pipeline.run().expect_code(0);
    let data = pipeline.scratch.path("linkspan-data");

    let all = consume(&data, &["--from", "earliest"]);
    let values: Vec<&str> = all
        .iter()
        .map(|record| record["value"].as_str().unwrap())
        .collect();
    assert_eq!(
        values,
        [
            "plain",
            "\u{c11c}\u{c6b8}",
            "{\"a\": 1}",
            "",
            "last without newline"
        ]
    );
    for (offset, record) in all.iter().enumerate() {
        let keys: Vec<&String> = record.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "topic",
                "partition",
                "offset",
                "timestamp",
                "key",
                "value",
                "headers"
            ]
        );
        assert_eq!(
            (&record["topic"], &record["partition"]),
            (&"lines".into(), &0.into())
        );
        assert_eq!(
            (&record["offset"], &record["key"]),
            (&offset.into(), &Value::Null)
        );
    }
    assert_eq!(consume(&data, &["--from", "3"]), all[3..]);
    assert_eq!(consume(&data, &["--from", "latest"]), [] as [Value; 0]);
}

#[test]
fn consume_of_an_unknown_topic_names_it() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input("one\n");
    pipeline.run().expect_code(0);
    let data = pipeline.scratch.path("linkspan-data");
    let ran = run(linkspan(&["consume", "lynes", "--exit", "--data"]).arg(&data));
    assert!(!ran.status.success(), "{ran:?}");
    ran.says(&["lynes"]);
}

#[test]
fn stat_counts_records_and_verify_finds_damage() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input(numbered(0..1000));
    pipeline.run().expect_code(0);
    let data = pipeline.scratch.path("linkspan-data");

    let stat = run(linkspan(&["log", "stat", "-o", "json", "--data"]).arg(&data)).expect_code(0);
    let stat: Value = serde_json::from_str(stat.stdout.trim()).unwrap();
    assert!(stat.to_string().contains("\"lines\""), "{stat}");
    assert!(stat.to_string().contains("1000"), "{stat}");
    assert_eq!(stat["recovery"]["unclean"], false, "{stat}");
    assert!(
        stat["topics"][0]["partitions"][0]["oldest_ms"].is_i64(),
        "{stat}"
    );
    let table = run(linkspan(&["log", "stat", "--data"]).arg(&data)).expect_code(0);
    table.says(&["sync time", "after a clean end", "OLDEST", "lines"]);

    run(linkspan(&["log", "verify", "--data"]).arg(&data)).expect_code(0);
    let segment = segments(&data).pop().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(&segment, bytes).unwrap();
    let ran = run(linkspan(&["log", "verify", "--data"]).arg(&data));
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("00000000000000000000.log"), "{said}");
}

#[test]
fn kafkas_own_tool_reads_our_segments() {
    const WHAT: &str = "Kafka's DumpLogSegments on our segments";
    let Some(libraries) = env::var_os("KAFKA_LIBS")
        .map(PathBuf::from)
        .filter(|path| path.is_dir())
    else {
        return skip(WHAT, "KAFKA_LIBS names no folder of Kafka's jars");
    };
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input(numbered(0..5000));
    pipeline.run().expect_code(0);
    let data = pipeline.scratch.path("linkspan-data");
    let files = segments(&data)
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(",");
    let mut dump = Command::new("java");
    dump.args(["-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(libraries.join("*"));
    dump.args([
        "org.apache.kafka.tools.DumpLogSegments",
        "--deep-iteration",
        "--print-data-log",
        "--files",
        &files,
    ]);
    let ran = run(&mut dump).expect_code(0);
    let payloads = ran
        .stdout
        .lines()
        .filter_map(|line| line.split_once(" payload: "))
        .map(|(_, value)| format!("{value}\n"));
    assert_eq!(payloads.collect::<String>(), numbered(0..5000));
    assert!(!ran.stdout.contains("isvalid: false"), "{}", ran.stdout);
}

fn consume(data: &Path, more: &[&str]) -> Vec<Value> {
    let ran = run(
        linkspan(&["consume", "lines", "--exit", "-o", "json", "--data"])
            .arg(data)
            .args(more),
    )
    .expect_code(0);
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The segment files of a data directory that hold something.
fn segments(data: &Path) -> Vec<PathBuf> {
    let partitions = fs::read_dir(data.join("topics"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = partitions
        .filter(|path| path.is_dir())
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut found: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| {
        path.extension().is_some_and(|extension| extension == "log")
            && path.metadata().unwrap().len() > 0
    });
    found.sort();
    found
}

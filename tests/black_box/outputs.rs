//! Outputs that cannot be written, that ran full, or that do not belong to this data directory.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::pipeline::{Pipeline, numbered};
use crate::support::{Ran, Scratch, run_once, skip};

#[test]
fn an_output_that_cannot_be_made_is_said_and_the_next_run_loses_nothing() {
    // A file in the place of the folder: also root cannot write there.
    let pipeline = Pipeline::new(&[], &["path: out/lines.txt"]);
    pipeline.input(numbered(0..100));
    let blocker = pipeline.scratch.write("out", "in the way\n");
    impatient(&pipeline).expect_code(1).says(&["lines.txt"]);
    assert_eq!(fs::read_to_string(&blocker).unwrap(), "in the way\n");
    fs::remove_file(blocker).unwrap();
    pipeline.run().expect_code(0);
    assert_eq!(pipeline.scratch.read("out/lines.txt"), numbered(0..100));
}

#[test]
fn a_full_disk_is_said_and_the_next_run_goes_on() {
    const WHAT: &str = "output on a full disk";
    let pipeline = Pipeline::new(&[], &["path: small/lines.txt"]);
    let lines = numbered(0..50_000);
    pipeline.input(&lines);
    let folder = pipeline.scratch.path("small");
    fs::create_dir(&folder).unwrap();
    let Some(disk) = SmallDisk::mount(&folder, "256k") else {
        return skip(WHAT, "no right to mount a small file system");
    };
    impatient(&pipeline).expect_code(1).says(&["lines.txt"]);
    assert!(folder.join("lines.txt").metadata().unwrap().len() <= 256 << 10);
    disk.resize("16m");
    pipeline.run().expect_code(0);
    assert_eq!(fs::read_to_string(folder.join("lines.txt")).unwrap(), lines);
}

/// Many files, and columnar ones: the job says which file has no room, goes on trying, and loses and doubles nothing.
#[test]
fn a_full_disk_under_many_files_is_said_and_nothing_is_lost_or_doubled() {
    const ROWS: u32 = 30_000;
    let sinks = [
        (
            "connector: file-sink, path: 'small/{partition}-{start_offset:09}.jsonl', format: jsonl, roll.records: 700",
            ".jsonl",
        ),
        (
            "connector: columnar-sink, path: small, format: parquet, compression: none, roll.records: 700",
            ".parquet",
        ),
        (
            "connector: columnar-sink, path: small, format: avro, compression: none, roll.records: 700",
            ".avro",
        ),
    ];
    for (sink, ending) in sinks {
        let scratch = Scratch::new();
        let rows: String = (0..ROWS)
            .map(|n| format!("{n},{}\n", u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect();
        scratch.write("in.csv", format!("n,text\n{rows}"));
        let yaml = scratch.write(
            "pipeline.yaml",
            format!(
                "connectors:\n  in: {{ connector: file-source, path: in.csv, format: csv, csv.types: {{ n: int32 }}, topic: rows }}\n  \
                 out: {{ {sink}, topics: [rows] }}\n"
            ),
        );
        let folder = scratch.path("small");
        fs::create_dir(&folder).unwrap();
        let Some(disk) = SmallDisk::mount(&folder, "256k") else {
            return skip(
                "many outputs on a full disk",
                "no right to mount a small file system",
            );
        };
        run_once(&yaml, &["--timeout", "5s"]).expect_code(1).says(&[
            "small/",
            ending,
            "No space left",
        ]);
        disk.resize("16m");
        run_once(&yaml, &["--timeout", "60s"]).expect_code(0);
        let back = scratch.write(
            "back/pipeline.yaml",
            format!(
                "connectors:\n  in: {{ {}, path: '../small/**/*{ending}', topic: back }}\n  \
                 out: {{ connector: file-sink, path: rows.jsonl, format: jsonl, topics: [back] }}\n",
                match ending {
                    ".jsonl" => "connector: file-source, format: jsonl",
                    _ => "connector: columnar-source",
                }
            ),
        );
        run_once(&back, &["--timeout", "60s"]).expect_code(0);
        let mut found: Vec<u64> = scratch
            .read("back/rows.jsonl")
            .lines()
            .map(|line| {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                row["n"].as_u64().unwrap()
            })
            .collect();
        found.sort_unstable();
        assert!(
            found.iter().copied().eq(0..u64::from(ROWS)),
            "{ending}: {} rows came back of {ROWS}",
            found.len()
        );
    }
}

#[test]
fn an_output_without_its_data_directory_is_refused_unless_told_otherwise() {
    let cases = [
        (None, 1, numbered(0..10)),
        (Some("append"), 0, numbered(0..10) + &numbered(0..10)),
        (Some("truncate"), 0, numbered(0..10)),
    ];
    for (policy, code, expected) in cases {
        let pipeline = Pipeline::new(&[], &[]);
        pipeline.input(numbered(0..10));
        pipeline.run().expect_code(0);
        fs::remove_dir_all(pipeline.scratch.path("linkspan-data")).unwrap();
        let option = policy.map(|policy| format!("on.existing: {policy}"));
        pipeline.edit(&[], &option.iter().map(String::as_str).collect::<Vec<_>>());
        let ran = impatient(&pipeline).expect_code(code);
        if code != 0 {
            ran.says(&["out.txt", "on.existing"]);
        }
        assert_eq!(pipeline.output(), expected, "{policy:?}");
    }
}

#[test]
fn an_output_shorter_than_its_position_is_refused() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input(numbered(0..10));
    pipeline.run().expect_code(0);
    pipeline.scratch.write("out.txt", numbered(0..5));
    pipeline.input(numbered(0..20));
    impatient(&pipeline).expect_code(1).says(&["out.txt"]);
    assert_eq!(
        pipeline.output(),
        numbered(0..5),
        "nothing was added after the hole"
    );
}

#[test]
fn what_a_killed_run_wrote_beyond_its_position_is_cut() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input(numbered(0..10));
    pipeline.run().expect_code(0);
    pipeline
        .scratch
        .write("out.txt", numbered(0..10) + "line 10\nline 1");
    pipeline.input(numbered(0..20));
    pipeline.run().expect_code(0);
    assert_eq!(pipeline.output(), numbered(0..20));
}

/// Runs with a short time limit: an output that may come back is tried again and again.
fn impatient(pipeline: &Pipeline) -> Ran {
    run_once(&pipeline.yaml, &["--timeout", "5s"])
}

/// A tiny file system in memory, unmounted when dropped.
struct SmallDisk<'a> {
    folder: &'a Path,
}

impl<'a> SmallDisk<'a> {
    fn mount(folder: &'a Path, size: &str) -> Option<Self> {
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "linkspan-test"])
            .arg(folder)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self { folder })
    }

    fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        assert!(
            Command::new("mount")
                .args(["-o", &options])
                .arg(self.folder)
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.folder).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

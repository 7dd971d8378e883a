//! `backup`, `restore`, `log repair`, `log dump`, and directories of a later version.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::pipeline::numbered;
use crate::places::{Place, files, values};
use crate::support::{eventually, linkspan, run, run_once, start};

const SOON: Duration = Duration::from_secs(60);

fn consume(data: &Path) -> Vec<Value> {
    let ran = run(linkspan(&["consume", "lines", "--exit", "-o", "json", "--data"]).arg(data));
    let lines = ran.expect_code(0).stdout;
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The source's position: how many bytes of its file are in the log.
fn position(data: &Path) -> u64 {
    let ran = run(linkspan(&["log", "dump", "--stores", "--data"]).arg(data)).expect_code(0);
    let lines = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut offsets = lines.filter(|line| line["store"] == "source-offsets");
    offsets
        .next()
        .map_or(0, |line| line["value"]["position"].as_u64().unwrap())
}

/// Fails unless records and the source's position are those of one moment.
#[track_caller]
fn one_moment(data: &Path, lines: &str) -> usize {
    let records = consume(data);
    let text: String = values(&records)
        .iter()
        .map(|value| format!("{value}\n"))
        .collect();
    assert!(
        lines.starts_with(&text),
        "records are not a beginning of the file"
    );
    assert_eq!(
        position(data),
        text.len() as u64,
        "records and position do not agree"
    );
    records.len()
}

#[test]
fn a_backup_under_load_restores_to_one_moment_and_the_job_goes_on_there() {
    let mut place = Place::stopped();
    let lines = numbered(0..400_000);
    fs::remove_dir_all(&place.data).unwrap();
    fs::remove_file(place.pipeline.scratch.path("out.txt")).unwrap();
    place.pipeline.input(&lines);
    place.start_host();
    let pipeline = Rc::clone(&place.pipeline);
    let scratch = &pipeline.scratch;
    let described = || run(place.command(&["topic", "describe"]).arg("lines"));
    assert!(eventually(SOON, || described().status.success()));
    let mut held = Vec::new();
    for n in 0..3 {
        let (backup, data) = (
            scratch.path(&format!("backup-{n}")),
            scratch.path(&format!("restored-{n}")),
        );
        let ran = run(place.command(&["backup"]).arg(&backup)).expect_code(0);
        ran.says(&["files", "bytes", "up to commit"]);
        let ran = run(linkspan(&["restore"]).arg(&backup).arg("--data").arg(&data)).expect_code(0);
        ran.says(&["leader epoch", "refused, not skipped"]);
        run(linkspan(&["log", "verify", "--data"]).arg(&data)).expect_code(0);
        held.push(one_moment(&data, &lines));
    }
    println!("records in the three backups: {held:?}");
    assert!(held.is_sorted());
    place.stop();
    // Negative control: a log whose commits were cut apart is noticed. The position of the last backup with the
    // records of the first one are not of one moment.
    if held[0] != held[2] {
        let mixed = position(&scratch.path("restored-2"));
        let first: usize = values(&consume(&scratch.path("restored-0")))
            .iter()
            .map(|value| value.len() + 1)
            .sum();
        assert_ne!(mixed, first as u64);
    }
    // A job on the restored log writes every line once, into a file of its own.
    let data = scratch.path("restored-0");
    let yaml = fs::read_to_string(&place.pipeline.yaml)
        .unwrap()
        .replace("out.txt", "again.txt");
    let yaml = scratch.write("again.yaml", yaml.replace("  out:", "  out-again:"));
    run_once(
        &yaml,
        &["--timeout", "60s", "--data", data.to_str().unwrap()],
    )
    .expect_code(0);
    assert_eq!(scratch.read("again.txt"), lines);
}

#[test]
fn a_backup_that_was_killed_is_recognised() {
    let mut place = Place::stopped();
    fs::remove_dir_all(&place.data).unwrap();
    fs::remove_file(place.pipeline.scratch.path("out.txt")).unwrap();
    place.pipeline.input(numbered(0..600_000));
    place.start_host();
    let pipeline = Rc::clone(&place.pipeline);
    let scratch = &pipeline.scratch;
    let segments = place.data.join("topics");
    assert!(eventually(SOON, || files(&segments)
        .iter()
        .map(|(_, b)| b.len())
        .sum::<usize>()
        > 1 << 20));
    let mut cut = 0;
    for n in 0..20 {
        let backup = scratch.path(&format!("killed-{n}"));
        let mut command = place.command(&["backup"]);
        let (out, err) = (scratch.path("b-out.txt"), scratch.path("b-err.txt"));
        let mut client = start(command.arg(&backup), &out, &err);
        // In the middle: something is there, and the manifest is not.
        let begun = || {
            backup.join("topics").try_exists().unwrap_or(false)
                || backup.join("backup.json").try_exists().unwrap_or(false)
        };
        assert!(eventually(SOON, begun));
        place.kill();
        let _ended = client.wait().unwrap();
        if !backup.join("backup.json").try_exists().unwrap_or(false) {
            let data = scratch.path(&format!("from-killed-{n}"));
            let ran = run(linkspan(&["restore"]).arg(&backup).arg("--data").arg(&data));
            ran.expect_code(1).says(&["LS0526", "backup.json"]);
            assert!(
                !data.try_exists().unwrap_or(false),
                "nothing is written from an incomplete backup"
            );
            cut += 1;
            break;
        }
        place.start_host();
    }
    assert_eq!(cut, 1, "no kill came before the end of a backup");
    // The log itself is as safe as after any kill, and a new backup of it is complete.
    let (backup, data) = (scratch.path("whole"), scratch.path("from-whole"));
    run(place.command(&["backup"]).arg(&backup)).expect_code(0);
    run(linkspan(&["restore"]).arg(&backup).arg("--data").arg(&data)).expect_code(0);
    assert_eq!(consume(&data), consume(&place.data));
}

#[test]
fn neither_backup_nor_restore_writes_over_anything() {
    for place in Place::both() {
        let scratch = &place.pipeline.scratch;
        scratch.write("full/notes.txt", "mine");
        let full = scratch.path("full");
        run(place.command(&["backup"]).arg(&full))
            .expect_code(3)
            .says(&["LS0707", "notes.txt"]);
        run(place.command(&["backup"]).arg(place.data.join("inside")))
            .expect_code(2)
            .says(&["inside of the data directory"]);
        let backup = scratch.path("backup");
        run(place.command(&["backup"]).arg(&backup)).expect_code(0);
        run(linkspan(&["restore"]).arg(&backup).arg("--data").arg(&full))
            .expect_code(3)
            .says(&["LS0707"]);
        run(linkspan(&["restore"])
            .arg(&full)
            .arg("--data")
            .arg(scratch.path("x")))
        .expect_code(1)
        .says(&["LS0526"]);
        // A file of the backup that changed: nothing is restored, and it is named.
        let (path, mut bytes) = files(&backup)
            .into_iter()
            .find(|(path, _)| path.ends_with("format"))
            .unwrap();
        bytes[0] ^= 1;
        fs::write(path, bytes).unwrap();
        run(linkspan(&["restore"])
            .arg(&backup)
            .arg("--data")
            .arg(scratch.path("y")))
        .expect_code(1)
        .says(&["LS0526", "format"]);
        assert!(!scratch.path("y").try_exists().unwrap_or(false));
    }
}

#[test]
fn repair_says_what_it_cuts_and_does_it_when_told() {
    let place = Place::stopped();
    for n in 0..3 {
        place
            .produce("lines", &numbered(n * 2000..n * 2000 + 2000), &[])
            .expect_code(0);
    }
    assert_eq!(place.consume("lines", &["--group", "g"]).len(), 6001);
    place.json(&["groups", "reset", "g", "--to", "3500", "--execute"]);
    let before = consume(&place.data);
    let (segment, mut bytes) = files(&place.data.join("topics"))
        .into_iter()
        .find(|(path, _)| path.extension().is_some_and(|e| e == "log"))
        .unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&segment, &bytes).unwrap();

    let mut verify = place.command(&["log", "verify"]);
    let report = run(verify.args(["-o", "json"])).expect_code(1);
    let report: Value = serde_json::from_str(report.stdout.trim()).unwrap();
    let problem = &report["problems"][0];
    assert_eq!(
        (&problem["topic"], &problem["partition"]),
        (&json!("lines"), &json!(0))
    );
    let lost = usize::try_from(problem["record_offset"].as_u64().unwrap()).unwrap();

    let damaged = files(&place.data);
    let dry = place.run(&["log", "repair"]).expect_code(1);
    dry.says(&[
        "what would be cut",
        "topic lines, partition 0",
        "group g lines-0: 3500 becomes",
        "--yes",
        ".bak",
    ]);
    assert_eq!(files(&place.data), damaged, "a dry run writes nothing");
    place
        .run(&["log", "repair", "--yes"])
        .expect_code(0)
        .says(&["repaired: leader epoch"]);
    place
        .run(&["log", "verify"])
        .expect_code(0)
        .says(&["sound"]);
    let kept = files(&place.data.join("repair-1.bak"));
    assert!(
        kept.iter().any(|(_, kept)| *kept == bytes),
        "the damaged segment is kept"
    );
    let after = consume(&place.data);
    assert!(after.len() >= 4001 && after.len() < 6001, "{}", after.len());
    assert!(after.iter().all(|record| before.contains(record)));
    assert_eq!(after[..lost], before[..lost]);
    place
        .run(&["log", "repair", "--yes"])
        .expect_code(0)
        .says(&["nothing to repair"]);
    // The host starts on it, and a running host is left alone.
    let mut place = place;
    place.start_host();
    place
        .run(&["log", "repair", "--yes"])
        .expect_code(3)
        .says(&["LS0701", "stop it first"]);
    place
        .run(&["log", "verify"])
        .expect_code(3)
        .says(&["LS0701"]);
}

#[test]
fn repair_mends_every_kind_of_file() {
    let place = Place::stopped();
    place
        .produce("lines", &numbered(0..500), &[])
        .expect_code(0);
    let whole = consume(&place.data);
    let sound = files(&place.data);
    for (path, _) in &sound {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !["format", "ckpt.a", "ckpt.b", ".snap", ".log", ".wal"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            continue;
        }
        for remove in [false, true] {
            for (path, bytes) in &sound {
                fs::write(path, bytes).unwrap();
            }
            if remove {
                fs::remove_file(path).unwrap();
            } else {
                let mut bytes = fs::read(path).unwrap();
                let end = bytes.len().min(200);
                bytes[..end].fill(0xa5);
                fs::write(path, bytes).unwrap();
            }
            place.run(&["log", "repair", "--yes"]).expect_code(0);
            place.run(&["log", "verify"]).expect_code(0);
            let records = {
                let list = place.json(&["topic", "list"]);
                list.as_array()
                    .unwrap()
                    .iter()
                    .map(|topic| topic["records"].as_u64().unwrap())
                    .sum::<u64>()
            };
            assert!(records <= whole.len() as u64, "{name} {remove}");
            let harmless = !name.ends_with(".log");
            assert!(
                !harmless || records == whole.len() as u64,
                "{name} {remove}: {records} records"
            );
            for entry in fs::read_dir(&place.data).unwrap() {
                let path = entry.unwrap().path();
                if path.to_string_lossy().ends_with(".bak") {
                    fs::remove_dir_all(path).unwrap();
                }
            }
        }
    }
}

#[test]
fn dump_prints_records_batches_stores_and_frames_as_json() {
    let place = Place::stopped();
    place
        .produce("lines", "a\nb\n", &["--key", "k"])
        .expect_code(0);
    let dump = |more: &[&str]| {
        let ran = place.run(&[&["log", "dump"], more].concat()).expect_code(0);
        let lines = ran
            .stdout
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(dump(&["lines"]), consume(&place.data));
    assert_eq!(
        values(&dump(&[
            "lines",
            "--partition",
            "0",
            "--from",
            "1",
            "--to",
            "2"
        ])),
        ["a"]
    );
    let batches = dump(&["--batches"]);
    let records: u64 = batches
        .iter()
        .map(|batch| batch["records"].as_u64().unwrap())
        .sum();
    assert!(
        records == 3 && batches.iter().all(|batch| batch["sound"] == true),
        "{batches:?}"
    );
    assert!(
        dump(&["--stores"])
            .iter()
            .any(|line| line["store"] == "meta" && line["key"] == "topic/lines")
    );
    assert!(
        dump(&["--journal"])
            .iter()
            .any(|frame| !frame["appends"].as_array().unwrap().is_empty())
    );
    let (segment, _) = files(&place.data.join("topics"))
        .into_iter()
        .find(|(path, _)| path.extension().is_some_and(|e| e == "log"))
        .unwrap();
    let ran = run(linkspan(&["log", "dump", "--file"]).arg(&segment)).expect_code(0);
    assert_eq!(ran.stdout.lines().count(), 3);
    place
        .run(&["log", "dump", "lynes"])
        .expect_code(2)
        .says(&["did you mean `lines`?"]);
    place
        .run(&["log", "dump", "lines", "--partition", "3"])
        .expect_code(2)
        .says(&["partition 3"]);
}

#[test]
fn a_directory_of_a_later_version_is_refused_by_name() {
    let place = Place::stopped();
    let sound = files(&place.data);
    let damage = |change: &dyn Fn(&str, &mut Vec<u8>)| {
        for (path, bytes) in &sound {
            let mut bytes = bytes.clone();
            change(&path.file_name().unwrap().to_string_lossy(), &mut bytes);
            fs::write(path, bytes).unwrap();
        }
    };
    let refused = |says: &str| {
        for words in [
            &["topic", "list"][..],
            &["log", "verify"],
            &["log", "repair", "--yes"],
            &["topic", "create", "x"],
        ] {
            place.run(words).expect_code(3).says(&[
                "LS0702",
                says,
                "the linkspan version that wrote it",
            ]);
        }
        let yaml = &place.pipeline.yaml;
        run_once(yaml, &["--timeout", "60s"])
            .expect_code(3)
            .says(&["LS0702", says]);
    };
    damage(&|name, bytes| {
        if name == "format" {
            *bytes = b"linkspan-data 2\n".to_vec();
        }
    });
    refused("format version 2");
    damage(&|name, bytes| {
        if name.ends_with(".snap") {
            bytes[4] = 2;
        }
    });
    refused("snapshot has version 2");
    damage(&|name, bytes| {
        if name.starts_with("ckpt.") && bytes.len() >= 128 {
            bytes[4] = 2;
            let crc = crc32c::crc32c(&bytes[..124]);
            bytes[124..128].copy_from_slice(&crc.to_le_bytes());
        }
    });
    refused("checkpoint has version 2");
    damage(&|_, _| {});
    place.run(&["log", "verify"]).expect_code(0);
}

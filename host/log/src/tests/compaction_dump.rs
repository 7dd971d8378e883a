//! Compacted segments on a real disk, read by Kafka's own tool: needs `KAFKA_LIBS` (a folder of Kafka's jars) and java.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use linkspan_types::ManualClock;
use linkspan_wire::{Compression, set_producer};

use super::compaction::{commit_of, keyed_batch, keyed_topic, newest, quiet, rows};
use super::support::producer;
use crate::{DiskFs, LocalOptions, LogBackend, open_local};

/// Makes a compacted log in the folder; returns the offset and key of every record that is left.
fn compacted(folder: &Path) -> BTreeMap<i64, String> {
    let clock = Arc::new(ManualClock::at(1_700_000_000_000));
    let options = LocalOptions {
        dir: folder.join("data"),
        ..quiet()
    };
    let log = open_local(Arc::new(DiskFs), clock, options).unwrap();
    let made = keyed_topic(&*log, &[]);
    let writer = producer(&*log);
    let codecs = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    for n in 0..200_i32 {
        // Six records a batch; two keys of it are written again and again, and some are deleted.
        let keys: Vec<String> = (0..6).map(|k| format!("k{}", (n * 3 + k) % 40)).collect();
        let value = format!("{n} {}", "v".repeat(70));
        let pairs: Vec<(&str, Option<&str>)> = keys
            .iter()
            .map(|key| (key.as_str(), (n % 7 != 3).then_some(value.as_str())))
            .collect();
        let codec = codecs[usize::try_from(n % 5).unwrap()];
        let mut batch = keyed_batch(codec, 1_700_000_000_000 + i64::from(n), &pairs);
        // Producers whose last batch must survive, if need be without records.
        if n < 20 {
            set_producer(&mut batch, i64::from(n), 0, 0).unwrap();
        }
        writer
            .submit(commit_of(&made, batch))
            .unwrap()
            .wait()
            .unwrap();
    }
    log.checkpoint().unwrap();
    assert_eq!(log.run_compaction_now().unwrap().len(), 1);
    log.checkpoint().unwrap();
    let ours = rows(&*log, &made).unwrap();
    assert_eq!(newest(&ours).len(), 40);
    log.close().unwrap();
    ours.into_iter()
        .map(|(offset, key, _)| (offset, key))
        .collect()
}

#[test]
fn kafkas_own_tool_reads_compacted_segments_of_every_codec() {
    let folder = tempfile::tempdir().unwrap();
    let ours = compacted(folder.path());
    let Some(libraries) = std::env::var_os("KAFKA_LIBS").map(PathBuf::from) else {
        println!(
            "SKIPPED: Kafka's DumpLogSegments on compacted segments: KAFKA_LIBS names no folder of Kafka's jars"
        );
        return;
    };
    let dir = std::fs::read_dir(folder.path().join("data/topics"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut files: Vec<String> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path().display().to_string())
        .filter(|path| path.ends_with(".log"))
        .collect();
    files.sort();
    let ran = Command::new("java")
        .args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(libraries.join("*"))
        .args([
            "org.apache.kafka.tools.DumpLogSegments",
            "--deep-iteration",
            "--print-data-log",
            "--files",
        ])
        .arg(files.join(","))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(
        !text.contains("isvalid: false") && text.contains("isvalid: true"),
        "{text}"
    );
    assert!(
        text.contains("deleteHorizonMs: OptionalLong[17000"),
        "tombstones have their horizon: {text}"
    );
    // Every record of ours, and none besides, with the same offset and key.
    let theirs: BTreeMap<i64, String> = text
        .lines()
        .filter_map(|line| {
            let offset = line
                .strip_prefix("| offset: ")?
                .split(' ')
                .next()?
                .parse()
                .ok()?;
            Some((
                offset,
                line.split(" key: ").nth(1)?.split(' ').next()?.to_owned(),
            ))
        })
        .collect();
    assert_eq!(theirs, ours);
}

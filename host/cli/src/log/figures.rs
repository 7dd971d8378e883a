//! The figures of a log as lines for people; `-o json` has all of them, these are the ones to read.

use chrono::{DateTime, SecondsFormat};
use linkspan_log::{LatencyStat, LogStat, RecoveryStat, SyncStat};
use linkspan_types::ByteCount;

use crate::terminal::count;

/// How wide the names of the figures are.
const NAME_WIDTH: usize = 13;

/// Returns the lines to print.
pub(super) fn lines(stat: &LogStat) -> Vec<String> {
    let mut lines = summary(stat);
    lines.push(String::new());
    lines.extend(partitions(stat));
    lines.push(String::new());
    let mut stores = vec![vec!["STORE".to_owned(), "KEYS".to_owned()]];
    stores.extend(
        stat.stores
            .iter()
            .map(|store| vec![store.name.clone(), count(store.keys)]),
    );
    lines.extend(aligned(&stores));
    lines
}

fn summary(stat: &LogStat) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |name: &str, text: String| lines.push(format!("{name:<NAME_WIDTH$} {text}"));
    say(
        "directory",
        format!("{} (format {})", stat.dir, stat.format),
    );
    let state = format!("leader epoch {}, {}", stat.leader_epoch, stat.health);
    say("opened", format!("{}, {state}", time(Some(stat.opened_ms))));
    say("recovery", recovery(&stat.recovery));
    say("commits", commits(stat.commits, &stat.syncs));
    say("sync time", latency(&stat.syncs.latency));
    for bucket in &stat.syncs.latency.buckets {
        let longest = bucket
            .up_to_us
            .map_or("longer".to_owned(), |us| format!("≤ {}", micros(us)));
        say("", format!("{longest:<8} {}", count(bucket.count)));
    }
    let (inward, outward) = (ByteCount(stat.bytes_in), ByteCount(stat.bytes_out));
    let journal = ByteCount(stat.journal_bytes_written);
    say(
        "bytes",
        format!("{inward} in, {outward} out, {journal} into the journal"),
    );
    let reads = stat.cache_hits + stat.cache_misses;
    let rate = stat.cache_hit_rate.map_or(String::new(), |rate| {
        format!(", {:.1} % of {} reads", rate * 100.0, count(reads))
    });
    say(
        "tail cache",
        format!("{}{rate}", ByteCount(stat.cache_bytes)),
    );
    let segments = format!(
        "{} in {} segments",
        ByteCount(stat.segment_bytes),
        count(stat.segments)
    );
    let journal = format!(
        "{} in {} journal files",
        ByteCount(stat.journal_bytes),
        stat.journal_files
    );
    say(
        "disk",
        format!("{}: {segments}, {journal}", ByteCount(stat.disk_bytes)),
    );
    let limit = stat
        .log_bytes_max
        .map_or(String::new(), |max| format!(" of {}", ByteCount(max)));
    say("records", format!("{}{limit}", ByteCount(stat.log_bytes)));
    let replay = (stat.last_lsn + 1).saturating_sub(stat.replay_lsn);
    say(
        "checkpoints",
        format!(
            "{}; a restart would replay {} frames",
            count(stat.checkpoints),
            count(replay)
        ),
    );
    lines
}

fn recovery(recovery: &RecoveryStat) -> String {
    let took = micros(recovery.took_us);
    if !recovery.unclean {
        return format!("{took}, after a clean end");
    }
    let (frames, bytes) = (count(recovery.frames), ByteCount(recovery.bytes));
    let torn = recovery.torn.as_ref().map_or(String::new(), |torn| {
        let (offset, path) = (torn.offset, &torn.path);
        format!("; a torn tail was cut at byte {offset} of {path}")
    });
    format!("{took}, after a crash: {frames} frames replayed, {bytes}{torn}")
}

fn commits(commits: u64, syncs: &SyncStat) -> String {
    let groups = count(syncs.with_commits);
    format!(
        "{} in {groups} syncs: {:.1} a sync, at most {}",
        count(commits),
        syncs.commits_mean,
        count(syncs.commits_max)
    )
}

fn latency(latency: &LatencyStat) -> String {
    if latency.count == 0 {
        return "no sync yet".to_owned();
    }
    let (p50, p99) = (micros(latency.p50_us), micros(latency.p99_us));
    format!(
        "p50 ≤ {p50}, p99 ≤ {p99}, max {} of {}",
        micros(latency.max_us),
        count(latency.count)
    )
}

fn partitions(stat: &LogStat) -> Vec<String> {
    const COLUMNS: [&str; 10] = [
        "TOPIC",
        "PARTITION",
        "START",
        "END",
        "SEGMENTS",
        "BYTES",
        "UNFLUSHED",
        "LOST",
        "OLDEST",
        "NEWEST",
    ];
    let mut rows = vec![COLUMNS.map(str::to_owned).to_vec()];
    for topic in &stat.topics {
        for partition in &topic.partitions {
            rows.push(vec![
                topic.name.clone(),
                partition.partition.to_string(),
                partition.log_start.to_string(),
                partition.high_watermark.to_string(),
                partition.segments.to_string(),
                ByteCount(partition.bytes).to_string(),
                ByteCount(partition.unflushed_bytes).to_string(),
                count(partition.lost),
                time(partition.oldest_ms),
                time(partition.newest_ms),
            ]);
        }
    }
    aligned(&rows)
}

/// Makes every column as wide as its widest cell.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |at: usize| {
        rows.iter()
            .filter_map(|row| row.get(at))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn time(ms: Option<i64>) -> String {
    let time = ms.and_then(DateTime::from_timestamp_millis);
    time.map_or("-".to_owned(), |time| {
        time.to_rfc3339_opts(SecondsFormat::Millis, true)
    })
}

/// A duration with the unit that suits it.
fn micros(us: u64) -> String {
    let tenths = |unit: u64, name: &str| {
        let (whole, tenth) = (us / unit, us % unit * 10 / unit);
        if tenth == 0 {
            format!("{whole} {name}")
        } else {
            format!("{whole}.{tenth} {name}")
        }
    };
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => tenths(1_000, "ms"),
        1_000_000.. => tenths(1_000_000, "s"),
    }
}

#[cfg(test)]
mod tests {
    use linkspan_log::{LatencyBucket, PartitionStat, TopicStat, TornStat};

    use super::*;

    #[test]
    fn a_person_reads_every_figure() {
        let stat = LogStat {
            dir: "/data".into(),
            format: 1,
            health: "ok".into(),
            last_lsn: 12,
            replay_lsn: 11,
            commits: 1234,
            bytes_in: 3 << 20,
            bytes_out: 1 << 30,
            cache_hits: 3,
            cache_misses: 1,
            cache_hit_rate: Some(0.75),
            syncs: SyncStat {
                latency: LatencyStat {
                    count: 600,
                    p50_us: 200,
                    p99_us: 2_000,
                    max_us: 1_234_567,
                    buckets: vec![
                        LatencyBucket {
                            up_to_us: Some(200),
                            count: 599,
                        },
                        LatencyBucket {
                            up_to_us: None,
                            count: 1,
                        },
                    ],
                },
                with_commits: 600,
                commits_mean: 2.06,
                commits_max: 17,
            },
            recovery: RecoveryStat {
                unclean: true,
                took_us: 12_340,
                frames: 42,
                bytes: 4096,
                torn: Some(TornStat {
                    path: "journal/j-000001.wal".into(),
                    offset: 8192,
                    lsn: 43,
                }),
            },
            topics: vec![TopicStat {
                name: "lines".into(),
                partitions: vec![PartitionStat {
                    high_watermark: 7,
                    oldest_ms: Some(1_700_000_000_000),
                    ..PartitionStat::default()
                }],
                ..TopicStat::default()
            }],
            ..LogStat::default()
        };
        let lines = lines(&stat);
        for expected in [
            "recovery      12.3 ms, after a crash: 42 frames replayed, 4KiB; a torn tail was cut at byte 8192 of journal/j-000001.wal",
            "commits       1,234 in 600 syncs: 2.1 a sync, at most 17",
            "sync time     p50 ≤ 200 µs, p99 ≤ 2 ms, max 1.2 s of 600",
            "              ≤ 200 µs 599",
            "              longer   1",
            "bytes         3MiB in, 1GiB out, 0B into the journal",
            "tail cache    0B, 75.0 % of 4 reads",
            "checkpoints   0; a restart would replay 2 frames",
            "lines  0          0      7    0         0B     0B         0     2023-11-14T22:13:20.000Z  -",
        ] {
            assert!(
                lines.iter().any(|line| line == expected),
                "{expected}\nin\n{}",
                lines.join("\n")
            );
        }
    }
}

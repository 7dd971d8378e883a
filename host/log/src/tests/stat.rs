//! The figures of the log move with what happens, and with nothing else.

use std::sync::Arc;
use std::time::Duration;

use linkspan_types::{Clock, Offset, PartitionId, SystemClock};

use super::support::{dir, open_mem, producer, put, topic};
use crate::conformance::batch;
use crate::{
    Append, Commit, Durability, Local, LocalOptions, LogBackend, LogStat, MemFs, PartitionStat,
    Topic, open_read_only,
};

/// Nothing happens by itself: no checkpoint, no witness frame, no sync in between.
fn quiet(durability: Durability) -> LocalOptions {
    let hour = Duration::from_secs(3600);
    LocalOptions {
        durability,
        journal_first_bytes: 64 * 1024,
        checkpoint_interval: hour,
        idle_marker: hour,
        sync_interval: hour,
        flush_age: hour,
        ..LocalOptions::new(dir())
    }
}

fn write(log: &Local, made: &Topic, time: i64) -> usize {
    let batch = batch(time, &["value"]);
    let len = batch.len();
    let commit = Commit {
        appends: vec![Append {
            topic: made.id,
            partition: PartitionId(0),
            batch,
        }],
        puts: vec![put("position", "1")],
    };
    producer(log).submit(commit).unwrap().wait().unwrap();
    len
}

fn only(stat: &LogStat) -> &PartitionStat {
    &stat.topics[0].partitions[0]
}

#[test]
fn each_commit_that_is_waited_for_is_one_group_and_one_sync() {
    let log = open_mem(&MemFs::new(), quiet(Durability::Fsync)).unwrap();
    let made = topic(&*log, "t", 1);
    let before = log.stat().unwrap();
    let bytes: usize = (0..10).map(|n| write(&log, &made, n)).sum();
    let after = log.stat().unwrap();
    // Each write opens a producer, which is a commit of its own.
    assert_eq!(after.commits - before.commits, 20);
    assert_eq!(after.groups - before.groups, 20);
    let syncs = |stat: &LogStat| (stat.syncs.latency.count, stat.syncs.with_commits);
    assert_eq!(syncs(&after).0 - syncs(&before).0, 20);
    assert_eq!(syncs(&after).1 - syncs(&before).1, 20);
    assert_eq!(after.syncs.commits_max, 1);
    assert!((after.syncs.commits_mean - 1.0).abs() < 1e-9, "{after:?}");
    let latency = &after.syncs.latency;
    assert_eq!(
        latency.buckets.iter().map(|b| b.count).sum::<u64>(),
        latency.count
    );
    assert!(latency.p50_us <= latency.p99_us && latency.p99_us <= latency.max_us);
    assert_eq!(after.bytes_in - before.bytes_in, bytes as u64);
    assert!(after.journal_bytes_written - before.journal_bytes_written > bytes as u64);
    // Looking changes nothing.
    assert_eq!(log.stat().unwrap(), after);
}

#[test]
fn commits_that_share_a_sync_are_its_group() {
    let log = open_mem(&MemFs::new(), quiet(Durability::Os)).unwrap();
    let made = topic(&*log, "t", 1);
    log.core_for_test().sync_journal().unwrap();
    let before = log.stat().unwrap().syncs;
    for n in 0..5 {
        write(&log, &made, n);
    }
    let between = log.stat().unwrap().syncs;
    assert_eq!(between.latency.count, before.latency.count, "no sync yet");
    log.core_for_test().sync_journal().unwrap();
    let after = log.stat().unwrap().syncs;
    assert_eq!(after.latency.count, before.latency.count + 1);
    assert_eq!(after.with_commits, before.with_commits + 1);
    assert_eq!(after.commits_max, 10, "five writes and their producers");
}

#[test]
fn what_readers_get_is_counted() {
    let log = open_mem(&MemFs::new(), quiet(Durability::Fsync)).unwrap();
    let made = topic(&*log, "t", 1);
    let stat = log.stat().unwrap();
    assert_eq!((stat.cache_hit_rate, stat.bytes_out), (None, 0));
    let bytes = write(&log, &made, 1);
    for _ in 0..3 {
        let fetched = log.fetch(&made.id, PartitionId(0), Offset(0), 1 << 20);
        assert_eq!(fetched.unwrap().bytes.len(), bytes);
    }
    let stat = log.stat().unwrap();
    assert_eq!(stat.bytes_out, 3 * bytes as u64);
    assert_eq!((stat.cache_hits, stat.cache_misses), (3, 0));
    assert_eq!(stat.cache_hit_rate, Some(1.0));
}

#[test]
fn oldest_and_newest_are_known_in_memory_in_segments_and_after_a_restart() {
    let fs = MemFs::new();
    let now = SystemClock::default().now_ms();
    let log = open_mem(&fs, quiet(Durability::Fsync)).unwrap();
    let made = topic(&*log, "t", 1);
    let times = |stat: &LogStat| (only(stat).oldest_ms, only(stat).newest_ms);
    assert_eq!(times(&log.stat().unwrap()), (None, None));
    for ms in [20, 50, 30] {
        write(&log, &made, now + ms);
    }
    let expected = (Some(now + 20), Some(now + 50));
    assert_eq!(times(&log.stat().unwrap()), expected);
    log.checkpoint().unwrap();
    let stat = log.stat().unwrap();
    assert_eq!(times(&stat), expected);
    assert_eq!((stat.segments, stat.checkpoints), (1, 2));
    assert!(stat.disk_bytes > stat.journal_bytes + stat.segment_bytes);
    log.close().unwrap();

    let log = open_mem(&fs, quiet(Durability::Fsync)).unwrap();
    let core = log.core_for_test();
    let partition = core.partition(&made.id, PartitionId(0)).unwrap();
    assert_eq!(
        partition.stat(core, &mut 0).oldest_ms,
        None,
        "not looked at"
    );
    let mut looks = 2;
    assert_eq!(partition.stat(core, &mut looks).oldest_ms, Some(now + 20));
    let read = fs.bytes_read();
    assert_eq!(times(&log.stat().unwrap()), expected);
    assert_eq!(partition.stat(core, &mut looks).oldest_ms, expected.0);
    assert_eq!((looks, fs.bytes_read()), (1, read), "looked at once");
    log.close().unwrap();

    let fs: Arc<dyn crate::Fs> = Arc::new(fs);
    let stopped = open_read_only(fs, Arc::new(SystemClock::default()), dir()).unwrap();
    let stat = stopped.stat().unwrap();
    assert_eq!(times(&stat), expected);
    assert!(stat.journal_files > 0 && stat.journal_bytes > 0, "{stat:?}");
}

#[test]
fn recovery_says_what_it_replayed() {
    let fs = MemFs::new();
    let log = open_mem(&fs, quiet(Durability::Fsync)).unwrap();
    let made = topic(&*log, "t", 1);
    assert_eq!(log.stat().unwrap().recovery.frames, 0);
    let commits = log.stat().unwrap().commits;
    let bytes: usize = (0..4).map(|n| write(&log, &made, n)).sum();
    let frames = commits + 8;
    let crashed = fs.crash(1);
    drop(log);

    let log = open_mem(&crashed, quiet(Durability::Fsync)).unwrap();
    let recovery = log.stat().unwrap().recovery;
    assert!(recovery.unclean && recovery.took_us > 0, "{recovery:?}");
    assert_eq!((recovery.frames, &recovery.torn), (frames, &None));
    assert!(recovery.bytes > bytes as u64, "{recovery:?}");
    // Of this life, not of the replay.
    assert_eq!(log.stat().unwrap().bytes_in, 0);
    log.close().unwrap();

    let log = open_mem(&crashed, quiet(Durability::Fsync)).unwrap();
    let recovery = log.stat().unwrap().recovery;
    assert!(!recovery.unclean, "{recovery:?}");
    assert_eq!((recovery.frames, recovery.bytes), (0, 0));
}

//! Fetching many partitions: limits, waiting, and one cache for all readers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use linkspan_types::{Offset, PartitionId, TopicId};

use super::support::{commit, open_mem, producer, tiny, topic};
use crate::conformance::records;
use crate::{
    Error, FetchPartition, FetchRequest, FetchedPartition, Local, LocalOptions, LogBackend, MemFs,
    Topic,
};

fn log() -> (Arc<Local>, Topic) {
    let log = open_mem(
        &MemFs::new(),
        LocalOptions {
            tail_cache_bytes: 1 << 20,
            ..tiny()
        },
    )
    .unwrap();
    let made = topic(&*log, "t", 2);
    (log, made)
}

fn write(log: &Local, made: &Topic, partition: i32, texts: &[&str]) {
    producer(log)
        .submit(commit(made, partition, texts))
        .unwrap()
        .wait()
        .unwrap();
}

fn part(topic: TopicId, partition: i32, from: i64, max_bytes: usize) -> FetchPartition {
    FetchPartition {
        topic,
        partition: PartitionId(partition),
        from: Offset(from),
        max_bytes,
    }
}

fn request(partitions: Vec<FetchPartition>, min_bytes: usize, max_wait_ms: u64) -> FetchRequest {
    FetchRequest {
        partitions,
        min_bytes,
        max_bytes: 1 << 20,
        max_wait: Duration::from_millis(max_wait_ms),
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn found(fetched: &FetchedPartition) -> Vec<i64> {
    let fetched = fetched.result.as_ref().unwrap();
    records(&fetched.bytes, Offset(0))
        .into_iter()
        .map(|(offset, _)| offset)
        .collect()
}

#[test]
fn limits_let_one_whole_batch_through_and_errors_stay_with_their_partition() {
    let (log, made) = log();
    for partition in 0..2 {
        write(&log, &made, partition, &["a", "b"]);
        write(&log, &made, partition, &["c"]);
    }
    let fetch = |request| run(log.fetch_many(request)).unwrap();
    let both = |max| vec![part(made.id, 0, 0, max), part(made.id, 1, 0, max)];

    let all = fetch(request(both(1 << 20), 0, 0));
    assert_eq!(
        (found(&all[0]), found(&all[1])),
        (vec![0, 1, 2], vec![0, 1, 2])
    );
    let one = fetch(request(both(0), 0, 0));
    assert_eq!((found(&one[0]), found(&one[1])), (vec![0, 1], vec![]));
    let mut small = request(both(1 << 20), 0, 0);
    small.max_bytes = 1;
    let one = fetch(small);
    assert_eq!((found(&one[0]), found(&one[1])), (vec![0, 1], vec![]));

    let started = Instant::now();
    let mixed = fetch(request(
        vec![
            part(made.id, 0, 9, 1),
            part(made.id, 7, 0, 1),
            part(made.id, 1, 2, 99),
        ],
        1 << 30,
        60_000,
    ));
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "an error answers at once"
    );
    assert!(matches!(
        mixed[0].result,
        Err(Error::OffsetOutOfRange { .. })
    ));
    assert!(matches!(
        mixed[1].result,
        Err(Error::UnknownPartition { .. })
    ));
    assert_eq!(found(&mixed[2]), vec![2]);
}

#[test]
fn a_fetch_waits_for_enough_bytes_or_its_time() {
    let (log, made) = log();
    let started = Instant::now();
    let nothing = run(log.fetch_many(request(vec![part(made.id, 0, 0, 99)], 1, 60))).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(60));
    assert_eq!(found(&nothing[0]), Vec::<i64>::new());

    let waiting = {
        let (log, id) = (Arc::clone(&log), made.id);
        std::thread::spawn(move || {
            run(log.fetch_many(request(vec![part(id, 1, 0, 1 << 20)], 100, 60_000))).unwrap()
        })
    };
    let started = Instant::now();
    write(&log, &made, 1, &["a"]);
    write(&log, &made, 1, &["b"]);
    let fetched = waiting.join().unwrap();
    assert_eq!(found(&fetched[0]), vec![0, 1]);
    assert!(started.elapsed() < Duration::from_secs(30), "data wakes it");
}

#[test]
fn a_hundred_readers_share_the_tail_cache() {
    let (log, made) = log();
    for _ in 0..20 {
        write(&log, &made, 0, &["x"]);
    }
    let counters = &log.core_for_test().counters;
    let before = (
        counters.cache_hits.load(Ordering::Relaxed),
        counters.cache_misses.load(Ordering::Relaxed),
    );
    let readers: Vec<_> = (0..100)
        .map(|_| {
            let (log, id) = (Arc::clone(&log), made.id);
            std::thread::spawn(move || {
                run(log.fetch_many(request(vec![part(id, 0, 0, 1 << 20)], 0, 0))).unwrap()
            })
        })
        .collect();
    for reader in readers {
        assert_eq!(found(&reader.join().unwrap()[0]).len(), 20);
    }
    assert!(counters.cache_hits.load(Ordering::Relaxed) - before.0 >= 100);
    assert_eq!(counters.cache_misses.load(Ordering::Relaxed), before.1);
    let stat = log.stat().unwrap();
    assert_eq!(
        (stat.cache_hits, stat.cache_misses),
        (counters.cache_hits.load(Ordering::Relaxed), 0)
    );
}

/// Starts a fetch that waits for a minute, ends the log under it, and returns what it answers.
fn ended_by(end: impl FnOnce(&Local)) -> Error {
    let (log, made) = log();
    let waiting = {
        let (log, id) = (Arc::clone(&log), made.id);
        std::thread::spawn(move || {
            run(log.fetch_many(request(vec![part(id, 0, 0, 99)], 1, 60_000)))
        })
    };
    let started = Instant::now();
    while log.core_for_test().fetches.len() == 0 {
        assert!(started.elapsed() < Duration::from_secs(30), "it waits");
        std::thread::yield_now();
    }
    end(&log);
    let answer = waiting.join().unwrap();
    assert!(started.elapsed() < Duration::from_secs(30), "it was woken");
    assert_eq!(log.core_for_test().fetches.len(), 0);
    answer.unwrap_err()
}

#[test]
fn the_end_of_the_log_ends_a_fetch() {
    let closed = ended_by(|log| log.close().unwrap());
    assert!(matches!(closed, Error::Closed), "{closed:?}");
    let poisoned = ended_by(|log| log.core_for_test().poison(&Error::Aborted));
    assert!(matches!(poisoned, Error::Poisoned { .. }), "{poisoned:?}");
}

//! Idempotent producers through the whole log: duplicates are stored once, also over restarts and crashes.

use std::sync::Arc;
use std::time::Duration;

use linkspan_types::{ManualClock, OwnerId, PartitionId};
use linkspan_wire::{BatchHeader, Batches, Compression, set_producer};

use super::compaction::{commit_of, keyed_batch, keyed_topic, open_at, quiet, rows};
use super::support::{open_mem, producer, put, tiny, topic};
use crate::conformance::{batch, read_all};
use crate::{Append, Commit, Committed, Error, Local, LogBackend, MemFs, Store, Topic};

const ID: i64 = 4_711;

fn sent(epoch: i16, sequence: i32, count: usize) -> Vec<u8> {
    let mut bytes = batch(1_000_000, &vec!["x"; count]);
    set_producer(&mut bytes, ID, epoch, sequence).unwrap();
    bytes
}

/// Sends a batch as a client does that takes another connection after an error.
fn send(log: &Local, topic: &Topic, batch: Vec<u8>) -> Result<Committed, Error> {
    let writer = log.open_producer(&OwnerId::from("test"))?;
    writer.submit(commit_of(topic, batch))?.wait()
}

fn stored(committed: &Committed) -> (i64, bool) {
    (committed.base_offsets[0].0, committed.duplicates[0])
}

#[test]
fn a_batch_sent_twice_is_stored_once_also_over_a_crash() {
    let clock = Arc::new(ManualClock::at(1_000_000));
    for checkpoint in [false, true] {
        let fs = MemFs::new();
        let log = open_at(&fs, &clock, quiet());
        let made = topic(&*log, "t", 1);
        for n in 0..6_i32 {
            let committed = send(&log, &made, sent(0, n * 2, 2)).unwrap();
            assert_eq!(stored(&committed), (i64::from(n) * 2, false));
            // A checkpoint in the middle: the snapshot knows some, the journal the rest.
            if checkpoint && n == 3 {
                log.checkpoint().unwrap();
            }
        }
        let after = fs.crash(9);
        drop(log);
        let log = open_at(&after, &clock, quiet());
        for n in (1..6_i32).rev() {
            let committed = send(&log, &made, sent(0, n * 2, 2)).unwrap();
            assert_eq!(stored(&committed), (i64::from(n) * 2, true), "batch {n}");
        }
        let error = send(&log, &made, sent(0, 0, 2)).unwrap_err();
        assert!(
            matches!(
                error,
                Error::OutOfOrderSequence {
                    expected: 12,
                    found: 0,
                    ..
                }
            ),
            "{error:?}"
        );
        assert_eq!(read_all(&*log, &made.id, 0).unwrap().len(), 12);
        // Over a clean shutdown the last batch is remembered, as in Kafka.
        log.close().unwrap();
        drop(log);
        let log = open_at(&after, &clock, quiet());
        assert_eq!(
            stored(&send(&log, &made, sent(0, 10, 2)).unwrap()),
            (10, true)
        );
        assert!(send(&log, &made, sent(0, 8, 2)).is_err());
        assert_eq!(
            stored(&send(&log, &made, sent(0, 12, 1)).unwrap()),
            (12, false)
        );
        let seen = log.producers(&made.id, PartitionId(0)).unwrap();
        assert_eq!(
            (
                seen.len(),
                seen[0].producer_id,
                seen[0].epoch,
                seen[0].last_sequence
            ),
            (1, ID, 0, 12)
        );
    }
}

#[test]
fn power_loss_at_every_call_never_doubles_nor_loses_a_batch_that_is_sent_again() {
    let mut doubled_without_state = 0;
    for crash_at in 1..60 {
        for forget in [false, true] {
            let clock = Arc::new(ManualClock::at(1_000_000));
            let fs = MemFs::new();
            let log = open_at(&fs, &clock, quiet());
            let made = topic(&*log, "t", 1);
            fs.crash_at(fs.calls() + crash_at);
            // The client sends on until the power is lost; it does not know what became of the last batch.
            let mut next = 0;
            while next < 20 && send(&log, &made, sent(0, next, 1)).is_ok() {
                if next % 5 == 4 && log.checkpoint().is_err() {
                    next += 1;
                    break;
                }
                next += 1;
            }
            let after = fs.crash(crash_at);
            drop(log);
            let log = open_at(&after, &clock, quiet());
            if forget {
                // The negative control: without the state everything is taken for new.
                let partition = log.partition_for_test(&made.id, 0);
                partition.lock().producers.clear();
            }
            // It sends its last five again, as it had them on the way.
            for sequence in (next - 5).max(0)..=next {
                match send(&log, &made, sent(0, sequence, 1)) {
                    Ok(_) => {}
                    Err(Error::OutOfOrderSequence { .. }) if sequence < next - 4 => {}
                    Err(error) => panic!("call {crash_at}, sequence {sequence}: {error:?}"),
                }
            }
            let n = i32::try_from(read_all(&*log, &made.id, 0).unwrap().len()).unwrap();
            if forget {
                doubled_without_state += i32::from(n > next + 1);
            } else {
                assert_eq!(n, next + 1, "call {crash_at}");
            }
        }
    }
    assert!(
        doubled_without_state > 30,
        "only {doubled_without_state} were doubled without state"
    );
}

#[test]
fn a_commit_is_judged_as_a_whole() {
    let log = open_mem(&MemFs::new(), tiny()).unwrap();
    let made = topic(&*log, "t", 2);
    let append = |partition: i32, batch: Vec<u8>| Append {
        topic: made.id,
        partition: PartitionId(partition),
        batch,
    };
    // Two batches of one producer in one commit follow each other; the third one is the first again.
    let commit = Commit {
        appends: vec![
            append(0, sent(0, 0, 2)),
            append(0, sent(0, 2, 1)),
            append(1, batch(1, &["other"])),
            append(0, sent(0, 0, 2)),
        ],
        puts: vec![put("k", "1")],
    };
    let committed = producer(&*log).submit(commit).unwrap().wait().unwrap();
    assert_eq!(
        committed
            .base_offsets
            .iter()
            .map(|o| o.0)
            .collect::<Vec<_>>(),
        [0, 2, 0, 0]
    );
    assert_eq!(committed.duplicates, [false, false, false, true]);
    // One bad batch: nothing of the commit is there, and the sequence has not moved.
    let commit = Commit {
        appends: vec![
            append(0, sent(0, 3, 1)),
            append(1, sent(0, 0, 1)),
            append(0, sent(0, 9, 1)),
        ],
        puts: vec![put("k", "2")],
    };
    let error = producer(&*log).submit(commit).unwrap().wait().unwrap_err();
    assert!(
        matches!(
            error,
            Error::OutOfOrderSequence {
                expected: 4,
                found: 9,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(log.get(Store::SourceOffsets, b"k").unwrap().unwrap(), "1");
    assert_eq!(
        log.offsets(&made.id, PartitionId(1))
            .unwrap()
            .high_watermark
            .0,
        1
    );
    assert_eq!(
        stored(&send(&log, &made, sent(0, 3, 1)).unwrap()),
        (3, false)
    );
}

#[test]
fn newer_epochs_fence_and_batches_on_the_way_together_are_told_apart() {
    let log = open_mem(&MemFs::new(), tiny()).unwrap();
    let made = topic(&*log, "t", 1);
    send(&log, &made, sent(0, 0, 4)).unwrap();
    // Fenced by a newer epoch.
    assert_eq!(
        stored(&send(&log, &made, sent(2, 0, 1)).unwrap()),
        (4, false)
    );
    let error = send(&log, &made, sent(1, 4, 1)).unwrap_err();
    assert!(
        matches!(
            error,
            Error::ProducerFenced {
                found: 1,
                current: 2,
                ..
            }
        ),
        "{error:?}"
    );
    // Several on the way at once.
    let writer = producer(&*log);
    let tickets: Vec<_> = (1..40)
        .flat_map(|n| [sent(2, n, 1), sent(2, n, 1)])
        .map(|batch| writer.submit(commit_of(&made, batch)).unwrap())
        .collect();
    for (n, ticket) in tickets.into_iter().enumerate() {
        let committed = ticket.wait().unwrap();
        let expected = 5 + i64::try_from(n / 2).unwrap();
        assert_eq!(stored(&committed), (expected, n % 2 == 1));
    }
    assert_eq!(
        log.offsets(&made.id, PartitionId(0))
            .unwrap()
            .high_watermark
            .0,
        44
    );
}

#[test]
fn old_producers_and_those_of_an_empty_partition_are_forgotten_at_a_restart() {
    let clock = Arc::new(ManualClock::at(1_000_000));
    let fs = MemFs::new();
    let mut log = open_at(&fs, &clock, quiet());
    let made = topic(&*log, "t", 1);
    let known = |log: &Local| log.producers(&made.id, PartitionId(0)).unwrap().len();
    send(&log, &made, sent(0, 0, 3)).unwrap();
    for (advance, expected) in [(86_399, 1), (1, 0)] {
        clock.advance(Duration::from_secs(advance));
        log.close().unwrap();
        log = open_at(&fs, &clock, quiet());
        assert_eq!(known(&log), expected);
    }
    // An unknown producer may begin anywhere.
    let mut now = sent(0, 77, 1);
    let header = BatchHeader::read(&now).unwrap();
    assert_eq!(header.base_sequence, 77);
    now = batch(clock_now(&clock), &["x"]);
    set_producer(&mut now, ID, 0, 77).unwrap();
    send(&log, &made, now).unwrap();
    log.delete_records(&made.id, PartitionId(0), None).unwrap();
    assert_eq!(known(&log), 1, "deleting records forgets nobody");
    log.close().unwrap();
    log = open_at(&fs, &clock, quiet());
    assert_eq!(known(&log), 0);
}

fn clock_now(clock: &ManualClock) -> i64 {
    linkspan_types::Clock::now_ms(clock)
}

#[test]
fn compaction_keeps_the_last_batch_of_a_producer_if_need_be_without_records() {
    let clock = Arc::new(ManualClock::at(1_000_000));
    let fs = MemFs::new();
    let mut log = open_at(&fs, &clock, quiet());
    let made = keyed_topic(&*log, &[]);
    for sequence in [0, 1] {
        let mut bytes = keyed_batch(Compression::Zstd, 1_000_000, &[("k", Some("old"))]);
        set_producer(&mut bytes, ID, 0, sequence).unwrap();
        send(&log, &made, bytes).unwrap();
    }
    for _ in 0..40 {
        let value = "v".repeat(200);
        let bytes = keyed_batch(Compression::None, 1_000_000, &[("k", Some(&value))]);
        send(&log, &made, bytes).unwrap();
    }
    log.checkpoint().unwrap();
    assert_eq!(log.run_compaction_now().unwrap().len(), 1);
    log.close().unwrap();
    log = open_at(&fs, &clock, quiet());
    let fetched = log.fetch(&made.id, PartitionId(0), 0.into(), 1).unwrap();
    let first = Batches::verified(&fetched.bytes).next().unwrap().unwrap();
    let header = first.header();
    assert_eq!((header.base_offset, header.record_count), (1, 0));
    assert_eq!((header.producer_id, header.base_sequence), (ID, 1));
    assert_eq!(
        (header.base_timestamp, header.max_timestamp),
        (-1, 1_000_000)
    );
    assert!(rows(&*log, &made).unwrap().len() < 25);
    // The sequence is still known.
    let mut again = keyed_batch(Compression::None, 1, &[("k", Some("old"))]);
    set_producer(&mut again, ID, 0, 1).unwrap();
    assert_eq!(stored(&send(&log, &made, again).unwrap()), (1, true));
}

#[test]
fn producer_ids_are_handed_out_once() {
    let fs = MemFs::new();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let log = open_mem(&fs, tiny()).unwrap();
        for _ in 0..1500 {
            let (id, epoch) = log.init_producer_id().unwrap();
            assert!(id >= 0 && epoch == 0 && seen.insert(id), "{id} twice");
        }
    }
}

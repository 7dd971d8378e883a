//! Running out of space or descriptors: commits are refused, reads go on, everything resumes by itself; a panic stops the log.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::support::{append, commit, dir, open_mem, producer, put, tiny, topic};
use crate::conformance::read_all;
use crate::{
    Commit, Error, Failure, FaultOp, Health, LocalOptions, LogBackend, MemFs, Producer, Ticket,
    Topic,
};

pub(super) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Commits until one is refused; returns the tickets before it and the refusal.
fn fill(producer: &dyn Producer, made: &Topic) -> (Vec<Ticket>, Error) {
    let mut tickets = Vec::new();
    let refused = loop {
        match producer.submit(commit(made, 0, &[&"x".repeat(900)])) {
            Ok(ticket) => tickets.push(ticket),
            Err(error) => break error,
        }
        std::thread::sleep(Duration::from_micros(200));
        assert!(tickets.len() < 100_000, "the shortage was never noticed");
    };
    (tickets, refused)
}

/// No descriptor for anything under `path`: refused, readable, resumed, nothing lost.
fn no_files(path: &str) {
    for number in [libc::EMFILE, libc::ENFILE] {
        let fs = MemFs::new();
        let log = open_mem(&fs, tiny()).unwrap();
        let made = topic(&*log, "t", 1);
        let writer = producer(&*log);
        fs.fail(FaultOp::Open, path, 0, u64::MAX, Failure::Os(number));
        let (tickets, refused) = fill(&*writer, &made);
        assert!(matches!(refused, Error::OutOfFiles { .. }), "{refused:?}");
        assert!(refused.to_string().contains("ulimit -n"), "{refused}");
        let health = log.health();
        let Health::OutOfFiles { why } = &health else {
            panic!("{health:?}")
        };
        assert!(why.contains("open files"), "{why}");
        fs.heal();
        wait_until("resuming", || log.health() == Health::Ok);
        let n = tickets.len();
        tickets
            .into_iter()
            .for_each(|ticket| drop(ticket.wait().unwrap()));
        writer
            .submit(commit(&made, 0, &["after"]))
            .unwrap()
            .wait()
            .unwrap();
        log.close().unwrap();
        let log = open_mem(&fs, tiny()).unwrap();
        assert_eq!(read_all(&*log, &made.id, 0).unwrap().len(), n + 1);
    }
}

#[test]
fn no_descriptor_for_segments_refuses_and_resumes() {
    no_files("/topics");
}

#[test]
fn no_descriptor_for_snapshots_refuses_and_resumes() {
    no_files("/meta-");
}

#[test]
fn no_descriptor_for_the_journal_refuses_and_resumes() {
    no_files("/journal");
}

/// The journal waits for a file while segments and checkpoints find space: the state stays, and tickets have an answer.
#[test]
fn a_commit_that_waits_for_space_is_refused_after_its_time_and_the_log_resumes() {
    let fs = MemFs::new();
    let options = LocalOptions {
        space_wait: Duration::from_millis(300),
        // Nothing but the journal needs anything here.
        checkpoint_bytes: 1 << 30,
        checkpoint_interval: Duration::from_secs(3600),
        ..tiny()
    };
    let log = open_mem(&fs, options.clone()).unwrap();
    let made = topic(&*log, "t", 1);
    // The writer itself does not meet the fault: its file is open.
    fs.fail(
        FaultOp::Open,
        "/journal/",
        0,
        u64::MAX,
        ErrorKind::StorageFull,
    );
    let writer = producer(&*log);
    let (tickets, refused) = fill(&*writer, &made);
    assert!(matches!(refused, Error::DiskFull { .. }), "{refused:?}");
    // Segments go on being written meanwhile: their success is not the journal's.
    let began = Instant::now();
    let n = tickets.len();
    let answers: Vec<_> = tickets.into_iter().map(Ticket::wait).collect();
    assert!(began.elapsed() < Duration::from_secs(10));
    let good = answers.iter().take_while(|answer| answer.is_ok()).count();
    for answer in answers.iter().skip(good) {
        assert!(
            matches!(answer, Err(Error::DiskFull { .. } | Error::Aborted)),
            "{answer:?}"
        );
    }
    assert!(matches!(log.health(), Health::DiskFull { .. }));
    assert_eq!(
        read_all(&*log, &made.id, 0).unwrap().len(),
        good,
        "reads go on, and what was refused is not there"
    );
    fs.heal();
    wait_until("resuming", || log.health() == Health::Ok);
    let mut again = log
        .producer_at(&"test".into(), writer.fence_epoch())
        .unwrap();
    if good == n {
        again = writer;
    }
    again
        .submit(commit(&made, 0, &["after"]))
        .unwrap()
        .wait()
        .unwrap();
    log.close().unwrap();
    let log = open_mem(&fs, options).unwrap();
    assert_eq!(read_all(&*log, &made.id, 0).unwrap().len(), good + 1);
}

#[test]
fn a_journal_file_that_cannot_grow_is_used_as_it_is() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    // The first file has 16 KiB; from here on no byte may lie behind that in any journal file.
    fs.limit_len("/journal/", 16 * 1024);
    let made = topic(&*log, "t", 1);
    let writer = producer(&*log);
    for n in 0..200 {
        let ticket = writer
            .submit(commit(&made, 0, &[&"x".repeat(900)]))
            .unwrap();
        ticket
            .wait()
            .unwrap_or_else(|error| panic!("commit {n}: {error:?}"));
        assert_eq!(log.health(), Health::Ok, "commit {n}");
    }
    assert_eq!(read_all(&*log, &made.id, 0).unwrap().len(), 200);
}

#[test]
fn journal_files_stay_within_their_bound_when_they_are_used_again() {
    let fs = MemFs::new();
    let small = LocalOptions {
        journal_file_bytes: 96 * 1024,
        journal_bytes_max: 3 * 96 * 1024,
        ..tiny()
    };
    let total = || -> usize {
        fs.files()
            .iter()
            .filter(|path| path.starts_with(dir().join("journal")))
            .map(|path| fs.contents(path).unwrap().len())
            .sum()
    };
    let log = open_mem(&fs, small).unwrap();
    let made = topic(&*log, "t", 1);
    for _ in 0..300 {
        let ticket = producer(&*log).submit(commit(&made, 0, &[&"x".repeat(900)]));
        ticket.unwrap().wait().unwrap();
    }
    log.close().unwrap();
    // The next life allows larger files, but no more bytes in all.
    let larger = LocalOptions {
        journal_file_bytes: 256 * 1024,
        journal_bytes_max: 3 * 256 * 1024,
        ..tiny()
    };
    let log = open_mem(&fs, larger.clone()).unwrap();
    let writer = producer(&*log);
    for n in 0..1500 {
        let ticket = writer.submit(commit(&made, 0, &[&"x".repeat(900)]));
        ticket.unwrap().wait().unwrap();
        assert!(
            total() as u64 <= larger.journal_bytes_max,
            "{} bytes after {n}",
            total()
        );
    }
}

#[test]
fn a_panic_in_any_thread_stops_the_log_and_answers_every_ticket() {
    for path in ["/journal/", "/topics/", "/meta-"] {
        let fs = MemFs::new();
        let log = open_mem(&fs, tiny()).unwrap();
        let made = topic(&*log, "t", 1);
        let writer = producer(&*log);
        fs.fail(FaultOp::Write, path, 2, 1, Failure::Panic);
        let began = Instant::now();
        let mut good = 0;
        let error = loop {
            let answer = writer
                .submit(commit(&made, 0, &[&"x".repeat(900)]))
                .and_then(Ticket::wait);
            match answer {
                Ok(_) => good += 1,
                Err(error) => break error,
            }
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{path}: nothing happened"
            );
        };
        let health = log.health();
        let Health::Poisoned { why } = &health else {
            panic!("{path}: {health:?} after {error:?}")
        };
        assert!(why.contains("panicked"), "{why}");
        let fs = fs.copy();
        drop(log);
        let log = open_mem(&fs, tiny()).unwrap();
        assert!(
            read_all(&*log, &made.id, 0).unwrap().len() >= good,
            "{path}"
        );
    }
}

#[test]
fn a_write_back_that_failed_before_a_checkpoint_stops_the_log() {
    let fs = MemFs::new();
    let options = LocalOptions {
        checkpoint_bytes: 1 << 30,
        checkpoint_interval: Duration::from_secs(3600),
        journal_first_bytes: 96 * 1024,
        ..tiny()
    };
    let log = open_mem(&fs, options).unwrap();
    let made = topic(&*log, "t", 100);
    let writer = producer(&*log);
    // More files than are synced one by one.
    let appends = (0..100).map(|n| append(&made, n, &["x"])).collect();
    let ticket = writer.submit(Commit {
        appends,
        puts: Vec::new(),
    });
    ticket.unwrap().wait().unwrap();
    fs.lose_a_writeback();
    let result = log.checkpoint();
    assert!(matches!(result, Err(Error::Poisoned { .. })), "{result:?}");
    assert!(
        matches!(log.health(), Health::Poisoned { .. }),
        "nobody tries again"
    );
    let (killed, expected) = (fs.crash(7), read_all(&*log, &made.id, 99).unwrap());
    drop(log);
    let log = open_mem(&killed, tiny()).unwrap();
    assert_eq!(read_all(&*log, &made.id, 99).unwrap(), expected);
}

#[test]
fn a_failed_sync_of_a_called_checkpoint_stops_the_log() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    let made = topic(&*log, "t", 1);
    let writer = producer(&*log);
    writer
        .submit(commit(&made, 0, &["good"]))
        .unwrap()
        .wait()
        .unwrap();
    fs.fail(FaultOp::Sync, "/topics/", 0, 1, ErrorKind::Other);
    log.checkpoint().unwrap_err();
    // A second checkpoint would name bytes that no sync has covered.
    assert!(matches!(log.checkpoint(), Err(Error::Poisoned { .. })));
    let fs = fs.crash(3);
    drop(log);
    let log = open_mem(&fs, tiny()).unwrap();
    assert_eq!(
        read_all(&*log, &made.id, 0).unwrap(),
        [(0, "good".to_owned())]
    );
}

#[test]
fn many_small_partitions_do_not_wake_the_segment_writer_for_nothing() {
    let fs = MemFs::new();
    let options = LocalOptions {
        flush_bytes: 4096,
        tail_cache_bytes: 64 << 20,
        flush_age: Duration::from_secs(3600),
        checkpoint_bytes: 1 << 30,
        checkpoint_interval: Duration::from_secs(3600),
        journal_first_bytes: 512 * 1024,
        journal_file_bytes: 1 << 20,
        journal_bytes_max: 3 << 20,
        ..tiny()
    };
    let log = open_mem(&fs, options).unwrap();
    let made = topic(&*log, "t", 500);
    let writer = producer(&*log);
    let before = log.sweeps_for_test();
    // More than eight times `flush_bytes` in all, and no partition has enough.
    for round in 0..2 {
        for group in 0..50 {
            let appends = (0..10)
                .map(|n| append(&made, group * 10 + n, &["a small record of some length"]))
                .collect();
            let puts = vec![put("n", &round.to_string())];
            writer
                .submit(Commit { appends, puts })
                .unwrap()
                .wait()
                .unwrap();
        }
    }
    let stat = log.stat().unwrap();
    let waiting: u64 = stat.topics[0]
        .partitions
        .iter()
        .map(|p| p.unflushed_bytes)
        .sum();
    assert!(waiting > 8 * 4096, "{waiting} bytes wait");
    let sweeps = log.sweeps_for_test() - before;
    assert!(sweeps <= 2, "{sweeps} looks at all partitions, for nothing");
    // One that has enough is written at once, alone.
    let text = "y".repeat(5000);
    writer
        .submit(commit(&made, 7, &[&text]))
        .unwrap()
        .wait()
        .unwrap();
    let written = || log.stat().unwrap().topics[0].partitions[7].unflushed_bytes == 0;
    wait_until("writing one partition", written);
    assert!(log.sweeps_for_test() - before <= 2);
}

#[test]
fn raising_a_fence_of_a_long_name_stays_within_the_journal_file() {
    let fs = MemFs::new();
    let options = LocalOptions {
        idle_marker: Duration::ZERO,
        ..tiny()
    };
    let log = open_mem(&fs, options).unwrap();
    let lens = || -> Vec<usize> {
        let files = fs.files().into_iter();
        files
            .filter(|path| path.starts_with(dir().join("journal")))
            .map(|path| fs.contents(&path).unwrap().len())
            .collect()
    };
    let first = lens()[0];
    // Two of the three groups that fit are used; the third would not hold the owner's name.
    for _ in 0..2 {
        log.open_producer(&"short".into()).unwrap();
    }
    log.open_producer(&"n".repeat(9000).into()).unwrap();
    assert_eq!(
        lens()[0],
        first,
        "the journal file was written past its end"
    );
}

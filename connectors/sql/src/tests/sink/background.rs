//! Large batches are written while the next one is made ready: what that changes for the host, and what it must not change.

use std::time::Duration;

use linkspan_sdk::ErrorKind;

use super::commit::{Cut, LIMIT, Relay, in_table, sink_through};
use super::faults::{config, insist};
use super::*;
use crate::tests::servers::Kind;

/// So many rows of this size are more than what is written at once.
const ROWS: i64 = 1_000;
const PAD: usize = 200;

const TABLE_WITHOUT_KEY: &str =
    "CREATE TABLE t (id BIGINT, name VARCHAR(300), n INTEGER CHECK (n < 1000))";

fn large(from: i64) -> Vec<TestRecord> {
    (from..from + ROWS)
        .map(|id| person(id, &"x".repeat(PAD), 1))
        .collect()
}

fn next(put: &linkspan_testkit::Put) -> Option<i64> {
    put.progress
        .get(&("t".to_owned(), 0))
        .map(|(next, _)| *next)
}

#[test]
fn a_large_batch_is_told_with_the_next_call() {
    everywhere(|db| {
        db.sql(TABLE_WITHOUT_KEY);
        let mut sink = db.sink(&[]);
        assert_eq!(next(&sink.put(&large(0)).unwrap()), None, "told too early");
        assert_eq!(next(&sink.put(&large(ROWS)).unwrap()), Some(ROWS));
        // Nothing comes any more: the host asks each second.
        assert_eq!(next(&sink.put(&[]).unwrap()), Some(2 * ROWS));
        assert_eq!(
            db.sql("SELECT count(*), count(DISTINCT id) FROM t"),
            "2000|2000"
        );
        // A small one waits for those before it, and is told at once.
        sink.put(&large(2 * ROWS)).unwrap();
        let small = [person(3 * ROWS, "a", 1)];
        assert_eq!(next(&sink.put(&small).unwrap()), Some(3 * ROWS + 1));
        sink.put(&large(3 * ROWS + 1)).unwrap();
        assert_eq!(next(&sink.flush().unwrap()), Some(4 * ROWS + 1));
        assert_eq!(
            db.sql("SELECT count(*), count(DISTINCT id) FROM t"),
            "4001|4001"
        );
    });
}

/// The table of the next batch is asked for, made and widened over the same connection.
#[test]
fn a_table_that_changes_waits_for_what_is_under_way() {
    everywhere(|db| {
        db.sql("CREATE TABLE t (id BIGINT, name VARCHAR(300))");
        let mut sink = db.sink(&[("auto.create", "true"), ("auto.evolve", "true")]);
        let schema = Arc::new(
            SchemaBuilder::structure()
                .field("id", SchemaBuilder::int64().build())
                .field("name", SchemaBuilder::string().optional().build())
                .build(),
        );
        let narrow: Vec<TestRecord> = (0..ROWS)
            .map(|id| {
                TestRecord::new(
                    "t",
                    row(&schema, vec![id.into(), "x".repeat(PAD).as_str().into()]),
                )
            })
            .collect();
        sink.put(&narrow).unwrap();
        // Has a column more.
        sink.put(&large(ROWS)).unwrap();
        sink.flush().unwrap();
        assert_eq!(db.sql("SELECT count(*), count(n) FROM t"), "2000|1000");
    });
}

/// Without tolerance: the error names the record although its batch is not at hand any more, and nothing of either is applied.
#[test]
fn a_record_at_fault_is_named_one_call_later() {
    everywhere(|db| {
        db.sql(TABLE_WITHOUT_KEY);
        let mut sink = db.sink(&[]);
        let mut batch = large(0);
        batch[500] = person(500, "geheim", 5000);
        sink.put(&batch).unwrap();
        let error = sink.put(&large(ROWS)).unwrap_err();
        assert_eq!(
            (error.kind(), error.is_temporary()),
            (ErrorKind::DataInvalid, false),
            "{error}"
        );
        assert!(
            error
                .message()
                .starts_with("topic `t` partition 0 offset 500: "),
            "{error}"
        );
        assert!(!error.message().contains("geheim"), "{error}");
        // Nothing that comes later gets past it.
        for _ in 0..2 {
            let again = sink.put(&large(2 * ROWS)).unwrap_err();
            assert_eq!(again.message(), error.message());
        }
        assert_eq!(db.sql("SELECT count(*) FROM t"), "0");
    });
}

/// With tolerance the host hears at once which records are at fault.
#[test]
fn with_tolerance_nothing_is_put_off() {
    everywhere(|db| {
        db.sql(TABLE_WITHOUT_KEY);
        let mut sink = db.sink(&[("errors.tolerance", "all")]);
        let mut batch = large(0);
        batch[500] = person(500, "a", 5000);
        let error = sink.put(&batch).unwrap_err();
        let named: Vec<i64> = linkspan_testkit::rejected(&error)
            .iter()
            .map(|one| one.offset)
            .collect();
        assert_eq!(named, [500]);
        batch.remove(500);
        assert_eq!(next(&sink.put(&batch).unwrap()), Some(ROWS - 1));
    });
}

/// COMMIT of a batch that is under way is cut; the next batch comes, again and again, until both are there.
#[test]
fn a_cut_inside_a_commit_under_way_loses_and_doubles_nothing() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let Some(server) = Server::start(kind, &[]) else {
            continue;
        };
        let relay = Relay::to(server.port);
        let run = |delivery: &str, cut: Cut| {
            let database = server.database();
            server.sql(&database, TABLE_WITHOUT_KEY);
            let mut sink = sink_through(&relay, &server, &database, delivery);
            let before = relay.cuts();
            relay.cut_next(cut);
            assert_eq!(next(&sink.put(&large(0)).unwrap()), None);
            let (done, errors) = insist(&mut sink, &large(ROWS), LIMIT);
            done.unwrap();
            assert_eq!(relay.cuts(), before + 1);
            assert!(!errors.is_empty() && errors.iter().all(linkspan_sdk::Error::is_temporary));
            sink.flush().unwrap();
            in_table(&server, &database)
        };
        for cut in [Cut::Statement, Cut::Answer] {
            assert_eq!(run("exactly_once", cut), "2000|2000", "{kind:?} {cut:?}");
        }
        // The control: without the position row an answer that is lost doubles the batch.
        assert_eq!(run("at_least_once", Cut::Answer), "3000|2000", "{kind:?}");
    }
}

#[test]
fn a_server_that_dies_under_a_batch_gets_every_row_once() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let Some(mut server) = Server::start(kind, &[]) else {
            continue;
        };
        let database = server.database();
        server.sql(&database, TABLE_WITHOUT_KEY);
        let mut sink = TestHost::sink::<SqlSink>(config(&server, &database, &[]));
        sink.open().unwrap();
        sink.assign(&[("t", 0)]).unwrap();
        for round in 0..3_i64 {
            let from = 2 * round * ROWS;
            // A backend may outlive its server for a moment: then the batch after it meets the end.
            let (done, _) = insist(&mut sink, &large(from), LIMIT);
            done.unwrap();
            // At another moment of the transaction each time.
            std::thread::sleep(Duration::from_millis(u64::try_from(round).unwrap() * 7));
            server.kill();
            server.start_again();
            let (done, _) = insist(&mut sink, &large(from + ROWS), LIMIT);
            done.unwrap();
        }
        let (done, _) = insist(&mut sink, &[], LIMIT);
        done.unwrap();
        assert_eq!(in_table(&server, &database), "6000|6000", "{kind:?}");
    }
}

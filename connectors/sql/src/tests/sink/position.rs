//! Exactly once: what is written and the position are one; a position of another history is refused.

use linkspan_sdk::ErrorKind;

use super::*;

const BARE: &str = "CREATE TABLE t (id BIGINT, name VARCHAR(20), n INTEGER)";

fn count(db: &Db) -> String {
    db.sql("SELECT count(*) FROM t")
}

/// The negative control switches the position off: then the same history doubles rows.
#[test]
fn an_answer_that_is_lost_doubles_nothing() {
    everywhere(|db| {
        for (delivery, expected) in [("exactly_once", "4"), ("at_least_once", "6")] {
            db.sql("DROP TABLE IF EXISTS t");
            db.sql(BARE);
            let mut sink = db.sink(&[("delivery", delivery)]);
            sink.put(&[person(1, "a", 1), person(2, "b", 2)]).unwrap();
            // Written, but the host dies before it hears of it.
            sink.put_unanswered(&[person(3, "c", 3), person(4, "d", 4)])
                .unwrap();
            sink.set_fence_epoch(2);
            sink.reopen().unwrap();
            let seeks = sink.assign(&[("t", 0)]).unwrap();
            let at = seeks.get(&("t".to_owned(), 0)).copied().unwrap_or(2);
            assert_eq!(at, if delivery == "exactly_once" { 4 } else { 2 });
            sink.rewind("t", 0, 2);
            let again = [person(3, "c", 3), person(4, "d", 4)];
            sink.put(&again).unwrap();
            assert_eq!(count(db), expected, "{delivery}");
            sink.put(&[person(5, "e", 5)]).unwrap();
        }
    });
}

#[test]
fn a_position_of_another_history_is_refused_with_its_remedy() {
    everywhere(|db| {
        db.sql(BARE);
        let mut sink = db.sink(&[]);
        sink.put(&[person(1, "a", 1)]).unwrap();
        let refused = |sink: &mut SinkTest<SqlSink>, why: &str| {
            sink.reopen().unwrap();
            let error = sink.assign(&[("t", 0)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict);
            assert!(
                error.message().contains(why) && error.message().contains("DELETE FROM"),
                "{error}"
            );
            assert!(!error.is_temporary());
        };
        // The data directory was deleted: the same topic has another id, and the host knows no position.
        sink.forget("t", 0);
        sink.set_topic_id("00000000-0000-0000-0000-000000000002");
        refused(&mut sink, "another topic of that name");
        assert_eq!(count(db), "1");
        // An older generation.
        let mut sink = db.sink(&[("offsets.table", "o2")]);
        sink.put(&[person(2, "b", 2)]).unwrap();
        sink.set_fence_epoch(7);
        sink.reopen().unwrap();
        sink.assign(&[("t", 0)]).unwrap();
        sink.set_fence_epoch(6);
        refused(&mut sink, "generation 7");
        // The database was restored from a time before the connector.
        sink.set_fence_epoch(8);
        db.sql("DELETE FROM o2");
        refused(&mut sink, "which is gone");
    });
}

#[test]
fn a_task_that_is_fenced_writes_nothing_more() {
    everywhere(|db| {
        db.sql(BARE);
        let mut old = db.sink(&[]);
        old.put(&[person(1, "a", 1)]).unwrap();
        let mut new = TestHost::sink::<SqlSink>(db.config(&[]));
        new.set_fence_epoch(2);
        new.open().unwrap();
        new.assign(&[("t", 0)]).unwrap();
        let error = old.put(&[person(2, "b", 2)]).unwrap_err();
        assert_eq!(
            (error.kind(), error.is_temporary()),
            (ErrorKind::Conflict, false),
            "{error}"
        );
        assert_eq!(count(db), "1");
    });
}

/// A person who sets offsets back wants the records again.
#[test]
fn an_offset_that_was_set_by_hand_wins() {
    everywhere(|db| {
        db.sql(BARE);
        let mut sink = db.sink(&[]);
        sink.put(&[person(1, "a", 1), person(2, "b", 2)]).unwrap();
        sink.forget("t", 0);
        sink.set_fence_epoch(2);
        sink.reopen().unwrap();
        sink.assign(&[("t", 0)]).unwrap();
        sink.rewind("t", 0, 0);
        sink.put(&[person(1, "a", 1), person(2, "b", 2)]).unwrap();
        assert_eq!(count(db), "4");
    });
}

#[test]
fn a_table_without_transactions_is_refused() {
    let Some(server) = servers::mariadb() else {
        return;
    };
    let db = Db::on(server);
    db.sql("CREATE TABLE t (id BIGINT, name VARCHAR(20), n INTEGER) ENGINE=MyISAM");
    let mut sink = TestHost::sink::<SqlSink>(db.config(&[]));
    sink.open().unwrap();
    let error = sink.assign(&[("t", 0)]).unwrap_err();
    assert!(
        error.message().contains("MyISAM") && error.message().contains("ENGINE=InnoDB"),
        "{error}"
    );
    let mut sink = db.sink(&[("delivery", "at_least_once")]);
    sink.put(&[person(1, "a", 1)]).unwrap();
}

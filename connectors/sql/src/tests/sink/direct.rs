//! Upserts into PostgreSQL that find all keys new, or not, or no unique index any more.

use linkspan_sdk::ErrorKind;

use super::*;

const UPSERT: [(&str, &str); 3] = [
    ("insert.mode", "upsert"),
    ("pk.mode", "record_value"),
    ("pk.fields", "id"),
];
/// Rows of a batch that is worth the try.
const ROWS: i64 = 2_000;
const TABLE_WITH_KEY: &str = "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(300), n INTEGER)";

fn batch(from: i64, n: i32) -> Vec<TestRecord> {
    (from..from + ROWS)
        .map(|id| person(id, &"x".repeat(100), n))
        .collect()
}

/// Rows from `from` on that came straight into the table: they are of a subtransaction, unlike the position beside them.
fn straight(db: &Db, from: i64) -> String {
    db.sql(&format!(
        "SELECT count(*) FILTER (WHERE t.xmin <> o.xmin) FROM t, _linkspan_offsets o WHERE t.id >= {from}"
    ))
}

#[test]
fn new_rows_go_straight_into_the_table_and_others_by_way_of_an_upsert() {
    let Some(db) = Db::postgres() else {
        return;
    };
    db.sql(TABLE_WITH_KEY);
    let mut sink = db.sink(&UPSERT);
    sink.put(&batch(0, 1)).unwrap();
    sink.flush().unwrap();
    assert_eq!(straight(&db, 0), ROWS.to_string());
    // The second half is there already.
    sink.put(&batch(-ROWS / 2, 2)).unwrap();
    sink.flush().unwrap();
    assert_eq!(straight(&db, -ROWS).parse::<i64>().unwrap(), ROWS / 2);
    assert_eq!(
        db.sql("SELECT n, count(*), min(id), max(id) FROM t GROUP BY n ORDER BY n"),
        "1|1000|1000|1999\n2|2000|-1000|999"
    );
    // A refusal is remembered: also new rows go the other way for a while, and then straight again.
    for round in 0..8 {
        let from = 10 * ROWS + round * ROWS;
        sink.put(&batch(from, 3)).unwrap();
        sink.flush().unwrap();
        assert_eq!(straight(&db, from), "0", "round {round}");
    }
    sink.put(&batch(90 * ROWS, 4)).unwrap();
    sink.flush().unwrap();
    assert_eq!(straight(&db, 90 * ROWS), ROWS.to_string());
    assert_eq!(db.sql("SELECT count(*) FROM t"), "21000");
}

#[test]
fn a_key_that_lost_its_index_takes_no_row_twice() {
    let Some(db) = Db::postgres() else {
        return;
    };
    db.sql(TABLE_WITH_KEY);
    let mut sink = db.sink(&UPSERT);
    sink.put(&batch(0, 1)).unwrap();
    sink.flush().unwrap();
    db.sql("ALTER TABLE t DROP CONSTRAINT t_pkey");
    // In the background: the next call hears of it.
    let put = sink.put(&batch(0, 2)).and_then(|_| sink.flush());
    let error = put.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid, "{error}");
    assert!(error.to_string().contains("unique"), "{error}");
    assert_eq!(
        db.sql("SELECT count(*), count(DISTINCT id), max(n) FROM t"),
        "2000|2000|1"
    );
}

#[test]
fn a_row_at_fault_is_found_among_new_ones() {
    let Some(db) = Db::postgres() else {
        return;
    };
    db.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(300), n INTEGER CHECK (n < 1000))");
    let tolerant = [("errors.tolerance", "all")];
    let mut sink = db.sink(&[&UPSERT[..], &tolerant].concat());
    let mut records = batch(0, 1);
    records[1_234] = person(1_234, "bad", 5_000);
    let error = sink.put(&records).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataInvalid, "{error}");
    assert_eq!(db.sql("SELECT count(*) FROM t"), "0");
    records.remove(1_234);
    sink.put(&records).unwrap();
    sink.flush().unwrap();
    assert_eq!(db.sql("SELECT count(*), max(n) FROM t"), "1999|1");
}

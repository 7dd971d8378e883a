//! 10 bad rows among 10,000: exactly those become dead letters, with their coordinates and what is wrong; the others are in the table.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;

use crate::place::Place;
use crate::support::{Scratch, linkspan, run};

const ROWS: u32 = 10_000;
/// Rows at the ends, next to each other and far apart.
const BAD: [u32; 10] = [0, 1, 2, 777, 4_095, 4_096, 5_000, 7_531, 9_998, 9_999];

/// What is wrong with a bad row, by its number; the column that the letter must name stands first.
fn row(n: u32, with_bad: bool) -> String {
    match BAD.iter().position(|bad| *bad == n).filter(|_| with_bad) {
        None => format!("{n},name {n},{}", n % 1000),
        Some(kind) if kind % 3 == 0 => format!("{n},name {n},many"),
        Some(kind) if kind % 3 == 1 => format!("{n},{n:x>41},1"),
        Some(_) => format!("{n},name {n},5000"),
    }
}

/// What the letter of a bad row must say.
fn fault(place: &Place, n: u32) -> &'static str {
    match BAD.iter().position(|bad| *bad == n).unwrap() % 3 {
        0 => "`n`",
        1 if matches!(place, Place::File(_)) => "short",
        1 => "`name`",
        _ => "few",
    }
}

fn pipeline(scratch: &Scratch, place: &Place, mode: &str) -> PathBuf {
    let key = if mode == "upsert" {
        "    pk.mode: record_value\n    pk.fields: [id]\n"
    } else {
        ""
    };
    scratch.write(
        "pipeline.yaml",
        format!(
            "topics:\n  items: {{ partitions: 1 }}\nconnectors:\n  in: {{ connector: file-source, path: in.csv, format: csv, csv.types: {{ id: int64 }}, topic: items }}\n  \
             out:\n    connector: sql-sink\n    connection.url: {}\n    topics: [items]\n    insert.mode: {mode}\n{key}    \
             errors: {{ tolerance: all, deadletterqueue.topic.name: letters }}\n",
            place.url()
        ),
    )
}

/// Runs the load into a new table; returns the seconds it took.
fn load(place: &Place, scratch: &Scratch, mode: &str, with_bad: bool) -> f64 {
    for table in ["items", "_linkspan_offsets"] {
        place.sql(&format!("DROP TABLE IF EXISTS {table}"));
    }
    // SQLite stores texts of any length in such a column, unless a constraint says otherwise.
    let short = match place {
        Place::File(_) => ", CONSTRAINT short CHECK (length(name) <= 40)",
        Place::Server(..) => "",
    };
    place.sql(&format!(
        "CREATE TABLE items (id BIGINT PRIMARY KEY, name VARCHAR(40), n INTEGER, CONSTRAINT few CHECK (n < 1000){short})"
    ));
    let rows: String = (0..ROWS).map(|n| row(n, with_bad) + "\n").collect();
    scratch.write("in.csv", format!("id,name,n\n{rows}"));
    let yaml = pipeline(scratch, place, mode);
    let begin = Instant::now();
    run(linkspan(&["run", "--once"]).arg(yaml)).expect_code(if with_bad { 4 } else { 0 });
    begin.elapsed().as_secs_f64()
}

fn header<'l>(letter: &'l Value, name: &str) -> &'l str {
    letter["headers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|header| header[0] == name)
        .unwrap_or_else(|| panic!("no header {name}: {letter}"))[1]
        .as_str()
        .unwrap()
}

fn check_letters(scratch: &Scratch, place: &Place) {
    let ran = run(linkspan(&[
        "consume", "letters", "--from", "earliest", "--exit", "-o", "json", "--data",
    ])
    .arg(scratch.path("linkspan-data")))
    .expect_code(0);
    let mut offsets = Vec::new();
    for line in ran.stdout.lines() {
        let letter: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (
                header(&letter, "__connect.errors.topic"),
                header(&letter, "__connect.errors.partition")
            ),
            ("items", "0")
        );
        let offset: u32 = header(&letter, "__connect.errors.offset").parse().unwrap();
        let said = header(&letter, "__connect.errors.exception.message");
        // Row `n` is record `n`.
        assert!(
            said.contains(fault(place, offset)) && said.contains("items"),
            "{}: {said}",
            place.name()
        );
        assert!(
            !said.contains("many") && !said.contains("5000"),
            "{}: a value is shown: {said}",
            place.name()
        );
        let value: Value = serde_json::from_str(letter["value"].as_str().unwrap()).unwrap();
        assert_eq!(value["id"], offset, "the letter is the record as it was");
        offsets.push(offset);
    }
    offsets.sort_unstable();
    assert_eq!(offsets, BAD, "{}", place.name());
}

#[test]
fn ten_bad_rows_among_ten_thousand_are_the_only_letters() {
    let folder = Scratch::new();
    for place in Place::all(&folder) {
        for mode in ["insert", "upsert"] {
            let good = load(&place, &Scratch::new(), mode, false);
            assert_eq!(place.count("items"), u64::from(ROWS));
            let scratch = Scratch::new();
            let bad = load(&place, &scratch, mode, true);
            println!(
                "{} {mode}: 10 bad rows among {ROWS}: {bad:.2} s, without them {good:.2} s",
                place.name()
            );
            assert_eq!(
                place.count("items"),
                u64::from(ROWS) - 10,
                "{}",
                place.name()
            );
            let list = BAD.map(|n| n.to_string()).join(",");
            assert_eq!(
                place.count(&format!("items WHERE id IN ({list})")),
                0,
                "{}",
                place.name()
            );
            check_letters(&scratch, &place);
        }
    }
}

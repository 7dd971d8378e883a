//! A load that ends at a bad row far behind: the job's summary counts exactly the rows that are in the table.

use serde_json::Value;

use crate::place::Place;
use crate::support::{Scratch, linkspan, run};

/// Some batches that are written while the next is made ready.
const ROWS: u32 = 60_000;
const BAD: u32 = 55_000;

#[test]
fn what_a_failed_load_counts_is_in_the_table() {
    let scratch = Scratch::new();
    for place in Place::all(&scratch) {
        for table in ["items", "_linkspan_offsets"] {
            place.sql(&format!("DROP TABLE IF EXISTS {table}"));
        }
        place.sql(&format!(
            "CREATE TABLE items (id BIGINT, name VARCHAR(200), CONSTRAINT good CHECK (id <> {BAD}))"
        ));
        let rows: String = (0..ROWS).map(|n| format!("{n},{n:x>150}\n")).collect();
        scratch.write("in.csv", format!("id,name\n{rows}"));
        let yaml = scratch.write(
            "pipeline.yaml",
            format!(
                "topics:\n  items: {{ partitions: 1 }}\nconnectors:\n  in: {{ connector: file-source, path: in.csv, format: csv, csv.types: {{ id: int64 }}, \
                 topic: items, batch.records: 1000 }}\n  out: {{ connector: sql-sink, connection.url: '{}', topics: [items] }}\n",
                place.url()
            ),
        );
        let data = scratch.path(place.name());
        let ran = run(linkspan(&["run", "--once", "-o", "json", "--data"])
            .arg(&data)
            .arg(yaml))
        .expect_code(1);
        let summary: Value = serde_json::from_str(&ran.stdout).unwrap();
        let connectors = summary["connectors"].as_array().unwrap();
        let out = connectors.iter().find(|one| one["name"] == "out").unwrap();
        let (counted, there) = (out["records"].as_u64().unwrap(), place.count("items"));
        println!("{}: {counted} counted, {there} in the table", place.name());
        assert_eq!(counted, there, "{}", place.name());
        assert!(
            there > 0 && there <= u64::from(BAD),
            "{}: {there}",
            place.name()
        );
    }
}

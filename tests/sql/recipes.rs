//! What people copy from `configs/servers` and `configs/legacy`, as it is, against real servers: rows are counted and compared by the servers' own clients.

use std::fs;
use std::path::{Path, PathBuf};

use crate::place::Place;
use crate::servers;
use crate::support::{Ran, Scratch, linkspan, repository, run};

/// The recipes and the data they read, in a folder of the test's own.
fn copied(scratch: &Scratch) -> PathBuf {
    for folder in ["servers", "data"] {
        for entry in fs::read_dir(repository().join("configs").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                scratch.write(&format!("{folder}/{name}"), fs::read(&path).unwrap());
            }
        }
    }
    scratch.path("servers")
}

fn once(recipe: &Path, source: Option<&Place>, target: &Place) -> Ran {
    let mut command = linkspan(&["run", "--once", "--timeout", "100s"]);
    command.arg(recipe).env("TARGET_URL", target.url());
    if let Some(source) = source {
        command.env("SOURCE_URL", source.url());
    }
    run(&mut command)
}

#[test]
fn a_csv_file_goes_into_postgres_and_again_changes_nothing() {
    let Some(server) = servers::postgres() else {
        return;
    };
    let (scratch, target) = (Scratch::new(), Place::on(server));
    let recipe = copied(&scratch).join("csv-to-postgres.yaml");
    once(&recipe, None, &target).expect_code(0);
    assert_eq!(target.count("airports"), 1458);
    let types = "SELECT string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position) FROM information_schema.columns \
                 WHERE table_name = 'airports'";
    assert_eq!(
        target.sql(types),
        "faa text, name text, lat double precision, lon double precision, alt integer, tz integer, dst text, tzone text"
    );
    // A row of a later file replaces the one of its key.
    let csv = scratch.path("data/airports.csv");
    let mut text = fs::read_to_string(&csv).unwrap();
    text.push_str("JFK,Renamed,40.639751,-73.778925,13,-5,A,America/New_York\n");
    fs::write(&csv, text).unwrap();
    once(&recipe, None, &target).expect_code(0);
    assert_eq!(target.count("airports"), 1458);
    assert_eq!(
        target.sql("SELECT name FROM airports WHERE faa = 'JFK'"),
        "Renamed"
    );
}

#[test]
fn a_legacy_night_goes_into_postgres_and_again_changes_nothing() {
    let Some(server) = servers::postgres() else {
        return;
    };
    let (scratch, target) = (Scratch::new(), Place::on(server));
    let legacy = repository().join("configs/legacy");
    for name in [
        "nightly.yaml",
        "postgres.yaml",
        "copybooks/transaction.cpy",
        "data/master-2026-01-31.dat",
        "data/transactions-2026-01-31.dat",
    ] {
        scratch.write(name, fs::read(legacy.join(name)).unwrap());
    }
    let night = || {
        let mut command = linkspan(&[
            "run",
            "--once",
            "--timeout",
            "100s",
            "-o",
            "json",
            "--param",
            "day=2026-01-31",
        ]);
        command
            .arg(scratch.path("nightly.yaml"))
            .arg("--overlay")
            .arg(scratch.path("postgres.yaml"))
            .env("PGURL", target.url());
        let ran = run(&mut command).expect_code(0);
        let report: serde_json::Value =
            serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
        let sinks = report["connectors"].as_array().unwrap().iter();
        sinks
            .filter(|connector| connector["type"] == "sink")
            .map(|connector| connector["records"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(night(), 7);
    let tables = || {
        (
            target.sql("SELECT * FROM accounts ORDER BY account"),
            target.sql("SELECT * FROM transactions ORDER BY tx_no"),
        )
    };
    let loaded = tables();
    assert_eq!(target.count("accounts"), 4);
    assert_eq!(target.count("transactions"), 3);
    assert_eq!(
        target.sql(
            "SELECT sum(balance), pg_typeof(min(balance)), pg_typeof(min(opened)) FROM accounts"
        ),
        "92830648.39|numeric|date"
    );
    // Nothing is written a second time, and the tables are what they were.
    assert_eq!(night(), 0);
    assert_eq!(tables(), loaded);
    assert!(
        !scratch.path("out").try_exists().unwrap(),
        "the overlay left SQLite in use"
    );
}

#[test]
fn a_table_goes_into_a_table_of_each_other_database() {
    let folder = Scratch::new();
    let places = Place::all(&folder);
    for (at, source) in places.iter().enumerate() {
        let target = &places[(at + 1) % places.len()];
        let scratch = Scratch::new();
        let recipe = copied(&scratch).join("table-to-table.yaml");
        source.sql("CREATE TABLE orders (id INTEGER NOT NULL PRIMARY KEY, item VARCHAR(40), price DECIMAL(9,2), changed TIMESTAMP NOT NULL)");
        source.sql(
            "INSERT INTO orders VALUES (1, 'rope', 1.50, '2024-01-01 10:00:00'), (2, '등대', 20.25, '2024-01-01 10:00:00')",
        );
        once(&recipe, Some(source), target).expect_code(0);
        source.sql("UPDATE orders SET price = 3.75, changed = '2024-02-01 10:00:00' WHERE id = 1");
        once(&recipe, Some(source), target).expect_code(0);
        let way = format!("{} to {}", source.name(), target.name());
        assert_eq!(
            target.sql("SELECT id, item, price FROM orders_copy ORDER BY id"),
            "1|rope|3.75\n2|등대|20.25",
            "{way}"
        );
    }
}

#[test]
fn tables_of_mariadb_go_into_postgres() {
    let (Some(from), Some(to)) = (servers::mariadb(), servers::postgres()) else {
        return;
    };
    let (source, target, scratch) = (Place::on(from), Place::on(to), Scratch::new());
    let chinook =
        fs::read_to_string(repository().join("tests/fixtures/chinook/chinook.sql")).unwrap();
    source.sql(&chinook);
    let recipe = copied(&scratch).join("mysql-to-postgres.yaml");
    for _ in 0..2 {
        once(&recipe, Some(&source), &target).expect_code(0);
    }
    for (table, columns) in [
        ("artist", "id, name"),
        ("album", "id, title, artist"),
        ("employee", "id, lastname, reports_to, city"),
        (
            "customer",
            "id, firstname, lastname, company, address, city, state, phone",
        ),
        ("invoice", "id, customer, billingaddress, total"),
    ] {
        let sql = format!("SELECT {columns} FROM {table} ORDER BY id");
        let found = target.sql(&sql);
        assert!(found.lines().count() >= 8, "{table}");
        // The two clients write null in different words.
        let nulls = found.replace("||", "|NULL|").replace("||", "|NULL|");
        let nulls: String = nulls
            .lines()
            .map(|line| line.to_owned() + if line.ends_with('|') { "NULL\n" } else { "\n" })
            .collect();
        assert_eq!(nulls.trim_end(), source.sql(&sql), "{table}");
    }
    assert_eq!(
        target.sql("SELECT sum(total) FROM invoice"),
        source.sql("SELECT sum(total) FROM invoice")
    );
    assert_eq!(
        target.sql("SELECT pg_typeof(invoicedate), to_char(invoicedate AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM invoice WHERE id = 1"),
        "timestamp with time zone|2007-01-01 00:00:00"
    );
}

#[test]
fn dead_letters_are_mended_and_replayed() {
    let folder = Scratch::new();
    for target in Place::all(&folder) {
        let scratch = Scratch::new();
        let recipe = copied(&scratch).join("dead-letters.yaml");
        target.sql("CREATE TABLE customers (id INT PRIMARY KEY)");
        target.sql("INSERT INTO customers VALUES (1), (2)");
        target.sql("CREATE TABLE orders (id INT PRIMARY KEY, customer INT, item VARCHAR(40), FOREIGN KEY (customer) REFERENCES customers (id))");
        once(&recipe, None, &target).expect_code(4);
        let ids = |target: &Place| target.sql("SELECT id FROM orders ORDER BY id");
        assert_eq!(ids(&target), "1\n2\n4\n6", "{}", target.name());

        let data = scratch.path("servers/linkspan-data");
        let letters = |arguments: &[&str]| run(linkspan(arguments).arg("--data").arg(&data));
        letters(&["dlq", "show", "orders-dlq"])
            .expect_code(0)
            .says(&["orders", "parents first"]);
        target.sql("INSERT INTO customers VALUES (3)");
        letters(&["dlq", "replay", "orders-dlq", "--all"]).expect_code(0);
        once(&recipe, None, &target).expect_code(0);
        assert_eq!(ids(&target), "1\n2\n3\n4\n5\n6", "{}", target.name());
    }
}

//! The recipes of `configs/` that need a broker.

use std::fs;
use std::path::Path;

use crate::broker::{Broker, broker};
use crate::client::Row;
use crate::pipeline::name;
use crate::servers;
use crate::support::{Ran, Scratch, linkspan, repository, run, run_once};

/// Copies a recipe with names of its own for topics, so that tests do not meet in one broker.
fn recipe(file: &str, names: &[(&str, &str)]) -> (Scratch, std::path::PathBuf) {
    let mut text = fs::read_to_string(repository().join("configs").join(file)).unwrap();
    for (from, to) in names {
        assert!(text.contains(from), "{file} has no `{from}`");
        text = text.replace(from, to);
    }
    let scratch = Scratch::new();
    let yaml = scratch.write(file, text);
    (scratch, yaml)
}

#[test]
fn kafka_to_files() {
    let Some(broker) = broker("the recipe kafka-to-files.yaml") else {
        return;
    };
    let topic = name("events");
    broker.topic(&topic, 2, &[]);
    broker.write(&topic, &[Row::of("{\"n\":1}"), Row::of("text").at(1, 0)]);
    let (scratch, yaml) = recipe("kafka-to-files.yaml", &[("events", &topic)]);
    run_once(&yaml, &["--param", &format!("kafka={}", broker.plain)]).expect_code(0);
    let mut lines: Vec<String> = scratch
        .read(&format!("out/{topic}.jsonl"))
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort();
    assert_eq!(lines, ["\"text\"", "{\"n\":1}"]);
}

#[test]
fn a_mirror_of_two_clusters() {
    let Some(broker) = broker("the recipe kafka-mirror.yaml") else {
        return;
    };
    let topic = name("orders");
    broker.topic(&topic, 3, &[]);
    broker.write(&topic, &[Row::of("1").key("a").at(2, 1_700_000_000_000)]);
    let (_scratch, yaml) = recipe(
        "kafka-mirror.yaml",
        &[("orders", &topic), ("mirror-east-west", &name("mirror"))],
    );
    let servers = [("east", &broker.plain), ("west", &broker.plain)]
        .map(|(cluster, at)| format!("{cluster}={at}"));
    run_once(&yaml, &["--param", &servers[0], "--param", &servers[1]]).expect_code(0);
    let rows = broker.read(&format!("east.{topic}"));
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].partition, rows[0].text().as_str()), (2, "1"));
    assert_eq!(rows[0].headers[0].0, "linkspan.src");
}

/// A recipe of `configs/servers`, with the database's address from the environment as its text says.
fn with_database(yaml: &Path, variable: &str, url: &str, broker: &Broker) -> Ran {
    let mut command = linkspan(&["run", "--once", "--timeout", "100s", "-o", "json"]);
    command
        .args(["--param", &format!("kafka={}", broker.plain)])
        .arg(yaml)
        .env(variable, url);
    run(&mut command)
}

#[test]
fn kafka_to_postgres() {
    let Some(broker) = broker("the recipe kafka-to-postgres.yaml") else {
        return;
    };
    let Some(server) = servers::postgres() else {
        return;
    };
    let (topic, database) = (name("orders"), server.database());
    broker.topic(&topic, 2, &[]);
    broker.write(
        &topic,
        &[
            Row::of("no JSON"),
            Row::of("{\"id\":1,\"item\":\"rope\",\"price\":1.50,\"at\":\"2024-01-01T10:00:00Z\"}"),
            Row::of("{\"id\":2,\"item\":\"등대\",\"price\":20.25,\"at\":null}").at(1, 0),
        ],
    );
    server.sql(
        &database,
        &format!("CREATE TABLE \"{topic}\" (id BIGINT PRIMARY KEY, item TEXT, price NUMERIC(9,2), at TIMESTAMPTZ)"),
    );
    let (scratch, yaml) = recipe(
        "servers/kafka-to-postgres.yaml",
        &[("topics: [orders]", &format!("topics: [{topic}]"))],
    );
    let once = || with_database(&yaml, "TARGET_URL", &server.url(&database), broker);
    once().expect_code(4);
    let rows = || {
        server.sql(
            &database,
            &format!("SELECT id, item, price, at AT TIME ZONE 'UTC' FROM \"{topic}\" ORDER BY id"),
        )
    };
    assert_eq!(
        rows().trim(),
        "1|rope|1.50|2024-01-01 10:00:00\n2|등대|20.25|"
    );
    // The bad one is set aside with where it was; a later record of an id replaces its row.
    let data = scratch.path("servers/linkspan-data");
    let letters = linkspan::<&str>(&["dlq", "show", "orders-dlq", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&letters.stdout).into_owned();
    assert!(shown.contains(&topic), "{shown}");
    broker.write(
        &topic,
        &[Row::of(
            "{\"id\":1,\"item\":\"chain\",\"price\":3,\"at\":null}",
        )],
    );
    once().expect_code(0);
    assert_eq!(rows().trim(), "1|chain|3.00|\n2|등대|20.25|");
}

#[test]
fn postgres_to_kafka() {
    let Some(broker) = broker("the recipe postgres-to-kafka.yaml") else {
        return;
    };
    let Some(server) = servers::postgres() else {
        return;
    };
    let (topic, database) = (name("shop.orders"), server.database());
    server.sql(&database, "CREATE TABLE orders (id INTEGER NOT NULL PRIMARY KEY, item VARCHAR(40), price DECIMAL(9,2), changed TIMESTAMPTZ NOT NULL)");
    server.sql(&database, "INSERT INTO orders VALUES (1, 'rope', 1.50, '2024-01-01 10:00:00Z'), (2, '등대', 20.25, '2024-01-01 10:00:00Z')");
    let (_scratch, yaml) = recipe("servers/postgres-to-kafka.yaml", &[("shop.orders", &topic)]);
    let once = || with_database(&yaml, "SOURCE_URL", &server.url(&database), broker);
    once().expect_code(0);
    server.sql(
        &database,
        "UPDATE orders SET item = 'chain', changed = '2024-02-01 10:00:00Z' WHERE id = 1",
    );
    once().expect_code(0);
    let rows = broker.read(&topic);
    let mut found: Vec<(i64, String)> = rows
        .iter()
        .map(|row| {
            let row: serde_json::Value =
                serde_json::from_slice(row.value.as_ref().unwrap()).unwrap();
            (
                row["id"].as_i64().unwrap(),
                row["item"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    // Rows of one key are in one partition, in their order.
    found.sort_by_key(|(id, _)| *id);
    let expected = [(1, "rope"), (1, "chain"), (2, "등대")];
    assert_eq!(found, expected.map(|(id, item)| (id, item.to_owned())));
    assert!(rows.iter().all(|row| row.key.is_some()), "{rows:?}");
}

#[test]
fn the_connectors_example() {
    let Some(broker) = broker("connectors/kafka/example.yaml") else {
        return;
    };
    let (shop, numbers) = (name("shop"), name("example"));
    let orders = format!("{shop}.orders.eu");
    broker.topic(&orders, 2, &[]);
    broker.write(&orders, &[Row::of("one"), Row::of("two").at(1, 0)]);
    let text = fs::read_to_string(repository().join("connectors/kafka/example.yaml")).unwrap();
    let text = text
        .replace("'shop\\.", &format!("'{shop}\\."))
        .replace("example.{topic}", &format!("{numbers}.{{topic}}"));
    assert!(text.contains(&shop) && text.contains(&numbers), "{text}");
    let scratch = Scratch::new();
    let yaml = scratch.write("example.yaml", text);
    run_once(&yaml, &["--param", &format!("kafka={}", broker.plain)]).expect_code(0);
    assert_eq!(broker.read(&format!("{numbers}.numbers")).len(), 1000);
    let mut lines: Vec<String> = scratch
        .read("out/orders.txt")
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort();
    assert_eq!(lines, ["one", "two"]);
}

//! What librdkafka counts, as Prometheus reads it from the program under test.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Child;
use std::time::Duration;

use crate::broker::broker;
use crate::client::Row;
use crate::pipeline::{Pipeline, name};
use crate::support::{eventually, linkspan, start};

/// How long a figure may take to show on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Records, enough to be seen on the way.
const RECORDS: i32 = 8_000;

/// A process of the program, ended with the test.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        if self.0.kill().is_ok() {
            drop(self.0.wait());
        }
    }
}

fn scrape(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    page.starts_with("HTTP/1.1 200").then_some(page)
}

/// The value of a sample: the line that begins with `name{` and has all of these labels.
fn sample(page: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let line = page.lines().find(|line| {
        let has = |(label, of): &(&str, &str)| line.contains(&format!("{label}=\"{of}\""));
        line.starts_with(&format!("{name}{{")) && labels.iter().all(has)
    })?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[test]
fn the_lag_of_each_partition_and_the_clients_counters_are_on_the_page() {
    let Some(broker) = broker("metrics of the Kafka connectors") else {
        return;
    };
    let (from, to) = (name("from"), name("to"));
    broker.topic(&from, 2, &[]);
    let rows: Vec<Row> = (0..RECORDS)
        .map(|number| Row::of(&number.to_string()).at(i32::from(number >= RECORDS / 4), 0))
        .collect();
    broker.write(&from, &rows);
    let pipeline = Pipeline::new(&format!(
        "connectors:
  in: {{ connector: kafka-source, bootstrap.servers: '{0}', topics: [{from}], batch.records: 1, statistics.interval: 100ms }}
  out: {{ connector: kafka-sink, bootstrap.servers: '{0}', topics: [{from}], topic.rename: {to}, statistics.interval: 200ms }}
",
        broker.plain
    ));
    let (out, err) = (
        pipeline.scratch.path("stdout"),
        pipeline.scratch.path("stderr"),
    );
    let host = Host(start(
        linkspan(&["run", "--listen", "127.0.0.1:0"]).arg(pipeline.yaml()),
        &out,
        &err,
    ));
    let mut address: Option<SocketAddr> = None;
    let listens = eventually(LIMIT, || {
        let said = pipeline.scratch.read("stderr");
        let rest = said.split_once("REST on http://");
        address = rest.and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok());
        address.is_some()
    });
    assert!(listens, "{}", pipeline.scratch.read("stderr"));
    let address = address.unwrap();

    let lag = |page: &str, partition: &str| {
        let labels = [
            ("connector", "in"),
            ("task", "0"),
            ("topic", &*from),
            ("partition", partition),
        ];
        sample(page, "linkspan_kafka_source_lag_records", &labels)
    };
    let count = |page: &str, what: &str, connector: &str| {
        let name = format!("linkspan_kafka_client_{what}_total");
        sample(page, &name, &[("connector", connector), ("task", "0")])
    };
    let mut page = String::new();
    let behind = eventually(LIMIT, || {
        page = scrape(address).unwrap_or_default();
        lag(&page, "1").is_some_and(|lag| lag > 0.0 && lag <= f64::from(RECORDS) * 0.75)
    });
    assert!(behind, "no lag was told while it was behind:\n{page}");
    let told = eventually(LIMIT, || {
        page = scrape(address).unwrap_or_default();
        ["0", "1"].map(|partition| lag(&page, partition)) == [Some(0.0), Some(0.0)]
            && count(&page, "received_messages", "in") == Some(f64::from(RECORDS))
            // Besides the records: positions, the mark of the start.
            && count(&page, "sent_messages", "out").is_some_and(|sent| sent >= f64::from(RECORDS))
    });
    assert!(told, "{page}");
    let round_trip = "linkspan_kafka_broker_round_trip_seconds";
    let trip = sample(&page, round_trip, &[("connector", "in"), ("broker", "1")]);
    assert!(trip.is_some_and(|seconds| seconds < 60.0), "{page}");
    // Figures of the one are not the other's.
    assert_eq!(
        lag(&page.replace("connector=\"in\"", "connector=\"x\""), "0"),
        None
    );

    drop(host);
}

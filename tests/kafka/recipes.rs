//! The recipes of `configs/` that need a broker.

use std::fs;

use crate::broker::broker;
use crate::client::Row;
use crate::pipeline::name;
use crate::support::{Scratch, repository, run_once};

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

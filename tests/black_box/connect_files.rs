//! Kafka Connect's own files as arguments: the file connectors that come with Kafka, with Kafka's own sample files.

use crate::pipeline::{numbered, records, summary};
use crate::support::{Scratch, linkspan, run, run_once};

const SOURCE: &str = "name=local-file-source\nconnector.class=FileStreamSource\ntasks.max=1\nfile=test.txt\ntopic=connect-test\n";
const SINK: &str = "{\"name\": \"local-file-sink\", \"config\": {\"connector.class\": \"org.apache.kafka.connect.file.FileStreamSinkConnector\", \
     \"tasks.max\": \"1\", \"file\": \"test.sink.txt\", \"topics\": \"connect-test\"}}\n";

#[test]
fn kafkas_sample_pipeline_runs_as_it_is() {
    let scratch = Scratch::new();
    scratch.write("test.txt", numbered(0..100));
    let source = scratch.write("connect-file-source.properties", SOURCE);
    let sink = scratch.write("connect-file-sink.json", SINK);
    let ran = run_once(&source, &[sink.to_str().unwrap(), "--timeout", "60s"]).expect_code(0);
    assert_eq!(records(&summary(&ran), "local-file-sink"), 100);
    assert_eq!(scratch.read("test.sink.txt"), numbered(0..100));
}

#[test]
fn validate_accounts_for_every_key() {
    let scratch = Scratch::new();
    let source = scratch.write("a.properties", format!("{SOURCE}bach.size=10\n"));
    let ran = run(linkspan(&["validate"]).arg(&source)).expect_code(0);
    for text in [
        "line   4  file",
        "used",
        "line   6  bach.size",
        "ignored",
        "did you mean `batch.size`?",
    ] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
    let json = run(linkspan(&["validate", "-o", "json"]).arg(&source)).expect_code(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["keys"].as_array().map(Vec::len), Some(6));
    assert_eq!(json["keys"][5]["fate"], "ignored");
}

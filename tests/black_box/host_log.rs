//! The host's own log: to a file, as JSON, to journald, with levels per connector.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use serde_json::Value;

use crate::pipeline::{Pipeline, numbered};

fn with_logging(logging: &str) -> Pipeline {
    let pipeline = Pipeline::new(&[], &[]);
    let text = fs::read_to_string(&pipeline.yaml).unwrap();
    fs::write(
        &pipeline.yaml,
        format!("host:\n  logging: {logging}\n{text}"),
    )
    .unwrap();
    pipeline.input(numbered(0..10));
    pipeline
}

fn events(pipeline: &Pipeline) -> Vec<Value> {
    let text = pipeline.scratch.read("logs/host.log");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn is_about(event: &Value, connector: &str) -> bool {
    event["connector"] == connector
        || event["task"]
            .as_str()
            .is_some_and(|task| task == format!("{connector}/0"))
}

#[test]
fn a_file_takes_json_lines_and_stderr_stays_free_of_them() {
    let pipeline = with_logging("{output: file, format: json, level: debug, file: logs/host.log}");
    let ran = pipeline.run().expect_code(0);
    let events = events(&pipeline);
    assert!(
        events.iter().any(|event| is_about(event, "in")),
        "{events:?}"
    );
    assert!(
        events
            .iter()
            .all(|event| event["level"].is_string() && event["timestamp"].is_string())
    );
    assert!(!ran.stderr.contains("DEBUG"), "{}", ran.stderr);
    pipeline.run().expect_code(0);
    assert!(
        self::events(&pipeline).len() > events.len(),
        "the second run goes on in the file"
    );
}

#[test]
fn one_connector_talks_while_the_others_are_silent() {
    let pipeline = with_logging(
        "{output: file, format: json, level: error, levels: {in: debug}, file: logs/host.log}",
    );
    pipeline.run().expect_code(0);
    let events = events(&pipeline);
    assert!(!events.is_empty());
    assert!(
        events.iter().all(|event| is_about(event, "in")),
        "{events:?}"
    );
}

#[test]
fn journald_gets_fields() {
    let pipeline = with_logging("{output: journald, level: debug, journald.socket: journal.sock}");
    let journal = UnixDatagram::bind(pipeline.scratch.path("journal.sock")).unwrap();
    journal
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| pipeline.run());
        let mut all = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        while !run.is_finished() {
            if let Ok(len) = journal.recv(&mut buffer) {
                all.push(String::from_utf8_lossy(&buffer[..len]).into_owned());
            }
        }
        assert!(
            all.iter()
                .any(|event| event.contains("SYSLOG_IDENTIFIER=linkspan\n")
                    && event.contains("MESSAGE=")),
            "{all:?}"
        );
        run.join().unwrap()
    });
    run.expect_code(0);
}

#[test]
fn what_cannot_be_opened_or_understood_is_said() {
    with_logging("{output: journald, journald.socket: nobody.sock}")
        .run()
        .expect_code(3)
        .says(&["LS0704", "nobody.sock", "logging.journald.socket"]);
    with_logging("{output: pigeon, levels: {in: loud}}")
        .run()
        .expect_code(2)
        .says(&["pigeon", "loud", "error, warn, info, debug, trace"]);
}

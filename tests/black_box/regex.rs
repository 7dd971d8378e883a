//! `topics.regex`: sinks that read what a pattern matches, also what is made while they run.

use std::time::Duration;

use serde_json::Value;

use crate::places::Place;
use crate::support::{Scratch, eventually, run, run_once};

const SOON: Duration = Duration::from_secs(60);

fn source(name: &str, topic: &str) -> String {
    format!(
        "  {name}: {{ connector: file-source, format: lines, path: {name}.txt, topic: {topic} }}\n"
    )
}

fn sink(options: &str) -> String {
    format!("  out: {{ connector: file-sink, format: lines, path: out.txt, {options} }}\n")
}

fn pattern(text: &str) -> String {
    sink(&format!("topics.regex: '{text}'"))
}

#[test]
fn a_pattern_matches_whole_names_and_topics_that_are_made_while_the_sink_runs() {
    let scratch = Scratch::new();
    for name in ["a", "b", "c", "d"] {
        scratch.write(&format!("{name}.txt"), format!("line of {name}\n"));
    }
    let sources =
        source("a", "ev.a") + &source("b", "ev.b") + &source("c", "xev.c") + &source("d", "__ev.d");
    // No topic is there when the sink starts: each comes with the first record of its source.
    let yaml = scratch.write(
        "p.yaml",
        format!("connectors:\n{sources}{}", pattern(r"(?:__)?ev\.\w")),
    );
    let ran = run_once(&yaml, &[]).expect_code(0);
    let summary: Value = serde_json::from_str(ran.stdout.trim()).unwrap();
    let rows = summary["connectors"].as_array().unwrap();
    let out = rows.iter().find(|row| row["name"] == "out").unwrap();
    assert_eq!(out["records"], 2, "{summary}");
    let text = scratch.read("out.txt");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["line of a", "line of b"]);
}

#[test]
fn a_running_sink_takes_in_a_new_topic_and_its_offsets_can_be_rewound_there() {
    let mut place = Place::stopped();
    let sink = pattern("lat.+");
    let yaml =
        std::fs::read_to_string(&place.pipeline.yaml).unwrap() + &sink.replace("out", "late");
    std::fs::write(&place.pipeline.yaml, yaml).unwrap();
    place.start_host();
    let file = place.pipeline.scratch.path("late.txt");
    let held = || std::fs::read_to_string(&file).unwrap_or_default();
    for topic in ["later", "latest"] {
        place.json(&["topic", "create", topic]);
        place
            .produce(topic, &format!("{topic}\n"), &[])
            .expect_code(0);
        assert!(
            eventually(SOON, || held().contains(&format!("{topic}\n"))),
            "{}",
            held()
        );
    }
    assert_eq!(
        held(),
        "later\nlatest\n",
        "the negative control: `lines` does not match"
    );
    // What the log knows of its readers serves `rewind`: it reads both.
    place.run(&["stop", "late"]).expect_code(0);
    let begin = ["offsets", "rewind", "late", "--to", "2020-01-01T00:00:00Z"];
    let mut rewound = Value::Null;
    assert!(eventually(SOON, || {
        let ran = run(place.command(&begin).args(["-o", "json"]));
        rewound = serde_json::from_str(ran.stdout.trim()).unwrap_or_default();
        ran.status.success()
    }));
    assert!(
        rewound.to_string().contains("latest") && rewound.to_string().contains("later"),
        "{rewound}"
    );
    place.stop();
}

#[test]
fn a_pattern_beside_topics_a_bad_one_and_one_that_reads_its_own_letters_are_errors() {
    let scratch = Scratch::new();
    scratch.write("a.txt", "x\n");
    for (options, says) in [
        ("topics: [t], topics.regex: t", "exclude each other"),
        ("topics.regex: '('", "is not a valid regular expression"),
        ("topics.regex: ''", "is empty"),
        (
            "topics.regex: 'l.*', errors: { tolerance: all, deadletterqueue.topic.name: letters }",
            "`topics.regex` matches their topic",
        ),
    ] {
        let yaml = format!("connectors:\n{}{}", source("a", "t"), sink(options));
        let yaml = scratch.write("p.yaml", yaml);
        run_once(&yaml, &[]).expect_code(2).says(&["LS0205", says]);
    }
}

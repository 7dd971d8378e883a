//! The small pipelines that most tests run: lines of a file → topic → lines of a file.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Ran, Scratch, run_once};

/// One `lines → topic → lines` pipeline in a folder of its own, with room for more options.
pub(crate) struct Pipeline {
    pub(crate) scratch: Scratch,
    pub(crate) yaml: PathBuf,
}

impl Pipeline {
    /// Writes the pipeline with extra lines (`option: value`) for its source and its sink.
    pub(crate) fn new(source: &[&str], sink: &[&str]) -> Self {
        Self::with_formats("lines", source, sink)
    }

    pub(crate) fn csv(source: &[&str], sink: &[&str]) -> Self {
        Self::with_formats("csv", source, sink)
    }

    fn with_formats(format: &str, source: &[&str], sink: &[&str]) -> Self {
        let scratch = Scratch::new();
        let yaml = scratch.write("pipeline.yaml", text(format, source, sink));
        Self { scratch, yaml }
    }

    /// Writes the pipeline again with other options, as a user who edits the file.
    pub(crate) fn edit(&self, source: &[&str], sink: &[&str]) {
        fs::write(&self.yaml, text("lines", source, sink)).unwrap();
    }

    pub(crate) fn input(&self, content: impl AsRef<[u8]>) {
        self.scratch.write("in.txt", content);
    }

    pub(crate) fn output(&self) -> String {
        self.scratch.read("out.txt")
    }

    pub(crate) fn run(&self) -> Ran {
        run_once(&self.yaml, &["--timeout", "60s"])
    }
}

fn text(format: &str, source: &[&str], sink: &[&str]) -> String {
    let has = |lines: &[&str], key: &str| lines.iter().any(|line| line.starts_with(key));
    let lines = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| format!("    {line}\n"))
            .collect::<String>()
    };
    let output = if format == "csv" { "jsonl" } else { "lines" };
    let input = if has(source, "path:") {
        ""
    } else {
        "    path: in.txt\n"
    };
    let target = if has(sink, "path:") {
        ""
    } else {
        "    path: out.txt\n"
    };
    format!(
        "connectors:\n  in:\n    connector: file-source\n    format: {format}\n    topic: lines\n{input}{}  out:\n    \
         connector: file-sink\n    format: {output}\n    topics: [lines]\n{target}{}",
        lines(source),
        lines(sink)
    )
}

/// The summary that `run --once -o json` ends with.
#[track_caller]
pub(crate) fn summary(ran: &Ran) -> Value {
    serde_json::from_str(ran.stdout.trim()).unwrap_or_else(|error| {
        panic!(
            "stdout is not one JSON object: {error}\n{}\n--- stderr\n{}",
            ran.stdout, ran.stderr
        )
    })
}

/// How many records a connector read or wrote, by the summary.
#[track_caller]
pub(crate) fn records(summary: &Value, connector: &str) -> u64 {
    let connectors = summary["connectors"].as_array().unwrap();
    let found = connectors.iter().find(|one| one["name"] == connector);
    found.unwrap_or_else(|| panic!("no connector `{connector}` in {summary}"))["records"]
        .as_u64()
        .unwrap()
}

/// `n` numbered lines.
pub(crate) fn numbered(numbers: std::ops::Range<u32>) -> String {
    numbers.map(|number| format!("line {number}\n")).collect()
}

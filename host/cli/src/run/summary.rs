//! What a bounded job says at its end: a line per connector, one sum, and what to type next.

use std::time::Duration;

use linkspan_runtime::{ConnectorReport, RunReport};

use crate::args::Output;
use crate::shown::{structured, text};
use crate::terminal::{self, count};

/// Prints the report in the form asked for.
pub(crate) fn print(report: &RunReport, output: Output, resumed: bool, topics: &[String]) {
    for error in report
        .connectors
        .iter()
        .filter_map(|connector| connector.error.as_ref())
    {
        terminal::error(&error.code, &error.message, None);
    }
    match output {
        Output::Table => print_table(report, resumed, topics),
        Output::Json | Output::Yaml | Output::Name => {
            let value = serde_json::to_value(report).unwrap_or_default();
            structured(output, &value, |report| text(report, "run_id"));
        }
    }
}

fn print_table(report: &RunReport, resumed: bool, topics: &[String]) {
    let width = report
        .connectors
        .iter()
        .map(|connector| connector.name.len())
        .max()
        .unwrap_or(0);
    for connector in &report.connectors {
        terminal::line(&connector_line(connector, width));
    }
    terminal::line(&sum_line(report));
    if report.status != "ok" {
        return;
    }
    if resumed
        && report
            .connectors
            .iter()
            .all(|connector| connector.records == 0)
    {
        terminal::note(&format!(
            "nothing new: everything was read and written by an earlier run, and nothing was doubled.\n\
             To start over, remove the data directory and the output:\n  rm -r {}{}",
            quoted(&report.data_dir),
            outputs(report)
        ));
        return;
    }
    next_steps(report, topics);
}

fn connector_line(connector: &ConnectorReport, width: usize) -> String {
    let verb = if connector.kind == "source" {
        "read"
    } else {
        "written"
    };
    let file = match connector.files.as_slice() {
        [] => String::new(),
        [file] => format!("  {}", file.path),
        [first, others @ ..] => format!("  {} and {} more files", first.path, others.len()),
    };
    let state = if connector.state == "COMPLETED" {
        ""
    } else {
        connector.state.as_ref()
    };
    let parts = format!(
        "{:<6}  {:<width$}  {} {verb}  {state}{file}",
        connector.kind,
        connector.name,
        count(connector.records)
    );
    parts.trim_end().to_owned()
}

/// `ok: 1,458 read = 1,458 written + 0 filtered + 0 dead letters · 0.2 s · run ID`
fn sum_line(report: &RunReport) -> String {
    let total = |kind: &str| {
        report
            .connectors
            .iter()
            .filter(|c| c.kind == kind)
            .map(|c| c.records)
            .sum::<u64>()
    };
    let filtered: u64 = report
        .connectors
        .iter()
        .map(|connector| connector.filtered)
        .sum();
    let dead: u64 = report
        .connectors
        .iter()
        .map(|connector| connector.dlq)
        .sum();
    let skipped: u64 = report
        .connectors
        .iter()
        .map(|connector| connector.skipped)
        .sum();
    let sinks: Vec<&ConnectorReport> = report
        .connectors
        .iter()
        .filter(|connector| connector.kind == "sink")
        .collect();
    let read = total("source");
    let adds_up = |sink: &ConnectorReport| sink.records + filtered + dead + skipped == read;
    let mut rest = format!(
        "{} filtered + {} dead letters",
        count(filtered),
        count(dead)
    );
    if skipped > 0 {
        rest += &format!(" + {} skipped", count(skipped));
    }
    let sum = match sinks.as_slice() {
        [] => format!("{} read into the log, no sink", count(read)),
        [sink] if adds_up(sink) || report.status != "ok" => {
            let equals = if adds_up(sink) { "=" } else { "·" };
            format!(
                "{} read {equals} {} written + {rest}",
                count(read),
                count(sink.records)
            )
        }
        [sink] => {
            format!(
                "{} read · {} written + {rest} (records of earlier runs were waiting in the log)",
                count(read),
                count(sink.records)
            )
        }
        _ => {
            let each: Vec<String> = sinks
                .iter()
                .map(|sink| format!("{} {} written", sink.name, count(sink.records)))
                .collect();
            format!("{} read · {} + {rest}", count(read), each.join(", "))
        }
    };
    let time = terminal::duration(Duration::from_millis(report.duration_ms));
    format!("{}: {sum} · {time} · run {}", report.status, report.run_id)
}

fn outputs(report: &RunReport) -> String {
    report
        .connectors
        .iter()
        .filter(|connector| connector.kind == "sink")
        .flat_map(|connector| &connector.files)
        .map(|file| format!(" {}", quoted(&file.path)))
        .collect()
}

/// Endings of files that `head` shows nothing of.
const NOT_TEXT: [&str; 6] = [".parquet", ".avro", ".gz", ".zst", ".bz2", ".zip"];

fn next_steps(report: &RunReport, topics: &[String]) {
    let data = quoted(&report.data_dir);
    let output = report
        .connectors
        .iter()
        .filter(|connector| connector.kind == "sink")
        .find_map(|connector| connector.files.first())
        .filter(|file| NOT_TEXT.iter().all(|ending| !file.path.ends_with(*ending)));
    let mut steps = Vec::new();
    if let Some(file) = output {
        steps.push(format!("head -3 {}", quoted(&file.path)));
    }
    if let Some(topic) = topics.first() {
        steps.push(format!("linkspan consume {topic} --exit --data {data}"));
    }
    steps.push(format!("linkspan log stat --data {data}"));
    if steps.len() < 3 {
        steps.push("linkspan plugin list".to_owned());
    }
    terminal::note("try next:");
    for step in steps {
        terminal::note(&format!("  {}", with_program(&step)));
    }
}

/// `linkspan …` as it can be typed: by its path unless it was found through `PATH`.
fn with_program(step: &str) -> String {
    let Some(rest) = step.strip_prefix("linkspan ") else {
        return step.to_owned();
    };
    let called = std::env::args()
        .next()
        .unwrap_or_else(|| "linkspan".to_owned());
    format!("{} {rest}", quoted(&called))
}

fn quoted(text: &str) -> String {
    let plain = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "/._-+=:@,".contains(c));
    if plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

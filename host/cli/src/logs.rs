//! `linkspan logs`: what a running host has said of one connector lately.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use linkspan_rest::ConnectorCommand;
use serde_json::Value;

use crate::args::{LogsArgs, Output};
use crate::connectors::ask;
use crate::exit::{Exit, Failure};
use crate::shown::{items, structured, text};
use crate::target::{Place, place};
use crate::terminal::{self, Colour};

/// How often `--watch` looks for new lines.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(crate) fn run(args: &LogsArgs) -> Result<Exit, Failure> {
    let at = &args.target.at;
    let (host, runtime) = match place(at, false)? {
        Place::Host(host, runtime) => (host, runtime),
        here @ Place::Here(_) => {
            here.close()?;
            let message = format!("no host runs on `{}`", at.data().display());
            return Err(Failure::new(Exit::Environment, "LS0618", message).help(
                "a host keeps the last lines of each connector while it runs; older ones are where `host.logging` sends them",
            ));
        }
    };
    // A name that nobody knows has no lines either.
    ask(&args.name, &ConnectorCommand::Describe, at)?;
    let path = format!(
        "/api/v1/connectors/{}/logs?level={}",
        linkspan_rest::path_segment(&args.name),
        args.level.word()
    );
    let mut after: Option<u64> = None;
    loop {
        let asked = match after {
            None => format!("{path}&limit={}", args.limit),
            Some(after) => format!("{path}&after={after}"),
        };
        let told = runtime.block_on(host.call("GET", &asked, None))?;
        show(&told, args.target.output, args.watch);
        after = told.get("next").and_then(Value::as_u64).or(after);
        if !args.watch || terminal::stdout_failure().is_some() {
            return Ok(Exit::Ok);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Prints an answer; of one that is watched each line is a value of its own.
fn show(told: &Value, output: Output, watched: bool) {
    let dropped = told.get("dropped").and_then(Value::as_u64).unwrap_or(0);
    if dropped > 0 {
        terminal::note(&format!("{dropped} lines came faster than they were read"));
    }
    let lines = || items(told, "lines");
    if output == Output::Table {
        return lines().for_each(|line| terminal::line(&sentence(line)));
    }
    if watched {
        return lines().for_each(|line| {
            structured(output, line, message);
        });
    }
    let all: Value = lines().cloned().collect();
    structured(output, &all, message);
}

fn message(line: &Value) -> String {
    text(line, "message")
}

/// One line for people: when, how grave, which task, what, with what.
fn sentence(line: &Value) -> String {
    let at = line.get("t_ms").and_then(Value::as_i64);
    let at = at.and_then(DateTime::from_timestamp_millis);
    let at = at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
    let level = text(line, "level");
    let colour = match level.as_str() {
        "ERROR" => Some(Colour::Red),
        "WARN" => Some(Colour::Yellow),
        _ => None,
    };
    let padded = format!("{level:<5}");
    let level = colour.map_or_else(
        || padded.clone(),
        |colour| terminal::painted(colour, &padded),
    );
    let mut sentence = format!("{} {level} ", at.unwrap_or_default());
    if let Some(task) = line.get("task").and_then(Value::as_str) {
        sentence.push_str(task);
        sentence.push_str(": ");
    }
    sentence.push_str(&message(line));
    let fields = line.get("fields").and_then(Value::as_object);
    for (name, value) in fields.into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        sentence.push_str(&format!(" {name}={value}"));
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_says_when_how_grave_who_and_what() {
        let line = json!({
            "t_ms": 1_764_000_000_123_i64, "level": "WARN", "task": "in/0", "message": "goes on",
            "fields": { "code": "LS0412" },
        });
        assert_eq!(
            sentence(&line),
            "2025-11-24T16:00:00.123Z WARN  in/0: goes on code=LS0412"
        );
        let bare =
            json!({ "t_ms": 0, "level": "INFO", "task": null, "message": "m", "fields": {} });
        assert_eq!(sentence(&bare), "1970-01-01T00:00:00.000Z INFO  m");
    }
}

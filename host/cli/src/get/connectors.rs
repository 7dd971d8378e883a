//! Connectors and their tasks, for people.

use std::time::Duration;

use serde_json::Value;

use crate::shown::text;
use crate::terminal::{self, Table};

pub(super) fn print_list(rows: &Value) {
    let mut table = Table::new(&["connector", "type", "state", "tasks", "records", "error"]);
    for row in rows.as_array().into_iter().flatten() {
        table.row([
            text(row, "name"),
            text(row, "type"),
            state(row),
            tasks(row),
            text(row, "records"),
            text(row, "error"),
        ]);
    }
    table.print("no connector is known here; `linkspan run FILE.yaml` starts those of a file");
}

/// The columns of tasks, whose rows name their connector.
pub(super) fn print_tasks(rows: &Value) {
    let columns = [
        "connector",
        "task",
        "state",
        "starts",
        "restarts",
        "records",
    ];
    let mut table = Table::new(&columns);
    for row in rows.as_array().into_iter().flatten() {
        table.row([
            text(row, "connector"),
            text(row, "id"),
            with_next_attempt(row),
            text(row, "starts"),
            text(row, "restarts"),
            text(row, "records"),
        ]);
    }
    table.print("no connector has tasks here; `linkspan get connectors` shows their states");
}

/// The state, and what makes it worth a look.
pub(crate) fn state(row: &Value) -> String {
    let mut state = with_next_attempt(row);
    if let Some(stage) = row.get("stage").and_then(Value::as_str) {
        let since = row.get("stage_ms").and_then(Value::as_u64).unwrap_or(0);
        state.push_str(&format!(", {stage} for {} s", since / 1000));
    }
    if row.get("left") == Some(&Value::Bool(true)) {
        state.push_str(" (left its file)");
    }
    if let Some(next) = row.get("next").and_then(Value::as_str) {
        state.push_str(&format!(", next {next}"));
    }
    state
}

/// The state, and when what failed is tried again.
fn with_next_attempt(row: &Value) -> String {
    let state = text(row, "state");
    match row.get("next_attempt_ms").and_then(Value::as_u64) {
        Some(ms) => format!(
            "{state}, next attempt in {:.1} s",
            Duration::from_millis(ms).as_secs_f64()
        ),
        None => state,
    }
}

/// The states of the tasks, counted.
pub(crate) fn tasks(row: &Value) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for task in row
        .get("tasks")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        // A job shows the words alone.
        let word = task
            .as_str()
            .map_or_else(|| text(task, "state"), str::to_owned);
        *counts.entry(word).or_insert(0_u32) += 1;
    }
    if counts.is_empty() {
        return "none".to_owned();
    }
    let parts: Vec<_> = counts
        .into_iter()
        .map(|(word, n)| format!("{n} {word}"))
        .collect();
    parts.join(", ")
}

pub(super) fn print_description(row: &Value) {
    terminal::line(&format!(
        "{} {}, class {}, of {}\nstate {}, wanted {}, {} records, {} lost, {} zombies",
        text(row, "type"),
        text(row, "name"),
        text(row, "class"),
        text(row, "origin"),
        state(row),
        text(row, "target"),
        text(row, "records"),
        text(row, "lost"),
        text(row, "zombies"),
    ));
    if let Some(trace) = row.get("trace").and_then(Value::as_str) {
        terminal::line(trace);
    }
    terminal::line("");
    let mut table = Table::new(&["task", "state", "starts", "restarts", "records", "error"]);
    for task in row
        .get("tasks")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let hung = task.get("hung_ms").and_then(Value::as_u64);
        let mut state = with_next_attempt(task);
        if let Some(ms) = hung {
            state.push_str(&format!(", hangs for {} s", ms / 1000));
        }
        table.row([
            text(task, "id"),
            state,
            text(task, "starts"),
            text(task, "restarts"),
            text(task, "records"),
            text(task, "trace"),
        ]);
    }
    table.print("it has no tasks");
}

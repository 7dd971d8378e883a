//! `linkspan runs`: the records of what ran. On this machine they are files, of a running host or a stopped data directory
//! alike; a host elsewhere is asked.

use std::path::PathBuf;

use serde_json::Value;

use crate::args::{At, RunsCommand, Target};
use crate::exit::{Exit, Failure};
use crate::open::check_exists;
use crate::run::records;
use crate::shown::{items, structured, text};
use crate::target::{Place, place};
use crate::terminal::{self, Table};
use crate::{client, context};

pub(crate) fn run(command: &RunsCommand) -> Result<Exit, Failure> {
    match command {
        RunsCommand::List { limit, target } => {
            let rows = rows(&target.at, *limit)?;
            if !structured(target.output, &rows, |row| text(row, "run_id")) {
                print_list(&rows);
            }
            Ok(Exit::Ok)
        }
        RunsCommand::Show { id, target } => show(id, target),
    }
}

/// The data directory of this machine that is meant.
fn here(at: &At) -> Result<PathBuf, Failure> {
    let data = at.data();
    check_exists(&data)?;
    Ok(data)
}

/// Returns the records of runs, newest first.
pub(crate) fn rows(at: &At, limit: usize) -> Result<Value, Failure> {
    if let Some(host) = context::elsewhere(at)? {
        let path = format!("/api/v1/runs?limit={limit}");
        return client::runtime()?.block_on(host.call("GET", &path, None));
    }
    let data = here(at)?;
    let rows = records::list(&data, limit).map_err(|error| {
        let message = format!("could not read the runs of `{}`: {error}", data.display());
        Failure::new(Exit::Environment, "LS0704", message)
    })?;
    Ok(Value::from(rows))
}

/// The record of one run.
fn find(at: &At, id: &str) -> Result<Value, Failure> {
    if let Some(host) = context::elsewhere(at)? {
        let path = format!("/api/v1/runs/{}", linkspan_rest::path_segment(id));
        return client::runtime()?.block_on(host.call("GET", &path, None));
    }
    records::find(&here(at)?, id)
}

pub(crate) fn print_list(rows: &Value) {
    let mut table = Table::new(&[
        "run",
        "job",
        "trigger",
        "status",
        "started",
        "duration",
        "read",
        "written",
        "dead letters",
    ]);
    for row in rows.as_array().into_iter().flatten() {
        table.row([
            text(row, "run_id"),
            text(row, "job"),
            text(row, "trigger"),
            text(row, "status"),
            text(row, "started"),
            duration(row),
            sum(row, Some("source"), "records"),
            sum(row, Some("sink"), "records"),
            sum(row, None, "dlq"),
        ]);
    }
    table.print("nothing ran here yet; `linkspan run --once FILE.yaml` runs a job");
}

fn duration(row: &Value) -> String {
    row.get("duration_ms")
        .and_then(Value::as_u64)
        .map(|ms| terminal::duration(std::time::Duration::from_millis(ms)))
        .unwrap_or_default()
}

fn sum(row: &Value, kind: Option<&str>, field: &str) -> String {
    let sum = items(row, "connectors")
        .filter(|connector| kind.is_none_or(|kind| text(connector, "type") == kind))
        .filter_map(|connector| connector.get(field)?.as_u64())
        .sum();
    terminal::count(sum)
}

fn show(id: &str, target: &Target) -> Result<Exit, Failure> {
    let record = find(&target.at, id)?;
    if structured(target.output, &record, |record| text(record, "run_id")) {
        return Ok(Exit::Ok);
    }
    print_head(&record);
    terminal::line("");
    print_connectors(&record);
    for warning in items(&record, "warnings") {
        terminal::line(&coded(warning));
    }
    Ok(Exit::Ok)
}

/// `LS0404: what happened`.
fn coded(value: &Value) -> String {
    format!("{}: {}", text(value, "code"), text(value, "message"))
}

fn print_head(record: &Value) {
    let line = |name: &str, what: &str| terminal::line(&format!("{name:<13}  {what}"));
    for field in [
        "run_id",
        "job",
        "trigger",
        "due",
        "rerun_of",
        "status",
        "exit_code",
        "started",
        "ended",
        "config_sha256",
    ] {
        if record.get(field).is_some() {
            line(field, &text(record, field));
        }
    }
    if let Some(asked) = record.get("asked") {
        for path in items(asked, "paths").filter_map(Value::as_str) {
            line("file", path);
        }
    }
    let params = record.get("params").and_then(Value::as_object);
    for (name, value) in params.into_iter().flatten() {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        line("param", &format!("{name}={value}"));
    }
    if let Some(error) = record.get("error") {
        line("error", &coded(error));
    }
}

fn print_connectors(record: &Value) {
    let mut table = Table::new(&[
        "connector",
        "type",
        "state",
        "records",
        "filtered",
        "dead letters",
        "bytes",
        "error",
    ]);
    let mut files = Table::new(&["file", "records", "bytes", "sha256"]);
    for connector in items(record, "connectors") {
        let error = connector.get("error").filter(|error| !error.is_null());
        let cells = [
            "name", "type", "state", "records", "filtered", "dlq", "bytes",
        ]
        .map(|field| text(connector, field));
        table.row(
            cells
                .into_iter()
                .chain([error.map(coded).unwrap_or_default()]),
        );
        for file in items(connector, "files") {
            files.row(["path", "records", "bytes", "sha256"].map(|field| text(file, field)));
        }
    }
    table.print("it has no connectors to show");
    if files.has_rows() {
        terminal::line("");
        files.print("");
    }
}

/// `linkspan jobs`: only a running host knows what comes next.
pub(crate) fn jobs(target: &Target) -> Result<Exit, Failure> {
    let rows = job_rows(&target.at)?;
    if !structured(target.output, &rows, |row| text(row, "job")) {
        print_jobs(&rows);
    }
    Ok(Exit::Ok)
}

/// Returns the jobs of a running host.
pub(crate) fn job_rows(at: &At) -> Result<Value, Failure> {
    match place(at, false)? {
        Place::Host(host, runtime) => runtime.block_on(host.call("GET", "/api/v1/jobs", None)),
        here @ Place::Here(_) => {
            here.close()?;
            terminal::note(
                "no host runs here: nothing is scheduled; `linkspan runs list` shows what ran",
            );
            Ok(Value::Array(Vec::new()))
        }
    }
}

pub(crate) fn print_jobs(rows: &Value) {
    let mut table = Table::new(&[
        "job",
        "state",
        "schedule",
        "timezone",
        "next",
        "last",
        "connectors",
    ]);
    for row in rows.as_array().into_iter().flatten() {
        let last = row.get("last").filter(|last| !last.is_null());
        let names: Vec<&str> = items(row, "connectors").filter_map(Value::as_str).collect();
        table.row([
            text(row, "job"),
            text(row, "state"),
            text(row, "schedule"),
            text(row, "timezone"),
            text(row, "next"),
            last.map(|last| text(last, "status")).unwrap_or_default(),
            names.join(", "),
        ]);
    }
    table.print("no job is scheduled, and none works now");
}

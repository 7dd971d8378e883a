//! `get`, `describe`, `pause`, `resume`, `stop`, `restart`, `delete`, `offsets`: of a running host over its socket, of a
//! stopped data directory here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use linkspan_log::LogBackend;
use linkspan_rest::{ConnectorCommand, From as Start, Refusal};
use linkspan_runtime::{Offline, OffsetsChange, Refused, Target as State};
use linkspan_types::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::args::{OffsetsCommand, Output, RestartArgs, Target};
use crate::exit::{Exit, Failure};
use crate::socket;
use crate::target::{Place, confirm, place};
use crate::terminal::{self, Table};
use crate::topic::text;

pub(crate) fn get(name: Option<&str>, target: &Target) -> Result<Exit, Failure> {
    let rows = match name {
        Some(name) => vec![ask(name, &ConnectorCommand::Describe, target)?],
        None => match list(&target.data)? {
            Value::Array(rows) => rows,
            other => vec![other],
        },
    };
    if target.output == Output::Json {
        terminal::line(&match name {
            Some(_) => rows.into_iter().next().unwrap_or_default().to_string(),
            None => Value::from(rows).to_string(),
        });
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["connector", "type", "state", "tasks", "records", "error"]);
    for row in &rows {
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
    Ok(Exit::Ok)
}

/// Makes the running host take over its files.
pub(crate) fn apply(target: &Target) -> Result<Exit, Failure> {
    let at = place(&target.data, false)?;
    let done = match &at {
        Place::Here(_) => {
            return Err(Failure::new(
                Exit::Invalid,
                "LS0618",
                format!("no host runs on `{}`", target.data.display()),
            )
            .help("`linkspan run FILE.yaml` starts one, which reads its files anyway"));
        }
        Place::Host(data, runtime) => {
            runtime.block_on(socket::call(data, "POST", "/api/v1/apply", None))?
        }
    };
    at.close()?;
    answer(target, &done, |done| {
        for word in ["started", "restarted", "left"] {
            for name in done
                .get(word)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                terminal::line(&format!("{} {word}", name.as_str().unwrap_or_default()));
            }
        }
        terminal::line(&format!("{} not touched", text(done, "unchanged")));
    })
}

/// The state, and what makes it worth a look.
fn state(row: &Value) -> String {
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
fn tasks(row: &Value) -> String {
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

pub(crate) fn describe(name: &str, target: &Target) -> Result<Exit, Failure> {
    let row = ask(name, &ConnectorCommand::Describe, target)?;
    answer(target, &row, |row| {
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
    })
}

pub(crate) fn pause(name: &str, target: &Target) -> Result<Exit, Failure> {
    command(name, &ConnectorCommand::Pause, target, "PAUSED")
}

pub(crate) fn resume(name: &str, target: &Target) -> Result<Exit, Failure> {
    command(name, &ConnectorCommand::Resume, target, "RUNNING")
}

pub(crate) fn stop(name: &str, target: &Target) -> Result<Exit, Failure> {
    command(name, &ConnectorCommand::Stop, target, "STOPPED")
}

fn command(
    name: &str,
    command: &ConnectorCommand,
    target: &Target,
    wanted: &str,
) -> Result<Exit, Failure> {
    let row = ask(name, command, target)?;
    answer(target, &row, |_| {
        terminal::line(&format!("connector {name} is to be {wanted}"));
    })
}

pub(crate) fn restart(args: &RestartArgs) -> Result<Exit, Failure> {
    let command = match args.task {
        Some(task) => ConnectorCommand::RestartTask(task),
        None => ConnectorCommand::Restart {
            include_tasks: args.include_tasks,
            only_failed: args.only_failed,
        },
    };
    let row = ask(&args.name, &command, &args.target)?;
    answer(&args.target, &row, |row| {
        terminal::line(&format!(
            "connector {}: {}, tasks: {}",
            args.name,
            state(row),
            tasks(row)
        ));
    })
}

pub(crate) fn delete(name: &str, yes: bool, target: &Target) -> Result<Exit, Failure> {
    ask(name, &ConnectorCommand::Describe, target)?;
    confirm(
        yes,
        &format!("forget connector `{name}` with all its offsets"),
    )?;
    let row = ask(name, &ConnectorCommand::Delete, target)?;
    answer(target, &row, |_| {
        terminal::line(&format!("forgot connector {name}"))
    })
}

pub(crate) fn offsets(command: OffsetsCommand) -> Result<Exit, Failure> {
    match command {
        OffsetsCommand::Get { name, target } => {
            let offsets = ask(&name, &ConnectorCommand::Offsets, &target)?;
            answer(&target, &offsets, print_offsets)
        }
        OffsetsCommand::Set {
            name,
            offsets,
            target,
        } => {
            let body = body(&offsets)?;
            message(&name, &ConnectorCommand::AlterOffsets(body), &target)
        }
        OffsetsCommand::Reset { name, yes, target } => {
            ask(&name, &ConnectorCommand::Offsets, &target)?;
            confirm(yes, &format!("remove all offsets of connector `{name}`"))?;
            message(&name, &ConnectorCommand::ResetOffsets, &target)
        }
        OffsetsCommand::Rewind { name, to, target } => {
            let Ok(Start::Time(time)) = to.parse::<Start>() else {
                return Err(Failure::new(
                    Exit::Invalid,
                    "LS0220",
                    format!("--to {to}: expected a time such as 2026-11-01T00:00:00Z"),
                ));
            };
            message(&name, &ConnectorCommand::RewindOffsets(time), &target)
        }
    }
}

fn message(name: &str, command: &ConnectorCommand, target: &Target) -> Result<Exit, Failure> {
    let done = ask(name, command, target)?;
    answer(target, &done, |done| {
        terminal::line(&text(done, "message"));
        print_offsets(done);
    })
}

fn print_offsets(value: &Value) {
    for row in value
        .get("offsets")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        terminal::line(&format!(
            "{} → {}",
            text(row, "partition"),
            text(row, "offset")
        ));
    }
}

/// JSON, or `@FILE` with JSON in it.
fn body(text: &str) -> Result<Value, Failure> {
    let refused = |message: String| Failure::new(Exit::Invalid, "LS0613", message);
    let json = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| refused(format!("could not read `{file}`: {error}")))?,
        None => text.to_owned(),
    };
    serde_json::from_str(&json)
        .map_err(|error| refused(format!("the offsets are not JSON: {error}")))
}

fn answer(target: &Target, value: &Value, people: impl FnOnce(&Value)) -> Result<Exit, Failure> {
    match target.output {
        Output::Json => terminal::line(&value.to_string()),
        Output::Table => people(value),
    }
    Ok(Exit::Ok)
}

fn list(data: &Path) -> Result<Value, Failure> {
    let at = place(data, false)?;
    let rows = match &at {
        Place::Here(log) => {
            let statuses = Offline::new(Arc::clone(log)).statuses().map_err(refuse)?;
            json!(statuses)
        }
        Place::Host(data, runtime) => {
            runtime.block_on(socket::call(data, "GET", "/api/v1/connectors", None))?
        }
    };
    at.close()?;
    Ok(rows)
}

/// Performs a command where the log is.
fn ask(name: &str, command: &ConnectorCommand, target: &Target) -> Result<Value, Failure> {
    let at = place(&target.data, command.writes())?;
    let done = match &at {
        Place::Here(log) => at_rest(log, name, command).map_err(refuse)?,
        Place::Host(data, runtime) => {
            let (method, path, body) = command.request(name);
            runtime.block_on(socket::call(data, method, &path, body))?
        }
    };
    at.close()?;
    Ok(done)
}

/// What the command does where no host runs.
fn at_rest(
    log: &Arc<dyn LogBackend>,
    name: &str,
    command: &ConnectorCommand,
) -> Result<Value, Refused> {
    let offline = Offline::new(Arc::clone(log));
    let set = |state: State| {
        offline.set_target(name, state, SystemClock::default().now_ms())?;
        terminal::note("no host runs here: it holds from the next start on");
        Ok(json!(offline.status(name)?))
    };
    match command {
        ConnectorCommand::Describe => Ok(json!(offline.status(name)?)),
        ConnectorCommand::Pause => set(State::Paused),
        ConnectorCommand::Resume => set(State::Started),
        ConnectorCommand::Stop => set(State::Stopped),
        ConnectorCommand::Restart { .. } | ConnectorCommand::RestartTask(_) => {
            terminal::note("no host runs here: there is nothing to restart");
            Ok(json!(offline.status(name)?))
        }
        ConnectorCommand::Delete => {
            offline.delete(name)?;
            Ok(json!({ "deleted": name }))
        }
        ConnectorCommand::Offsets => offline.offsets(name),
        ConnectorCommand::AlterOffsets(body) => {
            offline.change_offsets(name, &OffsetsChange::Set(body.clone()))
        }
        ConnectorCommand::ResetOffsets => offline.change_offsets(name, &OffsetsChange::Reset),
        ConnectorCommand::RewindOffsets(time) => {
            offline.change_offsets(name, &OffsetsChange::Rewind(*time))
        }
    }
}

/// One shape of refusal for the socket and for here.
pub(crate) fn refusal(refused: Refused) -> Refusal {
    let refusal = Refusal::new(refused.status, refused.code, refused.message);
    match refused.help {
        Some(help) => refusal.help(help),
        None => refusal,
    }
}

fn refuse(refused: Refused) -> Failure {
    Failure::from(refusal(refused))
}

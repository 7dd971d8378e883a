//! Commands to connectors: `apply`, `pause`, `resume`, `stop`, `restart`, `delete`, `offsets`: of a running host over its
//! socket or the network, of a stopped data directory here. Not here: `get` and `describe` (see `get`).

use std::sync::Arc;

use linkspan_log::LogBackend;
use linkspan_rest::{ConnectorCommand, From as Start, Refusal};
use linkspan_runtime::{Offline, OffsetsChange, Refused, Target as State};
use linkspan_types::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::args::{At, NamesArgs, OffsetsCommand, RestartArgs, SelectArgs, Target};
use crate::exit::{Exit, Failure};
use crate::get::connectors::{state, tasks};
use crate::shown::{items, names_in, structured, text};
use crate::suggest::{fits, meant};
use crate::target::{Place, confirm, place};
use crate::terminal;

/// Makes the running host take over its files.
pub(crate) fn apply(target: &Target) -> Result<Exit, Failure> {
    let at = place(&target.at, false)?;
    let done = match &at {
        Place::Here(_) => {
            return Err(Failure::new(
                Exit::Environment,
                "LS0618",
                format!("no host runs on `{}`", target.at.data().display()),
            )
            .help("`linkspan run FILE.yaml` starts one, which reads its files anyway"));
        }
        Place::Host(host, runtime) => runtime.block_on(host.call("POST", "/api/v1/apply", None))?,
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

/// Asks the running host; only one has files to take over, or connectors to write down.
fn of_host(target: &Target, path: &str) -> Result<Value, Failure> {
    let at = place(&target.at, false)?;
    let told = match &at {
        Place::Here(_) => {
            return Err(Failure::new(
                Exit::Environment,
                "LS0618",
                format!("no host runs on `{}`", target.at.data().display()),
            )
            .help(
                "`linkspan run FILE.yaml` starts one; `linkspan validate FILE.yaml` needs none",
            ));
        }
        Place::Host(host, runtime) => runtime.block_on(host.call("GET", path, None))?,
    };
    at.close()?;
    Ok(told)
}

/// Says what `apply` would do.
pub(crate) fn plan(target: &Target) -> Result<Exit, Failure> {
    let told = of_host(target, "/api/v1/config/plan")?;
    let valid = told.get("valid") == Some(&Value::Bool(true));
    let name = |told: &Value| {
        let of = |word| {
            names_in(told, word, |name| {
                name.as_str().unwrap_or_default().to_owned()
            })
        };
        let names = ["started", "restarted", "left"].map(of);
        let names: Vec<String> = names
            .into_iter()
            .filter(|names| !names.is_empty())
            .collect();
        names.join("\n")
    };
    if !structured(target.output, &told, name) {
        for problem in items(&told, "diagnostics") {
            let place = match problem.get("file").and_then(Value::as_str) {
                Some(file) => format!(
                    "{file}:{}:{}: ",
                    text(problem, "line"),
                    text(problem, "column")
                ),
                None => String::new(),
            };
            let (severity, code) = (text(problem, "severity"), text(problem, "code"));
            terminal::line(&format!(
                "{severity}[{code}]: {place}{}",
                text(problem, "message")
            ));
        }
        for (word, will) in [
            ("started", "starts"),
            ("restarted", "restarts"),
            ("left", "stops, its offsets stay"),
        ] {
            for name in items(&told, word) {
                terminal::line(&format!("{} {will}", name.as_str().unwrap_or_default()));
            }
        }
        if valid {
            terminal::line(&format!(
                "{} not touched; `linkspan apply` does it",
                text(&told, "unchanged")
            ));
        } else {
            terminal::line("the files are not valid: `linkspan apply` would change nothing");
        }
    }
    Ok(if valid { Exit::Ok } else { Exit::Invalid })
}

/// Prints the connectors of the running host as YAML.
pub(crate) fn export(target: &Target) -> Result<Exit, Failure> {
    let told = of_host(target, "/api/v1/config/export")?;
    if !structured(target.output, &told, |told| text(told, "yaml")) {
        terminal::line(text(&told, "yaml").trim_end());
    }
    Ok(Exit::Ok)
}

pub(crate) fn pause(args: &NamesArgs) -> Result<Exit, Failure> {
    command(args, &ConnectorCommand::Pause, "PAUSED")
}

pub(crate) fn resume(args: &NamesArgs) -> Result<Exit, Failure> {
    command(args, &ConnectorCommand::Resume, "RUNNING")
}

pub(crate) fn stop(args: &NamesArgs) -> Result<Exit, Failure> {
    command(args, &ConnectorCommand::Stop, "STOPPED")
}

fn command(args: &NamesArgs, command: &ConnectorCommand, wanted: &str) -> Result<Exit, Failure> {
    each(&args.select, command, &args.target, |row| {
        format!("connector {} is to be {wanted}", text(row, "name"))
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
    each(&args.select, &command, &args.target, |row| {
        let name = text(row, "name");
        format!("connector {name}: {}, tasks: {}", state(row), tasks(row))
    })
}

/// Tells each of the connectors that are meant. One that refuses does not keep the others from it.
fn each(
    select: &SelectArgs,
    command: &ConnectorCommand,
    target: &Target,
    people: impl Fn(&Value) -> String,
) -> Result<Exit, Failure> {
    let at = place(&target.at, command.writes())?;
    let one = matches!(select.names.as_slice(), [name] if !name.contains('*'));
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    for name in chosen(&at, select)? {
        match ask_at(&at, &name, command) {
            Ok(row) => rows.push(row),
            Err(failure) => failures.push(failure),
        }
    }
    at.close()?;
    let done = rows.len();
    let value = match rows.pop() {
        Some(row) if one => row,
        last => rows.into_iter().chain(last).collect(),
    };
    // A failure alone takes the place of the result.
    let shown = done > 0 || failures.is_empty();
    if shown && !structured(target.output, &value, |row| text(row, "name")) {
        match &value {
            Value::Array(rows) => rows.iter().for_each(|row| terminal::line(&people(row))),
            row => terminal::line(&people(row)),
        }
    }
    let last = failures.pop();
    for failure in failures {
        failure.report();
    }
    match last {
        None => Ok(Exit::Ok),
        Some(failure) if done == 0 => Err(failure),
        Some(failure) => {
            failure.report();
            Ok(Exit::Partial)
        }
    }
}

/// The connectors that are meant. A name without a star is taken as it is: whether it is known shows when it is told.
fn chosen(at: &Place, select: &SelectArgs) -> Result<Vec<String>, Failure> {
    if !select.all && select.names.iter().all(|name| !name.contains('*')) {
        return Ok(select.names.clone());
    }
    let known = known(at)?;
    if select.all {
        return Ok(known);
    }
    let mut chosen: Vec<String> = Vec::new();
    for pattern in &select.names {
        let fitting: Vec<&String> = if pattern.contains('*') {
            known.iter().filter(|name| fits(pattern, name)).collect()
        } else {
            vec![pattern]
        };
        if fitting.is_empty() {
            let message = format!("no connector is called `{pattern}`");
            return Err(Failure::new(Exit::Invalid, "LS0610", message).help(meant(
                pattern,
                &known,
                "connectors here",
            )));
        }
        for name in fitting {
            if !chosen.contains(name) {
                chosen.push(name.clone());
            }
        }
    }
    Ok(chosen)
}

/// The names of all connectors.
fn known(at: &Place) -> Result<Vec<String>, Failure> {
    let rows = list_at(at)?;
    let rows = rows.as_array().into_iter().flatten();
    Ok(rows.map(|row| text(row, "name")).collect())
}

pub(crate) fn delete(name: &str, yes: bool, target: &Target) -> Result<Exit, Failure> {
    ask(name, &ConnectorCommand::Describe, &target.at)?;
    confirm(
        yes,
        &format!("forget connector `{name}` with all its offsets"),
    )?;
    let row = ask(name, &ConnectorCommand::Delete, &target.at)?;
    answer(target, &row, |_| {
        terminal::line(&format!("forgot connector {name}"))
    })
}

pub(crate) fn offsets(command: OffsetsCommand) -> Result<Exit, Failure> {
    match command {
        OffsetsCommand::Get { name, target } => {
            let offsets = ask(&name, &ConnectorCommand::Offsets, &target.at)?;
            answer(&target, &offsets, print_offsets)
        }
        OffsetsCommand::Set {
            name,
            offsets,
            dry_run,
            target,
        } => {
            let command = ConnectorCommand::AlterOffsets(body(&offsets)?);
            message(&name, &maybe(dry_run, command), &target)
        }
        OffsetsCommand::Reset {
            name,
            dry_run: true,
            target,
            ..
        } => message(&name, &maybe(true, ConnectorCommand::ResetOffsets), &target),
        OffsetsCommand::Reset {
            name, yes, target, ..
        } => {
            ask(&name, &ConnectorCommand::Offsets, &target.at)?;
            confirm(yes, &format!("remove all offsets of connector `{name}`"))?;
            message(&name, &ConnectorCommand::ResetOffsets, &target)
        }
        OffsetsCommand::Rewind {
            name,
            to,
            dry_run,
            target,
        } => {
            let Ok(Start::Time(time)) = to.parse::<Start>() else {
                return Err(Failure::new(
                    Exit::Invalid,
                    "LS0220",
                    format!("--to {to}: expected a time such as 2026-11-01T00:00:00Z"),
                ));
            };
            let command = ConnectorCommand::RewindOffsets(time);
            message(&name, &maybe(dry_run, command), &target)
        }
    }
}

/// The command, or only what it would do.
fn maybe(dry_run: bool, command: ConnectorCommand) -> ConnectorCommand {
    if dry_run {
        return ConnectorCommand::Preview(Box::new(command));
    }
    command
}

fn message(name: &str, command: &ConnectorCommand, target: &Target) -> Result<Exit, Failure> {
    let done = ask(name, command, &target.at)?;
    answer(target, &done, |done| {
        if done.get("preview").is_some() {
            return print_preview(done);
        }
        terminal::line(&text(done, "message"));
        print_offsets(done);
    })
}

fn print_preview(done: &Value) {
    for change in items(done, "changes") {
        terminal::line(&format!(
            "{}: {} → {}",
            text(change, "partition"),
            text(change, "from"),
            text(change, "to")
        ));
    }
    terminal::note("nothing was changed (--dry-run)");
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

/// What `offsets set` takes.
const OFFSETS_FORM: &str = "write `{\"offsets\": [{\"partition\": {…}, \"offset\": {…}}]}` in quotes of the shell, or `@FILE`; `linkspan offsets get NAME -o json` prints it so";

/// JSON, or `@FILE` with JSON in it.
fn body(text: &str) -> Result<Value, Failure> {
    let refused = |message: String| Failure::new(Exit::Invalid, "LS0613", message);
    let json = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| refused(format!("could not read `{file}`: {error}")))?,
        None => text.to_owned(),
    };
    serde_json::from_str(&json)
        .map_err(|error| refused(format!("the offsets are not JSON: {error}")).help(OFFSETS_FORM))
}

fn answer(target: &Target, value: &Value, people: impl FnOnce(&Value)) -> Result<Exit, Failure> {
    if !structured(target.output, value, name) {
        people(value);
    }
    Ok(Exit::Ok)
}

/// What an answer is about: a connector, or the partitions of its offsets.
fn name(value: &Value) -> String {
    for field in ["name", "deleted"] {
        if value.get(field).is_some() {
            return text(value, field);
        }
    }
    names_in(value, "offsets", |row| text(row, "partition"))
}

/// Returns the states of all connectors.
pub(crate) fn list(at: &At) -> Result<Value, Failure> {
    let at = place(at, false)?;
    let rows = list_at(&at)?;
    at.close()?;
    Ok(rows)
}

fn list_at(at: &Place) -> Result<Value, Failure> {
    match at {
        Place::Here(log) => {
            let statuses = Offline::new(Arc::clone(log)).statuses().map_err(refuse)?;
            Ok(json!(statuses))
        }
        Place::Host(host, runtime) => {
            runtime.block_on(host.call("GET", "/api/v1/connectors", None))
        }
    }
}

/// Performs a command where the log is.
pub(crate) fn ask(name: &str, command: &ConnectorCommand, at: &At) -> Result<Value, Failure> {
    let at = place(at, command.writes())?;
    let done = ask_at(&at, name, command)?;
    at.close()?;
    Ok(done)
}

fn ask_at(at: &Place, name: &str, command: &ConnectorCommand) -> Result<Value, Failure> {
    let done = match at {
        Place::Here(log) => at_rest(log, name, command).map_err(refuse),
        Place::Host(host, runtime) => {
            let (method, path, body) = command.request(name);
            runtime.block_on(host.call(method, &path, body))
        }
    };
    done.map_err(|failure| {
        let unknown = failure.code == "LS0610";
        match known(at) {
            Ok(known) if unknown && !known.is_empty() && !known.iter().any(|of| of == name) => {
                failure.help(meant(name, &known, "connectors here"))
            }
            _ => failure,
        }
    })
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
        ConnectorCommand::Preview(of) => match offsets_change(of) {
            Some(change) => offline.preview_offsets(name, &change),
            None => Ok(json!(offline.status(name)?)),
        },
        ConnectorCommand::AlterOffsets(body) => {
            offline.change_offsets(name, &OffsetsChange::Set(body.clone()))
        }
        ConnectorCommand::ResetOffsets => offline.change_offsets(name, &OffsetsChange::Reset),
        ConnectorCommand::RewindOffsets(time) => {
            offline.change_offsets(name, &OffsetsChange::Rewind(*time))
        }
    }
}

/// The change of offsets that a command is, if it is one.
pub(crate) fn offsets_change(command: &ConnectorCommand) -> Option<OffsetsChange> {
    match command {
        ConnectorCommand::AlterOffsets(body) => Some(OffsetsChange::Set(body.clone())),
        ConnectorCommand::ResetOffsets => Some(OffsetsChange::Reset),
        ConnectorCommand::RewindOffsets(time) => Some(OffsetsChange::Rewind(*time)),
        _ => None,
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

//! `linkspan log stat` and `log verify`.

use http_body_util::BodyExt;
use linkspan_log::LogBackend;
use serde_json::Value;

use crate::args::{LogArgs, LogCommand, Output};
use crate::exit::{Exit, Failure};
use crate::open::{Opened, open};
use crate::{socket, terminal};

pub(crate) fn run(command: &LogCommand) -> Result<Exit, Failure> {
    match command {
        LogCommand::Stat(args) => stat(args),
        LogCommand::Verify(args) => verify(args),
    }
}

fn stat(args: &LogArgs) -> Result<Exit, Failure> {
    let stat = match open(&args.data)? {
        Opened::Stopped(log) => serde_json::to_value(log.stat()?).unwrap_or_default(),
        Opened::Running => socket::client_runtime()?.block_on(async {
            let body = socket::get(&args.data, "/api/v1/log/stat")
                .await?
                .into_body()
                .collect()
                .await;
            let bytes = body
                .map_err(|error| Failure::new(Exit::Environment, "LS0706", error))?
                .to_bytes();
            serde_json::from_slice::<Value>(&bytes)
                .map_err(|error| Failure::new(Exit::Runtime, "LS0601", error))
        })?,
    };
    match args.output {
        Output::Json => terminal::line(&stat.to_string()),
        Output::Table => print_stat(&stat),
    }
    Ok(Exit::Ok)
}

/// Prints the figures of the log, then a line per partition.
fn print_stat(stat: &Value) {
    let Some(object) = stat.as_object() else {
        return;
    };
    for (name, value) in object {
        if !value.is_array() && !value.is_object() {
            terminal::line(&format!("{name:<24} {}", plain(value)));
        }
    }
    for (name, value) in object {
        let Some(rows) = value.as_array() else {
            continue;
        };
        terminal::line(&format!("\n{name}"));
        for row in rows {
            print_row(row);
        }
    }
}

fn print_row(row: &Value) {
    let Some(fields) = row.as_object() else {
        return terminal::line(&format!("  {}", plain(row)));
    };
    let simple: Vec<String> = fields
        .iter()
        .filter(|(_, value)| !value.is_array() && !value.is_object())
        .map(|(name, value)| format!("{name}={}", plain(value)))
        .collect();
    terminal::line(&format!("  {}", simple.join("  ")));
    for rows in fields.values().filter_map(Value::as_array) {
        for row in rows {
            terminal::line(&format!("    {}", flat(row)));
        }
    }
}

fn flat(row: &Value) -> String {
    let Some(fields) = row.as_object() else {
        return plain(row);
    };
    fields
        .iter()
        .map(|(name, value)| format!("{name}={}", plain(value)))
        .collect::<Vec<_>>()
        .join("  ")
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn verify(args: &LogArgs) -> Result<Exit, Failure> {
    let report = match open(&args.data) {
        Ok(Opened::Stopped(log)) => log.verify(),
        Ok(Opened::Running) => {
            return Err(Failure::new(
                Exit::Environment,
                "LS0701",
                format!("a running host holds `{}`", args.data.display()),
            )
            .help("stop it first: `log verify` reads a stopped data directory"));
        }
        // What refuses to open is what `verify` is asked about: the failure names the file and the byte.
        Err(failure) => return Err(failure),
    };
    match args.output {
        Output::Json => terminal::line(&serde_json::to_string(&report).unwrap_or_default()),
        Output::Table => {
            for problem in &report.problems {
                terminal::line(&format!(
                    "{} at byte {}: {}",
                    problem.path.display(),
                    problem.offset,
                    problem.what
                ));
            }
            terminal::line(&format!(
                "{}: {} segments, {} batches, {} records, {} bytes, {} journal frames",
                if report.problems.is_empty() {
                    "sound"
                } else {
                    "damaged"
                },
                terminal::count(report.segments),
                terminal::count(report.batches),
                terminal::count(report.records),
                terminal::count(report.bytes),
                terminal::count(report.frames),
            ));
        }
    }
    Ok(if report.problems.is_empty() {
        Exit::Ok
    } else {
        Exit::Runtime
    })
}

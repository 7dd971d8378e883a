//! `linkspan log stat`: figures of the log.

use http_body_util::BodyExt;
use linkspan_log::LogBackend;
use serde_json::Value;

use crate::args::{LogArgs, Output};
use crate::exit::{Exit, Failure};
use crate::open::{Opened, open};
use crate::{socket, terminal};

pub(super) fn run(args: &LogArgs) -> Result<Exit, Failure> {
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

//! `linkspan log stat`: figures of the log.

use http_body_util::BodyExt;
use linkspan_log::{LogBackend, LogStat};
use serde_json::Value;

use super::figures;
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
        Output::Table => print_stat(stat)?,
    }
    Ok(Exit::Ok)
}

/// Prints the figures for people.
fn print_stat(stat: Value) -> Result<(), Failure> {
    let stat: LogStat = serde_json::from_value(stat)
        .map_err(|error| Failure::new(Exit::Runtime, "LS0601", error))?;
    figures::lines(&stat)
        .iter()
        .for_each(|line| terminal::line(line));
    Ok(())
}

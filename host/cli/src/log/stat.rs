//! `linkspan log stat`: figures of the log.

use linkspan_log::{LogBackend, LogStat};
use serde_json::Value;

use super::figures;
use crate::args::Target;
use crate::exit::{Exit, Failure};
use crate::open::{Opened, open};
use crate::shown::{names_in, structured, text};
use crate::{client, terminal};

pub(super) fn run(target: &Target) -> Result<Exit, Failure> {
    let stat = match open(&target.at)? {
        Opened::Stopped(log) => serde_json::to_value(log.stat()?).unwrap_or_default(),
        Opened::Running(host) => {
            client::runtime()?.block_on(host.call("GET", "/api/v1/log/stat", None))?
        }
    };
    let topics = |stat: &Value| names_in(stat, "topics", |topic| text(topic, "name"));
    if !structured(target.output, &stat, topics) {
        print_stat(stat)?;
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

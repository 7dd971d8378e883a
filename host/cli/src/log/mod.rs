//! `linkspan log`: looking into the log of a data directory, checking it, mending it.

mod dump;
mod figures;
mod repair;
mod stat;
mod verify;

use crate::args::LogCommand;
use crate::exit::{Exit, Failure};

pub(crate) fn run(command: &LogCommand) -> Result<Exit, Failure> {
    match command {
        LogCommand::Stat(args) => stat::run(args),
        LogCommand::Verify(args) => verify::run(args),
        LogCommand::Repair(args) => repair::run(args),
        LogCommand::Dump(args) => dump::run(args),
    }
}

/// What a command says that needs a stopped directory, when a host holds it.
fn held(error: linkspan_log::Error, command: &str) -> Failure {
    match error {
        linkspan_log::Error::Locked { dir, .. } => Failure::new(
            Exit::Environment,
            "LS0701",
            format!("a running host holds `{}`", dir.display()),
        )
        .help(format!(
            "stop it first: `log {command}` works on a stopped data directory"
        )),
        error => error.into(),
    }
}

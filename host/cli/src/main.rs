//! The linkspan host: arguments, wiring, shutdown.
//!
//! Each subcommand is a module. They share [`exit`] (what the process answers), [`plugins`] (where plugins are found),
//! [`socket`] (talking to a running host) and [`terminal`] (colours and numbers for people).

mod args;
mod consume;
mod exit;
mod explain;
mod hello;
mod log_cmd;
mod open;
mod plugin_cmd;
mod plugins;
mod run;
mod socket;
mod terminal;
mod validate;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::exit::Exit;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => hello::run(),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::Validate(args)) => validate::run(&args),
        Some(Command::Consume(args)) => consume::run(&args),
        Some(Command::Log(command)) => log_cmd::run(&command),
        Some(Command::Plugin(command)) => plugin_cmd::run(&command),
        Some(Command::Explain { code }) if code == "all" => Ok(explain::list()),
        Some(Command::Explain { code }) => explain::run(&code),
        Some(Command::PluginProbe { file }) => {
            return ExitCode::from(u8::try_from(linkspan_plugin::probe_main(&file)).unwrap_or(1));
        }
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
    .into()
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

//! The linkspan host: arguments, wiring, shutdown.
//!
//! Each subcommand is a module. They share [`exit`] (what the process answers), [`plugins`] (where plugins are found),
//! [`socket`] (talking to a running host) and [`terminal`] (colours and numbers for people).

mod args;
mod backup;
mod config_cmd;
mod connect;
mod connectors;
mod consume;
mod dlq;
mod exit;
mod explain;
mod groups;
mod hello;
mod infer;
mod log;
mod logging;
mod open;
mod plugin_cmd;
mod plugin_new;
mod plugins;
mod produce;
mod run;
mod runs;
mod socket;
mod target;
mod terminal;
mod topic;
mod transform_cmd;
mod validate;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::exit::{Exit, Failure};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return wrong_arguments(&error).into(),
    };
    let outcome = match cli.command {
        None => hello::run(),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::Validate(args)) => validate::run(&args),
        Some(Command::Consume(args)) => consume::run(&args),
        Some(Command::Produce(args)) => produce::run(&args),
        Some(Command::Topic(command)) => topic::run(command),
        Some(Command::Groups(command)) => groups::run(command),
        Some(Command::Dlq(command)) => dlq::run(command),
        Some(Command::Log(command)) => log::run(&command),
        Some(Command::Apply { target }) => connectors::apply(&target),
        Some(Command::Get { name, target }) => connectors::get(name.as_deref(), &target),
        Some(Command::Describe { name, target }) => connectors::describe(&name, &target),
        Some(Command::Pause { name, target }) => connectors::pause(&name, &target),
        Some(Command::Resume { name, target }) => connectors::resume(&name, &target),
        Some(Command::Stop { name, target }) => connectors::stop(&name, &target),
        Some(Command::Restart(args)) => connectors::restart(&args),
        Some(Command::Delete { name, yes, target }) => connectors::delete(&name, yes, &target),
        Some(Command::Offsets(command)) => connectors::offsets(command),
        Some(Command::Backup(args)) => backup::backup(&args),
        Some(Command::Restore(args)) => backup::restore(&args),
        Some(Command::Config(command)) => config_cmd::run(&command),
        Some(Command::Jobs { data, output }) => runs::jobs(&data, output),
        Some(Command::Runs(command)) => runs::run(&command),
        Some(Command::Plugin(command)) => plugin_cmd::run(&command),
        Some(Command::Transform(command)) => transform_cmd::run(&command),
        Some(Command::Infer(args)) => infer::run(&args),
        Some(Command::Explain { code }) if code == "all" => Ok(explain::list()),
        Some(Command::Explain { code }) => explain::run(&code),
        Some(Command::PluginProbe { file }) => {
            return ExitCode::from(u8::try_from(linkspan_plugin::probe_main(&file)).unwrap_or(1));
        }
    };
    let exit = match outcome {
        Ok(exit) => exit,
        Err(failure) => failure.report(),
    };
    if let Some(kind) = terminal::stdout_failure()
        && kind != std::io::ErrorKind::BrokenPipe
        && exit == Exit::Ok
    {
        return Failure::new(
            Exit::Environment,
            "LS0704",
            format!("could not write the result to stdout: {kind}"),
        )
        .report()
        .into();
    }
    exit.into()
}

/// Prints help where it was asked for; wrong arguments are a failure in the form that was asked for.
fn wrong_arguments(error: &clap::Error) -> Exit {
    // There is nowhere left to report a failure of stderr.
    drop(error.print());
    if !error.use_stderr() {
        return Exit::Ok;
    }
    let words: Vec<String> = std::env::args().collect();
    let json = words.iter().any(|word| word == "-ojson" || word == "--output=json" || word == "-o=json")
        || words.windows(2).any(|pair| matches!(pair, [flag, value] if (flag == "-o" || flag == "--output") && value == "json"));
    let message = error.render().to_string();
    let first = message
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ")
        .to_owned();
    Failure::new(Exit::Invalid, "LS0220", first)
        .json(json)
        .printed()
        .report()
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

//! The linkspan host: arguments, wiring, shutdown.
//!
//! Each subcommand is a module. They share [`exit`] (what the process answers), [`target`] and [`client`] (the log here, or
//! a host that has it), [`shown`] (`-o`), [`plugins`] (where plugins are found) and [`terminal`] (colours, numbers, tables).

mod args;
mod backup;
mod builtin;
mod client;
mod config_cmd;
mod connect;
mod connectors;
mod consume;
mod context;
mod dlq;
mod doctor;
mod exit;
mod explain;
mod get;
mod groups;
mod hello;
mod infer;
mod log;
mod logging;
mod logs;
mod net;
mod open;
mod plugin_cmd;
mod plugin_new;
mod plugin_test;
mod plugins;
mod produce;
mod run;
mod runs;
mod shell;
mod shown;
#[cfg(test)]
mod snapshot;
mod socket;
mod suggest;
mod target;
mod terminal;
mod topic;
mod transform_cmd;
mod users;
mod validate;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command, Output};
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
        Some(Command::Logs(args)) => logs::run(&args),
        Some(Command::Apply { target }) => connectors::apply(&target),
        Some(Command::Plan { target }) => connectors::plan(&target),
        Some(Command::Export { target }) => connectors::export(&target),
        Some(Command::Get(args)) => get::get(&args),
        Some(Command::Describe(args)) => get::describe(&args),
        Some(Command::Pause(args)) => connectors::pause(&args),
        Some(Command::Resume(args)) => connectors::resume(&args),
        Some(Command::Stop(args)) => connectors::stop(&args),
        Some(Command::Restart(args)) => connectors::restart(&args),
        Some(Command::Delete { name, yes, target }) => connectors::delete(&name, yes, &target),
        Some(Command::Offsets(command)) => connectors::offsets(command),
        Some(Command::Backup(args)) => backup::backup(&args),
        Some(Command::Restore(args)) => backup::restore(&args),
        Some(Command::Config(command)) => config_cmd::run(&command),
        Some(Command::Jobs { target }) => runs::jobs(&target),
        Some(Command::Runs(command)) => runs::run(&command),
        Some(Command::Plugin(command)) => plugin_cmd::run(&command),
        Some(Command::Transform(command)) => transform_cmd::run(&command),
        Some(Command::Infer(args)) => infer::run(&args),
        Some(Command::Doctor(args)) => doctor::run(&args),
        Some(Command::Context(command)) => context::run(command),
        Some(Command::Users(command)) => users::run(&command),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Completions(args)) => shell::completions(&args),
        Some(Command::Man(args)) => shell::man(&args),
        Some(Command::PluginProbe { file }) => {
            return ExitCode::from(u8::try_from(linkspan_plugin::probe_main(&file)).unwrap_or(1));
        }
    };
    let exit = match outcome {
        Ok(exit) => exit,
        Err(failure) => failure.form(asked_form()).report(),
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
    match elsewhere(error) {
        Some((word, here)) => terminal::note(&format!(
            "error: unrecognized subcommand '{word}'\n\n  help: what `{word}` does elsewhere is `{here}` here\n\nFor all commands, try 'linkspan --help'."
        )),
        None => drop(error.print()),
    }
    if !error.use_stderr() {
        return Exit::Ok;
    }
    let message = error.render().to_string();
    let first = message
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ")
        .to_owned();
    Failure::new(Exit::Invalid, "LS0220", first)
        .form(asked_form())
        .printed()
        .report()
}

/// The command that is meant by one of another program.
fn elsewhere(error: &clap::Error) -> Option<(&str, &'static str)> {
    if error.kind() != clap::error::ErrorKind::InvalidSubcommand {
        return None;
    }
    match error.get(clap::error::ContextKind::InvalidSubcommand)? {
        clap::error::ContextValue::String(word) => Some((word, suggest::elsewhere(word)?)),
        _ => None,
    }
}

/// The form of results that the words of the command line ask for, also where they are wrong.
fn asked_form() -> Output {
    let words: Vec<String> = std::env::args().collect();
    let asked = |form: &str| {
        let joined = [
            format!("-o{form}"),
            format!("-o={form}"),
            format!("--output={form}"),
        ];
        words.iter().any(|word| joined.contains(word))
            || words.windows(2).any(|pair| matches!(pair, [flag, value] if (flag == "-o" || flag == "--output") && value == form))
    };
    match (asked("json"), asked("yaml")) {
        (true, _) => Output::Json,
        (false, true) => Output::Yaml,
        (false, false) => Output::Table,
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

//! `linkspan completions` and `linkspan man`: what shells and manuals know of the command line, made of its one declaration.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory};

use crate::args::{Cli, CompletionsArgs, ManArgs};
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Prints the completion script of a shell.
#[expect(clippy::unnecessary_wraps, reason = "every command has the same shape")]
pub(crate) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    clap_complete::generate(args.shell, &mut command, "linkspan", &mut script);
    terminal::line(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Ok)
}

/// Writes a page for each command, `linkspan-topic-create.1` and the like.
pub(crate) fn man(args: &ManArgs) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| {
        let message = format!(
            "could not write manual pages to `{}`: {error}",
            args.dir.display()
        );
        Failure::new(Exit::Environment, "LS0704", message)
    };
    fs::create_dir_all(&args.dir).map_err(failed)?;
    let mut root = Cli::command();
    root.build();
    let pages = pages(&root, &args.dir).map_err(failed)?;
    terminal::line(&format!("{pages} pages in {}", args.dir.display()));
    terminal::note(&format!(
        "read one: man -l {}",
        args.dir.join("linkspan.1").display()
    ));
    Ok(Exit::Ok)
}

fn pages(command: &Command, dir: &Path) -> std::io::Result<usize> {
    clap_mangen::Man::new(command.clone()).generate_to(dir)?;
    let mut written = 1;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        written += pages(sub, dir)?;
    }
    Ok(written)
}

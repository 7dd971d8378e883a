//! `run --once --rerun ID`: the files, parameters and values of `--set` of an earlier run, again.
//!
//! It is a new run with an id of its own: sources and sinks go on from their offsets, so that what the earlier one moved is
//! not moved twice, and what it left is.

use std::path::PathBuf;

use linkspan_config::Plan;

use super::asked::Asked;
use super::{plan, records, start_as};
use crate::args::RunArgs;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// The data directory where nothing names a file that it could stand next to.
const DATA: &str = "linkspan-data";

/// The run that is repeated.
pub(super) struct Repeats {
    pub(super) run_id: String,
    config_sha256: String,
}

impl Repeats {
    /// Whether the files still say what they said.
    pub(super) fn check(&self, plan: &Plan, changed_config: bool) -> Result<(), Failure> {
        if plan.config_sha256 == self.config_sha256 {
            return Ok(());
        }
        let message = format!(
            "the configuration is not that of run {} any more: sha256 {}, then {}",
            self.run_id, plan.config_sha256, self.config_sha256
        );
        if changed_config {
            terminal::warning("LS0223", &message);
            return Ok(());
        }
        Err(Failure::new(Exit::Invalid, "LS0223", message)
            .help("add --changed-config to run what the files say now"))
    }
}

pub(super) fn run(args: &RunArgs, id: &str) -> Result<Exit, Failure> {
    let data = plan::absolute(args.data.clone().unwrap_or_else(|| PathBuf::from(DATA)));
    crate::open::check_exists(&data)?;
    let record = records::find(&data, id)?;
    let text = |name: &str| {
        let value = record.get(name).and_then(serde_json::Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let asked = record
        .get("asked")
        .and_then(|asked| serde_json::from_value::<Asked>(asked.clone()).ok());
    let Some(asked) = asked else {
        let message = format!(
            "the record of run {} does not say what it was asked",
            text("run_id")
        );
        return Err(Failure::new(Exit::Invalid, "LS0224", message).help("run its files by name"));
    };
    let repeats = Repeats {
        run_id: text("run_id"),
        config_sha256: text("config_sha256"),
    };
    terminal::note(&format!("repeating run {}", repeats.run_id));
    let again = RunArgs {
        paths: asked.paths.clone(),
        once: true,
        timeout: args.timeout.clone(),
        rerun: None,
        job: asked.job.clone(),
        changed_config: args.changed_config,
        reload: args.reload,
        dev: false,
        data: Some(data),
        listen: args.listen.clone(),
        insecure_listen: args.insecure_listen,
        config: asked.arguments()?,
        output: args.output,
    };
    start_as(&again, Some(&repeats))
}

//! Options of `exec-source` and `exec-sink`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use linkspan_sdk::prelude::*;

/// Runs a program and takes what it prints as records.
#[derive(Debug, Clone, Options)]
#[options(validate = "ExecSourceOptions::check")]
pub(crate) struct ExecSourceOptions {
    /// The program and its arguments, as a list. No shell is in between: nothing is split, expanded or quoted.
    #[option(importance = "high")]
    pub(crate) command: Vec<String>,
    /// The topic that the records go to. In `singer` mode each stream has one of its own, which begins with this text.
    #[option(importance = "high")]
    pub(crate) topic: String,
    /// `lines`: each line is a record, as text. `jsonl`: each line is JSON. `singer`: the program is a Singer tap.
    #[option(default = "lines", importance = "high")]
    pub(crate) format: Format,
    /// Variables for the program on top of the host's own.
    #[option(default = "{}")]
    pub(crate) env: BTreeMap<String, String>,
    /// The folder that the program runs in. Unset: the host's.
    pub(crate) cwd: Option<PathBuf>,
    /// What is done when the program ends, unless in a `--once` job: `always` runs it again, `on_failure` only after another
    /// exit code than those of `success.codes`, `never`.
    #[option(default = "on_failure")]
    pub(crate) restart: Restart,
    /// How long until it is run again after a success.
    #[option(default = "60s")]
    pub(crate) restart_interval: Duration,
    /// How long until it is run again after a failure; doubled at each further one, up to a minute.
    #[option(default = "1s")]
    pub(crate) restart_backoff: Duration,
    /// Exit codes that are no failure.
    #[option(default = "[\"0\"]")]
    pub(crate) success_codes: Vec<String>,
    /// How long the program has to end after SIGTERM before it gets SIGKILL.
    #[option(default = "10s")]
    pub(crate) stop_timeout: Duration,
    /// The longest line.
    #[option(default = "16MiB", min = 1, max = 16_777_216)]
    pub(crate) max_line_bytes: ByteSize,
    /// The most lines of the program's stderr that are logged in a second; the others are counted.
    #[option(default = "100")]
    pub(crate) stderr_lines: u32,
    /// The tap's configuration as JSON; it gets it as a file of its own, readable by nobody else.
    #[option(secret)]
    pub(crate) singer_config: Option<Secret>,
    /// The tap's catalog.
    pub(crate) singer_catalog: Option<PathBuf>,
    /// Runs the tap with `--discover` first and takes the catalog from that.
    #[option(default = "false")]
    pub(crate) singer_discover: bool,
    /// The streams to select in a catalog that was discovered. Empty: all.
    #[option(default = "[]")]
    pub(crate) singer_streams: Vec<String>,
}

/// Runs a program and gives it records.
#[derive(Debug, Clone, Options)]
#[options(validate = "ExecSinkOptions::check")]
pub(crate) struct ExecSinkOptions {
    /// The program and its arguments, as a list. No shell is in between: nothing is split, expanded or quoted.
    #[option(importance = "high")]
    pub(crate) command: Vec<String>,
    /// `lines`: the value and a newline. `jsonl`: the value as a line of JSON. `singer`: the program is a Singer target.
    #[option(default = "lines", importance = "high")]
    pub(crate) format: Format,
    /// When a record counts as written: `exit`, when the program has ended with success after its input was closed; `line`, when
    /// it has printed a line for it; a Singer target says so itself, by STATE.
    #[option(default = "exit")]
    pub(crate) ack: Ack,
    /// With `ack: exit`: the most records that one run of the program gets.
    #[option(default = "10000", min = 1)]
    pub(crate) run_records: u64,
    /// With `ack: exit`: how long after its first record a run's input is closed.
    #[option(default = "5s")]
    pub(crate) run_interval: Duration,
    /// Variables for the program on top of the host's own.
    #[option(default = "{}")]
    pub(crate) env: BTreeMap<String, String>,
    /// The folder that the program runs in. Unset: the host's.
    pub(crate) cwd: Option<PathBuf>,
    /// What is done when the program fails: `always`, `on_failure` start the task anew from the committed offsets, `never` fails it.
    #[option(default = "on_failure")]
    pub(crate) restart: Restart,
    /// Exit codes that are no failure.
    #[option(default = "[\"0\"]")]
    pub(crate) success_codes: Vec<String>,
    /// How long the program has to end after its input was closed or it got SIGTERM, before it gets SIGKILL.
    #[option(default = "60s")]
    pub(crate) stop_timeout: Duration,
    /// The most lines of the program's stderr that are logged in a second; the others are counted.
    #[option(default = "100")]
    pub(crate) stderr_lines: u32,
    /// The target's configuration as JSON; it gets it as a file of its own, readable by nobody else.
    #[option(secret)]
    pub(crate) singer_config: Option<Secret>,
}

/// What lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Format {
    Lines,
    Jsonl,
    Singer,
}

/// When a program is run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Restart {
    Always,
    OnFailure,
    Never,
}

/// How a program says that it is done with records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Ack {
    Exit,
    Line,
}

impl ExecSourceOptions {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = common(
            &self.command,
            &self.success_codes,
            self.singer_config.as_ref(),
        );
        if self.format == Format::Singer {
            if self.singer_discover && self.singer_catalog.is_some() {
                problems.push(ConfigProblem::new(
                    "singer.catalog",
                    "is discovered, since `singer.discover` is set",
                ));
            }
        } else if let Err(error) = TopicName::try_new(&self.topic) {
            problems.push(ConfigProblem::new("topic", error.to_string()));
        }
        if self.restart_backoff.is_zero() || self.restart_interval.is_zero() {
            problems.push(ConfigProblem::new(
                "restart.interval",
                "it and `restart.backoff` must be longer than nothing",
            ));
        }
        problems
    }
}

impl ExecSinkOptions {
    fn check(&self) -> Vec<ConfigProblem> {
        common(
            &self.command,
            &self.success_codes,
            self.singer_config.as_ref(),
        )
    }
}

fn common(command: &[String], codes: &[String], config: Option<&Secret>) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    if command.first().is_none_or(String::is_empty) {
        problems.push(ConfigProblem::new("command", "names no program"));
    }
    if codes.iter().any(|code| code.trim().parse::<u8>().is_err()) {
        problems.push(ConfigProblem::new(
            "success.codes",
            "are numbers from 0 to 255",
        ));
    }
    let is_json = |secret: &Secret| {
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(secret.expose()).is_ok()
    };
    if config.is_some_and(|secret| !is_json(secret)) {
        problems.push(ConfigProblem::new("singer.config", "is not a JSON object"));
    }
    problems
}

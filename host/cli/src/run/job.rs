//! One bounded job on an open log, from its plan to its record: for `run --once`, for a job that another process handed
//! over, and for one whose time has come.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};
use linkspan_config::Plan;
use linkspan_runtime::{Mode, Outcome, Run, RunReport, Runtime, StartError, WarningReport};
use serde_json::{Value, json};

use super::asked::Asked;
use super::{hooks, plan, records};
use crate::exit::{Exit, Failure};
use crate::terminal;

/// What is known of a job before it works; it is part of its record.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) id: String,
    /// The name of its file, or what `schedule:` calls it.
    pub(crate) name: String,
    /// `command`, `handed-over`, `schedule`.
    pub(crate) trigger: &'static str,
    /// When it was due, in milliseconds since 1970.
    pub(crate) due_ms: Option<i64>,
    /// The run that it repeats.
    pub(crate) rerun_of: Option<String>,
    pub(crate) asked: Asked,
    pub(crate) started: DateTime<Utc>,
}

impl About {
    pub(crate) fn new(name: String, trigger: &'static str, asked: Asked) -> Self {
        Self {
            id: uuid::Uuid::now_v7().to_string(),
            name,
            trigger,
            due_ms: None,
            rerun_of: None,
            asked,
            started: Utc::now(),
        }
    }

    /// The parts of a record that no summary has.
    fn add_to(&self, record: &mut Value, plan: &Plan, exit: Option<Exit>) {
        let Some(record) = record.as_object_mut() else {
            return;
        };
        if let Some(exit) = exit {
            record.insert("exit_code".to_owned(), exit.code().into());
        }
        record.insert("job".to_owned(), self.name.clone().into());
        record.insert("trigger".to_owned(), self.trigger.into());
        if let Some(due) = self.due_ms.and_then(DateTime::from_timestamp_millis) {
            record.insert("due".to_owned(), rfc3339(due).into());
        }
        if let Some(earlier) = &self.rerun_of {
            record.insert("rerun_of".to_owned(), earlier.clone().into());
        }
        record.insert("pid".to_owned(), std::process::id().into());
        record.insert("asked".to_owned(), json!(self.asked.clone().lasting(plan)));
    }
}

pub(crate) fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A job that can start.
pub(crate) struct Job<'a> {
    pub(crate) engine: Runtime,
    pub(crate) plan: &'a Plan,
    pub(crate) data: &'a Path,
    pub(crate) about: About,
    pub(crate) warnings: Vec<WarningReport>,
    pub(crate) timeout: Option<Duration>,
}

/// What a job came to.
pub(crate) struct Done {
    pub(crate) report: RunReport,
    pub(crate) outcome: Outcome,
}

impl Job<'_> {
    /// Runs it to its end. The record says `running` from the start on; [`Job::keep`] writes its end.
    ///
    /// # Errors
    /// It could not start, or the log refused.
    pub(crate) fn run(
        &self,
        interrupted: &AtomicBool,
        mut progress: impl FnMut(&Run),
    ) -> Result<Done, StartFailure> {
        let clock = Instant::now();
        let specs = plan::job_specs(self.plan)?;
        let topics = plan::topics(self.plan)?;
        self.begin();
        let mode = Mode::Bounded {
            timeout: self.timeout,
        };
        let mut run = self.engine.start(specs, &topics, mode)?;
        let outcome = run.drive_job(self.timeout, interrupted, &mut progress)?;
        super::warn_stuck(run.stuck());
        let mut report = self.report(&run, outcome, clock);
        if outcome != Outcome::Done {
            report.warnings.extend(left_over(&run, outcome)?);
        }
        Ok(Done { report, outcome })
    }

    fn begin(&self) {
        let mut record = json!({
            "run_id": self.about.id,
            "status": "running",
            "started": rfc3339(self.about.started),
            "data_dir": self.data.display().to_string(),
            "config_sha256": self.plan.config_sha256,
            "params": self.plan.params,
        });
        self.about.add_to(&mut record, self.plan, None);
        if let Err(error) = records::begin(self.data, &self.about.id, &record) {
            tracing::warn!(%error, "the run could not be noted");
        }
    }

    /// Does what is to be done after it; what does not work becomes a warning of the summary.
    pub(crate) fn follow_up(&self, report: &mut RunReport, tokio: &tokio::runtime::Handle) {
        let summary = serde_json::to_value(&*report).unwrap_or_default();
        let status = report.status.clone();
        report.warnings.extend(self.hooks(&status, &summary, tokio));
    }

    fn hooks(
        &self,
        status: &str,
        summary: &Value,
        tokio: &tokio::runtime::Handle,
    ) -> Vec<WarningReport> {
        let told = hooks::Told {
            job: &self.about.name,
            run_id: &self.about.id,
            status,
        };
        let jobs: Vec<_> = self.plan.jobs.iter().collect();
        hooks::run(&jobs, &told, summary, tokio)
    }

    /// Keeps the record of its end; what goes wrong becomes a warning of the summary.
    pub(crate) fn keep(&self, report: &mut RunReport, exit: Exit) {
        let mut record = serde_json::to_value(&*report).unwrap_or_default();
        self.about.add_to(&mut record, self.plan, Some(exit));
        if let Err(error) = records::keep(self.data, &self.about.id, &record) {
            let message = format!("could not keep the record of the run: {error}");
            terminal::warning("LS0704", &message);
            report.warnings.push(WarningReport {
                code: "LS0704".to_owned(),
                message,
            });
        }
    }

    /// Keeps the record of a job that could not start, and does what is to be done then.
    pub(crate) fn keep_failure(
        &self,
        code: &str,
        message: &str,
        exit: Exit,
        tokio: &tokio::runtime::Handle,
    ) {
        let mut record = json!({
            "run_id": self.about.id,
            "status": "failed",
            "started": rfc3339(self.about.started),
            "ended": rfc3339(Utc::now()),
            "data_dir": self.data.display().to_string(),
            "config_sha256": self.plan.config_sha256,
            "params": self.plan.params,
            "connectors": [],
            "error": { "code": code, "message": message },
        });
        let warnings = self.hooks("failed", &record, tokio);
        self.about.add_to(&mut record, self.plan, Some(exit));
        if let Some(record) = record.as_object_mut() {
            record.insert("warnings".to_owned(), json!(warnings));
        }
        if let Err(error) = records::keep(self.data, &self.about.id, &record) {
            tracing::warn!(%error, "the record of a run that failed could not be kept");
        }
    }

    fn report(&self, run: &Run, outcome: Outcome, clock: Instant) -> RunReport {
        let connectors = run.connector_reports();
        let dead_letters = connectors
            .iter()
            .any(|connector| connector.dlq + connector.skipped > 0);
        RunReport {
            run_id: self.about.id.clone(),
            status: match outcome {
                Outcome::Done if dead_letters => "partial",
                Outcome::Done => "ok",
                Outcome::Failed | Outcome::TimedOut | Outcome::Interrupted => "failed",
            }
            .into(),
            started: rfc3339(self.about.started),
            ended: rfc3339(Utc::now()),
            duration_ms: u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX),
            data_dir: self.data.display().to_string(),
            config_sha256: self.plan.config_sha256.clone(),
            params: self.plan.params.clone().into_iter().collect(),
            connectors,
            warnings: self.warnings.clone(),
        }
    }
}

/// Why a job did not start.
pub(crate) enum StartFailure {
    /// The configuration, every problem as code and message.
    Invalid(Vec<(&'static str, String)>),
    /// Anything else.
    Other(Failure),
}

impl From<StartError> for StartFailure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Invalid(problems) => Self::Invalid(
                problems
                    .into_iter()
                    .map(|problem| (problem.code, problem.message))
                    .collect(),
            ),
            other => Self::Other(super::start_failure(other)),
        }
    }
}

impl From<Failure> for StartFailure {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl From<linkspan_log::Error> for StartFailure {
    fn from(error: linkspan_log::Error) -> Self {
        Self::Other(error.into())
    }
}

impl StartFailure {
    /// One failure for all of it; nothing is printed yet.
    pub(crate) fn into_failure(self) -> Failure {
        match self {
            Self::Other(failure) => failure,
            Self::Invalid(problems) => {
                let code = problems.first().map_or("LS0210", |(code, _)| *code);
                let messages: Vec<_> = problems.into_iter().map(|(_, message)| message).collect();
                Failure::new(Exit::Invalid, code, messages.join("; "))
            }
        }
    }
}

/// The exit code of a job that was driven to some end. An interrupted one has that of whoever interrupted it.
pub(crate) fn exit_of(report: &RunReport, outcome: Outcome, interrupted: Exit) -> Exit {
    match outcome {
        Outcome::Done if report.status == "partial" => Exit::Partial,
        Outcome::Done => Exit::Ok,
        Outcome::Failed if only_invalid(report) => Exit::Invalid,
        Outcome::Failed | Outcome::TimedOut => Exit::Runtime,
        Outcome::Interrupted => interrupted,
    }
}

/// Whether every failure is one of the configuration, found by a connector when it opened.
fn only_invalid(report: &RunReport) -> bool {
    let mut errors = report
        .connectors
        .iter()
        .filter_map(|connector| connector.error.as_ref())
        .peekable();
    errors.peek().is_some() && errors.all(|error| error.code.starts_with("LS02"))
}

/// What a job that did not come to its end leaves for the next run.
fn left_over(run: &Run, outcome: Outcome) -> Result<Vec<WarningReport>, linkspan_log::Error> {
    let mut warnings = Vec::new();
    if outcome == Outcome::TimedOut {
        warnings.push(WarningReport {
            code: "LS0409".to_owned(),
            message: "the time given with --timeout is over, the rest is left for the next run"
                .to_owned(),
        });
    }
    for (sink, records) in run.left_over()? {
        warnings.push(WarningReport {
            code: "LS0415".to_owned(),
            message: format!(
                "sink `{sink}` has not written {} records of the log yet",
                terminal::count(records)
            ),
        });
    }
    Ok(warnings)
}

/// Says what a job that did not come to its end leaves; the other warnings were said when they arose.
pub(crate) fn say_left_over(report: &RunReport) {
    for warning in &report.warnings {
        match warning.code.as_str() {
            "LS0409" => terminal::error(&warning.code, &warning.message, None),
            "LS0415" => terminal::warning(&warning.code, &warning.message),
            _ => {}
        }
    }
}

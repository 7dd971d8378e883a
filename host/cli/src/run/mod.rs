//! `linkspan run`: load the configuration, open the log, start the connectors, wait.

mod catalog;
mod control;
mod dev;
pub(crate) mod plan;
mod progress;
mod signals;
mod summary;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};
use linkspan_config::{Diagnostics, Plan};
use linkspan_log::{DiskFs, LogBackend, Opened};
use linkspan_runtime::{
    ConnectorStatus, Control, Mode, Outcome, Run, RunReport, Runtime, StartError, WarningReport,
};
use linkspan_types::{Clock, SystemClock};

use self::control::Starting;
use self::progress::Progress;
use self::signals::Signals;
use crate::args::{Output, RunArgs};
use crate::exit::{Exit, Failure};
use crate::plugins::Plugins;
use crate::{logging, socket, terminal};

/// How often a continuous run looks around.
const WATCH_EVERY: Duration = Duration::from_millis(200);

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let json = args.output == Output::Json;
    start(args).map_err(|failure| failure.json(json && args.once))
}

fn start(args: &RunArgs) -> Result<Exit, Failure> {
    let started = Utc::now();
    let clock = Instant::now();
    let timeout = args.timeout.as_deref().map(plan::timeout).transpose()?;
    plan::check_listen(args.listen.as_deref())?;
    let settings = linkspan_config::host_settings(&plan::request(&args.paths, &args.config)?);
    logging::init(&settings.logging, args.once)?;
    let (runtime, signals) = surroundings()?;
    let data = args.data.clone().map_or(settings.data, plan::absolute);
    if args.dev {
        return dev::run(args, &data, runtime, &signals);
    }
    let plugins = plan::discover(&args.paths, &args.config, Some(&cache_of(&data)))?;
    let (plan, warnings) = plan::load(&args.paths, &args.config, &plugins)?;
    let (log, opened) = open_log(&plan, &data)?;
    let new = matches!(opened, Opened::New);
    terminal::note(&format!(
        "linkspan {} · data {} ({})",
        env!("CARGO_PKG_VERSION"),
        data.display(),
        if new { "new" } else { "resumed" }
    ));
    plugins.announce();
    let mode = if args.once {
        Mode::Bounded { timeout }
    } else {
        Mode::Continuous
    };
    let host = Host {
        plan: &plan,
        plugins: &plugins,
        log: Arc::clone(&log),
        data: &data,
        signals: &signals,
        tokio: &runtime,
    };
    let ran = host.run(mode, &warnings, started, clock);
    socket::remove(&data);
    let topics = log
        .topics()
        .unwrap_or_default()
        .into_iter()
        .map(|topic| topic.name.to_string())
        .collect::<Vec<_>>();
    let closed = log.close();
    runtime.shutdown_timeout(Duration::from_secs(1));
    match ran? {
        Ran::Watched(exit) => {
            closed?;
            Ok(exit)
        }
        Ran::Job(mut report, outcome) => {
            let exit = job_exit(&mut report, outcome, closed.err(), &signals);
            finish_job(*report, exit, args.output, !new, &data, &topics)
        }
    }
}

/// The async runtime, and signals heard from the first moment on.
fn surroundings() -> Result<(tokio::runtime::Runtime, Signals), Failure> {
    let failed = |what: &str, error: std::io::Error| {
        Failure::new(
            Exit::Environment,
            "LS0704",
            format!("could not {what}: {error}"),
        )
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("linkspan-io")
        .enable_all()
        .build()
        .map_err(|error| failed("start the async runtime", error))?;
    let signals = Signals::listen(&runtime).map_err(|error| failed("listen for signals", error))?;
    Ok((runtime, signals))
}

/// Keeps the record of a job and prints it.
fn finish_job(
    mut report: RunReport,
    exit: Exit,
    output: Output,
    resumed: bool,
    data: &Path,
    topics: &[String],
) -> Result<Exit, Failure> {
    if let Err(error) = summary::keep(&report, data) {
        let message = format!("could not keep the record of the run: {error}");
        terminal::warning("LS0704", &message);
        report.warnings.push(WarningReport {
            code: "LS0704".to_owned(),
            message,
        });
    }
    let error = report
        .connectors
        .iter()
        .find_map(|connector| connector.error.as_ref());
    if let (Exit::Invalid, Some(error)) = (exit, error) {
        return Err(Failure::new(exit, "LS0210", &error.message));
    }
    summary::print(&report, output, resumed, topics);
    Ok(exit)
}

/// What a run came to.
enum Ran {
    Watched(Exit),
    Job(Box<RunReport>, Outcome),
}

/// The exit code of a job. A log that could not be closed cleanly makes it a failure: what was acknowledged is safe, and
/// somebody has to look.
fn job_exit(
    report: &mut RunReport,
    outcome: Outcome,
    closed: Option<linkspan_log::Error>,
    signals: &Signals,
) -> Exit {
    if let Some(error) = closed {
        let failure = Failure::from(error);
        report.status = "failed";
        report.warnings.push(WarningReport {
            code: failure.code.to_owned(),
            message: failure.message.clone(),
        });
        return failure.report();
    }
    match outcome {
        Outcome::Done if report.status == "partial" => Exit::Partial,
        Outcome::Done => Exit::Ok,
        Outcome::Failed if only_invalid(report) => Exit::Invalid,
        Outcome::Failed | Outcome::TimedOut => Exit::Runtime,
        Outcome::Interrupted => signals.exit(),
    }
}

fn cache_of(data: &Path) -> PathBuf {
    data.join("plugins.cache")
}

fn open_log(plan: &Plan, data: &Path) -> Result<(Arc<dyn LogBackend>, Opened), Failure> {
    let options = plan::log_options(plan, data);
    let log =
        linkspan_log::open_local(Arc::new(DiskFs), Arc::new(SystemClock::default()), options)?;
    let opened = log.opened().clone();
    Ok((log, opened))
}

struct Host<'a> {
    plan: &'a Plan,
    plugins: &'a Plugins,
    log: Arc<dyn LogBackend>,
    data: &'a Path,
    signals: &'a Signals,
    tokio: &'a tokio::runtime::Runtime,
}

impl Host<'_> {
    fn run(
        &self,
        mode: Mode,
        warnings: &[WarningReport],
        started: DateTime<Utc>,
        clock: Instant,
    ) -> Result<Ran, Failure> {
        let engine = Runtime::new(
            Arc::clone(&self.log),
            Arc::clone(&self.plugins.registry),
            Arc::clone(&self.plugins.services),
            plan::settings(self.plan),
            Arc::new(SystemClock::default()) as Arc<dyn Clock>,
            self.tokio.handle().clone(),
        );
        let specs = plan::specs(self.plan)?;
        let topics = plan::topics(self.plan)?;
        match mode {
            Mode::Continuous => {
                // The socket comes first, as a host that starts slowly shall answer; it takes commands once it has started.
                let view = Arc::new(Starting::default());
                self.serve(Arc::clone(&view) as Arc<dyn linkspan_rest::HostView>)?;
                let control =
                    Control::start(&engine, specs, Vec::new(), &topics).map_err(start_failure)?;
                view.started(control.clone());
                Ok(Ran::Watched(self.watch(&control)))
            }
            Mode::Bounded { timeout } => {
                let view = Arc::new(View::default());
                self.serve(Arc::clone(&view) as Arc<dyn linkspan_rest::HostView>)?;
                let mut run = engine.start(specs, &topics, mode).map_err(start_failure)?;
                let mut progress = Progress::new();
                let outcome = run.drive_job(timeout, self.signals.flag(), |run| {
                    view.show(run);
                    progress.show(run);
                })?;
                progress.finish();
                warn_stuck(run.stuck());
                let mut report = self.report(&run, outcome, warnings, started, clock);
                if outcome != Outcome::Done {
                    report.warnings.extend(left_over(&run, outcome)?);
                }
                Ok(Ran::Job(Box::new(report), outcome))
            }
        }
    }

    fn serve(&self, view: Arc<dyn linkspan_rest::HostView>) -> Result<(), Failure> {
        let router = linkspan_rest::router(Arc::clone(&self.log), view);
        socket::serve(self.tokio, self.data, router)
    }

    /// Runs until a signal, or until nothing is left that could run.
    fn watch(&self, control: &Control) -> Exit {
        let ours = |status: &ConnectorStatus| !status.left;
        terminal::note(&format!(
            "running {} connectors; Ctrl-C or SIGTERM stops them cleanly",
            control.statuses().into_iter().filter(ours).count()
        ));
        let mut seen = 0;
        while !self.signals.stopped() && !control.is_over() {
            seen = control.wait_change(seen, WATCH_EVERY);
        }
        let over = control.is_over();
        control.stop();
        warn_stuck(&control.stuck());
        for connector in control.statuses().into_iter().filter(ours) {
            terminal::note(&format!(
                "{} {}: {} records",
                connector.kind,
                connector.name,
                terminal::count(connector.records)
            ));
        }
        if self.signals.stopped() {
            return self.signals.exit();
        }
        if over {
            terminal::error(
                "LS0401",
                "every task has ended",
                Some("see the errors above; `linkspan run --once` is for jobs with an end"),
            );
        }
        Exit::Runtime
    }

    fn report(
        &self,
        run: &Run,
        outcome: Outcome,
        warnings: &[WarningReport],
        started: DateTime<Utc>,
        clock: Instant,
    ) -> RunReport {
        let connectors = run.connector_reports();
        let dead_letters = connectors
            .iter()
            .any(|connector| connector.dlq + connector.skipped > 0);
        RunReport {
            run_id: uuid::Uuid::now_v7().to_string(),
            status: match outcome {
                Outcome::Done if dead_letters => "partial",
                Outcome::Done => "ok",
                Outcome::Failed | Outcome::TimedOut | Outcome::Interrupted => "failed",
            },
            started: started.to_rfc3339_opts(SecondsFormat::Millis, true),
            ended: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            duration_ms: u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX),
            data_dir: self.data.display().to_string(),
            config_sha256: self.plan.config_sha256.clone(),
            params: self.plan.params.clone().into_iter().collect(),
            connectors,
            warnings: warnings.to_vec(),
        }
    }
}

fn warn_stuck(stuck: &[String]) {
    for task in stuck {
        terminal::warning(
            "LS0402",
            &format!("task {task} did not stop in time and was given up"),
        );
    }
}

/// What a job that did not come to its end leaves for the next run.
fn left_over(run: &Run, outcome: Outcome) -> Result<Vec<WarningReport>, Failure> {
    let mut warnings = Vec::new();
    if outcome == Outcome::TimedOut {
        let message = "the time given with --timeout is over, the rest is left for the next run";
        terminal::error("LS0409", message, None);
        warnings.push(WarningReport {
            code: "LS0409".to_owned(),
            message: message.to_owned(),
        });
    }
    for (sink, records) in run.left_over()? {
        let message = format!(
            "sink `{sink}` has not written {} records of the log yet",
            terminal::count(records)
        );
        terminal::warning("LS0415", &message);
        warnings.push(WarningReport {
            code: "LS0415".to_owned(),
            message,
        });
    }
    Ok(warnings)
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

fn start_failure(error: StartError) -> Failure {
    match error {
        StartError::Invalid(problems) => {
            for problem in &problems {
                terminal::error(problem.code, &problem.message, None);
            }
            let code = problems.first().map_or("LS0210", |problem| problem.code);
            let message = problems
                .iter()
                .map(|problem| problem.message.as_str())
                .collect::<Vec<_>>()
                .join("; ");
            Failure::new(Exit::Invalid, code, message).printed()
        }
        StartError::Log(error) => error.into(),
        other => Failure::new(
            Exit::Environment,
            "LS0704",
            linkspan_types::error_chain(&other),
        ),
    }
}

/// What the socket shows of the run: the last snapshot.
#[derive(Debug, Default)]
struct View {
    last: Mutex<Vec<linkspan_runtime::Snapshot>>,
}

impl View {
    fn show(&self, run: &Run) {
        self.show_all(std::iter::once(run));
    }

    fn show_all<'r>(&self, runs: impl Iterator<Item = &'r Run>) {
        let snapshots = runs.flat_map(Run::snapshot).collect();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = snapshots;
    }
}

impl linkspan_rest::HostView for View {
    fn connectors(&self) -> serde_json::Value {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::to_value(&*last).unwrap_or_default()
    }
}

/// Prints all diagnostics of a configuration; fails when one of them is an error.
pub(crate) fn print_diagnostics(diagnostics: &Diagnostics) {
    if !diagnostics.is_empty() {
        terminal::note(diagnostics.render(terminal::colours()).trim_end());
    }
}

//! `linkspan run`: load the configuration, open the log, start the connectors, wait.

mod access;
mod asked;
pub(crate) mod catalog;
pub(crate) mod control;
mod dev;
mod handover;
mod hooks;
mod hosted;
mod inspect;
mod job;
mod listen;
pub(crate) mod plan;
mod progress;
pub(crate) mod records;
mod reload;
mod rerun;
mod schedule;
mod signals;
mod summary;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use linkspan_config::{Diagnostics, Plan};
use linkspan_log::{DiskFs, LogBackend, Opened};
use linkspan_rest::{Audit, Fleet};
use linkspan_runtime::{
    ConnectorStatus, Control, Outcome, Run, RunReport, Runtime, StartError, WarningReport,
};
use linkspan_types::{Clock, SystemClock};

use self::asked::Asked;
use self::control::Starting;
use self::dev::Workshop;
use self::handover::Offer;
use self::hosted::{Handed, Jobs};
use self::job::{About, Job};
use self::listen::Door;
use self::progress::Progress;
use self::reload::{Admission, Reload};
use self::rerun::Repeats;
use self::schedule::Schedules;
use self::signals::Signals;
use crate::args::{Output, ReloadWhen, RunArgs};
use crate::connect::Hub;
use crate::exit::{Exit, Failure};
use crate::plugins::Plugins;
use crate::{logging, socket, terminal};

/// How often a continuous run looks around.
const WATCH_EVERY: Duration = Duration::from_millis(200);

pub(crate) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    match &args.rerun {
        Some(id) => rerun::run(args, id),
        None => start_as(args, None),
    }
}

/// The first line of a run.
fn say_data(data: &Path, new: bool) {
    terminal::note(&format!(
        "linkspan {} · data {} ({})",
        env!("CARGO_PKG_VERSION"),
        data.display(),
        if new { "new" } else { "resumed" }
    ));
}

fn start_as(args: &RunArgs, repeats: Option<&Repeats>) -> Result<Exit, Failure> {
    let mut asked = Asked::of(&args.paths, &args.config);
    asked.job = args.job.clone();
    let mut about = About::new(asked.name(), "command", asked);
    about.rerun_of = repeats.map(|earlier| earlier.run_id.clone());
    let timeout = args.timeout.as_deref().map(plan::timeout).transpose()?;
    let settings = linkspan_config::host_settings(&plan::request(&args.paths, &args.config)?);
    logging::init(&settings.logging, args.once)?;
    let (runtime, signals) = surroundings()?;
    let data = args.data.clone().map_or(settings.data, plan::absolute);
    let (workshop, plugins) = if args.dev {
        let (workshop, plugins) = Workshop::open(args)?;
        (Some(workshop), plugins)
    } else {
        let cache = cache_of(&data);
        let plugins = plan::discover(&args.paths, &args.config, Some(&cache))?;
        (None, plugins)
    };
    let listen = listen::wish(args, settings.listen.as_deref())?;
    let (plan, warnings) = plan::load(&args.paths, &args.config, &plugins, listen.is_some())?;
    if let Some(wish) = &listen {
        wish.check(&plan.host.access, args.insecure_listen)?;
    }
    let plan = plan::only(plan, args.job.as_deref())?;
    if let Some(earlier) = repeats {
        earlier.check(&plan, args.changed_config)?;
    }
    if args.once {
        // A circle is refused before anything is touched.
        plan::job_specs(&plan)?;
    }
    let (log, opened) =
        match take_directory(args, &plan, &data, &about, timeout, &signals, &runtime)? {
            Taken::Here(log, opened) => (log, opened),
            Taken::ByHost(exit) => return Ok(exit),
        };
    let new = matches!(opened, Opened::New);
    say_data(&data, new);
    if let Err(error) = records::settle_lost(&data) {
        terminal::warning(
            "LS0704",
            &format!("could not look at the records of runs: {error}"),
        );
    }
    plugins.announce();
    let audit = Audit::open(&data).map_err(|error| {
        let message = format!("the audit trail in `{}`: {error}", data.display());
        Failure::new(Exit::Environment, "LS0704", message)
    })?;
    let mut host = Host {
        args,
        workshop,
        plan: &plan,
        plugins: &plugins,
        log: Arc::clone(&log),
        data: &data,
        signals: &signals,
        tokio: &runtime,
        listen,
        audit: Arc::new(audit),
    };
    let ran = if args.once {
        host.job(about, warnings, timeout)
    } else {
        host.lasting(about.asked).map(Ran::Watched)
    };
    socket::remove(&data);
    let topics = log
        .topics()
        .unwrap_or_default()
        .into_iter()
        .map(|topic| topic.name.to_string())
        .collect::<Vec<_>>();
    let topics = plan::own_first(&plan, topics);
    let closed = log.close();
    let tokio = runtime.handle().clone();
    let ended = finish_run(ran, closed, &signals, args.output, !new, &topics, &tokio);
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

fn finish_run(
    ran: Result<Ran<'_>, Failure>,
    closed: linkspan_log::Result<()>,
    signals: &Signals,
    output: Output,
    resumed: bool,
    topics: &[String],
    tokio: &tokio::runtime::Handle,
) -> Result<Exit, Failure> {
    match ran? {
        Ran::Watched(exit) => {
            closed?;
            Ok(exit)
        }
        Ran::Job(job, mut report, outcome) => {
            let exit = job_exit(&mut report, outcome, closed.err(), signals);
            job.follow_up(&mut report, tokio);
            job.keep(&mut report, exit);
            finish_job(&report, exit, output, resumed, topics)
        }
    }
}

/// The data directory, opened here, or the end of a job that its holder ran.
enum Taken {
    Here(Arc<dyn LogBackend>, Opened),
    ByHost(Exit),
}

/// Opens the log. A job on a directory that a host holds is handed to that host; where the holder takes no jobs, it waits.
fn take_directory(
    args: &RunArgs,
    plan: &Plan,
    data: &Path,
    about: &About,
    timeout: Option<Duration>,
    signals: &Signals,
    tokio: &tokio::runtime::Runtime,
) -> Result<Taken, Failure> {
    let since = Instant::now();
    let mut said = false;
    loop {
        let held = match open_log(plan, data) {
            Ok((log, opened)) => return Ok(Taken::Here(log, opened)),
            Err(failure) if args.once && failure.code == "LS0701" => failure,
            Err(failure) => return Err(failure),
        };
        let left = timeout.map(|timeout| timeout.saturating_sub(since.elapsed()));
        let handed = Handed {
            asked: about.asked.clone(),
            env: plan::environment(),
            now_ms: about.started.timestamp_millis(),
            timeout_ms: left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
            rerun_of: about.rerun_of.clone(),
        };
        match handover::offer(&handed, data, args.output, signals, tokio, since)? {
            Offer::Taken(exit) => return Ok(Taken::ByHost(exit)),
            Offer::Busy if left.is_some_and(|left| left.is_zero()) => return Err(held),
            Offer::Busy if signals.stopped() => return Ok(Taken::ByHost(signals.exit())),
            Offer::Busy => {}
        }
        if !said && since.elapsed() > handover::SAY_AFTER {
            said = true;
            handover::say_waiting(data);
        }
        std::thread::sleep(handover::TRY_EVERY);
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

/// Prints what a job came to.
fn finish_job(
    report: &RunReport,
    exit: Exit,
    output: Output,
    resumed: bool,
    topics: &[String],
) -> Result<Exit, Failure> {
    let error = report
        .connectors
        .iter()
        .find_map(|connector| connector.error.as_ref());
    if let (Exit::Invalid, Some(error)) = (exit, error) {
        return Err(Failure::new(exit, "LS0210", &error.message));
    }
    summary::print(report, output, resumed, topics);
    Ok(exit)
}

/// What a run came to.
enum Ran<'a> {
    Watched(Exit),
    Job(Box<Job<'a>>, Box<RunReport>, Outcome),
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
        report.status = "failed".into();
        report.warnings.push(WarningReport {
            code: failure.code.to_owned(),
            message: failure.message.clone(),
        });
        return failure.report();
    }
    job::exit_of(report, outcome, signals.exit())
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

struct Host<'a, 't> {
    args: &'a RunArgs,
    /// With `--dev`.
    workshop: Option<Workshop>,
    plan: &'a Plan,
    plugins: &'a Plugins,
    log: Arc<dyn LogBackend>,
    data: &'a Path,
    signals: &'a Signals,
    tokio: &'t tokio::runtime::Runtime,
    listen: Option<listen::Wish>,
    audit: Arc<Audit>,
}

impl<'a> Host<'a, '_> {
    fn engine(&self) -> Runtime {
        Runtime::new(
            Arc::clone(&self.log),
            Arc::clone(&self.plugins.registry),
            Arc::clone(&self.plugins.services),
            plan::settings(self.plan),
            Arc::new(SystemClock::default()) as Arc<dyn Clock>,
            self.tokio.handle().clone(),
        )
    }

    fn lasting(&mut self, asked: Asked) -> Result<Exit, Failure> {
        let engine = self.engine();
        let specs = plan::lasting(self.plan)?;
        let topics = plan::topics(self.plan)?;
        // The socket comes first, as a host that starts slowly shall answer; it takes commands once it has started.
        let view = Arc::new(Starting::default());
        let fleet = Fleet::watched(
            Arc::clone(&self.log),
            Arc::clone(&view) as Arc<dyn linkspan_rest::HostView>,
        )
        .map_err(|error| {
            let message = format!("could not start the thread that watches connectors: {error}");
            Failure::new(Exit::Environment, "LS0704", message)
        })?;
        self.serve(
            Arc::clone(&view) as Arc<dyn linkspan_rest::HostView>,
            &fleet,
        )?;
        let (hub, admission) = self.listen(&view, &fleet)?;
        let control =
            Control::start(&engine, specs, hub.made_specs(), &topics).map_err(start_failure)?;
        let now_ms = SystemClock::default().now_ms();
        let jobs = Arc::new(Jobs {
            engine,
            plugins: self.plugins.clone(),
            control: control.clone(),
            log: Arc::clone(&self.log),
            data: self.data.to_owned(),
            stop_deadline: plan::settings(self.plan).stop_deadline,
            tokio: self.tokio.handle().clone(),
            schedules: Schedules::new(self.plan, Arc::clone(&self.log), now_ms)?,
            asked,
            plan: Mutex::new(Arc::new(self.plan.clone())),
            state: Mutex::default(),
        });
        jobs.declare(self.plan)?;
        let reload = Arc::new(Reload::new(
            self.args,
            self.plan.host.clone(),
            self.plugins.clone(),
            control.clone(),
            Arc::clone(&jobs),
            Arc::clone(&hub),
            admission,
        ));
        view.started(
            control.clone(),
            Arc::clone(&jobs),
            Arc::clone(&reload),
            Arc::clone(&hub),
        );
        hub.started(control.clone());
        Ok(self.watch(&control, &jobs, &reload))
    }

    /// Serves the network, if wanted, from the first moment on.
    fn listen(
        &self,
        view: &Arc<Starting>,
        fleet: &Arc<Fleet>,
    ) -> Result<(Arc<Hub>, Admission), Failure> {
        let bound = match &self.listen {
            Some(wish) => {
                let door = Door::new(wish, &self.plan.host.access, Arc::clone(&self.audit))?;
                listen::bind(self.tokio, wish)?.map(|bound| (bound, door))
            }
            None => None,
        };
        let address = bound
            .as_ref()
            .map_or(listen::UNHEARD, |((_, address), _)| *address);
        let commands = Arc::clone(view);
        let log = Arc::clone(&self.log);
        let hub = Arc::new(Hub::new(log, self.plugins, self.plan, commands, address)?);
        let door = bound.as_ref().map(|(_, door)| door);
        let access = door.map(|door| Arc::clone(&door.access));
        let tls = door.and_then(|door| door.tls.clone());
        if let Some((bound, door)) = bound {
            let api = linkspan_rest::router(
                Arc::clone(&self.log),
                Arc::clone(view) as Arc<dyn linkspan_rest::HostView>,
                Arc::clone(fleet),
            );
            listen::serve(self.tokio, bound, api, Arc::clone(&hub) as _, door);
        }
        Ok((hub, (access, tls)))
    }

    /// Whether it goes on when nothing runs: somebody who asked for the interface may make something to run.
    fn stays(&self) -> bool {
        let asked = self.listen.as_ref().is_some_and(listen::Wish::said);
        asked || (self.listen.is_some() && self.plan.connectors.is_empty())
    }

    fn job(
        &self,
        about: About,
        warnings: Vec<WarningReport>,
        timeout: Option<Duration>,
    ) -> Result<Ran<'a>, Failure> {
        let view = Arc::new(View::default());
        // Looked at when somebody asks: a job is over before rates say much.
        let fleet = Fleet::new(
            Arc::clone(&self.log),
            Arc::clone(&view) as Arc<dyn linkspan_rest::HostView>,
        );
        self.serve(
            Arc::clone(&view) as Arc<dyn linkspan_rest::HostView>,
            &fleet,
        )?;
        let job = Job {
            engine: self.engine(),
            plan: self.plan,
            data: self.data,
            about,
            warnings,
            timeout,
        };
        let mut progress = Progress::new();
        let ran = job.run(self.signals.flag(), |run| {
            view.show(run);
            progress.show(run);
        });
        progress.finish();
        match ran {
            Ok(done) => {
                job::say_left_over(&done.report);
                Ok(Ran::Job(Box::new(job), Box::new(done.report), done.outcome))
            }
            Err(problem) => {
                let failure = problem.into_failure();
                job.keep_failure(
                    failure.code,
                    &failure.message,
                    failure.exit,
                    self.tokio.handle(),
                );
                Err(failure)
            }
        }
    }

    fn serve(
        &self,
        view: Arc<dyn linkspan_rest::HostView>,
        fleet: &Arc<Fleet>,
    ) -> Result<(), Failure> {
        let router = linkspan_rest::router(Arc::clone(&self.log), view, Arc::clone(fleet));
        let router = linkspan_rest::audited(router, Arc::clone(&self.audit));
        socket::serve(self.tokio, self.data, router)
    }

    /// Runs until a signal, or until nothing is left that could run; takes over what changes meanwhile.
    fn watch(&mut self, control: &Control, jobs: &Arc<Jobs>, reload: &Reload) -> Exit {
        let ours = |status: &ConnectorStatus| !status.left;
        terminal::note(&format!(
            "running {} connectors{}; Ctrl-C or SIGTERM stops them cleanly",
            control.statuses().into_iter().filter(ours).count(),
            if self.workshop.is_some() {
                " for development"
            } else {
                ""
            }
        ));
        jobs.schedules.announce();
        let clock = SystemClock::default();
        // A person at work mends what failed.
        let lasts = self.workshop.is_some() || self.stays();
        let over = || control.is_over() && jobs.is_idle() && jobs.schedules.is_empty();
        while !self.signals.stopped() && (lasts || !over()) {
            jobs.tick(clock.now_ms());
            thread::sleep(WATCH_EVERY);
            if let Some(workshop) = &mut self.workshop {
                workshop.look(reload);
            }
            if self.signals.take_hangup() {
                reload.everything();
            } else if self.args.reload == ReloadWhen::Auto {
                reload.look();
            }
        }
        let over = over();
        jobs.stop();
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
}

fn warn_stuck(stuck: &[String]) {
    for task in stuck {
        terminal::warning(
            "LS0402",
            &format!("task {task} did not stop in time and was given up"),
        );
    }
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
        let snapshots = run.snapshot();
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

//! Jobs inside of a running host: those that another process handed over, and those whose time has come.
//!
//! Each job is a thread with a bounded run of its own, on the host's log and with the host's plugins. A connector belongs to
//! the host or to one job, never to two at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use linkspan_config::Plan;
use linkspan_log::LogBackend;
use linkspan_rest::{JobEvents, Refusal};
use linkspan_runtime::{Control, Mode, Outcome, Run, Runtime, WarningReport};
use linkspan_types::{Clock as _, SystemClock};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::asked::Asked;
use super::job::{About, Job, exit_of};
use super::plan;
use super::progress::counts;
use super::schedule::{Due, Schedules};
use super::start_failure;
use crate::exit::{Exit, Failure};
use crate::plugins::Plugins;
use crate::terminal;

/// Jobs of one host at a time; each has a thread, and threads for its tasks.
const JOBS_MAX: usize = 64;
/// Events on their way to a slow reader.
const EVENTS_MAX: usize = 16;
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// How long the end of a job waits for its reader to have taken it.
const TAKEN_WITHIN: Duration = Duration::from_secs(2);
/// How long the host waits for its jobs beyond the time that their tasks have to stop.
const GRACE: Duration = Duration::from_secs(2);

/// A job as another process hands it over. It holds the caller's environment: it is never stored or printed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Handed {
    pub(crate) asked: Asked,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) now_ms: i64,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) rerun_of: Option<String>,
}

/// A job that works now.
#[derive(Debug)]
struct Working {
    id: String,
    name: String,
    started_ms: i64,
    connectors: BTreeSet<String>,
    /// Its schedule started it.
    scheduled: bool,
    cancelled: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    working: Vec<Working>,
    closing: bool,
}

/// The jobs of a host.
pub(crate) struct Jobs {
    pub(crate) engine: Runtime,
    pub(crate) plugins: Plugins,
    pub(crate) control: Control,
    pub(crate) log: Arc<dyn LogBackend>,
    pub(crate) data: PathBuf,
    pub(crate) stop_deadline: Duration,
    pub(crate) tokio: tokio::runtime::Handle,
    pub(crate) schedules: Schedules,
    /// What the host was asked, to read it again for each run of a schedule.
    pub(crate) asked: Asked,
    /// As it was read last.
    pub(crate) plan: Mutex<Arc<Plan>>,
    pub(crate) state: Mutex<State>,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs")
            .field("data", &self.data)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// Gives a job's connectors free when it ends, however it ends.
struct Place<'a> {
    jobs: &'a Jobs,
    id: String,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let id = &self.id;
        self.jobs.state().working.retain(|job| job.id != *id);
    }
}

impl Jobs {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no job works now.
    pub(crate) fn is_idle(&self) -> bool {
        self.state().working.is_empty()
    }

    /// The jobs that work now.
    pub(crate) fn list(&self) -> Value {
        let state = self.state();
        let mut rows = self.schedules.rows();
        for job in &state.working {
            let known = rows
                .iter_mut()
                .find(|row| job.scheduled && row.get("job") == Some(&json!(job.name)));
            match known.and_then(Value::as_object_mut) {
                Some(row) => {
                    row.insert("run_id".to_owned(), job.id.clone().into());
                }
                None => rows.push(json!({ "run_id": job.id, "job": job.name, "state": "RUNNING", "started_ms": job.started_ms, "connectors": job.connectors })),
            }
        }
        Value::Array(rows)
    }

    /// The connectors of scheduled jobs, as `get` shows them.
    pub(crate) fn connectors(&self) -> Vec<Value> {
        let rows = self.schedules.rows();
        let plan = self.last_plan();
        let mut connectors = Vec::new();
        for row in &rows {
            let names = row.get("connectors").and_then(Value::as_array);
            for name in names.into_iter().flatten() {
                let known = plan.connectors.iter();
                let kind = known
                    .filter(|connector| name == &json!(connector.name))
                    .map(|connector| match connector.kind {
                        linkspan_config::ClassKind::Sink => "sink",
                        _ => "source",
                    })
                    .next();
                connectors.push(json!({
                    "name": name, "type": kind, "state": row.get("state"), "tasks": [], "job": row.get("job"), "next": row.get("next"),
                }));
            }
        }
        connectors
    }

    /// Checks the jobs that run by a schedule before their time, and keeps for their sinks what they have not read.
    ///
    /// # Errors
    /// One of them could not run.
    pub(crate) fn declare(&self, plan: &Plan) -> Result<(), Failure> {
        let mode = Mode::Bounded { timeout: None };
        let topics = plan::topics(plan)?;
        for job in plan.jobs.iter().filter(|job| job.schedule.is_some()) {
            let plan = plan::only(plan.clone(), Some(&job.name))?;
            let declared = self.engine.declare(plan::job_specs(&plan)?, &topics, mode);
            declared.map_err(start_failure)?;
        }
        Ok(())
    }

    /// Goes over to the jobs of files that changed; a run that works goes on as it is.
    ///
    /// # Errors
    /// As [`Jobs::declare`]; then nothing has changed.
    pub(crate) fn reload(&self, plan: &Plan) -> Result<(), Failure> {
        self.declare(plan)?;
        self.schedules
            .reload(plan, SystemClock::default().now_ms())?;
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan.clone());
        Ok(())
    }

    pub(super) fn last_plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Starts the runs whose time has come.
    pub(crate) fn tick(self: &Arc<Self>, now_ms: i64) {
        for due in self.schedules.tick(now_ms) {
            let jobs = Arc::clone(self);
            let (job, name) = (due.job.clone(), format!("job/{}", due.job));
            let spawned = std::thread::Builder::new()
                .name(name)
                .spawn(move || jobs.run_scheduled(&due));
            if let Err(error) = spawned {
                let message = format!("job {job}: no thread could be started: {error}");
                terminal::error("LS0704", &message, None);
                self.schedules
                    .ended(&job, true, json!({ "status": "failed" }));
            }
        }
    }

    /// One run of a schedule. The files are read anew, with the time at which it was due as their today: a run that is made
    /// up for moves the day that it would have moved.
    fn run_scheduled(&self, due: &Due) {
        let mut asked = self.asked.clone();
        asked.job = Some(due.job.clone());
        let mut about = About::new(due.job.clone(), "schedule", asked);
        about.due_ms = Some(due.due_ms);
        let id = about.id.clone();
        terminal::note(&format!("job {}: begins, run {id}", due.job));
        let read = self.read(&about.asked, None, due.due_ms);
        // A configuration that is not right any more fails with the hooks of the one that was.
        let (plan, warnings, problem) = match read {
            Ok((plan, warnings)) => (plan, warnings, None),
            Err(failure) => (Plan::clone(&self.last_plan()), Vec::new(), Some(failure)),
        };
        let mut plan = plan;
        plan.jobs.retain(|job| job.name == due.job);
        let timeout = plan
            .jobs
            .first()
            .and_then(|job| job.schedule.as_ref()?.timeout);
        let taken = match problem {
            Some(failure) => Err(failure),
            None => self.take_place(&about, &plan).map_err(Failure::from),
        };
        let place = Place {
            jobs: self,
            id: id.clone(),
        };
        let job = Job {
            engine: self.engine.clone(),
            plan: &plan,
            data: &self.data,
            about,
            warnings,
            timeout,
        };
        let (status, by_itself) = match taken {
            Ok(cancelled) => match job.run(&cancelled, |_| {}) {
                Ok(mut done) => {
                    let cut_off = done.outcome == Outcome::Interrupted && self.state().closing;
                    let exit = exit_of(&done.report, done.outcome, Exit::Runtime);
                    if !cut_off {
                        job.follow_up(&mut done.report, &self.tokio);
                    }
                    job.keep(&mut done.report, exit);
                    (done.report.status.to_string(), !cut_off)
                }
                Err(failure) => (self.failed(&job, failure.into_failure()), true),
            },
            // The host stopped before it could begin: it is missed, not failed.
            Err(_) if self.state().closing => ("cut off".to_owned(), false),
            Err(failure) => (self.failed(&job, failure), true),
        };
        terminal::note(&format!("job {}: {status}, run {id}", due.job));
        self.schedules.ended(
            &due.job,
            by_itself,
            json!({ "run_id": id, "status": status, "due_ms": due.due_ms }),
        );
        // Last: the host waits for this before it ends.
        drop(place);
    }

    fn failed(&self, job: &Job<'_>, failure: Failure) -> String {
        job.keep_failure(failure.code, &failure.message, failure.exit, &self.tokio);
        failure.report();
        "failed".to_owned()
    }

    /// Tells all jobs to stop, and waits for them.
    pub(crate) fn stop(&self) {
        {
            let mut state = self.state();
            state.closing = true;
            for job in &state.working {
                job.cancelled.store(true, Ordering::SeqCst);
            }
        }
        let deadline = Instant::now() + self.stop_deadline * 2 + GRACE;
        while !self.is_idle() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends one job before its time.
    pub(crate) fn cancel(&self, id: &str) -> Result<Value, Refusal> {
        let state = self.state();
        let Some(job) = state.working.iter().find(|job| job.id == id) else {
            return Err(Refusal::new(
                404,
                "LS0222",
                format!("no job `{id}` works now"),
            ));
        };
        job.cancelled.store(true, Ordering::SeqCst);
        Ok(json!({ "cancelled": id }))
    }

    /// Starts a job that was handed over.
    ///
    /// # Errors
    /// The host cannot run it; every reason has its own message.
    pub(crate) fn start(self: &Arc<Self>, request: Value) -> Result<JobEvents, Refusal> {
        let handed: Handed = serde_json::from_value(request)
            .map_err(|error| Refusal::argument(format!("the job cannot be read: {error}")))?;
        let (plan, warnings) = self
            .read(&handed.asked, Some(handed.env.clone()), handed.now_ms)
            .map_err(refuse)?;
        let mut about = About::new(handed.asked.name(), "handed-over", handed.asked);
        about.rerun_of = handed.rerun_of;
        let cancelled = self.take_place(&about, &plan)?;
        let (sender, receiver) = mpsc::channel(EVENTS_MAX);
        let timeout = handed.timeout_ms.map(Duration::from_millis);
        let jobs = Arc::clone(self);
        let id = about.id.clone();
        let spawned = std::thread::Builder::new()
            .name(format!("job/{}", about.name))
            .spawn(move || {
                let place = Place {
                    jobs: &jobs,
                    id: about.id.clone(),
                };
                jobs.work(&plan, about, warnings, timeout, &cancelled, &sender);
                drop(place);
            });
        if let Err(error) = spawned {
            self.state().working.retain(|job| job.id != id);
            let message = format!("no thread could be started: {error}");
            return Err(Refusal::new(503, "LS0704", message));
        }
        Ok(receiver)
    }

    /// Reads a configuration with the host's plugins; `env` is the caller's, else that of the host.
    fn read(
        &self,
        asked: &Asked,
        env: Option<BTreeMap<String, String>>,
        now_ms: i64,
    ) -> Result<(Plan, Vec<WarningReport>), Failure> {
        let mut args = asked.arguments()?;
        args.elsewhere.env = env;
        args.elsewhere.now_ms = Some(now_ms);
        let request = plan::request(&asked.paths, &args)?;
        let (plan, diagnostics) = plan::check(&request, &self.plugins)?;
        let (plan, warnings) = plan::verdict(plan, &diagnostics)?;
        Ok((plan::only(plan, asked.job.as_deref())?, warnings))
    }

    /// Takes the connectors of a job for it alone.
    fn take_place(&self, about: &About, plan: &Plan) -> Result<Arc<AtomicBool>, Refusal> {
        let refused = |message: String| Refusal::new(409, "LS0617", message);
        let own = self.control.statuses();
        let names: BTreeSet<String> = plan
            .connectors
            .iter()
            .map(|connector| connector.name.clone())
            .collect();
        let mut state = self.state();
        if state.closing {
            return Err(Refusal::new(503, "LS0615", "the host is stopping"));
        }
        if state.working.len() >= JOBS_MAX {
            let message = format!("the host works on {JOBS_MAX} jobs already");
            return Err(refused(message).help("try again when one of them has ended"));
        }
        for name in &names {
            if own
                .iter()
                .any(|status| status.name == *name && !status.left)
            {
                let message = format!(
                    "the host that holds the data directory (process {}) runs the connector `{name}` itself",
                    std::process::id()
                );
                return Err(refused(message).help(
                    "its records move already; stop the host, or take the connector out of the host's files, to run it as a job",
                ));
            }
            if let Some(job) = state
                .working
                .iter()
                .find(|job| job.connectors.contains(name))
            {
                let message = format!(
                    "the connector `{name}` works in another job at this moment: run {} (`{}`)",
                    job.id, job.name
                );
                return Err(refused(message).help("try again when that job has ended"));
            }
        }
        let cancelled = Arc::new(AtomicBool::new(false));
        state.working.push(Working {
            id: about.id.clone(),
            name: about.name.clone(),
            started_ms: about.started.timestamp_millis(),
            connectors: names,
            scheduled: about.due_ms.is_some(),
            cancelled: Arc::clone(&cancelled),
        });
        Ok(cancelled)
    }

    fn work(
        &self,
        plan: &Plan,
        about: About,
        warnings: Vec<WarningReport>,
        timeout: Option<Duration>,
        cancelled: &AtomicBool,
        events: &mpsc::Sender<Value>,
    ) {
        let id = about.id.clone();
        terminal::note(&format!("job {}: begins, run {id}", about.name));
        let name = about.name.clone();
        tell(
            events,
            json!({ "started": { "run_id": id, "host_pid": std::process::id() } }),
        );
        let job = Job {
            engine: self.engine.clone(),
            plan,
            data: &self.data,
            about,
            warnings,
            timeout,
        };
        let mut told = Instant::now();
        let ran = job.run(cancelled, |run| {
            // A caller that is gone, a killed `run --once` for example, ends its job.
            if events.is_closed() {
                cancelled.store(true, Ordering::SeqCst);
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                // A reader that is slow misses some of it.
                drop(events.try_send(progress(run)));
            }
        });
        let last = match ran {
            Ok(mut done) => {
                let exit = exit_of(&done.report, done.outcome, Exit::Runtime);
                if done.outcome == Outcome::Interrupted {
                    done.report.warnings.push(WarningReport {
                        code: "LS0415".to_owned(),
                        message:
                            "the job was ended before its time; the next run goes on from here"
                                .to_owned(),
                    });
                }
                job.follow_up(&mut done.report, &self.tokio);
                job.keep(&mut done.report, exit);
                terminal::note(&format!("job {name}: {}, run {id}", done.report.status));
                json!({ "done": { "report": done.report, "exit": exit.code(), "topics": self.topics() } })
            }
            Err(failure) => {
                let failure = failure.into_failure();
                job.keep_failure(failure.code, &failure.message, failure.exit, &self.tokio);
                terminal::note(&format!(
                    "job {name}: failed to start, run {id}: {}",
                    failure.message
                ));
                json!({ "failed": { "code": failure.code, "message": failure.message, "help": failure.help, "exit": failure.exit.code() } })
            }
        };
        tell(events, last);
        wait_taken(events);
    }

    fn topics(&self) -> Vec<String> {
        let topics = self.log.topics().unwrap_or_default();
        topics
            .into_iter()
            .map(|topic| topic.name.to_string())
            .collect()
    }
}

fn progress(run: &Run) -> Value {
    let (read, written) = counts(run);
    json!({ "progress": { "read": read, "written": written } })
}

fn tell(events: &mpsc::Sender<Value>, event: Value) {
    // Nobody is there to be told any more.
    drop(events.blocking_send(event));
}

/// A reader that has taken the end goes away; a host that ends meanwhile would cut it off.
fn wait_taken(events: &mpsc::Sender<Value>) {
    let deadline = Instant::now() + TAKEN_WITHIN;
    while !events.is_closed() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn refuse(failure: Failure) -> Refusal {
    // A class that only the caller's plugins offer is the usual reason.
    let status = if failure.exit == Exit::Invalid {
        400
    } else {
        503
    };
    let message = format!("the host cannot run the job: {}", failure.message);
    let refusal = Refusal::new(status, failure.code, message);
    match failure.help {
        Some(help) => refusal.help(help),
        None if failure.code == "LS0201" => refusal.help(
            "a job runs with the plugins of the host that holds the data directory; start the host with this --plugin-path, or stop it",
        ),
        None => refusal,
    }
}

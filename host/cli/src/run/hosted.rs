//! Jobs inside of a running host: those that another process handed over.
//!
//! Each job is a thread with a bounded run of its own, on the host's log and with the host's plugins. A connector belongs to
//! the host or to one job, never to two at a time.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use linkspan_config::Plan;
use linkspan_log::LogBackend;
use linkspan_rest::{JobEvents, Refusal};
use linkspan_runtime::{Control, Run, Runtime, WarningReport};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::asked::{Asked, job_name};
use super::job::{About, Job, exit_of};
use super::plan;
use super::progress::counts;
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
    pub(crate) env: std::collections::BTreeMap<String, String>,
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
    cancelled: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct State {
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
    state: Mutex<State>,
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
    pub(crate) fn new(
        engine: Runtime,
        plugins: Plugins,
        control: Control,
        log: Arc<dyn LogBackend>,
        data: PathBuf,
        stop_deadline: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            engine,
            plugins,
            control,
            log,
            data,
            stop_deadline,
            state: Mutex::default(),
        })
    }

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
        let rows = state.working.iter().map(|job| {
            json!({ "run_id": job.id, "job": job.name, "state": "RUNNING", "started_ms": job.started_ms, "connectors": job.connectors })
        });
        rows.collect()
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
        let (plan, warnings) = self.plan(&handed).map_err(refuse)?;
        let mut about = About::new(job_name(&handed.asked.paths), "handed-over", handed.asked);
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

    /// Reads the caller's configuration with the host's plugins.
    fn plan(&self, handed: &Handed) -> Result<(Plan, Vec<WarningReport>), Failure> {
        let mut args = handed.asked.arguments()?;
        args.elsewhere.env = Some(handed.env.clone());
        args.elsewhere.now_ms = Some(handed.now_ms);
        let request = plan::request(&handed.asked.paths, &args)?;
        let (plan, diagnostics) = plan::check(&request, &self.plugins)?;
        plan::verdict(plan, &diagnostics)
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
                if done.outcome == linkspan_runtime::Outcome::Interrupted {
                    done.report.warnings.push(WarningReport {
                        code: "LS0415".to_owned(),
                        message:
                            "the job was ended before its time; the next run goes on from here"
                                .to_owned(),
                    });
                }
                job.keep(&mut done.report, exit);
                terminal::note(&format!("job {name}: {}, run {id}", done.report.status));
                json!({ "done": { "report": done.report, "exit": exit.code(), "topics": self.topics() } })
            }
            Err(failure) => {
                let failure = failure.into_failure();
                job.keep_failure(failure.code, &failure.message, failure.exit);
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

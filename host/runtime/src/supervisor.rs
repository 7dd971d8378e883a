//! Starts the connectors of a run, watches and stops them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use linkspan_log::{LogBackend, TopicSpec};
use linkspan_plugin::{Class, ErrorKind, Registry};
use linkspan_types::{Clock, OwnerId, TopicName};
use serde::Serialize;

use crate::budget::Budget;
use crate::conceal::conceal;
use crate::connector::{FEATURE_TRANSACTIONS, Shared, TaskContext};
use crate::control::{Keeper, Refused, ownership};
use crate::convert::Converters;
use crate::error::{StartError, TaskError};
use crate::errors::{ErrorPolicy, ensure_topic};
use crate::services::Services;
use crate::sink::group_of;
use crate::source::Boundary;
use crate::spec::{ConnectorSpec, KindOfConnector, Mode, Resolved, Settings, TopicSpecs};
use crate::stop::Pulse;
use crate::task::{TaskShared, TaskState};
use crate::whole;

/// A class that never ends by itself; it cannot be part of a bounded job.
const FEATURE_UNBOUNDED: &str = "unbounded";

/// The host's engine over one log and one set of plugins. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Runtime {
    pub(crate) shared: Arc<Shared>,
}

/// One connector that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) spec: Arc<ConnectorSpec>,
    pub(crate) tasks: Vec<Arc<TaskShared>>,
    threads: Vec<JoinHandle<()>>,
    /// Where its dead letters go.
    pub(crate) letters: Option<TopicName>,
    /// A connector of a later stage of a job that has not started yet.
    pub(crate) waiting: Option<Planned>,
}

/// A started run. Dropping it does not stop it; call [`Run::stop`].
#[derive(Debug)]
pub struct Run {
    pub(crate) shared: Arc<Shared>,
    pub(crate) pulse: Pulse,
    pub(crate) connectors: Vec<Running>,
    stuck: Vec<String>,
}

/// One connector at this moment.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// The instance's name.
    pub name: String,
    /// `source` or `sink`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// States of its tasks.
    pub tasks: Vec<TaskState>,
    /// Records so far.
    pub records: u64,
    /// Bytes of these records.
    pub bytes: u64,
    /// Restarts so far.
    pub restarts: u64,
    /// The first task error, if any.
    pub error: Option<String>,
}

/// A connector that was checked, with the shares of its tasks.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) spec: Arc<ConnectorSpec>,
    pub(crate) class: Class,
    pub(crate) task_configs: Vec<BTreeMap<String, String>>,
    /// Where its dead letters go.
    pub(crate) letters: Option<TopicName>,
}

impl Runtime {
    /// Puts the engine together; nothing starts yet. `tokio` runs fetching and acknowledgements.
    #[must_use]
    pub fn new(
        log: Arc<dyn LogBackend>,
        registry: Arc<Registry>,
        services: Arc<Services>,
        settings: Settings,
        clock: Arc<dyn Clock>,
        tokio: tokio::runtime::Handle,
    ) -> Self {
        services.bind(Arc::clone(&log));
        Self {
            shared: Arc::new(Shared {
                budget: Budget::new(settings.memory_bytes_max),
                log,
                services,
                settings,
                clock,
                tokio,
                registry: RwLock::new(registry),
            }),
        }
    }

    pub(crate) fn class(&self, name: &str) -> Option<Class> {
        self.shared.registry().class(name)
    }

    /// Returns the files of the plugins that a connector is made of: its own class's, and those of its transforms.
    pub(crate) fn plugins_of(&self, spec: &ConnectorSpec) -> Vec<PathBuf> {
        let registry = self.shared.registry();
        let path = |name: &str| Some(registry.class(name)?.plugin().path.clone());
        let mut paths: Vec<PathBuf> = path(&spec.class).into_iter().collect();
        // What cannot be resolved has no steps yet; its worker says why.
        if let Ok(resolved) = (spec.resolve)() {
            paths.extend(crate::transforms::classes(&resolved.config).filter_map(path));
        }
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Asks a connector's class about offsets that are to be set; returns whether it has looked at them.
    pub(crate) fn alter_offsets(
        &self,
        spec: &ConnectorSpec,
        offsets: &serde_json::Value,
    ) -> Result<bool, Refused> {
        let Some(class) = self.class(&spec.class) else {
            return Ok(false);
        };
        let failed = |status, message: String| Refused::new(status, "LS0613", message);
        let Resolved { config, concealed } =
            (spec.resolve)().map_err(|message| failed(500, message))?;
        let body = serde_json::json!({ "class": spec.class, "config": config, "offsets": offsets });
        match class.call("connector.alter_offsets", body.to_string().as_bytes()) {
            Ok(answer) => Ok(answer == b"true"),
            Err(error) if error.kind == ErrorKind::UNSUPPORTED => Ok(false),
            Err(error) => {
                let ours =
                    [ErrorKind::DATA_INVALID, ErrorKind::CONFIG_INVALID].contains(&error.kind);
                let status = if ours { 400 } else { 500 };
                Err(failed(status, conceal(&error.message, &concealed)))
            }
        }
    }

    pub(crate) fn use_plugins(&self, registry: Arc<Registry>) {
        *self
            .shared
            .registry
            .write()
            .unwrap_or_else(PoisonError::into_inner) = registry;
    }

    /// Starts all connectors: topics first, then sinks, then sources.
    ///
    /// # Errors
    /// [`StartError::Invalid`] with every problem before anything runs.
    pub fn start(
        &self,
        specs: Vec<ConnectorSpec>,
        topics: &TopicSpecs,
        mode: Mode,
    ) -> Result<Run, StartError> {
        let planned = self.prepare(specs, topics, mode)?;
        let moved: Vec<_> = planned.iter().map(|one| Arc::clone(&one.spec)).collect();
        let keeper = Keeper::new(Arc::clone(&self.shared.log));
        self.adopt(&keeper, &moved)?;
        for planned in &planned {
            self.declare_sink(&planned.spec)?;
        }
        let told = planned.iter().map(|planned| {
            let log = self.shared.log.as_ref();
            whole::created(log, &keeper, &planned.spec, &planned.class)
        });
        let refused: Vec<TaskError> = told.filter_map(Result::err).collect();
        if !refused.is_empty() {
            return Err(StartError::Invalid(refused));
        }
        let mut run = Run {
            shared: Arc::clone(&self.shared),
            pulse: Pulse::default(),
            connectors: Vec::new(),
            stuck: Vec::new(),
        };
        match self.start_all(planned, &mut run, mode) {
            Ok(()) => Ok(run),
            Err(error) => {
                // What started already must not work on below a closing log.
                run.stop();
                Err(error)
            }
        }
    }

    /// Checks a set that runs later: makes its topics and keeps for its sinks what they have not read yet.
    ///
    /// # Errors
    /// As [`Runtime::start`].
    pub fn declare(
        &self,
        specs: Vec<ConnectorSpec>,
        topics: &TopicSpecs,
        mode: Mode,
    ) -> Result<(), StartError> {
        for planned in &self.prepare(specs, topics, mode)? {
            self.declare_sink(&planned.spec)?;
        }
        Ok(())
    }

    /// Checks a whole set; then makes its topics.
    pub(crate) fn prepare(
        &self,
        specs: Vec<ConnectorSpec>,
        topics: &TopicSpecs,
        mode: Mode,
    ) -> Result<Vec<Planned>, StartError> {
        let planned = self.plan(specs, mode)?;
        let problems = ownership::check_moves(planned.iter().map(|one| one.spec.as_ref()));
        if !problems.is_empty() {
            return Err(StartError::Invalid(problems));
        }
        self.make_topics(topics)?;
        for planned in &planned {
            self.ensure_sink_topics(&planned.spec, planned.letters.as_ref())?;
        }
        Ok(planned)
    }

    /// Makes declared topics, and brings those that exist to their settings; nothing at all if one of them cannot be.
    pub(crate) fn make_topics(&self, topics: &TopicSpecs) -> Result<(), StartError> {
        self.check_topics(topics)?;
        self.ensure_topics(topics)
    }

    /// Does what `moved.from` says, for those that have not done it yet.
    pub(crate) fn adopt(
        &self,
        keeper: &Keeper,
        specs: &[Arc<ConnectorSpec>],
    ) -> linkspan_log::Result<()> {
        for spec in specs {
            ownership::adopt(
                self.shared.log.as_ref(),
                keeper,
                spec,
                self.shared.clock.now_ms(),
            )?;
        }
        Ok(())
    }

    fn start_all(
        &self,
        planned: Vec<Planned>,
        run: &mut Run,
        mode: Mode,
    ) -> Result<(), StartError> {
        // A sink that is there before its source sees records sooner; the order does not matter otherwise.
        let (sinks, sources): (Vec<_>, Vec<_>) = planned
            .into_iter()
            .partition(|planned| planned.spec.kind == KindOfConnector::Sink);
        let bounded = matches!(mode, Mode::Bounded { .. });
        for planned in sinks.into_iter().chain(sources) {
            let mut running = Running {
                spec: Arc::clone(&planned.spec),
                tasks: Vec::new(),
                threads: Vec::new(),
                letters: planned.letters.clone(),
                waiting: None,
            };
            let started = if bounded && planned.spec.stage > 0 {
                running.waiting = Some(planned);
                Ok(())
            } else {
                running.start(planned, &self.shared, &run.pulse, bounded)
            };
            // What started already must be known to be stopped, also when the rest cannot start.
            run.connectors.push(running);
            started?;
        }
        Ok(())
    }

    fn plan(&self, specs: Vec<ConnectorSpec>, mode: Mode) -> Result<Vec<Planned>, StartError> {
        let mut planned = Vec::new();
        let mut problems = Vec::new();
        for spec in specs {
            match self.plan_one(spec, mode) {
                Ok(one) => planned.push(one),
                Err(errors) => problems.extend(errors),
            }
        }
        if problems.is_empty() {
            Ok(planned)
        } else {
            Err(StartError::Invalid(problems))
        }
    }

    pub(crate) fn plan_one(
        &self,
        spec: ConnectorSpec,
        mode: Mode,
    ) -> Result<Planned, Vec<TaskError>> {
        let invalid = |code, message| vec![TaskError::permanent(code, "config_invalid", message)];
        let name = spec.name.clone();
        let Some(class) = self.class(&spec.class) else {
            return Err(invalid(
                "LS0201",
                format!(
                    "connector `{name}`: no plugin offers the class `{}`",
                    spec.class
                ),
            ));
        };
        if matches!(mode, Mode::Bounded { .. }) && class.has_feature(FEATURE_UNBOUNDED) {
            return Err(invalid(
                "LS0213",
                format!(
                    "connector `{name}`: `{}` never ends by itself, it cannot be part of `run --once`",
                    spec.class
                ),
            ));
        }
        let Resolved { config, concealed } = (spec.resolve)()
            .map_err(|message| invalid("LS0211", format!("connector `{name}`: {message}")))?;
        let told = |error| {
            let error = TaskError::from(error);
            vec![TaskError {
                message: conceal(&error.message, &concealed),
                ..error
            }]
        };
        let problems = class.validate(&config).map_err(told)?;
        if !problems.is_empty() {
            return Err(problems
                .into_iter()
                .flat_map(|problem| {
                    invalid(
                        "LS0210",
                        format!(
                            "connector `{name}`: option `{}`: {}",
                            problem.option, problem.message
                        ),
                    )
                })
                .collect());
        }
        let mut problems = Converters::from_config(&config).err().unwrap_or_default();
        problems.extend(crate::transforms::problems(
            &config,
            &self.shared.registry(),
        ));
        if !problems.is_empty() {
            return Err(problems
                .into_iter()
                .map(|problem| conceal(&problem, &concealed))
                .flat_map(|problem| invalid("LS0210", format!("connector `{name}`: {problem}")))
                .collect());
        }
        let letters = letters(&spec, &config).map_err(|problems| {
            let problems = problems.into_iter();
            problems
                .flat_map(|problem| invalid("LS0210", format!("connector `{name}`: {problem}")))
                .collect::<Vec<_>>()
        })?;
        if spec.kind == KindOfConnector::Source {
            let defines = class.has_feature(FEATURE_TRANSACTIONS);
            Boundary::from_config(&config, spec.flush_interval, defines)
                .map_err(|problem| invalid("LS0210", format!("connector `{name}`: {problem}")))?;
        }
        let task_configs = class.task_configs(&config, spec.tasks_max).map_err(told)?;
        if let Some(error) = too_many_tasks(&spec, task_configs.len()) {
            return Err(vec![error]);
        }
        Ok(Planned {
            spec: Arc::new(spec),
            class,
            task_configs,
            letters,
        })
    }

    /// Every declared topic that cannot become what is asked, before any of them is changed.
    fn check_topics(&self, topics: &TopicSpecs) -> Result<(), StartError> {
        let mut problems = Vec::new();
        for (name, spec) in topics {
            if let Some(existing) = self.shared.log.topic(name)?
                && existing.partitions > spec.partitions
            {
                problems.push(TaskError::permanent(
                    "LS0212",
                    "config_invalid",
                    format!(
                        "topic `{name}` has {} partitions, the configuration asks for {}; partitions can be added, never removed",
                        existing.partitions, spec.partitions
                    ),
                ));
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(StartError::Invalid(problems))
        }
    }

    fn ensure_topics(&self, topics: &TopicSpecs) -> Result<(), StartError> {
        let log = &self.shared.log;
        for (name, spec) in topics {
            match log.topic(name)? {
                None => {
                    log.create_topic(name, spec)?;
                }
                Some(existing) => {
                    if existing.partitions < spec.partitions {
                        log.add_partitions(name, spec.partitions)?;
                    }
                    // What the configuration says holds; what it does not mention stays as it was set elsewhere.
                    let changes: BTreeMap<String, Option<String>> = spec
                        .settings
                        .iter()
                        .filter(|(name, value)| existing.settings.get(*name) != Some(value))
                        .map(|(name, value)| (name.clone(), Some(value.clone())))
                        .collect();
                    if !changes.is_empty() {
                        log.alter_topic(name, &changes)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes the topics that a connector names and nobody declared.
    pub(crate) fn ensure_sink_topics(
        &self,
        spec: &ConnectorSpec,
        letters: Option<&TopicName>,
    ) -> linkspan_log::Result<()> {
        let log = &self.shared.log;
        if let Some(letters) = letters {
            ensure_topic(log.as_ref(), letters)?;
        }
        for name in &spec.topics {
            if log.topic(name)?.is_some() {
                continue;
            }
            let spec = TopicSpec::with_partitions(self.shared.settings.num_partitions);
            match log.create_topic(name, &spec) {
                // A source made it in between: that is what was wanted.
                Ok(_) | Err(linkspan_log::Error::TopicExists { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tells the log what a sink reads, before anything is written: retention keeps what it has not read, also while the sink
    /// is stopped or has left its file. It stays so until the connector is deleted.
    pub(crate) fn declare_sink(&self, spec: &ConnectorSpec) -> linkspan_log::Result<()> {
        if spec.kind == KindOfConnector::Source {
            return Ok(());
        }
        let log = self.shared.log.as_ref();
        log.declare_reader(&group_of(&spec.name), &spec.topics_now(log)?)
    }
}

/// A class that makes more tasks than `tasks.max`: refused, or with `tasks.max.enforce: false` said.
fn too_many_tasks(spec: &ConnectorSpec, made: usize) -> Option<TaskError> {
    if made <= spec.tasks_max as usize {
        return None;
    }
    let (name, max, class) = (&spec.name, spec.tasks_max, &spec.class);
    let message = format!(
        "The connector {name} has generated {made} tasks, which is greater than {max}, the maximum number of tasks it is \
         configured to create. This is a defect of the class `{class}`"
    );
    if spec.tasks_max_enforced {
        let message = format!("{message}; `tasks.max.enforce: false` lets it do so");
        return Some(TaskError::permanent("LS0426", "config_invalid", message));
    }
    tracing::warn!(
        connector = name,
        code = "LS0426",
        "{message}; `tasks.max.enforce` is false, so all of them run"
    );
    None
}

/// Where a connector's dead letters go, or what is wrong with its options `errors.*`.
fn letters(
    spec: &ConnectorSpec,
    config: &BTreeMap<String, String>,
) -> Result<Option<TopicName>, Vec<String>> {
    let letters = ErrorPolicy::from_config(config, &spec.class)?.letters;
    match letters {
        Some(topic) if spec.reads(&topic) => Err(vec![format!(
            "option `errors.deadletterqueue.topic.name`: the sink reads `{topic}` itself, its dead letters would come back to it"
        )]),
        letters => Ok(letters),
    }
}

impl Running {
    /// Takes the next fence epoch, then starts the threads of all tasks.
    pub(crate) fn start(
        &mut self,
        planned: Planned,
        shared: &Arc<Shared>,
        pulse: &Pulse,
        bounded: bool,
    ) -> Result<(), StartError> {
        let spec = planned.spec;
        let owner = OwnerId::from(spec.name.as_str());
        let fence = shared.log.open_producer(&owner)?.fence_epoch();
        for (index, task_config) in (0_u32..).zip(planned.task_configs) {
            let task = Arc::new(TaskShared::new(&spec.name, index, pulse.clone()));
            let context = TaskContext {
                runtime: Arc::clone(shared),
                spec: Arc::clone(&spec),
                task: Arc::clone(&task),
                class: planned.class.clone(),
                task_config,
                fence,
                bounded,
            };
            self.threads.push(context.spawn()?);
            self.tasks.push(task);
        }
        Ok(())
    }

    pub(crate) fn is_source(&self) -> bool {
        self.spec.kind == KindOfConnector::Source
    }

    pub(crate) fn is_over(&self) -> bool {
        self.tasks.iter().all(|task| task.state().is_over())
    }

    pub(crate) fn failed(&self) -> bool {
        self.tasks.iter().any(|task| task.state().is_failed())
    }

    pub(crate) fn request_stop(&self) {
        for task in &self.tasks {
            task.request_stop();
        }
    }

    pub(crate) fn records(&self) -> u64 {
        self.tasks
            .iter()
            .map(|task| task.counters.records.load(Ordering::Relaxed))
            .sum()
    }

    pub(crate) fn filtered(&self) -> u64 {
        self.tasks
            .iter()
            .map(|task| task.counters.filtered.load(Ordering::Relaxed))
            .sum()
    }

    pub(crate) fn dead_letters(&self) -> u64 {
        self.tasks
            .iter()
            .map(|task| task.counters.dead_letters.load(Ordering::Relaxed))
            .sum()
    }

    pub(crate) fn skipped(&self) -> u64 {
        self.tasks
            .iter()
            .map(|task| task.counters.skipped.load(Ordering::Relaxed))
            .sum()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.tasks
            .iter()
            .map(|task| task.counters.bytes.load(Ordering::Relaxed))
            .sum()
    }

    pub(crate) fn kind_word(&self) -> &'static str {
        if self.is_source() { "source" } else { "sink" }
    }
}

impl Run {
    /// Returns every connector as it stands now.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Snapshot> {
        self.connectors
            .iter()
            .map(|connector| Snapshot {
                name: connector.spec.name.clone(),
                kind: connector.kind_word(),
                tasks: connector.tasks.iter().map(|task| task.state()).collect(),
                records: connector.records(),
                bytes: connector.bytes(),
                restarts: connector
                    .tasks
                    .iter()
                    .map(|task| task.counters.restarts.load(Ordering::Relaxed))
                    .sum(),
                error: connector
                    .tasks
                    .iter()
                    .find_map(|task| task.error())
                    .map(|error| error.message),
            })
            .collect()
    }

    /// Returns whether every task has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.connectors.iter().all(Running::is_over)
    }

    /// Waits until something changed since `seen`, at most `limit`; returns what to pass next time, first 0.
    pub fn wait_change(&self, seen: u64, limit: Duration) -> u64 {
        self.pulse.wait(seen, limit)
    }

    /// Stops the sources, then the sinks, each round within the deadline of the settings.
    pub fn stop(&mut self) {
        for sources in [true, false] {
            let deadline = Instant::now() + self.shared.settings.stop_deadline;
            let mut round: Vec<&mut Running> = self
                .connectors
                .iter_mut()
                .filter(|connector| connector.is_source() == sources)
                .collect();
            for connector in &round {
                connector.request_stop();
            }
            for connector in &mut round {
                connector.join_until(deadline, &self.pulse, &mut self.stuck);
            }
        }
    }

    /// The tasks that did not stop in time; their threads were given up.
    #[must_use]
    pub fn stuck(&self) -> &[String] {
        &self.stuck
    }
}

impl Running {
    /// Joins the threads that end in time; the others are given up and named.
    fn join_until(&mut self, deadline: Instant, pulse: &Pulse, stuck: &mut Vec<String>) {
        for (thread, task) in self.threads.drain(..).zip(&self.tasks) {
            while !thread.is_finished() && !task.state().is_over() && Instant::now() < deadline {
                pulse.wait(pulse.now(), Duration::from_millis(20));
            }
            if task.state().is_over() {
                // The state is the last thing a task's thread sets: joining does not wait.
                drop(thread.join());
            } else {
                stuck.push(task.name());
            }
        }
    }
}

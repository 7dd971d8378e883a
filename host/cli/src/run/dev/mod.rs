//! `linkspan run --dev`: the configuration and plugins are taken over while it runs.
//!
//! ```text
//! a YAML file changed ─► load and check all ─► not valid: said, the old one runs on
//! a `.so` was rebuilt ─► copy by content, probe, check ─► refused: said, the old one runs on
//!                        └─► compare connector by connector ─► stop what changed or left, then start what changed or is new
//! ```
//!
//! Each connector is a run of its own, so that the others do not notice. The old instance has closed before the new one opens; one
//! that does not close in time is not replaced. Watched are the files and folders that the command line and `host.plugins` name, not
//! the plugins beside the program.

mod copies;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use linkspan_config::{ClassKind, ConnectorPlan, Plan};
use linkspan_log::{LogBackend, Opened};
use linkspan_runtime::{Mode, Run, Runtime};
use linkspan_types::{Clock, SystemClock};

use self::copies::Copies;
use self::watch::Watch;
use super::signals::Signals;
use super::{View, WATCH_EVERY, open_log, plan, start_failure, warn_stuck};
use crate::args::RunArgs;
use crate::exit::{Exit, Failure};
use crate::plugins::{self, Plugins};
use crate::{socket, terminal};

/// Runs until a signal.
pub(super) fn run(
    args: &RunArgs,
    data: &Path,
    tokio: tokio::runtime::Runtime,
    signals: &Signals,
) -> Result<Exit, Failure> {
    let mut copies = Copies::new().map_err(|error| {
        Failure::new(
            Exit::Environment,
            "LS0704",
            format!("could not make a folder for copies of plugins: {error}"),
        )
        .help("the variable TMPDIR names another folder for temporary files")
    })?;
    let places = plan::plugin_places(&args.paths, &args.config)?;
    let plugin_watch = Watch::plugins(places.clone());
    let files = first_copies(&places, &plugin_watch, &mut copies)?;
    let plugins = plugins::discover(&files, None, plugins::level())?;
    let (plan, _) = plan::load(&args.paths, &args.config, &plugins)?;
    let (log, opened) = open_log(&plan, data)?;
    let word = if matches!(opened, Opened::New) {
        "new"
    } else {
        "resumed"
    };
    terminal::note(&format!(
        "linkspan {} · data {} ({word})",
        env!("CARGO_PKG_VERSION"),
        data.display()
    ));
    plugins.announce();
    let view = Arc::new(View::default());
    let router = linkspan_rest::router(
        Arc::clone(&log),
        Arc::clone(&view) as Arc<dyn linkspan_rest::HostView>,
    );
    socket::serve(&tokio, data, router)?;
    let engine = engine(&log, &plugins, &plan, &tokio);
    let mut configurations = args.paths.clone();
    configurations.extend(args.config.overlays.iter().cloned());
    configurations.extend(args.config.env_file.iter().cloned());
    let mut dev = Dev {
        args,
        tokio: &tokio,
        log: Arc::clone(&log),
        engine,
        plugins,
        plan: plan.clone(),
        live: BTreeMap::new(),
        copies,
        configurations: Watch::configurations(configurations),
        plugin_watch,
    };
    let started = dev.first(&plan);
    if started.is_ok() {
        dev.watch(signals, &view);
    }
    dev.stop_all();
    drop(dev);
    socket::remove(data);
    let closed = log.close();
    tokio.shutdown_timeout(std::time::Duration::from_secs(1));
    started?;
    closed?;
    Ok(signals.exit())
}

/// Copies of all plugins that were named; what is no file of its own is left to the search to complain of.
fn first_copies(
    places: &[PathBuf],
    watch: &Watch,
    copies: &mut Copies,
) -> Result<Vec<PathBuf>, Failure> {
    if let Some(missing) = places
        .iter()
        .find(|place| !place.try_exists().unwrap_or(false))
    {
        return Err(Failure::new(
            Exit::Environment,
            "LS0302",
            format!("there is no plugin folder `{}`", missing.display()),
        ));
    }
    let mut files = Vec::new();
    for original in watch.files() {
        let copied = copies.take(&original).map_err(|error| {
            Failure::new(
                Exit::Environment,
                "LS0302",
                format!("`{}` could not be copied: {error}", original.display()),
            )
        })?;
        files.extend(copied);
    }
    Ok(files)
}

fn engine(
    log: &Arc<dyn LogBackend>,
    plugins: &Plugins,
    plan: &Plan,
    tokio: &tokio::runtime::Runtime,
) -> Runtime {
    Runtime::new(
        Arc::clone(log),
        Arc::clone(&plugins.registry),
        Arc::clone(&plugins.services),
        plan::settings(plan),
        Arc::new(SystemClock::default()) as Arc<dyn Clock>,
        tokio.handle().clone(),
    )
}

/// Everything that decides how a connector runs. In memory only: values are resolved.
#[derive(PartialEq, Eq)]
struct Fingerprint {
    config: Option<linkspan_config::ResolvedConfig>,
    host: String,
    plugin: PathBuf,
}

impl Fingerprint {
    fn of(connector: &ConnectorPlan, plan: &Plan, plugins: &Plugins) -> Self {
        let class = plugins.registry.class(&connector.class);
        Self {
            config: connector.resolved(&plan.resolver).ok(),
            host: format!(
                "{} {} {:?} {:?} {:?} {}",
                connector.class,
                connector.tasks_max,
                connector.topics,
                connector.key_fields,
                connector.restart,
                connector.offset_flush_interval_ms
            ),
            plugin: class
                .map(|class| class.plugin().path.clone())
                .unwrap_or_default(),
        }
    }
}

/// A connector that runs, or that should.
struct Live {
    run: Option<Run>,
    is_source: bool,
    fingerprint: Fingerprint,
}

struct Dev<'a> {
    args: &'a RunArgs,
    tokio: &'a tokio::runtime::Runtime,
    log: Arc<dyn LogBackend>,
    engine: Runtime,
    plugins: Plugins,
    plan: Plan,
    live: BTreeMap<String, Live>,
    copies: Copies,
    configurations: Watch,
    plugin_watch: Watch,
}

impl Dev<'_> {
    /// Starts everything for the first time; what cannot start then ends the program, as without `--dev`.
    fn first(&mut self, plan: &Plan) -> Result<(), Failure> {
        self.declare_topics(plan)?;
        for connector in in_order(plan) {
            let run = self.start(connector, plan)?;
            self.keep(connector, plan, Some(run));
        }
        Ok(())
    }

    fn watch(&mut self, signals: &Signals, view: &View) {
        terminal::note(&format!(
            "running {} connectors for development: changed configurations and rebuilt plugins are taken over; Ctrl-C ends it",
            self.live.len()
        ));
        while !signals.stopped() {
            let runs = self.live.values().filter_map(|live| live.run.as_ref());
            view.show_all(runs);
            if self.plugin_watch.changed() {
                self.reload_plugins();
            }
            if self.configurations.changed() {
                self.reload_configuration();
            }
            thread::sleep(WATCH_EVERY);
        }
    }

    fn reload_configuration(&mut self) {
        match plan::load(&self.args.paths, &self.args.config, &self.plugins) {
            Ok((plan, _)) => self.apply(plan),
            Err(failure) => {
                failure.report();
                terminal::note(
                    "reload: the changed configuration is not valid; the old one keeps running",
                );
            }
        }
    }

    fn reload_plugins(&mut self) {
        let mut rebuilt = Vec::new();
        for original in self.plugin_watch.files() {
            let name = original
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            match self.copies.take(&original) {
                Ok(None) => {}
                Ok(Some(copy)) => rebuilt.push((name, copy)),
                Err(error) => terminal::note(&format!(
                    "reload: {name} cannot be read ({error}); what was loaded keeps running"
                )),
            }
        }
        for (name, copy) in rebuilt {
            self.reload_plugin(&name, &copy);
        }
    }

    fn reload_plugin(&mut self, name: &str, copy: &Path) {
        let newer = match plugins::newer(&self.plugins, copy) {
            Ok(newer) => newer,
            Err(failure) => {
                failure.report();
                terminal::note(&format!(
                    "reload: {name} was refused; what was loaded keeps running"
                ));
                return;
            }
        };
        match plan::load(&self.args.paths, &self.args.config, &newer) {
            Ok((plan, _)) => {
                terminal::note(&format!("reload: {name} was rebuilt"));
                self.engine = engine(&self.log, &newer, &plan, self.tokio);
                self.plugins = newer;
                self.apply(plan);
            }
            Err(failure) => {
                failure.report();
                terminal::note(&format!(
                    "reload: the configuration does not fit the rebuilt {name}; what was loaded keeps running"
                ));
            }
        }
    }

    /// Goes over to a configuration that was checked.
    fn apply(&mut self, plan: Plan) {
        if plan.host != self.plan.host {
            terminal::note(
                "reload: settings under `host:` changed; they take effect at the next start",
            );
        }
        if let Err(failure) = self.declare_topics(&plan) {
            failure.report();
            terminal::note(
                "reload: the topics cannot be changed like that; the old configuration keeps running",
            );
            return;
        }
        let wanted: BTreeMap<&str, &ConnectorPlan> = plan
            .connectors
            .iter()
            .map(|connector| (connector.name.as_str(), connector))
            .collect();
        let mut ending: Vec<(bool, String)> = Vec::new();
        for (name, live) in &self.live {
            let stays = wanted.get(name.as_str()).is_some_and(|connector| {
                live.run.is_some()
                    && live.fingerprint == Fingerprint::of(connector, &plan, &self.plugins)
            });
            if !stays {
                ending.push((!live.is_source, name.clone()));
            }
        }
        // Sources first, as at the end of a run.
        ending.sort();
        let mut stuck = Vec::new();
        for (_, name) in &ending {
            if !self.stop(name) {
                stuck.push(name.clone());
            }
            if !wanted.contains_key(name.as_str()) {
                self.live.remove(name);
                terminal::note(&format!(
                    "reload: `{name}` left the configuration: stopped, its offsets stay"
                ));
            }
        }
        let mut changes = ending.len();
        for connector in in_order(&plan) {
            let name = &connector.name;
            if self.live.get(name).is_some_and(|live| live.run.is_some()) {
                continue;
            }
            let word = if self.live.contains_key(name) {
                "restarted"
            } else {
                "started"
            };
            changes += 1;
            if stuck.contains(name) {
                terminal::note(&format!(
                    "reload: `{name}` did not close in time and is not replaced; end this program and start it again"
                ));
                continue;
            }
            match self.start(connector, &plan) {
                Ok(run) => {
                    self.keep(connector, &plan, Some(run));
                    terminal::note(&format!("reload: `{name}` {word}"));
                }
                Err(failure) => {
                    failure.report();
                    self.keep(connector, &plan, None);
                    terminal::note(&format!(
                        "reload: `{name}` could not be started; it is tried again at the next change"
                    ));
                }
            }
        }
        if changes == 0 {
            terminal::note("reload: nothing changed for any connector");
        }
        self.plan = plan;
    }

    fn declare_topics(&self, plan: &Plan) -> Result<(), Failure> {
        let topics = plan::topics(plan)?;
        // Without connectors this only makes and changes topics.
        self.engine
            .start(Vec::new(), &topics, Mode::Continuous)
            .map_err(start_failure)
            .map(drop)
    }

    fn start(&self, connector: &ConnectorPlan, plan: &Plan) -> Result<Run, Failure> {
        let specs = plan::specs(plan)?;
        let specs = specs
            .into_iter()
            .filter(|spec| spec.name == connector.name)
            .collect();
        self.engine
            .start(specs, &plan::topics(plan)?, Mode::Continuous)
            .map_err(start_failure)
    }

    fn keep(&mut self, connector: &ConnectorPlan, plan: &Plan, run: Option<Run>) {
        let live = Live {
            run,
            is_source: connector.kind != ClassKind::Sink,
            fingerprint: Fingerprint::of(connector, plan, &self.plugins),
        };
        self.live.insert(connector.name.clone(), live);
    }

    /// Stops a connector; `false` where it did not close in time.
    fn stop(&mut self, name: &str) -> bool {
        let Some(mut run) = self.live.get_mut(name).and_then(|live| live.run.take()) else {
            return true;
        };
        run.stop();
        warn_stuck(run.stuck());
        run.stuck().is_empty()
    }

    fn stop_all(&mut self) {
        let mut names: Vec<(bool, String)> = self
            .live
            .iter()
            .map(|(name, live)| (!live.is_source, name.clone()))
            .collect();
        names.sort();
        for (_, name) in names {
            self.stop(&name);
        }
    }
}

/// Sinks, then sources: a sink that is there before its source sees records sooner.
fn in_order(plan: &Plan) -> impl Iterator<Item = &ConnectorPlan> {
    let is_sink = |connector: &&ConnectorPlan| connector.kind == ClassKind::Sink;
    let sinks = plan.connectors.iter().filter(is_sink);
    sinks.chain(
        plan.connectors
            .iter()
            .filter(move |connector| !is_sink(connector)),
    )
}

//! From arguments and files to what the runtime and the log are told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use linkspan_config::{
    Class, ClassKind, ConnectorPlan, Diagnostic, Diagnostics, Plan, Request, Resolver,
    RestartPolicy, Severity, codes,
};
use linkspan_log::{Durability, LocalOptions, TopicPattern, TopicSpec};
use linkspan_plugin::{ConfigProblem, PluginError};
use linkspan_runtime::{
    ConnectorSpec, KindOfConnector, Resolved, Settings, Target, TopicSpecs, WarningReport,
};
use linkspan_types::TopicName;

use super::catalog::Installed;
use crate::args::ConfigArgs;
use crate::exit::{Exit, Failure};
use crate::plugins::{self, Plugins};

/// Loads and checks the configuration, which may be `empty` where connectors can come over the network; prints what is wrong with it, all at once.
pub(crate) fn load(
    paths: &[PathBuf],
    args: &ConfigArgs,
    plugins: &Plugins,
    empty: bool,
) -> Result<(Plan, Vec<WarningReport>), Failure> {
    let request = Request {
        empty,
        ..request(paths, args)?
    };
    let (plan, diagnostics) = check(&request, plugins)?;
    super::print_diagnostics(&diagnostics);
    verdict(plan, &diagnostics)
}

/// The plan with its warnings, or the failure that stands for all errors. Prints nothing.
pub(crate) fn verdict(
    plan: Option<Plan>,
    diagnostics: &Diagnostics,
) -> Result<(Plan, Vec<WarningReport>), Failure> {
    let warnings = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity != Severity::Error)
        .map(|diagnostic| WarningReport {
            code: diagnostic.code.to_owned(),
            message: diagnostic.message.clone(),
        })
        .collect();
    if let Some(plan) = plan {
        return Ok((plan, warnings));
    }
    let first = diagnostics
        .iter()
        .find(|diagnostic| diagnostic.severity == Severity::Error);
    let code = first.map_or("LS0210", |diagnostic| diagnostic.code);
    Err(Failure::new(Exit::Invalid, code, diagnostics.render(false).trim_end()).printed())
}

/// Checks the files, then asks each connector's class; a plan comes out only when neither finds an error.
pub(crate) fn check(
    request: &Request,
    plugins: &Plugins,
) -> Result<(Option<Plan>, Diagnostics), Failure> {
    let (plan, mut diagnostics) = linkspan_config::load_part(request, &catalog(plugins)?);
    let mut silent = BTreeSet::new();
    // What the host refuses already the class would refuse once more.
    for connector in plan.connectors.iter().filter(|one| one.sound) {
        for refusal in refusals(connector, &plan, plugins, &mut silent) {
            diagnostics.push(refusal);
        }
    }
    let sound = !diagnostics.has_errors();
    Ok((sound.then_some(plan), diagnostics))
}

/// What the connector's own code finds wrong with its options, each at the place where the option stands.
/// A class that does not answer is asked once; its name is kept in `silent`.
fn refusals(
    connector: &ConnectorPlan,
    plan: &Plan,
    plugins: &Plugins,
    silent: &mut BTreeSet<String>,
) -> Vec<Diagnostic> {
    // An unset variable is a warning of `validate` already; there is nothing to ask the class about then.
    let Ok(config) = connector.resolved(&plan.resolver) else {
        return Vec::new();
    };
    let Some(class) = plugins.registry.class(&connector.class) else {
        return Vec::new();
    };
    let concealed = connector.concealed(&plan.resolver);
    let refusal = |option: &str, message: String| Diagnostic {
        location: Some(
            connector
                .origins
                .get(option)
                .unwrap_or(&connector.source)
                .clone(),
        ),
        ..Diagnostic::error(
            &codes::REFUSED_BY_CLASS,
            linkspan_runtime::conceal(&message, &concealed),
        )
    };
    let answer = (!silent.contains(class.name())).then(|| ask(&class, &config.0));
    let Some(answer) = answer.flatten() else {
        silent.insert(class.name().to_owned());
        let message = format!(
            "connector `{}`: class `{}` has not answered for {} s whether its options are right",
            connector.name,
            class.name(),
            ANSWER_MAX.as_secs()
        );
        return vec![Diagnostic {
            location: Some(connector.source.clone()),
            ..Diagnostic::warning(&codes::SLOW_PLAN, message)
        }];
    };
    match answer {
        Ok(problems) => problems
            .into_iter()
            .map(|problem| {
                let message = format!(
                    "connector `{}`: `{}`: {}",
                    connector.name, problem.option, problem.message
                );
                refusal(&problem.option, message)
            })
            .collect(),
        Err(error) => vec![refusal(
            "",
            format!("connector `{}`: {}", connector.name, error.message),
        )],
    }
}

/// How long the check of a configuration waits for one class.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Asks a class on a thread of its own; `None` when it does not answer in time.
fn ask(
    class: &linkspan_plugin::Class,
    config: &BTreeMap<String, String>,
) -> Option<Result<Vec<ConfigProblem>, PluginError>> {
    let (sender, receiver) = mpsc::channel();
    let (class, config) = (class.clone(), config.clone());
    let asking = std::thread::Builder::new()
        .name("validate".to_owned())
        // Nobody listens any more to an answer that comes too late.
        .spawn(move || drop(sender.send(class.validate(&config))));
    asking.ok()?;
    receiver.recv_timeout(ANSWER_MAX).ok()
}

/// What the configuration crate is asked.
pub(crate) fn request(paths: &[PathBuf], args: &ConfigArgs) -> Result<Request, Failure> {
    let mut params = Vec::new();
    for text in &args.params {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Failure::new(
                Exit::Invalid,
                "LS0220",
                format!("--param {text}: expected NAME=VALUE"),
            ));
        };
        params.push((name.to_owned(), value.to_owned()));
    }
    Ok(Request {
        paths: paths.to_vec(),
        overlays: args.overlays.clone(),
        sets: args.sets.clone(),
        params,
        env_file: args.env_file.clone(),
        cwd: here(args),
        now_ms: args
            .elsewhere
            .now_ms
            .unwrap_or_else(|| chrono::Utc::now().timestamp_millis()),
        env: args.elsewhere.env.clone().unwrap_or_else(environment),
        run: true,
        empty: false,
    })
}

/// Where relative paths of the command line resolve.
pub(crate) fn here(args: &ConfigArgs) -> PathBuf {
    let elsewhere = args.elsewhere.cwd.clone();
    elsewhere.unwrap_or_else(|| std::env::current_dir().unwrap_or_default())
}

/// The variables of this process that are text.
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Finds plugins: those of the command line, those that `host.plugins` names, those beside the program.
pub(crate) fn discover(
    paths: &[PathBuf],
    args: &ConfigArgs,
    cache: Option<&Path>,
) -> Result<Plugins, Failure> {
    plugins::discover(&plugin_places(paths, args)?, cache, plugins::level())
}

/// The places of plugins that a person named: on the command line, then under `host.plugins`.
pub(crate) fn plugin_places(paths: &[PathBuf], args: &ConfigArgs) -> Result<Vec<PathBuf>, Failure> {
    let host = linkspan_config::host_settings(&request(paths, args)?);
    let mut places = args.plugin_paths.clone();
    places.extend(host.plugin_paths);
    Ok(places)
}

/// The classes of all plugins and of converters, as the configuration crate wants them.
pub(crate) fn catalog(plugins: &Plugins) -> Result<Installed, Failure> {
    Ok(Installed(classes(plugins)?, Arc::clone(&plugins.registry)))
}

/// The classes of all plugins.
pub(crate) fn classes(plugins: &Plugins) -> Result<Vec<Class>, Failure> {
    plugins
        .registry
        .classes()
        .iter()
        .map(|class| {
            serde_json::from_value::<Class>(class.to_json()).map_err(|error| {
                Failure::new(
                    Exit::Environment,
                    "LS0310",
                    format!(
                        "plugin `{}`: what it says of class `{}` cannot be read: {error}",
                        class.plugin().path.display(),
                        class.name()
                    ),
                )
            })
        })
        .collect()
}

/// `--timeout`.
pub(crate) fn timeout(text: &str) -> Result<Duration, Failure> {
    linkspan_config::parse_duration(text).map_err(|error| {
        Failure::new(
            Exit::Invalid,
            "LS0220",
            format!("--timeout {text}: {error}"),
        )
    })
}

/// A path of the command line, from the current directory.
pub(crate) fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// What the log is told.
pub(crate) fn log_options(plan: &Plan, data: &Path) -> LocalOptions {
    let mut options = LocalOptions::new(data);
    options.durability = match plan.host.log.durability {
        linkspan_config::Durability::Fsync => Durability::Fsync,
        linkspan_config::Durability::Os => Durability::Os,
    };
    let log = &plan.host.log;
    options.journal_file_bytes = log.journal_bytes;
    options.journal_bytes_max = log.journal_bytes_max;
    options.segment_bytes = log.segment_bytes;
    options.log_bytes_max = log.bytes_max;
    options.retention_check_interval = Duration::from_millis(log.retention_check_interval_ms);
    options.tail_cache_bytes = usize::try_from(log.cache_bytes).unwrap_or(usize::MAX);
    options
}

/// What the runtime is told beyond the connectors.
pub(crate) fn settings(plan: &Plan) -> Settings {
    Settings {
        num_partitions: plan.host.num_partitions,
        stop_deadline: Duration::from_millis(plan.host.stop_timeout_ms),
        memory_bytes_max: usize::try_from(plan.host.memory_bytes_max).unwrap_or(usize::MAX),
        ..Settings::default()
    }
}

/// The declared topics.
pub(crate) fn topics(plan: &Plan) -> Result<TopicSpecs, Failure> {
    let mut topics = TopicSpecs::new();
    for topic in &plan.topics {
        let partitions = topic.partitions.unwrap_or(plan.host.num_partitions);
        let spec = TopicSpec {
            partitions,
            settings: topic.settings.clone(),
        };
        topics.insert(topic_name(&topic.name)?, spec);
    }
    Ok(topics)
}

/// Puts the topics that connectors of the plan name first: the first one is what people are told to look at next.
pub(crate) fn own_first(plan: &Plan, mut topics: Vec<String>) -> Vec<String> {
    let no_letter = |c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c));
    let named: Vec<&str> = plan
        .connectors
        .iter()
        .flat_map(|connector| [option(connector, "topics"), option(connector, "topic")])
        .flatten()
        .flat_map(|list| list.split(no_letter))
        .collect();
    topics.sort_by_key(|topic| !named.contains(&topic.as_str()));
    topics
}

fn topic_name(name: &str) -> Result<TopicName, Failure> {
    TopicName::try_new(name).map_err(|error| Failure::new(Exit::Invalid, "LS0116", error))
}

/// `no.progress.timeout.ms` where it is not set.
const HUNG_AFTER_MS: u64 = 600_000;

fn option<'a>(connector: &'a ConnectorPlan, name: &str) -> Option<&'a str> {
    connector.config.get(name).map(String::as_str)
}

fn origin(connector: &ConnectorPlan) -> String {
    connector.source.to_string()
}

/// A plan with the connectors of one job only.
pub(crate) fn only(mut plan: Plan, job: Option<&str>) -> Result<Plan, Failure> {
    let Some(job) = job else {
        return Ok(plan);
    };
    plan.connectors
        .retain(|connector| connector.job.as_deref() == Some(job));
    plan.jobs.retain(|known| known.name == job);
    if plan.connectors.is_empty() {
        let message = format!("no file makes a job `{job}` with connectors");
        return Err(Failure::new(Exit::Invalid, "LS0217", message)
            .help("a job is made by `schedule:` in a file, and has the file's name unless `schedule.name` gives it one"));
    }
    Ok(plan)
}

/// The connectors that no schedule has.
pub(crate) fn lasting(plan: &Plan) -> Result<Vec<ConnectorSpec>, Failure> {
    let scheduled = |spec: &ConnectorSpec| {
        let mut connectors = plan.connectors.iter();
        connectors.any(|connector| connector.name == spec.name && connector.job.is_some())
    };
    let mut specs = specs(plan)?;
    specs.retain(|spec| !scheduled(spec));
    Ok(specs)
}

/// The connectors of a job, in its stages; a circle is refused.
pub(crate) fn job_specs(plan: &Plan) -> Result<Vec<ConnectorSpec>, Failure> {
    let stages = linkspan_config::stages(&plan.connectors).map_err(|circle| {
        let place = circle.location.as_ref().map(|at| format!("{at}: "));
        let message = format!("{}{}", place.unwrap_or_default(), circle.message);
        Failure::new(Exit::Invalid, circle.code, message).help(circle.help.unwrap_or_default())
    })?;
    let mut specs = specs(plan)?;
    for spec in &mut specs {
        spec.stage = stages.get(&spec.name).copied().unwrap_or(0);
    }
    Ok(specs)
}

/// The connectors.
pub(crate) fn specs(plan: &Plan) -> Result<Vec<ConnectorSpec>, Failure> {
    let resolver = Arc::new(plan.resolver.clone());
    plan.connectors
        .iter()
        .map(|connector| spec(connector, &resolver))
        .collect()
}

/// One connector.
pub(crate) fn spec(
    connector: &ConnectorPlan,
    resolver: &Arc<Resolver>,
) -> Result<ConnectorSpec, Failure> {
    let kind = match connector.kind {
        ClassKind::Sink => KindOfConnector::Sink,
        ClassKind::Source | ClassKind::Transform => KindOfConnector::Source,
    };
    let topics = match kind {
        KindOfConnector::Source => Vec::new(),
        KindOfConnector::Sink => connector
            .topics
            .iter()
            .map(|name| topic_name(name))
            .collect::<Result<_, _>>()?,
    };
    let topics_regex = match (&connector.topics_regex, kind) {
        (Some(text), KindOfConnector::Sink) => {
            let matches = linkspan_convert::whole_match(text).map_err(|why| {
                Failure::new(Exit::Invalid, "LS0205", format!("`topics.regex` {why}"))
            })?;
            Some(TopicPattern::new(text, matches))
        }
        _ => None,
    };
    let (restarts, restart_delay_max) = match connector.restart {
        RestartPolicy::Backoff { delay_max_ms } => (true, Duration::from_millis(delay_max_ms)),
        RestartPolicy::Never => (false, Duration::from_secs(1)),
    };
    let for_later = connector.clone();
    let resolver = Arc::clone(resolver);
    let resolve = move || -> Result<Resolved, String> {
        let config = for_later
            .resolved(&resolver)
            .map_err(|error| error.message)?
            .0;
        Ok(Resolved {
            config,
            concealed: for_later.concealed(&resolver),
        })
    };
    Ok(ConnectorSpec {
        name: connector.name.clone(),
        class: connector.class.clone(),
        kind,
        resolve: Arc::new(resolve),
        tasks_max: connector.tasks_max,
        topics,
        topics_regex,
        key_fields: connector.key_fields.clone(),
        flush_interval: Duration::from_millis(connector.offset_flush_interval_ms),
        restarts,
        restart_delay_max,
        tasks_max_enforced: option(connector, "tasks.max.enforce") != Some("false"),
        hung_after: option(connector, "no.progress.timeout.ms")
            .map_or(Some(HUNG_AFTER_MS), |text| text.parse().ok())
            .filter(|ms| *ms > 0)
            .map(Duration::from_millis),
        initial_state: option(connector, "initial.state")
            .and_then(Target::from_initial_state)
            .unwrap_or_default(),
        moved_from: connector.moved_from.clone(),
        fingerprint: connector.fingerprint(),
        origin: origin(connector),
        stage: 0,
    })
}

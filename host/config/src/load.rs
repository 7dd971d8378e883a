//! From the files of a command line to a plan: everything is read, everything wrong is said, then it is decided.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::codes;
use crate::connect_files;
use crate::connector::{self, Surroundings};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::document::Document;
use crate::host::{self, HostValues};
use crate::jobs;
use crate::lints;
use crate::option::Catalog;
use crate::params::{self, Given};
use crate::placeholder::{Resolver, read_text};
use crate::plan::{HostSettings, Plan};
use crate::providers::Providers;
use crate::report::{Draft, Report};
use crate::source::{Location, Sources, Span};
use crate::yaml::{self, Entry, Kind, Node, Problem, What};

/// The file of a directory that may hold host settings without `host:`.
const HOST_FILE: &str = "linkspan.yaml";

/// What a command line asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Files and directories; of a directory all `*.yaml` and `*.yml`, sorted. A named `*.json` or `*.properties` is
    /// one of Kafka Connect's own.
    pub paths: Vec<PathBuf>,
    /// `--overlay`, later ones win.
    pub overlays: Vec<PathBuf>,
    /// `--set path=value`.
    pub sets: Vec<String>,
    /// `--param name=value`.
    pub params: Vec<(String, String)>,
    /// `--env-file`; fills what the environment does not set.
    pub env_file: Option<PathBuf>,
    /// The absolute current directory, which relative paths of the command line resolve against.
    pub cwd: PathBuf,
    /// The wall clock in milliseconds, for `today`.
    pub now_ms: i64,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// True for a run; `validate` only warns of an unset `${env:…}`.
    pub run: bool,
    /// No connector is fine: they may come over the network.
    pub empty: bool,
}

/// Everything that can be read without knowing a connector class.
struct Prepared {
    report: Report,
    document: Document,
    resolver: Resolver,
    /// The resolver, with a stand-in for each declared parameter that has no value.
    known: Resolver,
    unset_env: Severity,
    base_dir: PathBuf,
    host: HostSettings,
    host_values: HostValues,
}

/// Returns the host's settings, as far as they can be read: where plugins lie has to be known before the classes are.
/// What is wrong with them is reported by [`load`].
#[must_use]
pub fn host_settings(request: &Request) -> HostSettings {
    prepare(request).host
}

/// Reads and checks everything the request names. A plan comes out only when there is no error.
#[must_use]
pub fn load(request: &Request, catalog: &dyn Catalog) -> (Option<Plan>, Diagnostics) {
    let (plan, diagnostics) = load_part(request, catalog);
    ((!diagnostics.has_errors()).then_some(plan), diagnostics)
}

/// As [`load`], with what could be read although there are errors: to ask the classes of connectors that are sound
/// ([`crate::ConnectorPlan::sound`]), so that all errors are said at once.
#[must_use]
pub fn load_part(request: &Request, catalog: &dyn Catalog) -> (Plan, Diagnostics) {
    let Prepared {
        mut report,
        document,
        mut resolver,
        mut known,
        unset_env,
        base_dir,
        host,
        host_values,
    } = prepare(request);
    restrict(
        &mut report,
        &host,
        &host_values,
        catalog,
        [&mut resolver, &mut known],
    );
    let topics = host::topics(&mut report, &document.topics, &known, unset_env);
    let around = Surroundings {
        catalog,
        defaults: &document.defaults,
        host: &document.host,
        resolver: &known,
        unset_env,
    };
    let mut connectors = connector::read(&mut report, &document.connectors, &around);
    let around = jobs::Surroundings {
        resolver: &known,
        unset_env,
    };
    connector::match_topics(&mut connectors, &topics, catalog);
    let jobs = jobs::read(&mut report, &document, &mut connectors, &around);
    if !report.has_errors()
        && !request.empty
        && document
            .connectors
            .iter()
            .all(|entry| entry.key.starts_with("x-"))
    {
        report.push(
            Diagnostic::error(&codes::NOTHING_TO_RUN, "no file names a connector")
                .with_help("add an entry under `connectors:`"),
        );
    }
    let view = lints::View {
        entries: &document.connectors,
        connectors: &connectors,
        topics: &topics,
        num_partitions: host.num_partitions,
    };
    lints::lint(&mut report, &view, catalog);
    let (sources, diagnostics) = report.finish();
    let config_sha256 = fingerprint(&sources, &resolver.params);
    let plan = Plan {
        host,
        host_values,
        topics,
        connectors,
        jobs,
        params: resolver.params.clone(),
        config_sha256,
        base_dir,
        resolver,
    };
    (plan, diagnostics)
}

/// Binds placeholders to what the host's settings allow.
fn restrict(
    report: &mut Report,
    host: &HostSettings,
    written: &BTreeMap<String, (String, Location)>,
    catalog: &dyn Catalog,
    resolvers: [&mut Resolver; 2],
) {
    let mut tests = BTreeMap::new();
    for (option, pattern) in host.providers.patterns() {
        match catalog.topic_pattern(&pattern) {
            Ok(test) => drop(tests.insert(pattern, test)),
            Err(why) => report.push(Diagnostic {
                location: written.get(&option).map(|(_, place)| place.clone()),
                ..Diagnostic::error(&codes::NOT_ALLOWED, format!("host: `{option}` {why}"))
            }),
        }
    }
    for resolver in resolvers {
        let mut providers = host.providers.clone();
        let names: Vec<&String> = resolver.env.keys().collect();
        let matches = |pattern: &str, name: &str| tests.get(pattern).is_some_and(|test| test(name));
        providers.allow_names(&names, &matches);
        resolver.providers = providers;
    }
}

fn prepare(request: &Request) -> Prepared {
    let mut report = Report::default();
    let mut document = Document::default();
    let first = read_files(&mut report, &mut document, request);
    for (index, path) in request.overlays.iter().enumerate() {
        if let Some(root) = read_file(&mut report, path, request, index + 1) {
            document.overlay(&mut report, root);
        }
    }
    apply_sets(&mut report, &mut document, request);
    let unset_env = if request.run {
        Severity::Error
    } else {
        Severity::Warning
    };
    let mut resolver = Resolver {
        env: environment(&mut report, request),
        params: BTreeMap::new(),
        providers: Providers::default(),
    };
    let given = given_params(&mut report, request);
    let asked = params::Surroundings {
        given: &given,
        resolver: &resolver,
        unset_env,
        now_ms: request.now_ms,
    };
    let values = params::read(&mut report, &document.params, &asked);
    resolver.params = values;
    // A declared parameter whose value is wrong was reported once; placeholders of it are not wrong, too.
    let mut known = resolver.clone();
    for entry in &document.params {
        known
            .params
            .entry(entry.key.clone())
            .or_insert_with(|| "unknown".to_owned());
    }
    let base_dir = first.unwrap_or_else(|| request.cwd.clone());
    let (host, host_values) = host::read(&mut report, &document.host, &known, unset_env, &base_dir);
    Prepared {
        report,
        document,
        resolver,
        known,
        unset_env,
        base_dir,
        host,
        host_values,
    }
}

/// Reads all PATHs and returns the folder of the first.
fn read_files(report: &mut Report, document: &mut Document, request: &Request) -> Option<PathBuf> {
    if request.paths.is_empty() && !request.empty {
        report.push(
            Diagnostic::error(&codes::FILE_UNREADABLE, "no configuration file is named")
                .with_help("linkspan run PATH"),
        );
    }
    let mut first = None;
    let mut seen = BTreeSet::new();
    for path in &request.paths {
        let absolute = request.cwd.join(path);
        let (files, folder) = if absolute.is_dir() {
            (files_of(report, path, &absolute), clean(&absolute))
        } else {
            (vec![path.clone()], folder_of(&absolute))
        };
        first.get_or_insert(folder);
        for file in files {
            // The same file named twice is one file.
            let identity =
                std::fs::canonicalize(request.cwd.join(&file)).unwrap_or_else(|_| file.clone());
            if !seen.insert(identity) {
                continue;
            }
            let in_directory =
                absolute.is_dir() && file.file_name().is_some_and(|name| name == HOST_FILE);
            if let Some(root) = read_file(report, &file, request, 0) {
                document.add(report, root, in_directory);
            }
        }
    }
    first
}

/// The folder a file stands in, without links and dots.
fn folder_of(file: &Path) -> PathBuf {
    clean(file.parent().unwrap_or(file))
}

fn clean(folder: &Path) -> PathBuf {
    std::fs::canonicalize(folder).unwrap_or_else(|_| folder.components().collect())
}

fn files_of(report: &mut Report, path: &Path, absolute: &Path) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(absolute) {
        Ok(entries) => entries,
        Err(error) => {
            report.push(Diagnostic::error(
                &codes::FILE_UNREADABLE,
                format!("directory {} cannot be read: {error}", path.display()),
            ));
            return Vec::new();
        }
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| PathBuf::from(entry.file_name())))
        .filter(|name| {
            name.extension()
                .is_some_and(|extension| extension == "yaml" || extension == "yml")
        })
        .filter(|name| !name.to_string_lossy().starts_with('.') && absolute.join(name).is_file())
        .map(|name| path.join(name))
        .collect();
    files.sort();
    if files.is_empty() {
        report.push(Diagnostic::error(
            &codes::FILE_UNREADABLE,
            format!("directory {} holds no *.yaml or *.yml file", path.display()),
        ));
    }
    files
}

fn read_file(report: &mut Report, path: &Path, request: &Request, layer: usize) -> Option<Node> {
    let absolute = request.cwd.join(path);
    let text = match read_text(&absolute) {
        Ok(text) => text,
        Err(why) => {
            let code = if why.starts_with("it is ") {
                &codes::FILE_LIMIT
            } else {
                &codes::FILE_UNREADABLE
            };
            report.push(Diagnostic::error(
                code,
                format!("file {} cannot be read: {why}", path.display()),
            ));
            return None;
        }
    };
    let base = folder_of(&absolute);
    let id = report
        .sources
        .add(path.display().to_string(), &base, layer, text.clone());
    if connect_files::is_one(path) {
        return connect_files::read(report, path, id, &text);
    }
    let (root, problems) = yaml::parse(id, &text);
    for problem in &problems {
        report.push(describe(problem));
    }
    root
}

fn describe(problem: &Problem) -> Draft {
    let error = |code, message: &str| Draft::error(code, problem.span, message);
    let draft = match &problem.what {
        What::Syntax(message) => error(&codes::YAML_SYNTAX, &format!("not valid YAML: {message}")),
        What::Tab => error(&codes::TAB, "a tab is used for indentation").label("write spaces here"),
        What::BarePlaceholder => error(
            &codes::YAML_SYNTAX,
            "inside { } and [ ] a placeholder must stand in quotes",
        )
        .help("write \"${...}\""),
        What::TooDeep => error(
            &codes::FILE_LIMIT,
            &format!("nested deeper than {} levels", yaml::DEPTH_MAX),
        ),
        What::TooManyNodes => error(
            &codes::FILE_LIMIT,
            &format!(
                "more than {} values after aliases are expanded",
                yaml::NODES_MAX
            ),
        ),
        What::DuplicateKey { key, section } if section.as_deref() == Some("connectors") => error(
            &codes::DUPLICATE_CONNECTOR,
            &format!("two connectors are named `{}`", key.escape_debug()),
        ),
        What::DuplicateKey { key, .. } => error(
            &codes::DUPLICATE_KEY,
            &format!("`{}` is written twice in one map", key.escape_debug()),
        ),
        What::KeyIsNotText => error(&codes::YAML_FEATURE, "a key is a text"),
        What::MergeOfScalar => error(&codes::YAML_FEATURE, "`<<` takes a map or a list of maps"),
        What::AliasInsideItself => error(
            &codes::YAML_FEATURE,
            "an alias stands inside its own anchor",
        ),
        What::SecondDocument => error(
            &codes::SECOND_DOCUMENT,
            "a second YAML document begins here",
        ),
    };
    let draft = match problem.first {
        Some(first) => draft.related(first, "first at"),
        None => draft,
    };
    match &problem.note {
        Some(note) => draft.note(note.clone()),
        None => draft,
    }
}

fn apply_sets(report: &mut Report, document: &mut Document, request: &Request) {
    let layer = request.overlays.len() + 1;
    for text in &request.sets {
        let id = report
            .sources
            .add("--set".to_owned(), &request.cwd, layer, text.clone());
        let raw = text.split_once('=').map_or("", |(_, raw)| raw);
        // A list, map or quoted text is YAML; all else is the text itself.
        let value = if raw.starts_with(['[', '{', '"', '\'']) {
            let (value, problems) = yaml::parse(id, raw);
            let shift = text.chars().count() - raw.chars().count();
            for problem in problems {
                report.push(describe(&Problem {
                    span: Span {
                        column: problem.span.column + shift,
                        end_column: problem.span.end_column + shift,
                        ..problem.span
                    },
                    ..problem
                }));
            }
            value.map(|value| shifted(value, shift))
        } else {
            None
        };
        document.set(report, id, text, value);
    }
}

/// Moves the places of a value that was read from the middle of a line.
fn shifted(mut node: Node, by: usize) -> Node {
    let shift = |span: &mut Span| {
        span.column += by;
        span.end_column += by;
    };
    shift(&mut node.span);
    node.kind = match node.kind {
        Kind::List(items) => Kind::List(items.into_iter().map(|item| shifted(item, by)).collect()),
        Kind::Map(entries) => Kind::Map(
            entries
                .into_iter()
                .map(|mut entry| {
                    shift(&mut entry.key_span);
                    Entry {
                        value: shifted(entry.value, by),
                        ..entry
                    }
                })
                .collect(),
        ),
        kind @ (Kind::Null | Kind::Scalar(_)) => kind,
    };
    node
}

fn given_params(report: &mut Report, request: &Request) -> Vec<Given> {
    let layer = request.overlays.len() + 1;
    let mut given = Vec::new();
    for (name, value) in &request.params {
        let id = report.sources.add(
            "--param".to_owned(),
            &request.cwd,
            layer,
            format!("{name}={value}"),
        );
        let start = Span::at(id, 1, 1);
        let length = name.chars().count();
        given.push(Given {
            name: name.clone(),
            value: value.clone(),
            name_span: start.part(0, length),
            value_span: start.part(length + 1, value.chars().count()),
        });
    }
    given
}

/// Returns the environment, completed from the env file.
fn environment(report: &mut Report, request: &Request) -> BTreeMap<String, String> {
    let mut env = request.env.clone();
    let Some(path) = &request.env_file else {
        return env;
    };
    let text = match read_text(&request.cwd.join(path)) {
        Ok(text) => text,
        Err(why) => {
            report.push(Diagnostic::error(
                &codes::FILE_UNREADABLE,
                format!("env file {} cannot be read: {why}", path.display()),
            ));
            return env;
        }
    };
    // The text is not kept as it is: such files hold secrets, and messages quote lines.
    let id = report
        .sources
        .add(path.display().to_string(), &request.cwd, 0, String::new());
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match env_line(line) {
            Some((name, value)) => {
                env.entry(name.to_owned())
                    .or_insert_with(|| value.to_owned());
            }
            None => report.push(Draft::error(
                &codes::ENV_FILE,
                Span::at(id, index + 1, 1),
                "an env file has lines NAME=value",
            )),
        }
    }
    env
}

fn env_line(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line
        .strip_prefix("export ")
        .unwrap_or(line)
        .split_once('=')?;
    let name = name.trim();
    let good = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let value = value.trim();
    let bare = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value);
    good.then_some((name, bare))
}

fn fingerprint(sources: &Sources, params: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(text);
    };
    for source in sources.iter().filter(|source| source.name != "--param") {
        part(&source.text);
    }
    for (name, value) in params {
        part(name);
        part(value);
    }
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a `String` cannot fail.
        write!(hex, "{byte:02x}").ok();
        hex
    })
}

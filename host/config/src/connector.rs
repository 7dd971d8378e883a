//! `connectors:` and `defaults:` → [`ConnectorPlan`]s.

use std::collections::{BTreeMap, BTreeSet};

use linkspan_types::HIDDEN;
use linkspan_types::topic_creation::{self, CreationProblem};

use crate::check::items;
use crate::codes;
use crate::diagnostic::Severity;
use crate::framework;
use crate::option::{Catalog, Class, ClassKind, OptionType};
use crate::placeholder::Resolver;
use crate::plan::{ConnectorPlan, Late, RestartPolicy, TopicPlan};
use crate::report::{Draft, Report};
use crate::settings::{Body, Reader, Setting, hidden_word, place_of};
use crate::vocabulary::{Built, Vocabulary, closest, listing};
use crate::yaml::{Entry, Kind, Node};

const NAME_CHARS_MAX: usize = 200;
pub(crate) const CONVERTER_ROLES: [&str; 3] =
    ["key.converter", "value.converter", "header.converter"];
const CLASS_KEYS: [&str; 2] = ["connector", "connector.class"];
/// The options whose files are the data itself, unlike those of certificates and the like.
const PATHS_OF_DATA: [&str; 2] = ["path", "file"];

/// What all connectors of one load share.
pub(crate) struct Surroundings<'a> {
    pub(crate) catalog: &'a dyn Catalog,
    pub(crate) defaults: &'a [Entry],
    /// The section `host:`, for its converters.
    pub(crate) host: &'a [Entry],
    pub(crate) resolver: &'a Resolver,
    pub(crate) unset_env: Severity,
}

/// Reads all connectors; one that is not right is left out, and reported.
pub(crate) fn read(
    report: &mut Report,
    entries: &[Entry],
    around: &Surroundings<'_>,
) -> Vec<ConnectorPlan> {
    check_defaults(report, around);
    let mut plans: Vec<ConnectorPlan> = entries
        .iter()
        .filter(|entry| !entry.key.starts_with("x-"))
        .filter_map(|entry| {
            let before = report.errors();
            let mut plan = connector(report, entry, around)?;
            plan.sound = report.errors() == before;
            Some(plan)
        })
        .collect();
    plans.sort_by(|a, b| a.name.cmp(&b.name));
    plans
}

fn connector(
    report: &mut Report,
    entry: &Entry,
    around: &Surroundings<'_>,
) -> Option<ConnectorPlan> {
    let name = entry.key.as_str();
    let named = name_is_good(report, entry);
    let Kind::Map(options) = &entry.value.kind else {
        report.push(Draft::error(
            &codes::WRONG_SHAPE,
            entry.value.span,
            format!(
                "connector `{}` takes a map of options, found {}",
                name.escape_debug(),
                entry.value.shape()
            ),
        ));
        return None;
    };
    let class = class_of(report, entry, options, around)?;
    let vocabulary = vocabulary(class);
    let inherited = inherited(options, class, around);
    let mut bodies = vec![Body {
        entries: &inherited,
        explicit: false,
    }];
    for default in around
        .defaults
        .iter()
        .filter(|default| stands_for(class, &default.key))
    {
        if let Kind::Map(entries) = &default.value.kind {
            bodies.push(Body {
                entries,
                explicit: false,
            });
        }
    }
    bodies.push(Body {
        entries: options,
        explicit: true,
    });
    let mut reader = Reader {
        report,
        vocabulary: &vocabulary,
        resolver: around.resolver,
        unset_env: around.unset_env,
        owner: format!("connector `{name}`"),
        span: entry.key_span,
    };
    let mut settings = reader.read(&bodies);
    name_predicates(&mut settings);
    define_steps(around.catalog, &mut settings);
    let topics_hold = topics_hold(report, entry, class, around.catalog, &settings);
    let letters_hold = letters_hold(report, entry, around.catalog, &settings);
    let converters_hold = converters_hold(report, entry, around.catalog, &settings);
    let steps_hold = steps_hold(report, entry, around.catalog, &settings);
    // A sink may have options of its own under that name, for what it makes outside.
    let creation_holds =
        class.kind != ClassKind::Source || creation_holds(report, entry, around.catalog, &settings);
    if let Some(own) = settings.get("name").filter(|own| own.text != name) {
        report.push(
            Draft::error(
                &codes::SET_TWICE,
                own.span,
                format!(
                    "connector `{name}`: `name` says `{}`",
                    own.text.escape_debug()
                ),
            )
            .help("remove `name`: the key is the name"),
        );
    }
    (named && topics_hold && letters_hold && converters_hold && steps_hold && creation_holds)
        .then(|| plan(report, entry, class, settings))
}

/// The host's converters, each with its options, in whose place the connector and its class's defaults name none.
fn inherited(options: &[Entry], class: &Class, around: &Surroundings<'_>) -> Vec<Entry> {
    let mut own: Vec<&str> = options.iter().map(|entry| entry.key.as_str()).collect();
    for default in around
        .defaults
        .iter()
        .filter(|default| stands_for(class, &default.key))
    {
        if let Kind::Map(entries) = &default.value.kind {
            own.extend(entries.iter().map(|entry| entry.key.as_str()));
        }
    }
    let of_host = |key: &str| role_of(key).is_some_and(|role| !own.contains(&role));
    let entries = around.host.iter().filter(|entry| of_host(&entry.key));
    entries.cloned().collect()
}

/// The converter that an option chooses or belongs to.
pub(crate) fn role_of(key: &str) -> Option<&'static str> {
    CONVERTER_ROLES.into_iter().find(|role| {
        key.strip_prefix(role)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

fn name_is_good(report: &mut Report, entry: &Entry) -> bool {
    let name = &entry.key;
    let good = !name.is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.contains('/')
        && !name.chars().any(char::is_control)
        && name.trim() == name;
    if !good {
        report.push(Draft::error(
            &codes::BAD_NAME,
            entry.key_span,
            format!("`{}` cannot name a connector", name.escape_debug()),
        ));
    }
    good
}

/// Finds the class a connector names, before its options can be read.
fn class_of<'a>(
    report: &mut Report,
    entry: &Entry,
    options: &[Entry],
    around: &Surroundings<'a>,
) -> Option<&'a Class> {
    let name = &entry.key;
    let Some(node) = class_node(options) else {
        let draft = Draft::error(
            &codes::NO_CLASS,
            entry.key_span,
            format!(
                "connector `{}` does not say what it is",
                name.escape_debug()
            ),
        );
        let near = options
            .iter()
            .find(|option| closest(&option.key, ["connector"]).is_some());
        let draft = match near {
            Some(near) => draft.related(near.key_span, "did you mean `connector` here"),
            None => draft.label("add `connector: CLASS`"),
        };
        report.push(draft.note(installed(around.catalog)));
        return None;
    };
    let Some(written) = node.text() else {
        report.push(Draft::error(
            &codes::WRONG_TYPE,
            node.span,
            format!(
                "connector `{}`: `connector` takes the name of a class, found {}",
                name.escape_debug(),
                node.shape()
            ),
        ));
        return None;
    };
    // Java's class names end in the name that people know: `io.confluent.connect.jdbc.JdbcSourceConnector`.
    let short = written.rsplit('.').next().unwrap_or(written);
    let class = around
        .catalog
        .class(written)
        .or_else(|| around.catalog.class(short));
    let names = around.catalog.names();
    match class {
        None => {
            let mut draft = Draft::error(
                &codes::UNKNOWN_CLASS,
                node.span,
                format!(
                    "connector `{}`: no installed plugin offers the class `{}`",
                    name.escape_debug(),
                    written.escape_debug()
                ),
            );
            if let Some(known) = closest(written, names.iter().map(String::as_str)) {
                draft = draft.label(format!("did you mean `{known}`?"));
            }
            if let Some(plugin) = apart(short) {
                draft = draft.help(format!(
                    "it is in the plugin {plugin}, which is built by itself: cargo build -p {plugin} in linkspan's sources"
                ));
            }
            report.push(draft.note(installed(around.catalog)));
            None
        }
        Some(class) if class.kind == ClassKind::Transform => {
            report.push(Draft::error(
                &codes::UNKNOWN_CLASS,
                node.span,
                format!(
                    "connector `{}`: `{}` is a transform, not a source or sink",
                    name.escape_debug(),
                    class.name
                ),
            ));
            None
        }
        Some(class) => Some(class),
    }
}

fn class_node(options: &[Entry]) -> Option<&Node> {
    options.iter().find_map(|option| match &option.value.kind {
        // `connector: {class: x}` is `connector.class: x`.
        Kind::Map(inner) if option.key == "connector" => inner
            .iter()
            .find(|entry| entry.key == "class")
            .map(|entry| &entry.value),
        Kind::Null | Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) => CLASS_KEYS
            .contains(&option.key.as_str())
            .then_some(&option.value),
    })
}

/// The plugin of linkspan's own that has such a class and is no default member of its workspace.
fn apart(class: &str) -> Option<&'static str> {
    match class {
        "kafka-source" | "kafka-sink" => Some("linkspan-connector-kafka"),
        "columnar-source" | "columnar-sink" => Some("linkspan-connector-columnar"),
        _ => None,
    }
}

fn installed(catalog: &dyn Catalog) -> String {
    let names = catalog.names();
    if names.is_empty() {
        return "no plugin was found; see linkspan plugin list".to_owned();
    }
    format!("installed: {}", listing(names.iter().map(String::as_str)))
}

fn stands_for(class: &Class, name: &str) -> bool {
    class.name == name || class.aliases.iter().any(|alias| alias == name)
}

fn vocabulary(class: &Class) -> Vocabulary<'_> {
    let mut vocabulary = Vocabulary::default();
    for def in class.options.iter().filter(|def| {
        framework::CONNECTOR
            .iter()
            .all(|option| option.def.name != def.name)
    }) {
        vocabulary.add(def, Built::Yes, None);
    }
    for option in framework::CONNECTOR.iter() {
        let misplaced = match option.kind {
            Some(kind) if kind != class.kind => Some(match kind {
                ClassKind::Source => "is an option of sources; this is a sink",
                ClassKind::Sink | ClassKind::Transform if option.def.name.starts_with("topics") => {
                    "is an option of sinks; a source takes `topic`"
                }
                ClassKind::Sink | ClassKind::Transform => "is an option of sinks; this is a source",
            }),
            Some(_) | None => None,
        };
        // A class may have an option of the name of the other side's.

        match class.options.iter().find(|def| def.name == option.def.name) {
            Some(own) if misplaced.is_some() => vocabulary.add(own, Built::Yes, None),
            Some(_) | None => vocabulary.add(&option.def, option.built, misplaced),
        }
    }
    vocabulary
}

/// A sink reads `topics` or what `topics.regex` matches; each name must be one that Kafka allows, the pattern one of Java's.
fn topics_hold(
    report: &mut Report,
    entry: &Entry,
    class: &Class,
    catalog: &dyn Catalog,
    settings: &BTreeMap<String, Setting>,
) -> bool {
    if class.kind != ClassKind::Sink {
        return true;
    }
    match (settings.get("topics"), settings.get("topics.regex")) {
        (None, None) => {
            // A misspelt way to say it was reported as such.
            let tried = matches!(&entry.value.kind, Kind::Map(options) if options.iter().any(|option| closest(&option.key, ["topics", "topics.regex"]).is_some()));
            if !tried {
                report.push(
                    Draft::error(
                        &codes::MISSING_OPTION,
                        entry.key_span,
                        format!(
                            "connector `{}` lacks the required option `topics`",
                            entry.key
                        ),
                    )
                    .label("add `topics: [NAME]` or `topics.regex: PATTERN`"),
                );
            }
            false
        }
        (Some(topics), Some(regex)) => {
            report.push(
                Draft::error(
                    &codes::NOT_ALLOWED,
                    regex.span,
                    format!(
                        "connector `{}`: `topics` and `topics.regex` exclude each other, and both are set",
                        entry.key
                    ),
                )
                .related(topics.span, "`topics` is here")
                .help("remove one of them"),
            );
            false
        }
        (Some(topics), None) => names_hold(report, entry, topics),
        (None, Some(regex)) => pattern_holds(report, entry, catalog, regex),
    }
}

fn pattern_holds(
    report: &mut Report,
    entry: &Entry,
    catalog: &dyn Catalog,
    setting: &Setting,
) -> bool {
    let Some(pattern) = setting.resolved.as_deref() else {
        return true;
    };
    let why = match catalog.topic_pattern(pattern) {
        Ok(_) if !pattern.trim().is_empty() => return true,
        Ok(_) => "is empty".to_owned(),
        // What a placeholder stands for may not show.
        Err(_) if setting.late => "is not a valid regular expression".to_owned(),
        Err(why) => why,
    };
    report.push(Draft::error(
        &codes::NOT_ALLOWED,
        setting.span,
        format!("connector `{}`: `topics.regex` {why}", entry.key),
    ));
    false
}

fn names_hold(report: &mut Report, entry: &Entry, setting: &Setting) -> bool {
    let Some(resolved) = &setting.resolved else {
        return true;
    };
    let names = items(resolved);
    if names.is_empty() {
        report.push(Draft::error(
            &codes::MISSING_OPTION,
            setting.span,
            format!("connector `{}`: `topics` is empty", entry.key),
        ));
    }
    let mut good = !names.is_empty();
    for problem in names
        .iter()
        .filter_map(|name| linkspan_types::TopicName::try_new(name).err())
    {
        good = false;
        let message = if setting.late {
            "`topics` holds what is no topic name".to_owned()
        } else {
            problem.to_string()
        };
        report.push(Draft::error(&codes::BAD_NAME, setting.span, message));
    }
    good
}

/// Finds out which of the topics that the files name the sinks with a pattern read.
pub(crate) fn match_topics(
    plans: &mut [ConnectorPlan],
    declared: &[TopicPlan],
    catalog: &dyn Catalog,
) {
    let known: BTreeSet<String> = plans
        .iter()
        .flat_map(|plan| plan.topics.iter().chain(&plan.letters))
        .chain(declared.iter().map(|topic| &topic.name))
        .cloned()
        .collect();
    for plan in plans {
        let pattern = plan.topics_regex.as_deref();
        if let Some(Ok(matches)) = pattern.map(|pattern| catalog.topic_pattern(pattern)) {
            plan.topics_matched = known.iter().filter(|name| matches(name)).cloned().collect();
        }
    }
}

/// Dead letters may not come back to the sink that set them aside, and their topic must be one.
fn letters_hold(
    report: &mut Report,
    entry: &Entry,
    catalog: &dyn Catalog,
    settings: &BTreeMap<String, Setting>,
) -> bool {
    let Some(setting) = settings.get("errors.deadletterqueue.topic.name") else {
        return true;
    };
    let Some(name) = setting.resolved.as_deref() else {
        return true;
    };
    if let Err(problem) = linkspan_types::TopicName::try_new(name) {
        let message = if setting.late {
            "`errors.deadletterqueue.topic.name` holds what is no topic name".to_owned()
        } else {
            problem.to_string()
        };
        report.push(Draft::error(&codes::BAD_NAME, setting.span, message));
        return false;
    }
    let text = |option: &str| settings.get(option).and_then(|set| set.resolved.as_deref());
    let named =
        text("topics").is_some_and(|topics| items(topics).iter().any(|topic| topic == name));
    let matches = text("topics.regex").map(|pattern| catalog.topic_pattern(pattern));
    let way = match matches {
        _ if named => "`topics` names",
        Some(Ok(matches)) if matches(name) => "`topics.regex` matches",
        _ => return true,
    };
    report.push(
        Draft::error(
            &codes::NOT_ALLOWED,
            setting.span,
            format!(
                "connector `{}`: the dead letters would come back: {way} their topic, too",
                entry.key
            ),
        )
        .help("give the dead letters a topic of their own"),
    );
    false
}

/// Each converter must exist, and take the options that stand below it.
fn converters_hold(
    report: &mut Report,
    entry: &Entry,
    catalog: &dyn Catalog,
    settings: &BTreeMap<String, Setting>,
) -> bool {
    let mut good = true;
    for role in CONVERTER_ROLES {
        let prefix = format!("{role}.");
        let below: BTreeMap<String, String> = settings
            .iter()
            .filter_map(|(name, setting)| {
                Some((
                    name.strip_prefix(&prefix)?.to_owned(),
                    setting.resolved.clone()?,
                ))
            })
            .collect();
        let chosen = settings
            .get(role)
            .and_then(|setting| setting.resolved.as_deref());
        let class = match chosen {
            Some(class) => class,
            None if below.is_empty() => continue,
            None => "auto",
        };
        for problem in catalog.converter_problems(role, class, &below) {
            good = false;
            let option = match problem.option.as_str() {
                "" => role.to_owned(),
                option => format!("{prefix}{option}"),
            };
            let span = settings
                .get(&option)
                .map_or(entry.key_span, |setting| setting.span);
            let code = match (problem.option.is_empty(), problem.known.is_empty()) {
                (true, _) => &codes::UNKNOWN_CLASS,
                (false, false) => &codes::UNKNOWN_KEY,
                (false, true) => &codes::NOT_ALLOWED,
            };
            let mut draft = Draft::error(
                code,
                span,
                format!("connector `{}`: `{option}` {}", entry.key, problem.message),
            );
            let written = if problem.option.is_empty() {
                class
            } else {
                &problem.option
            };
            let known = || problem.known.iter().map(String::as_str);
            if let Some(near) = closest(written, known()) {
                draft = draft.label(format!("did you mean `{near}`?"));
            }
            if !problem.known.is_empty() {
                draft = draft.note(format!("known here: {}", listing(known())));
            }
            report.push(draft);
        }
    }
    good
}

/// Predicates written as a map need no list of their names: they have no order.
fn name_predicates(settings: &mut BTreeMap<String, Setting>) {
    if settings.contains_key("predicates") {
        return;
    }
    let named: Vec<(String, Setting)> = settings
        .iter()
        .filter_map(|(key, setting)| {
            let name = key.strip_prefix("predicates.")?.strip_suffix(".type")?;
            Some((name.to_owned(), setting.clone()))
        })
        .collect();
    let Some((_, first)) = named.first() else {
        return;
    };
    let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
    let text = names.join(",");
    let list = Setting {
        text: text.clone(),
        resolved: Some(text),
        late: false,
        ..first.clone()
    };
    settings.insert("predicates".to_owned(), list);
}

/// Options of steps that are plugins' are of the types that those declare: secrets are hidden, relative paths start at the file.
fn define_steps(catalog: &dyn Catalog, settings: &mut BTreeMap<String, Setting>) {
    let is_of_step = |key: &str| key.starts_with("transforms") || key.starts_with("predicates");
    let config: BTreeMap<String, String> = settings
        .iter()
        .filter(|(key, _)| is_of_step(key))
        .map(|(key, setting)| (key.clone(), setting.text.clone()))
        .collect();
    if config.is_empty() {
        return;
    }
    for key in catalog.step_secrets(&config) {
        if let Some(setting) = settings.get_mut(&key) {
            setting.def.secret = true;
        }
    }
    for (key, kind) in catalog.step_places(&config) {
        let Some(setting) = settings.get_mut(&key) else {
            continue;
        };
        setting.def.kind = kind;
        setting.text = place_of(kind, &setting.text, &setting.base);
        let resolved = setting.resolved.take();
        setting.resolved = resolved.map(|text| place_of(kind, &text, &setting.base));
    }
}

/// Each step and predicate must exist, and take the options that stand below it.
fn steps_hold(
    report: &mut Report,
    entry: &Entry,
    catalog: &dyn Catalog,
    settings: &BTreeMap<String, Setting>,
) -> bool {
    let of_steps = |key: &str| key.starts_with("transforms") || key.starts_with("predicates");
    let config: BTreeMap<String, String> = settings
        .iter()
        .filter(|(key, _)| of_steps(key))
        .map(|(key, setting)| {
            let text = setting.resolved.as_ref().unwrap_or(&setting.text);
            (key.clone(), text.clone())
        })
        .collect();
    if config.is_empty() {
        return true;
    }
    let mut good = true;
    for key in catalog.step_secrets(&config) {
        let Some(setting) = settings.get(&key) else {
            continue;
        };
        report.conceal(setting.span);
        if setting.text == HIDDEN {
            let owner = format!("connector `{}`", entry.key);
            report.push(hidden_word(&owner, &key, setting.span));
            good = false;
        } else if !setting.late && !setting.text.is_empty() {
            let message = format!(
                "connector `{}`: the secret `{key}` stands in the file",
                entry.key
            );
            let draft = Draft::warning(&codes::SECRET_LITERAL, setting.span, message);
            report.push(draft.label("write `${env:NAME}` instead"));
        }
    }
    for problem in catalog.step_problems(&config) {
        let setting = settings.get(&problem.key);
        // What is not resolved yet cannot be judged yet.
        if setting.is_some_and(|setting| setting.resolved.is_none()) {
            continue;
        }
        let span = setting
            .or_else(|| beside(settings, &problem.key))
            .map_or(entry.key_span, |setting| setting.span);
        // Kafka Connect takes no offence at options of steps that are not there.
        let harmless = !problem.known.is_empty() && report.sources.is_lenient(span.file);
        good &= harmless;
        let code = if problem.known.is_empty() {
            &codes::NOT_ALLOWED
        } else {
            &codes::UNKNOWN_KEY
        };
        let mut draft = Draft::error(
            code,
            span,
            format!(
                "connector `{}`: `{}` {}",
                entry.key, problem.key, problem.message
            ),
        );
        if harmless {
            draft = draft.severity(Severity::Warning);
        }
        let known = || problem.known.iter().map(String::as_str);
        if let Some(near) = closest(&problem.key, known()) {
            draft = draft.label(format!("did you mean `{near}`?"));
        }
        if !problem.known.is_empty() {
            draft = draft.note(format!("known here: {}", listing(known())));
        }
        report.push(draft);
    }
    good
}

/// Groups of topics that are made: each has what it needs, and its patterns are expressions.
fn creation_holds(
    report: &mut Report,
    entry: &Entry,
    catalog: &dyn Catalog,
    settings: &BTreeMap<String, Setting>,
) -> bool {
    let own = || {
        settings
            .iter()
            .filter(|(key, _)| key.starts_with(topic_creation::PREFIX))
    };
    let config: BTreeMap<String, String> = own()
        .map(|(key, setting)| {
            let text = setting.resolved.as_ref().unwrap_or(&setting.text);
            (key.clone(), text.clone())
        })
        .collect();
    let mut problems = match topic_creation::read(&config, &items) {
        Ok(_) => Vec::new(),
        Err(problems) => problems,
    };
    for (key, text) in &config {
        if !(key.ends_with(".include") || key.ends_with(".exclude")) {
            continue;
        }
        let wrong = items(text)
            .into_iter()
            .filter_map(|pattern| catalog.topic_pattern(&pattern).err());
        problems.extend(wrong.map(|message| CreationProblem {
            key: key.clone(),
            message,
        }));
    }
    // What is not resolved yet cannot be judged yet; what a placeholder stands for may not show.
    problems.retain(|problem| {
        settings
            .get(&problem.key)
            .is_none_or(|setting| setting.resolved.is_some())
    });
    for problem in &problems {
        let place = settings
            .get(&problem.key)
            .or_else(|| own().next().map(|(_, one)| one));
        let late = settings
            .get(&problem.key)
            .is_some_and(|setting| setting.late);
        let what = if late {
            "holds what it cannot take"
        } else {
            &problem.message
        };
        report.push(Draft::error(
            &codes::NOT_ALLOWED,
            place.map_or(entry.key_span, |setting| setting.span),
            format!("connector `{}`: `{}` {what}", entry.key, problem.key),
        ));
    }
    problems.is_empty()
}

/// Where a missing option of a step would stand: at the step's type, else at the list of steps.
fn beside<'a>(settings: &'a BTreeMap<String, Setting>, key: &str) -> Option<&'a Setting> {
    let mut parts = key.splitn(3, '.');
    let (list, name) = (parts.next()?, parts.next().unwrap_or_default());
    settings
        .get(&format!("{list}.{name}.type"))
        .or_else(|| settings.get(list))
}

fn plan(
    report: &Report,
    entry: &Entry,
    class: &Class,
    settings: BTreeMap<String, Setting>,
) -> ConnectorPlan {
    let text = |name: &str| {
        settings
            .get(name)
            .and_then(|setting| setting.resolved.as_deref())
    };
    let number = |name: &str, default: u64| {
        text(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let topics = match class.kind {
        ClassKind::Sink => text("topics").map(items).unwrap_or_default(),
        ClassKind::Source | ClassKind::Transform => settings
            .values()
            .filter(|setting| setting.def.kind == OptionType::Topic)
            .filter_map(|setting| setting.resolved.clone())
            .collect(),
    };
    let restart = match text("restart.policy") {
        Some("never") => RestartPolicy::Never,
        Some(_) | None => RestartPolicy::Backoff {
            delay_max_ms: number("restart.delay.max.ms", 60_000),
        },
    };
    let declared = |name: &str| class.options.iter().any(|def| def.name == name);
    let mut config: BTreeMap<String, String> = settings
        .iter()
        .map(|(name, setting)| (name.clone(), setting.text.clone()))
        .collect();
    config.remove("name");
    config.insert("connector.class".to_owned(), class.name.clone());
    ConnectorPlan {
        name: entry.key.clone(),
        class: class.name.clone(),
        kind: class.kind,
        class_options: config
            .keys()
            .filter(|name| declared(name) || !is_of_framework(name))
            .cloned()
            .collect(),
        origins: settings
            .iter()
            .map(|(name, setting)| (name.clone(), report.sources.location(setting.span)))
            .collect(),
        source: report.sources.location(entry.key_span),
        tasks_max: u32::try_from(number("tasks.max", 1)).unwrap_or(1),
        topics,
        topics_regex: match class.kind {
            ClassKind::Sink => text("topics.regex").map(str::to_owned),
            ClassKind::Source | ClassKind::Transform => None,
        },
        topics_matched: Vec::new(),
        key_fields: text("key.fields").map(items).unwrap_or_default(),
        restart,
        offset_flush_interval_ms: number("offset.flush.interval.ms", 1000),
        moved_from: text("moved.from").map(str::to_owned),
        job: None,
        letters: text("errors.deadletterqueue.topic.name").map(str::to_owned),
        paths: paths_of_data(&settings),
        sound: true,
        late: settings
            .iter()
            .filter(|(name, setting)| setting.late && *name != "connector.class")
            .map(|(name, setting)| {
                (
                    name.clone(),
                    Late {
                        def: setting.def.clone(),
                        base: setting.base.clone(),
                    },
                )
            })
            .collect(),
        secrets: settings
            .iter()
            .filter(|(_, setting)| setting.def.is_secret())
            .map(|(name, _)| name.clone())
            .collect(),
        config,
    }
}

/// The files that a connector reads or writes.
fn paths_of_data(settings: &BTreeMap<String, Setting>) -> Vec<String> {
    settings
        .iter()
        .filter(|(name, setting)| {
            PATHS_OF_DATA.contains(&name.as_str()) && setting.def.kind == OptionType::Path
        })
        .filter_map(|(_, setting)| setting.resolved.as_deref())
        .flat_map(paths)
        .collect()
}

/// A path, or the JSON of a list of them.
fn paths(text: &str) -> Vec<String> {
    if text.starts_with('[') {
        items(text)
    } else {
        vec![text.to_owned()]
    }
}

/// Whether an option is the host's own: named in its table, or below a pattern of it.
fn is_of_framework(name: &str) -> bool {
    framework::CONNECTOR.iter().any(|option| {
        let known = option.def.name.as_str();
        let below = known
            .strip_suffix('*')
            .is_some_and(|prefix| name.starts_with(prefix));
        known == name || below
    })
}

/// Defaults of a class nobody uses are still checked for the class's name and shape.
fn check_defaults(report: &mut Report, around: &Surroundings<'_>) {
    for default in around
        .defaults
        .iter()
        .filter(|default| !default.key.starts_with("x-"))
    {
        if around.catalog.class(&default.key).is_none() {
            let names = around.catalog.names();
            let mut draft = Draft::error(
                &codes::UNKNOWN_CLASS,
                default.key_span,
                format!(
                    "defaults: no installed plugin offers the class `{}`",
                    default.key.escape_debug()
                ),
            );
            if let Some(known) = closest(&default.key, names.iter().map(String::as_str)) {
                draft = draft.label(format!("did you mean `{known}`?"));
            }
            report.push(draft.note(installed(around.catalog)));
        } else if !matches!(default.value.kind, Kind::Map(_) | Kind::Null) {
            report.push(Draft::error(
                &codes::WRONG_SHAPE,
                default.value.span,
                format!(
                    "defaults of `{}` are a map, found {}",
                    default.key,
                    default.value.shape()
                ),
            ));
        }
    }
}

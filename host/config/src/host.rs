//! `host:` and `topics:` → [`HostSettings`] and [`TopicPlan`]s.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use linkspan_types::TopicName;
use linkspan_types::topic_settings::{Effect, canonical, find};

use crate::access;
use crate::check::items;
use crate::codes;
use crate::connector::role_of;
use crate::diagnostic::Severity;
use crate::framework::{self, FrameworkOption};
use crate::logging;
use crate::placeholder::Resolver;
use crate::plan::{Durability, HostSettings, LogSettings, TopicPlan};
use crate::providers;
use crate::report::{Draft, Report};
use crate::settings::{Body, Reader, Setting};
use crate::source::{FileId, Location, Span};
use crate::vocabulary::Vocabulary;
use crate::yaml::{Entry, Kind};

/// The folder of a data directory that nobody named, next to the first PATH.
pub const DATA_DEFAULT: &str = "linkspan-data";

/// Settings that were written, with their places.
pub(crate) type HostValues = BTreeMap<String, (String, Location)>;

fn vocabulary(options: &[FrameworkOption]) -> Vocabulary<'_> {
    let mut vocabulary = Vocabulary::default();
    for option in options {
        vocabulary.add(&option.def, option.built, None);
    }
    vocabulary
}

/// Reads the host's settings; defaults stand where something is wrong.
pub(crate) fn read(
    report: &mut Report,
    entries: &[Entry],
    resolver: &Resolver,
    unset_env: Severity,
    base: &Path,
) -> (HostSettings, HostValues) {
    let vocabulary = vocabulary(&framework::HOST);
    let (people, entries) = access::split(entries);
    let span = entries
        .first()
        .map_or(Span::at(FileId(0), 1, 1), |entry| entry.key_span);
    let mut reader = Reader {
        report,
        vocabulary: &vocabulary,
        resolver,
        unset_env,
        owner: "host".to_owned(),
        span,
    };
    let settings = reader.read(&[Body {
        entries: &entries,
        explicit: true,
    }]);
    let value = |name: &str| {
        let default = framework::HOST
            .iter()
            .find(|option| option.def.name == name)
            .and_then(|option| option.def.default.clone());
        settings
            .get(name)
            .and_then(|setting| setting.resolved.clone())
            .or(default)
            .unwrap_or_default()
    };
    let number = |name: &str| value(name).parse::<u64>().unwrap_or_default();
    let data = match settings
        .get("data")
        .and_then(|setting| setting.resolved.clone())
    {
        Some(data) => PathBuf::from(data),
        None => base.join(DATA_DEFAULT),
    };
    let plugins = settings
        .get("plugins")
        .and_then(|setting| setting.resolved.clone());
    let listen = settings
        .get("listen")
        .and_then(|setting| setting.resolved.clone());
    let logging = logging::read(report, &settings, &value, base);
    if let (Some(setting), Some(listen)) = (settings.get("listen"), &listen) {
        check_listen(report, setting, listen);
    }
    let host = HostSettings {
        data,
        plugin_paths: plugins.map(|text| paths(&text)).unwrap_or_default(),
        listen,
        access: access::read(
            report,
            &people,
            &settings,
            access::Around {
                resolver,
                unset_env,
            },
        ),
        num_partitions: i32::try_from(number("num.partitions")).unwrap_or(1),
        stop_timeout_ms: number("stop.timeout.ms"),
        memory_bytes_max: number("memory.max.bytes"),
        log: log_settings(&value),
        logging,
        converters: settings
            .iter()
            .filter(|(key, _)| role_of(key).is_some())
            .map(|(key, setting)| (key.clone(), setting.text.clone()))
            .collect(),
        providers: providers::read(report, &settings),
    };
    (host, written(report, &settings))
}

/// What is said about the log; `value` gives an option's text or its default.
fn log_settings(value: &dyn Fn(&str) -> String) -> LogSettings {
    let number = |name: &str| value(name).parse::<u64>().unwrap_or_default();
    LogSettings {
        durability: if value("log.durability") == "os" {
            Durability::Os
        } else {
            Durability::Fsync
        },
        journal_bytes: number("log.journal.bytes"),
        journal_bytes_max: number("log.journal.max.bytes"),
        segment_bytes: number("log.segment.bytes"),
        cache_bytes: number("log.cache.bytes"),
        // -1, no limit, is no number of bytes.
        bytes_max: value("log.max.bytes").parse().ok(),
        retention_check_interval_ms: number("log.retention.check.interval.ms"),
    }
}

/// What the files say under `host:`, each with its place.
fn written(report: &Report, settings: &BTreeMap<String, Setting>) -> HostValues {
    settings
        .iter()
        .map(|(name, setting)| {
            let place = report.sources.location(setting.span);
            (name.clone(), (setting.text.clone(), place))
        })
        .collect()
}

/// A path, or the JSON of a list of them.
fn paths(text: &str) -> Vec<PathBuf> {
    if text.starts_with('[') {
        items(text).into_iter().map(PathBuf::from).collect()
    } else {
        vec![PathBuf::from(text)]
    }
}

fn check_listen(report: &mut Report, setting: &Setting, listen: &str) {
    let port = listen
        .rsplit_once(':')
        .filter(|(host, _)| !host.is_empty())
        .and_then(|(_, port)| port.parse::<u16>().ok());
    if listen != "none" && port.is_none() {
        report.push(Draft::error(
            &codes::WRONG_TYPE,
            setting.span,
            "`listen` takes an address such as 127.0.0.1:8083, or none",
        ));
    }
}

/// Reads the declared topics.
pub(crate) fn topics(
    report: &mut Report,
    entries: &[Entry],
    resolver: &Resolver,
    unset_env: Severity,
) -> Vec<TopicPlan> {
    let vocabulary = vocabulary(&framework::TOPIC);
    let mut plans = Vec::new();
    for entry in entries.iter().filter(|entry| !entry.key.starts_with("x-")) {
        let name = &entry.key;
        if let Err(problem) = TopicName::try_new(name) {
            report.push(Draft::error(
                &codes::BAD_NAME,
                entry.key_span,
                problem.to_string(),
            ));
        }
        let entries = match &entry.value.kind {
            Kind::Map(entries) => entries.as_slice(),
            Kind::Null => &[],
            Kind::Scalar(_) | Kind::List(_) => {
                report.push(
                    Draft::error(
                        &codes::WRONG_SHAPE,
                        entry.value.span,
                        format!(
                            "topic `{}` takes a map of options, found {}",
                            name.escape_debug(),
                            entry.value.shape()
                        ),
                    )
                    .label("for example `{partitions: 4}`"),
                );
                continue;
            }
        };
        let mut reader = Reader {
            report,
            vocabulary: &vocabulary,
            resolver,
            unset_env,
            owner: format!("topic `{name}`"),
            span: entry.key_span,
        };
        let settings = reader.read(&[Body {
            entries,
            explicit: true,
        }]);
        let mut settings: BTreeMap<String, String> = settings
            .into_iter()
            .filter_map(|(name, setting)| Some((name, setting.resolved?)))
            .collect();
        settings.remove(framework::REPLICATION_FACTOR);
        let partitions = settings
            .remove("partitions")
            .and_then(|text| text.parse().ok());
        let settings = topic_settings(report, name, settings, entry);
        plans.push(TopicPlan {
            name: name.clone(),
            partitions,
            settings,
            source: report.sources.location(entry.key_span),
        });
    }
    plans.sort_by(|a, b| a.name.cmp(&b.name));
    plans
}

/// Checks what the table of settings knows beyond types and ranges; returns the settings as the log stores them.
fn topic_settings(
    report: &mut Report,
    topic: &str,
    settings: BTreeMap<String, String>,
    entry: &Entry,
) -> BTreeMap<String, String> {
    let place = |name: &str| match &entry.value.kind {
        Kind::Map(entries) => entries
            .iter()
            .find(|entry| entry.key == name)
            .map_or(entry.key_span, |entry| entry.key_span),
        Kind::Null | Kind::Scalar(_) | Kind::List(_) => entry.key_span,
    };
    for name in settings.keys() {
        if let Some(Effect::Nothing(why)) = find(name).map(|setting| setting.effect) {
            let message = format!("topic `{topic}`: `{name}` has no effect here: {why}");
            report.push(Draft::warning(
                &codes::SETTING_WITHOUT_EFFECT,
                place(name),
                message,
            ));
        }
    }
    match canonical(&settings) {
        Ok(settings) => settings,
        Err(errors) => {
            for error in errors {
                report.push(Draft::error(
                    &codes::OUT_OF_RANGE,
                    place(&error.name),
                    format!("topic `{topic}`: {error}"),
                ));
            }
            settings
        }
    }
}

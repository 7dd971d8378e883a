//! What a connector comes to once all of it is right.

use std::collections::BTreeMap;

use super::class::is_of_framework;
use crate::check::items;
use crate::option::{Class, ClassKind, OptionType};
use crate::plan::{ConnectorPlan, Late, RestartPolicy};
use crate::report::Report;
use crate::settings::Setting;
use crate::yaml::Entry;

/// The options whose files are the data itself, unlike those of certificates and the like.
pub(super) const PATHS_OF_DATA: [&str; 2] = ["path", "file"];

pub(super) fn plan(
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
pub(super) fn paths_of_data(settings: &BTreeMap<String, Setting>) -> Vec<String> {
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
pub(super) fn paths(text: &str) -> Vec<String> {
    if text.starts_with('[') {
        items(text)
    } else {
        vec![text.to_owned()]
    }
}

/// Where a missing option of a step would stand: at the step's type, else at the list of steps.
pub(super) fn beside<'a>(
    settings: &'a BTreeMap<String, Setting>,
    key: &str,
) -> Option<&'a Setting> {
    let mut parts = key.splitn(3, '.');
    let (list, name) = (parts.next()?, parts.next().unwrap_or_default());
    settings
        .get(&format!("{list}.{name}.type"))
        .or_else(|| settings.get(list))
}

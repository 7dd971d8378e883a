//! Topics of connectors: names, patterns, dead letters, and how those that are missing are made.

use std::collections::{BTreeMap, BTreeSet};

use linkspan_types::topic_creation::{self, CreationProblem};

use crate::check::items;
use crate::codes;
use crate::option::{Catalog, Class, ClassKind};
use crate::plan::{ConnectorPlan, TopicPlan};
use crate::report::{Draft, Report};
use crate::settings::Setting;
use crate::vocabulary::closest;
use crate::yaml::{Entry, Kind};

/// A sink reads `topics` or what `topics.regex` matches; each name must be one that Kafka allows, the pattern one of Java's.
pub(super) fn topics_hold(
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

pub(super) fn pattern_holds(
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

pub(super) fn names_hold(report: &mut Report, entry: &Entry, setting: &Setting) -> bool {
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
pub(super) fn letters_hold(
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

/// Groups of topics that are made: each has what it needs, and its patterns are expressions.
pub(super) fn creation_holds(
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

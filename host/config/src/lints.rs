//! What is allowed and probably not meant: warnings about a plan as a whole, each at the option that would be changed.
//!
//! Topics and patterns are compared as they are configured. A topic that is not declared counts as one of the host's
//! `num.partitions`; what earlier runs, other programs or REST have made is not known here, which is why these are warnings.

use std::collections::{BTreeMap, BTreeSet};

use crate::codes;
use crate::option::{Catalog, ClassKind};
use crate::plan::{ConnectorPlan, TopicPlan};
use crate::report::{Draft, Report};
use crate::source::Span;
use crate::vocabulary::closest;
use crate::yaml::{Entry, Kind};

/// A class whose records have keys of their own, without any option for it.
const FEATURE_KEYS: &str = "keys";
/// Classes of linkspan's own that are so since before there was a feature for it.
const KEYED: [&str; 1] = ["kafka-source"];

/// What the lints look at.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) entries: &'a [Entry],
    pub(crate) connectors: &'a [ConnectorPlan],
    pub(crate) topics: &'a [TopicPlan],
    pub(crate) num_partitions: i32,
}

/// Warns of everything.
pub(crate) fn lint(report: &mut Report, view: &View<'_>, catalog: &dyn Catalog) {
    // A connector that was left out for an error may be the one that writes.
    if report.has_errors() {
        return;
    }
    unwritten_topics(report, view, catalog);
    idle_tasks(report, view);
    spread_without_key(report, view, catalog);
}

impl<'a> View<'a> {
    fn entry(&self, plan: &ConnectorPlan) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.key == plan.name)
    }

    fn of(&self, kind: ClassKind) -> impl Iterator<Item = (&'a ConnectorPlan, &'a Entry)> {
        let plans = self.connectors.iter().filter(move |plan| plan.kind == kind);
        plans.filter_map(|plan| Some((plan, self.entry(plan)?)))
    }

    /// Partitions that a topic is to have.
    fn partitions(&self, topic: &str) -> i32 {
        let declared = self.topics.iter().find(|known| known.name == topic);
        let partitions = declared.and_then(|topic| topic.partitions);
        partitions.unwrap_or(self.num_partitions)
    }
}

/// Where an option of a connector stands; the connector itself where it is not written there.
fn place(entry: &Entry, option: &str) -> Span {
    within(entry, option).unwrap_or(entry.key_span)
}

fn within(entry: &Entry, option: &str) -> Option<Span> {
    let Kind::Map(options) = &entry.value.kind else {
        return None;
    };
    options.iter().find_map(|own| {
        if own.key == option {
            return Some(own.value.span);
        }
        within(
            own,
            option.strip_prefix(own.key.as_str())?.strip_prefix('.')?,
        )
    })
}

/// The topics that are written here, dead letters among them; `None` where a source or its steps make them up.
fn written(view: &View<'_>, catalog: &dyn Catalog) -> Option<BTreeSet<String>> {
    let letters = view
        .connectors
        .iter()
        .filter_map(|plan| plan.config.get("errors.deadletterqueue.topic.name"));
    let mut written: BTreeSet<String> = letters.cloned().collect();
    for (plan, _) in view.of(ClassKind::Source) {
        if plan.topics.is_empty() {
            return None;
        }
        for topic in &plan.topics {
            written.extend(catalog.step_topics(&plan.config, topic)?);
        }
    }
    Some(written)
}

fn unwritten_topics(report: &mut Report, view: &View<'_>, catalog: &dyn Catalog) {
    let Some(written) = written(view, catalog) else {
        return;
    };
    for (plan, entry) in view.of(ClassKind::Sink) {
        for topic in &plan.topics {
            if written.contains(topic) {
                continue;
            }
            let mut draft = Draft::warning(
                &codes::TOPIC_UNWRITTEN,
                place(entry, "topics"),
                format!(
                    "connector `{}` reads the topic `{topic}`, which no source here writes",
                    plan.name
                ),
            );
            if let Some(known) = closest(topic, written.iter().map(String::as_str)) {
                draft = draft.label(format!("did you mean `{known}`?"));
            }
            report.push(draft);
        }
        let Some(pattern) = &plan.topics_regex else {
            continue;
        };
        // Where the files name no topic at all, there is nothing to compare with.
        let nothing_named = written.is_empty() && view.topics.is_empty();
        if plan.topics_matched.is_empty() && !nothing_named {
            let known: Vec<String> = written.iter().map(|topic| format!("`{topic}`")).collect();
            let help = if known.is_empty() {
                "no source here writes a topic".to_owned()
            } else {
                format!(
                    "written here are {}; the pattern must match a whole name: `.*` stands for any rest",
                    known.join(", ")
                )
            };
            let message = format!(
                "connector `{}`: `topics.regex` `{}` matches no topic that these files name",
                plan.name,
                pattern.escape_debug()
            );
            let span = place(entry, "topics.regex");
            report.push(Draft::warning(&codes::PATTERN_UNMATCHED, span, message).help(help));
        }
    }
}

fn idle_tasks(report: &mut Report, view: &View<'_>) {
    for (plan, entry) in view.of(ClassKind::Sink) {
        if plan.topics.is_empty() || plan.topics_regex.is_some() {
            continue;
        }
        let partitions: i64 = plan
            .topics
            .iter()
            .map(|topic| i64::from(view.partitions(topic)))
            .sum();
        if i64::from(plan.tasks_max) <= partitions {
            continue;
        }
        let message = format!(
            "connector `{}`: {} tasks for {partitions} partition{}: {} of them have nothing to do",
            plan.name,
            plan.tasks_max,
            if partitions == 1 { "" } else { "s" },
            i64::from(plan.tasks_max) - partitions
        );
        let help = format!(
            "set `tasks.max: {partitions}`, or give the topics more partitions under `topics:`"
        );
        let span = place(entry, "tasks.max");
        report.push(Draft::warning(&codes::IDLE_TASKS, span, message).help(help));
    }
}

fn spread_without_key(report: &mut Report, view: &View<'_>, catalog: &dyn Catalog) {
    for (plan, entry) in view.of(ClassKind::Source) {
        if may_have_keys(plan, catalog) {
            continue;
        }
        let mut several: BTreeMap<&str, i32> = BTreeMap::new();
        for topic in &plan.topics {
            several.insert(topic, view.partitions(topic));
        }
        for (topic, partitions) in several {
            if partitions < 2 {
                continue;
            }
            let message = format!(
                "connector `{}` writes records without a key to the {partitions} partitions of `{topic}`: they keep their order inside of a partition only",
                plan.name
            );
            let draft = Draft::warning(&codes::SPREAD_WITHOUT_KEY, place(entry, "topic"), message);
            report.push(draft.help(
                "set `key.fields` to the fields whose records must stay in order, or give the topic one partition; if order does not matter, all is well",
            ));
        }
    }
}

/// Whether a source's records may have a key, or their partition: an option or a step may make it, or the class does.
fn may_have_keys(plan: &ConnectorPlan, catalog: &dyn Catalog) -> bool {
    let class = catalog.class(&plan.class);
    let makes_keys = class.is_some_and(|class| class.features.iter().any(|it| it == FEATURE_KEYS));
    let is_of_key = |name: &String| {
        let words = name.split(['.', '_']);
        let mut words = words.filter(|word| ["key", "keys", "partition"].contains(word));
        words.next().is_some()
    };
    makes_keys
        || KEYED.contains(&plan.class.as_str())
        || !plan.key_fields.is_empty()
        || plan.config.contains_key("transforms")
        || plan.class_options.iter().any(is_of_key)
}

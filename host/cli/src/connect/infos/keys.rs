//! The options that Kafka Connect itself has, with what its clients build forms from: groups, order, widths, names. What an
//! option does here says [`linkspan_config::framework`], where its documentation comes from.

use linkspan_config::framework;

use super::value::Kind;
use super::{Builder, KeyInfo};
use crate::connect::CONNECT_VERSION;

/// One option.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    default: Fallback,
    importance: &'static str,
    group: &'static str,
    order: i32,
    width: &'static str,
    display: &'static str,
    rule: Rule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fallback {
    Required,
    None,
    Is(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Any,
    AtLeastOne,
    NotEmpty,
    Name,
    /// Each item once, none empty.
    Items,
    /// One of these words; `true`: in any case.
    Words(&'static [&'static str], bool),
    Pattern,
}

#[expect(clippy::too_many_arguments, reason = "a line of a table")]
const fn key(
    name: &'static str,
    kind: Kind,
    default: Fallback,
    importance: &'static str,
    group: &'static str,
    place: (i32, &'static str),
    display: &'static str,
    rule: Rule,
) -> Key {
    Key {
        name,
        kind,
        default,
        importance,
        group,
        order: place.0,
        width: place.1,
        display,
        rule,
    }
}

use Fallback::{Is, Required};
use Rule::{Any, AtLeastOne, Items, Name, NotEmpty, Pattern, Words};

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
const SIMPLE: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";

#[rustfmt::skip]
pub(super) const COMMON: &[Key] = &[
    key("name", Kind::Text, Required, "HIGH", "Common", (1, "MEDIUM"), "Connector name", Name),
    key("connector.class", Kind::Text, Required, "HIGH", "Common", (2, "LONG"), "Connector class", Any),
    key("connector.plugin.version", Kind::Text, Fallback::None, "MEDIUM", "Common", (3, "MEDIUM"), "Connector version", Any),
    key("tasks.max", Kind::Int, Is("1"), "HIGH", "Common", (4, "SHORT"), "Tasks max", AtLeastOne),
    key("tasks.max.enforce", Kind::Boolean, Is("true"), "LOW", "Common", (5, "SHORT"), "Enforce tasks max", Any),
    key("key.converter", Kind::Class, Is(JSON), "LOW", "Common", (6, "SHORT"), "Key converter class", Any),
    key("key.converter.plugin.version", Kind::Text, Is(CONNECT_VERSION), "LOW", "Common", (7, "SHORT"), "Key converter version", Any),
    key("value.converter", Kind::Class, Is(JSON), "LOW", "Common", (8, "SHORT"), "Value converter class", Any),
    key("value.converter.plugin.version", Kind::Text, Is(CONNECT_VERSION), "LOW", "Common", (9, "SHORT"), "Value converter version", Any),
    key("header.converter", Kind::Class, Is(SIMPLE), "LOW", "Common", (10, "SHORT"), "Header converter class", Any),
    key("header.converter.plugin.version", Kind::Text, Is(CONNECT_VERSION), "LOW", "Common", (11, "SHORT"), "Header converter version", Any),
    key("transforms", Kind::List, Is(""), "LOW", "Transforms", (12, "LONG"), "Transforms", Items),
    key("predicates", Kind::List, Is(""), "LOW", "Predicates", (13, "LONG"), "Predicates", Items),
    key("config.action.reload", Kind::Text, Is("restart"), "LOW", "Common", (14, "MEDIUM"), "Reload Action", Words(&["none", "restart"], true)),
];

#[rustfmt::skip]
pub(super) const ERRORS: &[Key] = &[
    key("errors.retry.timeout", Kind::Long, Is("0"), "MEDIUM", "Error Handling", (1, "MEDIUM"), "Retry Timeout for Errors", Any),
    key("errors.retry.delay.max.ms", Kind::Long, Is("60000"), "MEDIUM", "Error Handling", (2, "MEDIUM"), "Maximum Delay Between Retries for Errors", Any),
    key("errors.tolerance", Kind::Text, Is("none"), "MEDIUM", "Error Handling", (3, "SHORT"), "Error Tolerance", Words(&["none", "all"], false)),
    key("errors.log.enable", Kind::Boolean, Is("false"), "MEDIUM", "Error Handling", (4, "SHORT"), "Log Errors", Any),
    key("errors.log.include.messages", Kind::Boolean, Is("false"), "MEDIUM", "Error Handling", (5, "SHORT"), "Log Error Details", Any),
];

#[rustfmt::skip]
pub(super) const SOURCE: &[Key] = &[
    key("topic.creation.groups", Kind::List, Is(""), "LOW", "Topic Creation", (1, "LONG"), "Topic Creation Groups", Items),
    key("exactly.once.support", Kind::Text, Is("requested"), "MEDIUM", "Exactly Once Support", (2, "SHORT"), "Exactly once support", Words(&["requested", "required"], true)),
    // `connector` needs a class that begins and ends transactions itself.
    key("transaction.boundary", Kind::Text, Is("poll"), "MEDIUM", "Exactly Once Support", (3, "SHORT"), "Transaction Boundary", Words(&["poll", "interval"], true)),
    key("transaction.boundary.interval.ms", Kind::Long, Fallback::None, "LOW", "Exactly Once Support", (4, "SHORT"), "Transaction boundary interval", Any),
    key("offsets.storage.topic", Kind::Text, Fallback::None, "LOW", "offsets.topic", (1, "LONG"), "Offsets topic", NotEmpty),
];

#[rustfmt::skip]
pub(super) const SINK: &[Key] = &[
    key("topics", Kind::List, Is(""), "HIGH", "Common", (4, "LONG"), "Topics", Items),
    key("topics.regex", Kind::Text, Is(""), "HIGH", "Common", (4, "LONG"), "Topics regex", Pattern),
    key("errors.deadletterqueue.topic.name", Kind::Text, Is(""), "MEDIUM", "Error Handling", (6, "MEDIUM"), "Dead Letter Queue Topic Name", Any),
    key("errors.deadletterqueue.topic.replication.factor", Kind::Short, Is("3"), "MEDIUM", "Error Handling", (7, "MEDIUM"), "Dead Letter Queue Topic Replication Factor", Any),
    key("errors.deadletterqueue.context.headers.enable", Kind::Boolean, Is("false"), "MEDIUM", "Error Handling", (8, "MEDIUM"), "Enable Error Context Headers", Any),
];

impl Key {
    pub(super) fn info(&self) -> KeyInfo {
        let docs = framework::CONNECTOR
            .iter()
            .find(|option| option.def.name == self.name)
            .map_or_else(|| self.display.to_owned(), |option| option.def.docs.clone());
        KeyInfo {
            name: self.name.to_owned(),
            kind: self.kind.word(),
            required: self.default == Required,
            default_value: match self.default {
                Is(text) => Some(text.to_owned()),
                Required | Fallback::None => None,
            },
            importance: self.importance.to_owned(),
            documentation: docs,
            group: Some(self.group.to_owned()),
            order_in_group: self.order,
            width: self.width,
            display_name: self.display.to_owned(),
            dependents: Vec::new(),
        }
    }

    /// What is wrong with a value that could be read.
    pub(super) fn check(&self, text: &str) -> Vec<String> {
        let wrong = match self.rule {
            Any => None,
            AtLeastOne => text
                .parse::<i64>()
                .is_ok_and(|number| number < 1)
                .then(|| "Value must be at least 1".to_owned()),
            NotEmpty => text
                .is_empty()
                .then(|| "String must be non-empty".to_owned()),
            Name if text.is_empty() => Some("String may not be empty".to_owned()),
            Name => text
                .chars()
                .any(char::is_control)
                .then(|| "String may not contain control sequences".to_owned()),
            Items => items(text),
            Words(words, any_case) => (!words
                .iter()
                .any(|word| *word == text || (any_case && word.eq_ignore_ascii_case(text))))
            .then(|| format!("String must be one of: {}", words.join(", "))),
            Pattern => linkspan_convert::pattern_problem(text),
        };
        wrong
            .map(|why| format!("Invalid value for configuration {}: {why}", self.name))
            .into_iter()
            .collect()
    }
}

fn items(text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let items: Vec<&str> = text.split(',').collect();
    if items.contains(&"") {
        return Some("an item is empty".to_owned());
    }
    let twice = items
        .iter()
        .enumerate()
        .find(|(at, item)| items.iter().take(*at).any(|earlier| earlier == *item))?;
    Some(format!("`{}` is named twice", twice.1.escape_debug()))
}

/// A sink reads `topics` or `topics.regex`, and not the topic its dead letters go to.
pub(super) fn check_topics(builder: &mut Builder<'_>) {
    let given = |builder: &Builder<'_>, name: &str| {
        builder
            .text(name)
            .is_some_and(|text| !text.trim().is_empty())
    };
    let (topics, regex) = (given(builder, "topics"), given(builder, "topics.regex"));
    let both = |builder: &mut Builder<'_>, message: &str| {
        builder.error("topics", message);
        builder.error("topics.regex", message);
    };
    match (topics, regex) {
        (false, false) => both(builder, "Must configure one of topics or topics.regex"),
        (true, true) => both(
            builder,
            "topics and topics.regex are mutually exclusive options, but both are set",
        ),
        (false, true) if matches!(builder.given.get("topics"), Some(None)) => {
            builder.error("topics", "leave `topics` out where `topics.regex` is set");
        }
        _ => {}
    }
    let letters = builder
        .text("errors.deadletterqueue.topic.name")
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty());
    if let Some(letters) = letters
        && builder.items("topics").contains(&letters)
    {
        builder.error(
            "topics",
            format!("The DLQ topic `{letters}` may not be among the topics that are read: its records would come back"),
        );
    }
}

//! Kafka Connect's own files as they are: a connector's `.properties` or `.json`, and a worker's `.properties`.
//!
//! Each becomes the tree that the same thing written in YAML has, so that everything behind this is one way. What differs:
//! a key that nobody knows is a warning, because Connect accepts it, and every key is accounted for in a [`KeyReport`].

mod json;
mod map;
mod properties;
mod worker;

use std::path::Path;

pub use self::map::{MADE_BY_REST, MapProblem, connector_of_map};

use crate::codes;
use crate::report::{Draft, Report};
use crate::source::{FileId, Location, Span};
use crate::yaml::{Entry, Kind, Node};

/// What became of one key of one of Connect's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReport {
    /// Where it stands.
    pub location: Location,
    /// The key as written.
    pub key: String,
    /// What became of it.
    pub fate: KeyFate,
    /// Why, or what to do; may be empty.
    pub why: String,
}

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFate {
    /// It is an option here, by the same name.
    Used,
    /// It is an option here, by another name.
    Mapped(String),
    /// It has no effect here, and needs none.
    Ignored,
    /// It would have an effect in Connect that this version does not have.
    Unsupported,
}

impl KeyFate {
    /// Returns the word for tables and JSON.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Mapped(_) => "mapped",
            Self::Ignored => "ignored",
            Self::Unsupported => "unsupported",
        }
    }
}

/// Whether a file is one of Connect's, by its name.
pub(crate) fn is_one(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "properties" || extension == "json")
}

/// A key with its value and both places.
#[derive(Clone, Debug)]
struct Pair {
    key: String,
    key_span: Span,
    value: String,
    value_span: Span,
}

/// Reads one of Connect's files; `None` when it cannot be understood, which is reported.
pub(crate) fn read(report: &mut Report, path: &Path, id: FileId, text: &str) -> Option<Node> {
    let whole = Span::at(id, 1, 1);
    if path
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        return json::read(report, id, text);
    }
    let pairs = properties::read(report, id, text);
    report.sources.set_lenient(id);
    let named = |key: &str| pairs.iter().find(|pair| pair.key == key);
    match (named("name").cloned(), named("connector.class").is_some()) {
        (Some(name), true) => Some(connector(whole, &name.value, name.key_span, pairs)),
        (None, false) => Some(worker::read(report, whole, pairs)),
        (found, _) => {
            let (lacks, span) = match &found {
                Some(name) => ("connector.class", name.key_span),
                None => ("name", whole),
            };
            report.push(
                Draft::error(&codes::MISSING_OPTION, span, format!("the file lacks `{lacks}`"))
                    .help("a connector's file has `name` and `connector.class`, a worker's file has neither"),
            );
            None
        }
    }
}

/// `connectors: {NAME: {…}}`.
fn connector(whole: Span, name: &str, name_span: Span, pairs: Vec<Pair>) -> Node {
    let options = pairs.into_iter().map(option).collect();
    section(
        whole,
        "connectors",
        vec![Entry {
            key: name.trim().to_owned(),
            key_span: name_span,
            value: Node {
                kind: Kind::Map(options),
                span: name_span,
            },
        }],
    )
}

fn option(pair: Pair) -> Entry {
    Entry {
        key: pair.key,
        key_span: pair.key_span,
        value: Node::scalar(pair.value, pair.value_span),
    }
}

fn section(whole: Span, name: &str, entries: Vec<Entry>) -> Node {
    Node {
        kind: Kind::Map(vec![Entry {
            key: name.to_owned(),
            key_span: whole,
            value: Node {
                kind: Kind::Map(entries),
                span: whole,
            },
        }]),
        span: whole,
    }
}

//! Predicates: which records a step is for.

mod has_header_key;
mod record_is_tombstone;
mod topic_name_matches;

use std::collections::BTreeMap;
use std::fmt;

use crate::transform::{ConfigProblem, OptionDef, Settings};
use crate::{Error, Record};

const PACKAGE: &str = "org.apache.kafka.connect.transforms.predicates.";

/// A question about a record; it looks at topic, headers and whether the halves are null, never into them.
pub trait Predicate: fmt::Debug + Send {
    /// Answers for a record.
    ///
    /// # Errors
    /// It cannot be decided.
    fn test(&self, record: &Record) -> Result<bool, Error>;
}

type Made = Result<Box<dyn Predicate>, Vec<ConfigProblem>>;

/// A predicate that can be used as a condition.
#[derive(Clone, Copy)]
pub struct PredicateClass {
    /// The simple name.
    pub name: &'static str,
    /// The options.
    pub options: &'static [OptionDef],
    /// What it asks, for people.
    pub docs: &'static str,
    make: fn(&Settings) -> Made,
}

impl fmt::Debug for PredicateClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PredicateClass")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

static CLASSES: &[PredicateClass] = &[
    PredicateClass {
        name: "HasHeaderKey",
        options: has_header_key::OPTIONS,
        docs: "Holds for records with a header of this name.",
        make: |settings| Ok(Box::new(has_header_key::HasHeaderKey::configure(settings))),
    },
    PredicateClass {
        name: "RecordIsTombstone",
        options: record_is_tombstone::OPTIONS,
        docs: "Holds for records whose value is null.",
        make: |_| Ok(Box::new(record_is_tombstone::RecordIsTombstone)),
    },
    PredicateClass {
        name: "TopicNameMatches",
        options: topic_name_matches::OPTIONS,
        docs: "Holds for records whose whole topic name matches a pattern.",
        make: |settings| match topic_name_matches::TopicNameMatches::configure(settings) {
            Ok(made) => Ok(Box::new(made)),
            Err(problems) => Err(problems),
        },
    },
];

/// Returns every class.
#[must_use]
pub fn predicate_classes() -> &'static [PredicateClass] {
    CLASSES
}

/// Finds a class by its simple or full name.
#[must_use]
pub fn find_predicate(name: &str) -> Option<&'static PredicateClass> {
    let bare = name.strip_prefix(PACKAGE).unwrap_or(name);
    CLASSES.iter().find(|class| class.name == bare)
}

impl PredicateClass {
    /// Makes the predicate.
    ///
    /// # Errors
    /// Names every option that is wrong.
    pub fn build(
        &self,
        config: &BTreeMap<String, String>,
    ) -> Result<Box<dyn Predicate>, Vec<ConfigProblem>> {
        (self.make)(&Settings::parse(self.options, config)?)
    }
}

//! `TopicNameMatches`: does the whole topic name match a pattern?

use super::Predicate;
use crate::transform::java_regex::JavaRegex;
use crate::transform::{ConfigProblem, OptionDef, Rule, Settings};
use crate::{Error, Record};

pub(super) const OPTIONS: &[OptionDef] = &[OptionDef::string(
    "pattern",
    "The pattern, Java's syntax; it must match the whole name.",
)
.required()
.rule(Rule::NotEmpty)];

#[derive(Debug)]
pub(super) struct TopicNameMatches {
    pattern: JavaRegex,
}

impl TopicNameMatches {
    pub(super) fn configure(settings: &Settings) -> Result<Self, Vec<ConfigProblem>> {
        let pattern = JavaRegex::new(settings.text_or_empty("pattern"))
            .map_err(|message| vec![ConfigProblem::new("pattern", message)])?;
        Ok(Self { pattern })
    }
}

impl Predicate for TopicNameMatches {
    fn test(&self, record: &Record) -> Result<bool, Error> {
        self.pattern.matches(&record.topic)
    }
}

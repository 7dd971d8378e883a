//! `RegexRouter`: another topic where the whole name matches a pattern.

use std::sync::Arc;

use super::java_regex::{JavaRegex, Replacement};
use super::{Touches, Transform};
use crate::options::{ConfigProblem, OptionDef, Settings};
use crate::{Error, Record};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::string(
        "regex",
        "The pattern, Java's syntax; it must match the whole topic name.",
    )
    .required(),
    OptionDef::string(
        "replacement",
        "What the first match becomes; `$1` and `${name}` stand for groups.",
    )
    .required(),
];

#[derive(Debug)]
pub(super) struct RegexRouter {
    regex: JavaRegex,
    replacement: Replacement,
    /// The last topic and what became of it: names rarely change from record to record.
    last: Option<(Arc<str>, Arc<str>)>,
}

impl RegexRouter {
    pub(super) fn configure(settings: &Settings) -> Result<Self, Vec<ConfigProblem>> {
        Self::new(
            settings.text_or_empty("regex"),
            settings.text_or_empty("replacement"),
        )
        .map_err(|message| vec![ConfigProblem::new("regex", message)])
    }

    pub(super) fn new(regex: &str, replacement: &str) -> Result<Self, String> {
        Ok(Self {
            regex: JavaRegex::new(regex)?,
            replacement: Replacement::new(replacement),
            last: None,
        })
    }

    pub(super) fn route(&mut self, topic: &Arc<str>) -> Result<Arc<str>, Error> {
        if let Some((from, to)) = &self.last
            && from == topic
        {
            return Ok(Arc::clone(to));
        }
        let to = if self.regex.matches(topic)? {
            Arc::from(self.regex.replace_first(topic, &self.replacement)?)
        } else {
            Arc::clone(topic)
        };
        self.last = Some((Arc::clone(topic), Arc::clone(&to)));
        Ok(to)
    }
}

impl Transform for RegexRouter {
    fn touches(&self) -> Touches {
        Touches::NOTHING
    }

    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        record.topic = self.route(&record.topic)?;
        Ok(Some(record))
    }

    fn routed(&mut self, topic: &Arc<str>) -> Option<Arc<str>> {
        self.route(topic).ok()
    }
}

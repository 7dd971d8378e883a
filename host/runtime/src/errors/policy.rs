//! The options `errors.*` of one connector.

use std::collections::BTreeMap;
use std::time::Duration;

use linkspan_convert::Stage;
use linkspan_types::TopicName;
use linkspan_types::units::duration_ms;

use crate::error::{Site, TaskError};

/// Connect's default of `errors.retry.delay.max.ms`.
const RETRY_DELAY_MAX_MS: u64 = 60_000;

/// How long a failing call is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryLimit {
    /// `errors.retry.timeout: -1`.
    Unlimited,
    /// For so long.
    For(Duration),
}

/// What a connector does about failing records.
#[derive(Debug, Clone)]
pub(crate) struct ErrorPolicy {
    /// `errors.tolerance: all`.
    pub(crate) tolerant: bool,
    /// `errors.retry.timeout`; `None` where it is not set or 0: records are not retried, a `put` without limit.
    pub(crate) retry: Option<RetryLimit>,
    /// `errors.retry.delay.max.ms`.
    pub(crate) retry_delay_max: Duration,
    /// `errors.log.enable`.
    pub(crate) log: bool,
    /// `errors.log.include.messages`.
    pub(crate) log_messages: bool,
    /// `errors.deadletterqueue.topic.name`.
    pub(crate) letters: Option<TopicName>,
    /// `errors.deadletterqueue.context.headers.enable`.
    pub(crate) letter_headers: bool,
    /// The classes that may fail, by the option that names them.
    classes: BTreeMap<String, String>,
}

impl ErrorPolicy {
    /// Reads the options of a connector of `class`.
    ///
    /// # Errors
    /// All that is wrong, each as the option with what is the matter.
    pub(crate) fn from_config(
        config: &BTreeMap<String, String>,
        class: &str,
    ) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut reader = Reader {
            config,
            problems: &mut problems,
        };
        let tolerant = reader.word("errors.tolerance", &["none", "all"]) == Some("all");
        let retry = reader
            .number("errors.retry.timeout", -1)
            // Connect's default, which configurations spell out.
            .filter(|ms| *ms != 0)
            .map(|ms| match u64::try_from(ms) {
                Ok(ms) => RetryLimit::For(Duration::from_millis(ms)),
                Err(_) => RetryLimit::Unlimited,
            });
        let delay = reader
            .number("errors.retry.delay.max.ms", 0)
            .and_then(|ms| u64::try_from(ms).ok());
        let log = reader.flag("errors.log.enable", false);
        let log_messages = reader.flag("errors.log.include.messages", false);
        let letters = reader.topic("errors.deadletterqueue.topic.name");
        let letter_headers = reader.flag("errors.deadletterqueue.context.headers.enable", true);
        let named = |option: &String| {
            option.ends_with(".converter")
                || (option.starts_with("transforms.") && option.ends_with(".type"))
        };
        let mut classes: BTreeMap<String, String> = config
            .iter()
            .filter(|(option, _)| named(option))
            .map(|(option, class)| (option.clone(), class.clone()))
            .collect();
        classes.insert("connector.class".to_owned(), class.to_owned());
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            tolerant,
            retry,
            retry_delay_max: Duration::from_millis(delay.unwrap_or(RETRY_DELAY_MAX_MS)),
            log,
            log_messages,
            letters,
            letter_headers,
            classes,
        })
    }

    /// Whether the record alone is to blame and may be set aside. What the log or the configuration did is never a
    /// record's fault.
    pub(crate) fn tolerates(&self, error: &TaskError) -> bool {
        self.tolerant && error.is_of_record()
    }

    /// Returns the class that failed, as the configuration names it.
    pub(crate) fn class_of(&self, site: &Site) -> &str {
        let class = |option: &str| self.classes.get(option).map(String::as_str);
        match site.stage {
            Stage::KeyConverter => class("key.converter").unwrap_or("auto"),
            Stage::ValueConverter => class("value.converter").unwrap_or("auto"),
            Stage::HeaderConverter => class("header.converter").unwrap_or("auto"),
            Stage::Transformation => class(&format!("transforms.{}.type", site.step)).unwrap_or(""),
            Stage::TaskPoll | Stage::TaskPut | Stage::KafkaProduce | Stage::KafkaConsume => {
                class("connector.class").unwrap_or("")
            }
        }
    }
}

struct Reader<'a> {
    config: &'a BTreeMap<String, String>,
    problems: &'a mut Vec<String>,
}

impl<'a> Reader<'a> {
    fn get(&self, option: &str) -> Option<&'a str> {
        self.config
            .get(option)
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
    }

    fn word(&mut self, option: &str, allowed: &[&str]) -> Option<&'a str> {
        let text = self.get(option)?;
        if !allowed.contains(&text) {
            self.problems.push(format!(
                "option `{option}`: allowed are {}",
                allowed.join(", ")
            ));
        }
        Some(text)
    }

    /// Milliseconds, as Connect writes them or with a unit.
    fn number(&mut self, option: &str, least: i64) -> Option<i64> {
        let text = self.get(option)?;
        let bare = text.parse().ok();
        let number = bare
            .or_else(|| i64::try_from(duration_ms(text).ok()?).ok())
            .filter(|number| *number >= least);
        if number.is_none() {
            self.problems.push(format!(
                "option `{option}`: it is a duration such as 30s, or milliseconds from {least} on"
            ));
        }
        number
    }

    fn flag(&mut self, option: &str, default: bool) -> bool {
        match self.get(option) {
            None => default,
            Some(text) if text.eq_ignore_ascii_case("true") => true,
            Some(text) if text.eq_ignore_ascii_case("false") => false,
            Some(_) => {
                self.problems
                    .push(format!("option `{option}`: allowed are true, false"));
                default
            }
        }
    }

    fn topic(&mut self, option: &str) -> Option<TopicName> {
        let text = self.get(option)?;
        TopicName::try_new(text)
            .inspect_err(|error| self.problems.push(format!("option `{option}`: {error}")))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[(&str, &str)]) -> Result<ErrorPolicy, Vec<String>> {
        let config = options
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        ErrorPolicy::from_config(&config, "jsonl-sink")
    }

    #[test]
    fn without_options_nothing_is_tolerated_retried_or_logged() {
        let policy = read(&[]).unwrap();
        assert!(!policy.tolerant && !policy.log && !policy.log_messages);
        assert_eq!((policy.retry, &policy.letters), (None, &None));
        assert!(policy.letter_headers);
        assert!(!policy.tolerates(&TaskError::data("x")));
    }

    #[test]
    fn only_a_records_own_fault_is_tolerated() {
        let policy = read(&[("errors.tolerance", "all")]).unwrap();
        assert!(policy.tolerates(&TaskError::data("does not parse")));
        assert!(!policy.tolerates(&TaskError::internal("a defect")));
        let config = TaskError::permanent("LS0210", "config_invalid", "no such table");
        assert!(!policy.tolerates(&config));
        let log = TaskError::permanent("LS0513", "data_invalid", "segment is damaged");
        assert!(!policy.tolerates(&log));
    }

    #[test]
    fn times_are_connects_milliseconds_or_have_a_unit() {
        for (text, expected) in [
            ("0", None),
            ("-1", Some(RetryLimit::Unlimited)),
            ("1500", Some(RetryLimit::For(Duration::from_millis(1500)))),
            ("2m", Some(RetryLimit::For(Duration::from_secs(120)))),
        ] {
            let policy = read(&[("errors.retry.timeout", text)]).unwrap();
            assert_eq!(policy.retry, expected, "{text}");
        }
    }

    #[test]
    fn every_mistake_is_named() {
        let problems = read(&[
            ("errors.tolerance", "some"),
            ("errors.retry.timeout", "-2"),
            ("errors.log.enable", "maybe"),
            ("errors.deadletterqueue.topic.name", "a/b"),
        ])
        .unwrap_err();
        assert_eq!(problems.len(), 4, "{problems:?}");
    }
}

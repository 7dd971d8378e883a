//! Groups of `topic.creation.*`: how topics are made that a source writes and that are not there yet.
//!
//! Kafka Connect's rules: groups are asked in their order, the first whose `include` matches the whole name and whose
//! `exclude` does not is taken; the group `default` takes the rest and must say partitions and replication factor, which the
//! others inherit. Patterns are only text here; who knows Java's expressions compiles them.

use std::collections::BTreeMap;

use crate::topic_settings::canonical;

/// What all these options begin with.
pub const PREFIX: &str = "topic.creation.";
/// The list of groups.
pub const GROUPS: &str = "topic.creation.groups";
const DEFAULT: &str = "default";
const INCLUDE: &str = "include";
const EXCLUDE: &str = "exclude";
const PARTITIONS: &str = "partitions";
const REPLICATION: &str = "replication.factor";
/// The most partitions of one topic.
const PARTITIONS_MAX: i32 = 10_000;
/// The greatest replication factor that Kafka can store.
const REPLICATION_MAX: i32 = 32_767;

/// One group; the last one of a list is `default`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicGroup {
    /// Its name.
    pub name: String,
    /// Patterns of whole names; those of `default` are empty and mean all.
    pub include: Vec<String>,
    /// Patterns that win over them.
    pub exclude: Vec<String>,
    /// `None`: as many as the host gives a topic that nobody declared (-1).
    pub partitions: Option<i32>,
    /// Settings of the topic, as the log stores them.
    pub settings: BTreeMap<String, String>,
}

/// What is wrong with one of the options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreationProblem {
    /// The whole key.
    pub key: String,
    /// What is wrong, as a fragment.
    pub message: String,
}

/// Reads the groups of a connector's options; without any such option there is none. `items` splits the text of a list.
///
/// # Errors
/// Everything that is wrong.
pub fn read(
    config: &BTreeMap<String, String>,
    items: &dyn Fn(&str) -> Vec<String>,
) -> Result<Vec<TopicGroup>, Vec<CreationProblem>> {
    let own: BTreeMap<&str, &str> = config
        .iter()
        .filter_map(|(key, text)| Some((key.strip_prefix(PREFIX)?, text.as_str())))
        .collect();
    if own.is_empty() {
        return Ok(Vec::new());
    }
    let mut reading = Reading {
        own,
        items,
        problems: Vec::new(),
    };
    let mut names = reading.list("groups");
    // It exists in any case, and always comes last.
    names.retain(|name| name != DEFAULT);
    for (at, name) in names.iter().enumerate() {
        if names.iter().take(at).any(|earlier| earlier == name) {
            reading.wrong("groups", format!("names `{name}` twice"));
        }
    }
    let partitions = reading.required(PARTITIONS, PARTITIONS_MAX);
    reading.required(REPLICATION, REPLICATION_MAX);
    let mut groups: Vec<TopicGroup> = names
        .iter()
        .map(|name| reading.group(name, partitions))
        .collect();
    groups.push(reading.group(DEFAULT, partitions));
    reading.strangers(&names);
    if reading.problems.is_empty() {
        Ok(groups)
    } else {
        Err(reading.problems)
    }
}

struct Reading<'a> {
    /// The options without their prefix.
    own: BTreeMap<&'a str, &'a str>,
    items: &'a dyn Fn(&str) -> Vec<String>,
    problems: Vec<CreationProblem>,
}

impl Reading<'_> {
    fn wrong(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(CreationProblem {
            key: format!("{PREFIX}{key}"),
            message: message.into(),
        });
    }

    fn list(&self, key: &str) -> Vec<String> {
        self.own
            .get(key)
            .map(|text| (self.items)(text))
            .unwrap_or_default()
    }

    /// A number of at least 1, or -1 for the host's default.
    fn number(&mut self, key: &str, max: i32) -> Option<i32> {
        let text = *self.own.get(key)?;
        let number = text
            .trim()
            .parse::<i32>()
            .ok()
            .filter(|number| *number == -1 || (1..=max).contains(number));
        if number.is_none() {
            self.wrong(
                key,
                format!("is a whole number from 1 up to {max}, or -1 for the host's default"),
            );
        }
        number
    }

    fn required(&mut self, key: &str, max: i32) -> Option<i32> {
        let key = format!("{DEFAULT}.{key}");
        if !self.own.contains_key(key.as_str()) {
            self.wrong(
                &key,
                "is missing; options `topic.creation.*` need it, -1 means the host's default",
            );
        }
        self.number(&key, max)
    }

    fn group(&mut self, name: &str, inherited: Option<i32>) -> TopicGroup {
        let key = |option: &str| format!("{name}.{option}");
        let (include, exclude) = (self.list(&key(INCLUDE)), self.list(&key(EXCLUDE)));
        let partitions = if name == DEFAULT {
            for option in [INCLUDE, EXCLUDE] {
                if self.own.contains_key(key(option).as_str()) {
                    self.wrong(
                        &key(option),
                        "is no option of the group `default`, which takes what no other group takes",
                    );
                }
            }
            inherited
        } else {
            if include.is_empty() {
                self.wrong(
                    &key(INCLUDE),
                    "is missing; a group says which topics it is for",
                );
            }
            self.number(&key(REPLICATION), REPLICATION_MAX);
            self.number(&key(PARTITIONS), PARTITIONS_MAX).or(inherited)
        };
        TopicGroup {
            settings: self.settings(name),
            name: name.to_owned(),
            include,
            exclude,
            partitions: partitions.filter(|count| *count > 0),
        }
    }

    fn settings(&mut self, group: &str) -> BTreeMap<String, String> {
        let prefix = format!("{group}.");
        let settings: BTreeMap<String, String> = self
            .own
            .iter()
            .filter_map(|(key, text)| Some((key.strip_prefix(&prefix)?, *text)))
            .filter(|(key, _)| ![INCLUDE, EXCLUDE, PARTITIONS, REPLICATION].contains(key))
            .map(|(key, text)| (key.to_owned(), text.to_owned()))
            .collect();
        match canonical(&settings) {
            Ok(stored) => stored,
            Err(errors) => {
                for error in errors {
                    let message = format!("{}; {}", error.what, error.remedy);
                    self.wrong(&format!("{prefix}{}", error.name), message);
                }
                BTreeMap::new()
            }
        }
    }

    /// Options of groups that the list does not name: most likely a misspelt name.
    fn strangers(&mut self, names: &[String]) {
        let of_a_group = |key: &str| {
            let names = names.iter().map(String::as_str).chain([DEFAULT]);
            let mut below = names.filter_map(|name| key.strip_prefix(name));
            key == "groups" || below.any(|rest| rest.starts_with('.'))
        };
        let strange: Vec<String> = self
            .own
            .keys()
            .filter(|key| !of_a_group(key))
            .map(|key| (*key).to_owned())
            .collect();
        for key in strange {
            self.wrong(
                &key,
                format!("belongs to no group; `{GROUPS}` names the groups beside `default`"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(options: &[(&str, &str)]) -> Result<Vec<TopicGroup>, Vec<String>> {
        let config: BTreeMap<String, String> = options
            .iter()
            .map(|(key, text)| (format!("{PREFIX}{key}"), (*text).to_owned()))
            .collect();
        let items = |text: &str| text.split(',').map(str::to_owned).collect();
        read(&config, &items).map_err(|problems| {
            problems
                .into_iter()
                .map(|problem| problem.key.trim_start_matches(PREFIX).to_owned())
                .collect()
        })
    }

    const DEFAULTS: [(&str, &str); 2] = [
        ("default.partitions", "3"),
        ("default.replication.factor", "-1"),
    ];

    #[test]
    fn groups_come_in_their_order_inherit_from_default_and_keep_settings_of_their_own() {
        assert_eq!(check(&[]), Ok(Vec::new()));
        let more = [
            ("groups", "big,tiny,default"),
            ("big.include", "b.*,c.*"),
            ("big.exclude", "bad"),
            ("big.cleanup.policy", "compact"),
            ("tiny.include", "t"),
            ("tiny.partitions", "1"),
            ("default.retention.ms", "1000"),
        ];
        let groups = check(&[&DEFAULTS[..], &more[..]].concat()).unwrap();
        let shown: Vec<_> = groups
            .iter()
            .map(|group| (group.name.as_str(), group.partitions, group.settings.len()))
            .collect();
        assert_eq!(
            shown,
            [
                ("big", Some(3), 1),
                ("tiny", Some(1), 0),
                ("default", Some(3), 1)
            ]
        );
        assert_eq!((groups[0].include.len(), groups[0].exclude.len()), (2, 1));
        let hosts = check(&[("default.partitions", "-1"), DEFAULTS[1]]).unwrap();
        assert_eq!(hosts[0].partitions, None);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_its_key() {
        for (options, keys) in [
            (
                &[("groups", "g")][..],
                &[
                    "default.partitions",
                    "default.replication.factor",
                    "g.include",
                ][..],
            ),
            (
                &[("default.partitions", "0"), DEFAULTS[1]],
                &["default.partitions"],
            ),
            (
                &[DEFAULTS[0], ("default.replication.factor", "x")],
                &["default.replication.factor"],
            ),
            (
                &[DEFAULTS[0], DEFAULTS[1], ("g.include", "a")],
                &["g.include"],
            ),
            (
                &[DEFAULTS[0], DEFAULTS[1], ("default.include", "a")],
                &["default.include"],
            ),
            (
                &[DEFAULTS[0], DEFAULTS[1], ("default.retention.mss", "1")],
                &["default.retention.mss"],
            ),
            (
                &[
                    DEFAULTS[0],
                    DEFAULTS[1],
                    ("groups", "g,g"),
                    ("g.include", "a"),
                ],
                &["groups"],
            ),
        ] {
            let wanted: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            assert_eq!(check(options), Err(wanted), "{options:?}");
        }
    }
}

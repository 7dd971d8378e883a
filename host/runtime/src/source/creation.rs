//! How topics are made that a source writes and that are not there: `topic.creation.*`, compiled for one task.

use std::collections::BTreeMap;

use linkspan_log::TopicSpec;
use linkspan_types::TopicName;
use linkspan_types::topic_creation::{self, TopicGroup};

use crate::error::TaskError;

type Matches = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// How topics are made: the groups of one connector in their order; without any, as the host makes one that nobody declared.
pub(crate) struct TopicCreation {
    num_partitions: i32,
    groups: Vec<Group>,
}

struct Group {
    about: TopicGroup,
    include: Vec<Matches>,
    exclude: Vec<Matches>,
}

impl std::fmt::Debug for TopicCreation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.groups.iter().map(|group| &group.about))
            .finish()
    }
}

impl TopicCreation {
    pub(crate) fn from_config(
        config: &BTreeMap<String, String>,
        num_partitions: i32,
    ) -> Result<Self, TaskError> {
        let wrong = |text: String| TaskError::permanent("LS0210", "config_invalid", text);
        let groups = topic_creation::read(config, &items).map_err(|problems| {
            let texts: Vec<String> = problems
                .iter()
                .map(|problem| format!("option `{}` {}", problem.key, problem.message))
                .collect();
            wrong(texts.join("; "))
        })?;
        let mut compiled = Vec::with_capacity(groups.len());
        for about in groups {
            let patterns = |texts: &[String]| -> Result<Vec<Matches>, TaskError> {
                texts
                    .iter()
                    .map(|text| match linkspan_convert::whole_match(text) {
                        Ok(matches) => Ok(Box::new(matches) as Matches),
                        Err(why) => Err(wrong(format!(
                            "options `topic.creation.{}`: a pattern {why}",
                            about.name
                        ))),
                    })
                    .collect()
            };
            compiled.push(Group {
                include: patterns(&about.include)?,
                exclude: patterns(&about.exclude)?,
                about,
            });
        }
        Ok(Self {
            num_partitions,
            groups: compiled,
        })
    }

    /// What a topic of this name is made like.
    pub(crate) fn spec_of(&self, name: &TopicName) -> TopicSpec {
        let any = |patterns: &[Matches]| patterns.iter().any(|matches| matches(name.as_str()));
        let takes = |group: &&Group| any(&group.include) && !any(&group.exclude);
        let found = self.groups.iter().find(takes).or(self.groups.last());
        match found {
            Some(group) => TopicSpec {
                partitions: group.about.partitions.unwrap_or(self.num_partitions),
                settings: group.about.settings.clone(),
            },
            None => TopicSpec::with_partitions(self.num_partitions),
        }
    }
}

/// The items of a list's text: JSON, or Connect's `a,b`.
fn items(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| {
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_that_includes_and_does_not_exclude_a_whole_name_is_taken() {
        let options = [
            ("groups", "a,b"),
            ("a.include", "or.*,x"),
            ("a.exclude", "orders-old"),
            ("a.partitions", "5"),
            ("b.include", "[\"o.{1,3}\"]"),
            ("b.partitions", "6"),
            ("b.cleanup.policy", "compact"),
            ("default.partitions", "-1"),
            ("default.replication.factor", "3"),
        ];
        let config = options
            .iter()
            .map(|(key, text)| (format!("topic.creation.{key}"), (*text).to_owned()))
            .collect();
        let creation = TopicCreation::from_config(&config, 2).unwrap();
        for (name, partitions) in [
            ("orders", 5),
            ("orders-old", 2),
            ("oa", 6),
            ("x", 5),
            ("xx", 2),
        ] {
            let spec = creation.spec_of(&TopicName::try_new(name).unwrap());
            assert_eq!(spec.partitions, partitions, "{name}");
            assert_eq!(spec.settings.len(), usize::from(name == "oa"), "{name}");
        }
        let none = TopicCreation::from_config(&BTreeMap::new(), 2).unwrap();
        let spec = none.spec_of(&TopicName::try_new("t").unwrap());
        assert_eq!(spec.partitions, 2);
    }
}

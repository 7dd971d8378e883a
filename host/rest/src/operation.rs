//! Everything that a command may ask of a log, in one enum: a running host performs it for the socket, the command line
//! itself performs it on a stopped directory.

use std::path::Path;

use linkspan_log::LogBackend;
use serde_json::{Value, json};

use crate::dead_letters::{self, Letters};
use crate::groups::{self, Reset};
use crate::produce::{self, NewRecord};
use crate::refusal::Refusal;
use crate::topics::{self, DeleteRecords, NewTopic, TopicChange};

/// What is asked.
#[derive(Debug, Clone)]
pub enum Operation {
    /// All topics.
    ListTopics,
    /// A new topic.
    CreateTopic(NewTopic),
    /// One topic with partitions and settings.
    DescribeTopic(String),
    /// Other settings, more partitions.
    AlterTopic(String, TopicChange),
    /// Deletes a topic.
    DeleteTopic(String),
    /// Deletes records from the front.
    DeleteRecords(String, DeleteRecords),
    /// Writes records.
    Produce(String, Vec<NewRecord>),
    /// All groups.
    ListGroups,
    /// One group with members and positions.
    DescribeGroup(String),
    /// Sets positions.
    ResetGroup(String, Reset),
    /// Deletes a group.
    DeleteGroup(String),
    /// All topics with dead letters.
    ListDeadLetters,
    /// Dead letters of a topic.
    ShowDeadLetters(String, Letters),
    /// Writes records of dead letters back.
    ReplayDeadLetters(String, Letters),
    /// Figures.
    Stat,
    /// A backup into a folder of this machine.
    Backup(String),
}

impl Operation {
    /// Whether it needs a log that can be written.
    #[must_use]
    pub fn writes(&self) -> bool {
        match self {
            Self::ListTopics
            | Self::DescribeTopic(_)
            | Self::ListGroups
            | Self::DescribeGroup(_)
            | Self::ListDeadLetters
            | Self::ShowDeadLetters(..)
            | Self::Stat
            | Self::Backup(_) => false,
            Self::ResetGroup(_, reset) => reset.execute,
            Self::ReplayDeadLetters(_, which) => !which.preview,
            Self::CreateTopic(_)
            | Self::AlterTopic(..)
            | Self::DeleteTopic(_)
            | Self::DeleteRecords(..)
            | Self::Produce(..)
            | Self::DeleteGroup(_) => true,
        }
    }

    /// Returns method, path and body of the request to a running host.
    #[must_use]
    pub fn request(&self) -> (&'static str, String, Option<String>) {
        let topic = |name: &str, rest: &str| format!("/api/v1/topics/{}{rest}", segment(name));
        let group = |name: &str, rest: &str| format!("/api/v1/groups/{}{rest}", segment(name));
        let body = |value: Value| Some(value.to_string());
        match self {
            Self::ListTopics => ("GET", "/api/v1/topics".into(), None),
            Self::CreateTopic(new) => ("POST", "/api/v1/topics".into(), body(json!(new))),
            Self::DescribeTopic(name) => ("GET", topic(name, ""), None),
            Self::AlterTopic(name, change) => ("PATCH", topic(name, ""), body(json!(change))),
            Self::DeleteTopic(name) => ("DELETE", topic(name, ""), None),
            Self::DeleteRecords(name, which) => {
                ("POST", topic(name, "/delete-records"), body(json!(which)))
            }
            Self::Produce(name, records) => {
                let lines: String = records
                    .iter()
                    .map(|record| {
                        let mut line = record.to_json().to_string();
                        line.push('\n');
                        line
                    })
                    .collect();
                let first = records.first().map_or(1, |record| record.line);
                (
                    "POST",
                    topic(name, &format!("/records?line={first}")),
                    Some(lines),
                )
            }
            Self::ListGroups => ("GET", "/api/v1/groups".into(), None),
            Self::DescribeGroup(name) => ("GET", group(name, ""), None),
            Self::ResetGroup(name, reset) => ("POST", group(name, "/reset"), body(json!(reset))),
            Self::DeleteGroup(name) => ("DELETE", group(name, ""), None),
            Self::ListDeadLetters => ("GET", "/api/v1/dlq".into(), None),
            Self::ShowDeadLetters(name, which) => {
                let path = format!("/api/v1/dlq/{}/show", segment(name));
                ("POST", path, body(json!(which)))
            }
            Self::ReplayDeadLetters(name, which) => {
                let path = format!("/api/v1/dlq/{}/replay", segment(name));
                ("POST", path, body(json!(which)))
            }
            Self::Stat => ("GET", "/api/v1/log/stat".into(), None),
            Self::Backup(dir) => ("POST", "/api/v1/backup".into(), body(json!({ "dir": dir }))),
        }
    }

    /// Performs it; blocks for disk syncs.
    ///
    /// # Errors
    /// The log refuses.
    pub fn perform(self, log: &dyn LogBackend) -> Result<Value, Refusal> {
        match self {
            Self::ListTopics => topics::list(log),
            Self::CreateTopic(new) => topics::create(log, new),
            Self::DescribeTopic(name) => topics::describe(log, &name),
            Self::AlterTopic(name, change) => topics::alter(log, &name, change),
            Self::DeleteTopic(name) => topics::delete(log, &name),
            Self::DeleteRecords(name, which) => topics::delete_records(log, &name, &which),
            Self::Produce(name, records) => produce::produce(log, &name, &records),
            Self::ListGroups => groups::list(log),
            Self::DescribeGroup(name) => groups::describe(log, &name),
            Self::ResetGroup(name, reset) => groups::reset(log, &name, &reset),
            Self::DeleteGroup(name) => groups::delete(log, &name),
            Self::ListDeadLetters => dead_letters::list(log),
            Self::ShowDeadLetters(name, which) => dead_letters::show(log, &name, &which),
            Self::ReplayDeadLetters(name, which) => dead_letters::replay(log, &name, &which, None),
            Self::Stat => Ok(json!(log.stat()?)),
            Self::Backup(dir) => Ok(json!(log.backup(Path::new(&dir))?)),
        }
    }
}

/// Writes a name as one segment of a path.
#[must_use]
pub fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_segment_of_a_path() {
        for (name, expected) in [
            ("flights-1.x_y", "flights-1.x_y"),
            ("a/b %", "a%2Fb%20%25"),
            ("서", "%EC%84%9C"),
        ] {
            assert_eq!(segment(name), expected);
        }
    }
}

//! Why an operation was refused: one shape for the socket and for a stopped directory, with a stable code and a remedy.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use linkspan_log::{Error, LogBackend};
use linkspan_types::error_chain;
use serde::Serialize;

/// An operation that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The HTTP status.
    pub error_code: u16,
    /// The stable code, `LSnnnn`.
    pub code: &'static str,
    /// What happened, where, why.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Refusal {
    /// A refusal with its status and code.
    pub fn new(error_code: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            error_code,
            code,
            message: message.into(),
            help: None,
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A topic that does not exist; says which name may have been meant.
    pub fn unknown_topic(log: &dyn LogBackend, name: &str) -> Self {
        let topics = log.topics().unwrap_or_default();
        let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
        Self::new(404, "LS0516", format!("there is no topic `{name}`"))
            .help(meant(name, &names, "topics"))
    }

    /// A group that does not exist; says which name may have been meant.
    pub fn unknown_group(log: &dyn LogBackend, name: &str) -> Self {
        let groups = log.groups().unwrap_or_default();
        let names: Vec<&str> = groups.iter().map(|group| group.group.as_str()).collect();
        Self::new(404, "LS0520", format!("there is no group `{name}`"))
            .help(meant(name, &names, "groups"))
    }

    /// A malformed argument.
    pub fn argument(message: impl Into<String>) -> Self {
        Self::new(400, "LS0220", message)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let message = error_chain(&error);
        let refuse = |status, code| Self::new(status, code, message.clone());
        match error {
            Error::TopicExists { .. } => refuse(409, "LS0523")
                .help("change it with `topic alter`, or take another name"),
            Error::UnknownTopic { .. } | Error::UnknownPartition { .. } => refuse(404, "LS0516"),
            Error::InvalidTopic { .. } | Error::InvalidSettings { .. } => refuse(400, "LS0517"),
            Error::CompactedTopic { .. } => refuse(409, "LS0517"),
            Error::TooLarge { .. } => refuse(413, "LS0514").help(
                "raise `max.message.bytes` of the topic (at most 16 MiB), or make the records smaller",
            ),
            Error::OffsetOutOfRange { .. } | Error::UnknownPosition { .. } => refuse(400, "LS0515"),
            Error::UnknownGroup { .. } => refuse(404, "LS0520"),
            Error::GroupActive { .. } | Error::MemberExists { .. } => {
                refuse(409, "LS0521").help("stop its members first: sinks, and `consume --group`")
            }
            Error::Fenced { .. } => refuse(409, "LS0510"),
            Error::Corrupt { .. } | Error::Damaged { .. } => {
                refuse(500, "LS0513").help("see `linkspan log verify`, with the host stopped")
            }
            Error::DiskFull { .. } => refuse(503, "LS0511"),
            Error::DiskBound { .. } => refuse(503, "LS0519"),
            Error::Poisoned { .. } => refuse(503, "LS0512"),
            Error::Closed => refuse(503, "LS0518"),
            Error::NotEmpty { .. } => {
                refuse(409, "LS0707").help("name a folder that does not exist, or an empty one")
            }
            Error::InvalidBackup { .. } => refuse(400, "LS0526"),
            Error::Io { .. } | Error::OutOfFiles { .. } => refuse(500, "LS0704"),
            _ => refuse(500, "LS0501"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.error_code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self)).into_response()
    }
}

/// Says what may have been meant, or what there is.
fn meant(name: &str, known: &[&str], what: &str) -> String {
    const LISTED_MAX: usize = 12;
    let near = known
        .iter()
        .map(|known| (distance(name, known), known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .min();
    if let Some((_, near)) = near {
        return format!("did you mean `{near}`?");
    }
    if known.is_empty() {
        return format!("the log has no {what}");
    }
    let more = if known.len() > LISTED_MAX {
        format!(" and {} more", known.len() - LISTED_MAX)
    } else {
        String::new()
    };
    let listed: Vec<&str> = known.iter().take(LISTED_MAX).copied().collect();
    format!("there are: {}{more}", listed.join(", "))
}

/// How many letters must be added, removed or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(row.first_mut().unwrap_or(&mut 0), i + 1);
        let mut left = i + 1;
        for (to, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let cost = (diagonal + usize::from(from != *to))
                .min(left + 1)
                .min(*cell + 1);
            diagonal = std::mem::replace(cell, cost);
            left = cost;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_near_are_suggested() {
        for (name, expected) in [
            ("lynes", "did you mean `lines`?"),
            ("line", "did you mean `lines`?"),
            ("flights", "there are: lines, orders"),
        ] {
            assert_eq!(meant(name, &["lines", "orders"], "topics"), expected);
        }
        assert_eq!(meant("x", &[], "groups"), "the log has no groups");
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "ab"), 2);
    }
}

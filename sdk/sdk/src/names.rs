//! Names of topics, and the pair topic + partition.

use std::{fmt, str::FromStr, sync::Arc};

/// The longest topic name, in bytes.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;

/// A valid topic name: 1 to 249 of `a-z A-Z 0-9 . _ -`, and neither `.` nor `..` (Kafka's rule).
///
/// # Examples
/// ```
/// use linkspan_sdk::TopicName;
///
/// let topic: TopicName = "orders.eu".parse().unwrap();
/// assert_eq!(topic.as_str(), "orders.eu");
/// assert!("a topic".parse::<TopicName>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Arc<str>);

/// Why a text is not a topic name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// The text is empty.
    Empty,
    /// The text is `.` or `..`.
    Dots,
    /// The text is longer than [`TOPIC_NAME_BYTES_MAX`].
    TooLong(usize),
    /// A character that no topic name may contain.
    Character(char),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a topic name may not be empty"),
            Self::Dots => f.write_str("a topic name may not be `.` or `..`"),
            Self::TooLong(found) => {
                write!(
                    f,
                    "a topic name has at most {TOPIC_NAME_BYTES_MAX} bytes, this one has {found}"
                )
            }
            Self::Character(found) => write!(
                f,
                "a topic name may not contain {found:?}; allowed are letters, digits, `.`, `_` and `-`"
            ),
        }
    }
}

impl std::error::Error for NameError {}

impl TopicName {
    /// Checks a text against Kafka's rule.
    ///
    /// # Errors
    /// Says which part of the rule is broken.
    pub fn try_new(text: impl AsRef<str>) -> Result<Self, NameError> {
        let text = text.as_ref();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text == "." || text == ".." {
            return Err(NameError::Dots);
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if let Some(found) = text.chars().find(|c| !allowed(c)) {
            return Err(NameError::Character(found));
        }
        if text.len() > TOPIC_NAME_BYTES_MAX {
            return Err(NameError::TooLong(text.len()));
        }
        Ok(Self(text.into()))
    }

    /// Takes a name as the host gave it.
    pub(crate) fn trusted(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TopicName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::try_new(text)
    }
}

impl AsRef<str> for TopicName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for TopicName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for TopicName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

/// One partition of a topic; prints as `topic-3`, as Kafka does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicName,
    /// The partition inside of it.
    pub partition: i32,
}

impl TopicPartition {
    /// Pairs the two.
    #[must_use]
    pub const fn new(topic: TopicName, partition: i32) -> Self {
        Self { topic, partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kafkas_rule() {
        let long = "x".repeat(250);
        let cases: [(&str, bool); 8] = [
            ("orders", true),
            ("a.b_c-D9", true),
            ("", false),
            (".", false),
            ("..", false),
            ("a b", false),
            ("größe", false),
            (&long, false),
        ];
        for (name, valid) in cases {
            assert_eq!(TopicName::try_new(name).is_ok(), valid, "{name}");
        }
    }
}

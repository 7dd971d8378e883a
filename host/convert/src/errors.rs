//! What a dead letter tells about its failure: the headers `__connect.errors.*`.

use crate::Coordinates;

/// Where a record failed, in Connect's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// A source was polled.
    TaskPoll,
    /// A sink took records.
    TaskPut,
    /// A transform.
    Transformation,
    /// The key's converter.
    KeyConverter,
    /// The value's converter.
    ValueConverter,
    /// The converter of a header.
    HeaderConverter,
    /// Writing to the log.
    KafkaProduce,
    /// Reading from the log.
    KafkaConsume,
}

impl Stage {
    /// Returns Connect's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TaskPoll => "TASK_POLL",
            Self::TaskPut => "TASK_PUT",
            Self::Transformation => "TRANSFORMATION",
            Self::KeyConverter => "KEY_CONVERTER",
            Self::ValueConverter => "VALUE_CONVERTER",
            Self::HeaderConverter => "HEADER_CONVERTER",
            Self::KafkaProduce => "KAFKA_PRODUCE",
            Self::KafkaConsume => "KAFKA_CONSUME",
        }
    }

    /// Finds a stage by Connect's name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::TaskPoll,
            Self::TaskPut,
            Self::Transformation,
            Self::KeyConverter,
            Self::ValueConverter,
            Self::HeaderConverter,
            Self::KafkaProduce,
            Self::KafkaConsume,
        ]
        .into_iter()
        .find(|stage| stage.name() == name)
    }
}

/// A failure of one record.
#[derive(Debug, Clone)]
pub struct Failure<'a> {
    /// The original place of a sink's record, `None` for a source's.
    pub origin: Option<&'a Coordinates>,
    /// The connector.
    pub connector: &'a str,
    /// The task's number.
    pub task: u32,
    /// Where it failed.
    pub stage: Stage,
    /// The class that failed: a converter's, a transform's, a task's.
    pub executing_class: &'a str,
    /// The exception, outermost; `None` where the record was only reported.
    pub exception: Option<Exception<'a>>,
}

/// An error as Connect's consumers expect to read it.
#[derive(Debug, Clone, Copy)]
pub struct Exception<'a> {
    /// The Java class, see [`crate::Class::java`], or a name of our own.
    pub class: &'a str,
    /// The message, without values of the record; `None` where there is none.
    pub message: Option<&'a str>,
    /// The chain of causes, one a line.
    pub trace: &'a str,
}

/// Returns the headers of a failure in Connect's order. A value of `None` is a null header.
///
/// They are appended to the record's own headers, whatever names these have.
#[must_use]
pub fn error_headers(failure: &Failure<'_>) -> Vec<(&'static str, Option<String>)> {
    let mut headers = Vec::with_capacity(10);
    if let Some(origin) = failure.origin {
        headers.push(("__connect.errors.topic", Some(origin.topic.to_string())));
        headers.push((
            "__connect.errors.partition",
            Some(origin.partition.to_string()),
        ));
        headers.push(("__connect.errors.offset", Some(origin.offset.to_string())));
    }
    headers.push((
        "__connect.errors.connector.name",
        Some(failure.connector.to_owned()),
    ));
    headers.push(("__connect.errors.task.id", Some(failure.task.to_string())));
    headers.push((
        "__connect.errors.stage",
        Some(failure.stage.name().to_owned()),
    ));
    headers.push((
        "__connect.errors.class.name",
        Some(failure.executing_class.to_owned()),
    ));
    if let Some(exception) = failure.exception {
        headers.push((
            "__connect.errors.exception.class.name",
            Some(exception.class.to_owned()),
        ));
        headers.push((
            "__connect.errors.exception.message",
            exception.message.map(str::to_owned),
        ));
        headers.push((
            "__connect.errors.exception.stacktrace",
            Some(exception.trace.to_owned()),
        ));
    }
    headers
}

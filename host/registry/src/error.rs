//! Why the registry did not answer what was asked.

/// The class of a failure, which decides what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It cannot be reached, or has trouble of its own: later may work.
    Unavailable,
    /// It refuses these credentials.
    Permission,
    /// It does not know the id, the subject or the version.
    NotFound,
    /// The schema is not compatible with the subject's.
    Incompatible,
    /// It refuses the schema as such.
    Invalid,
    /// What it answered is not what a registry answers.
    Answer,
    /// The options cannot work.
    Config,
}

/// What went wrong: where, doing what, and what the registry says. Never holds user, password or token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema registry at {place}: could not {doing}: {message}")]
pub struct Error {
    /// The class.
    pub reason: Reason,
    place: String,
    doing: String,
    message: String,
}

impl Error {
    pub(crate) fn new(
        reason: Reason,
        place: &str,
        doing: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            reason,
            place: place.to_owned(),
            doing: doing.to_owned(),
            message: message.into(),
        }
    }

    pub(crate) fn answer(place: &str, doing: &str, message: &str) -> Self {
        Self::new(Reason::Answer, place, doing, message)
    }

    /// Returns what the registry said.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns whether the same question may be answered later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.reason == Reason::Unavailable
    }
}

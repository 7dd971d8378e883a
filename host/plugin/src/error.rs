//! The one shape of an error on the host's side of the boundary.

use std::{fmt, time::Duration};

use linkspan_abi::{AbiError, ErrorKind};

/// Whether the same call may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Trying again cannot help.
    Permanent,
    /// The same call may succeed later.
    Temporary,
}

/// What a plugin answered instead of a result, or what the host answers to a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginError {
    /// What went wrong.
    pub kind: ErrorKind,
    /// Whether the same call may succeed later.
    pub status: Status,
    /// How long the failing side asked to wait.
    pub retry_after: Option<Duration>,
    /// A lower-case fragment for people.
    pub message: String,
    /// JSON or a long text, or empty.
    pub detail: String,
}

impl PluginError {
    /// Returns a permanent error; an unknown word for the kind is `internal`.
    #[must_use]
    pub fn permanent(kind: &str, message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::from_word(kind).unwrap_or(ErrorKind::INTERNAL),
            status: Status::Permanent,
            retry_after: None,
            message: message.into(),
            detail: String::new(),
        }
    }

    /// Returns a temporary error; an unknown word for the kind is `internal`.
    #[must_use]
    pub fn temporary(kind: &str, message: impl Into<String>) -> Self {
        Self {
            status: Status::Temporary,
            ..Self::permanent(kind, message)
        }
    }

    /// Returns a permanent error of kind `internal`.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::permanent("internal", message)
    }

    /// Returns whether the same call may succeed later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.status == Status::Temporary
    }

    pub(crate) fn from_abi(error: &AbiError) -> Self {
        Self {
            kind: error.kind,
            status: if error.is_temporary() {
                Status::Temporary
            } else {
                Status::Permanent
            },
            retry_after: (error.retry_after_ms > 0)
                .then(|| Duration::from_millis(error.retry_after_ms)),
            message: error.message.as_str().to_owned(),
            detail: error.detail.as_str().to_owned(),
        }
    }

    pub(crate) fn to_abi(&self) -> AbiError {
        let mut error = AbiError::new(self.kind, self.message.clone());
        if self.is_temporary() {
            error = error.temporary();
        }
        let wait = self.retry_after.unwrap_or_default().as_millis();
        error.retry_after_ms = u64::try_from(wait).unwrap_or(u64::MAX);
        error.detail = self.detail.as_str().into();
        error
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for PluginError {}

/// What a plugin finds wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The option's name.
    pub option: String,
    /// What is wrong with it.
    pub message: String,
}

//! The one shape in which an error crosses the boundary.
//!
//! The host decides on retry, dead letter queue or failure from [`ErrorKind`] and the status alone; texts are for people.

use std::fmt;

use abi_stable::{
    StableAbi,
    std_types::{RResult, RString},
};

/// What every fallible function of the tables returns.
pub type R<T> = RResult<T, AbiError>;

/// Names what went wrong, as an open set: an unknown number is treated as [`ErrorKind::INTERNAL`].
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorKind(
    /// The number that crosses.
    pub u32,
);

impl ErrorKind {
    /// An option is missing, malformed or contradicts another.
    pub const CONFIG_INVALID: Self = Self(1);
    /// The named thing does not exist.
    pub const NOT_FOUND: Self = Self(2);
    /// The other side refuses these credentials or this access.
    pub const PERMISSION: Self = Self(3);
    /// The other side asks to slow down.
    pub const RATE_LIMITED: Self = Self(4);
    /// The other side cannot be reached or does not answer.
    pub const UNAVAILABLE: Self = Self(5);
    /// A record or a file holds what it must not.
    pub const DATA_INVALID: Self = Self(6);
    /// Somebody else holds or changed the thing.
    pub const CONFLICT: Self = Self(7);
    /// The request is understood and not offered.
    pub const UNSUPPORTED: Self = Self(8);
    /// A defect of the plugin or the host.
    pub const INTERNAL: Self = Self(9);
    /// The task was asked to stop.
    pub const STOPPED: Self = Self(10);
    /// The plugin panicked; the task is poisoned.
    pub const PANICKED: Self = Self(11);

    /// Returns the word for this kind, `internal` for a number of a later version.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CONFIG_INVALID => "config_invalid",
            Self::NOT_FOUND => "not_found",
            Self::PERMISSION => "permission",
            Self::RATE_LIMITED => "rate_limited",
            Self::UNAVAILABLE => "unavailable",
            Self::DATA_INVALID => "data_invalid",
            Self::CONFLICT => "conflict",
            Self::UNSUPPORTED => "unsupported",
            Self::STOPPED => "stopped",
            Self::PANICKED => "panicked",
            _ => "internal",
        }
    }

    /// Returns the kind that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        (1..=11).map(Self).find(|kind| kind.as_str() == word)
    }
}

impl fmt::Debug for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.as_str(), self.0)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// [`AbiError::status`]: trying again cannot help.
pub const STATUS_PERMANENT: u32 = 0;
/// [`AbiError::status`]: the same call may succeed later.
pub const STATUS_TEMPORARY: u32 = 1;

/// An error as it crosses the boundary. Whoever made it allocated its strings; they free themselves through their maker.
#[repr(C)]
#[derive(StableAbi, Clone, Debug, PartialEq, Eq)]
pub struct AbiError {
    /// What went wrong.
    pub kind: ErrorKind,
    /// [`STATUS_PERMANENT`] or [`STATUS_TEMPORARY`]; anything else is read as permanent.
    pub status: u32,
    /// How long to wait before the next try, 0 where the maker does not know.
    pub retry_after_ms: u64,
    /// A lower-case fragment for people.
    pub message: RString,
    /// JSON for machines and long texts, or empty.
    pub detail: RString,
}

impl AbiError {
    /// Returns a permanent error without detail.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            status: STATUS_PERMANENT,
            retry_after_ms: 0,
            message: RString::from(message.into()),
            detail: RString::new(),
        }
    }

    /// Returns the same error with status temporary.
    #[must_use]
    pub fn temporary(mut self) -> Self {
        self.status = STATUS_TEMPORARY;
        self
    }

    /// Returns whether the same call may succeed later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        self.status == STATUS_TEMPORARY
    }
}

impl fmt::Display for AbiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for AbiError {}

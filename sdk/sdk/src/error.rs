//! The one error of an author: what went wrong, whether trying again can help, and a text for people.
//!
//! The host decides from [`ErrorKind`] and the status (permanent or temporary) alone; see [`crate::SourceTask::poll`] and
//! [`crate::SinkTask::put`] for what each does.

use std::{error::Error as StdError, fmt, time::Duration};

use linkspan_abi::{AbiError, RString};

/// The result of everything that an author writes.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. An open set: a later version may add kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option is missing, malformed or contradicts another.
    ConfigInvalid,
    /// The named thing does not exist.
    NotFound,
    /// The other side refuses these credentials or this access.
    Permission,
    /// The other side asks to slow down.
    RateLimited,
    /// The other side cannot be reached or does not answer.
    Unavailable,
    /// A record or a file holds what it must not.
    DataInvalid,
    /// Somebody else holds or changed the thing.
    Conflict,
    /// The request is understood and not offered.
    Unsupported,
    /// A defect of the plugin or the host.
    Internal,
    /// The task was asked to stop.
    Stopped,
    /// The plugin panicked.
    Panicked,
}

impl ErrorKind {
    /// Returns the word for this kind, `data_invalid` and so on.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.to_abi().as_str()
    }

    pub(crate) const fn to_abi(self) -> linkspan_abi::ErrorKind {
        use linkspan_abi::ErrorKind as Abi;
        match self {
            Self::ConfigInvalid => Abi::CONFIG_INVALID,
            Self::NotFound => Abi::NOT_FOUND,
            Self::Permission => Abi::PERMISSION,
            Self::RateLimited => Abi::RATE_LIMITED,
            Self::Unavailable => Abi::UNAVAILABLE,
            Self::DataInvalid => Abi::DATA_INVALID,
            Self::Conflict => Abi::CONFLICT,
            Self::Unsupported => Abi::UNSUPPORTED,
            Self::Internal => Abi::INTERNAL,
            Self::Stopped => Abi::STOPPED,
            Self::Panicked => Abi::PANICKED,
        }
    }

    pub(crate) const fn from_abi(kind: linkspan_abi::ErrorKind) -> Self {
        use linkspan_abi::ErrorKind as Abi;
        match kind {
            Abi::CONFIG_INVALID => Self::ConfigInvalid,
            Abi::NOT_FOUND => Self::NotFound,
            Abi::PERMISSION => Self::Permission,
            Abi::RATE_LIMITED => Self::RateLimited,
            Abi::UNAVAILABLE => Self::Unavailable,
            Abi::DATA_INVALID => Self::DataInvalid,
            Abi::CONFLICT => Self::Conflict,
            Abi::UNSUPPORTED => Self::Unsupported,
            Abi::STOPPED => Self::Stopped,
            Abi::PANICKED => Self::Panicked,
            _ => Self::Internal,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error as an author makes it and a host acts on it.
///
/// `?` turns errors of the standard library, serde and the sdk into a *permanent* `Error`. What may succeed later says so with
/// [`Error::temporary`]. A connector's own error type gets an `impl From<MyError> for linkspan_sdk::Error`.
///
/// # Examples
/// ```
/// use linkspan_sdk::prelude::*;
///
/// fn read(path: &str) -> Result<String> {
///     std::fs::read_to_string(path).map_err(|error| Error::from(error).context(format!("read `{path}`")))
/// }
/// let error = read("/no/such/file").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// assert!(!error.is_temporary());
/// assert!(error.to_string().starts_with("read `/no/such/file`"));
///
/// let busy = Error::rate_limited("too many requests").retry_after(Duration::from_secs(5));
/// assert!(busy.is_temporary());
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    temporary: bool,
    retry_after: Option<Duration>,
    message: String,
    detail: Option<serde_json::Value>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident, $temporary:literal;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(message: impl Into<String>) -> Self {
            let mut error = Self::new(ErrorKind::$kind, message);
            error.0.temporary = $temporary;
            error
        }
    )*};
}

impl Error {
    /// Returns a permanent error. The message is a lower-case fragment that fits after "could not …", without record values.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            temporary: false,
            retry_after: None,
            message: message.into(),
            detail: None,
            source: None,
        }))
    }

    constructors! {
        /// Returns a permanent error of kind [`ErrorKind::ConfigInvalid`].
        config_invalid => ConfigInvalid, false;
        /// Returns a permanent error of kind [`ErrorKind::NotFound`].
        not_found => NotFound, false;
        /// Returns a permanent error of kind [`ErrorKind::Permission`].
        permission => Permission, false;
        /// Returns a **temporary** error of kind [`ErrorKind::RateLimited`].
        rate_limited => RateLimited, true;
        /// Returns a **temporary** error of kind [`ErrorKind::Unavailable`].
        unavailable => Unavailable, true;
        /// Returns a permanent error of kind [`ErrorKind::DataInvalid`].
        data_invalid => DataInvalid, false;
        /// Returns a permanent error of kind [`ErrorKind::Conflict`].
        conflict => Conflict, false;
        /// Returns a permanent error of kind [`ErrorKind::Unsupported`].
        unsupported => Unsupported, false;
        /// Returns a permanent error of kind [`ErrorKind::Internal`].
        internal => Internal, false;
        /// Returns the error with which a call ends because the task was asked to stop.
        stopped => Stopped, false;
    }

    /// Returns the same error with status temporary: the same call may succeed later.
    #[must_use]
    pub fn temporary(mut self) -> Self {
        self.0.temporary = true;
        self
    }

    /// Returns the same error with status permanent: trying again cannot help.
    #[must_use]
    pub fn permanent(mut self) -> Self {
        self.0.temporary = false;
        self.0.retry_after = None;
        self
    }

    /// Returns the same error as temporary, to be tried again after `delay` at the earliest.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.temporary = true;
        self.0.retry_after = Some(delay);
        self
    }

    /// Returns the same error with another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Returns the same error with what was being done in front of its message: `what: message`.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// Returns the same error with JSON for machines, such as an answer's body. Never put a secret or a record's value here.
    #[must_use]
    pub fn detail(mut self, detail: serde_json::Value) -> Self {
        self.0.detail = Some(detail);
        self
    }

    /// Returns the same error with its cause, whose text follows the message.
    #[must_use]
    pub fn source_error(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// Returns what went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns whether the same call may succeed later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.0.temporary
    }

    /// Returns the least delay before the next try, where it is known.
    #[must_use]
    pub fn retry_delay(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns the message without its causes.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the message followed by its causes: `a: b: c`.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.0.message.clone();
        let mut next = self.source();
        while let Some(error) = next {
            let cause = error.to_string();
            // Some types repeat their source in their own text.
            if !text.ends_with(&cause) {
                text.push_str(": ");
                text.push_str(&cause);
            }
            next = error.source();
        }
        text
    }

    /// Returns the JSON for machines.
    #[must_use]
    pub fn detail_json(&self) -> Option<&serde_json::Value> {
        self.0.detail.as_ref()
    }

    pub(crate) fn to_abi(&self) -> AbiError {
        let mut error = AbiError::new(self.0.kind.to_abi(), self.chain());
        if self.0.temporary {
            error = error.temporary();
        }
        error.retry_after_ms = self.0.retry_after.map_or(0, |delay| {
            u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)
        });
        if let Some(detail) = &self.0.detail {
            error.detail = RString::from(detail.to_string());
        }
        error
    }

    pub(crate) fn from_abi(error: &AbiError) -> Self {
        let mut made = Self::new(ErrorKind::from_abi(error.kind), error.message.as_str());
        made.0.temporary = error.is_temporary();
        if error.retry_after_ms > 0 {
            made.0.retry_after = Some(Duration::from_millis(error.retry_after_ms));
        }
        if !error.detail.is_empty() {
            made.0.detail = Some(
                serde_json::from_str(&error.detail)
                    .unwrap_or_else(|_| serde_json::Value::from(error.detail.as_str())),
            );
        }
        made
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = if self.0.temporary {
            "temporary"
        } else {
            "permanent"
        };
        write!(f, "{} ({status}): {}", self.0.kind, self.chain())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match error.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::Permission,
            Io::AlreadyExists => ErrorKind::Conflict,
            Io::InvalidData | Io::UnexpectedEof => ErrorKind::DataInvalid,
            Io::Unsupported => ErrorKind::Unsupported,
            Io::InvalidInput => ErrorKind::Internal,
            _ => ErrorKind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}

macro_rules! permanent {
    ($($from:ty => $kind:ident),* $(,)?) => {$(
        impl From<$from> for Error {
            fn from(error: $from) -> Self {
                Self::new(ErrorKind::$kind, error.to_string())
            }
        }
    )*};
}

permanent! {
    serde_json::Error => DataInvalid,
    std::str::Utf8Error => DataInvalid,
    std::string::FromUtf8Error => DataInvalid,
    std::num::ParseIntError => DataInvalid,
    std::num::ParseFloatError => DataInvalid,
    std::num::TryFromIntError => DataInvalid,
    std::str::ParseBoolError => DataInvalid,
    std::net::AddrParseError => DataInvalid,
    std::fmt::Error => Internal,
    std::time::SystemTimeError => Internal,
    std::env::VarError => ConfigInvalid,
    linkspan_abi::BatchError => DataInvalid,
    linkspan_abi::RowError => DataInvalid,
    linkspan_abi::JsonError => DataInvalid,
    linkspan_abi::SchemaError => DataInvalid,
    tokio::task::JoinError => Internal,
    tokio::time::error::Elapsed => Unavailable,
    crate::names::NameError => DataInvalid,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_mark_is_permanent_with_a_fitting_kind() {
        let io = Error::from(std::io::Error::from(std::io::ErrorKind::PermissionDenied));
        assert_eq!(
            (io.kind(), io.is_temporary()),
            (ErrorKind::Permission, false)
        );
        let json = serde_json::from_str::<u8>("x")
            .map_err(Error::from)
            .unwrap_err();
        assert_eq!(
            (json.kind(), json.is_temporary()),
            (ErrorKind::DataInvalid, false)
        );
    }

    #[test]
    fn an_error_survives_the_boundary() {
        let error = Error::unavailable("no answer")
            .source_error(std::io::Error::other("reset"))
            .retry_after(Duration::from_millis(250))
            .detail(serde_json::json!({"status": 503}));
        let back = Error::from_abi(&error.to_abi());
        assert_eq!(back.kind(), ErrorKind::Unavailable);
        assert!(back.is_temporary());
        assert_eq!(back.retry_delay(), Some(Duration::from_millis(250)));
        assert_eq!(back.message(), "no answer: reset");
        assert_eq!(
            back.detail_json(),
            Some(&serde_json::json!({"status": 503}))
        );
    }

    #[test]
    fn every_kind_has_a_number_of_its_own() {
        let kinds = [
            ErrorKind::ConfigInvalid,
            ErrorKind::NotFound,
            ErrorKind::Permission,
            ErrorKind::RateLimited,
            ErrorKind::Unavailable,
            ErrorKind::DataInvalid,
            ErrorKind::Conflict,
            ErrorKind::Unsupported,
            ErrorKind::Internal,
            ErrorKind::Stopped,
            ErrorKind::Panicked,
        ];
        for kind in kinds {
            assert_eq!(ErrorKind::from_abi(kind.to_abi()), kind);
        }
        assert_eq!(
            ErrorKind::from_abi(linkspan_abi::ErrorKind(999)),
            ErrorKind::Internal
        );
    }
}

//! What can go wrong with a request, and what the host is to do about it.

use std::error::Error as StdError;
use std::time::Duration;

use linkspan_sdk::{Error, ErrorKind};

use crate::egress::EgressError;

/// A request that got no answer, or none that can be used. `request` is method and URL, `answer` also status, content type and the
/// beginning of the body, all without secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("`{request}` is not sent")]
    Egress {
        request: String,
        source: EgressError,
    },
    #[error("`{request}` could not be sent: {told}")]
    Unreachable { request: String, told: String },
    #[error(
        "`{request}`: TLS failed: {told}; `tls.ca` names the authority of a private certificate"
    )]
    Tls { request: String, told: String },
    #[error("`{request}` was not answered in full within {limit:?} (`{option}`): {so_far}")]
    TimeOut {
        request: String,
        limit: Duration,
        option: &'static str,
        so_far: String,
    },
    #[error("{answer}: that is more than {limit} bytes (`max.response.bytes`)")]
    TooLarge { answer: String, limit: u64 },
    #[error("{answer}, and it ends early or cannot be decompressed after {received} bytes: {told}")]
    Cut {
        answer: String,
        received: usize,
        told: String,
    },
    #[error("{answer}; there were more than {most} redirects (`redirects.max`): {chain}")]
    Redirects {
        answer: String,
        most: u32,
        chain: String,
    },
    #[error("{answer}; this redirect is not followed: {why}")]
    Redirect { answer: String, why: String },
    #[error("the access token could not be had: {0}")]
    Token(String),
    #[error("the access token could not be had for now: {0}")]
    TokenLater(String),
    #[error("`{request}`: {told}")]
    Malformed { request: String, told: String },
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        let (kind, temporary) = match &error {
            CallError::Egress {
                source: EgressError::Unresolved { .. },
                ..
            } => (ErrorKind::Unavailable, true),
            CallError::Egress { .. } | CallError::Tls { .. } | CallError::Token(_) => {
                (ErrorKind::Permission, false)
            }
            CallError::Unreachable { .. }
            | CallError::TimeOut { .. }
            | CallError::TokenLater(_)
            | CallError::Cut { .. } => (ErrorKind::Unavailable, true),
            CallError::TooLarge { .. } => (ErrorKind::DataInvalid, false),
            CallError::Redirects { .. }
            | CallError::Redirect { .. }
            | CallError::Malformed { .. } => (ErrorKind::ConfigInvalid, false),
        };
        let mut told = error.to_string();
        if let Some(source) = error.source() {
            told = format!("{told}: {source}");
        }
        let error = Error::new(kind, told);
        if temporary { error.temporary() } else { error }
    }
}

/// Returns the texts of an error and all its causes, without repeats.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !told.contains(&text) {
            told.push_str(": ");
            told.push_str(&text);
        }
        next = cause.source();
    }
    told
}

/// Returns the error of type `T` among an error and its causes, also inside of I/O errors, which hide theirs.
pub(crate) fn find<'e, T: StdError + 'static>(
    error: &'e (dyn StdError + 'static),
) -> Option<&'e T> {
    if let Some(found) = error.downcast_ref::<T>() {
        return Some(found);
    }
    let inner = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    let inner = inner.and_then(|inner| find::<T>(inner));
    inner.or_else(|| error.source().and_then(|source| find::<T>(source)))
}

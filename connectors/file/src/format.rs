//! What is wrong with a record of a file.

use std::fmt;

/// A record that cannot be used: where in the text at hand, and why. Never holds the record's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bad {
    /// Bytes from the start of the record to what is wrong.
    pub(crate) at: usize,
    pub(crate) reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    TooLong {
        max: usize,
        csv: bool,
    },
    InvalidUtf8,
    /// A field goes on after its closing quote.
    AfterQuote,
    /// The file ends inside a quoted field.
    UnclosedQuote,
    FieldCount {
        found: usize,
        expected: usize,
    },
    Value {
        column: String,
        expected: String,
    },
}

impl Bad {
    pub(crate) fn too_long(max: usize, csv: bool) -> Self {
        Self {
            at: 0,
            reason: Reason::TooLong { max, csv },
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { max, csv } => {
                let hint = if *csv {
                    "; a quote that never closes joins lines too"
                } else {
                    ""
                };
                write!(
                    f,
                    "longer than `max.line.bytes` ({max}); raise that option if it should be this long{hint}"
                )
            }
            Self::InvalidUtf8 => write!(f, "the bytes are not valid UTF-8"),
            Self::AfterQuote => write!(f, "a field goes on after its closing quote"),
            Self::UnclosedQuote => write!(f, "the file ends inside a quoted field"),
            Self::FieldCount { found, expected } => {
                let many = if found < expected { "few" } else { "many" };
                write!(
                    f,
                    "too {many} fields: {found} where {expected} are expected"
                )
            }
            Self::Value { column, expected } => write!(f, "column `{column}` is not {expected}"),
        }
    }
}

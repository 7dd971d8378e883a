//! What is wrong with a record of a file.

use std::fmt;

/// A record that cannot be used: where in the text at hand, and why. Never holds the record's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bad {
    /// Bytes from the start of the record to what is wrong.
    pub(crate) at: usize,
    pub(crate) reason: Reason,
    /// The record's number in its file, from 1, in formats without lines.
    pub(crate) record: Option<u64>,
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
    Json(String),
    Xml(String),
    /// What the text layer says of a character.
    Charset(String),
    /// What a format of its own says, such as a record's number and the bytes of a field.
    Other(String),
}

/// Why a file cannot be read with its settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderProblem {
    /// A file of an old Macintosh, or one that lost its line feeds: all of it would be the header.
    #[error(
        "the header holds a carriage return without a line feed: the file's lines end in CR alone, write them with LF or CRLF, or set `csv.line.end: cr`"
    )]
    BareCarriageReturn,
    #[error("two columns are named `{0}`")]
    Twice(String),
    #[error(
        "`csv.types` names the column `{column}`, which the file does not have; its columns are {columns}"
    )]
    NoSuchColumn { column: String, columns: String },
}

impl Bad {
    /// Something at a byte of a record.
    pub(crate) fn at(at: usize, reason: Reason) -> Self {
        Self {
            at,
            reason,
            record: None,
        }
    }

    pub(crate) fn too_long(max: usize, csv: bool) -> Self {
        Self::at(0, Reason::TooLong { max, csv })
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
            Self::Json(why) => write!(f, "it is not JSON: {why}"),
            Self::Xml(why) => write!(f, "it is not XML that can be read: {why}"),
            Self::Charset(why) | Self::Other(why) => f.write_str(why),
        }
    }
}

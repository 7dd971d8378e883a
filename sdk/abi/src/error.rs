//! What can be wrong with bytes, schemas and values.

use std::fmt;

/// Why a batch is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The bytes end inside of something.
    #[error("the batch ends inside of {what} at byte {at}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where it began.
        at: usize,
    },
    /// The format is newer than this build, or no format at all.
    #[error("batch format {found} is not known, this build reads up to {supported}")]
    Format {
        /// What the header says.
        found: u16,
        /// [`crate::BATCH_FORMAT`].
        supported: u16,
    },
    /// A bound of [`crate::batch::Limits`] is passed.
    #[error("{what}: {found} is more than the limit of {limit}")]
    Limit {
        /// The bound's name.
        what: &'static str,
        /// What the batch has.
        found: u64,
        /// The bound.
        limit: u64,
    },
    /// Something contradicts the format.
    #[error("{what} at byte {at}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// A record names a schema handle that nobody registered.
    #[error("record {record} names the unknown schema handle {handle}")]
    UnknownSchema {
        /// The record's index in the batch.
        record: u32,
        /// The handle.
        handle: u32,
    },
    /// A typed value does not fit its schema.
    #[error("the typed {part} of record {record}: {source}")]
    Row {
        /// The record's index in the batch.
        record: u32,
        /// `key`, `value` or `header`.
        part: &'static str,
        /// What is wrong in the row.
        source: RowError,
    },
}

/// A path to a place inside of a value, empty at the top: `.address.lines[3]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
}

impl Path {
    /// Puts a field in front, while an error travels outwards.
    pub(crate) fn in_field(&mut self, name: &str) {
        self.0.push(Step::Field(name.to_owned()));
    }

    /// Puts an index in front, while an error travels outwards.
    pub(crate) fn in_item(&mut self, index: usize) {
        self.0.push(Step::Index(index));
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.0.iter().rev().enumerate() {
            match step {
                Step::Field(name) if n == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        if self.0.is_empty() {
            f.write_str("(top)")?;
        }
        Ok(())
    }
}

macro_rules! located {
    ($(#[$doc:meta])* $error:ident, $located:ident, $problem:ty, $words:literal) => {
        $(#[$doc])*
        ///
        /// One pointer: results that carry it are cheap to hand up.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $error(Box<$located>);

        #[doc = concat!("What a [`", stringify!($error), "`] says; its fields are read through the error itself.")]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $located {
            /// Where in the value.
            pub path: Path,
            /// What is wrong there.
            pub problem: $problem,
        }

        impl $error {
            #[cold]
            pub(crate) fn new(problem: $problem) -> Self {
                Self(Box::new($located { path: Path::default(), problem }))
            }

            #[cold]
            pub(crate) fn in_field(mut self, name: &str) -> Self {
                self.0.path.in_field(name);
                self
            }

            #[cold]
            pub(crate) fn in_item(mut self, index: usize) -> Self {
                self.0.path.in_item(index);
                self
            }
        }

        impl std::ops::Deref for $error {
            type Target = $located;

            fn deref(&self) -> &$located {
                &self.0
            }
        }

        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($words, " `{}`: {}"), self.path, self.problem)
            }
        }

        impl std::error::Error for $error {}
    };
}

located!(
    /// Why the bytes or the value of a typed row do not fit its schema.
    RowError,
    RowFault,
    RowProblem,
    "field"
);
located!(
    /// Why a JSON text is not the JSON of a typed row.
    JsonError,
    JsonFault,
    JsonProblem,
    "field"
);

/// What is wrong at one place of a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowProblem {
    /// The bytes end early.
    #[error("the row ends inside of this value")]
    Truncated,
    /// Bytes are left over.
    #[error("{0} bytes follow the end of the row")]
    Trailing(usize),
    /// A string is not UTF-8.
    #[error("the string is not UTF-8")]
    Utf8,
    /// A flag byte is neither 0 nor 1.
    #[error("byte {0} is not a flag")]
    Flag(u8),
    /// A value is missing where the schema wants one.
    #[error("null or missing, and the schema is not optional")]
    Missing,
    /// A value of another type than the schema's.
    #[error("expected {expected}, got {found}")]
    Type {
        /// The schema's type.
        expected: &'static str,
        /// The value's type.
        found: &'static str,
    },
    /// A number, date or decimal outside of its type's range.
    #[error("the value is out of range for {0}")]
    Range(&'static str),
    /// No such field or position.
    #[error("the schema has no such field")]
    NoField,
    /// A field was set twice.
    #[error("the field is set twice")]
    Twice,
    /// Deeper than [`crate::schema::DEPTH_MAX`].
    #[error("nested too deep")]
    Depth,
    /// Longer than a length field can say.
    #[error("longer than 4 GiB")]
    TooLong,
}

/// What is wrong at one place of a JSON text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonProblem {
    /// The text is not JSON.
    #[error("not valid JSON at byte {at}: {what}")]
    Syntax {
        /// The byte offset.
        at: usize,
        /// What was expected.
        what: &'static str,
    },
    /// The JSON value is of another type than the schema's.
    #[error("expected {expected}, got {found} at byte {at}")]
    Type {
        /// The schema's type.
        expected: &'static str,
        /// The JSON type.
        found: &'static str,
        /// The byte offset.
        at: usize,
    },
    /// The text has the right JSON type and says nothing in the schema's type.
    #[error("not a valid {expected} at byte {at}")]
    Value {
        /// The schema's type.
        expected: &'static str,
        /// The byte offset.
        at: usize,
    },
    /// A field is missing or null where the schema wants a value.
    #[error("null or missing, and the schema is not optional")]
    Missing,
    /// The schema has no such field.
    #[error("the schema has no such field")]
    Unknown,
    /// A field stands twice in an object.
    #[error("the field stands twice")]
    Twice,
    /// The row itself is not valid.
    #[error("{0}")]
    Row(RowProblem),
}

impl From<RowError> for JsonError {
    fn from(error: RowError) -> Self {
        let RowFault { path, problem } = *error.0;
        Self(Box::new(JsonFault {
            path,
            problem: JsonProblem::Row(problem),
        }))
    }
}

/// Why a schema is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The text is not JSON.
    #[error("the schema is not JSON: {0}")]
    Json(String),
    /// The JSON is not Connect's schema JSON.
    #[error("schema of `{place}`: {what}")]
    Shape {
        /// The path of field names, `(top)` at the top.
        place: String,
        /// What is wrong.
        what: String,
    },
}

//! Words that options take.

use linkspan_sdk::prelude::*;

/// How rows are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Mode {
    Bulk,
    Incrementing,
    Timestamp,
    #[option(name = "timestamp+incrementing")]
    TimestampIncrementing,
}

impl Mode {
    pub(crate) const fn has_id(self) -> bool {
        matches!(self, Self::Incrementing | Self::TimestampIncrementing)
    }

    pub(crate) const fn has_timestamp(self) -> bool {
        matches!(self, Self::Timestamp | Self::TimestampIncrementing)
    }
}

/// A word in any case of its letters: the JDBC connector takes `ALWAYS` as well as `always`, the host would not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnyCase<T>(pub(crate) T);

impl<T: OptionValue> OptionValue for AnyCase<T> {
    const KIND: &'static str = T::KIND;

    fn parse(name: &str, text: &str) -> std::result::Result<Self, String> {
        T::parse(name, text).map(Self)
    }
}

/// How strictly transactions are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Isolation {
    Default,
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl Isolation {
    /// Returns its words in SQL, `None` for the server's own.
    pub(crate) const fn sql(self) -> Option<&'static str> {
        match self {
            Self::Default => None,
            Self::ReadUncommitted => Some("READ UNCOMMITTED"),
            Self::ReadCommitted => Some("READ COMMITTED"),
            Self::RepeatableRead => Some("REPEATABLE READ"),
            Self::Serializable => Some("SERIALIZABLE"),
        }
    }
}

/// Whether identifiers are quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Quote {
    Always,
    Never,
    /// The words of Aiven's connector.
    True,
    False,
}

/// The calendar of dates before 1582.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Calendar {
    ProlepticGregorian,
}

/// The types of tables that are told apart.
pub(crate) const TABLE_TYPES: [&str; 5] = [
    "TABLE",
    "PARTITIONED TABLE",
    "VIEW",
    "MATERIALIZED VIEW",
    "FOREIGN TABLE",
];

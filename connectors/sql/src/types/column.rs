//! A column of a table, as the catalog describes it.

/// A column and everything that reading and writing it needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The type as the server writes it, with length and precision: `character varying(5)`.
    pub(crate) type_name: String,
    /// The same without length and precision, for casts that must not cut: `character varying`.
    pub(crate) base_type: String,
    pub(crate) kind: ColumnKind,
    pub(crate) nullable: bool,
    /// The server fills it in when a statement leaves it out: a default, a serial, an identity, an auto increment.
    pub(crate) has_default: bool,
    /// The server computes it; nothing may be written.
    pub(crate) generated: bool,
    /// The server numbers it (identity, serial, auto increment, SQLite's rowid).
    pub(crate) numbered: bool,
    /// `GENERATED ALWAYS AS IDENTITY`: writing needs `OVERRIDING SYSTEM VALUE`.
    pub(crate) identity_always: bool,
    /// The most characters of a text.
    pub(crate) length_max: Option<u32>,
    /// The words of an enum or set.
    pub(crate) words: Vec<String>,
    /// MySQL's character set of a text.
    pub(crate) charset: Option<String>,
    /// Texts that differ for us may be equal for the server (`…_ci`, nondeterministic collations, `citext`).
    pub(crate) folds_text: bool,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    Boolean,
    /// `bits` is 8, 16, 24, 32 or 64.
    Int {
        bits: u8,
        unsigned: bool,
    },
    Float32,
    Float64,
    /// `None`: of any size (PostgreSQL's bare `numeric`).
    Decimal {
        precision: Option<u32>,
        scale: i32,
    },
    Text,
    Bytes,
    Date,
    /// With or without a zone.
    Time {
        zone: bool,
    },
    /// With or without a zone. MySQL's `TIMESTAMP` has one (it is an instant), its `DATETIME` has none.
    Timestamp {
        zone: bool,
    },
    Year,
    Interval,
    Uuid,
    Json,
    Xml,
    Enum,
    Set,
    /// A string of bits.
    Bit {
        length: u32,
    },
    Array(Box<ColumnKind>),
    Hstore,
    /// SQLite's column without a type, or one of affinity NUMERIC: each cell has a type of its own.
    Any,
    /// A type that is passed through as text.
    Other,
}

impl ColumnKind {
    pub(crate) const INT16: Self = Self::int(16);
    pub(crate) const INT32: Self = Self::int(32);
    pub(crate) const INT64: Self = Self::int(64);

    pub(crate) const fn int(bits: u8) -> Self {
        Self::Int {
            bits,
            unsigned: false,
        }
    }
}

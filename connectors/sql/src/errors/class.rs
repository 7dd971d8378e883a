//! Codes of the three databases, sorted by what has to be done.

use linkspan_sdk::ErrorKind;

/// What kind of trouble it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// No connection, or it broke, or the server is starting or stopping.
    Unavailable,
    /// Too many connections, or out of memory or disk over there.
    Crowded,
    /// Deadlock, serialization, lock timeout: the same once more.
    Busy,
    /// The connection is out of step.
    Protocol,
    /// User or password refused, or TLS.
    Login,
    /// The certificate of the server is not one that the options trust.
    Certificate,
    MissingDatabase,
    MissingTable,
    MissingColumn,
    Privilege,
    /// The database takes no writes.
    ReadOnly,
    Syntax,
    /// ON CONFLICT needs a unique index that is not there.
    NoUniqueIndex,
    /// One statement touches a row twice.
    TwiceInOne,
    TooLong,
    OutOfRange,
    /// A value that is not of the column's type.
    BadValue,
    /// Text that the table's character set does not have.
    BadText,
    NotNull,
    Unique,
    ForeignKey,
    Check,
    /// A trigger or the like refused the row.
    Refused,
    Unsupported,
    /// Somebody else holds what this task wrote to.
    Fenced,
    Internal,
}

impl Class {
    pub(crate) const fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::Unavailable | Self::Crowded | Self::Busy | Self::Protocol
        )
    }

    pub(crate) const fn is_of_record(self) -> bool {
        matches!(
            self,
            Self::TooLong
                | Self::OutOfRange
                | Self::BadValue
                | Self::BadText
                | Self::NotNull
                | Self::Unique
                | Self::ForeignKey
                | Self::Check
                | Self::Refused
        )
    }

    /// Whether the server's words for it may hold values of records.
    pub(super) const fn may_show_values(self) -> bool {
        self.is_of_record() || matches!(self, Self::TwiceInOne | Self::Internal)
    }

    pub(crate) const fn kind(self) -> ErrorKind {
        match self {
            Self::Unavailable | Self::Crowded | Self::Busy | Self::Protocol | Self::ReadOnly => {
                ErrorKind::Unavailable
            }
            Self::Login | Self::Certificate | Self::Privilege => ErrorKind::Permission,
            Self::MissingDatabase | Self::MissingTable | Self::MissingColumn => ErrorKind::NotFound,
            Self::Syntax | Self::NoUniqueIndex => ErrorKind::ConfigInvalid,
            Self::Unsupported => ErrorKind::Unsupported,
            Self::Fenced => ErrorKind::Conflict,
            Self::TooLong
            | Self::OutOfRange
            | Self::BadValue
            | Self::BadText
            | Self::NotNull
            | Self::Unique
            | Self::ForeignKey
            | Self::Check
            | Self::Refused => ErrorKind::DataInvalid,
            Self::TwiceInOne | Self::Internal => ErrorKind::Internal,
        }
    }
}

/// What the driver itself says.
pub(super) fn of_driver(error: &sqlx::Error) -> Class {
    match error {
        // It comes out of the first read: the driver has no word of its own for it.
        sqlx::Error::Io(io)
            if io.kind() == std::io::ErrorKind::InvalidData
                && io.to_string().contains("certificate") =>
        {
            Class::Certificate
        }
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Class::Unavailable,
        sqlx::Error::Protocol(_) => Class::Protocol,
        sqlx::Error::Tls(_) => Class::Login,
        sqlx::Error::Configuration(_) => Class::Syntax,
        sqlx::Error::TypeNotFound { .. } => Class::Unsupported,
        _ => Class::Internal,
    }
}

/// <https://www.postgresql.org/docs/15/errcodes-appendix.html>
pub(super) fn of_postgres(code: &str) -> Class {
    match code {
        "40001" | "40P01" | "55P03" | "57014" => Class::Busy,
        "53300" => Class::Crowded,
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04" => Class::Unavailable,
        "28000" | "28P01" => Class::Login,
        "3D000" | "57P04" => Class::MissingDatabase,
        "42P01" | "3F000" => Class::MissingTable,
        "42703" => Class::MissingColumn,
        "42501" => Class::Privilege,
        "25006" => Class::ReadOnly,
        "42P10" => Class::NoUniqueIndex,
        "21000" => Class::TwiceInOne,
        "22001" => Class::TooLong,
        "22003" | "22008" => Class::OutOfRange,
        "22021" | "22P05" => Class::BadText,
        "23502" => Class::NotNull,
        "23505" | "23P01" => Class::Unique,
        "23503" => Class::ForeignKey,
        "23514" | "44000" => Class::Check,
        "42804" | "42846" => Class::BadValue,
        "P0001" | "P0004" => Class::Refused,
        "0A000" | "42704" | "42883" => Class::Unsupported,
        _ => match code.get(..2) {
            Some("08") => Class::Unavailable,
            Some("53") => Class::Crowded,
            Some("22") => Class::BadValue,
            Some("23") => Class::Check,
            Some("42" | "26") => Class::Syntax,
            _ => Class::Internal,
        },
    }
}

/// <https://mariadb.com/kb/en/mariadb-error-code-reference/>
pub(super) fn of_mysql(number: u16) -> Class {
    match number {
        1205 | 1213 | 1020 => Class::Busy,
        1040 | 1203 | 1226 | 1021 | 1037 | 1041 | 1114 => Class::Crowded,
        1053 | 1077 | 1079 | 1080 | 1152 | 1158..=1161 | 1184 | 1927 | 1317 | 3024 | 1969 => {
            Class::Unavailable
        }
        1045 | 1251 | 1698 | 1862 | 1820 | 2049 => Class::Login,
        1049 => Class::MissingDatabase,
        1146 | 1051 => Class::MissingTable,
        1054 => Class::MissingColumn,
        1044 | 1142 | 1143 | 1227 | 1370 => Class::Privilege,
        1290 | 1792 | 1836 => Class::ReadOnly,
        1406 => Class::TooLong,
        1264 | 1690 => Class::OutOfRange,
        1292 | 1265 | 1366 | 1367 | 1411 | 3140..=3157 | 4038 | 1524 | 1525 => Class::BadValue,
        1300 | 3854 | 1977 => Class::BadText,
        1048 | 1364 => Class::NotNull,
        1022 | 1062 | 1169 | 1586 => Class::Unique,
        1216 | 1217 | 1451 | 1452 => Class::ForeignKey,
        3819 | 4025 => Class::Check,
        1644 | 1643 => Class::Refused,
        1064 | 1149 => Class::Syntax,
        1235 => Class::Unsupported,
        1153 => Class::TooLong,
        _ => Class::Internal,
    }
}

/// <https://www.sqlite.org/rescode.html>; for the general error its words decide.
pub(super) fn of_sqlite(code: u32, message: &str) -> Class {
    match code {
        275 => Class::Check,
        787 => Class::ForeignKey,
        1299 => Class::NotNull,
        1555 | 2067 | 2579 => Class::Unique,
        1811 => Class::Refused,
        3091 => Class::BadValue,
        _ => match code & 0xff {
            5 | 6 => Class::Busy,
            3 | 23 => Class::Privilege,
            7 | 13 => Class::Crowded,
            8 => Class::ReadOnly,
            10 => Class::Unavailable,
            14 => Class::MissingDatabase,
            18 => Class::TooLong,
            19 => Class::Check,
            20 => Class::BadValue,
            1 if message.contains("no such table") => Class::MissingTable,
            1 if message.contains("no such column") || message.contains("has no column named") => {
                Class::MissingColumn
            }
            1 if message.contains("ON CONFLICT clause does not match") => Class::NoUniqueIndex,
            1 => Class::Syntax,
            _ => Class::Internal,
        },
    }
}

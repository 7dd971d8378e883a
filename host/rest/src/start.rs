//! Where reading begins: `earliest`, `latest`, an offset, or a time.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// A start position as a person writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The first record that is kept.
    Earliest,
    /// Only records that come after now.
    Latest,
    /// This offset in every partition.
    Offset(i64),
    /// The first record at or after this time, in milliseconds since 1970 UTC.
    Time(i64),
}

/// The text is no start position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no start: use `earliest`, `latest`, an offset like `42`, or a time like `2026-11-01T00:00:00Z` or `2026-11-01` (UTC)"
)]
pub struct FromError(String);

impl FromStr for From {
    type Err = FromError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "earliest" => return Ok(Self::Earliest),
            "latest" => return Ok(Self::Latest),
            _ => {}
        }
        if let Ok(offset) = text.parse::<i64>() {
            return if offset >= 0 {
                Ok(Self::Offset(offset))
            } else {
                Err(FromError(text.to_owned()))
            };
        }
        let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.timestamp_millis());
        let local = || {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S")
                .map(|time| time.and_utc().timestamp_millis())
        };
        let day = || {
            NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|day| {
                day.and_time(chrono::NaiveTime::MIN)
                    .and_utc()
                    .timestamp_millis()
            })
        };
        zoned
            .or_else(|_| local())
            .or_else(|_| day())
            .map(Self::Time)
            .map_err(|_| FromError(text.to_owned()))
    }
}

impl std::fmt::Display for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::Offset(offset) => write!(f, "{offset}"),
            Self::Time(ms) => match DateTime::from_timestamp_millis(*ms) {
                Some(time) => write!(f, "{}", time.format("%Y-%m-%dT%H:%M:%S%.3fZ")),
                None => write!(f, "{ms}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_read_as_people_write_them() {
        for (text, expected) in [
            ("earliest", Some(From::Earliest)),
            ("latest", Some(From::Latest)),
            ("42", Some(From::Offset(42))),
            ("1970-01-01T00:00:01Z", Some(From::Time(1000))),
            ("1970-01-01T00:00:01.500+00:00", Some(From::Time(1500))),
            ("1970-01-01T00:00:01", Some(From::Time(1000))),
            ("1970-01-02", Some(From::Time(86_400_000))),
            ("-1", None),
            ("yesterday", None),
        ] {
            assert_eq!(text.parse::<From>().ok(), expected, "{text}");
        }
    }
}

//! Values by which newer records are known: times, numbers, texts.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use linkspan_sdk::OptionValue;
use serde_json::Value as Json;

use super::options::CursorType;

/// A number below this is seconds since 1970, from this on milliseconds: the year 5138 in seconds, 1973 in milliseconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// A value of a cursor. Only values of one type are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CursorValue {
    /// Microseconds since 1970.
    Time(i64),
    Number(i64),
    Text(String),
}

impl CursorValue {
    /// Reads a configured or stored text.
    pub(crate) fn parse(kind: CursorType, text: &str) -> Option<Self> {
        match kind {
            CursorType::Datetime => time(text).map(Self::Time),
            CursorType::Integer => text.trim().parse().ok().map(Self::Number),
            CursorType::String => Some(Self::Text(text.to_owned())),
        }
    }

    /// Reads a field of a record.
    pub(crate) fn of_field(kind: CursorType, field: &Json) -> Option<Self> {
        match field {
            Json::String(text) => Self::parse(kind, text),
            Json::Number(_) => Self::parse(kind, &field.to_string()),
            Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
        }
    }

    /// Writes the value so that `parse` reads it.
    pub(crate) fn stored(&self) -> String {
        match self {
            Self::Time(micros) => date(*micros).map_or_else(
                || micros.to_string(),
                |date| date.to_rfc3339_opts(SecondsFormat::Micros, true),
            ),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    /// Writes the value for a template.
    pub(crate) fn shown(&self, format: &Format) -> String {
        let Self::Time(micros) = self else {
            return self.stored();
        };
        let Some(date) = date(*micros) else {
            return self.stored();
        };
        match format {
            Format::Rfc3339 => date.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            Format::Epoch => date.timestamp().to_string(),
            Format::EpochMs => date.timestamp_millis().to_string(),
            Format::Pattern(pattern) => date.format(pattern).to_string(),
        }
    }

    /// Returns the value that is so much less; a text has no such value.
    pub(crate) fn minus(&self, step: Option<Step>) -> Self {
        match (self, step) {
            (Self::Time(micros), Some(Step::Time(time))) => {
                Self::Time(micros.saturating_sub(micros_of(time)))
            }
            (Self::Number(number), Some(Step::Number(less))) => {
                Self::Number(number.saturating_sub(less))
            }
            (value, _) => value.clone(),
        }
    }

    /// Returns the time that is so much later; anything else stays.
    pub(crate) fn plus(&self, time: Duration) -> Self {
        match self {
            Self::Time(micros) => Self::Time(micros.saturating_add(micros_of(time))),
            value => value.clone(),
        }
    }
}

/// A distance between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Time(Duration),
    Number(i64),
}

impl OptionValue for Step {
    const KIND: &'static str = "string";

    fn parse(name: &str, text: &str) -> Result<Self, String> {
        if let Ok(number) = text.trim().parse::<i64>() {
            return if number < 0 {
                Err("a duration such as `1h`, or a number from 0".to_owned())
            } else {
                Ok(Self::Number(number))
            };
        }
        Duration::parse(name, text).map(Self::Time)
    }
}

/// How times are written in templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    Rfc3339,
    Epoch,
    EpochMs,
    Pattern(String),
}

impl OptionValue for Format {
    const KIND: &'static str = "string";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        let valid = || {
            chrono::format::StrftimeItems::new(text).all(|item| item != chrono::format::Item::Error)
        };
        match text.trim() {
            "rfc3339" => Ok(Self::Rfc3339),
            "epoch" => Ok(Self::Epoch),
            "epoch_ms" => Ok(Self::EpochMs),
            pattern if pattern.contains('%') && valid() => Ok(Self::Pattern(pattern.to_owned())),
            _ => Err("`rfc3339`, `epoch`, `epoch_ms` or a pattern such as `%Y-%m-%d`".to_owned()),
        }
    }
}

fn micros_of(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn date(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}

/// Reads a time in microseconds: RFC 3339, a date and time or a date without a zone (UTC), seconds or milliseconds since 1970.
pub(crate) fn time(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>() {
        let micros = if number.abs() < MILLISECONDS_FROM {
            number.checked_mul(1_000_000)
        } else {
            number.checked_mul(1_000)
        };
        return micros.filter(|micros| date(*micros).is_some());
    }
    if let Ok(date) = DateTime::parse_from_rfc3339(text) {
        return Some(date.timestamp_micros());
    }
    for pattern in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"] {
        if let Ok(date) = NaiveDateTime::parse_from_str(text, pattern) {
            return Some(date.and_utc().timestamp_micros());
        }
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
}

/// Returns now as a value.
pub(crate) fn now() -> CursorValue {
    CursorValue::Time(Utc::now().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_ways_of_apis_and_written_back() {
        let check = |text: &str, stored: Option<&str>| {
            let value = CursorValue::parse(CursorType::Datetime, text);
            assert_eq!(
                value.as_ref().map(CursorValue::stored).as_deref(),
                stored,
                "{text}"
            );
            if let Some(value) = value {
                assert_eq!(
                    CursorValue::parse(CursorType::Datetime, &value.stored()),
                    Some(value)
                );
            }
        };
        check("2024-05-01T10:00:00Z", Some("2024-05-01T10:00:00.000000Z"));
        check(
            "2024-05-01T19:00:00.123456+09:00",
            Some("2024-05-01T10:00:00.123456Z"),
        );
        check("2024-05-01 10:00:00", Some("2024-05-01T10:00:00.000000Z"));
        check("2024-05-01", Some("2024-05-01T00:00:00.000000Z"));
        check("1714557600", Some("2024-05-01T10:00:00.000000Z"));
        check("1714557600123", Some("2024-05-01T10:00:00.123000Z"));
        check("yesterday", None);
        check("99999999999999999", None);
    }

    #[test]
    fn values_are_shown_as_the_api_wants_them() {
        let value = CursorValue::parse(CursorType::Datetime, "2024-05-01T10:00:00.5Z").unwrap();
        let shown =
            |format: &str| value.shown(&<Format as OptionValue>::parse("", format).unwrap());
        assert_eq!(shown("rfc3339"), "2024-05-01T10:00:00.500Z");
        assert_eq!(shown("epoch"), "1714557600");
        assert_eq!(shown("epoch_ms"), "1714557600500");
        assert_eq!(shown("%Y/%m/%d"), "2024/05/01");
        assert!(<Format as OptionValue>::parse("", "%Q").is_err());
        assert_eq!(
            value
                .minus(Some(Step::Time(Duration::from_secs(60))))
                .shown(&Format::Epoch),
            "1714557540"
        );
        assert_eq!(
            CursorValue::Number(5).minus(Some(Step::Number(7))),
            CursorValue::Number(-2)
        );
    }
}

//! Places in a table: a number, a timestamp, or both; in the words of the JDBC connector's offsets.

use serde_json::{Map, Value};

use crate::types::read::{Zone, micros_of_instant};

/// A place in the order in which rows are read. A missing part is smaller than any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub(crate) struct Position {
    /// Microseconds of the timestamp column: of an instant, or of its wall clock where the column has no zone.
    pub(crate) micros: Option<i64>,
    /// The incrementing column.
    pub(crate) id: Option<i64>,
}

impl Position {
    #[cfg(test)]
    pub(crate) const fn id(id: i64) -> Self {
        Self {
            micros: None,
            id: Some(id),
        }
    }

    /// All rows up to and with a timestamp.
    pub(crate) const fn through(micros: i64) -> Self {
        Self {
            micros: Some(micros),
            id: None,
        }
    }

    /// Adds the members of an offset: `incrementing`, `timestamp` (milliseconds of an instant), `timestamp_nanos` (of its second).
    pub(crate) fn write(self, zone: Option<Zone>, offset: &mut Map<String, Value>) {
        if let Some(id) = self.id {
            offset.insert("incrementing".to_owned(), id.into());
        }
        if let Some(micros) = self.micros {
            let instant = zone.and_then(|zone| zone.instant(micros)).unwrap_or(micros);
            offset.insert("timestamp".to_owned(), instant.div_euclid(1000).into());
            offset.insert(
                "timestamp_nanos".to_owned(),
                (instant.rem_euclid(1_000_000) * 1000).into(),
            );
        }
    }

    /// Reads the same; an offset of the JDBC connector has no other members.
    pub(crate) fn read(zone: Option<Zone>, offset: &Map<String, Value>) -> Self {
        let number = |key: &str| offset.get(key).and_then(Value::as_i64);
        let micros = number("timestamp")
            .and_then(|millis| micros_of_instant(millis, number("timestamp_nanos")))
            .map(|instant| zone.and_then(|zone| zone.wall(instant)).unwrap_or(instant));
        Self {
            micros,
            id: number("incrementing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_those_of_the_jdbc_connector() {
        let mut offset = Map::new();
        let position = Position {
            micros: Some(1_500_000_000_123_456),
            id: Some(7),
        };
        position.write(None, &mut offset);
        let text = r#"{"incrementing":7,"timestamp":1500000000123,"timestamp_nanos":123456000}"#;
        assert_eq!(Value::Object(offset.clone()).to_string(), text);
        assert_eq!(Position::read(None, &offset), position);
        // Of a column without a zone the wall clock counts, the offset holds the instant.
        let seoul: Zone = "Asia/Seoul".parse().unwrap();
        let read = Position::read(Some(seoul), &offset);
        assert_eq!(read.micros, Some(1_500_000_000_123_456 + 9 * 3_600_000_000));
        let mut back = Map::new();
        read.write(Some(seoul), &mut back);
        assert_eq!(back, offset);
    }

    #[test]
    fn a_missing_part_is_smallest() {
        assert!(Position::default() < Position::id(i64::MIN));
        assert!(
            Position::through(5)
                < Position {
                    micros: Some(5),
                    id: Some(0)
                }
        );
        assert!(
            Position {
                micros: Some(5),
                id: Some(9)
            } < Position::through(6)
        );
    }
}

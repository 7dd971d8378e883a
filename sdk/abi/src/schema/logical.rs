//! Logical types: a meaning given to a physical type by the schema's name.

use super::{Kind, Schema};

/// The parameter that holds a decimal's scale.
pub(crate) const DECIMAL_SCALE: &str = "scale";
/// The largest absolute scale of a decimal.
pub(crate) const DECIMAL_SCALE_MAX: i32 = 2_000;
/// The longest unscaled number of a decimal.
pub(crate) const DECIMAL_BYTES_MAX: usize = 1_024;
/// A day in milliseconds: a time is below it.
pub(crate) const DAY_MS: i32 = 86_400_000;

/// The meaning of a value beyond its physical type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logical {
    /// Bytes hold an unscaled number; the value is it times 10 to the power of minus `scale`.
    Decimal {
        /// Digits after the point.
        scale: i32,
    },
    /// An int32 counts days since 1970-01-01.
    Date,
    /// An int32 counts milliseconds since midnight.
    Time,
    /// An int64 counts milliseconds since 1970-01-01T00:00:00Z.
    Timestamp,
    /// An int64 counts microseconds since 1970-01-01T00:00:00Z.
    TimestampMicros,
    /// An int64 counts nanoseconds since 1970-01-01T00:00:00Z.
    TimestampNanos,
}

impl Logical {
    /// The schema name of a decimal.
    pub const DECIMAL: &'static str = "org.apache.kafka.connect.data.Decimal";
    /// The schema name of a date.
    pub const DATE: &'static str = "org.apache.kafka.connect.data.Date";
    /// The schema name of a time.
    pub const TIME: &'static str = "org.apache.kafka.connect.data.Time";
    /// The schema name of a timestamp in milliseconds.
    pub const TIMESTAMP: &'static str = "org.apache.kafka.connect.data.Timestamp";
    /// The schema name of a timestamp in microseconds.
    pub const TIMESTAMP_MICROS: &'static str = "linkspan.TimestampMicros";
    /// The schema name of a timestamp in nanoseconds.
    pub const TIMESTAMP_NANOS: &'static str = "linkspan.TimestampNanos";
}

impl Schema {
    /// Returns the logical type, where name and physical type are one's.
    #[must_use]
    pub fn logical(&self) -> Option<Logical> {
        let name = self.name.as_deref()?;
        match (name, &self.kind) {
            (Logical::DECIMAL, Kind::Bytes) => Some(Logical::Decimal {
                scale: self.decimal_scale()?,
            }),
            (Logical::DATE, Kind::Int32) => Some(Logical::Date),
            (Logical::TIME, Kind::Int32) => Some(Logical::Time),
            (Logical::TIMESTAMP, Kind::Int64) => Some(Logical::Timestamp),
            (Logical::TIMESTAMP_MICROS, Kind::Int64) => Some(Logical::TimestampMicros),
            (Logical::TIMESTAMP_NANOS, Kind::Int64) => Some(Logical::TimestampNanos),
            _ => None,
        }
    }

    fn decimal_scale(&self) -> Option<i32> {
        let scale: i32 = self.parameters.get(DECIMAL_SCALE)?.parse().ok()?;
        (-DECIMAL_SCALE_MAX..=DECIMAL_SCALE_MAX)
            .contains(&scale)
            .then_some(scale)
    }
}

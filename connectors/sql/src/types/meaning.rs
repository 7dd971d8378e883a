//! What a Connect schema means, whoever named it: Connect's logical types, Debezium's and linkspan's own.

use linkspan_sdk::{Kind, Logical, Schema};

/// The meaning of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Text,
    Bytes,
    /// Bytes that are an unscaled number.
    Decimal {
        scale: i32,
        precision: Option<u32>,
    },
    /// A struct of `scale` and `value` (Debezium's `VariableScaleDecimal`).
    VariableDecimal,
    /// Days since 1970.
    Date,
    /// A time of day in these units.
    Time(Unit),
    /// An instant: time since 1970 in Greenwich, in these units. Connect's own or linkspan's, see `zoned`.
    Timestamp(Unit),
    /// Date and time on a wall without a zone, counted as if the wall were in Greenwich (Debezium's).
    LocalTimestamp(Unit),
    /// Text such as `2013-01-01T05:15:00Z`.
    ZonedTimestamp,
    /// Text such as `05:15:00+09:00`.
    ZonedTime,
    Year,
    /// Microseconds.
    Duration,
    /// Text such as `P1DT2H`.
    Interval,
    Uuid,
    Json,
    Xml,
    Enum,
    EnumSet,
    /// Bits, the lowest byte first.
    Bits,
    Array(Box<Self>),
    Map,
    Struct,
}

/// Units of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// A column that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) meaning: Meaning,
    /// Part of the primary key: MySQL indexes no text without a length.
    pub(crate) key: bool,
}

/// The parameter with which sources name a decimal's precision.
const PRECISION: &str = "connect.decimal.precision";

impl Meaning {
    /// Reads a schema.
    pub(crate) fn of(schema: &Schema) -> Self {
        match schema.logical() {
            Some(Logical::Decimal { scale }) => {
                let precision = schema
                    .parameters
                    .get(PRECISION)
                    .and_then(|text| text.parse().ok());
                return Self::Decimal { scale, precision };
            }
            Some(Logical::Date) => return Self::Date,
            Some(Logical::Time) => return Self::Time(Unit::Millis),
            Some(Logical::Timestamp) => return Self::Timestamp(Unit::Millis),
            Some(Logical::TimestampMicros) => return Self::Timestamp(Unit::Micros),
            Some(Logical::TimestampNanos) => return Self::Timestamp(Unit::Nanos),
            None => {}
        }
        if let Some(meaning) = schema
            .name
            .as_deref()
            .and_then(|name| named(name, &schema.kind))
        {
            return meaning;
        }
        match &schema.kind {
            Kind::Int8 => Self::Int8,
            Kind::Int16 => Self::Int16,
            Kind::Int32 => Self::Int32,
            Kind::Int64 => Self::Int64,
            Kind::Float32 => Self::Float32,
            Kind::Float64 => Self::Float64,
            Kind::Boolean => Self::Boolean,
            Kind::String => Self::Text,
            Kind::Bytes => Self::Bytes,
            Kind::Array(items) => Self::Array(Box::new(Self::of(items))),
            Kind::Map(..) => Self::Map,
            Kind::Struct(_) => Self::Struct,
        }
    }
}

impl Meaning {
    /// Whether an array of it is an array for PostgreSQL; of anything nested it is JSON.
    pub(crate) const fn is_scalar(&self) -> bool {
        !matches!(self, Self::Array(_) | Self::Map | Self::Struct)
    }
}

/// Debezium's names, each with the physical type it belongs to.
fn named(name: &str, kind: &Kind) -> Option<Meaning> {
    Some(match (name, kind) {
        ("io.debezium.time.Date", Kind::Int32) => Meaning::Date,
        ("io.debezium.time.Time", Kind::Int32) => Meaning::Time(Unit::Millis),
        ("io.debezium.time.MicroTime", Kind::Int64) => Meaning::Time(Unit::Micros),
        ("io.debezium.time.NanoTime", Kind::Int64) => Meaning::Time(Unit::Nanos),
        ("io.debezium.time.Timestamp", Kind::Int64) => Meaning::LocalTimestamp(Unit::Millis),
        ("io.debezium.time.MicroTimestamp", Kind::Int64) => Meaning::LocalTimestamp(Unit::Micros),
        ("io.debezium.time.NanoTimestamp", Kind::Int64) => Meaning::LocalTimestamp(Unit::Nanos),
        ("io.debezium.time.ZonedTimestamp", Kind::String) => Meaning::ZonedTimestamp,
        ("io.debezium.time.ZonedTime", Kind::String) => Meaning::ZonedTime,
        ("io.debezium.time.Year", Kind::Int32) => Meaning::Year,
        ("io.debezium.time.MicroDuration", Kind::Int64) => Meaning::Duration,
        ("io.debezium.time.Interval", Kind::String) => Meaning::Interval,
        ("io.debezium.data.Uuid", Kind::String) => Meaning::Uuid,
        ("io.debezium.data.Json", Kind::String) => Meaning::Json,
        ("io.debezium.data.Xml", Kind::String) => Meaning::Xml,
        ("io.debezium.data.Enum", Kind::String) => Meaning::Enum,
        ("io.debezium.data.EnumSet", Kind::String) => Meaning::EnumSet,
        ("io.debezium.data.Bits", Kind::Bytes) => Meaning::Bits,
        ("io.debezium.data.VariableScaleDecimal", Kind::Struct(_)) => Meaning::VariableDecimal,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use linkspan_sdk::SchemaBuilder;

    use super::*;

    #[test]
    fn schemas_mean_what_their_names_say() {
        let check = |schema: SchemaBuilder, expected: Meaning| {
            assert_eq!(Meaning::of(&schema.build()), expected);
        };
        check(SchemaBuilder::int32(), Meaning::Int32);
        check(SchemaBuilder::date(), Meaning::Date);
        check(
            SchemaBuilder::int64().name("io.debezium.time.MicroTimestamp"),
            Meaning::LocalTimestamp(Unit::Micros),
        );
        // A name on another physical type means nothing.
        check(
            SchemaBuilder::string().name("io.debezium.time.MicroTimestamp"),
            Meaning::Text,
        );
        check(
            SchemaBuilder::decimal(2).parameter(PRECISION, "9"),
            Meaning::Decimal {
                scale: 2,
                precision: Some(9),
            },
        );
        check(
            SchemaBuilder::array(SchemaBuilder::string().build()),
            Meaning::Array(Box::new(Meaning::Text)),
        );
    }
}

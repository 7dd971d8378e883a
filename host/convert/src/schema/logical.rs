//! Logical types: a meaning given to a physical type by the schema's name.

use super::{Kind, Schema};

/// The parameter that holds a decimal's scale.
const DECIMAL_SCALE: &str = "scale";

/// Connect's logical types. `linkspan.TimestampMicros` and `…Nanos` are int64 with a name here, as any foreign type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Logical {
    /// Bytes that hold an unscaled number; the parameter `scale` says how many digits stand after the point.
    Decimal,
    /// An int32 of days since 1970-01-01.
    Date,
    /// An int32 of milliseconds since midnight.
    Time,
    /// An int64 of milliseconds since 1970-01-01T00:00:00Z.
    Timestamp,
}

impl Logical {
    /// The schema name of a decimal.
    pub const DECIMAL: &'static str = "org.apache.kafka.connect.data.Decimal";
    /// The schema name of a date.
    pub const DATE: &'static str = "org.apache.kafka.connect.data.Date";
    /// The schema name of a time.
    pub const TIME: &'static str = "org.apache.kafka.connect.data.Time";
    /// The schema name of a timestamp.
    pub const TIMESTAMP: &'static str = "org.apache.kafka.connect.data.Timestamp";

    /// Returns the logical type of a schema name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            Self::DECIMAL => Some(Self::Decimal),
            Self::DATE => Some(Self::Date),
            Self::TIME => Some(Self::Time),
            Self::TIMESTAMP => Some(Self::Timestamp),
            _ => None,
        }
    }
}

impl Schema {
    /// Returns the logical type that the name says, whatever the physical type.
    ///
    /// Connect decides by the name alone; a schema whose physical type contradicts it has no valid values.
    #[must_use]
    pub fn logical(&self) -> Option<Logical> {
        Logical::from_name(self.name.as_deref()?)
    }

    /// Returns a decimal's scale, `None` where the parameter is missing or no number.
    #[must_use]
    pub fn decimal_scale(&self) -> Option<i32> {
        self.parameters.get(DECIMAL_SCALE)?.parse().ok()
    }

    /// Returns a required decimal schema.
    #[must_use]
    pub fn decimal(scale: i32) -> Self {
        let mut schema = Self::new(Kind::Bytes)
            .with_name(Logical::DECIMAL)
            .with_version(1);
        schema.parameters.set(DECIMAL_SCALE, scale.to_string());
        schema
    }

    /// Returns a required date schema.
    #[must_use]
    pub fn date() -> Self {
        Self::new(Kind::Int32)
            .with_name(Logical::DATE)
            .with_version(1)
    }

    /// Returns a required time schema.
    #[must_use]
    pub fn time() -> Self {
        Self::new(Kind::Int32)
            .with_name(Logical::TIME)
            .with_version(1)
    }

    /// Returns a required timestamp schema.
    #[must_use]
    pub fn timestamp() -> Self {
        Self::new(Kind::Int64)
            .with_name(Logical::TIMESTAMP)
            .with_version(1)
    }
}

//! Building schemas in code.

use std::sync::Arc;

use super::{Field, Kind, Logical, Schema, logical::DECIMAL_SCALE};
use crate::value::Value;

/// Builds a schema step by step.
#[derive(Debug, Clone)]
pub struct SchemaBuilder(Schema);

macro_rules! primitive {
    ($($name:ident => $kind:ident),* $(,)?) => {$(
        #[doc = concat!("Starts a required `", stringify!($kind), "` schema.")]
        #[must_use]
        pub const fn $name() -> Self {
            Self::of(Kind::$kind)
        }
    )*};
}

impl SchemaBuilder {
    primitive! {
        int8 => Int8, int16 => Int16, int32 => Int32, int64 => Int64, float32 => Float32, float64 => Float64,
        boolean => Boolean, string => String, bytes => Bytes,
    }

    /// Starts a required schema of a kind.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        Self(Schema::new(kind))
    }

    /// Starts an array.
    #[must_use]
    pub fn array(items: impl Into<Arc<Schema>>) -> Self {
        Self::of(Kind::Array(items.into()))
    }

    /// Starts a map.
    #[must_use]
    pub fn map(keys: impl Into<Arc<Schema>>, values: impl Into<Arc<Schema>>) -> Self {
        Self::of(Kind::Map(keys.into(), values.into()))
    }

    /// Starts a struct.
    #[must_use]
    pub const fn structure() -> Self {
        Self::of(Kind::Struct(Vec::new()))
    }

    /// Starts a decimal with a scale.
    #[must_use]
    pub fn decimal(scale: i32) -> Self {
        Self::of(Kind::Bytes)
            .name(Logical::DECIMAL)
            .version(1)
            .parameter(DECIMAL_SCALE, &scale.to_string())
    }

    /// Starts a date: days since 1970-01-01.
    #[must_use]
    pub fn date() -> Self {
        Self::of(Kind::Int32).name(Logical::DATE).version(1)
    }

    /// Starts a time: milliseconds since midnight.
    #[must_use]
    pub fn time() -> Self {
        Self::of(Kind::Int32).name(Logical::TIME).version(1)
    }

    /// Starts a timestamp in milliseconds.
    #[must_use]
    pub fn timestamp() -> Self {
        Self::of(Kind::Int64).name(Logical::TIMESTAMP).version(1)
    }

    /// Starts a timestamp in microseconds.
    #[must_use]
    pub fn timestamp_micros() -> Self {
        Self::of(Kind::Int64)
            .name(Logical::TIMESTAMP_MICROS)
            .version(1)
    }

    /// Starts a timestamp in nanoseconds.
    #[must_use]
    pub fn timestamp_nanos() -> Self {
        Self::of(Kind::Int64)
            .name(Logical::TIMESTAMP_NANOS)
            .version(1)
    }

    /// Appends a field; a schema that is not a struct becomes one.
    #[must_use]
    pub fn field(mut self, name: &str, schema: impl Into<Arc<Schema>>) -> Self {
        let field = Field {
            name: name.to_owned(),
            schema: schema.into(),
        };
        match &mut self.0.kind {
            Kind::Struct(fields) => fields.push(field),
            kind => *kind = Kind::Struct(vec![field]),
        }
        self
    }

    /// Makes it optional.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.0.optional = true;
        self
    }

    /// Names it.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.0.name = Some(name.to_owned());
        self
    }

    /// Gives it a version.
    #[must_use]
    pub const fn version(mut self, version: i32) -> Self {
        self.0.version = Some(version);
        self
    }

    /// Says what it is.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Self {
        self.0.doc = Some(doc.to_owned());
        self
    }

    /// Sets a parameter.
    #[must_use]
    pub fn parameter(mut self, key: &str, value: &str) -> Self {
        self.0.parameters.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets the default.
    #[must_use]
    pub fn default_value(mut self, value: impl Into<Value>) -> Self {
        self.0.default = Some(value.into());
        self
    }

    /// Returns the schema.
    #[must_use]
    pub fn build(self) -> Schema {
        self.0
    }
}

impl From<SchemaBuilder> for Arc<Schema> {
    fn from(builder: SchemaBuilder) -> Self {
        Self::new(builder.0)
    }
}

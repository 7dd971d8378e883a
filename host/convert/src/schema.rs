//! Schemas: Connect's types, names, versions, parameters, defaults.

mod fields;
mod logical;
mod parameters;
mod validate;

use std::sync::{Arc, LazyLock};

pub use fields::{Field, Fields};
pub use logical::Logical;
pub use parameters::Parameters;

use crate::{Error, Value};

/// How deep schemas and values may nest; readers refuse more, so that no recursion here can exhaust the stack.
pub(crate) const NESTING_MAX: usize = 128;

/// The schema of a value. Equality is Connect's: every property counts, also `doc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The type, with what belongs to it.
    pub kind: Kind,
    /// Whether the value may be null.
    pub optional: bool,
    /// The name; names of logical types give the value its meaning, see [`Schema::logical`].
    pub name: Option<Arc<str>>,
    /// The version.
    pub version: Option<i32>,
    /// What it is, for people.
    pub doc: Option<Arc<str>>,
    /// Free parameters, such as a decimal's `scale`.
    pub parameters: Parameters,
    /// The value that a missing one stands for; of a logical type, the logical value.
    pub default: Option<Value>,
}

/// The type of a schema. Items, keys and values have no schema where a parser could not find one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A signed 8-bit integer.
    Int8,
    /// A signed 16-bit integer.
    Int16,
    /// A signed 32-bit integer.
    Int32,
    /// A signed 64-bit integer.
    Int64,
    /// A 32-bit float.
    Float32,
    /// A 64-bit float.
    Float64,
    /// A boolean.
    Boolean,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// Items of one schema.
    Array(Option<Arc<Schema>>),
    /// Keys of one schema, values of another.
    Map(Option<Arc<Schema>>, Option<Arc<Schema>>),
    /// Named fields.
    Struct(Fields),
}

/// The type of a schema alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// A signed 8-bit integer.
    Int8,
    /// A signed 16-bit integer.
    Int16,
    /// A signed 32-bit integer.
    Int32,
    /// A signed 64-bit integer.
    Int64,
    /// A 32-bit float.
    Float32,
    /// A 64-bit float.
    Float64,
    /// A boolean.
    Boolean,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// An array.
    Array,
    /// A map.
    Map,
    /// A struct.
    Struct,
}

impl Type {
    /// Returns the name as Connect's `Schema.Type` has it, in lower case: `float32`, not `float`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Array => "array",
            Self::Map => "map",
            Self::Struct => "struct",
        }
    }

    /// Returns whether values have no parts.
    #[must_use]
    pub const fn is_primitive(self) -> bool {
        !matches!(self, Self::Array | Self::Map | Self::Struct)
    }
}

impl Schema {
    /// Returns a required schema of a kind, without name or default.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            optional: false,
            name: None,
            version: None,
            doc: None,
            parameters: Parameters::new(),
            default: None,
        }
    }

    /// Returns an optional schema of a kind.
    #[must_use]
    pub const fn optional(kind: Kind) -> Self {
        let mut schema = Self::new(kind);
        schema.optional = true;
        schema
    }

    /// Returns the schema of a primitive type without a name, shared by all who ask; `None` for arrays, maps and structs.
    #[must_use]
    pub fn shared(schema_type: Type, optional: bool) -> Option<Arc<Self>> {
        const KINDS: [Kind; 9] = [
            Kind::Int8,
            Kind::Int16,
            Kind::Int32,
            Kind::Int64,
            Kind::Float32,
            Kind::Float64,
            Kind::Boolean,
            Kind::String,
            Kind::Bytes,
        ];
        static SHARED: LazyLock<Vec<Arc<Schema>>> = LazyLock::new(|| {
            let required = KINDS.map(|kind| Arc::new(Schema::new(kind)));
            let optional = KINDS.map(|kind| Arc::new(Schema::optional(kind)));
            required.into_iter().chain(optional).collect()
        });
        let found = SHARED
            .iter()
            .find(|schema| schema.schema_type() == schema_type && schema.optional == optional);
        found.cloned()
    }

    /// Returns a required struct schema.
    ///
    /// # Errors
    /// No two fields may have one name.
    pub fn structure(fields: Vec<Field>) -> Result<Self, Error> {
        Ok(Self::new(Kind::Struct(Fields::new(fields)?)))
    }

    /// Sets the default.
    ///
    /// # Errors
    /// The default must be a value of the schema.
    pub fn with_default(mut self, default: Value) -> Result<Self, Error> {
        self.validate(&default)
            .map_err(|error| error.with_class(crate::Class::SchemaBuilder))?;
        self.default = (!default.is_null()).then_some(default);
        Ok(self)
    }

    /// Sets whether the value may be null.
    #[must_use]
    pub const fn with_optional(mut self, optional: bool) -> Self {
        self.optional = optional;
        self
    }

    /// Sets the name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the version.
    #[must_use]
    pub const fn with_version(mut self, version: i32) -> Self {
        self.version = Some(version);
        self
    }

    /// Returns the type alone.
    #[must_use]
    pub const fn schema_type(&self) -> Type {
        match self.kind {
            Kind::Int8 => Type::Int8,
            Kind::Int16 => Type::Int16,
            Kind::Int32 => Type::Int32,
            Kind::Int64 => Type::Int64,
            Kind::Float32 => Type::Float32,
            Kind::Float64 => Type::Float64,
            Kind::Boolean => Type::Boolean,
            Kind::String => Type::String,
            Kind::Bytes => Type::Bytes,
            Kind::Array(_) => Type::Array,
            Kind::Map(..) => Type::Map,
            Kind::Struct(_) => Type::Struct,
        }
    }

    /// Returns the fields, none where this is not a struct.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        match &self.kind {
            Kind::Struct(fields) => fields,
            _ => Fields::NONE,
        }
    }

    /// Returns a field by name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields().get_by_name(name)
    }

    /// Returns whether the name is this one.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }
}

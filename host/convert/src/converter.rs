//! Converters: between stored bytes and values with their schema.
//!
//! A converter is chosen by its class, a short name or a name that Kafka Connect knows, and configured by the options
//! below its prefix. [`CLASSES`] is the one table of them: validation, documentation and completion read it.
//!
//! Four of them need what only the runtime has: `auto` and `row` the store of schemas, `avro` and `json-schema` a schema
//! registry. They are
//! classes here so that options and names stand in one place; [`Converter::is_host`] says that the runtime does the work of
//! the first two.

mod json;
mod primitive;
mod simple;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

pub use json::JsonConverter;
pub use primitive::PrimitiveConverter;
pub use text::StringConverter;

use crate::options::{ConfigProblem, OptionDef, Settings};
use crate::registered::{self, RegisteredConverter};
use crate::{Error, Schema, SchemaAndValue, Value};

/// What a converter is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Record keys.
    Key,
    /// Record values.
    Value,
    /// Header values.
    Header,
}

/// A class of converters.
#[derive(Debug)]
pub struct ConverterClass {
    /// The short name.
    pub name: &'static str,
    /// The Java class that it stands for, empty for our own.
    pub java: &'static str,
    /// What it does, for people.
    pub docs: &'static str,
    /// Its options, without a prefix.
    pub options: &'static [OptionDef],
    make: fn(&Settings) -> Result<Converter, ConfigProblem>,
}

/// Every class.
pub static CLASSES: &[ConverterClass] = &[
    ConverterClass {
        name: "auto",
        java: "",
        docs: "Bytes, text and JSON as they are; typed rows as plain JSON with a header that names their schema.",
        options: &[],
        make: |_| Ok(Converter::Auto),
    },
    ConverterClass {
        name: "row",
        java: "",
        docs: "Typed rows in binary, with a header that names their schema; all else as it is.",
        options: &[],
        make: |_| Ok(Converter::Row),
    },
    ConverterClass {
        name: "json",
        java: "org.apache.kafka.connect.json.JsonConverter",
        docs: "JSON, with the schema in an envelope or without one.",
        options: json::OPTIONS,
        make: |settings| Ok(Converter::Json(Arc::new(JsonConverter::new(settings)?))),
    },
    ConverterClass {
        name: "avro",
        java: "io.confluent.connect.avro.AvroConverter",
        docs: "Avro in Confluent's wire format, with schemas from a schema registry.",
        options: registered::AVRO,
        make: |settings| {
            let options = RegisteredConverter::avro(settings)?;
            Ok(Converter::Registered(Arc::new(options)))
        },
    },
    ConverterClass {
        name: "json-schema",
        java: "io.confluent.connect.json.JsonSchemaConverter",
        docs: "JSON in Confluent's wire format, with JSON Schemas from a schema registry.",
        options: registered::JSON_SCHEMA,
        make: |settings| {
            let options = RegisteredConverter::json_schema(settings)?;
            Ok(Converter::Registered(Arc::new(options)))
        },
    },
    ConverterClass {
        name: "string",
        java: "org.apache.kafka.connect.storage.StringConverter",
        docs: "Text.",
        options: text::OPTIONS,
        make: |settings| Ok(Converter::String(StringConverter::new(settings)?)),
    },
    ConverterClass {
        name: "bytes",
        java: "org.apache.kafka.connect.converters.ByteArrayConverter",
        docs: "Bytes as they are.",
        options: &[],
        make: |_| Ok(Converter::Primitive(PrimitiveConverter::Bytes)),
    },
    ConverterClass {
        name: "boolean",
        java: "org.apache.kafka.connect.converters.BooleanConverter",
        docs: "One byte, 0 or 1.",
        options: &[],
        make: |_| Ok(Converter::Primitive(PrimitiveConverter::Boolean)),
    },
    ConverterClass {
        name: "short",
        java: "org.apache.kafka.connect.converters.ShortConverter",
        docs: "A big-endian 16-bit integer.",
        options: &[],
        make: |_| Ok(Converter::Primitive(PrimitiveConverter::Int16)),
    },
    ConverterClass {
        name: "integer",
        java: "org.apache.kafka.connect.converters.IntegerConverter",
        docs: "A big-endian 32-bit integer.",
        options: &[],
        make: |_| Ok(Converter::Primitive(PrimitiveConverter::Int32)),
    },
    ConverterClass {
        name: "long",
        java: "org.apache.kafka.connect.converters.LongConverter",
        docs: "A big-endian 64-bit integer.",
        options: &[],
        make: |_| Ok(Converter::Primitive(PrimitiveConverter::Int64)),
    },
    ConverterClass {
        name: "float",
        java: "org.apache.kafka.connect.converters.FloatConverter",
        docs: "A big-endian 32-bit float.",
        options: &[],
        make: |_| Ok(Converter::Primitive(PrimitiveConverter::Float32)),
    },
    ConverterClass {
        name: "double",
        java: "org.apache.kafka.connect.converters.DoubleConverter",
        docs: "A big-endian 64-bit float.",
        options: &[],
        make: |_| Ok(Converter::Primitive(PrimitiveConverter::Float64)),
    },
    ConverterClass {
        name: "simple",
        java: "org.apache.kafka.connect.storage.SimpleHeaderConverter",
        docs: "Text that shows its type: numbers, dates, lists and maps are read back. For headers.",
        options: &[],
        make: |_| Ok(Converter::Simple),
    },
];

impl ConverterClass {
    /// Finds a class by its short name, its Java name with or without package, or that without `Converter`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        CLASSES.iter().find(|class| {
            let simple = class.java.rsplit('.').next().unwrap_or_default();
            class.name == name
                || (!class.java.is_empty()
                    && (class.java == name
                        || simple == name
                        || simple.strip_suffix("Converter") == Some(name)))
        })
    }

    /// Says why there is no class of a name, as a fragment, with what works instead where that is known.
    #[must_use]
    pub fn missing(name: &str) -> &'static str {
        if name.to_ascii_lowercase().contains("protobuf") {
            "names the converter of Protobuf, which is not there yet: with a schema registry there are `avro` and `json-schema`, and \
             `bytes` takes the data as it is"
        } else {
            "names no converter for this use"
        }
    }

    /// Returns whether the class serves a role: the header converter of Connect is for headers only.
    #[must_use]
    pub fn serves(&self, role: Role) -> bool {
        match self.name {
            "simple" => role == Role::Header,
            // A header has no subject.
            "avro" | "json-schema" => role != Role::Header,
            _ => true,
        }
    }

    /// Makes a converter from its options; those that the class does not have are not looked at.
    ///
    /// # Errors
    /// Names all options that are wrong.
    pub fn configure(
        &self,
        options: &BTreeMap<String, String>,
    ) -> Result<Converter, Vec<ConfigProblem>> {
        let settings = Settings::parse(self.options, options)?;
        (self.make)(&settings).map_err(|problem| vec![problem])
    }

    /// Returns the names of given options that the class does not have, `converter.type` aside.
    pub fn unknown<'a>(
        &'a self,
        options: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a str> {
        let names = options.keys().map(String::as_str);
        names.filter(|name| {
            *name != "converter.type" && !self.options.iter().any(|option| option.name == *name)
        })
    }
}

/// A configured converter; clones are cheap.
#[derive(Debug, Clone)]
pub enum Converter {
    /// See the class `auto`; the runtime does it.
    Auto,
    /// See the class `row`; the runtime does it.
    Row,
    /// JSON.
    Json(Arc<JsonConverter>),
    /// Avro or JSON with schemas in a registry; the runtime's registry client does it.
    Registered(Arc<RegisteredConverter>),
    /// Text.
    String(StringConverter),
    /// Bytes, numbers, booleans.
    Primitive(PrimitiveConverter),
    /// Text that shows its type.
    Simple,
}

impl Converter {
    /// Returns whether the runtime has to do the work, because schemas are stored beside the records.
    #[must_use]
    pub const fn is_host(&self) -> bool {
        matches!(self, Self::Auto | Self::Row)
    }

    /// Returns the stored bytes of a value, `None` for null bytes.
    ///
    /// # Errors
    /// Names the place where the value does not fit. `auto`, `row` and what needs a registry are the runtime's and an error here.
    pub fn from_connect(
        &self,
        schema: Option<&Arc<Schema>>,
        value: &Value,
    ) -> Result<Option<Bytes>, Error> {
        match self {
            Self::Auto | Self::Row | Self::Registered(_) => Err(host_only()),
            Self::Json(json) => json.from_connect(schema, value),
            Self::String(text) => text.from_connect(value),
            Self::Primitive(primitive) => primitive.from_connect(schema, value),
            Self::Simple => simple::from_connect(value),
        }
    }

    /// Returns the value of stored bytes.
    ///
    /// # Errors
    /// Says what the bytes are not. `auto`, `row` and what needs a registry are the runtime's and an error here.
    pub fn to_connect(&self, bytes: Option<&[u8]>) -> Result<SchemaAndValue, Error> {
        match self {
            Self::Auto | Self::Row | Self::Registered(_) => Err(host_only()),
            Self::Json(json) => json.to_connect(bytes),
            Self::String(text) => text.to_connect(bytes),
            Self::Primitive(primitive) => primitive.to_connect(bytes),
            Self::Simple => simple::to_connect(bytes),
        }
    }
}

#[cold]
fn host_only() -> Error {
    Error::new(
        crate::Class::IllegalState,
        "the converters `auto`, `row`, `avro` and `json-schema` need what the runtime has",
    )
}

#[cfg(test)]
mod tests;

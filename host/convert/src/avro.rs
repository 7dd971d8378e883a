//! Avro: its schemas, its binary form, and what Connect's `AvroData` makes of both.
//!
//! ```text
//! Connect schema ─► writer's schema (JSON)      `from_connect`
//! Connect value  ─► binary                      `encode`        by a writer's schema, ours or a registry's
//! binary         ─► Connect value               `decode`        by the writer's schema
//! Avro schema    ─► Connect schema              `to_connect`
//! ```
//! Confluent's wire format puts a zero byte and the schema's id, four bytes, before the binary; see [`frame`].
//! Where ids and schemas come from is not here: that is the runtime's registry client.
//!
//! # Limits
//! A schema that contains itself has no Connect schema here and is refused.

mod decode;
mod encode;
mod from_connect;
mod schema;
mod to_connect;

use std::collections::BTreeMap;

pub use from_connect::avro_schema;
pub use schema::{AvroSchema, SCHEMA_BYTES_MAX};

use crate::options::{ConfigProblem, OptionDef, Rule, Settings};
use crate::{Class, Error};

/// The namespace of names that Connect's converter makes up.
pub(crate) const NAMESPACE: &str = "io.confluent.connect.avro";
/// The name of a struct that has none.
pub(crate) const DEFAULT_NAME: &str = "io.confluent.connect.avro.ConnectDefault";
/// The record that stands for an entry of a map whose keys are no text.
pub(crate) const MAP_ENTRY: &str = "MapEntry";
/// The struct that stands for a union.
pub(crate) const UNION: &str = "io.confluent.connect.avro.Union";
/// The parameter that names an enum, and its symbols behind a dot.
pub(crate) const ENUM: &str = "io.confluent.connect.avro.Enum";
/// The parameter that holds a decimal's precision, where it is not 64.
pub(crate) const PRECISION: &str = "connect.decimal.precision";
/// The precision of a decimal that says none.
pub(crate) const PRECISION_DEFAULT: i64 = 64;
/// The parameter that holds the size of an Avro `fixed`.
pub(crate) const FIXED_SIZE: &str = "connect.fixed.size";

/// The first byte of Confluent's wire format.
const MAGIC: u8 = 0;
/// Bytes before the binary.
const HEADER_LEN: usize = 5;

/// Divides stored bytes into the schema's id and the binary.
///
/// # Errors
/// Says what is there instead of the magic byte.
pub fn unframe(bytes: &[u8]) -> Result<(i32, &[u8]), Error> {
    match bytes {
        [MAGIC, a, b, c, d, rest @ ..] => Ok((i32::from_be_bytes([*a, *b, *c, *d]), rest)),
        [MAGIC, ..] => Err(bad(format!(
            "{} bytes are too few for Confluent's wire format, which has {HEADER_LEN} before the data",
            bytes.len()
        ))),
        [first, ..] => Err(bad(format!(
            "the first byte is {first:#04x}, Confluent's wire format begins with 0x00: the data was not written with a schema registry; \
             use another converter for this topic"
        ))),
        [] => Err(bad(
            "no bytes at all are no value of Confluent's wire format".to_owned(),
        )),
    }
}

/// Starts stored bytes with the schema's id.
pub fn frame(id: i32, out: &mut Vec<u8>) {
    out.push(MAGIC);
    out.extend_from_slice(&id.to_be_bytes());
}

#[cold]
fn bad(message: String) -> Error {
    Error::new(Class::Serialization, message)
}

/// How a subject is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectStrategy {
    /// `topic-key` and `topic-value`.
    Topic,
    /// The record's full name.
    Record,
    /// Topic, `-` and the record's full name.
    TopicRecord,
}

impl SubjectStrategy {
    fn parse(text: &str) -> Option<Self> {
        match text.rsplit('.').next()? {
            "TopicNameStrategy" | "topic" => Some(Self::Topic),
            "RecordNameStrategy" | "record" => Some(Self::Record),
            "TopicRecordNameStrategy" | "topic_record" => Some(Self::TopicRecord),
            _ => None,
        }
    }

    /// Returns the subject of a schema.
    ///
    /// # Errors
    /// The strategy needs a record's name and the schema has none.
    pub fn subject(
        self,
        topic: &str,
        is_value: bool,
        schema: &AvroSchema,
    ) -> Result<String, Error> {
        let named = || {
            schema.record_name().ok_or_else(|| {
                Error::data("the subject is named after the record, and the schema is none; use `TopicNameStrategy`")
            })
        };
        Ok(match self {
            Self::Topic => format!("{topic}-{}", if is_value { "value" } else { "key" }),
            Self::Record => named()?.to_owned(),
            Self::TopicRecord => format!("{topic}-{}", named()?),
        })
    }
}

/// The options of the class `avro`.
pub(crate) const OPTIONS: &[OptionDef] = &[
    OptionDef::list("schema.registry.url", "Where the schema registry is: one address or several, which are tried in turn.")
        .required()
        .rule(Rule::NotEmpty),
    OptionDef::boolean("auto.register.schemas", "true", "Whether a schema that the registry does not have is registered."),
    OptionDef::boolean("use.latest.version", "false", "Whether the subject's latest schema is used for writing instead of the data's own; needs `auto.register.schemas: false`."),
    OptionDef::string("key.subject.name.strategy", "How the subject of keys is named: `TopicNameStrategy`, `RecordNameStrategy` or `TopicRecordNameStrategy`, with or without package.")
        .default("TopicNameStrategy"),
    OptionDef::string("value.subject.name.strategy", "How the subject of values is named.").default("TopicNameStrategy"),
    OptionDef::string("basic.auth.credentials.source", "Where user and password come from: `USER_INFO` (the option below) or `URL`.")
        .default("URL")
        .rule(Rule::OneOf(&["URL", "USER_INFO"])),
    OptionDef::password("basic.auth.user.info", "User and password as `user:password`, for `USER_INFO`."),
    OptionDef::password("bearer.auth.token", "A token that is sent with each request."),
    OptionDef::string("ssl.ca.location", "Authorities that may vouch for the registry, a PEM file, beside the system's."),
    OptionDef::int("request.timeout.ms", "How long a request may take, in milliseconds.").default("10000").rule(Rule::NotNegative),
    OptionDef::boolean("connect.meta.data", "true", "Whether names, versions, parameters and documentation of Connect's schema are written into Avro's."),
    OptionDef::boolean("enhanced.avro.schema.support", "false", "Whether enums stay enums and union members are named with their namespace."),
    OptionDef::int("schemas.cache.config", "How many schemas are kept.").default("1000").rule(Rule::NotNegative),
];

/// The converter's options.
#[derive(Clone, PartialEq, Eq)]
pub struct AvroConverter {
    /// The registry's addresses.
    pub urls: Vec<String>,
    /// Whether unknown schemas are registered.
    pub auto_register: bool,
    /// Whether the latest version is written with.
    pub use_latest: bool,
    /// The subjects of keys.
    pub key_subject: SubjectStrategy,
    /// The subjects of values.
    pub value_subject: SubjectStrategy,
    /// `user:password`.
    pub user_info: Option<String>,
    /// A token.
    pub token: Option<String>,
    /// A PEM file.
    pub ca_location: Option<String>,
    /// How long a request may take, in milliseconds.
    pub timeout_ms: u64,
    /// How schemas are mapped.
    pub mapping: Mapping,
    /// How many schemas are kept.
    pub cache_size: usize,
}

/// How schemas are mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// Whether Connect's own properties are written.
    pub meta_data: bool,
    /// Whether enums stay enums, and union members have full names.
    pub enhanced: bool,
}

impl Default for Mapping {
    fn default() -> Self {
        Self {
            meta_data: true,
            enhanced: false,
        }
    }
}

/// Shows no secret.
impl std::fmt::Debug for AvroConverter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AvroConverter")
            .field("urls", &self.urls.len())
            .field("auto_register", &self.auto_register)
            .field("use_latest", &self.use_latest)
            .finish_non_exhaustive()
    }
}

impl AvroConverter {
    pub(crate) fn new(settings: &Settings) -> Result<Self, ConfigProblem> {
        let urls: Vec<String> = settings.list("schema.registry.url").to_vec();
        // A placeholder is filled in when the task starts.
        for url in urls.iter().filter(|url| !url.contains("${")) {
            let rest = url
                .strip_prefix("http://")
                .or_else(|| url.strip_prefix("https://"));
            if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
                return Err(ConfigProblem::new(
                    "schema.registry.url",
                    "is not an address that begins with `http://` or `https://`",
                ));
            }
        }
        let strategy = |option: &'static str| {
            SubjectStrategy::parse(settings.text_or_empty(option)).ok_or_else(|| {
                ConfigProblem::new(
                    option,
                    "is none of TopicNameStrategy, RecordNameStrategy, TopicRecordNameStrategy",
                )
            })
        };
        let wants_user = settings.text_or_empty("basic.auth.credentials.source") == "USER_INFO";
        let user_info = settings.text("basic.auth.user.info").filter(|_| wants_user);
        if wants_user && user_info.is_none_or(|text| !text.contains(':') && !text.contains("${")) {
            return Err(ConfigProblem::new(
                "basic.auth.user.info",
                "is missing or not `user:password`",
            ));
        }
        let (auto_register, use_latest) = (
            settings.boolean("auto.register.schemas"),
            settings.boolean("use.latest.version"),
        );
        if auto_register && use_latest {
            return Err(ConfigProblem::new(
                "use.latest.version",
                "needs `auto.register.schemas: false`",
            ));
        }
        let number = |option: &str| {
            settings
                .int(option)
                .and_then(|number| u64::try_from(number).ok())
                .unwrap_or_default()
        };
        Ok(Self {
            urls,
            auto_register,
            use_latest,
            key_subject: strategy("key.subject.name.strategy")?,
            value_subject: strategy("value.subject.name.strategy")?,
            user_info: user_info.map(str::to_owned),
            token: settings.text("bearer.auth.token").map(str::to_owned),
            ca_location: settings.text("ssl.ca.location").map(str::to_owned),
            timeout_ms: number("request.timeout.ms").max(1),
            mapping: Mapping {
                meta_data: settings.boolean("connect.meta.data"),
                enhanced: settings.boolean("enhanced.avro.schema.support"),
            },
            cache_size: usize::try_from(number("schemas.cache.config"))
                .unwrap_or(usize::MAX)
                .max(1),
        })
    }

    /// Returns the subject of a schema.
    ///
    /// # Errors
    /// As [`SubjectStrategy::subject`].
    pub fn subject(
        &self,
        topic: &str,
        is_value: bool,
        schema: &AvroSchema,
    ) -> Result<String, Error> {
        let strategy = if is_value {
            self.value_subject
        } else {
            self.key_subject
        };
        strategy.subject(topic, is_value, schema)
    }
}

/// Reads the options of a converter; for tests and for those who configure without a table.
///
/// # Errors
/// As [`crate::ConverterClass::configure`].
pub fn configure(options: &BTreeMap<String, String>) -> Result<AvroConverter, Vec<ConfigProblem>> {
    let settings = Settings::parse(OPTIONS, options)?;
    AvroConverter::new(&settings).map_err(|problem| vec![problem])
}

#[cfg(test)]
mod tests;

//! Converters whose schemas are in a registry: Confluent's wire format, how subjects are named, and the options of both forms.
//!
//! ```text
//! | 0 | schema id, 4 bytes | Avro's binary, or JSON |
//! ```
//! Where ids and schemas come from is not here: that is the runtime's registry client.

use std::sync::Arc;

use crate::avro::{AvroSchema, Mapping, avro_schema};
use crate::json_schema::{self, JsonMapping, JsonSchema};
use crate::options::{ConfigProblem, OptionDef, Rule, Settings};
use crate::{Class, Error, Schema, Value};

/// The first byte of Confluent's wire format.
const MAGIC: u8 = 0;
/// Bytes before the data.
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
        schema: &RegisteredSchema,
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

/// The options of both classes, with those of one behind them.
macro_rules! options {
    ($($own:expr),* $(,)?) => {
        &[
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
            OptionDef::int("schemas.cache.config", "How many schemas are kept.").default("1000").rule(Rule::NotNegative),
            $($own),*
        ]
    };
}

/// The options of the class `avro`.
pub(crate) const AVRO: &[OptionDef] = options![
    OptionDef::boolean(
        "connect.meta.data",
        "true",
        "Whether names, versions, parameters and documentation of Connect's schema are written into Avro's."
    ),
    OptionDef::boolean(
        "enhanced.avro.schema.support",
        "false",
        "Whether enums stay enums and union members are named with their namespace."
    ),
];

/// The options of the class `json-schema`.
pub(crate) const JSON_SCHEMA: &[OptionDef] = options![
    OptionDef::string(
        "decimal.format",
        "How decimals are written; both forms are read."
    )
    .default("BASE64")
    .rule(Rule::OneOfIgnoringCase(&["BASE64", "NUMERIC"])),
    OptionDef::boolean(
        "object.additional.properties",
        "true",
        "Whether schemas that are registered allow members that they do not name."
    ),
    OptionDef::boolean(
        "use.optional.for.nonrequired",
        "false",
        "Whether schemas that are registered list their fields that are not optional as `required`. A property that a foreign schema does not require is optional in any case."
    ),
];

/// How schemas and values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Avro's schemas and its binary.
    Avro(Mapping),
    /// JSON Schema and JSON.
    Json(JsonMapping),
}

impl Form {
    /// Returns what registries call the type of the schemas.
    #[must_use]
    pub const fn schema_type(self) -> &'static str {
        match self {
            Self::Avro(_) => "AVRO",
            Self::Json(_) => "JSON",
        }
    }

    /// Returns the schema that is registered for a Connect schema.
    ///
    /// # Errors
    /// Names the part that the form cannot have.
    pub fn of(self, schema: &Arc<Schema>) -> Result<RegisteredSchema, Error> {
        Ok(match self {
            Self::Avro(mapping) => RegisteredSchema::Avro(avro_schema(schema, mapping)?),
            Self::Json(mapping) => RegisteredSchema::Json(JsonSchema::of(schema, mapping)?),
        })
    }

    /// Reads a registered schema; `references` are the names and texts of those that it refers to, those first that others
    /// need.
    ///
    /// # Errors
    /// Says where the text is no such schema.
    pub fn parse(
        self,
        text: &str,
        references: &[(String, String)],
    ) -> Result<RegisteredSchema, Error> {
        Ok(match self {
            Self::Avro(_) => {
                let texts: Vec<String> = references.iter().map(|(_, text)| text.clone()).collect();
                RegisteredSchema::Avro(AvroSchema::parse(text, &texts)?)
            }
            Self::Json(_) => RegisteredSchema::Json(JsonSchema::parse(text, references)?),
        })
    }

    /// Returns the Connect schema of the values of a registered one.
    ///
    /// # Errors
    /// Names the part that has no Connect schema.
    pub fn to_connect(self, schema: &RegisteredSchema) -> Result<Arc<Schema>, Error> {
        match (schema, self) {
            (RegisteredSchema::Avro(avro), Self::Avro(mapping)) => avro.to_connect(mapping),
            (RegisteredSchema::Avro(avro), Self::Json(_)) => avro.to_connect(Mapping::default()),
            (RegisteredSchema::Json(json), _) => Ok(Arc::clone(json.schema())),
        }
    }

    /// Appends the data of a value.
    ///
    /// # Errors
    /// Names the place where the value does not fit its schema or the registered one.
    pub fn encode(
        self,
        registered: &RegisteredSchema,
        schema: &Schema,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        match (registered, self) {
            (RegisteredSchema::Avro(avro), _) => avro.encode(Some(schema), value, out),
            (RegisteredSchema::Json(_), Self::Json(mapping)) => {
                json_schema::encode(mapping, schema, value, out)
            }
            (RegisteredSchema::Json(_), Self::Avro(_)) => {
                json_schema::encode(JsonMapping::default(), schema, value, out)
            }
        }
    }
}

/// A schema as a registry has it.
#[derive(Debug, Clone, PartialEq)]
pub enum RegisteredSchema {
    /// Avro's.
    Avro(AvroSchema),
    /// A JSON Schema.
    Json(JsonSchema),
}

impl RegisteredSchema {
    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Avro(avro) => avro.json(),
            Self::Json(json) => json.json(),
        }
    }

    /// Returns the name of the record, where there is one.
    #[must_use]
    pub fn record_name(&self) -> Option<&str> {
        match self {
            Self::Avro(avro) => avro.record_name(),
            Self::Json(json) => json.title(),
        }
    }

    /// Reads the data of a value, by the Connect schema that [`Form::to_connect`] made.
    ///
    /// # Errors
    /// Says where the data is damaged.
    pub fn decode(&self, schema: &Arc<Schema>, data: &[u8]) -> Result<Value, Error> {
        match self {
            Self::Avro(avro) => avro.decode(schema, data),
            Self::Json(_) => json_schema::decode(schema, data),
        }
    }
}

/// The options of a converter.
#[derive(Clone, PartialEq, Eq)]
pub struct RegisteredConverter {
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
    /// How schemas and values are written.
    pub form: Form,
    /// How many schemas are kept.
    pub cache_size: usize,
}

/// Shows no secret.
impl std::fmt::Debug for RegisteredConverter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegisteredConverter")
            .field("urls", &self.urls.len())
            .field("auto_register", &self.auto_register)
            .field("use_latest", &self.use_latest)
            .finish_non_exhaustive()
    }
}

impl RegisteredConverter {
    pub(crate) fn avro(settings: &Settings) -> Result<Self, ConfigProblem> {
        let form = Form::Avro(Mapping {
            meta_data: settings.boolean("connect.meta.data"),
            enhanced: settings.boolean("enhanced.avro.schema.support"),
        });
        Self::new(settings, form)
    }

    pub(crate) fn json_schema(settings: &Settings) -> Result<Self, ConfigProblem> {
        let decimals = settings.text_or_empty("decimal.format");
        let form = Form::Json(JsonMapping {
            numeric_decimals: decimals.eq_ignore_ascii_case("NUMERIC"),
            additional_properties: settings.boolean("object.additional.properties"),
            lists_required: settings.boolean("use.optional.for.nonrequired"),
        });
        Self::new(settings, form)
    }

    fn new(settings: &Settings, form: Form) -> Result<Self, ConfigProblem> {
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
            form,
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
        schema: &RegisteredSchema,
    ) -> Result<String, Error> {
        let strategy = if is_value {
            self.value_subject
        } else {
            self.key_subject
        };
        strategy.subject(topic, is_value, schema)
    }
}

#[cfg(test)]
mod tests;

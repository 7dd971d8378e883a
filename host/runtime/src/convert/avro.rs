//! The converter `avro`: Avro's bytes and Connect's schemas are `linkspan-convert`'s, ids and texts are the registry's; here both
//! meet, and what was asked once is remembered.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use linkspan_convert::avro::{AvroConverter, AvroSchema, avro_schema, frame, unframe};
use linkspan_convert::{Class, Schema, SchemaAndValue, Value};
use linkspan_registry::{Found, Options, Reason, Registry};

use super::typed::data_error;
use crate::error::TaskError;

/// How much of a schema an error shows.
const SHOWN_CHARS: usize = 2_000;
/// Ids of which the registry said that it does not know them, kept so that a topic of them does not ask for each record.
const UNKNOWN_MAX: usize = 100;

/// One task's schemas. Made empty; the registry's client comes with the first use.
#[derive(Debug, Default)]
pub(crate) struct AvroTask {
    registries: Vec<(Arc<AvroConverter>, Registry)>,
    readers: HashMap<i32, Arc<Reader>>,
    writers: HashMap<WriterKey, Arc<Writer>>,
    unknown: HashMap<i32, u32>,
}

/// How often an unknown id is refused without asking.
const REFUSED_UNASKED: u32 = 1_000;

/// What reads the values of one schema.
#[derive(Debug)]
struct Reader {
    avro: AvroSchema,
    schema: Arc<Schema>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct WriterKey {
    topic: String,
    is_value: bool,
    /// The address of the Connect schema; the writer holds it, so that it stays its own.
    schema: usize,
}

/// What writes the values of one schema to one topic.
#[derive(Debug)]
struct Writer {
    id: i32,
    avro: AvroSchema,
    _schema: Arc<Schema>,
}

impl AvroTask {
    /// Returns the value of stored bytes.
    pub(crate) fn read(
        &mut self,
        options: &Arc<AvroConverter>,
        stored: Option<&[u8]>,
    ) -> Result<SchemaAndValue, TaskError> {
        let Some(bytes) = stored else {
            return Ok(SchemaAndValue::NULL);
        };
        let (id, binary) = unframe(bytes).map_err(|error| data_error(&error))?;
        let reader = self.reader(options, id)?;
        let value = reader
            .avro
            .decode(&reader.schema, binary)
            .map_err(|error| TaskError {
                message: format!("schema id {id}: {error}"),
                ..data_error(&error)
            })?;
        Ok(SchemaAndValue::new(Some(Arc::clone(&reader.schema)), value))
    }

    /// Appends the stored bytes of a value; returns whether there are any.
    pub(crate) fn write(
        &mut self,
        options: &Arc<AvroConverter>,
        topic: &str,
        is_value: bool,
        value: &SchemaAndValue,
        out: &mut Vec<u8>,
    ) -> Result<bool, TaskError> {
        if value.value == Value::Null {
            // As Confluent's serializer: no subject becomes a null type because of a tombstone.
            return Ok(false);
        }
        let Some(schema) = &value.schema else {
            return Err(TaskError::data(
                "the converter `avro` needs a schema, and this value has none: use a source with types, or a converter that gives one",
            ));
        };
        let writer = self.writer(options, topic, is_value, schema)?;
        frame(writer.id, out);
        writer
            .avro
            .encode(Some(schema), &value.value, out)
            .map_err(|error| TaskError {
                message: format!("topic `{topic}`, schema id {}: {error}", writer.id),
                ..data_error(&error)
            })?;
        Ok(true)
    }

    fn registry(&mut self, options: &Arc<AvroConverter>) -> Result<Registry, TaskError> {
        if let Some((_, registry)) = self
            .registries
            .iter()
            .find(|(known, _)| Arc::ptr_eq(known, options))
        {
            return Ok(registry.clone());
        }
        let registry = Registry::new(&Options {
            urls: options.urls.clone(),
            user_info: options.user_info.clone(),
            token: options.token.clone(),
            ca_location: options.ca_location.clone(),
            timeout: Duration::from_millis(options.timeout_ms),
        })
        .map_err(|error| registry_error(&error))?;
        self.registries
            .push((Arc::clone(options), registry.clone()));
        Ok(registry)
    }

    fn reader(&mut self, options: &Arc<AvroConverter>, id: i32) -> Result<Arc<Reader>, TaskError> {
        if let Some(reader) = self.readers.get(&id) {
            return Ok(Arc::clone(reader));
        }
        if let Some(times) = self.unknown.get_mut(&id) {
            *times += 1;
            if *times < REFUSED_UNASKED {
                return Err(unknown_id(id));
            }
            self.unknown.remove(&id);
        }
        let registry = self.registry(options)?;
        let found = match registry.by_id(id) {
            Ok(found) => found,
            Err(error) => {
                if error.reason == Reason::NotFound {
                    if self.unknown.len() >= UNKNOWN_MAX {
                        self.unknown.clear();
                    }
                    self.unknown.insert(id, 0);
                }
                return Err(registry_error(&error));
            }
        };
        let avro = parse(&found, &registry)?;
        let schema = avro
            .to_connect(options.mapping)
            .map_err(|error| TaskError {
                message: format!("schema id {id}: {error}"),
                ..data_error(&error)
            })?;
        if self.readers.len() >= options.cache_size {
            self.readers.clear();
        }
        let reader = Arc::new(Reader { avro, schema });
        self.readers.insert(id, Arc::clone(&reader));
        Ok(reader)
    }

    fn writer(
        &mut self,
        options: &Arc<AvroConverter>,
        topic: &str,
        is_value: bool,
        schema: &Arc<Schema>,
    ) -> Result<Arc<Writer>, TaskError> {
        let key = WriterKey {
            topic: topic.to_owned(),
            is_value,
            schema: Arc::as_ptr(schema).addr(),
        };
        if let Some(writer) = self.writers.get(&key) {
            return Ok(Arc::clone(writer));
        }
        let registry = self.registry(options)?;
        let own = avro_schema(schema, options.mapping).map_err(|error| data_error(&error))?;
        let subject = options
            .subject(topic, is_value, &own)
            .map_err(|error| data_error(&error))?;
        let (id, avro) = if options.use_latest {
            let found = registry
                .latest(&subject)
                .map_err(|error| registry_error(&error))?;
            (found.id, parse(&found, &registry)?)
        } else {
            let registered = if options.auto_register {
                registry.register(&subject, own.json())
            } else {
                registry.lookup(&subject, own.json())
            };
            match registered {
                Ok(id) => (id, own),
                Err(error) => {
                    return Err(refused(
                        &error,
                        &registry,
                        &subject,
                        &own,
                        options.auto_register,
                    ));
                }
            }
        };
        if self.writers.len() >= options.cache_size {
            self.writers.clear();
        }
        let writer = Arc::new(Writer {
            id,
            avro,
            _schema: Arc::clone(schema),
        });
        self.writers.insert(key, Arc::clone(&writer));
        Ok(writer)
    }
}

fn parse(found: &Found, registry: &Registry) -> Result<AvroSchema, TaskError> {
    let place = registry.place();
    if found.schema_type != "AVRO" {
        return Err(TaskError::data(format!(
            "schema registry at {place}: schema id {} is {}, and the converter `avro` reads Avro only; converters for JSON Schema and Protobuf are not there yet",
            found.id, found.schema_type
        )));
    }
    AvroSchema::parse(&found.schema, &found.references).map_err(|error| TaskError {
        message: format!(
            "schema registry at {place}: schema id {}: {error}",
            found.id
        ),
        ..data_error(&error)
    })
}

#[cold]
fn unknown_id(id: i32) -> TaskError {
    TaskError {
        exception: Some(Class::Serialization.java()),
        ..TaskError::data(format!(
            "the schema registry does not know the schema id {id}"
        ))
    }
}

/// An error of the registry: about the record where only another record helps, about the outside where waiting or a person does.
fn registry_error(error: &linkspan_registry::Error) -> TaskError {
    let text = error.to_string();
    match error.reason {
        Reason::Unavailable => TaskError {
            temporary: true,
            ..TaskError::permanent(
                "LS0406",
                "unavailable",
                format!("{text}; it is tried again"),
            )
        },
        Reason::Permission => TaskError::permanent("LS0405", "permission", text),
        Reason::Config => TaskError::permanent("LS0210", "config_invalid", text),
        Reason::NotFound | Reason::Incompatible | Reason::Invalid => TaskError {
            exception: Some(Class::Serialization.java()),
            ..TaskError::data(text)
        },
        Reason::Answer => TaskError::permanent("LS0408", "unsupported", text),
    }
}

/// A schema that the registry does not take: shown beside the one that it has.
fn refused(
    error: &linkspan_registry::Error,
    registry: &Registry,
    subject: &str,
    own: &AvroSchema,
    registering: bool,
) -> TaskError {
    let mut told = registry_error(error);
    let has = |told: &mut TaskError, hint: &str| {
        let latest = registry.latest(subject).ok();
        let version = latest.as_ref().and_then(|found| found.version);
        let text = latest.map_or_else(|| "none".to_owned(), |found| shown(&found.schema));
        let version = version.map_or_else(String::new, |version| format!(" (version {version})"));
        told.message = format!(
            "{}; {hint}\n  the data's schema: {}\n  the registry's{version}: {text}",
            told.message,
            shown(own.json())
        );
    };
    match error.reason {
        Reason::Incompatible => has(
            &mut told,
            "change the schema with transforms, make the subject's compatibility weaker, or write to another topic",
        ),
        Reason::NotFound if !registering => has(
            &mut told,
            "the schema is not registered there: set `auto.register.schemas: true`, `use.latest.version: true`, or register it",
        ),
        _ => {}
    }
    told
}

fn shown(schema: &str) -> String {
    let mut text: String = schema.chars().take(SHOWN_CHARS).collect();
    if text.len() < schema.len() {
        text.push('…');
    }
    text
}

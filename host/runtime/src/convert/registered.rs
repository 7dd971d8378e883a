//! The converters `avro` and `json-schema`: bytes and Connect's schemas are `linkspan-convert`'s, ids and texts are the registry's;
//! here both meet, and what was asked once is remembered.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use linkspan_convert::registered::{Form, RegisteredConverter, RegisteredSchema, frame, unframe};
use linkspan_convert::{Class, Schema, SchemaAndValue, Value};
use linkspan_registry::{Found, Options, Reason, Registry, Text};

use super::typed::data_error;
use crate::error::TaskError;

/// How much of a schema an error shows.
const SHOWN_CHARS: usize = 2_000;
/// Ids of which the registry said that it does not know them, kept so that a topic of them does not ask for each record.
const UNKNOWN_MAX: usize = 100;

/// One task's schemas. Made empty; the registry's client comes with the first use.
#[derive(Debug, Default)]
pub(crate) struct RegisteredTask {
    registries: Vec<(Arc<RegisteredConverter>, Registry)>,
    readers: HashMap<ReaderKey, Arc<Reader>>,
    writers: HashMap<WriterKey, Arc<Writer>>,
    unknown: HashMap<ReaderKey, u32>,
}

/// The address of the converter's options, which live as long as the task, and an id: keys and values may have a registry each,
/// and their ids are their own.
type ReaderKey = (usize, i32);

/// How often an unknown id is refused without asking.
const REFUSED_UNASKED: u32 = 1_000;

/// What reads the values of one schema.
#[derive(Debug)]
struct Reader {
    registered: RegisteredSchema,
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
    registered: RegisteredSchema,
    _schema: Arc<Schema>,
}

impl RegisteredTask {
    /// Returns the value of stored bytes.
    pub(crate) fn read(
        &mut self,
        options: &Arc<RegisteredConverter>,
        stored: Option<&[u8]>,
    ) -> Result<SchemaAndValue, TaskError> {
        let Some(bytes) = stored else {
            return Ok(SchemaAndValue::NULL);
        };
        let (id, binary) = unframe(bytes).map_err(|error| data_error(&error))?;
        let reader = self.reader(options, id)?;
        let value = reader
            .registered
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
        options: &Arc<RegisteredConverter>,
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
            return Err(TaskError::data(format!(
                "the converter `{}` needs a schema, and this value has none: use a source with types, or a converter that gives one",
                class(options.form)
            )));
        };
        let writer = self.writer(options, topic, is_value, schema)?;
        frame(writer.id, out);
        let form = options.form;
        form.encode(&writer.registered, schema, &value.value, out)
            .map_err(|error| TaskError {
                message: format!("topic `{topic}`, schema id {}: {error}", writer.id),
                ..data_error(&error)
            })?;
        Ok(true)
    }

    fn registry(&mut self, options: &Arc<RegisteredConverter>) -> Result<Registry, TaskError> {
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

    fn reader(
        &mut self,
        options: &Arc<RegisteredConverter>,
        id: i32,
    ) -> Result<Arc<Reader>, TaskError> {
        let key = (Arc::as_ptr(options).addr(), id);
        if let Some(reader) = self.readers.get(&key) {
            return Ok(Arc::clone(reader));
        }
        if let Some(times) = self.unknown.get_mut(&key) {
            *times += 1;
            if *times < REFUSED_UNASKED {
                return Err(unknown_id(id));
            }
            self.unknown.remove(&key);
        }
        let registry = self.registry(options)?;
        let found = match registry.by_id(id) {
            Ok(found) => found,
            Err(error) => {
                if error.reason == Reason::NotFound {
                    if self.unknown.len() >= UNKNOWN_MAX {
                        self.unknown.clear();
                    }
                    self.unknown.insert(key, 0);
                }
                return Err(registry_error(&error));
            }
        };
        let registered = parse(options.form, &found, &registry)?;
        let schema = options
            .form
            .to_connect(&registered)
            .map_err(|error| TaskError {
                message: format!("schema id {id}: {error}"),
                ..data_error(&error)
            })?;
        if self.readers.len() >= options.cache_size {
            self.readers.clear();
        }
        let reader = Arc::new(Reader { registered, schema });
        self.readers.insert(key, Arc::clone(&reader));
        Ok(reader)
    }

    fn writer(
        &mut self,
        options: &Arc<RegisteredConverter>,
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
        let own = options
            .form
            .of(schema)
            .map_err(|error| data_error(&error))?;
        let subject = options
            .subject(topic, is_value, &own)
            .map_err(|error| data_error(&error))?;
        let (id, registered) = if options.use_latest {
            let found = registry
                .latest(&subject)
                .map_err(|error| registry_error(&error))?;
            (found.id, parse(options.form, &found, &registry)?)
        } else {
            let text = Text {
                schema_type: options.form.schema_type(),
                schema: own.text(),
            };
            let answer = if options.auto_register {
                registry.register(&subject, text)
            } else {
                registry.lookup(&subject, text)
            };
            match answer {
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
            registered,
            _schema: Arc::clone(schema),
        });
        self.writers.insert(key, Arc::clone(&writer));
        Ok(writer)
    }
}

/// The class that reads and writes a form.
const fn class(form: Form) -> &'static str {
    match form {
        Form::Avro(_) => "avro",
        Form::Json(_) => "json-schema",
    }
}

fn parse(form: Form, found: &Found, registry: &Registry) -> Result<RegisteredSchema, TaskError> {
    let place = registry.place();
    if found.schema_type != form.schema_type() {
        let remedy = match found.schema_type.as_str() {
            "AVRO" => "use the converter `avro`",
            "JSON" => "use the converter `json-schema`",
            _ => "there is no converter for it yet, `bytes` takes the data as it is",
        };
        return Err(TaskError::data(format!(
            "schema registry at {place}: schema id {} is {}, and the converter `{}` reads {} only; {remedy}",
            found.id,
            found.schema_type,
            class(form),
            form.schema_type()
        )));
    }
    let schema = form.parse(&found.schema, &found.references);
    schema.map_err(|error| TaskError {
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
    own: &RegisteredSchema,
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
            shown(own.text())
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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use linkspan_convert::{Converter, ConverterClass};

    use super::*;

    /// A registry that knows one schema, whatever the id.
    fn knows(body: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _asked = stream.read(&mut [0; 4096]).unwrap();
                let length = body.len();
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                )
                .unwrap();
            }
        });
        url
    }

    fn options(class: &str, url: String) -> Arc<RegisteredConverter> {
        let class = ConverterClass::find(class).unwrap();
        let options = [("schema.registry.url".to_owned(), url)];
        match class.configure(&options.into()).unwrap() {
            Converter::Registered(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn keys_and_values_have_registries_and_ids_of_their_own() {
        let keys = options("avro", knows(r#"{"schema":"\"long\""}"#));
        let values = options(
            "json-schema",
            knows(r#"{"schema":"{\"type\":\"string\"}","schemaType":"JSON"}"#),
        );
        let mut task = RegisteredTask::default();
        for _ in 0..2 {
            let key = task.read(&keys, Some(&[0, 0, 0, 0, 1, 14])).unwrap();
            assert_eq!(key.value, Value::Int64(7));
            let value = task
                .read(&values, Some(&[0, 0, 0, 0, 1, b'"', b'x', b'"']))
                .unwrap();
            assert_eq!(value.value, Value::string("x"));
        }
        // The other's bytes with this one's converter: said, with the id.
        let error = task.read(&keys, Some(&[0, 0, 0, 0, 1])).unwrap_err();
        assert!(error.message.contains("schema id 1"), "{}", error.message);
    }
}

//! Singer's messages: SCHEMA, RECORD and STATE, one JSON object on each line.
//!
//! A stream's JSON Schema becomes the schema of its rows: integers, numbers, booleans and strings as such, everything else as its
//! JSON in a text; every field may be null. `key_properties` make the key.

use std::collections::HashMap;

use linkspan_sdk::Kind;
use linkspan_sdk::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

/// One message.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Message {
    #[serde(rename = "SCHEMA")]
    Schema {
        stream: String,
        schema: Json,
        #[serde(default)]
        key_properties: Vec<String>,
    },
    #[serde(rename = "RECORD")]
    Record {
        stream: String,
        record: Map<String, Json>,
    },
    #[serde(rename = "STATE")]
    State { value: Json },
    /// A message that makes no record, such as `ACTIVATE_VERSION`.
    #[serde(other)]
    Other,
}

/// The streams of a tap, as it told of them.
#[derive(Debug, Default)]
pub(crate) struct Streams(HashMap<String, Stream>);

#[derive(Debug)]
struct Stream {
    topic: TopicName,
    schema: RowSchema,
    key: Option<RowSchema>,
}

impl Streams {
    /// Takes a SCHEMA message.
    pub(crate) fn declare(
        &mut self,
        prefix: &str,
        stream: &str,
        schema: &Json,
        keys: &[String],
        ctx: &SourceContext,
    ) -> Result<()> {
        let topic = topic_name(&format!("{prefix}{stream}"))?;
        let empty = Map::new();
        let properties = schema
            .get("properties")
            .and_then(Json::as_object)
            .unwrap_or(&empty);
        let mut row = SchemaBuilder::structure();
        let mut key = SchemaBuilder::structure();
        for (name, property) in properties {
            row = row.field(name, field(property).optional().build());
        }
        for name in keys {
            let property = properties.get(name).ok_or_else(|| {
                Error::data_invalid(format!(
                    "stream `{stream}`: the key `{name}` is none of its properties"
                ))
            })?;
            key = key.field(name, field(property).optional().build());
        }
        let declared = Stream {
            topic,
            schema: ctx.register_schema(row.build())?,
            key: match keys.is_empty() {
                true => None,
                false => Some(ctx.register_schema(key.build())?),
            },
        };
        self.0.insert(stream.to_owned(), declared);
        Ok(())
    }

    /// Hands out a RECORD.
    pub(crate) fn send(
        &self,
        stream: &str,
        record: &Map<String, Json>,
        out: &mut BatchBuilder,
    ) -> Result<()> {
        let declared = self.0.get(stream).ok_or_else(|| {
            Error::data_invalid(format!(
                "stream `{stream}`: a RECORD came before its SCHEMA"
            ))
        })?;
        if let Some(name) = record
            .keys()
            .find(|name| declared.schema.position(name).is_none())
        {
            return Err(Error::data_invalid(format!(
                "stream `{stream}`: the SCHEMA has no property `{name}`"
            )));
        }
        let mut builder = out.to(&declared.topic);
        if let Some(key) = &declared.key {
            builder = builder.key_row(key, |row| write(stream, key, record, row));
        }
        builder.row(&declared.schema, |row| {
            write(stream, &declared.schema, record, row)
        })
    }
}

fn write(
    stream: &str,
    schema: &RowSchema,
    record: &Map<String, Json>,
    row: &mut RowWriter<'_, '_>,
) -> Result<()> {
    for (at, field) in schema.schema().fields().iter().enumerate() {
        let value = record.get(&field.name).unwrap_or(&Json::Null);
        let wrong = |wanted: &str| {
            Error::data_invalid(format!(
                "stream `{stream}`: property `{}` is not {wanted}",
                field.name
            ))
        };
        match (&field.schema.kind, value) {
            (_, Json::Null) => row.null(at)?,
            (Kind::Int64, value) => row.int64(
                at,
                value
                    .as_i64()
                    .ok_or_else(|| wrong("an integer of 64 bits"))?,
            )?,
            (Kind::Float64, value) => {
                row.float64(at, value.as_f64().ok_or_else(|| wrong("a number"))?)?
            }
            (Kind::Boolean, value) => {
                row.boolean(at, value.as_bool().ok_or_else(|| wrong("true or false"))?)?
            }
            (_, Json::String(text)) => row.string(at, text)?,
            (_, other) => row.string(at, &other.to_string())?,
        };
    }
    Ok(())
}

/// The type of a property: of several, `null` left aside, the first; one that is none of ours is text.
fn field(property: &Json) -> SchemaBuilder {
    let is = |word: &str| match property.get("type") {
        Some(Json::String(one)) => one == word,
        Some(Json::Array(several)) => {
            let mut kinds = several
                .iter()
                .filter_map(Json::as_str)
                .filter(|kind| *kind != "null");
            kinds.next() == Some(word) && kinds.next().is_none()
        }
        _ => false,
    };
    if is("integer") {
        SchemaBuilder::int64()
    } else if is("number") {
        SchemaBuilder::float64()
    } else if is("boolean") {
        SchemaBuilder::boolean()
    } else {
        SchemaBuilder::string()
    }
}

/// Makes a topic's name of a stream's: what no topic may contain becomes `_`.
fn topic_name(text: &str) -> Result<TopicName> {
    let name: String = text
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') => c,
            _ => '_',
        })
        .collect();
    TopicName::try_new(&name)
        .map_err(|error| Error::data_invalid(format!("stream `{text}`: {error}")))
}

/// Says whether a STATE is worth keeping: an empty one would make the next run start over.
pub(crate) fn is_state(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Object(fields) => !fields.is_empty(),
        _ => true,
    }
}

/// Selects streams in a catalog that was discovered; none named selects all.
pub(crate) fn select(catalog: &mut Json, streams: &[String]) -> Result<()> {
    let found = catalog
        .get_mut("streams")
        .and_then(Json::as_array_mut)
        .ok_or_else(|| Error::data_invalid("the tap's catalog has no `streams`"))?;
    let mut unknown: Vec<&String> = streams.iter().collect();
    for stream in found {
        let name = |key: &str| stream.get(key).and_then(Json::as_str).map(str::to_owned);
        let names = [name("tap_stream_id"), name("stream")];
        let is_named = |wanted: &String| names.iter().flatten().any(|name| name == wanted);
        let selected = streams.is_empty() || streams.iter().any(is_named);
        unknown.retain(|wanted| !is_named(wanted));
        let Some(fields) = stream.as_object_mut() else {
            continue;
        };
        if let Some(schema) = fields.get_mut("schema").and_then(Json::as_object_mut) {
            schema.insert("selected".to_owned(), selected.into());
        }
        let metadata = fields.entry("metadata").or_insert_with(|| json!([]));
        let Some(entries) = metadata.as_array_mut() else {
            continue;
        };
        let top = entries.iter_mut().find(|entry| {
            entry
                .get("breadcrumb")
                .and_then(Json::as_array)
                .is_some_and(Vec::is_empty)
        });
        match top.and_then(|entry| entry.get_mut("metadata")?.as_object_mut()) {
            Some(about) => {
                about.insert("selected".to_owned(), selected.into());
            }
            None => entries.push(json!({"breadcrumb": [], "metadata": {"selected": selected}})),
        }
    }
    match unknown.first() {
        None => Ok(()),
        Some(name) => Err(Error::config_invalid(format!(
            "`singer.streams`: the tap has no stream `{name}`"
        ))),
    }
}

/// Describes rows to a target.
pub(crate) fn schema_message(stream: &str, schema: &Schema) -> Json {
    let mut properties = Map::new();
    for field in schema.fields() {
        let kind = match field.schema.kind {
            Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 if field.schema.name.is_none() => {
                "integer"
            }
            Kind::Float32 | Kind::Float64 => "number",
            Kind::Boolean => "boolean",
            Kind::Array(_) => "array",
            Kind::Map(_, _) | Kind::Struct(_) => "object",
            _ => "string",
        };
        properties.insert(field.name.clone(), json!({"type": ["null", kind]}));
    }
    json!({
        "type": "SCHEMA", "stream": stream,
        "schema": {"type": "object", "properties": properties}, "key_properties": [],
    })
}

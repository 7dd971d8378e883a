//! Debezium's `EventRouter`: from the inserts into an outbox table to events on topics of their own.
//!
//! ```text
//! {after: {id, aggregatetype, aggregateid, type, payload, …}, op: c}
//!    topic  outbox.event.<aggregatetype>      key  aggregateid      value  payload      header id
//! ```

use std::sync::Arc;

use super::Transform;
use super::event_router_json::{Expander, Nulls};
use super::extract_new_record_state::{envelope_of, row_of, text_of};
use super::regex_router::RegexRouter;
use super::side::{StructBuilder, struct_kind};
use crate::options::{ConfigProblem, OptionDef, Rule, Settings};
use crate::{Class, Error, Field, Kind, Record, Schema, SchemaAndValue, Struct, Value};

const PAYLOAD: &str = "payload";

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::string("table.field.event.id", "The column with the event's id.").default("id"),
    OptionDef::string("table.field.event.key", "The column with the event's key.")
        .default("aggregateid"),
    OptionDef::string(
        "table.field.event.type",
        "The column with the event's type.",
    )
    .default("type"),
    OptionDef::string(
        "table.field.event.payload",
        "The column with the event itself.",
    )
    .default(PAYLOAD),
    OptionDef::string(
        "table.field.event.timestamp",
        "The column with the event's time; without it the time of the change.",
    ),
    OptionDef::string(
        "table.field.event.schema.version",
        "The column with the version of the event's schema.",
    ),
    OptionDef::list(
        "table.fields.additional.placement",
        "Further columns: `column:header`, `column:envelope`, `column:partition`, each with `:name` if it gets another.",
    ),
    OptionDef::string(
        "table.field.additional.missing",
        "What happens where such a column is missing.",
    )
    .default("error")
    .rule(Rule::OneOfIgnoringCase(&["error", "warn", "ignore"])),
    OptionDef::boolean(
        "table.fields.additional.error.on.missing",
        "true",
        "The older name: false means ignore.",
    ),
    OptionDef::string("route.by.field", "The column that decides on the topic.")
        .default("aggregatetype"),
    OptionDef::string("route.topic.regex", "The pattern for its value.")
        .default("(?<routedByValue>.*)"),
    OptionDef::string("route.topic.replacement", "The topic's name.")
        .default("outbox.event.${routedByValue}"),
    OptionDef::boolean(
        "route.tombstone.on.empty.payload",
        "false",
        "Whether an event without payload becomes a tombstone.",
    ),
    OptionDef::string(
        "table.op.invalid.behavior",
        "What an update does: warn and error drop it, fatal fails.",
    )
    .default("warn")
    .rule(Rule::OneOfIgnoringCase(&["warn", "error", "fatal"])),
    OptionDef::boolean(
        "table.expand.json.payload",
        "false",
        "Whether JSON text becomes a struct.",
    ),
    OptionDef::string(
        "table.json.payload.null.behavior",
        "What a null in it becomes: no field, or one of optional bytes.",
    )
    .default("ignore")
    .rule(Rule::OneOfIgnoringCase(&["ignore", "optional_bytes"])),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placement {
    Header,
    Envelope,
    Partition,
    /// Debezium takes any word and trips over it at the first record.
    Unknown,
}

#[derive(Debug)]
struct Additional {
    column: String,
    placement: Placement,
    name: Arc<str>,
}

#[derive(Debug)]
pub(super) struct EventRouter {
    id: String,
    key: String,
    payload: String,
    timestamp: Option<String>,
    version: Option<String>,
    additional: Vec<Additional>,
    missing_fails: bool,
    route_by: String,
    router: RegexRouter,
    tombstones: bool,
    updates_fail: bool,
    expander: Option<Expander>,
    string_schema: Arc<Schema>,
}

impl EventRouter {
    pub(super) fn configure(settings: &Settings) -> Result<Self, Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        let mut additional = Vec::new();
        for item in settings.list("table.fields.additional.placement") {
            match Additional::parse(item) {
                Ok(parsed) => additional.push(parsed),
                Err(message) => problems.push(ConfigProblem::new(
                    "table.fields.additional.placement",
                    message,
                )),
            }
        }
        let router = RegexRouter::new(
            settings.text_or_empty("route.topic.regex"),
            settings.text_or_empty("route.topic.replacement"),
        );
        let router = match router {
            Ok(router) if problems.is_empty() => router,
            Ok(_) => return Err(problems),
            Err(message) => {
                problems.push(ConfigProblem::new("route.topic.regex", message));
                return Err(problems);
            }
        };
        let text = |name: &str| settings.text_or_empty(name).to_owned();
        let is = |name: &str, word: &str| settings.text_or_empty(name).eq_ignore_ascii_case(word);
        let nulls = if is("table.json.payload.null.behavior", "optional_bytes") {
            Nulls::OptionalBytes
        } else {
            Nulls::Ignored
        };
        Ok(Self {
            id: text("table.field.event.id"),
            key: text("table.field.event.key"),
            payload: text("table.field.event.payload"),
            timestamp: settings
                .text("table.field.event.timestamp")
                .map(str::to_owned),
            version: settings
                .text("table.field.event.schema.version")
                .map(str::to_owned),
            additional,
            missing_fails: is("table.field.additional.missing", "error")
                && settings.boolean("table.fields.additional.error.on.missing"),
            route_by: text("route.by.field"),
            router,
            tombstones: settings.boolean("route.tombstone.on.empty.payload"),
            updates_fail: is("table.op.invalid.behavior", "fatal"),
            expander: settings
                .boolean("table.expand.json.payload")
                .then(|| Expander::new(nulls)),
            string_schema: Arc::new(Schema::new(Kind::String)),
        })
    }
}

impl Additional {
    fn parse(item: &str) -> Result<Self, String> {
        let mut parts = item.split(':');
        let (column, word, name) = (parts.next(), parts.next(), parts.next());
        let (Some(column), Some(word), None) = (column, word, parts.next()) else {
            return Err(format!(
                "`{item}` is not of the form `column:placement` or `column:placement:name`"
            ));
        };
        let placement = match word.trim().to_ascii_lowercase().as_str() {
            "header" => Placement::Header,
            "envelope" => Placement::Envelope,
            "partition" => Placement::Partition,
            _ => Placement::Unknown,
        };
        Ok(Self {
            column: column.to_owned(),
            placement,
            name: Arc::from(name.unwrap_or(column)),
        })
    }
}

impl Transform for EventRouter {
    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        if record.value.value.is_null() {
            return Ok(None);
        }
        let Some(envelope) = envelope_of(&record)? else {
            return Ok(Some(record));
        };
        match text_of(&envelope, "op")?.as_deref() {
            Some("d") => return Ok(None),
            Some("u") if self.updates_fail => {
                return Err(Error::new(
                    Class::IllegalState,
                    "a row of the outbox was updated, which `table.op.invalid.behavior: fatal` forbids",
                ));
            }
            Some("u") => return Ok(None),
            Some(_) => {}
            None => {
                return Err(
                    Error::data("the change event does not say its operation").in_field("op")
                );
            }
        }
        let (schema, row) = row_of(&envelope, "after")?;
        let row =
            row.ok_or_else(|| Error::data("the change event holds no row").in_field("after"))?;
        let payload_field = schema.field(&self.payload).ok_or_else(|| {
            Error::new(
                Class::Connect,
                format!(
                    "the outbox has no column `{}` for the payload",
                    self.payload
                ),
            )
        })?;
        let mut payload = SchemaAndValue::new(
            Some(Arc::clone(&payload_field.schema)),
            row.get(&self.payload)?.clone(),
        );
        record.timestamp = self.event_time(&envelope, &row)?;
        let id = column(&schema, &row, &self.id)?;
        record.headers.add("id", id);
        if let (Some(expander), Value::String(text)) = (&self.expander, &payload.value)
            && let Some(expanded) = expander.expand(&self.payload, text)
        {
            payload = expanded;
        }
        let route = text_of(&row, &self.route_by)?.ok_or_else(|| {
            Error::data("the column that decides on the topic is null").in_field(&self.route_by)
        })?;
        record.partition = None;
        let empty = match &payload.value {
            Value::Null => true,
            Value::String(text) => crate::options::trim(text).is_empty(),
            _ => false,
        };
        let enveloped = self.place(&mut record, &schema, &row, &payload, &route)?;
        record.value = if empty && self.tombstones {
            SchemaAndValue::NULL
        } else {
            enveloped.unwrap_or(payload)
        };
        record.key = column(&schema, &row, &self.key)?;
        if record.key.schema.is_none() {
            record.key.schema = Some(Arc::clone(&self.string_schema));
        }
        record.topic = self.router.route(&route)?;
        Ok(Some(record))
    }

    fn routed(&mut self, _topic: &Arc<str>) -> Option<Arc<str>> {
        None
    }
}

/// A column with its schema.
fn column(schema: &Schema, row: &Struct, name: &str) -> Result<SchemaAndValue, Error> {
    let value = row.get(name)?.clone();
    let schema = schema.field(name).map(|field| Arc::clone(&field.schema));
    Ok(SchemaAndValue::new(schema, value))
}

impl EventRouter {
    fn event_time(&self, envelope: &Struct, row: &Struct) -> Result<Option<i64>, Error> {
        let changed = || match envelope.get_without_default("ts_ms")? {
            Value::Null => Ok(None),
            Value::Int64(ms) => Ok(Some(*ms)),
            other => Err(
                Error::data(format!("int64 is expected, not {}", other.type_name()))
                    .in_field("ts_ms"),
            ),
        };
        let Some(name) = &self.timestamp else {
            return changed();
        };
        let unsupported = |what: &str| Error::new(Class::Connect, what).in_field(name);
        let field = row
            .schema()
            .field(name)
            .ok_or_else(|| unsupported("the outbox has no such column for the time"))?;
        let time = match row.get_without_default(name)? {
            Value::Null => return changed(),
            Value::Int64(time) => *time,
            other => {
                return Err(
                    Error::data(format!("int64 is expected, not {}", other.type_name()))
                        .in_field(name),
                );
            }
        };
        match field.schema.name.as_deref() {
            Some("io.debezium.time.Timestamp") => Ok(Some(time)),
            Some("io.debezium.time.MicroTimestamp") => Ok(Some(time / 1000)),
            Some("io.debezium.time.NanoTimestamp") => Ok(Some(time / 1_000_000)),
            _ => Err(unsupported(
                "the column is no io.debezium.time.Timestamp, MicroTimestamp or NanoTimestamp",
            )),
        }
    }

    /// Puts the further columns where they belong; returns the envelope, if there is one.
    fn place(
        &self,
        record: &mut Record,
        schema: &Schema,
        row: &Struct,
        payload: &SchemaAndValue,
        route: &str,
    ) -> Result<Option<SchemaAndValue>, Error> {
        let mut fields = Vec::new();
        let mut values = vec![payload.value.clone()];
        let mut enveloped = false;
        for additional in &self.additional {
            enveloped |= additional.placement == Placement::Envelope;
            if !self.missing_fails && row.schema().field(&additional.column).is_none() {
                continue;
            }
            let found = column(schema, row, &additional.column)?;
            match (additional.placement, &found.value) {
                (Placement::Header, _) => record.headers.add(Arc::clone(&additional.name), found),
                (Placement::Envelope, _) => {
                    if let Some(schema) = found.schema {
                        fields.push(Field::new(Arc::clone(&additional.name), schema));
                        values.push(found.value);
                    }
                }
                (Placement::Unknown, _) => {
                    let message = "`table.fields.additional.placement` says neither header, envelope nor partition for this column";
                    return Err(
                        Error::new(Class::NullPointer, message).in_field(&additional.column)
                    );
                }
                (Placement::Partition, Value::Null) => record.partition = None,
                (Placement::Partition, Value::Int32(partition)) => {
                    record.partition = Some(*partition);
                }
                (Placement::Partition, other) => {
                    let message = format!("a partition is an int32, not {}", other.type_name());
                    return Err(Error::data(message).in_field(&additional.column));
                }
            }
        }
        if !enveloped {
            return Ok(None);
        }
        let payload_schema = payload.schema.clone().ok_or_else(|| {
            Error::data("the payload has no schema and cannot stand in an envelope")
        })?;
        fields.insert(0, Field::new(PAYLOAD, payload_schema));
        let mut envelope = Schema::new(struct_kind(fields)?);
        envelope.name = Some(envelope_name(schema, route));
        envelope.version = match &self.version {
            None => None,
            Some(name) => match row.get_without_default(name)? {
                Value::Null => None,
                Value::Int32(version) => Some(*version),
                other => {
                    return Err(Error::data(format!(
                        "a version is an int32, not {}",
                        other.type_name()
                    ))
                    .in_field(name));
                }
            },
        };
        let envelope = Arc::new(envelope);
        let mut built = StructBuilder::new(Arc::clone(&envelope));
        for value in values {
            built.push(value)?;
        }
        Ok(Some(SchemaAndValue::new(Some(envelope), built.finish()?)))
    }
}

/// `server.outbox.Value` becomes `server.outbox.<route>.Value`.
fn envelope_name(schema: &Schema, route: &str) -> Arc<str> {
    Arc::from(match schema.name.as_deref() {
        None => route.to_owned(),
        Some(name) => match name.rsplit_once('.') {
            Some((before, last)) => format!("{before}.{route}.{last}"),
            None => format!("{route}.{name}"),
        },
    })
}

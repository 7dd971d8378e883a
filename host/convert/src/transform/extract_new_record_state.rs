//! Debezium's `ExtractNewRecordState`: from a change event to the row as it is after the change.
//!
//! ```text
//! {before, after, source, op, ts_ms}  ─►  after                                   create, update, snapshot
//! {before, after: null, …}            ─►  null | before + __deleted | nothing     delete, by `delete.tombstone.handling.mode`
//! ```

use std::sync::Arc;

use super::Transform;
use super::insert_field::InsertField;
use super::side::{StructBuilder, copy_basics, struct_kind};
use crate::options::{ConfigProblem, OptionDef, Rule, Settings};
use crate::{Error, Field, Kind, Record, Schema, SchemaAndValue, Struct, Value};

/// The end of the name of an envelope's schema.
pub(super) const ENVELOPE: &str = ".Envelope";
const DELETED: &str = "__deleted";

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::string(
        "delete.tombstone.handling.mode",
        "drop: deletes vanish. tombstone: they become null with the row's schema. delete-to-tombstone: null without a schema. rewrite: the old row with __deleted. rewrite-with-tombstone: that, and the tombstones that follow stay.",
    )
    .default("tombstone")
    .rule(Rule::OneOfIgnoringCase(&[
        "drop",
        "tombstone",
        "delete-to-tombstone",
        "rewrite",
        "rewrite-with-tombstone",
    ])),
    OptionDef::list("add.fields", "Fields of the envelope to add to the row, `op,source.ts_ms:when`.").default(""),
    OptionDef::string("add.fields.prefix", "What stands before their names.").default("__"),
    OptionDef::list("add.headers", "Fields of the envelope to add as headers.").default(""),
    OptionDef::string("add.headers.prefix", "What stands before their names.").default("__"),
    OptionDef::string("route.by.field", "The field of the row that becomes the topic.").default(""),
    OptionDef::string("drop.fields.header.name", "The header that lists fields to take out of the row."),
    OptionDef::boolean("drop.fields.from.key", "false", "Whether they are taken out of the key too."),
    OptionDef::boolean(
        "drop.fields.keep.schema.compatible",
        "true",
        "Whether only optional fields are taken out.",
    ),
    crate::options::REPLACE_NULL,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Drop,
    Tombstone,
    DeleteToTombstone,
    Rewrite,
    RewriteWithTombstone,
}

#[derive(Debug)]
pub(super) struct ExtractNewRecordState {
    mode: Mode,
    fields: Vec<Reference>,
    headers: Vec<Reference>,
    route_by: String,
    drop_header: String,
    drop_from_key: bool,
    drop_optional_only: bool,
    deleted: InsertField,
    kept: InsertField,
}

/// A field of the envelope and its new name.
#[derive(Debug)]
struct Reference {
    /// `source`, `transaction`; `None` is the envelope itself.
    parent: Option<String>,
    field: String,
    name: Arc<str>,
}

impl ExtractNewRecordState {
    pub(super) fn configure(settings: &Settings) -> Result<Self, Vec<ConfigProblem>> {
        let mode = settings.text_or_empty("delete.tombstone.handling.mode");
        let mode = match mode.to_ascii_lowercase().as_str() {
            "drop" => Mode::Drop,
            "delete-to-tombstone" => Mode::DeleteToTombstone,
            "rewrite" => Mode::Rewrite,
            "rewrite-with-tombstone" => Mode::RewriteWithTombstone,
            _ => Mode::Tombstone,
        };
        let text = |name: &str| settings.text_or_empty(name).to_owned();
        Ok(Self {
            mode,
            fields: references(settings, "add.fields", "add.fields.prefix")?,
            headers: references(settings, "add.headers", "add.headers.prefix")?,
            route_by: text("route.by.field"),
            drop_header: text("drop.fields.header.name"),
            drop_from_key: settings.boolean("drop.fields.from.key"),
            drop_optional_only: settings.boolean("drop.fields.keep.schema.compatible"),
            deleted: InsertField::fixed(
                DELETED,
                "true",
                settings.boolean("replace.null.with.default"),
            ),
            kept: InsertField::fixed(
                DELETED,
                "false",
                settings.boolean("replace.null.with.default"),
            ),
        })
    }

    const fn rewrites(&self) -> bool {
        matches!(self.mode, Mode::Rewrite | Mode::RewriteWithTombstone)
    }
}

fn references(
    settings: &Settings,
    option: &str,
    prefix: &str,
) -> Result<Vec<Reference>, Vec<ConfigProblem>> {
    let prefix = settings.text_or_empty(prefix);
    let mut references = Vec::new();
    let mut problems = Vec::new();
    for item in settings.list(option) {
        match Reference::parse(item, prefix) {
            Some(reference) => references.push(reference),
            None => problems.push(ConfigProblem::new(
                option,
                format!("`{item}` is not of the form `field`, `struct.field` or `field:name`"),
            )),
        }
    }
    if problems.is_empty() {
        Ok(references)
    } else {
        Err(problems)
    }
}

impl Reference {
    fn parse(item: &str, prefix: &str) -> Option<Self> {
        let (path, name) = match item.split_once(':') {
            Some((_, name)) if name.contains(':') => return None,
            Some((path, name)) => (path, Some(name).filter(|name| !name.is_empty())),
            None => (item, None),
        };
        let mut parts = path.split('.');
        let first = parts.next().filter(|part| !part.is_empty())?;
        let (parent, field, plain) = match parts.next().filter(|part| !part.is_empty()) {
            Some(field) => (Some(first), field, format!("{first}_{field}")),
            None => (home_of(first), first, first.to_owned()),
        };
        Some(Self {
            parent: parent.map(str::to_owned),
            field: field.to_owned(),
            name: Arc::from(format!("{prefix}{}", name.unwrap_or(&plain))),
        })
    }

    /// Schema (optional) and value; `None` where the envelope has no such field.
    fn find(&self, envelope: &Struct) -> Option<SchemaAndValue> {
        let schema = envelope.schema();
        let home = match &self.parent {
            None => Some(schema),
            Some(parent) => schema.field(parent).map(|field| &field.schema),
        };
        let inner = home.and_then(|home| home.field(&self.field));
        let (field, at_home) = match inner {
            Some(field) => (field, true),
            // Another transform may have put it into the envelope itself.
            None => (schema.field(&self.field)?, false),
        };
        let value = match (&self.parent, at_home) {
            (Some(parent), true) => match envelope.get_without_default(parent) {
                Ok(Value::Struct(home)) => home.get_without_default(&self.field).ok().cloned(),
                _ => None,
            },
            _ => envelope.get_without_default(&self.field).ok().cloned(),
        };
        let optional = copy_basics(&field.schema, field.schema.kind.clone()).with_optional(true);
        Some(SchemaAndValue::new(
            Some(Arc::new(optional)),
            value.unwrap_or_default(),
        ))
    }
}

/// Where a field without a struct before it is looked for.
fn home_of(field: &str) -> Option<&'static str> {
    match field {
        "id" | "data_collection_order" | "total_order" => Some("transaction"),
        "op" | "ts_ms" | "ts_us" | "ts_ns" => None,
        "updateDescription" => Some("updateDescription"),
        _ => Some("source"),
    }
}

/// Returns the envelope of a change event, `None` where the record is something else.
pub(super) fn envelope_of(record: &Record) -> Result<Option<Arc<Struct>>, Error> {
    let is_envelope = record
        .value
        .schema
        .as_ref()
        .and_then(|schema| schema.name.as_deref())
        .is_some_and(|name| name.ends_with(ENVELOPE));
    if !is_envelope {
        return Ok(None);
    }
    match &record.value.value {
        Value::Struct(envelope) => Ok(Some(Arc::clone(envelope))),
        other => Err(Error::data(format!(
            "the schema is a change event's, the value is {}",
            other.type_name()
        ))),
    }
}

/// A row inside of an envelope with its schema.
pub(super) fn row_of(
    envelope: &Struct,
    name: &str,
) -> Result<(Arc<Schema>, Option<Arc<Struct>>), Error> {
    let field = envelope
        .schema()
        .field(name)
        .ok_or_else(|| Error::data(format!("the change event has no field `{name}`")))?;
    let row = match envelope.get(name)? {
        Value::Null => None,
        Value::Struct(row) => Some(Arc::clone(row)),
        other => {
            return Err(
                Error::data(format!("a row is expected, not {}", other.type_name())).in_field(name),
            );
        }
    };
    Ok((Arc::clone(&field.schema), row))
}

/// The text of a field, `None` where it is null.
pub(super) fn text_of(row: &Struct, name: &str) -> Result<Option<Arc<str>>, Error> {
    match row.get_without_default(name)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(Arc::clone(text))),
        other => {
            Err(Error::data(format!("text is expected, not {}", other.type_name())).in_field(name))
        }
    }
}

impl Transform for ExtractNewRecordState {
    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        if record.value.value.is_null() {
            return Ok(self.tombstone(record));
        }
        let Some(envelope) = envelope_of(&record)? else {
            return Ok(Some(record));
        };
        let (after_schema, after) = row_of(&envelope, "after")?;
        let (before_schema, before) = row_of(&envelope, "before")?;
        let row = match (&after, &before) {
            // A truncated table.
            (None, None) => return Ok(None),
            (Some(after), _) => after,
            (None, Some(before)) => before,
        };
        if after.is_none() && self.mode == Mode::Drop {
            return Ok(None);
        }
        if !self.route_by.is_empty()
            && let Some(topic) = text_of(row, &self.route_by)?
            && !topic.trim().is_empty()
        {
            record.topic = topic;
        }
        for reference in &self.headers {
            if let Some(found) = reference.find(&envelope) {
                record.headers.add(Arc::clone(&reference.name), found);
            }
        }
        match (after.is_some(), self.rewrites()) {
            (true, _) => self.set_row(&mut record, &after_schema, row, &envelope)?,
            (false, true) => self.set_row(&mut record, &before_schema, row, &envelope)?,
            (false, false) if self.mode == Mode::DeleteToTombstone => {
                record.value = SchemaAndValue::NULL;
            }
            (false, false) => record.value = SchemaAndValue::new(Some(after_schema), Value::Null),
        }
        if self.rewrites() {
            let mark = if after.is_some() {
                &mut self.kept
            } else {
                &mut self.deleted
            };
            match mark.apply(record)? {
                Some(marked) => record = marked,
                None => return Ok(None),
            }
        }
        self.drop_fields(&mut record)?;
        Ok(Some(record))
    }

    fn routed(&mut self, topic: &Arc<str>) -> Option<Arc<str>> {
        self.route_by.is_empty().then(|| Arc::clone(topic))
    }
}

impl ExtractNewRecordState {
    fn tombstone(&self, mut record: Record) -> Option<Record> {
        if self.mode != Mode::RewriteWithTombstone {
            return None;
        }
        for reference in self.headers.iter().filter(|known| known.field == "op") {
            let delete = SchemaAndValue::new(
                Some(Arc::new(Schema::new(Kind::String))),
                Value::string("d"),
            );
            record.headers.add(Arc::clone(&reference.name), delete);
        }
        Some(record)
    }

    /// The row with the fields that were asked for.
    fn set_row(
        &self,
        record: &mut Record,
        schema: &Arc<Schema>,
        row: &Struct,
        envelope: &Struct,
    ) -> Result<(), Error> {
        let mut fields = schema.fields().to_vec();
        let mut added = Vec::new();
        for reference in &self.fields {
            if let Some(SchemaAndValue {
                schema: Some(schema),
                value,
            }) = reference.find(envelope)
            {
                fields.push(Field::new(Arc::clone(&reference.name), schema));
                added.push(value);
            }
        }
        let updated = Arc::new(copy_basics(schema, struct_kind(fields)?));
        let mut built = StructBuilder::new(Arc::clone(&updated));
        for value in row.values().iter().cloned().chain(added) {
            if value.is_null() {
                built.skip();
            } else {
                built.push(value)?;
            }
        }
        record.value = SchemaAndValue::new(Some(updated), built.finish()?);
        Ok(())
    }

    fn drop_fields(&self, record: &mut Record) -> Result<(), Error> {
        if self.drop_header.is_empty() {
            return Ok(());
        }
        let Some(header) = record.headers.all(&self.drop_header).next() else {
            return Ok(());
        };
        let names = match &header.value.value {
            Value::Null => return Ok(()),
            Value::Array(names) => Arc::clone(names),
            other => {
                return Err(Error::data(format!(
                    "header `{}` lists fields, it is {}",
                    self.drop_header,
                    other.type_name()
                )));
            }
        };
        let drops = |field: &Field| {
            (field.schema.optional || !self.drop_optional_only)
                && names.iter().any(|name| name.as_str() == Some(&*field.name))
        };
        if self.drop_from_key {
            without(&mut record.key, &drops)?;
        }
        without(&mut record.value, &drops)
    }
}

/// Takes fields out of a struct, if it has any of them.
fn without(part: &mut SchemaAndValue, drops: &impl Fn(&Field) -> bool) -> Result<(), Error> {
    let (Some(schema), Value::Struct(row)) = (&part.schema, &part.value) else {
        return Ok(());
    };
    if !schema.fields().iter().any(drops) {
        return Ok(());
    }
    let kept = schema.fields().iter().filter(|field| !drops(field));
    let updated = Arc::new(copy_basics(schema, struct_kind(kept.cloned().collect())?));
    let mut built = StructBuilder::new(Arc::clone(&updated));
    for (position, field) in schema.fields().iter().enumerate() {
        if !drops(field) {
            built.push(row.at(position).clone())?;
        }
    }
    *part = SchemaAndValue::new(Some(updated), built.finish()?);
    Ok(())
}

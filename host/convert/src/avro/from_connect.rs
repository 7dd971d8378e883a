//! From a Connect schema to the Avro schema that writes its values, as `AvroData.fromConnectSchema` does it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json, json};

use super::schema::AvroSchema;
use super::{
    DEFAULT_NAME, ENUM, FIXED_SIZE, MAP_ENTRY, Mapping, NAMESPACE, PRECISION, PRECISION_DEFAULT,
    UNION,
};
use crate::calendar::DAY_MS;
use crate::schema::NESTING_MAX;
use crate::{Error, Field, Kind, Logical, Schema, Type, Value};

/// Returns the Avro schema that writes the values of a Connect schema.
///
/// # Errors
/// Names the part that Avro cannot have: an item without a schema, a name that Avro does not allow.
pub fn avro_schema(schema: &Schema, mapping: Mapping) -> Result<AvroSchema, Error> {
    let mut writer = Writer {
        mapping,
        defined: BTreeMap::new(),
    };
    let json = writer.optional(schema, 0)?;
    AvroSchema::parse(&json.to_string(), &[])
}

struct Writer {
    mapping: Mapping,
    /// Names that are defined already, with what: the second time the name alone stands.
    defined: BTreeMap<String, Json>,
}

impl Writer {
    /// A schema, in a union with null where it is optional.
    fn optional(&mut self, schema: &Schema, depth: usize) -> Result<Json, Error> {
        let base = self.schema(schema, depth)?;
        Ok(match (schema.optional, &schema.default) {
            (false, _) => base,
            // Avro: the default of a union is one of its first member.
            (true, Some(_)) => nullable(base, false),
            (true, None) => nullable(base, true),
        })
    }

    fn schema(&mut self, schema: &Schema, depth: usize) -> Result<Json, Error> {
        if depth > NESTING_MAX {
            return Err(Error::data(format!(
                "a schema that nests deeper than {NESTING_MAX}"
            )));
        }
        if schema.is_named(UNION) {
            return self.union(schema, depth);
        }
        let mut object = JsonMap::new();
        let mut set = |name: &str, value: Json| drop(object.insert(name.to_owned(), value));
        match &schema.kind {
            Kind::Boolean => set("type", json!("boolean")),
            Kind::Int8 | Kind::Int16 => {
                set("type", json!("int"));
                set("connect.type", json!(schema.schema_type().name()));
            }
            Kind::Int32 => {
                set("type", json!("int"));
                match schema.logical() {
                    Some(Logical::Date) => set("logicalType", json!("date")),
                    Some(Logical::Time) => set("logicalType", json!("time-millis")),
                    _ => {}
                }
            }
            Kind::Int64 => {
                set("type", json!("long"));
                match (schema.logical(), schema.name.as_deref()) {
                    (Some(Logical::Timestamp), _) => set("logicalType", json!("timestamp-millis")),
                    (_, Some("linkspan.TimestampMicros")) => {
                        set("logicalType", json!("timestamp-micros"))
                    }
                    _ => {}
                }
            }
            Kind::Float32 => set("type", json!("float")),
            Kind::Float64 => set("type", json!("double")),
            Kind::String => match self.enumeration(schema)? {
                Some(defined) => return Ok(defined),
                None => set("type", json!("string")),
            },
            Kind::Bytes => match self.fixed(schema)? {
                Some(defined) => return Ok(defined),
                None => {
                    set("type", json!("bytes"));
                    decimal(schema, &mut object)?;
                }
            },
            Kind::Array(items) => {
                let items = part(items.as_ref(), "an array's items")?;
                set("type", json!("array"));
                let items = self.optional(items, depth + 1)?;
                object.insert("items".to_owned(), items);
            }
            Kind::Map(keys, values) => self.map(
                schema,
                part(keys.as_ref(), "a map's keys")?,
                part(values.as_ref(), "a map's values")?,
                &mut object,
                depth,
            )?,
            Kind::Struct(_) => return self.record(schema, depth),
        }
        self.meta_data(schema, &mut object)?;
        Ok(simplest(object))
    }

    fn map(
        &mut self,
        schema: &Schema,
        keys: &Schema,
        values: &Schema,
        object: &mut JsonMap<String, Json>,
        depth: usize,
    ) -> Result<(), Error> {
        let values = |this: &mut Self| this.optional(values, depth + 1);
        if keys.schema_type() == Type::String && !keys.optional {
            object.insert("type".to_owned(), json!("map"));
            object.insert("values".to_owned(), values(self)?);
            return Ok(());
        }
        let key = self.optional(keys, depth + 1)?;
        let value = values(self)?;
        let full = schema
            .name
            .as_deref()
            .unwrap_or("io.confluent.connect.avro.MapEntry");
        let mut entry = self.begin(full, "record")?;
        entry.insert(
            "fields".to_owned(),
            json!([{"name": "key", "type": key}, {"name": "value", "type": value}]),
        );
        entry.insert("connect.internal.type".to_owned(), json!(MAP_ENTRY));
        let entry = self.define(full, entry)?;
        object.insert("type".to_owned(), json!("array"));
        object.insert("items".to_owned(), entry);
        Ok(())
    }

    fn record(&mut self, schema: &Schema, depth: usize) -> Result<Json, Error> {
        let full = schema.name.as_deref().unwrap_or(DEFAULT_NAME);
        let mut record = self.begin(full, "record")?;
        if let Some(doc) = &schema.doc {
            record.insert("doc".to_owned(), json!(&**doc));
        }
        let mut fields = Vec::with_capacity(schema.fields().len());
        for field in schema.fields().iter() {
            fields.push(
                self.field(field, depth)
                    .map_err(|error| error.in_field(&field.name))?,
            );
        }
        record.insert("fields".to_owned(), Json::Array(fields));
        self.meta_data(schema, &mut record)?;
        self.define(full, record)
    }

    fn field(&mut self, field: &Field, depth: usize) -> Result<Json, Error> {
        check_name(&field.name)?;
        let mut object = JsonMap::new();
        object.insert("name".to_owned(), json!(&*field.name));
        object.insert("type".to_owned(), self.optional(&field.schema, depth + 1)?);
        if let Some(doc) = &field.schema.doc {
            object.insert("doc".to_owned(), json!(&**doc));
        }
        match &field.schema.default {
            Some(default) => {
                object.insert("default".to_owned(), default_json(&field.schema, default)?);
            }
            None if field.schema.optional => {
                object.insert("default".to_owned(), Json::Null);
            }
            None => {}
        }
        Ok(Json::Object(object))
    }

    fn union(&mut self, schema: &Schema, depth: usize) -> Result<Json, Error> {
        let mut members = Vec::new();
        if schema.optional {
            members.push(json!("null"));
        }
        for field in schema.fields().iter() {
            members.push(
                self.schema(&field.schema, depth + 1)
                    .map_err(|error| error.in_field(&field.name))?,
            );
        }
        Ok(Json::Array(members))
    }

    fn enumeration(&mut self, schema: &Schema) -> Result<Option<Json>, Error> {
        let Some(full) = schema
            .parameters
            .get(ENUM)
            .filter(|_| self.mapping.enhanced)
        else {
            return Ok(None);
        };
        let full = full.to_owned();
        let prefix = format!("{ENUM}.");
        let symbols: Vec<Json> = schema
            .parameters
            .iter()
            .filter_map(|(name, _)| name.strip_prefix(&prefix).map(|symbol| json!(symbol)))
            .collect();
        let mut object = self.begin(&full, "enum")?;
        object.insert("symbols".to_owned(), Json::Array(symbols));
        self.meta_data(schema, &mut object)?;
        self.define(&full, object).map(Some)
    }

    fn fixed(&mut self, schema: &Schema) -> Result<Option<Json>, Error> {
        let size = schema
            .parameters
            .get(FIXED_SIZE)
            .and_then(|text| text.parse::<u64>().ok());
        let Some(size) = size else { return Ok(None) };
        let full = schema
            .name
            .as_deref()
            .filter(|name| Logical::from_name(name).is_none());
        let full = full.map_or_else(|| format!("{NAMESPACE}.Fixed{size}"), str::to_owned);
        let mut object = self.begin(&full, "fixed")?;
        object.insert("size".to_owned(), json!(size));
        decimal(schema, &mut object)?;
        self.meta_data(schema, &mut object)?;
        self.define(&full, object).map(Some)
    }

    /// Starts a definition.
    fn begin(&self, full: &str, word: &str) -> Result<JsonMap<String, Json>, Error> {
        for part in full.split('.') {
            check_name(part)?;
        }
        let (namespace, name) = full
            .rsplit_once('.')
            .map_or((None, full), |(namespace, name)| (Some(namespace), name));
        let mut object = JsonMap::new();
        object.insert("type".to_owned(), json!(word));
        object.insert("name".to_owned(), json!(name));
        // Said also where there is none: the surrounding one would count.
        object.insert("namespace".to_owned(), json!(namespace.unwrap_or_default()));
        if namespace.is_none() {
            object.remove("namespace");
        }
        Ok(object)
    }

    /// Ends a definition; the second time a name stands for what it did the first time.
    fn define(&mut self, full: &str, object: JsonMap<String, Json>) -> Result<Json, Error> {
        let defined = Json::Object(object);
        match self.defined.get(full) {
            None => {
                self.defined.insert(full.to_owned(), defined.clone());
                Ok(defined)
            }
            Some(before) if *before == defined => Ok(json!(full)),
            Some(_) => Err(Error::data(format!(
                "two different structs are named `{full}` in one schema, which Avro does not allow; give them names with the transform SetSchemaMetadata"
            ))),
        }
    }

    /// Connect's own properties, so that the way back finds them.
    fn meta_data(&self, schema: &Schema, object: &mut JsonMap<String, Json>) -> Result<(), Error> {
        if !self.mapping.meta_data {
            return Ok(());
        }
        let mut set = |name: &str, value: Json| drop(object.insert(name.to_owned(), value));
        if let Some(doc) = schema
            .doc
            .as_ref()
            .filter(|_| schema.schema_type() != Type::Struct)
        {
            set("connect.doc", json!(&**doc));
        }
        if let Some(version) = schema.version {
            set("connect.version", json!(version));
        }
        if schema.parameters.iter().next().is_some() {
            let parameters = schema
                .parameters
                .iter()
                .map(|(name, text)| (name.to_owned(), json!(text)));
            set("connect.parameters", Json::Object(parameters.collect()));
        }
        if let Some(default) = &schema.default {
            set("connect.default", default_json(schema, default)?);
        }
        if let Some(name) = &schema.name {
            set("connect.name", json!(&**name));
        }
        Ok(())
    }
}

fn part<'a>(part: Option<&'a Arc<Schema>>, what: &str) -> Result<&'a Schema, Error> {
    part.map(Arc::as_ref)
        .ok_or_else(|| Error::data(format!("{what} have no schema, and Avro needs one")))
}

fn nullable(base: Json, null_first: bool) -> Json {
    let mut members = match base {
        Json::Array(members) => members,
        base => vec![base],
    };
    members.retain(|member| *member != json!("null"));
    let at = if null_first { 0 } else { members.len() };
    members.insert(at, json!("null"));
    Json::Array(members)
}

/// `{"type": "int"}` is `"int"`.
fn simplest(object: JsonMap<String, Json>) -> Json {
    match object.get("type") {
        Some(word @ Json::String(_)) if object.len() == 1 => word.clone(),
        _ => Json::Object(object),
    }
}

fn decimal(schema: &Schema, object: &mut JsonMap<String, Json>) -> Result<(), Error> {
    if !schema.is_named(Logical::DECIMAL) {
        return Ok(());
    }
    let scale = crate::logical::decimal_scale(schema)?;
    let precision = schema
        .parameters
        .get(PRECISION)
        .and_then(|text| text.parse().ok())
        .unwrap_or(PRECISION_DEFAULT);
    object.insert("logicalType".to_owned(), json!("decimal"));
    object.insert("precision".to_owned(), json!(precision));
    object.insert("scale".to_owned(), json!(scale));
    Ok(())
}

fn check_name(name: &str) -> Result<(), Error> {
    let mut letters = name.chars();
    let first = letters
        .next()
        .is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_');
    if first && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
        return Ok(());
    }
    Err(Error::data(format!(
        "`{}` is no name that Avro allows: letters, digits and `_`, not beginning with a digit; rename it with a transform",
        name.escape_debug()
    )))
}

/// A default as Avro writes it into a schema.
fn default_json(schema: &Schema, value: &Value) -> Result<Json, Error> {
    let bytes = |bytes: &[u8]| {
        json!(
            bytes
                .iter()
                .map(|byte| char::from(*byte))
                .collect::<String>()
        )
    };
    Ok(match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => json!(value),
        Value::Int8(value) => json!(value),
        Value::Int16(value) => json!(value),
        Value::Int32(value) => json!(value),
        Value::Int64(value) => json!(value),
        Value::Float32(value) => json!(value),
        Value::Float64(value) => json!(value),
        Value::String(value) => json!(&**value),
        Value::Bytes(value) => bytes(value),
        Value::Decimal(value) => bytes(&value.unscaled_bytes()),
        Value::Instant(ms) if schema.logical() == Some(Logical::Date) => {
            json!(ms.div_euclid(DAY_MS))
        }
        Value::Instant(ms) => json!(ms),
        Value::Array(values) => match &schema.kind {
            Kind::Array(Some(items)) => values
                .iter()
                .map(|value| default_json(items, value))
                .collect::<Result<_, _>>()?,
            _ => {
                return Err(Error::data(
                    "a default that is a list needs the schema of its items",
                ));
            }
        },
        Value::Map(map) => match &schema.kind {
            Kind::Map(_, Some(values)) => {
                let mut object = JsonMap::new();
                for (key, value) in map.iter() {
                    let key = key.as_str().ok_or_else(|| {
                        Error::data("a default that is a map needs texts as keys")
                    })?;
                    object.insert(key.to_owned(), default_json(values, value)?);
                }
                Json::Object(object)
            }
            _ => {
                return Err(Error::data(
                    "a default that is a map needs the schema of its values",
                ));
            }
        },
        Value::Struct(values) => {
            let mut object = JsonMap::new();
            for (position, field) in schema.fields().iter().enumerate() {
                object.insert(
                    field.name.to_string(),
                    default_json(&field.schema, values.at(position))?,
                );
            }
            Json::Object(object)
        }
    })
}

//! From an Avro schema to Connect's, as `AvroData.toConnectSchema` does it.

use std::sync::Arc;

use serde_json::Value as Json;

use super::schema::{Avro, AvroSchema, Node, RecordField};
use super::{DEFAULT_NAME, ENUM, FIXED_SIZE, Mapping, PRECISION, PRECISION_DEFAULT, UNION};
use crate::calendar::DAY_MS;
use crate::{Class, Decimal, Error, Field, Kind, Logical, Map, Schema, Struct, Type, Value};

impl AvroSchema {
    /// Returns the Connect schema of the values that this schema writes.
    ///
    /// # Errors
    /// A null alone, or properties that contradict the type.
    pub fn to_connect(&self, mapping: Mapping) -> Result<Arc<Schema>, Error> {
        connect(&self.root, mapping, false, None).map(Arc::new)
    }
}

/// Whether null is a member of a union, and the others.
pub(super) fn members(nodes: &[Arc<Node>]) -> (bool, Vec<&Arc<Node>>) {
    let others: Vec<_> = nodes
        .iter()
        .filter(|node| node.kind != Avro::Null)
        .collect();
    (others.len() < nodes.len(), others)
}

fn connect(
    node: &Node,
    mapping: Mapping,
    optional: bool,
    field: Option<&RecordField>,
) -> Result<Schema, Error> {
    if let Avro::Union(nodes) = &node.kind {
        let (nullable, others) = members(nodes);
        if let ([only], true) = (others.as_slice(), nullable) {
            return connect(only, mapping, true, field);
        }
        return union(&others, mapping, nullable || optional, field);
    }
    let mut schema = base(node, mapping)?;
    let doc = field.and_then(|field| field.doc.as_deref());
    let doc = doc
        .or_else(|| node.text("doc"))
        .or_else(|| node.text("connect.doc"));
    schema.doc = doc.map(Arc::from);
    if let Some(version) = node.number("connect.version") {
        let version = i32::try_from(version)
            .map_err(|_| Error::data("`connect.version` is no 32-bit number"))?;
        schema.version = Some(version);
    }
    if let Some(Json::Object(parameters)) = node.properties.get("connect.parameters") {
        for (name, value) in parameters {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            schema.parameters.set(name.as_str(), text);
        }
    }
    let of_avro = node
        .name
        .as_deref()
        .filter(|_| matches!(node.kind, Avro::Record(_) | Avro::Enum(_)));
    if let Some(name) = node
        .text("connect.name")
        .or(of_avro)
        .filter(|name| *name != DEFAULT_NAME)
    {
        match schema.name.as_deref() {
            Some(own) if own != name => {
                return Err(Error::new(
                    Class::SchemaBuilder,
                    format!("`connect.name` is `{name}`, and the logical type makes it `{own}`"),
                ));
            }
            Some(_) => {}
            None => schema.name = Some(name.into()),
        }
    }
    schema.optional = optional;
    let default = field
        .and_then(|field| field.default.as_ref())
        .or_else(|| node.properties.get("connect.default"));
    if let Some(default) = default.filter(|default| !default.is_null()) {
        let value = default_value(node, &schema, default)?;
        schema = schema.with_default(value)?;
    }
    Ok(schema)
}

fn base(node: &Node, mapping: Mapping) -> Result<Schema, Error> {
    let logical = node.text("logicalType");
    let inner = |node: &Arc<Node>| connect(node, mapping, false, None).map(Arc::new);
    let plain = |kind| Schema::new(kind);
    let mut schema = match &node.kind {
        Avro::Null => {
            return Err(Error::data(
                "a null that stands alone has no Connect schema",
            ));
        }
        Avro::Boolean => plain(Kind::Boolean),
        Avro::Int => match (logical, node.text("connect.type")) {
            (Some("date"), _) => Schema::date(),
            (Some("time-millis"), _) => Schema::time(),
            (_, Some("int8")) => plain(Kind::Int8),
            (_, Some("int16")) => plain(Kind::Int16),
            _ => plain(Kind::Int32),
        },
        Avro::Long if logical == Some("timestamp-millis") => Schema::timestamp(),
        Avro::Long => plain(Kind::Int64),
        Avro::Float => plain(Kind::Float32),
        Avro::Double => plain(Kind::Float64),
        Avro::String => plain(Kind::String),
        Avro::Bytes | Avro::Fixed(_) if logical == Some("decimal") => decimal(node)?,
        Avro::Bytes | Avro::Fixed(_) => plain(Kind::Bytes),
        Avro::Enum(symbols) => enumeration(node, symbols, mapping),
        Avro::Array(items) => match &items.kind {
            Avro::Record(fields) if items.is_map_entry() => match fields.as_slice() {
                [key, value] => plain(Kind::Map(
                    Some(inner(&key.node)?),
                    Some(inner(&value.node)?),
                )),
                _ => return Err(Error::data("a map entry has a key and a value")),
            },
            _ => plain(Kind::Array(Some(inner(items)?))),
        },
        Avro::Map(values) => plain(Kind::Map(
            Schema::shared(Type::String, false),
            Some(inner(values)?),
        )),
        Avro::Record(fields) => {
            let fields = fields.iter().map(|field| {
                let schema = connect(&field.node, mapping, false, Some(field))
                    .map_err(|error| error.in_field(&field.name))?;
                Ok(Field::new(Arc::clone(&field.name), schema))
            });
            Schema::structure(fields.collect::<Result<_, Error>>()?)?
        }
        // Taken apart by the caller.
        Avro::Union(_) => return Err(Error::data("a union inside of a union")),
    };
    if let Avro::Fixed(size) = node.kind {
        schema.parameters.set(FIXED_SIZE, size.to_string());
    }
    Ok(schema)
}

fn decimal(node: &Node) -> Result<Schema, Error> {
    let scale = node.number("scale").unwrap_or(0);
    let scale = i32::try_from(scale)
        .map_err(|_| Error::data("the decimal's `scale` is no 32-bit number"))?;
    let mut schema = Schema::decimal(scale);
    if let Some(precision) = node
        .number("precision")
        .filter(|precision| *precision != PRECISION_DEFAULT)
    {
        schema.parameters.set(PRECISION, precision.to_string());
    }
    Ok(schema)
}

fn enumeration(node: &Node, symbols: &[Arc<str>], mapping: Mapping) -> Schema {
    let mut schema = Schema::new(Kind::String);
    if mapping.meta_data {
        if let Some(doc) = node.text("doc") {
            schema
                .parameters
                .set("io.confluent.connect.avro.enum.doc", doc);
        }
        schema
            .parameters
            .set(ENUM, node.name.clone().unwrap_or_default());
        for symbol in symbols {
            schema
                .parameters
                .set(format!("{ENUM}.{symbol}"), Arc::clone(symbol));
        }
    }
    schema
}

/// A union of several becomes a struct in which one field is set.
fn union(
    members: &[&Arc<Node>],
    mapping: Mapping,
    optional: bool,
    field: Option<&RecordField>,
) -> Result<Schema, Error> {
    let fields = members.iter().map(|member| {
        let schema = connect(member, mapping, true, None)?;
        Ok(Field::new(member.member_name(mapping.enhanced), schema))
    });
    let mut schema = Schema::structure(fields.collect::<Result<_, Error>>()?)?.with_name(UNION);
    schema.optional = optional;
    schema.doc = field.and_then(|field| field.doc.as_deref()).map(Arc::from);
    if let Some(default) = field
        .and_then(|field| field.default.as_ref())
        .filter(|default| !default.is_null())
    {
        // Avro: the default of a union is one of its first member.
        let Some((first, member)) = members.first().zip(
            schema
                .fields()
                .first()
                .map(|field| Arc::clone(&field.schema)),
        ) else {
            return Ok(schema);
        };
        let value = default_value(first, &member, default)?;
        let holder = Arc::new(schema.clone());
        let mut chosen = Struct::new(holder)?;
        if let Some(slot) = chosen.values_mut().first_mut() {
            *slot = value;
        }
        schema.default = Some(Value::Struct(Arc::new(chosen)));
    }
    Ok(schema)
}

/// A default as JSON, as the value of a schema.
fn default_value(node: &Node, schema: &Schema, json: &Json) -> Result<Value, Error> {
    let wrong = || {
        Error::new(
            Class::SchemaBuilder,
            format!("a default does not fit Avro's type {}", node.type_name()),
        )
    };
    if let Avro::Union(nodes) = &node.kind {
        if json.is_null() {
            return Ok(Value::Null);
        }
        let (_, others) = members(nodes);
        return match others.as_slice() {
            [only] => default_value(only, schema, json),
            _ => Err(wrong()),
        };
    }
    let integer = || json.as_i64().ok_or_else(wrong);
    match (&node.kind, &schema.kind) {
        (Avro::Boolean, _) => json.as_bool().map(Value::Boolean).ok_or_else(wrong),
        (Avro::Int | Avro::Long, kind) => {
            number(integer()?, kind, schema.logical()).ok_or_else(wrong)
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float's default is written as a double that a float holds"
        )]
        (Avro::Float, _) => json
            .as_f64()
            .map(|number| Value::Float32(number as f32))
            .ok_or_else(wrong),
        (Avro::Double, _) => json.as_f64().map(Value::Float64).ok_or_else(wrong),
        (Avro::String | Avro::Enum(_), _) => json.as_str().map(Value::string).ok_or_else(wrong),
        (Avro::Bytes | Avro::Fixed(_), _) => default_bytes(schema, json)?.ok_or_else(wrong),
        (Avro::Array(items), Kind::Array(Some(item_schema))) => {
            let list = json.as_array().ok_or_else(wrong)?;
            let values = list
                .iter()
                .map(|item| default_value(items, item_schema, item));
            Ok(Value::array(values.collect::<Result<_, _>>()?))
        }
        (Avro::Map(values), Kind::Map(_, Some(value_schema))) => {
            let mut map = Map::new();
            for (key, value) in json.as_object().ok_or_else(wrong)? {
                map.insert(
                    Value::string(key.as_str()),
                    default_value(values, value_schema, value)?,
                );
            }
            Ok(Value::from(map))
        }
        (Avro::Record(fields), Kind::Struct(inner)) => {
            let object = json.as_object().ok_or_else(wrong)?;
            let mut values = Vec::with_capacity(fields.len());
            for (field, target) in fields.iter().zip(inner.iter()) {
                let json = object
                    .get(&*field.name)
                    .or(field.default.as_ref())
                    .ok_or_else(wrong)?;
                values.push(default_value(&field.node, &target.schema, json)?);
            }
            Ok(Value::from(Struct::from_values(
                Arc::new(schema.clone()),
                values,
            )?))
        }
        _ => Err(wrong()),
    }
}

/// A whole number as the value of an integer type, or of a logical one on top of it.
pub(super) fn number(number: i64, kind: &Kind, logical: Option<Logical>) -> Option<Value> {
    Some(match (kind, logical) {
        (Kind::Int32, Some(Logical::Date)) => Value::Instant(number.checked_mul(DAY_MS)?),
        (Kind::Int32, Some(Logical::Time)) | (Kind::Int64, Some(Logical::Timestamp)) => {
            Value::Instant(number)
        }
        (Kind::Int8, _) => Value::Int8(number.try_into().ok()?),
        (Kind::Int16, _) => Value::Int16(number.try_into().ok()?),
        (Kind::Int32, _) => Value::Int32(number.try_into().ok()?),
        (Kind::Int64, _) => Value::Int64(number),
        _ => return None,
    })
}

/// Avro: each character of a default is one byte.
fn default_bytes(schema: &Schema, json: &Json) -> Result<Option<Value>, Error> {
    let letters = json.as_str().map(str::chars);
    let bytes = letters.and_then(|letters| {
        letters
            .map(|letter| u8::try_from(u32::from(letter)).ok())
            .collect::<Option<Vec<u8>>>()
    });
    let Some(bytes) = bytes else { return Ok(None) };
    Ok(Some(
        match schema
            .decimal_scale()
            .filter(|_| schema.is_named(Logical::DECIMAL))
        {
            Some(scale) => Value::Decimal(Arc::new(Decimal::from_bytes(&bytes, scale)?)),
            None => Value::bytes(bytes),
        },
    ))
}

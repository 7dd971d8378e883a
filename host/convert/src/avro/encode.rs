//! Connect values to Avro's binary form, by a writer's schema: the one made of the Connect schema, or one that a registry has.

use std::sync::Arc;

use serde_json::Value as Json;

use super::UNION;
use super::schema::{Avro, AvroSchema, Node, RecordField};
use super::to_connect::members;
use crate::calendar::DAY_MS;
use crate::{Class, Error, Kind, Logical, Schema, Struct, Value};

impl AvroSchema {
    /// Appends a value; fields are found by name, what the value lacks is the schema's default.
    ///
    /// # Errors
    /// Names the place where the value does not fit this schema.
    pub fn encode(
        &self,
        schema: Option<&Schema>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        write(out, &self.root, schema, value)
    }
}

#[cold]
fn unfit(node: &Node, value: &Value) -> Error {
    Error::data(format!(
        "{} does not fit Avro's type {}",
        value.type_name(),
        node.type_name()
    ))
}

fn long(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push(u8::try_from(rest & 0x7f).unwrap_or(0) | 0x80);
        rest >>= 7;
    }
    out.push(u8::try_from(rest).unwrap_or(0));
}

fn length(out: &mut Vec<u8>, length: usize) {
    long(out, i64::try_from(length).unwrap_or(i64::MAX));
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    length(out, value.len());
    out.extend_from_slice(value);
}

/// The whole number that a value is, for Avro's int and long.
fn whole(schema: Option<&Schema>, value: &Value) -> Option<i64> {
    Some(match value {
        Value::Int8(number) => i64::from(*number),
        Value::Int16(number) => i64::from(*number),
        Value::Int32(number) => i64::from(*number),
        Value::Int64(number) => *number,
        Value::Instant(ms) => match schema.and_then(Schema::logical) {
            Some(Logical::Date) if ms % DAY_MS == 0 => ms / DAY_MS,
            Some(Logical::Time | Logical::Timestamp) => *ms,
            _ => return None,
        },
        _ => return None,
    })
}

fn write(
    out: &mut Vec<u8>,
    node: &Node,
    schema: Option<&Schema>,
    value: &Value,
) -> Result<(), Error> {
    // A missing value stands for its default, as everywhere in Connect.
    let default = schema
        .and_then(|schema| schema.default.as_ref())
        .filter(|_| value.is_null());
    let nullable = matches!(&node.kind, Avro::Union(nodes) if members(nodes).0);
    let value = default.filter(|_| !nullable).unwrap_or(value);
    let no = || unfit(node, value);
    match (&node.kind, value) {
        (Avro::Union(nodes), _) => {
            return union(out, nodes, schema, value).map_err(|error| error.unwrap_or_else(no));
        }
        (Avro::Null, Value::Null) => {}
        (Avro::Boolean, Value::Boolean(flag)) => out.push(u8::from(*flag)),
        (Avro::Int, _) => {
            let number = whole(schema, value).filter(|number| i32::try_from(*number).is_ok());
            long(out, number.ok_or_else(no)?);
        }
        (Avro::Long, _) => long(out, whole(schema, value).ok_or_else(no)?),
        (Avro::Float, Value::Float32(number)) => out.extend_from_slice(&number.to_le_bytes()),
        (Avro::Double, Value::Float64(number)) => out.extend_from_slice(&number.to_le_bytes()),
        (Avro::Double, Value::Float32(number)) => {
            out.extend_from_slice(&f64::from(*number).to_le_bytes())
        }
        (Avro::Bytes, Value::Bytes(value)) => bytes(out, value),
        (Avro::Bytes, Value::String(text)) => bytes(out, text.as_bytes()),
        (Avro::Bytes, Value::Decimal(_)) => bytes(out, &decimal(node, value)?),
        (Avro::Fixed(size), Value::Bytes(value)) if value.len() == *size => {
            out.extend_from_slice(value)
        }
        (Avro::Fixed(size), Value::Decimal(_)) => {
            fixed_decimal(out, *size, &decimal(node, value)?)?
        }
        (Avro::String, Value::String(text)) => bytes(out, text.as_bytes()),
        (Avro::Enum(symbols), Value::String(text)) => {
            let index = symbols.iter().position(|symbol| symbol == text);
            length(
                out,
                index.ok_or_else(|| Error::data("the text is none of the Avro enum's symbols"))?,
            );
        }
        (Avro::Array(items), Value::Array(values)) => {
            let item_schema = match schema.map(|schema| &schema.kind) {
                Some(Kind::Array(items)) => items.as_deref(),
                _ => None,
            };
            block(out, values.len(), |out| {
                for (index, value) in values.iter().enumerate() {
                    write(out, items, item_schema, value).map_err(|error| error.in_item(index))?;
                }
                Ok(())
            })?;
        }
        (Avro::Array(items), Value::Map(_)) => entries(out, items, schema, value)?,
        (Avro::Map(values), Value::Map(map)) => {
            let value_schema = map_schemas(schema).1;
            block(out, map.len(), |out| {
                for (key, value) in map.iter() {
                    let key = key
                        .as_str()
                        .ok_or_else(|| Error::data("an Avro map has texts as keys").in_map_key())?;
                    bytes(out, key.as_bytes());
                    write(out, values, value_schema, value).map_err(Error::in_map_value)?;
                }
                Ok(())
            })?;
        }
        (Avro::Record(fields), Value::Struct(value)) => record(out, fields, value)?,
        _ => return Err(no()),
    }
    Ok(())
}

/// One block with all items, and the empty one that ends it.
fn block(
    out: &mut Vec<u8>,
    count: usize,
    items: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
) -> Result<(), Error> {
    if count > 0 {
        length(out, count);
        items(out)?;
    }
    long(out, 0);
    Ok(())
}

fn map_schemas(schema: Option<&Schema>) -> (Option<&Schema>, Option<&Schema>) {
    match schema.map(|schema| &schema.kind) {
        Some(Kind::Map(keys, values)) => (keys.as_deref(), values.as_deref()),
        _ => (None, None),
    }
}

fn entries(
    out: &mut Vec<u8>,
    items: &Node,
    schema: Option<&Schema>,
    value: &Value,
) -> Result<(), Error> {
    let (Avro::Record(fields), Value::Map(map)) = (&items.kind, value) else {
        return Err(unfit(items, value));
    };
    let ([key_field, value_field], true) = (fields.as_slice(), items.is_map_entry()) else {
        return Err(unfit(items, value));
    };
    let (key_schema, value_schema) = map_schemas(schema);
    block(out, map.len(), |out| {
        for (key, value) in map.iter() {
            write(out, &key_field.node, key_schema, key).map_err(Error::in_map_key)?;
            write(out, &value_field.node, value_schema, value).map_err(Error::in_map_value)?;
        }
        Ok(())
    })
}

fn record(out: &mut Vec<u8>, fields: &[RecordField], value: &Struct) -> Result<(), Error> {
    let schema = value.schema();
    for (position, field) in schema.fields().iter().enumerate() {
        let known = fields
            .get(position)
            .is_some_and(|known| known.name == field.name)
            || fields.iter().any(|known| known.name == field.name);
        if !known && !value.at(position).is_null() {
            return Err(Error::data(
                "the Avro schema has no such field, and its value would be lost",
            )
            .in_field(&field.name));
        }
    }
    for (index, field) in fields.iter().enumerate() {
        // Mostly at the same place.
        let same = schema
            .fields()
            .get(index)
            .filter(|own| own.name == field.name)
            .map(|_| index);
        let position = same.or_else(|| schema.fields().position(&field.name));
        let written = match position.and_then(|position| {
            Some((
                schema.fields().get(position)?,
                value.values().get(position)?,
            ))
        }) {
            Some((own, value)) => write(out, &field.node, Some(&own.schema), value),
            None => match &field.default {
                Some(default) => write_default(out, &field.node, default),
                None => Err(Error::data(
                    "the Avro schema requires this field, and the data does not have it",
                )),
            },
        };
        written.map_err(|error| error.in_field(&field.name))?;
    }
    Ok(())
}

/// The error is `None` where no branch takes the value.
fn union(
    out: &mut Vec<u8>,
    nodes: &[Arc<Node>],
    schema: Option<&Schema>,
    value: &Value,
) -> Result<(), Option<Error>> {
    if value.is_null() {
        let null = nodes
            .iter()
            .position(|node| node.kind == Avro::Null)
            .ok_or(None)?;
        length(out, null);
        return Ok(());
    }
    if let (Value::Struct(chosen), true) =
        (value, schema.is_some_and(|schema| schema.is_named(UNION)))
    {
        return union_struct(out, nodes, chosen).map_err(Some);
    }
    let start = out.len();
    let mut first = None;
    for (branch, node) in nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.kind != Avro::Null)
    {
        length(out, branch);
        match write(out, node, schema, value) {
            Ok(()) => return Ok(()),
            Err(error) => {
                out.truncate(start);
                first.get_or_insert(error);
            }
        }
    }
    Err(first)
}

fn union_struct(out: &mut Vec<u8>, nodes: &[Arc<Node>], value: &Struct) -> Result<(), Error> {
    let fields = value.schema().fields().iter().zip(value.values());
    let mut set = fields.filter(|(_, value)| !value.is_null());
    let (Some((field, value)), None) = (set.next(), set.next()) else {
        return Err(Error::data(
            "a struct that stands for a union has exactly one field that is set",
        ));
    };
    let matches = |node: &Node| {
        node.member_name(true) == &*field.name || node.member_name(false) == &*field.name
    };
    let branch = nodes.iter().position(|node| matches(node));
    let branch = branch
        .ok_or_else(|| Error::data("the Avro union has no such member").in_field(&field.name))?;
    length(out, branch);
    match nodes.get(branch) {
        Some(node) => write(out, node, Some(&field.schema), value)
            .map_err(|error| error.in_field(&field.name)),
        None => Ok(()),
    }
}

/// The unscaled bytes, checked against the schema's scale.
fn decimal(node: &Node, value: &Value) -> Result<Vec<u8>, Error> {
    let Value::Decimal(number) = value else {
        return Err(unfit(node, value));
    };
    if node.text("logicalType") == Some("decimal") {
        let scale = node.number("scale").unwrap_or(0);
        if i64::from(number.scale()) != scale {
            return Err(Error::data(format!(
                "a decimal of scale {} does not fit the Avro schema's scale {scale}",
                number.scale()
            )));
        }
    }
    Ok(number.unscaled_bytes())
}

fn fixed_decimal(out: &mut Vec<u8>, size: usize, unscaled: &[u8]) -> Result<(), Error> {
    let missing = size.checked_sub(unscaled.len());
    let missing = missing.ok_or_else(|| {
        Error::data(format!(
            "a decimal of {} bytes does not fit an Avro fixed of {size}",
            unscaled.len()
        ))
    })?;
    let sign = if unscaled.first().is_some_and(|byte| byte & 0x80 != 0) {
        0xff
    } else {
        0
    };
    out.extend(std::iter::repeat_n(sign, missing));
    out.extend_from_slice(unscaled);
    Ok(())
}

/// A default of a schema, for a field that the data does not have.
fn write_default(out: &mut Vec<u8>, node: &Node, json: &Json) -> Result<(), Error> {
    let wrong = || {
        Error::new(
            Class::SchemaBuilder,
            format!("a default does not fit Avro's type {}", node.type_name()),
        )
    };
    match &node.kind {
        Avro::Null if json.is_null() => {}
        Avro::Boolean => out.push(u8::from(json.as_bool().ok_or_else(wrong)?)),
        Avro::Int | Avro::Long => long(out, json.as_i64().ok_or_else(wrong)?),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float's default is written as a double that a float holds"
        )]
        Avro::Float => {
            out.extend_from_slice(&(json.as_f64().ok_or_else(wrong)? as f32).to_le_bytes())
        }
        Avro::Double => out.extend_from_slice(&json.as_f64().ok_or_else(wrong)?.to_le_bytes()),
        Avro::String => bytes(out, json.as_str().ok_or_else(wrong)?.as_bytes()),
        Avro::Enum(symbols) => {
            let text = json.as_str().ok_or_else(wrong)?;
            length(
                out,
                symbols
                    .iter()
                    .position(|symbol| **symbol == *text)
                    .ok_or_else(wrong)?,
            );
        }
        Avro::Bytes | Avro::Fixed(_) => default_bytes(out, node, json).ok_or_else(wrong)?,
        Avro::Array(items) => {
            let list = json.as_array().ok_or_else(wrong)?;
            block(out, list.len(), |out| {
                list.iter()
                    .try_for_each(|item| write_default(out, items, item))
            })?;
        }
        Avro::Map(values) => {
            let object = json.as_object().ok_or_else(wrong)?;
            block(out, object.len(), |out| {
                object.iter().try_for_each(|(key, value)| {
                    bytes(out, key.as_bytes());
                    write_default(out, values, value)
                })
            })?;
        }
        Avro::Record(fields) => {
            let object = json.as_object().ok_or_else(wrong)?;
            for field in fields {
                let json = object
                    .get(&*field.name)
                    .or(field.default.as_ref())
                    .ok_or_else(wrong)?;
                write_default(out, &field.node, json)?;
            }
        }
        Avro::Union(nodes) => {
            // One of the first member; null anywhere, which some registries let pass.
            let branch = if json.is_null() {
                nodes.iter().position(|node| node.kind == Avro::Null)
            } else {
                Some(0)
            };
            let (branch, chosen) = branch
                .and_then(|branch| Some((branch, nodes.get(branch)?)))
                .ok_or_else(wrong)?;
            length(out, branch);
            write_default(out, chosen, json)?;
        }
        Avro::Null => return Err(wrong()),
    }
    Ok(())
}

/// Avro: each character of a default is one byte.
fn default_bytes(out: &mut Vec<u8>, node: &Node, json: &Json) -> Option<()> {
    let letters = json.as_str()?.chars();
    let value: Vec<u8> = letters
        .map(|letter| u8::try_from(u32::from(letter)).ok())
        .collect::<Option<_>>()?;
    match node.kind {
        Avro::Fixed(size) if value.len() == size => out.extend_from_slice(&value),
        Avro::Fixed(_) => return None,
        _ => bytes(out, &value),
    }
    Some(())
}

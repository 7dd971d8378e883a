//! From a tree to a value, by a schema or without one.

use std::sync::Arc;

use crate::logical;
use crate::schema::NESTING_MAX;
use crate::{Decimal, Error, Kind, Logical, Map, Refusal, Schema, Struct, Value, base64};

use super::{Dialect, Node};
use crate::json_schema::ONE_OF;

/// What a null becomes whose schema has a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefaultForNull {
    /// The default.
    Default,
    /// Null.
    Null,
}

/// How a tree is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) nulls: DefaultForNull,
    pub(crate) dialect: Dialect,
}

/// Reads a value; a missing node is a missing field.
///
/// # Errors
/// Names the place. What Connect reads as zero, false, empty or null because its JSON type is another is refused.
pub(crate) fn read_value(
    schema: Option<&Arc<Schema>>,
    node: Option<&Node<'_>>,
    how: Reading,
) -> Result<Value, Error> {
    read(schema, node, how, 0)
}

fn read(
    schema: Option<&Arc<Schema>>,
    node: Option<&Node<'_>>,
    how: Reading,
    depth: usize,
) -> Result<Value, Error> {
    if depth > NESTING_MAX {
        return Err(Error::data(format!("nested deeper than {NESTING_MAX}")));
    }
    let Some(schema) = schema else {
        return node.map_or(Ok(Value::Null), schemaless);
    };
    let node = match node {
        None | Some(Node::Null) => {
            return match &schema.default {
                Some(default) if how.nulls == DefaultForNull::Default => Ok(default.clone()),
                _ if schema.optional => Ok(Value::Null),
                _ => Err(Error::data(format!(
                    "null or missing, and the {} is required",
                    schema.schema_type().name()
                ))),
            };
        }
        Some(node) => node,
    };
    if let Some(logical) = schema.logical() {
        return logical_value(schema, logical, node);
    }
    match &schema.kind {
        Kind::Array(items) => {
            let Node::Array(list) = node else {
                return Err(wrong_type(schema, node));
            };
            let items = list.iter().enumerate().map(|(index, item)| {
                read(items.as_ref(), Some(item), how, depth + 1)
                    .map_err(|error| error.in_item(index))
            });
            Ok(Value::array(items.collect::<Result<_, _>>()?))
        }
        Kind::Map(keys, values) => map(keys.as_ref(), values.as_ref(), node, how, depth),
        Kind::Struct(_) => structure(schema, node, how, depth),
        _ => scalar(schema, node),
    }
}

fn map(
    keys: Option<&Arc<Schema>>,
    values: Option<&Arc<Schema>>,
    node: &Node<'_>,
    how: Reading,
    depth: usize,
) -> Result<Value, Error> {
    let mut map = Map::new();
    let named = keys.is_none_or(|keys| matches!(keys.kind, Kind::String));
    match node {
        Node::Object(members) if named => {
            for (name, value) in members {
                let value =
                    read(values, Some(value), how, depth + 1).map_err(Error::in_map_value)?;
                map.insert(Value::string(&**name), value);
            }
        }
        Node::Array(pairs) if !named => {
            for (index, pair) in pairs.iter().enumerate() {
                let (key, value) =
                    entry(pair, how.dialect).map_err(|error| error.in_item(index))?;
                let key = read(keys, Some(key), how, depth + 1).map_err(Error::in_map_key)?;
                let value =
                    read(values, Some(value), how, depth + 1).map_err(Error::in_map_value)?;
                map.insert(key, value);
            }
        }
        _ => {
            let expected = if named { "object" } else { "array of pairs" };
            return Err(Error::data(format!(
                "a map with such keys is a JSON {expected}, got {}",
                node.type_name()
            )));
        }
    }
    Ok(Value::from(map))
}

/// The key and the value of a map's entry.
fn entry<'n, 'a>(
    node: &'n Node<'a>,
    dialect: Dialect,
) -> Result<(&'n Node<'a>, &'n Node<'a>), Error> {
    match (dialect, node) {
        (Dialect::Connect, Node::Array(pair)) => match pair.as_slice() {
            [key, value] => Ok((key, value)),
            _ => Err(Error::data("an entry of a map needs a key and a value")),
        },
        (Dialect::JsonSchema, Node::Object(members)) => {
            let both = members.get("key").zip(members.get("value"));
            both.ok_or_else(|| Error::data("an entry of a map needs `key` and `value`"))
        }
        _ => Err(Error::data("an entry of a map is no pair of key and value")),
    }
}

/// A union: the first member whose form fits is the one that is set.
fn union(
    schema: &Arc<Schema>,
    node: &Node<'_>,
    how: Reading,
    depth: usize,
) -> Result<Value, Error> {
    let fields = schema.fields();
    let found = fields.iter().position(|field| fits(&field.schema, node));
    let Some((position, field)) = found.and_then(|at| Some((at, fields.get(at)?))) else {
        return Err(Error::data(format!(
            "no member of the union is a JSON {} like this",
            node.type_name()
        )));
    };
    let mut row = Struct::new(Arc::clone(schema))?;
    let value = read(Some(&field.schema), Some(node), how, depth + 1)
        .map_err(|error| error.in_field(&field.name))?;
    if let Some(slot) = row.values_mut().get_mut(position) {
        *slot = value;
    }
    Ok(Value::from(row))
}

/// Whether a node has the form of a schema's values: an object's members must all be known.
fn fits(schema: &Schema, node: &Node<'_>) -> bool {
    match (&schema.kind, node) {
        (Kind::Boolean, Node::Boolean(_))
        | (Kind::String, Node::String(_))
        | (Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64, Node::Integer(_))
        | (Kind::Float32 | Kind::Float64, Node::Integer(_) | Node::Fraction(_))
        | (Kind::Array(_) | Kind::Map(..), Node::Array(_))
        | (Kind::Map(..), Node::Object(_)) => true,
        (Kind::Bytes, node) => match schema.logical() {
            Some(_) => !matches!(node, Node::Null | Node::Array(_) | Node::Object(_)),
            None => matches!(node, Node::String(_)),
        },
        (Kind::Struct(fields), Node::Object(members)) => members
            .keys()
            .all(|name| fields.get_by_name(name).is_some()),
        _ => false,
    }
}

fn structure(
    schema: &Arc<Schema>,
    node: &Node<'_>,
    how: Reading,
    depth: usize,
) -> Result<Value, Error> {
    if how.dialect == Dialect::JsonSchema && schema.is_named(ONE_OF) {
        return union(schema, node, how, depth);
    }
    if !matches!(node, Node::Object(_)) {
        return Err(Error::data(format!(
            "a struct is a JSON object, got {}",
            node.type_name()
        )));
    }
    let mut values = Vec::with_capacity(schema.fields().len());
    for field in schema.fields().iter() {
        let value = read(Some(&field.schema), node.get(&field.name), how, depth + 1);
        let value = value.map_err(|error| error.in_field(&field.name))?;
        if value.is_null() && !field.schema.optional {
            return Err(Error::data("null, and the schema is not optional").in_field(&field.name));
        }
        values.push(value);
    }
    Ok(Value::from(Struct::from_values(
        Arc::clone(schema),
        values,
    )?))
}

#[cold]
fn wrong_type(schema: &Schema, node: &Node<'_>) -> Error {
    Error::refused(
        Refusal::JsonType,
        format!(
            "expected {}, got a JSON {}",
            schema.schema_type().name(),
            node.type_name()
        ),
    )
}

#[cold]
fn range(schema: &Schema) -> Error {
    out_of_range(schema.schema_type().name())
}

#[cold]
fn out_of_range(type_name: &str) -> Error {
    Error::refused(
        Refusal::IntegerRange,
        format!("the number is out of range for {type_name}"),
    )
}

fn scalar(schema: &Schema, node: &Node<'_>) -> Result<Value, Error> {
    let wrong = || wrong_type(schema, node);
    Ok(match &schema.kind {
        Kind::Int8 => Value::Int8(
            integer(schema, node)?
                .try_into()
                .map_err(|_| range(schema))?,
        ),
        Kind::Int16 => Value::Int16(
            integer(schema, node)?
                .try_into()
                .map_err(|_| range(schema))?,
        ),
        Kind::Int32 => Value::Int32(
            integer(schema, node)?
                .try_into()
                .map_err(|_| range(schema))?,
        ),
        Kind::Int64 => Value::Int64(integer(schema, node)?),
        Kind::Float32 => match node {
            // A decimal number has no negative zero.
            Node::Integer(text) | Node::Fraction(text) => {
                Value::Float32(text.parse::<f32>().map_err(|_| wrong())? + 0.0)
            }
            _ => return Err(wrong()),
        },
        Kind::Float64 => Value::Float64(float64(node).ok_or_else(wrong)?),
        Kind::Boolean => match node {
            Node::Boolean(value) => Value::Boolean(*value),
            _ => return Err(wrong()),
        },
        Kind::String => match node {
            Node::String(text) => Value::string(&**text),
            _ => return Err(wrong()),
        },
        Kind::Bytes => match node {
            Node::String(text) => Value::bytes(
                base64::decode(text).ok_or_else(|| Error::data("the text is not base64"))?,
            ),
            _ => return Err(wrong()),
        },
        Kind::Array(_) | Kind::Map(..) | Kind::Struct(_) => return Err(wrong()),
    })
}

fn float64(node: &Node<'_>) -> Option<f64> {
    match node {
        Node::Integer(text) | Node::Fraction(text) => Some(text.parse::<f64>().ok()? + 0.0),
        _ => None,
    }
}

/// Reads an integer; a fraction is cut, as Connect cuts it.
fn integer(schema: &Schema, node: &Node<'_>) -> Result<i64, Error> {
    match node {
        Node::Integer(text) => text.parse().map_err(|_| range(schema)),
        Node::Fraction(text) => Decimal::parse(text)?.to_i64().ok_or_else(|| range(schema)),
        _ => Err(wrong_type(schema, node)),
    }
}

fn logical_value(schema: &Schema, logical: Logical, node: &Node<'_>) -> Result<Value, Error> {
    let wrong = |expected: &str| {
        Error::data(format!(
            "expected {expected} for `{}`, got a JSON {}",
            schema.name.as_deref().unwrap_or_default(),
            node.type_name()
        ))
    };
    match (logical, node) {
        (Logical::Decimal, Node::Integer(text) | Node::Fraction(text)) => {
            Ok(Value::from(Decimal::parse(text)?))
        }
        (Logical::Decimal, Node::String(text)) => {
            let bytes =
                base64::decode(text).ok_or_else(|| Error::data("the text is not base64"))?;
            let scale = logical::decimal_scale(schema)?;
            let number = Decimal::from_bytes(&bytes, scale);
            Ok(Value::from(
                number.map_err(|error| error.with_class(crate::Class::Data))?,
            ))
        }
        (Logical::Decimal, _) => Err(wrong("a number or base64")),
        (Logical::Date, Node::Integer(text)) => {
            let days: i32 = text.parse().map_err(|_| wrong("a 32-bit integer"))?;
            logical::date_from_days(schema, days)
        }
        (Logical::Time, Node::Integer(text)) => {
            let ms: i32 = text.parse().map_err(|_| wrong("a 32-bit integer"))?;
            logical::time_from_ms(schema, ms)
        }
        (Logical::Timestamp, Node::Integer(text)) => {
            let ms = text.parse().map_err(|_| out_of_range("Timestamp"))?;
            logical::timestamp_from_ms(schema, ms)
        }
        _ => Err(wrong("an integer")),
    }
}

/// Reads a value without a schema: integers are int64, other numbers float64.
fn schemaless(node: &Node<'_>) -> Result<Value, Error> {
    Ok(match node {
        Node::Null => Value::Null,
        Node::Boolean(value) => Value::Boolean(*value),
        Node::Integer(text) => Value::Int64(text.parse().map_err(|_| out_of_range("int64"))?),
        Node::Fraction(_) => Value::Float64(float64(node).unwrap_or(f64::NAN)),
        Node::String(text) => Value::string(&**text),
        Node::Array(items) => {
            let items = items.iter().enumerate();
            let items =
                items.map(|(index, item)| schemaless(item).map_err(|error| error.in_item(index)));
            Value::array(items.collect::<Result<_, _>>()?)
        }
        Node::Object(members) => {
            let mut map = Map::new();
            for (name, value) in members {
                let value = schemaless(value).map_err(|error| error.in_field(name))?;
                map.insert(Value::string(&**name), value);
            }
            Value::from(map)
        }
    })
}

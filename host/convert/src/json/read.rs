//! From a tree to a value, by a schema or without one.

use std::sync::Arc;

use crate::logical;
use crate::schema::NESTING_MAX;
use crate::{Decimal, Error, Kind, Logical, Map, Refusal, Schema, Struct, Value, base64};

use super::Node;

/// What a null becomes whose schema has a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefaultForNull {
    /// The default.
    Default,
    /// Null.
    Null,
}

/// Reads a value; a missing node is a missing field.
///
/// # Errors
/// Names the place. What Connect reads as zero, false, empty or null because its JSON type is another is refused.
pub(crate) fn read_value(
    schema: Option<&Arc<Schema>>,
    node: Option<&Node<'_>>,
    nulls: DefaultForNull,
) -> Result<Value, Error> {
    read(schema, node, nulls, 0)
}

fn read(
    schema: Option<&Arc<Schema>>,
    node: Option<&Node<'_>>,
    nulls: DefaultForNull,
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
                Some(default) if nulls == DefaultForNull::Default => Ok(default.clone()),
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
                read(items.as_ref(), Some(item), nulls, depth + 1)
                    .map_err(|error| error.in_item(index))
            });
            Ok(Value::array(items.collect::<Result<_, _>>()?))
        }
        Kind::Map(keys, values) => map(keys.as_ref(), values.as_ref(), node, nulls, depth),
        Kind::Struct(_) => structure(schema, node, nulls, depth),
        _ => scalar(schema, node),
    }
}

fn map(
    keys: Option<&Arc<Schema>>,
    values: Option<&Arc<Schema>>,
    node: &Node<'_>,
    nulls: DefaultForNull,
    depth: usize,
) -> Result<Value, Error> {
    let mut map = Map::new();
    let named = keys.is_none_or(|keys| matches!(keys.kind, Kind::String));
    match node {
        Node::Object(members) if named => {
            for (name, value) in members {
                let value =
                    read(values, Some(value), nulls, depth + 1).map_err(Error::in_map_value)?;
                map.insert(Value::string(&**name), value);
            }
        }
        Node::Array(pairs) if !named => {
            for (index, pair) in pairs.iter().enumerate() {
                let Node::Array(pair) = pair else {
                    return Err(
                        Error::data("an entry of a map is no pair of key and value").in_item(index)
                    );
                };
                let [key, value] = pair.as_slice() else {
                    return Err(
                        Error::data("an entry of a map needs a key and a value").in_item(index)
                    );
                };
                let key = read(keys, Some(key), nulls, depth + 1).map_err(Error::in_map_key)?;
                let value =
                    read(values, Some(value), nulls, depth + 1).map_err(Error::in_map_value)?;
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

fn structure(
    schema: &Arc<Schema>,
    node: &Node<'_>,
    nulls: DefaultForNull,
    depth: usize,
) -> Result<Value, Error> {
    if !matches!(node, Node::Object(_)) {
        return Err(Error::data(format!(
            "a struct is a JSON object, got {}",
            node.type_name()
        )));
    }
    let mut values = Vec::with_capacity(schema.fields().len());
    for field in schema.fields().iter() {
        let value = read(Some(&field.schema), node.get(&field.name), nulls, depth + 1);
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

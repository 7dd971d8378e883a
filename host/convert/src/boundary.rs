//! Between this model and that of the plugin boundary: schemas, rows, self-describing values.
//!
//! The boundary knows physical values only; here a schema's logical type gives them their meaning and takes it away
//! again. Types of the boundary that Connect does not know (timestamps in micro- and nanoseconds) stay integers with a
//! schema name.

use std::sync::Arc;

use linkspan_plugin::row::{self, RowRef, ValueRef};
use linkspan_plugin::tagged::{self, Tagged};
use linkspan_plugin::{schema as abi, value as abi_value};

use crate::calendar::DAY_MS;
use crate::{
    Decimal, Error, Field, Kind, Logical, Map, Parameters, Schema, Struct, Value, logical,
};

/// Returns the model's form of a schema of the boundary.
///
/// # Errors
/// A default must be a value of its schema.
pub fn schema_from(schema: &abi::Schema) -> Result<Arc<Schema>, Error> {
    let kind = match &schema.kind {
        abi::Kind::Int8 => Kind::Int8,
        abi::Kind::Int16 => Kind::Int16,
        abi::Kind::Int32 => Kind::Int32,
        abi::Kind::Int64 => Kind::Int64,
        abi::Kind::Float32 => Kind::Float32,
        abi::Kind::Float64 => Kind::Float64,
        abi::Kind::Boolean => Kind::Boolean,
        abi::Kind::String => Kind::String,
        abi::Kind::Bytes => Kind::Bytes,
        abi::Kind::Array(items) => Kind::Array(Some(schema_from(items)?)),
        abi::Kind::Map(keys, values) => {
            Kind::Map(Some(schema_from(keys)?), Some(schema_from(values)?))
        }
        abi::Kind::Struct(fields) => {
            let fields = fields.iter().map(|field| {
                let schema =
                    schema_from(&field.schema).map_err(|error| error.in_field(&field.name))?;
                Ok(Field::new(field.name.as_str(), schema))
            });
            Schema::structure(fields.collect::<Result<_, Error>>()?)?.kind
        }
    };
    let mut made = Schema::new(kind);
    made.optional = schema.optional;
    made.name = schema.name.as_deref().map(Arc::from);
    made.version = schema.version;
    made.doc = schema.doc.as_deref().map(Arc::from);
    for (name, text) in &schema.parameters {
        made.parameters.set(name.as_str(), text.as_str());
    }
    let Some(default) = &schema.default else {
        return Ok(Arc::new(made));
    };
    // Through a row, so that there is one way from physical to logical values.
    let mut bytes = Vec::new();
    row::write_value(schema, default, &mut bytes).map_err(row_error)?;
    let plain = Arc::new(made);
    let default = value_from_row(schema, &plain, &bytes)?;
    let mut made = Arc::unwrap_or_clone(plain);
    made.default = Some(default);
    Ok(Arc::new(made))
}

/// Returns the boundary's form of a schema.
///
/// # Errors
/// Items, keys and values need a schema, defaults must fit.
pub fn schema_to(schema: &Schema) -> Result<abi::Schema, Error> {
    let part = |schema: &Option<Arc<Schema>>| match schema {
        Some(schema) => schema_to(schema).map(Arc::new),
        None => Err(Error::data(
            "an array or a map whose parts have no schema cannot be typed",
        )),
    };
    let kind = match &schema.kind {
        Kind::Int8 => abi::Kind::Int8,
        Kind::Int16 => abi::Kind::Int16,
        Kind::Int32 => abi::Kind::Int32,
        Kind::Int64 => abi::Kind::Int64,
        Kind::Float32 => abi::Kind::Float32,
        Kind::Float64 => abi::Kind::Float64,
        Kind::Boolean => abi::Kind::Boolean,
        Kind::String => abi::Kind::String,
        Kind::Bytes => abi::Kind::Bytes,
        Kind::Array(items) => abi::Kind::Array(part(items)?),
        Kind::Map(keys, values) => abi::Kind::Map(part(keys)?, part(values)?),
        Kind::Struct(fields) => {
            let fields = fields.iter().map(|field| {
                let schema =
                    schema_to(&field.schema).map_err(|error| error.in_field(&field.name))?;
                Ok(abi::Field {
                    name: field.name.to_string(),
                    schema: Arc::new(schema),
                })
            });
            abi::Kind::Struct(fields.collect::<Result<_, Error>>()?)
        }
    };
    let mut made = abi::Schema::new(kind);
    made.optional = schema.optional;
    made.name = schema.name.as_deref().map(str::to_owned);
    made.version = schema.version;
    made.doc = schema.doc.as_deref().map(str::to_owned);
    made.parameters = parameters(&schema.parameters);
    if let Some(default) = &schema.default {
        let plain = Arc::new(made.clone());
        made.default = Some(physical(schema, &plain, default)?);
    }
    Ok(made)
}

fn parameters(parameters: &Parameters) -> std::collections::BTreeMap<String, String> {
    let pairs = parameters.iter();
    pairs
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect()
}

/// Reads a row; `schema` is the model's form of `row_schema`.
///
/// # Errors
/// The bytes must be a row of the schema.
pub fn value_from_row(
    row_schema: &abi::Schema,
    schema: &Arc<Schema>,
    bytes: &[u8],
) -> Result<Value, Error> {
    let value = ValueRef::new(row_schema, bytes).map_err(row_error)?;
    from_ref(schema, value)
}

#[cold]
fn row_error(error: linkspan_plugin::RowError) -> Error {
    Error::data(error.to_string())
}

fn from_ref(schema: &Arc<Schema>, value: ValueRef<'_>) -> Result<Value, Error> {
    Ok(match (value, schema.logical()) {
        (ValueRef::Null, _) => Value::Null,
        (ValueRef::Int8(v), _) => Value::Int8(v),
        (ValueRef::Int16(v), _) => Value::Int16(v),
        (ValueRef::Int32(v), Some(Logical::Date)) => Value::Instant(i64::from(v) * DAY_MS),
        (ValueRef::Int32(v), Some(Logical::Time)) => Value::Instant(v.into()),
        (ValueRef::Int32(v), _) => Value::Int32(v),
        (ValueRef::Int64(v), Some(Logical::Timestamp)) => Value::Instant(v),
        (ValueRef::Int64(v), _) => Value::Int64(v),
        (ValueRef::Float32(v), _) => Value::Float32(v),
        (ValueRef::Float64(v), _) => Value::Float64(v),
        (ValueRef::Boolean(v), _) => Value::Boolean(v),
        (ValueRef::String(v), _) => Value::string(v),
        (ValueRef::Bytes(v), Some(Logical::Decimal)) => {
            Value::from(Decimal::from_bytes(v, logical::decimal_scale(schema)?)?)
        }
        (ValueRef::Bytes(v), _) => Value::bytes(v.to_vec()),
        (ValueRef::Array(items), _) => {
            let Kind::Array(Some(item)) = &schema.kind else {
                return Err(other_shape());
            };
            let mut values = Vec::with_capacity(items.len().min(PREALLOCATED_MAX));
            for value in items.iter() {
                values.push(from_ref(item, value.map_err(row_error)?)?);
            }
            Value::array(values)
        }
        (ValueRef::Map(pairs), _) => {
            let Kind::Map(Some(keys), Some(values)) = &schema.kind else {
                return Err(other_shape());
            };
            let mut map = Map::new();
            for pair in pairs.iter() {
                let (key, value) = pair.map_err(row_error)?;
                map.insert(from_ref(keys, key)?, from_ref(values, value)?);
            }
            Value::from(map)
        }
        (ValueRef::Struct(row), _) => Value::from(structure(schema, &row)?),
    })
}

/// The most items for which room is made before they are read.
const PREALLOCATED_MAX: usize = 1_024;

#[cold]
fn other_shape() -> Error {
    Error::data("the row's schema is another one")
}

fn structure(schema: &Arc<Schema>, row: &RowRef<'_>) -> Result<Struct, Error> {
    let fields = schema.fields();
    let mut values = Vec::with_capacity(fields.len());
    for (field, read) in fields.iter().zip(row.iter()) {
        let (_, value) = read.map_err(row_error)?;
        let value = from_ref(&field.schema, value).map_err(|error| error.in_field(&field.name))?;
        values.push(value);
    }
    Struct::from_values(Arc::clone(schema), values)
}

/// Appends the row of a value; `row_schema` is the boundary's form of `schema`.
///
/// # Errors
/// Names the place where the value does not fit.
pub fn value_to_row(
    schema: &Schema,
    row_schema: &Arc<abi::Schema>,
    value: &Value,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let value = physical(schema, row_schema, value)?;
    row::write_value(row_schema, &value, out).map_err(row_error)
}

fn physical(
    schema: &Schema,
    row_schema: &Arc<abi::Schema>,
    value: &Value,
) -> Result<abi_value::Value, Error> {
    use abi_value::Value as Physical;
    if value.is_null() {
        return Ok(Physical::Null);
    }
    Ok(
        match (schema.logical(), value, &schema.kind, &row_schema.kind) {
            (Some(Logical::Decimal), Value::Decimal(number), ..) => {
                let scale = logical::decimal_scale(schema)?;
                let number = number.with_scale(scale).ok_or_else(|| {
                    Error::data(format!(
                        "the decimal has more than {scale} digits after the point"
                    ))
                })?;
                Physical::Bytes(number.unscaled_bytes())
            }
            (Some(Logical::Date), Value::Instant(_), ..) => {
                Physical::Int32(logical::date_days(schema, value)?)
            }
            (Some(Logical::Time), Value::Instant(_), ..) => {
                Physical::Int32(logical::time_ms(schema, value)?)
            }
            (Some(Logical::Timestamp), Value::Instant(ms), ..) => Physical::Int64(*ms),
            (_, Value::Int8(v), ..) => Physical::Int8(*v),
            (_, Value::Int16(v), ..) => Physical::Int16(*v),
            (_, Value::Int32(v), ..) => Physical::Int32(*v),
            (_, Value::Int64(v), ..) => Physical::Int64(*v),
            (_, Value::Float32(v), ..) => Physical::Float32(*v),
            (_, Value::Float64(v), ..) => Physical::Float64(*v),
            (_, Value::Boolean(v), ..) => Physical::Boolean(*v),
            (_, Value::String(v), ..) => Physical::String(v.to_string()),
            (_, Value::Bytes(v), ..) => Physical::Bytes(v.to_vec()),
            (_, Value::Array(items), Kind::Array(Some(item)), abi::Kind::Array(row_item)) => {
                let items = items.iter().enumerate();
                let items = items.map(|(index, value)| {
                    physical(item, row_item, value).map_err(|error| error.in_item(index))
                });
                Physical::Array(items.collect::<Result<_, _>>()?)
            }
            (
                _,
                Value::Map(map),
                Kind::Map(Some(keys), Some(values)),
                abi::Kind::Map(row_keys, row_values),
            ) => {
                let pairs = map.iter().map(|(key, value)| {
                    let key = physical(keys, row_keys, key).map_err(Error::in_map_key)?;
                    let value = physical(values, row_values, value).map_err(Error::in_map_value)?;
                    Ok((key, value))
                });
                Physical::Map(pairs.collect::<Result<_, Error>>()?)
            }
            (_, Value::Struct(row), Kind::Struct(fields), abi::Kind::Struct(row_fields)) => {
                let mut values = Vec::with_capacity(fields.len());
                for ((field, row_field), value) in fields.iter().zip(row_fields).zip(row.values()) {
                    let value = physical(&field.schema, &row_field.schema, value);
                    values.push(value.map_err(|error| error.in_field(&field.name))?);
                }
                let row = abi_value::Struct::from_values(Arc::clone(row_schema), values);
                Physical::Struct(row.map_err(row_error)?)
            }
            _ => {
                return Err(Error::data(format!(
                    "expected {}, got {}",
                    schema.schema_type().name(),
                    value.type_name()
                )));
            }
        },
    )
}

/// Reads a self-describing value.
///
/// # Errors
/// The bytes must be one.
pub fn value_from_tagged(bytes: &[u8]) -> Result<Value, Error> {
    from_tagged(&tagged::decode(bytes).map_err(row_error)?)
}

fn from_tagged(value: &Tagged) -> Result<Value, Error> {
    Ok(match value {
        Tagged::Null => Value::Null,
        Tagged::Boolean(v) => Value::Boolean(*v),
        Tagged::Int8(v) => Value::Int8(*v),
        Tagged::Int16(v) => Value::Int16(*v),
        Tagged::Int32(v) => Value::Int32(*v),
        Tagged::Int64(v) | Tagged::TimestampMicros(v) | Tagged::TimestampNanos(v) => {
            Value::Int64(*v)
        }
        Tagged::Float32(v) => Value::Float32(*v),
        Tagged::Float64(v) => Value::Float64(*v),
        Tagged::String(v) => Value::string(v.as_str()),
        Tagged::Bytes(v) => Value::bytes(v.clone()),
        Tagged::Decimal { unscaled, scale } => Value::from(Decimal::from_bytes(unscaled, *scale)?),
        Tagged::Date(days) => Value::Instant(i64::from(*days) * DAY_MS),
        Tagged::Time(ms) => Value::Instant((*ms).into()),
        Tagged::Timestamp(ms) => Value::Instant(*ms),
        Tagged::Array(items) => {
            Value::array(items.iter().map(from_tagged).collect::<Result<_, _>>()?)
        }
        Tagged::Map(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(key, value)| Ok((from_tagged(key)?, from_tagged(value)?)));
            Value::from(pairs.collect::<Result<Map, Error>>()?)
        }
    })
}

/// Appends a value as a self-describing one; structs become maps.
///
/// # Errors
/// The boundary bounds the depth.
pub fn value_to_tagged(value: &Value, out: &mut Vec<u8>) -> Result<(), Error> {
    tagged::encode(&to_tagged(value), out).map_err(row_error)
}

fn to_tagged(value: &Value) -> Tagged {
    match value {
        Value::Null => Tagged::Null,
        Value::Boolean(v) => Tagged::Boolean(*v),
        Value::Int8(v) => Tagged::Int8(*v),
        Value::Int16(v) => Tagged::Int16(*v),
        Value::Int32(v) => Tagged::Int32(*v),
        Value::Int64(v) => Tagged::Int64(*v),
        Value::Float32(v) => Tagged::Float32(*v),
        Value::Float64(v) => Tagged::Float64(*v),
        Value::String(v) => Tagged::String(v.to_string()),
        Value::Bytes(v) => Tagged::Bytes(v.to_vec()),
        Value::Decimal(number) => Tagged::Decimal {
            unscaled: number.unscaled_bytes(),
            scale: number.scale(),
        },
        Value::Instant(ms) => Tagged::Timestamp(*ms),
        Value::Array(items) => Tagged::Array(items.iter().map(to_tagged).collect()),
        Value::Map(map) => Tagged::Map(
            map.iter()
                .map(|(key, value)| (to_tagged(key), to_tagged(value)))
                .collect(),
        ),
        Value::Struct(row) => {
            let fields = row.schema().fields().iter().zip(row.values());
            let pairs = fields
                .map(|(field, value)| (Tagged::String(field.name.to_string()), to_tagged(value)));
            Tagged::Map(pairs.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: Schema, value: Value) {
        let schema = Arc::new(schema);
        let row_schema = Arc::new(schema_to(&schema).unwrap());
        assert_eq!(schema_from(&row_schema).unwrap(), schema);
        let mut bytes = Vec::new();
        value_to_row(&schema, &row_schema, &value, &mut bytes).unwrap();
        assert_eq!(value_from_row(&row_schema, &schema, &bytes).unwrap(), value);
    }

    #[test]
    fn schemas_and_rows_survive_the_round_trip() {
        let inner = Schema::structure(vec![
            Field::new("price", Schema::decimal(2)),
            Field::new("day", Schema::date().with_optional(true)),
            Field::new(
                "at",
                Schema::time().with_default(Value::Instant(5)).unwrap(),
            ),
            Field::new("seen", Schema::timestamp()),
        ]);
        let inner = Arc::new(inner.unwrap().with_name("inner").with_version(3));
        let row = Struct::from_values(
            Arc::clone(&inner),
            vec![
                Value::from(Decimal::new(1234, 2)),
                Value::Null,
                Value::Instant(7),
                Value::Instant(-1),
            ],
        );
        let row = Value::from(row.unwrap());
        check(
            Schema::new(Kind::Array(Some(inner.clone()))),
            Value::array(vec![row.clone(), row.clone()]),
        );
        check(
            Schema::optional(Kind::Map(
                Some(Arc::new(Schema::new(Kind::Int8))),
                Some(inner),
            )),
            Value::from([(Value::Int8(1), row)].into_iter().collect::<Map>()),
        );
        check(Schema::optional(Kind::String), Value::Null);
    }

    #[test]
    fn a_decimal_is_brought_to_the_scale_of_its_schema_or_refused() {
        let schema = Schema::decimal(2);
        let row_schema = Arc::new(schema_to(&schema).unwrap());
        let row = |text: &str| {
            let value = Value::from(Decimal::parse(text).unwrap());
            value_to_row(&schema, &row_schema, &value, &mut Vec::new())
        };
        assert!(row("1.5").is_ok());
        assert!(row("1.500").is_ok());
        assert!(row("1.555").is_err());
        assert!(row("1e100000").is_err());
    }

    #[test]
    fn schemaless_values_keep_their_types() {
        let value = Value::array(vec![
            Value::from(Decimal::new(150, 2)),
            Value::Instant(1_700_000_000_123),
            Value::from(
                [(Value::Int64(1), Value::Boolean(true))]
                    .into_iter()
                    .collect::<Map>(),
            ),
        ]);
        let mut bytes = Vec::new();
        value_to_tagged(&value, &mut bytes).unwrap();
        assert_eq!(value_from_tagged(&bytes).unwrap(), value);
    }
}

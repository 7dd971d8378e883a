//! Avro container files.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use apache_avro::schema::{Name, UnionSchema};
use apache_avro::types::Value as Avro;
use apache_avro::{Reader, Schema as AvroSchema};
use linkspan_sdk::Kind;
use linkspan_sdk::prelude::*;

use crate::parquet::shortest;
use crate::rows::Rows;

/// Schemas may not lie deeper than this; a schema that contains itself does.
const DEPTH_MAX: usize = 16;

/// The rows of one file.
pub(crate) struct AvroRows {
    schema: Arc<Schema>,
    rows: Reader<'static, BufReader<File>>,
}

impl AvroRows {
    pub(crate) fn open(file: File, passed: u64) -> Result<Self> {
        let mut rows = Reader::new(BufReader::new(file)).map_err(damaged)?;
        let mut names = HashMap::new();
        collect(rows.writer_schema(), &mut names, 0);
        let schema = convert(rows.writer_schema(), &names, 0)?.build();
        if !matches!(schema.kind, Kind::Struct(_)) {
            return Err(Error::unsupported(
                "the Avro file holds no records, but values of another type",
            ));
        }
        for _ in 0..passed {
            rows.next().transpose().map_err(damaged)?;
        }
        Ok(Self {
            schema: Arc::new(schema),
            rows,
        })
    }
}

impl Rows for AvroRows {
    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    fn next(&mut self) -> Result<Option<Vec<Value>>> {
        match self.rows.next().transpose().map_err(damaged)? {
            None => Ok(None),
            Some(Avro::Record(fields)) => record(fields, &self.schema).map(Some),
            Some(_) => Err(Error::data_invalid(
                "the Avro file holds a value that is no record",
            )),
        }
    }
}

fn damaged(error: apache_avro::Error) -> Error {
    Error::data_invalid(format!("the Avro file cannot be read: {error}"))
}

/// Remembers the types that others name.
fn collect<'s>(schema: &'s AvroSchema, names: &mut HashMap<Name, &'s AvroSchema>, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    match schema {
        AvroSchema::Record(record) => {
            names.insert(record.name.clone(), schema);
            for field in &record.fields {
                collect(&field.schema, names, depth + 1);
            }
        }
        AvroSchema::Enum(inner) => {
            names.insert(inner.name.clone(), schema);
        }
        AvroSchema::Fixed(inner) => {
            names.insert(inner.name.clone(), schema);
        }
        AvroSchema::Array(inner) => collect(&inner.items, names, depth + 1),
        AvroSchema::Map(inner) => collect(&inner.types, names, depth + 1),
        AvroSchema::Union(union) => {
            for variant in union.variants() {
                collect(variant, names, depth + 1);
            }
        }
        _ => {}
    }
}

fn convert(
    schema: &AvroSchema,
    names: &HashMap<Name, &AvroSchema>,
    depth: usize,
) -> Result<SchemaBuilder> {
    if depth > DEPTH_MAX {
        return Err(Error::unsupported(format!(
            "the Avro schema contains itself, or lies deeper than {DEPTH_MAX}"
        )));
    }
    Ok(match schema {
        AvroSchema::Boolean => SchemaBuilder::boolean(),
        AvroSchema::Int => SchemaBuilder::int32(),
        AvroSchema::Long | AvroSchema::TimeMicros => SchemaBuilder::int64(),
        AvroSchema::Float => SchemaBuilder::float32(),
        AvroSchema::Double => SchemaBuilder::float64(),
        AvroSchema::Bytes | AvroSchema::Fixed(_) | AvroSchema::Duration => SchemaBuilder::bytes(),
        AvroSchema::String | AvroSchema::Enum(_) | AvroSchema::Uuid | AvroSchema::BigDecimal => {
            SchemaBuilder::string()
        }
        AvroSchema::Decimal(decimal) => {
            SchemaBuilder::decimal(i32::try_from(decimal.scale).unwrap_or(i32::MAX))
        }
        AvroSchema::Date => SchemaBuilder::date(),
        AvroSchema::TimeMillis => SchemaBuilder::time(),
        AvroSchema::TimestampMillis | AvroSchema::LocalTimestampMillis => {
            SchemaBuilder::timestamp()
        }
        AvroSchema::TimestampMicros | AvroSchema::LocalTimestampMicros => {
            SchemaBuilder::timestamp_micros()
        }
        AvroSchema::TimestampNanos | AvroSchema::LocalTimestampNanos => {
            SchemaBuilder::timestamp_nanos()
        }
        AvroSchema::Array(array) => {
            SchemaBuilder::array(convert(&array.items, names, depth + 1)?.build())
        }
        AvroSchema::Map(map) => SchemaBuilder::map(
            SchemaBuilder::string().build(),
            convert(&map.types, names, depth + 1)?.build(),
        ),
        AvroSchema::Record(record) => {
            let mut row = SchemaBuilder::structure();
            for field in &record.fields {
                let schema = convert(&field.schema, names, depth + 1)
                    .map_err(|error| error.context(format!("field `{}`", field.name)))?;
                row = row.field(&field.name, schema.build());
            }
            row
        }
        AvroSchema::Union(union) => convert(one_of(union)?, names, depth + 1)?.optional(),
        AvroSchema::Ref { name } => {
            let named = names.get(name).ok_or_else(|| {
                Error::data_invalid(format!("the Avro schema names an unknown type `{name}`"))
            })?;
            convert(named, names, depth + 1)?
        }
        AvroSchema::Null => SchemaBuilder::string().optional(),
    })
}

/// A union of null and one other type; no other union has a row's type.
fn one_of(union: &UnionSchema) -> Result<&AvroSchema> {
    let mut others = union
        .variants()
        .iter()
        .filter(|variant| !matches!(variant, AvroSchema::Null));
    match (others.next(), others.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(Error::unsupported(
            "a union of several types; only a type with null is read",
        )),
    }
}

fn record(fields: Vec<(String, Avro)>, schema: &Schema) -> Result<Vec<Value>> {
    fields
        .into_iter()
        .zip(schema.fields())
        .map(|((_, field), to)| value(field, &to.schema))
        .collect()
}

fn value(avro: Avro, schema: &Schema) -> Result<Value> {
    Ok(match avro {
        Avro::Null => Value::Null,
        Avro::Boolean(flag) => Value::Boolean(flag),
        Avro::Int(n) | Avro::Date(n) | Avro::TimeMillis(n) => Value::Int32(n),
        Avro::Long(n)
        | Avro::TimeMicros(n)
        | Avro::TimestampMillis(n)
        | Avro::TimestampMicros(n)
        | Avro::TimestampNanos(n)
        | Avro::LocalTimestampMillis(n)
        | Avro::LocalTimestampMicros(n)
        | Avro::LocalTimestampNanos(n) => Value::Int64(n),
        Avro::Float(n) => Value::Float32(n),
        Avro::Double(n) => Value::Float64(n),
        Avro::Bytes(bytes) | Avro::Fixed(_, bytes) => Value::Bytes(bytes),
        Avro::String(text) | Avro::Enum(_, text) => Value::String(text),
        Avro::Uuid(uuid) => Value::String(uuid.to_string()),
        Avro::BigDecimal(number) => Value::String(number.to_string()),
        Avro::Decimal(decimal) => {
            let number: num_bigint::BigInt = decimal.into();
            Value::Bytes(shortest(&number.to_signed_bytes_be()))
        }
        Avro::Duration(duration) => {
            let bytes: [u8; 12] = duration.into();
            Value::Bytes(bytes.to_vec())
        }
        Avro::Union(_, inner) => value(*inner, schema)?,
        Avro::Array(items) => {
            let Kind::Array(of) = &schema.kind else {
                return Err(Error::internal("an array where none was declared"));
            };
            let values = items.into_iter().map(|item| value(item, of));
            Value::Array(values.collect::<Result<_>>()?)
        }
        Avro::Map(entries) => {
            let Kind::Map(_, of) = &schema.kind else {
                return Err(Error::internal("a map where none was declared"));
            };
            let mut sorted: Vec<_> = entries.into_iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            let pairs = sorted
                .into_iter()
                .map(|(key, one)| Ok((Value::String(key), value(one, of)?)));
            Value::Map(pairs.collect::<Result<_>>()?)
        }
        Avro::Record(fields) => {
            let values = record(fields, schema)?;
            let mut declared = schema.clone();
            declared.optional = false;
            let schema = Arc::new(declared);
            Value::Struct(Struct::from_values(schema, values)?)
        }
    })
}

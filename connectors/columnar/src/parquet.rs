//! Parquet files: row groups that were read are passed unread.

use std::fs::File;
use std::sync::Arc;

use linkspan_sdk::Kind;
use linkspan_sdk::prelude::*;
use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::serialized_reader::ReadOptionsBuilder;
use parquet::record::{Field, reader::RowIter};
use parquet::schema::types::Type;

use crate::rows::Rows;

/// Columns may not lie deeper than this.
const DEPTH_MAX: usize = 16;

/// The rows of one file.
pub(crate) struct ParquetRows {
    schema: Arc<Schema>,
    rows: RowIter<'static>,
}

impl ParquetRows {
    pub(crate) fn open(file: File, passed: u64) -> Result<Self> {
        let reader = SerializedFileReader::new(file.try_clone()?).map_err(damaged)?;
        let metadata = reader.metadata();
        let mut left = passed;
        let mut first = 0;
        for group in metadata.row_groups() {
            let rows = u64::try_from(group.num_rows()).unwrap_or(0);
            if rows > left {
                break;
            }
            left -= rows;
            first += 1;
        }
        let root = metadata.file_metadata().schema();
        let schema = structure(root, 0)?.build();
        let options = ReadOptionsBuilder::new()
            .with_predicate(Box::new(move |_, index| index >= first))
            .build();
        let reader = SerializedFileReader::new_with_options(file, options).map_err(damaged)?;
        let mut rows = RowIter::from_file_into(Box::new(reader));
        for _ in 0..left {
            rows.next().transpose().map_err(damaged)?;
        }
        Ok(Self {
            schema: Arc::new(schema),
            rows,
        })
    }
}

impl Rows for ParquetRows {
    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    fn next(&mut self) -> Result<Option<Vec<Value>>> {
        let Some(row) = self.rows.next().transpose().map_err(damaged)? else {
            return Ok(None);
        };
        let fields = self.schema.fields();
        row.into_columns()
            .into_iter()
            .zip(fields)
            .map(|((_, field), to)| value(field, &to.schema))
            .collect::<Result<_>>()
            .map(Some)
    }
}

fn damaged(error: parquet::errors::ParquetError) -> Error {
    Error::data_invalid(format!("the Parquet file cannot be read: {error}"))
}

fn structure(group: &Type, depth: usize) -> Result<SchemaBuilder> {
    if depth > DEPTH_MAX {
        return Err(Error::unsupported(format!(
            "column `{}` lies deeper than {DEPTH_MAX}",
            group.name()
        )));
    }
    let mut schema = SchemaBuilder::structure();
    for field in group.get_fields() {
        schema = schema.field(field.name(), column(field, depth + 1)?.build());
    }
    Ok(schema)
}

fn column(kind: &Type, depth: usize) -> Result<SchemaBuilder> {
    let info = kind.get_basic_info();
    if info.has_repetition() && info.repetition() == Repetition::REPEATED {
        return Err(Error::unsupported(format!(
            "column `{}` is repeated outside of a list",
            kind.name()
        )));
    }
    let schema = if kind.is_primitive() {
        primitive(kind)?
    } else {
        match info.converted_type() {
            ConvertedType::LIST => {
                let items = only(kind, kind)?;
                let item = only(items, kind)?;
                SchemaBuilder::array(column(item, depth + 2)?.build())
            }
            ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE => {
                let entries = only(kind, kind)?;
                let [key, value] = entries.get_fields() else {
                    return Err(shape(kind));
                };
                SchemaBuilder::map(
                    column(key, depth + 2)?.build(),
                    column(value, depth + 2)?.build(),
                )
            }
            _ => structure(kind, depth)?,
        }
    };
    Ok(
        if info.has_repetition() && info.repetition() == Repetition::OPTIONAL {
            schema.optional()
        } else {
            schema
        },
    )
}

fn only<'t>(group: &'t Type, of: &Type) -> Result<&'t Type> {
    match group.is_group().then(|| group.get_fields()) {
        Some([one]) => Ok(one),
        _ => Err(shape(of)),
    }
}

fn shape(kind: &Type) -> Error {
    Error::unsupported(format!(
        "column `{}` is a list or map of an old shape",
        kind.name()
    ))
}

fn primitive(kind: &Type) -> Result<SchemaBuilder> {
    let info = kind.get_basic_info();
    let decimal = || SchemaBuilder::decimal(kind.get_scale());
    let nanos = matches!(
        info.logical_type_ref(),
        Some(LogicalType::Timestamp(timestamp)) if timestamp.unit == TimeUnit::NANOS
    );
    Ok(match (kind.get_physical_type(), info.converted_type()) {
        (_, ConvertedType::DECIMAL) => decimal(),
        (Physical::BOOLEAN, _) => SchemaBuilder::boolean(),
        (Physical::INT32, ConvertedType::INT_8) => SchemaBuilder::int8(),
        (Physical::INT32, ConvertedType::INT_16 | ConvertedType::UINT_8) => SchemaBuilder::int16(),
        (Physical::INT32, ConvertedType::DATE) => SchemaBuilder::date(),
        (Physical::INT32, ConvertedType::TIME_MILLIS) => SchemaBuilder::time(),
        (Physical::INT32, ConvertedType::UINT_32) => SchemaBuilder::int64(),
        (Physical::INT32, _) => SchemaBuilder::int32(),
        (Physical::INT64, ConvertedType::TIMESTAMP_MILLIS) => SchemaBuilder::timestamp(),
        (Physical::INT64, ConvertedType::TIMESTAMP_MICROS) => SchemaBuilder::timestamp_micros(),
        (Physical::INT64, ConvertedType::UINT_64) => SchemaBuilder::decimal(0),
        (Physical::INT64, _) if nanos => SchemaBuilder::timestamp_nanos(),
        (Physical::INT64, _) => SchemaBuilder::int64(),
        (Physical::INT96, _) => SchemaBuilder::timestamp(),
        (Physical::FLOAT, _) => SchemaBuilder::float32(),
        (Physical::DOUBLE, _) => SchemaBuilder::float64(),
        (Physical::BYTE_ARRAY, ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON) => {
            SchemaBuilder::string()
        }
        (Physical::FIXED_LEN_BYTE_ARRAY, _)
            if matches!(info.logical_type_ref(), Some(LogicalType::Float16)) =>
        {
            SchemaBuilder::float32()
        }
        (Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY, _) => SchemaBuilder::bytes(),
    })
}

fn value(field: Field, schema: &Schema) -> Result<Value> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(flag) => Value::Boolean(flag),
        Field::Byte(n) => Value::Int8(n),
        Field::Short(n) => Value::Int16(n),
        Field::Int(n) | Field::Date(n) | Field::TimeMillis(n) => Value::Int32(n),
        Field::Long(n)
        | Field::TimestampMillis(n)
        | Field::TimestampMicros(n)
        | Field::TimeMicros(n) => Value::Int64(n),
        Field::UByte(n) => Value::Int16(i16::from(n)),
        Field::UShort(n) => Value::Int32(i32::from(n)),
        Field::UInt(n) => Value::Int64(i64::from(n)),
        Field::ULong(n) => Value::decimal(i128::from(n)),
        Field::Float16(n) => Value::Float32(f32::from(n)),
        Field::Float(n) => Value::Float32(n),
        Field::Double(n) => Value::Float64(n),
        Field::Decimal(decimal) => Value::Bytes(shortest(decimal.data())),
        Field::Str(text) => Value::String(text),
        Field::Bytes(bytes) => Value::Bytes(bytes.data().to_vec()),
        Field::Group(row) => {
            let values = row
                .into_columns()
                .into_iter()
                .zip(schema.fields())
                .map(|((_, field), to)| value(field, &to.schema))
                .collect::<Result<Vec<_>>>()?;
            let mut declared = schema.clone();
            declared.optional = false;
            let schema = Arc::new(declared);
            Value::Struct(linkspan_sdk::Struct::from_values(schema, values)?)
        }
        Field::ListInternal(list) => {
            let Kind::Array(items) = &schema.kind else {
                return Err(Error::internal("a list where none was declared"));
            };
            let elements = list.elements().iter().cloned();
            let values = elements.map(|element| value(element, items));
            Value::Array(values.collect::<Result<_>>()?)
        }
        Field::MapInternal(map) => {
            let Kind::Map(keys, values) = &schema.kind else {
                return Err(Error::internal("a map where none was declared"));
            };
            let entries = map.entries().iter().cloned();
            let pairs = entries.map(|(key, one)| Ok((value(key, keys)?, value(one, values)?)));
            Value::Map(pairs.collect::<Result<_>>()?)
        }
    })
}

/// The shortest two's complement of the same number.
pub(crate) fn shortest(bytes: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    while let [first, second, ..] = rest {
        let sign = if second & 0x80 == 0 { 0 } else { 0xff };
        if *first != sign {
            break;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    rest.to_vec()
}

//! Rows to Parquet: columns are gathered in memory, a row group at a time.
//!
//! A field that is an array, a map or a struct is written as its JSON.

use std::fs::File;
use std::sync::Arc;

use linkspan_sdk::prelude::*;
use linkspan_sdk::{Kind, Logical, SchemaField};
use parquet::basic::{
    Compression, ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel,
};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use crate::lane::RowFile;
use crate::options::Packing;

/// Digits that a decimal may have; its precision is not known to rows.
const PRECISION: i32 = 38;
/// A row group is written when its columns hold this many bytes.
const GROUP_BYTES_MAX: usize = 32 << 20;

/// A file that is being written.
pub(crate) struct ParquetFile {
    writer: Option<SerializedFileWriter<File>>,
    columns: Vec<Column>,
    rows: usize,
    rows_max: usize,
    bytes: usize,
}

struct Column {
    name: String,
    logical: Option<Logical>,
    values: Values,
    /// 1 where there is a value, 0 where it is null.
    levels: Vec<i16>,
}

enum Values {
    Boolean(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
    /// What has no column type of its own.
    Json(Vec<ByteArray>),
}

impl ParquetFile {
    pub(crate) fn create(
        file: File,
        schema: &Schema,
        packing: Packing,
        rows_max: u32,
    ) -> Result<Self> {
        let mut types: Vec<TypePtr> = Vec::new();
        let mut columns = Vec::new();
        for field in schema.fields() {
            let (column, kind) = column(field)?;
            types.push(Arc::new(kind));
            columns.push(column);
        }
        let root = Type::group_type_builder("row")
            .with_fields(types)
            .build()
            .map_err(failed)?;
        let compression = match packing {
            Packing::None => Compression::UNCOMPRESSED,
            Packing::Snappy => Compression::SNAPPY,
            Packing::Zstd => Compression::ZSTD(ZstdLevel::default()),
        };
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .build();
        let writer = SerializedFileWriter::new(file, Arc::new(root), Arc::new(properties));
        Ok(Self {
            writer: Some(writer.map_err(failed)?),
            columns,
            rows: 0,
            rows_max: usize::try_from(rows_max).unwrap_or(usize::MAX),
            bytes: 0,
        })
    }

    /// Writes what is gathered as a row group.
    fn flush(&mut self) -> Result<()> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = writer.next_row_group().map_err(failed)?;
        for column in &mut self.columns {
            let Some(mut out) = group.next_column().map_err(failed)? else {
                break;
            };
            write(out.untyped(), column)?;
            out.close().map_err(failed)?;
            column.clear();
        }
        group.close().map_err(failed)?;
        self.rows = 0;
        self.bytes = 0;
        Ok(())
    }
}

impl RowFile for ParquetFile {
    fn push(&mut self, row: &Struct, json: &serde_json::Value) -> Result<()> {
        // Checked as a whole first: a row is in all columns or in none.
        for (column, value) in self.columns.iter().zip(row.values()) {
            column.check(value)?;
        }
        for (column, value) in self.columns.iter_mut().zip(row.values()) {
            self.bytes += column.push(value, json);
        }
        self.rows += 1;
        if self.rows >= self.rows_max || self.bytes >= GROUP_BYTES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.flush()?;
        if let Some(writer) = self.writer.take() {
            writer.close().map_err(failed)?;
        }
        Ok(())
    }
}

fn failed(error: parquet::errors::ParquetError) -> Error {
    Error::internal(format!("the Parquet file cannot be written: {error}"))
}

fn column(field: &SchemaField) -> Result<(Column, Type)> {
    let logical = field.schema.logical();
    let builder = |physical| {
        Type::primitive_type_builder(&field.name, physical).with_repetition(Repetition::OPTIONAL)
    };
    let bytes = || builder(Physical::BYTE_ARRAY);
    let int64 = || (Values::Int64(Vec::new()), builder(Physical::INT64));
    let int32 = || (Values::Int32(Vec::new()), builder(Physical::INT32));
    // A point in time: the old converted type alone is read as a wall clock without a zone.
    let instant = |unit| {
        let (values, builder) = int64();
        let kind = LogicalType::timestamp(true, unit);
        (values, builder.with_logical_type(Some(kind)))
    };
    let (values, builder) = match (&field.schema.kind, &logical) {
        (Kind::Bytes, Some(Logical::Decimal { scale })) if (0..=PRECISION).contains(scale) => (
            Values::Bytes(Vec::new()),
            bytes()
                .with_converted_type(ConvertedType::DECIMAL)
                .with_precision(PRECISION)
                .with_scale(*scale),
        ),
        (Kind::Int32, Some(Logical::Date)) => {
            let (values, builder) = int32();
            (values, builder.with_converted_type(ConvertedType::DATE))
        }
        (Kind::Int32, Some(Logical::Time)) => {
            let (values, builder) = int32();
            (
                values,
                builder.with_converted_type(ConvertedType::TIME_MILLIS),
            )
        }
        (Kind::Int64, Some(Logical::Timestamp)) => instant(TimeUnit::MILLIS),
        (Kind::Int64, Some(Logical::TimestampMicros)) => instant(TimeUnit::MICROS),
        (Kind::Int64, Some(Logical::TimestampNanos)) => instant(TimeUnit::NANOS),
        (Kind::Int8, _) => {
            let (values, builder) = int32();
            (values, builder.with_converted_type(ConvertedType::INT_8))
        }
        (Kind::Int16, _) => {
            let (values, builder) = int32();
            (values, builder.with_converted_type(ConvertedType::INT_16))
        }
        (Kind::Int32, _) => int32(),
        (Kind::Int64, _) => int64(),
        (Kind::Float32, _) => (Values::Float(Vec::new()), builder(Physical::FLOAT)),
        (Kind::Float64, _) => (Values::Double(Vec::new()), builder(Physical::DOUBLE)),
        (Kind::Boolean, _) => (Values::Boolean(Vec::new()), builder(Physical::BOOLEAN)),
        (Kind::String, _) => (
            Values::Bytes(Vec::new()),
            bytes().with_converted_type(ConvertedType::UTF8),
        ),
        (Kind::Bytes, _) => (Values::Bytes(Vec::new()), bytes()),
        (Kind::Array(_) | Kind::Map(_, _) | Kind::Struct(_), _) => (
            Values::Json(Vec::new()),
            bytes().with_converted_type(ConvertedType::JSON),
        ),
    };
    let column = Column {
        name: field.name.clone(),
        logical,
        values,
        levels: Vec::new(),
    };
    Ok((column, builder.build().map_err(failed)?))
}

impl Column {
    fn check(&self, value: &Value) -> Result<()> {
        if let (Some(Logical::Decimal { .. }), Value::Bytes(bytes)) = (&self.logical, value)
            && bytes.len() > 16
        {
            return Err(Error::data_invalid(format!(
                "column `{}` has a decimal of more than {PRECISION} digits",
                self.name
            )));
        }
        Ok(())
    }

    /// Appends a value of the column's own type; returns its bytes, about.
    fn push(&mut self, value: &Value, json: &serde_json::Value) -> usize {
        if value.is_null() {
            self.levels.push(0);
            return 2;
        }
        self.levels.push(1);
        match (&mut self.values, value) {
            (Values::Boolean(values), Value::Boolean(flag)) => values.push(*flag),
            (Values::Int32(values), Value::Int8(n)) => values.push(i32::from(*n)),
            (Values::Int32(values), Value::Int16(n)) => values.push(i32::from(*n)),
            (Values::Int32(values), Value::Int32(n)) => values.push(*n),
            (Values::Int64(values), Value::Int64(n)) => values.push(*n),
            (Values::Float(values), Value::Float32(n)) => values.push(*n),
            (Values::Double(values), Value::Float64(n)) => values.push(*n),
            (Values::Bytes(values), Value::String(text)) => {
                values.push(ByteArray::from(text.as_str()));
                return text.len() + 8;
            }
            (Values::Bytes(values), Value::Bytes(bytes)) => {
                values.push(ByteArray::from(bytes.clone()));
                return bytes.len() + 8;
            }
            (Values::Json(values), _) => {
                let text = json
                    .get(&self.name)
                    .unwrap_or(&serde_json::Value::Null)
                    .to_string();
                values.push(ByteArray::from(text.as_str()));
                return text.len() + 8;
            }
            // The schema decides both, so they cannot differ; a null keeps the columns equally long.
            _ => {
                self.levels.pop();
                self.levels.push(0);
            }
        }
        10
    }

    fn clear(&mut self) {
        self.levels.clear();
        match &mut self.values {
            Values::Boolean(values) => values.clear(),
            Values::Int32(values) => values.clear(),
            Values::Int64(values) => values.clear(),
            Values::Float(values) => values.clear(),
            Values::Double(values) => values.clear(),
            Values::Bytes(values) | Values::Json(values) => values.clear(),
        }
    }
}

fn write(out: &mut ColumnWriter<'_>, column: &Column) -> Result<()> {
    let levels = Some(column.levels.as_slice());
    let written = match (out, &column.values) {
        (ColumnWriter::BoolColumnWriter(out), Values::Boolean(values)) => {
            out.write_batch(values, levels, None)
        }
        (ColumnWriter::Int32ColumnWriter(out), Values::Int32(values)) => {
            out.write_batch(values, levels, None)
        }
        (ColumnWriter::Int64ColumnWriter(out), Values::Int64(values)) => {
            out.write_batch(values, levels, None)
        }
        (ColumnWriter::FloatColumnWriter(out), Values::Float(values)) => {
            out.write_batch(values, levels, None)
        }
        (ColumnWriter::DoubleColumnWriter(out), Values::Double(values)) => {
            out.write_batch(values, levels, None)
        }
        (
            ColumnWriter::ByteArrayColumnWriter(out),
            Values::Bytes(values) | Values::Json(values),
        ) => out.write_batch(values, levels, None),
        _ => {
            return Err(Error::internal(format!(
                "column `{}` was declared with another type",
                column.name
            )));
        }
    };
    written.map(|_| ()).map_err(failed)
}

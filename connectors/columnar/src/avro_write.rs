//! Rows to Avro. A field that is an array, a map or a struct is written as its JSON.

use std::fs::File;
use std::io::BufWriter;

use apache_avro::types::Value as Avro;
use apache_avro::{Codec, Schema as AvroSchema, Writer};
use linkspan_sdk::prelude::*;
use linkspan_sdk::{Kind, Logical};
use serde_json::json;

use crate::lane::RowFile;
use crate::options::Packing;

/// Blocks are written when they hold this many bytes.
const BLOCK_BYTES: usize = 256 << 10;
/// Digits that a decimal may have; its precision is not known to rows.
const PRECISION: usize = 38;

/// A file that is being written. The schema outlives its writer: a file has one, and there are few of them.
pub(crate) struct AvroFile {
    writer: Option<Writer<'static, BufWriter<File>>>,
    names: Vec<(String, String)>,
}

impl AvroFile {
    pub(crate) fn create(file: File, schema: &Schema, packing: Packing) -> Result<Self> {
        let mut names: Vec<(String, String)> = Vec::new();
        let mut fields = Vec::new();
        for field in schema.fields() {
            let name = avro_name(&field.name);
            if names.iter().any(|(_, taken)| *taken == name) {
                return Err(Error::data_invalid(format!(
                    "two columns would be called `{name}` in Avro; `{}` is one of them",
                    field.name
                )));
            }
            let logical = field.schema.logical();
            fields.push(json!({
                "name": name, "type": ["null", kind(&field.schema.kind, logical.as_ref())], "default": null,
            }));
            names.push((field.name.clone(), name));
        }
        let text = json!({"type": "record", "name": "row", "fields": fields}).to_string();
        let schema = AvroSchema::parse_str(&text).map_err(failed)?;
        let codec = match packing {
            Packing::None => Codec::Null,
            Packing::Snappy => Codec::Snappy,
            Packing::Zstd => Codec::Zstandard(apache_avro::ZstandardSettings::default()),
        };
        let writer = Writer::builder()
            .schema(schema_for_ever(schema))
            .writer(BufWriter::new(file))
            .codec(codec)
            .block_size(BLOCK_BYTES)
            .build();
        Ok(Self {
            writer: Some(writer),
            names,
        })
    }
}

/// The writer borrows its schema. Schemas are kept once each, so that files of the same columns share one.
fn schema_for_ever(schema: AvroSchema) -> &'static AvroSchema {
    use std::sync::{Mutex, PoisonError};
    static SEEN: Mutex<Vec<&'static AvroSchema>> = Mutex::new(Vec::new());
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = seen.iter().find(|known| ***known == schema) {
        return known;
    }
    let kept: &'static AvroSchema = Box::leak(Box::new(schema));
    seen.push(kept);
    kept
}

impl RowFile for AvroFile {
    fn push(&mut self, row: &Struct, json: &serde_json::Value) -> Result<()> {
        let mut fields = Vec::with_capacity(self.names.len());
        for ((name, avro), (field, value)) in self
            .names
            .iter()
            .zip(row.schema().fields().iter().zip(row.values()))
        {
            let value = convert(value, field.schema.logical().as_ref(), json.get(name));
            let union = match value {
                Avro::Null => Avro::Union(0, Box::new(Avro::Null)),
                value => Avro::Union(1, Box::new(value)),
            };
            fields.push((avro.clone(), union));
        }
        let Some(writer) = &mut self.writer else {
            return Err(Error::internal("the file is finished"));
        };
        let written = writer.append(Avro::Record(fields));
        written.map(|_| ()).map_err(failed)
    }

    fn finish(&mut self) -> Result<()> {
        if let Some(writer) = self.writer.take() {
            use std::io::Write;
            let mut inner = writer.into_inner().map_err(failed)?;
            inner.flush()?;
        }
        Ok(())
    }
}

fn failed(error: apache_avro::Error) -> Error {
    Error::internal(format!("the Avro file cannot be written: {error}"))
}

fn kind(kind: &Kind, logical: Option<&Logical>) -> serde_json::Value {
    match (kind, logical) {
        (Kind::Bytes, Some(Logical::Decimal { scale })) if *scale >= 0 => json!({
            "type": "bytes", "logicalType": "decimal", "precision": PRECISION, "scale": scale,
        }),
        (Kind::Int32, Some(Logical::Date)) => json!({"type": "int", "logicalType": "date"}),
        (Kind::Int32, Some(Logical::Time)) => json!({"type": "int", "logicalType": "time-millis"}),
        (Kind::Int64, Some(Logical::Timestamp)) => {
            json!({"type": "long", "logicalType": "timestamp-millis"})
        }
        (Kind::Int64, Some(Logical::TimestampMicros)) => {
            json!({"type": "long", "logicalType": "timestamp-micros"})
        }
        (Kind::Int64, Some(Logical::TimestampNanos)) => {
            json!({"type": "long", "logicalType": "timestamp-nanos"})
        }
        (Kind::Int8 | Kind::Int16 | Kind::Int32, _) => json!("int"),
        (Kind::Int64, _) => json!("long"),
        (Kind::Float32, _) => json!("float"),
        (Kind::Float64, _) => json!("double"),
        (Kind::Boolean, _) => json!("boolean"),
        (Kind::Bytes, _) => json!("bytes"),
        (Kind::String | Kind::Array(_) | Kind::Map(_, _) | Kind::Struct(_), _) => json!("string"),
    }
}

fn convert(value: &Value, logical: Option<&Logical>, json: Option<&serde_json::Value>) -> Avro {
    match value {
        Value::Null => Avro::Null,
        Value::Int8(n) => Avro::Int(i32::from(*n)),
        Value::Int16(n) => Avro::Int(i32::from(*n)),
        Value::Int32(n) => match logical {
            Some(Logical::Date) => Avro::Date(*n),
            Some(Logical::Time) => Avro::TimeMillis(*n),
            _ => Avro::Int(*n),
        },
        Value::Int64(n) => match logical {
            Some(Logical::Timestamp) => Avro::TimestampMillis(*n),
            Some(Logical::TimestampMicros) => Avro::TimestampMicros(*n),
            Some(Logical::TimestampNanos) => Avro::TimestampNanos(*n),
            _ => Avro::Long(*n),
        },
        Value::Float32(n) => Avro::Float(*n),
        Value::Float64(n) => Avro::Double(*n),
        Value::Boolean(flag) => Avro::Boolean(*flag),
        Value::String(text) => Avro::String(text.clone()),
        Value::Bytes(bytes) => match logical {
            Some(Logical::Decimal { scale }) if *scale >= 0 => {
                Avro::Decimal(apache_avro::Decimal::from(bytes.as_slice()))
            }
            _ => Avro::Bytes(bytes.clone()),
        },
        Value::Array(_) | Value::Map(_) | Value::Struct(_) => {
            Avro::String(json.unwrap_or(&serde_json::Value::Null).to_string())
        }
    }
}

/// Avro's names have letters, digits and `_` only, and begin with none of the digits.
fn avro_name(name: &str) -> String {
    let mut avro: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if avro
        .chars()
        .next()
        .is_none_or(|first| first.is_ascii_digit())
    {
        avro.insert(0, '_');
    }
    avro
}

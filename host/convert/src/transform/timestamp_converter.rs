//! `TimestampConverter`: between text, unix time and Connect's date types.

use std::sync::Arc;

use super::Transform;
use super::date_format::DateFormat;
use super::side::{
    SchemaCache, Side, StructBuilder, copy_basics, field_at, require_map, require_struct,
    struct_kind,
};
use crate::options::{ConfigProblem, OptionDef, REPLACE_NULL, Rule, Settings};
use crate::{Class, Error, Field, Kind, Logical, Record, Schema, Struct, Value};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::string(
        "field",
        "The field with the time; empty: the whole key or value.",
    )
    .default(""),
    OptionDef::string("target.type", "What it becomes.")
        .required()
        .rule(Rule::OneOf(&[
            "string",
            "unix",
            "Date",
            "Time",
            "Timestamp",
        ])),
    OptionDef::string(
        "format",
        "How text is written and read, as Java's SimpleDateFormat, in UTC.",
    )
    .default(""),
    OptionDef::string("unix.precision", "The unit of unix time.")
        .default("milliseconds")
        .rule(Rule::OneOf(&[
            "seconds",
            "milliseconds",
            "microseconds",
            "nanoseconds",
        ])),
    REPLACE_NULL,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeType {
    Text,
    Unix,
    Date,
    Time,
    Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Precision {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

#[derive(Debug)]
pub(super) struct TimestampConverter {
    side: Side,
    field: String,
    conversion: Conversion,
    with_default: bool,
    schemas: SchemaCache,
}

#[derive(Debug)]
struct Conversion {
    target: TimeType,
    format: Option<DateFormat>,
    precision: Precision,
}

impl TimestampConverter {
    pub(super) fn configure(
        settings: &Settings,
        side: Side,
        now_ms: i64,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let problem = |message: String| vec![ConfigProblem::new("format", message)];
        let target = match settings.text_or_empty("target.type") {
            "string" => TimeType::Text,
            "unix" => TimeType::Unix,
            "Date" => TimeType::Date,
            "Time" => TimeType::Time,
            _ => TimeType::Timestamp,
        };
        let pattern = settings.text_or_empty("format");
        if target == TimeType::Text && pattern.is_empty() {
            return Err(problem(
                "is required where `target.type` is string".to_owned(),
            ));
        }
        let format = (!pattern.is_empty())
            .then(|| DateFormat::new(pattern, now_ms))
            .transpose()
            .map_err(|error| problem(error.to_string()))?;
        let precision = match settings.text_or_empty("unix.precision") {
            "seconds" => Precision::Seconds,
            "microseconds" => Precision::Microseconds,
            "nanoseconds" => Precision::Nanoseconds,
            _ => Precision::Milliseconds,
        };
        Ok(Self {
            side,
            field: settings.text_or_empty("field").to_owned(),
            conversion: Conversion {
                target,
                format,
                precision,
            },
            with_default: settings.boolean("replace.null.with.default"),
            schemas: SchemaCache::default(),
        })
    }

    fn struct_schema(&self, schema: &Arc<Schema>) -> Result<Arc<Schema>, Error> {
        let fields = schema.fields().iter().map(|field| {
            if *field.name == *self.field {
                let converted = self.conversion.schema(field.schema.optional);
                Field::new(Arc::clone(&field.name), converted)
            } else {
                field.clone()
            }
        });
        let kind = struct_kind(fields.collect())?;
        let mut updated = copy_basics(schema, kind);
        updated.optional = schema.optional;
        if let Some(Value::Struct(default)) = &schema.default {
            let plain = Arc::new(updated.clone());
            updated.default = Some(self.convert_struct(default, plain)?);
        }
        Ok(Arc::new(updated))
    }

    fn convert_struct(&self, row: &Struct, schema: Arc<Schema>) -> Result<Value, Error> {
        let mut built = StructBuilder::new(schema);
        for (position, field) in row.schema().fields().iter().enumerate() {
            let value = field_at(row, position, self.with_default);
            if *field.name == *self.field {
                let converted = type_of_schema(&field.schema)
                    .and_then(|from| self.conversion.convert(value, Some(from)));
                built.push(converted.map_err(|error| error.in_field(&field.name))?)?;
            } else {
                built.push(value.clone())?;
            }
        }
        built.finish()
    }
}

impl Transform for TimestampConverter {
    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        let part = self.side.of(&record);
        let whole = self.field.is_empty();
        let (schema, value) = match (&part.schema, &part.value) {
            (None, value) if whole || value.is_null() => {
                (None, self.conversion.convert(value, None)?)
            }
            (None, value) => {
                let mut map = (**require_map(value, self.side)?).clone();
                let value = map.get_str(&self.field).unwrap_or(&Value::Null);
                let value = self.conversion.convert(value, None);
                let value = value.map_err(|error| error.in_field(&self.field))?;
                map.insert(Value::string(self.field.as_str()), value);
                (None, Value::from(map))
            }
            (Some(schema), value) if whole => {
                let from = type_of_schema(schema)?;
                let converted = Arc::new(self.conversion.schema(schema.optional));
                (Some(converted), self.conversion.convert(value, Some(from))?)
            }
            (Some(schema), value) => {
                let row = match value {
                    Value::Null => None,
                    value => Some(require_struct(value, self.side)?),
                };
                let mut schemas = std::mem::take(&mut self.schemas);
                let updated = schemas.get(schema, |schema| self.struct_schema(schema));
                self.schemas = schemas;
                let updated = updated?;
                let value = match row {
                    None => Value::Null,
                    Some(row) => self.convert_struct(row, Arc::clone(&updated))?,
                };
                (Some(updated), value)
            }
        };
        self.side.set(&mut record, schema, value);
        Ok(Some(record))
    }
}

fn type_of_schema(schema: &Schema) -> Result<TimeType, Error> {
    match (schema.logical(), &schema.kind) {
        (Some(Logical::Timestamp), _) => Ok(TimeType::Timestamp),
        (Some(Logical::Date), _) => Ok(TimeType::Date),
        (Some(Logical::Time), _) => Ok(TimeType::Time),
        (_, Kind::String) => Ok(TimeType::Text),
        (_, Kind::Int64) => Ok(TimeType::Unix),
        _ => Err(Error::new(
            Class::Connect,
            format!(
                "a time is expected, the schema is of type {}",
                schema.schema_type().name()
            ),
        )),
    }
}

impl Conversion {
    fn schema(&self, optional: bool) -> Schema {
        let schema = match self.target {
            TimeType::Text => Schema::new(Kind::String),
            TimeType::Unix => Schema::new(Kind::Int64),
            TimeType::Date => Schema::date(),
            TimeType::Time => Schema::time(),
            TimeType::Timestamp => Schema::timestamp(),
        };
        schema.with_optional(optional)
    }

    fn convert(&self, value: &Value, from: Option<TimeType>) -> Result<Value, Error> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        let from = match (from, value) {
            (Some(from), _) => from,
            (None, Value::Instant(_)) => TimeType::Timestamp,
            (None, Value::Int64(_)) => TimeType::Unix,
            (None, Value::String(_)) => TimeType::Text,
            (None, other) => return Err(no_time(other)),
        };
        let ms = match (from, value) {
            (TimeType::Text, Value::String(text)) => self.read(text)?,
            (TimeType::Unix, Value::Int64(unix)) => self.unix_to_ms(*unix),
            (TimeType::Date | TimeType::Time | TimeType::Timestamp, Value::Instant(ms)) => *ms,
            (_, other) => return Err(no_time(other)),
        };
        Ok(match self.target {
            TimeType::Text => Value::string(self.write(ms)?),
            TimeType::Unix => Value::Int64(self.ms_to_unix(ms)),
            TimeType::Date => Value::Instant(ms.div_euclid(DAY_MS).saturating_mul(DAY_MS)),
            TimeType::Time => Value::Instant(ms.rem_euclid(DAY_MS)),
            TimeType::Timestamp => Value::Instant(ms),
        })
    }

    fn format(&self) -> Result<&DateFormat, Error> {
        self.format.as_ref().ok_or_else(|| {
            Error::new(
                Class::NullPointer,
                "text is read by the option `format`, which is not set",
            )
        })
    }

    fn read(&self, text: &str) -> Result<i64, Error> {
        self.format()?
            .parse(text)
            .ok_or_else(|| Error::data("the text does not follow the option `format`"))
    }

    fn write(&self, ms: i64) -> Result<String, Error> {
        Ok(self.format()?.format(ms))
    }

    /// Towards zero, and at most the largest number.
    const fn unix_to_ms(&self, unix: i64) -> i64 {
        match self.precision {
            Precision::Seconds => unix.saturating_mul(1000),
            Precision::Milliseconds => unix,
            Precision::Microseconds => unix / 1000,
            Precision::Nanoseconds => unix / 1_000_000,
        }
    }

    const fn ms_to_unix(&self, ms: i64) -> i64 {
        match self.precision {
            Precision::Seconds => ms / 1000,
            Precision::Milliseconds => ms,
            Precision::Microseconds => ms.saturating_mul(1000),
            Precision::Nanoseconds => ms.saturating_mul(1_000_000),
        }
    }
}

#[cold]
fn no_time(found: &Value) -> Error {
    Error::data(format!("{} cannot be read as a time", found.type_name()))
}

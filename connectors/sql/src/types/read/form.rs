//! The Connect form of a column: its schema, and how a cell becomes a field.

use std::borrow::Cow;
use std::sync::Arc;

use linkspan_sdk::{
    OptionEnum, RowError, RowWriter, Schema, SchemaBuilder, SchemaField, Struct, Value,
};

use super::calendar::{DAY_MICROS, Zone, date_text, time_text, wall_text};
use super::{Cell, CellError, Number, ReadType};

const MICRO_TIME: &str = "io.debezium.time.MicroTime";
const NANO_TIME: &str = "io.debezium.time.NanoTime";
const WALL_MILLIS: &str = "io.debezium.time.Timestamp";
const WALL_MICROS: &str = "io.debezium.time.MicroTimestamp";
const WALL_NANOS: &str = "io.debezium.time.NanoTimestamp";
const ZONED_TIMESTAMP: &str = "io.debezium.time.ZonedTimestamp";
const ZONED_TIME: &str = "io.debezium.time.ZonedTime";
const INTERVAL: &str = "io.debezium.time.Interval";
const YEAR: &str = "io.debezium.time.Year";
const UUID: &str = "io.debezium.data.Uuid";
const JSON: &str = "io.debezium.data.Json";
const XML: &str = "io.debezium.data.Xml";
const ENUM: &str = "io.debezium.data.Enum";
const ENUM_SET: &str = "io.debezium.data.EnumSet";
const BITS: &str = "io.debezium.data.Bits";
const VARIABLE_SCALE: &str = "io.debezium.data.VariableScaleDecimal";
/// The parameter that keeps a decimal's declared precision.
const PRECISION: &str = "connect.decimal.precision";
/// The largest scale that the schema of a decimal may have.
const SCALE_MAX: i32 = 2_000;

/// How numbers with a decimal point are mapped, in the words of the JDBC connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum NumericMapping {
    None,
    PrecisionOnly,
    BestFit,
    BestFitEagerDouble,
    String,
}

/// What a timestamp is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Granularity {
    Micros,
    ConnectLogical,
    Nanos,
    IsoString,
    MicrosLong,
    MicrosString,
    NanosLong,
    NanosString,
    /// Two words of the JDBC connector for `iso_string`.
    MicrosIsoDatetimeString,
    NanosIsoDatetimeString,
}

/// What the options say about types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) numeric: NumericMapping,
    pub(crate) granularity: Granularity,
    /// The zone of timestamps that have none; without it they stay wall clocks.
    pub(crate) zone: Option<Zone>,
}

/// What a field of a record is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Form {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Decimal {
        precision: u32,
        scale: i32,
    },
    VariableScale(Arc<Schema>),
    Bytes,
    /// Text under a schema name, with a parameter.
    Text(Option<&'static str>, Option<(&'static str, String)>),
    Bits(u32),
    Year,
    Date,
    Time(Unit),
    Timestamp(Unit, Kind),
    Array(Box<Self>),
}

/// What a time or timestamp counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Millis,
    Micros,
    Nanos,
    Iso,
    /// A plain number or its digits, without a schema name.
    PlainMicros,
    PlainNanos,
    MicrosText,
    NanosText,
}

/// Whose clock a timestamp was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Instant,
    Wall,
    /// A wall clock in a zone that the options name: it becomes an instant.
    WallIn(Zone),
}

impl Form {
    /// Returns the form of a column's type.
    pub(crate) fn of(kind: &ReadType, mapping: &Mapping) -> Self {
        let text = |name| Self::Text(Some(name), None);
        match kind {
            ReadType::Bool => Self::Bool,
            ReadType::Int8 => Self::Int8,
            ReadType::Int16 => Self::Int16,
            ReadType::Int32 => Self::Int32,
            ReadType::Int64 => Self::Int64,
            ReadType::Unsigned(8) => Self::Int16,
            ReadType::Unsigned(16 | 24) => Self::Int32,
            ReadType::Unsigned(32) => Self::Int64,
            // 64 bits need more than Connect's largest integer has.
            ReadType::Unsigned(_) => match mapping.numeric {
                NumericMapping::None | NumericMapping::String => decimal(20, 0, mapping.numeric),
                NumericMapping::PrecisionOnly
                | NumericMapping::BestFit
                | NumericMapping::BestFitEagerDouble => Self::Int64,
            },
            ReadType::Float32 => Self::Float32,
            ReadType::Float64 => Self::Float64,
            ReadType::Decimal { precision, scale } => decimal(*precision, *scale, mapping.numeric),
            ReadType::Numeric => match mapping.numeric {
                NumericMapping::None | NumericMapping::PrecisionOnly => {
                    Self::VariableScale(Arc::new(variable_scale()))
                }
                NumericMapping::BestFit | NumericMapping::BestFitEagerDouble => Self::Float64,
                NumericMapping::String => Self::Text(None, None),
            },
            ReadType::Text => Self::Text(None, None),
            ReadType::Bytes => Self::Bytes,
            ReadType::Date => Self::Date,
            ReadType::Time => Self::Time(time_unit(mapping.granularity)),
            ReadType::ZonedTime => text(ZONED_TIME),
            ReadType::Wall => Self::Timestamp(
                unit(mapping.granularity),
                mapping.zone.map_or(Kind::Wall, Kind::WallIn),
            ),
            ReadType::Instant => Self::Timestamp(unit(mapping.granularity), Kind::Instant),
            ReadType::Interval => text(INTERVAL),
            ReadType::Uuid => text(UUID),
            ReadType::Json => text(JSON),
            ReadType::Xml => text(XML),
            ReadType::Enum(words) => Self::Text(Some(ENUM), Some(("allowed", words.clone()))),
            ReadType::EnumSet(words) => {
                Self::Text(Some(ENUM_SET), Some(("allowed", words.clone())))
            }
            ReadType::Bits(1) => Self::Bool,
            ReadType::Bits(length) => Self::Bits(*length),
            ReadType::Year => Self::Year,
            ReadType::Array(items) => Self::Array(Box::new(Self::of(items, mapping))),
        }
    }

    /// Returns the schema of the field.
    pub(crate) fn schema(&self, optional: bool) -> Schema {
        let builder = match self {
            Self::Bool => SchemaBuilder::boolean(),
            Self::Int8 => SchemaBuilder::int8(),
            Self::Int16 => SchemaBuilder::int16(),
            Self::Int32 => SchemaBuilder::int32(),
            Self::Int64 => SchemaBuilder::int64(),
            Self::Float32 => SchemaBuilder::float32(),
            Self::Float64 => SchemaBuilder::float64(),
            Self::Decimal { precision, scale } => {
                SchemaBuilder::decimal(*scale).parameter(PRECISION, &precision.to_string())
            }
            Self::VariableScale(schema) => {
                let mut schema = Schema::clone(schema);
                schema.optional = optional;
                return schema;
            }
            Self::Bytes => SchemaBuilder::bytes(),
            Self::Text(name, parameter) => {
                let mut builder = SchemaBuilder::string();
                if let Some(name) = name {
                    builder = builder.name(name).version(1);
                }
                if let Some((key, value)) = parameter {
                    builder = builder.parameter(key, value);
                }
                builder
            }
            Self::Bits(length) => SchemaBuilder::bytes()
                .name(BITS)
                .version(1)
                .parameter("length", &length.to_string()),
            Self::Year => SchemaBuilder::int32().name(YEAR).version(1),
            Self::Date => SchemaBuilder::date(),
            Self::Time(unit) => match unit {
                Unit::Millis => SchemaBuilder::time(),
                Unit::Nanos => SchemaBuilder::int64().name(NANO_TIME).version(1),
                Unit::Iso => SchemaBuilder::string(),
                _ => SchemaBuilder::int64().name(MICRO_TIME).version(1),
            },
            Self::Timestamp(unit, kind) => timestamp_schema(*unit, *kind),
            Self::Array(items) => SchemaBuilder::array(items.schema(true)),
        };
        let builder = if optional {
            builder.optional()
        } else {
            builder
        };
        builder.build()
    }

    /// Writes a cell as the field at `at`. `Ok(false)` says that it has no such form and the field became null.
    pub(crate) fn write(
        &self,
        cell: &Cell<'_>,
        row: &mut RowWriter<'_, '_>,
        at: usize,
    ) -> Result<bool, CellError> {
        match (self, cell) {
            (Self::Bool, Cell::Bool(value)) => row.boolean(at, *value).map_err(of_row)?,
            (Self::Bool, Cell::Bytes(bits)) => {
                let value = bits.iter().any(|byte| *byte != 0);
                row.boolean(at, value).map_err(of_row)?
            }
            (Self::Int64, Cell::Int(value)) => row.int64(at, *value).map_err(of_row)?,
            (Self::Int32 | Self::Year, Cell::Int(value)) => {
                row.int32(at, narrow(*value)?).map_err(of_row)?
            }
            (Self::Int16, Cell::Int(value)) => row.int16(at, narrow(*value)?).map_err(of_row)?,
            (Self::Int8, Cell::Int(value)) => row.int8(at, narrow(*value)?).map_err(of_row)?,
            (Self::Float32, Cell::Float32(value)) => row.float32(at, *value).map_err(of_row)?,
            (Self::Float64, Cell::Float64(value)) => row.float64(at, *value).map_err(of_row)?,
            (Self::Text(..), Cell::Text(value)) => row.string(at, value).map_err(of_row)?,
            (Self::Bytes | Self::Bits(_), Cell::Bytes(value)) => {
                row.bytes(at, value).map_err(of_row)?
            }
            (Self::Date, Cell::Date(days)) => row.int32(at, *days).map_err(of_row)?,
            (Self::Decimal { scale, .. }, Cell::Number(number)) => row
                .bytes(at, &rescale(number, *scale)?.unscaled_bytes())
                .map_err(of_row)?,
            (Self::Timestamp(..), Cell::Timestamp(micros)) => match self.timestamp(*micros)? {
                Value::Int64(value) => row.int64(at, value).map_err(of_row)?,
                value => row.value(at, &value).map_err(of_row)?,
            },
            _ => match self.value(cell)? {
                Value::Null => {
                    row.null(at).map_err(|_| no_null(cell))?;
                    return Ok(false);
                }
                value => row.value(at, &value).map_err(of_row)?,
            },
        };
        Ok(true)
    }

    /// Returns the cell as a value; null where it has no such form.
    pub(super) fn value(&self, cell: &Cell<'_>) -> Result<Value, CellError> {
        Ok(match (self, cell) {
            (_, Cell::ZeroDate) => Value::Null,
            (Self::Text(..) | Self::Timestamp(Unit::Iso, _), Cell::Endless(word)) => {
                Value::from(*word)
            }
            (_, Cell::Endless(_)) => Value::Null,
            (Self::Text(..), Cell::NotFinite(word)) => Value::from(*word),
            (Self::Float64, Cell::NotFinite(word)) => {
                Value::Float64(word.parse().unwrap_or(f64::NAN))
            }
            (_, Cell::NotFinite(_)) => Value::Null,
            (Self::Bool, Cell::Bool(value)) => Value::Boolean(*value),
            (Self::Bool, Cell::Bytes(bits)) => Value::Boolean(bits.iter().any(|byte| *byte != 0)),
            (Self::Int8, cell) => Value::Int8(narrow(whole(cell)?)?),
            (Self::Int16, cell) => Value::Int16(narrow(whole(cell)?)?),
            (Self::Int32 | Self::Year, cell) => Value::Int32(narrow(whole(cell)?)?),
            (Self::Int64, cell) => Value::Int64(whole(cell)?),
            (Self::Float32, Cell::Float32(value)) => Value::Float32(*value),
            (Self::Float32, Cell::Float64(value)) => Value::Float32(single(*value)?),
            (Self::Float64, Cell::Float32(value)) => Value::Float64(f64::from(*value)),
            (Self::Float64, Cell::Float64(value)) => Value::Float64(*value),
            (Self::Float64, cell) => Value::Float64(number(cell)?.to_f64()),
            (Self::Decimal { scale, .. }, cell) => {
                Value::Bytes(rescale(&number(cell)?, *scale)?.unscaled_bytes())
            }
            (Self::VariableScale(schema), cell) => variable(schema, &number(cell)?)?,
            (Self::Bytes | Self::Bits(_), Cell::Bytes(bytes)) => Value::Bytes(bytes.to_vec()),
            (Self::Text(..), Cell::Text(text)) => Value::String(text.to_string()),
            (Self::Text(..), cell) => Value::String(shown(cell)?.into_owned()),
            (Self::Date, Cell::Date(days)) => Value::Int32(*days),
            (Self::Time(unit), Cell::Time(micros)) => time(*unit, *micros)?,
            (Self::Timestamp(..), Cell::Timestamp(micros)) => self.timestamp(*micros)?,
            (Self::Array(form), Cell::Array(cells)) => {
                let items = cells.iter().map(|item| match item {
                    Some(cell) => form.value(cell),
                    None => Ok(Value::Null),
                });
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            (_, cell) => {
                return Err(CellError::Class {
                    found: name(cell),
                    expected: "another type",
                });
            }
        })
    }

    fn timestamp(&self, micros: i64) -> Result<Value, CellError> {
        let Self::Timestamp(unit, kind) = self else {
            return Err(CellError::Misfit("a timestamp stands where none belongs"));
        };
        let range = || CellError::Misfit("the timestamp is out of range");
        let micros = match kind {
            Kind::WallIn(zone) => zone.instant(micros).ok_or_else(range)?,
            Kind::Instant | Kind::Wall => micros,
        };
        Ok(match unit {
            Unit::Millis => Value::Int64(micros.div_euclid(1000)),
            Unit::Micros | Unit::PlainMicros => Value::Int64(micros),
            Unit::Nanos | Unit::PlainNanos => {
                Value::Int64(micros.checked_mul(1000).ok_or_else(range)?)
            }
            Unit::MicrosText => Value::String(micros.to_string()),
            Unit::NanosText => {
                Value::String(micros.checked_mul(1000).ok_or_else(range)?.to_string())
            }
            Unit::Iso => {
                let mut text = wall_text(micros, 'T');
                if *kind != Kind::Wall {
                    text.push('Z');
                }
                Value::String(text)
            }
        })
    }
}

const fn unit(granularity: Granularity) -> Unit {
    match granularity {
        Granularity::Micros => Unit::Micros,
        Granularity::ConnectLogical => Unit::Millis,
        Granularity::Nanos => Unit::Nanos,
        Granularity::IsoString
        | Granularity::MicrosIsoDatetimeString
        | Granularity::NanosIsoDatetimeString => Unit::Iso,
        Granularity::MicrosLong => Unit::PlainMicros,
        Granularity::MicrosString => Unit::MicrosText,
        Granularity::NanosLong => Unit::PlainNanos,
        Granularity::NanosString => Unit::NanosText,
    }
}

/// The words of the JDBC connector are about timestamps: times of day stay Connect's there.
const fn time_unit(granularity: Granularity) -> Unit {
    match granularity {
        Granularity::Micros => Unit::Micros,
        Granularity::Nanos => Unit::Nanos,
        Granularity::IsoString => Unit::Iso,
        _ => Unit::Millis,
    }
}

fn timestamp_schema(unit: Unit, kind: Kind) -> SchemaBuilder {
    let wall = kind == Kind::Wall;
    let named = |name: &str| SchemaBuilder::int64().name(name).version(1);
    match unit {
        Unit::Millis if wall => named(WALL_MILLIS),
        Unit::Millis => SchemaBuilder::timestamp(),
        Unit::Micros if wall => named(WALL_MICROS),
        Unit::Micros => SchemaBuilder::timestamp_micros(),
        Unit::Nanos if wall => named(WALL_NANOS),
        Unit::Nanos => SchemaBuilder::timestamp_nanos(),
        Unit::Iso if wall => SchemaBuilder::string(),
        Unit::Iso => SchemaBuilder::string().name(ZONED_TIMESTAMP).version(1),
        Unit::PlainMicros | Unit::PlainNanos => SchemaBuilder::int64(),
        Unit::MicrosText | Unit::NanosText => SchemaBuilder::string(),
    }
}

/// The JDBC connector's rules, name by name.
fn decimal(precision: u32, scale: i32, mapping: NumericMapping) -> Form {
    let whole = match precision {
        0..=2 => Form::Int8,
        3..=4 => Form::Int16,
        5..=9 => Form::Int32,
        _ => Form::Int64,
    };
    let exact = if scale.abs() <= SCALE_MAX {
        Form::Decimal { precision, scale }
    } else {
        Form::VariableScale(Arc::new(variable_scale()))
    };
    match mapping {
        NumericMapping::None => exact,
        NumericMapping::String => Form::Text(None, None),
        NumericMapping::PrecisionOnly if scale == 0 && precision < 19 => whole,
        NumericMapping::PrecisionOnly => exact,
        NumericMapping::BestFit if precision < 19 && scale < 1 => whole,
        NumericMapping::BestFit if precision < 19 => Form::Float64,
        NumericMapping::BestFitEagerDouble if scale > 0 => Form::Float64,
        NumericMapping::BestFitEagerDouble if precision < 19 => whole,
        NumericMapping::BestFit | NumericMapping::BestFitEagerDouble => exact,
    }
}

fn variable_scale() -> Schema {
    SchemaBuilder::structure()
        .name(VARIABLE_SCALE)
        .version(1)
        .doc("Variable scaled decimal")
        .field("scale", SchemaBuilder::int32())
        .field("value", SchemaBuilder::bytes())
        .build()
}

fn variable(schema: &Arc<Schema>, number: &Number) -> Result<Value, CellError> {
    let fields: &[SchemaField] = schema.fields();
    debug_assert_eq!(fields.len(), 2);
    let values = vec![
        Value::Int32(number.scale()),
        Value::Bytes(number.unscaled_bytes()),
    ];
    Struct::from_values(Arc::clone(schema), values)
        .map(Value::Struct)
        .map_err(of_row)
}

fn rescale(number: &Number, scale: i32) -> Result<Number, CellError> {
    number.rescaled(scale).ok_or(CellError::Misfit(
        "the number has more digits behind the point than the column declares",
    ))
}

fn time(unit: Unit, micros: i64) -> Result<Value, CellError> {
    Ok(match unit {
        Unit::Millis => {
            if !(0..DAY_MICROS).contains(&micros) {
                return Err(CellError::Misfit(
                    "the time is no time of day, which Connect's Time holds; set `timestamp.granularity: micros`",
                ));
            }
            Value::Int32(narrow(micros / 1000)?)
        }
        Unit::Iso => Value::String(time_text(micros)),
        Unit::Nanos => Value::Int64(
            micros
                .checked_mul(1000)
                .ok_or(CellError::Misfit("the time is out of range"))?,
        ),
        _ => Value::Int64(micros),
    })
}

fn whole(cell: &Cell<'_>) -> Result<i64, CellError> {
    let range = || CellError::Misfit("the number does not fit into the integer of its column");
    match cell {
        Cell::Int(value) => Ok(*value),
        Cell::UInt(value) => i64::try_from(*value).map_err(|_| range()),
        Cell::Bool(value) => Ok(i64::from(*value)),
        cell => number(cell)?.to_i64().ok_or_else(range),
    }
}

fn number(cell: &Cell<'_>) -> Result<Number, CellError> {
    match cell {
        Cell::Number(number) => Ok(number.clone()),
        Cell::Int(value) => Ok(Number::small(i128::from(*value), 0)),
        Cell::UInt(value) => Ok(Number::small(i128::from(*value), 0)),
        cell => Err(CellError::Class {
            found: name(cell),
            expected: "a number",
        }),
    }
}

fn narrow<T: TryFrom<i64>>(value: i64) -> Result<T, CellError> {
    T::try_from(value)
        .map_err(|_| CellError::Misfit("the number does not fit into the integer of its column"))
}

fn single(value: f64) -> Result<f32, CellError> {
    #[expect(clippy::cast_possible_truncation, reason = "checked by going back")]
    let single = value as f32;
    if f64::from(single).to_bits() == value.to_bits() || value.is_nan() {
        Ok(single)
    } else {
        Err(CellError::Misfit("the number needs a double"))
    }
}

fn shown<'c>(cell: &'c Cell<'_>) -> Result<Cow<'c, str>, CellError> {
    Ok(match cell {
        Cell::Text(text) => Cow::Borrowed(text.as_ref()),
        Cell::Number(number) => Cow::Owned(number.to_string()),
        Cell::Int(value) => Cow::Owned(value.to_string()),
        Cell::UInt(value) => Cow::Owned(value.to_string()),
        Cell::Date(days) => Cow::Owned(date_text(i64::from(*days))),
        cell => {
            return Err(CellError::Class {
                found: name(cell),
                expected: "text",
            });
        }
    })
}

const fn name(cell: &Cell<'_>) -> &'static str {
    match cell {
        Cell::Bool(_) => "boolean",
        Cell::Int(_) | Cell::UInt(_) => "integer",
        Cell::Float32(_) | Cell::Float64(_) => "floating point",
        Cell::Number(_) | Cell::NotFinite(_) => "decimal",
        Cell::Text(_) => "text",
        Cell::Bytes(_) => "bytes",
        Cell::Date(_) | Cell::ZeroDate => "date",
        Cell::Time(_) => "time",
        Cell::Timestamp(_) | Cell::Endless(_) => "timestamp",
        Cell::Array(_) => "array",
    }
}

fn no_null(cell: &Cell<'_>) -> CellError {
    CellError::Misfit(match cell {
        Cell::NotFinite(_) => {
            "the number is NaN or infinite, which a decimal cannot hold; set `numeric.mapping: string`"
        }
        Cell::Endless(_) => "the timestamp is `infinity`; set `timestamp.granularity: iso_string`",
        _ => "the value has no Connect form, and the column must not be null",
    })
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn of_row(error: RowError) -> CellError {
    CellError::Row(error.to_string())
}

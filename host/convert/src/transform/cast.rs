//! `Cast`: fields, or the whole key or value, to another primitive type.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::side::{
    SchemaCache, Side, StructBuilder, copy_basics, field_at, require_map, require_struct,
    struct_kind,
};
use super::{Transform, number};
use crate::options::{ConfigProblem, OptionDef, REPLACE_NULL, Rule, Settings, trim};
use crate::{Error, Field, Kind, Logical, Record, Refusal, Schema, Type, Value, calendar, java};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::list(
        "spec",
        "Fields with their types, `a:int32,b:string`, or one type for the whole. Types: int8, int16, int32, int64, float32, float64, boolean, string; bytes can only become a string (base64).",
    )
    .required()
    .rule(Rule::NotEmpty),
    REPLACE_NULL,
];

/// A type that can be cast to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    String,
}

impl Target {
    fn parse(word: &str) -> Result<Self, String> {
        Ok(match word.to_ascii_lowercase().as_str() {
            "int8" => Self::Int8,
            "int16" => Self::Int16,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "float32" => Self::Float32,
            "float64" => Self::Float64,
            "boolean" => Self::Boolean,
            "string" => Self::String,
            "bytes" | "array" | "map" | "struct" => {
                return Err(format!("`{word}` is not a type that can be cast to"));
            }
            _ => {
                return Err(format!(
                    "`{word}` is no type; types are int8, int16, int32, int64, float32, float64, boolean, string"
                ));
            }
        })
    }

    const fn kind(self) -> Kind {
        match self {
            Self::Int8 => Kind::Int8,
            Self::Int16 => Kind::Int16,
            Self::Int32 => Kind::Int32,
            Self::Int64 => Kind::Int64,
            Self::Float32 => Kind::Float32,
            Self::Float64 => Kind::Float64,
            Self::Boolean => Kind::Boolean,
            Self::String => Kind::String,
        }
    }
}

#[derive(Debug)]
pub(super) struct Cast {
    side: Side,
    whole: Option<Target>,
    /// In the order of the option, which is the order in which a map gets the fields it lacks.
    fields: Vec<(String, Target)>,
    by_name: HashMap<String, Target>,
    with_default: bool,
    schemas: SchemaCache,
}

impl Cast {
    pub(super) fn configure(settings: &Settings, side: Side) -> Result<Self, Vec<ConfigProblem>> {
        let mut cast = Self {
            side,
            whole: None,
            fields: Vec::new(),
            by_name: HashMap::new(),
            with_default: settings.boolean("replace.null.with.default"),
            schemas: SchemaCache::default(),
        };
        let items = settings.list("spec");
        let mut problems = Vec::new();
        for item in items {
            if let Err(message) = cast.read(item, items.len()) {
                problems.push(ConfigProblem::new("spec", message));
            }
        }
        if problems.is_empty() {
            Ok(cast)
        } else {
            Err(problems)
        }
    }

    fn read(&mut self, item: &str, items: usize) -> Result<(), String> {
        match item.split_once(':') {
            None => {
                if items > 1 {
                    return Err("a type for the whole stands alone".to_owned());
                }
                self.whole = Some(Target::parse(item)?);
            }
            Some((_, kind)) if kind.contains(':') => {
                return Err(format!("`{item}` has more than one colon"));
            }
            Some((field, kind)) => {
                let (field, target) = (trim(field), Target::parse(trim(kind))?);
                if self.by_name.insert(field.to_owned(), target).is_some() {
                    self.fields.retain(|(known, _)| known != field);
                }
                self.fields.push((field.to_owned(), target));
            }
        }
        Ok(())
    }
}

impl Transform for Cast {
    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        let part = self.side.of(&record);
        if part.value.is_null() {
            return Ok(Some(record));
        }
        let value = match (&part.schema, self.whole) {
            (None, Some(target)) => (None, cast(None, &part.value, target)?),
            (None, None) => {
                let mut map = (**require_map(&part.value, self.side)?).clone();
                for (field, target) in &self.fields {
                    let value = map.get_str(field).cloned().unwrap_or_default();
                    let value = cast(None, &value, *target).map_err(|e| e.in_field(field))?;
                    map.insert(Value::string(field.as_str()), value);
                }
                (None, Value::from(map))
            }
            (Some(schema), Some(target)) => {
                let value = cast(Some(schema), &part.value, target)?;
                let updated = self
                    .schemas
                    .get(schema, |schema| whole_schema(schema, target))?;
                (Some(updated), value)
            }
            (Some(schema), None) => {
                let by_name = &self.by_name;
                let row = require_struct(&part.value, self.side)?;
                let updated = self
                    .schemas
                    .get(schema, |schema| struct_schema(schema, by_name))?;
                let mut built = StructBuilder::new(Arc::clone(&updated));
                for (position, field) in row.schema().fields().iter().enumerate() {
                    let value = field_at(row, position, self.with_default);
                    match by_name.get(&*field.name) {
                        Some(target) => built.push(
                            cast(Some(&field.schema), value, *target)
                                .map_err(|error| error.in_field(&field.name))?,
                        )?,
                        None => built.push(value.clone())?,
                    }
                }
                (Some(updated), built.finish()?)
            }
        };
        self.side.set(&mut record, value.0, value.1);
        Ok(Some(record))
    }
}

fn whole_schema(schema: &Arc<Schema>, target: Target) -> Result<Arc<Schema>, Error> {
    // The name of a logical type says what its values are; on another type it would be false.
    let mut updated = if schema.logical().is_some() {
        Schema::new(target.kind())
    } else {
        copy_basics(schema, target.kind())
    };
    updated.optional = schema.optional;
    if let Some(default) = &schema.default {
        updated.default = Some(cast(Some(schema), default, target)?);
    }
    Ok(Arc::new(updated))
}

fn struct_schema(
    schema: &Arc<Schema>,
    casts: &HashMap<String, Target>,
) -> Result<Arc<Schema>, Error> {
    let mut fields = Vec::with_capacity(schema.fields().len());
    for field in schema.fields().iter() {
        let Some(target) = casts.get(&*field.name) else {
            fields.push(field.clone());
            continue;
        };
        let mut updated = Schema::new(target.kind()).with_optional(field.schema.optional);
        if let Some(default) = &field.schema.default {
            let default = cast(Some(&field.schema), default, *target)
                .map_err(|error| error.in_field(&field.name))?;
            updated.default = Some(default);
        }
        fields.push(Field::new(Arc::clone(&field.name), updated));
    }
    let mut updated = copy_basics(schema, struct_kind(fields)?);
    updated.optional = schema.optional;
    if schema.default.is_some() {
        return Err(Error::data("a struct with a default cannot be cast"));
    }
    Ok(Arc::new(updated))
}

fn cast(schema: Option<&Arc<Schema>>, value: &Value, target: Target) -> Result<Value, Error> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let supported = match schema {
        Some(schema) => schema.schema_type().is_primitive(),
        // Connect has no type for a date or a decimal without a schema.
        None => !matches!(
            value,
            Value::Decimal(_)
                | Value::Instant(_)
                | Value::Array(_)
                | Value::Map(_)
                | Value::Struct(_)
        ),
    };
    if !supported {
        let found = schema.map_or(value.type_name(), |schema| schema.schema_type().name());
        return Err(Error::data(format!("{found} cannot be cast")));
    }
    if target == Target::String {
        return to_text(value);
    }
    let encoded = match (schema.and_then(|schema| schema.logical()), value) {
        (Some(logical), Value::Instant(ms)) => physical(logical, *ms)?,
        _ => value.clone(),
    };
    Ok(match target {
        Target::Int8 => Value::Int8(integer(&encoded, "int8")?),
        Target::Int16 => Value::Int16(integer(&encoded, "int16")?),
        Target::Int32 => Value::Int32(integer(&encoded, "int32")?),
        Target::Int64 => Value::Int64(integer(&encoded, "int64")?),
        Target::Float32 => Value::Float32(float32(&encoded)?),
        Target::Float64 => Value::Float64(float64(&encoded)?),
        Target::Boolean => Value::Boolean(boolean(&encoded)?),
        Target::String => return to_text(value),
    })
}

/// The number behind a date, a time or a timestamp.
fn physical(logical: Logical, ms: i64) -> Result<Value, Error> {
    match logical {
        Logical::Date if ms.rem_euclid(DAY_MS) != 0 => {
            Err(Error::data("a date must not have a time of day"))
        }
        Logical::Date => i32::try_from(ms.div_euclid(DAY_MS))
            .map(Value::Int32)
            .map_err(|_| out_of_range("int32")),
        Logical::Time if !(0..=DAY_MS).contains(&ms) => {
            Err(Error::data("a time lies within one day"))
        }
        Logical::Time => Ok(Value::Int32(i32::try_from(ms).unwrap_or(0))),
        Logical::Timestamp => Ok(Value::Int64(ms)),
        Logical::Decimal => Err(Error::data("a date where a decimal is declared")),
    }
}

#[cold]
fn out_of_range(kind: &str) -> Error {
    Error::refused(
        Refusal::IntegerRange,
        format!("the number does not fit {kind}"),
    )
}

#[cold]
fn no_number(found: &Value, kind: &str) -> Error {
    Error::data(format!("{} cannot be cast to {kind}", found.type_name()))
}

/// An integer of any width. Floats lose their fraction; for int32 and int64 they stop at the type's bounds, as in Java.
fn integer<T: TryFrom<i64>>(value: &Value, kind: &'static str) -> Result<T, Error> {
    let number = match value {
        Value::Int8(v) => i64::from(*v),
        Value::Int16(v) => i64::from(*v),
        Value::Int32(v) => i64::from(*v),
        Value::Int64(v) => *v,
        Value::Float32(v) => whole(f64::from(*v), kind)?,
        Value::Float64(v) => whole(*v, kind)?,
        Value::Boolean(v) => i64::from(*v),
        Value::Decimal(v) => v.to_i64().ok_or_else(|| out_of_range(kind))?,
        Value::String(text) => {
            let number = number::parse_int(text).and_then(|number| T::try_from(number).ok());
            return number
                .ok_or_else(|| Error::data(format!("the text is no number that fits {kind}")));
        }
        other => return Err(no_number(other, kind)),
    };
    T::try_from(number).map_err(|_| out_of_range(kind))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float stops at the integer's bounds, as Java's cast"
)]
fn whole(value: f64, kind: &'static str) -> Result<i64, Error> {
    if value.is_nan() {
        return Err(Error::refused(
            Refusal::IntegerRange,
            format!("not a number cannot become {kind}"),
        ));
    }
    Ok(if kind == "int64" {
        value as i64
    } else {
        i64::from(value as i32)
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the nearest float is what a cast to float means"
)]
fn float32(value: &Value) -> Result<f32, Error> {
    Ok(match value {
        Value::Int8(v) => f32::from(*v),
        Value::Int16(v) => f32::from(*v),
        Value::Int32(v) => *v as f32,
        Value::Int64(v) => *v as f32,
        Value::Float32(v) => *v,
        Value::Float64(v) => *v as f32,
        Value::Boolean(v) => f32::from(u8::from(*v)),
        Value::Decimal(v) => v.to_f32(),
        Value::String(text) => number::parse_f32(text)
            .ok_or_else(|| Error::data("the text is no number that fits float32"))?,
        other => return Err(no_number(other, "float32")),
    })
}

fn float64(value: &Value) -> Result<f64, Error> {
    Ok(match value {
        Value::Int8(v) => f64::from(*v),
        Value::Int16(v) => f64::from(*v),
        Value::Int32(v) => f64::from(*v),
        Value::Int64(v) => *v as f64,
        Value::Float32(v) => f64::from(*v),
        Value::Float64(v) => *v,
        Value::Boolean(v) => f64::from(u8::from(*v)),
        Value::Decimal(v) => v.to_f64(),
        Value::String(text) => number::parse_f64(text)
            .ok_or_else(|| Error::data("the text is no number that fits float64"))?,
        other => return Err(no_number(other, "float64")),
    })
}

/// A number is true where its integer part is not 0; text where it is `true` in any case.
#[expect(
    clippy::cast_possible_truncation,
    reason = "only whether the integer part is 0 counts"
)]
fn boolean(value: &Value) -> Result<bool, Error> {
    Ok(match value {
        Value::Int8(v) => *v != 0,
        Value::Int16(v) => *v != 0,
        Value::Int32(v) => *v != 0,
        Value::Int64(v) => *v != 0,
        Value::Float32(v) => *v as i64 != 0,
        Value::Float64(v) => *v as i64 != 0,
        Value::Boolean(v) => *v,
        Value::Decimal(v) => v.to_i64_wrapping() != 0,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        other => return Err(no_number(other, "boolean")),
    })
}

fn java_text(write: impl FnOnce(&mut String)) -> String {
    let mut text = String::new();
    write(&mut text);
    text
}

/// The text that Java's `toString` gives; dates in the form that their magnitude suggests.
fn to_text(value: &Value) -> Result<Value, Error> {
    Ok(match value {
        Value::String(_) => value.clone(),
        Value::Bytes(bytes) => Value::string(BASE64.encode(bytes)),
        Value::Boolean(v) => Value::string(if *v { "true" } else { "false" }),
        Value::Int8(v) => Value::string(v.to_string()),
        Value::Int16(v) => Value::string(v.to_string()),
        Value::Int32(v) => Value::string(v.to_string()),
        Value::Int64(v) => Value::string(v.to_string()),
        Value::Float32(v) => Value::string(java_text(|out| java::float32(*v, out))),
        Value::Float64(v) => Value::string(java_text(|out| java::float64(*v, out))),
        Value::Decimal(v) => Value::string(v.to_string()),
        Value::Instant(ms) => {
            Value::string(java_text(|out| calendar::write_by_magnitude(*ms, out)))
        }
        other => return Err(no_number(other, Type::String.name())),
    })
}

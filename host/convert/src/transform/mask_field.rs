//! `MaskField`: the values of fields become empty, zero or a fixed text.

use std::collections::HashSet;
use std::sync::Arc;

use super::Transform;
use super::side::{Side, StructBuilder, field_at, require_map, require_struct};
use crate::options::{OptionDef, REPLACE_NULL, Rule, Settings};
use crate::{Decimal, Error, Map, Record, Value};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::list("fields", "The fields to mask.")
        .required()
        .rule(Rule::NotEmpty),
    OptionDef::string(
        "replacement",
        "What masked text and numbers become; without it they become empty and zero.",
    )
    .rule(Rule::NotEmpty),
    REPLACE_NULL,
];

#[derive(Debug)]
pub(super) struct MaskField {
    side: Side,
    fields: HashSet<String>,
    /// The same in the order of the option.
    ordered: Vec<String>,
    replacement: Option<Arc<str>>,
    with_default: bool,
}

impl MaskField {
    pub(super) fn configure(settings: &Settings, side: Side) -> Self {
        let ordered = settings.list("fields").to_vec();
        Self {
            side,
            fields: ordered.iter().cloned().collect(),
            ordered,
            replacement: settings.text("replacement").map(Arc::from),
            with_default: settings.boolean("replace.null.with.default"),
        }
    }

    fn masked(&self, value: &Value) -> Result<Value, Error> {
        match &self.replacement {
            None => emptied(value),
            Some(text) => replaced(value, text),
        }
    }
}

impl Transform for MaskField {
    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        let part = self.side.of(&record);
        let value = if part.schema.is_none() {
            let mut map = (**require_map(&part.value, self.side)?).clone();
            for field in &self.ordered {
                let value = map.get_str(field).unwrap_or(&Value::Null);
                let value = self.masked(value).map_err(|error| error.in_field(field))?;
                map.insert(Value::string(field.as_str()), value);
            }
            Value::from(map)
        } else {
            let row = require_struct(&part.value, self.side)?;
            let mut built = StructBuilder::new(Arc::clone(row.schema()));
            for (position, field) in row.schema().fields().iter().enumerate() {
                let value = field_at(row, position, self.with_default);
                if self.fields.contains(&*field.name) {
                    let masked = self.masked(value);
                    built.push(masked.map_err(|error| error.in_field(&field.name))?)?;
                } else {
                    built.push(value.clone())?;
                }
            }
            built.finish()?
        };
        self.side.of_mut(&mut record).value = value;
        Ok(Some(record))
    }
}

#[cold]
fn unmaskable(value: &Value) -> Error {
    Error::data(format!("{} cannot be masked this way", value.type_name()))
}

fn emptied(value: &Value) -> Result<Value, Error> {
    Ok(match value {
        Value::Null => Value::Null,
        Value::Int8(_) => Value::Int8(0),
        Value::Int16(_) => Value::Int16(0),
        Value::Int32(_) => Value::Int32(0),
        Value::Int64(_) => Value::Int64(0),
        Value::Float32(_) => Value::Float32(0.0),
        Value::Float64(_) => Value::Float64(0.0),
        Value::Boolean(_) => Value::Boolean(false),
        Value::String(_) => Value::string(""),
        Value::Decimal(_) => Value::from(Decimal::new(0, 0)),
        Value::Instant(_) => Value::Instant(0),
        Value::Array(_) => Value::array(Vec::new()),
        Value::Map(_) => Value::from(Map::new()),
        Value::Bytes(_) | Value::Struct(_) => return Err(unmaskable(value)),
    })
}

/// Integers keep the low bits of the replacement, as in Connect: it is a constant of the configuration, not data.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low bits are what Connect keeps"
)]
fn replaced(value: &Value, text: &Arc<str>) -> Result<Value, Error> {
    let number = || {
        Decimal::parse(text)
            .map_err(|_| Error::data("the replacement is no number, and the field is one"))
    };
    Ok(match value {
        Value::Null => Value::Null,
        Value::String(_) => Value::String(Arc::clone(text)),
        Value::Int8(_) => Value::Int8(number()?.to_i64_wrapping() as i8),
        Value::Int16(_) => Value::Int16(number()?.to_i64_wrapping() as i16),
        Value::Int32(_) => Value::Int32(number()?.to_i64_wrapping() as i32),
        Value::Int64(_) => Value::Int64(number()?.to_i64_wrapping()),
        Value::Float32(_) => Value::Float32(number()?.to_f32()),
        Value::Float64(_) => Value::Float64(number()?.to_f64()),
        Value::Decimal(_) => Value::from(number()?),
        other => return Err(unmaskable(other)),
    })
}

//! From one type to another, `Values.convertTo`.

use super::{parse_string, to_string};
use crate::calendar::DAY_MS;
use crate::{Class, Decimal, Error, Kind, Logical, Refusal, Schema, Value, java, logical};

/// Returns a value as one of another schema's type; the value's own schema gives a date its meaning.
///
/// # Errors
/// The value must have such a form: text is read, numbers are narrowed (out of range is refused, where Connect wraps),
/// booleans are no numbers. Null needs an optional schema.
pub fn convert_to(to: &Schema, from: Option<&Schema>, value: &Value) -> Result<Value, Error> {
    if value.is_null() {
        return if to.optional {
            Ok(Value::Null)
        } else {
            Err(Error::data("null cannot become a value that is required"))
        };
    }
    match (&to.kind, to.logical()) {
        (Kind::Int8, _) => match value {
            Value::Int8(_) => Ok(value.clone()),
            _ => narrow(as_int64(from, value)?).map(Value::Int8),
        },
        (Kind::Int16, _) => match value {
            Value::Int16(_) => Ok(value.clone()),
            _ => narrow(as_int64(from, value)?).map(Value::Int16),
        },
        (Kind::Int32, Some(Logical::Date)) => to_date(to, from, value),
        (Kind::Int32, Some(Logical::Time)) => to_time(to, from, value),
        (Kind::Int32, _) => match value {
            Value::Int32(_) => Ok(value.clone()),
            _ => narrow(as_int64(from, value)?).map(Value::Int32),
        },
        (Kind::Int64, Some(Logical::Timestamp)) => to_timestamp(to, from, value),
        (Kind::Int64, _) => as_int64(from, value).map(Value::Int64),
        (Kind::Float32, _) => match value {
            Value::Float32(_) => Ok(value.clone()),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the nearest 32-bit float is meant"
            )]
            _ => as_float64(from, value).map(|number| Value::Float32(number as f32)),
        },
        (Kind::Float64, _) => as_float64(from, value).map(Value::Float64),
        (Kind::Boolean, _) => to_boolean(from, value),
        (Kind::String, _) => Ok(Value::string(to_string(value))),
        (Kind::Bytes, Some(Logical::Decimal)) => to_decimal(to, value),
        (Kind::Bytes, _) => match value {
            Value::Bytes(_) => Ok(value.clone()),
            Value::Decimal(number) => Ok(Value::bytes(number.unscaled_bytes())),
            _ => Err(unable(to, value)),
        },
        (Kind::Array(_), _) => parsed(to, value, |value| matches!(value, Value::Array(_))),
        (Kind::Map(..), _) => parsed(to, value, |value| matches!(value, Value::Map(_))),
        (Kind::Struct(_), _) => match value {
            Value::Struct(_) => Ok(value.clone()),
            _ => Err(unable(to, value)),
        },
    }
}

#[cold]
fn unable(to: &Schema, value: &Value) -> Error {
    Error::data(format!(
        "unable to convert {} to {}",
        value.type_name(),
        to.schema_type().name()
    ))
}

fn narrow<T: TryFrom<i64>>(number: i64) -> Result<T, Error> {
    T::try_from(number).map_err(|_| {
        Error::refused(
            Refusal::IntegerRange,
            "the number is out of range for the integer type",
        )
    })
}

/// Reads text where there is one.
fn unfold(value: &Value) -> Result<Value, Error> {
    match value {
        Value::String(text) => Ok(parse_string(text)?.value),
        _ => Ok(value.clone()),
    }
}

fn parsed(to: &Schema, value: &Value, fits: fn(&Value) -> bool) -> Result<Value, Error> {
    let value = unfold(value)?;
    if fits(&value) {
        Ok(value)
    } else {
        Err(unable(to, &value))
    }
}

fn to_boolean(from: Option<&Schema>, value: &Value) -> Result<Value, Error> {
    if let Value::Boolean(_) = value {
        return Ok(value.clone());
    }
    if let Value::String(text) = value
        && let Value::Boolean(parsed) = parse_string(text)?.value
    {
        return Ok(Value::Boolean(parsed));
    }
    as_int64(from, value).map(|number| Value::Boolean(number != 0))
}

/// `Values.asLong`: numbers lose their fraction and saturate, text is a decimal number, dates are what their schema says.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a float is cut and saturates, as in Java"
)]
fn as_int64(from: Option<&Schema>, value: &Value) -> Result<i64, Error> {
    match value {
        Value::Int8(v) => Ok((*v).into()),
        Value::Int16(v) => Ok((*v).into()),
        Value::Int32(v) => Ok((*v).into()),
        Value::Int64(v) => Ok(*v),
        Value::Float32(v) => whole(f64::from(*v)).map(|v| v as i64),
        Value::Float64(v) => whole(*v).map(|v| v as i64),
        Value::Decimal(number) => exact(number),
        Value::String(text) => {
            exact(&Decimal::parse(text).map_err(|error| error.with_class(Class::Data))?)
        }
        Value::Instant(_) => instant(from, value),
        _ => Err(Error::data(format!(
            "unable to convert {} to a number",
            value.type_name()
        ))),
    }
}

fn whole(number: f64) -> Result<f64, Error> {
    if number.is_nan() {
        return Err(Error::refused(Refusal::IntegerRange, "NaN is no integer"));
    }
    Ok(number)
}

fn exact(number: &Decimal) -> Result<i64, Error> {
    number.to_i64().ok_or_else(|| {
        Error::refused(
            Refusal::IntegerRange,
            "the number is out of range for int64",
        )
    })
}

fn instant(from: Option<&Schema>, value: &Value) -> Result<i64, Error> {
    match from.and_then(|from| Some((from, from.logical()?))) {
        Some((from, Logical::Date)) => logical::date_days(from, value).map(i64::from),
        Some((from, Logical::Time)) => logical::time_ms(from, value).map(i64::from),
        Some((from, Logical::Timestamp)) => logical::timestamp_ms(from, value),
        _ => Err(Error::data(
            "a date whose schema does not say what it counts is no number",
        )),
    }
}

/// `Values.asDouble`.
fn as_float64(from: Option<&Schema>, value: &Value) -> Result<f64, Error> {
    match value {
        Value::Float32(v) => Ok((*v).into()),
        Value::Float64(v) => Ok(*v),
        Value::Decimal(number) => Ok(number.to_f64()),
        Value::String(text) => {
            let number = Decimal::parse(text).map_err(|error| error.with_class(Class::Data))?;
            Ok(number.to_f64())
        }
        _ => as_int64(from, value).map(|number| number as f64),
    }
}

/// Returns the value if it is a date already; `Err` holds what must be converted further.
fn known(from: Option<&Schema>, value: &Value, logical: Logical) -> Result<Value, Value> {
    match (value, from) {
        (Value::Instant(_), None) => Ok(value.clone()),
        (Value::Instant(_), Some(from)) if from.logical() == Some(logical) => Ok(value.clone()),
        _ => Err(value.clone()),
    }
}

fn to_date(to: &Schema, from: Option<&Schema>, value: &Value) -> Result<Value, Error> {
    let value = match known(from, &unfold(value)?, Logical::Date) {
        Ok(value) => return Ok(value),
        Err(value) => value,
    };
    let timestamp = from.is_some_and(|from| from.logical() == Some(Logical::Timestamp));
    if let (Value::Instant(ms), true) = (&value, timestamp) {
        return logical::date_from_days(to, narrow(ms / DAY_MS)?);
    }
    logical::date_from_days(to, narrow(as_int64(from, &value)?)?)
}

fn to_time(to: &Schema, from: Option<&Schema>, value: &Value) -> Result<Value, Error> {
    let value = match known(from, &unfold(value)?, Logical::Time) {
        Ok(value) => return Ok(value),
        Err(value) => value,
    };
    let timestamp = from.is_some_and(|from| from.logical() == Some(Logical::Timestamp));
    if let (Value::Instant(ms), true) = (&value, timestamp) {
        return logical::time_from_ms(to, narrow(ms.rem_euclid(DAY_MS))?);
    }
    logical::time_from_ms(to, narrow(as_int64(from, &value)?)?)
}

fn to_timestamp(to: &Schema, from: Option<&Schema>, value: &Value) -> Result<Value, Error> {
    let value = match known(from, &unfold(value)?, Logical::Timestamp) {
        Ok(value) => return Ok(value),
        Err(value) => value,
    };
    if let (Value::Instant(_), Some(from)) = (&value, from) {
        let ms = match from.logical() {
            Some(Logical::Date) => i64::from(logical::date_days(from, &value)?) * DAY_MS,
            _ => as_int64(Some(from), &value)?,
        };
        return logical::timestamp_from_ms(to, ms);
    }
    logical::timestamp_from_ms(to, as_int64(from, &value)?)
}

fn to_decimal(to: &Schema, value: &Value) -> Result<Value, Error> {
    match value {
        Value::Decimal(_) => Ok(value.clone()),
        Value::Bytes(bytes) => Ok(Value::from(Decimal::from_bytes(
            bytes,
            logical::decimal_scale(to)?,
        )?)),
        Value::String(text) => Ok(Value::from(Decimal::parse(text)?)),
        Value::Int8(_)
        | Value::Int16(_)
        | Value::Int32(_)
        | Value::Int64(_)
        | Value::Float32(_)
        | Value::Float64(_) => {
            // Through the text of a double, as `BigDecimal.valueOf`.
            let mut text = String::new();
            java::float64(as_float64(None, value)?, &mut text);
            Ok(Value::from(Decimal::parse(&text)?))
        }
        _ => Err(unable(to, value)),
    }
}

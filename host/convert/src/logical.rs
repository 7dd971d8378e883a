//! Values of logical types to and from their physical form: `toLogical` and `fromLogical` of Connect's classes.

use crate::calendar::DAY_MS;
use crate::{Decimal, Error, Logical, Refusal, Schema, Value};

fn named(schema: &Schema, name: &str) -> Result<(), Error> {
    if schema.is_named(name) {
        Ok(())
    } else {
        Err(Error::data(format!("the schema is not named `{name}`")))
    }
}

/// Returns a decimal's scale.
///
/// # Errors
/// The schema needs the parameter.
pub(crate) fn decimal_scale(schema: &Schema) -> Result<i32, Error> {
    schema.decimal_scale().ok_or_else(|| {
        Error::data("a decimal's schema needs the parameter `scale`, a 32-bit number")
    })
}

/// Returns the bytes of a decimal.
///
/// # Errors
/// The value must be a decimal with exactly the schema's scale.
pub(crate) fn decimal_bytes(schema: &Schema, value: &Value) -> Result<Vec<u8>, Error> {
    let Value::Decimal(number) = value else {
        return Err(expected("decimal", value));
    };
    let scale = decimal_scale(schema)?;
    if number.scale() != scale {
        return Err(Error::data(format!(
            "a decimal of scale {} does not fit the schema's scale {scale}",
            number.scale()
        )));
    }
    Ok(number.unscaled_bytes())
}

/// Returns the days of a date.
///
/// # Errors
/// The value must be midnight of a day that 32 bits can number.
pub(crate) fn date_days(schema: &Schema, value: &Value) -> Result<i32, Error> {
    let ms = instant(value)?;
    named(schema, Logical::DATE)?;
    if ms % DAY_MS != 0 {
        return Err(Error::data("a Date must not have a time of day"));
    }
    i32::try_from(ms / DAY_MS)
        .map_err(|_| Error::refused(Refusal::IntegerRange, "the day is out of range for Date"))
}

/// Returns the milliseconds of a time.
///
/// # Errors
/// The value must lie on 1970-01-01 or be its end.
pub(crate) fn time_ms(schema: &Schema, value: &Value) -> Result<i32, Error> {
    let ms = instant(value)?;
    named(schema, Logical::TIME)?;
    if !(0..=DAY_MS).contains(&ms) {
        return Err(Error::data(
            "a Time must lie between 0 and 86400000 milliseconds",
        ));
    }
    i32::try_from(ms).map_err(|_| Error::data("a Time must lie within a day"))
}

/// Returns the milliseconds of a timestamp.
///
/// # Errors
/// The value must be one.
pub(crate) fn timestamp_ms(schema: &Schema, value: &Value) -> Result<i64, Error> {
    let ms = instant(value)?;
    named(schema, Logical::TIMESTAMP)?;
    Ok(ms)
}

/// Returns a date from its days.
///
/// # Errors
/// The schema must be a Date's.
pub(crate) fn date_from_days(schema: &Schema, days: i32) -> Result<Value, Error> {
    named(schema, Logical::DATE)?;
    Ok(Value::Instant(i64::from(days) * DAY_MS))
}

/// Returns a time from its milliseconds; the end of the day is accepted, as Connect does.
///
/// # Errors
/// The schema must be a Time's and the number lie within the day.
pub(crate) fn time_from_ms(schema: &Schema, ms: i32) -> Result<Value, Error> {
    named(schema, Logical::TIME)?;
    if !(0..=DAY_MS).contains(&i64::from(ms)) {
        return Err(Error::data(
            "a Time must lie between 0 and 86400000 milliseconds",
        ));
    }
    Ok(Value::Instant(i64::from(ms)))
}

/// Returns a timestamp from its milliseconds.
///
/// # Errors
/// The schema must be a Timestamp's.
pub(crate) fn timestamp_from_ms(schema: &Schema, ms: i64) -> Result<Value, Error> {
    named(schema, Logical::TIMESTAMP)?;
    Ok(Value::Instant(ms))
}

/// Returns a decimal as it is.
///
/// # Errors
/// The value must be one.
pub(crate) fn decimal(value: &Value) -> Result<&Decimal, Error> {
    match value {
        Value::Decimal(number) => Ok(number),
        _ => Err(expected("decimal", value)),
    }
}

fn instant(value: &Value) -> Result<i64, Error> {
    match value {
        Value::Instant(ms) => Ok(*ms),
        _ => Err(expected("date or timestamp", value)),
    }
}

#[cold]
fn expected(type_name: &str, value: &Value) -> Error {
    Error::data(format!("expected {type_name}, got {}", value.type_name()))
}

//! Text as Java writes it: `toString` of numbers and of values.

use std::fmt::Write as _;

use crate::{Error, Value, calendar};

/// Appends `Double.toString`: the shortest digits that read back, at least one after the point.
pub(crate) fn float64(value: f64, out: &mut String) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    } else {
        let mut shortest = format!("{value:e}");
        // Java chooses two digits where one would do, if they are nearer: 4.9E-324, not 5.0E-324.
        if !shortest.contains('.') {
            let two = format!("{value:.1e}");
            if two.parse() == Ok(value) {
                shortest = two;
            }
        }
        spread(&shortest, out);
    }
}

/// Appends `Float.toString`.
pub(crate) fn float32(value: f32, out: &mut String) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    } else {
        let mut shortest = format!("{value:e}");
        if !shortest.contains('.') {
            let two = format!("{value:.1e}");
            if two.parse() == Ok(value) {
                shortest = two;
            }
        }
        spread(&shortest, out);
    }
}

/// Turns `-1.25e-7` into Java's form: plain from 10^-3 up to below 10^7, else with `E`.
fn spread(scientific: &str, out: &mut String) {
    let (sign, rest) = match scientific.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", scientific),
    };
    let (mantissa, exponent) = rest.split_once('e').unwrap_or((rest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (first, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    out.push_str(sign);
    let zero = first == "0" && fraction.is_empty();
    if zero || exponent == 0 {
        put(first, fraction, out);
    } else if (-3..0).contains(&exponent) {
        let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', zeros));
        out.push_str(first);
        out.push_str(fraction);
    } else if (1..7).contains(&exponent) {
        let places = usize::try_from(exponent).unwrap_or(0);
        let padded = format!("{fraction:0<places$}");
        let (whole, fraction) = padded.split_at_checked(places).unwrap_or((&padded, ""));
        out.push_str(first);
        put(whole, fraction, out);
    } else {
        put(first, fraction, out);
        let _infallible = write!(out, "E{exponent}");
    }
}

fn put(whole: &str, fraction: &str, out: &mut String) {
    out.push_str(whole);
    out.push('.');
    out.push_str(if fraction.is_empty() { "0" } else { fraction });
}

/// Reads `Integer.parseInt`: a sign, digits of any script, nothing else.
pub(crate) fn parse_int32(text: &str) -> Option<i32> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut number = 0_i64;
    for letter in digits.chars() {
        let digit = crate::decimal::digit_of(letter)?.to_digit(10)?;
        number = number.checked_mul(10)?.checked_add(i64::from(digit))?;
    }
    let number = if negative { -number } else { number };
    i32::try_from(number).ok().filter(|_| !digits.is_empty())
}

/// Appends `toString` of a value, as the StringConverter stores it.
///
/// # Errors
/// Bytes have no text of their own in Java, only an address.
pub(crate) fn to_string(value: &Value, out: &mut String) -> Result<(), Error> {
    // Writing to a string cannot fail.
    let _infallible = match value {
        Value::Null => write!(out, "null"),
        Value::Int8(v) => write!(out, "{v}"),
        Value::Int16(v) => write!(out, "{v}"),
        Value::Int32(v) => write!(out, "{v}"),
        Value::Int64(v) => write!(out, "{v}"),
        Value::Boolean(v) => write!(out, "{v}"),
        Value::String(v) => write!(out, "{v}"),
        Value::Decimal(v) => write!(out, "{v}"),
        Value::Float32(v) => {
            float32(*v, out);
            Ok(())
        }
        Value::Float64(v) => {
            float64(*v, out);
            Ok(())
        }
        Value::Instant(ms) => {
            calendar::date_to_string(*ms, out);
            Ok(())
        }
        Value::Bytes(_) => {
            return Err(Error::data(
                "bytes have no text form; use the converter `bytes`, or cast them first",
            ));
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                to_string(item, out).map_err(|error| error.in_item(index))?;
            }
            out.push(']');
            Ok(())
        }
        Value::Map(map) => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                to_string(key, out).map_err(Error::in_map_key)?;
                out.push('=');
                to_string(value, out).map_err(Error::in_map_value)?;
            }
            out.push('}');
            Ok(())
        }
        Value::Struct(row) => {
            out.push_str("Struct{");
            let mut first = true;
            for (field, value) in row.schema().fields().iter().zip(row.values()) {
                if value.is_null() {
                    continue;
                }
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                out.push_str(&field.name);
                out.push('=');
                to_string(value, out).map_err(|error| error.in_field(&field.name))?;
            }
            out.push('}');
            Ok(())
        }
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn floats_are_javas() {
        let check = |value: f64, text: &str| {
            let mut out = String::new();
            float64(value, &mut out);
            assert_eq!(out, text);
        };
        check(0.0, "0.0");
        check(-0.0, "-0.0");
        check(1.0, "1.0");
        check(100.0, "100.0");
        check(0.1, "0.1");
        check(0.001, "0.001");
        check(0.00015, "1.5E-4");
        check(9_999_999.0, "9999999.0");
        check(1e7, "1.0E7");
        check(123_456.789, "123456.789");
        check(-2.5e-5, "-2.5E-5");
        check(1e300, "1.0E300");
        check(5e-324, "4.9E-324");
        check(f64::MAX, "1.7976931348623157E308");
        let mut out = String::new();
        float32(1e-45, &mut out);
        out.push(' ');
        float32(0.1, &mut out);
        out.push(' ');
        float32(3.402_823_5e38, &mut out);
        assert_eq!(out, "1.4E-45 0.1 3.4028235E38");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in any::<f64>(), small in any::<f32>()) {
            let mut out = String::new();
            float64(value, &mut out);
            prop_assert_eq!(out.parse::<f64>().unwrap().to_bits(), value.to_bits());
            out.clear();
            float32(small, &mut out);
            prop_assert_eq!(out.parse::<f32>().unwrap().to_bits(), small.to_bits());
        }
    }
}

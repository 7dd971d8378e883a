//! Numbers, dates and times as text, as all three databases read them.

use std::fmt::Write as _;

use num_bigint::BigInt;

use super::cell::Moment;

const DAY_SECONDS: i64 = 86_400;
const NANOS: i64 = 1_000_000_000;

pub(crate) fn push_int(number: i64, out: &mut String) {
    out.push_str(itoa::Buffer::new().format(number));
}

/// The words that JSON and PostgreSQL have for what is no number.
pub(crate) fn not_finite(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// Appends a decimal with exactly `scale` digits behind the point, or with zeros behind it where the scale is negative.
pub(crate) fn push_decimal(unscaled: &[u8], scale: i32, out: &mut String) {
    let digits = digits_of(unscaled);
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits.as_str()),
    };
    out.push_str(sign);
    if scale <= 0 {
        out.push_str(digits);
        if digits != "0" {
            out.extend(std::iter::repeat_n('0', scale.unsigned_abs() as usize));
        }
        return;
    }
    let scale = scale.unsigned_abs() as usize;
    if digits.len() > scale {
        let (whole, fraction) = digits
            .split_at_checked(digits.len() - scale)
            .unwrap_or((digits, ""));
        out.push_str(whole);
        out.push('.');
        out.push_str(fraction);
    } else {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', scale - digits.len()));
        out.push_str(digits);
    }
}

fn digits_of(unscaled: &[u8]) -> String {
    // Most numbers fit a machine word or two; the rest takes the slow way.
    let mut number: i128 = if unscaled.first().is_some_and(|byte| byte & 0x80 != 0) {
        -1
    } else {
        0
    };
    if unscaled.len() > 16 {
        return BigInt::from_signed_bytes_be(unscaled).to_string();
    }
    for byte in unscaled {
        number = (number << 8) | i128::from(*byte);
    }
    number.to_string()
}

/// Appends `2013-01-01`; years before 1 and above 9999 as their number says.
pub(crate) fn push_date(days: i64, out: &mut String) {
    let (year, month, day) = civil(days);
    let year_text = if (0..=9999).contains(&year) {
        format!("{year:04}")
    } else {
        year.to_string()
    };
    // Writing to a string cannot fail.
    let _ok = write!(out, "{year_text}-{month:02}-{day:02}");
}

/// Year (0 is 1 BC), month and day of a count of days since 1970, in the calendar that goes on backwards.
pub(crate) const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// Appends `05:15:00` with as many digits behind it as there are (three, six or nine); more than a day as more than 24 hours.
pub(crate) fn push_time(nanos: i64, out: &mut String) {
    if nanos < 0 {
        out.push('-');
    }
    let nanos = nanos.unsigned_abs();
    let seconds = nanos / NANOS.unsigned_abs();
    let _ok = write!(
        out,
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    push_fraction(
        u32::try_from(nanos % NANOS.unsigned_abs()).unwrap_or(0),
        out,
    );
}

/// Appends date, separator and time.
pub(crate) fn push_moment(moment: Moment, separator: char, out: &mut String) {
    push_date(moment.seconds.div_euclid(DAY_SECONDS), out);
    out.push(separator);
    push_clock(moment, out);
}

/// Appends the time of day of a moment.
pub(crate) fn push_clock(moment: Moment, out: &mut String) {
    let seconds = moment.seconds.rem_euclid(DAY_SECONDS);
    let _ok = write!(
        out,
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    push_fraction(moment.nanos, out);
}

fn push_fraction(nanos: u32, out: &mut String) {
    if nanos == 0 {
        return;
    }
    let _ok = if nanos.is_multiple_of(1_000_000) {
        write!(out, ".{:03}", nanos / 1_000_000)
    } else if nanos.is_multiple_of(1_000) {
        write!(out, ".{:06}", nanos / 1_000)
    } else {
        write!(out, ".{nanos:09}")
    };
}

/// The day of a moment since 1970.
pub(crate) const fn day_of(moment: Moment) -> i64 {
    moment.seconds.div_euclid(DAY_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::meaning::Unit;

    #[test]
    fn numbers_and_times_become_text() {
        let text = |write: &dyn Fn(&mut String)| {
            let mut out = String::new();
            write(&mut out);
            out
        };
        let decimal = |unscaled: i128, scale: i32| {
            let linkspan_sdk::Value::Bytes(bytes) = linkspan_sdk::Value::decimal(unscaled) else {
                unreachable!()
            };
            text(&|out| push_decimal(&bytes, scale, out))
        };
        assert_eq!(decimal(-12345, 2), "-123.45");
        assert_eq!(decimal(5, 3), "0.005");
        assert_eq!(decimal(-5, 1), "-0.5");
        assert_eq!(decimal(12, -3), "12000");
        assert_eq!(decimal(0, -3), "0");
        assert_eq!(decimal(0, 2), "0.00");
        let mut huge = vec![1_u8];
        huge.extend([0; 16]);
        assert_eq!(
            text(&|out| push_decimal(&huge, 0, out)),
            "340282366920938463463374607431768211456"
        );
        assert_eq!(text(&|out| push_date(0, out)), "1970-01-01");
        assert_eq!(text(&|out| push_date(-719_529, out)), "-1-12-31");
        assert_eq!(text(&|out| push_date(15_706, out)), "2013-01-01");
        assert_eq!(text(&|out| push_time(18_900_000_000_000, out)), "05:15:00");
        assert_eq!(
            text(&|out| push_time(-3_600_000_000_000 * 30, out)),
            "-30:00:00"
        );
        let moment =
            |value, unit| text(&|out| push_moment(Moment::from_units(value, unit), ' ', out));
        assert_eq!(moment(-1, Unit::Millis), "1969-12-31 23:59:59.999");
        assert_eq!(
            moment(1_357_017_300_000_001, Unit::Micros),
            "2013-01-01 05:15:00.000001"
        );
        assert_eq!(moment(1, Unit::Nanos), "1970-01-01 00:00:00.000000001");
    }
}

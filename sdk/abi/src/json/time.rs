//! Dates, times and timestamps as text, in the proleptic Gregorian calendar.
//!
//! Years 0 to 9999 have four digits, others a sign and at least four, so that every number has a text that reads back.

const DAY_S: i64 = 86_400;

/// Appends two digits.
#[inline]
fn two(number: i64, out: &mut Vec<u8>) {
    fixed(number, 2, out);
}

/// Appends exactly `width` digits of a number that has no more.
#[inline]
fn fixed(number: i64, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + width, b'0');
    let mut rest = number;
    for slot in out.iter_mut().skip(start).rev() {
        *slot = b'0' + u8::try_from(rest.rem_euclid(10)).unwrap_or(0);
        rest /= 10;
    }
}

/// Appends the date of a number of days since 1970-01-01.
pub(super) fn format_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(days);
    if (0..=9999).contains(&year) {
        fixed(year, 4, out);
    } else {
        out.push(if year < 0 { b'-' } else { b'+' });
        let digits = year.unsigned_abs().to_string();
        let missing = 4_usize.saturating_sub(digits.len());
        out.resize(out.len() + missing, b'0');
        out.extend_from_slice(digits.as_bytes());
    }
    out.push(b'-');
    two(month, out);
    out.push(b'-');
    two(day, out);
}

/// Appends a time of day, given in units of 10^-digits seconds.
pub(super) fn format_time(units: i64, digits: u32, out: &mut Vec<u8>) {
    let per_second = 10_i64.pow(digits);
    let seconds = units / per_second;
    two(seconds / 3_600, out);
    out.push(b':');
    two(seconds / 60 % 60, out);
    out.push(b':');
    two(seconds % 60, out);
    out.push(b'.');
    fixed(
        units % per_second,
        usize::try_from(digits).unwrap_or(0),
        out,
    );
}

/// Appends a timestamp, given in units of 10^-digits seconds since 1970.
pub(super) fn format_timestamp(units: i64, digits: u32, out: &mut Vec<u8>) {
    let per_day = DAY_S * 10_i64.pow(digits);
    format_date(units.div_euclid(per_day), out);
    out.push(b'T');
    format_time(units.rem_euclid(per_day), digits, out);
    out.push(b'Z');
}

/// Returns the number of days since 1970-01-01 of a date.
pub(super) fn parse_date(text: &[u8]) -> Option<i64> {
    let (signed, negative, rest) = match text {
        [b'-', rest @ ..] => (true, true, rest),
        [b'+', rest @ ..] => (true, false, rest),
        _ => (false, false, text),
    };
    let dash = rest.len().checked_sub(6)?;
    let (year, rest) = rest.split_at_checked(dash)?;
    if year.len() < 4 || year.len() > 9 || (!signed && year.len() != 4) {
        return None;
    }
    let [b'-', m0, m1, b'-', d0, d1] = rest else {
        return None;
    };
    let year = number(year)?;
    let year = if negative { -year } else { year };
    let (month, day) = (number(&[*m0, *m1])?, number(&[*d0, *d1])?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days(year, month, day);
    (civil(days) == (year, month, day)).then_some(days)
}

/// Returns a time of day in units of 10^-digits seconds.
pub(super) fn parse_time(text: &[u8], digits: u32) -> Option<i64> {
    let (clock, fraction) = text.split_at_checked(9)?;
    let [h0, h1, b':', m0, m1, b':', s0, s1, b'.'] = clock else {
        return None;
    };
    if fraction.len() != usize::try_from(digits).ok()? {
        return None;
    }
    let hour = number(&[*h0, *h1])?;
    let minute = number(&[*m0, *m1])?;
    let second = number(&[*s0, *s1])?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = hour * 3_600 + minute * 60 + second;
    Some(seconds * 10_i64.pow(digits) + number(fraction)?)
}

/// Returns a timestamp in units of 10^-digits seconds since 1970.
pub(super) fn parse_timestamp(text: &[u8], digits: u32) -> Option<i64> {
    let text = text.strip_suffix(b"Z")?;
    let t = text.iter().position(|byte| *byte == b'T')?;
    let days = parse_date(text.get(..t)?)?;
    let time = parse_time(text.get(t + 1..)?, digits)?;
    let per_day = i128::from(DAY_S * 10_i64.pow(digits));
    i64::try_from(i128::from(days) * per_day + i128::from(time)).ok()
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |sum, digit| {
        digit
            .is_ascii_digit()
            .then(|| sum * 10 + i64::from(digit - b'0'))
    })
}

/// Returns year, month and day of a number of days since 1970-01-01 (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Returns the number of days since 1970-01-01 (Howard Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

//! The zone of walls that name none (`db.timezone`), and times read from text.

use chrono::{NaiveDate, NaiveDateTime, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;
use linkspan_sdk::OptionValue;

use super::cell::Moment;

/// A zone: `UTC`, an offset such as `+09:00`, or a name such as `Asia/Seoul`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    /// Seconds east of Greenwich.
    Fixed(i32),
    Named(Tz),
}

impl Zone {
    pub(crate) const UTC: Self = Self::Fixed(0);

    /// Returns what a wall in this zone shows at an instant.
    pub(crate) fn local(self, instant: Moment) -> Moment {
        let offset = match self {
            Self::Fixed(offset) => offset,
            Self::Named(zone) => match Utc.timestamp_opt(instant.seconds, 0).single() {
                Some(time) => zone
                    .offset_from_utc_datetime(&time.naive_utc())
                    .fix()
                    .local_minus_utc(),
                None => 0,
            },
        };
        Moment {
            seconds: instant.seconds.saturating_add(i64::from(offset)),
            ..instant
        }
    }

    /// Returns the instant at which a wall in this zone shows a time; the earlier of two, and for a time that is skipped the
    /// instant at which it would have been.
    pub(crate) fn instant(self, local: Moment) -> Moment {
        let offset = match self {
            Self::Fixed(offset) => offset,
            Self::Named(zone) => {
                let Some(time) = Utc
                    .timestamp_opt(local.seconds, 0)
                    .single()
                    .map(|time| time.naive_utc())
                else {
                    return local;
                };
                match zone.offset_from_local_datetime(&time).earliest() {
                    Some(offset) => offset.fix().local_minus_utc(),
                    None => zone.offset_from_utc_datetime(&time).fix().local_minus_utc(),
                }
            }
        };
        Moment {
            seconds: local.seconds.saturating_sub(i64::from(offset)),
            ..local
        }
    }
}

impl OptionValue for Zone {
    const KIND: &'static str = "string";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("utc") || text.eq_ignore_ascii_case("z") {
            return Ok(Self::UTC);
        }
        if let Some(offset) = offset(text) {
            return Ok(Self::Fixed(offset));
        }
        text.parse().map(Self::Named).map_err(|_| {
            "`UTC`, an offset such as `+09:00`, or a name such as `Asia/Seoul`".to_owned()
        })
    }
}

/// Reads `+09:00`, `-0330`, `+09`, `Z`.
fn offset(text: &str) -> Option<i32> {
    if text == "Z" || text == "z" {
        return Some(0);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits: String = digits.chars().filter(|&c| c != ':').collect();
    let (hours, minutes) = match digits.len() {
        2 => (digits.parse::<i32>().ok()?, 0),
        4 => (
            digits.get(..2)?.parse().ok()?,
            digits.get(2..)?.parse::<i32>().ok()?,
        ),
        _ => return None,
    };
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Reads `2013-01-01T05:15:00.5+09:00`, with a blank or `T`, with or without fraction and offset; the offset is in seconds.
pub(crate) fn parse_time(text: &str) -> Option<(Moment, Option<i32>)> {
    let text = text.trim();
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    let end = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at_checked(end)?;
    let clock = clock.trim_end();
    let format = if clock.len() > 5 {
        "%H:%M:%S%.f"
    } else {
        "%H:%M"
    };
    let clock = chrono::NaiveTime::parse_from_str(clock, format).ok()?;
    let zone = match zone {
        "" => None,
        zone => Some(offset(zone)?),
    };
    let time = NaiveDateTime::new(date, clock).and_utc();
    let moment = Moment {
        seconds: time.timestamp(),
        // A leap second has more than a second of nanoseconds.
        nanos: time.timestamp_subsec_nanos().min(999_999_999),
    };
    Some((moment, zone))
}

/// The instant of a text that has an offset.
pub(crate) fn instant_of(local: Moment, offset: i32) -> Moment {
    Zone::Fixed(offset).instant(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(text: &str) -> Zone {
        Zone::parse("db.timezone", text).unwrap()
    }

    #[test]
    fn walls_and_instants() {
        let noon = Moment {
            seconds: 1_357_041_600,
            nanos: 0,
        };
        assert_eq!(
            zone("Asia/Seoul").local(noon).seconds,
            noon.seconds + 9 * 3600
        );
        assert_eq!(
            zone("Asia/Seoul").instant(zone("Asia/Seoul").local(noon)),
            noon
        );
        assert_eq!(zone("+09:00").local(noon), zone("Asia/Seoul").local(noon));
        assert_eq!(zone("UTC").local(noon), noon);
        assert_eq!(zone("-0330"), Zone::Fixed(-12_600));
        assert!(Zone::parse("", "Mars/Olympus").is_err());
        // 2024-03-10 02:30 does not exist in New York; 2024-11-03 01:30 does twice.
        let skipped = Moment {
            seconds: 1_710_037_800,
            nanos: 0,
        };
        assert!(
            (zone("America/New_York").instant(skipped).seconds - skipped.seconds - 4 * 3600).abs()
                <= 3600
        );
        let twice = Moment {
            seconds: 1_730_597_400,
            nanos: 0,
        };
        assert_eq!(
            zone("America/New_York").instant(twice).seconds,
            twice.seconds + 4 * 3600
        );
    }

    #[test]
    fn times_are_read_from_text() {
        let check = |text: &str, expected: Option<(i64, u32, Option<i32>)>| {
            let found = parse_time(text).map(|(moment, zone)| (moment.seconds, moment.nanos, zone));
            assert_eq!(found, expected, "{text}");
        };
        check("2013-01-01T05:15:00Z", Some((1_357_017_300, 0, Some(0))));
        check(
            "2013-01-01 05:15:00.5+09:00",
            Some((1_357_017_300, 500_000_000, Some(32_400))),
        );
        check("2013-01-01 05:15:00", Some((1_357_017_300, 0, None)));
        check("2013-01-01 05:15", Some((1_357_017_300, 0, None)));
        check("2013-01-01", None);
        check("2013-13-01T05:15:00Z", None);
        check("noon", None);
    }
}

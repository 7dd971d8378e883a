//! Where a consumer begins: Kafka's `auto.offset.reset`, as a pure function.

use std::str::FromStr;

use linkspan_types::Offset;

use crate::find_offset::OffsetQuery;

/// What to do without a position that can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reset {
    /// Begin at the first record there is.
    Earliest,
    /// Begin behind the last one.
    #[default]
    Latest,
    /// Fail.
    None,
    /// Begin at the first record that is not older than this, in milliseconds.
    ByDuration(i64),
}

/// The text is none of `earliest`, `latest`, `none`, `by_duration:<ISO-8601>`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not one of `earliest`, `latest`, `none`, `by_duration:PnDTnHnMnS` (not negative)"
)]
pub struct UnknownReset(pub String);

/// Where a consumer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// At this offset.
    At(Offset),
    /// Where the query says; without an answer the consumer waits, as Kafka's does.
    Find(OffsetQuery),
    /// Nothing was committed, and the policy is to fail.
    NoPosition,
    /// The position lies outside of the partition, and the policy is to fail.
    OutOfRange(Offset),
}

/// Decides from the position that is wanted (committed, or sought), the partition's limits, the policy and the time.
#[must_use]
pub fn beginning(
    wanted: Option<Offset>,
    log_start: Offset,
    high_watermark: Offset,
    reset: Reset,
    now_ms: i64,
) -> Beginning {
    if let Some(at) = wanted.filter(|at| (log_start..=high_watermark).contains(at)) {
        return Beginning::At(at);
    }
    match reset {
        Reset::Earliest => Beginning::Find(OffsetQuery::Earliest),
        Reset::Latest => Beginning::Find(OffsetQuery::Latest),
        Reset::ByDuration(ms) => Beginning::Find(OffsetQuery::Time(now_ms.saturating_sub(ms))),
        Reset::None => wanted.map_or(Beginning::NoPosition, Beginning::OutOfRange),
    }
}

impl FromStr for Reset {
    type Err = UnknownReset;

    fn from_str(text: &str) -> Result<Self, UnknownReset> {
        match text {
            "earliest" => return Ok(Self::Earliest),
            "latest" => return Ok(Self::Latest),
            "none" => return Ok(Self::None),
            _ => {}
        }
        text.strip_prefix("by_duration:")
            .and_then(duration_ms)
            .map(Self::ByDuration)
            .ok_or_else(|| UnknownReset(text.to_owned()))
    }
}

/// Reads `PnDTnHnMnS`: whole numbers, seconds with a fraction; at least one of them.
fn duration_ms(text: &str) -> Option<i64> {
    let text = text.strip_prefix(['P', 'p'])?;
    let (days, time) = match text.split_once(['T', 't']) {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (text, ""),
    };
    let (mut total, mut units) = (0_i64, 0);
    for (part, allowed) in [
        (days, &[('D', 86_400_000_i64)][..]),
        (time, &[('H', 3_600_000), ('M', 60_000), ('S', 1000)]),
    ] {
        let (mut rest, mut allowed) = (part, allowed.iter());
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
            let (number, tail) = rest.split_at_checked(end)?;
            let unit = tail.chars().next()?.to_ascii_uppercase();
            let (_, ms) = allowed.find(|(name, _)| *name == unit)?;
            total = total.checked_add(amount(number, *ms)?)?;
            units += 1;
            rest = tail.get(1..)?;
        }
    }
    (units > 0).then_some(total)
}

fn amount(number: &str, ms: i64) -> Option<i64> {
    let digits = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| text.parse::<i64>().ok())?
    };
    let Some((whole, fraction)) = number.split_once('.') else {
        return digits(number)?.checked_mul(ms);
    };
    if ms != 1000 || fraction.len() > 9 {
        return None;
    }
    let scale = 10_i64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = digits(fraction)?.checked_mul(1000)?.checked_div(scale)?;
    digits(whole)?.checked_mul(ms)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_as_kafka_reads_them() {
        for (text, expected) in [
            ("earliest", Some(Reset::Earliest)),
            ("latest", Some(Reset::Latest)),
            ("none", Some(Reset::None)),
            ("by_duration:PT1H", Some(Reset::ByDuration(3_600_000))),
            (
                "by_duration:P1DT2M1.5S",
                Some(Reset::ByDuration(86_521_500)),
            ),
            (
                "by_duration:P20000D",
                Some(Reset::ByDuration(1_728_000_000_000)),
            ),
            ("EARLIEST", None),
            ("smallest", None),
            ("by_duration:", None),
            ("by_duration:1h", None),
            ("by_duration:P", None),
            ("by_duration:PT", None),
            ("by_duration:P1DT", None),
            ("by_duration:PT1M1H", None),
            ("by_duration:PT-1H", None),
            ("by_duration:P1.5D", None),
            ("by_duration:P999999999999999999D", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }
}

//! Rates: `10/s` as an option, and the bucket that keeps to it.

use std::time::{Duration, Instant};

use linkspan_sdk::OptionValue;

/// So many in a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    count: f64,
    per: Duration,
}

impl OptionValue for Rate {
    const KIND: &'static str = "string";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        let wrong = || "a rate such as `10/s`, `600/m` or `5000/h`".to_owned();
        let (count, per) = text.trim().split_once('/').ok_or_else(wrong)?;
        let count: f64 = count.trim().parse().map_err(|_| wrong())?;
        let seconds = match per.trim() {
            "s" | "sec" | "second" => 1,
            "m" | "min" | "minute" => 60,
            "h" | "hour" => 3_600,
            "d" | "day" => 86_400,
            _ => return Err(wrong()),
        };
        if !count.is_finite() || count <= 0.0 {
            return Err(wrong());
        }
        Ok(Self {
            count,
            per: Duration::from_secs(seconds),
        })
    }
}

/// A bucket of tokens that fills at a rate and holds at most one second's worth, and at least one.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    capacity: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        let per_second = rate.count / rate.per.as_secs_f64();
        let capacity = per_second.max(1.0);
        Self {
            per_second,
            capacity,
            tokens: capacity,
            filled: now,
        }
    }

    /// Takes a token, or tells how long until there is one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + gained).min(self.capacity);
        self.filled = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64(
            (1.0 - self.tokens) / self.per_second,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_a_count_and_a_time() {
        let rate = |text| <Rate as OptionValue>::parse("", text).ok();
        assert_eq!(
            rate("10/s"),
            Some(Rate {
                count: 10.0,
                per: Duration::from_secs(1)
            })
        );
        assert_eq!(
            rate("5000/h"),
            Some(Rate {
                count: 5000.0,
                per: Duration::from_secs(3600)
            })
        );
        for wrong in ["10", "0/s", "-1/s", "x/s", "1/week", ""] {
            assert_eq!(rate(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_bucket_gives_the_rate_and_no_more() {
        let begin = Instant::now();
        let mut bucket = Bucket::new(
            Rate {
                count: 120.0,
                per: Duration::from_secs(60),
            },
            begin,
        );
        assert!(bucket.take(begin).is_ok());
        assert!(bucket.take(begin).is_ok());
        assert_eq!(bucket.take(begin), Err(Duration::from_millis(500)));
        let later = begin + Duration::from_secs(10);
        let granted = (0..10).filter(|_| bucket.take(later).is_ok()).count();
        assert_eq!(granted, 2);
    }
}

//! When a request is tried again, and how long that waits.

use std::ops::RangeInclusive;
use std::time::Duration;

use linkspan_sdk::{Error, ErrorKind, OptionValue};
use reqwest::StatusCode;

/// Status codes: `408,425,500-599`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Codes(Vec<RangeInclusive<u16>>);

impl Codes {
    pub(crate) fn holds(&self, status: StatusCode) -> bool {
        self.0.iter().any(|range| range.contains(&status.as_u16()))
    }
}

impl OptionValue for Codes {
    const KIND: &'static str = "list";

    fn parse(name: &str, text: &str) -> Result<Self, String> {
        let wrong = || "status codes and ranges such as `408,500-599`".to_owned();
        let mut ranges = Vec::new();
        for item in Vec::<String>::parse(name, text)? {
            let (first, last) = item.split_once('-').unwrap_or((&item, &item));
            let (first, last) = (
                first.trim().parse().map_err(|_| wrong())?,
                last.trim().parse().map_err(|_| wrong())?,
            );
            if !(100..=599).contains(&first) || !(first..=599).contains(&last) {
                return Err(wrong());
            }
            ranges.push(first..=last);
        }
        Ok(Self(ranges))
    }
}

/// Counts tries that failed in a row and says how long to wait.
#[derive(Debug, Clone)]
pub(crate) struct Retries {
    /// Unlimited where it is negative.
    most: i32,
    first: Duration,
    longest: Duration,
    failed: i32,
}

impl Retries {
    pub(crate) const fn new(most: i32, first: Duration, longest: Duration) -> Self {
        Self {
            most,
            first,
            longest,
            failed: 0,
        }
    }

    pub(crate) const fn reset(&mut self) {
        self.failed = 0;
    }

    /// Makes of a temporary error what the host is to hear: when to try again and how often it was tried, or, when there were enough tries,
    /// that it is over. Other errors pass.
    pub(crate) fn failed(&mut self, error: Error) -> Error {
        if !error.is_temporary() {
            return error;
        }
        self.failed = self.failed.saturating_add(1);
        if self.most >= 0 && self.failed > self.most {
            return error
                .context(format!(
                    "given up after {} tries (`max.retries`)",
                    self.failed
                ))
                .permanent();
        }
        let doublings = u32::try_from(self.failed - 1).unwrap_or(0).min(16);
        let backoff = self.first.saturating_mul(1 << doublings).min(self.longest);
        let delay = error
            .retry_delay()
            .map_or(backoff, |asked| asked.max(Duration::from_millis(1)));
        let of = if self.most < 0 {
            String::new()
        } else {
            format!(" of {}", self.most + 1)
        };
        error
            .context(format!("try {}{of}, the next in {delay:?}", self.failed))
            .retry_after(delay)
    }
}

/// Makes an error of an answer that says: not now.
pub(crate) fn later(status: StatusCode, told: String, wait: Option<Duration>) -> Error {
    let error = if status == StatusCode::TOO_MANY_REQUESTS {
        Error::rate_limited(told)
    } else {
        Error::unavailable(told)
    };
    match wait {
        Some(wait) => error.retry_after(wait),
        None => error,
    }
}

/// Makes an error of an answer that says: not you.
pub(crate) fn forbidden(told: String) -> Error {
    Error::new(
        ErrorKind::Permission,
        format!("{told}; check `auth.*` and what the account may do"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_numbers_and_ranges() {
        let codes = <Codes as OptionValue>::parse("", "408, 500-599").unwrap();
        for (status, held) in [
            (408, true),
            (500, true),
            (599, true),
            (404, false),
            (499, false),
        ] {
            assert_eq!(
                codes.holds(StatusCode::from_u16(status).unwrap()),
                held,
                "{status}"
            );
        }
        for wrong in ["1", "600", "500-400", "x", "4xx"] {
            assert!(<Codes as OptionValue>::parse("", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn waits_double_and_what_the_server_asks_for_counts() {
        let mut retries = Retries::new(2, Duration::from_secs(1), Duration::from_secs(60));
        let first = retries.failed(Error::unavailable("down"));
        assert_eq!(first.retry_delay(), Some(Duration::from_secs(1)));
        assert!(first.to_string().contains("try 1 of 3"), "{first}");
        let second =
            retries.failed(Error::rate_limited("slow").retry_after(Duration::from_secs(9)));
        assert_eq!(second.retry_delay(), Some(Duration::from_secs(9)));
        let third = retries.failed(Error::unavailable("down"));
        assert!(
            !third.is_temporary() && third.to_string().contains("given up after 3 tries"),
            "{third}"
        );
        retries.reset();
        assert!(retries.failed(Error::unavailable("down")).is_temporary());
        let mut forever = Retries::new(-1, Duration::from_secs(1), Duration::from_secs(60));
        let last = (0..40)
            .map(|_| forever.failed(Error::unavailable("down")))
            .last()
            .unwrap();
        assert_eq!(last.retry_delay(), Some(Duration::from_secs(60)));
        assert!(!retries.failed(Error::permission("no")).is_temporary());
    }
}

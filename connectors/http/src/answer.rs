//! An answer of a server, and how it is told.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{self, HeaderMap};

use crate::mask::Mask;

/// How much of a body an error shows.
const EXCERPT_BYTES: usize = 500;
/// The longest wait that a server can ask for; a larger one is taken for this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// An answer with its whole body, decompressed.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Method and URL of the request that was answered, without secrets.
    pub(crate) request: String,
}

impl Answer {
    /// Returns the content type, or `no content type`.
    pub(crate) fn content_type(&self) -> &str {
        content_type(&self.headers)
    }

    /// Returns the label of `charset=` in the content type.
    pub(crate) fn charset(&self) -> Option<&str> {
        self.content_type()
            .split(';')
            .skip(1)
            .find_map(|parameter| {
                let (name, value) = parameter.trim().split_once('=')?;
                name.eq_ignore_ascii_case("charset")
                    .then(|| value.trim_matches('"'))
            })
    }

    /// Returns URL, status, content type and the beginning of the body, without secrets.
    pub(crate) fn told(&self, mask: &Mask) -> String {
        let body = if self.body.is_empty() {
            "no body".to_owned()
        } else {
            format!("body `{}`", excerpt(&self.body, mask))
        };
        format!(
            "`{}` answered {} ({}), {body}",
            self.request,
            self.status,
            self.content_type()
        )
    }

    /// Returns how long the server asks to wait: `Retry-After` in seconds or as a date, or a rate limit's reset.
    pub(crate) fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let text = |name: &str| {
            self.headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::trim)
        };
        let asked = text("retry-after").and_then(|value| wait(value, now));
        let exhausted =
            text("ratelimit-remaining").or_else(|| text("x-ratelimit-remaining")) == Some("0");
        let reset = || {
            text("ratelimit-reset")
                .or_else(|| text("x-ratelimit-reset"))
                .and_then(|value| until_reset(value, now))
        };
        asked
            .or_else(|| if exhausted { reset() } else { None })
            .map(|wait| wait.min(RETRY_AFTER_MAX))
    }
}

/// Returns the content type, or `no content type`.
pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    kind.unwrap_or("no content type")
}

/// Returns the beginning of a body as one line, without secrets.
pub(crate) fn excerpt(body: &[u8], mask: &Mask) -> String {
    // A secret that the cut would halve is covered before: twice the room is looked at.
    let shown = body.get(..EXCERPT_BYTES * 2).unwrap_or(body);
    let text = String::from_utf8_lossy(shown);
    let text: Cow<'_, str> = mask.apply(&text);
    let mut line: String = text.chars().take(EXCERPT_BYTES).flat_map(visible).collect();
    if body.len() > EXCERPT_BYTES {
        line.push('…');
    }
    line
}

/// Makes control characters visible.
fn visible(c: char) -> impl Iterator<Item = char> {
    let hidden = c.is_control();
    let escaped = hidden.then(|| c.escape_default());
    escaped.into_iter().flatten().chain((!hidden).then_some(c))
}

fn wait(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    since_now(f64::from(u32::try_from(at.timestamp()).ok()?), now)
}

/// A reset is seconds from now, or a time in seconds since 1970.
fn until_reset(value: &str, now: SystemTime) -> Option<Duration> {
    let number: f64 = value.parse().ok()?;
    const LATEST_DISTANCE: f64 = 1e9;
    if number < LATEST_DISTANCE {
        Duration::try_from_secs_f64(number).ok()
    } else {
        since_now(number, now)
    }
}

fn since_now(at: f64, now: SystemTime) -> Option<Duration> {
    let now = now.duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
    Duration::try_from_secs_f64((at - now).max(0.0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    value.parse().unwrap(),
                )
            })
            .collect();
        Answer {
            status: StatusCode::TOO_MANY_REQUESTS,
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
            request: "GET http://x/".to_owned(),
        }
    }

    #[test]
    fn a_server_asks_for_patience_in_four_ways() {
        let now = UNIX_EPOCH + Duration::from_secs(1_445_412_470);
        let check = |headers: &[(&'static str, &str)], seconds: Option<u64>| {
            assert_eq!(
                answer(headers, "")
                    .retry_after(now)
                    .map(|wait| wait.as_secs()),
                seconds,
                "{headers:?}"
            );
        };
        check(&[("retry-after", "7")], Some(7));
        check(
            &[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")],
            Some(10),
        );
        check(&[("retry-after", "Wed, 21 Oct 2015 07:00:00 GMT")], Some(0));
        check(&[("retry-after", "99999999")], Some(3600));
        check(&[("retry-after", "soon")], None);
        check(
            &[
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "1445412480"),
            ],
            Some(10),
        );
        check(
            &[("ratelimit-remaining", "0"), ("ratelimit-reset", "20")],
            Some(20),
        );
        check(
            &[("ratelimit-remaining", "3"), ("ratelimit-reset", "20")],
            None,
        );
        check(&[], None);
    }

    #[test]
    fn an_answer_is_told_without_secrets_and_in_one_line() {
        let mask = Mask::default();
        mask.cover("s3cret-token");
        let told = answer(
            &[("content-type", "text/html; charset=utf-8")],
            &format!("{}s3cret-token\n<p>", "x".repeat(489)),
        )
        .told(&mask);
        assert!(told.starts_with("`GET http://x/` answered 429 Too Many Requests (text/html; charset=utf-8), body `xxx"), "{told}");
        assert!(told.ends_with("[hidden]\\n<p…`"), "{told}");
        assert_eq!(
            answer(&[("content-type", "a/b; Charset=\"EUC-KR\"")], "").charset(),
            Some("EUC-KR")
        );
    }
}

//! `Content-Type` and `Accept` (golden/rest/NOTES.md, 7 and 9).

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};

use crate::refusal::Refusal;

/// A type that is there must be `application/json`, with or without parameters, on every method.
pub(super) fn content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let text = value.to_str().unwrap_or_default();
    let media = text.split(';').next().unwrap_or_default().trim();
    let token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    if !media
        .split_once('/')
        .is_some_and(|(a, b)| token(a) && token(b))
    {
        return Err(Refusal::new(
            400,
            "LS0605",
            format!("`Content-Type: {}` is no media type", text.escape_debug()),
        ));
    }
    if media.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(unsupported(media))
}

/// A body must say what it is.
pub(super) fn has_type(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(CONTENT_TYPE) {
        return Ok(());
    }
    Err(unsupported("none"))
}

fn unsupported(media: &str) -> Refusal {
    Refusal::new(
        415,
        "LS0605",
        format!(
            "HTTP 415 Unsupported Media Type: `{}`",
            media.escape_debug()
        ),
    )
    .help("send `Content-Type: application/json`")
}

/// The client must take JSON.
pub(super) fn accept(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut any = false;
    for value in headers.get_all(ACCEPT) {
        let text = value.to_str().unwrap_or_default();
        for item in text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
        {
            any = true;
            let media = item.split(';').next().unwrap_or_default().trim();
            let json = ["application/json", "application/*", "*/*", "*"];
            if json.iter().any(|json| media.eq_ignore_ascii_case(json)) {
                return Ok(());
            }
        }
    }
    if !any {
        return Ok(());
    }
    Err(Refusal::new(406, "LS0605", "HTTP 406 Not Acceptable")
        .help("answers are `application/json`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn types_of_bodies() {
        for (value, status) in [
            ("application/json", 0),
            ("APPLICATION/JSON; charset=UTF-8", 0),
            ("text/plain", 415),
            ("application/*", 415),
            ("*/*", 415),
            ("text/json", 415),
            ("application/json-patch+json", 415),
            ("nonsense", 400),
            ("", 400),
        ] {
            let got = content_type(&headers(CONTENT_TYPE, value));
            assert_eq!(got.err().map_or(0, |r| r.error_code), status, "{value}");
        }
        assert_eq!(has_type(&HeaderMap::new()).unwrap_err().error_code, 415);
    }

    #[test]
    fn types_of_answers() {
        for (value, fine) in [
            ("*/*", true),
            ("text/html", false),
            ("application/*", true),
            ("text/html, application/json;q=0.5", true),
            ("application/xml", false),
            ("application/json;q=0", true),
            ("", true),
        ] {
            assert_eq!(accept(&headers(ACCEPT, value)).is_ok(), fine, "{value}");
        }
    }
}

//! The dashboard's files under `/ui/`: tags, compressed forms and what a browser may do there. The files are `linkspan-ui`'s.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, LOCATION, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::refusal::Refusal;

/// Whether a request is for the dashboard: its files, or `/` opened by a person in a browser.
pub(crate) fn wants(request: &Request<Body>) -> bool {
    let path = request.uri().path();
    path == "/ui" || path.starts_with("/ui/") || (path == "/" && is_visit(request))
}

/// A browser says so when somebody opens an address; programs that use the interface do not.
fn is_visit(request: &Request<Body>) -> bool {
    let mode = request.headers().get("sec-fetch-mode");
    request.method() == Method::GET && mode.is_some_and(|mode| mode == "navigate")
}

/// Answers a request for a file.
pub(crate) fn respond(request: &Request<Body>) -> Response {
    let Some(path) = request.uri().path().strip_prefix("/ui/") else {
        return (StatusCode::FOUND, [(LOCATION, "/ui/")]).into_response();
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let refusal = Refusal::new(405, "LS0602", "the dashboard's files are only read");
        return refusal.into_response();
    }
    let Some(asset) = linkspan_ui::find(path) else {
        let refusal = Refusal::new(404, "LS0601", "there is nothing at this path");
        return refusal.help("the dashboard is at /ui/").into_response();
    };
    let has = |name: HeaderName, text: &str| {
        let value = request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.split(',').any(|part| part.trim().starts_with(text)))
    };
    // A tag of the bytes: a browser asks again each time, and gets nothing when nothing changed.
    let head = [
        (ETAG, asset.tag.as_str()),
        (CACHE_CONTROL, "no-cache"),
        (VARY, "accept-encoding"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (
            CONTENT_SECURITY_POLICY,
            linkspan_ui::CONTENT_SECURITY_POLICY,
        ),
    ];
    if has(IF_NONE_MATCH, &asset.tag) {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    let media = [(CONTENT_TYPE, asset.media)];
    if has(ACCEPT_ENCODING, "gzip") {
        let packed = [(CONTENT_ENCODING, "gzip")];
        return (head, media, packed, asset.gzip.as_slice()).into_response();
    }
    (head, media, asset.body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        respond(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn files_are_tagged_packed_and_guarded() {
        let plain = ask("/ui/", &[]);
        assert_eq!(plain.status(), StatusCode::OK);
        let policy = plain.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains(concat!("un", "safe")), "{policy}");
        assert!(!plain.headers().contains_key(CONTENT_ENCODING));
        let packed = ask("/ui/", &[("accept-encoding", "br, gzip")]);
        assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");
        let tag = plain.headers()[ETAG].to_str().unwrap().to_owned();
        let again = ask("/ui/", &[("if-none-match", &tag)]);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(
            ask("/ui/../Cargo.toml", &[]).status(),
            StatusCode::NOT_FOUND
        );
        assert_eq!(ask("/ui", &[]).headers()[LOCATION], "/ui/");
    }

    #[test]
    fn only_a_person_in_a_browser_is_led_from_the_root() {
        let visit = |mode: &str| {
            wants(
                &Request::builder()
                    .uri("/")
                    .header("sec-fetch-mode", mode)
                    .body(Body::empty())
                    .unwrap(),
            )
        };
        assert!(visit("navigate"));
        assert!(!visit("cors"));
        assert!(!wants(
            &Request::builder()
                .uri("/")
                .header("accept", "text/html")
                .body(Body::empty())
                .unwrap()
        ));
    }
}

//! The table, and what is found in it.

use std::collections::BTreeSet;

use super::*;

fn found(method: &Method, path: &str) -> String {
    match find(method, path) {
        Ok(route) => route.path.to_owned(),
        Err(Missing::Path) => "nothing".to_owned(),
        Err(Missing::Method(others)) => others.join(","),
    }
}

#[test]
fn a_request_finds_its_route_or_what_its_path_has_instead() {
    for (method, path, expected) in [
        (Method::GET, "/api/v1/topics", "/api/v1/topics"),
        (Method::HEAD, "/api/v1/topics", "/api/v1/topics"),
        (
            Method::PUT,
            "/api/v1/connectors/a%2Fb/pause",
            "/api/v1/connectors/{name}/pause",
        ),
        (Method::PUT, "/api/v1/topics", "GET,POST"),
        (Method::OPTIONS, "/api/v1/topics", "GET,POST"),
        (Method::GET, "/api/v1/topics/", "nothing"),
        (Method::GET, "/api/v1/topics//records", "nothing"),
        (Method::GET, "/api/v1", "nothing"),
        (Method::GET, "/api/v1/nothing", "nothing"),
    ] {
        assert_eq!(found(&method, path), expected, "{method} {path}");
    }
}

#[test]
fn each_route_stands_once_and_reads_like_the_others() {
    let mut seen = BTreeSet::new();
    for route in all() {
        assert!(seen.insert((route.method, route.path)), "twice: {route:?}");
        assert!(owns(route.path), "{route:?}");
        let words = route.summary;
        let fine = words.starts_with(char::is_uppercase) && !words.ends_with('.');
        assert!(fine, "{words}");
        assert_ne!(route.answer, Content::Nothing, "{route:?}");
    }
    // Building it panics when two rows cannot stand side by side.
    drop(router());
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    let missing = Missing::Method(vec!["GET", "POST"]);
    let refused = missing.answer(&Method::PUT, "/api/v1/topics");
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers()[ALLOW], "GET, POST, HEAD, OPTIONS");
    let asked = missing.answer(&Method::OPTIONS, "/api/v1/topics");
    assert_eq!(asked.status(), StatusCode::NO_CONTENT);
    assert_eq!(asked.headers()[ALLOW], "GET, POST, HEAD, OPTIONS");
    let nothing = Missing::Path.answer(&Method::GET, "/api/v1/x");
    assert_eq!(nothing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn refusals_of_the_router_have_the_one_shape() {
    let plain = (
        StatusCode::BAD_REQUEST,
        "Failed to deserialize query string",
    )
        .into_response();
    let shaped = in_shape(plain).await;
    assert_eq!(shaped.status(), StatusCode::BAD_REQUEST);
    let body = axum::body::to_bytes(shaped.into_body(), 1 << 10).await;
    let body: serde_json::Value = serde_json::from_slice(&body.unwrap()).unwrap();
    assert_eq!(body["code"], "LS0220");
    assert_eq!(body["message"], "Failed to deserialize query string");
    let fine = in_shape("a page".into_response()).await;
    assert_eq!(fine.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
}

#[test]
fn what_changes_nothing_is_for_viewers_and_what_makes_or_deletes_for_admins() {
    for (method, path, expected) in [
        (Method::GET, "/api/v1/fleet", Some(Role::Viewer)),
        (
            Method::GET,
            "/api/v1/topics/t/records",
            Some(Role::Operator),
        ),
        (
            Method::PUT,
            "/api/v1/connectors/c/stop",
            Some(Role::Operator),
        ),
        (Method::DELETE, "/api/v1/topics/t", Some(Role::Admin)),
        (Method::GET, "/metrics", Some(Role::Viewer)),
        (Method::GET, "/livez", None),
        (Method::GET, "/ui/main.js", None),
        (Method::GET, "/connectors/c/config", Some(Role::Viewer)),
        (Method::POST, "/connectors", Some(Role::Admin)),
        (Method::DELETE, "/connectors/c", Some(Role::Admin)),
        (Method::PUT, "/connectors/c/config", Some(Role::Admin)),
        (Method::PATCH, "/connectors/c/config", Some(Role::Admin)),
        (Method::PUT, "/connectors/c/pause", Some(Role::Operator)),
        (
            Method::DELETE,
            "/connectors/c/offsets",
            Some(Role::Operator),
        ),
        (
            Method::PUT,
            "/connectors/c/topics/reset",
            Some(Role::Operator),
        ),
        (Method::PUT, "/admin/loggers/root", Some(Role::Admin)),
        (
            Method::PUT,
            "/connector-plugins/x/config/validate",
            Some(Role::Operator),
        ),
        (Method::GET, "/health", None),
        (Method::GET, "/nothing", Some(Role::Viewer)),
        (Method::POST, "/nothing", Some(Role::Admin)),
        (Method::GET, "/api/v1/nothing", Some(Role::Viewer)),
    ] {
        assert_eq!(need(&method, path), expected, "{method} {path}");
    }
}

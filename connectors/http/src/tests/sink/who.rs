//! Who sends and where to: credentials, tokens, redirects, a proxy.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use linkspan_sdk::ErrorKind;
use serde_json::json;

use super::{bodies, open, records};
use crate::tests::server::{Reply, Seen, Server};

#[test]
fn an_expired_token_in_the_middle_is_replaced_once_and_never_shown() {
    let issued = AtomicUsize::new(0);
    let good = Mutex::new(0);
    let server = Server::new(move |seen| {
        if seen.path() == "/token" {
            assert_eq!(seen.header("authorization"), "Basic aWQ6c2VjcmV0LXZhbHVl");
            assert!(
                seen.body.contains("grant_type=client_credentials")
                    && seen.body.contains("scope=a+b"),
                "{}",
                seen.body
            );
            let number = issued.fetch_add(1, Ordering::AcqRel) + 1;
            *good.lock().unwrap() = number;
            return Reply::json(
                &json!({"access_token": format!("token-number-{number}"), "expires_in": 3600}),
            );
        }
        let number = *good.lock().unwrap();
        if seen.header("authorization") != format!("Bearer token-number-{number}") {
            return Reply::new(401, format!("no good: {}", seen.header("authorization")));
        }
        if seen.body == "c" {
            // From now on the token is no good.
            *good.lock().unwrap() = 100;
        }
        Reply::new(200, "")
    });
    let options = |mode: &'static str| {
        [
            ("auth.type", "oauth2"),
            ("oauth2.access.token.url", ""),
            ("oauth2.client.id", "id"),
            ("oauth2.client.secret", "secret-value"),
            ("oauth2.client.scope", "a b"),
            ("oauth2.client.authorization.mode", mode),
        ]
    };
    let mut with_url = options("HEADER").to_vec();
    let token_url = server.url("/token");
    with_url[1].1 = &token_url;
    let mut sink = open(&server.url("/"), &with_url);
    sink.put(&records(&["a", "b", "c", "d"])).unwrap();
    let asked: Vec<String> = server
        .seen()
        .iter()
        .map(|seen| format!("{}{}", seen.path(), seen.body))
        .collect();
    assert_eq!(
        asked.iter().filter(|one| one.starts_with("/token")).count(),
        2,
        "{asked:?}"
    );
    assert_eq!(
        asked.iter().filter(|one| one.as_str() == "/d").count(),
        2,
        "the refused one was sent again"
    );
    // A token that is refused although it is new fails the task, and neither token nor secret is told.
    let refusing = Server::new(|seen| match seen.path() {
        "/token" => Reply::json(&json!({"access_token": "very-secret-token"})),
        _ => Reply::new(401, format!("bad token {}", seen.header("authorization"))),
    });
    let token_url = refusing.url("/token");
    with_url[1].1 = &token_url;
    let error = open(&refusing.url("/"), &with_url)
        .put(&records(&["a"]))
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.is_temporary()),
        (ErrorKind::Permission, false)
    );
    assert!(
        error.chain().contains("401") && error.chain().contains("[hidden]"),
        "{error:?}"
    );
    assert!(!error.chain().contains("very-secret-token"), "{error:?}");
}

#[test]
fn a_token_that_cannot_be_had_says_why_without_the_secret() {
    let server = Server::new(|seen| {
        Reply::new(
            400,
            format!("{{\"error\":\"invalid_client\",\"got\":\"{}\"}}", seen.body),
        )
    });
    let url = server.url("/token");
    let options = [
        ("auth.type", "oauth2"),
        ("oauth2.access.token.url", url.as_str()),
        ("oauth2.client.id", "id"),
        ("oauth2.client.secret", "secret-value"),
        ("oauth2.client.authorization.mode", "url"),
    ];
    let error = open(&server.url("/"), &options)
        .put(&records(&["a"]))
        .unwrap_err();
    assert!(
        !error.is_temporary()
            && error.chain().contains("invalid_client")
            && error.chain().contains("oauth2"),
        "{error:?}"
    );
    assert!(!error.chain().contains("secret-value"), "{error:?}");
    assert!(server.seen()[0].body.contains("client_secret=secret-value"));
    let busy = Server::new(|_| Reply::new(503, ""));
    let url = busy.url("/token");
    let mut options = options.to_vec();
    options[1].1 = &url;
    assert!(
        open(&server.url("/"), &options)
            .put(&records(&["a"]))
            .unwrap_err()
            .is_temporary()
    );
}

#[test]
fn every_way_of_showing_who_sends_arrives() {
    let check = |options: &[(&str, &str)], expected: &dyn Fn(&Seen) -> bool| {
        let server = Server::new(|_| Reply::new(200, ""));
        open(&server.url("/?a=1"), options)
            .put(&records(&["x"]))
            .unwrap();
        assert!(
            expected(&server.seen()[0]),
            "{options:?}: {:?}",
            server.seen()
        );
    };
    check(
        &[
            ("auth.type", "basic"),
            ("auth.username", "u"),
            ("auth.password", "p"),
        ],
        &|seen| seen.header("authorization") == "Basic dTpw",
    );
    check(&[("auth.type", "bearer"), ("auth.token", "tok")], &|seen| {
        seen.header("authorization") == "Bearer tok"
    });
    check(
        &[("auth.type", "static"), ("auth.authorization", "Custom x")],
        &|seen| seen.header("authorization") == "Custom x",
    );
    check(
        &[("auth.type", "api_key"), ("auth.api.key", "k1")],
        &|seen| seen.header("x-api-key") == "k1",
    );
    let query = [
        ("auth.type", "api_key"),
        ("auth.api.key", "k 1"),
        ("auth.api.key.name", "key"),
        ("auth.api.key.in", "query"),
    ];
    check(&query, &|seen| {
        seen.query("key").as_deref() == Some("k 1") && seen.query("a").as_deref() == Some("1")
    });
    check(
        &[
            ("auth.type", "jwt"),
            ("jwt.key", "shared"),
            ("jwt.claims", "{\"iss\":\"me\"}"),
        ],
        &|seen| {
            seen.header("authorization")
                .starts_with("Bearer eyJhbGciOiJIUzI1NiIs")
        },
    );
}

#[test]
fn redirects_are_followed_only_where_nothing_is_lost_or_leaked() {
    let other = Server::new(|_| Reply::new(200, ""));
    let elsewhere = other.url("/there");
    let server = Server::new(move |seen| match seen.path() {
        "/308" => Reply::new(308, "").header("location", &elsewhere),
        "/302" => Reply::new(302, "").header("location", "/there"),
        "/loop" => Reply::new(307, "").header("location", "/loop"),
        "/file" => Reply::new(307, "").header("location", "file:///etc/passwd"),
        "/metadata" => Reply::new(307, "").header("location", "http://169.254.169.254/latest"),
        _ => Reply::new(200, ""),
    });
    let auth = [("auth.type", "bearer"), ("auth.token", "token-1")];
    open(&server.url("/308"), &auth)
        .put(&records(&["a"]))
        .unwrap();
    assert_eq!(
        (
            bodies(&other.seen()),
            other.seen()[0].header("authorization").to_owned()
        ),
        (vec!["a"], String::new())
    );
    for (path, text) in [
        ("/302", "into a GET"),
        ("/loop", "redirects.max"),
        ("/file", "scheme `file`"),
        ("/metadata", "link-local"),
    ] {
        let error = open(&server.url(path), &auth)
            .put(&records(&["a"]))
            .unwrap_err();
        assert!(
            !error.is_temporary() && error.chain().contains(text),
            "{path}: {error:?}"
        );
    }
    assert_eq!(
        server
            .seen()
            .iter()
            .filter(|seen| seen.path() == "/loop")
            .count(),
        4,
        "the first and three redirects"
    );
}

#[test]
fn a_record_cannot_send_a_request_to_where_none_may_go() {
    let server = Server::new(|_| Reply::new(200, ""));
    let mut sink = open("http://{{ value | safe }}/x", &[]);
    let put = sink
        .put(&records(&[
            "169.254.169.254",
            &server.at.to_string(),
            "127.0.0.1:1@169.254.169.254",
            "a b",
        ]))
        .unwrap();
    assert_eq!(
        put.rejected
            .iter()
            .map(|one| one.offset)
            .collect::<Vec<_>>(),
        [0, 2, 3],
        "{:?}",
        put.rejected
    );
    assert!(
        put.rejected[0].error.message.contains("link-local"),
        "{:?}",
        put.rejected
    );
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_proxy_gets_whole_urls_and_its_credentials_are_not_told() {
    let proxy = Server::new(|seen| {
        if seen.body == "x" {
            Reply::new(200, "")
        } else {
            Reply::new(
                502,
                format!("proxy says {}", seen.header("proxy-authorization")),
            )
        }
    });
    let url = format!("http://user:proxy-pass@{}", proxy.at);
    let mut sink = open(
        "http://192.0.2.1/in",
        &[
            ("proxy", &url),
            ("retry.codes", "503"),
            ("success.codes", "200"),
        ],
    );
    sink.put(&records(&["x"])).unwrap();
    let seen = proxy.seen();
    assert_eq!(
        (
            seen[0].target.as_str(),
            seen[0].header("proxy-authorization")
        ),
        ("http://192.0.2.1/in", "Basic dXNlcjpwcm94eS1wYXNz")
    );
    let put = sink.put(&records(&["y"])).unwrap();
    assert!(
        !put.rejected[0].error.message.contains("proxy-pass"),
        "{:?}",
        put.rejected
    );
}

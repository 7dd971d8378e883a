//! A registry of a few lines, to see what is asked and what becomes of the answers.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::*;

/// Answers each request with the next of these, and tells what was asked.
fn serve(answers: Vec<(&'static str, &'static str)>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (asked_in, asked_out) = channel();
    thread::spawn(move || {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut chunk = [0; 4096];
            loop {
                let count = stream.read(&mut chunk).unwrap();
                request.extend_from_slice(&chunk[..count]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, rest)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let length = head.to_lowercase().lines().find_map(|line| {
                    line.strip_prefix("content-length: ")
                        .map(|text| text.parse::<usize>().unwrap())
                });
                if rest.len() >= length.unwrap_or(0) {
                    break;
                }
            }
            asked_in.send(String::from_utf8(request).unwrap()).unwrap();
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
            .unwrap();
        }
    });
    (address, asked_out)
}

fn registry(url: &str, user_info: Option<&str>) -> Registry {
    Registry::new(&Options {
        urls: url.split(',').map(str::to_owned).collect(),
        user_info: user_info.map(str::to_owned),
        timeout: Duration::from_secs(5),
        ..Options::default()
    })
    .unwrap()
}

const INT: Text<'_> = Text {
    schema_type: "AVRO",
    schema: "\"int\"",
};

#[test]
fn references_come_first_and_once() {
    let (url, asked) = serve(vec![
        (
            "200 OK",
            r#"{"schema":"\"A\"","references":[{"name":"B","subject":"b","version":1},{"name":"C","subject":"c","version":2}]}"#,
        ),
        (
            "200 OK",
            r#"{"subject":"b","id":2,"version":1,"schema":"\"B\"","references":[{"name":"C","subject":"c","version":2}]}"#,
        ),
        (
            "200 OK",
            r#"{"subject":"c","id":3,"version":2,"schema":"\"C\""}"#,
        ),
    ]);
    let found = registry(&url, None).by_id(1).unwrap();
    assert_eq!(
        found.references,
        [("C", "\"C\""), ("B", "\"B\"")].map(|(name, text)| (name.to_owned(), text.to_owned()))
    );
    assert_eq!(
        (found.schema.as_str(), found.schema_type.as_str()),
        ("\"A\"", "AVRO")
    );
    let asked: Vec<String> = asked
        .iter()
        .map(|text| text.lines().next().unwrap().to_owned())
        .collect();
    assert_eq!(
        asked,
        [
            "GET /schemas/ids/1 HTTP/1.1",
            "GET /subjects/b/versions/1 HTTP/1.1",
            "GET /subjects/c/versions/2 HTTP/1.1"
        ]
    );
}

#[test]
fn a_subject_is_one_part_of_the_path_and_the_password_stays_hidden() {
    let (url, asked) = serve(vec![(
        "401 Unauthorized",
        r#"{"error_code":40101,"message":"no"}"#,
    )]);
    let registry = registry(&format!("{url}/apis/v7/"), Some("u:secret-word"));
    let error = registry.register("a/b c-value", INT).unwrap_err();
    assert_eq!(error.reason, Reason::Permission);
    assert!(!format!("{error} {error:?} {registry:?}").contains("secret-word"));
    let asked = asked.recv().unwrap();
    assert!(
        asked.starts_with("POST /apis/v7/subjects/a%2Fb%20c-value/versions "),
        "{asked}"
    );
    assert!(
        asked.contains("Basic dTpzZWNyZXQtd29yZA==")
            || asked.contains("basic dTpzZWNyZXQtd29yZA=="),
        "{asked}"
    );
    assert!(
        asked.contains(r#"{"schema":"\"int\"","schemaType":"AVRO"}"#),
        "{asked}"
    );
}

#[test]
fn refusals_have_their_reasons() {
    for (status, body, reason) in [
        (
            "404 Not Found",
            r#"{"error_code":40403,"message":"Schema not found"}"#,
            Reason::NotFound,
        ),
        (
            "409 Conflict",
            r#"{"error_code":409,"message":"incompatible"}"#,
            Reason::Incompatible,
        ),
        (
            "422 Unprocessable",
            r#"{"error_code":42201,"message":"Invalid schema"}"#,
            Reason::Invalid,
        ),
        ("503 Unavailable", "busy", Reason::Unavailable),
        ("302 Found", "", Reason::Answer),
    ] {
        let (url, _asked) = serve(vec![(status, body)]);
        let error = registry(&url, None).by_id(7).unwrap_err();
        assert_eq!(error.reason, reason, "{error}");
        assert!(
            error.to_string().contains("id 7") && error.to_string().contains(&url),
            "{error}"
        );
    }
}

#[test]
fn the_next_address_is_tried_where_one_is_away() {
    let away = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (url, _asked) = serve(vec![("200 OK", r#"{"id":5}"#)]);
    assert_eq!(
        registry(&format!("http://{away},{url}"), None)
            .register("s", INT)
            .unwrap(),
        5
    );
    let error = registry(&format!("http://{away}"), None)
        .by_id(1)
        .unwrap_err();
    assert!(
        error.is_temporary() && error.to_string().contains(&away.to_string()),
        "{error}"
    );
}

#[test]
fn what_is_no_registry_is_said() {
    let (url, _asked) = serve(vec![("200 OK", "<html>")]);
    let error = registry(&url, None).by_id(1).unwrap_err();
    assert_eq!(error.reason, Reason::Answer);
    assert!(error.to_string().contains("schema.registry.url"), "{error}");
}

#[test]
fn a_token_goes_with_each_request_and_is_not_shown() {
    let (url, asked) = serve(vec![
        ("200 OK", r#"{"id":5}"#),
        ("403 Forbidden", r#"{"error_code":40301,"message":"no"}"#),
    ]);
    let registry = Registry::new(&Options {
        urls: vec![url],
        token: Some("secret-token".to_owned()),
        timeout: Duration::from_secs(5),
        ..Options::default()
    })
    .unwrap();
    assert_eq!(registry.register("s", INT).unwrap(), 5);
    let error = registry.lookup("s", INT).unwrap_err();
    assert_eq!(error.reason, Reason::Permission);
    assert!(!format!("{error} {error:?} {registry:?}").contains("secret-token"));
    for request in asked {
        let request = request.to_lowercase();
        assert!(
            request.contains("authorization: bearer secret-token"),
            "{request}"
        );
    }
}

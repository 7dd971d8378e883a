//! Secrets in every input of the REST interface: they come out only where they must be kept.

use std::fs;
use std::path::Path;

use super::host::{ADMIN, Host, OPERATOR, TOKEN, VIEWER};
use crate::support::{linkspan, run};

/// Where a secret of a configuration made over REST must rest: the log keeps it as it was given.
fn may_hold(path: &Path) -> bool {
    let name = path.to_string_lossy();
    ["/journal/", "/meta-", "/ckpt.", "/topics/"]
        .iter()
        .any(|part| name.contains(part))
}

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of inputs and of outputs")]
fn secrets_in_requests_come_out_nowhere_else() {
    let host = Host::secured();
    let json = "Content-Type: application/json";
    let out = host.scratch.path("made.txt");
    let config = format!(
        r#"{{"connector.class":"FileStreamSource","file":"{}","topic":"made","api.password":"CANARY-config","connection.url":"postgres://u:CANARY-url@h/db"}}"#,
        out.display()
    );
    let broken = r#"{"connector.class":"sql-sink","topics":"lines","connection.url":"postgres://u:CANARY-broken@127.0.0.1:1/db","connection.password":"CANARY-password","table.name":["x"]}"#;
    let put = |body: &str, path: &str, who: &str| {
        host.curl(who, &["-X", "PUT", "-H", json, "-d", body, path])
    };
    let mut answers = Vec::new();
    // Configurations: right, wrong in kind, checked only, for a class that does not exist.
    put(&config, "/connectors/made/config", ADMIN);
    answers.push(put(broken, "/connectors/broken/config", ADMIN).1);
    let sql = r#"{"connector.class":"sql-sink","topics":"lines","connection.url":"postgres://u:CANARY-sql@127.0.0.1:1/db","connection.password":"CANARY-sqlpass"}"#;
    put(sql, "/connectors/sql/config", ADMIN);
    answers.push(
        put(
            r#"{"connector.class":"Nothing","password":"CANARY-class"}"#,
            "/connectors/none/config",
            ADMIN,
        )
        .1,
    );
    answers.push(
        put(
            r#"{"connector.class":"FileStreamSource","password":"CANARY-half"#,
            "/connectors/half/config",
            ADMIN,
        )
        .1,
    );
    // Offsets, headers, the URL, records, wrong credentials.
    let offsets =
        r#"{"offsets":[{"partition":{"CANARY-partition":1},"offset":{"CANARY-offset":"x"}}]}"#;
    answers.push(
        host.curl(
            OPERATOR,
            &[
                "-X",
                "PATCH",
                "-H",
                json,
                "-d",
                offsets,
                "/connectors/made/offsets",
            ],
        )
        .1,
    );
    for header in [
        "X-Api-Key: CANARY-header",
        "Cookie: CANARY-cookie",
        "User-Agent: CANARY-agent",
        "Origin: http://ok/CANARY-origin",
    ] {
        answers.push(host.curl(VIEWER, &["-H", header, "/connectors"]).1);
    }
    for path in [
        "/connectors?token=CANARY-query",
        "/api/v1/topics/lines/records?from=CANARY-from",
        "/api/v1/fleet?password=CANARY-api",
    ] {
        host.curl(OPERATOR, &[path]);
        host.curl("", &["-X", "POST", path]);
    }
    for who in [
        "anna:CANARY-wrong",
        "CANARY-user:x",
        "CANARY-bearer-token-123",
    ] {
        answers.push(host.curl(who, &["-X", "PUT", "/connectors/made/pause"]).1);
    }
    // Everything that shows something.
    for path in [
        "/connectors?expand=status",
        "/connectors/sql/status",
        "/connectors/made/offsets",
        "/api/v1/fleet",
        "/api/v1/connectors",
        "/api/v1/connectors/sql",
        "/api/v1/connectors/made",
        "/api/v1/connectors/sql/events",
        "/api/v1/audit?limit=1000",
        "/metrics",
        "/api/v1/pipelines",
        "/api/v1/host",
        "/api/v1/log/stat",
        "/api/v1/topics",
        "/api/v1/groups",
        "/api/v1/jobs",
        "/admin/loggers",
    ] {
        answers.push(host.curl(ADMIN, &[path]).1);
    }
    // Configurations, for those who may not change them.
    for path in [
        "/connectors/made",
        "/connectors/made/config",
        "/connectors/made/tasks",
        "/connectors/sql/config",
        "/connectors?expand=info",
    ] {
        answers.push(host.curl(VIEWER, &[path]).1);
        let (status, body) = host.curl(OPERATOR, &[path]);
        assert!(
            status == 200 && body.contains("connector.class") || body == "[]",
            "{path}: {body}"
        );
        answers.push(body);
    }
    let all = answers.join("\n");
    let shown = |text: &str| {
        text.lines()
            .find(|line| line.contains("CANARY") || line.contains("canary-"))
            .map(str::to_owned)
    };
    // What a request itself said may be named in the refusal of that request: partitions and offsets of a body.
    let named = all
        .replace("CANARY-partition", "")
        .replace("CANARY-offset", "");
    assert_eq!(shown(&named), None, "an answer");
    assert_eq!(shown(&host.said()), None, "the log at level trace");
    // One word stands in the place of all of them, and no request takes it for the secret.
    let stars = |text: &str| text.contains(concat!("**", "*"));
    assert!(all.contains("[hidden]") && !stars(&all), "{all}");
    assert!(!stars(&host.said()), "{}", host.said());
    let mut found = Vec::new();
    files(&host.scratch.path("linkspan-data"), &mut found);
    assert!(
        found.iter().any(|path| path.ends_with("audit/audit.jsonl")),
        "{found:?}"
    );
    for path in found.iter().filter(|path| !may_hold(path)) {
        let bytes = fs::read(path).unwrap();
        assert_eq!(
            shown(&String::from_utf8_lossy(&bytes)),
            None,
            "{}",
            path.display()
        );
    }
    // Credentials are nowhere at all; the configuration is kept, once, and given back to whoever may change it.
    let bytes: Vec<u8> = found
        .iter()
        .flat_map(|path| fs::read(path).unwrap())
        .collect();
    let text = String::from_utf8_lossy(&bytes);
    let secret = |pair: &str| pair.rsplit(':').next().unwrap().to_owned();
    for gone in [
        secret(ADMIN),
        secret(OPERATOR),
        TOKEN.to_owned(),
        "CANARY-wrong".to_owned(),
        "CANARY-bearer".to_owned(),
        "CANARY-query".to_owned(),
        "CANARY-header".to_owned(),
        "CANARY-broken".to_owned(),
    ] {
        assert!(!text.contains(&gone), "{gone}");
    }
    let kept = host.curl(ADMIN, &["/connectors/made/config"]).1;
    assert!(
        text.contains("CANARY-config") && kept.contains("CANARY-config"),
        "{kept}"
    );
}

#[test]
fn what_was_shown_without_its_secrets_is_not_taken_back() {
    let host = Host::secured();
    let json = "Content-Type: application/json";
    let send = |method: &str, path: &str, body: &str| {
        host.curl_all(ADMIN, &["-X", method, "-H", json, "-d", body, path])
    };
    let config = r#"{"connector.class":"sql-sink","topics":"lines","connection.url":"postgres://u:canary-url@127.0.0.1:1/db","connection.password":"canary-password"}"#;
    let path = "/connectors/sql/config";
    assert_eq!(send("PUT", path, config).0, 201);
    // What an operator sees of it, sent by who may change it.
    let seen = host.curl(OPERATOR, &[path]).1;
    let (status, head, body) = send("PUT", path, &seen);
    assert_eq!(status, 400, "{body}");
    assert!(head.to_ascii_lowercase().contains("ls0232"), "{head}");
    for told in ["`connection.password`", "`connection.url`", "${env:NAME}"] {
        assert!(body.contains(told), "{told}: {body}");
    }
    let made = format!(
        "{{\"name\":\"again\",\"config\":{}}}",
        seen.replace("\"sql\"", "\"again\"")
    );
    assert_eq!(send("POST", "/connectors", &made).0, 400);
    let word = r#"{"connection.password":"[hidden]"}"#;
    assert_eq!(send("PATCH", path, word).0, 400);
    let checked = send("PUT", "/connector-plugins/sql-sink/config/validate", &seen).2;
    assert!(checked.contains("is no secret"), "{checked}");
    assert!(host.curl(ADMIN, &[path]).1.contains("canary-password"));
    // Other options alone can be changed, and the word is one like any other elsewhere.
    let other = r#"{"transforms":"hide","transforms.hide.type":"MaskField$Value","transforms.hide.fields":"a","transforms.hide.replacement":"[hidden]"}"#;
    let (status, _, body) = send("PATCH", path, other);
    assert!(status == 200 && body.contains("canary-password"), "{body}");
    // A file that was made of what is shown is refused, too.
    let data = host.scratch.path("linkspan-data");
    let exported = run(linkspan(&["export", "--data"]).arg(&data)).expect_code(0);
    let file = host.scratch.write("again/exported.yaml", exported.stdout);
    run(linkspan(&["validate"]).arg(file))
        .expect_code(2)
        .says(&["LS0232", "connection.password"]);
}

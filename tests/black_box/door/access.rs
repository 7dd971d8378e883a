//! Who may do what, how it is refused, and what the audit trail keeps.

use serde_json::Value;

use super::host::{ADMIN, Host, OPERATOR, TOKEN, VIEWER};
use crate::support::{Scratch, eventually, linkspan, run};

const NOBODY: &str = "";

/// Who asks for what, and the status of the answer.
const MATRIX: &[(&str, &str, &str, u16)] = &[
    // Probes and the dashboard's files are for everybody, data is not.
    (NOBODY, "GET", "/health", 200),
    (NOBODY, "GET", "/livez", 200),
    (NOBODY, "GET", "/readyz", 200),
    (NOBODY, "GET", "/ui/", 200),
    (NOBODY, "GET", "/", 401),
    (NOBODY, "GET", "/connectors", 401),
    (NOBODY, "GET", "/metrics", 401),
    (NOBODY, "GET", "/api/v1/whoami", 401),
    (NOBODY, "GET", "/api/v1/nothing", 401),
    (NOBODY, "GET", "/nothing", 401),
    (NOBODY, "PUT", "/connectors/in/pause", 401),
    (VIEWER, "GET", "/connectors", 200),
    (VIEWER, "GET", "/connectors/in/status", 200),
    (VIEWER, "GET", "/api/v1/fleet", 200),
    (VIEWER, "GET", "/api/v1/topics", 200),
    (TOKEN, "GET", "/metrics", 200),
    // Values of records.
    (VIEWER, "GET", "/api/v1/topics/lines/records?exit=true", 403),
    (TOKEN, "GET", "/api/v1/topics/lines/records?exit=true", 403),
    (
        VIEWER,
        "HEAD",
        "/api/v1/topics/lines/records?exit=true",
        403,
    ),
    (VIEWER, "POST", "/api/v1/groups/g/members", 403),
    (
        OPERATOR,
        "GET",
        "/api/v1/topics/lines/records?exit=true",
        200,
    ),
    // Changes.
    (VIEWER, "PUT", "/connectors/in/pause", 403),
    (VIEWER, "PUT", "/connectors/%69n/pause", 403),
    (VIEWER, "PUT", "/api/v1/connectors/in/pause", 403),
    (VIEWER, "POST", "/connectors", 403),
    (TOKEN, "DELETE", "/api/v1/topics/lines", 403),
    (OPERATOR, "PUT", "/connectors/in/pause", 202),
    (OPERATOR, "PUT", "/api/v1/connectors/in/resume", 202),
    (OPERATOR, "POST", "/connectors", 403),
    (OPERATOR, "PUT", "/connectors/in/config", 403),
    (OPERATOR, "DELETE", "/connectors/in", 403),
    (OPERATOR, "DELETE", "/api/v1/topics/lines", 403),
    (OPERATOR, "PUT", "/admin/loggers/root", 403),
    (OPERATOR, "GET", "/api/v1/audit", 403),
    (ADMIN, "GET", "/api/v1/audit", 200),
    // It belongs to a file, which is another matter than the role.
    (ADMIN, "DELETE", "/connectors/in", 409),
    // Only on the machine itself.
    (ADMIN, "POST", "/api/v1/backup", 403),
    ("anna:wrong", "GET", "/connectors", 401),
    ("nobody:canary-admin-password", "GET", "/connectors", 401),
    ("wrong-token-0123456789", "GET", "/connectors", 401),
];

#[test]
fn each_role_may_what_it_should_and_nothing_more() {
    let host = Host::secured();
    for &(who, method, path, expected) in MATRIX {
        let form = if method == "HEAD" {
            vec!["-I", path]
        } else {
            vec!["-X", method, path]
        };
        let (status, head, body) = host.curl_all(who, &form);
        assert_eq!(status, expected, "{who} {method} {path}: {head}{body}");
        let challenged = head
            .to_ascii_lowercase()
            .contains("www-authenticate: basic");
        assert_eq!(challenged, status == 401, "{head}");
        let told = match (method, status) {
            ("HEAD", _) => "",
            (_, 401) => "LS0627",
            (_, 403) if path != "/api/v1/backup" => "LS0626",
            _ => "",
        };
        let code = head
            .to_ascii_lowercase()
            .contains(&told.to_ascii_lowercase());
        assert!(
            code || body.contains(told),
            "{who} {method} {path}: {head}{body}"
        );
    }
    // Pages of records are for viewers, too, without what is in them.
    let browse = ["/api/v1/topics/lines/browse?from=earliest"];
    let (seen, hidden) = (host.curl(OPERATOR, &browse).1, host.curl(VIEWER, &browse).1);
    assert!(seen.contains("canary-value-1"), "{seen}");
    assert!(
        hidden.contains("hidden") && !hidden.contains("canary"),
        "{hidden}"
    );
    let whoami = |who| serde_json::from_str::<Value>(&host.curl(who, &["/api/v1/whoami"]).1);
    let expected = serde_json::json!({ "user": "otto", "role": "operator", "auth": true });
    assert_eq!(whoami(OPERATOR).unwrap(), expected);
    assert_eq!(whoami(TOKEN).unwrap()["user"], "prometheus");
    // Of a page that a viewer looks at, and of the socket of the data directory.
    let listen = host.json("/api/v1/host")["listen"].clone();
    assert_eq!(
        (&listen["tls"], &listen["auth"]),
        (&true.into(), &true.into())
    );
    let socket = host.scratch.path("linkspan-data/linkspan.sock");
    let asked = ["-s", "http://localhost/api/v1/host", "--unix-socket"];
    let told = run(std::process::Command::new("curl").args(asked).arg(socket)).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["listen"], listen);
    // Who may not see keys cannot look for one.
    let guess = ["/api/v1/topics/lines/browse?from=earliest&key=a"];
    let (status, refused) = host.curl(VIEWER, &guess);
    assert!(status == 403 && refused.contains("LS0626"), "{refused}");
    assert_eq!(host.curl(OPERATOR, &guess).0, 200);
    let metrics = host.curl(TOKEN, &["/metrics"]).1;
    let failed = "linkspan_http_failed_logins_total 3";
    assert!(metrics.contains(failed), "{metrics}");
}

#[test]
fn guessing_is_slowed_and_counted_and_names_are_checked() {
    let host = Host::secured();
    assert_eq!(host.curl(ADMIN, &["/connectors"]).0, 200);
    let statuses: Vec<u16> = (0..40)
        .map(|n| host.curl(&format!("anna:guess-{n}"), &["/connectors"]).0)
        .collect();
    assert!(statuses.contains(&401), "{statuses:?}");
    assert!(
        statuses.iter().all(|status| matches!(status, 401 | 429)),
        "{statuses:?}"
    );
    // Who was right before is let in meanwhile.
    assert_eq!(host.curl(ADMIN, &["/connectors"]).0, 200);
    for (name, expected) in [
        ("hub.example.org", 200),
        ("HUB.example.org:1", 200),
        ("evil.example", 421),
    ] {
        let header = format!("Host: {name}");
        let (status, body) = host.curl(ADMIN, &["-H", &header, "/connectors"]);
        assert_eq!(status, expected, "{name}: {body}");
    }
}

#[test]
fn the_trail_says_who_did_what_and_survives_a_kill() {
    let mut host = Host::secured();
    let pause = ["-X", "PUT", "/connectors/in/pause?canary=query"];
    assert_eq!(host.curl(OPERATOR, &pause).0, 202);
    assert_eq!(host.curl(VIEWER, &pause).0, 403);
    assert_eq!(host.curl("canary-nobody:canary-guess", &pause).0, 401);
    let body = r#"{"name":"made","partitions":1}"#;
    assert_eq!(host.curl(ADMIN, &["-d", body, "/api/v1/topics"]).0, 200);
    let socket = host.scratch.path("linkspan-data");
    run(linkspan(&["topic", "delete", "made", "--yes", "--data"]).arg(&socket)).expect_code(0);
    let expected = serde_json::json!([
        [
            "otto",
            "operator",
            "127.0.0.1",
            "PUT",
            "/connectors/in/pause",
            202
        ],
        [
            "vera",
            "viewer",
            "127.0.0.1",
            "PUT",
            "/connectors/in/pause",
            403
        ],
        [null, null, "127.0.0.1", "PUT", "/connectors/in/pause", 401],
        ["anna", "admin", "127.0.0.1", "POST", "/api/v1/topics", 200],
        [
            "local",
            "admin",
            "socket",
            "DELETE",
            "/api/v1/topics/made",
            200
        ],
    ]);
    let rows = |entries: &Value| -> Value {
        let of = |entry: &Value| {
            let fields = ["user", "role", "from", "method", "path", "status"];
            Value::from_iter(fields.map(|field| entry[field].clone()))
        };
        entries["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(of)
            .collect()
    };
    assert_eq!(rows(&host.json("/api/v1/audit")), expected);
    host.restart();
    assert_eq!(rows(&host.json("/api/v1/audit")), expected);
    assert_eq!(
        host.curl(OPERATOR, &["-X", "PUT", "/connectors/in/resume"])
            .0,
        202
    );
    let last = host.json("/api/v1/audit?limit=1");
    assert_eq!(last["entries"][0]["seq"], 6, "{last}");
    assert_eq!(last["entries"][0]["path"], "/connectors/in/resume");
    let file = host.scratch.read("linkspan-data/audit/audit.jsonl");
    assert!(!file.contains("canary"), "{file}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
fn the_command_line_asks_with_users_tokens_and_contexts() {
    let host = Host::secured();
    let home = Scratch::new();
    home.write("password", "canary-admin-password\n");
    home.write("token", TOKEN);
    let cert = host.cert();
    let cert = cert.to_str().unwrap();
    let password = home.path("password");
    let token = home.path("token");
    let (password, token) = (password.to_str().unwrap(), token.to_str().unwrap());
    let cli = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = linkspan(arguments);
        command.env("XDG_CONFIG_HOME", home.path("config"));
        command.envs(variables.iter().copied());
        run(&mut command)
    };
    let at = [
        "get",
        "connectors",
        "-o",
        "name",
        "--url",
        &host.url,
        "--ca-file",
        cert,
    ];
    let with =
        |more: &[&str], variables: &[(&str, &str)]| cli(&[&at[..], more].concat(), variables);
    with(&["--user", "anna", "--password-file", password], &[])
        .expect_code(0)
        .says(&["in"]);
    with(
        &["--user", "anna"],
        &[("LINKSPAN_PASSWORD", "canary-admin-password")],
    )
    .expect_code(0);
    with(&["--token-file", token], &[])
        .expect_code(0)
        .says(&["in"]);
    with(&[], &[("LINKSPAN_TOKEN", TOKEN)]).expect_code(0);
    with(&["--user", "anna"], &[])
        .expect_code(2)
        .says(&["--password-file"]);
    with(&["--user", "anna"], &[("LINKSPAN_PASSWORD", "wrong")])
        .expect_code(2)
        .says(&["LS0627"]);
    with(&[], &[]).expect_code(2).says(&["LS0627"]);
    // Without the authority nobody is trusted.
    let stranger = [
        "get",
        "connectors",
        "--url",
        &host.url,
        "--token-file",
        token,
    ];
    cli(&stranger, &[])
        .expect_code(3)
        .says(&["no secure connection"]);
    let add = |name: &str, more: &[&str]| {
        let first = [
            "context",
            "add",
            name,
            "--url",
            &host.url,
            "--ca-file",
            cert,
        ];
        cli(&[&first[..], more].concat(), &[]).expect_code(0);
    };
    add("admin", &["--user", "anna", "--password-file", password]);
    add("metrics", &["--token-file", token]);
    cli(&["pause", "in", "--context", "admin"], &[]).expect_code(0);
    cli(&["resume", "in", "--context", "metrics"], &[])
        .expect_code(2)
        .says(&["LS0626", "viewer"]);
    cli(&["consume", "lines", "--exit", "--context", "admin"], &[])
        .expect_code(0)
        .says(&["canary-value-1"]);
    let refused = cli(&["consume", "lines", "--exit", "--context", "metrics"], &[]).expect_code(2);
    assert!(
        !refused.stdout.contains("canary-value"),
        "{}",
        refused.stdout
    );
    let listed = cli(&["context", "list"], &[]).expect_code(0);
    let stored = home.read("config/linkspan/config.yaml");
    assert!(
        !format!("{}{stored}", listed.stdout).contains("canary"),
        "{stored}"
    );
}

#[test]
fn what_users_hash_and_token_print_lets_in() {
    let scratch = Scratch::new();
    scratch.write("password", "correct horse\n");
    let hash = run(linkspan(&["users", "hash", "--password-file"]).arg(scratch.path("password")))
        .expect_code(0)
        .stdout;
    let made = run(&mut linkspan(&["users", "token", "-o", "json"]))
        .expect_code(0)
        .stdout;
    let made: Value = serde_json::from_str(&made).unwrap();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let host = Host::with(
        scratch,
        &format!(
            "  listen: 127.0.0.1:0\n  users:\n    anna: {{ role: admin, password.hash: '{}' }}\n  tokens:\n    t: {{ role: viewer, sha256: {} }}\n    old: {{ role: admin, sha256: {}, expires: 2001-01-01 }}\n",
            hash.trim(),
            text("sha256"),
            "00".repeat(32),
        ),
        "anna:correct horse",
    );
    assert_eq!(host.curl(&text("token"), &["/connectors"]).0, 200);
    assert_eq!(host.curl("anna:correct  horse", &["/connectors"]).0, 401);
}

#[test]
fn users_that_change_in_the_file_are_taken_over() {
    let host = Host::secured();
    let records = ["/api/v1/topics/lines/records?exit=true"];
    assert_eq!(host.curl(VIEWER, &records).0, 403);
    assert_eq!(host.curl(OPERATOR, &records).0, 200);
    let text = host.scratch.read("hub.yaml");
    let text = text.replace("vera: { role: viewer", "vera: { role: operator");
    let otto = text.lines().find(|line| line.contains("otto")).unwrap();
    host.scratch
        .write("hub.yaml", text.replace(&format!("{otto}\n"), ""));
    let soon = std::time::Duration::from_secs(60);
    let taken = eventually(soon, || host.curl(VIEWER, &records).0 == 200);
    assert!(taken, "{}", host.said());
    assert_eq!(host.curl(OPERATOR, &records).0, 401);
}

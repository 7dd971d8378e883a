//! Secrets go nowhere but to whom they are meant for: canaries in every secret option, against a server that repeats all it is sent.
//!
//! Searched are what the program prints, its REST answers, its dead letters and every file of its data directory.
//! That the search finds things is shown by texts that must be there: URLs in errors and a record's value.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::server::{ACCESS_TOKEN, serve};
use crate::support::{Scratch, eventually, linkspan, run, start, wait};

/// Name and bytes of everything that leaves the program.
type Outputs = Vec<(String, Vec<u8>)>;

/// How long everything may take to fail as it should.
const LIMIT: Duration = Duration::from_secs(90);
/// A record's value, which may be found.
const VALUE: &str = "a-value-to-be-found";
/// The user of `basic`, which is no secret.
const USER: &str = "anna";

/// A class's options that show who sends; `NAME` is replaced by a canary of that name.
const WAYS: [(&str, &str, &str); 8] = [
    (
        "basic",
        "auth.type: basic\nauth.username: anna\nauth.password: ${env:BASIC}",
        "",
    ),
    ("bearer", "auth.type: bearer\nauth.token: ${env:BEARER}", ""),
    (
        "static",
        "auth.type: static\nauth.authorization: ${env:STATIC}",
        "",
    ),
    (
        "apikey",
        "auth.type: api_key\nauth.api.key: ${env:APIKEY}\nauth.api.key.in: query",
        "",
    ),
    (
        "oauth",
        "auth.type: oauth2\noauth2.access.token.url: SERVER/token\noauth2.client.id: me\noauth2.client.secret: ${env:OAUTH}",
        "",
    ),
    (
        "refresh",
        "auth.type: oauth2_refresh\noauth2.access.token.url: SERVER/echo/400/refresh\noauth2.client.id: me\noauth2.client.secret: ${env:REFRESHSECRET}\noauth2.refresh.token: ${env:REFRESH}",
        "",
    ),
    (
        "jwt",
        "auth.type: jwt\njwt.key: ${env:JWT}\njwt.claims: { iss: me }",
        "",
    ),
    (
        "header",
        "headers: { x-key: \"${env:HEADER}\" }",
        "?key=${env:QUERY}",
    ),
];

/// Environment variables with the canaries, each with characters that are written otherwise in URLs, JSON and base64.
const CANARIES: [&str; 13] = [
    "BASIC",
    "BEARER",
    "STATIC",
    "APIKEY",
    "OAUTH",
    "REFRESHSECRET",
    "REFRESH",
    "JWT",
    "HEADER",
    "QUERY",
    "PROXY",
    "HMAC",
    "TOKEN",
];

fn canary(name: &str) -> String {
    format!("canary+{}/\"4f=", name.to_lowercase())
}

/// Every form in which a canary could be found.
fn forms() -> Vec<String> {
    let mut forms = vec![ACCESS_TOKEN.to_owned()];
    for name in CANARIES {
        let canary = canary(name);
        let encoded = canary
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('"', "%22")
            .replace('=', "%3D");
        forms.extend([
            // Also where quotes are escaped once or twice.
            format!("canary+{}", name.to_lowercase()),
            format!("canary%2B{}", name.to_lowercase()),
            STANDARD.encode(&canary),
            STANDARD.encode(format!("{USER}:{canary}")),
            STANDARD.encode(format!("me:{canary}")),
            STANDARD.encode(format!("me:{encoded}")),
            canary,
            encoded,
        ]);
    }
    // The beginning of every JWT.
    forms.push("eyJ".to_owned());
    forms
}

fn pipeline(server: &str, hook: SocketAddr) -> String {
    let mut yaml = format!(
        "topics: {{ records: {{}} }}\nconnectors:\n  records: {{ connector: file-source, path: in.txt, topic: records }}\n\
         \x20 hook: {{ connector: webhook-source, topic: hooks, listen: \"{hook}\", auth.type: hmac, hmac.scheme: github, hmac.secrets: [\"${{env:HMAC}}\"] }}\n\
         \x20 proxied: {{ connector: http-source, topic: answers, url: \"http://name.invalid/\", proxy: \"http://{USER}:${{env:PROXY}}@127.0.0.1:1\", max.retries: 0 }}\n"
    );
    for (name, options, query) in WAYS {
        let options: String = options.lines().fold(String::new(), |mut all, line| {
            _ = writeln!(all, "    {}", line.replace("SERVER", server));
            all
        });
        _ = write!(
            yaml,
            "  from-{name}:\n    connector: http-source\n    topic: answers\n    url: \"{server}/echo/401/from-{name}{query}\"\n    max.retries: 0\n{options}\
             \x20 to-{name}:\n    connector: http-sink\n    topics: [records]\n    url: \"{server}/echo/400/to-{name}{query}\"\n    max.retries: 0\n{options}\
             \x20   errors: {{ tolerance: all, deadletterqueue.topic.name: letters, deadletterqueue.context.headers.enable: true, log.enable: true, log.include.messages: true }}\n"
        );
    }
    yaml
}

/// Sends a request and returns the whole answer; empty without one.
fn talk(at: SocketAddr, request: &str) -> String {
    let talk = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(at)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    talk().unwrap_or_default()
}

fn get(at: SocketAddr, path: &str) -> String {
    talk(
        at,
        &format!("GET {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n"),
    )
}

/// Calls the webhook with a wrong signature.
fn call(at: SocketAddr) -> String {
    talk(
        at,
        "POST /post HTTP/1.1\r\nhost: h\r\nconnection: close\r\nx-hub-signature-256: sha256=00\r\ncontent-length: 2\r\n\r\n{}",
    )
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// Name and content of every file below a folder.
fn files(folder: &Path, found: &mut Outputs) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// What a command of the program prints, on both streams.
fn printed(command: &mut Command) -> Vec<u8> {
    let ran = run(command);
    format!("{}{}", ran.stdout, ran.stderr).into_bytes()
}

/// Returns a command with the canaries in its environment.
fn with(arguments: &[&str]) -> Command {
    let mut command = linkspan(arguments);
    command.envs(CANARIES.map(|name| (name, canary(name))));
    command
}

fn letters(data: &Path) -> String {
    let mut command = with(&[
        "consume", "letters", "--from", "earliest", "--exit", "-o", "json", "--data",
    ]);
    let asked = command.arg(data).output().unwrap();
    String::from_utf8_lossy(&asked.stdout).into_owned()
}

/// What the running host answers and says of itself.
fn told(rest: SocketAddr, yaml: &Path, data: &Path) -> Outputs {
    let mut paths = vec![
        "/api/v1/fleet".to_owned(),
        "/api/v1/connectors".to_owned(),
        "/connectors?expand=status&expand=info".to_owned(),
    ];
    for (name, ..) in WAYS {
        for side in ["from", "to"] {
            let parts = ["", "/config", "/status", "/tasks", "/offsets"];
            paths.extend(parts.map(|part| format!("/connectors/{side}-{name}{part}")));
        }
    }
    let answer = |path: String| (get(rest, &path).into_bytes(), path);
    let mut outputs: Outputs = paths
        .into_iter()
        .map(answer)
        .map(|(bytes, path)| (path, bytes))
        .collect();
    outputs.push(("dead letters".to_owned(), letters(data).into_bytes()));
    for command in [
        &["describe", "from-basic"][..],
        &["describe", "to-apikey"],
        &["status"],
    ] {
        let bytes = printed(with(command).arg("--data").arg(data));
        outputs.push((command.join(" "), bytes));
    }
    let shown = printed(with(&["config", "show", "--origin"]).arg(yaml));
    outputs.push(("config show".to_owned(), shown));
    outputs
}

/// Fails where a canary is in one of the outputs.
fn search(outputs: &Outputs) {
    for form in forms() {
        for (name, bytes) in outputs {
            let at = bytes
                .windows(form.len())
                .position(|window| window == form.as_bytes());
            if let Some(at) = at {
                let around = &bytes[at.saturating_sub(300)..(at + 100).min(bytes.len())];
                panic!(
                    "`{form}` is in {name}: …{}…",
                    String::from_utf8_lossy(around)
                );
            }
        }
    }
}

#[test]
fn secrets_are_in_no_output_and_in_no_file() {
    let (server, _) = serve("127.0.0.1:0", 0).unwrap();
    let scratch = Scratch::new();
    scratch.write("in.txt", format!("{VALUE}\n"));
    let (rest, hook) = (free(), free());
    let yaml = scratch.write("pipeline.yaml", pipeline(&format!("http://{server}"), hook));
    let data = scratch.path("linkspan-data");
    let (out, err) = (scratch.path("stdout"), scratch.path("stderr"));
    let mut host = start(
        with(&["run", "--listen", &rest.to_string()])
            .env("LINKSPAN_LOG", "debug")
            .arg(&yaml),
        &out,
        &err,
    );
    // Each source fails with what it was answered; each sink's record is a dead letter, but for the token that is not to be had.
    let done = eventually(LIMIT, || {
        let failed =
            |name: &str| get(rest, &format!("/connectors/{name}/status")).contains("FAILED");
        WAYS.iter()
            .all(|(name, ..)| failed(&format!("from-{name}")))
            && failed("proxied")
            && letters(&data).lines().count() >= WAYS.len() - 1
            && call(hook).starts_with("HTTP/1.1 401")
    });
    let said = || fs::read_to_string(&err).unwrap();
    assert!(
        done,
        "{}\n{}\n{}",
        get(rest, "/api/v1/fleet"),
        letters(&data),
        said()
    );
    let mut outputs = told(rest, &yaml, &data);
    outputs.push(("webhook".to_owned(), call(hook).into_bytes()));
    let stopped = Command::new("kill")
        .args(["-TERM", &host.id().to_string()])
        .status()
        .unwrap();
    assert!(stopped.success());
    wait(&mut host, Duration::from_secs(60)).expect("the host stops");
    for (name, path) in [("stdout", &out), ("stderr", &err)] {
        outputs.push((name.to_owned(), fs::read(path).unwrap()));
    }
    files(&data, &mut outputs);
    // The search sees what may be seen.
    for text in [
        "/echo/401/from-basic",
        "/echo/400/to-bearer",
        "/echo/400/refresh",
        VALUE,
        "x-key",
    ] {
        let found = outputs.iter().filter(|(_, bytes)| holds(bytes, text));
        let found: Vec<&String> = found.map(|(name, _)| name).collect();
        assert!(found.len() > 1, "`{text}` is in {found:?} only");
    }
    search(&outputs);
}

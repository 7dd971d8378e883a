//! A host with users behind TLS, and curl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Scratch, eventually, linkspan, run, start};

const SOON: Duration = Duration::from_secs(60);

/// Passwords and tokens of the test's users; they come from the environment, as in configs/host/secured.yaml.
pub(super) const ADMIN: &str = "anna:canary-admin-password";
pub(super) const OPERATOR: &str = "otto:canary-operator-password";
pub(super) const VIEWER: &str = "vera:canary-viewer-password";
pub(super) const TOKEN: &str = "canary-metrics-token-1";

const USERS: &str = "  users:
    anna: { role: admin, password: \"${env:ADMIN_PASSWORD}\" }
    otto: { role: operator, password: \"${env:OPERATOR_PASSWORD}\" }
    vera: { role: viewer, password: \"${env:VIEWER_PASSWORD}\" }
  tokens:
    prometheus: { role: viewer, token: \"${env:METRICS_TOKEN}\" }
";

/// Writes a fresh certificate for localhost and its key.
pub(super) fn certificate(scratch: &Scratch, cert: &str, key: &str) {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    scratch.write(cert, made.cert.pem());
    scratch.write(key, made.signing_key.serialize_pem());
}

/// A running host; it has the topic `lines` and the connector `in`.
pub(super) struct Host {
    pub(super) scratch: Scratch,
    child: Child,
    /// `https://localhost:PORT`
    pub(super) url: String,
    secure: bool,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Host {
    /// With users, a token and TLS.
    pub(super) fn secured() -> Self {
        let scratch = Scratch::new();
        certificate(&scratch, "hub.pem", "hub.key");
        let host = format!(
            "  listen:\n    address: 127.0.0.1:0\n    names: [hub.example.org]\n    tls: {{ cert: hub.pem, key: hub.key }}\n{USERS}"
        );
        Self::start(scratch, &host, true, ADMIN)
    }

    /// With neither.
    pub(super) fn open() -> Self {
        Self::with(Scratch::new(), "  listen: 127.0.0.1:0\n", "")
    }

    /// With these settings of the host, without TLS.
    pub(super) fn with(scratch: Scratch, host: &str, admin: &str) -> Self {
        Self::start(scratch, host, false, admin)
    }

    fn start(scratch: Scratch, host: &str, secure: bool, admin: &str) -> Self {
        scratch.write("in.txt", "canary-value-1\nsecond\n");
        scratch.write(
            "hub.yaml",
            format!(
                "host:\n{host}connectors:\n  in: {{ connector: file-source, path: in.txt, topic: lines }}\n"
            ),
        );
        let (child, url) = run_host(&scratch, secure);
        let host = Self {
            scratch,
            child,
            url,
            secure,
        };
        let read = || {
            host.curl(admin, &["/api/v1/topics/lines"])
                .1
                .contains("\"high_watermark\":2")
        };
        assert!(eventually(SOON, read), "{}", host.said());
        host
    }

    /// Kills it as a crash would.
    pub(super) fn kill(&mut self) {
        // It is the test's own; it may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Starts it again on the same data.
    pub(super) fn restart(&mut self) {
        self.kill();
        let (child, url) = run_host(&self.scratch, self.secure);
        (self.child, self.url) = (child, url);
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed.
    pub(super) fn said(&self) -> String {
        self.scratch.read("err.txt")
    }

    pub(super) fn cert(&self) -> PathBuf {
        self.scratch.path("hub.pem")
    }

    /// Asks with curl: the credentials (`user:password`, a token, or nothing), then curl's own arguments and the path. Status and
    /// body.
    pub(super) fn curl(&self, who: &str, arguments: &[&str]) -> (u16, String) {
        let (status, _, body) = self.curl_all(who, arguments);
        (status, body)
    }

    /// As [`Self::curl`], with the head of the answer.
    pub(super) fn curl_all(&self, who: &str, arguments: &[&str]) -> (u16, String, String) {
        let (path, more) = arguments.split_last().unwrap();
        let out = Scratch::new();
        let head = out.path("head");
        let mut command = curl(&self.cert(), self.secure);
        command.args(["-w", "\n%{http_code}", "-D"]).arg(&head);
        match who {
            "" => {}
            pair if pair.contains(':') => drop(command.args(["-u", pair])),
            token => drop(command.args(["-H", &format!("Authorization: Bearer {token}")])),
        }
        let ran = run(command.args(more).arg(format!("{}{path}", self.url)));
        let (body, status) = ran.stdout.rsplit_once('\n').unwrap_or_default();
        let head = fs::read_to_string(head).unwrap_or_default();
        (status.parse().unwrap_or(0), head, body.to_owned())
    }

    /// Asks for JSON as the admin.
    pub(super) fn json(&self, path: &str) -> Value {
        let (status, body) = self.curl(ADMIN, &[path]);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

pub(super) fn curl(cert: &Path, secure: bool) -> Command {
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "60"]);
    if secure {
        command.arg("--cacert").arg(cert);
    }
    command
}

fn run_host(scratch: &Scratch, secure: bool) -> (Child, String) {
    let (out, err) = (scratch.path("out.txt"), scratch.path("err.txt"));
    let mut command = linkspan(&["run"]);
    let secret = |pair: &str| pair.split_once(':').unwrap().1.to_owned();
    command
        .arg(scratch.path("hub.yaml"))
        .env("LINKSPAN_LOG", "trace")
        .env("ADMIN_PASSWORD", secret(ADMIN))
        .env("OPERATOR_PASSWORD", secret(OPERATOR))
        .env("VIEWER_PASSWORD", secret(VIEWER))
        .env("METRICS_TOKEN", TOKEN);
    let child = start(&mut command, &out, &err);
    let begins = if secure {
        "REST on https://127.0.0.1:"
    } else {
        "REST on http://127.0.0.1:"
    };
    let mut port = String::new();
    let listens = || {
        let text = fs::read_to_string(&err).unwrap_or_default();
        let found = text
            .split_once(begins)
            .and_then(|(_, rest)| rest.split_once('\n'));
        if let Some((found, _)) = found {
            port = found.trim().to_owned();
        }
        !port.is_empty()
    };
    let begun = eventually(SOON, listens);
    assert!(begun, "{}", fs::read_to_string(&err).unwrap_or_default());
    let scheme = if secure { "https" } else { "http" };
    (child, format!("{scheme}://localhost:{port}"))
}

//! A host of the test's own, and what must happen around its requests.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Answer, ask};
use crate::line::Line;

/// How long a host may take to say where it listens.
const START_WITHIN: Duration = Duration::from_secs(60);

/// The longest wait before a request: some were recorded with a minute and more, for a cluster's sake.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// One running host.
#[derive(Debug)]
pub(crate) struct Host {
    child: Child,
    address: SocketAddr,
    /// Files of the connectors.
    files: TempDir,
    _data: TempDir,
}

impl Drop for Host {
    fn drop(&mut self) {
        // It is the test's own and nothing of it is kept.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Host {
    pub(crate) fn start() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_linkspan"))
            .args(["run", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path().join("data"))
            .current_dir(data.path())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the host starts");
        let stderr = child.stderr.take().expect("a pipe");
        let (found, address) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("REST on http://") {
                    // Nobody listens any more once the first one is there.
                    drop(found.send(rest.trim().to_owned()));
                }
            }
        });
        let address = address
            .recv_timeout(START_WITHIN)
            .expect("the host says where it listens")
            .parse()
            .expect("an address");
        let host = Self {
            child,
            address,
            files: tempfile::tempdir().expect("a folder"),
            _data: data,
        };
        let health =
            serde_json::json!({"do": "wait", "path": "/health", "until": {"/status": "healthy"}});
        assert!(host.act(&health), "the host does not become healthy");
        host
    }

    fn expand(&self, text: &str) -> String {
        let mut text = text
            .replace("${TMP}", &self.files.path().display().to_string())
            .replace("${WORKER}", &self.address.to_string());
        while let Some(start) = text.find("${FILL:") {
            let end = text[start..].find('}').expect("the end of a filler") + start;
            let filler = text[start + 7..end].to_owned();
            let (unit, times) = filler.rsplit_once(':').expect("a filler");
            let times = times.parse().expect("a number");
            text.replace_range(start..=end, &unit.repeat(times));
        }
        text
    }

    /// The other way round, so that answers compare.
    fn contract(&self, text: &str) -> String {
        let text = text
            .replace(&self.files.path().display().to_string(), "${TMP}")
            .replace(&self.address.to_string(), "${WORKER}");
        fillers(&text)
    }

    pub(crate) fn ask(&self, line: &Line) -> std::io::Result<Answer> {
        let headers: Vec<(String, String)> = line
            .headers
            .iter()
            .flatten()
            .map(|(name, value)| (name.clone(), self.expand(value)))
            .collect();
        let body = match (&line.body_b64, &line.body) {
            (Some(bytes), _) => Some(
                base64::engine::general_purpose::STANDARD
                    .decode(bytes)
                    .expect("base64"),
            ),
            (None, Some(text)) => Some(self.expand(text).into_bytes()),
            (None, None) => None,
        };
        let path = self.expand(&line.path);
        let answer = ask(self.address, &line.method, &path, &headers, body.as_deref())?;
        Ok(Answer {
            status: answer.status,
            headers: answer
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), self.contract(value)))
                .collect(),
            body: self
                .contract(&String::from_utf8_lossy(&answer.body))
                .into_bytes(),
        })
    }

    fn get(&self, path: &str) -> Option<Answer> {
        ask(self.address, "GET", path, &[], None).ok()
    }

    /// Does what must happen before a request; false: a wait was in vain.
    pub(crate) fn act(&self, act: &Value) -> bool {
        let text = |key: &str| self.expand(act[key].as_str().unwrap_or_default());
        match act["do"].as_str().unwrap_or_default() {
            "sleep" => std::thread::sleep(Duration::from_millis(act["ms"].as_u64().unwrap_or(0))),
            "write" | "append" => {
                let path = std::path::PathBuf::from(text("path"));
                std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                let old = if act["do"] == "append" {
                    std::fs::read(&path).unwrap_or_default()
                } else {
                    Vec::new()
                };
                std::fs::write(&path, [old, text("text").into_bytes()].concat()).expect("a file");
            }
            "mkdir" => std::fs::create_dir_all(text("path")).expect("a folder"),
            "rm" => {
                let path = std::path::PathBuf::from(text("path"));
                // Gone already is fine.
                if path.is_dir() {
                    drop(std::fs::remove_dir_all(path));
                } else {
                    drop(std::fs::remove_file(path));
                }
            }
            "wait" => return self.wait(act, &text("path")),
            other => panic!("an act that nobody knows: {other}"),
        }
        true
    }

    fn wait(&self, act: &Value, path: &str) -> bool {
        let limit =
            Duration::from_millis(act["timeout_ms"].as_u64().unwrap_or(20_000)).min(WAIT_MAX);
        let pause = Duration::from_millis(act["every_ms"].as_u64().unwrap_or(150).min(50));
        let status = act["status"].as_u64().unwrap_or(200);
        let end = Instant::now() + limit;
        loop {
            if let Some(answer) = self.get(path)
                && u64::from(answer.status) == status
            {
                let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                if holds(&body, &act["until"]) {
                    return true;
                }
            }
            if Instant::now() > end {
                return false;
            }
            std::thread::sleep(pause);
        }
    }

    /// No connectors between scenarios.
    pub(crate) fn clean(&self) {
        let end = Instant::now() + Duration::from_secs(25);
        while Instant::now() < end {
            let names: Vec<String> = self
                .get("/connectors")
                .and_then(|answer| serde_json::from_slice(&answer.body).ok())
                .unwrap_or_default();
            if names.is_empty() {
                return;
            }
            for name in names {
                let encoded: String = name
                    .bytes()
                    .map(|byte| {
                        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                            char::from(byte).to_string()
                        } else {
                            format!("%{byte:02X}")
                        }
                    })
                    .collect();
                // What cannot be deleted is seen in the next round.
                drop(ask(
                    self.address,
                    "DELETE",
                    &format!("/connectors/{encoded}"),
                    &[],
                    None,
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Long runs of one letter as they were recorded.
fn fillers(text: &str) -> String {
    const SHORTEST: usize = 200;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|other| other != first).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let times = run.chars().count();
        if first.is_ascii_alphabetic() && times >= SHORTEST {
            out.push_str(&format!("${{FILL:{first}:{times}}}"));
        } else {
            out.push_str(run);
        }
        rest = after;
    }
    out
}

fn holds(document: &Value, until: &Value) -> bool {
    let Some(until) = until.as_object() else {
        return true;
    };
    until.iter().all(|(pointer, wanted)| {
        let got = document.pointer(pointer);
        let Some(rules) = wanted.as_object() else {
            return got == Some(wanted);
        };
        let length = got.map(|got| {
            got.as_array()
                .map_or_else(|| got.as_object().map_or(0, serde_json::Map::len), Vec::len)
                as u64
        });
        rules.iter().all(|(rule, value)| match rule.as_str() {
            "exists" => Some(got.is_some()) == value.as_bool(),
            "len" => length.is_some() && length == value.as_u64(),
            "minlen" => length >= value.as_u64() && length.is_some(),
            "min" => got.and_then(Value::as_f64) >= value.as_f64() && got.is_some(),
            _ => false,
        })
    })
}

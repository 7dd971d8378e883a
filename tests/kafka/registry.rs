//! A real schema registry, Apicurio in its Confluent-compatible form, and a Java client with its serde.

use std::env;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::broker::{free_port, java};
use crate::support::{Ran, eventually, repository, run, skip_outside_ci};

/// How long the registry may take to answer.
const START_LIMIT: Duration = Duration::from_secs(180);

/// A registry that runs.
pub(crate) struct Registry {
    address: String,
    _folder: TempDir,
    /// As the broker's.
    _guard: Child,
}

/// Returns the registry of this process, or notes that `what` was skipped.
pub(crate) fn registry(what: &str) -> Option<&'static Registry> {
    static REGISTRY: OnceLock<Result<Registry, String>> = OnceLock::new();
    match REGISTRY.get_or_init(Registry::start) {
        Ok(registry) => Some(registry),
        Err(why) => {
            skip_outside_ci(what, why);
            None
        }
    }
}

fn folder(variable: &str) -> Result<PathBuf, String> {
    let named = env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_dir());
    named.ok_or_else(|| format!("{variable} names no folder, see tests/run --install"))
}

impl Registry {
    fn start() -> Result<Self, String> {
        let home = folder("APICURIO_HOME")?;
        let files = fs::read_dir(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        let runner = files
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().ends_with("-runner.jar"));
        let runner = runner.ok_or_else(|| format!("{} has no runner jar", home.display()))?;
        let folder = tempfile::Builder::new()
            .prefix("linkspan-registry-")
            .tempdir()
            .unwrap();
        let port = free_port();
        let log = File::create(folder.path().join("server.log")).unwrap();
        let mut guard = Command::new("sh");
        guard
            .args([
                "-c",
                "\"$@\" & server=$!; cat >/dev/null; kill -9 $server; wait $server",
                "guard",
            ])
            .args([
                "java",
                "-Xmx384m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
            ])
            .args([
                "-Dquarkus.http.host=127.0.0.1".to_owned(),
                format!("-Dquarkus.http.port={port}"),
            ])
            .arg("-jar")
            .arg(runner)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let registry = Self {
            address: format!("127.0.0.1:{port}"),
            _guard: guard.spawn().unwrap(),
            _folder: folder,
        };
        let answers = eventually(START_LIMIT, || {
            registry
                .get("/apis/ccompat/v7/subjects")
                .is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
        });
        assert!(answers, "the registry does not answer");
        Ok(registry)
    }

    /// Where a Confluent client finds it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/apis/ccompat/v7", self.address)
    }

    /// Puts a counter of requests before it; returns where that listens, and the count.
    ///
    /// It passes bytes on and closes after each answer, so each connection is one request. It ends with the process.
    pub(crate) fn counted(&self) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/apis/ccompat/v7", listener.local_addr().unwrap());
        let (count, address) = (Arc::new(AtomicUsize::new(0)), self.address.clone());
        let counter = Arc::clone(&count);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (address, counter) = (address.clone(), Arc::clone(&counter));
                // A client that goes away ends its own connection only.
                thread::spawn(move || pass_on(stream.ok()?, &address, &counter));
            }
        });
        (url, count)
    }

    fn get(&self, path: &str) -> Option<String> {
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        ))
    }

    /// The subjects that it has, as JSON.
    pub(crate) fn subjects(&self) -> String {
        self.get("/apis/ccompat/v7/subjects").unwrap()
    }

    /// How many versions a subject has.
    pub(crate) fn versions(&self, subject: &str) -> usize {
        let answer = self
            .get(&format!("/apis/ccompat/v7/subjects/{subject}/versions"))
            .unwrap();
        let (_, list) = answer.rsplit_once('[').unwrap();
        let list = list.split_once(']').unwrap().0;
        list.split(',').filter(|one| !one.trim().is_empty()).count()
    }

    /// The text and the type of the schema with an id.
    pub(crate) fn schema(&self, id: i32) -> (String, String) {
        let answer = self.get(&format!("/apis/ccompat/v7/schemas/ids/{id}"));
        let answer = body(&answer.unwrap());
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        (text("schema"), text("schemaType"))
    }

    /// Registers a schema under a subject, with the subjects (in their version 1) that it refers to by name; returns its id.
    pub(crate) fn register(
        &self,
        subject: &str,
        schema_type: &str,
        schema: &str,
        references: &[(&str, &str)],
    ) -> i32 {
        let references: Vec<Value> = references
            .iter()
            .map(|(name, subject)| json!({"name": name, "subject": subject, "version": 1}))
            .collect();
        let request =
            json!({"schema": schema, "schemaType": schema_type, "references": references});
        let answer = self.send_json("POST", &format!("subjects/{subject}/versions"), &request);
        let answer = body(&answer.unwrap());
        i32::try_from(answer["id"].as_i64().unwrap_or_else(|| panic!("{answer}"))).unwrap()
    }

    fn send_json(&self, method: &str, path: &str, body: &Value) -> Option<String> {
        let body = body.to_string();
        self.send(&format!(
            "{method} /apis/ccompat/v7/{path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        ))
    }

    /// Sets how compatible new versions of a subject have to be.
    pub(crate) fn compatibility(&self, subject: &str, level: &str) {
        let answer = self.send_json(
            "PUT",
            &format!("config/{subject}"),
            &json!({ "compatibility": level }),
        );
        assert!(
            answer
                .as_deref()
                .is_some_and(|answer| answer.starts_with("HTTP/1.1 200")),
            "{answer:?}"
        );
    }

    fn send(&self, request: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Runs the Java client; `None` where its jars are missing, which is noted.
    pub(crate) fn peer(&self, what: &str, broker: &str, arguments: &[&str]) -> Option<Ran> {
        let libraries = match folder("APICURIO_SERDE_LIBS") {
            Ok(libraries) => libraries,
            Err(why) => {
                skip_outside_ci(what, &why);
                return None;
            }
        };
        let mut command = java(&libraries, "-Xmx384m");
        command.arg(repository().join("tests/fixtures/kafka/AvroPeer.java"));
        let (mode, rest) = arguments.split_first().unwrap();
        command
            .args([
                *mode,
                broker,
                &format!("http://{}/apis/registry/v2", self.address),
            ])
            .args(rest);
        Some(run(&mut command).expect_code(0))
    }
}

/// The JSON of an answer: from its first brace to its last, whatever the transfer puts around it.
fn body(answer: &str) -> Value {
    let json = answer.split_once("\r\n\r\n").and_then(|(_, rest)| {
        let (from, to) = (rest.find('{')?, rest.rfind('}')?);
        serde_json::from_str(rest.get(from..=to)?).ok()
    });
    json.unwrap_or_else(|| panic!("no JSON in {answer}"))
}

/// Passes one request and its answer on; the `Connection` header makes it the only one.
fn pass_on(mut client: TcpStream, address: &str, counter: &AtomicUsize) -> Option<()> {
    let mut request = Vec::new();
    let mut block = [0; 4096];
    let head = loop {
        let end = request.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            break end;
        }
        match client.read(&mut block).ok()? {
            0 => return None,
            length => request.extend_from_slice(&block[..length]),
        }
    };
    counter.fetch_add(1, Ordering::SeqCst);
    let text = String::from_utf8_lossy(&request[..head]).into_owned();
    let lines = text.lines().filter(|line| {
        let line = line.to_ascii_lowercase();
        !line.starts_with("connection:")
    });
    let body = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let named = name.eq_ignore_ascii_case("content-length");
        named.then(|| value.trim().parse::<usize>().unwrap())
    });
    while request.len() < head + 4 + body.unwrap_or(0) {
        match client.read(&mut block).ok()? {
            0 => return None,
            length => request.extend_from_slice(&block[..length]),
        }
    }
    let mut server = TcpStream::connect(address).ok()?;
    let lines: Vec<&str> = lines.collect();
    let sent = format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"));
    server.write_all(sent.as_bytes()).ok()?;
    server.write_all(&request[head + 4..]).ok()?;
    std::io::copy(&mut server, &mut client).ok().map(|_| ())
}

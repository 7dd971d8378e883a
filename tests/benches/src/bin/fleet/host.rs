//! A host under measurement: its process, and what its listener answers.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// Longest wait for anything that a host is to reach.
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// What `/proc` counts processor time in, a second.
const TICKS: f64 = 100.0;

/// A folder that is removed with what is in it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("linkspan-fleet-{}-{number}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A running host, killed when this is dropped.
pub(crate) struct Host {
    child: Child,
    folder: Folder,
    base: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    started: Instant,
}

impl Host {
    /// Starts a lasting run of a pipeline, with a listener on a port that was free.
    pub(crate) fn start(
        binary: &Path,
        folder: Folder,
        yaml: &str,
        plugins: Option<&Path>,
    ) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let path = folder.0.join("pipeline.yaml");
        fs::write(&path, yaml)?;
        let mut command = Command::new(binary);
        command.args(["run", "--listen", &address.to_string()]);
        if let Some(plugins) = plugins {
            command.arg("--plugin-path").arg(plugins);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let log = File::create(folder.0.join("log"))?;
        let started = Instant::now();
        let child = command
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Self {
            child,
            folder,
            base: format!("http://{address}"),
            client,
            runtime,
            started,
        })
    }

    /// Returns the time since the start.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns the answer to a GET, read to its end.
    pub(crate) fn get(&self, path: &str) -> Result<Vec<u8>> {
        self.runtime.block_on(async {
            let url = format!("{}{path}", self.base);
            let answer = self.client.get(url).send().await?.error_for_status()?;
            Ok(answer.bytes().await?.to_vec())
        })
    }

    /// Starts a server in this process that answers these bytes to everything; returns its address.
    pub(crate) fn bare(&self, answer: Vec<u8>) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let answer = bytes::Bytes::from(answer);
        let app = axum::Router::new().fallback(move || {
            let answer = answer.clone();
            async move { ([("content-type", "application/json")], answer) }
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        // It serves until the program ends, on threads of its own like the host.
        std::thread::spawn(move || {
            runtime.block_on(async move {
                if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                    drop(axum::serve(listener, app).await);
                }
            });
        });
        Ok(format!("http://{address}/"))
    }

    /// Returns the answer to a GET to any server, read to its end.
    pub(crate) fn get_at(&self, url: &str) -> Result<Vec<u8>> {
        self.runtime.block_on(async {
            let answer = self.client.get(url).send().await?.error_for_status()?;
            Ok(answer.bytes().await?.to_vec())
        })
    }

    pub(crate) fn json(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.get(path)?)?)
    }

    /// Gives a command to a connector.
    pub(crate) fn command(&self, name: &str, command: &str) -> Result<()> {
        self.runtime.block_on(async {
            let url = format!("{}/api/v1/connectors/{name}/{command}", self.base);
            self.client.put(url).send().await?.error_for_status()?;
            Ok(())
        })
    }

    /// Waits until `reached` says so; returns the time since the start of the host.
    pub(crate) fn until(
        &mut self,
        what: &str,
        mut reached: impl FnMut(&Self) -> Result<bool>,
    ) -> Result<Duration> {
        let begin = Instant::now();
        loop {
            // The listener may not be there yet.
            if reached(self).unwrap_or(false) {
                return Ok(self.age());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the host ended with {status}:\n{}", self.log());
            }
            ensure!(begin.elapsed() < PATIENCE, "not {what}:\n{}", self.log());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Returns resident memory in MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1024.0)
    }

    /// Returns how many threads it has.
    pub(crate) fn threads(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/task", self.child.id()))?.count())
    }

    /// Returns the seconds of processor time that it has used.
    pub(crate) fn processor_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name before it is in parentheses; user and system time are the 14th and 15th field.
        let (_, fields) = stat.rsplit_once(") ").context("no name in stat")?;
        let ticks: Vec<f64> = fields
            .split(' ')
            .skip(11)
            .take(2)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Ok(ticks.iter().sum::<f64>() / TICKS)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.0.join("log")).unwrap_or_default()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

//! A data directory in both of its states: stopped, and held by a running host. Commands must answer the same.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use crate::pipeline::Pipeline;
use crate::support::{Ran, eventually, linkspan, run, start, wait};

const SOON: Duration = Duration::from_secs(60);

/// A data directory with the topic `lines` of one record.
pub(crate) struct Place {
    pub(crate) pipeline: Rc<Pipeline>,
    pub(crate) data: PathBuf,
    host: Option<Child>,
}

impl Place {
    pub(crate) fn stopped() -> Self {
        let pipeline = Rc::new(Pipeline::new(&[], &[]));
        pipeline.input("first line\n");
        pipeline.run().expect_code(0);
        let data = pipeline.scratch.path("linkspan-data");
        Self {
            pipeline,
            data,
            host: None,
        }
    }

    pub(crate) fn running() -> Self {
        let mut place = Self::stopped();
        place.start_host();
        place
    }

    /// Both, one after the other.
    pub(crate) fn both() -> [Self; 2] {
        [Self::stopped(), Self::running()]
    }

    pub(crate) fn start_host(&mut self) {
        let scratch = &self.pipeline.scratch;
        let (out, err) = (scratch.path("host-out.txt"), scratch.path("host-err.txt"));
        let mut command = linkspan(&["run", "--listen", "none"]);
        self.host = Some(start(command.arg(&self.pipeline.yaml), &out, &err));
        let socket = self.data.join("linkspan.sock");
        let answers = || {
            socket.try_exists().unwrap_or(false) && {
                let ran = run(linkspan(&["topic", "list", "--data"]).arg(&self.data));
                ran.status.success()
            }
        };
        let text = || std::fs::read_to_string(&err).unwrap_or_default();
        assert!(eventually(SOON, answers), "{}", text());
    }

    /// Stops the host, if there is one, and waits for its end.
    pub(crate) fn stop(&mut self) {
        if let Some(mut host) = self.host.take() {
            let id = host.id().to_string();
            assert!(
                Command::new("kill")
                    .args(["-TERM", &id])
                    .status()
                    .unwrap()
                    .success()
            );
            assert!(wait(&mut host, SOON).is_some());
        }
    }

    /// Kills the host as a power cut of the process would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut host) = self.host.take() {
            host.kill().unwrap();
            host.wait().unwrap();
        }
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = linkspan(words);
        command.arg("--data").arg(&self.data);
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        run(&mut self.command(words))
    }

    /// Runs a command that must succeed and answer with JSON.
    #[track_caller]
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let mut command = self.command(words);
        let ran = run(command.args(["-o", "json"])).expect_code(0);
        serde_json::from_str(ran.stdout.trim())
            .unwrap_or_else(|error| panic!("{words:?}: {error}: {}", ran.stdout))
    }

    /// The records that `consume` prints.
    #[track_caller]
    pub(crate) fn consume(&self, topic: &str, more: &[&str]) -> Vec<Value> {
        let mut command = self.command(&["consume", topic, "--exit", "-o", "json"]);
        let ran = run(command.args(more)).expect_code(0);
        let lines = ran.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Writes lines into a topic.
    #[track_caller]
    pub(crate) fn produce(&self, topic: &str, lines: &str, more: &[&str]) -> Ran {
        let file = self.pipeline.scratch.write("produce.txt", lines);
        run(self
            .command(&["produce", topic])
            .arg("--file")
            .arg(file)
            .args(more))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The values of records.
pub(crate) fn values(records: &[Value]) -> Vec<&str> {
    let values = records.iter().map(|record| record["value"].as_str());
    values.map(|value| value.unwrap_or("-")).collect()
}

/// Every file below a folder with its bytes.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

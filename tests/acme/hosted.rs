//! A running host in a folder of its own, with `in.txt` and `out.txt`, and the rogue plugin.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Ran, Scratch, eventually, linkspan, run, start, wait};
use crate::workshop::{Compiler, Workshop};

const SOON: Duration = Duration::from_secs(60);

/// The folder of the rogue plugin, built once for all tests.
pub(crate) fn rogue() -> PathBuf {
    static BUILT: OnceLock<(Workshop, PathBuf)> = OnceLock::new();
    let (_, folder) = BUILT.get_or_init(|| {
        let workshop = Workshop::new();
        workshop.copy_plugin("rogue");
        let folder = workshop.build("rogue", &Compiler::current());
        (workshop, folder)
    });
    folder.clone()
}

/// A host that is stopped, by force if need be, when the test ends.
pub(crate) struct Hosted {
    pub(crate) scratch: Scratch,
    child: Option<Child>,
}

impl Hosted {
    pub(crate) fn new(yaml: &str) -> Self {
        let scratch = Scratch::new();
        scratch.write("p.yaml", yaml);
        Self {
            scratch,
            child: None,
        }
    }

    pub(crate) fn start(&mut self, arguments: &[&str]) {
        self.start_at("none", arguments);
    }

    /// Starts it with a REST interface; returns its address.
    pub(crate) fn start_heard(&mut self, arguments: &[&str]) -> String {
        self.start_at("127.0.0.1:0", arguments);
        let said = self.said();
        let at = said
            .lines()
            .find_map(|line| line.split_once("REST on http://"));
        at.expect("it says where it listens").1.trim().to_owned()
    }

    fn start_at(&mut self, listen: &str, arguments: &[&str]) {
        let mut command = linkspan(&["run", "--listen", listen]);
        let child = start(
            command.args(arguments).arg(self.scratch.path("p.yaml")),
            &self.scratch.path("stdout"),
            &self.scratch.path("stderr"),
        );
        let child = self.child.insert(child);
        let mut ended = false;
        let said = || self.scratch.read("stderr");
        let started = eventually(SOON, || {
            ended = child.try_wait().unwrap().is_some();
            ended || said().contains("; Ctrl-C")
        });
        assert!(
            started && !ended,
            "the host does not start: {}",
            self.said()
        );
    }

    pub(crate) fn signal(&mut self, signal: &str) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        let done = Command::new("sh")
            .args(["-c", &format!("kill -{signal} {}", child.id())])
            .status();
        assert!(done.unwrap().success());
        let status = wait(&mut child, SOON).unwrap_or_else(|| panic!("no end: {}", self.said()));
        status.code()
    }

    pub(crate) fn said(&self) -> String {
        self.scratch.read("stderr")
    }

    pub(crate) fn call(&self, arguments: &[&str]) -> Ran {
        let data = self.scratch.path("linkspan-data");
        run(linkspan(arguments).args([
            Path::new("-o"),
            Path::new("json"),
            Path::new("--data"),
            &data,
        ]))
    }

    #[track_caller]
    pub(crate) fn get(&self, arguments: &[&str]) -> Value {
        let ran = self.call(arguments).expect_code(0);
        serde_json::from_str(ran.stdout.trim())
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", ran.stdout))
    }

    #[track_caller]
    pub(crate) fn reaches(&self, name: &str, state: &str, tasks: &[&str]) -> Value {
        let mut last = Value::Null;
        let reached = eventually(SOON, || {
            last = self.get(&["describe", name]);
            let states: Vec<&str> = last["tasks"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|task| task["state"].as_str())
                .collect();
            last["state"] == state && states == tasks
        });
        assert!(
            reached,
            "{name} is not {state} {tasks:?}: {last}\n{}",
            self.said()
        );
        last
    }

    pub(crate) fn append(&self, text: &str) {
        let path = self.scratch.path("in.txt");
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until `out.txt` has so many lines.
    #[track_caller]
    pub(crate) fn writes(&self, lines: usize) {
        let written = || {
            std::fs::read_to_string(self.scratch.path("out.txt"))
                .map_or(0, |text| text.lines().count())
        };
        assert!(
            eventually(SOON, || written() == lines),
            "{} of {lines} lines: {}",
            written(),
            self.said()
        );
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

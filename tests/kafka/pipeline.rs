//! A pipeline of the program under test, in a folder of its own.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Ran, Scratch, linkspan, run, run_once};

pub(crate) struct Pipeline {
    pub(crate) scratch: Scratch,
    yaml: PathBuf,
}

impl Pipeline {
    pub(crate) fn new(yaml: &str) -> Self {
        let scratch = Scratch::new();
        let yaml = scratch.write("pipeline.yaml", yaml);
        Self { scratch, yaml }
    }

    /// Writes another pipeline into the same folder, with the same data.
    pub(crate) fn becomes(&mut self, yaml: &str) {
        self.yaml = self.scratch.write("pipeline.yaml", yaml);
    }

    pub(crate) fn yaml(&self) -> &std::path::Path {
        &self.yaml
    }

    pub(crate) fn run(&self, more: &[&str]) -> Ran {
        run_once(&self.yaml, more)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.scratch.path("linkspan-data")
    }

    /// What `linkspan consume` prints of a topic.
    pub(crate) fn consume(&self, topic: &str) -> Vec<Value> {
        let mut command = linkspan(&[
            "consume", topic, "--exit", "--from", "earliest", "-o", "json", "--data",
        ]);
        let ran = run(command.arg(self.data())).expect_code(0);
        ran.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// A topic's name that no other test uses.
pub(crate) fn name(what: &str) -> String {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    format!("{what}-{}", unique.get(..8).unwrap_or_default())
}

/// The count of records that a summary says of a connector.
pub(crate) fn records(ran: &Ran, connector: &str) -> u64 {
    let summary: Value = serde_json::from_str(ran.stdout.trim())
        .unwrap_or_else(|error| panic!("{error}\n{}\n{}", ran.stdout, ran.stderr));
    let all = summary["connectors"].as_array().unwrap();
    let one = all
        .iter()
        .find(|one| one["name"] == connector)
        .unwrap_or_else(|| panic!("{summary}"));
    one["records"].as_u64().unwrap()
}

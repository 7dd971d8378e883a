//! One recorded request with its answer.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A line of a file.
#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    pub(crate) scenario: String,
    pub(crate) step: u32,
    pub(crate) area: String,
    pub(crate) mode: String,
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(crate) body: Option<String>,
    #[serde(default)]
    pub(crate) body_b64: Option<String>,
    /// What must happen first.
    #[serde(default)]
    pub(crate) before: Vec<Value>,
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) resp_headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) resp: Value,
    #[serde(default)]
    pub(crate) resp_text: Option<String>,
    #[serde(default)]
    pub(crate) empty: bool,
    /// JSON pointers of what changes from run to run.
    #[serde(default)]
    pub(crate) volatile: Vec<String>,
    /// Further keys are fine.
    #[serde(default)]
    pub(crate) open_map: bool,
}

impl Line {
    pub(crate) fn tag(&self) -> String {
        format!(
            "{}#{} {} {}",
            self.scenario, self.step, self.method, self.path
        )
    }

    pub(crate) fn is_volatile(&self, pointer: &str) -> bool {
        self.volatile.iter().any(|known| known == pointer)
            // `tasks` of a new connector: empty in one mode, there at once in the other.
            || (self.status == 201 && pointer == "/tasks")
    }
}

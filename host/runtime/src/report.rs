//! The outcome of a run as scripts read it: the JSON object of `run --once -o json`, also kept in the data directory.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One execution of `linkspan run`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunReport {
    /// UUIDv7 of the run.
    pub run_id: String,
    /// `ok`, `partial` (dead letters or skipped records and no failure) or `failed`.
    pub status: Cow<'static, str>,
    /// RFC 3339 with milliseconds.
    pub started: String,
    /// RFC 3339 with milliseconds.
    pub ended: String,
    /// Wall time.
    pub duration_ms: u64,
    /// Absolute path of the data directory.
    pub data_dir: String,
    /// SHA-256 of the configuration as loaded.
    pub config_sha256: String,
    /// Parameters given to the run.
    pub params: BTreeMap<String, String>,
    /// Sources first, then sinks.
    pub connectors: Vec<ConnectorReport>,
    /// What deserves attention but did not fail the run.
    pub warnings: Vec<WarningReport>,
}

/// One connector's part in a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConnectorReport {
    /// The instance's name.
    pub name: String,
    /// `source` or `sink`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// `COMPLETED`, `FAILED` or `STOPPED`.
    pub state: Cow<'static, str>,
    /// Read by a source, written by a sink.
    pub records: u64,
    /// Left out by transforms.
    pub filtered: u64,
    /// Set aside as dead letters.
    pub dlq: u64,
    /// Bad records left out without a dead letter queue (`errors.tolerance: all`); shown only where there are any.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// Bytes of `records`.
    pub bytes: u64,
    /// Files read or written, where the connector works on files.
    pub files: Vec<FileReport>,
    /// Why it failed.
    pub error: Option<ErrorReport>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A file as a connector reported it, with the checksum that the host computed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FileReport {
    /// Absolute path.
    pub path: String,
    /// SHA-256 of the file's first `bytes` bytes, in hex.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Read or written up to here.
    pub bytes: u64,
    /// Records of this file in this run.
    pub records: u64,
    /// Of these, such as could not be read; shown only where there are any.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rejected: u64,
    /// Sums over the file's records that were checked against its control totals, as decimal numbers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sums: BTreeMap<String, String>,
}

/// A failure as scripts read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorReport {
    /// Stable code.
    pub code: String,
    /// The whole message.
    pub message: String,
}

/// A warning as scripts read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WarningReport {
    /// Stable code.
    pub code: String,
    /// The whole message.
    pub message: String,
}

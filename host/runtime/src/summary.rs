//! Puts the report of a run together, with the checksums of the files it touched.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZero;

use sha2::{Digest, Sha256};

use crate::report::{ConnectorReport, ErrorReport, FileReport};
use crate::supervisor::{Run, Running};
use crate::task::TaskState;

/// Read size when a file is hashed.
const HASH_CHUNK: usize = 256 * 1024;

impl Run {
    /// Returns each connector's part: sources first, in the order of the configuration.
    #[must_use]
    pub fn connector_reports(&self) -> Vec<ConnectorReport> {
        let (sources, sinks): (Vec<_>, Vec<_>) = self
            .connectors
            .iter()
            .partition(|connector| connector.is_source());
        let mut reports: Vec<ConnectorReport> =
            sources.into_iter().chain(sinks).map(report).collect();
        add_checksums(&mut reports);
        reports
    }
}

fn report(connector: &Running) -> ConnectorReport {
    let records = connector.records();
    let error = connector
        .tasks
        .iter()
        .filter(|task| task.state().is_failed() || task.state() == TaskState::Stopped)
        .find_map(|task| task.error())
        .map(|error| ErrorReport {
            code: error.code.to_owned(),
            message: error.message,
        });
    let state = if connector.failed() {
        "FAILED"
    } else if connector.waiting.is_none()
        && connector
            .tasks
            .iter()
            .all(|task| task.state() == TaskState::Completed)
    {
        "COMPLETED"
    } else {
        "STOPPED"
    };
    let files = connector
        .tasks
        .iter()
        .flat_map(|task| task.files())
        .collect();
    ConnectorReport {
        name: connector.spec.name.clone(),
        kind: connector.kind_word().into(),
        state: state.into(),
        records,
        filtered: connector.filtered(),
        dlq: connector.dead_letters(),
        skipped: connector.skipped(),
        bytes: connector.bytes(),
        files,
        error,
    }
}

/// Hashes all files, on as many threads as there are processors.
fn add_checksums(reports: &mut [ConnectorReport]) {
    let mut files: Vec<&mut FileReport> = reports
        .iter_mut()
        .flat_map(|report| &mut report.files)
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = files.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        for share in files.chunks_mut(share) {
            scope.spawn(|| share.iter_mut().for_each(|file| add_checksum(file)));
        }
    });
}

fn add_checksum(file: &mut FileReport) {
    // A connector that puts files away has told the checksum of what is not there any more.
    if file.sha256.is_some() {
        return;
    }
    file.sha256 = hash_prefix(&file.path, file.bytes)
        .inspect_err(|error| tracing::warn!(path = file.path, %error, "the file could not be read again for its checksum"))
        .ok();
}

/// SHA-256 of the first `length` bytes, in hex.
fn hash_prefix(path: &str, length: u64) -> io::Result<String> {
    let mut reader = File::open(path)?.take(length);
    let mut hash = Sha256::new();
    let mut chunk = vec![0; HASH_CHUNK];
    loop {
        let read = reader.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        hash.update(bytes);
    }
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

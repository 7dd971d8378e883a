//! The identity of the log, for connectors that name something outside after it: two data directories never share one.
//!
//! Stored when it is first asked for, as `log-id` in [`Store::Meta`]; a restored backup or a copy keeps it, as it keeps positions.

use std::sync::{Mutex, PoisonError};

use linkspan_log::{Commit, KvPut, LogBackend, Store};
use linkspan_types::OwnerId;

use crate::error::TaskError;

const KEY: &[u8] = b"log-id";
/// Who writes it; no connector can have this name.
const OWNER: &str = "/log-id";

/// Held while an id is made, so that two who ask first get the same one.
static MAKING: Mutex<()> = Mutex::new(());

/// Returns the log's id, 32 hexadecimal digits. The first call ever writes it, and waits until it is durable.
///
/// # Errors
/// The log cannot be read or written.
pub fn log_id(log: &dyn LogBackend) -> Result<String, TaskError> {
    let _one = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(id) = stored(log)? {
        return Ok(id);
    }
    let id = uuid::Uuid::new_v4().simple().to_string();
    let put = KvPut {
        store: Store::Meta,
        key: KEY.into(),
        value: Some(id.clone().into_bytes().into()),
    };
    let commit = Commit {
        appends: Vec::new(),
        puts: vec![put],
    };
    let producer = log.open_producer(&OwnerId::from(OWNER))?;
    producer.submit(commit)?.wait()?;
    Ok(id)
}

fn stored(log: &dyn LogBackend) -> Result<Option<String>, TaskError> {
    let Some(bytes) = log.get(Store::Meta, KEY)? else {
        return Ok(None);
    };
    String::from_utf8(bytes.to_vec())
        .map(Some)
        .map_err(|_| TaskError::data("the stored id of the log is not UTF-8"))
}

#[cfg(test)]
mod tests;

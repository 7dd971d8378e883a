//! The records of runs: one file of JSON for each, in `DATA/runs`.
//!
//! ```text
//! ID.running   a run that works, or that died: written when it starts
//! ID.json      a run that has ended: the summary, and what it was asked
//! ```
//!
//! Ids are UUIDv7, so that names sort by time. A host that opens the directory turns what is left of `.running` into
//! records of lost runs: it holds the lock, so nobody else can be at work.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::exit::{Exit, Failure};

/// Folder in the data directory.
const FOLDER: &str = "runs";
/// The most records that are kept; a new one beyond removes the oldest.
const RECORDS_MAX: usize = 10_000;
/// The most bytes of one record that are read.
const RECORD_BYTES_MAX: u64 = 64 << 20;
const ENDED: &str = "json";
const WORKING: &str = "running";

/// Notes that a run begins.
pub(crate) fn begin(data: &Path, id: &str, record: &Value) -> io::Result<()> {
    write(data, id, WORKING, record)
}

/// Keeps the record of a run that has ended.
pub(crate) fn keep(data: &Path, id: &str, record: &Value) -> io::Result<()> {
    write(data, id, ENDED, record)?;
    forget_working(data, id)?;
    prune(data, RECORDS_MAX)
}

fn forget_working(data: &Path, id: &str) -> io::Result<()> {
    match std::fs::remove_file(file(data, id, WORKING)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write(data: &Path, id: &str, ending: &str, record: &Value) -> io::Result<()> {
    let folder = data.join(FOLDER);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)?;
    let partial = folder.join(format!("{id}.{ending}.partial"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)?;
    file.write_all(&serde_json::to_vec_pretty(record)?)?;
    file.sync_all()?;
    std::fs::rename(&partial, folder.join(format!("{id}.{ending}")))
}

fn file(data: &Path, id: &str, ending: &str) -> PathBuf {
    data.join(FOLDER).join(format!("{id}.{ending}"))
}

/// Turns the runs that died into records that say so. Only for the process that holds the data directory, before its own runs.
pub(crate) fn settle_lost(data: &Path) -> io::Result<()> {
    for (id, ending) in names(data)? {
        if ending != WORKING {
            continue;
        }
        let mut record =
            read(&file(data, &id, WORKING)).unwrap_or_else(|_| json!({ "run_id": id }));
        lost(&mut record);
        keep(data, &id, &record)?;
    }
    Ok(())
}

fn lost(record: &mut Value) {
    if let Some(record) = record.as_object_mut() {
        record.insert("status".to_owned(), "lost".into());
        record.insert(
            "error".to_owned(),
            json!({ "code": "LS0415", "message": "the process ended before the run did; the next run goes on from what was acknowledged" }),
        );
    }
}

/// Ids and endings, the latest first.
fn names(data: &Path) -> io::Result<Vec<(String, &'static str)>> {
    let entries = match std::fs::read_dir(data.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        for ending in [ENDED, WORKING] {
            if let Some(id) = name
                .strip_suffix(ending)
                .and_then(|id| id.strip_suffix('.'))
                .filter(|id| !id.contains('.'))
            {
                names.push((id.to_owned(), ending));
            }
        }
    }
    // A run that is just ending may be there twice; the record of its end counts.
    names.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    names.dedup_by(|second, first| second.0 == first.0);
    Ok(names)
}

fn read(path: &Path) -> io::Result<Value> {
    let length = std::fs::metadata(path)?.len();
    if length > RECORD_BYTES_MAX {
        return Err(io::Error::other(format!(
            "it has {length} bytes, more than any record"
        )));
    }
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

fn prune(data: &Path, most: usize) -> io::Result<()> {
    let names = names(data)?;
    for (id, _) in names
        .iter()
        .filter(|(_, ending)| *ending == ENDED)
        .skip(most)
    {
        std::fs::remove_file(file(data, id, ENDED))?;
    }
    Ok(())
}

/// The latest records, at most `limit`, the newest first. A record that cannot be read is shown as such.
pub(crate) fn list(data: &Path, limit: usize) -> io::Result<Vec<Value>> {
    let held = is_held(data)?;
    let names = names(data)?;
    Ok(names
        .into_iter()
        .take(limit)
        .map(|(id, ending)| one(data, &id, ending, held))
        .collect())
}

fn one(data: &Path, id: &str, ending: &str, held: bool) -> Value {
    let mut record = read(&file(data, id, ending))
        .or_else(|_| read(&file(data, id, ENDED)))
        .unwrap_or_else(|error| {
            json!({ "run_id": id, "status": "unreadable", "error": { "code": "LS0704", "message": error.to_string() } })
        });
    if ending == WORKING && !held && record.get("status") == Some(&json!(WORKING)) {
        lost(&mut record);
    }
    record
}

/// Whether a process holds the data directory.
fn is_held(data: &Path) -> io::Result<bool> {
    use rustix::fs::{FlockOperation, flock};
    let folder = std::fs::File::open(data)?;
    match flock(&folder, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// One record, by its id, the beginning of one, or `last`.
pub(crate) fn find(data: &Path, id: &str) -> Result<Value, Failure> {
    let failed = |error: io::Error| {
        let message = format!("could not read the runs of `{}`: {error}", data.display());
        Failure::new(Exit::Environment, "LS0704", message)
    };
    let unknown = |message: String| {
        Failure::new(Exit::Invalid, "LS0222", message).help("`linkspan runs list` shows all")
    };
    let held = is_held(data).map_err(failed)?;
    let all = names(data).map_err(failed)?;
    let mut found = all
        .iter()
        .filter(|(known, _)| id == "last" || known.starts_with(id));
    let place = data.display();
    match (found.next(), found.next()) {
        (None, _) if id == "last" => Err(unknown(format!("no run is recorded in `{place}`"))),
        (None, _) => Err(unknown(format!("no run in `{place}` has the id `{id}`"))),
        (Some((first, _)), Some(_)) if id != "last" && first != id => {
            Err(unknown(format!("more than one run begins with `{id}`")))
        }
        (Some((id, ending)), _) => Ok(one(data, id, ending, held)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(data: &Path) -> Vec<String> {
        let names = names(data).unwrap();
        names.into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn the_newest_comes_first_and_the_oldest_go() {
        let data = tempfile::tempdir().unwrap();
        for id in ["01", "03", "02"] {
            keep(data.path(), id, &json!({ "run_id": id })).unwrap();
        }
        assert_eq!(ids(data.path()), ["03", "02", "01"]);
        prune(data.path(), 2).unwrap();
        assert_eq!(ids(data.path()), ["03", "02"]);
    }

    #[test]
    fn a_run_that_died_is_lost_and_one_that_works_is_not() {
        let data = tempfile::tempdir().unwrap();
        let at = data.path();
        begin(at, "01", &json!({ "run_id": "01", "status": "running" })).unwrap();
        // Nobody holds the directory, so nobody can be at work.
        assert_eq!(find(at, "01").unwrap()["status"], "lost");
        let lock = std::fs::File::open(at).unwrap();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
        assert_eq!(find(at, "01").unwrap()["status"], "running");
        settle_lost(at).unwrap();
        assert_eq!(find(at, "01").unwrap()["status"], "lost");
        assert_eq!(ids(at), ["01"]);
    }

    #[test]
    fn a_run_is_found_by_the_beginning_of_its_id() {
        let data = tempfile::tempdir().unwrap();
        for id in ["0199-a", "0199-b"] {
            keep(data.path(), id, &json!({ "run_id": id })).unwrap();
        }
        let found = |id: &str| find(data.path(), id).map(|record| record["run_id"].clone());
        assert_eq!(found("0199-a").unwrap(), "0199-a");
        assert_eq!(found("last").unwrap(), "0199-b");
        for (id, says) in [("0199", "more than one"), ("77", "no run")] {
            let message = found(id).unwrap_err().message;
            assert!(message.contains(says), "{message}");
        }
    }
}

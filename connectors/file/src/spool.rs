//! Spooled files: when one is complete, whether it came before, and where it goes when its records are durable.
//!
//! ```text
//! seen ─► ready (marker, age, size stands still) ─► hashed ─► known? ─► read ─► durable ─► put away
//!                                                              └ on.duplicate      └ error.path, when it cannot be read
//! ```

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;
use sha2::{Digest, Sha256};

use crate::error;
use crate::moment;
use crate::options::Cleanup;
use crate::paths::shown;
use crate::storage::{Handle, Meta, Storage};

/// Files are hashed in pieces of this size.
const HASH_BYTES: usize = 1 << 20;

/// What to do with bytes that came before under another name: `on.duplicate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum OnDuplicate {
    Fail,
    Skip,
    Again,
}

/// What is set about spooled files.
#[derive(Debug, Clone)]
pub(crate) struct SpoolSettings {
    pub(crate) on_duplicate: OnDuplicate,
    pub(crate) done_marker: String,
    pub(crate) age_min: Duration,
    pub(crate) looks_min: u32,
    pub(crate) cleanup: Cleanup,
    pub(crate) finished: Option<PathBuf>,
    pub(crate) error: Option<PathBuf>,
    pub(crate) history: Duration,
}

/// Whether a file may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ready {
    Yes,
    /// It is still written to, or young: another look may find it ready.
    Soon,
    /// Its marker is missing.
    NoMarker,
}

/// How often a file was found with one size and time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Looks {
    stamp: (u64, i64),
    count: u32,
}

impl SpoolSettings {
    /// For a class that spools nothing.
    pub(crate) fn none() -> Self {
        Self {
            on_duplicate: OnDuplicate::Again,
            done_marker: String::new(),
            age_min: Duration::ZERO,
            looks_min: 0,
            cleanup: Cleanup::None,
            finished: None,
            error: None,
            history: Duration::MAX,
        }
    }

    /// Says whether a file is itself the marker of another.
    pub(crate) fn is_marker(&self, path: &Path) -> bool {
        !self.done_marker.is_empty() && shown(path).ends_with(&self.done_marker)
    }

    /// Looks at a file that waits to be read.
    pub(crate) fn ready(
        &self,
        storage: &dyn Storage,
        path: &Path,
        meta: &Meta,
        looks: &mut Looks,
    ) -> io::Result<Ready> {
        if looks.count > 0 && looks.stamp == meta.stamp() {
            looks.count += 1;
        } else {
            *looks = Looks {
                stamp: meta.stamp(),
                count: 1,
            };
        }
        if !self.done_marker.is_empty() && storage.meta(&self.marker(path))?.is_none() {
            return Ok(Ready::NoMarker);
        }
        let age = i128::from(now_ms()) * 1_000_000 - i128::from(meta.modified_ns);
        let young = age < i128::try_from(self.age_min.as_nanos()).unwrap_or(i128::MAX);
        if looks.count <= self.looks_min || (young && !self.age_min.is_zero()) {
            return Ok(Ready::Soon);
        }
        Ok(Ready::Yes)
    }

    fn marker(&self, path: &Path) -> PathBuf {
        let mut marker = path.as_os_str().to_owned();
        marker.push(&self.done_marker);
        marker.into()
    }
}

/// What is to be done with a file when a batch is durable.
#[derive(Debug)]
struct Errand {
    seq: Seq,
    path: PathBuf,
    what: What,
}

#[derive(Debug)]
enum What {
    PutAway,
    Quarantine { why: String },
}

/// The files whose last records are on their way.
#[derive(Debug, Default)]
pub(crate) struct Errands(VecDeque<Errand>);

impl Errands {
    /// Puts a file away when a batch is durable.
    pub(crate) fn finished(&mut self, seq: Seq, path: &Path) {
        self.0.push_back(Errand {
            seq,
            path: path.to_owned(),
            what: What::PutAway,
        });
    }

    /// Takes a file out of the way when a batch is durable.
    pub(crate) fn failed(&mut self, seq: Seq, path: &Path, why: String) {
        self.0.push_back(Errand {
            seq,
            path: path.to_owned(),
            what: What::Quarantine { why },
        });
    }

    /// Returns the last batch that is waited for.
    pub(crate) fn last(&self) -> Option<Seq> {
        self.0.back().map(|errand| errand.seq)
    }

    /// Runs what is due. What fails stays and is tried again.
    pub(crate) fn run(
        &mut self,
        durable: Seq,
        settings: &SpoolSettings,
        storage: &dyn Storage,
    ) -> Result<()> {
        while let Some(errand) = self.0.front() {
            if errand.seq > durable {
                break;
            }
            let done = match &errand.what {
                What::PutAway => put_away(&errand.path, settings, storage),
                What::Quarantine { why } => quarantine(&errand.path, why, settings, storage),
            };
            done.map_err(|error| error::io(error, "put away", &shown(&errand.path)))?;
            self.0.pop_front();
        }
        Ok(())
    }
}

/// Deletes or moves a file that was read, with its marker.
fn put_away(path: &Path, settings: &SpoolSettings, storage: &dyn Storage) -> io::Result<()> {
    let folder = match (settings.cleanup, &settings.finished) {
        (Cleanup::None, _) => return Ok(()),
        (Cleanup::Delete, _) => {
            storage.remove(path)?;
            return remove_marker(path, settings, storage);
        }
        (Cleanup::Move, Some(folder)) => folder.clone(),
        (Cleanup::MoveByDate, Some(folder)) => folder.join(moment::day_text(now_ms())),
        (Cleanup::Move | Cleanup::MoveByDate, None) => return Ok(()),
    };
    move_into(path, &folder, storage)?;
    remove_marker(path, settings, storage)
}

fn quarantine(
    path: &Path,
    why: &str,
    settings: &SpoolSettings,
    storage: &dyn Storage,
) -> io::Result<()> {
    let Some(folder) = &settings.error else {
        return Ok(());
    };
    let Some(moved) = move_into(path, folder, storage)? else {
        return Ok(());
    };
    let mut note = moved.into_os_string();
    note.push(".error.txt");
    let mut draft = storage.create(Path::new(&note), ".inprogress")?;
    draft.write_all(format!("{why}\n").as_bytes())?;
    draft.publish()?;
    remove_marker(path, settings, storage)
}

fn remove_marker(path: &Path, settings: &SpoolSettings, storage: &dyn Storage) -> io::Result<()> {
    if settings.done_marker.is_empty() {
        return Ok(());
    }
    storage.remove(&settings.marker(path))
}

/// Moves a file into a folder, under a name that is free there; `None`: the file is gone already.
fn move_into(path: &Path, folder: &Path, storage: &dyn Storage) -> io::Result<Option<PathBuf>> {
    let Some(name) = path.file_name() else {
        return Ok(None);
    };
    if storage.meta(path)?.is_none() {
        return Ok(None);
    }
    let mut target = folder.join(name);
    let mut number = 1_u32;
    while storage.meta(&target)?.is_some() {
        let mut free = name.to_owned();
        free.push(format!(".{number}"));
        target = folder.join(free);
        number = number.saturating_add(1);
    }
    storage.rename(path, &target)?;
    Ok(Some(target))
}

/// Which bytes were read, and from which file.
#[derive(Debug, Default)]
pub(crate) struct Known(HashMap<String, String>);

impl Known {
    pub(crate) fn add(&mut self, sha256: &str, name: &str) {
        self.0.insert(sha256.to_owned(), name.to_owned());
    }

    /// Forgets what a name stood for, because it holds other bytes now.
    pub(crate) fn forget(&mut self, name: &str) {
        self.0.retain(|_, known| known != name);
    }

    /// Returns the other file with these bytes.
    pub(crate) fn other(&self, sha256: &str, name: &str) -> Option<&str> {
        let known = self.0.get(sha256)?;
        (known != name).then_some(known)
    }
}

/// Hashes a file as a whole, in constant memory; `None` when `stopped` says so.
pub(crate) fn hash(handle: &dyn Handle, stopped: impl Fn() -> bool) -> io::Result<Option<String>> {
    let mut hasher = Sha256::new();
    let mut buf = vec![0; HASH_BYTES];
    let mut at = 0;
    loop {
        if stopped() {
            return Ok(None);
        }
        let n = match handle.read_at(&mut buf, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if n == 0 {
            break;
        }
        hasher.update(buf.get(..n).unwrap_or_default());
        at += n as u64;
    }
    let digest = hasher.finalize();
    Ok(Some(
        digest.iter().map(|byte| format!("{byte:02x}")).collect(),
    ))
}

/// Logs what a glob matched that cannot be read, once each.
pub(crate) fn warn_passed(passed: &[crate::paths::PathError], told: &mut Vec<String>) {
    for error in passed {
        let text = match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        if !told.contains(&text) {
            tracing::warn!("{text}; it is passed");
            told.push(text);
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

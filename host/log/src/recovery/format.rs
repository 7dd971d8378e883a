//! Whether a directory is a data directory, new or of a version that this build reads: the file `format`.

use std::path::Path;

use super::Mode;
use crate::error::{Error, Result};
use crate::fs::{Fs, Open, read_file};

/// The version of the data directory that this build reads and writes.
pub(crate) const FORMAT_VERSION: u32 = 1;
/// Names that may be in a directory that is not a data directory yet.
const FOREIGN_NAMES: [&str; 5] = [
    "format.tmp",
    "lock",
    "linkspan.sock",
    "plugins.cache",
    "runs",
];

/// Checks or writes the file `format`; returns whether the directory is new.
pub(crate) fn check_format(fs: &dyn Fs, dir: &Path, mode: Mode) -> Result<bool> {
    let path = dir.join("format");
    if fs
        .try_exists(&path)
        .map_err(|e| Error::io("look for", &path, e))?
    {
        let text = read_file(fs, &path, 4096).map_err(|e| Error::io("read", &path, e))?;
        let text = String::from_utf8_lossy(&text);
        let version = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("linkspan-data "));
        return match version.and_then(|version| version.trim().parse::<u32>().ok()) {
            Some(FORMAT_VERSION) => Ok(false),
            Some(found) => Err(Error::NewerFormat {
                path,
                found,
                supported: FORMAT_VERSION,
            }),
            None => Err(Error::NotADataDirectory {
                dir: dir.to_owned(),
                why: "its file `format` is not ours".into(),
            }),
        };
    }
    let names = fs.list(dir).map_err(|e| Error::io("list", dir, e))?;
    if let Some(name) = names
        .iter()
        .find(|name| !FOREIGN_NAMES.contains(&name.as_str()))
    {
        let why = format!("it has no file `format`, but `{name}`");
        return Err(Error::NotADataDirectory {
            dir: dir.to_owned(),
            why,
        });
    }
    if mode == Mode::ReadOnly {
        return Err(Error::NotADataDirectory {
            dir: dir.to_owned(),
            why: "it has no file `format`".into(),
        });
    }
    let temporary = dir.join("format.tmp");
    let failed = |op, error| Error::io(op, &temporary, error);
    let file = fs
        .open(&temporary, Open::Create)
        .map_err(|e| failed("make", e))?;
    file.truncate(0).map_err(|e| failed("write", e))?;
    let text = format!("linkspan-data {FORMAT_VERSION}\n");
    file.write_at(&[std::io::IoSlice::new(text.as_bytes())], 0)
        .map_err(|e| failed("write", e))?;
    file.sync_data().map_err(|e| failed("sync", e))?;
    fs.rename(&temporary, &path)
        .map_err(|e| failed("rename", e))?;
    // Folders without this file are nobody's: its name is durable before they are made.
    fs.sync_dir(dir)
        .map_err(|e| Error::io("sync directory", dir, e))?;
    Ok(true)
}

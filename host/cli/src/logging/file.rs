//! A log file that begins anew at a size and at midnight (UTC), keeping a number of old ones.
//!
//! `linkspan.log` becomes `linkspan.2026-11-24.1.log`: the day its first line was written, and a number that grows within
//! the day. Who follows the file by name (`tail -F`) goes on with the new one. A line is never split between two files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, NaiveDate, Utc};

/// The open file and what is known of it.
#[derive(Debug)]
struct Current {
    file: File,
    bytes: u64,
    day: NaiveDate,
    /// The last write failed; said once on stderr.
    failing: bool,
}

/// Writes lines into the file of a path.
#[derive(Debug)]
pub(crate) struct RotatingFile {
    path: PathBuf,
    bytes_max: u64,
    daily: bool,
    keep: usize,
    current: Mutex<Current>,
}

impl RotatingFile {
    /// Opens or continues the file; its folder is created.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open(path: &Path, bytes_max: u64, daily: bool, keep: usize) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let current = continue_file(path)?;
        Ok(Self {
            path: path.to_owned(),
            bytes_max,
            daily,
            keep,
            current: Mutex::new(current),
        })
    }

    fn write_line(&self, line: &[u8], now: DateTime<Utc>) -> io::Result<()> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let full = current.bytes > 0 && current.bytes + line.len() as u64 > self.bytes_max;
        let over = self.daily && current.bytes > 0 && current.day != now.date_naive();
        if full || over {
            self.rotate(&mut current, now)?;
        } else if current.bytes == 0 {
            current.day = now.date_naive();
        }
        let written = current.file.write_all(line);
        match &written {
            Ok(()) => {
                current.bytes += line.len() as u64;
                current.failing = false;
            }
            Err(error) if !std::mem::replace(&mut current.failing, true) => {
                crate::terminal::warning(
                    "LS0704",
                    &format!(
                        "the log file `{}` does not take lines: {error}",
                        self.path.display()
                    ),
                );
            }
            Err(_) => {}
        }
        written
    }

    fn rotate(&self, current: &mut Current, now: DateTime<Utc>) -> io::Result<()> {
        let day = current.day;
        // Numbers only grow: those of removed files do not come back.
        let last = rotated_files(&self.path)
            .into_iter()
            .filter(|(other, ..)| *other == day)
            .map(|(_, number, _)| number)
            .max();
        let old = rotated(&self.path, day, last.unwrap_or(0).saturating_add(1));
        fs::rename(&self.path, old)?;
        *current = continue_file(&self.path)?;
        current.day = now.date_naive();
        self.remove_old();
        Ok(())
    }

    /// Removes the oldest files beyond the number that is kept. A failure costs space only.
    fn remove_old(&self) {
        let mut old = rotated_files(&self.path);
        old.sort();
        let surplus = old.len().saturating_sub(self.keep);
        for (_, _, path) in old.into_iter().take(surplus) {
            drop(fs::remove_file(path));
        }
    }
}

/// Opens the file for appending; the day is that of its last change.
fn continue_file(path: &Path) -> io::Result<Current> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    let metadata = file.metadata()?;
    let day = DateTime::<Utc>::from(metadata.modified()?).date_naive();
    Ok(Current {
        bytes: metadata.len(),
        file,
        day,
        failing: false,
    })
}

fn parts(path: &Path) -> (String, String) {
    let text =
        |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let extension = path
        .extension()
        .map_or(String::new(), |e| format!(".{}", e.to_string_lossy()));
    (text(path.file_stem()), extension)
}

fn rotated(path: &Path, day: NaiveDate, number: u32) -> PathBuf {
    let (stem, extension) = parts(path);
    path.with_file_name(format!("{stem}.{day}.{number}{extension}"))
}

/// The rotated files of a path: day, number, path.
fn rotated_files(path: &Path) -> Vec<(NaiveDate, u32, PathBuf)> {
    let (stem, extension) = parts(path);
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let Ok(entries) = fs::read_dir(folder.unwrap_or(Path::new("."))) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?;
            let middle = name
                .strip_prefix(&stem)?
                .strip_prefix('.')?
                .strip_suffix(&extension)?;
            let (day, number) = middle.split_once('.')?;
            Some((day.parse().ok()?, number.parse().ok()?, path))
        })
        .collect()
}

impl Write for &RotatingFile {
    /// Takes one whole line: tracing's formatter hands over an event in one call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_line(line, Utc::now()).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn it_begins_anew_at_a_size_and_keeps_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let file = RotatingFile::open(&path, 10, false, 2).unwrap();
        for number in 0..8 {
            file.write_line(
                format!("line {number}\n").as_bytes(),
                at("2026-11-24T10:00:00Z"),
            )
            .unwrap();
        }
        assert_eq!(
            names(folder.path()),
            ["a.2026-11-24.6.log", "a.2026-11-24.7.log", "a.log"]
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "line 7\n");
    }

    #[test]
    fn numbers_sort_as_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let file = RotatingFile::open(&path, 1, false, 3).unwrap();
        for _ in 0..12 {
            file.write_line(b"x\n", at("2026-11-24T10:00:00Z")).unwrap();
        }
        let (_, numbers): (Vec<_>, Vec<u32>) = {
            let mut old = rotated_files(&path);
            old.sort();
            old.into_iter()
                .map(|(day, number, _)| (day, number))
                .unzip()
        };
        assert_eq!(numbers, [9, 10, 11]);
    }

    #[test]
    fn it_begins_anew_at_midnight_and_names_the_day_of_its_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("linkspan.log");
        let file = RotatingFile::open(&path, 1 << 20, true, 7).unwrap();
        for time in [
            "2026-11-24T23:59:59Z",
            "2026-11-25T00:00:00Z",
            "2026-11-25T12:00:00Z",
        ] {
            file.write_line(format!("{time}\n").as_bytes(), at(time))
                .unwrap();
        }
        assert_eq!(
            names(folder.path()),
            ["linkspan.2026-11-24.1.log", "linkspan.log"]
        );
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_restart_continues_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs").join("a.log");
        for _ in 0..2 {
            let file = RotatingFile::open(&path, 1 << 20, true, 7).unwrap();
            file.write_line(b"again\n", Utc::now()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "again\nagain\n");
    }
}

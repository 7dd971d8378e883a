//! What goes wrong with a file, as the host's errors: the place first, then the reason, then what to do.

use std::io;
use std::path::Path;

use linkspan_sdk::prelude::*;

use crate::content::Content;
use crate::decode::Problem;
use crate::identity::{Change, Position};
use crate::output::OutputError;
use crate::paths::PathError;
use crate::recorded::Unexpected;
use crate::window::LineCounter;

impl From<PathError> for Error {
    fn from(error: PathError) -> Self {
        match error {
            PathError::Pattern { .. } => {
                Self::config_invalid(error.to_string()).source_error(error)
            }
            PathError::List { .. } | PathError::Look { .. } => {
                Self::unavailable(error.to_string()).source_error(error)
            }
            PathError::NotAFile { .. } => Self::unsupported(error.to_string()),
        }
    }
}

/// No file for entries of `path`.
pub(crate) fn no_input(missing: &[String]) -> Error {
    let list = missing
        .iter()
        .map(|path| format!("`{path}`"))
        .collect::<Vec<_>>()
        .join(", ");
    Error::not_found(format!(
        "no file matches {list}; set `on.no.input: ok` if that is right"
    ))
}

/// An offset that some other connector wrote.
pub(crate) fn not_a_position(name: &str) -> Error {
    Error::data_invalid(format!(
        "the stored offset of `{name}` is not a position in a file; reset it"
    ))
}

/// A file that is not the one that was read before.
pub(crate) fn replaced(name: &str, position: &Position, change: &Change) -> Error {
    let what = match change {
        Change::Shrunk { size } => format!(
            "it has {size} bytes, but {} were read of it",
            position.position
        ),
        Change::OtherTail => {
            "it begins as before, but the bytes that were read last are others now".to_owned()
        }
        Change::OtherHead | Change::None => {
            "it begins with other bytes than when it was read".to_owned()
        }
        Change::OtherBytes => {
            "it holds other bytes than when it was read (another SHA-256)".to_owned()
        }
    };
    Error::conflict(format!(
        "`{name}` was cut or replaced: {what}; set `on.replaced: restart` to read it from its start, or `skip` to leave it alone"
    ))
}

/// A spooled file with the bytes of another one.
pub(crate) fn duplicate(name: &str, other: &str) -> Error {
    Error::conflict(format!(
        "`{name}` holds the same bytes as `{other}`, which was read before; set `on.duplicate: again` to read them again, or `skip` to put it away unread"
    ))
}

/// Bytes that could not be read, or not be unpacked; `at` is how far that went.
pub(crate) fn content(error: io::Error, name: &str, at: u64, is_packed: bool) -> Error {
    if !is_packed || error.raw_os_error().is_some() {
        return io(error, "read", name);
    }
    let why = match error.kind() {
        io::ErrorKind::UnexpectedEof => format!("it ends in the middle: {error}"),
        _ => error.to_string(),
    };
    Error::data_invalid(format!(
        "`{name}` cannot be unpacked, behind byte {at} of what it holds: {why}"
    ))
}

/// A failed read or open of an input.
pub(crate) fn io(error: io::Error, what: &str, name: &str) -> Error {
    let error = Error::from(error).context(format!("{what} `{name}`"));
    // A disk or a network file system that does not answer may answer later.
    if error.kind() == ErrorKind::Unavailable {
        error.temporary()
    } else {
        error
    }
}

/// Names a member of an archive.
pub(crate) fn place_name(name: &str, member: Option<&str>) -> String {
    member.map_or_else(|| name.to_owned(), |member| format!("{name}!{member}"))
}

/// Where a record begins.
#[derive(Debug)]
pub(crate) struct At<'a> {
    pub(crate) content: &'a dyn Content,
    pub(crate) name: &'a str,
    /// Where the file, or the archive's member, begins.
    pub(crate) start: u64,
    pub(crate) position: u64,
}

impl<'a> At<'a> {
    /// The start of a file, or of an archive's member.
    pub(crate) fn start(content: &'a dyn Content, name: &'a str, start: u64) -> Self {
        Self {
            content,
            name,
            start,
            position: start,
        }
    }

    /// Says where a byte is, `at` bytes behind the start of the record.
    fn place(&self, at: u64, lines: &mut LineCounter) -> String {
        let (name, position) = (self.name, self.position + at);
        let byte = position - self.start.min(position);
        // The line is for people; a file that cannot be read again still has its byte.
        match lines.line_of(self.content, self.start, position) {
            Ok(line) => format!("`{name}` line {line}, byte {byte}"),
            Err(_) => format!("`{name}` byte {byte}"),
        }
    }
}

/// A record that cannot be used, with the line and byte where it is.
pub(crate) fn problem(problem: Problem, at: &At<'_>, lines: &mut LineCounter) -> Error {
    match problem {
        Problem::Bad(bad) => match bad.record {
            Some(number) => {
                let byte = (at.position - at.start.min(at.position)) + bad.at as u64;
                Error::data_invalid(format!(
                    "`{}` record {number}, byte {byte}: {}",
                    at.name, bad.reason
                ))
            }
            None => Error::data_invalid(format!(
                "{}: {}",
                at.place(bad.at as u64, lines),
                bad.reason
            )),
        },
        Problem::Header(error) => Error::data_invalid(format!("{}: {error}", at.place(0, lines))),
        Problem::File(error) => error.context(format!("`{}`", at.name)),
        Problem::Batch(error) => error.context(at.place(0, lines)),
    }
}

/// A file that a sink cannot open.
pub(crate) fn open_output(error: io::Error, path: &Path) -> Error {
    if error.kind() == io::ErrorKind::ResourceBusy {
        return Error::conflict(format!(
            "`{}` is being written by another connector or process; one file has one writer",
            path.display()
        ));
    }
    let temporary = is_full(&error);
    let error = Error::from(error).context(format!(
        "open `{}` for writing (nothing is lost: fix it and start again)",
        path.display()
    ));
    if temporary { error.temporary() } else { error }
}

/// Bytes that a sink cannot write, or not durably.
pub(crate) fn output(error: OutputError, path: &Path) -> Error {
    let path = path.display();
    match error {
        OutputError::Write { source } => {
            let hint = if is_full(&source) {
                "; make room, the records wait"
            } else {
                "; the records wait"
            };
            Error::unavailable(format!("could not write `{path}`: {source}{hint}"))
        }
        // The host starts the task anew after an internal error, and that begins with the recorded length.
        OutputError::Sync { source } => {
            Error::internal(format!("could not make `{path}` durable: {source}"))
        }
        OutputError::Cut { .. } | OutputError::Replaced => Error::conflict(format!(
            "`{path}`: {error}; what it holds now is not what was written. Look at who else writes it, then start again"
        )),
        OutputError::Broken => Error::internal(format!("`{path}`: {error}")),
    }
}

/// A file that is being written and cannot be finished. What it was to hold comes again from the committed offsets, to a new task.
pub(crate) fn write_draft(error: io::Error, path: &Path) -> Error {
    let hint = if is_full(&error) {
        "; make room, nothing is lost"
    } else {
        ""
    };
    Error::internal(format!(
        "could not write `{}`: {error}{hint}",
        path.display()
    ))
}

/// An output that is not as it was left.
pub(crate) fn unexpected(error: &Unexpected, path: &Path) -> Error {
    let hint = match error {
        Unexpected::NoPosition { .. } => {
            "set `on.existing: append` to write behind what is there, `truncate` to empty it, or move it away"
        }
        Unexpected::Shorter { .. } | Unexpected::OtherFile { .. } => {
            "put it back, or set `on.existing: append` to write behind what is there, `truncate` to empty it"
        }
    };
    Error::conflict(format!("`{}`: {error}; {hint}", path.display()))
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

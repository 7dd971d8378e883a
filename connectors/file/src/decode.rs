//! From the bytes of a file to records in a batch: what every format has to offer.
//!
//! The reader hands a decoder the bytes from the end of the last record on, as text or as they are, and a decoder hands out the
//! records that are whole. Where a record lies, what is done with a bad one and what is stored is the reader's business.

mod csv;
mod csv_rows;
mod infer;
mod json;
mod lines;
mod multiline;
mod table;
mod xml;

use std::fmt;

use linkspan_sdk::prelude::*;
use serde_json::Value as Json;

pub(crate) use self::csv::{Cut, Dialect, Splitter};
pub(crate) use self::csv_rows::CsvRows;
pub(crate) use self::json::JsonRecords;
pub(crate) use self::lines::Lines;
pub(crate) use self::multiline::Multiline;
pub(crate) use self::table::CsvSettings;
pub(crate) use self::xml::{XmlRecords, steps};
use crate::content::{Content, Part};
use crate::format::{Bad, HeaderProblem};

/// What a decoder is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    Text,
    Bytes,
}

/// A stretch of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> Piece<'a> {
    /// Returns the text; bytes are none.
    pub(crate) fn text(self) -> &'a str {
        match self {
            Self::Text(text) => text,
            Self::Bytes(_) => "",
        }
    }

    pub(crate) fn bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// Where decoding begins.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    /// The file, with the archive's member behind `!`.
    #[expect(dead_code, reason = "for formats whose errors name files themselves")]
    pub(crate) name: &'a str,
    /// Bytes of the file, or of the member, that were read before.
    pub(crate) position: u64,
    /// What [`Decode::state`] answered at that position.
    pub(crate) state: Option<&'a Json>,
}

/// A format that is read.
pub(crate) trait Decode: fmt::Debug {
    /// Prepares for a file, or an archive's member, from its start or from where a record began.
    fn begin(&mut self, start: &Start<'_>) -> Result<(), Problem>;

    fn wants(&self) -> Wants {
        Wants::Text
    }

    /// The first record says how all others are read, so that a file that is continued is first shown it again.
    fn needs_first_record(&self) -> bool {
        false
    }

    /// Learns from the first record of a file that is continued; `false`: it does not end in this text.
    fn take_first_record(&mut self, _text: &str, _last: bool) -> Result<bool, Problem> {
        Ok(true)
    }

    /// Hands out records of `piece`, which begins at byte `position` of the file or member, until it is used up or the batch is
    /// full. `last` says that the file ends with `piece`.
    fn drain(
        &mut self,
        piece: Piece<'_>,
        position: u64,
        last: bool,
        target: &mut Target<'_>,
    ) -> Drained;

    /// Returns how many bytes to pass to get behind the bad record that begins with `bytes`; `None`: its end is not in them.
    ///
    /// Called with the bytes of the file as they are, of which not all may be text.
    fn extent(&mut self, bytes: &[u8], last: bool) -> Option<usize> {
        behind_line(bytes, last)
    }

    /// Checks what only the end of a complete file shows.
    fn finish(&mut self, _target: &mut Target<'_>) -> Result<(), Problem> {
        Ok(())
    }

    /// Returns what is to be stored with the position, for [`Start::state`].
    fn state(&self) -> Option<Json> {
        None
    }

    /// Says whether decoding can begin at the position that was reached; if not, it is not stored yet.
    fn is_resumable(&self) -> bool {
        true
    }

    /// Complete files are to be checked as a whole before any of their records goes out.
    fn wants_check(&self) -> bool {
        false
    }

    /// Reads a part of a complete file from its start to its end and checks what it says about itself.
    fn check(&mut self, _content: &dyn Content, _part: &Part) -> Result<(), Problem> {
        Ok(())
    }

    /// Returns what the check found, for the record of the run.
    fn facts(&self) -> Option<&Json> {
        None
    }

    /// A record may hold line ends.
    fn joins_lines(&self) -> bool {
        false
    }

    /// Records wait for the next one to begin, and go out when nothing came for a while.
    fn holds_back(&self) -> bool {
        false
    }
}

/// Where records go, and how many fit.
pub(crate) struct Target<'a> {
    pub(crate) out: &'a mut BatchBuilder,
    pub(crate) topic: &'a TopicName,
    pub(crate) records_max: u32,
    pub(crate) bytes_max: usize,
    pub(crate) line_bytes_max: usize,
    /// The file's name, where each record is to have headers that say where it came from.
    pub(crate) place: Option<&'a str>,
}

impl Target<'_> {
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.out.len() >= self.records_max
            || self.out.bytes_len() >= self.bytes_max
            || self.out.is_full()
    }

    /// Begins the record that lies at byte `position`.
    #[inline]
    pub(crate) fn record(&mut self, position: u64) -> RecordBuilder<'_> {
        let record = self.out.to(self.topic);
        match self.place {
            None => record,
            Some(name) => record
                .header("file.name", Data::Utf8(name))
                .header("file.position", Data::Utf8(&position.to_string())),
        }
    }
}

/// How far a piece was used.
#[derive(Debug, Default)]
pub(crate) struct Drained {
    /// Bytes of whole records, to be read past.
    pub(crate) consumed: usize,
    /// Records handed out.
    pub(crate) records: u64,
    /// The first record behind `consumed` cannot be used.
    pub(crate) bad: Option<Problem>,
}

/// What is wrong with the next record, or with the file as a whole.
#[derive(Debug)]
pub(crate) enum Problem {
    /// One record; the others are as good as before.
    Bad(Bad),
    /// The file cannot be read with these settings.
    Header(HeaderProblem),
    /// The file cannot be read, and the error says why.
    File(Error),
    /// The batch takes no more.
    Batch(Error),
}

impl From<Bad> for Problem {
    fn from(bad: Bad) -> Self {
        Self::Bad(bad)
    }
}

/// Returns the place behind the line that `bytes` begin with.
pub(crate) fn behind_line(bytes: &[u8], last: bool) -> Option<usize> {
    match memchr::memchr(b'\n', bytes) {
        Some(at) => Some(at + 1),
        None => last.then_some(bytes.len()),
    }
}

/// Returns the valid front of `bytes` and where invalid UTF-8 begins behind it.
///
/// A sequence that is cut off at the end is invalid only when the file ends there.
pub(crate) fn valid_utf8(bytes: &[u8], last: bool) -> (&str, Option<usize>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let at = error.valid_up_to();
            let text = bytes
                .get(..at)
                .and_then(|front| std::str::from_utf8(front).ok())
                .unwrap_or_default();
            (text, (last || error.error_len().is_some()).then_some(at))
        }
    }
}

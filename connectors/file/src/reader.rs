//! Reads the files of a task into batches: which file, from where, until when.
//!
//! Both source classes are this reader with different settings.

use std::fs::File;
use std::path::Path;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;

use crate::decode::{Decoder, Drained, Problem, Target, valid_utf8};
use crate::error;
use crate::files::{Files, Opened};
use crate::format::{Bad, Reason};
use crate::identity::Position;
use crate::window::{self, Window};

/// Text is checked for UTF-8 and cut in pieces of this size, which the caches hold.
const PIECE_BYTES: usize = 64 << 10;

/// What to do with a file that was replaced: `on.replaced`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum OnReplaced {
    Fail,
    Restart,
    Skip,
}

/// What a reader needs to know.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) topic: TopicName,
    pub(crate) line_bytes_max: usize,
    pub(crate) records_max: u32,
    pub(crate) bytes_max: usize,
    pub(crate) on_replaced: OnReplaced,
    /// A path that names no file is no error.
    pub(crate) input_optional: bool,
    pub(crate) poll_interval: Duration,
    /// Offsets are only positions, as Kafka's connector stores them.
    pub(crate) position_only: bool,
}

/// Reads files one after the other.
#[derive(Debug)]
pub(crate) struct Reader {
    settings: Settings,
    ctx: SourceContext,
    files: Files,
    decoder: Decoder,
    window: Window,
    current: Option<usize>,
    /// A failure that waits until the records before it are handed out.
    failed: Option<Error>,
    scanned: bool,
    warned: bool,
}

/// How a visit to a file ended.
#[derive(Debug, PartialEq, Eq)]
enum Visit {
    BatchFull,
    AtEnd,
}

impl Reader {
    pub(crate) fn new(
        settings: Settings,
        ctx: SourceContext,
        files: Files,
        decoder: Decoder,
    ) -> Self {
        Self {
            settings,
            ctx,
            files,
            decoder,
            window: Window::default(),
            current: None,
            failed: None,
            scanned: false,
            warned: false,
        }
    }

    /// Fills a batch.
    ///
    /// Records before a failure go out first; the next call fails.
    pub(crate) fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        match self.fill(out) {
            Err(error) if !out.is_empty() => {
                self.failed = Some(error);
                Ok(Poll::More)
            }
            other => other,
        }
    }

    fn fill(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        loop {
            let index = match self.current {
                Some(index) => index,
                None => match self.next_file(out)? {
                    Ok(index) => index,
                    Err(answer) => return Ok(answer),
                },
            };
            self.current = Some(index);
            if self.visit(index, out)? == Visit::BatchFull {
                return Ok(Poll::More);
            }
            self.current = None;
            self.files.visited(index, !self.ctx.bounded());
        }
    }

    /// Returns the next file that has something to read, opened, or the answer when there is none.
    fn next_file(&mut self, out: &BatchBuilder) -> Result<Result<usize, Poll>> {
        loop {
            if let Some(index) = self.files.next() {
                match self.begin(index) {
                    Ok(true) => return Ok(Ok(index)),
                    Ok(false) => continue,
                    Err(error) => {
                        self.files.put_back(index);
                        return Err(error);
                    }
                }
            }
            if self.ctx.bounded() && self.scanned {
                return Ok(Err(Poll::Exhausted));
            }
            if !out.is_empty() {
                return Ok(Err(Poll::More));
            }
            if !self.scan()? {
                return Ok(Err(if self.ctx.bounded() {
                    Poll::Exhausted
                } else {
                    Poll::Idle(self.settings.poll_interval)
                }));
            }
        }
    }

    /// Looks for files; says so when an entry of `path` names none. Returns whether there is something to read.
    fn scan(&mut self) -> Result<bool> {
        let ctx = &self.ctx;
        let missing = self.files.scan(|name| -> Result<_> {
            let view = ctx.offset(partition(name));
            let Some(stored) = view.raw()? else {
                return Ok(None);
            };
            match Position::from_offset(stored) {
                Some(position) => Ok(Some(position)),
                None => Err(error::not_a_position(name)),
            }
        })?;
        self.scanned = true;
        if !missing.is_empty() && !self.settings.input_optional {
            if self.ctx.bounded() {
                return Err(error::no_input(&missing));
            }
            if !self.warned {
                self.warned = true;
                tracing::warn!(
                    path = missing.join(", "),
                    "no such file yet, waiting for it"
                );
            }
        }
        Ok(self.files.has_next())
    }

    /// Opens a file where reading stopped; `false`: it is left alone.
    fn begin(&mut self, index: usize) -> Result<bool> {
        let (bounded, position_only) = (self.ctx.bounded(), self.settings.position_only);
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(false);
        };
        let failed = |error, name: &str| error::io(error, "read", name);
        match tracked
            .open()
            .map_err(|error| failed(error, &tracked.name))?
        {
            Opened::Ready => {}
            Opened::Gone if bounded => {
                return Err(error::no_input(std::slice::from_ref(&tracked.name)));
            }
            Opened::Gone => return Ok(false),
            Opened::Replaced(change) => match self.settings.on_replaced {
                OnReplaced::Fail => {
                    return Err(error::replaced(&tracked.name, &tracked.position, &change));
                }
                OnReplaced::Skip => {
                    tracing::warn!(
                        file = tracked.name,
                        "the file was cut or replaced, it is left alone"
                    );
                    tracked.skip();
                    return Ok(false);
                }
                OnReplaced::Restart => {
                    tracing::warn!(
                        file = tracked.name,
                        "the file was cut or replaced, it is read from its start"
                    );
                    tracked.restart();
                }
            },
        }
        if !position_only {
            tracked
                .identify()
                .map_err(|error| failed(error, &tracked.name))?;
        }
        let position = tracked.position.position;
        self.decoder.begin();
        self.window.seek(0);
        if position > 0 && self.decoder.is_csv() {
            self.read_columns(index)?;
        }
        self.window.seek(position);
        self.skip_late_newline(index)?;
        Ok(true)
    }

    /// Reads the first record of a file that is continued, for its columns.
    fn read_columns(&mut self, index: usize) -> Result<()> {
        let max = self.settings.line_bytes_max;
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(());
        };
        let Some(file) = &tracked.handle else {
            return Ok(());
        };
        loop {
            let n = self
                .window
                .fill(file)
                .map_err(|error| error::io(error, "read", &tracked.name))?;
            let (text, bad) = valid_utf8(self.window.bytes(), n == 0);
            let taken = match self.decoder.take_first_record(text, n == 0) {
                Ok(false) if bad.is_some() => Err(Problem::Bad(Bad {
                    at: text.len(),
                    reason: Reason::InvalidUtf8,
                })),
                Ok(false) if text.len() > max => Err(Problem::Bad(Bad::too_long(max, true))),
                other => other,
            };
            match taken {
                Ok(true) => return Ok(()),
                Ok(false) if n == 0 => return Ok(()),
                Ok(false) => {}
                Err(problem) => return Err(error::problem(problem, &tracked.name, file, 0)),
            }
        }
    }

    /// Passes the newline of a line that was handed out without it, at the end of a file that has grown since.
    fn skip_late_newline(&mut self, index: usize) -> Result<()> {
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(());
        };
        let (Some(file), Some(before)) =
            (&tracked.handle, tracked.position.position.checked_sub(1))
        else {
            return Ok(());
        };
        let n = window::late_newline(file, before)
            .map_err(|error| error::io(error, "read", &tracked.name))?;
        tracked.position.position += n;
        self.window.seek(tracked.position.position);
        Ok(())
    }

    /// Reads on in an open file, and notes its position with the batch however the visit ends.
    fn visit(&mut self, index: usize, out: &mut BatchBuilder) -> Result<Visit> {
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(Visit::AtEnd);
        };
        let Some(file) = tracked.handle.take() else {
            return Ok(Visit::AtEnd);
        };
        let before = tracked.position.position;
        let partition = partition(&tracked.name);
        out.stamp(&partition);
        let mut read = Read {
            settings: &self.settings,
            decoder: &mut self.decoder,
            window: &mut self.window,
            file: &file,
            name: &tracked.name,
            ends: self.ctx.bounded() || tracked.renamed,
            records: 0,
        };
        let ended = read.run(out);
        tracked.records += read.records;
        tracked.position.position = self.window.position();
        let mut grown = Ok(());
        if tracked.position.position != before {
            if let Some(identity) = &mut tracked.position.identity {
                grown = identity
                    .grow(&file, self.window.read_position())
                    .and_then(|()| identity.mark(&file, tracked.position.position));
            }
            out.offset(&partition, tracked.position.to_offset());
            let path = Path::new(&tracked.name);
            if let Err(error) =
                self.ctx
                    .report_file(path, tracked.position.position, tracked.records)
            {
                // Only the summary of the run misses it.
                tracing::debug!(%error, "the host took no file report");
            }
        }
        tracked.handle = Some(file);
        grown.map_err(|error| error::io(error, "read", &tracked.name))?;
        ended
    }
}

/// One visit to one file.
struct Read<'a> {
    settings: &'a Settings,
    decoder: &'a mut Decoder,
    window: &'a mut Window,
    file: &'a File,
    name: &'a str,
    /// The file is complete, so that its last record needs no line end.
    ends: bool,
    records: u64,
}

impl Read<'_> {
    /// Hands out records until the batch is full or the file has no more.
    fn run(&mut self, out: &mut BatchBuilder) -> Result<Visit> {
        let mut target = Target {
            out,
            topic: &self.settings.topic,
            records_max: self.settings.records_max,
            bytes_max: self.settings.bytes_max,
            line_bytes_max: self.settings.line_bytes_max,
        };
        let (mut piece, mut at_end) = (PIECE_BYTES, false);
        loop {
            if target.is_full() {
                return Ok(Visit::BatchFull);
            }
            let bytes = self.window.bytes();
            let whole = bytes.len() <= piece;
            let last = at_end && whole;
            let (text, invalid) = valid_utf8(bytes.get(..piece).unwrap_or(bytes), last);
            let ends_here = last && text.len() == bytes.len();
            let Drained {
                consumed,
                records,
                bad,
            } = self
                .decoder
                .drain(text, self.window.position(), ends_here, &mut target);
            let left = text.len() - consumed;
            self.window.consume(consumed);
            self.records += records;
            if let Some(problem) = bad {
                return Err(error::problem(
                    problem,
                    self.name,
                    self.file,
                    self.window.position(),
                ));
            }
            if consumed > 0 {
                piece = PIECE_BYTES;
                continue;
            }
            // The next record does not end in this piece.
            let reason = match invalid {
                Some(_) => Some(Bad {
                    at: left,
                    reason: Reason::InvalidUtf8,
                }),
                None => (left > self.settings.line_bytes_max)
                    .then(|| Bad::too_long(self.settings.line_bytes_max, self.decoder.is_csv())),
            };
            if let Some(bad) = reason {
                return Err(error::problem(
                    Problem::Bad(bad),
                    self.name,
                    self.file,
                    self.window.position(),
                ));
            }
            if !whole {
                piece = piece.saturating_mul(2);
                continue;
            }
            if at_end {
                return Ok(Visit::AtEnd);
            }
            if self
                .window
                .fill(self.file)
                .map_err(|error| error::io(error, "read", self.name))?
                == 0
            {
                if !self.ends || self.window.bytes().is_empty() {
                    return Ok(Visit::AtEnd);
                }
                at_end = true;
            }
        }
    }
}

/// The source partition of a file, the same as of Kafka's connector.
pub(crate) fn partition(name: &str) -> SourcePartition {
    SourcePartition::from([("filename", name)])
}

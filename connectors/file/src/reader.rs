//! Reads the files of a task into batches: which file, from where, until when.
//!
//! Both source classes are this reader with different settings.
//!
//! ```text
//! scan ─► queue ─► begin (same file? duplicate? rotated?) ─► visit ─► position with the batch ─► durable ─► put away
//! ```

mod begin;
mod read;
mod rotated;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;
use serde_json::{Value as Json, json};

use self::read::{Read, Visit};
use crate::charset::Charset;
use crate::decode::Decode;
use crate::error;
use crate::files::{Files, Tracked};
use crate::identity::{Done, Position};
use crate::options::Mode;
use crate::spool::{self, Errands, Known, Ready, SpoolSettings};
use crate::unpack::{Compression, UnpackLimit};
use crate::window::{LineCounter, Window};

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
    pub(crate) mode: Mode,
    pub(crate) compression: Compression,
    pub(crate) unpack_limit: UnpackLimit,
    pub(crate) line_bytes_max: usize,
    pub(crate) header_lines: u32,
    pub(crate) footer_lines: u32,
    pub(crate) record_headers: bool,
    pub(crate) records_max: u32,
    pub(crate) bytes_max: usize,
    pub(crate) on_replaced: OnReplaced,
    /// A path that names no file is no error.
    pub(crate) input_optional: bool,
    /// A file that was never read is followed from the end it has at the first look.
    pub(crate) from_end: bool,
    pub(crate) rotate_wait: Duration,
    pub(crate) multiline_timeout: Duration,
    pub(crate) poll_interval: Duration,
    pub(crate) spool: SpoolSettings,
    /// Offsets are only positions, as Kafka's connector stores them.
    pub(crate) position_only: bool,
}

impl Settings {
    /// Kafka's connector: one file of lines that grows.
    pub(crate) fn plain(topic: TopicName) -> Self {
        Self {
            topic,
            mode: Mode::Tail,
            compression: Compression::None,
            unpack_limit: UnpackLimit {
                bytes_max: u64::MAX,
            },
            line_bytes_max: 1 << 20,
            header_lines: 0,
            footer_lines: 0,
            record_headers: false,
            records_max: u32::MAX,
            bytes_max: usize::MAX,
            on_replaced: OnReplaced::Fail,
            input_optional: false,
            from_end: false,
            rotate_wait: Duration::ZERO,
            multiline_timeout: Duration::ZERO,
            poll_interval: Duration::from_secs(1),
            spool: SpoolSettings::none(),
            position_only: false,
        }
    }
}

/// Reads files one after the other.
#[derive(Debug)]
pub(crate) struct Reader {
    settings: Settings,
    ctx: SourceContext,
    files: Files,
    decoder: Box<dyn Decode>,
    charset: Option<Box<dyn Charset>>,
    window: Window,
    lines: LineCounter,
    /// Records that cannot be used are handed over as such, and reading goes on.
    tolerant: bool,
    current: Option<usize>,
    /// A failure that waits until the records before it are handed out.
    failed: Option<Error>,
    scans: u64,
    /// Entries without a file were told.
    warned: bool,
    told: Vec<String>,
    known: Known,
    errands: Errands,
    /// Positions of files that were read before and are not tracked: rotated logs are looked for among them.
    stored: Vec<(String, Position)>,
    /// Why files were taken out of the way: a job fails with it at its end.
    quarantined: Vec<String>,
}

impl Reader {
    pub(crate) fn new(
        settings: Settings,
        ctx: SourceContext,
        files: Files,
        decoder: Box<dyn Decode>,
        charset: Option<Box<dyn Charset>>,
    ) -> Result<Self> {
        let mut reader = Self {
            tolerant: ctx.tolerates_bad_records(),
            settings,
            ctx,
            files,
            decoder,
            charset,
            window: Window::default(),
            lines: LineCounter::default(),
            current: None,
            failed: None,
            scans: 0,
            warned: false,
            told: Vec::new(),
            known: Known::default(),
            errands: Errands::default(),
            stored: Vec::new(),
            quarantined: Vec::new(),
        };
        if !reader.settings.position_only {
            reader.recall()?;
        }
        Ok(reader)
    }

    /// Reads what was stored about files in earlier runs.
    fn recall(&mut self) -> Result<()> {
        for (partition, offset) in self.ctx.offsets(SourcePartition::default())? {
            let (Some(name), Some(stored)) = (file_name(&partition), offset.raw()?) else {
                continue;
            };
            let Some(position) = Position::from_offset(stored) else {
                continue;
            };
            if let Some(sha256) = &position.sha256 {
                self.known.add(sha256, &name);
            }
            self.stored.push((name, position));
        }
        Ok(())
    }

    /// Fills a batch.
    ///
    /// Records before a failure go out first; the next call fails.
    pub(crate) async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        let mut durable = self.ctx.durable();
        self.run_errands(durable.get())?;
        let answer = self.fill_or_fail(out)?;
        let Some(last) = self.errands.last() else {
            return self.end(answer, out);
        };
        if answer != Poll::Exhausted {
            return Ok(answer);
        }
        if last >= out.seq() {
            // The batch that is waited for goes out first.
            return Ok(Poll::More);
        }
        self.run_errands(durable.wait_for(last).await?)?;
        self.end(answer, out)
    }

    /// A job in which files were taken out of the way fails when everything else is done.
    fn end(&self, answer: Poll, out: &BatchBuilder) -> Result<Poll> {
        match self.quarantined.first() {
            Some(first) if answer == Poll::Exhausted => {
                if !out.is_empty() {
                    return Ok(Poll::More);
                }
                let others = match self.quarantined.len() {
                    1 => String::new(),
                    n => format!(" (and {} more)", n - 1),
                };
                Err(Error::data_invalid(format!(
                    "put into `error.path`, because it could not be read: {first}{others}"
                )))
            }
            _ => Ok(answer),
        }
    }

    fn run_errands(&mut self, durable: Seq) -> Result<()> {
        let storage = std::rc::Rc::clone(self.files.storage());
        self.errands
            .run(durable, &self.settings.spool, storage.as_ref())
    }

    fn fill_or_fail(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
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
            match self.visit(index, out) {
                Ok(Visit::BatchFull) => return Ok(Poll::More),
                Ok(Visit::AtEnd) => {
                    self.current = None;
                    self.finished(index, out)?;
                    self.files.visited(index, !self.ctx.bounded());
                }
                Err(error) => {
                    self.quarantine(index, error, out)?;
                    self.current = None;
                }
            }
        }
    }

    /// Takes a file that cannot be read out of the way; without a place for it the error goes on.
    fn quarantine(&mut self, index: usize, error: Error, out: &BatchBuilder) -> Result<()> {
        let of_file = matches!(
            error.kind(),
            ErrorKind::DataInvalid | ErrorKind::Conflict | ErrorKind::Unsupported
        );
        let Some(tracked) = self.files.get_mut(index) else {
            return Err(error);
        };
        if self.settings.spool.error.is_none() || error.is_temporary() || !of_file {
            return Err(error);
        }
        let gone_out = match (tracked.position.position, tracked.records) {
            (0, 0) => "no record of it was handed out".to_owned(),
            (at, 0) => format!("its records before byte {at} were handed out in an earlier run"),
            (at, n) => format!(
                "records of it that were handed out before: {n}, up to byte {at}. Deliver only the rest again, under another name: \
                 with the whole file they would come twice"
            ),
        };
        let why = format!("{}; {gone_out}", error.chain());
        if let (Some(sha256), Some(handle)) = (&tracked.position.sha256, &tracked.handle) {
            let size = handle.meta().map_or(0, |meta| meta.size);
            let facts = json!({ "rejected": tracked.rejected, "sha256": sha256 });
            let reported = self
                .ctx
                .report_file_with(&tracked.path, size, tracked.records, &facts);
            if let Err(error) = reported {
                tracing::debug!(%error, "the host took no file report");
            }
        }
        tracing::error!(file = tracked.name, "{why}; it is put into `error.path`");
        // With the last batch that holds records of it, which is this one or the one before.
        let seq = match out.is_empty() {
            true => Seq(out.seq().0.saturating_sub(1)),
            false => out.seq(),
        };
        self.errands.failed(seq, &tracked.path, why.clone());
        tracked.skip();
        if self.ctx.bounded() {
            self.quarantined.push(why);
        }
        Ok(())
    }

    /// Returns the next file that has something to read, opened, or the answer when there is none.
    fn next_file(&mut self, out: &mut BatchBuilder) -> Result<Result<usize, Poll>> {
        let mut looked = false;
        loop {
            if let Some(index) = self.files.next() {
                match self.begin(index, out) {
                    Ok(true) => return Ok(Ok(index)),
                    Ok(false) => continue,
                    Err(error) => {
                        if let Err(error) = self.quarantine(index, error, out) {
                            self.files.put_back(index);
                            return Err(error);
                        }
                        continue;
                    }
                }
            }
            if self.ctx.bounded() && self.scans > 0 && !self.files.some_wait() {
                return Ok(Err(Poll::Exhausted));
            }
            if !out.is_empty() {
                return Ok(Err(Poll::More));
            }
            // What was left alone after a look is looked at again later.
            let found = !looked && self.scan(out)?;
            looked = true;
            if !found {
                return Ok(Err(if self.ctx.bounded() && !self.files.some_wait() {
                    Poll::Exhausted
                } else {
                    Poll::Idle(self.settings.poll_interval)
                }));
            }
        }
    }

    /// Looks for files; says so when an entry of `path` names none. Returns whether there is something to read.
    fn scan(&mut self, out: &mut BatchBuilder) -> Result<bool> {
        let ctx = &self.ctx;
        let storage = std::rc::Rc::clone(self.files.storage());
        let spooling = (self.settings.mode == Mode::Spool).then_some(&self.settings.spool);
        let found = self.files.scan(
            |name| -> Result<_> {
                let view = ctx.offset(partition(name));
                let Some(stored) = view.raw()? else {
                    return Ok(None);
                };
                match Position::from_offset(stored) {
                    Some(position) => Ok(Some(position)),
                    None => Err(error::not_a_position(name)),
                }
            },
            |tracked| match spooling {
                Some(spool) => is_ready(tracked, spool, storage.as_ref(), ctx.bounded()),
                None => Ok(true),
            },
        )?;
        self.scans += 1;
        spool::warn_passed(&found.passed, &mut self.told);
        let missing = found.without_match;
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
        if self.scans == 1 && self.settings.mode == Mode::Spool {
            self.forget_old(out)?;
        }
        if self.settings.mode == Mode::Tail && !self.settings.position_only {
            self.follow_names(out);
        }
        Ok(self.files.has_next())
    }

    /// Deletes what is stored about spooled files that are long gone.
    fn forget_old(&mut self, out: &mut BatchBuilder) -> Result<()> {
        let history = i64::try_from(self.settings.spool.history.as_millis()).unwrap_or(i64::MAX);
        let oldest = spool::now_ms().saturating_sub(history);
        for (name, position) in &self.stored {
            let is_old = position
                .done
                .as_ref()
                .is_some_and(|done| done.at_ms < oldest);
            if is_old && !self.files.is_tracked(name) && !named_file_exists(&self.files, name) {
                self.known.forget(name);
                out.delete_offset(partition(name));
            }
        }
        Ok(())
    }

    /// A complete file was read to its end: its last position says so, and it is put away when that is durable.
    fn finished(&mut self, index: usize, out: &mut BatchBuilder) -> Result<()> {
        if self.settings.mode != Mode::Spool {
            return Ok(());
        }
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(());
        };
        let modified_ns = tracked.seen.map_or(0, |seen| seen.modified_ns);
        tracked.position.done = Some(Done {
            modified_ns,
            at_ms: spool::now_ms(),
        });
        out.offset(partition(&tracked.name), tracked.position.to_offset());
        self.errands.finished(out.seq(), &tracked.path);
        tracked.put_away = true;
        tracked.close();
        Ok(())
    }

    /// Reads on in an open file, and notes its position with the batch however the visit ends.
    fn visit(&mut self, index: usize, out: &mut BatchBuilder) -> Result<Visit> {
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(Visit::AtEnd);
        };
        let (Some(handle), Some(content)) = (tracked.handle.take(), tracked.content.take()) else {
            return Ok(Visit::AtEnd);
        };
        let before = tracked.position.clone();
        let partition = partition(&tracked.name);
        out.stamp(&partition);
        let ends = self.ctx.bounded()
            || self.settings.mode == Mode::Spool
            || is_over(tracked, &self.settings);
        let waited = tracked
            .grown_at
            .is_some_and(|at| at.elapsed() >= self.settings.multiline_timeout);
        let started_at = self.window.position();
        let mut read = Read {
            settings: &self.settings,
            decoder: self.decoder.as_mut(),
            charset: self.charset.as_deref_mut(),
            window: &mut self.window,
            lines: &mut self.lines,
            content: content.as_ref(),
            name: &tracked.name,
            tolerant: self.tolerant,
            ends,
            flushes: waited,
            records: 0,
            rejected: 0,
        };
        let ended = read.run(out);
        tracked.records += read.records;
        tracked.rejected += read.rejected;
        let ended_at = self.window.position();
        let pending = !self.window.bytes().is_empty();
        if self.decoder.is_resumable() {
            tracked.position.position = ended_at;
            tracked.position.state = self.decoder.state();
        }
        let mut grown = Ok(());
        if tracked.position.position != before.position || tracked.position.state != before.state {
            if let Some(identity) = &mut tracked.position.identity
                && !tracked.position.packed
            {
                let at = tracked.position.position;
                grown = identity
                    .grow(handle.as_ref(), self.window.read_position())
                    .and_then(|()| identity.mark(handle.as_ref(), at));
            }
            out.offset(&partition, tracked.position.to_offset());
        }
        let at_end = matches!(ended, Ok(Visit::AtEnd));
        if ended_at != started_at {
            note_growth(tracked, false);
        }
        if ended_at != started_at || (tracked.position.packed && at_end) {
            let facts = self.decoder.facts();
            report(&self.ctx, tracked, handle.as_ref(), at_end, facts);
        }
        if pending && self.decoder.holds_back() && at_end {
            note_growth(tracked, true);
        }
        if ended_at == started_at
            && let Some(renamed) = &mut tracked.renamed
        {
            renamed.is_over = ends;
        }
        tracked.handle = Some(handle);
        tracked.content = Some(content);
        grown.map_err(|error| error::io(error, "read", &tracked.name))?;
        ended
    }
}

/// Says whether a renamed file has been quiet for long enough; one that was read just now has not.
fn is_over(tracked: &mut Tracked, settings: &Settings) -> bool {
    let Some(renamed) = &mut tracked.renamed else {
        return false;
    };
    renamed.is_over = !renamed.lives_on || renamed.quiet_since.elapsed() >= settings.rotate_wait;
    renamed.is_over
}

/// Takes note that bytes came: of whole records, or of one whose end is not there.
fn note_growth(tracked: &mut Tracked, waits: bool) {
    let now = std::time::Instant::now();
    if let Some(renamed) = &mut tracked.renamed
        && !waits
        && !renamed.is_over
    {
        renamed.quiet_since = now;
    }
    tracked.grown_at = match (waits, tracked.grown_at) {
        (true, Some(since)) => Some(since),
        (true, None) => Some(now),
        (false, _) => None,
    };
}

/// Names the file to the host, for the summary of the run: how many of its bytes were read.
fn report(
    ctx: &SourceContext,
    tracked: &Tracked,
    handle: &dyn crate::storage::Handle,
    at_end: bool,
    facts: Option<&Json>,
) {
    // Of a packed file the host hashes all bytes or none.
    let bytes = match (tracked.position.packed, at_end) {
        (false, _) => tracked.position.position,
        (true, true) => handle.meta().map_or(0, |meta| meta.size),
        (true, false) => 0,
    };
    let mut more = json!({
        "rejected": tracked.rejected,
        "sums": facts.and_then(|facts| facts.get("sums")).unwrap_or(&json!({})),
    });
    // A spooled file may be elsewhere when the host would compute it.
    if let (true, Some(sha256), Some(more)) =
        (at_end, &tracked.position.sha256, more.as_object_mut())
    {
        more.insert("sha256".to_owned(), sha256.as_str().into());
    }
    let reported = ctx.report_file_with(&tracked.path, bytes, tracked.records, &more);
    if let Err(error) = reported {
        // Only the summary of the run misses it.
        tracing::debug!(%error, "the host took no file report");
    }
}

/// Says whether a spooled file may be read now; in a job, one that may not for want of its marker is passed.
fn is_ready(
    tracked: &mut Tracked,
    spool: &SpoolSettings,
    storage: &dyn crate::storage::Storage,
    bounded: bool,
) -> Result<bool> {
    let Some(seen) = tracked.seen else {
        return Ok(tracked.handle.is_some());
    };
    if spool.is_marker(&tracked.path) {
        return Ok(false);
    }
    let ready = spool
        .ready(storage, &tracked.path, &seen, &mut tracked.looks)
        .map_err(|error| error::io(error, "look at the marker of", &tracked.name))?;
    tracked.waits = ready == Ready::Soon;
    if ready == Ready::NoMarker && bounded {
        tracing::warn!(
            file = tracked.name,
            "is not read: its marker `{}` is not there",
            spool.done_marker
        );
    }
    Ok(ready == Ready::Yes)
}

fn named_file_exists(files: &Files, name: &str) -> bool {
    // A file that cannot be looked at is kept in mind.
    !matches!(files.storage().meta(std::path::Path::new(name)), Ok(None))
}

/// The source partition of a file, the same as of Kafka's connector.
pub(crate) fn partition(name: &str) -> SourcePartition {
    SourcePartition::from([("filename", name)])
}

/// Reads the file's name from its source partition.
fn file_name(partition: &SourcePartition) -> Option<String> {
    let fields: serde_json::Value = serde_json::from_str(partition.as_json()).ok()?;
    fields.get("filename")?.as_str().map(str::to_owned)
}

//! Opening a file where reading stopped: is it the same file, did its bytes come before?

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;

use super::{OnReplaced, Reader, partition};
use crate::content::{Content, read_full};
use crate::decode::{Decode, Problem, Start, Wants, valid_utf8};
use crate::error;
use crate::files::Opened;
use crate::format::{Bad, Reason};
use crate::identity::Change;
use crate::options::Mode;
use crate::spool::{self, OnDuplicate};
use crate::unpack;
use crate::window::{self, LineCounter};

impl Reader {
    /// Opens a file where reading stopped; `false`: it is left alone.
    pub(super) fn begin(&mut self, index: usize, out: &mut BatchBuilder) -> Result<bool> {
        let (bounded, position_only) = (self.ctx.bounded(), self.settings.position_only);
        let storage = std::rc::Rc::clone(self.files.storage());
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(false);
        };
        let failed = |error, name: &str| error::io(error, "read", name);
        let opened = tracked
            .open(storage.as_ref())
            .map_err(|error| failed(error, &tracked.name))?;
        match opened {
            // In a spool, whoever shares the folder may have put it away since the last look.
            Opened::Gone if bounded && self.settings.mode == Mode::Tail => {
                return Err(error::no_input(std::slice::from_ref(&tracked.name)));
            }
            Opened::Gone => return Ok(false),
            Opened::Ready if self.settings.mode == Mode::Spool => {
                if !self.compare_spooled(index, Change::None, out)? {
                    return Ok(false);
                }
            }
            Opened::Ready => {}
            Opened::Replaced(change) if self.settings.mode == Mode::Spool => {
                if !self.compare_spooled(index, change, out)? {
                    return Ok(false);
                }
            }
            Opened::Replaced(change) => {
                let rotated = self.came_free(index, out) || self.found_rotated(index, out)?;
                if !rotated && !self.replaced(index, &change)? {
                    return Ok(false);
                }
            }
        }
        if self.settings.mode == Mode::Tail && !position_only {
            if self.is_in_the_making(index)? {
                return Ok(false);
            }
            self.open_content(index)?;
            self.take_over(index, out)?;
        }
        self.open_content(index)?;
        if self.settings.mode == Mode::Spool {
            self.unpack_whole(index)?;
        }
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(false);
        };
        if self.settings.from_end && !tracked.is_known && self.scans <= 1 {
            let size = tracked.handle.as_ref().map(|handle| handle.meta());
            let size = size
                .transpose()
                .map_err(|error| failed(error, &tracked.name))?;
            tracked.position.position = size.map_or(0, |meta| meta.size);
        }
        tracked.is_known = true;
        if !position_only {
            let before = tracked.position.identity.take();
            tracked
                .identify()
                .map_err(|error| failed(error, &tracked.name))?;
            // The bytes before the position are taken note of when it moves.
            if let (Some(now), Some(before)) = (&mut tracked.position.identity, before) {
                now.tail = before.tail;
            }
        }
        self.resume(index)?;
        Ok(true)
    }

    /// Decides about a file that was cut or replaced; `false`: it is left alone.
    fn replaced(&mut self, index: usize, change: &Change) -> Result<bool> {
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(false);
        };
        match self.settings.on_replaced {
            OnReplaced::Fail => Err(error::replaced(&tracked.name, &tracked.position, change)),
            OnReplaced::Skip => {
                tracing::warn!(
                    file = tracked.name,
                    "the file was cut or replaced, it is left alone"
                );
                tracked.skip();
                Ok(false)
            }
            OnReplaced::Restart => {
                tracing::warn!(
                    file = tracked.name,
                    "the file was cut or replaced, it is read from its start"
                );
                self.known.forget(&tracked.name);
                tracked.restart();
                Ok(true)
            }
        }
    }

    /// A spooled file is compared as a whole: with what its name held before, and with what other names held.
    fn compare_spooled(
        &mut self,
        index: usize,
        change: Change,
        out: &mut BatchBuilder,
    ) -> Result<bool> {
        let ctx = self.ctx.clone();
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(false);
        };
        let Some(handle) = tracked.handle.clone() else {
            return Ok(false);
        };
        let failed = |error| error::io(error, "read", &tracked.name);
        let is_done = tracked.position.done.is_some();
        let size = handle.meta().map_err(failed)?.size;
        if tracked.is_known
            && change == Change::None
            && !is_done
            && tracked.position.sha256.is_some()
        {
            // It was begun, and goes on as it did.
            return Ok(true);
        }
        let Some(sha256) = spool::hash(handle.as_ref(), || ctx.stopped()).map_err(failed)? else {
            return Err(Error::stopped("the task was stopped"));
        };
        if is_done && tracked.position.sha256.as_deref() == Some(sha256.as_str()) {
            self.delivered_again(index, out);
            return Ok(false);
        }
        let change = match (change, is_done) {
            (Change::None, true) => Change::OtherBytes,
            (change, _) => change,
        };
        if change != Change::None && !self.replaced(index, &change)? {
            return Ok(false);
        }
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(false);
        };
        let duplicate = self.known.other(&sha256, &tracked.name).map(str::to_owned);
        tracked.position.sha256 = Some(sha256.clone());
        // Empty files are all alike and hold nothing.
        if let Some(other) = duplicate.filter(|_| size > 0) {
            match self.settings.spool.on_duplicate {
                OnDuplicate::Fail => {
                    let error = error::duplicate(&tracked.name, &other);
                    tracked.position.sha256 = None;
                    return Err(error);
                }
                OnDuplicate::Skip => {
                    tracing::warn!(
                        file = tracked.name,
                        "holds the same bytes as `{other}`, which was read: it is put away unread"
                    );
                    tracked
                        .identify()
                        .map_err(|error| error::io(error, "read", &tracked.name))?;
                    tracked.position.position = size;
                    tracked.is_known = true;
                    self.finished(index, out)?;
                    return Ok(false);
                }
                OnDuplicate::Again => {}
            }
        } else {
            self.known.add(&sha256, &tracked.name);
        }
        Ok(true)
    }

    /// The same bytes under the same name once more: there is nothing to read, and the file is put away again.
    fn delivered_again(&mut self, index: usize, out: &mut BatchBuilder) {
        let Some(tracked) = self.files.get_mut(index) else {
            return;
        };
        let inode = tracked.seen.map(|seen| seen.inode);
        if let (Some(done), Some(seen)) = (&mut tracked.position.done, tracked.seen) {
            done.modified_ns = seen.modified_ns;
        }
        if let (Some(identity), Some(inode)) = (&mut tracked.position.identity, inode) {
            identity.inode = inode;
        }
        tracked.put_away = true;
        tracked.close();
        out.offset(partition(&tracked.name), tracked.position.to_offset());
        self.errands.finished(out.seq(), &tracked.path);
    }

    /// Opens what the file holds, packed or not.
    pub(super) fn open_content(&mut self, index: usize) -> Result<()> {
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(());
        };
        let Some(handle) = &tracked.handle else {
            return Ok(());
        };
        if tracked.content.is_some() {
            return Ok(());
        }
        let content = unpack::open(
            handle,
            self.settings.compression,
            self.settings.unpack_limit,
        )
        .map_err(|error| error::content(error, &tracked.name, 0, true))?;
        tracked.position.packed = content.is_sequential();
        tracked.content = Some(content);
        Ok(())
    }

    /// Unpacks a spooled file to its end before its first record is handed out: of a damaged one nothing goes out, so that the repaired
    /// one can be read as a whole.
    fn unpack_whole(&mut self, index: usize) -> Result<()> {
        let ctx = self.ctx.clone();
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(());
        };
        let is_packed = |content: &dyn Content| content.is_sequential();
        if tracked.position.position > 0 || !tracked.content.as_deref().is_some_and(is_packed) {
            return Ok(());
        }
        let (mut chunk, mut at) = (vec![0; UNPACK_CHUNK], 0);
        while let Some(content) = &tracked.content {
            if ctx.stopped() {
                return Err(Error::stopped("the task was stopped"));
            }
            match content.read_at(&mut chunk, at) {
                Ok(0) => break,
                Ok(n) => at += n as u64,
                Err(error) => return Err(error::content(error, &tracked.name, at, true)),
            }
        }
        tracked.content = None;
        self.open_content(index)
    }

    /// Brings window and decoder to where reading stopped.
    fn resume(&mut self, index: usize) -> Result<()> {
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(());
        };
        let Some(content) = &tracked.content else {
            return Ok(());
        };
        let position = tracked.position.position;
        let part = content.part(position);
        let name = error::place_name(&tracked.name, part.name.as_deref());
        self.lines.reset(part.start);
        if let Some(charset) = &mut self.charset
            && charset.needs_start()
        {
            let mut start = [0; 4];
            let n = read_full(content.as_ref(), &mut start, part.start).map_err(|error| {
                error::content(error, &name, part.start, content.is_sequential())
            })?;
            charset.begin(start.get(..n).unwrap_or_default());
        }
        if self.decoder.wants_check() {
            check_whole(
                self.decoder.as_mut(),
                content.as_ref(),
                &tracked.name,
                &mut self.lines,
            )?;
            self.lines.reset(part.start);
        }
        self.decoder
            .begin(&Start {
                name: &name,
                position: position - part.start.min(position),
                state: tracked.position.state.as_ref(),
            })
            .map_err(|problem| {
                error::problem(
                    problem,
                    &error::At::start(content.as_ref(), &name, part.start),
                    &mut self.lines,
                )
            })?;
        self.window.seek(part.start);
        if position > part.start && self.decoder.needs_first_record() {
            self.read_columns(index, part.start, part.end, &name)?;
        }
        self.window.seek(position);
        self.skip_late_newline(index)
    }

    /// Reads the first record of a file that is continued, for its columns.
    fn read_columns(&mut self, index: usize, start: u64, end: u64, name: &str) -> Result<()> {
        let max = self.settings.line_bytes_max;
        let Some(content) = self
            .files
            .get(index)
            .and_then(|tracked| tracked.content.as_ref())
        else {
            return Ok(());
        };
        let content = content.as_ref();
        let mut to_skip = self.settings.header_lines;
        let mut text = String::new();
        loop {
            let n = self.window.fill(content, end).map_err(|error| {
                error::content(
                    error,
                    name,
                    self.window.read_position(),
                    content.is_sequential(),
                )
            })?;
            while to_skip > 0
                && let Some(len) =
                    super::read::header_line(self.charset.as_deref(), self.window.bytes(), n == 0)
            {
                self.window.consume(len);
                to_skip -= 1;
            }
            let bytes = self.window.bytes();
            let (front, bad) = match &mut self.charset {
                None => valid_utf8(bytes, n == 0),
                Some(charset) => {
                    text.clear();
                    let decoded = charset.decode(bytes, n == 0, &mut text);
                    (text.as_str(), decoded.bad.map(|(at, _)| at))
                }
            };
            let taken = match self.decoder.take_first_record(front, n == 0) {
                _ if to_skip > 0 && n > 0 => Ok(false),
                Ok(false) if bad.is_some() => {
                    Err(Problem::Bad(Bad::at(front.len(), Reason::InvalidUtf8)))
                }
                Ok(false) if front.len() > max => Err(Problem::Bad(Bad::too_long(max, true))),
                other => other,
            };
            match taken {
                Ok(true) => return Ok(()),
                Ok(false) if n == 0 => return Ok(()),
                Ok(false) => {}
                Err(problem) => {
                    let at = error::At {
                        content,
                        name,
                        start,
                        position: self.window.position(),
                    };
                    return Err(error::problem(problem, &at, &mut self.lines));
                }
            }
        }
    }

    /// Passes the newline of a line that was handed out without it, at the end of a file that has grown since.
    fn skip_late_newline(&mut self, index: usize) -> Result<()> {
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(());
        };
        let (Some(content), Some(before)) =
            (&tracked.content, tracked.position.position.checked_sub(1))
        else {
            return Ok(());
        };
        // Going back would unpack a file anew; and text in other encodings has other line ends.
        let is_text = self.charset.is_none() && self.decoder.wants() == Wants::Text;
        if content.is_sequential() || !is_text {
            return Ok(());
        }
        let n = window::late_newline(content.as_ref(), before)
            .map_err(|error| error::io(error, "read", &tracked.name))?;
        tracked.position.position += n;
        self.window.seek(tracked.position.position);
        Ok(())
    }
}

/// Bytes that are unpacked at a time to be checked.
const UNPACK_CHUNK: usize = 256 << 10;

/// Checks all parts of a file before any of its records goes out.
fn check_whole(
    decoder: &mut dyn Decode,
    content: &dyn Content,
    name: &str,
    lines: &mut LineCounter,
) -> Result<()> {
    let mut at = 0;
    loop {
        let part = content.part(at);
        let place = error::place_name(name, part.name.as_deref());
        decoder.check(content, &part).map_err(|problem| {
            error::problem(
                problem,
                &error::At::start(content, &place, part.start),
                lines,
            )
        })?;
        if !part.has_next {
            return Ok(());
        }
        at = part.end;
    }
}

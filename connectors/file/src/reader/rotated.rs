//! Logs that are rotated: which file goes on where another stopped.
//!
//! While they are followed the open file tells: the name under which it is found now goes on with it. After a stop, and for copies and
//! packed files, what the files hold tells ([`crate::rotation`]).

use std::rc::Rc;
use std::time::Instant;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;

use super::{Reader, partition};
use crate::content::read_full;
use crate::error;
use crate::files::Opened;
use crate::identity::Position;
use crate::rotation;

/// So many bytes of two files are compared to find that one is a copy of the other in the making.
const COMPARED_BYTES: usize = 1024;

impl Reader {
    /// Open files that have another name since the last look go on under it, the oldest first.
    ///
    /// To be called right after a look, while no file is being read.
    pub(super) fn follow_names(&mut self, out: &mut BatchBuilder) {
        let moves = self.files.moves();
        for &(from, to) in &moves {
            self.hand_over(from, to, out);
        }
        self.files.visit_first(&moves);
    }

    /// The file that had the name was read to its end and is gone: another one of ours may have waited for the name.
    pub(super) fn came_free(&mut self, index: usize, out: &mut BatchBuilder) -> bool {
        let Some(from) = self.files.holder(index) else {
            return false;
        };
        self.hand_over(from, index, out);
        self.files.visit_first(&[(from, index)]);
        true
    }

    /// Gives an open file to the entry of the name that it has now.
    fn hand_over(&mut self, from: usize, to: usize, out: &mut BatchBuilder) {
        let Some(open) = self.files.get_mut(from).map(crate::files::Tracked::let_go) else {
            return;
        };
        let name = self.files.get(from).map(|tracked| tracked.name.clone());
        let Some(tracked) = self.files.get_mut(to) else {
            return;
        };
        tracked.go_on_with(open);
        tracing::info!(
            file = tracked.name,
            before = name,
            position = tracked.position.position,
            "is a rotated file, reading goes on in it"
        );
        out.offset(partition(&tracked.name), tracked.position.to_offset());
        if let Some(name) = name {
            out.delete_offset(partition(&name));
        }
    }

    /// A log that was replaced may have been renamed or copied away: then the rest of it is read under its new name, and nothing
    /// was lost. Returns whether that is so.
    pub(super) fn found_rotated(&mut self, index: usize, out: &mut BatchBuilder) -> Result<bool> {
        self.find_successor(index, &mut Vec::new(), out)
    }

    /// As [`Self::found_rotated`]; `before` are the files that wait for this one to make way: several rotations while nobody looked.
    fn find_successor(
        &mut self,
        index: usize,
        before: &mut Vec<usize>,
        out: &mut BatchBuilder,
    ) -> Result<bool> {
        let Some(known) = self
            .files
            .get(index)
            .map(|tracked| tracked.position.clone())
        else {
            return Ok(false);
        };
        before.push(index);
        for other in self.files.relatives(index) {
            let is_there = self
                .files
                .get(other)
                .is_some_and(|file| file.seen.is_some());
            if !is_there || before.contains(&other) {
                continue;
            }
            let was_read = self.files.get(other).is_some_and(|file| file.is_known);
            if was_read && !self.was_replaced(other)? {
                continue;
            }
            if !self.continues(other, &known)? {
                continue;
            }
            if was_read
                && !self.find_successor(other, before, out)?
                && let Some(tracked) = self.files.get(other)
            {
                tracing::warn!(
                    file = tracked.name,
                    position = tracked.position.position,
                    "what had this name is gone; it was read up to this byte"
                );
            }
            self.inherit(other, &known, out);
            if let Some(tracked) = self.files.get_mut(index) {
                tracing::info!(
                    file = tracked.name,
                    "was rotated, the new file is read from its start"
                );
                tracked.restart();
                out.delete_offset(partition(&tracked.name));
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Says whether a name holds something else than what was read under it.
    fn was_replaced(&mut self, index: usize) -> Result<bool> {
        let storage = Rc::clone(self.files.storage());
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(false);
        };
        let opened = tracked
            .open(storage.as_ref())
            .map_err(|error| error::io(error, "read", &tracked.name))?;
        Ok(matches!(opened, Opened::Replaced(_)))
    }

    /// A file that was never read under its name may be one that was, under a name that is gone.
    pub(super) fn take_over(&mut self, index: usize, out: &mut BatchBuilder) -> Result<()> {
        let Some(tracked) = self.files.get(index).filter(|tracked| !tracked.is_known) else {
            return Ok(());
        };
        let name = rotation::family(&tracked.name).to_owned();
        // Files of this run first: packed after their rename, or copied and removed.
        for other in self.files.relatives(index) {
            let gone = self
                .files
                .get(other)
                .filter(|file| file.is_known && file.seen.is_none())
                .map(|file| (file.name.clone(), file.position.clone()));
            let Some((other_name, known)) = gone else {
                continue;
            };
            if self.continues(index, &known)? {
                if let Some(file) = self.files.get_mut(other) {
                    drop(file.let_go());
                }
                self.inherit(index, &known, out);
                out.delete_offset(partition(&other_name));
                return Ok(());
            }
        }
        let gone: Vec<(String, Position)> = self
            .stored
            .iter()
            .filter(|(other, _)| rotation::family(other) == name && !self.files.is_tracked(other))
            .cloned()
            .collect();
        for (other, known) in gone {
            if self.continues(index, &known)? && !super::named_file_exists(&self.files, &other) {
                self.inherit(index, &known, out);
                self.stored.retain(|(name, _)| *name != other);
                out.delete_offset(partition(&other));
                break;
            }
        }
        Ok(())
    }

    /// Says whether a new file may be a copy, or a packed one, of a followed file that is about to be cut or removed: it begins as that
    /// one does and was still written to a moment ago. It is looked at again with the next scan.
    pub(super) fn is_in_the_making(&mut self, index: usize) -> Result<bool> {
        if self.ctx.bounded() || self.settings.rotate_wait.is_zero() {
            return Ok(false);
        }
        let quiet = self.settings.rotate_wait;
        let is_young = |since: Instant| since.elapsed() < quiet;
        let Some(tracked) = self.files.get(index) else {
            return Ok(false);
        };
        if tracked.is_known || !tracked.stands_since.is_some_and(is_young) {
            return Ok(false);
        }
        let name = tracked.name.as_str();
        let originals: Vec<Rc<dyn crate::storage::Handle>> = self
            .files
            .relatives(index)
            .into_iter()
            .filter_map(|other| self.files.get(other))
            // A copy has its original's name with more behind it: a new log never waits.
            .filter(|other| other.name.len() < name.len() && other.is_known && other.seen.is_some())
            .filter_map(|other| other.handle.clone())
            .collect();
        if originals.is_empty() {
            return Ok(false);
        }
        // What cannot be unpacked yet is not complete.
        let mut start = [0; COMPARED_BYTES];
        let read = match self.open_content(index) {
            Ok(()) => self.files.get(index).map_or(Ok(0), |tracked| {
                let content = tracked.content.as_deref();
                content.map_or(Ok(0), |content| read_full(content, &mut start, 0))
            }),
            Err(_) => Ok(0),
        };
        let start = start.get(..read.unwrap_or(0)).unwrap_or_default();
        let mut is_copy = false;
        for original in originals {
            let mut same = vec![0; start.len()];
            is_copy |= matches!(original.read_at(&mut same, 0), Ok(n) if n == start.len())
                && same == start;
        }
        if is_copy && let Some(tracked) = self.files.get_mut(index) {
            tracked.close();
        }
        Ok(is_copy)
    }

    fn continues(&mut self, index: usize, known: &Position) -> Result<bool> {
        let storage = Rc::clone(self.files.storage());
        let Some(tracked) = self.files.get_mut(index) else {
            return Ok(false);
        };
        let opened = tracked.open(storage.as_ref());
        let failed = |error| error::io(error, "read", &tracked.name);
        if let Opened::Gone = opened.map_err(failed)? {
            return Ok(false);
        }
        self.open_content(index)?;
        let Some(tracked) = self.files.get(index) else {
            return Ok(false);
        };
        let (Some(content), Some(seen)) = (&tracked.content, &tracked.seen) else {
            return Ok(false);
        };
        rotation::continues(known, seen, content.as_ref())
            .map_err(|error| error::io(error, "read", &tracked.name))
    }

    fn inherit(&mut self, index: usize, known: &Position, out: &mut BatchBuilder) {
        let Some(tracked) = self.files.get_mut(index) else {
            return;
        };
        tracing::info!(
            file = tracked.name,
            position = known.position,
            "is a rotated file, reading goes on in it"
        );
        // Of a name that held something else before.
        let packed = tracked
            .content
            .as_ref()
            .is_some_and(|content| content.is_sequential());
        tracked.position = Position {
            packed,
            ..known.clone()
        };
        tracked.is_known = true;
        if let Some(identity) = &mut tracked.position.identity {
            identity.inode = tracked.seen.map_or(0, |seen| seen.inode);
            if packed {
                // Identified by its own bytes from now on.
                tracked.position.identity = None;
            }
        }
        out.offset(partition(&tracked.name), tracked.position.to_offset());
    }
}

//! Which requests were seen: a window of names that survives a restart.
//!
//! Each name is a source partition `{"webhook": PATH, "id": HASH}` with the offset `{"at": MS}`, in the same commit as the records of its
//! request: a name is known exactly when its records are in the log. The hash is the first 16 bytes of SHA-256 in hex, so that names of
//! any length cost the same.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use linkspan_sdk::prelude::*;
use sha2::{Digest as _, Sha256};

/// Most names that one batch forgets: each is a change of an offset, of which a batch has 10,000 at most.
const FORGOTTEN_MAX: usize = 2_000;

/// A request's name, hashed.
pub(super) type Name = [u8; 16];

/// Hashes a request's name.
pub(super) fn name(text: &[u8]) -> Name {
    let digest = Sha256::digest(text);
    let mut name = Name::default();
    for (to, from) in name.iter_mut().zip(digest) {
        *to = from;
    }
    name
}

/// The names of the window.
#[derive(Debug)]
pub(super) struct Repeats {
    path: String,
    window_ms: u64,
    most: usize,
    /// Which batch has the records of a name; 0 is one of an earlier life.
    seen: HashMap<Name, Seq>,
    /// By time, oldest first.
    order: VecDeque<(u64, Name)>,
}

impl Repeats {
    /// Reads the names of earlier lives.
    pub(super) fn load(
        ctx: &SourceContext,
        path: &str,
        window: Duration,
        most: u32,
    ) -> Result<Self> {
        let mut order = Vec::new();
        for (partition, offset) in ctx.offsets([("webhook", path)])? {
            let id = partition.get_str("id").and_then(super::signature::from_hex);
            if let (Some(id), Some(at)) =
                (id.and_then(|id| Name::try_from(id).ok()), offset.u64("at")?)
            {
                order.push((at, id));
            }
        }
        order.sort_unstable();
        Ok(Self {
            path: path.to_owned(),
            window_ms: u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
            most: usize::try_from(most).unwrap_or(usize::MAX),
            seen: order.iter().map(|(_, id)| (*id, Seq(0))).collect(),
            order: order.into(),
        })
    }

    /// Returns whether names are remembered at all.
    pub(super) const fn is_on(&self) -> bool {
        self.most > 0
    }

    /// Returns the batch that has the records of this name.
    pub(super) fn batch_of(&self, name: &Name) -> Option<Seq> {
        self.seen.get(name).copied()
    }

    /// Remembers a name with the batch that is being built.
    pub(super) fn remember(&mut self, name: Name, now_ms: u64, out: &mut BatchBuilder) {
        self.seen.insert(name, out.seq());
        self.order.push_back((now_ms, name));
        out.offset(self.partition(&name), [("at", now_ms)]);
    }

    /// Forgets names that are older than the window, or beyond the most that are kept.
    pub(super) fn forget(&mut self, now_ms: u64, out: &mut BatchBuilder) {
        for _ in 0..FORGOTTEN_MAX {
            let Some((at, name)) = self.order.front().copied() else {
                return;
            };
            if at.saturating_add(self.window_ms) > now_ms && self.order.len() <= self.most {
                return;
            }
            self.order.pop_front();
            self.seen.remove(&name);
            out.delete_offset(self.partition(&name));
        }
    }

    fn partition(&self, name: &Name) -> SourcePartition {
        let id: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        SourcePartition::from([("webhook", self.path.clone()), ("id", id)])
    }
}

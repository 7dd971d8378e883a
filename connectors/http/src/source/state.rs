//! How far a stream is, as its offsets keep it.
//!
//! `{"stream": NAME}` or `{"stream": NAME, "partition": VALUE}` → [`State`], written with every page, so that a kill on page 70 resumes there.
//! A stream that is read for several values also keeps `{"stream": NAME, "round": "values"}` → [`RoundState`]: which value it is at.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use super::cursor::CursorValue;

/// Most records that are remembered to know them again; 8 bytes each, within the 64 KiB of an offset.
pub(super) const SEEN_MAX: usize = 2_500;

/// How far one stream or one of its values is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Everything below is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<String>,
    /// What is being read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) slice: Option<Slice>,
    /// Records at and near the cursor, hashed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) seen: String,
    /// The same of the slice that is being read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) fresh: String,
    /// By what the server knows that nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) validators: Option<Validators>,
}

/// A part of a stream that is read as a whole: a window of the cursor, or everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slice {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) start: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<String>,
    /// Pages that are read.
    #[serde(default)]
    pub(super) page: u64,
    /// The next page's number, offset, token or URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
    /// Records of the next page that are read already.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) skip: u64,
    /// The greatest value of the cursor so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<String>,
}

/// `ETag` and `Last-Modified` of an answer to one URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Validators {
    pub(super) url: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) modified: Option<String>,
}

/// Which value a round is at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RoundState {
    /// Values that are done: of the list, or of the parent's page.
    #[serde(default)]
    pub(super) done: u64,
    /// The parent's pages that are done.
    #[serde(default)]
    pub(super) page: u64,
    /// The parent's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Records that are known again: those of earlier slices near the cursor, and those of this one.
#[derive(Debug, Default)]
pub(super) struct Seen {
    old: Vec<(CursorValue, u64)>,
    fresh: Vec<(CursorValue, u64)>,
    hashes: HashSet<u64>,
}

impl Seen {
    /// Reads what the state keeps. Values are not kept; `cursor` stands for them, so that entries stay rather too long.
    pub(super) fn load(state: &State, cursor: &CursorValue) -> Self {
        let read = |text: &str| {
            unpack(text)
                .into_iter()
                .map(|hash| (cursor.clone(), hash))
                .collect::<Vec<_>>()
        };
        let (old, fresh) = (read(&state.seen), read(&state.fresh));
        let hashes = old.iter().chain(&fresh).map(|(_, hash)| *hash).collect();
        Self { old, fresh, hashes }
    }

    pub(super) fn holds(&self, hash: u64) -> bool {
        self.hashes.contains(&hash)
    }

    /// Remembers a record; those of this slice below `low` are of no more use. Returns whether any that is had to go.
    pub(super) fn remember(&mut self, value: CursorValue, hash: u64, low: &CursorValue) -> bool {
        if value < *low {
            return false;
        }
        self.fresh.push((value, hash));
        self.hashes.insert(hash);
        if self.old.len() + self.fresh.len() <= SEEN_MAX {
            return false;
        }
        let before = self.fresh.len();
        let hashes = &mut self.hashes;
        self.fresh.retain(|(value, hash)| {
            *value >= *low || {
                hashes.remove(hash);
                false
            }
        });
        if self.fresh.len() < before {
            return false;
        }
        if self.old.is_empty() {
            self.fresh.remove(0)
        } else {
            self.old.remove(0)
        };
        true
    }

    /// Ends a slice: what is below `low` will not come again.
    pub(super) fn settle(&mut self, low: &CursorValue) {
        self.old.append(&mut self.fresh);
        self.old.retain(|(value, _)| *value >= *low);
        self.hashes = self.old.iter().map(|(_, hash)| *hash).collect();
    }

    /// Writes what is remembered into the state.
    pub(super) fn store(&self, state: &mut State) {
        state.seen = pack(&self.old);
        state.fresh = pack(&self.fresh);
    }
}

fn pack(entries: &[(CursorValue, u64)]) -> String {
    let bytes: Vec<u8> = entries
        .iter()
        .flat_map(|(_, hash)| hash.to_be_bytes())
        .collect();
    STANDARD_NO_PAD.encode(bytes)
}

fn unpack(text: &str) -> Vec<u64> {
    let bytes = STANDARD_NO_PAD.decode(text).unwrap_or_default();
    let (chunks, _) = bytes.as_chunks::<8>();
    chunks
        .iter()
        .map(|chunk| u64::from_be_bytes(*chunk))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: i64) -> CursorValue {
        CursorValue::Number(value)
    }

    #[test]
    fn what_is_near_the_cursor_survives_a_restart() {
        let mut seen = Seen::default();
        for value in 0..10_i64 {
            seen.remember(number(value), value.cast_unsigned(), &number(value - 2));
        }
        seen.settle(&number(7));
        let mut state = State::default();
        seen.store(&mut state);
        let state: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        let seen = Seen::load(&state, &number(9));
        assert_eq!(
            (0..10).filter(|hash| seen.holds(*hash)).collect::<Vec<_>>(),
            [7, 8, 9]
        );
    }

    #[test]
    fn the_number_of_remembered_records_has_a_bound() {
        let mut seen = Seen::default();
        let mut dropped = 0;
        for value in 0..(SEEN_MAX as i64 + 10) {
            dropped += usize::from(seen.remember(number(value), value.cast_unsigned(), &number(0)));
        }
        let mut state = State::default();
        seen.store(&mut state);
        assert_eq!(dropped, 10);
        assert!(serde_json::to_string(&state).unwrap().len() < 40 << 10);
        // What lies below the line makes room first.
        let mut seen = Seen::default();
        for value in 0..(SEEN_MAX as i64 + 10) {
            assert!(!seen.remember(number(value), value.cast_unsigned(), &number(value - 5)));
        }
    }
}

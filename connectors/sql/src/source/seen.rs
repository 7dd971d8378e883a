//! Rows behind the settled position that were handed over already: numbers as ranges, others as hashes. Kept in the offset, so
//! bounded: who is full reads no further before something settles.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::Value;

/// The most ranges or hashes: an offset holds 64 KiB, a hash takes 11 bytes, a range up to 42.
const ENTRIES_MAX: usize = 1_200;

/// What was handed over beyond the settled position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// First to last number of each run.
    Ids(BTreeMap<i64, i64>),
    /// Hashes of rows, with the timestamp they stand at.
    Rows(BTreeSet<(i64, u64)>),
}

impl Seen {
    pub(crate) const fn ids() -> Self {
        Self::Ids(BTreeMap::new())
    }

    pub(crate) const fn rows() -> Self {
        Self::Rows(BTreeSet::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Ids(runs) => runs.is_empty(),
            Self::Rows(rows) => rows.is_empty(),
        }
    }

    /// Returns whether nothing may be added.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Ids(runs) => runs.len() >= ENTRIES_MAX,
            Self::Rows(rows) => rows.len() >= ENTRIES_MAX,
        }
    }

    /// Adds a row; returns whether it was not there.
    pub(crate) fn insert(&mut self, at: i64, hash: u64) -> bool {
        match self {
            Self::Rows(rows) => rows.insert((at, hash)),
            Self::Ids(runs) => insert_run(runs, at),
        }
    }

    pub(crate) fn contains(&self, at: i64, hash: u64) -> bool {
        match self {
            Self::Rows(rows) => rows.contains(&(at, hash)),
            Self::Ids(runs) => runs
                .range(..=at)
                .next_back()
                .is_some_and(|(_, last)| *last >= at),
        }
    }

    /// Forgets what stands at or before a place.
    pub(crate) fn forget_through(&mut self, at: i64) {
        match self {
            Self::Rows(rows) => match at.checked_add(1) {
                Some(next) => *rows = rows.split_off(&(next, 0)),
                None => rows.clear(),
            },
            Self::Ids(runs) => {
                let cut = runs
                    .range(..=at)
                    .next_back()
                    .map(|(_, last)| *last)
                    .filter(|last| *last > at);
                *runs = match at.checked_add(1) {
                    Some(next) => runs.split_off(&next),
                    None => BTreeMap::new(),
                };
                if let Some(last) = cut {
                    runs.insert(at + 1, last);
                }
            }
        }
    }

    /// Returns the form in an offset, `None` where there is nothing.
    pub(crate) fn to_json(&self) -> Option<Value> {
        if self.is_empty() {
            return None;
        }
        Some(match self {
            Self::Ids(runs) => runs
                .iter()
                .map(|(first, last)| Value::from(vec![*first, *last]))
                .collect(),
            Self::Rows(rows) => {
                let mut bytes = Vec::with_capacity(rows.len() * 16);
                for (at, hash) in rows {
                    bytes.extend_from_slice(&at.to_le_bytes());
                    bytes.extend_from_slice(&hash.to_le_bytes());
                }
                Value::from(STANDARD_NO_PAD.encode(bytes))
            }
        })
    }

    /// Reads the same; `None` where it is neither.
    pub(crate) fn from_json(json: &Value) -> Option<Self> {
        if let Some(text) = json.as_str() {
            let bytes = STANDARD_NO_PAD.decode(text).ok()?;
            let (pairs, rest) = bytes.as_chunks::<16>();
            if !rest.is_empty() {
                return None;
            }
            let pair = |bytes: &[u8; 16]| {
                let (at, hash) = bytes.split_first_chunk::<8>()?;
                Some((
                    i64::from_le_bytes(*at),
                    u64::from_le_bytes(hash.try_into().ok()?),
                ))
            };
            return Some(Self::Rows(pairs.iter().filter_map(pair).collect()));
        }
        let mut runs = BTreeMap::new();
        for run in json.as_array()? {
            let run = run.as_array()?;
            let [first, last] = run.as_slice() else {
                return None;
            };
            runs.insert(first.as_i64()?, last.as_i64()?);
        }
        Some(Self::Ids(runs))
    }
}

/// Adds a number to runs, joining its neighbours.
fn insert_run(runs: &mut BTreeMap<i64, i64>, at: i64) -> bool {
    let before = runs
        .range(..=at)
        .next_back()
        .map(|(first, last)| (*first, *last));
    if before.is_some_and(|(_, last)| last >= at) {
        return false;
    }
    let first = match before {
        Some((first, last)) if last.checked_add(1) == Some(at) => first,
        _ => at,
    };
    let last = at
        .checked_add(1)
        .and_then(|next| runs.remove(&next))
        .unwrap_or(at);
    runs.insert(first, last);
    true
}

/// Hashes parts of a row; the same in every process and version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowHash(u64);

impl RowHash {
    pub(crate) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds a value, or that it is null.
    pub(crate) fn add(&mut self, part: Option<&[u8]>) {
        let length = part.map_or(u64::MAX, |part| {
            u64::try_from(part.len()).unwrap_or(u64::MAX)
        });
        for byte in length.to_le_bytes().iter().chain(part.unwrap_or_default()) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Returns the hash, its bits mixed.
    pub(crate) const fn finish(self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_join_into_runs() {
        let mut seen = Seen::ids();
        for id in [5, 3, 4, 9, 7, 8, 1] {
            assert!(seen.insert(id, 0), "{id}");
        }
        assert!(!seen.insert(4, 0));
        assert_eq!(seen.to_json().unwrap().to_string(), "[[1,1],[3,5],[7,9]]");
        assert!(seen.contains(8, 0) && !seen.contains(6, 0) && !seen.contains(10, 0));
        seen.forget_through(3);
        assert_eq!(seen.to_json().unwrap().to_string(), "[[4,5],[7,9]]");
        assert_eq!(
            Seen::from_json(&seen.to_json().unwrap()),
            Some(seen.clone())
        );
        seen.forget_through(i64::MAX);
        assert!(seen.is_empty());
        assert!(Seen::Ids([(i64::MAX, i64::MAX)].into()).contains(i64::MAX, 0));
    }

    #[test]
    fn rows_are_known_by_time_and_hash() {
        let mut seen = Seen::rows();
        assert!(
            seen.insert(10, 1) && seen.insert(10, 2) && seen.insert(11, 1) && !seen.insert(10, 1)
        );
        assert_eq!(
            Seen::from_json(&seen.to_json().unwrap()),
            Some(seen.clone())
        );
        seen.forget_through(10);
        assert!(seen.contains(11, 1) && !seen.contains(10, 2));
        assert_eq!(Seen::from_json(&Value::from("not base64!")), None);
    }

    #[test]
    fn the_fullest_set_fits_into_an_offset() {
        let (mut ids, mut rows) = (Seen::ids(), Seen::rows());
        let mut n = 0;
        while !ids.is_full() {
            ids.insert(i64::MIN + n * 2, 0);
            n += 1;
        }
        while !rows.is_full() {
            rows.insert(i64::MAX, u64::try_from(n).unwrap());
            n += 1;
        }
        for seen in [ids, rows] {
            assert!(seen.to_json().unwrap().to_string().len() < 60_000);
        }
    }

    #[test]
    fn hashes_tell_null_from_empty() {
        let of = |parts: &[Option<&[u8]>]| {
            let mut hash = RowHash::new();
            parts.iter().for_each(|part| hash.add(*part));
            hash.finish()
        };
        assert_ne!(of(&[None]), of(&[Some(b"")]));
        assert_ne!(of(&[Some(b"a"), Some(b"")]), of(&[Some(b""), Some(b"a")]));
        assert_eq!(of(&[Some(b"a")]), of(&[Some(b"a")]));
    }
}

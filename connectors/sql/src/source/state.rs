//! How far a table is read: what is kept in the offset, and what each row does to it.

use linkspan_sdk::SourcePartition;
use serde_json::{Map, Value};

use super::horizon::{Settled, Settling};
use super::position::Position;
use super::seen::Seen;
use crate::types::read::Zone;

/// How far a table, a query or a range of one is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    /// All rows up to here were handed over.
    pub(crate) position: Position,
    /// Those behind it that were, too.
    pub(crate) seen: Seen,
    pub(crate) settling: Settling,
    /// The timestamp whose rows are being read, where nothing else orders them.
    group: Option<i64>,
    /// A range that has no more rows.
    pub(crate) done: bool,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Emit,
    /// It was handed over before.
    Known,
    /// No more can be remembered: read on when something has settled.
    Full,
}

impl Progress {
    pub(crate) fn new(position: Position, of_timestamps: bool) -> Self {
        Self {
            position,
            seen: if of_timestamps {
                Seen::rows()
            } else {
                Seen::ids()
            },
            settling: Settling::new(),
            group: None,
            done: false,
        }
    }

    /// Says what becomes of a row, in the order of places. `identity` tells rows of one timestamp apart.
    pub(crate) fn verdict(&self, at: Position, identity: u64, settled: Settled) -> Verdict {
        let Some((place, hash)) = mark(at, identity) else {
            return Verdict::Emit;
        };
        if self.seen.contains(place, hash) {
            Verdict::Known
        } else if !settled.covers(place) && self.seen.is_full() {
            Verdict::Full
        } else {
            Verdict::Emit
        }
    }

    /// Takes note of a row that was handed over, now or before.
    pub(crate) fn take(&mut self, at: Position, identity: u64, settled: Settled) {
        let Some((place, hash)) = mark(at, identity) else {
            return;
        };
        if settled.covers(place) {
            if at.id.is_some() {
                self.position = at;
                return;
            }
            self.enter_group(place);
        }
        // Of a timestamp with more rows than that the rest comes again after a crash.
        if !self.seen.is_full() {
            self.seen.insert(place, hash);
        }
    }

    /// A timestamp is complete when one after it comes; only then the position may pass it.
    fn enter_group(&mut self, micros: i64) {
        match self.group {
            Some(group) if group == micros => return,
            Some(group) => self.complete(group),
            None => {}
        }
        self.group = Some(micros);
    }

    fn complete(&mut self, micros: i64) {
        self.position = Position::through(micros);
        self.seen.forget_through(micros);
    }

    /// All rows of a round were seen.
    pub(crate) fn round_complete(&mut self, settled: Settled) {
        if let Some(group) = self.group.take() {
            self.complete(group);
        }
        match settled {
            Settled::Through(through) => self.seen.forget_through(through),
            Settled::All => self.seen.forget_through(i64::MAX),
        }
    }

    /// A round ends before its rows do: what was begun is read again.
    pub(crate) const fn round_cut(&mut self) {
        self.group = None;
    }

    /// Returns the offset.
    pub(crate) fn to_offset(&self, zone: Option<Zone>) -> Map<String, Value> {
        let mut offset = Map::new();
        self.position.write(zone, &mut offset);
        if let Some(seen) = self.seen.to_json() {
            offset.insert("seen".to_owned(), seen);
            if let Some(pending) = self.settling.to_json() {
                offset.insert("pending".to_owned(), pending);
            }
        }
        if self.done {
            offset.insert("done".to_owned(), true.into());
        }
        offset
    }

    /// Reads an offset, ours or the JDBC connector's; `None` where it is neither.
    pub(crate) fn of_offset(
        offset: &Map<String, Value>,
        zone: Option<Zone>,
        of_timestamps: bool,
    ) -> Option<Self> {
        let mut progress = Self::new(Position::read(zone, offset), of_timestamps);
        if let Some(seen) = offset.get("seen") {
            let seen = Seen::from_json(seen)?;
            // Those of another mode say nothing here.
            if std::mem::discriminant(&seen) == std::mem::discriminant(&progress.seen) {
                progress.seen = seen;
            }
        }
        if let Some(pending) = offset.get("pending") {
            progress.settling = Settling::from_json(pending);
        }
        if !of_timestamps {
            progress.position.micros = None;
        }
        progress.done = offset.get("done").and_then(Value::as_bool).unwrap_or(false);
        Some(progress)
    }
}

/// What a row is remembered by: its number, or its timestamp and what tells it from others.
const fn mark(at: Position, identity: u64) -> Option<(i64, u64)> {
    match (at.micros, at.id) {
        (Some(micros), Some(id)) => Some((micros, id.cast_unsigned())),
        (Some(micros), None) => Some((micros, identity)),
        (None, Some(id)) => Some((id, 0)),
        (None, None) => None,
    }
}

/// The source partition of a table, as the JDBC connector has it; of a range of it with what bounds the range.
pub(crate) fn table_partition(
    table: &str,
    from: Option<i64>,
    to: Option<i64>,
    is_range: bool,
) -> SourcePartition {
    let mut fields: std::collections::BTreeMap<String, Value> = [
        ("protocol".to_owned(), Value::from("1")),
        ("table".to_owned(), Value::from(table)),
    ]
    .into();
    if is_range {
        fields.insert("from".to_owned(), from.map_or(Value::Null, Value::from));
        fields.insert("to".to_owned(), to.map_or(Value::Null, Value::from));
    }
    SourcePartition::new(fields)
}

/// The source partition of a query: of this query, so that another one does not go on where this one ended.
pub(crate) fn query_partition(query: &str) -> SourcePartition {
    let mut hash = super::seen::RowHash::new();
    hash.add(Some(
        query
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .as_bytes(),
    ));
    SourcePartition::from([
        ("query", "query".to_owned()),
        ("hash", format!("{:016x}", hash.finish())),
    ])
}

/// The source partition of a query in the JDBC connector.
pub(crate) fn jdbc_query_partition() -> SourcePartition {
    SourcePartition::from([("query", "query")])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(progress: &mut Progress, at: Position, identity: u64, settled: Settled) -> Verdict {
        let verdict = progress.verdict(at, identity, settled);
        if verdict != Verdict::Full {
            progress.take(at, identity, settled);
        }
        verdict
    }

    fn timestamp(micros: i64) -> Position {
        Position::through(micros)
    }

    #[test]
    fn numbers_that_commit_late_are_found() {
        let mut progress = Progress::new(Position::default(), false);
        let unsettled = Settled::Through(0);
        for id in [1, 2, 4] {
            assert_eq!(
                row(&mut progress, Position::id(id), 0, unsettled),
                Verdict::Emit
            );
        }
        progress.round_complete(unsettled);
        assert_eq!(
            progress.to_offset(None).len(),
            1,
            "only what was seen: {progress:?}"
        );
        // The next process reads from the same place: 3 is new, 5 too.
        let mut progress = Progress::of_offset(&progress.to_offset(None), None, false).unwrap();
        let settled = Settled::Through(4);
        let verdicts = [1, 2, 3, 4, 5].map(|id| row(&mut progress, Position::id(id), 0, settled));
        assert_eq!(
            verdicts,
            [
                Verdict::Known,
                Verdict::Known,
                Verdict::Emit,
                Verdict::Known,
                Verdict::Emit
            ]
        );
        progress.round_complete(settled);
        assert_eq!(
            Value::Object(progress.to_offset(None)).to_string(),
            r#"{"incrementing":4,"seen":[[5,5]]}"#
        );
    }

    #[test]
    fn the_position_passes_complete_timestamps_only() {
        let mut progress = Progress::new(Position::default(), true);
        for (micros, identity) in [(10, 1), (10, 2), (20, 3)] {
            assert_eq!(
                row(&mut progress, timestamp(micros), identity, Settled::All),
                Verdict::Emit
            );
        }
        // The process ends here, within timestamp 20.
        assert_eq!(progress.position, timestamp(10));
        let mut next = Progress::of_offset(&progress.to_offset(None), None, true).unwrap();
        assert_eq!(
            row(&mut next, timestamp(20), 3, Settled::All),
            Verdict::Known
        );
        assert_eq!(
            row(&mut next, timestamp(20), 4, Settled::All),
            Verdict::Emit
        );
        next.round_complete(Settled::All);
        assert_eq!((next.position, next.seen.is_empty()), (timestamp(20), true));
    }

    #[test]
    fn what_cannot_be_remembered_waits() {
        let mut progress = Progress::new(Position::default(), false);
        let verdicts: Vec<Verdict> = (0..3_000)
            .map(|n| row(&mut progress, Position::id(n * 2), 0, Settled::Through(-1)))
            .collect();
        let full = verdicts
            .iter()
            .position(|verdict| *verdict == Verdict::Full)
            .unwrap();
        assert!(
            verdicts[full..]
                .iter()
                .all(|verdict| *verdict == Verdict::Full)
        );
        // Settled rows need no memory.
        assert_eq!(
            row(
                &mut progress,
                Position::id(9_999),
                0,
                Settled::Through(10_000)
            ),
            Verdict::Emit
        );
    }

    #[test]
    fn offsets_of_the_jdbc_connector_are_read() {
        let read = |text: &str, of_timestamps| {
            let offset = serde_json::from_str(text).unwrap();
            Progress::of_offset(&offset, None, of_timestamps)
                .unwrap()
                .position
        };
        assert_eq!(read(r#"{"incrementing":42}"#, false), Position::id(42));
        let both = r#"{"timestamp":1500,"timestamp_nanos":500123000,"incrementing":3}"#;
        assert_eq!(
            read(both, true),
            Position {
                micros: Some(1_500_123),
                id: Some(3)
            }
        );
        assert_eq!(read(r#"{"timestamp":1500}"#, true), timestamp(1_500_000));
    }

    #[test]
    fn partitions_are_those_of_the_jdbc_connector() {
        let table = table_partition("d.s.t", None, None, false);
        assert_eq!(table.as_json(), r#"{"protocol":"1","table":"d.s.t"}"#);
        assert_eq!(query_partition("SELECT 1"), query_partition("SELECT\n 1"));
        assert_ne!(query_partition("SELECT 1"), query_partition("SELECT 2"));
    }
}

//! What one commit of a source holds: one poll, all polls of an interval, or what the connector says.
//!
//! ```text
//! poll ─► assembled ─► pending ─┬─ poll: at once
//!                               ├─ interval: when its time is over, when it is full, at a pause and at the end
//!                               └─ connector: when the plugin closes it; void when the plugin says so
//! ```
//! Nothing of a pending transaction is in the log: a crash, a failure or a stop in the middle of a connector's transaction leaves
//! no trace, and its offsets are read again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use linkspan_plugin::batch;
use linkspan_types::units::duration_ms;

use super::assemble::Assembled;
use crate::error::TaskError;

/// The most bytes of one transaction; a commit takes 24 MiB with its offsets and schemas.
const BYTES_MAX: u64 = 16 << 20;
/// The most appends and offsets of one transaction; a commit takes 65,535.
const ENTRIES_MAX: usize = 60_000;

/// `transaction.boundary`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boundary {
    Poll,
    Interval(Duration),
    Connector,
}

impl Boundary {
    /// Reads the options; `flush` is what an interval is where nothing else is said.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn from_config(
        config: &BTreeMap<String, String>,
        flush: Duration,
        class_defines: bool,
    ) -> Result<Self, String> {
        let get = |name: &str| {
            config
                .get(name)
                .map(|text| text.trim())
                .filter(|text| !text.is_empty())
        };
        match get("transaction.boundary").map(str::to_ascii_lowercase).as_deref() {
            None | Some("poll") => Ok(Self::Poll),
            Some("interval") => {
                let Some(text) = get("transaction.boundary.interval.ms") else {
                    return Ok(Self::Interval(flush));
                };
                let ms = text.parse().ok().or_else(|| duration_ms(text).ok());
                ms.filter(|ms| *ms > 0)
                    .map(|ms| Self::Interval(Duration::from_millis(ms)))
                    .ok_or_else(|| {
                        "option `transaction.boundary.interval.ms`: it is a duration such as 30s, or milliseconds from 1 on"
                            .to_owned()
                    })
            }
            Some("connector") if class_defines => Ok(Self::Connector),
            Some("connector") => Err(
                "option `transaction.boundary`: this class does not define transactions; allowed are poll, interval".to_owned(),
            ),
            Some(_) => {
                Err("option `transaction.boundary`: allowed are poll, interval, connector".to_owned())
            }
        }
    }
}

/// The transaction of one life of a source task.
#[derive(Debug)]
pub(crate) struct Transaction {
    boundary: Boundary,
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    assembled: Assembled,
    seq: u64,
    begun: Instant,
}

impl Transaction {
    pub(crate) fn new(boundary: Boundary) -> Self {
        Self {
            boundary,
            pending: None,
        }
    }

    /// Takes a poll in; returns what is to be submitted now, with the number of its last batch.
    ///
    /// # Errors
    /// A connector's transaction is larger than a commit.
    pub(crate) fn add(
        &mut self,
        assembled: Assembled,
        seq: u64,
        flags: u32,
    ) -> Result<Option<(Assembled, u64)>, TaskError> {
        if self.pending.is_none() && assembled.is_empty() {
            return Ok(Some((assembled, seq)));
        }
        let pending = match self.pending.take() {
            None => Pending {
                assembled,
                seq,
                begun: Instant::now(),
            },
            Some(mut pending) => {
                pending.assembled.append(assembled);
                pending.seq = pending.seq.max(seq);
                pending
            }
        };
        let full = pending.assembled.bytes >= BYTES_MAX
            || pending.assembled.commit.appends.len() + pending.assembled.commit.puts.len()
                >= ENTRIES_MAX;
        let closed = match self.boundary {
            Boundary::Poll => true,
            Boundary::Interval(interval) => full || pending.begun.elapsed() >= interval,
            Boundary::Connector if flags & batch::TXN_ABORT != 0 => {
                let Pending { assembled, seq, .. } = pending;
                return Ok(Some((assembled.without_records(), seq)));
            }
            Boundary::Connector if flags & batch::TXN_OPEN == 0 => true,
            Boundary::Connector if full => {
                return Err(TaskError::permanent(
                    "LS0428",
                    "data_invalid",
                    format!(
                        "the connector's transaction holds {} bytes in {} records, one commit takes about {BYTES_MAX} bytes",
                        pending.assembled.bytes, pending.assembled.records
                    ),
                ));
            }
            Boundary::Connector => false,
        };
        if closed {
            return Ok(Some((pending.assembled, pending.seq)));
        }
        self.pending = Some(pending);
        Ok(None)
    }

    /// How long the pending transaction of an interval still lasts; `None` where nothing waits for its time.
    pub(crate) fn left(&self) -> Option<Duration> {
        let Boundary::Interval(interval) = self.boundary else {
            return None;
        };
        let pending = self.pending.as_ref()?;
        Some(interval.saturating_sub(pending.begun.elapsed()))
    }

    /// Closes the transaction of an interval whose time is over, or in any case with `now`. A connector's own stays open.
    pub(crate) fn close(&mut self, now: bool) -> Option<(Assembled, u64)> {
        let left = self.left()?;
        if !now && !left.is_zero() {
            return None;
        }
        self.pending
            .take()
            .map(|pending| (pending.assembled, pending.seq))
    }

    /// Records of a connector's transaction that was never closed; they are read again.
    pub(crate) fn unfinished(&self) -> u64 {
        self.pending
            .as_ref()
            .map_or(0, |pending| pending.assembled.records)
    }
}

#[cfg(test)]
mod tests {
    use linkspan_log::{Append, Commit};
    use linkspan_types::{PartitionId, TopicId};

    use super::*;

    fn polled(records: u64, bytes: u64) -> Assembled {
        let append = Append {
            topic: TopicId([1; 16]),
            partition: PartitionId(0),
            batch: Vec::new(),
        };
        Assembled {
            topics: Vec::new(),
            commit: Commit {
                appends: vec![append],
                puts: Vec::new(),
            },
            records,
            filtered: 0,
            aside: 0,
            letters: false,
            bytes,
            schemas: Vec::new(),
        }
    }

    fn read(options: &[(&str, &str)], defines: bool) -> Result<Boundary, String> {
        let config = options
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        Boundary::from_config(&config, Duration::from_secs(1), defines)
    }

    #[test]
    fn options_are_connects() {
        let boundary = |text| [("transaction.boundary", text)];
        assert_eq!(read(&[], false), Ok(Boundary::Poll));
        assert_eq!(read(&boundary("POLL"), false), Ok(Boundary::Poll));
        let second = Boundary::Interval(Duration::from_secs(1));
        assert_eq!(read(&boundary("interval"), false), Ok(second));
        assert_eq!(read(&boundary("connector"), true), Ok(Boundary::Connector));
        for (text, why) in [("connector", "does not define"), ("batch", "allowed are")] {
            let error = read(&boundary(text), false).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let interval = "transaction.boundary.interval.ms";
        for (text, ms) in [
            ("250", Some(250)),
            ("2s", Some(2000)),
            ("0", None),
            ("x", None),
        ] {
            let found = read(
                &[("transaction.boundary", "interval"), (interval, text)],
                false,
            );
            let expected = ms.map(|ms| Boundary::Interval(Duration::from_millis(ms)));
            assert_eq!(found.ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_poll_is_a_transaction_unless_more_is_asked_for() {
        let mut transaction = Transaction::new(Boundary::Poll);
        let (done, seq) = transaction
            .add(polled(3, 9), 7, batch::TXN_OPEN)
            .unwrap()
            .unwrap();
        assert_eq!((done.records, seq), (3, 7));
    }

    #[test]
    fn an_interval_gathers_until_it_is_over_or_full() {
        let mut transaction = Transaction::new(Boundary::Interval(Duration::from_secs(3600)));
        assert!(transaction.left().is_none());
        assert!(transaction.add(polled(1, 10), 1, 0).unwrap().is_none());
        assert!(transaction.add(polled(2, 10), 2, 0).unwrap().is_none());
        assert!(transaction.close(false).is_none());
        let (done, seq) = transaction.close(true).unwrap();
        assert_eq!((done.records, done.commit.appends.len(), seq), (3, 2, 2));
        assert!(
            transaction
                .add(polled(1, BYTES_MAX), 3, 0)
                .unwrap()
                .is_some()
        );
        let mut over = Transaction::new(Boundary::Interval(Duration::ZERO));
        assert!(over.add(polled(1, 1), 1, 0).unwrap().is_some());
    }

    #[test]
    fn a_connector_closes_its_transaction_or_makes_it_void() {
        let mut transaction = Transaction::new(Boundary::Connector);
        let open = batch::TXN_OPEN;
        assert!(transaction.add(polled(1, 10), 1, open).unwrap().is_none());
        assert!(
            transaction.close(true).is_none(),
            "only its connector closes it"
        );
        let (done, seq) = transaction.add(polled(2, 10), 2, 0).unwrap().unwrap();
        assert_eq!((done.records, done.filtered, seq), (3, 0, 2));
        // Void: its records count as filtered, its offsets are committed.
        assert!(transaction.add(polled(4, 10), 3, open).unwrap().is_none());
        let (void, _) = transaction
            .add(polled(1, 10), 4, batch::TXN_ABORT)
            .unwrap()
            .unwrap();
        assert_eq!((void.records, void.filtered, void.bytes), (5, 5, 0));
        assert!(void.commit.appends.is_empty());
        // Too large for one commit.
        let error = transaction.add(polled(1, BYTES_MAX), 5, open).unwrap_err();
        assert_eq!(error.code, "LS0428");
        assert_eq!(transaction.unfinished(), 0);
    }
}

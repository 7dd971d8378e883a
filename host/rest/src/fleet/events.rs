//! What happened to connectors, the last of it: a bounded ring that a stream and a page read.

use std::collections::VecDeque;

use serde::Serialize;

use super::row::Problem;

/// Events that are kept.
const EVENTS_MAX: usize = 1_000;

/// A connector came, went, or does otherwise than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Event {
    /// Its number, from 1 on, since the host started.
    pub(crate) id: u64,
    pub(super) t_ms: i64,
    /// `added`, `removed`, `connector` (another health) or `error` (another one than before).
    #[serde(rename = "type")]
    kind: &'static str,
    pub(crate) connector: String,
    from: Option<&'static str>,
    to: Option<&'static str>,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
}

/// The ring.
#[derive(Debug, Default)]
pub(crate) struct Events {
    last: u64,
    ring: VecDeque<Event>,
}

impl Events {
    /// Takes note of one; `problem` is what the connector suffers from then.
    pub(super) fn note(
        &mut self,
        t_ms: i64,
        kind: &'static str,
        connector: &str,
        (from, to): (Option<&'static str>, Option<&'static str>),
        problem: Option<&Problem>,
    ) {
        self.last += 1;
        if self.ring.len() == EVENTS_MAX {
            self.ring.pop_front();
        }
        self.ring.push_back(Event {
            id: self.last,
            t_ms,
            kind,
            connector: connector.to_owned(),
            from,
            to,
            code: problem.map(|problem| problem.code.clone()),
            message: problem.map(|problem| problem.message.clone()),
        });
    }

    /// The number of the last event, 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Returns what came after an event, and how many of these are gone already.
    pub(crate) fn after(&self, id: u64) -> (u64, Vec<Event>) {
        let first = self.ring.front().map_or(self.last + 1, |event| event.id);
        let missed = first.saturating_sub(id.saturating_add(1));
        let later = self.ring.iter().filter(|event| event.id > id);
        (missed, later.cloned().collect())
    }

    /// The last events of one connector, oldest first.
    pub(crate) fn of(&self, connector: &str, limit: usize) -> Vec<Event> {
        let own = self
            .ring
            .iter()
            .rev()
            .filter(|event| event.connector == connector);
        let mut own: Vec<Event> = own.take(limit).cloned().collect();
        own.reverse();
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_forgets_the_oldest_and_says_how_many() {
        let mut events = Events::default();
        assert_eq!(events.after(0), (0, Vec::new()));
        for n in 0..EVENTS_MAX + 12 {
            let name = if n % 2 == 0 { "even" } else { "odd" };
            events.note(0, "connector", name, (None, Some("running")), None);
        }
        let (missed, kept) = events.after(0);
        assert_eq!((missed, kept.len()), (12, EVENTS_MAX));
        let (missed, kept) = events.after(events.last() - 3);
        assert_eq!((missed, kept.len()), (0, 3));
        let own = events.of("odd", 2);
        assert_eq!(own.len(), 2);
        assert!(own[0].id < own[1].id && own.iter().all(|event| event.connector == "odd"));
    }
}
